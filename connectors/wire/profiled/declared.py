"""An object as a profile declares it: its fields, what of a raw record means what, and how a record answers a look-up.

Shared by the connectors that are made by configuration alone. `record` is one record as the system gives it, a plain group.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from connectors.wire.numbers import same
from connectors.wire.profiled.pieces import encoded, filled, text
from hub.contract import Piece, Place, Profile
from hub.errors import NotFound, Rejected, Unsupported, nearest
from hub.model import PERSON, Account, Description, Field, FieldType, Lookup, Match, Record

Raw = Mapping[str, Any]
RECORD = ("record",)
LINK = ("id", "search", "fields")
FIELD_WORDS = (
    "type",
    "label",
    "max_length",
    "required",
    "writable",
    "fixed",
    "unique",
    "picklist",
    "retired",
    "refers_to",
)
OBJECT_WORDS: Mapping[str, str] = {
    "label": "what people call it",
    "person": "true: people are kept in it",
    "company": "true: companies are kept in it",
    "id": "the path of a record's id (`record.id`)",
    "key": "the field that carries the hub's key, or a key of your own",
    "title": "what people see of a record",
    "phones": "the paths of its numbers",
    "emails": "the paths of its addresses",
    "country": "the path of the ISO code by which its numbers are read",
    "account": "the company that a person belongs to: `object`, `id`, `title`",
    "owner": "the owning user's e-mail",
    "open_cases": "how many of its cases are open",
    "last_contact_at": "when it was last spoken to",
    "created_at": "when it was made",
    "updated_at": "when it was changed",
    "fields": "its fields, each with its type and limits",
    "links": "addresses for a browser: `open` (id), `search` (text), `new` (fields)",
    "find": "how it is looked up: by `phone`, `email`, `id`, `key`",
    "write": "how it is written",
    "pages": "how it is pulled as a list",
}
_MOMENTS = ("last_contact_at", "created_at", "updated_at")


@dataclass(frozen=True)
class DeclaredObject:
    """One object of a profile."""

    name: str
    label: str
    person: bool
    company: bool
    key: str
    fields: tuple[Field, ...]
    id: Piece
    title: Piece | None
    phones: tuple[tuple[str, Piece], ...]
    emails: tuple[tuple[str, Piece], ...]
    country: Piece | None
    account: tuple[str, Piece, Piece | None] | None
    told: Mapping[str, Piece]
    links: Mapping[str, Piece] = field(default_factory=dict)
    whole: bool = True  # whether `fields` are all that it has

    @property
    def description(self) -> Description:
        """As `describe` gives it."""
        return Description(object=self.name, label=self.label, fields=self.fields)

    def record(self, raw: Raw, match: Match | None = None) -> Record:
        """A record as `find` gives it."""
        facts = {"record": raw}
        id = text(self.id(facts))
        told = {name: piece(facts) for name, piece in self.told.items()}
        account = None
        if self.account is not None and (account_id := self.account[1](facts)) is not None:
            object, _, title = self.account
            account = Account(object=object, id=text(account_id), title=text(title(facts) if title else account_id))
        cases = told.get("open_cases")
        return Record(
            object=self.name,
            id=id,
            title=text((self.title(facts) if self.title else None) or id),
            url=self.link("open", id=id) if "open" in self.links else "",
            match=match,
            account=account,
            owner=None if told.get("owner") is None else text(told["owner"]),
            open_cases=int(cases) if isinstance(cases, int | float) else None,
            fields=dict(raw),
            **{name: moment(told.get(name)) for name in _MOMENTS},
        )

    def row(self, raw: Raw) -> dict[str, Any]:
        """A record as a row of a list pull."""
        return {**raw, "id": text(self.id({"record": raw}))}

    def answers(self, lookup: Lookup, raw: Raw, country: str, *, alone: bool) -> Match | None:
        """Why a raw record is what a look-up asks for; None: it is not. A system's search is a net, and here is compared.

        `alone`: nothing else was asked for, so what an id led to is right: a merged record's id leads to the one left.
        """
        facts, wanted = {"record": raw}, lookup.value.strip()
        if lookup.by == "id":
            return Match(field="id", value=wanted) if alone or text(self.id(facts)) == wanted else None
        if lookup.by == "key":
            name = lookup.key_field or self.key
            return Match(field=name, value=wanted) if text(raw.get(name, "")) == wanted else None
        for name, piece in self.phones if lookup.by == "phone" else self.emails:
            stored = piece(facts)
            for one in stored if isinstance(stored, list) else [stored]:
                if one is not None and self._means(lookup.by, text(one), wanted, facts, country):
                    return Match(field=name, value=text(one))
        return None

    def _means(self, by: str, stored: str, wanted: str, facts: Mapping[str, Any], country: str) -> bool:
        if by == "email":
            return stored.strip().casefold() == wanted.casefold()
        own = self.country(facts) if self.country else None
        return same([stored], wanted, text(own).upper() if own else country)

    def link(self, kind: Literal["open", "search", "new"], **given: Any) -> str:
        """A URL for a browser."""
        if kind not in self.links:
            raise Unsupported(f"the profile has no `{kind}` link for {self.name}")
        return text(self.links[kind](given) or "")


class Declared(Mapping[str, DeclaredObject]):
    """All objects of a profile. `more`: words by which the connector knows further fields of an object."""

    def __init__(self, profile: Profile, words: Mapping[str, Any], more: tuple[str, ...] = ()) -> None:
        self._objects: dict[str, DeclaredObject] = {}
        told = words.get("objects")
        if not isinstance(told, dict) or not told:
            raise profile.error(("objects",), "`objects` is a group of objects by their names")
        for name, value in told.items():
            self._objects[name] = _object(profile, ("objects", name), name, value, more)
        for name, one in self._objects.items():
            if one.account is not None and one.account[0] not in self._objects:
                what = f'there is no object "{one.account[0]}"{nearest(one.account[0], self._objects)}'
                raise profile.error(("objects", name, "account"), what)

    def __getitem__(self, name: str) -> DeclaredObject:
        if name not in self._objects:
            raise NotFound(f'the profile has no object "{name}"{nearest(name, self._objects)}')
        return self._objects[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, name: object) -> bool:
        return name in self._objects

    @property
    def people(self) -> tuple[str, ...]:
        """The objects that hold people and companies, people first."""
        found = [name for name, one in self._objects.items() if one.person]
        return (*found, *(name for name, one in self._objects.items() if one.company and not one.person))

    @property
    def company(self) -> str:
        """The one of them that holds companies."""
        return next((name for name, one in self._objects.items() if one.company), "")

    def asked(self, lookup: Lookup) -> tuple[DeclaredObject, ...]:
        """The objects in which a look-up is made."""
        if lookup.object == PERSON:
            return tuple(self._objects[name] for name in self.people)
        return (self[lookup.object],)


def _object(profile: Profile, at: Place, name: str, value: Any, more: tuple[str, ...]) -> DeclaredObject:
    words = profile.group(at, value, (*OBJECT_WORDS, *more), ("id",))

    def piece(word: str) -> Piece | None:
        return profile.field((*at, word), words[word], RECORD) if word in words else None

    def pieces(word: str) -> tuple[tuple[str, Piece], ...]:
        told = words.get(word, [])
        listed = told if isinstance(told, list) else [told]
        return tuple((str(one), profile.path((*at, word, i), one, RECORD)) for i, one in enumerate(listed))

    links = profile.group((*at, "links"), words.get("links", {}), ("open", "search", "new"))
    id = piece("id")
    assert id is not None
    return DeclaredObject(
        name=name,
        label=str(words.get("label") or name),
        person=words.get("person") is True,
        company=words.get("company") is True,
        key=str(words.get("key") or ""),
        fields=tuple(_fields(profile, (*at, "fields"), words.get("fields", {}), words.get("key"))),
        id=id,
        title=piece("title"),
        phones=pieces("phones"),
        emails=pieces("emails"),
        country=piece("country"),
        account=_account(profile, (*at, "account"), words.get("account")),
        told={word: made for word in ("owner", "open_cases", *_MOMENTS) if (made := piece(word)) is not None},
        whole=not any(word in words for word in more),
        links={kind: filled(profile, (*at, "links", kind), told, LINK, encoded) for kind, told in links.items()},
    )


def _account(profile: Profile, at: Place, value: Any) -> tuple[str, Piece, Piece | None] | None:
    if value is None:
        return None
    words = profile.group(at, value, ("object", "id", "title"), ("object", "id"))
    title = profile.field((*at, "title"), words["title"], RECORD) if "title" in words else None
    return str(words["object"]), profile.field((*at, "id"), words["id"], RECORD), title


def _fields(profile: Profile, at: Place, value: Any, key: Any) -> Iterator[Field]:
    if not isinstance(value, dict):
        raise profile.error(at, "`fields` is a group of fields by their names")
    for name, given in value.items():
        words = profile.group((*at, name), given or {}, FIELD_WORDS)
        kind = words.get("type", "text")
        if kind not in get_args(FieldType):
            raise profile.error(
                (*at, name, "type"), f'there is no type "{kind}"{nearest(str(kind), get_args(FieldType))}'
            )
        listed = {word: tuple(str(one) for one in words.get(word, ())) for word in ("picklist", "retired", "refers_to")}
        told: dict[str, Any] = {word: words[word] for word in FIELD_WORDS if word in words} | listed
        yield Field(**{"label": name, "unique": name == key, **told, "name": name})


def checked_fields(one: DeclaredObject, fields: Mapping[str, Any]) -> None:
    """Refuse what the object does not have. Raises Rejected. An object that declares no fields takes any."""
    known = {field.name for field in one.fields}
    strange = {name: f'{one.name} has no field "{name}"{nearest(name, known)}' for name in fields if name not in known}
    if known and strange and one.whole:
        raise Rejected("; ".join(strange.values()), strange)


def moment(value: Any) -> dt.datetime | None:
    """A moment that a record tells: ISO 8601 (UTC where it names no zone), or seconds since 1970."""
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    try:
        read = dt.datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
    return read if read is None or read.tzinfo else read.replace(tzinfo=dt.UTC)


def by_object(declared: Declared, lookups: Sequence[Lookup]) -> dict[tuple[str, str], list[int]]:
    """The places of the look-ups, by (object, by): each is one kind of question."""
    kinds: dict[tuple[str, str], list[int]] = {}
    for place, lookup in enumerate(lookups):
        for one in declared.asked(lookup):
            kinds.setdefault((one.name, lookup.by), []).append(place)
    return kinds
