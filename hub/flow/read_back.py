"""Read-back: after a write, what the CRM stored is read and compared with what was sent.

A delivery never waits for it and never fails by it: what is to be read is put down with the delivery's own note, goes in the
lane of lists, on whichever node, and is given up where the connection rests or too much waits. The score keeps counts and
lengths, never a value.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
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
from hub.store import read_back_queue as queue
from hub.store.alerts import NOT_KEPT, Trouble
from hub.store.database import Store, Transaction
from hub.store.read_back import Found, Score
from hub.store.read_back_queue import Written

MOST_WAITING = 10_000  # records; what comes beyond is not read
TRIES, AGAIN_MS = 3, 300_000
UNREADABLE_SECONDS = 3600.0  # how long an object that the CRM refuses to show is not asked for
LEASE_MS = 300_000  # by then whoever took records has read them, or is gone
CLOSE_SECONDS = 10.0  # how long the end of the hub waits for what is being read; its lease brings it again
LOOK_SECONDS = 30.0  # between two looks at what other nodes have put down
KEEP_MS, FORGET_EVERY_SECONDS = 24 * 3_600_000, 3_600.0
DESCRIBED_SECONDS = 86_400.0  # how old a description may be by which values are compared
OFTEN, SHARE = 3, 0.2  # so many of the last verdicts, and such a share of them, are trouble
OVER = 5  # so many kept in a row end it
WORDS = {
    "s": "is cut by the CRM",
    "c": "is changed after it was written",
    "m": "is not there after it was written: our user may not see it, or something empties it",
}

log = structlog.get_logger()


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
        self._unreadable: dict[tuple[str, str], float] = {}  # (connection, object) → until when it is not asked for
        self.dropped = 0  # records that were to be read and were not
        self._forgot_at = 0.0
        self._rung, self._stopping = threading.Event(), False
        self._reader = threading.Thread(target=self._run, name="read-back", daemon=True)

    @property
    def waiting(self) -> int:
        """How many records wait to be read."""
        with self._store.read() as conn:
            return queue.waiting(conn, MOST_WAITING)

    def start(self) -> None:
        """Start to read."""
        self._reader.start()

    def close(self) -> None:
        """Stop; what waits is read by any node, or after the next start."""
        self._stopping = True
        self._rung.set()
        if self._reader.is_alive():
            self._reader.join(CLOSE_SECONDS)

    def to_read(self, connection: Connection, consignment: Consignment) -> Callable[[Transaction], None] | None:
        """What puts down which of these deliveries' records are read, in the transaction that notes them."""
        settings = connection.config
        if settings.read_back == "off" or not connection.can("find"):
            return None
        rows = [
            self._written(connection, parcel, parcel.fate)
            for parcel in consignment.parcels
            if isinstance(parcel.fate, Receipt) and _is_written(parcel, parcel.fate) and self._is_chosen(settings)
            if self._unreadable.get((connection.name, parcel.mapping.target.write), 0.0) <= time.monotonic()
        ]

        def keep(conn: Transaction) -> None:
            noted_at = now_ms()
            due_at = noted_at + int(settings.read_back_after_seconds * 1000)
            self.dropped += queue.put(
                conn, [row._replace(noted_at=noted_at, due_at=due_at) for row in rows], most=MOST_WAITING
            )

        return keep if rows else None

    def saw(self, connection: Connection, _consignment: Consignment) -> None:
        """Deliveries came to their end: what was put down with them may be due soon."""
        if connection.config.read_back != "off":
            self._rung.set()

    def _is_chosen(self, settings: ConnectionConfig) -> bool:
        return settings.read_back == "full" or self._chance() < settings.read_back_share

    def _written(self, connection: Connection, parcel: Parcel, receipt: Receipt) -> Written:
        mapping = parcel.mapping
        country = mapping.target.country or self._country
        return Written(
            connection.name, mapping.target.write, receipt.id, mapping.name, mapping.version, parcel.claimed.id, country,
            noted_at=0, due_at=0,
        )  # fmt: skip

    # --- reading ----------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait = self.read_due()
            except Exception as error:  # noqa: BLE001  (the store may be away; what was taken comes again)
                log.error("not_read_back", error=type(error).__name__)
                wait = 1.0
            self._rung.wait(wait)
            self._rung.clear()

    def read_due(self, *, everything: bool = False) -> float:
        """Read what is due (or everything that waits), and say in how many seconds the next is."""
        moment = now_ms()
        if everything:
            with self._store.write() as conn:
                queue.hasten(conn, now=moment)
        self._forget_old(moment)
        with self._store.read() as conn:
            names = queue.due_connections(conn, now=moment)
        paused = {name for name, state in pauses.states(self._store).items() if state.paused} if names else set()
        for name in names:
            if name in self._connections:
                self._read_all(self._connections[name], moment, give_up=name in paused)
        with self._store.read() as conn:
            first = queue.next_due(conn, after=moment)  # what was due and is still there is another node's to read
        return LOOK_SECONDS if first is None else min(LOOK_SECONDS, max(0.0, (first - now_ms()) / 1000))

    def _read_all(self, connection: Connection, moment: int, *, give_up: bool) -> None:
        while not self._stopping:
            until = now_ms() + LEASE_MS
            with self._store.write() as conn:
                some = queue.take(
                    conn, connection.name, now=moment, until=until, limit=connection.manifest.lookups_per_call
                )
            if not some:
                return
            if give_up:
                self._drop(some)
                continue
            try:
                self._read(connection, some)
            except Exception as error:  # noqa: BLE001  (one record's fault, or the store's: the others are read all the same)
                log.error("not_read_back", connection=connection.name, error=type(error).__name__)
                self._again(some)

    def _forget_old(self, moment: int) -> None:
        """What nobody could read for a day tells nothing of the write any more; its connection may be gone."""
        if time.monotonic() - self._forgot_at >= FORGET_EVERY_SECONDS:
            self._forgot_at = time.monotonic()
            with self._store.write() as conn:
                self.dropped += queue.forget(conn, before=moment - KEEP_MS)

    def _read(self, connection: Connection, some: Sequence[Written]) -> None:
        with self._store.read() as conn:
            sent = queue.sent(conn, {one.delivery for one in some})
        self._drop([one for one in some if one.delivery not in sent])
        for object in dict.fromkeys(one.object for one in some):
            mine = [one for one in some if one.object == object and one.delivery in sent]
            lookups = [Lookup(object, "id", one.record_id, fields=tuple(sorted(sent[one.delivery]))) for one in mine]
            try:
                answers = _found_by(connection, lookups) if lookups else []
                types = self._types(connection, object)
            except ConnectorError as error:
                self._not_read(connection, object, mine, error)
                continue
            if len(answers) == len(mine):
                self._judge(connection, mine, sent, answers, types)
            else:
                self._again(mine)

    def _not_read(self, connection: Connection, object: str, some: Sequence[Written], error: ConnectorError) -> None:
        log.info("not_read_back", connection=connection.name, object=object, records=len(some), error=error.name)
        if error.then is Then.PARK:
            # It may be one record's fault, or a right that somebody gives us yet.
            self._unreadable[connection.name, object] = time.monotonic() + UNREADABLE_SECONDS
            self._drop(some)
            return
        self._again(some)

    def _again(self, some: Sequence[Written]) -> None:
        self._drop([one for one in some if one.tries + 1 >= TRIES])
        with self._store.write() as conn:
            later = now_ms() + AGAIN_MS
            queue.put_off(conn, [one for one in some if one.tries + 1 < TRIES], due_at=later, tries=1)

    def _drop(self, some: Sequence[Written]) -> None:
        if some:
            with self._store.write() as conn:
                self.dropped += len(queue.done(conn, some))

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
        some: Sequence[Written],
        sent: Mapping[int, Mapping[str, Any]],
        answers: Sequence[Sequence[Record]],
        types: dict[str, Field],
    ) -> None:
        with self._store.read() as conn:
            standing = stored.still_last(conn, {one.delivery: one.noted_at for one in some})
        found: dict[int, list[Found]] = {}
        for one, records in zip(some, answers, strict=True):
            if one.delivery not in standing:
                continue  # it was written again since: the next look judges that
            record = next((record for record in records if record.id == one.record_id), None)
            if records and record is None:
                continue  # merged into another meanwhile
            held, fields = {} if record is None else record.fields, sent[one.delivery]
            found[one.id] = [
                _found(one, name, fields[name], held.get(name, ABSENT), types.get(name)) for name in fields
            ]

        def judged(conn: Transaction) -> tuple[list[Found], list[Score]]:
            ours = queue.done(conn, some)
            counted = [verdict for id, verdicts in found.items() if id in ours for verdict in verdicts]
            return counted, stored.add(conn, counted, now=now_ms())

        counted, scores = self._store.in_one_piece(judged)
        for score in scores:
            self._alert(score)
        if counted:
            bad = sum(one.letter != "k" for one in counted)
            log.info("read_back", connection=connection.name, records=len(some), fields=len(counted), not_kept=bad)

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


def _found(one: Written, name: str, sent: Any, held: Any, field: Field | None) -> Found:
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
