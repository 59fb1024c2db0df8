"""Standard Webhooks: prove over the raw bytes who sent a hook, and sign one.

Three headers: `webhook-id`, `webhook-timestamp` (seconds since 1970) and `webhook-signature`, a space-separated list of
`v1,<base64 of HMAC-SHA256>` over `<id>.<timestamp>.<body>`. A secret is `whsec_` and base64; any other text stands for
its own UTF-8 bytes, and because the libraries of Standard Webhooks read a bare secret as base64, such a reading of
sixteen bytes or more is taken too.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from hub.contract import HookRequest
from hub.errors import SenderRefused

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
PREFIX = "whsec_"
TOLERANCE_SECONDS = 300.0
SIGNATURES_AT_MOST = 20


def prove(request: HookRequest, secrets: Sequence[str], tolerance_seconds: float = TOLERANCE_SECONDS) -> None:
    """Raise SenderRefused, saying which check failed, unless one of `secrets` signed this very body just now.

    Several secrets: the old one stays while senders change over to the new one.
    """
    headers = request.headers
    message_id, timestamp, signatures = (headers.get(name, "") for name in HEADERS)
    if not message_id or not timestamp or not signatures:
        missing = ", ".join(name for name in HEADERS if not headers.get(name))
        raise SenderRefused(f"unsigned: {missing} missing")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise SenderRefused("webhook-timestamp: whole seconds since 1970 are needed")
    age = request.received_at.timestamp() - int(timestamp)
    if abs(age) > tolerance_seconds:
        direction = "old" if age > 0 else "in the future"
        raise SenderRefused(
            f"webhook-timestamp: {abs(age):.0f} seconds {direction}, {tolerance_seconds:.0f} are allowed; "
            "sign each attempt anew and check the sender's clock"
        )
    given = [
        signature.encode("latin-1", "replace")
        for version, _, signature in (part.partition(",") for part in signatures.split(" ", SIGNATURES_AT_MOST))
        if version == "v1"
    ]
    if not given:
        raise SenderRefused('webhook-signature: none of the form "v1,<base64>"')
    # Header text is latin-1: encoding it so gives back the bytes that came.
    signed = f"{message_id}.{timestamp}.".encode("latin-1", "replace") + request.body
    # Every pair is compared, whatever came before: the time tells nothing about which secret is right.
    proven = False
    for key in (key for secret in secrets for key in keys_of(secret)):
        expected = b64encode(hmac.digest(key, signed, sha256))
        for signature in given:
            proven |= hmac.compare_digest(expected, signature)
    if not proven:
        raise SenderRefused("webhook-signature: no secret of this connection signed this id, timestamp and body")


@lru_cache(maxsize=1000)
def keys_of(secret: str) -> tuple[bytes, ...]:
    """The keys that a secret may stand for; the first is the one to sign with."""
    if not secret:
        return ()  # an empty secret proves nobody
    if secret.startswith(PREFIX):
        return (_base64(secret.removeprefix(PREFIX)) or secret.encode(),)
    decoded = _base64(secret)
    return (secret.encode(), decoded) if len(decoded) >= 16 else (secret.encode(),)


def sign(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers that prove `body`."""
    timestamp = str(int(at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = b64encode(hmac.digest(keys_of(secret)[0], signed, sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
