"""Bring the store to the present schema. Any number of nodes may start together: one does it, the others wait."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config as Alembic
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text

from hub.errors import PatchbayError
from hub.store.database import Store
from hub.store.schema import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_281_643_501  # PostgreSQL's advisory lock for this; any number, the same on every node


class StoreTooNew(PatchbayError):
    """The store was made by a newer Patchbay."""


def complete_metadata() -> MetaData:
    """The schema with the embedded CRM's tables, which live in the same store."""
    from hub.store import crm  # noqa: F401  (it adds its tables when it is imported)

    return metadata


def upgrade(store: Store) -> None:
    """Apply the migrations that are missing, in one transaction. Raises StoreTooNew for a revision that is not ours."""
    with store.write() as connection:  # on SQLite this is the write lock: other processes wait for it
        if not store.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        alembic = alembic_config(connection)
        scripts = ScriptDirectory.from_config(alembic)
        held = MigrationContext.configure(connection).get_current_revision()
        if held == scripts.get_current_head():
            return
        if held is not None and held not in {script.revision for script in scripts.walk_revisions()}:
            raise StoreTooNew(
                f"the store is at revision {held}, which this version of Patchbay does not know: run a newer one"
            )
        command.upgrade(alembic, "head")


def revision_of(store: Store) -> tuple[str | None, str | None]:
    """(the store's revision, the newest that this version knows)."""
    with store.read() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection))
        return MigrationContext.configure(connection).get_current_revision(), scripts.get_current_head()


def alembic_config(connection: Connection) -> Alembic:
    """Alembic, pointed at our migrations and this connection."""
    alembic = Alembic()
    alembic.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    alembic.attributes["connection"] = connection
    return alembic
