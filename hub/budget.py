"""How many calls a connection may make: a day's budget, a pace, and the count of what was made, by lane.

Every HTTP request counts. Deliveries wait for the pace and stop at the budget; what a person waits for (a screen pop, a
dial) counts as well but is never held up by either. What is left of the day is the smaller of our own budget and of what
the vendor says: other programs use its count too.

Lanes come in order: a lower one never takes what is kept for a higher one (docs/adr/0010). So a contact list stops first,
then wrap-ups, and the last calls of a day are for who waits for them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from msgspec import Struct

from hub.clock import now
from hub.model import Quota

LANES = INTERACTIVE, WRAP_UPS, LISTS = 0, 1, 2
LANE_NAMES = ("interactive", "wrap_ups", "lists")
KEPT = (20, 50)  # percent of the day that is kept for interactive calls and for wrap-ups; lists live on the rest

DAY_SECONDS = 86_400
RELEASE_SECONDS = 3600.0  # so long before the day's end, what is still kept is let go, evenly

Calls = Mapping[int, int]  # lane → calls


class BudgetSpent(Exception):
    """No call is left for this lane; nothing was called. `all_lanes`: for none. `by_vendor`: by the vendor's own count.

    `until` is when the window ends that is spent; None where it rolls.
    """

    def __init__(self, lane: int, *, all_lanes: bool, by_vendor: bool, until: datetime | None) -> None:
        self.lane, self.all_lanes, self.by_vendor, self.until = lane, all_lanes, by_vendor, until
        super().__init__(f"no call is left for {LANE_NAMES[lane]}")


class Told(Struct, frozen=True):
    """What the vendor said, and when."""

    quota: Quota
    at: datetime


class Bound(Struct, frozen=True):
    """One limit of the day as it stands: ours, or the vendor's in its own window."""

    limit: int
    used: float
    window_seconds: int
    ends: datetime | None  # None: it rolls
    by_vendor: bool

    @property
    def left(self) -> float:
        """Calls that are left."""
        return max(0.0, self.limit - self.used)


class Budget:
    """The calls of one connection on this node; what all nodes made is in the store, see `saw` and `take`."""

    def __init__(
        self,
        calls_per_second: float | None = None,
        calls_per_day: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        kept: tuple[int, int] = KEPT,
    ) -> None:
        self.calls_per_day, self.kept = calls_per_day, kept
        self.total = 0  # since this process began
        self._gap = 1 / calls_per_second if calls_per_second else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._here = threading.local()
        self._next = 0.0
        self._day = ""
        self._stored = [0, 0, 0]  # today's calls that are in the store, by lane
        self._unstored = [0, 0, 0]
        self._out = [0, 0, 0]  # calls that were let go out and made no request yet
        self._told: dict[int, tuple[Told, int]] = {}  # window → what was said last, and our calls by then
        self._unstored_told: dict[int, Told] = {}

    @contextmanager
    def call(self, lane: int = WRAP_UPS) -> Iterator[None]:
        """One call of a connector that no person waits for: paced, and counted even where it makes no request of its own.

        Raises BudgetSpent.
        """
        with self._lock:
            self._turn_of_day()
            self._refuse(lane)
            self._out[lane] += 1
        self._pace()
        self._here.requests, self._here.lane = 0, lane
        try:
            yield
        finally:
            with self._lock:
                if self._here.requests == 0:
                    self._out[lane] -= 1
                    self._count(lane)
            del self._here.requests, self._here.lane

    def request(self) -> None:
        """One HTTP request is about to be made."""
        requests: int | None = getattr(self._here, "requests", None)
        lane: int = getattr(self._here, "lane", INTERACTIVE)
        with self._lock:
            self._count(lane)
            if requests == 0:
                self._out[lane] -= 1
            if requests is None and self._gap:
                self._next = max(self._next, self._clock()) + self._gap  # a person waits: the deliveries make room
        if requests is not None:
            self._here.requests = requests + 1
            if requests:
                self._pace()  # the first was paced with its call

    def told(self, quota: Quota) -> None:
        """The vendor said what it counts."""
        with self._lock:
            told = Told(quota, now())
            self._told[quota.window_seconds] = (told, self.total)
            self._unstored_told[quota.window_seconds] = told

    # --- what is left ----------------------------------------

    def room(self, lane: int) -> int | None:
        """How many calls this lane has left today; None: no limit is known."""
        with self._lock:
            self._turn_of_day()
            rooms = [self._room(lane, bound) for bound in self._bounds()]
            return max(0, int(min(rooms))) if rooms else None

    def left(self) -> int | None:
        """How many calls are left today for who has them all; None without a limit."""
        return self.room(INTERACTIVE)

    def open_lanes(self) -> tuple[int, ...]:
        """The lanes that may make a call now."""
        with self._lock:
            self._turn_of_day()
            bounds = self._bounds()
            return tuple(lane for lane in LANES if all(self._free(lane, bound) >= 1 for bound in bounds))

    def bounds(self) -> tuple[Bound, ...]:
        """The limits of the day as they stand: our own first."""
        with self._lock:
            self._turn_of_day()
            return self._bounds()

    def made_today(self) -> Calls:
        """All nodes' calls of today as this node knows them, by lane."""
        with self._lock:
            self._turn_of_day()
            return {lane: self._made(lane) for lane in LANES}

    def _refuse(self, lane: int) -> None:
        bounds = self._bounds()
        short = next((bound for bound in bounds if self._free(lane, bound) < 1), None)
        if short is None:
            return
        spent = next((bound for bound in bounds if self._free(INTERACTIVE, bound) < 1), None)
        told = spent or short
        raise BudgetSpent(lane, all_lanes=spent is not None, by_vendor=told.by_vendor, until=told.ends)

    def _free(self, lane: int, bound: Bound) -> float:
        return self._room(lane, bound) - sum(self._out)

    def _room(self, lane: int, bound: Bound) -> float:
        kept = sum(
            max(0, bound.limit * share // 100 - self._made(higher))
            for higher, share in zip(LANES, self.kept, strict=False)
            if higher < lane
        )
        return bound.left - kept * _still_kept(bound)

    def _bounds(self) -> tuple[Bound, ...]:
        bounds = []
        if self.calls_per_day is not None:
            made = sum(self._made(lane) for lane in LANES)
            bounds.append(Bound(self.calls_per_day, made, DAY_SECONDS, _next_midnight(), False))
        for told, before in self._told.values():
            used = used_now(told, now())
            if told.quota.window_seconds >= DAY_SECONDS and used is not None:
                since = self.total - before
                quota = told.quota
                bounds.append(Bound(quota.limit, used + since, quota.window_seconds, quota.until, True))
        return tuple(bounds)

    # --- with the store ----------------------------------------

    def take(self) -> dict[int, int]:
        """The calls that are not in the store yet, by lane, to be put there now; if that fails, `give_back`."""
        with self._lock:
            self._turn_of_day()
            taken = {lane: calls for lane, calls in enumerate(self._unstored) if calls}
            for lane, calls in taken.items():
                self._stored[lane] += calls
            self._unstored = [0, 0, 0]
            return taken

    def give_back(self, calls: Calls) -> None:
        """`calls` could not be stored."""
        with self._lock:
            for lane, many in calls.items():
                self._stored[lane] -= many
                self._unstored[lane] += many

    def take_told(self) -> list[Told]:
        """What the vendor said and the store does not have yet. Where storing fails it is said again soon."""
        with self._lock:
            told, self._unstored_told = list(self._unstored_told.values()), {}
            return told

    def saw(self, calls_today: Calls, told: Iterable[Told] = ()) -> None:
        """All nodes' calls of today and what they were told, as the store has it."""
        with self._lock:
            self._turn_of_day()
            for lane in LANES:
                self._stored[lane] = max(self._stored[lane], calls_today.get(lane, 0))
            for one in told:
                window = one.quota.window_seconds
                if window not in self._told or one.at > self._told[window][0].at:
                    self._told[window] = (one, self.total)

    def _made(self, lane: int) -> int:
        return self._stored[lane] + self._unstored[lane]

    def _count(self, lane: int) -> None:
        self._turn_of_day()
        self._unstored[lane] += 1
        self.total += 1

    def _turn_of_day(self) -> None:
        day = now().date().isoformat()
        if day != self._day:
            self._day, self._stored = day, [0, 0, 0]

    def _pace(self) -> None:
        if not self._gap:
            return
        with self._lock:
            moment = self._clock()
            turn = max(self._next, moment)
            self._next = turn + self._gap
        if turn > moment:
            self._sleep(turn - moment)


def used_now(told: Told, moment: datetime) -> float | None:
    """What the vendor's count says now; None where its window is over.

    What a rolling window counted leaves it as evenly as it came, as far as anybody outside can know.
    """
    quota, age = told.quota, (moment - told.at).total_seconds()
    if quota.until is not None:
        return None if moment >= quota.until else float(quota.used)
    gone = max(0.0, age) / quota.window_seconds
    return None if gone >= 1 else quota.used * (1 - gone)


def _still_kept(bound: Bound) -> float:
    """The part of what is kept that is still kept: all of it till an hour before the window's end, then less and less."""
    if bound.ends is None:
        return 1.0
    return min(1.0, max(0.0, (bound.ends - now()).total_seconds() / RELEASE_SECONDS))


def _next_midnight() -> datetime:
    return (now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
