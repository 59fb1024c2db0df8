"""Writing to Odoo: `load()` by external ids, which makes a record or changes the one that is there, in one transaction.

`load()` is what Odoo's own import uses: all rows or none, and its messages name the rows that are wrong. Those get their
own receipts, the others are sent again without them. What the rows' external ids name already is asked first, because
`load()` does not say what it made and what it changed.

Calls for 200 rows: one look-up, and one `load()` for each set of fields that rows have; one more where rows are refused.
Source: Odoo, `BaseModel.load` and `ir.fields.converter` (a reference by id is `field/.id`, moments are in the context's
zone, an empty cell empties the field).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.crm.odoo.errors import WHO
from connectors.crm.odoo.external import KEY, ExternalIds
from connectors.crm.odoo.finding import is_id
from connectors.crm.odoo.models import Catalogue, Described, Model
from connectors.crm.odoo.rpc import Rpc, stamp
from connectors.wire.discreet import discreet
from hub.errors import ConnectorError, NotFound, NotPermitted, Rejected, UnknownOutcome
from hub.model import Receipt, Row, Target

RECORD_ID = "id"  # as a target's key: the record's own id
LONGEST_KEY = 500
_MANY = ("many2many", "one2many")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
Cells = dict[str, str]
Done = dict[int, int | ConnectorError]


class Writer:
    """Writes batches of rows and gives one receipt per row. `link` gives a record's address."""

    def __init__(self, rpc: Rpc, catalogue: Catalogue, external: ExternalIds, link: Callable[[str, str], str]) -> None:
        self._rpc, self._catalogue, self._external, self._link = rpc, catalogue, external, link

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. Of rows with the same key each is written after the one before it."""
        model = self._catalogue[target.object]
        if target.key not in (KEY, RECORD_ID):
            raise Rejected(f"a key of Odoo's is {KEY} or {RECORD_ID}", {target.key: "no key"})
        receipts: dict[int, Receipt] = {}
        while len(receipts) < len(rows):
            turn: dict[str, int] = {}
            for place, row in enumerate(rows):
                if place not in receipts:
                    turn.setdefault(_key(target, row), place)
            receipts |= self._batch(model, target, {place: rows[place] for place in turn.values()})
        return [receipts[place] for place in range(len(rows))]

    def _batch(self, model: Model, target: Target, rows: Mapping[int, Row]) -> dict[int, Receipt]:
        keys = {place: _key(target, row) for place, row in rows.items()}
        done: Done = {place: _wrong_key(target, key) for place, key in keys.items() if not _is_key(target, key)}
        good = {place: key for place, key in keys.items() if place not in done}
        there: dict[int, int] = {}
        if target.key == KEY:
            ids = self._external.records(model.name, good.values()) if good else {}
            there = {place: ids[key] for place, key in good.items() if key in ids}
        else:
            there = {place: int(key) for place, key in good.items()}
        gone = {place: there[place] for place in good if rows[place].action == "remove" and place in there}
        removed = self._removed(model, gone) if gone else {}
        kept = {place: rows[place] for place in good if rows[place].action != "remove"}
        if kept:
            done |= self._loaded(model, target, kept, keys)
        receipts: dict[int, Receipt] = {}
        for place, row in rows.items():
            if row.action == "remove":
                receipts[place] = removed.get(place) or Receipt(key=row.key, outcome="unchanged")
                continue
            result = done[place]
            if isinstance(result, ConnectorError):
                receipts[place] = Receipt(key=row.key, outcome="failed", error=result)
                continue
            outcome = "updated" if place in there else "created"
            url = self._link(model.name, str(result))
            receipts[place] = Receipt(key=row.key, outcome=outcome, id=str(result), url=url)  # type: ignore[arg-type]
        return {place: Receipt(key=rows[place].key, outcome=one.outcome, id=one.id, url=one.url, error=one.error)
                for place, one in receipts.items()}  # fmt: skip

    # --- load ----------------------------------------

    def _loaded(self, model: Model, target: Target, rows: Mapping[int, Row], keys: Mapping[int, str]) -> Done:
        """By place the record's id, or why the row was refused."""
        fields = self._catalogue.fields(model.name)
        done: Done = {}
        alike: dict[tuple[str, ...], dict[int, Cells]] = {}
        for place, row in rows.items():
            try:
                cells = _cells(fields, row)
            except Rejected as error:
                done[place] = error
                continue
            if target.key == KEY:
                cells["id"] = self._external.full(keys[place])
            else:
                cells[".id"] = keys[place]
            alike.setdefault(tuple(sorted(cells)), {})[place] = cells
        for names, some in alike.items():
            waiting = [list(some)]
            while waiting:
                lot = waiting.pop()
                told = self._sent(model, names, [some[place] for place in lot])
                if isinstance(told, list):
                    done |= dict(zip(lot, told, strict=True))
                    continue
                wrong = {lot[place]: error for place, error in told.items() if 0 <= place < len(lot)}
                done |= wrong
                left = [place for place in lot if place not in wrong]
                if wrong:
                    waiting += [left] if left else []
                elif len(lot) == 1:
                    done[lot[0]] = next(iter(told.values()))
                else:  # it names nobody
                    waiting += [lot[len(lot) // 2 :], lot[: len(lot) // 2]]
        return done

    def _sent(self, model: Model, names: Sequence[str], rows: Sequence[Cells]) -> list[int] | dict[int, ConnectorError]:
        """The records' ids, or by row what is wrong with it (-1: it names none); then nothing was done."""
        data = [[row[name] for name in names] for row in rows]
        try:
            told = self._rpc.change(model.name, "load", fields=list(names), data=data)
        except Rejected as error:  # a check of the model's own, outside of what load() catches
            return {-1: error}
        ids = told.get("ids") if isinstance(told, dict) else None
        if isinstance(ids, list) and len(ids) == len(rows):
            return [int(id) for id in ids]
        messages = [one for one in (told or {}).get("messages") or () if one.get("type") == "error"]
        if not messages:
            raise UnknownOutcome(f"{WHO} answers a load() with neither ids nor errors")
        wrong: dict[int, ConnectorError] = {}
        for one in messages:
            place = one.get("record", (one.get("rows") or {}).get("from", -1))
            words = discreet(str(one.get("message") or ""))
            field = str(one.get("field") or "")
            wrong.setdefault(int(place), Rejected(f"{WHO} refuses the row: {words}", {field: words} if field else None))
        return wrong

    # --- remove ----------------------------------------

    def _removed(self, model: Model, ids: Mapping[int, int]) -> dict[int, Receipt]:
        """Deleted in one call; one by one where any of them cannot be. What is gone already is unchanged."""
        try:
            self._rpc.change(model.name, "unlink", ids=sorted(set(ids.values())))
        except (NotFound, NotPermitted, Rejected) as error:
            if len(ids) > 1:
                return {place: self._removed(model, {place: id})[place] for place, id in ids.items()}
            (place,) = ids
            if isinstance(error, NotFound):
                return {place: Receipt(key="", outcome="unchanged")}
            return {place: Receipt(key="", outcome="failed", error=error)}
        return {place: Receipt(key="", outcome="removed", id=str(id)) for place, id in ids.items()}


def _cells(fields: Described, row: Row) -> Cells:
    """A row as cells of an import. Raises Rejected."""
    cells: Cells = {}
    for name, value in row.fields.items():
        if name in (KEY, RECORD_ID):
            continue
        if name not in fields:
            raise Rejected(f"{name}: Odoo has no such field there", {name: "unknown"})
        kind = str(fields[name].get("type"))
        if kind == "many2one" or kind in _MANY:
            told = value if isinstance(value, list | tuple) else [] if value in (None, "", False) else [value]
            ids = [str(one) for one in told]
            if not all(map(is_id, ids)) or (kind == "many2one" and len(ids) > 1):
                raise Rejected(f"{name}: a reference is a record's id", {name: "no id"})
            cells[f"{name}/.id"] = ",".join(ids)
        else:
            cells[name] = as_cell(name, kind, value)
    return cells


def as_cell(name: str, kind: str, value: Any) -> str:
    """A value as an import's cell; an empty one empties the field. Raises Rejected."""
    if value is None or (value is False and kind != "boolean"):
        return ""
    if isinstance(value, str) and kind in ("datetime", "date") and _MOMENT.match(value):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            raise Rejected(f"{name}: this is no moment", {name: "no moment"}) from None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return aware.astimezone(dt.UTC).date().isoformat() if kind == "date" else stamp(aware)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str | int | float | Decimal):
        text = str(value)
        if "\0" in text:
            raise Rejected(f"{name}: Odoo's database keeps no NUL", {name: "NUL"})
        return text
    raise Rejected(f"{name}: Odoo has no word for a value of type {type(value).__name__}", {name: "no value"})


def _key(target: Target, row: Row) -> str:
    return str(row.fields.get(RECORD_ID) or row.key) if target.key == RECORD_ID else row.key


def _is_key(target: Target, key: str) -> bool:
    return is_id(key) if target.key == RECORD_ID else bool(key.strip()) and len(key) <= LONGEST_KEY


def _wrong_key(target: Target, key: str) -> ConnectorError:
    if target.key == RECORD_ID:
        return NotFound("there is no record with this id")
    return Rejected(f"a key has between 1 and {LONGEST_KEY} characters, not {len(key)}", {KEY: "no key"})
