"""Microsoft Entra ID, as far as an application signs in: discovery, and a token for a secret or a signed assertion."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import jwt
from cryptography.x509 import load_pem_x509_certificate
from werkzeug.wrappers import Request, Response

LIFE = 3599
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class SignIn:
    """The tokens of one tenant. `url` is where it is reached."""

    def __init__(self, tenant: str, client: str, secret: str) -> None:
        self.tenant, self.client, self.secret = tenant, client, secret
        self.certificate = ""  # PEM: whoever signs with its key needs no secret
        self._tokens: dict[str, float] = {}

    def holds(self, token: str) -> bool:
        """Whether a token is one of ours and has not run out."""
        return self._tokens.get(token, 0) > time.time()

    def revoke(self, token: str) -> None:
        """A token is good no more."""
        self._tokens.pop(token, None)

    def issued(self) -> str:
        """A new token."""
        token = "sandbox." + secrets.token_urlsafe(24)
        self._tokens[token] = time.time() + LIFE
        return token

    def answer(self, request: Request, url: str, refused: bool) -> Response | None:
        """What the sign-in answers; None where the path is none of its own."""
        home = f"/{self.tenant}"
        if request.path.endswith("/.well-known/openid-configuration"):
            if not request.path.startswith(f"{home}/"):
                return _json({"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found."}, 400)
            return _json({
                "token_endpoint": f"{url}{home}/oauth2/v2.0/token", "issuer": f"{url}{home}/v2.0",
                "authorization_endpoint": f"{url}{home}/oauth2/v2.0/authorize",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            })  # fmt: skip
        if request.path != f"{home}/oauth2/v2.0/token" or request.method != "POST":
            return None
        form = request.form
        if form.get("grant_type") != "client_credentials":
            return _refused("unsupported_grant_type", "AADSTS70003: The grant type is not supported.", 70003)
        if not form.get("scope", "").endswith("/.default"):
            return _refused("invalid_scope", "AADSTS70011: The scope is not valid.", 70011)
        if form.get("client_id") != self.client:
            return _refused("unauthorized_client", "AADSTS700016: Application was not found in the directory.", 700016)
        if refused or not self._proven(form, f"{url}{home}/oauth2/v2.0/token"):
            return _refused("invalid_client", "AADSTS7000215: Invalid client secret provided.", 7000215, 401)
        return _json(
            {"token_type": "Bearer", "expires_in": LIFE, "ext_expires_in": LIFE, "access_token": self.issued()}
        )

    def _proven(self, form: Any, audience: str) -> bool:
        if "client_assertion" not in form:
            return bool(secrets.compare_digest(form.get("client_secret", "").encode(), self.secret.encode()))
        if form.get("client_assertion_type") != ASSERTION or not self.certificate:
            return False
        key: Any = load_pem_x509_certificate(self.certificate.encode()).public_key()
        try:
            told = jwt.decode(form["client_assertion"], key, algorithms=["RS256", "PS256"], audience=audience)
        except jwt.InvalidTokenError:
            return False
        return bool(told.get("iss") == told.get("sub") == self.client)


def _refused(error: str, description: str, code: int, status: int = 400) -> Response:
    return _json({"error": error, "error_description": description, "error_codes": [code],
                  "correlation_id": "00000000-0000-0000-0000-000000000000"}, status)  # fmt: skip


def _json(told: object, status: int = 200) -> Response:
    return Response(json.dumps(told), status, mimetype="application/json")
