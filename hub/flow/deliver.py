"""Deliver: claim what is due, look people up, render, write in batches, and note what became of each row."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from hub.config import Config
from hub.connections import Connections
from hub.flow.mappings import Mappings
from hub.store.database import Store


class Pace(Struct, frozen=True, kw_only=True):
    """How patient delivery is, in seconds. Tests make it short."""

    lease: float = 60.0  # a claim that is not renewed for so long is somebody else's to take
    poll: float = 1.0  # how long a bell may be missed
    gather: float = 1.0  # how long a part-filled batch may wait while other calls of its connection are out
    first_retry: float = 1.0
    longest_retry: float = 600.0
    shortest_retry_after: float = 1.0  # what a system asks for with Retry-After is clamped between these
    longest_retry_after: float = 3600.0
    give_up_after: float = 24 * 3600.0
    bugs: int = 5  # how often a connector may break on a row before it is parked
    first_probe: float = 60.0  # a paused connection is tried again after so long, doubling
    longest_probe: float = 900.0
    close: float = 10.0  # how long calls in flight may take to end when the hub stops


class Deliverer:
    """Delivers, for each connection that can write, with as many threads as its `concurrency`."""

    tally: Counter[tuple[str, str]]  # (connection, outcome) → attempts of this process; for /metrics
    calls: Counter[str]  # connection → calls of this process

    def __init__(
        self, store: Store, connections: Connections, mappings: Mappings, config: Config, pace: Pace = Pace()
    ) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Start the threads."""

    def close(self) -> None:
        """Stop: what is in flight comes to its end within `Pace.close`, the rest goes back to pending."""

    def run_once(self, connection: str) -> int:
        """Claim one batch of a connection and deliver it, here and now; how many deliveries it held. 0 while paused."""
        raise NotImplementedError

    def drain(self, timeout: float) -> bool:
        """Deliver until nothing is pending or in flight on any connection that is not paused; whether that came true."""
        raise NotImplementedError
