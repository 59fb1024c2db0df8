"""Bring the store to the present schema. Any number of nodes may start together: one does it, the others wait."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, MetaData, inspect, text

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
        held, revisions = _held(connection), _revisions()
        if held == revisions[-1]:
            return
        if held is not None and held not in revisions:
            raise StoreTooNew(
                f"the store is at revision {held}, which this version of Patchbay does not know: run a newer one"
            )
        _migrate(connection)


def revision_of(store: Store) -> tuple[str | None, str | None]:
    """(the store's revision, the newest that this version knows)."""
    with store.read() as connection:
        return _held(connection), _revisions()[-1]


def _held(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _revisions() -> list[str]:
    """All that there are, the oldest first: the number that a migration's file begins with is its revision."""
    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _migrate(connection: Connection) -> None:
    # Read only where there is something to do: Alembic takes a quarter of the time in which a hub starts.
    from alembic import command
    from alembic.config import Config

    alembic = Config()
    alembic.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    alembic.attributes["connection"] = connection
    command.upgrade(alembic, "head")
