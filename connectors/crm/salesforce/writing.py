"""Writing batches: 200 rows by one call, matched by their key at Salesforce (upsert), one receipt for each row.

Sources: REST API Developer Guide, sObject Collections (up to 200 records, allOrNone false, results in the rows' order),
Composite (collections one after the other in one call). Calls per 200 rows: 1; with removals 2 more; one more where
somebody else made a record with the same key in the same moment.

A row may name a parent by its key, `Contact:Who.Hub_Key__c`, and may bring more of the parent's fields along: then the
parents are written first, in the same call.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct, structs

from connectors.crm.salesforce.errors import DUPLICATE, FIXED, Told, failure, told_in
from connectors.crm.salesforce.rest import Rest
from connectors.crm.salesforce.soql import among, field_name, id_18, in_pieces, is_id, select
from connectors.wire.answers import json_of, lost
from hub.errors import Ambiguous, ConnectorError, NotFound, Rejected
from hub.model import Receipt, Row, Target

MOST = 200  # rows of one collection
BY_ID = ("id", "Id")  # as a target's key: the record's own id

Values = dict[str, Any]


Parent = tuple[str, str, str]  # object, key field, key


class Wanted(Struct, kw_only=True):
    """A record to be written: its key, its values as JSON has them, and the parents that it brings along."""

    key: str
    values: Values
    parents: list[Parent] = []


class Batch(Struct, kw_only=True):
    """What one call writes: the parents that come along, and the rows' own records."""

    parents: dict[tuple[str, str], dict[str, Values]]  # by object and key field, by key
    rows: list[Wanted]


Fixed = Callable[[str], frozenset[str]]  # by object, the fields that never change after a record was made


class Writer:
    """Writes batches by collections."""

    def __init__(self, rest: Rest, link: Callable[[str, str], str], headers: Mapping[str, str], fixed: Fixed) -> None:
        self._rest, self._link, self._headers, self._fixed = rest, link, dict(headers), fixed

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. Of rows with the same key each is written after the one before it."""
        field_name(target.object), field_name(target.key)
        receipts: dict[int, Receipt] = {}
        for places in turns(rows):
            upserts = [place for place in places if rows[place].action == "upsert"]
            removals = [place for place in places if rows[place].action == "remove"]
            for start in range(0, len(upserts), MOST):
                part = upserts[start : start + MOST]
                receipts.update(zip(part, self._upserted(target, [rows[place] for place in part]), strict=True))
            for start in range(0, len(removals), MOST):
                part = removals[start : start + MOST]
                receipts.update(zip(part, self.removed(target, [rows[place] for place in part]), strict=True))
        return [receipts[place] for place in range(len(rows))]

    # --- upsert ----------------------------------------

    def _upserted(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        receipts: dict[int, Receipt] = {}
        good: list[int] = []
        for place, row in enumerate(rows):
            if problem := key_problem(target, row):
                receipts[place] = Receipt(key=row.key, outcome="failed", error=problem)
            else:
                good.append(place)
        receipts.update(zip(good, self._sent(target, [rows[place] for place in good]), strict=True))
        return [receipts[place] for place in range(len(rows))]

    def _sent(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """What Salesforce says of each row; where it refuses the whole call for one row's sake, each half by itself."""
        if not rows:
            return []
        try:
            batch = split(target, rows)
            results = self._collected(target, batch)
        except Rejected as error:  # of 4xx: nothing was done
            if len(rows) == 1:
                return [Receipt(key=rows[0].key, outcome="failed", error=error)]
            middle = len(rows) // 2
            return self._sent(target, rows[:middle]) + self._sent(target, rows[middle:])
        return self._receipts(target, batch, results)

    def _collected(self, target: Target, batch: Batch) -> list[Values]:
        parts: list[tuple[str, list[Values]]] = []
        for (object, key), parents in batch.parents.items():
            records = [{"attributes": {"type": object}, key: one, **values} for one, values in parents.items()]
            parts.append((f"composite/sobjects/{object}/{key}", records))
        own: list[Values] = []
        for wanted in batch.rows:
            name = "id" if target.key in BY_ID else target.key
            own.append({"attributes": {"type": target.object}, **wanted.values, name: wanted.key})
        path = "composite/sobjects" if target.key in BY_ID else f"composite/sobjects/{target.object}/{target.key}"
        parts.append((path, own))
        if len(parts) == 1:
            answer = self._rest.sent(
                "PATCH", path, body={"allOrNone": False, "records": own}, headers=self._headers, changes=True
            )
            return _results(answer, own)
        told = self._rest.composite(
            [{"method": "PATCH", "url": f"{self._rest.data}/{path}", "referenceId": f"part{place}",
              "body": {"allOrNone": False, "records": records}} | ({"httpHeaders": self._headers} if self._headers else {})
             for place, (path, records) in enumerate(parts)], changes=True,
        )  # fmt: skip
        failures: dict[Parent, ConnectorError] = {}
        for ((object, key), parents), (status, body) in zip(batch.parents.items(), told[:-1], strict=True):
            for one, result in zip(parents, _listed(status, body, len(parents)), strict=True):
                if not result.get("success"):
                    failures[object, key, one] = failure(told_in(result.get("errors")))
        results = _listed(*told[-1], len(own))
        # A row whose parent was refused fails for that reason, not because its parent is not there.
        for wanted, result in zip(batch.rows, results, strict=True):
            refused = [failures[parent] for parent in wanted.parents if parent in failures]
            if refused and not result.get("success"):
                result["parent"] = refused[0]
        return results

    def _receipts(self, target: Target, batch: Batch, results: Sequence[Values]) -> list[Receipt]:
        receipts = [self._receipt(target, wanted, result) for wanted, result in zip(batch.rows, results, strict=True)]
        taken: dict[int, Wanted] = {}
        there: dict[int, Wanted] = {}
        for place, (wanted, result) in enumerate(zip(batch.rows, results, strict=True)):
            told = told_in(result.get("errors"))
            match = DUPLICATE.search(told.message)
            if match and match[1] == target.key:
                taken[place] = Wanted(key=id_18(match[2]), values=wanted.values)
            elif (
                told.code == FIXED
                and "parent" not in result
                and (left := without(self._fixed, target.object, wanted, told))
            ):
                there[place] = left
        # Somebody else made the record in this very moment: it is that one, so it gets this row's values.
        self._again(Target(object=target.object, key="id"), taken, receipts)
        # What is never changed after a record was made is refused only where the record is there already.
        self._again(target, there, receipts)
        return receipts

    def _again(self, target: Target, rows: Mapping[int, Wanted], receipts: list[Receipt]) -> None:
        if not rows:
            return
        results = self._collected(target, Batch(parents={}, rows=list(rows.values())))
        for (place, wanted), result in zip(rows.items(), results, strict=True):
            receipts[place] = structs.replace(self._receipt(target, wanted, result), key=receipts[place].key)

    def _receipt(self, target: Target, wanted: Wanted, result: Values) -> Receipt:
        if not result.get("success"):
            error = result.get("parent") or failure(told_in(result.get("errors")))
            return Receipt(key=wanted.key, outcome="failed", error=error)
        id = str(result["id"])
        outcome = "created" if result.get("created") else "updated"
        return Receipt(key=wanted.key, outcome=outcome, id=id, url=self._link(target.object, id))  # type: ignore[arg-type]

    # --- remove ----------------------------------------

    def removed(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """Deleted by id, which are asked for by the keys first. What is gone already is unchanged."""
        ids = self._ids(target, rows)
        wanted = list(dict.fromkeys(id for found in ids for id in found[:1] if len(found) == 1))
        results: dict[str, Values] = {}
        for start in range(0, len(wanted), MOST):
            part = wanted[start : start + MOST]
            told = self._rest.change(
                "DELETE", "composite/sobjects", params={"ids": ",".join(part), "allOrNone": "false"}
            )
            results.update(zip(part, _listed(200, told, len(part)), strict=True))
        receipts = []
        for row, found in zip(rows, ids, strict=True):
            if len(found) > 1:
                error: ConnectorError = Ambiguous(f"{len(found)} records of {target.object} have this {target.key}")
                receipts.append(Receipt(key=row.key, outcome="failed", error=error))
                continue
            result = results.get(found[0]) if found else None
            gone = result is None
            if result is not None and not result.get("success"):
                error = failure(told_in(result.get("errors")))
                if (
                    not isinstance(error, NotFound)
                    and told_in(result.get("errors")).code != "INVALID_CROSS_REFERENCE_KEY"
                ):
                    receipts.append(Receipt(key=row.key, outcome="failed", error=error))
                    continue
                gone = True
            receipts.append(
                Receipt(key=row.key, outcome="unchanged" if gone else "removed", id=found[0] if found else "")
            )
        return receipts

    def _ids(self, target: Target, rows: Sequence[Row]) -> list[list[str]]:
        if target.key in BY_ID:
            return [[id_18(_key(target, row))] if is_id(_key(target, row)) else [] for row in rows]
        there: dict[str, list[str]] = defaultdict(list)
        for keys in in_pieces(dict.fromkeys(row.key.strip() for row in rows if len(row.key) <= 255)):
            for found in self._rest.query(select(["Id", target.key], target.object, among(target.key, keys))):
                there[str(found[target.key])].append(str(found["Id"]))
        return [there.get(row.key.strip(), []) for row in rows]  # Salesforce keeps no blanks around a text


def without(fixed: Fixed, object: str, wanted: Wanted, told: Told) -> Wanted | None:
    """The record without the fields that never change, where it was refused for those; else None."""
    never = fixed(object)
    if not told.fields or not set(told.fields) <= never:
        return None
    return Wanted(key=wanted.key, values={name: value for name, value in wanted.values.items() if name not in never})


def turns(rows: Sequence[Row]) -> Iterator[list[int]]:
    """The rows' places in turns: in each of them every key is there once, because a collection may not have it twice."""
    left = list(range(len(rows)))
    while left:
        turn: dict[str, int] = {}
        for place in left:
            turn.setdefault(rows[place].key, place)
        yield sorted(turn.values())
        left = sorted(set(left) - set(turn.values()))


def key_problem(target: Target, row: Row) -> ConnectorError | None:
    """Why a row's key can be no record's; None: it can."""
    key = _key(target, row)
    if target.key in BY_ID:
        return None if is_id(key) else NotFound(f"there is no {target.object} with this id")
    if not key.strip() or len(key) > 255:
        return Rejected(f"{target.key}: a key has between 1 and 255 characters", {target.key: "no key"})
    return None


def split(target: Target, rows: Sequence[Row]) -> Batch:
    """The rows as records, and the parents whose own fields they bring along. Raises Rejected."""
    batch = Batch(parents={}, rows=[])
    for row in rows:
        values: Values = {}
        parents: dict[str, tuple[str, Values]] = {}
        for name, value in row.fields.items():
            if name.lower() == target.key.lower() or name.lower() == "id":
                continue
            prefix, dot, inner = name.rpartition(".")
            if not dot:
                values[name] = as_json(name, value)
                continue
            field_name(name.replace(":", ".", 1))
            object, _, relation = prefix.rpartition(":")
            parents.setdefault(relation, (object, {}))[1][inner] = as_json(name, value)
        wanted = Wanted(key=_key(target, row), values=values, parents=[])
        for relation, (object, told) in parents.items():
            _relate(batch, wanted, relation, object, told, target)
        batch.rows.append(wanted)
    return batch


def _relate(batch: Batch, wanted: Wanted, relation: str, object: str, told: Values, target: Target) -> None:
    # A parent's key field has the name of the row's own: one field that an administrator makes on each object.
    key = target.key if target.key in told else next((name for name in told if name.endswith("__c")), "")
    if not key or told[key] in (None, ""):
        return  # nobody is named, so nobody is related
    wanted.values[relation] = {key: told[key]} | ({"attributes": {"type": object}} if object else {})
    rest = {name: value for name, value in told.items() if name != key}
    if rest:
        if not object:
            raise Rejected(f"{relation}: say which object it is, as in Contact:{relation}.LastName")
        wanted.parents.append((object, key, str(told[key])))
        batch.parents.setdefault((object, key), {}).setdefault(str(told[key]), {}).update(rest)


def as_json(name: str, value: Any) -> Any:
    """A value as Salesforce's JSON has it."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return list(value)
    raise Rejected(f"{name}: Salesforce has no word for a value of type {type(value).__name__}", {name: "no value"})


def _key(target: Target, row: Row) -> str:
    return str(row.fields.get("id") or row.fields.get("Id") or row.key) if target.key in BY_ID else row.key


def _results(answer: Any, rows: Sequence[Any]) -> list[Values]:
    return _listed(answer.status_code, json_of(answer, "Salesforce", changes=True), len(rows))


def _listed(status: int, body: Any, count: int) -> list[Values]:
    """A collection's results, one for each row."""
    if status >= 300:
        raise failure(told_in(body), status)
    if not isinstance(body, list) or len(body) != count or not all(isinstance(one, dict) for one in body):
        raise lost(changes=True)("Salesforce did not answer for each row of a collection")
    return body
