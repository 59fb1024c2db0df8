"""Calls to Salesforce's REST API over the hub's session.

Not through simple-salesforce's client: on a 401 it signs in again without end (SFType) or falls over a body that is an
object, it drops Retry-After and the quota header of a refusal, its Bulk handler sleeps and keeps a token for ever, and it
writes `https://` before every host. Its sign-in and its SOQL quoting are used: `sign_in`, `soql`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests
from msgspec import Struct

from connectors.crm.salesforce.errors import failure, told_in
from connectors.wire.answers import json_of, lost, moment, nothing_done, parsed, retry_after
from connectors.wire.tokens import Token, Tokens
from hub.errors import ConnectorError, CredentialsRefused, Unavailable
from hub.model import Quota

PARTS = 5  # queries and collections that one composite call takes (REST API Developer Guide, Composite)
_USAGE = re.compile(r"\bapi-usage=(\d+)/(\d+)")

Found = dict[str, Any]


class Ask(Struct, frozen=True, kw_only=True):
    """One query. `deleted`: also what is in the bin (queryAll)."""

    soql: str
    deleted: bool = False


class Rest:
    """One organisation as one user. A session that ran out is renewed once, out of the caller's sight."""

    def __init__(
        self,
        session: requests.Session,
        version: str,
        tokens: Tokens,
        tell: Callable[[Quota], None],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._session, self._tokens, self._tell, self._now = session, tokens, tell, now
        self.data = f"/services/data/v{version}"
        self.clock_ahead = dt.timedelta(0)  # how much later it is by Salesforce's clock than by ours

    def read(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON of a GET below the API's root, or from the host's root where `path` begins with a slash."""
        return json_of(self.sent("GET", path, params=params, changes=False), "Salesforce", changes=False)

    def change(self, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None) -> Any:
        """The JSON of a call that changes something there."""
        answer = self.sent(method, path, body=body, params=params, changes=True)
        return json_of(answer, "Salesforce", changes=True)

    def sent(
        self,
        method: str,
        path: str,
        *,
        changes: bool,
        body: Any = None,
        text: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer, 2xx or 304. Raises what else it is."""
        url = path if path.startswith("/") else f"{self.data}/{path}"

        def once(token: Token) -> requests.Response:
            kind = {"Content-Type": "text/csv; charset=UTF-8"} if text is not None else {}
            return self._session.request(
                method, token.told["instance"] + url, params=params, data=text, json=body, allow_redirects=False,
                headers={"Authorization": f"Bearer {token.value}", **kind, **(headers or {})},
            )  # fmt: skip

        def twice() -> requests.Response:
            token = self._tokens.current()
            answer = once(token)
            if answer.status_code == 401:
                answer = once(self._tokens.instead_of(token))
            return answer

        if changes:
            return self._checked(twice(), changes)
        with nothing_done():
            return self._checked(twice(), changes)

    def queries(self, asks: Sequence[Ask]) -> list[list[Found] | ConnectorError]:
        """The records of each query, or why it has none: as many as five by one call, of any length.

        By `composite` and not by GET: an address may have no more than 16,384 bytes with its headers (Salesforce Help
        000386264), and two hundred keys have more.
        """
        answers: list[list[Found] | ConnectorError] = []
        for start in range(0, len(asks), PARTS):
            batch = asks[start : start + PARTS]
            parts = [self._part(f"q{place}", ask.soql, ask.deleted) for place, ask in enumerate(batch)]
            for status, body in self.composite(parts, changes=False):
                answers.append(
                    failure(told_in(body), status, changes=False) if status >= 300 else list(self._all(body))
                )
        return answers

    def query(self, soql: str, deleted: bool = False) -> list[Found]:
        """The records of one query."""
        (answer,) = self.queries([Ask(soql=soql, deleted=deleted)])
        if isinstance(answer, ConnectorError):
            raise answer
        return answer

    def count(self, soql: str) -> int:
        """How many records a `SELECT COUNT()` counts."""
        ((status, body),) = self.composite([self._part("q0", soql)], changes=False)
        if status >= 300:
            raise failure(told_in(body), status, changes=False)
        return int(word(body, "totalSize", changes=False))

    def _part(self, name: str, soql: str, deleted: bool = False) -> dict[str, str]:
        word = "queryAll" if deleted else "query"
        return {"method": "GET", "url": f"{self.data}/{word}?q={quote(soql, safe='')}", "referenceId": name}

    def composite(self, parts: Sequence[Mapping[str, Any]], *, changes: bool) -> list[tuple[int, Any]]:
        """Status and body of each part; the parts do not hang together (allOrNone false). One API call."""
        body = {"allOrNone": False, "compositeRequest": list(parts)}
        answer = json_of(self.sent("POST", "composite", body=body, changes=changes), "Salesforce", changes=changes)
        told = answer.get("compositeResponse") if isinstance(answer, dict) else None
        if not isinstance(told, list) or len(told) != len(parts):
            raise lost(changes)("Salesforce did not answer for each part of a composite call")
        return [(int(part["httpStatusCode"]), part["body"]) for part in told]

    def _all(self, page: Any) -> Iterator[Found]:
        seen: set[str] = set()
        while True:
            if not isinstance(page, dict) or not isinstance(page.get("records"), list):
                raise Unavailable("the answer to a query has no records")
            yield from map(plain, page["records"])
            if page.get("done", True):
                return
            following = str(page.get("nextRecordsUrl") or "")
            if not following or following in seen:
                raise Unavailable("Salesforce names no next page, or the same again and again")
            seen.add(following)
            page = self.read(following)

    def _checked(self, answer: requests.Response, changes: bool) -> requests.Response:
        if there := moment(answer.headers.get("Date", "")):
            self.clock_ahead = there - self._now()
        if usage := _USAGE.search(answer.headers.get("Sforce-Limit-Info", "")):
            self._tell(Quota(limit=int(usage[2]), used=int(usage[1])))
        status = answer.status_code
        if status in range(200, 300) or status == 304:
            return answer
        if status == 401:
            raise CredentialsRefused("Salesforce signs us in and refuses the token: has the app the scope api?")
        if 301 <= status < 400:
            raise Unavailable(f"Salesforce's address answers {status}: somebody's sign-in page, perhaps")
        try:
            body = parsed(answer.content)
        except ValueError:
            body = None  # a gateway's page
        raise failure(told_in(body), status, changes=changes, retry_after=retry_after(answer))


def word(body: Any, name: str, *, changes: bool) -> Any:
    """What an answer says of `name`; one that does not say it is not what was asked for."""
    if not isinstance(body, dict) or name not in body:
        raise lost(changes)(f"Salesforce's answer does not say {name}")
    return body[name]


def plain(record: Found) -> Found:
    """A record without what it says of itself, its parents too."""
    return {
        name: plain(value) if isinstance(value, dict) else value
        for name, value in record.items()
        if name != "attributes"
    }
