"""How many calls a connection may make: a day's budget, a pace, and the count of what was made.

Every HTTP request counts. Deliveries wait for the pace and stop at the budget; what a person waits for (a screen pop, a
dial) counts as well but is never held up by either.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hub.clock import now
from hub.model import Quota


class BudgetSpent(Exception):
    """The day's calls are used up; nothing was called."""


class Budget:
    """The calls of one connection on this node; what all nodes made is in the store, see `saw` and `take`."""

    def __init__(
        self,
        calls_per_second: float | None = None,
        calls_per_day: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.calls_per_day = calls_per_day
        self.total = 0  # since this process began
        self.quotas: dict[int, Quota] = {}  # what the vendor said last, by its window in seconds
        self._gap = 1 / calls_per_second if calls_per_second else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._here = threading.local()
        self._next = 0.0
        self._day = ""
        self._stored = 0  # today's calls that are in the store
        self._unstored = 0
        self._reserved = 0

    @contextmanager
    def call(self) -> Iterator[None]:
        """One call of a connector for a delivery: paced, and counted even where it makes no request of its own.

        Raises BudgetSpent.
        """
        with self._lock:
            self._turn_of_day()
            if self.calls_per_day is not None and self._made() + self._reserved >= self.calls_per_day:
                raise BudgetSpent
            self._reserved += 1
        self._pace()
        self._here.requests = 0
        try:
            yield
        finally:
            with self._lock:
                self._reserved -= 1
                if self._here.requests == 0:
                    self._count()
            del self._here.requests

    def request(self) -> None:
        """One HTTP request is about to be made."""
        requests: int | None = getattr(self._here, "requests", None)
        with self._lock:
            self._count()
            if requests is None and self._gap:
                self._next = max(self._next, self._clock()) + self._gap  # a person waits: the deliveries make room
        if requests is not None:
            self._here.requests = requests + 1
            if requests:
                self._pace()  # the first was paced with its call

    def left(self) -> int | None:
        """How many calls are left today; None without a budget."""
        with self._lock:
            self._turn_of_day()
            return None if self.calls_per_day is None else max(0, self.calls_per_day - self._made())

    def told(self, quota: Quota) -> None:
        """The vendor said what it counts."""
        self.quotas = {**self.quotas, quota.window_seconds: quota}

    def take(self) -> int:
        """The calls that are not in the store yet, to be put there now; if that fails, `give_back`."""
        with self._lock:
            self._turn_of_day()
            taken, self._unstored = self._unstored, 0
            self._stored += taken
            return taken

    def give_back(self, calls: int) -> None:
        """`calls` could not be stored."""
        with self._lock:
            self._stored -= calls
            self._unstored += calls

    def saw(self, calls_today: int) -> None:
        """All nodes' calls of today, as the store has them."""
        with self._lock:
            self._turn_of_day()
            self._stored = max(self._stored, calls_today)

    def _made(self) -> int:
        return self._stored + self._unstored

    def _count(self) -> None:
        self._turn_of_day()
        self._unstored += 1
        self.total += 1

    def _turn_of_day(self) -> None:
        day = now().date().isoformat()
        if day != self._day:
            self._day, self._stored = day, 0

    def _pace(self) -> None:
        if not self._gap:
            return
        with self._lock:
            moment = self._clock()
            turn = max(self._next, moment)
            self._next = turn + self._gap
        if turn > moment:
            self._sleep(turn - moment)
