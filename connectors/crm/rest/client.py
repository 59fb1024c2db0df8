"""The wire: who we are, one request, and what its answer means before anybody looks into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from msgspec import structs

from connectors.crm.rest.calls import Call, Made
from connectors.wire.answers import json_of, lost, nothing_done, parsed, retry_after
from connectors.wire.profiled.asking import ANSWER, Answer, Nothing
from connectors.wire.profiled.failures import Failures
from connectors.wire.profiled.pieces import body_of
from connectors.wire.tokens import Token, Tokens, expires_in
from hub.contract import Piece, Place, Profile, Tools
from hub.errors import (
    ConfigError,
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
    nearest,
)

# How a request proves who we are, and the settings that it needs.
AUTHORITIES: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "basic": ("user", "password"),
    "bearer": ("token",),
    "header": ("header", "token"),
    "oauth2": ("sign_in_url", "client_id", "client_secret"),
}
# RFC 9110: what a status means where the profile says nothing of it.
STATUSES: Mapping[int, type[ConnectorError]] = {
    401: CredentialsRefused,
    403: NotPermitted,
    404: NotFound,
    405: NotPermitted,
    407: CredentialsRefused,
    410: NotFound,
    423: Locked,
    503: Unavailable,
}


class Client:
    """Requests to one system, as `Asks`."""

    words: tuple[str, ...] = Call.WORDS
    roots: tuple[str, ...] = ANSWER
    addressed: bool = True

    def __init__(self, settings: Mapping[str, Any], tools: Tools, failures: Failures) -> None:
        self._settings, self._session, self._now, self._failures = settings, tools.session, tools.now, failures
        self._root = settings["url"].rstrip("/")
        kind = settings["sign_in"]
        if kind not in AUTHORITIES:
            raise ConfigError(
                f'connection {tools.connection}: there is no sign_in "{kind}"{nearest(kind, AUTHORITIES)}'
            )
        missing = [name for name in AUTHORITIES[kind] if not settings.get(name)]
        if missing:
            raise ConfigError(f"connection {tools.connection}: sign_in {kind} needs {', '.join(missing)}")
        self._tokens = Tokens(self._signed_in, tools.now) if kind == "oauth2" else None

    def call(self, profile: Profile, at: Place, value: dict[str, Any], roots: tuple[str, ...]) -> Call:
        """A request."""
        return Call(profile, at, value, roots)

    def batch(self, profile: Profile, at: Place, value: dict[str, Any], roots: tuple[str, ...]) -> tuple[Call, Piece]:
        """A request whose JSON body holds the rows."""
        if "json" in value or "form" in value:
            raise profile.error(at, "a batch's body is made of `rows` and `row`")
        row = body_of(profile, (*at, "row"), value.pop("row"), roots)
        return Call(profile, at, value | {"json": "rows"}, ("rows", "options")), row

    def asked(
        self, call: Call, facts: Mapping[str, Any], *, changes: bool, none: Nothing | None = None, at: str = ""
    ) -> Answer:
        """The answer to a request. Raises what a refusal means, and Rejected where `at` is not the system's own."""
        made = call.made(facts)
        if not at:
            return self._answered(self._root + made.path, made, changes, none)
        here, there = urlsplit(self._root), urlsplit(requests.compat.urljoin(f"{self._root}/", at))
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise Rejected(f"the system names a next page elsewhere, at {there.scheme}://{there.netloc}")
        return self._answered(there.geturl(), structs.replace(made, query=[]), changes, none)

    def reached(self) -> str:
        """Whether the address answers and does not refuse us; any other answer will do."""
        made = Made(method="GET", path="/", query=[], headers={}, body=None, content_type="")
        answer = self._sent(f"{self._root}/", made)
        if answer.status_code in (401, 407, 429, 503):
            raise self._meaning(answer, None, changes=False)
        return str(self._settings["user"])

    def _answered(self, url: str, made: Made, changes: bool, none: Nothing | None) -> Answer:
        if changes:
            answer = self._sent(url, made)
        else:
            with nothing_done():
                answer = self._sent(url, made)
        status = answer.status_code
        if none is not None and none({"answer": _readable(answer), "status": status, "header": _plain(answer)}):
            return Answer(status=status, headers=_plain(answer), body=None)
        if status == 204 or (200 <= status < 300 and not answer.content):
            return Answer(status=status, headers=_plain(answer), body=None)
        if not 200 <= status < 300:
            raise self._meaning(answer, _readable(answer), changes=changes)
        body = json_of(answer, "the CRM", changes=changes)
        good = Answer(status=status, headers=_plain(answer), body=body)
        if (refused := self._failures.error(good.facts)) is not None:
            raise refused
        return good

    def _sent(self, url: str, made: Made) -> requests.Response:
        token = self._tokens.current() if self._tokens else None
        answer = self._posted(url, made, token)
        if answer.status_code == 401 and self._tokens and token:
            answer = self._posted(url, made, self._tokens.instead_of(token))
        return answer

    def _posted(self, url: str, made: Made, token: Token | None) -> requests.Response:
        headers = {"Accept": "application/json", **made.headers, **self._authority(token)}
        if made.body is not None:
            headers["Content-Type"] = made.content_type
        basic = None
        if self._settings["sign_in"] == "basic":
            basic = (self._settings["user"].encode(), self._settings["password"].encode())
        return self._session.request(
            made.method, url, params=made.query or None, data=made.body, headers=headers, auth=basic,
            allow_redirects=False,
        )  # fmt: skip

    def _authority(self, token: Token | None) -> dict[str, str]:
        if token is not None:
            return {"Authorization": f"Bearer {token.value}"}
        match self._settings["sign_in"]:
            case "bearer":
                return {"Authorization": f"Bearer {self._settings['token']}"}
            case "header":
                return {self._settings["header"]: self._settings["token"]}
        return {}

    def _signed_in(self) -> Token:
        """RFC 6749, 4.4: client credentials, in the body."""
        form = {"grant_type": "client_credentials", "client_id": self._settings["client_id"],
                "client_secret": self._settings["client_secret"]}  # fmt: skip
        if self._settings["scope"]:
            form["scope"] = self._settings["scope"]
        with nothing_done():
            answer = self._session.post(self._settings["sign_in_url"], data=form, allow_redirects=False)
        if answer.status_code in (400, 401, 403):
            raise CredentialsRefused("the CRM's sign-in refuses the client")
        if answer.status_code == 429:
            raise Throttled("the CRM's sign-in takes no more requests just now", retry_after(answer))
        if answer.status_code != 200:
            raise Unavailable(f"the CRM's sign-in answers {answer.status_code}")
        told = json_of(answer, "the CRM's sign-in", changes=False)
        if not isinstance(told, dict) or not isinstance(told.get("access_token"), str):
            raise Unavailable("the CRM's sign-in gives no access_token")
        return Token(value=told["access_token"], expires_at=expires_in(told.get("expires_in"), self._now()))

    def _meaning(self, answer: requests.Response, body: Any, *, changes: bool) -> ConnectorError:
        status = answer.status_code
        facts = {"answer": body, "status": status, "header": _plain(answer)}
        if (told := self._failures.error(facts)) is not None:
            if isinstance(told, Throttled) and told.retry_after is None:
                told.retry_after = retry_after(answer)
            return told
        if status == 429:
            return Throttled("the CRM takes no more requests just now", retry_after(answer))
        if kind := STATUSES.get(status):
            return kind(f"the CRM answers {status}{_said(body)}")
        if status >= 500:
            return lost(changes)(f"the CRM answers {status}")
        if 300 <= status < 400:
            return Unavailable(f"the CRM answers {status}: somebody's sign-in page, perhaps")
        return Rejected(f"the CRM answers {status}{_said(body)}")


def _plain(answer: requests.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _readable(answer: requests.Response) -> Any:
    try:
        return parsed(answer.content)
    except ValueError:
        return None


def _said(body: Any) -> str:
    """The words of a problem (RFC 9457), where the answer is one."""
    told = (body.get("detail") or body.get("title")) if isinstance(body, dict) else None
    return f": {told[:200]}" if isinstance(told, str) else ""
