"""The Siebel sandbox, as the law of all connectors sees it: as a user whose rows are looked up, and as a client whose rows
go by a business service."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.crm.siebel.values import stored_key
from hub.contract import Connector
from hub.model import Query, Row, Target
from sandbox.siebel import SiebelSandbox
from sandbox.siebel.schema import COMPONENTS
from tests.contract.given import a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("user", "service")
KEY = "Activity UID"
CONTACTS, ACTIONS = COMPONENTS["Contact/Contact"], COMPONENTS["Action/Action"]
SERVICE = "Action.Activity UID=Siebel Action/InsertOrUpdate/Action Interface/Action"


class Peer(SandboxPeer):
    """Contacts, activities and, as a list, contacts by their comment."""

    NAME, SANDBOX = "siebel", SiebelSandbox
    UNAUTHORIZED = "refused"
    target = Target(object="Action", key=KEY)
    query: Query

    def __init__(self, served: Any, **settings: Any) -> None:
        super().__init__(served, **settings)
        self.query = Query(object="Contact", where={"Comment": f"list {a_number()}"})

    def opened(self, **settings: Any) -> Connector:
        if settings.pop("client", self._settings.get("client")):
            sandbox = self.sandbox
            settings = {"user": None, "password": None, "client_id": sandbox.client_id,
                        "client_secret": sandbox.client_secret, "sign_in_url": f"{self.served.url}/oauth2/token",
                        **settings}  # fmt: skip
        return super().opened(**settings)

    def failing(self, case: str) -> Connector:
        connector = super().failing(case)
        if case == "unknown_outcome":  # what is asked before it only reads
            self.sandbox.faults.clear()
            self.sandbox.faults.set("reset_after", times=-1, method="POST")
        return connector

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        first, _, last = name.rpartition(" ")
        told = {"First Name": first, "Last Name": last, "Cellular Phone #": phone, "Email Address": email}
        record = self.sandbox.records.insert(CONTACTS, told)
        self.sandbox.records.update(CONTACTS, record, {"Integration Id": f"key {record['Id']}"})
        return str(record["Id"])

    def key_of(self, id: str) -> str:
        return f"key {id}"

    def row(self, key: str, text: str) -> Row:
        fields = {"Type": "Call - Inbound", "Description": "Call", "Status": "Done", "Started": "2026-11-23T10:02:00Z",
                  "Done": "2026-11-23T11:05:13+01:00", "Duration Minutes": 4, "Comment": text}  # fmt: skip
        return Row(key=key, fields=fields)

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={**self.row(key, "nobody's").fields, "Status": "No such status"})

    def texts(self, key: str) -> list[str]:
        found = self.sandbox.records.all("Action/Action")
        return [str(one["Comment"]) for one in found if one[KEY] == stored_key(key)]

    def member(self, name: str) -> str:
        told = {"Last Name": name, "Comment": self.query.where["Comment"]}
        return str(self.sandbox.records.insert(CONTACTS, told)["Id"])

    def leave(self, id: str) -> None:
        record = self.sandbox.records.one(CONTACTS, id)
        self.sandbox.records.update(CONTACTS, record, {"Comment": "another list"})


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Against the one sandbox of this process."""
    settings: dict[str, Any] = {"client": True, "upsert_by": [SERVICE]} if variant == "service" else {}
    with shared(Peer, **settings) as peer:
        yield peer
