"""The road to one connection: when a batch may be claimed, what becomes of it, and how the connection is doing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from hub.budget import INTERACTIVE, LANES
from hub.clock import now, now_ms
from hub.connections import Connection
from hub.errors import ConnectorError, CredentialsRefused
from hub.flow.delivery import pauses
from hub.flow.delivery.backoff import Pace, probe_delay, retry_delay
from hub.flow.delivery.bulk import Bulk
from hub.flow.delivery.calls import CallsPerDay, Failed, NotByBulk
from hub.flow.delivery.consignment import Consignment, packed
from hub.flow.delivery.following import Following
from hub.flow.delivery.fresh import FreshPeople
from hub.flow.delivery.lease import Lease, LeaseLost
from hub.flow.delivery.sending import send
from hub.flow.delivery.verdicts import Judge, Trouble
from hub.flow.ledger import keep_calls, read_calls
from hub.flow.mappings import Mappings
from hub.flow.standing import Standings
from hub.flow.subject import interaction_of
from hub.store import calls, connection_states, outbox, outcomes, recovery
from hub.store.connection_states import ConnectionState, day_of
from hub.store.database import Store, Transaction
from hub.store.fresh import Fresh, remember
from hub.store.outbox import Claimed, Which
from hub.store.outcomes import Verdict

LARGEST_CLAIM = 200
LOOK_SECONDS = 0.01  # the bell of a busy hub rings hundreds of times a second; the outbox is looked at less often
LOOK_REST = 4.0  # and a look that takes long, less often still: a rest of so many times what it took

log = structlog.get_logger()
Batch = tuple[Lease, list[Claimed]]
Watcher = Callable[[Connection, Consignment], None]  # sees what became of a claim; has to return at once
# Gives what has to be kept in the very transaction that notes what became of a claim; None: nothing.
Keeper = Callable[[Connection, Consignment], Callable[[Transaction], None] | None]


class Road:
    """One connection's deliveries on this node."""

    def __init__(
        self,
        connection: Connection,
        store: Store,
        mappings: Mappings,
        country: str,
        pace: Pace,
        standings: Standings,
        following: Following,
        watchers: Sequence[Watcher] = (),
        keepers: Sequence[Keeper] = (),
    ) -> None:
        self.connection, self.pace, self._watchers, self._keepers = connection, pace, watchers, keepers
        self.bell = threading.Event()
        self.tally: Counter[str] = Counter()  # attempts by outcome
        self._store, self._mappings, self._standings = store, mappings, standings
        self._following = following
        self._fresh = FreshPeople(connection, country)
        self._limit = min(LARGEST_CLAIM, connection.manifest.rows_per_call)
        self._turn = threading.Lock()  # one thread looks for work at a time, the others rest
        self._lock = threading.Lock()
        self.bulk = Bulk(connection, pace.poll)
        self._out: dict[str, Lease] = {}
        self._bulk_out: dict[str, Lease] = {}
        self._last_claim = self._last_look = self._next_look = self._slow_until = self._counts_read = 0.0
        self._failures = 0  # how often in a row the connection did not answer, or asked us to slow down

    # --- when ----------------------------------------

    def next_batch(self, stopping: threading.Event) -> Batch | None:
        """The next batch, waited for; None when the hub stops."""
        with self._turn:
            while not stopping.is_set():
                self._rest_between_looks()
                self.bell.clear()
                wait = self._seconds_to_wait()
                if wait <= 0:
                    batch = self._claim()
                    if batch is not None:
                        return batch
                    wait = self.pace.poll
                self.bell.wait(wait)
        return None

    def batch_now(self) -> Batch | None:
        """A batch of what is due, however small; None where nothing is, or the connection rests."""
        state, _ = self._look()
        if time.monotonic() < self._slow_until or self._pause_holds(state):
            return None
        return self._claim()

    def bulk_now(self) -> Batch | None:
        """What is due of a mapping whose backlog goes the bulk path; None where there is none, or the connection rests."""
        if not self.bulk.rows or time.monotonic() < self._slow_until or (self._failures and self._out):
            return None
        state, _ = self._look()
        if self._pause_holds(state) or not self.bulk.mappings:
            return None
        with self._store.write() as conn:
            batch = self._claimed(conn, Which(only=self.bulk.mappings[0]), self.bulk.rows)
        if batch is not None:
            with self._lock:
                self._bulk_out[batch[0].owner] = batch[0]
        return batch

    def _seconds_to_wait(self) -> float:
        """How long the next claim has to wait: 0 where it is its time."""
        moment, poll = time.monotonic(), self.pace.poll
        if moment < self._slow_until:
            return min(poll, self._slow_until - moment)
        state, due = self._look()
        if self._pause_holds(state):
            return poll
        if due == 0:
            return self._until_next_due()
        if not self._out:
            return 0
        if self._failures:
            return poll  # one call tries whether it answers again; its end rings the bell
        # While calls are out, what comes in gathers until it fills a call: an idle road is quick, a busy one thrifty.
        return 0 if due >= self._limit else self._last_claim + self.pace.gather - moment

    def _look(self) -> tuple[ConnectionState, int]:
        name, began = self.connection.name, time.monotonic()
        with self._store.read() as conn:
            state = connection_states.state_of(conn, name, day=day_of(now()))
            if began >= self._counts_read + self.pace.poll:
                self._counts_read = began
                read_calls(conn, self.connection)
            self.bulk.look(conn, self._lanes(), now=now_ms())
            due = self._due(conn)
        self._next_look = time.monotonic() + LOOK_REST * (time.monotonic() - began)
        return state, due

    def _due(self, conn: Transaction) -> int:
        which = Which(without=self.bulk.mappings)
        return outbox.due(
            conn, self.connection.name, now=now_ms(), enough=self._limit, lanes=self._lanes(), which=which
        )

    def _lanes(self) -> Sequence[int]:
        """The lanes that may be sent now. Where nobody has a call left it is all: the call that is refused has it paused."""
        return self.connection.budget.open_lanes() or LANES

    def _until_next_due(self) -> float:
        moment = now_ms()
        with self._store.read() as conn:
            lanes = self._lanes()
            at = outbox.next_due(conn, self.connection.name, now=moment, lanes=lanes)
        return self.pace.poll if at is None else min(self.pace.poll, (at - moment + 1) / 1000)

    def _rest_between_looks(self) -> None:
        rest = max(self._last_look + LOOK_SECONDS, self._next_look) - time.monotonic()
        if rest > 0:
            time.sleep(rest)
        self._last_look = time.monotonic()

    def _pause_holds(self, state: ConnectionState) -> bool:
        if not state.paused:
            return False
        if state.until is None or state.until > now():
            return True
        return not self._resumed(state)

    def _resumed(self, state: ConnectionState) -> bool:
        """Whether a paused connection whose time has come works again; one node tries."""
        name, moment = self.connection.name, now()
        since = state.since or moment
        again = moment + timedelta(seconds=probe_delay((moment - since).total_seconds(), self.pace))
        with self._store.write() as conn:
            if state.until is None or not connection_states.take_probe(conn, name, seen=state.until, until=again):
                return False
        if state.reason not in ("quota_spent", pauses.CALLS_PER_DAY):
            if not self.connection.can("check"):
                self._standings.forget(name)  # the next call finds out
            else:
                try:
                    self._standings.check(self.connection)
                except ConnectorError as error:
                    log.warning("still_paused", connection=name, reason=error.name, until=again.isoformat())
                    return False
        pauses.resume(self._store, name)
        log.info("connection_resumed", connection=name)
        return True

    def _claim(self) -> Batch | None:
        with self._store.write() as conn:
            batch = self._claimed(conn)
        return self._out_with(batch)

    def _claimed(self, conn: Transaction, which: Which | None = None, limit: int = 0) -> Batch | None:
        lease, lanes = Lease(self._store, self.pace.lease), self._lanes()
        claimed = outbox.claim(
            conn,
            self.connection.name,
            owner=lease.owner,
            limit=limit or self._limit,
            now=now_ms(),
            lease_until=lease.until_ms,
            lanes=[lane for lane in lanes if lane != INTERACTIVE] if which else lanes,
            which=which or Which(without=self.bulk.mappings),
        )
        lease.ids = [one.id for one in claimed]
        return (lease, claimed) if claimed else None

    def _out_with(self, batch: Batch | None) -> Batch | None:
        if batch is not None:
            self._last_claim = time.monotonic()
            with self._lock:
                self._out[batch[0].owner] = batch[0]
        return batch

    # --- what becomes of it ----------------------------------------

    def carry(self, batch: Batch, *, go_on: bool = False) -> Batch | None:
        """Send a batch and note what became of it; with `go_on`, the next one, where a full one is due."""
        lease, claimed = batch
        judge = Judge(self.pace, self._failures, now_ms())
        following = None
        try:
            consignment = packed(self._store, self._mappings, self.connection.name, claimed)
            send(self.connection, consignment, self._store, lease.check, self._following, rows_per_write=len(claimed))
            self._bar_from_bulk(consignment)
            verdicts = judge.verdicts(consignment)
            self._learn(judge.trouble)
            kept = self._kept(consignment)
            following = self._note(lease.owner, verdicts, self._fresh.among(consignment.parcels), kept, go_on)
            self._show(consignment)
        except LeaseLost:
            log.warning("lease_lost", connection=self.connection.name, deliveries=len(claimed))
        finally:
            with self._lock:
                self._out.pop(lease.owner, None)
                self._bulk_out.pop(lease.owner, None)
            self.bell.set()
        return self._out_with(following)

    def _kept(self, consignment: Consignment) -> list[Callable[[Transaction], None]]:
        kept = []
        for keeper in self._keepers:
            try:
                kept.append(keeper(self.connection, consignment))
            except Exception as error:  # noqa: BLE001  (what was done has to be noted, whatever else is not kept)
                log.error("keeper_failed", connection=self.connection.name, error=type(error).__name__)
        return [keep for keep in kept if keep is not None]

    def _note(
        self,
        owner: str,
        verdicts: Sequence[Verdict],
        fresh: Sequence[Fresh],
        kept: Sequence[Callable[[Transaction], None]],
        go_on: bool,
    ) -> Batch | None:
        budget, name = self.connection.budget, self.connection.name
        made, told = budget.take(), budget.take_told()

        def noted(conn: Transaction) -> Batch | None:
            outcomes.finish(conn, owner, verdicts, now=now_ms())
            remember(conn, fresh, now=now_ms())
            for keep in kept:
                keep(conn)
            if made:
                calls.add(conn, name, made, now=now())
            calls.tell(conn, name, told)
            # The next claim in the same transaction: one write to the disk less, for each full batch of a busy road.
            return self._claimed(conn) if go_on and self._full_batch_due(conn) else None

        try:
            following = self._store.in_one_piece(noted)
        except Exception:
            budget.give_back(made)
            raise
        counts = Counter(verdict.tried.outcome for verdict in verdicts if verdict.tried is not None)
        with self._lock:
            self.tally += counts
        log.info("carried", connection=name, deliveries=len(verdicts), **counts, interactions=_interactions(verdicts))
        return following

    def _show(self, consignment: Consignment) -> None:
        for watcher in self._watchers:
            try:
                watcher(self.connection, consignment)
            except Exception as error:  # noqa: BLE001  (what is done is noted; whoever looks on must not undo that)
                log.error("watcher_failed", connection=self.connection.name, error=type(error).__name__)

    def _full_batch_due(self, conn: Transaction) -> bool:
        if self._failures or time.monotonic() < self._slow_until:
            return False
        state = connection_states.state_of(conn, self.connection.name, day=day_of(now()))
        return not state.paused and self._due(conn) >= self._limit

    def _bar_from_bulk(self, consignment: Consignment) -> None:
        for parcel in consignment.parcels:
            if isinstance(parcel.fate, Failed) and isinstance(parcel.fate.error, NotByBulk):
                self.bulk.bar(parcel.mapping.name)

    def _learn(self, trouble: Trouble) -> None:
        name, error = self.connection.name, trouble.pause
        if isinstance(error, CallsPerDay):
            pauses.pause_until_midnight(self._store, name, self.connection.budget.calls_per_day or 0)
        elif error is not None:
            if isinstance(error, CredentialsRefused):
                self._standings.refused(name, error)
            pauses.pause_for(self._store, name, error, self.pace.first_probe)
        if error is not None:
            log.warning("connection_paused", connection=name, reason=error.name)
        with self._lock:
            slow_for = trouble.slow_for
            if slow_for or (trouble.silent and not trouble.answered):
                self._failures += 1
                slow_for = slow_for or retry_delay(self._failures, self.pace, self.pace.longest_breath)
                self._slow_until = max(self._slow_until, time.monotonic() + slow_for)
            elif trouble.answered:
                self._failures = 0

    # --- keeping and ending ----------------------------------------

    def renew(self) -> None:
        """Keep the claims that are out."""
        for lease in self._leases():
            lease.renew()

    def store_calls(self) -> None:
        """Put the calls that no claim has noted, such as a screen pop's, into the store."""
        keep_calls(self._store, self.connection)

    def release(self) -> None:
        """Give back the claims whose calls did not come to their end: what they did is not known."""
        for lease in self._leases():
            lease.lose()
            with self._store.write() as conn:
                recovery.release(conn, owner=lease.owner, now=now_ms())

    def _leases(self) -> list[Lease]:
        with self._lock:
            return [*self._out.values(), *self._bulk_out.values()]


def _interactions(verdicts: Sequence[Verdict]) -> dict[str, list[str]]:
    """The interactions that were carried, by what became of their deliveries: so a log tells where a call went."""
    by_state: dict[str, list[str]] = {}
    for verdict in verdicts:
        if (interaction := interaction_of(verdict.claimed.subject)) is not None:
            by_state.setdefault(verdict.state, []).append(interaction)
    return by_state
