"""Records that a CRM merged into others: what an old id is called now."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.schema import fresh_records, merged_records

AT_ONCE = 5_000  # ids in one statement: every engine takes as many


class Merge(NamedTuple):
    """One record that was merged, and the one that is left."""

    object: str
    old_id: str
    new_object: str
    new_id: str


def any_of(conn: Connection, connection: str) -> bool:
    """Whether any merge of this connection is known."""
    query = select(merged_records.c.old_id).where(merged_records.c.connection == connection).limit(1)
    return conn.execute(query).first() is not None


def merges_of(conn: Connection, connection: str, ids: Collection[str]) -> list[Merge]:
    """What is known of these ids."""
    query = select(*(merged_records.c[name] for name in Merge._fields)).where(merged_records.c.connection == connection)
    wanted = list(ids)
    return [
        Merge(*row)
        for start in range(0, len(wanted), AT_ONCE)
        for row in conn.execute(query.where(merged_records.c.old_id.in_(wanted[start : start + AT_ONCE])))
    ]


def learn(conn: Connection, connection: str, merge: Merge, *, now: int) -> None:
    """Keep a merge. What pointed to the old record points to the new one, and so does what was remembered of it."""
    table = merged_records
    mine = table.c.connection == connection
    new = {"new_object": merge.new_object, "new_id": merge.new_id, "learned_at": now}
    # The record that is left is there: what was said of its own end does not hold (any more), or there would be a ring.
    conn.execute(delete(table).where(mine, table.c.old_id == merge.new_id))
    conn.execute(
        update(table).where(mine, table.c.new_object == merge.object, table.c.new_id == merge.old_id).values(new)
    )
    insert = (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table)
    conn.execute(
        insert.values(connection=connection, object=merge.object, old_id=merge.old_id, **new).on_conflict_do_update(
            index_elements=["connection", "old_id", "object"], set_=new
        )
    )
    _rename_fresh(conn, connection, merge)


def _rename_fresh(conn: Connection, connection: str, merge: Merge) -> None:
    table, other = fresh_records, fresh_records.alias()
    its = (table.c.connection == connection, table.c.object == merge.object, table.c.record_id == merge.old_id)
    there = exists().where(
        other.c.connection == connection, other.c.object == merge.new_object, other.c.record_id == merge.new_id
    )
    # Without its address, which opens the old record: the connector's own link is asked for.
    conn.execute(update(table).where(*its, ~there).values(object=merge.new_object, record_id=merge.new_id, url=""))
    conn.execute(delete(table).where(*its))
