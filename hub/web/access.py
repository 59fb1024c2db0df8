"""Who is asking: a bearer token, or a person signed in with a browser."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from flask import g, request, session

from hub.store.access import SCOPES
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
        g.caller = _caller()
    known: Caller | None = g.caller
    return known


def require_scope(scope: str) -> Caller:
    """Who asks, when they may do what `scope` names. Raises a 401 or 403 problem."""
    known = caller()
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
    if known.signed_in and request.method not in SAFE_METHODS:
        require_csrf(request.headers.get(CSRF_HEADER, "") or request.form.get("csrf", ""))
    return known


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


def _caller() -> Caller | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        known = the_hub().access.token_of(token.strip()) if scheme.lower() == "bearer" else None
        return None if known is None else Caller(known.name, known.scopes, signed_in=False)
    user, stamp, since = session.get("user"), session.get("stamp"), session.get("since", 0)
    if user and stamp and time.time() - since < SESSION_SECONDS and the_hub().access.has_stamp(user, stamp):
        return Caller(user, tuple(SCOPES), signed_in=True)
    return None
