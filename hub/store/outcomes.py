"""What became of a claim: its deliveries are closed or go back to pending, and each attempt is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Boolean, Connection, bindparam, func, or_, select, text, update

from hub.store.deliveries import Reason
from hub.store.many import run_many
from hub.store.outbox import Claimed, held_by
from hub.store.schema import attempts, deliveries


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


def as_json(value: Any) -> str:
    """The text that is kept of a value."""
    return msgspec.json.encode(value).decode()
