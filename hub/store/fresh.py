"""What the hub has just created in a CRM, remembered until the CRM's own index knows it: a screen pop finds it at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Column, Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.database import Store
from hub.store.glance import Glance, one_of
from hub.store.schema import fresh_records


class Fresh(Struct, frozen=True, kw_only=True):
    """A person that was just created in a CRM whose index may not know it yet."""

    connection: str
    object: str
    record_id: str
    phone: str | None
    email: str | None
    title: str
    url: str


def remember(conn: Connection, records: Sequence[Fresh], *, now: int) -> None:
    """Remember people that were just created; a record that is remembered already stays as it is."""
    if not records:
        return
    insert = (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(fresh_records).on_conflict_do_nothing()
    conn.execute(insert, [msgspec.structs.asdict(record) | {"created_at": now} for record in records])


def known(store: Store, connections: Sequence[str], phone: str, email: str, since: int) -> list[Any]:
    """What the hub created since then in these connections with this number or e-mail address, newest first."""
    asked: dict[str, Any] = {"connections": list(connections), "since": since}
    rows = store.glance(_FRESH_BY_PHONE, values=[phone], **asked) if phone else []
    if email:
        rows += store.glance(_FRESH_BY_EMAIL, values=[email, email.lower()], **asked)
    return sorted(dict.fromkeys(rows), key=lambda row: row.created_at, reverse=True)


def _fresh_by(known: Column[str]) -> Glance:
    table = fresh_records.c
    columns = ("connection", "object", "record_id", "phone", "email", "title", "url", "created_at")
    return Glance(
        lambda dialect: (
            select(*(table[name] for name in columns))
            .where(one_of(dialect, known, "values"), one_of(dialect, table.connection, "connections"))
            .where(table.created_at >= bindparam("since"))
            .order_by(table.created_at.desc())
            .limit(50)
        ),
        lists=["values", "connections"],
    )


# Two, for of both at once SQLite would read every fresh record of the connections.
_FRESH_BY_PHONE, _FRESH_BY_EMAIL = _fresh_by(fresh_records.c.phone), _fresh_by(fresh_records.c.email)
