"""Find people and records. C4C filters by OR on one property only, so each field is a query of its own, and one `$batch`
takes all of them: one call for up to 200 look-ups, whatever they ask for.

`eq` takes `*` as a wildcard and there is no escape, so nothing that C4C answers is believed before it is compared here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from connectors.crm.sap_c4c.objects import ACCOUNT, PEOPLE, Objects, title
from connectors.crm.sap_c4c.odata import Service, literal
from connectors.crm.sap_c4c.values import fields_of, moment
from connectors.wire import numbers
from hub.errors import Rejected
from hub.model import PERSON, Account, Lookup, Match, Record

AT_ONCE = 30  # values of one property in one filter
LONGEST = 765  # of any field that is searched
BEFORE_A_STAR = 8  # letters that have to come first, or half the system would answer
TAIL = 7
_LIKE_A_PHONE = re.compile(r"\+?[\d ()./\-]{3,40}")
_COUNTRIES = ("CountryCode", "BusinessAddressCountryCode", "Country")

Row = dict[str, Any]
Asked = tuple[str, str, str]  # (collection, property, value as it stands in the filter)


class Wanted(Struct, frozen=True, kw_only=True):
    """One look-up, in one collection: what is asked for, and by which fields a row answers it."""

    place: int
    lookup: Lookup
    object: str
    names: tuple[str, ...]
    patterns: tuple[tuple[str, str], ...]  # (property, value in the filter)


class Finder:
    """Answers look-ups in batches."""

    def __init__(self, service: Service, objects: Objects, country: str, hidden: Sequence[str], link: Any) -> None:
        self._service, self._objects, self._country = service, objects, country
        self._hidden, self._link = frozenset(hidden), link

    def found(self, lookups: Sequence[Lookup]) -> list[list[Record]]:
        """The records of each look-up, in the order of the people objects."""
        wanted = [one for place, lookup in enumerate(lookups) for one in self._wanted(place, lookup)]
        rows = self._rows(wanted)
        answers: list[list[Record]] = [[] for _ in lookups]
        for one in wanted:
            seen = {record.id for record in answers[one.place] if record.object == one.object}
            for row in rows.get(one.object, {}).values():
                name = self._answering(one, row)
                if name is not None and self._objects.id_of(one.object, row) not in seen:
                    answers[one.place].append(self._record(one, row, name))
        return answers

    def check(self) -> None:
        """Raises Rejected where a collection has not got a field that people are looked up by."""
        named = {
            object: (*self._objects.phones.get(object, ()), *self._objects.mails.get(object, ())) for object in PEOPLE
        }
        queries = [
            (object, {"$top": "1", "$select": ",".join(("ObjectID", *names))}) for object, names in named.items()
        ]
        for (object, _), answer in zip(queries, self._service.lists_or_refusals(queries), strict=True):
            if isinstance(answer, Rejected):
                raise Rejected(f"phone_fields and email_fields, {object}: {answer}", answer.fields) from answer

    def _wanted(self, place: int, lookup: Lookup) -> list[Wanted]:
        objects = PEOPLE if lookup.object == PERSON else (self._objects.known(lookup.object),)
        found = []
        for object in objects:
            names = self._names(object, lookup)
            patterns = tuple((name, text) for name in names for text in _patterns(name, lookup))
            if patterns:
                found.append(Wanted(place=place, lookup=lookup, object=object, names=names, patterns=patterns))
        return found

    def _names(self, object: str, lookup: Lookup) -> tuple[str, ...]:
        match lookup.by:
            case "phone":
                return self._objects.phones.get(object, ())
            case "email":
                return self._objects.mails.get(object, ())
            case "key" if lookup.key_field and lookup.key_field != "id":
                return (lookup.key_field,)
        return (self._objects.own_id(object),)

    def _rows(self, wanted: Sequence[Wanted]) -> dict[str, dict[str, Row]]:
        """By collection and ObjectID, all that C4C has for all of them."""
        by_field: dict[tuple[str, str], dict[str, None]] = {}
        parts: dict[str, set[str]] = {}
        for one in wanted:
            for name, text in one.patterns:
                by_field.setdefault((one.object, name), {})[text] = None
            children = self._objects.children.get(one.object, {})
            parts.setdefault(one.object, set()).update(
                children[name].path for name in one.lookup.fields if name in children
            )
        queries, of = [], []
        for (object, name), texts in by_field.items():
            values = list(texts)
            for start in range(0, len(values), AT_ONCE):
                query = {"$filter": any_of(name, values[start : start + AT_ONCE])}
                if parts[object]:
                    query["$expand"] = ",".join(sorted(parts[object]))
                queries.append((object, query))
                of.append(object)
        found: dict[str, dict[str, Row]] = {}
        answers = self._service.lists_or_refusals(queries) if queries else []
        refusals = [answer for answer in answers if isinstance(answer, Rejected)]
        if refusals and len(refusals) == len(answers):
            raise refusals[0]
        for object, rows in zip(of, answers, strict=True):
            # A field that this tenant has not got does not silence the others; `check` says so.
            for row in () if isinstance(rows, Rejected) else rows:
                if str(row.get("StatusCode") or "") not in self._hidden or object not in PEOPLE:
                    found.setdefault(object, {}).setdefault(str(row.get("ObjectID")), row)
        return found

    def _answering(self, one: Wanted, row: Row) -> str | None:
        """The field by which a row answers; None: it does not."""
        asked = one.lookup.value
        for name in one.names:
            stored = row.get(name)
            if not isinstance(stored, str) or not stored:
                continue
            if one.lookup.by == "phone":
                country = next((str(row[word]) for word in _COUNTRIES if row.get(word)), self._country)
                if numbers.same([stored], asked, country):
                    return name
            elif stored == asked or (one.lookup.by == "email" and stored.casefold() == asked.strip().casefold()):
                return name
        return None

    def _record(self, one: Wanted, row: Row, name: str) -> Record:
        children = self._objects.children.get(one.object, {})
        fields = fields_of(row)
        for wanted in one.lookup.fields:
            if wanted in children and wanted not in fields:
                part = children[wanted].of(row.get(children[wanted].path) or {})
                fields[wanted] = part.get(children[wanted].field) if part else None
        id = self._objects.id_of(one.object, row)
        account = str(row.get("AccountID") or "") if one.object != ACCOUNT else ""
        return Record(
            object=one.object,
            id=id,
            title=title(row),
            url=self._link(one.object, id),
            match=Match(field=name, value=str(row[name])),
            account=Account(object=ACCOUNT, id=account, title=str(row.get("AccountFormattedName") or ""))
            if account
            else None,
            created_at=moment(row.get("CreatedOn") or row.get("CreationOn")),
            updated_at=moment(row.get("EntityLastChangedOn")),
            fields=fields,
        )


def any_of(name: str, values: Sequence[str]) -> str:
    """A filter by one property: OR is taken there and nowhere else."""
    return " or ".join(f"{name} eq {literal(value)}" for value in values)


def searchable(value: str) -> bool:
    """Whether C4C can be asked for a text: not too long, and not a wildcard that half the system answers to."""
    askable = 0 < len(value) <= LONGEST and "\0" not in value
    return askable and ("*" not in value or value.index("*") >= BEFORE_A_STAR)


def _patterns(name: str, lookup: Lookup) -> list[str]:
    value = lookup.value.strip() if lookup.by in ("phone", "email") else lookup.value
    if not searchable(value):
        return []
    match lookup.by:
        case "phone":
            if not _LIKE_A_PHONE.fullmatch(value):
                return []
            if name.startswith("Normalised"):
                return [value]
            # As it was typed: whatever stands between the last digits.
            digits = numbers.tail(value, TAIL)
            return ["*" + "*".join(digits)] if len(digits) >= TAIL else [value]
        case "email":
            return list(dict.fromkeys((value, value.lower()))) if "@" in value else []
    return [value]
