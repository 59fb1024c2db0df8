"""The generic platform: anything that can post canonical events and sign them by Standard Webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.wire.canonical import events_of
from connectors.wire.standard_webhooks import prove
from hub.contract import HookRequest, Manifest, Setting, Tools
from hub.errors import ConfigError
from hub.model import Event


class Webhook:
    """Events in by signed hook; nothing goes out."""

    manifest: ClassVar[Manifest] = Manifest(
        name="webhook",
        title="Web hook",
        about="Any platform or script that posts canonical events (JSON or CloudEvents) signed by Standard Webhooks.",
        family="platform",
        settings=(
            Setting(
                name="secrets",
                about="What the sender signs with, `whsec_` and base64 or plain text; several while one is replaced.",
                kind="secrets",
                required=True,
                example="${PATCHBAY_WEBHOOK_SECRET}",
            ),
            Setting(
                name="tolerance_seconds",
                about="How far the sender's clock may be from ours, and so how long a captured hook could be replayed.",
                kind="number",
                default=300,
                example=300,
            ),
        ),
        source="https://github.com/standard-webhooks/standard-webhooks and CloudEvents 1.0",
    )

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        given = settings["secrets"]
        self._secrets = (given,) if isinstance(given, str) else tuple(given)
        self._tolerance = float(settings.get("tolerance_seconds") or 300)
        if not self._secrets or not all(self._secrets):
            raise ConfigError(f"{tools.connection}: secrets: at least one is needed, and none may be empty")

    def receive(self, request: HookRequest) -> Sequence[Event]:
        """Prove the sender over the raw bytes, then read the events."""
        prove(request, self._secrets, self._tolerance)
        return events_of(request)
