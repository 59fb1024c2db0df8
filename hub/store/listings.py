"""What people and machines look at beside deliveries: interactions, bodies that could not be read, how long work waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, text

from hub.store.schema import deliveries, interactions, unread


def interactions_by_key(connection: Connection, key: str, of: str | None = None) -> Sequence[Row[Any]]:
    """The interactions with this key, one for each connection that has it; or the one of the connection `of`."""
    query = select(interactions).where(interactions.c.key == key).order_by(interactions.c.connection)
    if of is not None:
        query = query.where(interactions.c.connection == of)
    return connection.execute(query.limit(20)).all()


def oldest_due(connection: Connection) -> dict[str, int]:
    """When the longest waiting delivery of each connection was due, in milliseconds since 1970."""
    query = select(deliveries.c.connection, func.min(deliveries.c.due_at)).where(text("state = 'pending'"))
    return {row[0]: row[1] for row in connection.execute(query.group_by(deliveries.c.connection))}


def unread_page(connection: Connection, *, of: str | None, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """The newest bodies that could not be read first, without the bodies."""
    size = func.length(unread.c.body).label("size")
    query: Select[Any] = select(unread.c.id, unread.c.connection, unread.c.received_at, unread.c.reason, size)
    query = query.order_by(unread.c.id.desc()).limit(limit)
    if of is not None:
        query = query.where(unread.c.connection == of)
    if before is not None:
        query = query.where(unread.c.id < before)
    return connection.execute(query).all()


def unread_one(connection: Connection, id: int) -> Row[Any] | None:
    """One body that could not be read, with it."""
    return connection.execute(select(unread).where(unread.c.id == id)).first()


def latest_interactions(connection: Connection, limit: int) -> Sequence[Row[Any]]:
    """The interactions that changed last, by connection and key."""
    columns = (interactions.c.connection, interactions.c.key, interactions.c.channel, interactions.c.updated_at)
    query: Select[Any] = select(*columns).order_by(interactions.c.updated_at.desc()).limit(limit)
    return connection.execute(query).all()
