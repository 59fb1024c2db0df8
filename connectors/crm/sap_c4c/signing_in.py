"""How the hub proves itself: basic authentication of a technical user, or OAuth 2.0 client credentials."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime

import requests

from connectors.crm.sap_c4c.refusals import WHO
from connectors.wire.answers import json_of, nothing_done, retry_after
from connectors.wire.tokens import Token, Tokens, expires_in
from hub.errors import CredentialsRefused, Throttled, Unavailable


class SignIn:
    """The `Authorization` header of each request. OAuth goes before a password where both are set."""

    def __init__(
        self,
        session: requests.Session,
        now: Callable[[], datetime],
        *,
        user: str = "",
        password: str = "",
        oauth_url: str = "",
        client_id: str = "",
        client_secret: str = "",
    ) -> None:
        self._session, self._now = session, now
        self._basic = _basic(user, password) if user else ""
        self._oauth_url, self._client = oauth_url, _basic(client_id, client_secret)
        self._tokens = Tokens(self._fetched, now) if oauth_url else None
        self.user = client_id if oauth_url else user

    def header(self) -> str:
        """The header's value. Raises CredentialsRefused where there is nothing to sign in with."""
        if self._tokens is not None:
            return f"Bearer {self._tokens.current().value}"
        if not self._basic:
            raise CredentialsRefused(f"{WHO}: set user and password, or oauth_url, client_id and client_secret")
        return self._basic

    def renewed(self, refused: str) -> str | None:
        """Another header instead of one that was refused; None where there is no other."""
        if self._tokens is None:
            return None
        return f"Bearer {self._tokens.instead_of(Token(value=refused.removeprefix('Bearer '))).value}"

    def _fetched(self) -> Token:
        with nothing_done():
            answer = self._session.post(
                self._oauth_url,
                data={"grant_type": "client_credentials"},
                headers={"Authorization": self._client, "Accept": "application/json"},
                allow_redirects=False,
            )
        if answer.status_code in (400, 401, 403):
            raise CredentialsRefused(f"the authorization server of {WHO} refuses the client")
        if answer.status_code == 429:
            raise Throttled(f"the authorization server of {WHO} takes no more calls", retry_after(answer))
        if answer.status_code != 200:
            raise Unavailable(f"the authorization server of {WHO} answers {answer.status_code}")
        told = json_of(answer, f"the authorization server of {WHO}", changes=False)
        value = told.get("access_token") if isinstance(told, dict) else None
        if not isinstance(value, str) or not value:
            raise Unavailable(f"the authorization server of {WHO} gives no token")
        return Token(value=value, expires_at=expires_in(told.get("expires_in"), self._now()))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
