"""The On Demand sandbox, as the law of all connectors sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.crm.oracle_ondemand.interactions import interaction_id
from hub.contract import Connector
from hub.model import Query, Row, Target
from sandbox.ondemand import OnDemandSandbox
from sandbox.ondemand.schema import SCHEMA
from tests.contract.given import a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("sandbox",)


class Peer(SandboxPeer):
    """Contacts, interactions and, as a list, contacts by their description."""

    NAME, SANDBOX = "oracle_ondemand", OnDemandSandbox
    UNAUTHORIZED = "refused"
    target = Target(object="CTIActivity", key="InteractionId")
    query: Query

    def __init__(self, served: Any, **settings: Any) -> None:
        super().__init__(served, **settings)
        self.query = Query(object="Contact", where={"Description": f"list {a_number()}"})

    def failing(self, case: str) -> Connector:
        connector = super().failing(case)
        if case == "unknown_outcome":  # the documents are read before anything is done
            self.sandbox.faults.clear()
            self.sandbox.faults.set("reset_after", times=-1, method="POST")
        return connector

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        first, _, last = name.rpartition(" ")
        values = {
            "ContactFirstName": first or last,
            "ContactLastName": last,
            "CellularPhone": phone,
            "ContactEmail": email,
        }
        id = str(self.sandbox.records.insert(SCHEMA["Contact"], values)["Id"])
        self.sandbox.records.update(SCHEMA["Contact"], {"Id": id, "ExternalSystemId": f"key-{id}"})
        return id

    def key_of(self, id: str) -> str:
        return f"key-{id}"

    def row(self, key: str, text: str) -> Row:
        fields = {"AgentOfferTime": "2026-11-23T10:02:00Z", "ChannelType": "Inbound Call", "Origin": "+34600000001",
                  "Description": text, "ResolutionCode": "SALE", "WrapUp": True}  # fmt: skip
        return Row(key=key, fields=fields)

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={**self.row(key, "nobody's").fields, "ChannelType": "Pigeon"})

    def texts(self, key: str) -> list[str]:
        id = interaction_id(key)
        return [
            str(one["Description"]) for one in self.sandbox.records.all("Activity") if one.get("InteractionId") == id
        ]

    def member(self, name: str) -> str:
        values = {"ContactFirstName": "M", "ContactLastName": name, "Description": self.query.where["Description"]}
        return str(self.sandbox.records.insert(SCHEMA["Contact"], values)["Id"])

    def leave(self, id: str) -> None:
        self.sandbox.records.update(SCHEMA["Contact"], {"Id": id, "Description": "another list"})


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Against the one sandbox of this process."""
    with shared(Peer) as peer:
        yield peer
