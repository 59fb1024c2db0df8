"""The embedded CRM: a small real one inside the hub's store. This room is its door; the statements are in the rooms beside.

Tables and objects: `schema`. What a value may be: `values`. Look-ups: `find`. Batches: `write`. Two records made one:
`merge`. List pulls: `pull`. What its pages show: `screens`. A thousand people to begin with: `hub.store.sample`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from hub.clock import now_ms
from hub.errors import Rejected
from hub.model import Lookup, Page, Query, Record, Row
from hub.store.crm.find import crm_object, find
from hub.store.crm.merge import merge
from hub.store.crm.pull import pages
from hub.store.crm.schema import OBJECTS, PEOPLE, CrmObject
from hub.store.crm.write import Change, create, write
from hub.store.database import Store

__all__ = ["OBJECTS", "PEOPLE", "Change", "Crm", "CrmObject", "crm_object"]


class Crm:
    """The embedded CRM in the store behind `engine`; numbers whose record has no country are read as those of `country`."""

    def __init__(self, engine: Engine, country: str) -> None:
        self.store, self.country = Store(engine), country

    def find(self, lookups: Sequence[Lookup]) -> list[list[Record]]:
        """The records of each look-up."""
        with self.store.read() as connection:
            return find(connection, lookups, self.country)

    def record(self, object: str, id: str) -> Record | None:
        """The record with that id."""
        found = self.find([Lookup(object, "id", id)])[0]
        return found[0] if found else None

    def write(self, object: str, key: str, rows: Sequence[Row]) -> list[Change]:
        """Upsert or remove `rows` by the unique field `key` (or `id`), in one transaction; one change per row.

        A wrong row fails alone. Raises NotFound for an unknown object and Rejected for a key that is not unique.
        """
        one = crm_object(object)
        if key not in ("id", one.key):
            raise Rejected(f'"{key}" is no unique field of {object}; {one.key} and id are', {key: "is not unique"})
        with self.store.write() as connection:
            return write(connection, one, key, rows, self.country, now_ms())

    def create(self, object: str, fields: Mapping[str, Any]) -> Change:
        """A new record as a person makes it: without a key it gets its id for one; a key that is taken is refused."""
        with self.store.write() as connection:
            return create(connection, crm_object(object), fields, self.country, now_ms())

    def merge(self, object: str, old: str, into: str) -> None:
        """Merge one record into another of the same object. Raises NotFound or Rejected."""
        with self.store.write() as connection:
            merge(connection, crm_object(object), old, into, self.country, now_ms())

    def pages(self, query: Query) -> Iterator[Page]:
        """A list pull, page by page."""
        return pages(self.store.read, query)
