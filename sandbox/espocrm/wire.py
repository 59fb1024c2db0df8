"""EspoCRM's wire format: addresses, sign-in, lists, relations, errors with their cause in a header."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

from sandbox.espocrm.schema import ENTITY_DEFS, METADATA, attributes, link_of
from sandbox.espocrm.state import Problem, Record, Records
from sandbox.espocrm.where import Wrong, fits, folded, php
from sandbox.frame import Faults

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ROOT = "/api/v1/"
MOST, SMALL, CUT = 200, 20, 10_000
LONGEST_TARGET = 8_190
ACL = {name: {"create": "yes", "read": "all", "edit": "all", "delete": "all", "stream": "all"} for name in ENTITY_DEFS}
ACL["User"] = {"create": "no", "read": "all", "edit": "no", "delete": "no", "stream": "no"}


class Service:
    """The API."""

    def __init__(self, records: Records, faults: Faults, key: str, hmac_key: str, secret: str) -> None:
        self._records, self._faults = records, faults
        self._key, self._hmac_key, self._secret = key, hmac_key, secret

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        request = Request(environ)
        try:
            answer = self._answered(request)
        except Problem as problem:
            answer = _refused(problem)
        except Wrong as wrong:
            answer = _refused(Problem(wrong.status, str(wrong)))
        return answer(environ, start_response)

    def _answered(self, request: Request) -> Response:
        target = str(request.environ.get("RAW_URI") or request.path)
        raw = target.partition("?")[0]
        if not raw.startswith(ROOT):
            return Response("<!DOCTYPE html><title>EspoCRM</title>", mimetype="text/html")
        if len(target) > LONGEST_TARGET:
            return Response("<h1>414 Request-URI Too Large</h1>", 414, mimetype="text/html")
        path = raw.removeprefix(ROOT).rstrip("/")
        self._signed_in(request, path)
        if self._faults.take("maintenance"):
            raise Problem(503, "Application is in maintenance mode.")
        if self._faults.take("forbidden"):
            raise Problem(403, "No 'read' access.")
        if self._faults.take("broken"):
            return Response("", 500)
        parts = [unquote(part) for part in path.split("/")]
        match request.method, parts:
            case "GET", ["App", "user"]:
                return _json({"user": {"id": self._records.owner, "userName": "patchbay", "type": "api"}, "token": None,
                              "acl": {"table": ACL, "fieldTable": {}}, "preferences": {},
                              "settings": {"version": "9.2.4", "timeZone": "Europe/Madrid"}})  # fmt: skip
            case "GET", ["Metadata"]:
                return self._metadata(request)
        entity = parts[0]
        if entity not in ENTITY_DEFS:
            raise Problem(404, f"Controller '{entity}' does not exist.")
        match request.method, parts[1:]:
            case "GET", []:
                with self._records.lock:
                    return self._list(request, entity, self._records.kept(entity))
            case "POST", []:
                self._troubled(entity)
                skip = request.headers.get("X-Skip-Duplicate-Check") == "true"
                return _json(self._records.create(entity, _body(request), skip_check=skip))
            case "GET", [id]:
                with self._records.lock:
                    return _json(self._records.shown(entity, self._records.one(entity, id)))
            case (("PUT" | "PATCH"), [id]):
                self._troubled("")
                return _json(self._records.update(entity, id, _body(request)))
            case "DELETE", [id]:
                self._records.delete(entity, id)
                return _json(True)
            case method, [id, link]:
                return self._relation(request, method, entity, id, link)
        raise Problem(405, "Method not allowed.")

    def _relation(self, request: Request, method: str, entity: str, id: str, link: str) -> Response:
        other = link_of(entity, link)
        if not other:
            raise Problem(404, f"Link '{link}' does not exist.")
        if method == "GET":
            with self._records.lock:
                self._records.one(entity, id)
                ids = self._records.related(entity, id, link)
                return self._list(request, other, [self._records.one(other, one) for one in ids])
        body = _body(request)
        ids = body.get("ids") or ([body["id"]] if body.get("id") else [])
        if not ids:
            raise Problem(400, "No 'id' or 'ids'.")
        (self._records.relate if method == "POST" else self._records.unrelate)(entity, id, link, ids)
        return _json(True)

    # --- lists ----------------------------------------

    def _list(self, request: Request, entity: str, records: Iterable[Record]) -> Response:
        asked = _asked(request)
        size = int(asked.get("maxSize") or MOST)
        most = SMALL if self._faults.take("small_pages") else MOST
        if size > most:
            raise Problem(403, f"Max size should not exceed {most}. Use offset and limit.")
        offset = int(asked.get("offset") or 0)
        where = asked.get("where") or []
        order = str(asked.get("orderBy") or "createdAt")
        known = attributes(entity)
        if order not in known:
            raise Problem(500, f"Order by non-existing field '{order}'.")
        kept = self._records
        found = [one for one in records if fits(
            entity, where, lambda name, one=one: kept.values(entity, one, name),  # type: ignore[misc]
            lambda link, one=one: _lists_of(kept, entity, one["id"], link))]  # type: ignore[misc]  # fmt: skip
        found.sort(key=lambda one: (folded(one.get(order) or ""), one["id"]),
                   reverse=str(asked.get("order", "asc")).lower() == "desc")  # fmt: skip
        page = [kept.shown(entity, one) for one in found[offset : offset + size]]
        select = [name for name in str(asked.get("select") or "").split(",") if name]
        # A list shows the first number and address only, no related ids, and the beginning of a long text.
        shown = [
            {
                name: value[:CUT] if isinstance(value, str) else value
                for name, value in one.items()
                if (not select or name in select or name == "id")
                and not name.endswith("Data")
                and known[name]["type"] != "linkMultiple"
            }
            for one in page
        ]
        total = len(found)
        if request.headers.get("X-No-Total") == "true":
            total = -1 if total > offset + size else -2
        return _json({"total": total, "list": shown})

    # --- what goes wrong, sign-in, metadata ----------------------------------------

    def _troubled(self, entity: str) -> None:
        if self._faults.take("plain_400"):
            raise Problem(400, "Bad Request")
        if self._faults.take("validation"):
            data = {"messageTranslation": {"label": "validationFailure", "scope": None,
                                           "data": {"field": "name", "type": "valid"}}}  # fmt: skip
            raise Problem(400, "Field validation failure; field: name, type: valid.", data)
        if entity and self._faults.take("duplicate_unnamed"):
            raise Problem(409, "duplicate")
        if entity and self._faults.take("duplicate"):
            raise Problem(409, "duplicate", self._records.all(entity)[:1])

    def _signed_in(self, request: Request, path: str) -> None:
        if self._faults.take("refused"):
            raise Problem(401)
        if hmac.compare_digest(request.headers.get("X-Api-Key", "").encode(), self._key.encode()):
            return
        try:
            key, _, proof = base64.b64decode(request.headers.get("X-Hmac-Authorization", "")).partition(b":")
        except (binascii.Error, ValueError):
            raise Problem(401) from None
        digest = hmac.new(self._secret.encode(), f"{request.method} /{path}".encode(), hashlib.sha256)
        if key != self._hmac_key.encode() or proof not in (digest.hexdigest().encode(), digest.digest()):
            raise Problem(401)

    def _metadata(self, request: Request) -> Response:
        told: Any = METADATA
        if not self._faults.take("whole_metadata"):
            for word in [word for word in request.args.get("key", "").split(".") if word]:
                told = told.get(word) if isinstance(told, dict) else None
        return _json(told)


def _lists_of(records: Records, entity: str, id: str, link: str) -> list[str]:
    """The other side of a target list's links."""
    own = records.related(entity, id, link)
    if link != "targetLists":
        return own
    side = {"Contact": "contacts", "Lead": "leads", "Account": "accounts"}[entity]
    return [one["id"] for one in records.all("TargetList") if id in records.related("TargetList", one["id"], side)]


def _asked(request: Request) -> dict[str, Any]:
    if "searchParams" in request.args:
        try:
            told = json.loads(request.args["searchParams"])
        except ValueError:
            raise Problem(400, "Invalid search params JSON.") from None
        return told if isinstance(told, dict) else {}
    asked = php(request.args.items(multi=True))
    for name in ("maxSize", "offset"):
        if asked.get(name) and not str(asked[name]).isdecimal():
            raise Problem(400, f"{name} must be integer.")
    return asked


def _body(request: Request) -> Mapping[str, Any]:
    told = request.get_json(force=True, silent=True)
    if not isinstance(told, dict):
        raise Problem(400, "Bad request body.")
    return told


def _json(told: Any) -> Response:
    return Response(json.dumps(told), mimetype="application/json")


def _refused(problem: Problem) -> Response:
    headers = {}
    if problem.reason:
        headers["X-Status-Reason"] = "".join(c if " " <= c <= "~" else " " for c in problem.reason)
    if problem.body is not None:
        return Response(json.dumps(problem.body), problem.status, headers, mimetype="application/json")
    return Response("", problem.status, headers, mimetype="application/json")
