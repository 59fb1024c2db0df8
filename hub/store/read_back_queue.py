"""What is to be read back: put down in the transaction that notes the write, taken under a lease, gone when it is judged.

No value is kept here: what was sent stands on the delivery's attempt.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql

from hub.store.many import run_many
from hub.store.schema import attempts
from hub.store.schema import read_back_queue as table


class Written(NamedTuple):
    """One record to read. What is written to it again by the same mapping takes its place."""

    connection: str
    object: str
    record_id: str
    mapping: str
    version: int
    delivery: int
    country: str
    noted_at: int
    due_at: int
    tries: int = 0
    id: int = 0  # its row, new each time that it is written


_PLACE = ("connection", "object", "record_id", "mapping")
_ON_POSTGRESQL = insert_postgresql(table)
# In one statement for each row: two nodes that forget first and put down then wait for each other in a ring.
_PUT = {
    "sqlite": table.insert().prefix_with("OR REPLACE"),
    "postgresql": _ON_POSTGRESQL.on_conflict_do_update(
        index_elements=_PLACE,
        set_={name: column for name, column in _ON_POSTGRESQL.excluded.items() if name not in _PLACE},
    ),
}


def put(conn: Connection, rows: Sequence[Written], *, most: int) -> int:
    """Have records read; how many are left out because `most` wait already. One that waits, is written again and left out
    keeps its row: it is not the last any more, and will count nothing."""
    by_place = {row[:4]: row for row in rows}
    places = sorted(by_place)  # in one order on every node, so that none waits for the other in a ring
    taken = places[: max(0, most - waiting(conn, most))]
    if taken:
        given = [{name: value for name, value in by_place[one]._asdict().items() if name != "id"} for one in taken]
        run_many(conn, _PUT[conn.dialect.name], given)
    return len(places) - len(taken)


def take(conn: Connection, connection: str, *, now: int, until: int, limit: int) -> list[Written]:
    """What is due of a connection, for whoever asks: it comes again at `until`, unless by then it is `done` or put off."""
    asked = (
        select(table)
        .where(table.c.connection == connection, table.c.due_at <= now)
        .order_by(table.c.due_at, table.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = [Written(**row._mapping) for row in conn.execute(asked)]
    put_off(conn, rows, due_at=until)
    return [row._replace(due_at=until) for row in rows]


def put_off(conn: Connection, rows: Sequence[Written], *, due_at: int, tries: int = 0) -> None:
    """Have records read at that moment, with so many tries more behind them. What was written again stays as it is."""
    if rows:
        _hold(conn, rows)
        conn.execute(update(table).where(_these(rows)).values(due_at=due_at, tries=table.c.tries + tries))


def done(conn: Connection, rows: Sequence[Written]) -> set[int]:
    """Take records off the queue; the ids of those that were there: neither written again, nor done by another node."""
    if not rows:
        return set()
    _hold(conn, rows)
    return set(conn.scalars(delete(table).where(_these(rows)).returning(table.c.id)))


def hasten(conn: Connection, *, now: int) -> None:
    """Have everything read now."""
    conn.execute(update(table).where(table.c.due_at > now).values(due_at=now))


def due_connections(conn: Connection, *, now: int) -> list[str]:
    """The connections that something is due of."""
    return sorted(conn.scalars(select(table.c.connection).where(table.c.due_at <= now).distinct()))


def next_due(conn: Connection, *, after: int) -> int | None:
    """When the next is due that was not due yet at that moment."""
    first: int | None = conn.scalar(select(func.min(table.c.due_at)).where(table.c.due_at > after))
    return first


def waiting(conn: Connection, most: int) -> int:
    """How many wait, counted up to `most`."""
    return conn.scalar(select(func.count()).select_from(select(table.c.id).limit(most).subquery())) or 0


def forget(conn: Connection, *, before: int) -> int:
    """Forget what was written before that moment and could not be read since; how many."""
    return conn.execute(delete(table).where(table.c.noted_at < before)).rowcount


def sent(conn: Connection, wanted: Collection[int]) -> dict[int, dict[str, Any]]:
    """What the last attempt of each delivery that wrote has sent."""
    last = (
        select(func.max(attempts.c.id))
        .where(attempts.c.delivery.in_(list(wanted)), attempts.c.sent.is_not(None))
        .where(attempts.c.outcome.in_(("created", "updated")))
        .group_by(attempts.c.delivery)
    )
    rows = conn.execute(select(attempts.c.delivery, attempts.c.sent).where(attempts.c.id.in_(last)))
    return {row.delivery: msgspec.json.decode(row.sent) for row in rows}


def _hold(conn: Connection, rows: Sequence[Written]) -> None:
    """Lock them in the order of `put`."""
    if conn.dialect.name == "postgresql":
        order = [table.c[name] for name in _PLACE]
        conn.execute(select(table.c.id).where(_these(rows)).order_by(*order).with_for_update())


def _these(rows: Sequence[Written]) -> Any:
    return table.c.id.in_([row.id for row in rows])
