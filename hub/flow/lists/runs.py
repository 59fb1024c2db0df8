"""The runs of contact lists and of the customer directory: which pull is due now, who does it, how far it has come. One pull
of a series at a time, on all nodes together; whoever pulls holds a lease that each page renews, and each wait of the
connector's for a job of its vendor's."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

from hub.budget import LISTS, BudgetSpent
from hub.clock import from_ms, now_ms
from hub.connections import Connection, after_a_wait
from hub.errors import ConnectorError, PatchbayError, Then, Unavailable
from hub.flow.delivery.calls import spent_error
from hub.flow.lists.membership import Counts
from hub.model import Page
from hub.store import lists as sql
from hub.store.database import Store

if TYPE_CHECKING:
    from hub.store.database import Transaction

RESUME_WITHIN_MS = 24 * 3600 * 1000  # a CRM's cursor does not live for ever


class ListBusy(PatchbayError):
    """This list is being pulled just now, here or on another node."""


class LeaseLost(PatchbayError):
    """Another node has taken this pull over; what it does is not done here as well."""


class HubStopping(PatchbayError):
    """The hub stops; any node goes on with the pull from the page it was at."""


class Run(Struct):
    """A pull under way."""

    id: int
    owner: str
    full: bool
    since: str | None  # the watermark that it started from
    cursor: str | None
    watermark: str | None
    counts: Counts
    started_at: int


class Pulling(Protocol):
    """A pull that knows its run as it is now."""

    run: Run


class RunStatus(Struct, frozen=True, kw_only=True):
    """A run as it stands."""

    id: int
    state: str  # running | done | failed
    full: bool
    started_at: datetime
    finished_at: datetime | None
    counts: Counts
    error: str | None


class ListRuns:
    """Starts, resumes and ends runs. `node` names this process in leases."""

    def __init__(self, store: Store, node: str, lease_ms: int) -> None:
        self._store, self._node, self._lease_ms = store, node, lease_ms

    def start(self, name: str, version: int, full_every_seconds: float | None, full: bool) -> Run:
        """The run to do now of the series `name`: an interrupted one from its cursor on, else a new one. Raises ListBusy."""
        now = now_ms()
        with self._store.write() as conn:
            sql.lock_list(conn, name)
            last: Any = sql.latest_run(conn, name)
            done: Any = sql.latest_done(conn, name, version)
            if last is not None and last.state == "running" and last.lease_until >= now:
                raise ListBusy(f'"{name}" is being pulled just now by {last.lease_owner}')
            if last is not None and _goes_on(last, version, full, now):
                return self._resume(conn, last, None if last.full or done is None else done.watermark, now)
            if last is not None and last.state == "running":
                sql.give_up(conn, last.id, now)
            last_full = sql.latest_done(conn, name, version, full=True)
            is_full = full or done is None or done.watermark is None or _is_full_due(full_every_seconds, last_full, now)
            since = None if is_full else done.watermark
            owner = self._owner()
            run = sql.add_run(
                conn, mapping=name, full=is_full, started_at=now, counts=_text(Counts()), mapping_version=version,
                lease_owner=owner, lease_until=now + self._lease_ms, watermark=since,
            )  # fmt: skip
            if run is None:
                raise ListBusy(f'"{name}" is being pulled just now')
            return Run(run, owner, is_full, since, None, since, Counts(), now)

    def keep(self, conn: Transaction, run: Run) -> None:
        """Keep how far the run has come, with what its page changed; renews the lease. Raises LeaseLost."""
        if not sql.update_run(
            conn, run.id, run.owner, cursor=run.cursor, watermark=run.watermark, counts=_text(run.counts),
            lease_until=now_ms() + self._lease_ms,
        ):  # fmt: skip
            raise LeaseLost(f"run {run.id} was taken over by another node")

    def end(self, run: Run, failure: BaseException | None = None) -> None:
        """The run is done, or failed."""
        error = None if failure is None else f"{type(failure).__name__}: {failure}"
        state = "done" if failure is None else "failed"
        with self._store.write() as conn:
            sql.update_run(
                conn, run.id, run.owner, state=state, finished_at=now_ms(), error=error, cursor=run.cursor
            )  # fmt: skip

    def release(self, run: Run) -> None:
        """Let any node go on with the run, at once."""
        with self._store.write() as conn:
            sql.update_run(conn, run.id, run.owner, lease_until=0)

    def renew(self, run: Run) -> None:
        """Keep the run while its connector waits. Raises LeaseLost."""
        with self._store.write() as conn:
            if not sql.update_run(conn, run.id, run.owner, lease_until=now_ms() + self._lease_ms):
                raise LeaseLost(f"run {run.id} was taken over by another node")

    @contextmanager
    def under_way(self, pull: Pulling) -> Iterator[None]:
        """A run is being done: whatever ends it is on the run, and the next pull goes on from there."""
        mine = after_a_wait.set(lambda: self.renew(pull.run))
        try:
            yield
        except LeaseLost:
            raise
        except HubStopping:
            self.release(pull.run)
            raise
        except BaseException as failure:
            self.end(pull.run, failure)
            raise
        finally:
            after_a_wait.reset(mine)
        self.end(pull.run)

    def abandoned(self) -> list[str]:
        """The series whose pull has lost its node: whoever pulls them goes on with it."""
        with self._store.read() as conn:
            return sql.abandoned_runs(conn, now_ms())

    def latest(self, name: str) -> RunStatus | None:
        """The newest run of a list."""
        with self._store.read() as conn:
            last: Any = sql.latest_run(conn, name)
        if last is None:
            return None
        return RunStatus(
            id=last.id,
            state=last.state,
            full=last.full,
            started_at=from_ms(last.started_at),
            finished_at=None if last.finished_at is None else from_ms(last.finished_at),
            counts=msgspec.json.decode(last.counts, type=Counts),
            error=last.error,
        )

    def _resume(self, conn: Transaction, last: Any, since: str | None, now: int) -> Run:
        owner = self._owner()
        if not sql.take_run(conn, last.id, state=last.state, owner=owner, lease_until=now + self._lease_ms, now=now):
            raise ListBusy(f'"{last.mapping}" was taken over by another node just now')
        counts = msgspec.json.decode(last.counts, type=Counts)
        return Run(last.id, owner, last.full, since, last.cursor, last.watermark, counts, last.started_at)

    def _owner(self) -> str:
        return f"{self._node}/{uuid.uuid4().hex[:6]}"  # a pull of its own: a thread that hung is another owner


def paced(connection: Connection, pages: Iterator[Page]) -> Iterator[Page]:
    """The pages, each as a call of the lists' lane. Raises LaneSpent where the rest of the day is kept for others, and
    Unavailable where the same page comes again and again: such a list has no end."""
    going, last = True, None
    while going:
        try:
            with connection.budget.call(LISTS):
                page = next(pages, None)
        except BudgetSpent as spent:
            raise spent_error(connection, spent) from None
        if page is not None:
            if last is not None and page.cursor is not None and (page.cursor, page.rows) == (last.cursor, last.rows):
                raise Unavailable(f"{connection.name} gives the same page of the list again and again")
            last = page
            yield page
        going = page is not None and page.cursor is not None


def read_pages(pull: Pulling, pages: Iterator[Page], take: Callable[[Page], None], stopping: threading.Event) -> None:
    """Have `take` keep page after page, to the last one. Raises HubStopping between two pages."""
    began = pull.run.cursor
    try:
        for page in pages:
            take(page)
            if page.cursor is None:
                return
            if stopping.is_set():
                raise HubStopping("the hub is stopping; the pull goes on from here on any node")
    except ConnectorError as failure:
        if failure.then is Then.PARK and pull.run.cursor == began:
            pull.run.cursor = None  # the CRM does not take this cursor any more: the next pull starts anew
        raise


def watermark_after(run: Run, page: Page) -> str | None:
    """From where the next pull asks: said by the last page. Where that says nothing, the next pull is a full one."""
    return page.watermark if page.cursor is None else run.watermark


def _goes_on(last: Any, version: int, full: bool, now: int) -> bool:
    """Whether the last run was interrupted with something done, and is what is wanted now."""
    if last.state == "done" or last.mapping_version != version or (full and not last.full):
        return False
    begun = last.cursor is not None or msgspec.json.decode(last.counts, type=Counts).read_all
    return bool(begun and now - last.started_at < RESUME_WITHIN_MS)


def _is_full_due(every: float | None, last_full: Any, now: int) -> bool:
    return last_full is None or (every is not None and now - last_full.started_at >= every * 1000)


def _text(counts: Counts) -> str:
    return msgspec.json.encode(counts).decode()
