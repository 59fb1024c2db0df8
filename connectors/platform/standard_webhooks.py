"""Standard Webhooks: prove over the raw bytes who sent a hook, and sign one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hub.contract import HookRequest


def prove(request: HookRequest, secrets: Sequence[str], tolerance_seconds: float = 300) -> None:
    """Raise SenderRefused, saying which check failed, unless one of `secrets` signed this very body just now."""
    raise NotImplementedError


def sign(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers that prove `body`."""
    raise NotImplementedError
