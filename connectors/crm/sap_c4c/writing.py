"""Writing to C4C, which has no upsert: search by the key, then one change set per row, all in one `$batch`.

Three calls for a batch of new rows, two where nothing has to be said after the creation: the search; the creations with
their notes, parties and references deep inserted, and the changes with `If-Match`; and what C4C takes only for a record that
is there already (`sap:creatable=false`, such as a status). 200 rows come as two batches of 100, so they take six calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from connectors.crm.sap_c4c.catalog import Catalog
from connectors.crm.sap_c4c.edm import OBJECT_ID, Collection
from connectors.crm.sap_c4c.finding import AT_ONCE, any_of, searchable
from connectors.crm.sap_c4c.objects import Child, Objects
from connectors.crm.sap_c4c.odata import Found, Service, body_of, entity_path, rows_of
from connectors.crm.sap_c4c.refusals import WHO
from connectors.crm.sap_c4c.values import same, to_odata
from connectors.wire.odata_batch import Part, Reply
from hub.errors import Ambiguous, ConnectorError, NotFound, Rejected, UnknownOutcome, nearest
from hub.model import Receipt, Row, Target

JSON = {"Content-Type": "application/json", "Accept": "application/json"}
Outcome = Literal["created", "updated", "unchanged", "removed"]


class Said(Struct, kw_only=True):
    """What a row says, in C4C's terms."""

    plain: dict[str, Any]
    parts: dict[str, Any]


class Planned(Struct, kw_only=True):
    """What is to be done for one row: a change set, and what to say once the record is there."""

    outcome: Outcome
    changes: list[Part]
    id: str = ""
    late: dict[str, Any] = {}


class Writer:
    """Writes batches of rows and gives one receipt per row."""

    def __init__(self, service: Service, catalog: Catalog, objects: Objects, link: Callable[[str, str], str]) -> None:
        self._service, self._catalog, self._objects, self._link = service, catalog, objects, link

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. Of rows with the same key each is written after the one before it."""
        receipts: dict[int, Receipt] = {}
        while len(receipts) < len(rows):
            turn: dict[str, int] = {}
            for place, row in enumerate(rows):
                if place not in receipts:
                    turn.setdefault(row.key, place)
            receipts.update(
                zip(turn.values(), self._turn(target, [rows[place] for place in turn.values()]), strict=True)
            )
        return [receipts[place] for place in range(len(rows))]

    def _turn(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        told = self._catalog.collection(target.object)
        key = self._objects.own_id(target.object) if target.key == "id" else target.key
        if key not in told.properties:
            raise Rejected(f'{target.object} has no field "{key}" to hold the key{nearest(key, told.properties)}')
        done: dict[int, ConnectorError | Planned] = {}
        said: dict[int, Said] = {}
        for place, row in enumerate(rows):
            try:
                said[place] = self._said(told, row, key)
            except Rejected as error:
                done[place] = error
        there = self._there(told, key, [rows[place].key for place in said], list(said.values()))
        for place, words in said.items():
            try:
                done[place] = self._plan(told, target, rows[place], words, key, there.get(rows[place].key, []))
            except (Ambiguous, NotFound, Rejected) as error:
                done[place] = error
        self._send(told, done)
        return [self._receipt(target, row, done[place]) for place, row in enumerate(rows)]

    # --- what is there ----------------------------------------

    def _there(self, told: Collection, key: str, keys: list[str], said: Sequence[Said]) -> dict[str, list[Found]]:
        """By key, the records that bear it: exactly, for C4C reads `*` as a wildcard."""
        if not keys:
            return {}
        names = {name for words in said for name in words.plain}
        own = self._objects.own_id(told.name)
        read = [OBJECT_ID, *(name for name in ("ETag", own, key) if name in told.properties), *sorted(names)]
        parts = sorted({self._child(told, name).path for words in said for name in words.parts})
        select = dict.fromkeys([*read, *parts])
        query = {"$select": ",".join(select), **({"$expand": ",".join(parts)} if parts else {})}
        values = list(dict.fromkeys(keys))
        chunks = [values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE)]
        found: dict[str, list[Found]] = {}
        for rows in self._service.lists([(told.name, {"$filter": any_of(key, chunk), **query}) for chunk in chunks]):
            for row in rows:
                found.setdefault(str(row.get(key)), []).append(row)
        return found

    # --- what is to be done ----------------------------------------

    def _said(self, told: Collection, row: Row, key: str) -> Said:
        if not searchable(row.key):
            problem = f"{WHO} cannot be asked for this key: it is empty, too long, or begins with a wildcard"
            raise Rejected(problem, {key: problem})
        said = Said(plain={}, parts={})
        for name, value in row.fields.items():
            if name in ("id", OBJECT_ID, key):
                continue
            if (property := told.properties.get(name)) is not None:
                if not property.creatable and not property.updatable:
                    raise Rejected(f"{told.name}.{name} cannot be written", {name: "cannot be written"})
                said.plain[name] = to_odata(property, value)
            elif name in self._objects.children.get(told.name, {}):
                if value not in (None, ""):
                    said.parts[name] = value if isinstance(value, bool) else str(value).replace("\0", "\ufffd")
            else:
                known = [*told.properties, *self._objects.children.get(told.name, {})]
                problem = f'{told.name} has no field "{name}"{nearest(name, known)}'
                raise Rejected(problem, {name: problem})
        return said

    def _plan(self, told: Collection, target: Target, row: Row, said: Said, key: str, there: list[Found]) -> Planned:
        if len(there) > 1:
            raise Ambiguous(f"{len(there)} records of {target.object} have this {key}")
        if row.action == "remove":
            return self._removal(told, there[0]) if there else Planned(outcome="unchanged", changes=[])
        if there:
            return self._change(told, there[0], said)
        if target.key == "id":
            raise NotFound(f"there is no {target.object} with this {key}")
        return self._creation(told, row, said, key)

    def _creation(self, told: Collection, row: Row, said: Said, key: str) -> Planned:
        values: dict[str, Any] = {key: to_odata(told.properties[key], row.key)}
        late = {}
        for name, value in said.plain.items():
            if value is None:
                continue
            if told.properties[name].creatable:
                values[name] = value
            else:
                late[name] = value
        for name, value in said.parts.items():
            child = self._child(told, name)
            values.setdefault(child.path, []).append(child.part(value))
        part = Part(method="POST", url=told.name, headers=JSON, body=json.dumps(values).encode())
        return Planned(outcome="created", changes=[part], late=late)

    def _change(self, told: Collection, found: Found, said: Said) -> Planned:
        id, place = self._objects.id_of(told.name, found), entity_path(told.name, str(found[OBJECT_ID]))
        differs = {
            name: value for name, value in said.plain.items() if not same(told.properties[name], found.get(name), value)
        }
        # What is written once and for all cannot be put right any more; what was there stays.
        fixed = [name for name in differs if not told.properties[name].updatable]
        if fixed:
            raise Rejected(
                f"{told.name}.{fixed[0]} cannot be changed any more", dict.fromkeys(fixed, "cannot be changed")
            )
        changes = []
        if differs:
            changes.append(
                Part(method="PATCH", url=place, headers=JSON | _if_match(found), body=json.dumps(differs).encode())
            )
        for name, value in said.parts.items():
            child = self._child(told, name)
            part = child.of(found.get(child.path) or {})
            if part is None:
                body = json.dumps(child.part(value)).encode()
                changes.append(Part(method="POST", url=f"{place}/{child.path}", headers=JSON, body=body))
            elif str(part.get(child.field) or "") != str(value):
                path = entity_path(told.children[child.path], str(part[OBJECT_ID]))
                body = json.dumps({child.field: value}).encode()
                changes.append(Part(method="PATCH", url=path, headers=JSON | _if_match(part), body=body))
        return Planned(outcome="updated" if changes else "unchanged", changes=changes, id=id)

    def _removal(self, told: Collection, found: Found) -> Planned:
        path = entity_path(told.name, str(found[OBJECT_ID]))
        part = Part(method="DELETE", url=path, headers={"Accept": "application/json", **_if_match(found)})
        return Planned(outcome="removed", changes=[part])

    def _child(self, told: Collection, name: str) -> Child:
        child = self._objects.children[told.name][name]
        if child.path not in told.children:
            raise Rejected(f"{told.name} has no {child.path}, where {name} would be kept", {name: "has no place"})
        return child

    # --- doing it ----------------------------------------

    def _send(self, told: Collection, done: dict[int, ConnectorError | Planned]) -> None:
        """Do what is planned; a row's own failure takes the place of its plan."""
        plans = {place: plan for place, plan in done.items() if isinstance(plan, Planned) and plan.changes}
        late: dict[int, list[Part]] = {}
        for place, replies in self._sent({place: plan.changes for place, plan in plans.items()}).items():
            plan = plans[place]
            try:
                if isinstance(replies, ConnectorError):
                    raise replies
                if plan.outcome == "created":
                    made = _made(replies[0])
                    plan.id = self._objects.id_of(told.name, made)
                    if plan.late:
                        path, body = entity_path(told.name, str(made[OBJECT_ID])), json.dumps(plan.late).encode()
                        late[place] = [Part(method="PATCH", url=path, headers=JSON | _if_match(made), body=body)]
            except ConnectorError as error:
                done[place] = error
        for place, replies in self._sent(late).items():
            if isinstance(replies, ConnectorError):
                done[place] = replies

    def _sent(self, sets: Mapping[int, list[Part]]) -> dict[int, list[Reply] | ConnectorError]:
        """One `$batch` of change sets: what came of each."""
        if not sets:
            return {}
        outcomes: dict[int, list[Reply] | ConnectorError] = {}
        for place, reply in zip(sets, self._service.batch(list(sets.values()), changes=True), strict=True):
            replies = reply if isinstance(reply, list) else [reply]
            problems = (self._service.problem(one, changes=True) for one in replies)
            problem = next((problem for problem in problems if problem is not None), None)
            outcomes[place] = problem if problem is not None else replies
        return outcomes

    def _receipt(self, target: Target, row: Row, done: ConnectorError | Planned) -> Receipt:
        if isinstance(done, ConnectorError):
            return Receipt(key=row.key, outcome="failed", error=done)
        url = self._link(target.object, done.id) if done.id else ""
        return Receipt(key=row.key, outcome=done.outcome, id=done.id, url=url)


def _made(reply: Reply) -> Found:
    """The record that a creation answers with."""
    try:
        made = rows_of(body_of(reply))
    except (ValueError, ConnectorError) as error:
        raise UnknownOutcome(f"{WHO} answers a creation with what cannot be read") from error
    if not made or not made[0].get(OBJECT_ID):
        raise UnknownOutcome(f"{WHO} answers a creation without the record")
    return made[0]


def _if_match(found: Mapping[str, Any]) -> dict[str, str]:
    etag = (found.get("__metadata") or {}).get("etag")
    return {"If-Match": str(etag)} if etag else {}
