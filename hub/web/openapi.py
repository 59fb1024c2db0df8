"""/openapi.json, read off the endpoints' declarations; and the same as a page of the manual."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import msgspec
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Flask, Response, current_app
from marshmallow import Schema
from marshmallow import fields as wire
from werkzeug.http import HTTP_STATUS_CODES

from hub import model
from hub.store.access import SCOPES
from hub.web.api.declaration import Declaration
from hub.web.api.fields import Moment, Noun
from hub.web.api.rooms import API_PREFIX, Road, roads, with_api
from hub.web.problems import MEDIA_TYPE

pages = Blueprint("openapi", __name__)
EXTENSION = "openapi"
PART = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")
PROBLEM = {
    "type": "object",
    "description": "A problem detail (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What, where, and what would be right."},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}
ALWAYS = {
    401: "No token, or one that is not known.",
    403: "The token lacks the scope.",
    500: "Patchbay failed on it; its log says why.",
}


@pages.get("/openapi.json")
def description() -> Response:
    """The API's description, made once."""
    made = current_app.extensions.get(EXTENSION)
    if made is None:
        made = current_app.extensions[EXTENSION] = msgspec.json.encode(openapi(current_app))
    return Response(made, mimetype="application/json")


def openapi(app: Flask) -> dict[str, Any]:
    """The description of the API of `app`, OpenAPI 3.1."""
    plugin = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec(
        title="Patchbay",
        version=version("patchbay"),
        openapi_version="3.1.0",
        plugins=[plugin],
        info={
            "description": "The API of the hub. Hooks in (`POST /hooks/{connection}`) are signed, not called with a token."
        },
    )
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(_attributes(spec))  # type: ignore[no-untyped-call]
    spec.components.schema("Problem", PROBLEM)
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    spec.components.security_scheme("session", {"type": "apiKey", "in": "cookie", "name": "patchbay"})
    for scope, about in SCOPES.items():
        spec.tag({"name": scope, "description": about})
    for road in roads(app):
        spec.path(path=_path(road), operations={road.method.lower(): _operation(road)})
    made: dict[str, Any] = spec.to_dict()
    return made


def _operation(road: Road) -> dict[str, Any]:
    says = road.says
    parameters: list[Any] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind == "int" else "string"}}
        for kind, name in PART.findall(road.rule)
    ]
    for where, schema in (("query", says.query), ("header", says.headers)):
        if schema is not None:
            parameters.append({"in": where, "schema": schema})
    operation: dict[str, Any] = {
        "operationId": f"{road.method.lower()}_{road.endpoint.replace('.', '_')}",
        "summary": says.about,
        "description": f"Scope: `{says.scope}`.",
        "tags": [says.scope],
        "security": [{"token": []}, {"session": []}],
        "parameters": parameters,
        "responses": _responses(says),
    }
    if says.body is not None:
        needed = any(field.required for field in says.body().fields.values())
        operation["requestBody"] = {"required": needed, "content": {"application/json": {"schema": says.body}}}
    return operation


def _responses(says: Declaration) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, about in {says.status: "Done.", **says.also}.items():
        answers[str(status)] = {"description": about or HTTP_STATUS_CODES[status]}
        if says.answers is not None and status not in (302, 303):
            schema: Any = {"type": "array", "items": says.answers} if says.many else says.answers
            answers[str(status)]["content"] = {says.media: {"schema": schema}}
        elif says.media != "application/json":
            answers[str(status)]["content"] = {says.media: {}}
    problems = {
        **ALWAYS,
        **({400: "Not JSON.", 413: "Too large.", 415: "Not application/json."} if says.body else {}),
        422: "A wrong or unknown field.",
        **says.problems,
    }
    for status, about in sorted(problems.items()):
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        answers[str(status)] = {"description": about, "content": content}
    return answers


def _attributes(spec: APISpec) -> Callable[..., dict[str, Any]]:
    """Our own fields in OpenAPI's words; the model's nouns become components of `spec` when they are first met."""

    def attributes(_converter: object, field: wire.Field[Any], **_: Any) -> dict[str, Any]:
        if isinstance(field, Moment):
            return {"type": ["string", "null"] if field.allow_none else "string", "format": "date-time"}
        if not isinstance(field, Noun):
            return {}
        (reference,), components = msgspec.json.schema_components(
            [field.noun], ref_template="#/components/schemas/{name}"
        )
        for name, schema in components.items():
            if name not in spec.components.schemas:
                spec.components.schema(name, schema)
        return {"anyOf": [reference, {"type": "null"}]} if field.allow_none else dict(reference)

    return attributes


def _path(road: Road) -> str:
    return PART.sub(r"{\2}", road.rule)


def _schema_name(schema: Any) -> str:
    name = (schema if isinstance(schema, type) else type(schema)).__name__
    plain = name.removesuffix("Schema")
    return name if hasattr(model, plain) else plain  # a plain name that the model has is the noun's


def api_reference() -> str:
    """The API as a page of the manual."""
    app = Flask("hub.web")
    with_api(app)
    parts = [
        "# API\n\nEvery road is under `"
        + API_PREFIX
        + "` and takes `Authorization: Bearer <token>`; `patchbay token create` "
        "makes one. Errors are problem details (RFC 9457). The same, for machines: `/openapi.json`.\n\n"
        "| scope | lets |\n|---|---|\n",
        *(f"| `{scope}` | {about} |\n" for scope, about in SCOPES.items()),
    ]
    for road in roads(app):
        says = road.says
        parts.append(f"\n## `{road.method} {_path(road)}`\n\n{says.about} Scope: `{says.scope}`.\n")
        for title, schema in (
            ("Query", says.query),
            ("Headers", says.headers),
            ("Body", says.body),
            ("Answers", says.answers),
        ):
            if schema is not None and schema().fields:
                parts.append(f"\n{title}:\n\n" + "".join(_lines(schema(), "")))
        refusals = {**says.also, **says.problems}
        if refusals:
            parts.append("\n" + "".join(f"- {status}: {about}\n" for status, about in sorted(refusals.items())))
    return "".join(parts)


def _lines(schema: Schema, indent: str) -> Iterator[str]:
    for name, field in schema.fields.items():
        inner = field.inner if isinstance(field, wire.List) else field
        about = str(field.metadata.get("description", ""))
        word = (
            _word(inner) + (" list" if isinstance(field, wire.List) else "") + (", required" if field.required else "")
        )
        yield f"{indent}- `{field.data_key or name}` ({word}){': ' + about if about else ''}\n"
        if isinstance(inner, wire.Nested) and len(indent) < 8:
            yield from _lines(inner.schema, indent + "  ")


def _word(field: wire.Field[Any]) -> str:
    if isinstance(field, Noun):
        return f"`{field.noun.__name__}`"
    words = {wire.Integer: "integer", wire.Float: "number", wire.Boolean: "true or false", wire.Dict: "object",
             wire.Nested: "object", wire.String: "text", Moment: "moment"}  # fmt: skip
    return next((word for kind, word in words.items() if isinstance(field, kind)), "any")
