"""The real Tryton, as the law of all connectors sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from connectors.crm.tryton.records import mark
from hub.contract import Connector
from hub.model import Query, Row, Target
from sandbox.tryton_sample import Client
from tests.contract.given import a_number
from tests.contract.scenario_files import built
from tests.tryton_server import Tryton

# As the user that a company would make for the hub, and as an administrator, who may search more.
VARIANTS = ("user", "administrator")


class Peer:
    """Parties, notes and opportunities."""

    target = Target(object="ir.note", key="key")
    query: Query

    def __init__(self, connector: Connector, client: Client) -> None:
        self.connector = connector
        self._client = client
        self._spain = client.call("model.country.country.search", [["code", "=", "ES"]], 0, None, None)[0]
        self._about = self.person("Whom the notes are about")
        self.query = Query(object="sale.opportunity", where={"reference": f"list {a_number()}"})

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        contacts = [{"type": kind, "value": value} for kind, value in (("mobile", phone), ("email", email)) if value]
        row = {
            "name": name,
            "addresses": [["create", [{"country": self._spain}]]],
            "contact_mechanisms": [["create", contacts]] if contacts else [],
        }
        return str(self._client.create("party.party", row)[0])

    def key_of(self, id: str) -> str:
        return str(self._client.call("model.party.party.read", [int(id)], ["code"])[0]["code"])

    def row(self, key: str, text: str) -> Row:
        return Row(key=key, fields={"party": self._about, "message": text})

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={"party": "999999", "message": "nobody's"})

    def texts(self, key: str) -> list[str]:
        # By the mark a note is found at all; what is judged is how many there are and what they say.
        domain = [["message", "like", f"%{mark('key', key)}%"]]
        notes = self._client.call("model.ir.note.search_read", domain, 0, None, [["id", "ASC"]], ["message"])
        return [note["message"].rpartition("\n\n")[0] for note in notes]

    def member(self, name: str) -> str:
        party = self.person(name, phone=a_number())
        row = {"party": int(party), "description": name, "reference": self.query.where["reference"]}
        return str(self._client.create("sale.opportunity", row)[0])

    def leave(self, id: str) -> None:
        self._client.call("model.sale.opportunity.write", [int(id)], {"reference": "another list"})


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Against the database that the worker's tests share."""
    tryton: Tryton = request.getfixturevalue("shared_tryton")
    with tryton.client() as client:
        yield Peer(built("tryton", tryton.settings(administrator=variant == "administrator")), client)
