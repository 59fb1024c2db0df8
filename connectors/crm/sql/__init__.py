"""Any CRM whose database may be read and written, by configuration alone: a profile holds the statements, with parameters.

Nothing that comes from outside is ever put into a statement's text. Each row is written in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.crm.sql.columns import described
from connectors.crm.sql.database import ROOTS, Database
from connectors.wire.profiled.connector import Profiled
from hub.contract import Manifest, Profile, Setting, Tools
from hub.model import Description, Identity


class AnySql(Profiled):
    """One database, as its profile describes it."""

    manifest: ClassVar[Manifest] = Manifest(
        name="sql",
        title="Any CRM by SQL",
        about="An in-house CRM whose database the hub may use, described by a profile: a file with the statements that "
        "find, write and list, with parameters. PostgreSQL and SQLite come with the hub; any other database that "
        "SQLAlchemy speaks to needs its driver installed beside it. Its address is not guarded as those of web services.",
        family="crm",
        settings=(
            Setting(name="database", about="The database that is written, as a SQLAlchemy URL.", kind="secret",
                    required=True, example="${CRM_DATABASE_URL}"),
            Setting(name="lookup_database", about="The database, or the role, that only reads: for look-ups and lists. By "
                    "default the same.", kind="secret", example="${CRM_LOOKUP_DATABASE_URL}"),
            Setting(name="profile", about="The profile's file.", kind="file", required=True,
                    example="crms/in-house-sql.yaml"),
            Setting(name="statement_seconds", about="The longest that a statement may take, where the database can be told "
                    "(PostgreSQL, MySQL).", kind="number", default=10.0),
        ),
        idempotency="search-then-write",
        people=("contact",),
        new_person="contact",
        source="the profile; SQLSTATE classes as ISO/IEC 9075 and PostgreSQL's appendix A have them",
    )  # fmt: skip

    more_of_objects = ("table",)  # the one that an object is described by

    def _connected(
        self, profile: Profile, words: Mapping[str, Any], settings: Mapping[str, Any], tools: Tools
    ) -> Database:
        del tools  # a database is not reached by the hub's session
        objects: Mapping[str, Any] = words["objects"] if isinstance(words["objects"], dict) else {}
        self._tables = {name: str(told["table"]) for name, told in objects.items() if "table" in (told or {})}
        self._database = Database(settings, self._failures(profile, words, ROOTS))
        return self._database

    def check(self) -> Identity:
        """Connects with both roles: who we are for the one that writes, and which database it is."""
        return self._database.identity()

    def describe(self, object: str) -> Description:
        """The columns of the object's `table` as the database has them, with what the profile says beyond that."""
        declared = self._declared[object].description
        if object not in self._tables:
            return declared
        return self._database.inspected(lambda inspector: described(inspector, self._tables[object], declared))
