"""The outbox: claim what is due, keep a claim, and note what became of it.

A claim is a lease: whoever does not renew it in time has lost it, and what it then writes here is refused (`lease_owner`
fences it). What it wrote in the CRM stays: the next owner sends the same key, in doubt, so it updates and never doubles.
At most one delivery of a subject is in flight to a connection: two mappings may write to the same record.

Leases compare this node's clock with another's: nodes have to agree on the time to well within a lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Boolean, ColumnElement, Connection, TextClause, bindparam, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.budget import INTERACTIVE, LANES
from hub.store.deliveries import Reason
from hub.store.many import run_many
from hub.store.schema import attempts, deliveries, fresh_records


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


class Tried(Struct, frozen=True, kw_only=True):
    """One attempt, to be kept."""

    started_at: int
    took_ms: int
    mapping_version: int
    outcome: str
    sent: Any = None
    notes: Sequence[Any] = ()


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of one claimed delivery. `tried` None: it was not an attempt, and none is counted."""

    claimed: Claimed
    state: Literal["delivered", "skipped", "parked", "pending"]
    tried: Tried | None = None
    reason: Reason | None = None
    due_at: int = 0
    in_doubt: bool = False
    object: str | None = None
    record_id: str | None = None
    record_url: str | None = None
    moved_to: str | None = None  # the connection to which its mapping writes now


class Fresh(Struct, frozen=True, kw_only=True):
    """A person that was just created in a CRM whose index may not know it yet."""

    connection: str
    object: str
    record_id: str
    phone: str | None
    email: str | None
    title: str
    url: str


# --- claim ----------------------------------------

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


# --- note what became of it ----------------------------------------

_NO_LEASE = {"lease_owner": None, "lease_until": None}


def finish(conn: Connection, owner: str, verdicts: Sequence[Verdict], *, now: int) -> int:
    """Note what became of a claim, in one transaction; how many of its deliveries were still ours to note.

    Attempts are kept whoever has the lease now: they were made. On PostgreSQL this can collide with an event that is
    accepted at the same moment: call it through Store.in_one_piece.
    """
    mine = _still_held(conn, owner)
    keep_attempts(conn, verdicts)
    held = [verdict for verdict in verdicts if verdict.claimed.id in mine]
    _close(conn, [verdict for verdict in held if verdict.state != "pending"], now)
    back_to_pending(conn, [verdict for verdict in held if verdict.state == "pending"], now)
    return len(held)


def _still_held(conn: Connection, owner: str) -> set[int]:
    # By owner, not by id: what is in flight is few, and has an index of its own.
    asked = select(deliveries.c.id).where(held_by(owner)).with_for_update()
    return set(conn.execute(asked).scalars())


_KEEP_ATTEMPT = attempts.insert()


def keep_attempts(conn: Connection, verdicts: Iterable[Verdict]) -> None:
    """Keep the attempts that these verdicts are about."""
    rows = [
        {
            "delivery": verdict.claimed.id,
            "started_at": tried.started_at,
            "took_ms": tried.took_ms,
            "mapping_version": tried.mapping_version,
            "outcome": tried.outcome,
            "sent": None if tried.sent is None else as_json(tried.sent),
            "notes": as_json(tried.notes) if tried.notes else None,
            "error": as_json(verdict.reason) if verdict.reason and tried.outcome == "failed" else None,
        }
        for verdict in verdicts
        if (tried := verdict.tried) is not None
    ]
    if rows:
        run_many(conn, _KEEP_ATTEMPT, rows)


_CLOSE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("b_id"))
    .values(
        state=bindparam("b_state"),
        reason=bindparam("b_reason"),
        attempts=bindparam("b_attempts"),
        in_doubt=bindparam("b_in_doubt"),
        tried_since=bindparam("b_since"),
        updated_at=bindparam("b_now"),
        object=func.coalesce(bindparam("b_object"), deliveries.c.object),
        record_id=func.coalesce(bindparam("b_record"), deliveries.c.record_id),
        record_url=func.coalesce(bindparam("b_url"), deliveries.c.record_url),
        **_NO_LEASE,
    )
)
_SUPERSEDE_PARKED = text("""
    UPDATE deliveries SET state = 'superseded', updated_at = :now
    WHERE state = 'parked' AND subject = :subject AND mapping = :mapping AND (id < :id OR body IS NULL)
""")


def _close(conn: Connection, verdicts: Sequence[Verdict], now: int) -> None:
    if not verdicts:
        return
    run_many(
        conn,
        _CLOSE,
        [
            _after(verdict, now)
            | {
                "b_state": verdict.state,
                "b_object": verdict.object,
                "b_record": verdict.record_id,
                "b_url": verdict.record_url,
            }
            for verdict in verdicts
        ],
    )
    # What waited for a person is told by what has just been written: rendered from the same facts or later ones.
    done = [verdict.claimed for verdict in verdicts if verdict.state == "delivered"]
    if done:
        run_many(
            conn,
            _SUPERSEDE_PARKED,
            [{"id": one.id, "subject": one.subject, "mapping": one.mapping, "now": now} for one in done],
        )


_RETURN = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("b_id"))
    .values(
        state="pending",
        connection=func.coalesce(bindparam("b_moved"), deliveries.c.connection),
        reason=bindparam("b_reason"),
        attempts=bindparam("b_attempts"),
        in_doubt=bindparam("b_in_doubt"),
        tried_since=bindparam("b_since"),
        due_at=bindparam("b_due"),
        updated_at=bindparam("b_now"),
        **_NO_LEASE,
    )
)
_SUPERSEDE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("b_id"))
    .values(state="superseded", reason=bindparam("b_reason"), updated_at=bindparam("b_now"), **_NO_LEASE)
)
_TAKE_OVER = (
    update(deliveries)
    .where((deliveries.c.id == bindparam("b_id")) & (deliveries.c.state == "pending"))
    .values(
        attempts=bindparam("b_attempts"),
        tried_since=bindparam("b_since"),
        in_doubt=or_(deliveries.c.in_doubt, bindparam("b_in_doubt", type_=Boolean)),
        collapsed=deliveries.c.collapsed + 1,
    )
)


def back_to_pending(conn: Connection, verdicts: Sequence[Verdict], now: int) -> None:
    """Have them wait again. Where a newer one of the pair waits already, it stands for both and takes over what is known."""
    if not verdicts:
        return
    newer = _pending_of(conn, [verdict.claimed.subject for verdict in verdicts])
    alone, overtaken = [], []
    for verdict in verdicts:
        after = _after(verdict, now) | {"b_due": verdict.due_at, "b_moved": verdict.moved_to}
        heir = newer.get((verdict.claimed.subject, verdict.claimed.mapping))
        if heir is None:
            alone.append(after)
        else:
            overtaken.append((after, heir))
    if alone:
        run_many(conn, _RETURN, alone)
    if overtaken:
        reason = as_json(
            Reason(name="superseded", message="a newer delivery of the same subject and mapping stands for it")
        )
        run_many(conn, _SUPERSEDE, [{"b_id": a["b_id"], "b_now": now, "b_reason": reason} for a, _ in overtaken])
        run_many(conn, _TAKE_OVER, [{**_known(after), "b_id": heir} for after, heir in overtaken])


def _pending_of(conn: Connection, subjects: Sequence[str]) -> dict[tuple[str, str], int]:
    columns = (deliveries.c.id, deliveries.c.subject, deliveries.c.mapping)
    asked = select(*columns).where((deliveries.c.state == text("'pending'")) & deliveries.c.subject.in_(subjects))
    return {(row.subject, row.mapping): row.id for row in conn.execute(asked)}


def _known(after: dict[str, Any]) -> dict[str, Any]:
    return {name: after[name] for name in ("b_attempts", "b_since", "b_in_doubt")}


def _after(verdict: Verdict, now: int) -> dict[str, Any]:
    claimed, tried = verdict.claimed, verdict.tried
    since = claimed.tried_since if tried is None or claimed.tried_since is not None else tried.started_at
    return {
        "b_id": claimed.id,
        "b_now": now,
        "b_reason": None if verdict.reason is None else as_json(verdict.reason),
        "b_attempts": claimed.attempts + (tried is not None),
        "b_in_doubt": verdict.in_doubt,
        "b_since": since,
    }


def remember_fresh(conn: Connection, records: Sequence[Fresh], *, now: int) -> None:
    """Remember people that were just created, so that a screen pop finds them at once."""
    if not records:
        return
    insert = (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(fresh_records).on_conflict_do_nothing()
    conn.execute(insert, [msgspec.structs.asdict(record) | {"created_at": now} for record in records])


def as_json(value: Any) -> str:
    """The text that is kept of a value."""
    return msgspec.json.encode(value).decode()
