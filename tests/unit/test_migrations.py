"""Migrations: what they make is what the code declares; many nodes may start at once; a newer store is refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from hub.store.database import Store, open_store
from hub.store.upgrade import MIGRATIONS, StoreTooNew, complete_metadata, revision_of, upgrade
from tests.waiting import PATIENCE


@pytest.fixture
def empty(bare_url: str) -> object:
    """An empty store, once on each engine."""
    opened = open_store(bare_url)
    yield opened
    opened.close()


def test_the_migrated_schema_is_the_declared_one(empty: Store) -> None:
    upgrade(empty)
    with empty.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, complete_metadata()) == []
        made, declared = inspect(connection), complete_metadata()
        for table in declared.tables.values():
            indexes = {index["name"]: index["column_names"] for index in made.get_indexes(table.name)}
            for index in table.indexes:
                assert index.name in indexes, f"{table.name} lacks the index {index.name}"
            primary = made.get_pk_constraint(table.name)["constrained_columns"]
            assert primary == [column.name for column in table.primary_key], table.name


def test_the_files_are_numbered_as_their_revisions_follow_each_other(empty: Store) -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    following = [script.revision for script in scripts.walk_revisions()][::-1]
    assert [
        Path(str(scripts.get_revision(one).module.__file__)).name.partition("_")[0] for one in following
    ] == following
    assert revision_of(empty) == (None, following[-1])


def test_a_store_that_is_up_to_date_is_opened_without_alembic(store_url: str) -> None:
    program = (
        "import sys; from hub.store.database import open_store; from hub.store.upgrade import upgrade;"
        "store = open_store(sys.argv[1]); upgrade(store); store.close(); print('alembic' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program, store_url], capture_output=True, text=True, timeout=PATIENCE)
    assert (told.returncode, told.stdout) == (0, "False\n"), told.stderr


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/var/patchbay.db")
    try:
        upgrade(store)
        modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "var").iterdir()}
    finally:
        store.close()
    assert modes == dict.fromkeys(("patchbay.db", "patchbay.db-wal", "patchbay.db-shm"), 0o600)


def test_partial_indexes_are_partial(empty: Store) -> None:
    upgrade(empty)
    partial = {
        str(index.name): str(index.dialect_options["sqlite"]["where"])
        for table in complete_metadata().tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"].get("where") is not None
    }
    assert len(partial) >= 4
    made = (
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = :name"
        if empty.is_sqlite
        else "SELECT indexdef FROM pg_indexes WHERE indexname = :name"
    )
    with empty.read() as connection:
        for name, where in partial.items():
            condition = connection.execute(text(made), {"name": name}).scalar_one().partition("WHERE")[2]
            state = where.partition("= ")[2]
            assert state in condition, f"{name}: {condition}, not {where}"


def test_a_second_start_changes_nothing(empty: Store) -> None:
    upgrade(empty)
    held, newest = revision_of(empty)
    assert held == newest is not None
    upgrade(empty)
    assert revision_of(empty) == (held, newest)


def test_nodes_that_start_together_share_one_upgrade(bare_url: str) -> None:
    failures: list[BaseException] = []
    ready = threading.Barrier(4)

    def start() -> None:
        node = open_store(bare_url)
        try:
            ready.wait(PATIENCE)
            upgrade(node)
        except BaseException as failure:
            failures.append(failure)
        finally:
            node.close()

    nodes = [threading.Thread(target=start) for _ in range(4)]
    for node in nodes:
        node.start()
    for node in nodes:
        node.join()
    assert failures == []


def test_processes_that_start_together_share_one_upgrade(bare_url: str) -> None:
    program = (
        "import sys; from hub.store.database import open_store; from hub.store.upgrade import upgrade;"
        "store = open_store(sys.argv[1]); upgrade(store); store.close()"
    )
    nodes = [
        subprocess.Popen([sys.executable, "-c", program, bare_url], stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for node in nodes:
        _, said = node.communicate(timeout=PATIENCE)
        assert node.returncode == 0, said


def test_a_store_of_a_newer_patchbay_is_refused(empty: Store) -> None:
    upgrade(empty)
    with empty.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreTooNew, match="revision 9999"):
        upgrade(empty)


def test_a_failed_migration_leaves_nothing_behind(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic.operations import Operations

    real, made = Operations.create_table, []

    def break_half_way(self: Operations, name: str, *columns: object, **options: object) -> object:
        made.append(name)
        if len(made) == 5:
            raise RuntimeError("the power went")
        return real(self, name, *columns, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Operations, "create_table", break_half_way)
    with pytest.raises(RuntimeError, match="the power went"):
        upgrade(empty)
    monkeypatch.undo()
    with empty.read() as connection:
        assert inspect(connection).get_table_names() == []
    upgrade(empty)
