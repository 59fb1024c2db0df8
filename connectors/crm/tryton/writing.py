"""Writing to Tryton, which has no upsert and no key of ours: search, then write what is not there already.

A batch is one search and one call per kind of change, each one transaction. What Tryton refuses as a whole is tried again
in halves, so a bad row fails alone. A note cannot be changed once it is made (Tryton guards its message), so a note is
rewritten: the new one is made first and the old one deleted then, and whoever finds two by the same key mends it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar

from connectors.crm.tryton.fields import BUTTONS, FIRST_STATE, value_for
from connectors.crm.tryton.records import (
    CONTACTS,
    NOTE,
    OPPORTUNITY,
    PARTY,
    PHONES,
    Reader,
    either,
    ids,
    literally,
    mark,
    marked,
    note_fields,
    searchable,
)
from connectors.crm.tryton.rpc import Rpc
from hub.errors import (
    Ambiguous,
    ConnectorError,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Unsupported,
    nearest,
)
from hub.model import Description, Receipt, Row, Target

Item = TypeVar("Item")
Found = dict[str, Any]
Outcome = Literal["created", "updated", "unchanged", "removed"]
# How long a note may be looked for on somebody else than the row says: a caller who turns out to be another person does so
# within the call's own wrap-up, its transfer or its late recording.
MOVED_WITHIN = dt.timedelta(days=7)
OF_THE_ROW = (Rejected, NotPermitted, NotFound, Locked, Ambiguous, Unsupported)


class Writer:
    """Writes batches of rows and gives one receipt per row."""

    def __init__(
        self,
        rpc: Rpc,
        reader: Reader,
        now: Callable[[], dt.datetime],
        describe: Callable[[str], Description],
        link: Callable[[str, str], str],
    ) -> None:
        self._rpc, self._reader, self._now, self._describe, self._link = rpc, reader, now, describe, link

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. Of rows with the same key each is written after the one before it."""
        receipts: dict[int, Receipt] = {}
        while len(receipts) < len(rows):
            turn: dict[str, int] = {}
            for place, row in enumerate(rows):
                if place not in receipts:
                    turn.setdefault(row.key, place)
            batch = [rows[place] for place in turn.values()]
            write = self._notes if target.object == NOTE else self._records
            receipts.update(zip(turn.values(), write(target, batch), strict=True))
        return [receipts[place] for place in range(len(rows))]

    def check_may_search_notes(self, names: Iterable[str]) -> None:
        """Raises NotPermitted where our user may not search notes without saying whose."""
        if not self._rpc.signed_in().administrator:
            raise NotPermitted(
                f"Tryton lets only an administrator search {NOTE} by {', '.join(dict.fromkeys(names))}; "
                "a write by key still finds a note on its own party or opportunity"
            )

    # --- notes ----------------------------------------

    def _notes(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        marks = [mark(target.key, row.key) for row in rows]
        there = self._notes_there(rows, marks)
        made: dict[int, int | ConnectorError] = {}
        wanted: dict[int, Found] = {}
        for place, row in enumerate(rows):
            if row.action == "remove":
                continue
            # A row may say only what changes: the rest is what the note said before.
            before = note_fields(there[place][0]) if there[place] else {}
            resource = _resource(row.fields) or before.get("resource", "")
            message = marked(str(row.fields.get("message", before.get("message")) or ""), marks[place])
            same = [n["id"] for n in there[place] if (n["message"], n["resource"]) == (message, resource)]
            if same:
                made[place] = same[0]
            elif resource:
                wanted[place] = {"resource": resource, "message": message}
            else:
                made[place] = Rejected("a note needs a party, an opportunity or a resource", {"party": "missing"})
        ids = self._each(lambda values: self._rpc.change(f"model.{NOTE}.create", values), list(wanted.values()))
        made.update(zip(wanted, ids, strict=True))
        old = {
            note["id"]: place
            for place in range(len(rows)) for note in there[place]
            if not isinstance(made.get(place), ConnectorError) and note["id"] != made.get(place)
        }  # fmt: skip
        gone = self._each(lambda notes: self._rpc.change(f"model.{NOTE}.delete", notes) or notes, list(old))
        # A note that is gone already is what was wanted.
        failed = {
            old[id]: error for id, error in zip(old, gone, strict=True)
            if isinstance(error, ConnectorError) and not isinstance(error, NotFound)
        }  # fmt: skip
        return [
            self._note_receipt(row, failed.get(place) or made.get(place), place in wanted, bool(there[place]))
            for place, row in enumerate(rows)
        ]

    def _note_receipt(self, row: Row, made: int | ConnectorError | None, anew: bool, there: bool) -> Receipt:
        if isinstance(made, ConnectorError):
            return Receipt(key=row.key, outcome="failed", error=made)
        if made is None:
            return Receipt(key=row.key, outcome="removed" if there else "unchanged")
        outcome: Outcome = ("updated" if there else "created") if anew else "unchanged"
        return Receipt(key=row.key, outcome=outcome, id=str(made), url=self._link(NOTE, str(made)))

    def _notes_there(self, rows: Sequence[Row], marks: Sequence[str]) -> list[list[Found]]:
        """The notes that carry each row's mark: on what the row names; for an administrator (Tryton lets nobody else search
        further) also on what an earlier delivery named, as long as it may have moved."""
        places: list[Any] = []
        if resources := sorted({resource for row in rows if (resource := _resource(row.fields))}):
            places.append([["resource", "in", resources]])
        who = self._rpc.signed_in()
        if who.administrator:
            since = self._now() - MOVED_WITHIN
            places.append([["create_uid", "=", who.user_id], ["create_date", ">=", since]])
        if not places:
            return [[] for _ in rows]
        bears = either([["message", "like", f"%{literally(line)}%"] for line in marks])
        # An administrator's places are alternatives; anybody else's one place must stand in the domain by itself.
        domain = [*(places[0] if len(places) == 1 else [either(places)]), bears]
        fields = ["message", "resource"]
        notes = self._rpc.read(f"model.{NOTE}.search_read", domain, 0, None, [["id", "ASC"]], fields)
        return [[note for note in notes if line in (note["message"] or "")] for line in marks]

    # --- parties and opportunities ----------------------------------------

    def _records(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        outcomes: dict[int, Receipt] = {}
        there = self._records_there(target, rows)
        creates: dict[int, Found] = {}
        updates: dict[int, tuple[int, Found]] = {}
        for place, row in enumerate(rows):
            try:
                found = self._the_one(target, row, there[place])
                values = self._values(target, row, found)
            except OF_THE_ROW as error:
                outcomes[place] = Receipt(key=row.key, outcome="failed", error=error)
                continue
            if found is None and row.action == "remove":
                outcomes[place] = Receipt(key=row.key, outcome="unchanged")
            elif found is None:
                creates[place] = values
            elif values:
                updates[place] = (found["id"], values)
            else:
                outcomes[place] = self._receipt(target, row, "unchanged", found["id"])
        for place, done in self._sent(target.object, creates, updates).items():
            if isinstance(done, ConnectorError):
                outcomes[place] = Receipt(key=rows[place].key, outcome="failed", error=done)
            else:
                word: Outcome = "removed" if rows[place].action == "remove" else "updated"
                outcomes[place] = self._receipt(target, rows[place], "created" if place in creates else word, done)
        return [outcomes[place] for place in range(len(rows))]

    def _sent(
        self, object: str, creates: dict[int, Found], updates: dict[int, tuple[int, Found]]
    ) -> dict[int, int | ConnectorError]:
        """By place, the id that was written or what Tryton had against it: one call for all new records, one for all that
        change, one for each state that is wanted."""
        states: dict[int, str] = {}
        for place, values in (*creates.items(), *((place, values) for place, (_, values) in updates.items())):
            if object in BUTTONS and "state" in values:
                states[place] = values.pop("state")
                if place in creates and states[place] == FIRST_STATE:
                    del states[place]
        written = {place: change for place, change in updates.items() if change[1]}
        done: dict[int, int | ConnectorError] = {place: id for place, (id, _) in updates.items()}
        model = f"model.{object}"

        def write(changes: list[tuple[int, Found]]) -> list[int]:
            self._rpc.change(f"{model}.write", *(part for id, values in changes for part in ([id], values)))
            return [id for id, _ in changes]

        made = self._each(lambda new: self._rpc.change(f"{model}.create", new), list(creates.values()))
        done.update(zip(creates, made, strict=True))
        done.update(zip(written, self._each(write, list(written.values())), strict=True))
        self._press(object, states, done)
        return done

    def _press(self, object: str, states: dict[int, str], done: dict[int, int | ConnectorError]) -> None:
        """Press the button of each wanted state for all records that want it; a refusal takes the record's place."""
        for wanted in dict.fromkeys(states.values()):
            places = {place: id for place in states if states[place] == wanted and isinstance(id := done[place], int)}

            def press(ids: list[int], button: str = f"model.{object}.{BUTTONS[object][wanted]}") -> list[int]:
                self._rpc.change(button, ids)
                return ids

            done.update(zip(places, self._each(press, list(places.values())), strict=True))

    def _records_there(self, target: Target, rows: Sequence[Row]) -> list[list[Found]]:
        keys = [_key(target, row) for row in rows]
        wanted: list[Any] = ids(keys) if target.key == "id" else searchable(keys)
        names = {name for row in rows for name in row.fields} & {f.name for f in self._describe(target.object).fields}
        reads = ["id", *names, target.key]
        if target.object == PARTY:
            reads += ["active", "contact_mechanisms.type", "contact_mechanisms.value", "contact_mechanisms.value_compact",
                      "addresses.country.code"]  # fmt: skip
        domain = [[target.key, "in", wanted]]
        if target.object == PARTY:
            domain.append(["active", "in", [True, False]])  # a deactivated party still holds its code
        method = f"model.{target.object}.search_read"
        found = self._rpc.read(method, domain, 0, None, [["id", "ASC"]], list(dict.fromkeys(reads))) if wanted else []
        return [[record for record in found if str(record[target.key]) == key] for key in keys]

    def _the_one(self, target: Target, row: Row, there: list[Found]) -> Found | None:
        if len(there) > 1:
            raise Ambiguous(f"{len(there)} records of {target.object} have {target.key} {row.key}")
        if not there and target.key == "id" and row.action == "upsert":
            raise NotFound(f"there is no {target.object} with the id {_key(target, row)}")
        return there[0] if there else None

    def _values(self, target: Target, row: Row, found: Found | None) -> Found:
        """What has to be written: everything for a new record, what differs for one that is there."""
        if row.action == "remove":
            if target.object != PARTY:
                raise Unsupported(f"{target.object} is not removed by the hub; write its state")
            return {"active": False} if found and found["active"] else {}
        described = {field.name: field for field in self._describe(target.object).fields}
        values: Found = {} if found else {target.key: row.key}
        for name, value in row.fields.items():
            if name == "id" or (name in CONTACTS and target.object == PARTY):
                continue
            if name not in described:
                problem = f'{target.object} has no field "{name}"{nearest(name, described)}'
                raise Rejected(problem, {name: problem})
            ours = value_for(described[name], value)
            if found is None or found[name] != ours:
                values[name] = ours
        choices = BUTTONS.get(target.object)
        if choices and values.get("state", FIRST_STATE) not in choices:
            problem = f'the hub cannot put it into the state "{values["state"]}"; it can: {", ".join(choices)}'
            raise Rejected(problem, {"state": problem})
        if target.object == PARTY and (contacts := self._new_contacts(row, found)):
            values["contact_mechanisms"] = [["create", contacts]]
        return values

    def _new_contacts(self, row: Row, party: Found | None) -> list[Found]:
        """The phones and addresses that the party has not got yet. What people entered is never taken away."""
        known = set()
        for mechanism in (party or {}).get("contact_mechanisms.", ()):
            known |= {mechanism["value"], mechanism["value_compact"], self._reader.e164(mechanism, party)}
        wanted = {kind: str(row.fields[kind]) for kind in CONTACTS if row.fields.get(kind)}
        typed = {kind: self._reader.as_e164(value) if kind in PHONES else value for kind, value in wanted.items()}
        return [{"type": kind, "value": value} for kind, value in typed.items() if value not in known]

    def _receipt(self, target: Target, row: Row, outcome: Outcome, id: int) -> Receipt:
        return Receipt(key=row.key, outcome=outcome, id=str(id), url=self._link(target.object, str(id)))

    # --- batches ----------------------------------------

    def _each(self, call: Callable[[list[Item]], list[Any]], items: list[Item]) -> list[Any]:
        """One result per item: what `call` gives for all at once, or, where Tryton refuses the lot, for each half."""
        if not items:
            return []
        try:
            return call(items)
        except OF_THE_ROW as error:
            if len(items) == 1:
                return [error]
            middle = len(items) // 2
            return self._each(call, items[:middle]) + self._each(call, items[middle:])


def _resource(fields: dict[str, Any]) -> str:
    """What a note is about, as Tryton writes a reference: a record named outright, an opportunity, or a party."""
    if fields.get("resource"):
        return str(fields["resource"])
    for name, object in (("opportunity", OPPORTUNITY), ("party", PARTY)):
        if fields.get(name):
            return f"{object},{fields[name]}"
    return ""


def _key(target: Target, row: Row) -> str:
    return str(row.fields.get("id") or row.key) if target.key == "id" else row.key
