"""The customer directory's declaration: config/directory.yaml, read and checked.

For each connection it says which objects are pulled into the hub's own store and when, which of a row's fields are numbers,
addresses and what a screen pop shows, and on which roads the directory may answer instead of the CRM.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hub.errors import ConfigError, nearest
from hub.language.fields import FieldPlan, Place, compile_field
from hub.language.paths import FREE, Path, Scope
from hub.language.source import cron_of
from hub.language.words import At, country_of, group, path_at, right_word, seconds_of, text_at, zone_named
from hub.language.yaml_source import Document, read_yaml

Policy = Literal["live", "first", "fallback", "only"]
Road = Literal["screen_pop", "dial", "resolve"]

POLICIES: dict[Policy, str] = {
    "live": "the CRM is asked, always",
    "first": "the directory answers where it knows and is fresh enough, else the CRM; where that is silent, the directory",
    "fallback": "the CRM is asked; where it is silent or fails, the directory answers",
    "only": "the directory answers; the CRM is never asked",
}
USUAL: dict[Road, Policy] = {"screen_pop": "first", "dial": "live", "resolve": "live"}
CONNECTION_WORDS = {
    "screen_pop": "who answers a screen pop: first (if nothing is said), fallback, only or live",
    "dial": "who says whose number is clicked and whether it may be called: live (if nothing is said), first, fallback or "
    "only",
    "resolve": "who answers the `resolve` of mappings: live (if nothing is said), first, fallback or only",
    "max_age": "with first: from this age on the CRM is asked, if it answers (1 hour)",
    "objects": "what is pulled, by the object's name in the CRM",
}
OBJECT_WORDS = {
    "where": "what the connection has to filter by, as in a contact list",
    "every": "how often what changed is pulled: `5 minutes`",
    "cron": "when it is pulled, as minute, hour, day, month, weekday (mon-sun)",
    "full_every": "how often all of it is read again, so that what has left without a word is seen: `1 day`",
    "page": "how many rows a page has (2000)",
    "phones": "the paths of the numbers",
    "emails": "the paths of the e-mail addresses",
    "keys": "the paths of what attached data may name the record by, beside its id",
    "country": "the ISO code, or the path of one, by which its numbers are read",
    "title": "the name of the record, as a field of a mapping",
    "account": "the company that it belongs to: { object: account, id: row.account, title: row.company }",
    "owner": "the owning user's e-mail address",
    "open_cases": "how many open cases it has",
    "last_contact": "when it was in contact last",
    "created": "when it was made",
    "updated": "when it was changed",
    "fields": "further fields to keep, such as whether it may be called",
    "examples": "a row and what has to come of it: `given`, `expect`",
}
ACCOUNT_WORDS = ("object", "id", "title")
EXPECT_WORDS = ("title", "phones", "emails", "keys", "account", "owner", "open_cases", "fields")
# What rules of the screen pop's decision table ask of a record, and the word that keeps it here.
RULE_FACTS = {"owner": "owner", "open_case": "open_cases", "last_contact": "last_contact"}
NOT_CONTENT = ("every", "cron", "full_every", "page", "examples")  # may change without another first load
PAGE = 2000
MOST_ROWS = 50_000

SCOPE = Scope({"row": FREE})


@dataclass(frozen=True)
class DirectoryExample:
    """A row as the CRM gives it, and what has to come of it."""

    about: str
    given: dict[str, Any]
    expect: dict[str, Any]
    line: int


@dataclass(frozen=True)
class DirectoryObject:
    """One object of one connection. `version` is another one when what is kept of a row is: then all is loaded again."""

    connection: str
    object: str
    where: dict[str, Any]
    every_seconds: float | None
    cron: str | None
    full_every_seconds: float | None
    page: int
    phones: tuple[Path, ...]
    emails: tuple[Path, ...]
    keys: tuple[Path, ...]
    country: Path | str | None
    title: FieldPlan
    plans: Mapping[str, FieldPlan]  # account_id, account_title, owner, open_cases, last_contact, created, updated
    account_object: str
    fields: tuple[Path, ...]
    examples: tuple[DirectoryExample, ...]
    version: int
    zone: ZoneInfo

    @property
    def name(self) -> str:
        """What its runs and ticks are called; no mapping is, for the space."""
        return f"directory {self.connection}/{self.object}"

    def keeps(self, fields: Iterable[str]) -> bool:
        """Whether it keeps all these fields of a record."""
        kept = {path.text.partition(".")[2] for path in (*self.phones, *self.emails, *self.fields)}
        return kept.issuperset(fields)

    @property
    def facts(self) -> frozenset[str]:
        """The rules of the decision table whose question it can answer."""
        return frozenset(rule for rule, word in RULE_FACTS.items() if word in self.plans)


@dataclass(frozen=True)
class DirectoryConnection:
    """What is declared for one connection."""

    name: str
    policies: Mapping[Road, Policy]
    max_age_seconds: float
    objects: Mapping[str, DirectoryObject]


@dataclass(frozen=True)
class DirectoryPlan:
    """config/directory.yaml, checked. Empty where there is none."""

    connections: Mapping[str, DirectoryConnection] = field(default_factory=dict)
    file: str = ""

    @property
    def objects(self) -> dict[str, DirectoryObject]:
        """All objects by the names of their runs."""
        return {one.name: one for connection in self.connections.values() for one in connection.objects.values()}

    def policy(self, connection: str, road: Road) -> Policy:
        """Who answers for `connection` on `road`."""
        declared = self.connections.get(connection)
        return "live" if declared is None else declared.policies[road]


def read_directory(file: File, connections: Iterable[str], *, country: str, zone: str) -> DirectoryPlan:
    """The declaration in `file`; `connections` are the names of all that are configured, `country` and `zone` the hub's
    own. Raises ConfigError with file, line and the nearest right name."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("cannot be read as UTF-8 text", file=str(file)) from None
    return _Reader(read_yaml(text, str(file)), tuple(connections), country, zone_named(zone) or ZoneInfo("UTC")).plan()


class _Reader:
    def __init__(self, doc: Document, known: tuple[str, ...], country: str, zone: ZoneInfo) -> None:
        self._doc, self._known, self._country, self._zone = doc, known, country, zone
        self._place = Place(SCOPE, zone, country)

    def plan(self) -> DirectoryPlan:
        top = group(self._doc, (), self._doc.value or {}, ("connections",), ("connections",))
        declared = top["connections"]
        if not isinstance(declared, dict):
            raise self._doc.error(
                ("connections",), "connections is a group: a connection's name to what is declared for it"
            )
        for name in declared:
            if name not in self._known:
                right = right_word(name, self._known) if self._known else ""
                raise self._doc.error(("connections", name), f'there is no connection "{name}"{right}')
        return DirectoryPlan({name: self._connection(name, value) for name, value in declared.items()}, self._doc.file)

    def _connection(self, name: str, value: Any) -> DirectoryConnection:
        at: At = ("connections", name)
        group(self._doc, at, value, tuple(CONNECTION_WORDS), ("objects",))
        policies: dict[Road, Policy] = {}
        for road, usual in USUAL.items():
            said = value.get(road, usual)
            if said not in POLICIES:
                raise self._doc.error((*at, road), f'{road}: "{said}" is not known here{right_word(said, POLICIES)}')
            policies[road] = said
        objects = value["objects"]
        if not isinstance(objects, dict) or not objects:
            raise self._doc.error((*at, "objects"), "objects is a group: an object's name to how its rows are read")
        return DirectoryConnection(
            name,
            policies,
            seconds_of(self._doc, (*at, "max_age"), value["max_age"]) if "max_age" in value else 3600.0,
            {word: self._object(name, word, told) for word, told in objects.items()},
        )

    def _object(self, connection: str, name: str, value: Any) -> DirectoryObject:
        doc, at = self._doc, ("connections", connection, "objects", name)
        group(doc, at, value, tuple(OBJECT_WORDS), ("title",))
        if not any(value.get(word) for word in ("phones", "emails", "keys")):
            raise doc.error(
                at, f"{name} has neither `phones` nor `emails` nor `keys`: nobody would ever be found by it"
            )
        if "every" in value and "cron" in value:
            raise doc.error((*at, "cron"), "`every` or `cron`, not both")
        where = value.get("where", {})
        if not isinstance(where, dict):
            raise doc.error((*at, "where"), "`where` is a group such as { active: true }")
        page = value.get("page", PAGE)
        if type(page) is not int or not 1 <= page <= MOST_ROWS:
            raise doc.error((*at, "page"), f"`page` is a number of rows from 1 to {MOST_ROWS}")
        account = value.get("account")
        if account is not None:
            group(doc, (*at, "account"), account, ACCOUNT_WORDS, ("id",))

        def seconds(word: str) -> float | None:
            return seconds_of(doc, (*at, word), value[word]) if word in value else None

        plans = {
            word: compile_field(doc, (*at, word), value[word], self._place)
            for word in (*RULE_FACTS.values(), "created", "updated")
            if word in value
        }
        for part in ("id", "title"):
            if account is not None and part in account:
                plans[f"account_{part}"] = compile_field(doc, (*at, "account", part), account[part], self._place)
        where_object = account.get("object", "") if account is not None else ""
        return DirectoryObject(
            connection=connection,
            object=name,
            where=where,
            every_seconds=seconds("every"),
            cron=cron_of(doc, (*at, "cron"), value["cron"]) if "cron" in value else None,
            full_every_seconds=seconds("full_every"),
            page=page,
            phones=self._paths((*at, "phones"), value.get("phones")),
            emails=self._paths((*at, "emails"), value.get("emails")),
            keys=self._paths((*at, "keys"), value.get("keys")),
            country=country_of(doc, (*at, "country"), value["country"], SCOPE) if "country" in value else None,
            title=compile_field(doc, (*at, "title"), value["title"], self._place),
            plans=plans,
            account_object=text_at(doc, (*at, "account", "object"), where_object, "`object`") if where_object else "",
            fields=self._paths((*at, "fields"), value.get("fields")),
            examples=self._examples((*at, "examples"), value.get("examples")),
            version=self._version(value),
            zone=self._zone,
        )

    def _paths(self, at: At, value: Any) -> tuple[Path, ...]:
        if value is None:
            return ()
        listed = value if isinstance(value, list) else [value]
        return tuple(path_at(self._doc, (*at, place), one, SCOPE) for place, one in enumerate(listed))

    def _version(self, value: dict[str, Any]) -> int:
        content = {word: told for word, told in value.items() if word not in NOT_CONTENT}
        return zlib.crc32(json.dumps([self._country, content], sort_keys=True).encode()) & 0x7FFFFFFF

    def _examples(self, at: At, value: Any) -> tuple[DirectoryExample, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self._doc.error(at, "examples is a list")
        return tuple(self._example((*at, place), one) for place, one in enumerate(value))

    def _example(self, at: At, value: Any) -> DirectoryExample:
        group(self._doc, at, value, ("about", "given", "expect"), ("about", "given", "expect"))
        for word in ("given", "expect"):
            if not isinstance(value[word], dict):
                raise self._doc.error((*at, word), f"`{word}` is a group")
        for word in value["expect"]:
            if word not in EXPECT_WORDS:
                right = nearest(word, EXPECT_WORDS) or f" (known here: {', '.join(EXPECT_WORDS)})"
                raise self._doc.error((*at, "expect", word), f'nothing called "{word}" comes of a row{right}')
        about = text_at(self._doc, (*at, "about"), value["about"], "`about`")
        return DirectoryExample(about, value["given"], value["expect"], self._doc.line(at))
