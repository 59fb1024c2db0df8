"""One OData v2 service of SAP Cloud for Customer over the hub's session: GET, `$batch`, the csrf token and its cookies.

The token is fetched when SAP asks for it (403 with `x-csrf-token: Required`), and kept: SAP compares it with a cookie of the
same session (SAP note 3048103), which the hub's session keeps. Integration users are never asked for one.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import requests

from connectors.crm.sap_c4c.refusals import WHO, failure
from connectors.crm.sap_c4c.signing_in import SignIn
from connectors.wire.answers import json_of, lost, nothing_done, parsed, retry_after
from connectors.wire.odata_batch import ChangeSet, Part, Reply, decoded, encoded
from hub.errors import ConnectorError, Rejected, Throttled, Unavailable

TOKEN = "x-csrf-token"  # noqa: S105 (a header's name)
NOT_DONE = 424  # failed dependency (RFC 4918)
Found = dict[str, Any]


class Service:
    """Calls to one service. What the hub asks for is JSON, SAP's default is Atom."""

    def __init__(
        self, session: requests.Session, root: str, sign_in: SignIn, locks: Sequence[re.Pattern[str]], language: str
    ) -> None:
        self._session, self._sign_in, self._locks, self._language = session, sign_in, locks, language
        self.root = root
        self._lock = threading.Lock()
        self._csrf = ""

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """What stands in `d`."""
        answer = self._sent("GET", address(path, query), changes=False)
        return _d(json_of(answer, WHO, changes=False))

    def text(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body as it is, such as that of `$metadata`."""
        return self._sent("GET", address(path, query, as_json=False), changes=False).content

    def lists(self, queries: Sequence[tuple[str, Mapping[str, str]]]) -> list[list[Found]]:
        """The rows of each query: one GET for one, one `$batch` for several. Raises what is wrong with any of them."""
        found = []
        for rows in self.lists_or_refusals(queries):
            if isinstance(rows, Rejected):
                raise rows
            found.append(rows)
        return found

    def lists_or_refusals(self, queries: Sequence[tuple[str, Mapping[str, str]]]) -> list[list[Found] | Rejected]:
        """As `lists`, but a query that names what is not there is answered by its refusal, and the others by their rows."""
        if len(queries) == 1:
            try:
                return [rows_of(self.get(*queries[0]))]
            except Rejected as refused:
                return [refused]
        with nothing_done():
            replies = self.batch([Part(method="GET", url=address(*query)) for query in queries], changes=False)
        found: list[list[Found] | Rejected] = []
        for reply in replies:
            if isinstance(reply, list):
                raise Unavailable(f"{WHO} answers a query with a change set")
            problem = self.problem(reply, changes=False)
            if problem is not None and not isinstance(problem, Rejected):
                raise problem
            found.append(problem if problem is not None else _read(reply))
        return found

    def batch(self, parts: Sequence[Part | ChangeSet], *, changes: bool) -> list[Reply | list[Reply]]:
        """One answer per part, in their order; a list for a change set that was done."""
        kind, body = encoded(parts)
        answer = self._sent(
            "POST", "$batch", body, {"Content-Type": kind, "Accept": "multipart/mixed"}, changes=changes
        )
        try:
            replies = decoded(answer.headers.get("Content-Type", ""), answer.content)
        except ValueError as error:
            raise lost(changes)(f"{WHO} answers a batch with what is none") from error
        missing = len(parts) - len(replies)
        last = replies[-1] if replies else None
        if missing > 0 and isinstance(last, Reply) and last.status >= 400:
            # A service may stop at the first part that fails; what comes after it was not done.
            replies += [Reply(status=NOT_DONE, headers={}, body=b"")] * missing
        if len(replies) != len(parts):
            raise lost(changes)(f"{WHO} answers {len(replies)} of {len(parts)} parts of a batch")
        return replies

    def problem(self, reply: Reply, *, changes: bool) -> ConnectorError | None:
        """What is wrong with the answer to one part; None: nothing."""
        if reply.status < 300:
            return None
        return failure(reply.status, reply.body, self._locks, changes=changes)

    def _sent(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        changes: bool,
    ) -> requests.Response:
        proof, csrf = self._sign_in.header(), self._csrf
        answer = self._once(method, path, body, headers, proof, csrf)
        if answer.status_code == 401 and (again := self._sign_in.renewed(proof)) is not None:
            proof = again
            answer = self._once(method, path, body, headers, proof, csrf)
        if _wants_csrf(answer):  # refused before it was looked at, so it may be sent again
            answer = self._once(method, path, body, headers, proof, self._csrf_instead_of(csrf, proof))
            if _wants_csrf(answer):
                raise Unavailable(f"{WHO} does not take its own csrf token; is something on the way dropping cookies?")
        status = answer.status_code
        if status < 300:
            return answer
        if status == 429 or (status == 503 and "Retry-After" in answer.headers):
            raise Throttled(f"{WHO} takes no more calls just now", retry_after(answer))
        if status == 503 or status < 400:  # full, or somebody's sign-in page: SAP never saw the call
            raise Unavailable(f"{WHO} answers {status}")
        raise failure(status, answer.content, self._locks, changes=changes)

    def _once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None, proof: str, csrf: str
    ) -> requests.Response:
        told = {
            "Accept": "application/json",
            "Accept-Language": self._language,
            **(headers or {}),
            "Authorization": proof,
        }
        if csrf and method != "GET":
            told[TOKEN] = csrf
        return self._session.request(method, self.root + path, data=body, headers=told, allow_redirects=False)

    def _csrf_instead_of(self, refused: str, proof: str) -> str:
        with self._lock:
            if self._csrf == refused:  # else another thread has fetched one already
                answer = self._session.get(
                    self.root,
                    params={"$format": "json"},
                    headers={TOKEN: "fetch", "Authorization": proof, "Accept": "application/json"},
                    allow_redirects=False,
                )
                if answer.status_code == 429:
                    raise Throttled(f"{WHO} takes no more calls just now", retry_after(answer))
                if answer.status_code >= 400:
                    raise failure(answer.status_code, answer.content, self._locks, changes=False)
                if not answer.headers.get(TOKEN):
                    raise Unavailable(f"{WHO} wants a csrf token and gives none")
                self._csrf = answer.headers[TOKEN]
            return self._csrf


def address(path: str, query: Mapping[str, str], *, as_json: bool = True) -> str:
    """A path of the service with its query, encoded as SAP wants it, inside a batch too."""
    asked = {**query, **({"$format": "json"} if as_json else {})}
    words = urlencode(asked, quote_via=quote, safe="$',()")
    return f"{path}?{words}" if words else path


def entity_path(collection: str, object_id: str) -> str:
    """The path of one entity by its ObjectID."""
    return f"{collection}({quote(literal(object_id), safe=chr(39))})"


def literal(value: str) -> str:
    """A text as it stands in a filter or a key."""
    return "'" + value.replace("'", "''") + "'"


def _read(reply: Reply) -> list[Found]:
    try:
        return rows_of(body_of(reply))
    except ValueError as error:
        raise Unavailable(f"{WHO} answers a query with what cannot be read") from error


def body_of(reply: Reply) -> Any:
    """What stands in `d` of one part's answer. Raises ValueError where it cannot be read."""
    return _d(parsed(reply.body)) if reply.body.strip() else {}


def rows_of(told: Any) -> list[Found]:
    """The rows of a list, with or without `results`; a single entity is a list of one."""
    rows = told.get("results", told) if isinstance(told, dict) else told
    if isinstance(rows, dict):
        return [rows] if rows else []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _d(told: Any) -> Any:
    if not isinstance(told, dict) or "d" not in told:
        raise Unavailable(f"{WHO} answers what is no OData")
    return told["d"]


def _wants_csrf(answer: requests.Response) -> bool:
    return answer.status_code == 403 and answer.headers.get(TOKEN, "").lower() == "required"
