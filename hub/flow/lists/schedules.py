"""When contact lists and the customer directory are pulled by themselves. Every node keeps the same timetable; a firing is a
unique row in the store, so one node does it. A pull whose node died is taken over, and who opts out leaves the lists without
waiting for a pull."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from hub.clock import now_ms
from hub.errors import PatchbayError
from hub.flow.lists.membership import Counts
from hub.flow.lists.runs import HubStopping, LeaseLost, ListBusy
from hub.store import lists as sql
from hub.store.database import Store

LATE_SECONDS = 30  # a firing that comes later than this is dropped: the next one pulls what it would have pulled
KEEP_TICKS_MS = 7 * 24 * 3600 * 1000
PULLS_AT_ONCE = 4
MINUTE_MS = 60_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # intervals are counted from here, so that all nodes fire at the same moments

log = structlog.get_logger()


class Times(Protocol):
    """When something is pulled: every so often, by cron, or by hand only."""

    @property
    def every_seconds(self) -> float | None: ...

    @property
    def cron(self) -> str | None: ...


class Pulled(Protocol):
    """What a timetable pulls, series by series; of two of them no series have the same name."""

    node: str

    def timetable(self) -> Mapping[str, tuple[int, Times]]:
        """Each series with its version and its times."""

    def pull(self, name: str) -> Counts:
        """Pull a series now."""

    def abandoned(self) -> list[str]:
        """The series that somebody should pull without waiting for their time."""

    def sweep(self) -> int:
        """What does not wait for any pull."""

    def close(self) -> None:
        """Have running pulls stop after the page they are at."""


class Schedules:
    """The timetable of this node. `zone` is the one that cron expressions are in."""

    def __init__(self, store: Store, *pulled: Pulled, zone: str = "UTC", look_seconds: float = 10.0) -> None:
        self._store, self._pulled, self._zone = store, pulled, ZoneInfo(zone)
        self._planned: dict[str, tuple[int, str]] = {}  # series → its version and timetable
        self._whose: dict[str, Pulled] = {}
        self._taken_over: set[str] = set()  # the series whose take-over waits or runs
        self._look_seconds = look_seconds
        self._rung, self._stopping = threading.Event(), False
        self._watcher = threading.Thread(target=self._watch, name="lists", daemon=True)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(PULLS_AT_ONCE)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": LATE_SECONDS},
        )
        for channel in ("mappings", "do_not_call"):
            store.on_wake(channel, self._rung.set)

    def start(self) -> None:
        """Start the timetable."""
        self._scheduler.add_job(self._forget, IntervalTrigger(hours=1), id="forget ticks")
        self._scheduler.start()
        self._watcher.start()

    def close(self) -> None:
        """Stop; a running pull stops after the page that it is at."""
        for pulled in self._pulled:
            pulled.close()
        self._stopping = True
        self._rung.set()
        if self._watcher.is_alive():
            self._watcher.join()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def planned(self) -> dict[str, datetime]:
        """When each list is pulled next."""
        jobs = ((job.id.removeprefix("pull "), job.next_run_time) for job in self._scheduler.get_jobs())
        return {name: moment for name, moment in jobs if name in self._planned}

    def fire(self, name: str, tick: int) -> bool:
        """Pull the series `name` for the firing at `tick` (ms), unless another node does; whether it was this one."""
        pulled = self._owner(name)
        with self._store.write() as conn:
            mine = sql.claim_tick(conn, name, tick, pulled.node)
        if mine:
            self._pull(name)
        return mine

    def look(self) -> None:
        """Take up what the mappings say now, who has opted out, and pulls that have lost their node."""
        self._plan()
        for pulled in self._pulled:
            pulled.sweep()
            for name in pulled.abandoned():
                if name in self._whose and name not in self._taken_over:
                    self._taken_over.add(name)
                    self._scheduler.add_job(self._take_over, args=(name,), id=f"take over {name}")

    def _plan(self) -> None:
        plans, whose = {}, {}
        for pulled in self._pulled:
            for name, (version, times) in pulled.timetable().items():
                whose[name] = pulled
                trigger = _trigger(times, self._zone)
                if trigger is None:
                    continue
                plans[name] = (version, str(trigger))
                if self._planned.get(name) != plans[name]:
                    job = f"pull {name}"
                    self._scheduler.add_job(self._fire, trigger, args=(name, times), id=job, replace_existing=True)
        for name in self._planned.keys() - plans.keys():
            self._scheduler.remove_job(f"pull {name}")
        self._planned, self._whose = plans, whose

    def _owner(self, name: str) -> Pulled:
        if name not in self._whose:
            self._whose = {one: pulled for pulled in self._pulled for one in pulled.timetable()}
        return self._whose.get(name, self._pulled[0])  # one that is gone meanwhile: it says so itself

    def _fire(self, name: str, times: Times) -> None:
        now = now_ms()
        width = MINUTE_MS if times.every_seconds is None else int(times.every_seconds * 1000)
        self.fire(name, now - now % width)

    def _take_over(self, name: str) -> None:
        try:
            self._pull(name)
        finally:
            self._taken_over.discard(name)

    def _pull(self, name: str) -> None:
        try:
            counts = self._owner(name).pull(name)
        except (ListBusy, LeaseLost, HubStopping) as reason:
            log.info("list_not_pulled", mapping=name, reason=type(reason).__name__)
        except PatchbayError as failure:
            # It stands on the run; the next firing goes on from there.
            log.warning("list_pull_failed", mapping=name, error=type(failure).__name__)
        else:
            log.info("list_pulled", mapping=name, read=counts.read, sent=counts.sent, removed=counts.removed)

    def _forget(self) -> None:
        with self._store.write() as conn:
            sql.forget_ticks(conn, now_ms() - KEEP_TICKS_MS)

    def _watch(self) -> None:
        while not self._stopping:
            try:
                self.look()
            except Exception as failure:  # noqa: BLE001  (a store that is away for a while: the next look may do)
                log.error("lists_not_looked_at", error=type(failure).__name__)
            self._rung.wait(self._look_seconds)
            self._rung.clear()


def _trigger(times: Times, zone: ZoneInfo) -> Any:
    if times.cron is not None:
        return CronTrigger.from_crontab(times.cron, timezone=zone)
    if times.every_seconds is not None:
        return IntervalTrigger(seconds=int(times.every_seconds), start_date=EPOCH)
    return None
