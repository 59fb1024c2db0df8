"""The connector against its sandbox, as the law of all connectors sees it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.crm.dynamics.fields import id_for
from hub.contract import Connector
from hub.model import Query, Row, Target
from sandbox.dynamics import DynamicsSandbox
from sandbox.frame import Served
from tests.contract.given import a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("sandbox",)
CLOSED = {"statecode": "Completed", "statuscode": "Received"}


class Peer(SandboxPeer):
    """Contacts, phone calls, and contacts of one department as the list."""

    NAME, SANDBOX, UNAUTHORIZED = "dynamics", DynamicsSandbox, "expired"
    TLS = True  # msal signs in over TLS alone
    SIGN_IN = "/sandbox-tenant"
    target = Target(object="phonecall", key="activityid")
    query: Query

    def __init__(self, served: Served, **settings: Any) -> None:
        super().__init__(served, **settings)
        self.query = Query(object="contact", where={"department": f"list {a_number()}"})

    def failing(self, case: str) -> Connector:
        """The table is known already: the fault hits the write, and not what is read before it."""
        self.sandbox.faults.clear()
        connector: Any = self.opened()
        connector.describe(self.target.object)
        what = {"unauthorized": self.UNAUTHORIZED, "unavailable": "down", "unknown_outcome": "reset_after"}
        self.sandbox.faults.set(what.get(case, case), times=-1, seconds=30)
        return connector  # type: ignore[no-any-return]

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        first, _, last = name.rpartition(" ")
        values = {"firstname": first, "lastname": last, "mobilephone": phone or None, "emailaddress1": email or None}
        return self.sandbox.create("contact", values)  # type: ignore[no-any-return]

    def key_of(self, id: str) -> str:
        return id

    def row(self, key: str, text: str) -> Row:
        return Row(
            key=key,
            fields={"subject": "Call", "description": text, "from": "+34612000111", "directioncode": False, **CLOSED},
        )

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={"subject": "Call", "regardingobjectid": f"contact/{uuid.uuid4()}", **CLOSED})

    def texts(self, key: str) -> list[str]:
        rows = self.sandbox.rows("phonecall", activityid=id_for("phonecall", "activityid", key))
        assert all(row["statecode"] == 1 and row["statuscode"] == 4 for row in rows)
        return [row["description"] for row in rows]

    def member(self, name: str) -> str:
        id = self.person(name, phone=a_number())
        self.sandbox.update("contact", id, {"department": self.query.where["department"]})
        return id

    def leave(self, id: str) -> None:
        self.sandbox.update("contact", id, {"department": "another"})


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    with shared(Peer) as peer:
        yield peer
