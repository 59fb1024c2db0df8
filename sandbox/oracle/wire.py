"""Fusion's wire format: addresses, headers, collections, batches and both shapes of an error."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

from sandbox.frame import Faults
from sandbox.oracle.answers import (
    ERROR,
    asked_page,
    body,
    error,
    etag,
    is_known,
    json_answer,
    shown,
    told_of,
    whole_number,
)
from sandbox.oracle.schema import SCHEMA, Resource, described
from sandbox.oracle.state import Problem, Record, Records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROOT = "/crmRestApi/resources"
VERSIONS = ("11.13.18.05", "11.13.17.11")
BATCH = "application/vnd.oracle.adf.batch+json"
COLLECTION, ITEM = "application/vnd.oracle.adf.resourcecollection+json", "application/vnd.oracle.adf.resourceitem+json"
PAGE, LARGEST_PAGE, LONGEST_TARGET = 25, 500, 8190


class PartFailed(Exception):
    """One part of a batch failed, so nothing was done."""

    def __init__(self, part: Mapping[str, Any], problem: Problem) -> None:
        self.part, self.problem = part, problem


class Service:
    """The web service."""

    def __init__(self, records: Records, faults: Faults, users: Mapping[str, str], clients: Mapping[str, str]) -> None:
        self._records, self._faults, self._users, self._clients = records, faults, users, clients
        self._tokens: set[str] = set()
        self._hidden: Counter[tuple[str, str]] = Counter()  # by resource and q, records before those that are seen

    def at(self, url: str) -> WSGIApplication:
        """The application, told where it is reached."""

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            request = Request(environ)
            try:
                answer = self._answered(request, url)
            except PartFailed as failed:
                answer = self._part_failed(failed)
            except Problem as problem:
                answer = self._failed(request, problem)
            return answer(environ, start_response)

        return app

    def _answered(self, request: Request, url: str) -> Response:
        path = request.path.rstrip("/")
        if path == "/oauth2/v1/token":
            return self._token(request)
        if path.startswith("/fscmUI/"):
            return asked_page(request)
        if path != ROOT and not path.startswith(f"{ROOT}/"):
            raise Problem(404, "Not Found")
        self._signed_in(request)
        if self._faults.take("forbidden"):
            raise Problem(403, "You do not have the privilege to access this resource.")
        if self._faults.take("server_error"):
            raise Problem(500, "JBO-26080: Error while selecting entity", "26080")
        if len(request.environ.get("RAW_URI", "")) > LONGEST_TARGET:
            raise Problem(414, "URI Too Long")
        if path == ROOT:
            return json_answer({"items": [{"version": v, "isLatest": n == 0, "adf:extension": {
                "defaultFrameworkVersion": "1", "allowedFrameworkVersions": ["1", "2", "3", "4", "5", "6"]}, "links": []}
                for n, v in enumerate(VERSIONS)]})  # fmt: skip
        # The raw path, so that a slash within a number stays part of it.
        raw = str(request.environ.get("RAW_URI") or request.path).partition("?")[0].rstrip("/")
        version, *rest = [unquote(part) for part in raw[raw.index(ROOT) + len(ROOT) + 1 :].split("/")]
        if version not in (*VERSIONS, "latest"):
            raise Problem(404, "Not Found")
        return self._resource(request, f"{url}{ROOT}/{version}", rest)

    def _resource(self, request: Request, base: str, rest: list[str]) -> Response:
        if not rest:
            if request.method != "POST":
                raise Problem(405, "Method Not Allowed")
            return self._batch(request)
        resource = SCHEMA.get(rest[0])
        if resource is None or len(rest) > 2:
            raise Problem(404, "Not Found")
        match request.method, rest[1:]:
            case "GET", ["describe"]:
                return json_answer({"Resources": {resource.name: described(resource, base)}})
            case "GET", []:
                return self._collection(request, resource, base)
            case "POST", []:
                upsert = request.headers.get("Upsert-Mode", "").lower() == "true"
                payload = body(request)
                with self._records.transaction():
                    if upsert:
                        record, new = self._records.upsert(resource, payload)
                    else:
                        record, new = self._records.create(resource, payload), True
                return self._item(resource, record, base, 201 if new else 200)
            case "GET", [number]:
                return self._item(resource, self._records.one(resource, number), base)
            case "PATCH", [number]:
                with self._records.transaction():
                    record = self._records.one(resource, number)
                    wanted = request.headers.get("If-Match")
                    if wanted and wanted != etag(resource, record):
                        raise Problem(412, "The resource was changed since it was read.")
                    record = self._records.update(resource, record, body(request))
                return self._item(resource, record, base)
            case "DELETE", [number]:
                with self._records.transaction():
                    self._records.delete(resource, self._records.one(resource, number))
                return Response("", 204)
        raise Problem(405, "Method Not Allowed")

    # --- collections and items ----------------------------------------

    def _collection(self, request: Request, resource: Resource, base: str) -> Response:
        q = request.args.get("q", "")
        if q and request.headers.get("REST-Framework-Version", "1") == "1":
            if " and " in q or " or " in q or "(" in q:
                raise Problem(400, "The value of the query parameter q is not valid.", "27522")
            q = q.replace(";", " and ")
        found = self._records.query(resource, q)
        for order in reversed([part for part in request.args.get("orderBy", "").split(",") if part]):
            name, _, direction = order.partition(":")
            if resource.attribute(name) is None:
                raise Problem(400, f"Attribute {name} is not defined.", "27503")
            found.sort(key=lambda record: (record.get(name) is None, record.get(name)), reverse=direction == "desc")
        limit = min(whole_number(request, "limit", PAGE), LARGEST_PAGE) or PAGE
        offset = whole_number(request, "offset", 0)
        with self._records.lock:
            if self._faults.take("empty_page"):
                self._hidden[resource.name, q] += limit
            offset -= self._hidden[resource.name, q]
        if offset < 0:  # a page of records that our user may not see
            return json_answer({"items": [], "count": 0, "hasMore": True, "limit": limit, "offset": 0}, kind=COLLECTION)
        size = min(limit, 3) if self._faults.take("short_pages") else limit
        page = found[offset : offset + size]
        fields = request.args.get("fields")
        names = [name for name in fields.split(",") if name] if fields is not None else None
        for name in names or ():
            if resource.attribute(name) is None:
                raise Problem(400, f"URL request parameter fields cannot be used: {name} is unknown.", "27520")
        plain = request.args.get("onlyData", "").lower() == "true"
        items = [shown(resource, record, names, None if plain else base) for record in page]
        told: dict[str, Any] = {"items": items, "count": len(items), "hasMore": offset + size < len(found), "limit": limit,
                                "offset": offset}  # fmt: skip
        if request.args.get("totalResults", "").lower() == "true":
            told["totalResults"] = len(found)
        told["links"] = [
            {"rel": "self", "href": f"{base}/{resource.name}", "name": resource.name, "kind": "collection"}
        ]
        return json_answer(told, kind=COLLECTION)

    def _item(self, resource: Resource, record: Record, base: str, status: int = 200) -> Response:
        answer = json_answer(shown(resource, record, None, base), status, ITEM)
        answer.headers["ETag"] = etag(resource, record)
        return answer

    # --- batches ----------------------------------------

    def _batch(self, request: Request) -> Response:
        if request.mimetype != BATCH:
            raise Problem(400, f"The Content-Type of a batch is {BATCH}.")
        parts = body(request).get("parts")
        if not isinstance(parts, list) or not parts:
            raise Problem(400, "A batch needs parts.")
        done = []
        with self._records.lock:
            try:
                with self._records.transaction():
                    for part in parts:
                        try:
                            done.append({**part, "payload": self._part(part)})
                        except Problem as problem:
                            failed = PartFailed(part, problem)
                            raise
            except Problem:
                raise failed from None
        return json_answer({"parts": [one if one["payload"] is not None else {k: v for k, v in one.items() if k != "payload"}
                                for one in done]}, kind=BATCH)  # fmt: skip

    def _part(self, part: Mapping[str, Any]) -> Record | None:
        path = [unquote(word) for word in str(part.get("path", "")).strip("/").split("/")]
        resource = SCHEMA.get(path[0])
        if resource is None or len(path) > 2:
            raise Problem(404, "Not Found")
        payload = part.get("payload") or {}
        operation = part.get("operation")
        if operation != "get" and self._faults.take("row_locked"):
            raise Problem(400, "JBO-26030: Failed to lock the record, another user holds the lock.", "26030")
        match operation, path[1:]:
            case "create", []:
                return dict(self._records.create(resource, payload))
            case "upsert", []:
                return dict(self._records.upsert(resource, payload)[0])
            case "get", [number]:
                return dict(self._records.one(resource, number))
            case (("update" | "replace"), [number]):
                return dict(self._records.update(resource, self._records.one(resource, number), payload))
            case "delete", [number]:
                self._records.delete(resource, self._records.one(resource, number))
                return None
        raise Problem(400, f"The operation {operation} cannot be done on this path.")

    def _part_failed(self, failed: PartFailed) -> Response:
        """Only the part with the error is listed. Which of these shapes a pod has is not documented, so there are three."""
        part, problem = failed.part, failed.problem
        if self._faults.take("plain_errors"):
            return Response(problem.detail, problem.status, mimetype="text/plain")
        if self._faults.take("error_paths"):
            return error(problem, f"/parts/{part.get('id')}/{problem.path}")
        shown = {"id": part.get("id"), "path": part.get("path"), "operation": part.get("operation")}
        return json_answer({"parts": [{**shown, "payload": told_of(problem, problem.path)}]}, problem.status, BATCH)

    # --- errors, sign-in ----------------------------------------

    def _failed(self, request: Request, problem: Problem) -> Response:
        structured = (
            ERROR in request.headers.get("Accept", "") and request.headers.get("REST-Framework-Version", "1") >= "4"
        )
        if self._faults.take("plain_errors") or not structured:
            return Response(problem.detail, problem.status, mimetype="text/plain")
        return error(problem, problem.path)

    def _signed_in(self, request: Request) -> None:
        if self._faults.take("refused") or self._faults.take("expired"):
            raise Problem(401, "Unauthorized")
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if kind == "Bearer" and value in self._tokens:
            return
        if kind == "Basic" and is_known(value, self._users):
            return
        raise Problem(401, "Unauthorized")

    def _token(self, request: Request) -> Response:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if self._faults.take("refused") or kind != "Basic" or not is_known(value, self._clients):
            told = {"error": "invalid_client", "error_description": "Client authentication failed"}
            return json_answer(told, 401)
        if request.method != "POST" or request.form.get("grant_type") != "client_credentials":
            return json_answer({"error": "unsupported_grant_type"}, 400)
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return json_answer({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def end_tokens(self) -> None:
        """Every token that was given out is worth nothing any more."""
        self._tokens.clear()
