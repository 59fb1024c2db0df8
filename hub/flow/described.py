"""What the CRMs' objects are: asked anew, as they were described last, or from the hub's cache with its age.

A connector's `describe` always asks; how old a description may be is said by whoever needs it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.budget import LISTS
from hub.clock import now, to_ms
from hub.connections import EMBEDDED, Connection
from hub.flow.delivery.calls import called
from hub.model import Description
from hub.store import descriptions
from hub.store.database import Store

OBJECTS = 3600.0  # seconds for which the list of a connection's objects is kept


class Asked:
    """Asks, each object once for as long as this lives: one check, one comparison."""

    def __init__(self, kept: Callable[[Connection, Description], None] | None = None) -> None:
        self._kept = kept
        self._objects: dict[str, Sequence[str]] = {}
        self._described: dict[tuple[str, str], Description] = {}

    def objects(self, connection: Connection) -> Sequence[str]:
        """The objects that the connection names. Raises ConnectorError."""
        if connection.name not in self._objects:
            self._objects[connection.name] = _objects(connection)
        return self._objects[connection.name]

    def describe(self, connection: Connection, object: str) -> Description:
        """What the object is now. Raises ConnectorError."""
        asked = (connection.name, object)
        if asked not in self._described:
            self._described[asked] = _describe(connection, object)
            if self._kept is not None:
                self._kept(connection, self._described[asked])
        return self._described[asked]


class Known:
    """As it was described last: nothing is called but the CRM that lives in the hub's own store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def objects(self, connection: Connection) -> Sequence[str]:
        """Those of the embedded CRM; nobody keeps the others' list."""
        return _objects(connection) if connection.manifest.name == EMBEDDED else ()

    def describe(self, connection: Connection, object: str) -> Description | None:
        """What was described last; None: nothing was."""
        if connection.manifest.name == EMBEDDED:
            return _describe(connection, object)
        with self._store.read() as conn:
            seen = descriptions.last(conn, connection.name, object) if descriptions.are_kept(conn) else None
        return None if seen is None else seen.description


class Described:
    """The hub's cache: descriptions of at most an age. What the store has is used; what is asked here stays here, for the
    store's copy is what the next look for drift compares with (but the first is kept: there is nothing before it)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._here: dict[tuple[str, str], tuple[datetime, Description]] = {}
        self._objects: dict[str, tuple[datetime, Sequence[str]]] = {}

    def objects(self, connection: Connection) -> Sequence[str]:
        """The objects that the connection names, asked about once an hour. Raises ConnectorError."""
        asked_at, known = self._objects.get(connection.name, (None, ()))
        if asked_at is None or now() - asked_at > timedelta(seconds=OBJECTS):
            known = _objects(connection)
            self._objects[connection.name] = (now(), known)
        return known

    def describe(self, connection: Connection, object: str, oldest: float = OBJECTS) -> Description:
        """What the object was at most `oldest` seconds ago. Raises ConnectorError."""
        since, place = now() - timedelta(seconds=oldest), (connection.name, object)
        known = self._here.get(place)
        if known is not None and known[0] >= since:
            return known[1]
        with self._store.read() as conn:
            seen = descriptions.last(conn, connection.name, object)
        if seen is None or seen.asked_at < since:
            description = _describe(connection, object)
            if seen is None:
                self.keep(connection, description)
            known = (now(), description)
        else:
            known = (seen.asked_at, seen.description)
        with self._lock:
            self._here[place] = known
        return known[1]

    def keep(self, connection: Connection, description: Description) -> Description | None:
        """Keep what was just described for the next comparison, and give what was before; None: it is the first."""
        moment = now()
        before = self._store.in_one_piece(
            lambda conn: descriptions.keep(conn, connection.name, description, now=to_ms(moment))
        )
        with self._lock:
            self._here[connection.name, description.object] = (moment, description)
        return before


def _objects(connection: Connection) -> Sequence[str]:
    connector: Any = connection.connector
    found: Sequence[str] = called(connection, connector.objects, LISTS)
    return found


def _describe(connection: Connection, object: str) -> Description:
    connector: Any = connection.connector
    description: Description = called(connection, lambda: connector.describe(object), LISTS)
    return description
