"""The EspoCRM sandbox, as the law of all connectors sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from hub.contract import Connector
from hub.model import Query, Row, Target
from sandbox.espocrm import EspoSandbox
from tests.contract.given import a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("key",)
KEY = "patchbayKey"


class Peer(SandboxPeer):
    """Contacts, calls and, as a list, contacts by their description."""

    NAME, SANDBOX = "espocrm", EspoSandbox
    UNAUTHORIZED = "refused"
    target = Target(object="Call", key=KEY)
    query: Query

    def __init__(self, served: Any, **settings: Any) -> None:
        super().__init__(served, **settings)
        self.query = Query(object="Contact", where={"description": f"list {a_number()}"})

    def failing(self, case: str) -> Connector:
        connector = super().failing(case)
        if case == "unknown_outcome":  # the look-up before it only reads
            self.sandbox.faults.clear()
            self.sandbox.faults.set("reset_after", times=-1, method="POST")
        return connector

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        first, _, last = name.rpartition(" ")
        return str(
            self.sandbox.records.put("Contact", firstName=first, lastName=last, phoneNumber=phone, emailAddress=email)
        )

    def key_of(self, id: str) -> str:
        return id

    def row(self, key: str, text: str) -> Row:
        fields = {"name": "Call", "status": "Held", "direction": "Inbound", "dateStart": "2026-11-23T10:02:00Z",
                  "dateEnd": "2026-11-23T11:05:13+01:00", "description": text}  # fmt: skip
        return Row(key=key, fields=fields)

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={**self.row(key, "nobody's").fields, "status": "No such status"})

    def texts(self, key: str) -> list[str]:
        return [str(one["description"]) for one in self.sandbox.records.all("Call") if one[KEY] == key]

    def member(self, name: str) -> str:
        return str(self.sandbox.records.put("Contact", lastName=name, description=self.query.where["description"]))

    def leave(self, id: str) -> None:
        self.sandbox.records.update("Contact", id, {"description": "another list"})


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Against the one sandbox of this process."""
    with shared(Peer) as peer:
        yield peer
