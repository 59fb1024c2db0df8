"""Find: all look-ups of a batch in one `$batch`, whatever tables and columns they go to.

Dataverse keeps a number as it was typed. So every phone column is asked for rows that end with the number's last
seven digits, whatever stands between them (`%` is a wildcard in `endswith`, "Filter rows using OData"), and what
comes is compared as E.164 here. A column of the environment's own in which numbers are kept as E.164 is asked by
equality instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from phonenumbers import SUPPORTED_REGIONS

from connectors.crm.dynamics.api import Api, literal, query
from connectors.crm.dynamics.fields import TYPES, columns_to_read, guid_in, id_for, parties_expanded
from connectors.crm.dynamics.people import COUNTRY, HIDDEN, PEOPLE, SHAPES, Shape, by_table, moment, record, shape_of
from connectors.crm.dynamics.tables import Table, Tables
from connectors.wire.numbers import same, tail
from hub.errors import ConnectorError, Rejected, Unsupported
from hub.model import PERSON, Lookup, LookupBy, Match, Record

MOST_CONDITIONS = 300  # of one query; Dataverse refuses more than 500
LONGEST = {"phone": 50, "email": 320, "key": 850, "id": 40}  # nothing longer is in any such column
FEWEST_DIGITS = 3
MOST_PAGES = 20
MOST_MERGES = 5
MOST_SHARED = 100

Told = Mapping[str, Any]


class Question(Struct, frozen=True):
    """One look-up in one table: the place of its answer, and what is compared."""

    place: int
    by: LookupBy
    value: str
    column: str = ""  # by key


class Finder:
    """Answers look-ups."""

    def __init__(
        self, api: Api, tables: Tables, settings: Mapping[str, Any], country: str, link: Callable[[str, str], str]
    ) -> None:
        self._api, self._tables, self._country, self._link = api, tables, country, link
        self._phones, self._mails = by_table(settings["phone_fields"]), by_table(settings["email_fields"])
        self._exact, self._keys = by_table(settings["e164_fields"] or ()), by_table(settings["key_fields"] or ())

    def found(self, lookups: Sequence[Lookup]) -> list[list[Record]]:
        """One list of records per look-up."""
        answers: list[dict[str, list[Record]]] = [{} for _ in lookups]
        asked: dict[str, list[Question]] = {}
        wanted: dict[str, list[str]] = {}
        lookups = [self._whole(lookup) for lookup in lookups]
        for place, lookup in enumerate(lookups):
            for object in PEOPLE if lookup.object == PERSON else (lookup.object,):
                question = self._question(place, object, lookup)
                if question is not None:
                    asked.setdefault(object, []).append(question)
                    wanted.setdefault(object, []).extend(lookup.fields)
        rows = self._rows(asked, wanted)
        for object, questions in asked.items():
            shape, table = self._shape(object, wanted[object])
            for question in questions:
                matched = ((told, self._match(shape, question, told)) for told in rows[object])
                answers[question.place][object] = [
                    record(shape, told, self._link, match, table, lookups[question.place].fields)
                    for told, match in matched if match is not None
                ]  # fmt: skip
        order = {object: place for place, object in enumerate(PEOPLE)}
        told = [[one for object in sorted(answer, key=lambda name: order.get(name, 9)) for one in answer[object]]
                for answer in answers]  # fmt: skip
        return self._with_shared(told)

    # --- what is asked ----------------------------------------

    def _whole(self, lookup: Lookup) -> Lookup:
        """A look-up by key of anything but people is about what is written there: without fields, all are meant."""
        if lookup.by != "key" or lookup.fields or lookup.object in (PERSON, *PEOPLE):
            return lookup
        columns = self._tables.known(lookup.object).columns
        return replace(lookup, fields=tuple(name for name, column in columns.items() if column.type in TYPES))

    def _question(self, place: int, object: str, lookup: Lookup) -> Question | None:
        value = lookup.value.strip()
        if not value or len(value) > LONGEST[lookup.by]:
            return None
        match lookup.by:
            case "phone" | "email":
                if object not in (self._phones | self._exact if lookup.by == "phone" else self._mails):
                    raise Unsupported(
                        f"{object} has no {lookup.by} that is searched; see phone_fields and email_fields"
                    )
                digits = sum(sign.isdecimal() for sign in value)
                sensible = digits >= FEWEST_DIGITS if lookup.by == "phone" else "@" in value
                return Question(place, lookup.by, value) if sensible else None
            case "id":
                id = guid_in(value)
                return Question(place, "id", id) if id else None
            case "key":
                return self._by_key(place, object, lookup)

    def _by_key(self, place: int, object: str, lookup: Lookup) -> Question | None:
        own = (self._keys.get(object) or [""])[0]
        column = lookup.key_field or own
        id_column = self._id_of(object)
        if column in ("", "id", id_column):
            return Question(place, "id", id_for(object, id_column, lookup.value))
        return Question(place, "key", lookup.value, column)

    def _id_of(self, object: str) -> str:
        return SHAPES[object].id if object in SHAPES else self._tables.known(object).id

    def _shape(self, object: str, wanted: Sequence[str]) -> tuple[Shape, Table | None]:
        table = self._tables.known(object) if wanted or object not in SHAPES else None
        return SHAPES[object] if object in SHAPES else shape_of(_there(table)), table

    def _rows(self, asked: Mapping[str, list[Question]], wanted: Mapping[str, list[str]]) -> dict[str, list[Told]]:
        paths: list[tuple[str, str]] = []
        for object, questions in asked.items():
            shape, table = self._shape(object, wanted[object])
            options = self._options(shape, table, wanted[object], questions)
            paths += [(object, f"{shape.set}?{query(**options, filter=condition)}")
                      for condition in self._conditions(shape, questions)]  # fmt: skip
        rows: dict[str, dict[str, Told]] = {object: {} for object in asked}
        for (object, _), told in zip(paths, self._api.read([path for _, path in paths]), strict=True):
            if isinstance(told, ConnectorError):
                raise told
            shape = self._shape(object, wanted[object])[0]
            rows[object].update((row[shape.id], row) for row in self._pages(told))
        for object, found in rows.items():
            self._follow_merges(object, found, wanted[object], asked[object])
        return {object: list(found.values()) for object, found in rows.items()}

    def _options(
        self, shape: Shape, table: Table | None, wanted: Sequence[str], asked: Sequence[Question]
    ) -> dict[str, str]:
        columns = [shape.id, shape.title, *shape.select, *self._phones.get(shape.name, ()), *self._mails.get(shape.name, ()),
                   *self._exact.get(shape.name, ()), *(question.column for question in asked)]  # fmt: skip
        expand = [shape.expand]
        if table is not None:
            more, parties = columns_to_read(table, wanted)
            columns += more
            expand += [parties_expanded(table)] if parties else []
        return {"select": ",".join(dict.fromkeys(filter(None, columns))), "expand": ",".join(filter(None, expand))}

    def _pages(self, told: Told) -> Iterator[Told]:
        for _ in range(MOST_PAGES):
            yield from told["value"]
            path = self._api.rest_of(told)
            if path is None:
                return
            told = self._api.get(path)

    def _conditions(self, shape: Shape, questions: Sequence[Question]) -> Iterator[str]:
        """As few filters as Dataverse's limit on conditions allows."""
        by: dict[tuple[str, bool], list[str]] = {}
        for question in questions:
            live = bool(shape.live) and question.by in ("phone", "email")
            terms = list(self._terms(shape, question))
            by.setdefault((question.by, live), []).append(" or ".join(dict.fromkeys(terms)))
        for (kind, live), texts in by.items():
            distinct = list(dict.fromkeys(texts))
            each = max(1, distinct[0].count(" or ") + 1)
            step = max(1, MOST_CONDITIONS // each)
            for start in range(0, len(distinct), step):
                whole = " or ".join(distinct[start : start + step])
                yield f"({whole}) and {shape.live}" if live and kind else whole

    def _terms(self, shape: Shape, question: Question) -> Iterator[str]:
        value = question.value
        if question.by == "id":
            yield f"{shape.id} eq {value}"
        elif question.by == "key":
            yield self._key_term(shape, question)
        elif question.by == "email":
            yield from (f"{column} eq {literal(value)}" for column in self._mails[shape.name])
        elif value.startswith("+") and self._exact.get(shape.name):
            yield from (f"{column} eq {literal(value)}" for column in self._exact[shape.name])
        elif value.startswith("+"):
            digits = "%".join(tail(value))
            yield from (f"endswith({column},{literal(digits)})" for column in self._phones.get(shape.name, ()))
        else:
            yield from (f"{column} eq {literal(value)}" for column in self._phones.get(shape.name, ()))

    def _key_term(self, shape: Shape, question: Question) -> str:
        column = self._tables.known(shape.name).column(question.column)
        if column.type in ("String", "Memo"):
            return f"{question.column} eq {literal(question.value)}"
        if not question.value.lstrip("-").isdecimal():
            raise Rejected(f"{shape.name}.{question.column} is no column of text, so that is no key of it")
        return f"{question.column} eq {int(question.value)}"

    # --- what comes ----------------------------------------

    def _match(self, shape: Shape, question: Question, told: Told) -> Match | None:
        if question.by == "id":
            ids = (told[shape.id], *told.get(_FORMER, ()))
            return Match(field=shape.id, value=question.value) if question.value in ids else None
        if question.by == "key":
            held = told.get(question.column)
            alike = held is not None and str(held).casefold() == question.value.casefold()
            return Match(field=question.column, value=str(held)) if alike else None
        if shape.live and not _is_live(told):
            return None
        if question.by == "email":
            columns, wanted = self._mails[shape.name], question.value.casefold()
            column = next((name for name in columns if str(told.get(name) or "").strip().casefold() == wanted), None)
        else:
            columns = [*self._exact.get(shape.name, ()), *self._phones.get(shape.name, ())]
            country = _country(told) or self._country
            column = next((name for name in columns if same([told.get(name)], question.value, country)), None)
        return Match(field=column, value=str(told[column])) if column else None

    def _follow_merges(
        self, object: str, found: dict[str, Told], wanted: Sequence[str], asked: Sequence[Question]
    ) -> None:
        """Of a record that was merged into another, the other; it answers for the former id."""
        shape, table = self._shape(object, wanted)
        if not shape.merges:
            return
        for _ in range(MOST_MERGES):
            masters: dict[str, list[str]] = {}
            for id, row in list(found.items()):
                if row.get("merged") and row.get("_masterid_value"):
                    masters.setdefault(row["_masterid_value"], []).extend([id, *row.get(_FORMER, ())])
                    del found[id]
            missing = [master for master in masters if master not in found]
            if not masters:
                return
            options = self._options(shape, table, wanted, asked)
            paths = [f"{shape.set}?{query(**options, filter=f'{shape.id} eq {master}')}" for master in missing]
            for told in self._api.read(paths):
                if isinstance(told, ConnectorError):
                    raise told
                found.update((row[shape.id], row) for row in told["value"])
            for master, former in masters.items():
                if master in found:
                    found[master] = {**found[master], _FORMER: (*found[master].get(_FORMER, ()), *former)}

    # --- who of several ----------------------------------------

    def _with_shared(self, answers: list[list[Record]]) -> list[list[Record]]:
        """Where several share a number: their open cases and their last call, in one more call, as far as there are such."""
        shared = [one.id for records in answers if len(records) > 1 for one in records if one.object in PEOPLE]
        ids = list(dict.fromkeys(shared))[:MOST_SHARED]
        if not ids:
            return answers
        either = {
            name: " or ".join(f"{name} eq {id}" for id in ids)
            for name in ("_customerid_value", "_regardingobjectid_value")
        }
        cases, calls = self._api.read([
            "incidents?" + query(select="_customerid_value", filter=f"statecode eq 0 and ({either['_customerid_value']})"),
            "phonecalls?" + query(select="_regardingobjectid_value,createdon", filter=either["_regardingobjectid_value"],
                                  orderby="createdon desc", top="500"),
        ])  # fmt: skip
        open_cases = [row["_customerid_value"] for row in _values(cases)]
        last: dict[str, str] = {}
        for row in _values(calls):
            last.setdefault(row["_regardingobjectid_value"], row["createdon"])
        counted = not isinstance(cases, ConnectorError)
        return [
            [replace(one, open_cases=open_cases.count(one.id) if counted else None, last_contact_at=moment(last.get(one.id)))
             if one.id in ids else one for one in records]
            if len(records) > 1 else records
            for records in answers
        ]  # fmt: skip


_FORMER = "@former"


def _values(told: Told | ConnectorError) -> Sequence[Told]:
    """The rows; none where the environment has no such table, or we may not read it."""
    return () if isinstance(told, ConnectorError) else told["value"]


def _there(table: Table | None) -> Table:
    if table is None:
        raise Unsupported("no table")
    return table


def _is_live(told: Told) -> bool:
    return not any(told.get(name) for name in HIDDEN[:2])


def _country(told: Told) -> str:
    """The row's own country where it is an ISO code; people write all kinds of things there."""
    code = str(told.get(COUNTRY) or "").strip().upper()
    return code if code in SUPPORTED_REGIONS else ""
