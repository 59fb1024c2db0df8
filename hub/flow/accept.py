"""Accept events durably: event, interaction and deliveries in one transaction, many events to a commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from msgspec import Struct

from hub.contract import HookRequest
from hub.flow.mappings import Mappings
from hub.model import Event
from hub.store.database import Store


class Accepted(Struct, frozen=True):
    """What became of an accept: how many events are new, how many were known."""

    accepted: int
    duplicates: int


class Acceptor:
    """Takes events in. One thread commits: whatever waits at that moment goes into one transaction."""

    def __init__(
        self,
        store: Store,
        mappings: Mappings,
        country: str,
        on_local_number: Callable[[str, str], None] | None = None,
    ) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Start the committer."""
        raise NotImplementedError

    def close(self) -> None:
        """Commit what waits, then stop."""
        raise NotImplementedError

    def accept(self, connection: str, events: Sequence[Event]) -> Future[Accepted]:
        """Take `events` of `connection` in, all or none. The future is done when they are durable."""
        raise NotImplementedError

    def keep_unread(self, connection: str, request: HookRequest, reason: str) -> Future[None]:
        """Keep a proven body that cannot be read. The same body is kept once."""
        raise NotImplementedError
