"""Calls to Fusion's REST services: signed in by basic authentication or with a token, read page by page, written in
batches.

Source: Oracle, faaps: "Perform Batch Actions" (all or none, only failing parts listed), "Manage Collections" (limit,
offset, hasMore). A page may be shorter than its limit although more follow: a server has a limit of its own.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import requests
from msgspec import Struct

from connectors.crm.oracle_fusion.errors import WHO, Problem, failed, meant, problems
from connectors.wire.answers import json_of, nothing_done
from connectors.wire.discreet import discreet
from connectors.wire.tokens import Token, Tokens, expires_in
from hub.errors import ConfigError, ConnectorError, CredentialsRefused, Throttled, Unavailable, UnknownOutcome

PAGE = 500  # the most that a page holds
EMPTY_PAGES = 200  # so many pages in a row in which we may see nothing; after them something is wrong
BATCH = "application/vnd.oracle.adf.batch+json"
# Without the second type a service tells its errors as a line of text.
ACCEPT = "application/json, application/vnd.oracle.adf.error+json"


class Part(Struct, frozen=True, kw_only=True):
    """A part of a collection: its items, whether more follow, and how many it was for by the server's own word."""

    items: list[dict[str, Any]]
    more: bool
    size: int


class Refused(Struct, frozen=True, kw_only=True):
    """A batch of which nothing was done: the rows that are named as the reason, or an error of the whole."""

    rows: dict[int, ConnectorError]
    whole: ConnectorError


class Rest:
    """One pod, as one user or one client."""

    def __init__(self, session: requests.Session, settings: Mapping[str, Any], now: Callable[[], dt.datetime]) -> None:
        self._session, self._settings, self._now = session, settings, now
        self.root = f"{settings['url'].rstrip('/')}/crmRestApi/resources/"
        self._base = f"{self.root}{settings['version']}"
        self._tokens: Tokens | None = None
        if settings.get("client_id"):
            if not settings.get("sign_in_url"):
                raise ConfigError("client_id needs sign_in_url, the token service of the identity domain")
            self._tokens = Tokens(self._token, now)
            self.user = str(settings["client_id"])
        elif settings.get("user"):
            self.user = str(settings["user"])
        else:
            raise ConfigError("a user with password, or a client_id with client_secret and sign_in_url, is needed")

    def get(self, path: str, **query: str | int) -> Any:
        """What a GET answers. `path` begins with a slash, or is empty for the resources' root."""
        answer = self._sent("GET", self._base + path if path else self.root, query)
        if answer.status_code != 200:
            raise failed(answer, changes=False)
        return json_of(answer, WHO, changes=False)

    def page(self, path: str, **query: str | int) -> Part:
        """One page of a collection."""
        told = self.get(path, onlyData="true", **query)
        if not isinstance(told, dict) or not isinstance(told.get("items"), list):
            raise Unavailable(f"{WHO} answers something that is no collection")
        limit = told.get("limit")
        size = limit if isinstance(limit, int) and limit > 0 else int(query.get("limit", PAGE))
        return Part(items=told["items"], more=bool(told.get("hasMore")), size=size)

    def items(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """All items of a collection; one may come twice where pages are shorter than their limit."""
        offset = empty = 0
        while True:
            part = self.page(path, limit=PAGE, offset=offset, **query)
            yield from part.items
            if not part.more:
                return
            # By what came, so that nothing is passed over; a page without anything is passed over whole.
            offset, empty = offset + (len(part.items) or part.size), 0 if part.items else empty + 1
            if empty > EMPTY_PAGES:
                raise Unavailable(f"{WHO} always says that more follows, and gives nothing")

    def batch(self, parts: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Any]] | Refused:
        """All parts in one transaction: by place each part's record, or Refused, and nothing was done.

        Part ids are `row-<place>`. Raises what is no part's fault: throttled, no answer, credentials.
        """
        answer = self._sent("POST", self._base, {}, {"parts": list(parts)})
        if answer.status_code in (200, 201):
            told = json_of(answer, WHO, changes=True)
            done = told.get("parts") if isinstance(told, dict) else None
            if not isinstance(done, list):
                raise UnknownOutcome(f"{WHO} answers a batch with something that is none")
            by_id = {str(part.get("id")): part.get("payload") or {} for part in done if isinstance(part, dict)}
            return {place: by_id.get(str(part["id"]), {}) for place, part in enumerate(parts)}
        told_of = problems(answer)
        whole = meant(answer, told_of, changes=True)
        named: dict[int, list[Problem]] = {}
        for problem in told_of:
            if problem.row is not None and problem.row < len(parts):
                named.setdefault(problem.row, []).append(problem)
        if isinstance(whole, Throttled | CredentialsRefused) or (isinstance(whole, Unavailable) and not named):
            raise whole
        return Refused(rows={row: meant(answer, told) for row, told in named.items()}, whole=whole)

    def _sent(self, method: str, url: str, query: Mapping[str, str | int], body: Any = None) -> requests.Response:
        if self._tokens is None:
            answer = self._request(
                method, url, query, body, self._basic(self._settings["user"], self._settings["password"])
            )
        else:
            token = self._tokens.current()
            answer = self._request(method, url, query, body, f"Bearer {token.value}")
            if answer.status_code == 401:  # nothing was done; the token may have been withdrawn before its time
                token = self._tokens.instead_of(token)
                answer = self._request(method, url, query, body, f"Bearer {token.value}")
        return answer

    def _request(
        self, method: str, url: str, query: Mapping[str, str | int], body: Any, authorization: str
    ) -> requests.Response:
        headers = {
            "Authorization": authorization,
            "Accept": ACCEPT,
            "REST-Framework-Version": str(self._settings["framework"]),
        }
        if body is None:
            return self._session.request(method, url, params=dict(query), headers=headers)
        return self._session.request(method, url, json=body, headers={**headers, "Content-Type": BATCH})

    def _token(self) -> Token:
        """OAuth 2.0 client credentials at the identity domain (RFC 6749, 4.4)."""
        form = {
            "grant_type": "client_credentials",
            **({"scope": scope} if (scope := self._settings.get("scope")) else {}),
        }
        client = self._basic(self._settings["client_id"], self._settings.get("client_secret") or "")
        with nothing_done():
            answer = self._session.post(
                self._settings["sign_in_url"],
                data=form,
                headers={"Authorization": client, "Accept": "application/json"},
            )
        if answer.status_code in (400, 401, 403):
            told = problems(answer)
            words = f": {discreet(told[0].text)}" if told else ""
            raise CredentialsRefused(f"the token service of {WHO} refuses the client{words}")
        if answer.status_code != 200:
            raise failed(answer, changes=False)
        told_token = json_of(answer, f"the token service of {WHO}", changes=False)
        value = told_token.get("access_token") if isinstance(told_token, dict) else None
        if not value:
            raise Unavailable(f"the token service of {WHO} answers without a token")
        return Token(value=str(value), expires_at=expires_in(told_token.get("expires_in"), self._now()))

    @staticmethod
    def _basic(user: str, password: str | None) -> str:
        return "Basic " + base64.b64encode(f"{user}:{password or ''}".encode()).decode()
