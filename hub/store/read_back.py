"""How well what was written is kept, by mapping, version and field: counts, lengths and the last verdicts; never a value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects import postgresql, sqlite

from hub.clock import from_ms
from hub.store.schema import deliveries
from hub.store.schema import read_back as table

LATELY = 20  # verdicts that are kept in their order
COUNTS = {"k": "kept", "c": "changed", "s": "cut", "m": "missing"}  # a verdict's letter → its column


class Found(Struct, frozen=True, kw_only=True):
    """One verdict about one field: a letter of COUNTS, and for a cut how long the text was and is."""

    connection: str
    mapping: str
    version: int
    field: str
    letter: str
    sent: int | None = None
    kept: int | None = None


class Score(Struct, frozen=True, kw_only=True):
    """How one field of one version of a mapping is kept."""

    connection: str
    mapping: str
    version: int
    field: str
    checked: int
    kept: int
    changed: int
    cut: int
    missing: int
    longest_sent: int | None
    longest_kept: int | None
    lately: str
    first_at: datetime
    last_at: datetime


def add(conn: Connection, found: Iterable[Found], *, now: int) -> list[Score]:
    """Add verdicts, and give the scores that they changed. Call it through Store.in_one_piece: nodes may meet."""
    by_place: dict[tuple[str, str, int, str], list[Found]] = {}
    for one in found:
        by_place.setdefault((one.connection, one.mapping, one.version, one.field), []).append(one)
    scores = []
    for place in sorted(by_place):  # in one order on every node, so that none waits for the other in a ring
        scores.append(_added(conn, place, by_place[place], now))
    return scores


def scores(conn: Connection, *, connection: str | None = None, mapping: str | None = None) -> list[Score]:
    """Every score, by connection, mapping, version (the newest first) and field."""
    given = {table.c.connection: connection, table.c.mapping: mapping}
    where = [column == value for column, value in given.items() if value is not None]
    order = (table.c.connection, table.c.mapping, table.c.version.desc(), table.c.field)
    return [_score(row) for row in conn.execute(select(table).where(*where).order_by(*order))]


def still_last(conn: Connection, noted: Mapping[int, int]) -> set[int]:
    """Of these deliveries (id → when it was noted as done, ms), those that stand as they were: nothing was sent again
    since, and no newer one of the pair is done or on its way."""
    rows = conn.execute(
        select(deliveries.c.id, deliveries.c.subject, deliveries.c.mapping, deliveries.c.state, deliveries.c.updated_at)
        .where(deliveries.c.id.in_(list(noted)))
    ).all()  # fmt: skip
    standing = [row for row in rows if row.state == "delivered" and row.updated_at <= noted[row.id]]
    newer = _newest(conn, {row.subject for row in standing})
    return {row.id for row in standing if newer.get((row.subject, row.mapping), row.id) <= row.id}


def _newest(conn: Connection, subjects: Collection[str]) -> dict[tuple[str, str], int]:
    rows = conn.execute(
        select(deliveries.c.id, deliveries.c.subject, deliveries.c.mapping)
        .where(deliveries.c.subject.in_(list(subjects)), text("state IN ('delivered', 'sending')"))
        .order_by(deliveries.c.id)
    )
    return {(row.subject, row.mapping): row.id for row in rows}


def _added(conn: Connection, place: tuple[str, str, int, str], found: Sequence[Found], now: int) -> Score:
    connection, mapping, version, field = place
    mine = (
        (table.c.connection == connection)
        & (table.c.mapping == mapping)
        & (table.c.version == version)
        & (table.c.field == field)
    )
    key = {"connection": connection, "mapping": mapping, "version": version, "field": field}
    blank = {
        "checked": 0,
        "kept": 0,
        "changed": 0,
        "cut": 0,
        "missing": 0,
        "lately": "",
        "first_at": now,
        "last_at": now,
    }
    insert: Any = (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table)
    conn.execute(insert.values(key | blank).on_conflict_do_nothing())
    row = conn.execute(select(table).where(mine).with_for_update()).one()
    letters = "".join(one.letter for one in found)
    values: dict[str, Any] = {name: getattr(row, name) + letters.count(letter) for letter, name in COUNTS.items()}
    values |= {
        "checked": row.checked + len(found),
        "lately": (row.lately + letters)[-LATELY:],
        "longest_sent": _longest(row.longest_sent, *(one.sent for one in found)),
        "longest_kept": _longest(row.longest_kept, *(one.kept for one in found)),
        "last_at": now,
    }
    conn.execute(table.update().where(mine).values(values))
    return _score(conn.execute(select(table).where(mine)).one())


def _longest(*lengths: int | None) -> int | None:
    return max((length for length in lengths if length is not None), default=None)


def _score(row: Any) -> Score:
    return Score(
        **{name: getattr(row, name) for name in Score.__struct_fields__ if not name.endswith("_at")},
        first_at=from_ms(row.first_at),
        last_at=from_ms(row.last_at),
    )
