"""The C4C sandbox, as the law of all connectors sees it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from hub.contract import Connector
from hub.model import Query, Row, Target
from sandbox.frame import Served
from sandbox.sap_c4c import SapC4cSandbox
from sandbox.sap_c4c.model import ENTITIES
from tests.contract.given import a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("sandbox",)


def few() -> SapC4cSandbox:
    """A tenant with few people: what a scenario makes is its own."""
    return SapC4cSandbox(rows=5)


class Peer(SandboxPeer):
    """Individual customers, phone calls, and contacts of a department as a list."""

    NAME, SANDBOX, UNAUTHORIZED = "sap_c4c", few, "unauthorized"
    target = Target(object="PhoneCallCollection", key="GroupwareItemID")
    query: Query

    def __init__(self, served: Served, **settings: Any) -> None:
        super().__init__(served, **settings)
        self._department = f"list {uuid.uuid4()}"[:40]
        self.query = Query(object="ContactCollection", where={"Department": self._department})

    def failing(self, case: str) -> Connector:
        """As for every sandbox; an unknown outcome is that of a change, which is a POST."""
        connector = super().failing(case)
        if case == "unknown_outcome":
            self.sandbox.faults.clear()
            self.sandbox.faults.set("reset_after", times=-1, method="POST")
        return connector

    def made(self, kind: str, **fields: Any) -> dict[str, Any]:
        """A record put there behind the connector's back."""
        with self.sandbox.state.lock:
            return self.sandbox.state.create(ENTITIES[kind], fields)  # type: ignore[no-any-return]

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        first, _, last = name.rpartition(" ")
        row = self.made("IndividualCustomer", FirstName=first, LastName=last, Mobile=phone, Email=email)
        return str(row["CustomerID"])

    def key_of(self, id: str) -> str:
        return id

    def row(self, key: str, text: str) -> Row:
        return Row(key=key, fields={"Subject": "A call", "InitiatorCode": "2", "Note": text})

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={"Subject": "A call", "MainContactPartyID": "9999999"})

    def calls(self, key: str) -> list[dict[str, Any]]:
        """The phone calls that a key has made."""
        return [row for row in self.sandbox.state.rows("PhoneCallCollection") if row["GroupwareItemID"] == key]

    def texts(self, key: str) -> list[str]:
        state, entity = self.sandbox.state, ENTITIES["PhoneCall"]
        return [note["Text"] for row in self.calls(key) for note in state.parts(entity, row, "PhoneCallNotes")]

    def member(self, name: str) -> str:
        row = self.made("Contact", FirstName=name, LastName="Member", Mobile=a_number(), Department=self._department)
        return str(row["ContactID"])

    def leave(self, id: str) -> None:
        state = self.sandbox.state
        row = next(row for row in state.rows("ContactCollection") if row["ContactID"] == id)
        with state.lock:
            state.change(ENTITIES["Contact"], row["ObjectID"], {"Department": "another"}, "")


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Against the sandbox that the worker's tests share."""
    with shared(Peer) as peer:
        yield peer
