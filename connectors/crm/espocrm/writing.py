"""Writing to EspoCRM: look the keys up, then one call for each row, for EspoCRM has no batch.

A key is the value of a field of the administrator's; records that have it are changed, else one is made, so twice is once
and a row in doubt needs nothing more. A row's own fault is on its receipt; what stops the connection stops the rows after
it too, untried. People that a row relates (`contactsIds` of a call) go with a new record and are added to those of one
that is there, so whom somebody else put there stays. They are written with the record: that needs the right to read
them, where EspoCRM's call to link two records wants the right to edit both (espocrm/espocrm, `Record/Access/LinkCheck`).

Calls for 200 rows: one GET for as many keys as fit into an address (some 90 of 45 letters, so three), one more for the
field's definitions in an hour, 200 writes, and one GET for each record that was there and gets people.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.crm.espocrm.api import Api, Found
from connectors.crm.espocrm.entities import Definitions, wire_moment
from connectors.crm.espocrm.errors import Duplicates
from hub.errors import Ambiguous, ConnectorError, NotFound, Rejected, Then, Unavailable, UnknownOutcome
from hub.model import Receipt, Row, Target

ID = "id"
PARK, UPDATE, CREATE = "park", "update", "create"
DUPLICATES = (PARK, UPDATE, CREATE)
LONGEST_KEY = 255
DATE_TIMES = ("datetime", "datetimeOptional")
LINKS = ("linkMultiple",)


class Writer:
    """Writes rows and gives one receipt per row. `link` gives a record's address."""

    def __init__(
        self,
        api: Api,
        definitions: Definitions,
        link: Callable[[str, str], str],
        *,
        duplicates: str,
        assigned_user: str,
    ) -> None:
        self._api, self._definitions, self._link = api, definitions, link
        self._duplicates, self._assigned = duplicates, assigned_user

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. Of rows with the same key each is written after the one before it."""
        receipts: dict[int, Receipt] = {}
        while len(receipts) < len(rows):
            turn: dict[str, int] = {}
            for place, row in enumerate(rows):
                if place not in receipts:
                    turn.setdefault(row.key, place)
            done = self._once(target, [rows[place] for place in turn.values()])
            receipts.update(zip(turn.values(), done, strict=True))
        return [receipts[place] for place in range(len(rows))]

    def _once(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        types = self._definitions.types(target.object)
        if target.key != ID and target.key not in types:
            raise Rejected(f"{target.object} has no field {target.key}", {target.key: "unknown"})
        there = self._there(target, rows)
        receipts: list[Receipt] = []
        stopped: ConnectorError | None = None
        for row in rows:
            if stopped is not None:
                receipts.append(_failed(row, stopped))
                continue
            try:
                receipts.append(self._write(target, row, there.get(_key(target, row), []), types))
            except ConnectorError as error:
                if not receipts and error.then is not Then.PARK:
                    raise  # nothing was done yet, so it is the whole call's
                receipts.append(_failed(row, error))
                if isinstance(error, UnknownOutcome):
                    stopped = Unavailable("not sent: EspoCRM did not answer the row before")
                elif error.then is not Then.PARK:
                    stopped = error
        return receipts

    def _there(self, target: Target, rows: Sequence[Row]) -> dict[str, list[str]]:
        """By key the ids of the records that have it, compared letter by letter: EspoCRM's database does not."""
        keys = [key for row in rows if _askable(key := _key(target, row))]
        found: dict[str, list[str]] = {}
        for item in self._api.with_values(target.object, target.key, keys, tuple(dict.fromkeys((ID, target.key)))):
            found.setdefault(str(item.get(target.key)), []).append(str(item[ID]))
        return found

    # --- one row ----------------------------------------

    def _write(self, target: Target, row: Row, there: Sequence[str], types: Mapping[str, str]) -> Receipt:
        if not _askable(_key(target, row)):
            raise Rejected(f"the key does not fit into {target.key}", {target.key: "empty or too long"})
        if len(there) > 1:
            raise Ambiguous(f"{len(there)} records of {target.object} have the same {target.key}")
        if row.action == "remove":
            return self._removed(target, row, there)
        fields = {name: _value(name, value, types) for name, value in row.fields.items() if name != ID}
        if there:
            return self._updated(target, row, there[0], fields, types)
        if target.key == ID:
            raise NotFound(f"there is no {target.object} with this id")
        return self._created(target, row, fields, types)

    def _removed(self, target: Target, row: Row, there: Sequence[str]) -> Receipt:
        if not there:
            return Receipt(key=row.key, outcome="unchanged")
        try:
            self._api.delete(target.object, there[0])
        except NotFound:  # somebody else has removed it meanwhile
            return Receipt(key=row.key, outcome="unchanged")
        return Receipt(key=row.key, outcome="removed", id=there[0])

    def _created(self, target: Target, row: Row, fields: Found, types: Mapping[str, str]) -> Receipt:
        new = {name: value for name, value in fields.items() if value is not None}
        new[target.key] = row.key
        if self._assigned and "assignedUser" in types:
            new.setdefault("assignedUserId", self._assigned)
        try:
            made = self._api.create(target.object, new, skip_duplicate_check=self._duplicates == CREATE)
        except Duplicates as error:
            free = [one for one in error.candidates if not one.get(target.key)]
            # One that has another key is another row's record, whatever else is alike.
            if self._duplicates != UPDATE or len(free) != 1 or len(error.candidates) != 1:
                raise Ambiguous(str(error)) from None
            return self._updated(target, row, str(free[0][ID]), {**fields, target.key: row.key}, types)
        return self._receipt(target, row, "created", str(made[ID]))

    def _updated(self, target: Target, row: Row, id: str, fields: Found, types: Mapping[str, str]) -> Receipt:
        links = [name for name in fields if types.get(name.removesuffix("Ids")) in LINKS]
        changed = {name: value for name, value in fields.items() if name not in links}
        if any(fields[name] for name in links):
            there = self._api.one(target.object, id)
            for name in links:
                known = [str(one) for one in there.get(name) or ()]
                if more := [one for one in fields[name] or () if one not in known]:
                    changed[name] = [*known, *more]
        if not changed:
            return self._receipt(target, row, "unchanged", id)
        self._api.update(target.object, id, changed)
        return self._receipt(target, row, "updated", id)

    def _receipt(self, target: Target, row: Row, outcome: Any, id: str) -> Receipt:
        return Receipt(key=row.key, outcome=outcome, id=id, url=self._link(target.object, id))


def _key(target: Target, row: Row) -> str:
    return str(row.fields.get(ID) or row.key) if target.key == ID else row.key


def _askable(key: str) -> bool:
    return bool(key) and len(key) <= LONGEST_KEY and "\0" not in key


def _failed(row: Row, error: Exception) -> Receipt:
    return Receipt(key=row.key, outcome="failed", error=error)


def _value(name: str, value: Any, types: Mapping[str, str]) -> Any:
    """A value as EspoCRM's JSON has it: moments in UTC without a zone, links as a list of ids."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.datetime):
        return wire_moment(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if types.get(name) in DATE_TIMES and isinstance(value, str):
        try:
            return wire_moment(dt.datetime.fromisoformat(value))
        except ValueError:
            return value  # EspoCRM says itself what is wrong with it
    if isinstance(value, str) and name.endswith("Ids") and types.get(name.removesuffix("Ids")) in LINKS:
        return [value] if value else []
    return value
