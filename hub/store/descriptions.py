"""What each CRM described last: so that a change can be named, and a check offline has something to compare with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, inspect, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.clock import from_ms
from hub.model import Description
from hub.store.schema import descriptions as table

_body = msgspec.json.Decoder(Description)


class Seen(Struct, frozen=True, kw_only=True):
    """One description, when it was asked last, and since when it says this."""

    description: Description
    asked_at: datetime
    changed_at: datetime


def are_kept(conn: Connection) -> bool:
    """Whether the store has room for them: one that no hub has started on yet, or only an older one, has not."""
    return inspect(conn).has_table(table.name)


def last(conn: Connection, connection: str, object: str) -> Seen | None:
    """What was described last."""
    row = conn.execute(select(table).where(table.c.connection == connection, table.c.object == object)).first()
    if row is None:
        return None
    return Seen(description=_body.decode(row.body), asked_at=from_ms(row.asked_at), changed_at=from_ms(row.changed_at))


def keep(conn: Connection, connection: str, description: Description, *, now: int) -> Description | None:
    """Keep what was described at `now` (ms), and give what was described before; None: it is the first."""
    before = last(conn, connection, description.object)
    changed = before is None or before.description != description
    values: dict[str, Any] = {"body": msgspec.json.encode(description).decode(), "asked_at": now}
    if changed:
        values["changed_at"] = now
    insert: Any = (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table)
    row = {"connection": connection, "object": description.object, "changed_at": now} | values
    conn.execute(insert.values(row).on_conflict_do_update(index_elements=["connection", "object"], set_=values))
    return None if before is None else before.description
