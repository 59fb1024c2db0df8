"""`describe`: a business component as a document of OpenAPI 3.0, or of 2.0 where `openapiversion=2` is asked.

Source: Oracle, Siebel REST API Guide, "Using the Describe Parameter to Return Business Component Metadata"; the documents of
a deployment in bcgov/myss, Apps/IcmApi/docs/integration, whose shape is followed: one component, its verbs, `x-maxLength`
and `x-siebel-readOnly` as text, `Id` left out of the schema that is sent.
"""

from __future__ import annotations

from typing import Any

from sandbox.siebel.schema import Component, Field

_QUERY = (
    ("childlinks", {"type": "string"}),
    ("uniformresponse", {"type": "string", "default": "Y", "enum": ["Y"]}),
    ("searchspec", {"type": "string"}),
    ("sortspec", {"type": "string"}),
    ("fields", {"type": "string"}),
    ("PageSize", {"type": "integer", "minimum": 1, "maximum": 100}),
    ("StartRowNum", {"type": "integer", "minimum": 0, "default": 0}),
    ("ViewMode", {"type": "string", "default": "Sales Rep"}),
    ("recordcountneeded", {"type": "boolean", "default": False}),
    ("ExecutionMode", {"type": "string", "default": "BiDirectional"}),
)
_SAID = {"204": "No Resource Found", "304": "Not Modified", "400": "Bad Request", "401": "Unauthorized",
         "404": "There is no data for the requested resource", "409": "Conflict",
         "500": "Internal Server Error"}  # fmt: skip
_LINK = {"type": "object", "properties": {name: {"type": "string"} for name in ("rel", "href", "name")}}


def document(component: Component, url: str, base: str) -> dict[str, Any]:
    """The component in OpenAPI 3.0."""
    name = f"data_{component.path.replace('/', '_')}_"
    record = {"$ref": f"#/components/schemas/{name}"}
    whole = {"$ref": f"#/components/schemas/{name}get_one_response"}
    path = f"/data/{component.path}/"
    written = {"application/json": {"schema": {"type": "object", "properties": {"items": whole}}}}
    listed = {"application/json": {"schema": {"type": "object", "properties": {
        "items": {"type": "array", "items": whole}, "Link": {"type": "array", "items": _LINK}}}}}  # fmt: skip
    query = [{"name": one, "in": "query", "schema": schema} for one, schema in _QUERY]
    body = {"required": True, "content": {"application/json": {"schema": record}}}
    verbs: dict[str, dict[str, Any]] = {
        "get": {"operationId": f"{name}get", "parameters": query, "responses": _responses(listed)},
        "put": {"operationId": f"{name}put", "requestBody": body, "responses": _responses(written)},
        "post": {"operationId": f"{name}post", "requestBody": body, "responses": _responses(written)},
    }
    return {
        "openapi": "3.0.1",
        "info": {
            "title": f"SblDt{component.path.replace('/', '').replace(' ', '')}",
            "description": f"OpenAPI specification for SiebelData - API : data/{component.path}",
            "version": "1.0",
        },
        "servers": [{"url": f"{url}{base}"}],
        "tags": [{"name": path.lstrip("/")}],
        "paths": {path: {verb: {**told, "security": [{"basicAuth": []}]} for verb, told in verbs.items()}},
        "components": {
            "schemas": {
                name: _schema(component, required=True),
                f"{name}get_one_response": _schema(component, required=False),
            },
            "securitySchemes": {"basicAuth": {"type": "http", "scheme": "basic"}},
        },
    }


def older(component: Component, host: str, base: str) -> dict[str, Any]:
    """The component in OpenAPI 2.0, as E88140 shows it."""
    name = f"data_{component.path.replace('/', '_')}_"
    return {
        "swagger": "2.0",
        "info": {"title": "Siebel REST API", "description": "Siebel REST API", "version": "1.0"},
        "schemes": ["http", "https"],
        "host": host,
        "basePath": base,
        "definitions": {
            name: {
                "type": "object",
                "required": [field.name for field in component.fields if field.required],
                "properties": {field.name: _property(field, "maxLength") for field in component.fields},
            }
        },
        "paths": {
            f"/data/{component.path}/": {
                verb: {"tags": [name], "responses": {"200": {"description": "Successful Operation"}}}
                for verb in ("get", "post", "put")
            }
        },
    }


def _responses(content: dict[str, Any]) -> dict[str, Any]:
    said = {status: {"description": words} for status, words in _SAID.items()}
    return {"200": {"description": "Successful Operation", "content": content}, **said}


def _schema(component: Component, *, required: bool) -> dict[str, Any]:
    """A record. What is sent names its required fields and leaves `Id` out, what comes back has it and its links."""
    properties = {field.name: _property(field, "x-maxLength") for field in component.fields if field.name != "Id"}
    if not required:
        links = {"oneOf": [_LINK, {"type": "array", "items": _LINK}]}
        return {"type": "object", "properties": {**properties, "Id": {"type": "string"}, "Link": links}}
    needed = [field.name for field in component.fields if field.required]
    return {"type": "object", "required": needed, "properties": properties}


def _property(field: Field, length: str) -> dict[str, Any]:
    told: dict[str, Any] = {"title": field.name, "type": "string", "x-siebel-datatype": field.type}
    told[length] = str(field.length) if length.startswith("x-") else field.length
    if field.read_only:
        told["x-siebel-readOnly"] = "true"
    if field.type == "DTYPE_TEXT":
        told |= {"x-siebel-precision": "0", "x-siebel-scale": "0"}
    return told
