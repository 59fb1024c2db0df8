"""Pull contact lists: page by page from the CRM, each page in one transaction with the cursor that comes after it.

A pull that dies goes on at its cursor, on any node: what was kept is not read again and nothing is queued twice. An
incremental pull asks for what changed since the watermark; a full one sees everything and then takes off the list whom it
did not see. The first pull is full, and so is the first one under another version of the mapping.
"""

from __future__ import annotations

import socket
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from hub.clock import now_ms
from hub.config import Config
from hub.connections import Connections
from hub.contract import Pages
from hub.errors import ConfigError, nearest
from hub.flow.lists.members import RowReader
from hub.flow.lists.membership import Changes, Counts, Outcome
from hub.flow.lists.runs import ListRuns, Run, RunStatus, paced, read_pages, watermark_after
from hub.flow.mappings import Mappings
from hub.language.mapping import Mapping
from hub.language.source import ListSource
from hub.model import Page, Query
from hub.phone import e164
from hub.store import lists as sql
from hub.store.database import Store, open_store
from hub.store.desk import learned_numbers
from hub.store.intake import may_pass
from hub.store.schema import metadata

if TYPE_CHECKING:
    from hub.store.database import Transaction

LEASE_SECONDS = 180.0
PORTION = 5000
TRIES = 5  # of a transaction that other writers got in the way of

Progress = Callable[[Counts], None]
Report = Callable[[Sequence[Outcome]], None]

log = structlog.get_logger()


class ListStatus(Struct, frozen=True, kw_only=True):
    """A contact list as it stands: who is on it, who is left out by reason, and the newest run."""

    mapping: str
    about: str
    source: str
    target: str
    on: int
    left_out: dict[str, int]
    run: RunStatus | None


Standing = Callable[[ListStatus], None]


class LeftOut(Struct, frozen=True, kw_only=True):
    """A member that is left out, and why."""

    member: str
    reason: str


class ContactLists:
    """The contact lists that mappings declare. `node` tells this process from the others."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        mappings: Mappings,
        config: Config,
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._store, self._connections, self._mappings, self._config = store, connections, mappings, config
        self._stopping = threading.Event()
        self.node = f"{socket.gethostname()}/{uuid.uuid4().hex[:8]}"
        self._runs = ListRuns(store, self.node, int(lease_seconds * 1000))

    def names(self) -> list[str]:
        """The names of all list mappings."""
        return sorted(mapping.name for mapping in self._mappings.all() if mapping.source.contact_list is not None)

    def timetable(self) -> dict[str, tuple[int, ListSource]]:
        """Each list with its mapping's version and what says when it is pulled."""
        current = (self._mappings.current(name) for name in self.names())
        return {
            one.name: (one.version, one.source.contact_list) for one in current if one.source.contact_list is not None
        }

    def close(self) -> None:
        """Have running pulls stop after the page they are at; any node goes on with them."""
        self._stopping.set()

    def pull(
        self,
        name: str,
        *,
        full: bool = False,
        simulate: bool = False,
        progress: Progress | None = None,
        report: Report | None = None,
        standing: Standing | None = None,
    ) -> Counts:
        """Pull the list that mapping `name` declares, and say what was done. `report` gets each page's outcomes,
        `standing` how the list stands afterwards: an incremental pull names only what changed.

        With `simulate`, the same is done on a scratch copy of what the hub knows of this list, and thrown away.
        Raises ListBusy, ConfigError where the mapping is no list, and the connector's error where the CRM fails.
        """
        mapping, source = self._declared(name)
        if simulate:
            with self._scratch(name) as scratch:
                return scratch.pull(name, full=full, progress=progress, report=report, standing=standing)
        pull = _Pull(mapping, source, self._started(mapping, source, full), progress, report)
        with self._runs.under_way(pull):
            if not pull.run.counts.read_all:
                self._read(pull)
            if pull.run.full:
                self._take_unseen_off(pull)
        if standing is not None:
            standing(self.status(name))
        return pull.run.counts

    def sweep(self) -> int:
        """Take whoever opted out off every list, now; how many there were. When there is nobody, nothing is locked."""
        removed = 0
        for name in self.names():
            while self._has_opted_out(name) and (found := self._swept(self._mappings.current(name))):
                removed += found
                self._store.wake("deliveries")
                log.info("opted_out_removed", mapping=name, members=found)
        return removed

    def abandoned(self) -> list[str]:
        """The lists whose pull has lost its node: whoever pulls them goes on with it."""
        return self._runs.abandoned()

    def status(self, name: str) -> ListStatus:
        """How the list stands that mapping `name` declares. Raises ConfigError where there is none."""
        mapping, source = self._declared(name)
        with self._store.read() as conn:
            on, left_out = sql.member_counts(conn, name)
        return ListStatus(
            mapping=name,
            about=mapping.about,
            source=f"{mapping.source.connections[0]}/{source.object}",
            target=f"{mapping.target.connection}/{mapping.target.write}",
            on=on,
            left_out=left_out,
            run=self._runs.latest(name),
        )

    def on(self, name: str) -> int:
        """How many members are on the list `name`; 0 where it was never pulled."""
        with self._store.read() as conn:
            return sql.member_counts(conn, name)[0]

    def left_out(self, name: str, *, reason: str = "", after: str = "", limit: int = 100) -> list[LeftOut]:
        """A page of the members that are left out, by the order of their ids; of one kind of reason if given."""
        with self._store.read() as conn:
            rows = sql.left_out(conn, name, reason=reason, after=after, limit=limit)
        return [LeftOut(member=row.member, reason=row.reason) for row in rows]

    # --- a pull ----------------------------------------

    def _started(self, mapping: Mapping, source: ListSource, full: bool) -> Run:
        return self._runs.start(mapping.name, mapping.version, source.full_every_seconds, full)

    def _declared(self, name: str) -> tuple[Mapping, ListSource]:
        mapping = self._mappings.current(name)
        if mapping.source.contact_list is None:
            raise ConfigError(f'mapping "{name}" pulls no contact list{nearest(name, self.names())}')
        connection = mapping.source.connections[0]
        if connection not in self._connections:
            raise ConfigError(f'mapping "{name}": no connection "{connection}"{nearest(connection, self._connections)}')
        if not self._connections[connection].can("pages"):
            raise ConfigError(f'mapping "{name}": connection "{connection}" cannot be pulled from')
        return mapping, mapping.source.contact_list

    def _read(self, pull: _Pull) -> None:
        source = pull.source
        reader = RowReader(pull.mapping, source, self._config.country, self._own_numbers())
        connection = self._connections[pull.mapping.source.connections[0]]
        connector = connection.connector
        assert isinstance(connector, Pages)
        query = Query(
            object=source.object, where=source.where, watermark=pull.run.since, cursor=pull.run.cursor, size=source.page
        )
        pages = paced(connection, connector.pages(query))
        read_pages(pull, pages, lambda page: self._take_page(pull, reader, page), self._stopping)

    def _take_page(self, pull: _Pull, reader: RowReader, page: Page) -> None:
        run, name = pull.run, pull.mapping.name
        candidates = [reader.read(row) for row in {str(row["id"]): row for row in page.rows}.values()]
        members = {*(candidate.member for candidate in candidates), *page.removed}
        phones = {candidate.phone for candidate in candidates if candidate.phone is not None}

        def decide(conn: Transaction, changes: Changes) -> None:
            changes.page(
                candidates,
                page.removed,
                known=sql.members(conn, name, members),
                holders=sql.holders(conn, name, phones),
                suppressed=sql.suppressed(conn, phones),
                every_row_is_seen=run.full,
            )
            _promote(conn, name, changes, since_run=0)

        counts = replace(run.counts, read=run.counts.read + len(page.rows), read_all=page.cursor is None)
        self._keep(pull, replace(run, cursor=page.cursor, watermark=watermark_after(run, page), counts=counts), decide)

    def _take_unseen_off(self, pull: _Pull) -> None:
        after = ""
        while True:
            with self._store.read() as conn:
                unseen = sql.unseen(conn, pull.mapping.name, pull.run.id, after, PORTION)
            if not unseen:
                return
            after = unseen[-1].member

            def decide(conn: Transaction, changes: Changes, unseen: Sequence[Any] = unseen) -> None:
                for member in unseen:
                    changes.take_off(member.member, member.state, member.phone)
                _promote(conn, pull.mapping.name, changes, since_run=pull.run.id)

            self._keep(pull, pull.run, decide)

    def _keep(self, pull: _Pull, reached: Run, decide: Callable[[Transaction, Changes], None]) -> None:
        """One transaction of a pull: what `decide` changes, and how far the pull is then. It is told afterwards."""
        name, tries = pull.mapping.name, TRIES
        while True:
            changes = Changes(pull.mapping, pull.run.id, now_ms())
            try:
                with self._store.write() as conn:
                    sql.lock_list(conn, name)
                    decide(conn, changes)
                    kept = replace(reached, counts=reached.counts.plus(changes.outcomes))
                    _write(conn, changes)
                    self._runs.keep(conn, kept)
                break
            except Exception as error:
                tries -= 1
                if not tries or not may_pass(error):
                    raise
        pull.run = kept
        if changes.outgoing:
            self._store.wake("deliveries")
        if pull.report is not None:
            pull.report(changes.outcomes)
        if pull.progress is not None:
            pull.progress(kept.counts)

    def _has_opted_out(self, name: str) -> bool:
        with self._store.read() as conn:
            return bool(sql.opted_out(conn, name, 1))

    def _swept(self, mapping: Mapping) -> int:
        changes = Changes(mapping, 0, now_ms())
        with self._store.write() as conn:
            sql.lock_list(conn, mapping.name)
            for member in sql.opted_out(conn, mapping.name, PORTION):
                changes.opt_out(member.member, member.phone, member.run)
            _write(conn, changes)
        return len(changes.members)

    # --- what it needs ----------------------------------------

    def _own_numbers(self) -> frozenset[str]:
        """The company's own numbers: declared, and learned from traffic."""
        with self._store.read() as conn:
            learned = learned_numbers(conn)
        declared = (e164(number, self._config.country) or number for number in self._config.own_numbers)
        return frozenset([*declared, *learned])

    @contextmanager
    def _scratch(self, name: str) -> Iterator[ContactLists]:
        """The same lists on a scratch store that knows what this one knows of the list `name`."""
        with tempfile.TemporaryDirectory(prefix="patchbay-") as folder:
            store = open_store(f"sqlite:///{Path(folder) / 'simulation.db'}")
            try:
                metadata.create_all(store.engine)
                with self._store.read() as conn:
                    for table, rows in sql.copied(conn, name, PORTION):
                        with store.write() as copy:
                            copy.execute(table.insert(), rows)
                yield ContactLists(store, self._connections, self._mappings, self._config)
            finally:
                store.close()


class _Pull(Struct):
    """One pull: what, which run, and who wants to hear of it."""

    mapping: Mapping
    source: ListSource
    run: Run
    progress: Progress | None
    report: Report | None


def _promote(conn: Transaction, name: str, changes: Changes, *, since_run: int) -> None:
    if changes.freed:
        waiting: list[Any] = [*sql.waiting(conn, name, changes.freed, since_run), *changes.waiting_here()]
        waiting.sort(key=lambda each: (len(each.member), each.member))
        changes.promote(waiting, sql.suppressed(conn, changes.freed))


def _write(conn: Transaction, changes: Changes) -> None:
    sql.keep_members(conn, list(changes.members.values()))
    sql.queue(conn, list(changes.outgoing.values()))
