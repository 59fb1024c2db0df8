"""Drift: a CRM changes under a mapping that fitted. Looked for by the clock, and when a CRM refuses values.

What is described now is compared with what was described last, so that the change can be named, and with each mapping;
what does not fit is an alert that names the mapping, the field and the change, and goes when it fits again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Collection
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from hub.clock import now_ms
from hub.connections import Connection, Connections
from hub.errors import ConnectorError, Rejected
from hub.flow import alerts
from hub.flow.agreement import Disagreement, compared, list_disagreements, objects_of
from hub.flow.changes import OBJECT, changes
from hub.flow.delivery import pauses
from hub.flow.delivery.calls import Failed
from hub.flow.delivery.consignment import Consignment
from hub.flow.described import Asked, Described
from hub.flow.mappings import Mappings
from hub.language.mapping import Mapping
from hub.model import Description
from hub.store import alerts as stored
from hub.store import lists
from hub.store.alerts import DRIFT, Trouble
from hub.store.database import Store

SCHEDULE = "drift"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # counted from here, so that all nodes fire at the same moments
LATE_SECONDS = 3600
DEBOUNCE = 600.0  # seconds between two looks at a mapping because of refusals

log = structlog.get_logger()


class Drift:
    """Looks for drift. `hours` is how often by the clock (0: never), `debounce` how often at most by refusals."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        mappings: Mappings,
        described: Described,
        hours: float = 24.0,
        debounce: float = DEBOUNCE,
    ) -> None:
        self._store, self._connections, self._mappings = store, connections, mappings
        self._described, self._hours, self._debounce = described, hours, debounce
        self._node = uuid.uuid4().hex
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._rung, self._stopping = threading.Event(), False
        self._looker = threading.Thread(target=self._look_at_refused, name="drift", daemon=True)
        self._lock = threading.Lock()
        self._due: dict[tuple[str, str], float] = {}  # (connection, mapping) → when it is looked at, monotonic
        self._looked: dict[tuple[str, str], float] = {}
        store.on_wake("mappings", self._see_mended)

    def start(self) -> None:
        """Start the clock."""
        if self._hours > 0:
            every = IntervalTrigger(seconds=max(60, int(self._hours * 3600)), start_date=EPOCH)
            self._scheduler.add_job(
                self._fire, every, id=SCHEDULE, coalesce=True, max_instances=1, misfire_grace_time=LATE_SECONDS
            )
        self._scheduler.start()
        self._looker.start()

    def close(self) -> None:
        """Stop; a comparison that runs comes to its end."""
        self._stopping = True
        self._rung.set()
        if self._looker.is_alive():
            self._looker.join()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    # --- when ----------------------------------------

    def planned(self) -> datetime | None:
        """When it is looked for next by the clock; None: never, or it is not started."""
        job = self._scheduler.get_job(SCHEDULE)
        return None if job is None else job.next_run_time

    def fire(self, tick: int) -> bool:
        """Look at every connection for the firing at `tick` (ms), unless another node does; whether it was this one."""
        with self._store.write() as conn:
            mine = lists.claim_tick(conn, SCHEDULE, tick, self._node)
        paused = {name for name, state in pauses.states(self._store).items() if state.paused} if mine else set()
        for connection in self._connections.that("describe") if mine else ():
            if connection.name not in paused and not self._stopping:
                self.compare(connection.name)
        return mine

    def saw_refusals(self, connection: Connection, consignment: Consignment) -> None:
        """Values were refused, perhaps because the CRM has changed: its mappings are looked at soon, not each time."""
        refused = {
            parcel.mapping.name
            for parcel in consignment.parcels
            if parcel.called and isinstance(fate := parcel.fate, Failed) and isinstance(fate.error, Rejected)
        }
        if refused and connection.can("describe"):
            self._soon(connection.name, refused)

    def _see_mended(self) -> None:
        """A mapping was published: where it has alerts, they may be over."""
        self._rung.set()

    def _soon(self, connection: str, names: Collection[str]) -> None:
        moment = time.monotonic()
        with self._lock:
            for name in names:
                pair = (connection, name)
                last = self._looked.get(pair)
                due = moment if last is None else max(moment, last + self._debounce)
                self._due.setdefault(pair, due)
        self._rung.set()

    def _fire(self) -> None:
        width = max(60, int(self._hours * 3600)) * 1000
        moment = now_ms()
        try:
            self.fire(moment - moment % width)
        except Exception as error:  # noqa: BLE001  (a store that is away: the next firing looks again)
            log.error("drift_not_looked_for", error=type(error).__name__)

    def _look_at_refused(self) -> None:
        versions: dict[str, int] = {}
        while not self._stopping:
            try:
                self._take_up_mended(versions)
                for connection, names in self._now_due().items():
                    self.compare(connection, names)
            except Exception as error:  # noqa: BLE001
                log.error("drift_not_looked_for", error=type(error).__name__)
            self._rung.wait(self._seconds_to_wait())
            self._rung.clear()

    def _take_up_mended(self, versions: dict[str, int]) -> None:
        now = {mapping.name: mapping.version for mapping in self._mappings.all()}
        changed = {name for name, version in now.items() if versions.get(name, version) != version}
        versions.clear()
        versions.update(now)
        if changed:
            with self._store.read() as conn:
                raised = stored.opened(conn, kind=DRIFT)
            for alert in raised:
                if alert.mapping in changed and alert.connection is not None:
                    with self._lock:
                        self._due[alert.connection, alert.mapping] = time.monotonic()

    def _now_due(self) -> dict[str, set[str]]:
        moment, due = time.monotonic(), {}  # type: float, dict[str, set[str]]
        with self._lock:
            for pair in [pair for pair, at in self._due.items() if at <= moment]:
                del self._due[pair]
                self._looked[pair] = moment
                due.setdefault(pair[0], set()).add(pair[1])
        return due

    def _seconds_to_wait(self) -> float:
        with self._lock:
            next_due = min(self._due.values(), default=None)
        return 60.0 if next_due is None else min(60.0, max(0.0, next_due - time.monotonic()))

    # --- what ----------------------------------------

    def compare(self, connection: str, names: Collection[str] | None = None) -> int:
        """Compare the mappings that write to a connection or pull a list there (those of `names` only) with what it is now,
        raise and clear alerts; how many could be compared."""
        changed: dict[str, list[str]] = {}

        def kept(there: Connection, description: Description) -> None:
            before = self._described.keep(there, description)
            if before is not None:
                found = changes(before, description)
                changed.update({f"{description.object} {field}": said for field, said in found.items()})

        asked, compared = Asked(kept), 0
        mappings = [one for one in self._mappings.all() if objects_of(one, connection)]
        # A change is seen once: whoever speaks of the same object is looked at with it.
        objects = {
            object for one in mappings if names is None or one.name in names for object in objects_of(one, connection)
        }
        for mapping in mappings:
            if objects.isdisjoint(objects_of(mapping, connection)):
                continue
            found = self._compared(mapping, connection, asked)
            if found is not None:
                self._settle(mapping, connection, found, changed)
                compared += 1
        if names is None:
            self._forget_gone(connection, {mapping.name for mapping in mappings})
        return compared

    def _compared(self, mapping: Mapping, connection: str, asked: Asked) -> list[Disagreement] | None:
        """What does not fit of a mapping at a connection; None where that could not be asked."""
        found: list[Disagreement] = []
        unasked = ""
        if mapping.target.connection == connection:
            found, unasked = compared(mapping, self._connections, asked)
        if connection in mapping.source.connections:
            try:
                found += list_disagreements(mapping, self._connections[connection], asked)
            except ConnectorError as error:
                unasked = str(error)
        if unasked:
            log.warning("drift_not_compared", connection=connection, mapping=mapping.name)
            return None  # what was raised stays: nobody knows whether it is over
        return found

    def _settle(
        self, mapping: Mapping, connection: str, found: list[Disagreement], changed: dict[str, list[str]]
    ) -> None:
        """What breaks is raised, and what may break where the field has just changed; what is still so stays raised."""
        still: dict[str, Trouble] = {}
        new: list[Trouble] = []
        for one in found:
            said = [
                what
                for object in objects_of(mapping, connection)
                for what in changed.get(f"{object} {one.field or OBJECT}", ())
                if one.code not in ("value", "retired") or f'"{one.detail}"' in what
            ]
            trouble = _trouble(mapping, connection, one, said)
            still[trouble.key] = trouble
            if one.grave or said:
                new.append(trouble)
        with self._store.read() as conn:
            raised = stored.opened(conn, kind=DRIFT, connection=connection, mapping=mapping.name)
        for trouble in new:
            alerts.raise_alert(self._store, trouble, keep_message=True)
        known = {trouble.key for trouble in new}
        for key in {alert.key for alert in raised} - known:
            if key in still:
                alerts.raise_alert(self._store, still[key], keep_message=True)
            else:
                alerts.clear_alerts(self._store, [key])

    def _forget_gone(self, connection: str, names: Collection[str]) -> None:
        with self._store.read() as conn:
            raised = stored.opened(conn, kind=DRIFT, connection=connection)
        gone = [alert.key for alert in raised if alert.mapping not in names]
        if gone:
            alerts.clear_alerts(self._store, gone)


def _trouble(mapping: Mapping, connection: str, one: Disagreement, changed: list[str]) -> Trouble:
    """`Priority no longer takes "High". Priority does not take "High" (wrap_up version 3, line 31).`"""
    new = [said for said in changed if said not in one.what]
    what = f"{one.what} ({mapping.name} version {mapping.version}, line {one.line})"
    return Trouble(
        key=f"drift {connection} {mapping.name} {one.code} {one.field} {one.detail}".strip(),
        kind=DRIFT,
        connection=connection,
        mapping=mapping.name,
        field=one.field or None,
        message=f"{'; '.join(new)}: {what}" if new else what,
    )
