"""Follow records that a CRM merged: an old id leads to the record that is left, here and at whoever asks by it.

A merge is learned where a record is found by an id and answers with another one. A connection of which no merge is known
costs one look at the store every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import structlog
from msgspec.structs import replace

from hub.clock import now_ms
from hub.model import PERSON, Clicked, Lookup, Record
from hub.store import merged
from hub.store.database import Store, Transaction
from hub.store.merged import Merge

LOOK_SECONDS = 2.0  # how long a merge that another node learned may go unnoticed by a connection that had none

log = structlog.get_logger()


class Merged:
    """The merged records of all connections. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._has_any: set[str] = set()
        self._looked: dict[str, float] = {}

    def known(self, connection: str, ids: Collection[str]) -> dict[str, list[Merge]]:
        """By old id, what is known of it: one for each object that had a record of this id."""
        if not ids or not self.has_any(connection):
            return {}
        with self._store.read() as conn:
            found = merged.merges_of(conn, connection, set(ids))
        known: dict[str, list[Merge]] = {}
        for merge in found:
            known.setdefault(merge.old_id, []).append(merge)
        return known

    def followed(self, connection: str, lookups: Sequence[Lookup]) -> list[Lookup]:
        """The look-ups, those by an id that is merged by the id of the record that is left."""
        known = self.known(connection, {lookup.value for lookup in lookups if lookup.by == "id"})
        return [_followed(lookup, known) for lookup in lookups] if known else list(lookups)

    def clicked(self, record: Clicked) -> Clicked:
        """The record that was clicked, or the one that it was merged into."""
        (now_is,) = self.followed(record.connection, [Lookup(record.object, "id", record.id)])
        return replace(record, object=now_is.object, id=now_is.value)

    def learn(self, connection: str, lookups: Sequence[Lookup], answers: Sequence[Sequence[Record]]) -> None:
        """Learn from what was found."""
        merges = [
            Merge(
                records[0].object if lookup.object == PERSON else lookup.object, lookup.value, record.object, record.id
            )
            for lookup, records in zip(lookups, answers, strict=True)
            if lookup.by == "id" and len(records) == 1 and (record := records[0]).id
            if record.id.casefold() != lookup.value.casefold()
        ]
        if not merges:
            return
        self._has_any.add(connection)

        def keep(conn: Transaction) -> None:
            for merge in merges:
                merged.learn(conn, connection, merge, now=now_ms())

        self._store.in_one_piece(keep)
        log.info("merges_learned", connection=connection, records=len(merges))

    def has_any(self, connection: str) -> bool:
        """Whether any merge of this connection is known."""
        moment = time.monotonic()
        if connection not in self._has_any and moment >= self._looked.get(connection, 0.0):
            self._looked[connection] = moment + LOOK_SECONDS
            with self._store.read() as conn:
                if merged.any_of(conn, connection):
                    self._has_any.add(connection)
        return connection in self._has_any


def _followed(lookup: Lookup, known: dict[str, list[Merge]]) -> Lookup:
    if lookup.by != "id":
        return lookup
    mine = [one for one in known.get(lookup.value, ()) if lookup.object in (one.object, PERSON)]
    if len(mine) != 1:
        return lookup
    return replace(lookup, object=PERSON if lookup.object == PERSON else mine[0].new_object, value=mine[0].new_id)
