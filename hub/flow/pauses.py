"""Pause and resume a connection: its queue waits, nothing is lost, no attempt is counted."""

from __future__ import annotations

from hub.store.connection_states import ConnectionState
from hub.store.database import Store


def pause(store: Store, connection: str, message: str) -> None:
    """Pause a connection by hand, until a person resumes it. Calls in flight come to their end."""
    raise NotImplementedError


def resume(store: Store, connection: str) -> None:
    """Resume a connection, whatever paused it."""
    raise NotImplementedError


def states(store: Store) -> dict[str, ConnectionState]:
    """The states of all connections that have one; a connection that is not named is active and made no call today."""
    raise NotImplementedError
