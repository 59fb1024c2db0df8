"""Any CRM whose database may be read and written, by configuration alone: a profile holds the statements, with parameters.

Nothing that comes from outside is ever put into a statement's text. Each row is written in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from msgspec import structs

from connectors.crm.sql.columns import described
from connectors.crm.sql.database import ROOTS, Database
from connectors.wire.profiled.declared import Declared
from connectors.wire.profiled.failures import Failures
from connectors.wire.profiled.finding import Finder
from connectors.wire.profiled.paging import Pager
from connectors.wire.profiled.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.model import Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

PROFILE_WORDS: Mapping[str, str] = {
    "profile": "`sql`",
    "about": "which system this is",
    "errors": "what the database's refusals mean, by SQLSTATE",
    "objects": "the objects, by the names that mappings use; `table` names the one that an object is described by",
}


class AnySql:
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

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        profile = tools.profile(settings["profile"])
        words = profile.group((), profile.value, PROFILE_WORDS, ("profile", "about", "objects"))
        if words["profile"] != "sql":
            raise profile.error(("profile",), f'a profile for this connector says `sql`, not "{words["profile"]}"')
        failures = Failures(profile, ("errors",), words.get("errors", []), ROOTS, "the CRM's database")
        self._database = Database(settings, failures)
        self._declared = Declared(profile, words, more=("table",))
        self._tables = {name: str(told["table"]) for name, told in words["objects"].items() if "table" in told}
        self._finder = Finder(profile, words["objects"], self._declared, self._database, tools.country)
        self._writer = Writer(profile, words["objects"], self._declared, self._database, self._finder)
        self._pager = Pager(profile, words["objects"], self._declared, self._database, tools)
        people = self._declared.people
        self.manifest = structs.replace(  # type: ignore[misc]
            type(self).manifest,
            about=str(words["about"]),
            people=people,
            company=self._declared.company,
            new_person=people[0] if people else "",
            rows_per_call=200,
            lookups_per_call=self._finder.lookups_per_call,
            idempotency="native-upsert" if self._writer.is_native else "search-then-write",
        )

    def check(self) -> Identity:
        """Connects with both roles."""
        return self._database.identity()

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One statement for each look-up, or for as many together as the profile's `of` says."""
        return self._finder.found(lookups)

    def objects(self) -> Sequence[str]:
        """The profile's objects."""
        return tuple(self._declared)

    def describe(self, object: str) -> Description:
        """The columns of the object's `table` as the database has them, with what the profile says beyond that."""
        declared = self._declared[object].description
        if object not in self._tables:
            return declared
        return self._database.inspected(lambda inspector: described(inspector, self._tables[object], declared))

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """By the profile's `upsert`, or by `find` and then `create` or `update`; each row is a transaction."""
        return self._writer.written(target, rows)

    def pages(self, query: Query) -> Iterator[Page]:
        """The profile's `pages`: in the order of a key (`after`), or by `offset`."""
        return self._pager.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """The profile's addresses for a browser; what they are filled with is percent-encoded."""
        values = {name: value for name, value in (fields or {}).items() if value}
        return self._declared[object].link(kind, id=id, search=next(iter(values.values()), ""), fields=values)
