"""What the directory knows of look-ups: records as `find` would give them, each with the moment since when it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from hub.clock import from_ms
from hub.connections import Connections
from hub.flow.directory.rows import KEY, Entry, folded
from hub.language.directory import DirectoryObject, DirectoryPlan
from hub.model import PERSON, Account, Lookup, Match, Record
from hub.store import directory as sql
from hub.store.database import Store

Identity = tuple[str, str, str]  # connection, object, id


class Told(Struct, frozen=True):
    """What the directory tells of one connection's look-ups: records by look-up, and by (object, id) since when each holds.

    `loaded`: every declared object of the connection was loaded at least once, so who is not found is not there.
    """

    records: tuple[tuple[Record, ...], ...]
    fresh_at: Mapping[tuple[str, str], datetime]
    loaded: bool

    @property
    def knows_any(self) -> bool:
        """Whether there is any record at all."""
        return bool(self.fresh_at)


class Directory:
    """The directory as it is read. Thread-safe; each question is two or three glances at the store."""

    def __init__(self, store: Store, connections: Connections, plan: DirectoryPlan) -> None:
        self.plan = plan
        self._store, self._connections = store, connections
        self._decode = msgspec.json.Decoder(Entry).decode

    def tell(self, asked: Mapping[str, Sequence[Lookup]]) -> dict[str, Told]:
        """What it knows of the look-ups, for each of the connections that are declared."""
        asked = {name: lookups for name, lookups in asked.items() if name in self.plan.connections}
        if not asked:
            return {}
        wanted = {(name, value) for name, lookups in asked.items() for one in lookups if (value := _value(one))}
        named = {one for name, lookups in asked.items() for lookup in lookups for one in self._names(name, lookup)}
        by_value: dict[tuple[str, str], list[Identity]] = {}
        # First since when all holds: a record read after that is no older, so nothing looks fresher than it is.
        since = {(row.connection, row.object): row.fresh_at for row in sql.in_step(self._store)}
        rows = self._rows(named)
        for key in sorted(wanted):
            found = sql.known_by(self._store, *key)
            by_value[key] = [(row.connection, row.object, row.id) for row in found]
            rows += found
        entries = {(row.connection, row.object, row.id): self._decode(row.body) for row in rows}
        accounts = self._accounts(entries)
        seen = {(row.connection, row.object, row.id): row.seen_at for row in rows}
        told = {}
        for name, lookups in asked.items():
            hits = [self._found(name, lookup, by_value, entries) for lookup in lookups]
            held = {one for each in hits for one in each}
            told[name] = Told(
                tuple(
                    tuple(self._record(one, entries[one], lookup, accounts) for one in each)
                    for lookup, each in zip(lookups, hits, strict=True)
                ),
                {one[1:]: from_ms(max(seen[one], since.get(one[:2]) or 0)) for one in held},
                all(since.get((name, word)) is not None for word in self.plan.connections[name].objects),
            )
        return told

    def _names(self, connection: str, lookup: Lookup) -> list[Identity]:
        if lookup.by != "id" or not lookup.value or "\0" in lookup.value:
            return []
        return [(connection, object, lookup.value) for object in self._objects(connection, lookup)]

    def _objects(self, connection: str, lookup: Lookup) -> list[str]:
        """The declared objects that a look-up is about, in the order a screen pop prefers."""
        declared = self.plan.connections[connection].objects
        if lookup.object != PERSON:
            return [lookup.object] if lookup.object in declared else []
        return [name for name in self._connections[connection].manifest.people if name in declared]

    def _found(
        self,
        connection: str,
        lookup: Lookup,
        by_value: Mapping[tuple[str, str], Sequence[Identity]],
        entries: Mapping[Identity, Entry],
    ) -> list[Identity]:
        order = self._objects(connection, lookup)
        if lookup.by == "id":
            return [one for one in self._names(connection, lookup) if one in entries]
        found = [one for one in by_value.get((connection, _value(lookup)), ()) if one[1] in order]
        return sorted(found, key=lambda one: (order.index(one[1]), len(one[2]), one[2]))

    def _record(self, one: Identity, entry: Entry, lookup: Lookup, accounts: Mapping[Identity, str]) -> Record:
        connection, object, id = one
        held = _account_of(one, entry, self._company(connection))
        return Record(
            object=object,
            id=id,
            title=entry.title,
            match=_match(entry, lookup),
            account=held and Account(object=held[1], id=held[2], title=accounts.get(held) or held[2]),
            owner=entry.owner,
            open_cases=entry.open_cases,
            last_contact_at=_moment(entry.last_contact),
            created_at=_moment(entry.created),
            updated_at=_moment(entry.updated),
            fields=entry.fields,
        )

    def _rows(self, names: Iterable[Identity]) -> list[Any]:
        """The records of these names, one look for each object."""
        ids: dict[tuple[str, str], list[str]] = {}
        for connection, object, id in sorted(names):
            ids.setdefault((connection, object), []).append(id)
        return [row for place, some in ids.items() for row in sql.named(self._store, *place, some)]

    def _accounts(self, entries: Mapping[Identity, Entry]) -> dict[Identity, str]:
        """The titles of the records' accounts: as their rows tell, else as the directory knows the account itself."""
        titles: dict[Identity, str] = {}
        for one, entry in entries.items():
            held = _account_of(one, entry, self._company(one[0]))
            if held is not None and entry.account is not None:
                titles[held] = titles.get(held) or entry.account[2]
        for row in self._rows({held for held, title in titles.items() if not title}):
            titles[row.connection, row.object, row.id] = self._decode(row.body).title
        return titles

    def _company(self, connection: str) -> str:
        return self._connections[connection].manifest.company

    def declared(self, connection: str, object: str) -> DirectoryObject | None:
        """The declaration of an object, where there is one."""
        held = self.plan.connections.get(connection)
        return None if held is None else held.objects.get(object)

    def asked(self, connection: str, lookup: Lookup) -> list[DirectoryObject]:
        """The declarations of the objects that a look-up is about; empty where there are none."""
        held = self.plan.connections.get(connection)
        return [] if held is None else [held.objects[name] for name in self._objects(connection, lookup)]


def _account_of(one: Identity, entry: Entry, company: str) -> Identity | None:
    if entry.account is None:
        return None
    return (one[0], entry.account[0] or company, entry.account[1])


def _value(lookup: Lookup) -> str:
    """The identifier that a look-up asks for; empty where the directory cannot know it."""
    if "\0" in lookup.value:
        return ""
    if lookup.by == "phone":
        return lookup.value if lookup.value.startswith("+") else ""
    if lookup.by == "email":
        return folded(lookup.value)
    return KEY + lookup.value if lookup.by == "key" and lookup.value else ""


def _match(entry: Entry, lookup: Lookup) -> Match:
    value = _value(lookup)
    known = next((one for one in entry.known if one.value == value), None)
    return Match(lookup.by, lookup.value) if known is None else Match(known.field, known.written)


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
