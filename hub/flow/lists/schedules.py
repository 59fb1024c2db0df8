"""When contact lists are pulled by themselves. Every node keeps the same timetable; a firing is a unique row in the store,
so one node does it. A pull whose node died is taken over, and who opts out leaves the lists without waiting for a pull."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from hub.clock import now_ms
from hub.errors import PatchbayError
from hub.flow.lists.pull import ContactLists, HubStopping
from hub.flow.lists.runs import LeaseLost, ListBusy
from hub.flow.mappings import Mappings
from hub.language.source import ListSource
from hub.store import lists as sql
from hub.store.database import Store

LATE_SECONDS = 30  # a firing that comes later than this is dropped: the next one pulls what it would have pulled
KEEP_TICKS_MS = 7 * 24 * 3600 * 1000
PULLS_AT_ONCE = 4
MINUTE_MS = 60_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # intervals are counted from here, so that all nodes fire at the same moments

log = structlog.get_logger()


class Schedules:
    """The timetable of this node. `zone` is the one that cron expressions are in."""

    def __init__(
        self, store: Store, mappings: Mappings, lists: ContactLists, zone: str = "UTC", *, look_seconds: float = 10.0
    ) -> None:
        self._store, self._lists, self._mappings, self._zone = store, lists, mappings, ZoneInfo(zone)
        self._planned: dict[str, tuple[int, str]] = {}  # list → its mapping's version and timetable
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
        self._lists.close()
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
        """Pull the list `name` for the firing at `tick` (ms), unless another node does; whether it was this one."""
        with self._store.write() as conn:
            mine = sql.claim_tick(conn, name, tick, self._lists.node)
        if mine:
            self._pull(name)
        return mine

    def look(self) -> None:
        """Take up what the mappings say now, who has opted out, and pulls that have lost their node."""
        self._plan()
        self._lists.sweep()
        for name in self._lists.abandoned():
            if name in self._planned or name in self._lists.names():
                self._scheduler.add_job(self._pull, args=(name,), id=f"take over {name}", replace_existing=True)

    def _plan(self) -> None:
        wanted = {name: self._mappings.current(name) for name in self._lists.names()}
        plans = {}
        for name, mapping in wanted.items():
            source = mapping.source.contact_list
            trigger = _trigger(source, self._zone) if source is not None else None
            if trigger is None or source is None:
                continue
            plans[name] = (mapping.version, str(trigger))
            if self._planned.get(name) != plans[name]:
                job = f"pull {name}"
                self._scheduler.add_job(self._fire, trigger, args=(name, source), id=job, replace_existing=True)
        for name in self._planned.keys() - plans.keys():
            self._scheduler.remove_job(f"pull {name}")
        self._planned = plans

    def _fire(self, name: str, source: ListSource) -> None:
        now = now_ms()
        width = MINUTE_MS if source.every_seconds is None else int(source.every_seconds * 1000)
        self.fire(name, now - now % width)

    def _pull(self, name: str) -> None:
        try:
            counts = self._lists.pull(name)
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


def _trigger(source: ListSource, zone: ZoneInfo) -> Any:
    if source.cron is not None:
        return CronTrigger.from_crontab(source.cron, timezone=zone)
    if source.every_seconds is not None:
        return IntervalTrigger(seconds=int(source.every_seconds), start_date=EPOCH)
    return None
