"""The customer directory in SQL: records as a screen pop needs them, the identifiers that find them, and how fresh all is.

An entry is one identifier (an E.164 number, a folded address, an attached key) of one record. What is told of the record
stands once, beside the list of its identifiers: so a record that changes knows which entries it had.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, and_, bindparam, delete, func, select, update

from hub.store.database import Store
from hub.store.glance import Glance, one_of
from hub.store.many import Into, among, bulk, insert
from hub.store.schema import directory_entries, directory_records, directory_sources, list_runs

MOST = 500  # records of one look-up: a number of more people than that is everybody's

_KEY = ("connection", "object", "id")
_RECORD = tuple(directory_records.c[name] for name in (*_KEY, "body", "seen_at"))


# Plain tuples, in the columns' order: a first load makes millions of them.
KeptRecord: TypeAlias = tuple[str, str, str, str, int, int]  # connection, object, id, body, run, seen_at
KeptEntry: TypeAlias = tuple[str, str, str, str]  # value, connection, object, id


# --- look up ----------------------------------------


def known_by(store: Store, connection: str, value: str) -> list[Any]:
    """The records of a connection that an identifier finds: connection, object, id, body, seen_at."""
    return store.glance(_KNOWN_BY, connection=connection, value=value)


def named(store: Store, connection: str, object: str, ids: Collection[str]) -> list[Any]:
    """The records of an object with these ids: connection, object, id, body, seen_at."""
    return store.glance(_NAMED, connection=connection, object=object, ids=list(ids))


def in_step(store: Store) -> list[Any]:
    """Every pulled object: connection, object, and fresh_at, since when it is in step with the CRM."""
    return store.glance(_IN_STEP)


def sources(conn: Connection) -> Sequence[Any]:
    """Every pulled object: how much is known of it, and since when that is in step with the CRM."""
    order = (directory_sources.c.connection, directory_sources.c.object)
    return conn.execute(select(directory_sources).order_by(*order)).all()


# --- a page of a pull ----------------------------------------


def records(conn: Connection, connection: str, object: str, ids: Collection[str]) -> dict[str, Any]:
    """What is kept of these records: id, body."""
    mine = _mine(directory_records, connection, object)
    found = select(directory_records.c.id, directory_records.c.body).where(
        *mine, among(conn, directory_records.c.id, ids)
    )
    return {row.id: row for row in conn.execute(found)}


def unseen(conn: Connection, connection: str, object: str, run: int, after: str, limit: int) -> Sequence[Any]:
    """Records after `after` that this full run did not see: id, body."""
    return conn.execute(
        select(directory_records.c.id, directory_records.c.body)
        .where(*_mine(directory_records, connection, object), directory_records.c.id > after)
        .where(directory_records.c.run < run)
        .order_by(directory_records.c.id)
        .limit(limit)
    ).all()


def keep_records(conn: Connection, rows: Sequence[KeptRecord]) -> None:
    """Write records as they are now. A record may be there once."""
    bulk(conn, _RECORDS, rows)


def add_entries(conn: Connection, rows: Sequence[KeptEntry]) -> None:
    """Add identifiers. In the order of the index, for they come in any."""
    bulk(conn, _ENTRIES, sorted(rows))


def see(conn: Connection, connection: str, object: str, ids: Collection[str], run: int, seen_at: int) -> None:
    """Note that these records were read and are as they were."""
    if ids:
        conn.execute(
            update(directory_records)
            .where(*_mine(directory_records, connection, object), among(conn, directory_records.c.id, ids))
            .values(run=run, seen_at=seen_at)
        )


def drop_records(conn: Connection, connection: str, object: str, ids: Collection[str]) -> None:
    """Forget records; their entries are dropped by `drop_entries`."""
    if ids:
        mine = _mine(directory_records, connection, object)
        conn.execute(delete(directory_records).where(*mine, among(conn, directory_records.c.id, ids)))


def drop_entries(conn: Connection, rows: Sequence[KeptEntry]) -> None:
    """Forget identifiers of records."""
    if rows:
        conn.execute(_DROP, [dict(zip(_PLACES, row, strict=True)) for row in rows])


def count(conn: Connection, connection: str, object: str, records: int, entries: int) -> None:
    """Keep the count of what is known of an object."""
    added = insert(conn, directory_sources).values(
        connection=connection, object=object, records=records, entries=entries
    )
    table = directory_sources.c
    sums = {"records": table.records + added.excluded.records, "entries": table.entries + added.excluded.entries}
    conn.execute(added.on_conflict_do_update(index_elements=["connection", "object"], set_=sums))


def is_in_step(conn: Connection, connection: str, object: str, since: int) -> None:
    """What is known of this object is all that the CRM had at `since`."""
    conn.execute(update(directory_sources).where(*_mine(directory_sources, connection, object)).values(fresh_at=since))


# --- what goes ----------------------------------------


def forget_source(conn: Connection, connection: str, object: str) -> None:
    """Forget that this object was ever pulled; its records have to be gone."""
    conn.execute(delete(directory_sources).where(*_mine(directory_sources, connection, object)))


def forget_runs(conn: Connection, series: str, before: int) -> None:
    """Forget the runs of `series` that began before that moment and that no later one goes on from."""
    mine = list_runs.c.mapping == series
    newest = select(func.max(list_runs.c.id)).where(mine, list_runs.c.state == "done")
    conn.execute(
        delete(list_runs)
        .where(mine, list_runs.c.started_at < before, list_runs.c.state != "running")
        .where(list_runs.c.id < newest.scalar_subquery())
        .where(list_runs.c.id != newest.where(list_runs.c.full).scalar_subquery())
    )


def _mine(table: Any, connection: str, object: str) -> tuple[Any, Any]:
    return (table.c.connection == connection, table.c.object == object)


_KNOWN_BY = Glance(
    lambda _: (
        select(*_RECORD)
        .select_from(
            directory_entries.join(
                directory_records, and_(*(directory_records.c[name] == directory_entries.c[name] for name in _KEY))
            )
        )
        .where(
            directory_entries.c.value == bindparam("value"), directory_entries.c.connection == bindparam("connection")
        )
        .order_by(directory_entries.c.object, directory_entries.c.id)
        .limit(MOST)
    )
)
_NAMED = Glance(
    lambda dialect: (
        select(*_RECORD)
        .where(directory_records.c.connection == bindparam("connection"))
        .where(directory_records.c.object == bindparam("object"), one_of(dialect, directory_records.c.id, "ids"))
    ),
    lists=["ids"],
)
_IN_STEP = Glance(
    lambda _: select(directory_sources.c.connection, directory_sources.c.object, directory_sources.c.fresh_at)
)
_RECORDS: Into = (
    directory_records.name,
    {"connection": "text", "object": "text", "id": "text", "body": "text", "run": "bigint", "seen_at": "bigint"},
    {},
    "(connection, object, id) DO UPDATE SET body = excluded.body, run = excluded.run, seen_at = excluded.seen_at",
)
_ENTRIES: Into = (
    directory_entries.name,
    {"value": "text", "connection": "text", "object": "text", "id": "text"},
    {},
    "(value, connection, object, id) DO NOTHING",
)
_PLACES = tuple(f"_{name}" for name in _ENTRIES[1])
_DROP = delete(directory_entries).where(*(directory_entries.c[place[1:]] == bindparam(place) for place in _PLACES))
