"""A real Tryton for tests: one process a test worker, one database template a run, a fresh database whenever one is asked.

from tests.tryton_server import tryton_server, tryton   # both fixtures
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.tryton import Template, serving, template
from sandbox.tryton_sample import CONSENT, DO_NOT_CALL, Client
from tests.ports import free_port

DATABASE = "crm"


@dataclass(frozen=True)
class Tryton:
    """One database of a running Tryton."""

    url: str
    database: str
    made: Template

    def settings(self, administrator: bool = False) -> dict[str, Any]:
        """A connection's settings for it."""
        return {
            "url": self.url,
            "database": self.database,
            "user": self.made.admin if administrator else self.made.user,
            "password": self.made.admin_password if administrator else self.made.password,
            "consent_category": CONSENT,
            "do_not_call_category": DO_NOT_CALL,
        }

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """A client that is not the hub's connector, signed in as the administrator: to look behind the connector's back."""
        client = Client(self.url, self.database, self.made.admin, self.made.admin_password)
        yield client
        client.close()


@pytest.fixture(scope="session")
def tryton_template(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Template:
    """The initialised database: made once a run, whoever of the parallel workers comes first."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with (shared / "tryton.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return template(shared / "tryton-template")


@pytest.fixture(scope="session")
def shared_tryton(tmp_path_factory: pytest.TempPathFactory, tryton_template: Template) -> Iterator[Tryton]:
    """The Tryton that a worker's tests share: what each makes there needs a name of its own."""
    with running(tmp_path_factory.mktemp("tryton"), tryton_template) as tryton:
        yield tryton


@pytest.fixture
def tryton(tmp_path: Path, tryton_template: Template) -> Iterator[Tryton]:
    """A Tryton of the test's own, with the sample data; it takes two seconds to start."""
    with running(tmp_path / "tryton", tryton_template) as tryton:
        yield tryton


@contextlib.contextmanager
def running(folder: Path, made: Template) -> Iterator[Tryton]:
    """trytond on a free port with a copy of the template; ended when the block ends."""
    folder.mkdir(exist_ok=True)
    shutil.copy(made.file, folder / f"{DATABASE}.sqlite")
    with serving(folder, free_port(), database=DATABASE) as server:
        yield Tryton(server.url, DATABASE, made)
