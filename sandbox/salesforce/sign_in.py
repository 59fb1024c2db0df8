"""Signing in: the OAuth token endpoint (client credentials, JWT bearer, password) and the old SOAP `login`.

Tokens live until they are revoked: no answer says `expires_in`. Sources: Salesforce Help, OAuth 2.0 client credentials and
JWT bearer flow; SOAP API Developer Guide, login(); what simple-salesforce 1.12 and jsforce 3.10 send and read.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from werkzeug.wrappers import Request

from sandbox.salesforce.errors import Refused

CLIENT_ID, USERNAME = "3MVG9.patchbay.sandbox", "patchbay@sandbox.example"
ORG_ID = "00D5g0000000001EAA"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Door:
    """Who may come in, and the tokens that are out."""

    def __init__(self, url: str, user_id: Callable[[], str]) -> None:
        self.url, self._user_id = url, user_id
        self.client_secret = secrets.token_hex(24)
        self.password = secrets.token_urlsafe(12)
        self.security_token = secrets.token_urlsafe(18)
        self._key: rsa.RSAPrivateKey | None = None
        self._tokens: set[str] = set()
        self._lock = threading.Lock()
        self.sign_ins = 0

    def private_key(self) -> str:
        """The key whose certificate is stored with the app; made at the first question."""
        with self._lock:
            if self._key is None:
                self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def knows(self, header: str) -> bool:
        """Whether an `Authorization` header holds a token that is out."""
        kind, _, token = header.partition(" ")
        return kind.lower() in ("bearer", "oauth") and token in self._tokens

    def revoke(self) -> None:
        """All tokens are dead."""
        with self._lock:
            self._tokens.clear()

    def token(self, request: Request) -> dict[str, str]:
        """The answer of `/services/oauth2/token`."""
        form = request.form
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        kind, _, basic = request.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            client, _, secret = base64.b64decode(basic).decode().partition(":")
        match form.get("grant_type"):
            case "client_credentials":
                self._check_app(unquote(client), unquote(secret))
            case "password":
                self._check_app(client, secret)
                self._check_password(form.get("username", ""), form.get("password", ""), OAuthRefused)
            case grant if grant == JWT_GRANT:
                self._check_assertion(form.get("assertion", ""))
            case _:
                raise OAuthRefused("unsupported_grant_type", "grant type not supported")
        return self._let_in()

    def login(self, body: bytes) -> str:
        """The answer of the SOAP `login`."""
        told = {element.tag.rpartition("}")[2]: element.text or "" for element in ElementTree.fromstring(body).iter()}  # noqa: S314
        self._check_password(told.get("username", ""), told.get("password", ""), SoapRefused)
        token = self._let_in()["access_token"]
        return (
            '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
            'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com">'
            "<soapenv:Body><loginResponse><result><passwordExpired>false</passwordExpired>"
            f"<serverUrl>{self.url}/services/Soap/u/59.0/{ORG_ID[:15]}</serverUrl><sessionId>{escape(token)}</sessionId>"
            f"<userId>{self._user_id()}</userId><userInfo><organizationId>{ORG_ID}</organizationId>"
            f"<userName>{USERNAME}</userName></userInfo></result></loginResponse></soapenv:Body></soapenv:Envelope>"
        )

    def _check_app(self, client: str, secret: str) -> None:
        if client != CLIENT_ID:
            raise OAuthRefused("invalid_client_id", "client identifier invalid")
        if not secrets.compare_digest(secret.encode(), self.client_secret.encode()):
            raise OAuthRefused("invalid_client", "invalid client credentials")

    def _check_password(self, user: str, password: str, refused: type[Refused]) -> None:
        if user != USERNAME or password not in (self.password, self.password + self.security_token):
            if refused is SoapRefused:
                raise SoapRefused("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
            raise OAuthRefused("invalid_grant", "authentication failure")

    def _check_assertion(self, assertion: str) -> None:
        self.private_key()
        assert self._key is not None
        try:
            told = jwt.decode(assertion, self._key.public_key(), algorithms=["RS256"],
                              options={"verify_aud": False, "verify_exp": False})  # fmt: skip
        except jwt.InvalidTokenError:
            raise OAuthRefused("invalid_grant", "invalid assertion") from None
        if told.get("iss") != CLIENT_ID:
            raise OAuthRefused("invalid_client_id", "client identifier invalid")
        if told.get("aud") not in AUDIENCES:
            raise OAuthRefused("invalid_grant", "audience is invalid")
        if told.get("sub") != USERNAME:
            raise OAuthRefused("invalid_grant", "user hasn't approved this consumer")
        if not time.time() < int(told.get("exp", 0)) <= time.time() + 300:  # simple-salesforce sends it as a text
            raise OAuthRefused("invalid_grant", "expired authorization code")

    def _let_in(self) -> dict[str, str]:
        token = f"{ORG_ID[:15]}!{secrets.token_urlsafe(48)}"
        with self._lock:
            self._tokens.add(token)
            self.sign_ins += 1
        issued = str(int(time.time() * 1000))
        signature = base64.b64encode(hashlib.sha256((token + issued).encode()).digest()).decode()
        return {
            "access_token": token, "signature": signature, "scope": "api", "instance_url": self.url,
            "id": f"{self.url}/id/{ORG_ID}/{self._user_id()}", "token_type": "Bearer", "issued_at": issued,
        }  # fmt: skip


class OAuthRefused(Refused):
    """The token endpoint's own shape of an error."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error, description, status=400, body={"error": error, "error_description": description})


class SoapRefused(Refused):
    """A SOAP fault; clients look for the prefix `sf`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, status=500)

    def fault(self) -> str:
        """The envelope."""
        return (
            '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
            'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com">'
            f"<soapenv:Body><soapenv:Fault><faultcode>sf:{self.code}</faultcode><faultstring>{self.code}: "
            f"{escape(self.message)}</faultstring><detail><sf:LoginFault><sf:exceptionCode>{self.code}</sf:exceptionCode>"
            f"<sf:exceptionMessage>{escape(self.message)}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
            "</soapenv:Body></soapenv:Envelope>"
        )
