"""Who may in: basic authentication or a bearer token, and the csrf token that has to fit its cookie."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import uuid

from werkzeug.wrappers import Request, Response

from sandbox.frame import Faults

ROOT = "/sap/c4c/odata/v1/c4codataapi"
TOKEN_PATH = "/sap/bc/sec/oauth2/token"  # noqa: S105 (a path)
COOKIE = "sap-XSRF_C4C_001"
TOKEN = "x-csrf-token"  # noqa: S105 (a header's name)
READS = ("GET", "HEAD")


class Gate:
    """One tenant's way in."""

    def __init__(self, faults: Faults, *, user: str, password: str, client: tuple[str, str]) -> None:
        self._faults, self._client = faults, client
        self._basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._bearers: set[str] = set()

    def refusal(self, request: Request) -> Response | None:
        """What somebody is told who may not in; None: may."""
        if not self._signed_in(request):
            return Response("Unauthorized", 401, {"WWW-Authenticate": 'Basic realm="SAP NetWeaver"'})
        if request.method in READS:
            return None
        given, kept = request.headers.get(TOKEN, ""), request.cookies.get(COOKIE, "")
        if not self._faults.take("csrf_expired") and kept and hmac.compare_digest(given, kept):
            return None
        gone = {TOKEN: "Required", "Set-Cookie": f"{COOKIE}=; path=/sap/c4c; Max-Age=0"}
        return Response("CSRF token validation failed", 403, gone, "text/plain")

    def csrf(self, request: Request) -> dict[str, str]:
        """The token and its cookie, where a question fetches them."""
        if request.method not in READS or request.headers.get(TOKEN, "").lower() != "fetch":
            return {}
        token = request.cookies.get(COOKIE, "") or base64.b64encode(uuid.uuid4().bytes).decode()
        return {TOKEN: token, "Set-Cookie": f"{COOKIE}={token}; path=/sap/c4c; HttpOnly"}

    def token(self, request: Request) -> Response:
        """OAuth 2.0 client credentials, exchanged."""
        given = request.authorization
        known = given is not None and (given.username, given.password) == self._client
        if not known or request.form.get("grant_type") != "client_credentials":
            return Response('{"error":"invalid_client"}', 401, mimetype="application/json")
        bearer = secrets.token_urlsafe(24)
        self._bearers.add(bearer)
        told = {"access_token": bearer, "token_type": "Bearer", "expires_in": 3600}
        return Response(json.dumps(told), 200, mimetype="application/json")

    def _signed_in(self, request: Request) -> bool:
        if self._faults.take("unauthorized"):
            return False
        scheme, _, told = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            return told in self._bearers
        return scheme == "Basic" and hmac.compare_digest(told.encode(), self._basic.encode())
