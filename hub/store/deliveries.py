"""Deliveries as people look at them: one, a page by filter, their attempts, how many wait; and the replay of some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, literal, or_, select, update

from hub.clock import from_ms, to_ms
from hub.store.schema import attempts, deliveries

STATES = ("pending", "sending", "delivered", "skipped", "parked", "superseded")
OPEN_STATES = ("pending", "sending", "parked")  # those that have an index of their own


class Reason(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a delivery waits, was skipped or is parked: an error's word, a sentence, and the fields it is about."""

    name: str
    message: str
    fields: dict[str, str] = {}


class Delivery(Struct, frozen=True, kw_only=True):
    """One delivery as it stands."""

    id: int
    mapping: str
    subject: str
    connection: str
    lane: int
    action: str
    state: str
    provisional: bool
    in_doubt: bool
    attempts: int
    collapsed: int
    due_at: datetime
    reason: Reason | None
    object: str | None
    record_id: str | None
    record_url: str | None
    created_at: datetime
    updated_at: datetime


class Attempt(Struct, frozen=True, kw_only=True):
    """One try of a delivery: what was sent and what became of it."""

    delivery: int
    started_at: datetime
    took_ms: int
    mapping_version: int
    outcome: str  # created | updated | unchanged | removed | skipped | failed
    sent: dict[str, Any] | None
    notes: list[dict[str, Any]]
    error: Reason | None


class Filter(Struct, frozen=True, kw_only=True):
    """Which deliveries. What is not given does not narrow. `reason` is an error's word, such as `rejected`; `since` and
    `until` are about when the delivery was made."""

    ids: tuple[int, ...] = ()
    states: tuple[str, ...] = ()
    mapping: str | None = None
    connection: str | None = None
    subject: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def page(conn: Connection, where: Filter, *, before: int | None = None, limit: int = 50) -> list[Delivery]:
    """The newest `limit` deliveries that `where` describes; go on with `before=` the last one's id."""
    asked = select(deliveries).where(*_conditions(where)).order_by(deliveries.c.id.desc()).limit(limit)
    if before is not None:
        asked = asked.where(deliveries.c.id < before)
    return [_delivery(row) for row in conn.execute(asked)]


def one(conn: Connection, id: int) -> Delivery | None:
    """The delivery with this id."""
    row = conn.execute(select(deliveries).where(deliveries.c.id == id)).first()
    return None if row is None else _delivery(row)


def attempts_of(conn: Connection, ids: Sequence[int]) -> dict[int, list[Attempt]]:
    """The attempts of these deliveries, oldest first."""
    found: dict[int, list[Attempt]] = {id: [] for id in ids}
    asked = select(attempts).where(attempts.c.delivery.in_(found)).order_by(attempts.c.id)
    for row in conn.execute(asked):
        found[row.delivery].append(_attempt(row))
    return found


def waiting(conn: Connection) -> dict[str, dict[str, int]]:
    """By connection and state, how many deliveries are pending, sending and parked. Cheap: each is an index of its own."""
    found: dict[str, dict[str, int]] = {}
    for state in OPEN_STATES:
        asked = select(deliveries.c.connection, func.count()).where(_is(state)).group_by(deliveries.c.connection)
        for connection, count in conn.execute(asked):
            found.setdefault(connection, dict.fromkeys(OPEN_STATES, 0))[state] = count
    return found


def counts(conn: Connection, since: datetime | None = None) -> dict[str, int]:
    """By state, how many deliveries there are that were made since then. Reads every one: not for a scrape."""
    asked = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
    if since is not None:
        asked = asked.where(deliveries.c.created_at >= to_ms(since))
    return dict.fromkeys(STATES, 0) | {row[0]: row[1] for row in conn.execute(asked)}


class Sent(Struct, frozen=True, kw_only=True):
    """The fields of one attempt that reached the CRM (`arrived`) or may have."""

    fields: dict[str, Any]
    arrived: bool


def sent_for(conn: Connection, subjects: Iterable[str]) -> dict[tuple[str, str], list[Sent]]:
    """By (subject, mapping), what was ever sent for it, oldest first."""
    found: dict[tuple[str, str], list[Sent]] = {}
    columns = (deliveries.c.subject, deliveries.c.mapping, attempts.c.outcome, attempts.c.sent)
    asked = (
        select(*columns)
        .join(attempts, attempts.c.delivery == deliveries.c.id)
        .where(deliveries.c.subject.in_(list(subjects)), attempts.c.sent.is_not(None))
        .order_by(attempts.c.id)
    )
    for subject, mapping, outcome, sent in conn.execute(asked):
        one = Sent(fields=msgspec.json.decode(sent), arrived=outcome in ("created", "updated", "unchanged"))
        found.setdefault((subject, mapping), []).append(one)
    return found


class Written(Struct, frozen=True, kw_only=True):
    """One attempt of a delivery that was let go out, and the record that the delivery has."""

    delivery: int
    fields: dict[str, Any]  # as they were sent; empty where that is not known
    arrived: bool
    record_id: str | None
    record_url: str | None


def written_for(conn: Connection, subjects: Iterable[str]) -> dict[tuple[str, str], list[Written]]:
    """By (subject, mapping), every attempt that was not skipped, oldest first."""
    found: dict[tuple[str, str], list[Written]] = {}
    d = deliveries.c
    asked = (
        select(d.id, d.subject, d.mapping, d.record_id, d.record_url, attempts.c.outcome, attempts.c.sent)
        .join(attempts, attempts.c.delivery == d.id)
        .where(d.subject.in_(list(subjects)), attempts.c.outcome != "skipped")
        .order_by(attempts.c.id)
    )
    for row in conn.execute(asked):
        one = Written(
            delivery=row.id,
            fields={} if row.sent is None else msgspec.json.decode(row.sent),
            arrived=row.outcome in ("created", "updated"),
            record_id=row.record_id,
            record_url=row.record_url,
        )
        found.setdefault((row.subject, row.mapping), []).append(one)
    return found


# --- replay ----------------------------------------


class Candidate(Struct, frozen=True, kw_only=True):
    """A delivery that somebody wants to go out again, with what waits or is newer of its pair."""

    id: int
    subject: str
    mapping: str
    state: str
    has_body: bool
    waiting: int | None  # another pending one of the pair
    newest: int  # the pair's newest


def candidates(conn: Connection, where: Filter, *, after: int, limit: int) -> list[Candidate]:
    """The next deliveries that `where` describes, oldest first, for a replay; locked until the transaction ends."""
    conditions = (*_conditions(where), deliveries.c.id > after)
    asked = select(deliveries).where(*conditions).order_by(deliveries.c.id).limit(limit).with_for_update()
    rows = conn.execute(asked).all()
    columns = (deliveries.c.id, deliveries.c.subject, deliveries.c.mapping, deliveries.c.state)
    siblings = conn.execute(select(*columns).where(deliveries.c.subject.in_({row.subject for row in rows}))).all()
    newest: dict[tuple[str, str], int] = {}
    pending: dict[tuple[str, str], int] = {}
    for row in siblings:
        pair = (row.subject, row.mapping)
        newest[pair] = max(row.id, newest.get(pair, 0))
        if row.state == "pending":
            pending[pair] = row.id
    return [
        Candidate(
            id=row.id,
            subject=row.subject,
            mapping=row.mapping,
            state=row.state,
            has_body=row.body is not None,
            waiting=other if (other := pending.get((row.subject, row.mapping))) != row.id else None,
            newest=newest[row.subject, row.mapping],
        )
        for row in rows
    ]


def put_back(conn: Connection, ids: Sequence[int], why: Reason, *, now: int) -> None:
    """Make these pending and due, with no attempts counted. What is in doubt stays in doubt."""
    values = {"state": "pending", "due_at": now, "attempts": 0, "tried_since": None, "updated_at": now}
    reason = msgspec.json.encode(why).decode()
    conn.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(values | {"reason": reason}))


def fold_into(conn: Connection, older: int, newer: int, why: Reason, *, now: int) -> None:
    """Have `newer` stand for `older`, which becomes superseded."""
    reason = msgspec.json.encode(why).decode()
    known = conn.execute(
        update(deliveries)
        .where(deliveries.c.id == older)
        .values(state="superseded", reason=reason, updated_at=now)
        .returning(deliveries.c.in_doubt)
    ).scalar_one()
    conn.execute(
        update(deliveries)
        .where(deliveries.c.id == newer)
        .values(collapsed=deliveries.c.collapsed + 1, in_doubt=or_(deliveries.c.in_doubt, literal(known)))
    )


# --- rows to nouns ----------------------------------------


def _conditions(where: Filter) -> list[ColumnElement[bool]]:
    d = deliveries.c
    given: list[ColumnElement[bool]] = []
    if where.ids:
        given.append(d.id.in_(where.ids))
    if where.states:
        given.append(or_(*(_is(state) for state in where.states)))
    for column, value in ((d.mapping, where.mapping), (d.connection, where.connection), (d.subject, where.subject)):
        if value is not None:
            given.append(column == value)
    if where.reason is not None:
        given.append(d.reason.startswith(f'{{"name":"{where.reason}"', autoescape=True))
    if where.since is not None:
        given.append(d.created_at >= to_ms(where.since))
    if where.until is not None:
        given.append(d.created_at < to_ms(where.until))
    return given


def _is(state: str) -> ColumnElement[bool]:
    # Written out, never bound: only then does the partial index of that state serve.
    return deliveries.c.state == bindparam(None, state, literal_execute=True)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        mapping=row.mapping,
        subject=row.subject,
        connection=row.connection,
        lane=row.lane,
        action=row.action,
        state=row.state,
        provisional=row.provisional,
        in_doubt=row.in_doubt,
        attempts=row.attempts,
        collapsed=row.collapsed,
        due_at=from_ms(row.due_at),
        reason=_reason(row.reason),
        object=row.object,
        record_id=row.record_id,
        record_url=row.record_url,
        created_at=from_ms(row.created_at),
        updated_at=from_ms(row.updated_at),
    )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        delivery=row.delivery,
        started_at=from_ms(row.started_at),
        took_ms=row.took_ms,
        mapping_version=row.mapping_version,
        outcome=row.outcome,
        sent=None if row.sent is None else msgspec.json.decode(row.sent),
        notes=[] if row.notes is None else msgspec.json.decode(row.notes),
        error=_reason(row.error),
    )


def _reason(stored: str | None) -> Reason | None:
    return None if stored is None else msgspec.json.decode(stored, type=Reason)
