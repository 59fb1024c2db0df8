"""Write to the embedded CRM: a batch in one transaction and a handful of statements, each row with its own outcome.

Writers take turns: the first statement of a batch takes the CRM's revision and holds it until the commit. So what is read
afterwards stays true until it is written, and the same key can never become two records.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    delete,
    false,
    insert,
    or_,
    select,
    text,
    update,
)

from hub.errors import NotFound, PatchbayError, Rejected
from hub.model import Row
from hub.store.crm.schema import OBJECTS, CrmObject, counters, phones, tombstones
from hub.store.crm.values import checked, derived, is_text, numbers

_IN = 5_000  # values in one IN: every engine takes as many
FIRST = 1_000  # ids begin at 1001: four digits, so that an id looks like one

_NEXT = text(
    "INSERT INTO crm_counters (name, value) VALUES (:name, :by) "
    "ON CONFLICT (name) DO UPDATE SET value = crm_counters.value + :by RETURNING value"
)

Kept = dict[str, Any]  # a record as its table keeps it
Outcome = Literal["created", "updated", "unchanged", "removed", "failed"]


@dataclass
class Change:
    """One row, its checked values, what is wrong with the others, and what became of it."""

    row: Row
    values: dict[str, Any]
    problems: dict[str, str]
    outcome: Outcome = "failed"
    id: str = ""
    error: PatchbayError | None = None

    def fail(self, problems: Mapping[str, str]) -> None:
        """Refuse the row, saying what is wrong with which field."""
        said = "; ".join(f"{name} {problem}" for name, problem in problems.items())
        self.outcome, self.error = "failed", Rejected(said, problems)


def write(
    connection: Connection, crm_object: CrmObject, key: str, rows: Sequence[Row], country: str, now: int
) -> list[Change]:
    """Upsert or remove `rows` by the unique field `key`. The outcomes are in the rows' order."""
    changes = [_change(crm_object, key, row) for row in rows]
    valid = [change for change in changes if not change.error]
    if valid:
        batch = _Batch(connection, crm_object, key, country, now)
        batch.read(valid)
        for change in valid:
            batch.apply(change)
        batch.save()
        for change in valid:
            if not change.error:
                change.id = batch.id_of(change.row.key)
    return changes


def create(connection: Connection, crm_object: CrmObject, fields: Mapping[str, Any], country: str, now: int) -> Change:
    """A new record. Without a key it gets its id for one; a key that is taken is refused."""
    next_number(connection, "revision")  # from here to the commit nobody else takes the key or the id
    table, key = crm_object.table, fields.get(crm_object.key) or coming_id(connection, crm_object)
    change = _change(crm_object, crm_object.key, Row(key=str(key), fields=dict(fields) | {crm_object.key: key}))
    if not change.error:
        owner = connection.execute(select(table.c.id).where(table.c[crm_object.key] == key)).scalar()
        if owner:
            change.fail({crm_object.key: f"is the key of {owner} already"})
            return change
    return write(connection, crm_object, crm_object.key, [change.row], country, now)[0]


def coming_id(connection: Connection, crm_object: CrmObject, ahead: int = 0) -> str:
    """The id that the next record will get (or the one `ahead` of it), for whoever holds the revision."""
    last = connection.execute(select(counters.c.value).where(counters.c.name == crm_object.name)).scalar()
    return f"{crm_object.prefix}{FIRST + (last or 0) + 1 + ahead}"


def next_number(connection: Connection, name: str, by: int = 1) -> int:
    """The last of the next `by` numbers of the counter `name`; its row stays locked until the commit."""
    return int(connection.execute(_NEXT, {"name": name, "by": by}).scalar_one())


def matching(
    connection: Connection, statement: Select[Any], column: ColumnElement[Any], values: Collection[str]
) -> Iterator[RowMapping]:
    """The rows of `statement` whose `column` is one of `values`, in as few statements as an IN has room for."""
    wanted = list(values)
    for start in range(0, len(wanted), _IN):
        yield from connection.execute(statement.where(column.in_(wanted[start : start + _IN]))).mappings()


def _change(crm_object: CrmObject, key: str, row: Row) -> Change:
    """The row, checked as far as can be without the store. Only a wrong key ends it here: all else is told at once."""
    values, problems = checked(crm_object, row.fields) if row.action == "upsert" else ({}, {})
    change = Change(row, values, problems)
    wrong = _wrong_key(crm_object, key, row.key, values)
    if wrong:
        change.fail(problems | {key: wrong})
    elif key != "id":
        values[key] = row.key
    return change


def _wrong_key(crm_object: CrmObject, key: str, value: str, values: Mapping[str, Any]) -> str:
    if key == "id":
        return "" if is_text(value) else "is no id"
    own, problems = checked(crm_object, {key: value})
    if problems:
        return problems[key]
    if not own[key]:
        return "is empty; a row needs its key"
    return "" if values.get(key, value) == value else "is another one than the row's key"


class _Batch:
    """The records that a batch touches: read at once, changed in memory row by row, saved at once."""

    def __init__(self, connection: Connection, crm_object: CrmObject, key: str, country: str, now: int) -> None:
        self.connection, self.object, self.key, self.country, self.now = connection, crm_object, key, country, now
        self.revision = next_number(connection, "revision")
        self.before: dict[str, Kept] = {}  # by the value of `key`
        self.after: dict[str, Kept | None] = {}
        self.names: dict[str, str] = {}  # where rows come by id: the unique key → whose it is
        self.refers: dict[str, dict[str, str]] = {}  # object → an id or a key that rows name → the id
        self.in_use: dict[str, str] = {}  # a record that was to be removed → what refers to it

    def read(self, changes: Sequence[Change]) -> None:
        """Read the records of the rows' keys, and those that the rows refer to."""
        table, unique = self.object.table, self.object.key
        for row in matching(self.connection, select(table), table.c[self.key], {c.row.key for c in changes}):
            self.before[row[self.key]] = dict(row)
        self.after = dict(self.before)
        if self.key == "id":
            named = {c.values[unique] for c in changes if c.values.get(unique)}
            for row in matching(self.connection, select(table), table.c[unique], named):
                self.names[str(row[unique])] = str(row["id"])
        for name, target in self.object.references.items():
            words: set[str] = {c.values[name] for c in changes if c.values.get(name)}
            self.refers.setdefault(target, {}).update(self._resolved(OBJECTS[target], words))
        leaving = {c.row.key for c in changes if c.row.action == "remove"}
        self._read_uses([self.before[key]["id"] for key in leaving if key in self.before])

    def apply(self, change: Change) -> None:
        """Do one row to the records in memory; one that cannot be done leaves them as they are."""
        key, known = change.row.key, self.after.get(change.row.key)
        if change.row.action == "remove":
            if known and known["id"] in self.in_use:
                change.fail({"id": f"{known['id']} stays: {self.in_use[known['id']]} refer to it"})
                return
            change.outcome = "removed" if known else "unchanged"
            self.after[key] = None
            return
        if known is None and self.key == "id":
            change.outcome, change.error = "failed", NotFound(f'there is no {self.object.name} "{key}"')
            return
        record: Kept = dict(known) if known else self._blank(key)
        problems = change.problems | self._apply_references(change) | self._taken_key(change)
        record |= change.values
        record |= {name: value for name, value in self.object.defaults.items() if record[name] is None}
        problems |= self._lacks(record, problems)
        if problems:
            change.fail(problems)
            return
        change.outcome = "created" if known is None else "unchanged" if known == record else "updated"
        self.after[key] = record
        if self.key == "id" and record[self.object.key]:
            self.names[record[self.object.key]] = record["id"]

    def save(self) -> None:
        """Write what changed: each kind in one statement."""
        table = self.object.table
        pairs = [(self.before.get(key), record) for key, record in self.after.items()]
        new = [after for before, after in pairs if after and not before]
        changed = [(before, after) for before, after in pairs if before and after and before != after]
        gone = [before for before, after in pairs if before and not after]
        self._name(new)
        saved = [*new, *(after for _, after in changed)]
        for record in saved:
            record |= derived(self.object, record) | {"updated_at": self.now, "revision": self.revision}
        if new:
            self.connection.execute(insert(table), new)
        if changed:
            columns = [name for name in table.c.keys() if name != "id"]  # noqa: SIM118  (a collection, not a dict)
            statement = update(table).where(table.c.id == bindparam("the_id"))
            self.connection.execute(
                statement.values({name: bindparam(f"new_{name}") for name in columns}),
                [{"the_id": record["id"]} | {f"new_{n}": record[n] for n in columns} for _, record in changed],
            )
        if gone:
            self.connection.execute(delete(table).where(table.c.id.in_([record["id"] for record in gone])))
        moved = [before for before, after in changed if before.get("campaign") != after.get("campaign")]
        self._bury([*gone, *moved])
        self._index_phones(new, changed, gone)
        if self.object.name == "campaign_member":
            self._opt_out(pairs)

    def id_of(self, key: str) -> str:
        """The id of the record of `key`; of a removed one, the id it had."""
        record = self.after.get(key) or self.before.get(key)
        return record["id"] if record else ""

    # --- what a row needs ----------------------------------------

    def _blank(self, key: str) -> Kept:
        """An empty record; one that this very batch removed comes back as the same."""
        blank: Kept = dict.fromkeys(self.object.table.c.keys())
        old = self.before.get(key)
        return blank | {name: old[name] for name in ("id", "created_at")} if old else blank

    def _resolved(self, target: CrmObject, words: Collection[str]) -> dict[str, str]:
        """Which record each word means: an id, else a key."""
        table, key = target.table, target.table.c[target.key]
        found = {row["id"]: row["id"] for row in matching(self.connection, select(table.c.id), table.c.id, words)}
        rest = [word for word in words if word not in found]
        return found | {
            r["key"]: r["id"] for r in matching(self.connection, select(table.c.id, key.label("key")), key, rest)
        }

    def _apply_references(self, change: Change) -> dict[str, str]:
        problems = {}
        for name, target in self.object.references.items():
            word = change.values.get(name)
            if word is not None:
                known = self.refers[target].get(word)
                if known is None:
                    problems[name] = f'names the {target} "{word[:60]}", which is not there'
                else:
                    change.values[name] = known
        return problems

    def _taken_key(self, change: Change) -> dict[str, str]:
        owner = self.names.get(change.values.get(self.object.key) or "")
        if self.key == "id" and owner and owner != change.row.key:
            return {self.object.key: f"is the key of {owner} already"}
        return {}

    def _lacks(self, record: Kept, problems: Mapping[str, str]) -> dict[str, str]:
        lacks = {
            f.name: "is required"
            for f in self.object.fields
            if f.required and record[f.name] is None and f.name not in problems
        }
        if self.object.name == "campaign_member" and (record["contact"] is None) == (record["lead"] is None):
            lacks["contact"] = "or lead: a member is exactly one of them"
        return lacks

    def _read_uses(self, ids: Sequence[str]) -> None:
        for other in OBJECTS.values() if ids else ():
            for name, target in other.references.items():
                if target == self.object.name:
                    column = other.table.c[name]
                    for row in matching(self.connection, select(column.label("it")).distinct(), column, ids):
                        self.in_use.setdefault(row["it"], other.plural.lower())

    # --- what goes with a record ----------------------------------------

    def _name(self, new: Sequence[Kept]) -> None:
        if new:
            last = next_number(self.connection, self.object.name, len(new))
            for number, record in enumerate(new, last - len(new) + 1):
                record["id"] = f"{self.object.prefix}{FIRST + number}"
                record["created_at"] = self.now
                record[self.object.key] = record[self.object.key] or record["id"]

    def _bury(self, left: Sequence[Kept]) -> None:
        rows = [
            {"object": self.object.name, "record": record["id"], "scope": record.get("campaign") or ""}
            for record in left
        ]
        if rows:
            its = [tombstones.c[name] == bindparam(f"the_{name}") for name in ("object", "record", "scope")]
            old = [{f"the_{name}": value for name, value in row.items()} for row in rows]
            self.connection.execute(delete(tombstones).where(*its), old)  # it may have left this campaign before
            self.connection.execute(insert(tombstones), [row | {"revision": self.revision} for row in rows])

    def _index_phones(self, new: Sequence[Kept], changed: Sequence[tuple[Kept, Kept]], gone: Sequence[Kept]) -> None:
        fields = self.object.phones
        if not fields:
            return
        renumbered = [
            after for before, after in changed if any(before[name] != after[name] for name in (*fields, "country"))
        ]
        stale = [record["id"] for record in (*renumbered, *gone)]
        if stale:
            mine = phones.c.object == self.object.name
            self.connection.execute(delete(phones).where(mine, phones.c.record.in_(stale)))
        rows = [
            {"object": self.object.name, "record": record["id"], "field": name, "number": number, "raw": record[name]}
            for record in (*new, *renumbered)
            for name in fields
            for number in numbers(record[name], (record["country"] or self.country).upper())
        ]
        if rows:
            self.connection.execute(insert(phones), rows)

    def _opt_out(self, pairs: Sequence[tuple[Kept | None, Kept | None]]) -> None:
        """Who asked not to be contacted in a campaign is not called by any."""
        said_no = [
            after
            for before, after in pairs
            if after
            and after["result_class"] == "do_not_contact"
            and (before or {}).get("result_class") != "do_not_contact"
        ]
        for name in ("contact", "lead"):
            ids = [record[name] for record in said_no if record[name]]
            if ids:
                table = OBJECTS[name].table
                self.connection.execute(
                    update(table)
                    .where(table.c.id.in_(ids), or_(table.c.do_not_call.is_(None), table.c.do_not_call == false()))
                    .values(do_not_call=True, updated_at=self.now, revision=self.revision)
                )
