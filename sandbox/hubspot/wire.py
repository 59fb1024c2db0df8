"""HubSpot's addresses: which call is meant, in which version, by whom; limits and their headers; errors."""

from __future__ import annotations

import itertools
import json
import re
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

from sandbox.frame import Faults
from sandbox.hubspot.batches import Batches, answered, pair_shown, shown
from sandbox.hubspot.errors import Problem, rate_limited
from sandbox.hubspot.exports import DOWNLOADS, Exports
from sandbox.hubspot.lists import Lists
from sandbox.hubspot.portal import Portal, Record
from sandbox.hubspot.schema import DISPOSITIONS, Property, object_of
from sandbox.hubspot.search import LONGEST_BODY, descending, milliseconds, page_of, predicate, sorted_by

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PORTAL_ID = "44001122"
DAILY, BURST, INTERVAL = 650_000, 190, 10_000
LAG_MILLISECONDS = 5_000
LARGEST_LISTING = 100
_CRM = re.compile(r"/crm/(?:v[34]/([a-z]+)|([a-z]+)/\d{4}-\d{2})(?:/(.*))?")
_OAUTH = re.compile(r"/oauth/(?:v[13]|\d{4}-\d{2})/token")
_ACCOUNT = re.compile(r"/account-info/(?:v3|\d{4}-\d{2})/details")
_POLICIES = {"secondly": "SECONDLY", "ten_secondly": "TEN_SECONDLY_ROLLING", "daily": "DAILY"}


class Service:
    """The API of one account."""

    def __init__(self, portal: Portal, faults: Faults, token: str, client: tuple[str, str]) -> None:
        self._portal, self._faults, self._client = portal, faults, client
        self._tokens = {token}
        self._given: set[str] = set()
        self._count = itertools.count(1)
        self._batches = Batches(portal, faults)
        self._lists = Lists(portal)
        self.exports = Exports(portal, faults, PORTAL_ID)

    def end_tokens(self) -> None:
        """Every OAuth token that was given out is worth nothing any more."""
        self._given.clear()

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        request = Request(environ)
        try:
            answer = self._answered(request)
        except Problem as problem:
            answer = _json(problem.envelope(), problem.status)
            answer.headers.extend(problem.headers)
        if not request.path.rstrip("/").endswith("/search"):
            used = next(self._count)
            answer.headers.extend({
                "X-HubSpot-RateLimit-Daily": str(DAILY), "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, DAILY - used)),
                "X-HubSpot-RateLimit-Max": str(BURST), "X-HubSpot-RateLimit-Remaining": str(BURST - 1 - used % BURST),
                "X-HubSpot-RateLimit-Interval-Milliseconds": str(INTERVAL)})  # fmt: skip
        return answer(environ, start_response)

    def _answered(self, request: Request) -> Response:
        # The raw path, so that a slash within a value stays part of it.
        path = str(request.environ.get("RAW_URI") or request.path).partition("?")[0].rstrip("/")
        if _OAUTH.fullmatch(path):
            return self._token(request)
        if path.startswith("/contacts/"):
            return Response("<!DOCTYPE html><title>HubSpot</title>", mimetype="text/html")
        if path.startswith(DOWNLOADS):
            if "Authorization" in request.headers:  # where the files are, one proof is enough and two are refused
                raise Problem(400, "Only one auth mechanism allowed", "INVALID_ARGUMENT")
            data, kind = self.exports.download(path.removeprefix(DOWNLOADS))
            return Response(data, content_type=kind)
        self._signed_in(request)
        self._limits()
        if _ACCOUNT.fullmatch(path):
            return _json({"portalId": int(PORTAL_ID), "accountType": "STANDARD", "timeZone": "Europe/Madrid",
                          "companyCurrency": "EUR", "additionalCurrencies": [], "utcOffset": "+01:00",
                          "utcOffsetMilliseconds": 3_600_000, "uiDomain": "app.hubspot.com",
                          "dataHostingLocation": "na1"})  # fmt: skip
        if path == "/calling/v1/dispositions":
            return _json([{"id": id, "label": label, "deleted": False} for id, label in DISPOSITIONS.items()])
        found = _CRM.fullmatch(path)
        if found is None:
            raise Problem(404, "Not found", "OBJECT_NOT_FOUND")
        rest = [unquote(part) for part in (found[3] or "").split("/") if part]
        match found[1] or found[2]:
            case "objects":
                return self._objects(request, rest)
            case "associations":
                return _json(*self._batches.associations(rest, _body(request)))
            case "lists":
                return _json(*self._lists.answer(request.method, rest, request.args, _body(request)))
            case "exports":
                return _json(*self.exports.answer(request.method, rest, _body(request), request.host_url))
            case "properties":
                return self._properties(request, rest)
            case "owners":
                return self._owners(request, rest)
        raise Problem(404, "Not found", "OBJECT_NOT_FOUND")

    # --- records ----------------------------------------

    def _objects(self, request: Request, rest: list[str]) -> Response:
        object = object_of(rest[0]) if rest else None
        if object is None:
            raise Problem(400, f"Unable to infer object type from: {rest[0][:80] if rest else ''}")
        portal = self._portal
        match request.method, rest[1:]:
            case "GET", []:
                return self._listing(request, object)
            case "POST", []:
                with portal.lock:
                    told = _body(request)
                    record = portal.create(object, told.get("properties") or {})
                    for one in told.get("associations") or ():
                        number = int(one["types"][0]["associationTypeId"])
                        self._batches.typed(object, record.id, str(one["to"]["id"]), number)
                return _json(shown(object, record), 201)
            case "POST", ["search"]:
                return self._search(request, object)
            case "POST", ["merge"]:
                told = _body(request)
                pair = [portal.one(object, str(told.get(name))) for name in ("primaryObjectId", "objectIdToMerge")]
                if pair[0] is None or pair[1] is None:
                    raise Problem(404, "resource not found", "OBJECT_NOT_FOUND")
                return _json(shown(object, portal.merge(object, pair[0], pair[1])))
            case "POST", ["batch", verb]:
                told, status = self._batches.answer(object, verb, _body(request))
                return Response("", 204) if told is None else _json(told, status)
            case _, [id]:
                return self._record(request, object, id)
            case "PUT", [id, "associations", "default", other, other_id]:
                ours, theirs, number = portal.associate(object, id, object_of(other) or other, other_id)
                spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}
                made = {"from": {"id": ours}, "to": {"id": theirs}, "associationSpec": spec}
                return _json(*answered([made], [], 200))
            case "PUT", [id, "associations", other, other_id]:
                kind = object_of(other) or other
                for one in _body(request):
                    self._batches.typed(object, id, other_id, int(one["associationTypeId"]))
                return _json(pair_shown(object, id, kind, other_id), 201)
            case "GET", [id, "associations", other]:
                kind = object_of(other) or other
                types = {one: portal.associations[object, id, kind, one] for one in portal.associated(object, id, kind)}
                return _json({"results": [
                    {"toObjectId": one, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": type, "label": None}]}
                    for one, type in types.items()]})  # fmt: skip
        raise Problem(405, "Method not allowed", "VALIDATION_ERROR")

    def _record(self, request: Request, object: str, id: str) -> Response:
        portal = self._portal
        record = portal.one(object, id, request.args.get("idProperty", ""))
        if record is None:
            raise Problem(404, "resource not found", "OBJECT_NOT_FOUND")
        match request.method:
            case "GET":
                return _json(shown(object, record, _names(request)))
            case "PATCH":
                return _json(shown(object, portal.update(object, record, _body(request).get("properties") or {})))
            case "DELETE":
                portal.archive(object, record)
                return Response("", 204)
        raise Problem(405, "Method not allowed")

    def _listing(self, request: Request, object: str) -> Response:
        limit, after = int(request.args.get("limit", 10)), request.args.get("after", "0")
        if limit > LARGEST_LISTING or not after.isdecimal():
            raise Problem(400, f"limit is at most {LARGEST_LISTING}, after a number")
        ahead = [one for one in self._portal.all(object) if int(one.id) > int(after)]
        page = ahead[:limit]
        told: dict[str, Any] = {"results": [shown(object, one, _names(request)) for one in page]}
        return _json(_paged(told, page[-1].id if len(ahead) > limit else ""))

    def _search(self, request: Request, object: str) -> Response:
        if len(request.get_data()) > LONGEST_BODY:
            raise Problem(400, f"The body of a search has at most {LONGEST_BODY} characters")
        told = _body(request)
        schema = self._portal.schema[object]
        fits, key = predicate(told.get("filterGroups") or [], schema), sorted_by(told.get("sorts"), schema)
        limit, after = page_of(told)
        with self._portal.lock:
            records = self._portal.all(object)
            if self._faults.take("index_lag"):
                known = time.time() * 1000 - LAG_MILLISECONDS
                records = [one for one in records if _changed_at(one) <= known]
            found = [one for one in records if fits(one.properties)]
        if key:
            found.sort(key=lambda one: key(one.properties), reverse=descending(told.get("sorts")))
        page = found[after : after + limit]
        answer = {"total": len(found), "results": [shown(object, one, told.get("properties")) for one in page]}
        return _json(_paged(answer, str(after + limit) if after + limit < len(found) else ""))

    # --- properties, owners ----------------------------------------

    def _properties(self, request: Request, rest: list[str]) -> Response:
        object = object_of(rest[0]) if rest else None
        if object is None:
            raise Problem(404, "Unable to infer object type", "OBJECT_NOT_FOUND")
        schema = self._portal.schema[object]
        match request.method, rest[1:]:
            case "GET", []:
                return _json({"results": [one.shown() for one in schema.values()]})
            case "GET", [name] if name in schema:
                return _json(schema[name].shown())
            case "POST", []:
                told = _body(request)
                made = Property(name=told["name"], label=told["label"], type=told["type"], form=told["fieldType"],
                                options=tuple(one["value"] for one in told.get("options") or ()),
                                unique=bool(told.get("hasUniqueValue")))  # fmt: skip
                with self._portal.lock:
                    if made.name in schema:
                        raise Problem(409, f"A property named '{made.name}' already exists.", "OBJECT_ALREADY_EXISTS")
                    schema[made.name] = made
                return _json(made.shown(), 201)
        raise Problem(404, "The property does not exist", "OBJECT_NOT_FOUND")

    def _owners(self, request: Request, rest: list[str]) -> Response:
        owners = self._portal.owners
        if rest:
            if rest[0] not in owners:
                raise Problem(404, "resource not found", "OBJECT_NOT_FOUND")
            return _json(owners[rest[0]])
        mail, limit, after = (
            request.args.get("email"),
            int(request.args.get("limit", 100)),
            request.args.get("after", "0"),
        )
        found = [
            one for id, one in sorted(owners.items()) if int(id) > int(after) and (mail is None or one["email"] == mail)
        ]
        return _json(_paged({"results": found[:limit]}, found[limit - 1]["id"] if len(found) > limit else ""))

    # --- who, and how much ----------------------------------------

    def _signed_in(self, request: Request) -> None:
        if self._faults.take("expired"):
            self._given.clear()
            raise Problem(401, "The OAuth token used to make this call expired", "EXPIRED_AUTHENTICATION")
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        known = kind.lower() == "bearer" and value in self._tokens | self._given
        if self._faults.take("refused") or not known:
            raise Problem(401, "Authentication credentials not found.", "INVALID_AUTHENTICATION")

    def _limits(self) -> None:
        if self._faults.take("forbidden"):
            raise Problem(403, "This app hasn't been granted all required scopes to make this call.", "MISSING_SCOPES",
                          errors=[{"message": "One or more of the following scopes are required."}])  # fmt: skip
        for fault, policy in _POLICIES.items():
            if self._faults.take(fault):
                raise rate_limited(policy)
        if self._faults.take("locked"):
            raise Problem(423, "The resource is locked", "LOCKED")
        if self._faults.take("migrating"):
            raise Problem(477, "Migration in progress", "MIGRATION", headers={"Retry-After": "3600"})

    def _token(self, request: Request) -> Response:
        form = request.form
        if self._faults.take("refused") or (form.get("client_id"), form.get("client_secret")) != self._client:
            raise Problem(400, "missing or invalid client id or secret", "BAD_CLIENT", error="invalid_client")
        if request.method != "POST" or form.get("grant_type") != "client_credentials":
            raise Problem(400, "unsupported grant type", "BAD_GRANT_TYPE", error="unsupported_grant_type")
        token = secrets.token_urlsafe(24)
        self._given.add(token)
        return _json({"access_token": token, "token_type": "bearer", "expires_in": 1800, "hub_id": int(PORTAL_ID),
                      "scopes": ["oauth"]})  # fmt: skip


def _changed_at(record: Record) -> float:
    return milliseconds(record.updated_at) or 0.0


def _names(request: Request) -> list[str] | None:
    told = request.args.get("properties")
    return told.split(",") if told is not None else None


def _paged(told: dict[str, Any], after: str) -> dict[str, Any]:
    return {**told, "paging": {"next": {"after": after, "link": f"?after={after}"}}} if after else told


def _json(told: object, status: int = 200) -> Response:
    return Response(json.dumps(told), status, content_type="application/json;charset=utf-8")


def _body(request: Request) -> Any:
    data = request.get_data()
    if not data:
        return {}
    try:
        told = json.loads(data)
    except ValueError:
        raise Problem(400, "Invalid input JSON on line 1, column 1") from None
    if not isinstance(told, dict | list):
        raise Problem(400, "Invalid input JSON: no object")
    return told
