"""The embedded CRM in a fresh store, as the law of all connectors sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from hub.contract import Connector
from hub.model import Lookup, Query, Row, Target
from hub.store.crm import Crm
from hub.store.database import open_store
from tests.contract.given import a_number
from tests.contract.scenario_files import built
from tests.empty_stores import sqlite_url

VARIANTS = ("sqlite", "postgresql")


class Peer:
    """Contacts, activities and a campaign's members."""

    target = Target(object="activity", key="interaction_key")
    query: Query

    def __init__(self, connector: Connector, engine: Engine) -> None:
        self.connector = connector
        self._crm = Crm(engine, "ES")
        self._about = self.person("Whom the activities are about")
        self._campaign = self._crm.create("campaign", {"name": "Spring", "campaign_key": "spring"}).id
        self.query = Query(object="campaign_member", where={"campaign": "spring"})

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        first, _, last = name.rpartition(" ")
        fields = {"first_name": first, "last_name": last, "mobile": phone, "email": email, "country": "ES"}
        made = self._crm.create("contact", {field: value for field, value in fields.items() if value})
        assert made.id, made.error
        return made.id

    def key_of(self, id: str) -> str:
        record = self._crm.record("contact", id)
        assert record is not None
        return str(record.fields["contact_key"])

    def row(self, key: str, text: str) -> Row:
        return Row(key=key, fields={"contact": self._about, "comment": text})

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={"contact": self._about, "channel": "pigeon"})

    def texts(self, key: str) -> list[str]:
        (found,) = self._crm.find([Lookup("activity", "key", key)])
        return [record.fields["comment"] for record in found]

    def member(self, name: str) -> str:
        person = self.person(name, phone=a_number())
        return self._crm.create("campaign_member", {"campaign": self._campaign, "contact": person}).id

    def leave(self, id: str) -> None:
        (change,) = self._crm.write("campaign_member", "id", [Row(key=id, fields={}, action="remove")])
        assert change.outcome == "removed", change.error


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """In a store of the test's own."""
    if variant == "sqlite":
        url = sqlite_url(request.getfixturevalue("tmp_path") / "patchbay.db")
    else:
        url = request.getfixturevalue("filled_postgres")
    store = open_store(url)
    yield Peer(built("embedded", {}, engine=store.engine), store.engine)
    store.close()
