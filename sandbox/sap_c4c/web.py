"""The service on the wire: queries, entities, changes, `$batch`."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct
from werkzeug.wrappers import Request, Response

from sandbox.frame.odata_batch import Answer, Asked, answered, asked
from sandbox.sap_c4c.atom import entry, feed
from sandbox.sap_c4c.errors import Refused
from sandbox.sap_c4c.filters import test_of
from sandbox.sap_c4c.gate import ROOT, TOKEN_PATH, Gate
from sandbox.sap_c4c.model import CODES, COLLECTIONS, ENTITIES, Entity, metadata
from sandbox.sap_c4c.state import Row, State, etag

REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 400: "Bad Request", 404: "Not Found",
           405: "Method Not Allowed", 412: "Precondition Failed", 500: "Internal Server Error"}  # fmt: skip
_PATH = re.compile(r"(\w+)(?:\((?:ObjectID=)?'((?:[^']|'')*)'\))?(?:/(\$?\w+))?/?")


class Said(Struct, frozen=True, kw_only=True):
    """An answer before it is written: of a whole request or of one part of a batch."""

    status: int
    kind: str = ""
    body: bytes = b""
    headers: dict[str, str] = {}


class Web:
    """One tenant's web service."""

    def __init__(self, state: State, gate: Gate, url: str, *, page: int, nested: bool) -> None:
        self._state, self._gate, self._url, self._page, self._nested = state, gate, url, page, nested

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path == TOKEN_PATH:
            return self._gate.token(request)
        if not request.path.startswith(ROOT):
            return Response("Not found", 404)
        if (refusal := self._gate.refusal(request)) is not None:
            return refusal
        headers = {"dataserviceversion": "2.0", **self._gate.csrf(request)}
        path = request.path[len(ROOT) :].lstrip("/")
        as_json = (
            request.args.get("$format") == "json" or "json" in f"{request.accept_mimetypes}{request.content_type or ''}"
        )
        try:
            if path == "$batch" and request.method == "POST":
                said = self._batch(request)
            elif path == "$metadata":
                wanted = [name for name in request.args.get("$filter", "").split(",") if name]
                text = metadata(wanted, labels=request.args.get("sap-label") == "true")
                said = Said(status=200, kind="application/xml; charset=utf-8", body=text.encode())
            else:
                said = self._done(
                    request.method, path, dict(request.args), dict(request.headers), request.get_data(), as_json
                )
        except Refused as refused:
            kind, body = refused.body(as_json)
            said = Said(status=refused.status, kind=kind, body=body)
        return Response(said.body, said.status, {**headers, **said.headers}, content_type=said.kind or None)

    # --- batches ----------------------------------------

    def _batch(self, request: Request) -> Said:
        try:
            parts = asked(request.headers.get("Content-Type", ""), request.get_data())
        except ValueError as error:
            raise Refused(400, f"The batch cannot be read: {error}") from None
        answers: list[Answer | list[Answer]] = []
        for part in parts:
            if isinstance(part, Asked):
                if part.method != "GET":
                    raise Refused(400, "A change outside of a change set")
                answers.append(self._part(part))
                continue
            with self._state.lock:
                before = self._state.whole()
                done = [self._part(one) for one in part]
                failed = next((answer for answer in done if answer.status >= 400), None)
                if failed is not None:  # whole or not at all
                    self._state.records = before
                    answers.append(failed)
                else:
                    answers.append(done)
        kind, body = answered(answers)
        return Said(status=202, kind=kind, body=body)

    def _part(self, part: Asked) -> Answer:
        address = urlsplit(part.url)
        path = unquote(address.path)
        path = path[path.index(ROOT) + len(ROOT) :] if ROOT in path else path
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        told = f"{part.headers.get('accept', '')}{part.headers.get('content-type', '')}"
        as_json = query.get("$format") == "json" or "json" in told
        try:
            if " " in address.query:
                raise Refused(400, "Query options inside a batch have to be URL-encoded")
            said = self._done(part.method, path.lstrip("/"), query, part.headers, part.body, as_json)
        except Refused as refused:
            kind, body = refused.body(as_json)
            said = Said(status=refused.status, kind=kind, body=body)
        headers = {"Content-Type": said.kind or "text/plain", "Content-Length": str(len(said.body)), **said.headers}
        return Answer(
            status=said.status, reason=REASONS.get(said.status, "Error"), headers=headers, body=said.body, id=part.id
        )

    # --- one request ----------------------------------------

    def _done(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, as_json: bool
    ) -> Said:
        if not path:
            names = {"EntitySets": [*COLLECTIONS, *CODES]}
            return Said(status=200, kind="application/json", body=json.dumps({"d": names}).encode())
        found = _PATH.fullmatch(path)
        if found is None or (found[1] not in COLLECTIONS and found[1] not in CODES):
            raise Refused(404, "Resource not found for the segment", "OData/404")
        name, object_id, below = found[1], found[2], found[3]
        if name in CODES:
            rows = [{"Code": code, "Description": text} for code, text in CODES[name].items()]
            return self._list(rows, None, name, query, as_json)
        entity = COLLECTIONS[name]
        with self._state.lock:
            if object_id is None:
                if method == "POST":
                    return self._created(entity, body, as_json, headers)
                return self._list(self._state.rows(name), entity, name, query, as_json, below == "$count")
            object_id = object_id.replace("''", "'")
            if below:
                if below not in entity.children:
                    raise Refused(404, "Resource not found for the segment", "OData/404")
                child = ENTITIES[entity.children[below]]
                if method == "POST":
                    self._state.one(name, object_id)
                    return self._created(child, body, as_json, headers, object_id)
                rows = self._state.parts(entity, self._state.one(name, object_id), below)
                return self._list(rows, child, child.collection, query, as_json)
            return self._one(method, entity, object_id, query, headers, body, as_json)

    def _one(
        self, method: str, entity: Entity, object_id: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes,
        as_json: bool,
    ) -> Said:  # fmt: skip
        told = {key.lower(): value for key, value in headers.items()}
        match = told.get("if-match", "")
        if method == "POST":
            method = told.get("x-http-method", method)
        match method:
            case "GET":
                row = self._state.one(entity.collection, object_id)
                return self._entity(entity, row, query, as_json, 200)
            case "PATCH" | "MERGE" | "PUT":
                self._state.change(entity, object_id, _json(body), match)
                return Said(status=204)
            case "DELETE":
                self._state.remove(entity, object_id, match)
                return Said(status=204)
        raise Refused(405, f"{method} is not allowed here")

    def _created(
        self, entity: Entity, body: bytes, as_json: bool, headers: Mapping[str, str], parent: str = ""
    ) -> Said:
        before = self._state.whole()
        try:
            row = self._state.create(entity, _json(body), parent)
        except Refused:
            self._state.records = before
            raise
        if headers.get("odata-no-response-payload") == "true":
            return Said(status=204)
        return self._entity(entity, row, {}, as_json, 201)

    def _list(
        self,
        rows: list[Row],
        entity: Entity | None,
        name: str,
        query: Mapping[str, str],
        as_json: bool,
        count: bool = False,
    ) -> Said:
        known = set(entity.properties) if entity else {"Code", "Description"}
        if "$filter" in query:
            test = test_of(query["$filter"], known)
            rows = [row for row in rows if test(row)]
        if count:
            return Said(status=200, kind="text/plain", body=str(len(rows)).encode())
        total = len(rows)
        if order := query.get("$orderby"):
            by, _, way = order.partition(" ")
            if by not in known:
                raise Refused(400, f"Invalid property '{by}' in $orderby")
            rows = sorted(rows, key=lambda row: (row[by] is not None, row[by]), reverse=way == "desc")
        skip = _number(query, "$skip", 0)
        if "$skiptoken" in query:
            skip = _number(query, "$skiptoken", 1) - 1
        top = _number(query, "$top", total)
        page = rows[skip : skip + min(top, self._page)]
        more = skip + len(page) < total and "$top" not in query
        following = f"{self._url}{ROOT}/{name}?$skiptoken={skip + len(page) + 1}" if more else ""
        shown = [self._shown(entity, name, row, query) for row in page]
        if not as_json:
            return Said(status=200, kind="application/atom+xml;type=feed", body=feed(name, shown, following).encode())
        told: dict[str, Any] = {"results": shown}
        if query.get("$inlinecount") == "allpages":
            told["__count"] = str(total)
        if following:
            told["__next"] = following
        return Said(status=200, kind="application/json; charset=utf-8", body=json.dumps({"d": told}).encode())

    def _entity(self, entity: Entity, row: Row, query: Mapping[str, str], as_json: bool, status: int) -> Said:
        shown = self._shown(entity, entity.collection, row, query)
        headers = {"ETag": etag(row)} if row.get("ETag") else {}
        if status == 201:
            headers["Location"] = shown["__metadata"]["uri"]
        if not as_json:
            body = f'<?xml version="1.0" encoding="utf-8"?>{entry(entity.collection, shown, namespaces=True)}'
            return Said(status=status, kind="application/atom+xml;type=entry", body=body.encode(), headers=headers)
        told = {"d": {"results": shown} if self._nested else shown}
        return Said(
            status=status, kind="application/json; charset=utf-8", body=json.dumps(told).encode(), headers=headers
        )

    def _shown(self, entity: Entity | None, name: str, row: Row, query: Mapping[str, str]) -> dict[str, Any]:
        if entity is None:
            return {
                "__metadata": {"uri": f"{self._url}{ROOT}/{name}('{row['Code']}')", "type": "c4codata.CodeList"},
                **row,
            }
        wanted = [one for one in query.get("$select", "").split(",") if one]
        expanded = [one for one in query.get("$expand", "").split(",") if one]
        for word in (*wanted, *expanded):
            if word not in entity.properties and word not in entity.children:
                raise Refused(400, f"Invalid property '{word}'")
        uri = f"{self._url}{ROOT}/{name}('{row['ObjectID']}')"
        told: dict[str, Any] = {"__metadata": {"uri": uri, "type": f"c4codata.{entity.name}"}}
        if row.get("ETag"):
            told["__metadata"]["etag"] = etag(row)
        for field, value in row.items():
            if not wanted or field in wanted:
                told[field] = _date(value) if isinstance(value, dt.datetime) else value
        for path, child in entity.children.items():
            if path in expanded:
                kind = ENTITIES[child]
                parts = self._state.parts(entity, row, path)
                told[path] = {"results": [self._shown(kind, kind.collection, part, {}) for part in parts]}
            elif not wanted or path in wanted:
                told[path] = {"__deferred": {"uri": f"{uri}/{path}"}}
        return told


def _json(body: bytes) -> Row:
    try:
        told = json.loads(body)
    except ValueError:
        raise Refused(400, "The payload cannot be read") from None
    if not isinstance(told, dict):
        raise Refused(400, "The payload is no entity")
    return told


def _number(query: Mapping[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, str(otherwise))
    if not text.isdecimal():
        raise Refused(400, f"{name} is no number")
    return int(text)


def _date(at: dt.datetime) -> str:
    return f"/Date({int(at.timestamp() * 1000)})/"
