"""The HubSpot sandbox, as the law of all connectors sees it: a private app on v3, an OAuth client on a version by date
that loads every list by an export at first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from hub.contract import Connector
from hub.model import Query, Row, Target
from sandbox.hubspot import HubSpotSandbox
from tests.contract.given import a_key, a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("private_app", "client")
KEY = "hub_key"


class Peer(SandboxPeer):
    """Contacts, calls, and a list of contacts."""

    NAME, SANDBOX = "hubspot", HubSpotSandbox
    UNAUTHORIZED = "refused"
    target = Target(object="calls", key=KEY)
    query: Query
    connector: Any

    def __init__(self, served: Any, **settings: Any) -> None:
        super().__init__(served, **settings)
        self.list = self.sandbox.portal.new_list(f"list {a_number()}", "contacts")
        self.query = Query(object="contacts", where={"list": self.list.name})

    def opened(self, **settings: Any) -> Connector:
        if self._settings.get("client"):
            sandbox = self.sandbox
            settings = {"token": None, "client_id": sandbox.client_id, "client_secret": sandbox.client_secret,
                        "version": "2026-03", "portal": None, "bulk_from": 1, **settings}  # fmt: skip
        return super().opened(**settings)

    def failing(self, case: str) -> Connector:
        connector = super().failing(case)
        if case == "unknown_outcome":
            self.sandbox.faults.clear()
            self.sandbox.faults.set("reset_after", times=-1, method="POST", path="/crm")
        return connector

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        first, _, last = name.rpartition(" ")
        values = {"firstname": first, "lastname": last, "mobilephone": phone, "email": email, KEY: a_key()}
        return str(self.sandbox.portal.create("contacts", values).id)

    def key_of(self, id: str) -> str:
        return str(self.sandbox.portal.one("contacts", id).properties[KEY])

    def row(self, key: str, text: str) -> Row:
        fields = {"hs_timestamp": "2026-11-23T10:02:00Z", "hs_call_title": "Call", "hs_call_body": text,
                  "hs_call_direction": "INBOUND", "hs_call_status": "COMPLETED", "hs_call_duration": 184_000}  # fmt: skip
        return Row(key=key, fields=fields)

    def bad_row(self, key: str) -> Row:
        row = self.row(key, "nobody's")
        return Row(key=key, fields={**row.fields, "hs_call_status": "NO_SUCH_STATUS"})

    def texts(self, key: str) -> list[str]:
        return [one.properties.get("hs_call_body", "") for one in self.sandbox.portal.all("calls")
                if one.properties.get(KEY) == key]  # fmt: skip

    def member(self, name: str) -> str:
        id = str(self.sandbox.portal.create("contacts", {"lastname": name}).id)
        self.sandbox.portal.join(self.list, id)
        return id

    def leave(self, id: str) -> None:
        # Off a list that HubSpot keeps by itself: by a change of the contact's own.
        self.list.members.pop(id)
        self.sandbox.portal.update("contacts", self.sandbox.portal.one("contacts", id), {"city": "Elsewhere"})


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Against the one sandbox of this process."""
    with shared(Peer, client=variant == "client") as peer:
        yield peer
