"""When the day's calls end at the present rate: that of the last hour and a quarter, on all nodes together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from hub.budget import LANE_NAMES, LANES, Bound
from hub.clock import now, to_ms
from hub.connections import Connection, Connections
from hub.flow import alerts
from hub.flow.ledger import read_calls
from hub.store import calls
from hub.store.alerts import QUOTA, Trouble
from hub.store.database import Store

SLOTS = 5  # quarters of an hour: the present one and the four before it


class Forecast(Struct, frozen=True, kw_only=True):
    """The calls of a connection. The limit is the one that ends first, or of which least is left; None: there is none.

    `ends_at` is when it is used up at the present rate; None: not before its window's end.
    """

    calls_today: dict[str, int]  # by lane
    per_hour: float
    limit: int | None = None
    used: int | None = None
    left: int | None = None
    by_vendor: bool = False
    window_ends: datetime | None = None
    ends_at: datetime | None = None
    room: dict[str, int] | None = None  # how many calls each lane has left


def forecasts(store: Store, connections: Connections) -> dict[str, Forecast]:
    """The forecast of every connection."""
    moment = now()
    begin = calls.slot_of(to_ms(moment)) - (SLOTS - 1) * calls.SLOT_MS
    hours = (to_ms(moment) - begin) / 3_600_000
    with store.read() as conn:
        lately = calls.since(conn, begin)
        for connection in connections.values():
            read_calls(conn, connection)
    return {name: forecast(connection, lately.get(name, 0) / hours, moment) for name, connection in connections.items()}


def forecast(connection: Connection, per_hour: float, moment: datetime) -> Forecast:
    """The forecast of one connection, whose budget has seen the store."""
    budget = connection.budget
    made = {LANE_NAMES[lane]: many for lane, many in budget.made_today().items()}
    bounds = budget.bounds()
    if not bounds:
        return Forecast(calls_today=made, per_hour=round(per_hour, 1))
    bound, ends_at = _first(bounds, per_hour, moment)
    return Forecast(
        calls_today=made,
        per_hour=round(per_hour, 1),
        limit=bound.limit,
        used=int(bound.used),
        left=int(bound.left),
        by_vendor=bound.by_vendor,
        window_ends=bound.ends,
        ends_at=ends_at,
        room={LANE_NAMES[lane]: budget.room(lane) or 0 for lane in LANES},
    )


def warn(store: Store, name: str, told: Forecast) -> None:
    """Have the alerts say whether this connection's calls end too soon."""
    troubles = []
    if told.ends_at is not None:
        whose = "the vendor allows" if told.by_vendor else "its budget allows"
        window = f"before {told.window_ends:%H:%M}" if told.window_ends else "within a day"
        what = (
            f'The connection "{name}" has {told.left} of the {told.limit} calls left that {whose}; at the present rate of '
            f"{told.per_hour:g} an hour they end at {told.ends_at:%H:%M} UTC, {window}"
        )
        troubles.append(Trouble(key=f"quota {name}", kind=QUOTA, message=what, connection=name))
    alerts.settle(store, troubles, kind=QUOTA, connection=name, keep_message=False)


def ends(bound: Bound, per_hour: float, moment: datetime) -> datetime | None:
    """When a limit is used up at this rate; None: not before its window's end.

    A rolling window loses what it has counted as evenly as it came, so only what comes faster fills it.
    """
    if bound.left < 1:
        return moment
    rate = per_hour / 3600
    if bound.ends is None:
        rate -= bound.used / bound.window_seconds
    if rate <= 0:
        return None
    seconds = bound.left / rate
    until = bound.ends or moment + timedelta(seconds=bound.window_seconds)
    return moment + timedelta(seconds=seconds) if seconds < (until - moment).total_seconds() else None


def _first(bounds: Sequence[Bound], per_hour: float, moment: datetime) -> tuple[Bound, datetime | None]:
    """The limit that ends first; where none does, the one of which least is left."""
    timed = [(bound, ends(bound, per_hour, moment)) for bound in bounds]
    ending = [(at, bound) for bound, at in timed if at is not None]
    if ending:
        at, bound = min(ending, key=lambda one: one[0])
        return bound, at
    return min(bounds, key=lambda one: one.left), None
