"""The sandbox's softphone, as the law of all connectors sees it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from datetime import datetime

import pytest
import requests

from hub.contract import Connector, HookRequest
from hub.model import DialRequest, Row, Target
from sandbox.softphone import SoftphoneServer
from tests.connectors.webhook.peer import SECRET, signed
from tests.contract.scenario_files import built
from tests.waiting import PATIENCE

VARIANTS = ("sandbox",)
TOKEN = "a token of the tests"
FAULTS = {"unavailable": "down", "throttled": "throttled", "unknown_outcome": "failed"}


class Peer:
    """Its contact lists, its phones, and the faults that it can be told to have."""

    target = Target(object="contact_list", key="id", options={"list": "spring"})

    calls_out = ("check", "write", "dial")

    def __init__(self, server: SoftphoneServer) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {TOKEN}"}
        self._numbers = itertools.count(100)
        self.connector = self._connector(TOKEN)

    def _connector(self, token: str) -> Connector:
        return built("softphone", {"url": self._server.url, "token": token, "secrets": SECRET})

    def hook(self, body: bytes, at: datetime) -> HookRequest:
        return signed(body, at)

    def row(self, key: str, text: str) -> Row:
        return Row(key=key, fields={"phone": f"+34612345{next(self._numbers):03d}", "name": "Ada", "note": text})

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={"name": "no phone"})

    def texts(self, key: str) -> list[str]:
        answer = requests.get(f"{self._server.url}/v1/lists/spring/contacts", headers=self._headers, timeout=PATIENCE)
        return [contact["fields"]["note"] for contact in answer.json()["contacts"] if contact["id"] == key]

    def request(self, id: str) -> DialRequest:
        return DialRequest(id=id, to="+34612345678", agent="a-17")

    def refused_request(self, id: str) -> DialRequest:
        return DialRequest(id=id, to="", agent="a-17")

    def rings(self, id: str) -> int:
        return len(self._server.platform._calls)  # a platform of this test's own: all its calls are the request's

    def failing(self, case: str) -> Connector:
        if case == "unauthorized":
            return self._connector("another token")
        told = {"fault": FAULTS[case], "times": 1, "seconds": 3}
        requests.post(
            f"{self._server.url}/v1/faults", json=told, headers=self._headers, timeout=PATIENCE
        ).raise_for_status()
        return self.connector


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """A softphone on a free port; its hooks have nowhere to go, and nobody waits for them."""
    with SoftphoneServer(hook_url="http://127.0.0.1:9/hooks/softphone", secret=SECRET, token=TOKEN, port=0) as server:
        yield Peer(server)
