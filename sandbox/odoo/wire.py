"""Odoo's interfaces: JSON-2 with real statuses, JSON-RPC with everything in a 200, and what clients ask before both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

from sandbox.frame import Faults
from sandbox.odoo.database import LOGIN, Database, Problem
from sandbox.odoo.schema import MODEL_METHODS, RECORD_METHODS, SCHEMA

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

NAME, VERSION = "acme", "19.0"
UID = 1
CHANGES = ("create", "write", "unlink", "load")


class Service:
    """One server with one database."""

    def __init__(self, database: Database, faults: Faults, key: str) -> None:
        self._database, self._faults, self._key = database, faults, key

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        request = Request(environ)
        path = str(request.environ.get("RAW_URI") or request.path).partition("?")[0].rstrip("/")
        if path == "/jsonrpc" or path == "/web/webclient/version_info":
            return self._json_rpc(request, path)(environ, start_response)
        if path == "/web/version":
            return _json({"version_info": [19, 0, 0, "final", 0, ""], "version": VERSION})(environ, start_response)
        if path.startswith(("/odoo", "/web")):
            return Response("<!DOCTYPE html><title>Odoo</title>", mimetype="text/html")(environ, start_response)
        try:
            answer = self._json2(request, [unquote(part) for part in path.split("/")[1:]])
        except Problem as problem:
            answer = _json(_told(problem), problem.status)
        return answer(environ, start_response)

    # --- JSON-2 ----------------------------------------

    def _json2(self, request: Request, parts: list[str]) -> Response:
        kind, _, key = request.headers.get("Authorization", "").partition(" ")
        if self._faults.take("refused") or kind.lower() != "bearer" or key != self._key:
            raise Problem("werkzeug.exceptions.Unauthorized", "Invalid apikey", 401)
        if request.headers.get("X-Odoo-Database", NAME) != NAME:
            raise Problem("werkzeug.exceptions.NotFound", "No database is selected", 404)
        if len(parts) == 2 and parts[0] == "doc-bearer" and parts[1].endswith(".json"):
            self._database.fields(parts[1].removesuffix(".json"))
            return _json({"methods": {**_documented(MODEL_METHODS, ["model"]), **_documented(RECORD_METHODS, [])}})
        if len(parts) != 4 or parts[:2] != ["json", "2"] or request.method != "POST":
            raise Problem("werkzeug.exceptions.NotFound", "Did you mean POST /json/2/<model>/<method>?", 404)
        try:
            told = json.loads(request.get_data() or b"{}")
        except ValueError:
            raise Problem("werkzeug.exceptions.BadRequest", "could not parse the body as json", 400) from None
        if not isinstance(told, dict):
            raise Problem("werkzeug.exceptions.BadRequest", "the body is no JSON object", 400)
        ids, context = told.pop("ids", []), told.pop("context", {})
        method = parts[3]
        if method in MODEL_METHODS and ids:
            raise Problem("werkzeug.exceptions.UnprocessableEntity", f"cannot call {parts[2]}.{method} with ids")
        return _json(self._called(parts[2], method, ids, told, context))

    # --- JSON-RPC ----------------------------------------

    def _json_rpc(self, request: Request, path: str) -> Response:
        try:
            told = json.loads(request.get_data())
        except ValueError:
            return Response("<h1>Bad Request</h1>", 400, mimetype="text/html")
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": told.get("id")}
        try:
            params = told.get("params") or {}
            result = _version() if path != "/jsonrpc" else self._service(params)
        except Problem as problem:
            error = {"code": 200, "message": "Odoo Server Error", "data": _told(problem)}
            return _json({**answer, "error": error})
        return _json({**answer, "result": result})

    def _service(self, params: Mapping[str, Any]) -> Any:
        args = params.get("args") or []
        match params.get("service"), params.get("method"):
            case "common", "version":
                return _version()
            case "common", ("login" | "authenticate"):
                good = args[:3] == [NAME, LOGIN, self._key] and not self._faults.take("refused")
                return UID if good else False
            case "object", ("execute_kw" | "execute"):
                database, user, key, model, method, *rest = args
                if self._faults.take("refused") or (database, user, key) != (NAME, UID, self._key):
                    raise Problem("odoo.exceptions.AccessDenied", "Access Denied", 403)
                if params["method"] == "execute":
                    rest = [rest, {}]
                positional, named = list(rest[0]), dict(rest[1] if len(rest) > 1 and rest[1] else {})
                context = named.pop("context", {})
                ids: Any = []
                if method not in MODEL_METHODS:
                    ids = positional.pop(0) if positional else named.pop("ids", [])
                names = {**MODEL_METHODS, **RECORD_METHODS}.get(method, ())
                return self._called(
                    model, method, ids, {**dict(zip(names, positional, strict=False)), **named}, context
                )
        raise Problem("builtins.KeyError", f"no service {params.get('service')}", 404)

    # --- methods ----------------------------------------

    def _called(self, model: str, method: str, ids: Any, named: dict[str, Any], context: Mapping[str, Any]) -> Any:
        database = self._database
        database.fields(model)
        known = {**MODEL_METHODS, **RECORD_METHODS}.get(method)
        if known is None or (method == "context_get" and model != "res.users"):
            raise Problem("werkzeug.exceptions.NotFound", f"the method '{model}.{method}' does not exist", 404)
        if strange := sorted(set(named) - set(known)):
            raise Problem(
                "werkzeug.exceptions.UnprocessableEntity", f"got an unexpected keyword argument '{strange[0]}'"
            )
        self._stumble(method)
        ids = [ids] if isinstance(ids, int) else list(ids)
        with database.lock:
            match method:
                case "context_get":
                    return {"lang": "en_US", "tz": "Europe/Madrid", "uid": UID}
                case "fields_get":
                    wanted, attributes = named.get("allfields"), named.get("attributes")
                    shown = {
                        name: one.shown(name) for name, one in SCHEMA[model].items() if not wanted or name in wanted
                    }
                    return {name: {key: value for key, value in told.items() if not attributes or key in attributes}
                            for name, told in shown.items()}  # fmt: skip
                case "default_get":
                    fields = SCHEMA[model]
                    return {name: fields[name].default for name in named["fields"]
                            if name in fields and fields[name].default is not None}  # fmt: skip
                case "create":
                    values = named["vals_list"]
                    if isinstance(values, list):
                        return [database.create(model, one)["id"] for one in values]
                    return database.create(model, values)["id"]
                case "load":
                    return self._load(model, named)
                case "read":
                    load = str(named.get("load", "_classic_read"))
                    return [
                        database.shown(model, one, named.get("fields"), load) for one in database.records(model, ids)
                    ]
                case "write":
                    for record in database.records(model, ids):
                        database.write(model, record, named["vals"])
                    return True
                case "unlink":
                    database.unlink(model, ids)
                    return True
                case "get_external_id":
                    names = {one["res_id"]: f"{one['module']}.{one['name']}"
                             for one in database.stored["ir.model.data"].values() if one["model"] == model}  # fmt: skip
                    return {str(id): names.get(id, "") for id in ids}
        return self._searched(model, method, named, context)

    def _searched(self, model: str, method: str, named: Mapping[str, Any], context: Mapping[str, Any]) -> Any:
        database = self._database
        domain: Any = named.get("domain") or []
        if method == "name_search":
            domain = [["display_name", named.get("operator") or "ilike", named.get("name") or ""], *domain]
        found = database.search(model, domain, context)
        if method == "search_count":
            return len(found)
        name, _, direction = str(named.get("order") or "id").partition(",")[0].strip().partition(" ")
        found.sort(key=lambda one: (one.get(name) is None, one.get(name)), reverse=direction.strip().lower() == "desc")
        start = int(named.get("offset") or 0)
        limit = named.get("limit")
        page = found[start : start + int(limit) if limit else None]
        if method == "search":
            return [one["id"] for one in page]
        if method == "name_search":
            return [[one["id"], one["display_name"]] for one in page]
        return [database.shown(model, one, named.get("fields")) for one in page]

    def _load(self, model: str, named: Mapping[str, Any]) -> dict[str, Any]:
        told = self._database.load(model, named["fields"], named["data"])
        if told["messages"] and self._faults.take("nameless"):
            told["messages"] = [{"type": "error", "message": "Unknown error during import", "record": -1}]
        return told

    def _stumble(self, method: str) -> None:
        if self._faults.take("forbidden"):
            raise Problem("odoo.exceptions.AccessError", "You are not allowed to access this document.", 403)
        if self._faults.take("database_gone"):
            raise Problem("psycopg2.OperationalError", "server closed the connection unexpectedly", 500)
        if method in CHANGES and self._faults.take("serialization"):
            raise Problem(
                "psycopg2.errors.SerializationFailure", "could not serialize access due to concurrent update", 500
            )
        if method in CHANGES and self._faults.take("lock"):
            words = 'could not obtain lock on row in relation "res_partner"'
            raise Problem("psycopg2.errors.LockNotAvailable", words, 500)


def _documented(methods: Mapping[str, Sequence[str]], api: list[str]) -> dict[str, Any]:
    return {name: {"parameters": {one: {} for one in parameters}, "api": api} for name, parameters in methods.items()}


def _version() -> dict[str, Any]:
    return {"server_version": VERSION, "server_version_info": [19, 0, 0, "final", 0, ""], "server_serie": VERSION,
            "protocol_version": 1}  # fmt: skip


def _told(problem: Problem) -> dict[str, Any]:
    return {"name": problem.name, "message": problem.message, "arguments": [problem.message], "context": {},
            "debug": f"Traceback (most recent call last):\n{problem.name}: …"}  # fmt: skip


def _json(told: object, status: int = 200) -> Response:
    return Response(json.dumps(told), status, content_type="application/json; charset=utf-8")
