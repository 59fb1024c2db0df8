"""What is left behind: claims of workers that are gone, and deliveries for connections that are not there any more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, select, text, update

from hub.store.deliveries import Reason
from hub.store.outbox import claimed_from, held_by
from hub.store.outcomes import Tried, Verdict, as_json, back_to_pending, keep_attempts
from hub.store.schema import deliveries

AT_ONCE = 500

# --- claims ----------------------------------------


def expired(conn: Connection, *, now: int) -> bool:
    """Whether any claim's lease has run out."""
    return conn.execute(select(deliveries.c.id).where(_ran_out(now)).limit(1)).first() is not None


def take_back(conn: Connection, *, now: int, limit: int = AT_ONCE) -> int:
    """Take back the claims of workers that are gone: pending and due, in doubt; how many there were."""
    asked = select(deliveries).where(_ran_out(now)).limit(limit).with_for_update(skip_locked=True)
    rows = conn.execute(asked).all()
    verdicts = [
        Verdict(
            claimed=claimed_from(row),
            state="pending",
            tried=Tried(started_at=row.updated_at, took_ms=now - row.updated_at, mapping_version=0, outcome="failed"),
            reason=Reason(
                name="lease_expired",
                message="the worker that had it did not come back; it may have been written, so its key is looked up",
            ),
            due_at=now,
            in_doubt=True,
        )
        for row in rows
    ]
    keep_attempts(conn, verdicts)
    back_to_pending(conn, verdicts, now)
    return len(verdicts)


def release(conn: Connection, *, owner: str, now: int) -> int:
    """Give back a claim whose call was left standing: pending and due, in doubt; how many deliveries it still held."""
    held = select(deliveries).where(held_by(owner)).with_for_update()
    reason = Reason(name="released", message="the hub stopped while it was being sent; it may have been written")
    verdicts = [
        Verdict(claimed=claimed_from(row), state="pending", reason=reason, due_at=now, in_doubt=True)
        for row in conn.execute(held).all()
    ]
    back_to_pending(conn, verdicts, now)
    return len(verdicts)


def _ran_out(now: int) -> ColumnElement[bool]:
    return (deliveries.c.state == text("'sending'")) & (deliveries.c.lease_until < now)


# --- connections ----------------------------------------


def stranded(conn: Connection, connections: Sequence[str]) -> list[tuple[str, str]]:
    """(connection, mapping) of what waits for any other connection than these."""
    waits = (deliveries.c.state == text("'pending'")) & deliveries.c.connection.not_in(connections)
    asked = select(deliveries.c.connection, deliveries.c.mapping).where(waits).distinct()
    return [(row.connection, row.mapping) for row in conn.execute(asked)]


def move(conn: Connection, connection: str, mapping: str, to: str) -> int:
    """Have what waits for one connection wait for another; how many."""
    return conn.execute(update(deliveries).where(_waits_for(connection, mapping)).values(connection=to)).rowcount


def park_stranded(conn: Connection, connection: str, mapping: str, reason: Reason, *, now: int) -> int:
    """Park what waits for a connection; how many."""
    parked = {"state": "parked", "reason": as_json(reason), "updated_at": now}
    return conn.execute(update(deliveries).where(_waits_for(connection, mapping)).values(parked)).rowcount


def _waits_for(connection: str, mapping: str) -> ColumnElement[bool]:
    pending = deliveries.c.state == text("'pending'")
    return pending & (deliveries.c.connection == connection) & (deliveries.c.mapping == mapping)
