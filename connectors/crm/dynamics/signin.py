"""Sign in at Microsoft Entra ID with msal, over the hub's own session.

msal is given the session as its `http_client`, so it has no connections, time-outs or retries of its own. It is made
anew for each token, because its cache would give a token back that the API has just refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import msal
import requests
from cryptography.x509 import load_pem_x509_certificate
from jwt import PyJWTError

from connectors.wire.answers import json_of, nothing_done, retry_after
from connectors.wire.tokens import Token, expires_in
from hub.errors import CredentialsRefused, Throttled, Unavailable

WHO = "Microsoft Entra ID"


class SignIn:
    """The tokens of one application in one tenant for one environment."""

    def __init__(self, session: requests.Session, settings: Mapping[str, Any], now: Callable[[], dt.datetime]) -> None:
        self._http, self._settings, self._now = _Http(session), settings, now

    def token(self) -> Token:
        """A new token. Raises CredentialsRefused where the application or its secret is not taken."""
        settings = self._settings
        if not settings["authority"].lower().startswith("https://"):  # msal's own rule, in words that help
            raise CredentialsRefused(f"{WHO} signs in over TLS alone: the setting authority has to begin with https://")
        try:
            with nothing_done():
                application = msal.ConfidentialClientApplication(
                    settings["client_id"],
                    client_credential=self._credential(),
                    authority=f"{settings['authority'].rstrip('/')}/{settings['tenant']}",
                    instance_discovery=False,
                    http_client=self._http,
                )
                told = application.acquire_token_for_client([f"{settings['url'].rstrip('/')}/.default"])
        except (ValueError, TypeError, KeyError, PyJWTError) as error:
            # msal's words for a tenant that is not there, or a broken key
            raise CredentialsRefused(f"{WHO}: the tenant, its address or the certificate is not valid") from error
        if "access_token" not in told:
            raise CredentialsRefused(f"{WHO} refuses the application: {_reason(told)}")
        return Token(value=told["access_token"], expires_at=expires_in(told.get("expires_in"), self._now()))

    def expires_at(self) -> dt.datetime | None:
        """When the certificate ends; a secret's end nobody tells."""
        if not self._settings.get("certificate"):
            return None
        try:
            return load_pem_x509_certificate(str(self._settings["certificate"]).encode()).not_valid_after_utc
        except ValueError as error:
            raise CredentialsRefused("the setting certificate is no certificate in PEM") from error

    def _credential(self) -> str | dict[str, str]:
        if self._settings.get("private_key"):
            return {
                "private_key": str(self._settings["private_key"]),
                "public_certificate": str(self._settings.get("certificate") or ""),
            }
        if not self._settings.get("client_secret"):
            raise CredentialsRefused("the connection needs a client_secret, or a certificate with its private_key")
        return str(self._settings["client_secret"])


class _Http:
    """What msal wants of an HTTP client. What is no answer of Entra ID's is said in our own words."""

    def __init__(self, session: requests.Session) -> None:
        self._session = session

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> requests.Response:
        """A GET."""
        return _answered(self._session.get(url, params=params, headers=headers))

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> requests.Response:
        """A POST."""
        return _answered(self._session.post(url, params=params, data=data, headers=headers, allow_redirects=False))

    def close(self) -> None:
        """The session is the hub's."""


def _answered(answer: requests.Response) -> requests.Response:
    if answer.status_code == 429:
        raise Throttled(f"{WHO} takes no more sign-ins just now", retry_after(answer))
    if answer.status_code >= 500 or 300 <= answer.status_code < 400:
        raise Unavailable(f"{WHO} answers {answer.status_code}")
    json_of(answer, WHO, changes=False)
    return answer


def _reason(told: Mapping[str, Any]) -> str:
    """The error's name and its AADSTS code; the rest of the description names the application and when."""
    code = str(told.get("error_description", "")).partition(":")[0]
    return " ".join(
        part for part in (str(told.get("error", "no token")), code if code.startswith("AADSTS") else "") if part
    )
