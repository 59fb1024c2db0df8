"""Stores with today's schema and no rows, cheap enough for each test to have one of its own.

The migrations run once in each test process; SQLite files are copied from what they made, PostgreSQL databases are copied
once and afterwards emptied for the next test, which costs a quarter of copying and dropping one each time.
"""

from __future__ import annotations

import tempfile
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from hub.store.database import open_store
from hub.store.upgrade import upgrade

# An older one's last connection may still be ending, and PostgreSQL would wait for it: two others are used before it.
AT_REST = 2

EMPTIED = """
DO $$
DECLARE one record;
BEGIN
  SET LOCAL session_replication_role = replica;  -- in any order, whatever refers to what
  FOR one IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE format('DELETE FROM %I', one.name);
  END LOOP;
  FOR one IN SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
    EXECUTE format('ALTER SEQUENCE %I RESTART', one.name);
  END LOOP;
END $$
"""


def sqlite_url(file: Path) -> str:
    """The URL of the store in `file`, which is made where it is not there yet."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(_sqlite_file())
    return f"sqlite:///{file}"


def ready(url: str) -> str:
    """The same URL; where it is of an SQLite file that is not there yet, the file is."""
    file = make_url(url).database
    return sqlite_url(Path(file)) if url.startswith("sqlite:") and file else url


@cache
def _sqlite_file() -> bytes:
    with tempfile.TemporaryDirectory(prefix="pb-store-") as folder:
        file = Path(folder) / "empty.db"
        _migrate(f"sqlite:///{file}")
        return file.read_bytes()


def _migrate(url: str) -> None:
    store = open_store(url)
    upgrade(store)
    store.close()


class PostgresStores:
    """The databases of one test process. `admin` makes and drops them."""

    def __init__(self, admin: Connection) -> None:
        self._admin = admin
        self._template = ""
        self._at_rest: deque[str] = deque()

    @contextmanager
    def bare(self) -> Iterator[str]:
        """The URL of a database without anything in it."""
        name = self._made()
        yield self.url_of(name)
        self._drop(name)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of a database with the schema and no rows. No other has had its name, so what a test before left running
        cannot find it."""
        name = self._taken()
        yield self.url_of(name)
        self._admin.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :it"), {"it": name}
        )
        try:
            self._empty(name)
        except SQLAlchemyError:  # whatever a test has made of it: it is nobody's store any more
            self._drop(name)
        else:
            self._at_rest.append(name)

    def close(self) -> None:
        """Drop them all."""
        while self._at_rest:
            self._drop(self._at_rest.popleft())

    def url_of(self, name: str) -> str:
        """The URL of a database."""
        return self._admin.engine.url.set(database=name).render_as_string(hide_password=False)

    def _taken(self) -> str:
        if len(self._at_rest) <= AT_REST:
            return self._made(f'TEMPLATE "{self._migrated()}" STRATEGY FILE_COPY')
        name = _new_name()
        self._admin.execute(text(f'ALTER DATABASE "{self._at_rest.popleft()}" RENAME TO "{name}"'))
        return name

    def _migrated(self) -> str:
        if not self._template:
            self._template = self._made()
            _migrate(self.url_of(self._template))
        return self._template

    def _made(self, how: str = "") -> str:
        name = _new_name()
        self._admin.execute(text(f'CREATE DATABASE "{name}" {how}'))
        return name

    def _empty(self, name: str) -> None:
        engine = create_engine(self.url_of(name), poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(EMPTIED))

    def _drop(self, name: str) -> None:
        self._admin.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


def _new_name() -> str:
    return f"pb_{uuid.uuid4().hex}"
