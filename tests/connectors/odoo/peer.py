"""The Odoo sandbox, as the law of all connectors sees it: by JSON-2 and by JSON-RPC."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from hub.model import Query, Row, Target
from sandbox.odoo import OdooSandbox
from tests.contract.given import a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("json2", "jsonrpc")


class Peer(SandboxPeer):
    """Partners, notes, and partners of one town as a list."""

    NAME, SANDBOX = "odoo", OdooSandbox
    UNAUTHORIZED = "refused"
    target = Target(object="mail.message", key="external_id")
    query: Query
    connector: Any

    def __init__(self, served: Any, **settings: Any) -> None:
        super().__init__(served, **settings)
        self.query = Query(object="res.partner", where={"city": f"city {a_number()}"})

    def failing(self, case: str) -> Any:
        connector = super().failing(case)
        if case == "unknown_outcome":  # the look-up and the fields before it only read
            self.sandbox.faults.clear()
            json2 = self._settings["api"] == "json2"
            self.sandbox.faults.set("reset_after", times=-1, after=0 if json2 else 2,
                                    path="/json/2/mail.message/load" if json2 else "/jsonrpc")  # fmt: skip
        return connector

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        record = self.sandbox.database.create("res.partner", {"name": name, "phone": phone, "email": email})
        return str(record["id"])

    def key_of(self, id: str) -> str:
        key = f"key of {id}"
        data = {"module": "patchbay", "name": external_name(key), "model": "res.partner", "res_id": int(id)}
        self.sandbox.database.create("ir.model.data", data)
        return key

    def row(self, key: str, text: str) -> Row:
        fields = {
            "model": "res.partner",
            "res_id": 1,
            "message_type": "comment",
            "body": text,
            "date": "2026-11-23T10:02:00Z",
        }
        return Row(key=key, fields=fields)

    def bad_row(self, key: str) -> Row:
        row = self.row(key, "nobody's")
        return Row(key=key, fields={**row.fields, "message_type": "no_such_type"})

    def texts(self, key: str) -> list[str]:
        database = self.sandbox.database
        ids = [one["res_id"] for one in database.stored["ir.model.data"].values() if one["name"] == external_name(key)]
        return [str(database.stored["mail.message"][id]["body"]) for id in ids if id in database.stored["mail.message"]]

    def member(self, name: str) -> str:
        return str(self.sandbox.database.create("res.partner", {"name": name, **self.query.where})["id"])

    def leave(self, id: str) -> None:
        database = self.sandbox.database
        database.write("res.partner", database.records("res.partner", [int(id)])[0], {"city": "Elsewhere"})


def external_name(key: str) -> str:
    """A key's name among the external ids, computed here on our own."""
    return "k" + hashlib.sha256(key.encode()).hexdigest()[:40]


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Against the one sandbox of this process."""
    with shared(Peer, api=variant) as peer:
        yield peer
