"""Deliver: claim what is due, look people up, render, write in batches, and note what became of each row.

A delivery is sent at least once and lands once: the key of its record is the same for ever, and whatever may have been
done already is sent again *in doubt*, so that the connector looks the key up first. A worker that stalls for longer
than its lease may send a row that another one has taken over; it lands on the same key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

import structlog

from hub.clock import now_ms
from hub.config import Config
from hub.connections import Connections
from hub.errors import ConfigError, nearest
from hub.flow.delivery import pauses
from hub.flow.delivery.backoff import Pace, pace_of
from hub.flow.delivery.following import Following
from hub.flow.delivery.road import Keeper, Road, Watcher
from hub.flow.described import Described
from hub.flow.mappings import Mappings
from hub.flow.merged import Merged
from hub.flow.standing import Standings
from hub.store import deliveries, recovery
from hub.store.database import Store
from hub.store.deliveries import Reason

__all__ = ["Deliverer", "Pace"]

log = structlog.get_logger()


class Deliverer:
    """Delivers, for each connection that can write, with as many threads as its `concurrency`."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        mappings: Mappings,
        config: Config,
        pace: Pace | None = None,
        watchers: Sequence[Watcher] = (),
        described: Described | None = None,
        keepers: Sequence[Keeper] = (),
    ) -> None:
        pace = pace or pace_of(config)
        self._store, self._connections, self._mappings, self._pace = store, connections, mappings, pace
        standings = Standings(store, config.credentials_expiring_days)
        merged, described = Merged(store), described or Described(store)
        self._roads = {
            connection.name: Road(
                connection,
                store,
                mappings,
                config.country,
                pace,
                standings,
                Following(connection, merged, described),
                watchers,
                keepers,
            )
            for connection in connections.that("write")
        }
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._keeper: threading.Thread | None = None
        for channel in ("deliveries", pauses.CHANNEL):
            store.on_wake(channel, self._ring)

    @property
    def tally(self) -> Mapping[tuple[str, str], int]:
        """(connection, outcome) → attempts of this process; for /metrics."""
        return {(name, outcome): n for name, road in self._roads.items() for outcome, n in road.tally.items()}

    @property
    def calls(self) -> Mapping[str, int]:
        """Connection → calls of this process."""
        return {name: connection.budget.total for name, connection in self._connections.items()}

    def start(self) -> None:
        """Start the threads."""
        self._settle_stranded()
        self._keeper = threading.Thread(target=self._keep, name="deliver-keeper", daemon=True)
        self._threads = [
            threading.Thread(target=self._work, args=(road,), name=f"deliver-{road.connection.name}-{i}", daemon=True)
            for road in self._roads.values()
            for i in range(road.connection.config.concurrency)
        ]
        self._threads += [
            threading.Thread(
                target=self._work_bulk, args=(road,), name=f"deliver-{road.connection.name}-bulk", daemon=True
            )
            for road in self._roads.values()
            if road.bulk.rows
        ]
        for thread in (*self._threads, self._keeper):
            thread.start()

    def close(self) -> None:
        """Stop: what is in flight comes to its end within `Pace.close`, the rest goes back to pending."""
        self._stopping.set()
        self._ring()
        deadline = time.monotonic() + self._pace.close
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._keeper is not None:
            self._keeper.join(max(1.0, deadline - time.monotonic()))
        for road in self._roads.values():
            road.release()
            road.store_calls()

    def run_once(self, connection: str) -> int:
        """Claim one batch of a connection and deliver it, here and now; how many deliveries it held. 0 while paused."""
        road = self._roads.get(connection)
        if road is None:
            raise ConfigError(f'no connection "{connection}" can write{nearest(connection, self._roads)}')
        self._take_back()
        batch = road.bulk_now() or road.batch_now()
        if batch is None:
            return 0
        road.carry(batch)
        return len(batch[1])

    def drain(self, timeout: float) -> bool:
        """Deliver until nothing is pending or in flight on any connection that is not paused; whether that came true."""
        deadline = time.monotonic() + timeout
        while True:
            done = 0 if self._threads else sum(self.run_once(name) for name in self._roads)
            if not self._waiting():
                return True
            if time.monotonic() > deadline:
                return False
            if not done:
                time.sleep(0.01)

    def _waiting(self) -> int:
        paused = {name for name, state in pauses.states(self._store).items() if state.paused}
        with self._store.read() as conn:
            waiting = deliveries.waiting(conn)
        at_work = [waiting[name] for name in self._roads if name in waiting and name not in paused]
        return sum(counts["pending"] + counts["sending"] for counts in at_work)

    # --- threads ----------------------------------------

    def _ring(self) -> None:
        for road in self._roads.values():
            road.bell.set()

    def _work(self, road: Road) -> None:
        while not self._stopping.is_set():
            try:
                batch = road.next_batch(self._stopping)
                while batch is not None:
                    batch = road.carry(batch, go_on=not self._stopping.is_set())
            except Exception as error:  # noqa: BLE001
                # Whatever it was, its claim runs out and comes back; the thread goes on.
                log.error("delivery_failed", connection=road.connection.name, error=type(error).__name__)
                self._stopping.wait(self._pace.poll)

    def _work_bulk(self, road: Road) -> None:
        """Beside the others: a bulk job waits for its vendor for minutes, and an interactive delivery not behind it."""
        while not self._stopping.is_set():
            try:
                batch = road.bulk_now()
                if batch is not None:
                    road.carry(batch)
                    continue
            except Exception as error:  # noqa: BLE001  (as in _work)
                log.error("delivery_failed", connection=road.connection.name, error=type(error).__name__)
            self._stopping.wait(self._pace.poll)

    def _keep(self) -> None:
        while True:  # at once: a node that was killed and starts again finds what it had left
            try:
                self._take_back()
                for road in self._roads.values():
                    road.renew()
                    road.store_calls()
            except Exception as error:  # noqa: BLE001  (the store may be away; the next round tries again)
                log.error("keeping_failed", error=type(error).__name__)
            if self._stopping.wait(self._pace.lease / 4):
                return

    def _take_back(self) -> None:
        with self._store.read() as conn:
            if not recovery.expired(conn, now=now_ms()):
                return
        taken = self._store.in_one_piece(lambda conn: recovery.take_back(conn, now=now_ms()))
        if taken:
            log.warning("claims_taken_back", deliveries=taken)
            self._store.wake("deliveries")

    def _settle_stranded(self) -> None:
        """What waits for a connection that is not there any more goes where its mapping writes now, or to a person."""
        with self._store.write() as conn:
            for connection, name in recovery.stranded(conn, list(self._roads)):
                target = self._target_of(name)
                if target in self._roads:
                    recovery.move(conn, connection, name, target)
                else:
                    what = f'there is no connection "{connection}" that can write; mend the mapping and replay'
                    reason = Reason(name="no_connection", message=what)
                    parked = recovery.park_stranded(conn, connection, name, reason, now=now_ms())
                    log.warning("parked", connection=connection, mapping=name, reason=reason.name, deliveries=parked)

    def _target_of(self, mapping: str) -> str:
        try:
            return self._mappings.current(mapping).target.connection
        except ConfigError:
            return ""
