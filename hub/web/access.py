"""Who is asking: a bearer token, or a person signed in with a browser."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, g, request, session
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature

from hub.store.access import SCOPES, Access
from hub.web.current import the_hub
from hub.web.problems import Problem

CSRF_HEADER = "X-CSRF-Token"
SESSION_SECONDS = 12 * 3600
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Caller:
    """Who asks and what they may do."""

    name: str
    scopes: tuple[str, ...]
    signed_in: bool  # a person with a browser, not a token


def caller() -> Caller | None:
    """Who asks now, or None for a stranger."""
    if "caller" not in g:
        g.caller = who(the_hub().access, request.headers.get("Authorization", ""), lambda: session)
    known: Caller | None = g.caller
    return known


def require_scope(scope: str) -> Caller:
    """Who asks, when they may do what `scope` names. Raises a 401 or 403 problem."""
    known = entitled(caller(), scope)
    if known.signed_in and request.method not in SAFE_METHODS:
        require_csrf(request.headers.get(CSRF_HEADER, "") or request.form.get("csrf", ""))
    return known


# --- on any road, with Flask or without ----------------------------------------


def who(access: Access, authorization: str, session: Callable[[], Mapping[str, Any]]) -> Caller | None:
    """Who sends this Authorization header, or else, where there is none, has this session. None for a stranger."""
    scheme, _, token = authorization.partition(" ")
    if scheme:
        known = access.token_of(token.strip()) if scheme.lower() == "bearer" else None
        return None if known is None else Caller(known.name, known.scopes, signed_in=False)
    held = session()
    user, stamp, since = held.get("user"), held.get("stamp"), held.get("since", 0)
    if user and stamp and time.time() - since < SESSION_SECONDS and access.has_stamp(user, stamp):
        return Caller(user, tuple(SCOPES), signed_in=True)
    return None


def entitled(known: Caller | None, scope: str) -> Caller:
    """Who asks, when they may do what `scope` names. Raises a 401 or 403 problem."""
    if known is None:
        raise Problem(
            401,
            "Send a token as `Authorization: Bearer …` or sign in at /sign-in.",
            kind="not-signed-in",
            headers={"WWW-Authenticate": 'Bearer realm="patchbay"'},
        )
    if scope not in known.scopes:
        raise Problem(
            403,
            f'The token "{known.name}" lacks the scope "{scope}"; it has: {", ".join(known.scopes)}.',
            kind="missing-scope",
            headers={"WWW-Authenticate": f'Bearer realm="patchbay", error="insufficient_scope", scope="{scope}"'},
            scope=scope,
        )
    return known


def session_in(app: Flask, cookies: Mapping[str, str]) -> Mapping[str, Any]:
    """The session that these cookies carry, read as `app` reads it; empty where there is none, or one that is not ours."""
    signing = SecureCookieSessionInterface().get_signing_serializer(app)
    shown = cookies.get(app.config["SESSION_COOKIE_NAME"])
    if signing is None or not shown:
        return {}
    try:
        held: Mapping[str, Any] = signing.loads(shown, max_age=int(app.permanent_session_lifetime.total_seconds()))
    except BadSignature:
        return {}
    return held


# --- sessions of people with a browser ----------------------------------------


def csrf_token() -> str:
    """The token that a page of this session sends back with every unsafe request."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def require_csrf(sent: str) -> None:
    """Raises a 403 problem unless `sent` is the session's CSRF token."""
    held = session.get("csrf", "")
    if not held or not secrets.compare_digest(str(held), sent):
        raise Problem(
            403,
            f"This request changes something and lacks the right {CSRF_HEADER}; load the page again and repeat it.",
            kind="csrf",
        )


def sign_in(user: str, stamp: str) -> None:
    """Begin a session for `user`."""
    session.clear()
    session.update(user=user, stamp=stamp, since=int(time.time()))
    csrf_token()


def sign_out() -> None:
    """End the session."""
    session.clear()
