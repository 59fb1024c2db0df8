"""Accept events durably: event, interaction and deliveries in one transaction, many events to a commit.

One thread commits. While it waits for the disk, whatever comes in gathers, and goes into the next transaction together:
the busier the hub, the more events share a commit.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from queue import Empty, SimpleQueue
from random import uniform
from time import sleep
from traceback import extract_tb
from typing import Any, cast

import msgspec
import structlog
from msgspec import Struct

from hub.clock import now_ms, to_ms
from hub.contract import HookRequest
from hub.errors import InvalidEvent, PatchbayError
from hub.flow.intake.group import Arrival, Taken, take_in
from hub.flow.intake.triggers import Mappings
from hub.flow.subject import subject_of
from hub.model import Event, WireEvent
from hub.store import intake
from hub.store.database import Store

AT_ONCE = 500  # events in one transaction, unless a single accept brings more
WAITING_AT_MOST = 64 << 20  # bytes of JSON, roughly; beyond it the sender is asked to come again
BUSY, GATHERING_SECONDS = 8, 0.002  # after a transaction of so many accepts, wait so long for the next one to fill
ASSUMED_BYTES = 2_000  # of an event whose JSON we do not have
TRIES = 6  # of a transaction that other nodes got in the way of
NUMBERS_AT_MOST = 100_000
_NOT_KEPT = ("auth", "cookie", "signature", "token", "secret", "password", "api-key")

log = structlog.get_logger()


class Accepted(Struct, frozen=True):
    """What became of an accept: how many events are new, how many were known."""

    accepted: int
    duplicates: int


class TooBusy(PatchbayError):
    """More waits than can be held, or the hub is stopping. Nothing was taken in; the sender comes again in a moment."""


_Done = Future[Accepted] | asyncio.Future[Accepted]


@dataclass(slots=True)
class _Waiting:
    done: _Done
    arrivals: Sequence[Arrival] = ()
    unread: dict[str, Any] | None = None

    weight: int = 0

    @property
    def size(self) -> int:
        """How many rows it makes, at least."""
        return len(self.arrivals) or 1


class Acceptor:
    """Takes events in. One thread commits: whatever waits at that moment goes into one transaction."""

    def __init__(
        self,
        store: Store,
        mappings: Mappings,
        country: str,
        on_local_number: Callable[[str, str], None] | None = None,
    ) -> None:
        self._store, self._mappings, self._country = store, mappings, country
        self._on_local_number = on_local_number
        self._numbers: set[tuple[str, str]] = set()
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._entry = threading.Lock()
        self._waiting = 0
        self._busy = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="accept", daemon=True)

    def start(self) -> None:
        """Start the committer."""
        self._thread.start()

    def close(self) -> None:
        """Commit what waits, then stop."""
        with self._entry:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join(60)

    def accept(self, connection: str, events: Sequence[Event]) -> Future[Accepted]:
        """Take `events` of `connection` in, all or none. The future is done when they are durable.

        Raises InvalidEvent where an event lacks what it is about, TooBusy where too much waits.
        """
        done: Future[Accepted] = Future()
        self._put(_Waiting(done, arrivals_of(connection, events), weight=_weight(events)))
        return done

    async def accepted(self, connection: str, events: Sequence[Event]) -> Accepted:
        """As `accept`, for an event loop: it is woken once for all that one commit made durable."""
        done = asyncio.get_running_loop().create_future()
        self._put(_Waiting(done, arrivals_of(connection, events), weight=_weight(events)))
        return cast("Accepted", await done)

    def keep_unread(self, connection: str, request: HookRequest, reason: str) -> Future[Accepted]:
        """Keep a proven body that cannot be read. The same body is kept once."""
        done: Future[Accepted] = Future()
        self._put(_Waiting(done, unread=_unread(connection, request, reason), weight=len(request.body)))
        return done

    async def kept_unread(self, connection: str, request: HookRequest, reason: str) -> None:
        """As `keep_unread`, for an event loop."""
        done = asyncio.get_running_loop().create_future()
        self._put(_Waiting(done, unread=_unread(connection, request, reason), weight=len(request.body)))
        await done

    def _put(self, waiting: _Waiting) -> None:
        if not waiting.arrivals and waiting.unread is None:
            waiting.done.set_result(Accepted(0, 0))
            return
        with self._entry:
            if self._closed:
                raise TooBusy("the hub is stopping")
            if self._waiting and self._waiting + waiting.weight > WAITING_AT_MOST:
                raise TooBusy(f"{self._waiting >> 20} MiB of events wait for the store")
            self._waiting += waiting.weight
            self._queue.put(waiting)

    # --- the committer's thread ----------------------------------------

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._next()
            self._busy = len(batch) >= BUSY
            if batch:
                self._commit(batch)
                with self._entry:
                    self._waiting -= sum(waiting.weight for waiting in batch)

    def _next(self) -> tuple[list[_Waiting], bool]:
        """What waits now, at least one; and whether there may be more."""
        waiting, batch, size = self._queue.get(), [], 0
        if self._busy:  # much of a transaction costs the same however many share it
            sleep(GATHERING_SECONDS)
        while waiting is not None:
            batch.append(waiting)
            size += waiting.size
            if size >= AT_ONCE:
                return batch, True
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: Sequence[_Waiting]) -> Exception | None:
        """Take a batch in and tell those who wait; the error where none of it could be taken in."""
        try:
            taken = self._taken(batch)
        except Exception as error:  # noqa: BLE001 (whatever it is, the senders hear of it and the committer goes on)
            if len(batch) > 1 and not intake.store_is_away(error):
                self._commit_each(batch)
                return None
            self._fail(batch, error)
            return error
        answers = []
        for waiting in batch:
            new = 0
            for arrival in waiting.arrivals:
                if arrival.key in taken.new:  # new to whoever brought it first
                    taken.new.remove(arrival.key)
                    new += 1
            answers.append(Accepted(new, len(waiting.arrivals) - new))
        _settle([waiting.done for waiting in batch], answers)
        self._ring(taken)
        return None

    def _commit_each(self, batch: Sequence[_Waiting]) -> None:
        """One by one, so that only the accept that is at fault fails."""
        for n, waiting in enumerate(batch):
            error = self._commit([waiting])
            if error is not None and intake.store_is_away(error):
                self._fail(batch[n + 1 :], error)
                return

    def _taken(self, batch: Sequence[_Waiting]) -> Taken:
        arrivals = [arrival for waiting in batch for arrival in waiting.arrivals]
        unread = [waiting.unread for waiting in batch if waiting.unread is not None]
        for left in reversed(range(TRIES)):
            try:
                with self._store.write() as conn:
                    if unread:
                        intake.keep_unread(conn, unread)
                    self._mappings.catch_up(conn)
                    return take_in(conn, arrivals, self._mappings, self._country, now_ms())
            except Exception as error:
                if not left or not intake.may_pass(error):
                    raise
                sleep(uniform(0, 0.02))
        raise AssertionError("the last try returns or raises")

    def _fail(self, batch: Sequence[_Waiting], error: Exception) -> None:
        connections = sorted({arrival.connection for waiting in batch for arrival in waiting.arrivals})
        # By name and place only: the message of a database error holds the row.
        log.error(
            "not accepted", error=type(error).__name__, at=_place(error), connection=connections, accepts=len(batch)
        )
        _settle([waiting.done for waiting in batch], [error] * len(batch))

    def _ring(self, taken: Taken) -> None:
        """Tell the rest of the hub. What is missed here is found a moment later: the events are in."""
        try:
            if taken.due:
                self._store.wake("deliveries")
            if taken.opted_out:
                self._store.wake("do_not_call")
            if self._on_local_number is not None:
                for connection, number in taken.local_numbers - self._numbers:
                    self._on_local_number(connection, number)
                    if len(self._numbers) < NUMBERS_AT_MOST:
                        self._numbers.add((connection, number))
        except Exception as error:  # noqa: BLE001 (nobody's trouble may stop the committer)
            log.warning("accepted, but not everybody heard", error=type(error).__name__, at=_place(error))


def arrivals_of(connection: str, events: Sequence[Event]) -> list[Arrival]:
    """`events` with what each is about. Raises InvalidEvent with the place of the one that lacks it."""
    arrivals = []
    for n, event in enumerate(events):
        try:
            arrivals.append(Arrival(connection, event, subject_of(connection, event)))
        except InvalidEvent as error:
            raise InvalidEvent(error.field if len(events) == 1 else f"[{n}].{error.field}", error.problem) from None
    return arrivals


def _weight(events: Sequence[Event]) -> int:
    return sum(len(event.wire) if isinstance(event, WireEvent) else ASSUMED_BYTES for event in events)


def _unread(connection: str, request: HookRequest, reason: str) -> dict[str, Any]:
    headers = {
        name: "(not kept)" if any(word in name for word in _NOT_KEPT) else value
        for name, value in request.headers.items()
    }
    return {
        "connection": connection,
        "digest": sha256(request.body).hexdigest(),
        "received_at": to_ms(request.received_at),
        "reason": reason,
        "headers": msgspec.json.encode(headers).decode(),
        "body": request.body,
    }


def _settle(waiting: Sequence[_Done], answers: Sequence[Accepted | Exception]) -> None:
    """Tell those who wait: threads at once, each event loop by one call for all of its own."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[_Done, Accepted | Exception]]] = {}
    for done, answer in zip(waiting, answers, strict=True):
        if isinstance(done, Future):
            _tell_one(done, answer)
        else:
            loops.setdefault(done.get_loop(), []).append((done, answer))
    for loop, some in loops.items():
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited there
            loop.call_soon_threadsafe(_tell_all, some)


def _tell_all(some: Sequence[tuple[_Done, Accepted | Exception]]) -> None:
    for done, answer in some:
        _tell_one(done, answer)


def _tell_one(done: _Done, answer: Accepted | Exception) -> None:
    if done.done():  # given up by who waited
        return
    if isinstance(answer, Exception):
        done.set_exception(answer)
    else:
        done.set_result(answer)


def _place(error: Exception) -> str:
    frames = extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{Path(__file__).parts[-3]}/" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
