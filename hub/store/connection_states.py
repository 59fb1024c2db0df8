"""Whether a connection is active or paused, why and until when, and how many calls it made today (UTC)."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection


class ConnectionState(Struct, frozen=True, kw_only=True):
    """One connection's state. `until` is when it goes on (or is tried) by itself; None while paused: by hand."""

    connection: str
    state: str = "active"  # active | paused
    reason: str = ""  # the word: credentials_refused | quota_spent | calls_per_day | by_hand
    message: str = ""
    since: datetime | None = None
    until: datetime | None = None
    calls_today: int = 0


def state_of(conn: Connection, connection: str) -> ConnectionState:
    """The state of one connection; active where nothing was ever noted."""
    raise NotImplementedError


def states(conn: Connection) -> dict[str, ConnectionState]:
    """The states of all connections that have one."""
    raise NotImplementedError
