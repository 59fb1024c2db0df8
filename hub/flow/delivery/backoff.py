"""How long to wait before the next try, and when to stop trying."""

from __future__ import annotations

import random

from msgspec import Struct

from hub.config import Config
from hub.errors import Throttled


class Pace(Struct, frozen=True, kw_only=True):
    """How patient delivery is, in seconds. Tests make it short."""

    lease: float = 60.0  # a claim that is not renewed for so long is somebody else's to take
    poll: float = 1.0  # how long a bell may be missed
    gather: float = 1.0  # how long a part-filled batch may wait while other calls of its connection are out
    first_retry: float = 1.0
    longest_retry: float = 600.0
    longest_breath: float = 30.0  # how long a connection that does not answer is left alone
    shortest_retry_after: float = 1.0  # what a system asks for with Retry-After is clamped between these
    longest_retry_after: float = 3600.0
    give_up_after: float = 24 * 3600.0
    bugs: int = 5  # how often a connector may break on a row before it is parked
    first_probe: float = 60.0  # a paused connection is tried again after so long, doubling
    longest_probe: float = 900.0
    close: float = 10.0  # how long calls in flight may take to end when the hub stops


def pace_of(config: Config) -> Pace:
    """The pace that the settings ask for."""
    return Pace(
        lease=config.lease_seconds,
        longest_retry=config.longest_retry_seconds,
        give_up_after=config.give_up_after_hours * 3600,
    )


def retry_delay(failures: int, pace: Pace, longest: float | None = None) -> float:
    """Seconds to wait after so many failures in a row: exponential, with full jitter so that rows do not come in step."""
    cap = pace.longest_retry if longest is None else longest
    ceiling = min(cap, pace.first_retry * 2.0 ** min(failures - 1, 60))
    return random.uniform(0, ceiling)


def throttle_delay(error: Throttled, failures: int, pace: Pace) -> float:
    """Seconds that a system asked us to wait, clamped: it may slow us, not stop us. Where it did not say: a backoff."""
    asked = retry_delay(failures, pace) if error.retry_after is None else error.retry_after
    return min(max(asked, pace.shortest_retry_after), pace.longest_retry_after)


def probe_delay(paused_for: float, pace: Pace) -> float:
    """Seconds until a paused connection is tried again: as long as it has been paused, so the waits double."""
    return min(max(paused_for, pace.first_probe), pace.longest_probe)


def gave_up(attempts: int, tried_for: float, pace: Pace) -> str | None:
    """Why it is not tried again, in words; None: it is."""
    if tried_for < pace.give_up_after:
        return None
    return f"gave up after {attempts} attempts in {tried_for / 3600:.1f} hours"
