"""Alerts: what a person has to know before it hurts. One trouble is one alert, from when it is raised till it is cleared."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.clock import from_ms
from hub.store.schema import alerts as table

DRIFT, CREDENTIALS, QUOTA, NOT_KEPT = KINDS = ("drift", "credentials", "quota", "not_kept")
_OPEN = table.c.cleared_at.is_(None)


class Trouble(Struct, frozen=True, kw_only=True):
    """What an alert is about. Whoever raises it gives the same `key` for the same trouble; no personal data in it."""

    key: str
    kind: str  # one of KINDS, or a further one
    message: str  # a sentence that says what, where, and what would be right
    connection: str | None = None
    mapping: str | None = None
    field: str | None = None


class Alert(Struct, frozen=True, kw_only=True):
    """One alert as it stands; `cleared_at` None: it is open."""

    id: int
    key: str
    kind: str
    connection: str | None
    mapping: str | None
    field: str | None
    message: str
    raised_at: datetime
    seen_at: datetime
    cleared_at: datetime | None


def raise_one(conn: Connection, trouble: Trouble, *, now: int, keep_message: bool = False) -> bool:
    """Raise an alert at `now` (ms); whether it is new. One that is open is refreshed: seen again now, and saying what
    `trouble` says unless `keep_message`."""
    said = {"seen_at": now} if keep_message else {"seen_at": now, "message": trouble.message}
    if conn.execute(update(table).where(table.c.key == trouble.key, _OPEN).values(said)).rowcount:
        return False
    values = {
        "key": trouble.key, "kind": trouble.kind, "connection": trouble.connection, "mapping": trouble.mapping,
        "field": trouble.field, "message": trouble.message, "raised_at": now, "seen_at": now,
    }  # fmt: skip
    insert: Any = (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table).values(values)
    # Where another node was first, the alert is there and as good as ours.
    made = insert.on_conflict_do_nothing(index_elements=["key"], index_where=_OPEN).returning(table.c.id)
    return conn.execute(made).first() is not None


def clear(conn: Connection, keys: Iterable[str], *, now: int) -> list[Alert]:
    """Clear the open ones of these keys, and say which they were."""
    wanted = list(keys)
    found = _found(conn, _OPEN, table.c.key.in_(wanted)) if wanted else []
    conn.execute(update(table).where(table.c.id.in_([one.id for one in found]), _OPEN).values(cleared_at=now))
    return found


def opened(
    conn: Connection, *, kind: str | None = None, connection: str | None = None, mapping: str | None = None
) -> list[Alert]:
    """The open alerts, the newest first; of this kind, connection or mapping only, where one is given."""
    return _found(conn, _OPEN, *_conditions(kind, connection, mapping))


def page(
    conn: Connection,
    *,
    open: bool | None = None,
    kinds: Collection[str] = (),
    connection: str | None = None,
    mapping: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Alert]:
    """The newest `limit` alerts, open or cleared; go on with `before=` the last one's id."""
    where = _conditions(None, connection, mapping)
    if kinds:
        where.append(table.c.kind.in_(kinds))
    if open is not None:
        where.append(_OPEN if open else ~_OPEN)
    if before is not None:
        where.append(table.c.id < before)
    return _found(conn, *where, limit=limit)


def counts(conn: Connection) -> dict[str, int]:
    """By kind, how many are open."""
    rows = conn.execute(select(table.c.kind, func.count()).where(_OPEN).group_by(table.c.kind))
    return dict.fromkeys(KINDS, 0) | {row[0]: row[1] for row in rows}


def _conditions(kind: str | None, connection: str | None, mapping: str | None) -> list[Any]:
    given = {table.c.kind: kind, table.c.connection: connection, table.c.mapping: mapping}
    return [column == value for column, value in given.items() if value is not None]


def _found(conn: Connection, *where: Any, limit: int | None = None) -> list[Alert]:
    query = select(table).where(*where).order_by(table.c.id.desc()).limit(limit)
    return [
        Alert(
            **{name: getattr(row, name) for name in ("id", "key", "kind", "connection", "mapping", "field", "message")},
            raised_at=from_ms(row.raised_at),
            seen_at=from_ms(row.seen_at),
            cleared_at=None if row.cleared_at is None else from_ms(row.cleared_at),
        )
        for row in conn.execute(query)
    ]
