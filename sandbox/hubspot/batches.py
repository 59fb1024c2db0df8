"""Batches: read, create, update, upsert and archive of records, and associations, with the 207 of a half success.

With a trace id on every input (`objectWriteTraceId`) a write does what it can and answers 207 where something failed, the
errors in a list beside the results; without, one bad row refuses the whole batch, and nothing is done.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.frame import Faults
from sandbox.hubspot.errors import Problem
from sandbox.hubspot.portal import Portal, Record
from sandbox.hubspot.schema import ASSOCIATIONS, TYPE_IDS, changed_property, object_of

LARGEST, MOST_PAIRS = 100, 2_000
TRACE = "objectWriteTraceId"
Told = dict[str, Any]


class Batches:
    """The batches of one account."""

    def __init__(self, portal: Portal, faults: Faults) -> None:
        self._portal, self._faults = portal, faults

    def answer(self, object: str, verb: str, told: Mapping[str, Any]) -> tuple[Told | None, int]:
        """Body and status; no body with 204."""
        inputs = _inputs(told, LARGEST)
        match verb:
            case "read":
                return self._read(object, told, inputs)
            case "archive":
                with self._portal.lock:
                    for one in inputs:
                        if record := self._portal.one(object, str(one.get("id"))):
                            self._portal.archive(object, record)
                return None, 204
            case "create" | "update" | "upsert":
                return self._written(object, verb, inputs)
        raise Problem(405, "Method not allowed")

    def _read(self, object: str, told: Mapping[str, Any], inputs: list[Told]) -> tuple[Told, int]:
        by = str(told.get("idProperty") or "")
        found: dict[str, Record] = {}
        missing = []
        for one in inputs:
            id = str(one.get("id", ""))
            if not by and not id.isdecimal():
                raise Problem(400, f"Invalid ID: {id[:40]}")
            record = self._portal.one(object, id, by)
            if record is None:
                missing.append(id)
            else:
                found[record.id] = record
        results = [shown(object, found[id], told.get("properties")) for id in sorted(found, key=int)]
        words = "Could not get some objects, they may be deleted or not exist. Check that ids are valid."
        gone = Problem(404, words, "OBJECT_NOT_FOUND", context={"ids": missing})
        errors = [gone.within()] if missing else []
        return answered(results, errors, 200)

    def _written(self, object: str, verb: str, inputs: list[Told]) -> tuple[Told, int]:
        names = [(str(one.get("idProperty") or ""), str(one.get("id", "")).lower()) for one in inputs]
        if verb != "create" and len(set(names)) < len(names):
            raise Problem(400, "Duplicate IDs found in batch input")
        halves = all(one.get(TRACE) for one in inputs) and not self._faults.take("whole_batch")
        results: list[Told] = []
        errors: list[Told] = []
        locked = self._faults.take("row_locked") is not None
        with self._portal.lock:
            if not halves:
                self._tried(object, verb, inputs)
            for place, one in enumerate(inputs):
                trace = str(one.get(TRACE) or "")
                try:
                    if locked and place == len(inputs) // 2:
                        raise Problem(423, "The record is locked", "LOCKED")
                    record, new = self._one(object, verb, one)
                except Problem as problem:
                    if not halves:
                        raise
                    errors.append(problem.within(trace))
                    continue
                by = [str(one["idProperty"])] if one.get("idProperty") else []
                names_shown = [*(one.get("properties") or {}), *by]
                told = shown(object, record, names_shown)
                results.append(
                    {**told, **({"new": new} if verb == "upsert" else {}), **({TRACE: trace} if trace else {})}
                )
        if self._faults.take("shuffled"):
            results.reverse()
            errors.reverse()
        if errors and self._faults.take("no_traces"):
            for error in errors:
                error["context"] = {}
        return answered(results, errors, 201 if verb == "create" else 200)

    def _tried(self, object: str, verb: str, inputs: list[Told]) -> None:
        """All or none: tried on a copy first. Raises Problem."""
        kept = self._portal.lock
        try:
            self._portal.lock = None  # type: ignore[assignment]
            trial = copy.deepcopy(self._portal)
        finally:
            self._portal.lock = kept
        trial.lock = kept
        for one in inputs:
            Batches(trial, Faults())._one(object, verb, one)

    def _one(self, object: str, verb: str, told: Mapping[str, Any]) -> tuple[Record, bool]:
        values = told.get("properties") or {}
        if verb == "create":
            record = self._portal.create(object, values)
            for one in told.get("associations") or ():
                self.typed(object, record.id, str(one["to"]["id"]), int(one["types"][0]["associationTypeId"]))
            return record, True
        id, by = str(told.get("id", "")), str(told.get("idProperty") or "")
        if verb == "upsert" and not by:
            raise Problem(400, "idProperty is required for an upsert")
        record_there = self._portal.one(object, id, by)
        if record_there is not None:
            return self._portal.update(object, record_there, values), False
        if verb == "update":
            raise Problem(404, "Could not find the object", "OBJECT_NOT_FOUND", context={"ids": [id]})
        return self._portal.create(object, {**values, by: id}), True

    # --- associations ----------------------------------------

    def associations(self, rest: list[str], told: Mapping[str, Any]) -> tuple[Told, int]:
        """`{from}/{to}/batch/associate/default`, `…/batch/create` and `…/batch/read`."""
        if len(rest) < 4 or rest[2] != "batch":
            raise Problem(404, "Not found", "OBJECT_NOT_FOUND")
        object, other = object_of(rest[0]), object_of(rest[1])
        if object is None or other is None:
            raise Problem(400, "Unable to infer object type")
        inputs = _inputs(told, MOST_PAIRS)
        if rest[3:] == ["read"]:
            results = [{"from": {"id": str(one["id"])}, "to": [
                {"toObjectId": id, "associationTypes": [{"category": "HUBSPOT_DEFINED", "label": None, "typeId":
                    self._portal.associations[object, str(one["id"]), other, id]}]}
                for id in self._portal.associated(object, str(one["id"]), other)]} for one in inputs]  # fmt: skip
            return answered(results, [], 200)
        if rest[3:] not in (["associate", "default"], ["create"]):
            raise Problem(404, "Not found", "OBJECT_NOT_FOUND")
        results, errors = [], []
        for one in inputs:
            ours, theirs = (str((one.get(side) or {}).get("id")) for side in ("from", "to"))
            try:
                made, there, number = self._portal.associate(object, ours, other, theirs)
            except Problem as problem:
                errors.append(problem.within())
                continue
            if rest[3:] == ["create"]:
                results.append(pair_shown(object, made, other, there))
                continue
            results.append({"from": {"id": made}, "to": {"id": there}, "associationSpec": {
                "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}})  # fmt: skip
        return answered(results, errors, 200)

    def typed(self, object: str, id: str, other_id: str, number: int) -> None:
        """An association by its type's number, as a new record brings it along."""
        other = next((to for (kind, to), type in ASSOCIATIONS.items() if kind == object and type == number), None)
        if other is None:
            raise Problem(400, f"{number} is no association type of {object}")
        self._portal.associate(object, id, other, other_id)


def shown(object: str, record: Record, names: Iterable[str] | None = None) -> Told:
    """A record as the service tells it: the properties that were asked for, and those that always come."""
    always = ("hs_object_id", "createdate" if object == "contacts" else "hs_createdate", changed_property(object))
    wanted = list(names) if names is not None else list(record.properties)
    properties = {name: record.properties.get(name) for name in dict.fromkeys((*wanted, *always))}
    return {"id": record.id, "properties": properties, "createdAt": record.created_at, "updatedAt": record.updated_at,
            "archived": record.archived}  # fmt: skip


def pair_shown(object: str, id: str, other: str, other_id: str) -> Told:
    """Two records that an association by its type was made between."""
    return {"fromObjectTypeId": TYPE_IDS[object], "fromObjectId": id, "toObjectTypeId": TYPE_IDS[other],
            "toObjectId": other_id, "labels": []}  # fmt: skip


def _inputs(told: Mapping[str, Any], most: int) -> list[Told]:
    inputs = told.get("inputs") if isinstance(told, Mapping) else None
    if not isinstance(inputs, list) or not inputs:
        raise Problem(400, "inputs is a list of at least one")
    if len(inputs) > most:
        raise Problem(400, f"A batch has at most {most} inputs")
    return inputs


def answered(results: list[Told], errors: list[Told], status: int) -> tuple[Told, int]:
    """A batch's answer."""
    at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told: Told = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
    if not errors:
        return told, status
    return {**told, "numErrors": len(errors), "errors": errors}, 207
