"""The statements of `mapping_versions`: numbered versions of mappings, never changed, never deleted.

An empty `source` retires its mapping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text

from hub.store.schema import mapping_versions as versions

# What is listed of a version: everything but its content.
_HEAD = (
    versions.c.name,
    versions.c.version,
    versions.c.digest,
    versions.c.published_by,
    versions.c.published_at,
    versions.c.note,
)


def one_publisher(connection: Connection) -> None:
    """Let no other node publish until this transaction ends, so that two of them give one version, in order.

    SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE mapping_versions IN SHARE ROW EXCLUSIVE MODE"))


def add(connection: Connection, *, name: str, source: str, digest: str, by: str, at: int, note: str) -> int:
    """Add the next version of a mapping and give its number. Within `one_publisher`."""
    highest = connection.scalar(select(func.max(versions.c.version)).where(versions.c.name == name)) or 0
    connection.execute(
        insert(versions).values(
            name=name,
            version=highest + 1,
            source=source,
            digest=digest,
            published_by=by,
            published_at=at,
            note=note or None,
        )
    )
    return highest + 1


def newest(connection: Connection) -> dict[str, int]:
    """The number of each mapping's newest version."""
    rows = connection.execute(select(versions.c.name, func.max(versions.c.version)).group_by(versions.c.name))
    return {row[0]: row[1] for row in rows}


def latest(connection: Connection) -> int:
    """The number that the newest version of all has among all; it grows with each that is published."""
    return connection.scalar(select(func.max(versions.c.id))) or 0


def last(connection: Connection, name: str, by: str | None = None) -> Row[*tuple[Any, ...]] | None:
    """The newest version of a mapping: of all, or of those that `by` published."""
    query = select(*_HEAD).where(versions.c.name == name).order_by(versions.c.version.desc()).limit(1)
    if by is not None:
        query = query.where(versions.c.published_by == by)
    return connection.execute(query).first()


def history(connection: Connection, name: str) -> Sequence[Row[*tuple[Any, ...]]]:
    """All versions of a mapping, newest first."""
    query = select(*_HEAD).where(versions.c.name == name).order_by(versions.c.version.desc())
    return connection.execute(query).all()


def source(connection: Connection, name: str, version: int) -> str | None:
    """The YAML of one version; None where there is none."""
    return connection.scalar(select(versions.c.source).where(versions.c.name == name, versions.c.version == version))
