"""The in-house CRM of the worked example, as the law of all connectors sees it behind any of its web services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub.model import Query, Row, Target
from sandbox.frame import Served
from tests.contract.given import a_key
from tests.contract.sandbox_peer import SandboxPeer

CRMS = Path(__file__).parents[1] / "config" / "crms"


class InHousePeer(SandboxPeer):
    """Customers, calls and a segment."""

    UNAUTHORIZED = "unauthorized"
    target = Target(object="call", key="ref")
    query: Query
    calls_out = ("check", "find", "write", "pages")  # `describe` is the profile's own

    def __init__(self, served: Served, **settings: Any) -> None:
        super().__init__(served, profile=str(CRMS / f"in_house_{self.NAME}.yaml"), **settings)
        self.segment = f"segment {a_key()}"
        self.query = Query(object="segment_member", where={"segment": self.segment})
        self._whose = self.person("Whose calls these are")

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        return str(self.sandbox.books.put_customer(name=name, mobile=phone or None, email=email or None, country="ES"))

    def key_of(self, id: str) -> str:
        return str(self.sandbox.books.customer(id)["ref"])

    def row(self, key: str, text: str) -> Row:
        return Row(key=key, fields={"customer": self._whose, "note": text, "direction": "inbound"})

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={"customer": "K-0", "note": "nobody's"})

    def texts(self, key: str) -> list[str]:
        call = self.sandbox.books.call(key)
        return [call["note"]] if call else []

    def member(self, name: str) -> str:
        id = self.person(name)
        self.sandbox.books.join(self.segment, id)
        return id

    def leave(self, id: str) -> None:
        self.sandbox.books.leave(self.segment, id)
