"""Find in the embedded CRM: a batch of look-ups in a handful of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from hub.clock import from_ms
from hub.errors import NotFound, Rejected, Unsupported, nearest
from hub.model import PERSON, Account, Lookup, Match, Record
from hub.store.crm.merge import survivors
from hub.store.crm.schema import ACCOUNT, ACTIVITY, CASE, OBJECTS, PEOPLE, CrmObject, phones
from hub.store.crm.values import folded_email, is_text, numbers, shown, title
from hub.store.crm.write import Kept, matching

Hit = tuple[str, str]  # object, id
Hits = dict[Hit, Match]
Question = tuple[str, str]  # object, column: what one statement asks


def crm_object(name: str) -> CrmObject:
    """The object called `name`. Raises NotFound with the nearest right name."""
    known = OBJECTS.get(name)
    if known is None:
        raise NotFound(f'the embedded CRM has no object "{name}"{nearest(name, OBJECTS)}; it has {", ".join(OBJECTS)}')
    return known


def find(connection: Connection, lookups: Sequence[Lookup], country: str) -> list[list[Record]]:
    """The records of each look-up: in the objects' order, the oldest first."""
    by_number = _by_number(connection, lookups, country)
    by_column = _by_column(connection, lookups)
    hits = []
    for lookup in lookups:
        names = [one.name for one in _objects(lookup)]
        found: Hits = {}
        if lookup.by == "phone":
            for number in numbers(lookup.value, country):
                found |= {
                    hit: match for hit, match in by_number[number].items() if hit[0] in names and hit not in found
                }
        else:
            for question in _questions(lookup):
                found |= by_column[question].get(_value(lookup), {})
        hits.append(found)
    read = records(connection, {hit for found in hits for hit in found})
    return [
        sorted((replace(read[hit], match=match) for hit, match in found.items() if hit in read), key=_order)
        for found in hits
    ]


def records(connection: Connection, hits: Iterable[Hit]) -> dict[Hit, Record]:
    """Records by object and id, with their account, open cases and last contact."""
    ids: dict[str, set[str]] = defaultdict(set)
    for name, id_ in hits:
        ids[name].add(id_)
    kept: dict[str, list[Kept]] = {}
    for name, some in ids.items():
        table = OBJECTS[name].table
        kept[name] = [dict(row) for row in matching(connection, select(table), table.c.id, some)]
    accounts = _account_names(connection, kept)
    read = {}
    for name, rows in kept.items():
        cases, contacts = _open_cases(connection, name, ids[name]), _last_contacts(connection, name, ids[name])
        for row in rows:
            read[name, row["id"]] = _record(OBJECTS[name], row, accounts, cases, contacts)
    return read


def _record(
    one: CrmObject, row: Kept, accounts: Mapping[str, str], cases: Mapping[str, int], contacts: Mapping[str, int]
) -> Record:
    account, contacted = str(row.get("account")), contacts.get(row["id"])
    return Record(
        object=one.name,
        id=row["id"],
        title=title(one, row),
        account=Account(object="account", id=account, title=accounts[account]) if account in accounts else None,
        owner=row.get("owner"),
        open_cases=cases.get(row["id"], 0) if one in PEOPLE else None,
        last_contact_at=from_ms(contacted) if contacted else None,
        created_at=from_ms(row["created_at"]),
        updated_at=from_ms(row["updated_at"]),
        fields=shown(one, row),
    )


def _order(record: Record) -> tuple[int, int, str]:
    return (list(OBJECTS).index(record.object), len(record.id), record.id)  # ids grow: C-999 is before C-1001


# --- what a look-up asks ----------------------------------------


def _objects(lookup: Lookup) -> tuple[CrmObject, ...]:
    if lookup.object == PERSON:
        return PEOPLE
    one = crm_object(lookup.object)
    if lookup.by in ("phone", "email") and one not in PEOPLE:
        raise Unsupported(f"{one.name} holds no {lookup.by}; look it up by key or id")
    return (one,)


def _questions(lookup: Lookup) -> list[Question]:
    objects = _objects(lookup)
    if lookup.by == "email":
        return [(one.name, "email_folded") for one in objects if "email" in one.by_name]
    if lookup.by == "id":
        return [(one.name, "id") for one in objects]
    for one in objects:
        if lookup.key_field and lookup.key_field not in ("id", one.key) and lookup.object != PERSON:
            raise Rejected(
                f'"{lookup.key_field}" is no unique field of {one.name}; {one.key} and id are',
                {lookup.key_field: "is not unique"},
            )
    return [(one.name, lookup.key_field or one.key) for one in objects if lookup.key_field in ("", "id", one.key)]


def _value(lookup: Lookup) -> str:
    return folded_email(lookup.value) if lookup.by == "email" else lookup.value


def _by_number(connection: Connection, lookups: Sequence[Lookup], country: str) -> Mapping[str, Hits]:
    asked = {number for one in lookups if one.by == "phone" for number in numbers(one.value, country)}
    found: dict[str, Hits] = defaultdict(dict)
    for row in matching(connection, select(phones).order_by(phones.c.field.desc()), phones.c.number, asked):
        found[row["number"]].setdefault((row["object"], row["record"]), Match(row["field"], row["raw"]))
    return found


def _by_column(connection: Connection, lookups: Sequence[Lookup]) -> Mapping[Question, Mapping[str, Hits]]:
    asked: dict[Question, set[str]] = defaultdict(set)
    for lookup in lookups:
        if lookup.by != "phone":
            for question in _questions(lookup):
                asked[question] |= {_value(lookup)} if is_text(_value(lookup)) else set()
    found: dict[Question, dict[str, Hits]] = {}
    for (name, column_name), values in asked.items():
        table = OBJECTS[name].table
        hits: dict[str, Hits] = defaultdict(dict)
        column, as_typed = table.c[column_name], column_name.removesuffix("_folded")
        statement = select(table.c.id, column.label("value"), table.c[as_typed].label("typed"))
        for row in matching(connection, statement, column, values):
            hits[row["value"]][name, row["id"]] = Match(as_typed, row["typed"])
        if column_name == "id":
            for old, left in survivors(connection, name, [value for value in values if value not in hits]).items():
                hits[old][name, left] = Match("id", left)
        found[name, column_name] = hits
    return found


# --- what is told of a record beside its fields ----------------------------------------


def _account_names(connection: Connection, kept: Mapping[str, Sequence[Kept]]) -> dict[str, str]:
    ids = {row["account"] for rows in kept.values() for row in rows if row.get("account")}
    table = ACCOUNT.table
    return {row["id"]: row["name"] for row in matching(connection, select(table.c.id, table.c.name), table.c.id, ids)}


def _open_cases(connection: Connection, name: str, ids: Iterable[str]) -> dict[str, int]:
    if name not in CASE.references:
        return {}
    column = CASE.table.c[name]
    statement = (
        select(column.label("who"), func.count().label("n")).where(CASE.table.c.status == "open").group_by(column)
    )
    return {row["who"]: row["n"] for row in matching(connection, statement, column, set(ids))}


def _last_contacts(connection: Connection, name: str, ids: Iterable[str]) -> dict[str, int]:
    if name not in ACTIVITY.references:
        return {}
    column, at = ACTIVITY.table.c[name], func.max(ACTIVITY.table.c.started_at).label("at")
    statement = select(column.label("who"), at).group_by(column)
    return {row["who"]: row["at"] for row in matching(connection, statement, column, set(ids)) if row["at"]}
