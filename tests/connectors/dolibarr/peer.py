"""The Dolibarr sandbox, as the law of all connectors sees it: as version 22 and as version 13."""

from __future__ import annotations

import contextlib
import hashlib
import html
from collections.abc import Iterator
from typing import Any

import pytest

from hub.contract import Connector
from hub.model import Query, Row, Target
from sandbox.dolibarr import DolibarrSandbox, OldDolibarrSandbox
from tests.contract.given import a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("v22", "v13")
SIGNS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")


class Peer(SandboxPeer):
    """Contacts, events and, as a list, contacts of one town."""

    NAME, SANDBOX = "dolibarr", DolibarrSandbox
    UNAUTHORIZED = "refused"
    target = Target(object="agendaevents", key="ref_ext")
    query: Query
    connector: Any

    def __init__(self, served: Any, **settings: Any) -> None:
        super().__init__(served, **settings)
        self.query = Query(object="contacts", where={"town": f"Town {a_number()}"})

    def failing(self, case: str) -> Connector:
        connector = super().failing(case)
        if case == "unknown_outcome":  # the look-up before it only reads
            self.sandbox.faults.clear()
            self.sandbox.faults.set("reset_after", times=-1, method="POST")
        return connector

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        first, _, last = name.rpartition(" ")
        put = self.sandbox.records.put
        return str(put("contacts", firstname=first, lastname=last, phone_pro=phone, email=email))

    def key_of(self, id: str) -> str:
        key = f"CRM {id} (Ñ)"
        self.sandbox.records.one("contacts", id)["ref_ext"] = key  # as another system wrote it
        return key

    def row(self, key: str, text: str) -> Row:
        fields = {"type_code": "AC_TEL", "label": "Call", "datep": "2026-11-23T10:02:00Z", "percentage": 100,
                  "datef": "2026-11-23T11:05:13+01:00", "note_private": f"<p>{html.escape(text)}</p>"}  # fmt: skip
        return Row(key=key, fields=fields)

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={**self.row(key, "nobody's").fields, "type_code": "NO_SUCH"})

    def texts(self, key: str) -> list[str]:
        notes = [one["note_private"] for one in self.sandbox.records.all("agendaevents") if one["ref_ext"] == kept(key)]
        return [html.unescape(note.removeprefix("<p>").removesuffix("</p>")) for note in notes]

    def member(self, name: str) -> str:
        return str(self.sandbox.records.put("contacts", lastname=name, town=self.query.where["town"]))

    def leave(self, id: str) -> None:
        self.sandbox.records.update("contacts", id, {"town": "Elsewhere"})


class OldPeer(Peer):
    """The same at version 13."""

    SANDBOX = OldDolibarrSandbox


def kept(key: str) -> str:
    """A key as it is kept, computed here on our own."""
    text = "pb-" + "".join(sign if sign in SIGNS else f"_{ord(sign):x}_" for sign in key)
    return text if len(text) <= 120 else f"pb-sha256-{hashlib.sha256(key.encode()).hexdigest()}"


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Against the one sandbox of its version in this process."""
    with shared(OldPeer if variant == "v13" else Peer) as peer:
        yield peer
