"""The Fusion sandbox, as the law of all connectors sees it: signed in as a user and as a client."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from hub.contract import Connector
from hub.model import Query, Row, Target
from sandbox.oracle import OracleSandbox
from sandbox.oracle.schema import SCHEMA
from tests.contract.given import a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("user", "client")
KEY = "PatchbayKey_c"


class Peer(SandboxPeer):
    """Contacts, activities and, as a list, leads by their status."""

    NAME, SANDBOX = "oracle_fusion", OracleSandbox
    UNAUTHORIZED = "refused"
    target = Target(object="activities", key=KEY)
    query: Query

    def __init__(self, served: Any, **settings: Any) -> None:
        super().__init__(served, **settings)
        self.query = Query(object="contacts", where={"Comments": f"list {a_number()}"})

    def opened(self, **settings: Any) -> Connector:
        if self._settings.get("client"):
            sandbox = self.sandbox
            settings = {"user": None, "password": None, "client_id": sandbox.client_id,
                        "client_secret": sandbox.client_secret, "sign_in_url": f"{self.served.url}/oauth2/v1/token",
                        **settings}  # fmt: skip
        return super().opened(**settings)

    def failing(self, case: str) -> Connector:
        connector = super().failing(case)
        if case == "unknown_outcome":  # the look-up before it only reads
            self.sandbox.faults.clear()
            self.sandbox.faults.set("reset_after", times=-1, method="POST")
        return connector

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        first, _, last = name.rpartition(" ")
        payload = {"FirstName": first, "LastName": last, "RawMobileNumber": phone, "EmailAddress": email}
        return str(self.sandbox.records.create(SCHEMA["contacts"], payload)["PartyId"])

    def key_of(self, id: str) -> str:
        return next(
            str(one["PartyNumber"]) for one in self.sandbox.records.all("contacts") if str(one["PartyId"]) == id
        )

    def row(self, key: str, text: str) -> Row:
        fields = {"ActivityFunctionCode": "TASK", "ActivityTypeCode": "CALL", "Subject": "Call", "StatusCode": "COMPLETE",
                  "ActivityDescription": text}  # fmt: skip
        return Row(key=key, fields=fields)

    def bad_row(self, key: str) -> Row:
        row = self.row(key, "nobody's")
        return Row(key=key, fields={**row.fields, "StatusCode": "NO_SUCH_STATUS"})

    def texts(self, key: str) -> list[str]:
        return [str(one["ActivityDescription"]) for one in self.sandbox.records.all("activities") if one[KEY] == key]

    def member(self, name: str) -> str:
        payload = {"LastName": name, "Comments": self.query.where["Comments"]}
        return str(self.sandbox.records.create(SCHEMA["contacts"], payload)["PartyId"])

    def leave(self, id: str) -> None:
        (record,) = (one for one in self.sandbox.records.all("contacts") if str(one["PartyId"]) == id)
        self.sandbox.records.update(SCHEMA["contacts"], record, {"Comments": "another list"})


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Against the one sandbox of this process."""
    with shared(Peer, client=variant == "client") as peer:
        yield peer
