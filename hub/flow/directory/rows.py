"""A row of a directory's pull, read: by what the record is known, and what a screen pop needs of it. Pure.

A row is kept even where nothing of it can be read as a number: it may be named by its id or be another one's account.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from hub.clock import to_ms
from hub.flow.lists.members import NOWHERE
from hub.language.converters import Problem, Unfit, instant, text_of
from hub.language.directory import SCOPE, DirectoryExample, DirectoryObject
from hub.language.fields import FieldPlan, cut
from hub.language.paths import Facts, Getter, Path
from hub.phone import e164

KEY = "key:"  # before what attached data may name; no number and no plain address begins so
LONGEST = 320  # characters of an identifier; what is longer is none
TITLE = 255

_ENCODER = msgspec.json.Encoder()
_SURROGATE = re.compile("[\ud800-\udfff]")


class Known(Struct, frozen=True, array_like=True):
    """One identifier of a record: as it is looked up, the field that holds it, and what is written there."""

    value: str
    field: str
    written: str


class Entry(Struct, frozen=True, omit_defaults=True):
    """What is kept of one record. Moments are milliseconds; `account` is (object, id, title), empty where not told."""

    title: str
    known: tuple[Known, ...] = ()
    account: tuple[str, str, str] | None = None
    owner: str | None = None
    open_cases: int | None = None
    last_contact: int | None = None
    created: int | None = None
    updated: int | None = None
    fields: dict[str, Any] = {}


class ReadRow(Struct, frozen=True):
    """One row, read. `values` are the identifiers that find it; `unusable` says how many numbers are none."""

    id: str
    body: str
    values: tuple[str, ...]
    unusable: int = 0


class Unreadable(ValueError):
    """A row that cannot be kept; the message says why, without its values."""


class RowReader:
    """Reads the rows of one object. `country` is the hub's own."""

    def __init__(self, declared: DirectoryObject, country: str) -> None:
        self._declared, self._country = declared, country
        self._phones, self._emails = (
            tuple(_field_name(path) for path in paths) for paths in (declared.phones, declared.emails)
        )
        self._keys = tuple((_field_name(path), path.get) for path in declared.keys)
        # A country is kept as it is written: click-to-dial reads numbers by it.
        own = (SCOPE.path(declared.country.text),) if isinstance(declared.country, Path) else ()
        kept = (*declared.phones, *declared.emails, *own, *declared.fields)
        self._fields = tuple({_field_name(path): path.get for path in kept}.items())
        self._title = _maker(declared.title)
        self._plans = tuple((name, _maker(plan)) for name, plan in declared.plans.items())

    def read(self, row: Mapping[str, Any]) -> ReadRow:
        """The row as it is kept. Raises Unreadable."""
        entry, unusable = self.entry(row)
        try:
            body = _ENCODER.encode(entry).decode()
        except UnicodeEncodeError:  # half of a surrogate pair: no store takes it
            raise Unreadable("it holds text that is no Unicode") from None
        id = str(row["id"])
        if not is_storable(id):
            raise Unreadable("its id holds what no store can keep")
        return ReadRow(id, body, tuple([known.value for known in entry.known]), unusable)

    def entry(self, row: Mapping[str, Any]) -> tuple[Entry, int]:
        """What is kept of the row, and how many of its numbers are none. Raises Unreadable."""
        try:
            told = msgspec.to_builtins(row)
            facts = {"row": told}
            kept = {name: value for name, get in self._fields if (value := get(facts)) is not None}
            known, unusable = self._known(facts, kept)
            title = self._title(facts)
            given = {name: make(facts) for name, make in self._plans}
            entry = Entry(
                title=str(told["id"]) if title is None else text_of(title)[:TITLE],
                known=known,
                account=self._account(given),
                owner=_text(given.get("owner")),
                open_cases=_count(given.get("open_cases")),
                last_contact=self._moment(given.get("last_contact")),
                created=self._moment(given.get("created")),
                updated=self._moment(given.get("updated")),
                fields=kept,
            )
        except Problem as problem:
            raise Unreadable(str(problem)) from None
        except Exception as broke:  # noqa: BLE001  (somebody's declaration: it must not stop the other rows)
            raise Unreadable(f"the declaration broke: {type(broke).__name__}") from None
        return entry, unusable

    def _known(self, facts: dict[str, Any], kept: Mapping[str, Any]) -> tuple[tuple[Known, ...], int]:
        found: dict[str, Known] = {}
        unusable, country = 0, None
        for name in self._phones:
            written = kept.get(name)
            if written is None:
                continue
            country = self._country_of(facts) if country is None else country
            number = e164(str(written), country)
            if number is None:
                unusable += 1
            elif number not in found:
                found[number] = Known(number, name, str(written)[:LONGEST])
        for name in self._emails:
            written = kept.get(name)
            if type(written) is str and (address := folded(written)) and address not in found:
                found[address] = Known(address, name, written[:LONGEST])
        for name, get in self._keys:
            written = get(facts)
            if written is not None and (word := str(written).strip()) and len(word) <= LONGEST:
                found.setdefault(KEY + word, Known(KEY + word, name, word))
        return tuple([one for value, one in found.items() if is_storable(value)]), unusable

    def _country_of(self, facts: dict[str, Any]) -> str:
        """The row's own country, else the hub's. One that is no ISO code gives none at all: better no number than one read
        by the rules of the wrong country."""
        declared = self._declared.country
        try:
            said = declared if isinstance(declared, str) else declared(facts) if declared is not None else None
        except Unfit:
            return NOWHERE
        return said or self._country

    def _account(self, given: Mapping[str, Any]) -> tuple[str, str, str] | None:
        held = _text(given.get("account_id"))
        return None if held is None else (self._declared.account_object, held, _text(given.get("account_title")) or "")

    def _moment(self, value: Any) -> int | None:
        return None if value is None else to_ms(instant(value, self._declared.zone))


def read_rows(reader: RowReader, rows: Iterable[Mapping[str, Any]]) -> tuple[dict[str, ReadRow], dict[str, str]]:
    """The rows that can be kept, by id, and why others cannot."""
    kept: dict[str, ReadRow] = {}
    refused: dict[str, str] = {}
    for row in rows:
        id = str(row["id"])
        try:
            kept[id] = reader.read(row)
            refused.pop(id, None)
        except Unreadable as problem:
            kept.pop(id, None)
            refused[storable(id)] = str(problem)
    return kept, refused


def is_storable(text: str) -> bool:
    """Whether every store takes `text`: no NUL, and no half of a surrogate pair."""
    return "\0" not in text and (text.isascii() or not _SURROGATE.search(text))


def storable(text: str) -> str:
    """`text` with what no store takes spelled out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def folded(address: str) -> str:
    """An e-mail address as it is looked up; empty where it is none."""
    plain = address.strip().lower()
    name, at, host = plain.rpartition("@")
    is_one = name and at and host and len(plain) <= LONGEST and len(plain.split()) == 1
    return plain if is_one else ""


def run_directory_examples(objects: Iterable[DirectoryObject], country: str) -> list[tuple[DirectoryExample, str]]:
    """Every example, and what is wrong with what came of it: empty where all is as expected."""
    return [(one, _differences(RowReader(each, country), one)) for each in objects for one in each.examples]


def _differences(reader: RowReader, example: DirectoryExample) -> str:
    try:
        entry, _ = reader.entry({"id": "1", **example.given})
    except Unreadable as problem:
        return str(problem)
    values = [known.value for known in entry.known]
    came = {
        "title": entry.title,
        "phones": [value for value in values if value.startswith("+")],
        "emails": [value for value in values if "@" in value and not value.startswith(KEY)],
        "keys": [value.removeprefix(KEY) for value in values if value.startswith(KEY)],
        "account": entry.account and entry.account[1],
        "owner": entry.owner,
        "open_cases": entry.open_cases,
        "fields": entry.fields,
    }
    return "; ".join(
        f"{word} is {came[word]!r}, not {wanted!r}" for word, wanted in example.expect.items() if came[word] != wanted
    )


def _field_name(path: Path) -> str:
    return path.text.partition(".")[2] or path.text


def _maker(plan: FieldPlan) -> Getter:
    run, most = plan.run, plan.max
    if most is None:
        return run

    def made(facts: Facts) -> Any:
        value = run(facts)
        return cut(value, most) if type(value) is str and len(value) > most else value

    return made


def _text(value: Any) -> str | None:
    return None if value is None else text_of(value)


def _count(value: Any) -> int | None:
    if value is None or (type(value) is int and value >= 0):
        return value
    raise Unfit(value, "a number of cases")
