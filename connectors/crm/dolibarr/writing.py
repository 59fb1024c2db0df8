"""Writing to Dolibarr: look the keys up, then one call for each row, for Dolibarr has no batch and no upsert.

A key is kept in `ref_ext` (of tickets in `track_id`, which is theirs to name one by), or in an extra field; see `keys`.
Records that have it are changed, else one is made, so twice is once and a row in doubt needs nothing more. Answers
about events do not show their `ref_ext`: where some of a batch are there already, the keys are asked for by halves
until each is known.

Calls for 200 new rows: 4 look-ups (one for each 50) and 200 writes. For rows that are there: one look-up for each 50
where answers show the key, and up to two for each event. A contact that a row puts on an event is added to those that
are on it, which is one more read of the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.crm.dolibarr.api import Api
from connectors.crm.dolibarr.filters import either, equal, fits, one_of, portions
from connectors.crm.dolibarr.keys import stored
from connectors.crm.dolibarr.objects import EVENTS, OPTION, PEOPLE_OF_EVENT, USERS, Found, Kind, flat, kind_of
from connectors.crm.dolibarr.values import people, wire
from hub.errors import (
    Ambiguous,
    ConnectorError,
    Locked,
    NotFound,
    Rejected,
    Then,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from hub.model import Receipt, Row, Target

ID = "id"
OWNER = "userownerid"

There = dict[str, list[str]]


class Writer:
    """Writes rows and gives one receipt per row. `link` gives a record's address; `owner` the id of the user to whom an
    event belongs that names none."""

    def __init__(self, api: Api, link: Callable[[str, str], str], owner: Callable[[], str]) -> None:
        self._api, self._link, self._owner = api, link, owner

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. Of rows with the same key each is written after the one before it."""
        kind = kind_of(target.object)
        if kind.name == USERS:
            raise Unsupported("users are made in Dolibarr")
        receipts: dict[int, Receipt] = {}
        while len(receipts) < len(rows):
            turn: dict[str, int] = {}
            for place, row in enumerate(rows):
                if place not in receipts:
                    turn.setdefault(row.key, place)
            done = self._once(kind, target.key, [rows[place] for place in turn.values()])
            receipts.update(zip(turn.values(), done, strict=True))
        return [receipts[place] for place in range(len(rows))]

    def _once(self, kind: Kind, field: str, rows: Sequence[Row]) -> list[Receipt]:
        there = self._there(kind, field, rows)
        receipts: list[Receipt] = []
        stopped: ConnectorError | None = None
        for row in rows:
            if stopped is not None:
                receipts.append(_failed(row, stopped))
                continue
            try:
                receipts.append(self._write(kind, field, row, there))
            except ConnectorError as error:
                if not receipts and error.then is not Then.PARK and not isinstance(error, Locked):
                    raise  # nothing was done yet, so it is the whole call's
                receipts.append(_failed(row, error))
                if isinstance(error, UnknownOutcome):
                    stopped = Unavailable("not sent: Dolibarr did not answer the row before")
                elif error.then is not Then.PARK and not isinstance(error, Locked):
                    stopped = error
        return receipts

    # --- what is there ----------------------------------------

    def _there(self, kind: Kind, field: str, rows: Sequence[Row]) -> There:
        """By key, as it is kept, the ids of the records that have it."""
        keys = {kept: str(row.key) for row in rows if (kept := _kept(kind, field, row))}
        found: There = {}
        for portion in portions(list(keys)):
            self._ask(kind, field, {key: keys[key] for key in portion}, found)
        return found

    def _ask(self, kind: Kind, field: str, keys: Mapping[str, str], found: There) -> None:
        column, shown = kind.column(field), kind.shows(field)
        conditions = [one_of(column, keys if field == ID else [f"'{key}'" for key in keys])]
        if shown and field != ID:  # what another system wrote is as it wrote it
            conditions += [told for kept, key in keys.items() if kept != key and (told := equal(column, key))]
        if not fits(either(conditions)) and len(keys) > 1:
            self._halves(kind, field, keys, found)
            return
        reads = (ID, "array_options") if field.startswith(OPTION) else (ID, field)
        items = [flat(item) for item in self._api.all(kind, [either(conditions)], reads)]
        if shown:
            names = {name: kept for kept, key in keys.items() for name in (kept, key)}
            for item in items:
                if (kept := names.get(str(item.get(field)), "")) != "":
                    found.setdefault(kept, []).append(item[ID])
        elif items and len(keys) > 1:
            self._halves(kind, field, keys, found)
        elif items:
            found[next(iter(keys))] = [item[ID] for item in items]

    def _halves(self, kind: Kind, field: str, keys: Mapping[str, str], found: There) -> None:
        names = list(keys)
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            self._ask(kind, field, {name: keys[name] for name in half}, found)

    # --- one row ----------------------------------------

    def _write(self, kind: Kind, field: str, row: Row, known: There) -> Receipt:
        key = _kept(kind, field, row)
        if not key:
            raise Rejected(f"the row has no key that {field} can hold", {field: "empty, or no number"})
        there = known.get(key, [])
        if len(there) > 1:
            raise Ambiguous(f"{len(there)} {kind.name} have the same {field}")
        if row.action == "remove":
            return self._removed(kind, row, there)
        fields = {name: value for name, value in row.fields.items() if name not in (ID, field)}
        if there:
            return self._updated(kind, row, there[0], fields)
        if field == ID:
            raise NotFound(f"there are no {kind.name} with this id")
        return self._created(kind, row, {**fields, field: key})

    def _removed(self, kind: Kind, row: Row, there: Sequence[str]) -> Receipt:
        if not there:
            return Receipt(key=row.key, outcome="unchanged")
        try:
            self._api.delete(kind, there[0])
        except NotFound:  # somebody else has removed it meanwhile
            return Receipt(key=row.key, outcome="unchanged")
        return Receipt(key=row.key, outcome="removed", id=there[0])

    def _created(self, kind: Kind, row: Row, fields: Mapping[str, Any]) -> Receipt:
        new = {name: value for name, value in fields.items() if value is not None}
        if kind.name == EVENTS and not new.get(OWNER):
            new[OWNER] = self._owner()
        return self._receipt(kind, row, "created", self._api.create(kind, wire(new)))

    def _updated(self, kind: Kind, row: Row, id: str, fields: Found) -> Receipt:
        changed = dict(fields)
        if PEOPLE_OF_EVENT in changed:
            on_it = people(self._api.one(kind, id).get(PEOPLE_OF_EVENT) or ())
            more = {**on_it, **people(changed.pop(PEOPLE_OF_EVENT))}
            if more.keys() != on_it.keys():
                changed[PEOPLE_OF_EVENT] = more
        if not changed:
            return self._receipt(kind, row, "unchanged", id)
        self._api.update(kind, id, wire(changed))
        return self._receipt(kind, row, "updated", id)

    def _receipt(self, kind: Kind, row: Row, outcome: Any, id: str) -> Receipt:
        return Receipt(key=row.key, outcome=outcome, id=id, url=self._link(kind.name, id))


def _kept(kind: Kind, field: str, row: Row) -> str:
    """A row's key as Dolibarr keeps it; empty: it has none."""
    if field == ID:
        id = str(row.fields.get(ID) or row.key)
        return id if id.isascii() and id.isdecimal() else ""
    return stored(row.key, unguessable=kind.key_public and field == kind.key) if row.key else ""


def _failed(row: Row, error: Exception) -> Receipt:
    return Receipt(key=row.key, outcome="failed", error=error)
