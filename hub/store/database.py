"""Open the store: one engine, one way to write, one way to read, and a bell between nodes.

SQLite (WAL, synchronous=FULL) takes one writer at a time: inside a process a lock queues the writers, between processes
SQLite's own lock does. PostgreSQL takes them side by side.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError

from hub.errors import ConfigError
from hub.store.bell import Bells
from hub.store.glance import Glance, Glances

Bell = Callable[[], None]
T = TypeVar("T")
TRIES = 5
DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgres", "postgresql+psycopg")

# By engine, not by Store: the embedded CRM is handed the engine alone, and queues its writes with everybody else's.
_writers: WeakKeyDictionary[Engine, threading.Lock] = WeakKeyDictionary()

Transaction: TypeAlias = Connection  # what a statement of hub.store runs in; the floors above pass it on


class Store:
    """The hub's database. `wake(channel)` rings the bells that `on_wake` hung up, on this node and (PostgreSQL) on all."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self._writer = _writers.setdefault(engine, threading.Lock())
        self._bells: dict[str, list[Bell]] = {}
        self._to_others: Bells | None = None
        self._glances = Glances(engine)
        self._opening = threading.Lock()
        self._closed = False

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is one SQLite file."""
        return self.dialect == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One write transaction: committed (durable) when the block ends, rolled back when it raises."""
        if self.is_sqlite:
            with self._writer, self.engine.begin() as connection:
                yield connection
        else:
            with self.engine.begin() as connection:
                yield connection

    def in_one_piece(self, work: Callable[[Transaction], T]) -> T:
        """What `work` gives in one write transaction; begun anew where another one that ran beside it got in its way."""
        for left in reversed(range(TRIES)):
            try:
                with self.write() as connection:
                    return work(connection)
            except (
                IntegrityError,
                OperationalError,
            ):  # a unique row that just came to be; a deadlock; a lost connection
                if not left:
                    raise
                time.sleep(random.uniform(0, 0.1))
        raise AssertionError("unreachable")

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """One read transaction: a consistent view, never blocking a writer."""
        with self.engine.connect().execution_options(patchbay_read=True) as connection:
            yield connection

    def glance(self, question: Glance, **given: Any) -> list[Any]:
        """The rows of one small question that is asked all day, as they are committed now."""
        return self._glances.rows(question, given)

    def on_wake(self, channel: str, bell: Bell) -> None:
        """Have `bell` rung when somebody calls `wake(channel)`. A bell must return at once."""
        self._bells.setdefault(channel, []).append(bell)
        self._others()

    def wake(self, channel: str) -> None:
        """Ring the bells of `channel`. A bell that is missed costs a poll interval, never correctness."""
        self._ring(channel)
        others = self._others()
        if others is not None:
            others.ring(channel)

    def close(self) -> None:
        """Close every connection."""
        with self._opening:
            others, self._to_others = self._to_others, None
            self._closed = True
        if others is not None:
            others.close()
        self._glances.close()
        self.engine.dispose()

    def _others(self) -> Bells | None:
        if self.is_sqlite or self._to_others is not None:
            return self._to_others
        with self._opening:
            if self._to_others is None and not self._closed:
                self._to_others = Bells(self.engine.url, heard=self._ring, heard_again=self._ring_all)
            return self._to_others

    def _ring(self, channel: str) -> None:
        for bell in tuple(self._bells.get(channel, ())):
            bell()

    def _ring_all(self) -> None:
        for channel in tuple(self._bells):
            self._ring(channel)


def checked_url(url: str) -> URL:
    """The parts of the store's `url`. Raises ConfigError where it is of no store that we know; repeats no part of it."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in DRIVERS:
        raise ConfigError(
            "database_url has to be sqlite:///path/of/a/file.db or postgresql://user:password@host/database"
        )
    return parsed


def open_store(url: str) -> Store:
    """Open the store at an SQLAlchemy `url`: `sqlite:///var/patchbay.db` or `postgresql://…` (driver psycopg 3).

    No error of it repeats a statement's values: they may be a person's.
    """
    parsed = checked_url(url)
    if parsed.get_backend_name() == "sqlite":
        _make_room(parsed.database)
        threads = {"connect_args": {"timeout": 30, "check_same_thread": False}, "pool_size": 20, "max_overflow": 20}
        engine = create_engine(parsed, hide_parameters=True, **threads)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed, pool_size=20, max_overflow=20, pool_pre_ping=True, hide_parameters=True)
    return Store(engine)


def _make_room(database: str | None) -> None:
    """A new file is for its owner's eyes alone: it holds people's data and the key that signs sessions. The files that
    SQLite puts beside it have its mode."""
    if database and database != ":memory:":
        file = Path(database)
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.touch(mode=0o600)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "cache_size=-32768"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: a write transaction takes the write lock at its start, so it can never fail half-way for want of it.
    reading = connection.get_execution_options().get("patchbay_read")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
