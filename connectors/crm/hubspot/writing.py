"""Writing to HubSpot: `batch/upsert` by a unique property, then the associations without which nobody sees an activity.

An upsert by a property that HubSpot keeps unique is native: the same key is the same record, whatever became of an earlier
attempt. A 207 lists its errors in no order; each row carries a trace id (`objectWriteTraceId`) that the error repeats.
Where it does not, and where HubSpot refuses a batch as a whole, the rows that are not known to be done are sent in halves.

A row's `contact`, `company`, `deal` and `ticket` (an id or a list of ids) are no properties: they are associated after
the upsert, in HubSpot's default way (call to contact is type 194, to company 182, to deal 206, to ticket 220).

Calls for 200 rows: two upserts, and one for each kind of record that rows are associated with; one or two more where a
row is refused. Sources: the public specification (batch/upsert, associations v4), HubSpot, "Error handling", 207.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from connectors.crm.hubspot.errors import TRACE, existing_id, meant, traces_of, unknown_properties
from connectors.crm.hubspot.finding import LONGEST_KEY, is_id
from connectors.crm.hubspot.objects import ID, RELATED, Catalogue, Object
from connectors.crm.hubspot.people import ids_of
from connectors.crm.hubspot.rest import BATCH, PAIRS, Found, Rest
from hub.errors import ConnectorError, NotFound, Rejected, UnknownOutcome
from hub.model import Receipt, Row, Target

BY_ID = ("id", ID)


class Wanted(Struct, frozen=True, kw_only=True):
    """A row as HubSpot takes it. `related`: by object the ids of the records that it stands at."""

    key: str
    properties: dict[str, str]
    related: dict[str, list[str]]


Done = dict[int, Found | ConnectorError]


class Writer:
    """Writes batches of rows and gives one receipt per row. `link` gives a record's address from its id."""

    def __init__(self, rest: Rest, catalogue: Catalogue, link: Callable[[Object, str], str]) -> None:
        self._rest, self._catalogue, self._link = rest, catalogue, link

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. A batch may not name a key twice, so the same key has its turn again."""
        object = self._catalogue[target.object]
        receipts: dict[int, Receipt] = {}
        while len(receipts) < len(rows):
            turn: dict[str, int] = {}
            for place, row in enumerate(rows):
                if place not in receipts:
                    turn.setdefault(_key(target, row).lower(), place)
            batch = {place: rows[place] for place in turn.values()}
            gone = {place: row for place, row in batch.items() if row.action == "remove"}
            receipts |= self._removed(object, target, gone) if gone else {}
            kept = {place: row for place, row in batch.items() if row.action != "remove"}
            receipts |= self._upserted(object, target, kept) if kept else {}
        return [receipts[place] for place in range(len(rows))]

    # --- upsert ----------------------------------------

    def _upserted(self, object: Object, target: Target, rows: Mapping[int, Row]) -> dict[int, Receipt]:
        done: Done = {}
        wanted: dict[int, Wanted] = {}
        for place, row in rows.items():
            try:
                wanted[place] = _wanted(object, target, row)
            except (Rejected, NotFound) as error:
                done[place] = error
        done |= self._sent(object, target, wanted)
        done |= self._related(
            object, {p: one for p, one in wanted.items() if not isinstance(done[p], ConnectorError)}, done
        )
        return {place: self._receipt(object, row, done[place]) for place, row in rows.items()}

    def _sent(self, object: Object, target: Target, wanted: Mapping[int, Wanted]) -> Done:
        """By place the record that was written, or why it was not."""
        done: Done = {}
        places = list(wanted)
        waiting = [places[start : start + BATCH] for start in range(0, len(places), BATCH)][::-1]
        by_id = target.key in BY_ID
        path = self._rest.at("objects", object.name, "batch", "update" if by_id else "upsert")
        while waiting:
            lot = waiting.pop()
            inputs = [_input(target, place, wanted[place], by_id) for place in lot]
            answer = self._rest.change(path, {"inputs": inputs})
            if answer.error is not None:
                if len(lot) == 1:
                    done[lot[0]] = self._adopted(object, target, wanted[lot[0]], answer.whole, answer.error)
                    continue
                unknown = unknown_properties(answer.whole)
                wrong = [place for place in lot if unknown & set(wanted[place].properties)]
                done.update(dict.fromkeys(wrong, answer.error))
                waiting += _halves([place for place in lot if place not in wrong], whole=bool(wrong))
                continue
            placed = _placed(lot, target, wanted, answer.results)
            done |= placed
            for told in answer.errors:
                for place in _places(told, lot, wanted, target):
                    if place not in placed:
                        done[place] = self._adopted(object, target, wanted[place], told, meant(told))
            left = [place for place in lot if place not in done]
            if left and len(lot) == 1:
                told = answer.errors[0] if answer.errors else {}
                done[left[0]] = meant(told) if told else UnknownOutcome("HubSpot answers a batch without this row")
            else:
                waiting += _halves(left, whole=len(left) < len(lot))
        return done

    def _adopted(
        self, object: Object, target: Target, wanted: Wanted, told: Mapping[str, Any], error: ConnectorError
    ) -> Found | ConnectorError:
        """A refused row whose e-mail address (or other unique value) a record has that nobody has keyed yet is that
        record's: it gets the row's values and its key. With another key, it is somebody else's, and the row is refused."""
        id = existing_id(told)
        if not id or target.key in BY_ID:
            return error
        there = next(iter(self._rest.read(object.name, [id], [target.key])), None)
        kept = str(((there or {}).get("properties") or {}).get(target.key) or "")
        if there is None or (kept and kept.lower() != wanted.key.lower()):
            return error
        properties = {**wanted.properties, target.key: wanted.key}
        answer = self._rest.change(self._rest.at("objects", object.name, "batch", "update"),
                                   {"inputs": [{"id": str(there["id"]), "properties": properties}]})  # fmt: skip
        return answer.results[0] if answer.results else answer.error or error

    # --- associations ----------------------------------------

    def _related(self, object: Object, wanted: Mapping[int, Wanted], done: Mapping[int, Any]) -> Done:
        """Associates what was written; by place why that failed, where it did. Made again, an association is the same."""
        failed: Done = {}
        pairs: dict[str, list[tuple[int, str, str]]] = {}
        for place, one in wanted.items():
            for other, ids in one.related.items():
                pairs.setdefault(other, []).extend((place, str(done[place]["id"]), id) for id in ids)
        for other, some in pairs.items():
            path = self._rest.at("associations", object.name, other, "batch", "associate", "default")
            waiting = [some[start : start + PAIRS] for start in range(0, len(some), PAIRS)][::-1]
            while waiting:
                lot = waiting.pop()
                inputs = [{"from": {"id": ours}, "to": {"id": theirs}} for _, ours, theirs in lot]
                answer = self._rest.change(path, {"inputs": inputs})
                if answer.error is not None and len(lot) > 1:
                    waiting += [lot[len(lot) // 2 :], lot[: len(lot) // 2]]
                    continue
                if answer.error is not None:
                    failed[lot[0][0]] = answer.error
                    continue
                made = {
                    (str(one.get("from", {}).get("id")), str(one.get("to", {}).get("id"))) for one in answer.results
                }
                if not answer.errors:
                    continue
                for place, ours, theirs in lot:
                    if (ours, theirs) not in made:
                        told = next((e for e in answer.errors if _speaks_of(e, ours, theirs)), answer.errors[0])
                        failed.setdefault(place, meant(told))
        return failed

    # --- remove ----------------------------------------

    def _removed(self, object: Object, target: Target, rows: Mapping[int, Row]) -> dict[int, Receipt]:
        """Archived by id, which are read by the keys first. What is gone already is unchanged."""
        keys = {place: key for place, row in rows.items() if _is_key(target, key := _key(target, row))}
        by = "" if target.key in BY_ID else target.key
        there: dict[str, str] = {}
        for one in self._rest.read(object.name, list(keys.values()), [by] if by else [ID], by=by):
            value = str((one.get("properties") or {}).get(by) or "").lower()
            there |= dict.fromkeys([value] if by else ids_of(one), str(one["id"]))
        ids = {place: there[key.lower()] for place, key in keys.items() if key.lower() in there}
        wanted = list(dict.fromkeys(ids.values()))
        path = self._rest.at("objects", object.name, "batch", "archive")
        failed: dict[str, ConnectorError] = {}
        for start in range(0, len(wanted), BATCH):
            lot = wanted[start : start + BATCH]
            answer = self._rest.change(path, {"inputs": [{"id": id} for id in lot]})
            if answer.error is not None:
                failed |= dict.fromkeys(lot, answer.error)
        return {place: Receipt(key=row.key, outcome="failed", error=failed[ids[place]]) if ids.get(place) in failed else
                Receipt(key=row.key, outcome="removed" if place in ids else "unchanged", id=ids.get(place, ""))
                for place, row in rows.items()}  # fmt: skip

    def _receipt(self, object: Object, row: Row, done: Found | ConnectorError) -> Receipt:
        if isinstance(done, ConnectorError):
            return Receipt(key=row.key, outcome="failed", error=done)
        id = str(done.get("id", ""))
        outcome = "created" if done.get("new") is True else "updated"
        url = str(done.get("url") or "") or self._link(object, id)
        return Receipt(key=row.key, outcome=outcome, id=id, url=url)  # type: ignore[arg-type]


def _wanted(object: Object, target: Target, row: Row) -> Wanted:
    """Raises Rejected or NotFound where the row cannot be anything of HubSpot's."""
    key = _key(target, row)
    if not _is_key(target, key):
        if target.key in BY_ID:
            raise NotFound(f"there is no record of {object.name} with this id")
        raise Rejected(f"{target.key}: a key has between 1 and {LONGEST_KEY} characters", {target.key: "no key"})
    properties: dict[str, str] = {}
    related: dict[str, list[str]] = {}
    for name, value in row.fields.items():
        if name in object.related:
            told = value if isinstance(value, list | tuple) else [value]
            ids = [str(one) for one in told if one not in (None, "")]
            if not all(map(is_id, ids)):
                raise Rejected(f"{name}: this is the id of no record", {name: "no id"})
            if ids:
                related[RELATED[name]] = list(dict.fromkeys(ids))
        elif name != target.key and name not in BY_ID:
            properties[name] = as_text(name, value)
    return Wanted(key=key, properties=properties, related=related)


def as_text(name: str, value: Any) -> str:
    """A value as HubSpot has it: every property is a text; an empty one clears it. Raises Rejected."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str | int | float | Decimal):
        return str(value)
    if isinstance(value, list | tuple) and all(isinstance(one, str | int) for one in value):
        return ";".join(map(str, value))  # several values of one list
    raise Rejected(f"{name}: HubSpot has no word for a value of type {type(value).__name__}", {name: "no value"})


def _key(target: Target, row: Row) -> str:
    return str(row.fields.get("id") or row.fields.get(ID) or row.key) if target.key in BY_ID else row.key


def _is_key(target: Target, key: str) -> bool:
    if target.key in BY_ID:
        return is_id(key)
    return bool(key.strip()) and len(key) <= LONGEST_KEY and "\0" not in key


def _input(target: Target, place: int, wanted: Wanted, by_id: bool) -> Found:
    told: Found = {"id": wanted.key, "properties": wanted.properties, TRACE: f"row-{place}"}
    if not by_id:
        told["idProperty"] = target.key
        told["properties"] = {**wanted.properties, target.key: wanted.key}
    return told


def _placed(lot: Sequence[int], target: Target, wanted: Mapping[int, Wanted], results: Sequence[Found]) -> Done:
    """The results by the rows' places: by trace id, else by the key among the properties, else by the record's id."""
    by_trace = {f"row-{place}": place for place in lot}
    by_key = {wanted[place].key.strip().lower(): place for place in lot}
    placed: Done = {}
    for one in results:
        key = str((one.get("properties") or {}).get(target.key) or "").strip().lower()
        named = [by_trace.get(str(one.get(TRACE))), by_key.get(key)]
        if target.key in BY_ID:
            named += [by_key.get(id) for id in ids_of(one)]
        place = next((place for place in named if place is not None), None)
        if place is not None:
            placed[place] = one
    return placed


def _places(told: Mapping[str, Any], lot: Sequence[int], wanted: Mapping[int, Wanted], target: Target) -> list[int]:
    """The rows that an error names: by trace id, or by the ids in its context."""
    traces = set(traces_of(told))
    context = told.get("context") or {}
    ids = {str(one).lower() for name in ("id", "ids", target.key) for one in context.get(name) or ()}
    return [place for place in lot if f"row-{place}" in traces or (not traces and wanted[place].key.lower() in ids)]


def _halves(places: list[int], whole: bool) -> list[list[int]]:
    """What is sent again: as it is where something was taken out of it, else in halves."""
    if not places:
        return []
    if whole or len(places) == 1:
        return [places]
    middle = len(places) // 2
    return [places[middle:], places[:middle]]


def _speaks_of(told: Mapping[str, Any], ours: str, theirs: str) -> bool:
    named = {str(one) for values in (told.get("context") or {}).values() for one in values}
    return bool({ours, theirs} & named)
