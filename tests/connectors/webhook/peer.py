"""A sender of signed hooks, as the law of all connectors sees it: the reference library signs, not our own code."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from datetime import datetime

import pytest
from standardwebhooks.webhooks import Webhook

from connectors.wire.standard_webhooks import sign
from hub.clock import now
from hub.contract import Connector, HookRequest
from tests.contract.scenario_files import built

VARIANTS = ("reference-library",)
SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, long enough").decode()


class Peer:
    """Whoever knows the secret."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector

    def hook(self, body: bytes, at: datetime) -> HookRequest:
        return signed(body, at)


def signed(body: bytes, at: datetime) -> HookRequest:
    """A hook signed by the reference library of Standard Webhooks."""
    text = body.decode("latin-1")  # it signs text; bytes that are no UTF-8 are signed by ours, which it agrees with
    if text.isascii():
        signature = Webhook(SECRET).sign("msg-1", at, text)
    else:
        signature = sign(SECRET, "msg-1", at, body)["webhook-signature"]
    headers = {
        "content-type": "application/json",
        "webhook-id": "msg-1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    return HookRequest(method="POST", query={}, headers=headers, body=body, received_at=now())


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Nothing has to run: receiving is pure computation."""
    yield Peer(built("webhook", {"secrets": ["whsec_b2xkIHNlY3JldCBvZiB0aGUgdGVzdHM=", SECRET]}))
