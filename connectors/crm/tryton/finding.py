"""Find people and records in Tryton: every contact mechanism in one search, ids and keys in one for each object.

Tryton keeps a number's E.164 form beside it where its `phonenumbers` package is installed; where it is not, or a number
hides in a mechanism of another type, a looser search follows and each candidate is compared on our side.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import structs

from connectors.crm.tryton.fields import VIRTUAL
from connectors.crm.tryton.records import (
    FIELDS,
    LIVE,
    MECHANISM,
    NOTE,
    OWN_KEY,
    PARTY,
    PHONES,
    Reader,
    either,
    ids,
    known,
    literally,
    loosely,
    mark,
    searchable,
)
from connectors.crm.tryton.rpc import Found, Rpc
from hub.errors import Unsupported
from hub.model import PERSON, Description, Lookup, Match, Record


class Finder:
    """Answers look-ups. `may_search_notes` raises where our user may not find a note by these fields."""

    def __init__(
        self,
        rpc: Rpc,
        reader: Reader,
        types: Callable[[str], Description],
        link: Callable[[str, str], str],
        may_search_notes: Callable[[Iterable[str]], None],
    ) -> None:
        self._rpc, self._reader, self._types, self._link = rpc, reader, types, link
        self._may_search_notes = may_search_notes

    def found(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """The records of each look-up, in the order of the look-ups."""
        answers: list[list[Record]] = [[] for _ in lookups]
        wanted = [known(PARTY if lookup.object == PERSON else lookup.object) for lookup in lookups]
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
        for mechanism in self._rpc.search(MECHANISM, domain, read) if clauses else ():
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
            self._may_search_notes(names)
        wanted = self._wanted(object, lookups) if clauses else ()
        read = [*FIELDS[object], *(name for name in names if object != NOTE), *wanted]
        found = self._rpc.search(object, [*LIVE[object], either(clauses)], read) if clauses else []
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
