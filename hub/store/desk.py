"""The desk's statements: dials, own numbers, and who must not be called."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from hub.store.schema import dials, do_not_call, interactions, own_numbers

DIAL_LOCK = 0x6469616C  # "dial": the first half of the advisory lock that orders one agent's clicks

# --- dials ----------------------------------------


class Dial(Struct, frozen=True, kw_only=True):
    """One row of `dials`."""

    id: str
    digest: str
    connection: str
    agent: str
    to: str
    record: str | None
    state: str
    reason: str | None
    note: str | None
    interaction: str | None
    double_of: str | None
    created_at: int


def lock_agent(conn: Connection, agent: str) -> None:
    """Let one click of `agent` at a time pass, until the transaction ends. SQLite has one writer anyway."""
    if conn.dialect.name == "postgresql":
        half = zlib.crc32(agent.encode()) - (1 << 31)
        conn.execute(select(func.pg_advisory_xact_lock(DIAL_LOCK, half)))


def dial_of_key(conn: Connection, key: str) -> Dial | None:
    """The dial that this idempotency key made."""
    return _dial(conn.execute(select(dials).where(dials.c.idempotency_key == key)).first())


def dial_of_id(conn: Connection, id: str) -> Dial | None:
    """The dial `id`."""
    return _dial(conn.execute(select(dials).where(dials.c.id == id)).first())


def latest_dial(conn: Connection, agent: str, digest: str, since: int) -> Dial | None:
    """The newest dial since then that the same agent asked for in the same words and that was not refused."""
    statement = (
        select(dials)
        .where(dials.c.agent == agent, dials.c.created_at >= since, dials.c.digest == digest)
        .where(dials.c.state != "refused", dials.c.double_of.is_(None))
        .order_by(dials.c.created_at.desc())
        .limit(1)
    )
    return _dial(conn.execute(statement).first())


def dial_moments(conn: Connection, agent: str, since: int) -> list[int]:
    """When `agent` dialled since then, oldest first. Double clicks do not count."""
    return list(
        conn.scalars(
            select(dials.c.created_at)
            .where(dials.c.agent == agent, dials.c.created_at >= since, dials.c.double_of.is_(None))
            .order_by(dials.c.created_at)
        )
    )


def add_dial(conn: Connection, **columns: Any) -> bool:
    """Keep a new dial. False when its idempotency key is taken."""
    statement = _insert(conn, dials).values(columns).on_conflict_do_nothing().returning(dials.c.id)
    return conn.execute(statement).first() is not None  # an INSERT's rowcount is not to be had on every driver


def settle_dial(conn: Connection, id: str, state: str, reason: str, interaction: str) -> None:
    """What became of the dial `id`. Only the first answer counts; the call that an event has named already stays named."""
    call = {"interaction": interaction} if interaction else {}
    conn.execute(
        update(dials)
        .where(dials.c.id == id, dials.c.state.in_(("requested", "unknown")))
        .values(state=state, reason=reason or None, **call)
    )


def dial_told(conn: Connection, id: str, connection: str, state: str, reason: str | None) -> None:
    """What became of the dial `id`, as the platform's own events tell it where its answer has not."""
    conn.execute(
        update(dials)
        .where(dials.c.id == id, dials.c.connection == connection, dials.c.state.in_(("requested", "unknown")))
        .values(state=state, reason=reason)
    )


def name_call(conn: Connection, id: str, connection: str, interaction: str) -> None:
    """The call that the dial `id` has become, as the platform's own events tell it."""
    conn.execute(
        update(dials)
        .where(dials.c.id == id, dials.c.connection == connection, dials.c.interaction.is_(None))
        .values(interaction=interaction)
    )


def may_not_be_called(conn: Connection, phone: str) -> str | None:
    """Where the do-not-call entry of an E.164 number is from; None where it has none."""
    return conn.scalar(select(do_not_call.c.source).where(do_not_call.c.phone == phone))


def _dial(row: Row[Any] | None) -> Dial | None:
    return None if row is None else Dial(**{name: getattr(row, name) for name in Dial.__struct_fields__})


# --- own numbers ----------------------------------------


def learned_numbers(conn: Connection) -> dict[str, str]:
    """Every learned number and the connection that showed it first."""
    return {row.number: row.connection for row in conn.execute(select(own_numbers.c.number, own_numbers.c.connection))}


def add_own_numbers(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Remember learned numbers; those already known stay as they are."""
    if rows:
        conn.execute(_insert(conn, own_numbers).on_conflict_do_nothing(), list(rows))


def seen_as_remote(conn: Connection, numbers: Iterable[str]) -> set[str]:
    """Those of the E.164 numbers that were the other side of some interaction."""
    wanted = interactions.c.remote_e164.in_(list(numbers))
    return set(conn.scalars(select(interactions.c.remote_e164).where(wanted).distinct()))


# --- interactions ----------------------------------------


def facts_of_interaction(conn: Connection, key: str, connections: Sequence[str]) -> list[str]:
    """The facts (JSON) of the interactions with the platform's id `key`, in any of the connections; all if none named."""
    statement = select(interactions.c.facts).where(interactions.c.key == key)
    if connections:
        statement = statement.where(interactions.c.connection.in_(connections))
    return list(conn.scalars(statement.limit(2)))


def _insert(conn: Connection, table: Any) -> Any:
    if conn.dialect.name == "postgresql":
        return insert_postgresql(table)
    return insert_sqlite(table)
