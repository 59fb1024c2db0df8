"""Load the customer directory: the same pulls as a contact list's, page by page and resumable, kept as records and entries.

The first pull of an object is full, and so is the first one under another declaration; then what changed since the watermark
is read, and now and then all of it, so that who left the CRM without a word is seen. One pull of an object at a time, on all
nodes together.
"""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from hub.clock import from_ms, now, now_ms
from hub.config import Config
from hub.connections import Connections
from hub.contract import Pages
from hub.errors import ConfigError, nearest
from hub.flow.directory.batches import in_batches
from hub.flow.directory.rows import Entry, ReadRow, RowReader, read_rows
from hub.flow.lists.membership import EXAMPLES, Counts
from hub.flow.lists.runs import ListRuns, Run, RunStatus, paced, read_pages, watermark_after
from hub.language.directory import DirectoryObject, DirectoryPlan, read_directory
from hub.model import Page, Query
from hub.store import directory as sql
from hub.store.database import Store

if TYPE_CHECKING:
    from hub.store.database import Transaction

LEASE_SECONDS = 180.0
PORTION = 5000
KEEP_RUNS_MS = 2 * 24 * 3600 * 1000
EVERY_RUN = (1 << 63) - 1

Progress = Callable[[Counts], None]

log = structlog.get_logger()


class DirectoryStatus(Struct, frozen=True, kw_only=True):
    """How much is known of one object of one connection. `fresh_at`: all that the CRM had then is known; None: not yet."""

    connection: str
    object: str
    declared: bool  # whether config/directory.yaml still names it
    records: int
    entries: int
    fresh_at: datetime | None
    run: RunStatus | None

    @property
    def age_seconds(self) -> float | None:
        """How old what is known may be."""
        return None if self.fresh_at is None else round((now() - self.fresh_at).total_seconds(), 1)


def directory_plan(config: Config) -> DirectoryPlan:
    """What is declared; nothing where there is no file. Raises ConfigError."""
    if config.directory_file is None:
        return DirectoryPlan()
    return read_directory(config.directory_file, config.connections, country=config.country, zone=config.zone)


class DirectoryPulls:
    """Loads what is declared and says how fresh it is. `node` tells this process from the others.

    A pull's counts say by `sent` how many records were new or changed, and by `left_out` which rows were not kept; an
    `unusable number` is counted there too, though its record is kept.
    """

    def __init__(
        self,
        store: Store,
        connections: Connections,
        config: Config,
        plan: DirectoryPlan | None = None,
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.plan = directory_plan(config) if plan is None else plan
        self.node = f"{socket.gethostname()}/{uuid.uuid4().hex[:8]}"
        self._store, self._connections, self._config = store, connections, config
        self._objects = self.plan.objects
        self._stopping = threading.Event()
        self._runs = ListRuns(store, self.node, int(lease_seconds * 1000))
        for name, declared in self.plan.connections.items():
            if name not in connections or not connections[name].can("pages"):
                able = [one.name for one in connections.that("pages")]
                hint = nearest(name, able) or "; those that can: " + (", ".join(able) or "none")
                raise ConfigError(f'connections: "{declared.name}" cannot be pulled from{hint}', file=self.plan.file)

    def names(self) -> list[str]:
        """The series of pulls, one for each object."""
        return list(self._objects)

    def timetable(self) -> Mapping[str, tuple[int, DirectoryObject]]:
        """Each object with its declaration's version and its times."""
        return {name: (one.version, one) for name, one in self._objects.items()}

    def abandoned(self) -> list[str]:
        """The pulls that have lost their node, and the first loads that nobody has begun."""
        found = [name for name in self._runs.abandoned() if name in self._objects]
        scheduled = (one for one in self._objects.values() if one.cron is not None or one.every_seconds is not None)
        return found + [one.name for one in scheduled if self._runs.latest(one.name) is None]

    def sweep(self) -> int:
        """Nothing: only a pull changes the directory."""
        return 0

    def close(self) -> None:
        """Have running pulls stop after the page they are at; any node goes on with them."""
        self._stopping.set()

    def pull(self, name: str, *, full: bool = False, progress: Progress | None = None) -> Counts:
        """Pull one object now. Raises ListBusy, ConfigError where nothing is declared so, and the connector's error."""
        declared = self._declared(name)
        pull = _Pull(declared, self._runs.start(name, declared.version, declared.full_every_seconds, full), progress)
        with self._runs.under_way(pull):
            if not pull.run.counts.read_all:
                self._read(pull)
            if pull.run.full:
                self._drop_unseen(pull)
            with self._store.write() as conn:
                self._runs.keep(conn, pull.run)
                sql.is_in_step(conn, declared.connection, declared.object, pull.run.started_at)
                sql.forget_runs(conn, name, now_ms() - KEEP_RUNS_MS)
        return pull.run.counts

    def forget(self, connection: str, object: str) -> int:
        """Forget all that is known of an object that is no longer declared; how many records it were."""
        if f"directory {connection}/{object}" in self._objects:
            raise ConfigError(
                f"{connection}/{object} is declared, so the next pull would bring it back; take it out first"
            )
        forgotten, after = 0, ""
        while True:
            with self._store.write() as conn:
                gone = sql.unseen(conn, connection, object, EVERY_RUN, after, PORTION)
                if not gone:
                    sql.forget_source(conn, connection, object)
                    return forgotten
                _drop(conn, connection, object, {row.id: row.body for row in gone})
            forgotten, after = forgotten + len(gone), gone[-1].id

    def status(self) -> list[DirectoryStatus]:
        """Every object that is declared or known."""
        with self._store.read() as conn:
            known = {(row.connection, row.object): row for row in sql.sources(conn)}
        declared = {(one.connection, one.object): one for one in self._objects.values()}
        return [self._status(*one, one in declared, known.get(one)) for one in dict.fromkeys([*declared, *known])]

    # --- a pull ----------------------------------------

    def _declared(self, name: str) -> DirectoryObject:
        if name not in self._objects:
            short = [one.removeprefix("directory ") for one in self._objects]
            hint = nearest(name.removeprefix("directory "), short) or "; declared: " + (", ".join(short) or "nothing")
            raise ConfigError(f'the directory has no "{name.removeprefix("directory ")}"{hint}')
        return self._objects[name]

    def _read(self, pull: _Pull) -> None:
        declared = pull.declared
        connection = self._connections[declared.connection]
        connector = connection.connector
        assert isinstance(connector, Pages)
        reader = RowReader(declared, self._config.country)
        query = Query(
            object=declared.object,
            where=declared.where,
            watermark=pull.run.since,
            cursor=pull.run.cursor,
            size=declared.page,
        )
        pages = in_batches(paced(connection, connector.pages(query)))
        read_pages(pull, pages, lambda page: self._take_page(pull, reader, page), self._stopping)

    def _take_page(self, pull: _Pull, reader: RowReader, page: Page) -> None:
        rows, refused = read_rows(reader, page.rows)
        seen_at = now_ms()
        counts = _counted(pull.run.counts, rows.values(), refused, len(page.rows))
        reached = replace(
            pull.run,
            cursor=page.cursor,
            watermark=watermark_after(pull.run, page),
            counts=replace(counts, read_all=page.cursor is None),
        )
        pull.run = self._store.in_one_piece(
            lambda conn: self._keep(conn, pull.declared, reached, rows, {*page.removed, *refused}, seen_at)
        )
        if pull.progress is not None:
            pull.progress(pull.run.counts)

    def _keep(
        self,
        conn: Transaction,
        declared: DirectoryObject,
        run: Run,
        rows: Mapping[str, ReadRow],
        gone: set[str],
        seen_at: int,
    ) -> Run:
        """One transaction: what a page changes, and how far the pull is then."""
        connection, object = declared.connection, declared.object
        before = sql.records(conn, connection, object, [*rows, *gone])
        new = [row for id, row in rows.items() if id not in before]
        same = [id for id, held in before.items() if id in rows and held.body == rows[id].body]
        other = [rows[id] for id, held in before.items() if id in rows and held.body != rows[id].body]
        removed = {id: before[id].body for id in gone if id in before and id not in rows}
        had = {(value, connection, object, row.id) for row in other for value in _values(before[row.id].body)}
        has = {(value, connection, object, row.id) for row in other for value in row.values}
        added = [(value, connection, object, row.id) for row in new for value in row.values]
        sql.drop_entries(conn, sorted(had - has))
        sql.keep_records(conn, [(connection, object, row.id, row.body, run.id, seen_at) for row in (*new, *other)])
        sql.add_entries(conn, [*added, *(has - had)])
        if run.full:
            sql.see(conn, connection, object, same, run.id, seen_at)
        dropped = _drop(conn, connection, object, removed)
        entries = len(added) + len(has) - len(had) - dropped
        sql.count(conn, connection, object, len(new) - len(removed), entries)
        counts = replace(
            run.counts,
            sent=run.counts.sent + len(new) + len(other),
            unchanged=run.counts.unchanged + len(same),
            removed=run.counts.removed + len(removed),
        )
        run = replace(run, counts=counts)
        self._runs.keep(conn, run)
        return run

    def _drop_unseen(self, pull: _Pull) -> None:
        """Who is not in the CRM any more, nor in what `where` asks for."""
        connection, object, after = pull.declared.connection, pull.declared.object, ""
        while True:
            with self._store.write() as conn:
                gone = sql.unseen(conn, connection, object, pull.run.id, after, PORTION)
                if not gone:
                    return
                dropped = _drop(conn, connection, object, {row.id: row.body for row in gone})
                sql.count(conn, connection, object, -len(gone), -dropped)
                counts = replace(pull.run.counts, removed=pull.run.counts.removed + len(gone))
                reached = replace(pull.run, counts=counts)
                self._runs.keep(conn, reached)
            pull.run, after = reached, gone[-1].id

    def _status(self, connection: str, object: str, declared: bool, row: Any) -> DirectoryStatus:
        fresh_at = None if row is None or row.fresh_at is None else from_ms(row.fresh_at)
        return DirectoryStatus(
            connection=connection,
            object=object,
            declared=declared,
            records=0 if row is None else row.records,
            entries=0 if row is None else row.entries,
            fresh_at=fresh_at,
            run=self._runs.latest(f"directory {connection}/{object}"),
        )


class _Pull(Struct):
    """One pull: what, which run, and who wants to hear of it."""

    declared: DirectoryObject
    run: Run
    progress: Progress | None


def _counted(counts: Counts, rows: Iterable[ReadRow], refused: Mapping[str, str], read: int) -> Counts:
    left_out, examples = dict(counts.left_out), {word: list(ids) for word, ids in counts.examples.items()}
    found = {"unusable number": [row.id for row in rows if row.unusable], "not readable": list(refused)}
    for reason, ids in found.items():
        if ids:
            left_out[reason] = left_out.get(reason, 0) + len(ids)
            examples[reason] = [*examples.get(reason, []), *ids][:EXAMPLES]
    return replace(counts, read=counts.read + read, left_out=left_out, examples=examples)


def _drop(conn: Transaction, connection: str, object: str, bodies: Mapping[str, str]) -> int:
    """Forget records with all that finds them; how many entries it were."""
    entries = [(value, connection, object, id) for id, body in bodies.items() for value in _values(body)]
    sql.drop_entries(conn, entries)
    sql.drop_records(conn, connection, object, list(bodies))
    return len(entries)


def _values(body: str) -> Sequence[str]:
    return [known.value for known in msgspec.json.decode(body, type=Entry).known]
