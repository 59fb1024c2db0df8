"""Whether a connection is active or paused, why and until when, and how many calls it made today (UTC)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, case, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.clock import from_ms, to_ms
from hub.store.deliveries import Reason
from hub.store.schema import connection_states as table

BY_HAND = "by_hand"


class ConnectionState(Struct, frozen=True, kw_only=True):
    """One connection's state. `until` is when it goes on (or is tried) by itself; None while paused: by hand."""

    connection: str
    state: str = "active"  # active | paused
    reason: str = ""  # the word: credentials_refused | quota_spent | calls_per_day | by_hand
    message: str = ""
    since: datetime | None = None
    until: datetime | None = None
    calls_today: int = 0

    @property
    def paused(self) -> bool:
        """Whether its queue waits."""
        return self.state == "paused"


def state_of(conn: Connection, connection: str, *, day: str) -> ConnectionState:
    """The state of one connection on `day`; active where nothing was ever noted."""
    row = conn.execute(select(table).where(table.c.connection == connection)).first()
    return ConnectionState(connection=connection) if row is None else _state(row, day)


def states(conn: Connection, *, day: str) -> dict[str, ConnectionState]:
    """The states on `day` of all connections that have one."""
    return {row.connection: _state(row, day) for row in conn.execute(select(table).order_by(table.c.connection))}


def pause(conn: Connection, connection: str, why: Reason, *, now: datetime, until: datetime | None) -> None:
    """Pause a connection until then, or (None) until a person resumes it. A pause by hand is never shortened."""
    values = {
        "state": "paused",
        "reason": msgspec.json.encode(why).decode(),
        "since": to_ms(now),
        "until": None if until is None else to_ms(until),
    }
    insert = _insert(conn).values(connection=connection, day=day_of(now), calls=0, **values)
    by_hand = (table.c.state == "paused") & table.c.until.is_(None)
    # What a probe finds again keeps the moment at which it began.
    since = case((table.c.state == "paused", table.c.since), else_=insert.excluded.since)
    where = None if until is None else ~by_hand
    conn.execute(
        insert.on_conflict_do_update(index_elements=["connection"], set_=values | {"since": since}, where=where)
    )


def resume(conn: Connection, connection: str, *, now: datetime) -> bool:
    """Make a connection active; whether it was paused."""
    paused = (table.c.connection == connection) & (table.c.state == "paused")
    active = {"state": "active", "reason": None, "since": to_ms(now), "until": None}
    return conn.execute(update(table).where(paused).values(active)).rowcount > 0


def take_probe(conn: Connection, connection: str, *, seen: datetime, until: datetime) -> bool:
    """Take the trying of a paused connection whose time has come, by moving its time on; False: another node did."""
    still = (table.c.connection == connection) & (table.c.state == "paused") & (table.c.until == to_ms(seen))
    return conn.execute(update(table).where(still).values(until=to_ms(until))).rowcount > 0


def add_calls(conn: Connection, calls: Mapping[str, int], *, now: datetime) -> None:
    """Add calls to the day's count of each connection."""
    day = day_of(now)
    for connection in sorted(calls):
        insert = _insert(conn).values(
            connection=connection, state="active", since=to_ms(now), day=day, calls=calls[connection]
        )
        total = case((table.c.day == day, table.c.calls + insert.excluded.calls), else_=insert.excluded.calls)
        conn.execute(insert.on_conflict_do_update(index_elements=["connection"], set_={"day": day, "calls": total}))


def day_of(moment: datetime) -> str:
    """The UTC day, as text."""
    return moment.strftime("%Y-%m-%d")


def _insert(conn: Connection) -> Any:
    return (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table)


def _state(row: Any, day: str) -> ConnectionState:
    why = None if row.reason is None else msgspec.json.decode(row.reason, type=Reason)
    return ConnectionState(
        connection=row.connection,
        state=row.state,
        reason=why.name if why else "",
        message=why.message if why else "",
        since=from_ms(row.since),
        until=None if row.until is None else from_ms(row.until),
        calls_today=row.calls if row.day == day else 0,
    )
