"""Merge two records of the embedded CRM: one is left, and whoever asks for the other by its id is given that one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hub.errors import NotFound, Rejected
from hub.model import Row
from hub.store.crm.schema import OBJECTS, PEOPLE, CrmObject, merges
from hub.store.crm.values import shown
from hub.store.crm.write import matching, next_number, write


def merge(connection: Connection, one: CrmObject, old: str, into: str, country: str, now: int) -> None:
    """Merge the record `old` into `into`: what refers to it refers to that one, whose empty fields take its values.

    Raises NotFound for a record that is not there, Rejected for what cannot be merged.
    """
    if one not in PEOPLE or old == into:
        raise Rejected(f"two different people or accounts can be merged, not the {one.name} {old} into {into}")
    revision = next_number(connection, "revision")  # from here to the commit nobody else writes
    kept = {row["id"]: dict(row) for row in matching(connection, select(one.table), one.table.c.id, {old, into})}
    for id in (old, into):
        if id not in kept:
            raise NotFound(f'there is no {one.name} "{id}"')
    for other in OBJECTS.values():
        for name in (name for name, target in other.references.items() if target == one.name):
            column = other.table.c[name]
            moved = {column: into, other.table.c.updated_at: now, other.table.c.revision: revision}
            connection.execute(update(other.table).where(column == old).values(moved))
    filled = _lacking(one, kept[into], kept[old])
    write(connection, one, "id", [Row(key=into, fields=filled)], country, now)
    write(connection, one, "id", [Row(key=old, fields={}, action="remove")], country, now)
    mine = merges.c.object == one.name
    connection.execute(update(merges).where(mine, merges.c.survivor == old).values(survivor=into))
    connection.execute(insert(merges).values(object=one.name, record=old, survivor=into))


def survivors(connection: Connection, name: str, ids: Collection[str]) -> dict[str, str]:
    """Of these ids of an object, those that were merged, and the record that is left."""
    rows = matching(connection, select(merges).where(merges.c.object == name), merges.c.record, ids)
    return {row["record"]: row["survivor"] for row in rows}


def _lacking(one: CrmObject, left: Mapping[str, Any], gone: Mapping[str, Any]) -> dict[str, Any]:
    """What the record that is left lacks and the other has. A no to being called is a no of both."""
    values = shown(one, gone)
    fields = {
        field.name: values[field.name]
        for field in one.fields
        if field.writable and not field.unique and left[field.name] is None and gone[field.name] is not None
    }
    return fields | ({"do_not_call": True} if gone.get("do_not_call") else {})
