"""The Flask part of the hub: API, pages and what machines ask. Hooks, screen pops and push are plain ASGI, beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, request
from jinja2 import StrictUndefined
from werkzeug.wrappers import Response as AnyResponse

from hub.web import crm, desk, health, metrics, openapi, sign_in, start
from hub.web.access import CSRF_HEADER, SAFE_METHODS, SESSION_SECONDS, caller, csrf_token, require_csrf
from hub.web.api.rooms import API_PREFIX, with_api
from hub.web.current import EXTENSION
from hub.web.problems import register_problems

if TYPE_CHECKING:
    from hub.assembly import Hub

PAGES: tuple[Blueprint, ...] = tuple(room.pages for room in (sign_in, start, crm, desk, health, metrics, openapi))
OPEN = {
    "static",
    "sign_in.form",
    "sign_in.enter",
    "health.alive",
    "health.ready",
    "metrics.scrape",
    "openapi.description",
}
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
NEVER_KEPT = {"Cache-Control": "no-store"}  # of what the hub answers, but for its static files


def create_flask(hub: Hub) -> Flask:
    """The Flask application that serves `hub`."""
    app = Flask("hub.web")
    app.extensions[EXTENSION] = hub
    app.secret_key = hub.access.signing_key()
    app.config.update(
        SESSION_COOKIE_NAME="patchbay",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=hub.config.public_url.startswith("https://"),
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=SESSION_SECONDS),
        MAX_CONTENT_LENGTH=8 << 20,
        MAX_FORM_MEMORY_SIZE=2 << 20,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    register_problems(app)
    sign_in.prepare(app)
    metrics.prepare(app, hub)
    app.before_request(_signed_in_only)
    app.after_request(_with_security_headers)
    app.context_processor(lambda: {"csrf_token": csrf_token, "caller": caller, "hub": hub})
    for page in PAGES:
        app.register_blueprint(page)
    with_api(app)
    return app


def _signed_in_only() -> AnyResponse | None:
    """Pages are for people who signed in, unless they are named above. An API endpoint asks for its scope by itself."""
    if request.endpoint is None or request.endpoint in OPEN or request.path.startswith(API_PREFIX + "/"):
        return None
    known = caller()
    if known is None or not known.signed_in:
        return sign_in.to_sign_in()
    if request.method not in SAFE_METHODS:
        require_csrf(request.headers.get(CSRF_HEADER, "") or request.form.get("csrf", ""))
    return None


def _with_security_headers(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        for name, value in NEVER_KEPT.items():
            response.headers.setdefault(name, value)
    return response
