"""Does the store answer, is its schema ours, and what time does its machine have?"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from hub.store.database import Store, open_store
from hub.store.upgrade import revision_of


@dataclass(frozen=True)
class Health:
    """What a look at the store found. With a `problem`, the rest is not known."""

    name: str  # the URL without its password
    problem: str = ""
    revision: str | None = None  # None: it has no tables yet
    newest: str | None = None  # the revision that this version of Patchbay knows
    clock_ms: int = 0


def answers(store: Store) -> bool:
    """Whether the store answers."""
    try:
        with store.read() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True


def health(url: str) -> Health:
    """Look at the store at `url`; nothing is changed."""
    name = make_url(url).render_as_string(hide_password=True)
    try:
        store = open_store(url)
    except (SQLAlchemyError, ImportError, OSError) as error:
        return Health(name, f"cannot be opened: {_first_line(error)}")
    try:
        revision, newest = revision_of(store)
        return Health(name, "", revision, newest, _clock_of(store))
    except SQLAlchemyError as error:
        return Health(name, f"does not answer: {_first_line(error)}")
    finally:
        store.close()


def _clock_of(store: Store) -> int:
    clock = (
        "(julianday('now') - 2440587.5) * 86400000"
        if store.is_sqlite
        else "extract(epoch from clock_timestamp()) * 1000"
    )
    with store.read() as connection:
        return int(connection.execute(text(f"SELECT {clock}")).scalar_one())


def _first_line(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
