"""Calls to Siebel's REST API: signed in by basic authentication or with a token, read page by page, written in arrays.

Source: Oracle, Siebel REST API Guide: "About URI Parameters" (PageSize 100 at most, StartRowNum from 0, `uniformresponse`,
`childlinks`, `ViewMode`), "Querying Records Using the ExecutionMode Parameter", "Querying … with a Sort Specification",
"Inserting", "Upserting" and "Deleting Multiple Siebel CRM Business Components" (at most 100, all or none), "About Supported
HTTP Header Fields" (Content-Type decides the answer's format, of a GET too), "About User Authentication". That ViewMode is
heeded with PUT and DELETE is unverified; what is not known there is passed over.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote, urlencode

import requests

from connectors.crm.siebel.components import CREATED, ID, UPDATED, Component
from connectors.crm.siebel.errors import WHO, Refusal, failed, is_nothing, refusal
from connectors.wire.answers import json_of, nothing_done
from connectors.wire.tokens import Token, Tokens, expires_in
from hub.errors import ConfigError, CredentialsRefused, Unavailable, UnknownOutcome

PAGE = 100  # the most that a page and an array hold
JSON = "application/json"
SYSTEM = (ID, CREATED, UPDATED)
Item = dict[str, Any]


class Rest:
    """One Siebel enterprise, as one user or one client of its token service."""

    def __init__(
        self,
        session: requests.Session,
        settings: Mapping[str, Any],
        view_modes: Mapping[str, str],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._session, self._settings, self._now = session, settings, now
        self._view_modes = view_modes
        self._base = f"{settings['url'].rstrip('/')}/{settings['rest_path'].strip('/')}"
        self.page_size = max(1, min(PAGE, settings["page_size"]))
        self._tokens: Tokens | None = None
        if settings.get("client_id"):
            if not settings.get("sign_in_url"):
                raise ConfigError("client_id needs sign_in_url, the token service that Siebel asks about tokens")
            self._tokens = Tokens(self._token, now)
            self.user = str(settings["client_id"])
        elif settings.get("user"):
            self.user = str(settings["user"])
        else:
            raise ConfigError("a user with password, or a client_id with client_secret and sign_in_url, is needed")

    # --- reading ----------------------------------------

    def described(self, component: Component) -> Any:
        """What the component's `describe` answers: a document of OpenAPI."""
        answer = self._sent("GET", f"/data/{component.address()}/describe", {})
        if answer.status_code != 200:
            raise failed(answer, changes=False)
        return json_of(answer, WHO, changes=False)

    def page(
        self, component: Component, spec: str, fields: Sequence[str], *, size: int, start: int = 0, parent: str = ""
    ) -> list[Item]:
        """Up to `size` records by ascending Id, from row `start` on; none where Siebel says that there is nothing."""
        query: dict[str, str | int] = {
            "fields": ",".join(dict.fromkeys((ID, *fields))),
            "childlinks": "None",
            "uniformresponse": "Y",
            "PageSize": size,
            "StartRowNum": start,
            "sortspec": f"{ID}:asc",
            "ExecutionMode": "ForwardOnly",  # without it a query of more than 9,900 rows is refused
        }
        if spec:
            query["searchspec"] = spec
        answer = self._sent("GET", f"/data/{component.address(parent)}", self._seen(component, query))
        if is_nothing(answer):
            return []
        if answer.status_code != 200:
            raise failed(answer, changes=False)
        return items_of(json_of(answer, WHO, changes=False), changes=False)

    def records(self, component: Component, spec: str, fields: Sequence[str]) -> Iterator[Item]:
        """All records that fit: page by page, one may come twice where others are changed meanwhile."""
        start = 0
        while True:
            found = self.page(component, spec, fields, size=self.page_size, start=start)
            yield from found
            if len(found) < self.page_size:
                return
            start += len(found)

    # --- writing ----------------------------------------

    def write(
        self, method: Literal["POST", "PUT", "DELETE"], component: Component, records: Sequence[Item]
    ) -> list[Item] | Refusal | None:
        """All records in one transaction: those that were written, as far as the answer shows them, None where nothing
        had to be changed, or why nothing was done. Raises what is no record's fault.

        A single record goes as the guide writes a single one, by its address; several go as an array.
        """
        path, body = f"/data/{component.address()}", list(records)
        told: Any = body
        if len(body) == 1:
            if method != "POST":
                path = f"{path}/{quote(str(body[0][ID]), safe='')}"
            told = None if method == "DELETE" else body[0]
        query: dict[str, str | int] = {} if method == "POST" else self._seen(component, {})
        answer = self._sent(method, path, query, told, sends=method != "DELETE" or len(body) > 1)
        if answer.status_code == 304:
            return None
        if answer.status_code in (200, 201, 204):
            if method == "DELETE" or not answer.content.strip():
                return []
            return items_of(json_of(answer, WHO, changes=True), changes=True)
        return _refused(answer)

    def served(self, service: str, method: str, body: Mapping[str, Any], *, changes: bool) -> Any | Refusal:
        """What a method of a business service answers, or why it refused and did nothing."""
        path = f"/service/{quote(service, safe='')}/{quote(method, safe='')}"
        answer = self._sent("POST", path, {}, {"body": dict(body)})
        if answer.status_code in (200, 201):
            return json_of(answer, WHO, changes=changes)
        return _refused(answer, changes=changes)

    # --- the wire ----------------------------------------

    def _seen(self, component: Component, query: dict[str, str | int]) -> dict[str, str | int]:
        mode = self._view_modes.get(component.name, self._settings["view_mode"])
        return {**query, "ViewMode": mode} if mode else query

    def _sent(
        self, method: str, path: str, query: Mapping[str, str | int], body: Any = None, *, sends: bool = True
    ) -> requests.Response:
        # A space is %20: a plus sign is a plus in a path, and what it is in a query is the server's opinion.
        url = f"{self._base}{path}" + (f"?{urlencode(query, quote_via=quote, safe='')}" if query else "")
        told = body if sends else None
        if self._tokens is None:
            return self._request(method, url, told, _basic(self._settings["user"], self._settings.get("password")))
        token = self._tokens.current()
        answer = self._request(method, url, told, f"Bearer {token.value}")
        if answer.status_code == 401:  # nothing was done; the token may have been withdrawn before its time
            token = self._tokens.instead_of(token)
            answer = self._request(method, url, told, f"Bearer {token.value}")
        return answer

    def _request(self, method: str, url: str, body: Any, authorization: str) -> requests.Response:
        headers = {"Authorization": authorization, "Accept": JSON, "Content-Type": JSON}
        if body is None:
            return self._session.request(method, url, headers=headers)
        return self._session.request(method, url, json=body, headers=headers)

    def _token(self) -> Token:
        """OAuth 2.0 client credentials (RFC 6749, 4.4) at the server that Siebel asks about tokens."""
        form = {
            "grant_type": "client_credentials",
            **({"scope": scope} if (scope := self._settings.get("scope")) else {}),
        }
        client = _basic(self._settings["client_id"], self._settings.get("client_secret"))
        who = f"the token service of {WHO}"
        with nothing_done():
            answer = self._session.post(
                self._settings["sign_in_url"], data=form, headers={"Authorization": client, "Accept": JSON}
            )
        if answer.status_code in (400, 401, 403):
            raise CredentialsRefused(f"{who} refuses the client")
        if answer.status_code != 200:
            raise failed(answer, changes=False)
        told = json_of(answer, who, changes=False)
        value = told.get("access_token") if isinstance(told, dict) else None
        if not value:
            raise Unavailable(f"{who} answers without a token")
        return Token(value=str(value), expires_at=expires_in(told.get("expires_in"), self._now()))


def items_of(body: Any, *, changes: bool) -> list[Item]:
    """The records of an answer, whichever of its shapes it has: `items` as a list or as one object, a bare list, or (a
    server that knows no `uniformresponse`) the record itself."""
    told = body.get("items", body) if isinstance(body, dict) else body
    found = told if isinstance(told, list) else [told]
    if not all(isinstance(one, dict) and (changes or ID in one) for one in found):
        raise (UnknownOutcome if changes else Unavailable)(f"{WHO} answers something that is no records")
    return found


def _refused(answer: requests.Response, *, changes: bool = True) -> Refusal:
    why = refusal(answer, changes=changes)
    if not why.row:
        raise why.error
    return why


def _basic(user: str, password: str | None) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password or ''}".encode()).decode()
