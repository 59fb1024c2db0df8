"""Signing in at Salesforce: client credentials, JWT bearer, or the old SOAP login, by simple-salesforce.

The library makes the requests (grants, assertion, envelope) and reads the answers that let us in. Its ways that do not fit
are kept from it by `_Door`, which it takes for its session: it would call `https://<domain>.salesforce.com` and nowhere
else, has no time-outs, loses Retry-After, and cannot read a sign-in page. An answer says no `expires_in`: a token is used
until it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

import jwt
import requests
from simple_salesforce.exceptions import SalesforceAuthenticationFailed
from simple_salesforce.login import SalesforceLogin

from connectors.crm.salesforce.errors import failure, told_in
from connectors.wire.answers import json_of, nothing_done, retry_after
from connectors.wire.tokens import Token
from hub.errors import CredentialsRefused, Unavailable

WAYS = ("client_credentials", "jwt", "soap")
# The library asks for a My Domain and takes `login` for none; where it really goes, `_Door` knows.
_MY_DOMAIN = "patchbay.my"
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "client_credentials": ("client_id", "client_secret"),
    "jwt": ("client_id", "username", "private_key"),
    "soap": ("username", "password"),
}


def missing(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings that the chosen way needs and that are not there."""
    return tuple(name for name in _NEEDED[settings["sign_in"]] if not settings.get(name))


def sign_in(session: requests.Session, settings: Mapping[str, Any]) -> Token:
    """A new token. Raises CredentialsRefused where Salesforce refuses ours, Unavailable where it does not answer."""
    door = _Door(session, str(settings.get("login_url") or settings["url"]).rstrip("/"))
    try:
        with nothing_done():
            value, host = SalesforceLogin(session=door, sf_version=settings["api_version"], **_told(settings))
    except SalesforceAuthenticationFailed as error:
        raise CredentialsRefused(f"Salesforce refuses to sign us in: {error.code}") from error
    except (jwt.InvalidKeyError, ValueError, TypeError) as error:
        raise CredentialsRefused(f"the setting private_key is no RSA key in PEM ({type(error).__name__})") from error
    except (ExpatError, AttributeError) as error:
        raise Unavailable("the answer to the sign-in is not Salesforce's") from error
    if not value or not host:
        raise Unavailable("the answer to the sign-in has no token or does not say where to go on")
    return Token(value=value, told={"instance": door.instance or f"{urlsplit(settings['url']).scheme}://{host}"})


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    match settings["sign_in"]:
        case "client_credentials":
            return {
                "consumer_key": settings["client_id"],
                "consumer_secret": settings["client_secret"],
                "domain": _MY_DOMAIN,
            }
        case "jwt":
            # The domain becomes the assertion's audience: login or test, whatever the address.
            audience = urlsplit(settings["audience"]).hostname or ""
            return {"consumer_key": settings["client_id"], "username": settings["username"],
                    "privatekey": settings["private_key"], "domain": audience.removesuffix(".salesforce.com")}  # fmt: skip
    return {"username": settings["username"], "password": settings["password"],
            "security_token": settings.get("security_token") or "", "domain": _MY_DOMAIN}  # fmt: skip


class _Door(requests.Session):
    """What the library takes for a session: it sends through the hub's, to the configured address."""

    def __init__(self, session: requests.Session, address: str) -> None:
        # Nothing of requests.Session is wanted but its type.
        self._session, self._address = session, address
        self.instance = ""

    def post(  # type: ignore[override]
        self, url: str | bytes, data: Any = None, **kwargs: Any
    ) -> requests.Response:
        """One POST of the sign-in. What is no answer of Salesforce's to it is raised here."""
        where = self._address + urlsplit(str(url)).path
        headers = kwargs.get("headers") or {}
        answer = self._session.post(where, data=data, headers=headers, allow_redirects=False)
        status = answer.status_code
        if status == 429:
            raise failure(told_in(None), status, changes=False, retry_after=retry_after(answer))
        xml = "xml" in answer.headers.get("Content-Type", "")
        if (status >= 500 and not xml) or 300 <= status < 400:
            raise Unavailable(f"the sign-in is answered {status}, not by Salesforce's")
        if not xml:
            body = json_of(answer, "the sign-in", changes=False)
            if status != 200:
                told = told_in(body)
                raise CredentialsRefused(f"Salesforce refuses to sign us in: {told.code}: {told.message[:200]}")
            if isinstance(body, dict):
                self.instance = str(body.get("instance_url") or "").rstrip("/")
        return answer
