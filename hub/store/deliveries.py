"""Deliveries as people look at them: one, a page by filter, their attempts, how many wait; and the replay of some."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.engine import Row

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
    raise NotImplementedError


def one(conn: Connection, id: int) -> Delivery | None:
    """The delivery with this id."""
    raise NotImplementedError


def attempts_of(conn: Connection, ids: Sequence[int]) -> dict[int, list[Attempt]]:
    """The attempts of these deliveries, oldest first."""
    raise NotImplementedError


def waiting(conn: Connection) -> dict[str, dict[str, int]]:
    """By connection and state, how many deliveries are pending, sending and parked. Cheap: each is an index of its own."""
    raise NotImplementedError


def counts(conn: Connection, since: datetime | None = None) -> dict[str, int]:
    """By state, how many deliveries there are that were made since then. Reads every one: not for a scrape."""
    raise NotImplementedError
