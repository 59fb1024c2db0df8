"""Pause and resume a connection: its queue waits, nothing is lost, no attempt is counted."""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.clock import now
from hub.errors import ConnectorError, QuotaSpent
from hub.store import connection_states
from hub.store.connection_states import BY_HAND, ConnectionState, day_of
from hub.store.database import Store
from hub.store.deliveries import Reason

CHANNEL = "connections"  # rung when a connection is paused or resumed
CALLS_PER_DAY = "calls_per_day"


def pause(store: Store, connection: str, message: str) -> None:
    """Pause a connection by hand, until a person resumes it. Calls in flight come to their end."""
    with store.write() as conn:
        connection_states.pause(conn, connection, Reason(name=BY_HAND, message=message), now=now(), until=None)
    store.wake(CHANNEL)


def resume(store: Store, connection: str) -> bool:
    """Resume a connection, whatever paused it; whether it was paused."""
    with store.write() as conn:
        was_paused = connection_states.resume(conn, connection, now=now())
    store.wake(CHANNEL)
    return was_paused


def states(store: Store) -> dict[str, ConnectionState]:
    """The states of all connections that have one; a connection that is not named is active and made no call today."""
    with store.read() as conn:
        return connection_states.states(conn, day=day_of(now()))


def pause_for(store: Store, connection: str, error: ConnectorError, probe_after: float) -> ConnectionState:
    """Pause a connection because of `error`: a spent quota until it is new, refused credentials until the next try."""
    moment = now()
    if isinstance(error, QuotaSpent):
        until = error.until if error.until is not None and error.until > moment else next_midnight(moment)
    else:
        until = moment + timedelta(seconds=probe_after)
    with store.write() as conn:
        why = Reason(name=error.name, message=str(error))
        connection_states.pause(conn, connection, why, now=moment, until=until)
        return connection_states.state_of(conn, connection, day=day_of(moment))


def pause_until_midnight(store: Store, connection: str, calls: int) -> None:
    """Pause a connection whose own budget of calls is spent."""
    moment = now()
    why = Reason(name=CALLS_PER_DAY, message=f"its budget of {calls} calls a day is spent")
    with store.write() as conn:
        connection_states.pause(conn, connection, why, now=moment, until=next_midnight(moment))


def next_midnight(moment: datetime) -> datetime:
    """The next midnight in UTC."""
    return (moment + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
