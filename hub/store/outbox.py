"""The outbox: claim what is due, and keep a claim. What became of it is noted by `outcomes`.

A claim is a lease: whoever does not renew it in time has lost it, and what it then writes here is refused (`lease_owner`
fences it). What it wrote in the CRM stays: the next owner sends the same key, in doubt, so it updates and never doubles.
At most one delivery of a subject is in flight to a connection: two mappings may write to the same record.

Leases compare this node's clock with another's: nodes have to agree on the time to well within a lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, TextClause, bindparam, func, select, text, update

from hub.budget import INTERACTIVE, LANES
from hub.store.schema import deliveries


class Claimed(Struct, frozen=True, kw_only=True):
    """One delivery under our lease."""

    id: int
    mapping: str
    subject: str
    lane: int
    action: Literal["upsert", "remove"]
    in_doubt: bool
    attempts: int
    tried_since: int | None
    due_at: int
    body: str | None


# A state is written out, never bound: only then does the partial index of that state serve.
_DUE = """
    SELECT p.id FROM deliveries p
    WHERE p.state = 'pending' AND p.connection = :connection AND p.lane = :lane AND p.due_at <= :now{which}
      AND NOT EXISTS (SELECT 1 FROM deliveries s
                      WHERE s.state = 'sending' AND s.subject = p.subject AND s.connection = p.connection)
    ORDER BY p.due_at, p.id LIMIT :limit
"""
_TAKE = """
    UPDATE deliveries SET state = 'sending', lease_owner = :owner, lease_until = :until, updated_at = :now
    WHERE id IN ({due})
    RETURNING id, mapping, subject, lane, action, in_doubt, attempts, tried_since, due_at, body
"""
# MATERIALIZED, or the planner may run the locking query more than once and take more than the limit.
_LOCKED = "WITH due AS MATERIALIZED ({due} FOR UPDATE OF p SKIP LOCKED)"
_CLAIM: dict[str, str] = {
    "sqlite": _TAKE.replace("{due}", _DUE),
    "postgresql": _LOCKED.replace("{due}", _DUE) + _TAKE.replace("{due}", "SELECT id FROM due"),
}
_COUNT_DUE = """
    SELECT count(*) FROM (SELECT 1 FROM deliveries p
        WHERE p.state = 'pending' AND p.connection = :connection AND p.lane = :lane AND p.due_at <= :now{which}
        LIMIT :enough) AS due
"""
_NEXT_DUE = text("""
    SELECT min(due_at) FROM deliveries
    WHERE state = 'pending' AND connection = :connection AND lane = :lane AND due_at > :now
""")
_BACKLOG = text("""
    SELECT mapping, count(*) AS due FROM (SELECT mapping FROM deliveries
        WHERE state = 'pending' AND connection = :connection AND lane = :lane AND due_at <= :now LIMIT :enough) AS backlog
    GROUP BY mapping
""")
BACKLOGS = 20  # so many times the threshold is looked at, so that a backlog does not hide behind another one


class Which(Struct, frozen=True):
    """Which mappings' deliveries: `only` this one's, or those of all but `without`. Interactive ones are never left out."""

    only: str = ""
    without: tuple[str, ...] = ()


EVERY = Which()


def claim(
    conn: Connection,
    connection: str,
    *,
    owner: str,
    limit: int,
    now: int,
    lease_until: int,
    lanes: Sequence[int] = LANES,
    which: Which = EVERY,
) -> list[Claimed]:
    """Up to `limit` due deliveries of a connection, interactive ones first, then wrap-ups, then lists; the oldest first."""
    dialect = conn.dialect.name
    if dialect == "postgresql":
        # One claim of a connection at a time, or two nodes could each take a delivery of the same subject unseen.
        conn.execute(select(func.pg_advisory_xact_lock(func.hashtext("claim"), func.hashtext(connection))))
    taken: list[Claimed] = []
    for lane in lanes:
        if len(taken) >= limit:
            break
        statement, chosen = _of(_CLAIM[dialect], which, lane)
        asked = {"connection": connection, "lane": lane, "owner": owner, "now": now, "until": lease_until, **chosen}
        rows = conn.execute(statement, asked | {"limit": limit - len(taken)})
        taken += [claimed_from(row) for row in rows]
    return sorted(taken, key=lambda one: (one.lane, one.due_at, one.id))


def due(
    conn: Connection, connection: str, *, now: int, enough: int, lanes: Sequence[int] = LANES, which: Which = EVERY
) -> int:
    """How many deliveries of a connection are due in these lanes, counted up to `enough` per lane."""
    counted = 0
    for lane in lanes:
        statement, chosen = _of(_COUNT_DUE, which, lane)
        asked = {"connection": connection, "lane": lane, "now": now, "enough": enough, **chosen}
        counted += conn.execute(statement, asked).scalar_one()
    return counted


def backlog(conn: Connection, connection: str, *, now: int, lanes: Sequence[int], more_than: int) -> list[str]:
    """The mappings of which more than so many are due in one of these lanes; the most urgent lane first."""
    found: dict[str, None] = {}
    for lane in lanes:
        asked = {"connection": connection, "lane": lane, "now": now, "enough": BACKLOGS * (more_than + 1)}
        rows = sorted(conn.execute(_BACKLOG, asked), key=lambda row: (-row.due, row.mapping))
        found |= {row.mapping: None for row in rows if row.due > more_than}
    return list(found)


def next_due(conn: Connection, connection: str, *, now: int, lanes: Sequence[int] = LANES) -> int | None:
    """When the next delivery of a connection that is not due yet will be."""
    asked = {"connection": connection, "now": now}
    found = [conn.execute(_NEXT_DUE, asked | {"lane": lane}).scalar_one() for lane in lanes]
    return min((at for at in found if at is not None), default=None)


def renew(conn: Connection, *, owner: str, lease_until: int) -> int:
    """Keep a claim; how many of its deliveries are still ours."""
    return conn.execute(update(deliveries).where(held_by(owner)).values(lease_until=lease_until)).rowcount


@cache
def _statement(sql: str, condition: str) -> TextClause:
    statement = text(sql.replace("{which}", condition))
    return statement.bindparams(bindparam("without", expanding=True)) if ":without" in condition else statement


def _of(sql: str, which: Which, lane: int) -> tuple[TextClause, dict[str, Any]]:
    """A statement for these mappings, and its parameters for that."""
    if which.only:
        return _statement(sql, " AND p.mapping = :only"), {"only": which.only}
    if which.without and lane != INTERACTIVE:
        return _statement(sql, " AND p.mapping NOT IN :without"), {"without": which.without}
    return _statement(sql, ""), {}


def claimed_from(row: Any) -> Claimed:
    """A row of the table as a claim has it."""
    return Claimed(
        id=row.id,
        mapping=row.mapping,
        subject=row.subject,
        lane=row.lane,
        action=row.action,
        in_doubt=bool(row.in_doubt),
        attempts=row.attempts,
        tried_since=row.tried_since,
        due_at=row.due_at,
        body=row.body,
    )


def held_by(owner: str) -> ColumnElement[bool]:
    """Whether a delivery is under this owner's lease."""
    return (deliveries.c.state == text("'sending'")) & (deliveries.c.lease_owner == owner)
