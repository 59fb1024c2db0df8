"""Writing to Fusion: look the keys up, then one batch of creates, updates and deletes.

A batch is all or none, and an answer that refuses it lists only the parts that failed: those rows get their own receipts
and the others are sent again without them. Where an answer names nobody (a line of text), the batch is sent in halves.

Calls for 200 rows: the look-up takes one GET for as many keys as fit into an address (some 80 of 45 letters, so three),
the batches one POST for each `parts_per_batch` (two by default), and one more for each refused row.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from connectors.crm.oracle_fusion.query import both, either, equals, fits, portions
from connectors.crm.oracle_fusion.resources import CREATED, UPDATED, Catalogue, Resource
from connectors.crm.oracle_fusion.rest import Refused, Rest
from hub.errors import Ambiguous, ConnectorError, NotFound, Rejected
from hub.model import Receipt, Row, Target

RECORD_ID = "id"  # as a target's key: the record's own id
Record = dict[str, Any]


class Part(Struct, frozen=True, kw_only=True):
    """What is to be done for one row."""

    operation: str
    path: str
    payload: Record | None = None
    there: Record = {}


class Writer:
    """Writes batches of rows and gives one receipt per row. `link` gives a record's address from its id and number."""

    def __init__(
        self,
        rest: Rest,
        catalogue: Catalogue,
        link: Callable[[Resource, str, str], str],
        *,
        parts_per_batch: int,
        encoded: str,
        upserted: str,
    ) -> None:
        self._rest, self._catalogue, self._link = rest, catalogue, link
        self._parts_per_batch, self._encoded, self._upserted = parts_per_batch, encoded, upserted

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. Of rows with the same key each is written after the one before it."""
        receipts: dict[int, Receipt] = {}
        while len(receipts) < len(rows):
            turn: dict[str, int] = {}
            for place, row in enumerate(rows):
                if place not in receipts:
                    turn.setdefault(row.key, place)
            batch = [rows[place] for place in turn.values()]
            receipts.update(zip(turn.values(), self._batch(target, batch), strict=True))
        return [receipts[place] for place in range(len(rows))]

    def _batch(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        resource = self._catalogue[target.object]
        failed: dict[int, ConnectorError] = {}
        native = target.key in self._catalogue.told(self._upserted, resource.name)
        keys = {place: _key(target, row) for place, row in enumerate(rows)}
        sought = {place: key for place, key in keys.items() if not native or rows[place].action == "remove"}
        there = self._there(resource, target, sought, failed)
        parts: dict[int, Part] = {}
        for place, row in enumerate(rows):
            if place in failed:
                continue
            try:
                part = self._part(resource, target, row, keys[place], there.get(place, []), native)
            except (Ambiguous, NotFound, Rejected) as error:
                failed[place] = error
                continue
            if part is not None:
                parts[place] = part
        done = self._sent(parts)
        return [self._receipt(resource, row, failed.get(place) or done.get(place), parts.get(place))
                for place, row in enumerate(rows)]  # fmt: skip

    # --- what is there ----------------------------------------

    def _there(
        self, resource: Resource, target: Target, keys: Mapping[int, str], failed: dict[int, ConnectorError]
    ) -> dict[int, list[Record]]:
        """By place the records that have the row's key. A key that cannot be asked for is that row's failure."""
        attribute = resource.id if target.key == RECORD_ID else target.key
        clauses: list[tuple[int, str]] = []
        for place, key in keys.items():
            try:
                if attribute == resource.id and not key.isdecimal():
                    continue
                clause = equals(attribute, int(key) if attribute == resource.id else key)
                if not fits(clause):
                    raise Rejected(
                        f"the key of {len(key)} characters is too long for {attribute}", {attribute: "too long"}
                    )
                clauses.append((place, clause))
            except Rejected as error:
                failed[place] = error
        found: dict[str, dict[str, Record]] = {}
        reads = ",".join(dict.fromkeys((resource.id, resource.number, attribute)))
        for portion in portions(clauses):
            q = both([either(clause for _, clause in portion)])
            for record in self._rest.items(f"/{resource.name}", q=q, fields=reads, orderBy=f"{resource.id}:asc"):
                found.setdefault(str(record.get(attribute)), {})[str(record.get(resource.id))] = record
        return {place: list(found.get(key, {}).values()) for place, key in keys.items()}

    # --- what has to be done ----------------------------------------

    def _part(
        self, resource: Resource, target: Target, row: Row, key: str, there: list[Record], native: bool
    ) -> Part | None:
        if len(there) > 1:
            raise Ambiguous(f"{len(there)} records of {resource.name} have the same {target.key}")
        if row.action == "remove":
            return Part(operation="delete", path=_path(resource, there[0]), there=there[0]) if there else None
        payload = {name: self._value(resource, name, value) for name, value in row.fields.items() if name != RECORD_ID}
        if there:
            payload.pop(target.key, None)
            return Part(operation="update", path=_path(resource, there[0]), payload=payload, there=there[0])
        if target.key in (RECORD_ID, resource.id):
            raise NotFound(f"there is no record of {resource.name} with this id")
        payload[target.key] = key
        return Part(operation="upsert" if native else "create", path=f"/{resource.name}", payload=payload)

    def _value(self, resource: Resource, name: str, value: Any) -> Any:
        """A value as JSON has it; where the pod wants a long text as base64, so."""
        if isinstance(value, str) and name in self._catalogue.told(self._encoded, resource.name):
            return base64.b64encode(value.encode()).decode()
        if isinstance(value, Decimal):
            return float(value)
        if isinstance(value, dt.datetime | dt.date):
            return value.isoformat()
        return value

    # --- sending ----------------------------------------

    def _sent(self, parts: Mapping[int, Part]) -> dict[int, Record | ConnectorError]:
        """By place the record that was written, or why it was not."""
        done: dict[int, Record | ConnectorError] = {}
        places = list(parts)
        size = self._parts_per_batch
        waiting = [places[start : start + size] for start in range(0, len(places), size)][::-1]
        while waiting:
            lot = waiting.pop()
            outcome = self._rest.batch([_wire(place, parts[at]) for place, at in enumerate(lot)])
            if not isinstance(outcome, Refused):
                done.update({lot[place]: record for place, record in outcome.items()})
            elif outcome.rows:
                done.update({lot[place]: error for place, error in outcome.rows.items()})
                rest = [at for place, at in enumerate(lot) if place not in outcome.rows]
                waiting += [rest] if rest else []
            elif len(lot) == 1:
                done[lot[0]] = outcome.whole
            else:
                middle = len(lot) // 2
                waiting += [lot[middle:], lot[:middle]]
        return done

    def _receipt(
        self, resource: Resource, row: Row, done: Record | ConnectorError | None, part: Part | None
    ) -> Receipt:
        if isinstance(done, ConnectorError):
            if isinstance(done, NotFound) and part is not None and part.operation == "delete":
                return Receipt(key=row.key, outcome="unchanged")  # somebody else has removed it meanwhile
            return Receipt(key=row.key, outcome="failed", error=done)
        if part is None:
            return Receipt(key=row.key, outcome="unchanged")
        if part.operation == "delete":
            return Receipt(key=row.key, outcome="removed", id=str(part.there.get(resource.id, "")))
        record = {**part.there, **(done or {})}
        id, number = str(record.get(resource.id, "")), str(record.get(resource.number, ""))
        new = part.operation == "create" or (part.operation == "upsert" and _is_new(record))
        url = self._link(resource, id, number) if id else ""
        return Receipt(key=row.key, outcome="created" if new else "updated", id=id, url=url)


def _key(target: Target, row: Row) -> str:
    return str(row.fields.get("id") or row.key) if target.key == RECORD_ID else row.key


def _path(resource: Resource, record: Record) -> str:
    return f"/{resource.name}/{quote(str(record[resource.number]), safe='')}"


def _wire(place: int, part: Part) -> dict[str, Any]:
    told: dict[str, Any] = {"id": f"row-{place}", "path": part.path, "operation": part.operation}
    return told if part.payload is None else {**told, "payload": part.payload}


def _is_new(record: Record) -> bool:
    """Whether an upsert has just made it: a batch does not say, its two dates do."""
    return bool(record.get(CREATED)) and record.get(CREATED) == record.get(UPDATED)
