"""Calls to the Web API: one GET, or many operations in one `$batch`, with a token that is renewed once when it is
refused.

A batch is always sent with `Prefer: odata.continue-on-error`: without it the first error ends it, and the rows behind
it would be neither done nor refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from connectors.crm.dynamics.errors import failure
from connectors.wire.answers import lost, nothing_done, parsed, retry_after
from connectors.wire.odata_batch import ChangeSet, Part, Reply, decoded, encoded
from connectors.wire.tokens import Tokens
from hub.errors import ConnectorError, CredentialsRefused, Throttled, Unavailable
from hub.model import Quota

MOST_OPERATIONS = 1000
BURST, WINDOW_SECONDS = 6000, 300  # requests that one user may make in five minutes, for each server that answers
LEFT = "x-ms-ratelimit-burst-remaining-xrm-requests"
HEADERS = {"Accept": "application/json", "OData-Version": "4.0", "OData-MaxVersion": "4.0"}
JSON = {**HEADERS, "Content-Type": "application/json; charset=utf-8"}
LOOKUP_TYPE = "Microsoft.Dynamics.CRM.lookuplogicalname"
FORMATTED = "OData.Community.Display.V1.FormattedValue"
ANNOTATIONS = f'odata.include-annotations="{LOOKUP_TYPE},{FORMATTED}"'


class Api:
    """The Web API of one environment."""

    def __init__(
        self, session: requests.Session, url: str, version: str, tokens: Tokens, quota: Callable[[Quota], None]
    ) -> None:
        self._session, self._tokens, self._quota = session, tokens, quota
        self.url = url.rstrip("/")
        self.path = f"/api/data/{version}/"
        self._root = self.url + self.path

    def get(self, path: str, prefer: str = ANNOTATIONS) -> dict[str, Any]:
        """What a GET of `path` (relative to the API) answers. Raises what it means where it is no success."""
        answer = self._asked(
            "GET", self._root + path, {**HEADERS, **({"Prefer": prefer} if prefer else {})}, b"", False
        )
        return _object(answer.content, answer)

    def batch(self, parts: Sequence[Part | ChangeSet], *, changes: bool) -> list[Reply | list[Reply]]:
        """The answers to many operations, one or a list for each of `parts`. Raises where the batch itself fails."""
        if not parts:
            return []
        kind, body = encoded(parts)
        headers = {**HEADERS, "Content-Type": kind, "Prefer": "odata.continue-on-error"}
        if changes:
            answer = self._asked("POST", self._root + "$batch", headers, body, True)
        else:
            with nothing_done():
                answer = self._asked("POST", self._root + "$batch", headers, body, False)
        try:
            replies = decoded(answer.headers.get("Content-Type", ""), answer.content)
        except ValueError as error:
            raise lost(changes)("Dataverse answers a batch with something that is none") from error
        if len(replies) != len(parts):
            raise lost(changes)(f"Dataverse answers {len(replies)} of a batch's {len(parts)} operations")
        return replies

    def read(self, paths: Sequence[str], prefer: str = ANNOTATIONS) -> list[dict[str, Any] | ConnectorError]:
        """What the GETs of many paths answer, in one call; the error in the place of one that failed."""
        parts = [self.part("GET", path, headers={"Prefer": prefer} if prefer else {}) for path in paths]
        told: list[dict[str, Any] | ConnectorError] = []
        for start in range(0, len(parts), MOST_OPERATIONS):
            for reply in self.batch(parts[start : start + MOST_OPERATIONS], changes=False):
                (one,) = [reply] if isinstance(reply, Reply) else reply
                told.append(refusal(one, changes=False) or _object(one.body))
        return told

    def part(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
        id: str = "",
    ) -> Part:  # fmt: skip
        """One operation of a batch."""
        content = b"" if body is None else json.dumps(body).encode()
        return Part(
            method=method,
            url=self._root + path,
            body=content,
            id=id,
            headers={**(JSON if content else HEADERS), **(headers or {})},
        )

    def rest_of(self, told: Mapping[str, Any], word: str = "@odata.nextLink") -> str | None:
        """The path of the page that follows, relative to the API; nothing else of the link is trusted with our token."""
        link = told.get(word)
        return self.inside(str(link)) if link else None

    def inside(self, link: str) -> str:
        """A link's path and query, relative to the API. Raises Unavailable where it leads elsewhere."""
        parts = urlsplit(link)
        if not parts.path.startswith(self.path):
            raise Unavailable("Dataverse names a next page that is not of its Web API")
        return parts.path.removeprefix(self.path) + (f"?{parts.query}" if parts.query else "")

    def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, changes: bool
    ) -> requests.Response:
        token = self._tokens.current()
        answer = self._sent(method, url, headers, body, token.value)
        if answer.status_code == 401:
            token = self._tokens.instead_of(token)
            answer = self._sent(method, url, headers, body, token.value)
            if answer.status_code == 401:
                raise CredentialsRefused(
                    "Dataverse takes no token of this application: is it a user of the environment?"
                )
        if answer.status_code >= 400 and not answer.headers.get("Content-Type", "").startswith("multipart/"):
            raise failure(answer.status_code, answer.content, retry_after(answer), changes=changes)
        if answer.status_code >= 300 and answer.status_code < 400:
            raise Unavailable(f"Dataverse answers {answer.status_code}: somebody else took the call")
        return answer

    def _sent(self, method: str, url: str, headers: Mapping[str, str], body: bytes, token: str) -> requests.Response:
        answer = self._session.request(
            method,
            url,
            data=body or None,
            headers={**headers, "Authorization": f"Bearer {token}"},
            allow_redirects=False,
        )
        left = answer.headers.get(LEFT, "")
        if left.isdecimal():
            used = max(0, BURST - int(left))
            self._quota(Quota(limit=BURST, used=used, window_seconds=WINDOW_SECONDS))
        return answer


def refusal(reply: Reply, *, changes: bool) -> ConnectorError | None:
    """What an operation's answer means where it is no success."""
    if reply.status < 400:
        return None
    seconds = reply.headers.get("retry-after", "")
    return failure(reply.status, reply.body, float(seconds) if seconds.isdecimal() else None, changes=changes)


def throttled(errors: Sequence[ConnectorError | None]) -> Throttled | None:
    """The one that has to be waited for longest, where all of a call's operations were throttled."""
    waits = [error for error in errors if isinstance(error, Throttled)]
    if not waits or len(waits) < len(errors):
        return None
    return max(waits, key=lambda error: error.retry_after or 0.0)


def literal(value: str) -> str:
    """A text as a literal of `$filter`."""
    return "'" + value.replace("'", "''") + "'"


_LEFT_ALONE = "(),$=;/'*:@"


def query(**options: str) -> str:
    """`$select=…&$filter=…` from select=…, filter=…; the values are encoded but for what OData itself is made of."""
    return "&".join(f"${name}={quote(value, safe=_LEFT_ALONE)}" for name, value in options.items() if value)


def _object(body: bytes, answer: requests.Response | None = None) -> dict[str, Any]:
    try:
        told = parsed(body)
    except ValueError as error:
        kind = (answer.headers.get("Content-Type", "") if answer else "").partition(";")[0] or "no type"
        raise Unavailable(f"Dataverse answers with {kind} that cannot be read as JSON") from error
    if not isinstance(told, dict):
        raise Unavailable("Dataverse answers with JSON that is no object")
    return told
