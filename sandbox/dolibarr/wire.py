"""Dolibarr's wire format: addresses, sign-in, lists, records, and refusals as its versions word them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from sandbox.dolibarr.cleaning import INJECTION
from sandbox.dolibarr.schema import (
    CATEGORY_OF,
    CATEGORY_TYPES,
    EVENT_TYPES,
    EXTRA_FIELDS,
    RIGHTS,
    TABLES,
    TICKET_CODES,
    Record,
)
from sandbox.dolibarr.sqlfilters import Test, Wrong, folded, test_of
from sandbox.dolibarr.state import Problem, Records
from sandbox.frame import Faults

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ROOT = "/api/index.php/"
LONGEST_TARGET = 8_190
CHANGED = ("contacts", "thirdparties", "agendaevents", "tickets")
REASONS: Mapping[int, str] = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
                              405: "Method Not Allowed", 500: "Internal Server Error",
                              503: "Service Unavailable"}  # fmt: skip
NOT_FOUND = {"contacts": "Contacts not found", "agendaevents": "No Agenda Event found", "tickets": "No ticket found",
             "users": "No User found", "categories": "No category found",
             "thirdparties": "No third parties found"}  # fmt: skip
BAD_KEY = "Error user not valid (not found with api key or bad status or bad validity dates) (conf->entity=1)"
OLD_BAD_KEY = "Error when searching login user from api key"
NO_KEY = "Failed to login to API. No parameter 'HTTP_DOLAPIKEY' on HTTP header (and no parameter DOLAPIKEY in URL)."


class Service:
    """The API of one version."""

    def __init__(self, records: Records, faults: Faults, key: str, version: str) -> None:
        self._records, self._faults, self._key, self._version = records, faults, key, version
        self._major = int(version.partition(".")[0])

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        request = Request(environ)
        try:
            answer = self._answered(request)
        except Problem as problem:
            answer = self._refused(problem)
        return answer(environ, start_response)

    def _answered(self, request: Request) -> Response:
        target = str(request.environ.get("RAW_URI") or request.path)
        if len(target) > LONGEST_TARGET:
            return Response("<h1>414 Request-URI Too Large</h1>", 414, mimetype="text/html")
        if any(INJECTION.search(value) for value in request.args.values()):
            text = "Access refused to 127.0.0.1 by SQL or Script injection protection in main.inc.php"
            return Response(f"{text}:analyseVarsForSqlAndScriptsInjection type=1<br>", 403, mimetype="text/html")
        if not request.path.startswith(ROOT):
            status = 404 if "/api/" in request.path else 200
            return Response("<!DOCTYPE html><title>Dolibarr</title>", status, mimetype="text/html")
        if self._faults.take("module_off"):
            return Response(
                "The module Api must be enabled.<br><br>To activate modules, go on Setup", mimetype="text/html"
            )
        if self._faults.take("address"):
            return Response("APIs are not allowed from the IP 127.0.0.1", 503, mimetype="text/html")
        name, *more = request.path.removeprefix(ROOT).strip("/").split("/")
        if name not in (*TABLES, "status", "setup") or self._faults.take("endpoint_off"):
            return Response("API not found (failed to include API file)", 501, mimetype="text/html")
        self._signed_in(request)
        if self._faults.take("forbidden"):
            raise self._not_allowed("Insufficient rights to read an event")
        if name == "status":
            return _json({"success": {"code": 200, "dolibarr_version": self._version, "access_locked": "0"}})
        if name == "setup":
            return self._setup(request, more)
        with self._records.lock:
            return self._object(request, name, more)

    def _object(self, request: Request, name: str, more: list[str]) -> Response:
        records = self._records
        match request.method, more:
            case "GET", []:
                return self._list(request, name)
            case "GET", ["info"] if name == "users":
                me = records.shown("users", records.one("users", records.me))
                rights = RIGHTS if request.args.get("includepermissions", "0") != "0" else {}
                return _json({**me, "admin": "1", "rights": rights, "user_group_list": []})
            case "GET", [id]:
                return _json(records.shown(name, records.one(name, id)))
            case "GET", ["track_id", track_id] if name == "tickets":
                found = next((one for one in records.kept(name) if one["track_id"] == track_id), None)
                if found is None:
                    raise Problem(404, "Ticket not found")
                return _json(records.shown(name, found))
            case "GET", ["email", email] if name in ("contacts", "thirdparties", "users"):
                found = next((one for one in records.kept(name) if folded(one["email"] or "") == folded(email)), None)
                if found is None:
                    raise Problem(404, f"{TABLES[name].what.title()} not found")
                return _json(records.shown(name, found))
            case "GET", [id, "objects"] if name == "categories":
                kind = next((one for one, of in CATEGORY_OF.items() if of == request.args.get("type")), "")
                if not kind:
                    raise Problem(403)
                ids = sorted(records.members(records.one(name, id)["id"]))
                return _json([records.shown(kind, records.one(kind, one)) for one in ids])
            case "POST", [] if name in CHANGED:
                self._troubled(name, "creating")
                return _json(records.create(name, _body(request), old=self._major < 19))
            case "PUT", [id] if name in CHANGED:
                if self._faults.take("unchanged"):
                    return _json(False)
                self._troubled(name, "")
                return _json(records.update(name, id, _body(request)))
            case "PUT", [id, "merge", gone] if name == "thirdparties":
                return _json(records.merge(id, gone))
            case "GET", [id, "categories"] if name in CATEGORY_OF:
                kind = str(CATEGORY_TYPES[CATEGORY_OF[name]])
                of = int(records.one(name, id)["id"])
                return _json([records.shown("categories", one) for one in records.kept("categories")
                              if one["type"] == kind and of in records.members(one["id"])])  # fmt: skip
            case (("POST" | "PUT"), [id, "categories", category]) if name in CATEGORY_OF:
                records.members(records.one("categories", category)["id"])[int(records.one(name, id)["id"])] = None
                return _json(records.shown(name, records.one(name, id)))
            case "DELETE", [id, "categories", category] if name in CATEGORY_OF:
                records.members(records.one("categories", category)["id"]).pop(int(id), None)
                return _json(records.shown(name, records.one(name, id)))
            case "DELETE", [id] if name in CHANGED:
                records.delete(name, id)
                what = TABLES[name].what
                return _json({"success": {"code": 200, "message": f"{what[0].upper()}{what[1:]} deleted"}})
        raise Problem(404 if request.method == "GET" else 405)

    # --- lists ----------------------------------------

    def _list(self, request: Request, name: str) -> Response:
        if self._faults.take("database"):
            raise Problem(503, f"Error when retrieve {TABLES[name].what} list : MySQL server has gone away")
        table, records = TABLES[name], self._records
        limit, page = _int(request, "limit", 100), max(0, _int(request, "page", 0))
        columns = [one.name for one in table.columns] + [table.id_column]
        columns += [f"{table.extras}.{field}" for field in EXTRA_FIELDS.get(table.element, {})]
        keep = self._test(request.args.get("sqlfilters") or "", table.what, columns)
        found = [(records.row(name, one), one) for one in records.kept(name)]
        found = [(row, one) for row, one in found if keep(row)]
        if name in CATEGORY_OF:
            found = self._narrowed(request, name, found)
        if name == "categories" and request.args.get("type"):
            wanted = str(CATEGORY_TYPES.get(request.args["type"], -1))
            found = [(row, one) for row, one in found if one["type"] == wanted]
        order = (request.args.get("sortfield") or f"t.{table.id_column}").removeprefix("t.")
        if order not in columns:
            raise Problem(503, f"Error when retrieve {table.what} list : Unknown column 't.{order}' in 'order clause'")
        found.sort(key=lambda pair: (pair[0][order] is not None, pair[0][order] if pair[0][order] is not None else 0),
                   reverse=(request.args.get("sortorder") or "ASC").upper() == "DESC")  # fmt: skip
        shown = [records.shown(name, one) for _, one in (found[limit * page :][:limit] if limit > 0 else found)]
        if not shown and (self._major < 19 or table.empty_is_404):
            raise Problem(404, NOT_FOUND[name])
        properties = [one for one in (request.args.get("properties") or "").split(",") if one]
        if properties and self._major >= 18:
            shown = [{field: value for field, value in one.items() if field in properties} for one in shown]
        if request.args.get("pagination_data") == "true" and self._major >= 21:
            count = {"total": len(found), "page": page, "page_count": -(-len(found) // max(1, limit)), "limit": limit}
            return _json({"data": shown, "pagination": count})
        return _json(shown)

    def _test(self, filter: str, what: str, columns: list[str]) -> Test:
        if not filter:
            return lambda _: True
        try:
            return test_of(filter, columns, colons=self._major >= 21)
        except Wrong as wrong:
            if wrong.unknown or "SQL syntax" in str(wrong):
                raise Problem(503, f"Error when retrieve {what} list : {wrong}") from None
            status = 400 if self._major >= 18 else 503
            raise Problem(status, f"Error when validating parameter sqlfilters -> {wrong}") from None

    def _narrowed(
        self, request: Request, name: str, found: list[tuple[Mapping[str, Any], Record]]
    ) -> list[tuple[Mapping[str, Any], Record]]:
        mode, category = _int(request, "mode", 0), _int(request, "category", 0)
        if name == "thirdparties" and mode:
            clients = {1: ("1", "3"), 2: ("2", "3"), 3: ("0", None)}.get(mode, ())
            found = [(row, one) for row, one in found if one["client"] in clients]
        if category:
            members = self._records.members(category)
            found = [(row, one) for row, one in found if int(one["id"]) in members]
            if name == "thirdparties" and not mode:
                return []  # joined with the suppliers' categories, of which there are none
        return found

    # --- setup, sign-in, what goes wrong ----------------------------------------

    def _setup(self, request: Request, more: list[str]) -> Response:
        match more:
            case ["extrafields"]:
                if self._faults.take("no_administrator"):
                    raise self._not_allowed("Only an admin user can get list of extrafields")
                element = request.args.get("elementtype") or ""
                told = {one: dict(fields) for one, fields in EXTRA_FIELDS.items() if element in ("", one) and fields}
                if not told:
                    raise Problem(404, "No extrafield found")
                return _json(told)
            case ["dictionary", "event_types"]:
                return _json([{"id": id, "code": code, "type": type, "label": label, "module": None}
                              for id, code, type, label in EVENT_TYPES])  # fmt: skip
            case ["dictionary", which] if which in TICKET_CODES:
                return _json([{"rowid": str(place), "code": code, "label": code.title(), "pos": str(10 * place),
                               "use_default": "0"} for place, code in enumerate(TICKET_CODES[which], 1)])  # fmt: skip
        raise Problem(404)

    def _signed_in(self, request: Request) -> None:
        told = request.headers.get("DOLAPIKEY") or request.args.get("DOLAPIKEY") or request.args.get("api_key") or ""
        if not told and self._major >= 22:
            told = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not told:
            raise Problem(401, NO_KEY)
        if self._faults.take("refused") or not hmac.compare_digest(told.encode(), self._key.encode()):
            raise Problem(503, OLD_BAD_KEY) if self._major <= 13 else Problem(401, BAD_KEY)

    def _troubled(self, name: str, doing: str) -> None:
        wrong = f"Error {doing} {TABLES[name].what}" if doing else ""
        if self._faults.take("lock"):
            raise Problem(500, wrong, ("Deadlock found when trying to get lock; try restarting transaction",))
        if self._faults.take("validation"):
            raise Problem(500, wrong, ("ErrorBadValueForParameter",))
        if self._faults.take("crash"):
            raise Problem(500)

    def _not_allowed(self, message: str) -> Problem:
        return Problem(403 if self._major >= 19 else 401, message)

    def _refused(self, problem: Problem) -> Response:
        reason = REASONS.get(problem.status, "")
        message = f"{reason}: {problem.message}" if problem.message else reason
        told: Record = {"error": {"code": problem.status, "message": message}}
        told["error"] |= {str(place): one for place, one in enumerate(problem.details)}
        told["debug"] = {
            "source": "api.class.php:100 at call stage",
            "stages": {"success": ["get", "route"], "failure": []},
        }
        return Response(json.dumps(told), problem.status, mimetype="application/json")


def _int(request: Request, name: str, default: int) -> int:
    text = request.args.get(name) or ""
    if text and not text.lstrip("-").isdecimal():
        raise Problem(400, f"Invalid value specified for `{name}`. Expecting integer value")
    return int(text) if text else default


def _body(request: Request) -> Mapping[str, Any]:
    told = request.get_json(force=True, silent=True)
    if not isinstance(told, dict):
        raise Problem(400, "Error encoding/decoding JSON: Syntax error, malformed JSON")
    return told


def _json(told: Any) -> Response:
    return Response(json.dumps(told), mimetype="application/json")
