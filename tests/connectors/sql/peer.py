"""An in-house CRM's PostgreSQL database, as the law of all connectors sees it through the worked example's profile."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from hub.contract import Connector
from hub.model import Query, Row, Target
from tests.contract.given import a_key
from tests.contract.scenario_files import built

VARIANTS = ("postgresql",)
CRMS = Path(__file__).parents[3] / "config" / "crms"


class Peer:
    """Customers, calls and a segment, in tables."""

    target = Target(object="call", key="ref")
    query: Query

    def __init__(self, connector: Connector, engine: Engine) -> None:
        self.connector, self.engine = connector, engine
        self.segment = f"segment {a_key()}"
        self.query = Query(object="segment_member", where={"segment": self.segment})
        self._whose = self.person("Whose calls these are")
        self._refs = itertools.count()

    def run(self, statement: str, **told: Any) -> Any:
        """The first value of the first row, if the statement gives any."""
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), told)
            row = result.first() if result.returns_rows else None
            return None if row is None else row[0]

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        statement = (
            "INSERT INTO crm.customer (ref, name, mobile, email, country) VALUES (:ref, :name, :mobile, :email, 'ES')"
        )
        told = {"ref": uuid.uuid4().hex, "name": name, "mobile": phone or None, "email": email or None}
        return str(self.run(f"{statement} RETURNING id", **told))

    def key_of(self, id: str) -> str:
        return str(self.run("SELECT ref FROM crm.customer WHERE id = :id", id=int(id)))

    def row(self, key: str, text: str) -> Row:
        return Row(key=key, fields={"customer_id": self._whose, "note": text, "direction": "inbound"})

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={"customer_id": "999999", "note": "nobody's"})

    def texts(self, key: str) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.execute(text("SELECT note FROM crm.call WHERE ref = :ref"), {"ref": key}).scalars())

    def member(self, name: str) -> str:
        id = self.person(name)
        statement = "INSERT INTO crm.segment_member (segment, customer_id) VALUES (:segment, :id)"
        self.run(statement, segment=self.segment, id=int(id))
        return id

    def leave(self, id: str) -> None:
        left = "UPDATE crm.segment_member SET left_at = now(), changed = now()"
        self.run(f"{left} WHERE segment = :segment AND customer_id = :id", segment=self.segment, id=int(id))


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """In a database of its own."""
    url = request.getfixturevalue("fresh_postgres")
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.exec_driver_sql((CRMS / "in_house.sql").read_text())
    try:
        yield Peer(built("sql", {"database": url, "profile": str(CRMS / "in_house_sql.yaml")}), engine)
    finally:
        engine.dispose()
