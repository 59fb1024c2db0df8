"""The calls of all nodes, by lane and quarter of an hour, and what vendors said of their quotas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.budget import Told
from hub.clock import from_ms, to_ms
from hub.model import Quota
from hub.store import connection_states
from hub.store.schema import call_slots, quotas

SLOT_MS = 15 * 60_000
KEEP = timedelta(days=8)


def add(conn: Connection, connection: str, calls: Mapping[int, int], *, now: datetime) -> None:
    """Add a connection's calls, by lane, to the day's count and to the present quarter of an hour."""
    connection_states.add_calls(conn, {connection: sum(calls.values())}, now=now)
    slot = slot_of(to_ms(now))
    insert = _insert(conn, call_slots)
    conn.execute(
        insert.on_conflict_do_update(
            index_elements=["connection", "slot", "lane"],
            set_={"calls": call_slots.c.calls + insert.excluded.calls},
        ),
        [{"connection": connection, "slot": slot, "lane": lane, "calls": many} for lane, many in sorted(calls.items())],
    )


def of_day(conn: Connection, *, now: datetime, connection: str | None = None) -> dict[str, dict[int, int]]:
    """The calls of the UTC day by connection and lane; of one connection if it is named."""
    midnight = to_ms(now.replace(hour=0, minute=0, second=0, microsecond=0))
    query = select(call_slots.c.connection, call_slots.c.lane, func.sum(call_slots.c.calls))
    query = query.where(call_slots.c.slot >= midnight).group_by(call_slots.c.connection, call_slots.c.lane)
    if connection is not None:
        query = query.where(call_slots.c.connection == connection)
    found: dict[str, dict[int, int]] = {}
    for name, lane, calls in conn.execute(query):
        found.setdefault(name, {})[lane] = int(calls)
    return found


def since(conn: Connection, slot: int) -> dict[str, int]:
    """How many calls each connection made from the beginning of a slot on."""
    query = select(call_slots.c.connection, func.sum(call_slots.c.calls)).where(call_slots.c.slot >= slot)
    return {name: int(calls) for name, calls in conn.execute(query.group_by(call_slots.c.connection))}


def tell(conn: Connection, connection: str, told: Iterable[Told]) -> None:
    """Keep what a vendor said, where nothing newer is kept."""
    for one in told:
        insert = _insert(conn, quotas).values(
            connection=connection,
            window_seconds=one.quota.window_seconds,
            calls_limit=one.quota.limit,
            calls_used=one.quota.used,
            until=None if one.quota.until is None else to_ms(one.quota.until),
            seen_at=to_ms(one.at),
        )
        newer = {name: insert.excluded[name] for name in ("calls_limit", "calls_used", "until", "seen_at")}
        conn.execute(
            insert.on_conflict_do_update(
                index_elements=["connection", "window_seconds"],
                set_=newer,
                where=quotas.c.seen_at <= insert.excluded.seen_at,
            )
        )


def told(conn: Connection, connection: str | None = None) -> dict[str, list[Told]]:
    """What vendors said last, by connection; the longest window first."""
    query = select(quotas).order_by(quotas.c.connection, quotas.c.window_seconds.desc())
    if connection is not None:
        query = query.where(quotas.c.connection == connection)
    found: dict[str, list[Told]] = {}
    for row in conn.execute(query):
        quota = Quota(
            limit=row.calls_limit,
            used=row.calls_used,
            window_seconds=row.window_seconds,
            until=None if row.until is None else from_ms(row.until),
        )
        found.setdefault(row.connection, []).append(Told(quota, from_ms(row.seen_at)))
    return found


def forget(conn: Connection, *, now: datetime) -> None:
    """Forget the slots that no forecast looks at any more."""
    conn.execute(delete(call_slots).where(call_slots.c.slot < to_ms(now - KEEP)))


def slot_of(ms: int) -> int:
    """When the quarter of an hour began that a moment is in."""
    return ms - ms % SLOT_MS


def _insert(conn: Connection, table: Any) -> Any:
    return (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table)
