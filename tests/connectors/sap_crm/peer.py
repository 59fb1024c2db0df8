"""The SAP CRM sandbox, as the law of all connectors sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.crm.sap_crm.keys import bare_id, stored_key
from hub.contract import Connector
from hub.model import Query, Row, Target
from sandbox.sap_crm import SapCrmSandbox
from tests.contract.given import a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("sandbox",)
CANCELLED = "E0007"


def few() -> SapCrmSandbox:
    """A system with few people: what a scenario makes is its own."""
    return SapCrmSandbox(rows=5)


class Peer(SandboxPeer):
    """Business partners and activities."""

    NAME, SANDBOX, UNAUTHORIZED = "sap_crm", few, "unauthorized"
    target = Target(object="Activity", key="ExternalReferenceID")
    query: Query
    whole = True  # a target group keeps no trace of who joined or left

    def __init__(self, served: Any, **settings: Any) -> None:
        super().__init__(served, members_wsdl="/sap/bc/srt/wsdl/target_group.wsdl", **settings)
        self.group = f"G{a_number()[1:]}"
        self.sandbox.state.groups[self.group] = set()
        self.query = Query(object="BusinessPartner", where={"target_group": self.group})

    def failing(self, case: str) -> Connector:
        """As for every sandbox; an unknown outcome is that of a change: the one after the search."""
        connector = super().failing(case)
        if case == "unknown_outcome":
            self.sandbox.faults.clear()
            connector.describe("Activity")  # type: ignore[attr-defined]
            self.sandbox.faults.set("reset_after", times=-1, after=1, method="POST")
        return connector

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        with self.sandbox.state.lock:
            made = self.sandbox.state.partner(FormattedName=name, FamilyName=name, mobiles=[phone], mails=[email])
        return str(made["InternalID"])

    def key_of(self, id: str) -> str:
        return id

    def row(self, key: str, text: str) -> Row:
        fields = {"ProcessTypeCode": "ICAL", "GroupCode": "0001", "Description": "A call", "Note": text}
        return Row(key=key, fields=fields)

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={"ProcessTypeCode": "NOPE", "GroupCode": "0001", "Description": "A call"})

    def documents(self, key: str, object: str = "Activity") -> list[dict[str, Any]]:
        """The documents that a key has made and that are not cancelled."""
        rows = self.sandbox.state.documents[object].values()
        return [
            row for row in rows if row["ExternalReferenceID"] == stored_key(key) and row.get("StatusCode") != CANCELLED
        ]

    def member(self, name: str) -> str:
        number = self.person(name)
        self.sandbox.state.groups[self.group].add(number)
        return bare_id(number)

    def leave(self, id: str) -> None:
        self.sandbox.state.groups[self.group].discard(id.zfill(10))

    def texts(self, key: str) -> list[str]:
        return [text["ContentText"] for row in self.documents(key) for text in row.get("Text", ())]


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Against the sandbox that the worker's tests share."""
    with shared(Peer) as peer:
        yield peer
