"""Read-back: after a write, what the CRM stored is read and compared with what was sent.

A delivery never waits for it and never fails by it: what is to be read waits in memory, goes in the lane of lists, and is
given up where the connection rests or too much waits. The score keeps counts and lengths, never a value.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from hub.budget import LISTS
from hub.clock import now_ms
from hub.config import ConnectionConfig
from hub.connections import Connection, Connections
from hub.errors import ConnectorError, Then
from hub.flow import alerts
from hub.flow.delivery import pauses
from hub.flow.delivery.calls import called
from hub.flow.delivery.consignment import Consignment, Parcel
from hub.flow.described import Described
from hub.flow.kept import ABSENT, LETTERS, verdict
from hub.model import Field, Lookup, Receipt, Record
from hub.store import read_back as stored
from hub.store.alerts import NOT_KEPT, Trouble
from hub.store.database import Store
from hub.store.read_back import Found, Score

MOST_WAITING = 10_000  # records; what comes beyond is not read
TRIES, AGAIN_SECONDS = 3, 300.0
DESCRIBED_SECONDS = 86_400.0  # how old a description may be by which values are compared
OFTEN, SHARE, OVER = (
    3,
    0.2,
    5,
)  # so many of the last verdicts, and such a share, are trouble; so many kept in a row end it
WORDS = {
    "s": "is cut by the CRM",
    "c": "is changed after it was written",
    "m": "is not there after it was written: our user may not see it, or something empties it",
}

log = structlog.get_logger()


@dataclass(frozen=True)
class _Written:
    """One record to read."""

    connection: str
    object: str
    id: str
    delivery: int
    noted_at: int
    mapping: str
    version: int
    fields: dict[str, Any]
    country: str
    tries: int = 0


class ReadBack:
    """Reads back what deliveries of this node wrote, as each connection's `read_back` says."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        described: Described,
        country: str,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._connections, self._described = store, connections, described
        self._country, self._chance = country, chance
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str, str, str], tuple[float, _Written]] = {}
        self._unreadable: set[tuple[str, str]] = set()
        self.dropped = 0  # records that were to be read and were not
        self._rung, self._stopping = threading.Event(), False
        self._reader = threading.Thread(target=self._run, name="read-back", daemon=True)

    @property
    def waiting(self) -> int:
        """How many records wait to be read on this node."""
        return len(self._waiting)

    def start(self) -> None:
        """Start to read."""
        self._reader.start()

    def close(self) -> None:
        """Stop; what waits is not read any more."""
        self._stopping = True
        self._rung.set()
        if self._reader.is_alive():
            self._reader.join()

    def saw(self, connection: Connection, consignment: Consignment) -> None:
        """Deliveries came to their end: take down which of their records are read."""
        settings = connection.config
        if settings.read_back == "off" or not connection.can("find"):
            return
        due = time.monotonic() + settings.read_back_after_seconds
        for parcel in consignment.parcels:
            if isinstance(parcel.fate, Receipt) and _is_written(parcel, parcel.fate) and self._is_chosen(settings):
                self._put(due, self._written(connection.name, parcel, parcel.fate))

    def _is_chosen(self, settings: ConnectionConfig) -> bool:
        return settings.read_back == "full" or self._chance() < settings.read_back_share

    def _written(self, connection: str, parcel: Parcel, receipt: Receipt) -> _Written:
        mapping = parcel.mapping
        country = mapping.target.country or self._country
        return _Written(
            connection, mapping.target.write, receipt.id, parcel.claimed.id, now_ms(), mapping.name, mapping.version,
            dict(parcel.fields), country,
        )  # fmt: skip

    def _put(self, due: float, one: _Written) -> None:
        place = (one.connection, one.object, one.id, one.mapping)
        with self._lock:
            if (one.connection, one.object) in self._unreadable:
                return
            if place not in self._waiting and len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                return
            self._waiting[place] = (due, one)  # what was written before is written over
        self._rung.set()

    # --- reading ----------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            self._rung.clear()
            try:
                wait = self.read_due()
            except Exception as error:  # noqa: BLE001  (the store may be away; what was taken is not read)
                log.error("not_read_back", error=type(error).__name__)
                wait = 1.0
            self._rung.wait(wait)

    def read_due(self, *, everything: bool = False) -> float:
        """Read what is due (or everything that waits), and say in how many seconds the next is."""
        moment = time.monotonic()
        with self._lock:
            due = [one for at, one in self._waiting.values() if everything or at <= moment]
            for one in due:
                del self._waiting[one.connection, one.object, one.id, one.mapping]
        paused = {name for name, state in pauses.states(self._store).items() if state.paused} if due else set()
        for name in sorted({one.connection for one in due}):
            mine = [one for one in due if one.connection == name]
            if name in paused or name not in self._connections:
                self.dropped += len(mine)
                continue
            connection = self._connections[name]
            size = connection.manifest.lookups_per_call
            for start in range(0, len(mine), size):
                if not self._stopping:
                    self._read(connection, mine[start : start + size])
        with self._lock:
            return min(60.0, min((at for at, _ in self._waiting.values()), default=moment + 60.0) - moment)

    def _read(self, connection: Connection, some: Sequence[_Written]) -> None:
        for object in dict.fromkeys(one.object for one in some):
            mine = [one for one in some if one.object == object]
            lookups = [Lookup(object, "id", one.id, fields=tuple(sorted(one.fields))) for one in mine]
            try:
                answers = _found_by(connection, lookups)
                types = self._types(connection, object)
            except ConnectorError as error:
                self._not_read(connection, object, mine, error)
                continue
            if len(answers) == len(mine):
                self._judge(connection, mine, answers, types)

    def _not_read(self, connection: Connection, object: str, some: Sequence[_Written], error: ConnectorError) -> None:
        log.info("not_read_back", connection=connection.name, object=object, records=len(some), error=error.name)
        if error.then is Then.PARK:
            with self._lock:
                self._unreadable.add((connection.name, object))  # it cannot be read, not just now
            self.dropped += len(some)
            return
        again = time.monotonic() + AGAIN_SECONDS
        for one in some:
            if one.tries + 1 < TRIES:
                self._put(again, _Written(**{**one.__dict__, "tries": one.tries + 1}))
            else:
                self.dropped += 1

    def _types(self, connection: Connection, object: str) -> dict[str, Field]:
        if not connection.can("describe"):
            return {}
        try:
            described = self._described.describe(connection, object, DESCRIBED_SECONDS)
        except ConnectorError:
            return {}  # then by the values alone
        return {field.name: field for field in described.fields}

    # --- judging ----------------------------------------

    def _judge(
        self,
        connection: Connection,
        some: Sequence[_Written],
        answers: Sequence[Sequence[Record]],
        types: dict[str, Field],
    ) -> None:
        with self._store.read() as conn:
            standing = stored.still_last(conn, {one.delivery: one.noted_at for one in some})
        found: list[Found] = []
        for one, records in zip(some, answers, strict=True):
            if one.delivery not in standing:
                continue  # it was written again since: the next look judges that
            record = next((record for record in records if record.id == one.id), None)
            if records and record is None:
                continue  # merged into another meanwhile
            held = {} if record is None else record.fields
            found += [_found(one, name, held.get(name, ABSENT), types.get(name)) for name in one.fields]
        if not found:
            return
        moment = now_ms()
        scores = self._store.in_one_piece(lambda conn: stored.add(conn, found, now=moment))
        for score in scores:
            self._alert(score)
        bad = sum(one.letter != "k" for one in found)
        log.info("read_back", connection=connection.name, records=len(some), fields=len(found), not_kept=bad)

    def _alert(self, score: Score) -> None:
        key = f"not_kept {score.connection} {score.mapping} {score.field}"
        bad = [letter for letter in score.lately if letter != "k"]
        if len(bad) >= OFTEN and len(bad) / len(score.lately) >= SHARE and not _is_over(score.lately):
            trouble = Trouble(
                key=key, kind=NOT_KEPT, connection=score.connection, mapping=score.mapping, field=score.field,
                message=_said(score, bad),
            )  # fmt: skip
            alerts.raise_alert(self._store, trouble)
        elif _is_over(score.lately):
            alerts.clear_alerts(self._store, [key])


def _found_by(connection: Connection, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
    connector: Any = connection.connector
    answers: Sequence[Sequence[Record]] = called(connection, lambda: list(connector.find(lookups)), LISTS)
    return answers


def _is_written(parcel: Parcel, receipt: Receipt) -> bool:
    done = receipt.outcome in ("created", "updated") and receipt.id
    return bool(done and parcel.called and parcel.claimed.action == "upsert" and parcel.fields)


def _is_over(lately: str) -> bool:
    return len(lately) >= OVER and set(lately[-OVER:]) == {"k"}


def _found(one: _Written, name: str, held: Any, field: Field | None) -> Found:
    sent = one.fields[name]
    said = verdict(field, sent, held, one.country)
    lengths = (len(sent), len(held)) if said == "cut" else (None, None)
    return Found(
        connection=one.connection, mapping=one.mapping, version=one.version, field=name, letter=LETTERS[said],
        sent=lengths[0], kept=lengths[1],
    )  # fmt: skip


def _said(score: Score, bad: Sequence[str]) -> str:
    worst = max(WORDS, key=bad.count)
    longest = f", from up to {score.longest_sent} characters to {score.longest_kept}" if worst == "s" else ""
    how_often = f"{bad.count(worst)} of the last {len(score.lately)} times it was read"
    return f"{score.field} {WORDS[worst]}{longest} ({how_often}; {score.mapping} version {score.version})"
