"""How each connection's credentials are, as the last call that told found them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.clock import from_ms, to_ms
from hub.store.schema import credentials as table


class Found(Struct, frozen=True, kw_only=True):
    """What a call found."""

    state: Literal["good", "refused"]
    message: str = ""
    expires_at: datetime | None = None
    checked_at: datetime


def note(conn: Connection, connection: str, found: Found) -> None:
    """Keep what a call found. Refused credentials keep the end that was known of them."""
    values: dict[str, Any] = {
        "state": found.state,
        "message": found.message or None,
        "checked_at": to_ms(found.checked_at),
    }
    if found.state == "good":
        values["expires_at"] = None if found.expires_at is None else to_ms(found.expires_at)
    insert = (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table)
    conn.execute(
        insert.values(connection=connection, **values).on_conflict_do_update(
            index_elements=["connection"], set_=values, where=table.c.checked_at <= values["checked_at"]
        )
    )


def forget(conn: Connection, connection: str) -> None:
    """Nobody knows how its credentials are."""
    conn.execute(delete(table).where(table.c.connection == connection))


def found(conn: Connection) -> dict[str, Found]:
    """What is known, by connection."""
    return {row.connection: _found(row) for row in conn.execute(select(table).order_by(table.c.connection))}


def _found(row: Any) -> Found:
    return Found(
        state=row.state,
        message=row.message or "",
        expires_at=None if row.expires_at is None else from_ms(row.expires_at),
        checked_at=from_ms(row.checked_at),
    )
