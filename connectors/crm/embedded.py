"""The embedded CRM as a connector: it lives in the hub's own store, and speaks the contract like any other.

Upserts are native: a batch is one transaction in which every key is looked up and written, so an unknown outcome is repeated
without harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, ParamSpec, TypeVar
from urllib.parse import quote, urlencode

from msgspec.structs import replace
from sqlalchemy.exc import OperationalError

from hub.contract import Manifest, Tools
from hub.errors import NotFound, Rejected, Unavailable
from hub.model import Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target
from hub.store.crm import OBJECTS, PEOPLE, Change, Crm, crm_object

P = ParamSpec("P")
T = TypeVar("T")


class EmbeddedCrm:
    """Accounts, contacts, leads, activities, campaigns with members, and cases, in the hub's store."""

    manifest: ClassVar[Manifest] = Manifest(
        name="embedded",
        title="Embedded CRM",
        about="A small real CRM inside the hub's own store: nothing to install, and a screen pop always opens something.",
        family="crm",
        idempotency="native-upsert",
        rows_per_call=200,
        lookups_per_call=500,
        people=tuple(one.name for one in PEOPLE),
        company="account",
        new_person="contact",
    )

    def __init__(self, _settings: Mapping[str, Any], tools: Tools) -> None:
        if tools.engine is None:
            raise Unavailable("the embedded CRM lives in the hub's store, and was given none")
        self._crm = Crm(tools.engine, tools.country)
        self._pages = f"{tools.public_url.rstrip('/')}/crm"

    def check(self) -> Identity:
        """The store answers."""
        _asked(self._crm.record, "account", "A-0")
        return Identity(user="patchbay", system="Embedded CRM")

    def objects(self) -> Sequence[str]:
        """The names of all objects."""
        return tuple(OBJECTS)

    def describe(self, object: str) -> Description:
        """The fields of `object`."""
        return crm_object(object).description

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """Records by phone, e-mail, key or id, each with the link that opens it."""
        found = _asked(self._crm.find, lookups)
        return [[replace(one, url=self._open(one.object, one.id)) for one in records] for records in found]

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """Upsert or remove by key. What is wrong with the target is wrong with each row."""
        try:
            changes = _asked(self._crm.write, target.object, target.key, rows)
        except (NotFound, Rejected) as wrong:
            return [Receipt(key=row.key, outcome="failed", error=wrong) for row in rows]
        return [self._receipt(target.object, change) for change in changes]

    def pages(self, query: Query) -> Iterator[Page]:
        """A list, page by page; a member carries the person's fields, its key the campaign's."""
        pages = self._crm.pages(query)
        while page := _asked(_next, pages):
            yield page

    def links(
        self,
        kind: Literal["open", "search", "new"],
        object: str,
        id: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> str:
        """The page that opens a record, searches, or has the fields of a new record filled in."""
        given = {name: str(value) for name, value in (fields or {}).items() if value}
        if kind == "open":
            return self._open(object, id)
        if kind == "search":
            words = next((given[name] for name in ("phone", "mobile", "email") if name in given), "") or " ".join(
                given.values()
            )
            return f"{self._pages}/?{urlencode({'q': words})}"
        return f"{self._pages}/new/{quote(object, safe='')}" + (f"?{urlencode(given)}" if given else "")

    def _open(self, object: str, id_: str) -> str:
        return f"{self._pages}/{quote(object, safe='')}/{quote(id_, safe='')}"

    def _receipt(self, object: str, change: Change) -> Receipt:
        if change.outcome == "failed":
            return Receipt(key=change.row.key, outcome="failed", error=change.error)
        url = self._open(object, change.id) if change.id and change.outcome != "removed" else ""
        return Receipt(key=change.row.key, outcome=change.outcome, id=change.id, url=url)


def _asked(ask: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """What the store answers. Raises Unavailable where it does not: a busy file, a lost connection, a deadlock."""
    try:
        return ask(*given, **named)
    except OperationalError as error:
        raise Unavailable(f"the store does not answer: {type(error.orig).__name__}") from error


def _next(pages: Iterator[Page]) -> Page | None:
    return next(pages, None)
