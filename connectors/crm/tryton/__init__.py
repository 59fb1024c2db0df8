"""Tryton, the open-source ERP and CRM (8.0 and later), over its JSON-RPC.

A person or a company is a `party.party`; a wrapped-up interaction becomes an `ir.note` on it; `sale.opportunity` is what a
contact list is pulled from. Tryton has no upsert and no key of ours, so every write searches first (see `writing`).
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from msgspec import structs

from connectors.crm.tryton.fields import VIRTUAL, description
from connectors.crm.tryton.records import (
    CONTACTS,
    FIELDS,
    LIVE,
    MECHANISM,
    NOTE,
    OPPORTUNITY,
    OWN_KEY,
    PARTY,
    PHONES,
    Reader,
    either,
    ids,
    literally,
    loosely,
    mark,
    searchable,
)
from connectors.crm.tryton.rpc import Rpc
from connectors.crm.tryton.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.errors import NotFound, Rejected, Unsupported, nearest
from hub.model import (
    PERSON,
    Description,
    Identity,
    Lookup,
    Match,
    Page,
    Query,
    Receipt,
    Record,
    Row,
    Target,
)

OBJECTS = (PARTY, OPPORTUNITY, NOTE)
# Two clocks and a long transaction: what changed this long before a pull began is read again by the next one.
OVERLAP = dt.timedelta(minutes=5)

Found = dict[str, Any]


class Tryton:
    """One Tryton database as one of its users."""

    manifest: ClassVar[Manifest] = Manifest(
        name="tryton",
        title="Tryton",
        about="The open-source ERP and CRM, 8.0 and later, with its modules party and sale_opportunity.",
        family="crm",
        settings=(
            Setting(name="url", about="Where Tryton's server (and its web client) is.", kind="url", required=True,
                    example="https://tryton.example.com"),
            Setting(name="database", about="The database's name.", required=True, example="crm"),
            Setting(name="user", about="The user that the hub signs in as. It needs the groups of the objects that mappings "
                    "write; an administrator's rights are not needed, but only an administrator finds a call's note on "
                    "another party when the caller turns out to be somebody else.", required=True, example="patchbay"),
            Setting(name="password", about="That user's password.", kind="secret", required=True,
                    example="${TRYTON_PASSWORD}"),
            Setting(name="consent_category", about="The party category of people who agreed to be called.",
                    default="Phone consent"),
            Setting(name="do_not_call_category", about="The party category of people who must not be called.",
                    default="Do not call"),
            Setting(name="new_party_view", about="The number of the party's form view (Administration, Views). With it a "
                    "new party opens as a prefilled form; without it the search opens, and New there is prefilled.",
                    kind="integer", example=512),
        ),
        idempotency="search-then-write",
        people=(PARTY,),
        new_person=PARTY,
        source="trytond 8.2.1 with party, sale_opportunity and marketing, driven on SQLite; URLs by sao's own source",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self._rpc = Rpc(tools.session, settings["url"], settings["database"], settings["user"], settings["password"])
        self._reader = Reader(tools.country, settings["consent_category"], settings["do_not_call_category"])
        self._described: dict[str, Description] = {}
        self._writer = Writer(self._rpc, self._reader, tools.now, self._types, self._link)

    def check(self) -> Identity:
        """Signs in where the session has run out, and asks for the version."""
        self._rpc.read("model.res.user.get_preferences", True)
        return Identity(
            user=self._settings["user"], system=f"Tryton, {self._settings['database']}", version=self._rpc.version()
        )

    # --- find ----------------------------------------

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One call for all phones and e-mails together (a second one for numbers that Tryton holds unnormalised), and one
        for the ids and keys of each object."""
        answers: list[list[Record]] = [[] for _ in lookups]
        wanted = [_known(PARTY if lookup.object == PERSON else lookup.object) for lookup in lookups]
        for object in dict.fromkeys(wanted):
            mine = [place for place, name in enumerate(wanted) if name == object]
            by_contact = [place for place in mine if lookups[place].by in ("phone", "email")]
            by_name = [place for place in mine if lookups[place].by in ("id", "key")]
            if by_contact and object != PARTY:
                raise Unsupported(f"{object} has no phone or e-mail of its own; find {PARTY} by it")
            found = self._by_contact([lookups[place] for place in by_contact]) if by_contact else []
            found += self._by_name(object, [lookups[place] for place in by_name]) if by_name else []
            for place, records in zip(by_contact + by_name, found, strict=True):
                answers[place] = records
        return self._with_last_contact(answers)

    def _by_contact(self, lookups: Sequence[Lookup]) -> list[list[Record]]:
        phones = searchable(lookup.value for lookup in lookups if lookup.by == "phone")
        mails = searchable(lookup.value.strip() for lookup in lookups if lookup.by == "email")
        clauses: list[Any] = [[["type", "=", "email"], ["value_compact", "ilike", literally(mail)]] for mail in mails]
        if phones:
            clauses.append([["type", "in", PHONES], ["value_compact", "in", phones]])
        answers = self._matched(lookups, clauses)
        # Where Tryton's phonenumbers package is missing, or a number hides in a mechanism of another type.
        missed = [place for place, lookup in enumerate(lookups) if lookup.by == "phone" and not answers[place]]
        patterns = [loosely(lookups[place].value) for place in missed if lookups[place].value.startswith("+")]
        if patterns:
            near = [["value", "like", pattern] for pattern in dict.fromkeys(patterns)]
            unnormalised = [["type", "in", PHONES], ["value_compact", "not like", "+%"], either(near)]
            for place, records in zip(missed, self._matched([lookups[p] for p in missed], [unnormalised]), strict=True):
                answers[place] = records
        return answers

    def _matched(self, lookups: Sequence[Lookup], clauses: list[Any]) -> list[list[Record]]:
        domain = [["party.active", "=", True], either(clauses)]
        found: dict[tuple[str, str], dict[int, Record]] = defaultdict(dict)
        wanted = self._wanted(PARTY, lookups) if clauses else ()
        read = [*FIELDS[MECHANISM], *(f"party.{name}" for name in wanted)]
        for mechanism in self._search(MECHANISM, domain, read) if clauses else ():
            party, match = mechanism["party."], Match(field=mechanism["type"], value=mechanism["value"])
            for asked in self._reader.answers_to(mechanism):
                found[asked].setdefault(party["id"], self._record(PARTY, party, match, wanted))
        values = [lookup.value.strip().casefold() if lookup.by == "email" else lookup.value for lookup in lookups]
        return [list(found.get((lookup.by, value), {}).values()) for lookup, value in zip(lookups, values, strict=True)]

    def _by_name(self, object: str, lookups: Sequence[Lookup]) -> list[list[Record]]:
        names = [_name_field(object, lookup) for lookup in lookups]
        clauses: list[Any] = []
        for name in dict.fromkeys(names):
            values = searchable(lookup.value for lookup, its in zip(lookups, names, strict=True) if its == name)
            clauses += _name_clauses(object, name, values)
        if object == NOTE:
            self._writer.check_may_search_notes(names)
        wanted = self._wanted(object, lookups) if clauses else ()
        read = [*FIELDS[object], *(name for name in names if object != NOTE), *wanted]
        found = self._search(object, [*LIVE[object], either(clauses)], read) if clauses else []
        return [
            [self._record(object, record, Match(field=name, value=lookup.value), wanted) for record in found
             if _bears(object, record, name, lookup.value)]
            for lookup, name in zip(lookups, names, strict=True)
        ]  # fmt: skip

    def _with_last_contact(self, answers: list[list[Record]]) -> list[list[Record]]:
        """Where several people share a number, when each was last spoken to, as far as the newest notes tell."""
        shared = [record for records in answers if len(records) > 1 for record in records if record.object == PARTY]
        if not shared:
            return answers
        about = [["resource", "in", [f"{PARTY},{id}" for id in dict.fromkeys(record.id for record in shared)]]]
        notes = self._rpc.read(
            f"model.{NOTE}.search_read", about, 0, 200, [["create_date", "DESC"]], ["resource", "create_date"]
        )
        last = {note["resource"]: note["create_date"] for note in reversed(notes)}
        return [
            [_touched(record, last.get(f"{PARTY},{record.id}")) if len(records) > 1 else record for record in records]
            for records in answers
        ]

    def _search(self, object: str, domain: list[Any], read: Sequence[str], size: int | None = None) -> list[Found]:
        method, order = f"model.{object}.search_read", [["id", "ASC"]]
        found: list[Found] = self._rpc.read(method, domain, 0, size, order, list(dict.fromkeys(read)))
        return found

    def _record(self, object: str, found: Found, match: Match | None = None, wanted: Sequence[str] = ()) -> Record:
        record = self._reader.record(object, found, self._link(object, str(found["id"])), match)
        more = {name: found[name] for name in wanted if name not in record.fields}
        return structs.replace(record, fields={**record.fields, **more}) if more else record

    def _wanted(self, object: str, lookups: Sequence[Lookup]) -> Sequence[str]:
        """The fields that the look-ups ask for by name, as far as Tryton itself keeps them: contact data and what a note is
        about are on every record."""
        asked = dict.fromkeys(name for lookup in lookups for name in lookup.fields)
        if not asked:
            return ()
        own = {field.name for field in self._types(object).fields} - VIRTUAL[object]
        return [name for name in asked if name in own]

    # --- describe ----------------------------------------

    def objects(self) -> Sequence[str]:
        """The objects that can be named."""
        return OBJECTS

    def describe(self, object: str) -> Description:
        """Asked of Tryton, three calls; what it says is what values are written by from then on."""
        fields = self._rpc.read(f"model.{_known(object)}.fields_get", None)
        required = [name for name, told in fields.items() if told.get("required")]
        defaults = self._rpc.read(f"model.{object}.default_get", required, False)
        access = self._rpc.read("model.ir.model.access.get_access", [object])
        self._described[object] = description(object, fields, defaults, access[object])
        return self._described[object]

    def _types(self, object: str) -> Description:
        """What values are written by: asked once, for Tryton's fields change with its modules only."""
        return self._described.get(object) or self.describe(object)

    # --- write ----------------------------------------

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """One search, one `create` and one `write` or `delete` for the whole batch; a refused row fails alone."""
        _known(target.object)
        return self._writer.written(target, rows)

    # --- pages ----------------------------------------

    def pages(self, query: Query) -> Iterator[Page]:
        """Opportunities or parties by ascending id. `where` names Tryton's fields (`state`, `party.categories.name`…) with
        one value or a list. With a watermark: what changed since, a party's number, address or category included."""
        object = _known(query.object)
        if object == NOTE:
            raise Unsupported(f"{object} is no list; pull {OPPORTUNITY} or {PARTY}")
        where = [*LIVE[object], *([name, "in", _many(value)] for name, value in query.where.items())]
        last, began = _place(query.cursor)
        asked_at = self._tools.now()
        while True:
            ahead = [["id", ">", last]]
            removed: list[str] = []
            if query.watermark is None:
                found = self._search(object, [*ahead, *where], FIELDS[object], query.size)
                seen = [row["id"] for row in found]
            else:
                changed = _changed(object, _moment(query.watermark))
                seen = self._rpc.read(f"model.{object}.search", [*ahead, *changed], 0, query.size, [["id", "ASC"]])
                found = self._search(object, [["id", "in", seen], *where], FIELDS[object]) if seen else []
                removed = [str(id) for id in sorted(set(seen) - {row["id"] for row in found})]
            began = began or min(asked_at, self._rpc.server_time or asked_at)
            rows = [self._reader.row(object, row) for row in found]
            if len(seen) < query.size:
                yield Page(rows=rows, removed=removed, watermark=(began - OVERLAP).isoformat())
                return
            last = seen[-1]
            yield Page(rows=rows, removed=removed, cursor=f"{last} {began.isoformat()}")

    # --- links ----------------------------------------

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """Pages of Tryton's web client. It has no address for a new record: with the setting `new_party_view` the form
        opens prefilled; without it the search opens, and pressing New there gives the prefilled form."""
        if kind == "open":
            return self._link(object, id)
        values = {name: value for name, value in (fields or {}).items() if value}
        words: dict[str, Any] = {"context": _prefilled(values)} if kind == "new" else {}
        if kind == "new" and object == PARTY and self._settings.get("new_party_view"):
            words["views"] = [self._settings["new_party_view"]]
        elif values:
            near = [["rec_name", "ilike", f"%{literally(value)}%"] for value in values.values()]
            words["search_value"] = [either(near)]
        told = "&".join(f"{word}={quote(json.dumps(value), safe='')}" for word, value in words.items())
        return self._link(object) + (f";{told}" if told else "")

    def _link(self, object: str, id: str = "") -> str:
        path = "/".join(quote(part, safe="") for part in (self._settings["database"], "model", object, id) if part)
        return f"{self._settings['url'].rstrip('/')}/#{path}"


def _known(object: str) -> str:
    if object not in OBJECTS:
        raise NotFound(f'this connector knows no object "{object}" of Tryton{nearest(object, OBJECTS)}')
    return object


def _name_field(object: str, lookup: Lookup) -> str:
    return "id" if lookup.by == "id" else lookup.key_field or OWN_KEY[object]


def _name_clauses(object: str, name: str, values: list[str]) -> list[Any]:
    """What to ask for where `name` holds one of `values`."""
    if name == "id":
        return [["id", "in", numbers]] if (numbers := ids(values)) else []
    if object == NOTE:
        return [["message", "like", f"%{literally(mark(name, value))}%"] for value in values]
    codes: list[Any] = [[name, "in", values]] if values else []
    # A party's code or any of its identifiers (VAT number and the like): what people write in attached data.
    return [*codes, ["identifiers.code", "in", values]] if codes and (object, name) == (PARTY, "code") else codes


def _bears(object: str, found: Found, name: str, value: str) -> bool:
    if name == "id":
        return str(found["id"]) == value
    if object == NOTE:
        return mark(name, value) in (found["message"] or "")
    codes = [code["code"] for code in found.get("identifiers.", ())] if (object, name) == (PARTY, "code") else []
    return value in (found.get(name), *codes)


def _touched(record: Record, at: dt.datetime | None) -> Record:
    return structs.replace(record, last_contact_at=at)


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _place(cursor: str | None) -> tuple[int, dt.datetime | None]:
    """Where a pull goes on, and when it began: a row that changes behind a slow pull must be read by the next one."""
    if cursor is None:
        return 0, None
    last, _, began = cursor.partition(" ")
    if not last.isdecimal():
        raise Rejected(f'"{cursor}" is no cursor of this connector')
    return int(last), _moment(began)


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise Rejected(f'"{text}" is no moment of this connector') from None


def _changed(object: str, since: dt.datetime) -> list[Any]:
    party = "" if object == PARTY else "party."
    places = ("", party, f"{party}contact_mechanisms.", f"{party}addresses.")
    changed = either([[f"{place}last_modified_at", ">=", since] for place in dict.fromkeys(places)])
    return [changed, ["active", "in", [True, False]]] if object == PARTY else [changed]


def _prefilled(values: Mapping[str, str]) -> dict[str, Any]:
    """The context with which Tryton's own defaults for a new record give way to `values`."""
    contacts = [{"type": name, "value": value} for name, value in values.items() if name in CONTACTS]
    given: dict[str, Any] = {f"default_{name}": value for name, value in values.items() if name not in CONTACTS}
    return {**given, "default_contact_mechanisms": contacts} if contacts else given
