"""`resolve`: names that stand for the one CRM record found, and what is done where several match."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec.structs import replace

from hub import phone
from hub.language.converters import Unfit, text_of
from hub.language.paths import EVENT_SCOPE, LIST_SCOPE, Facts, Path, Scope
from hub.language.words import At, country_of, group, name_of, path_at, right_word, text_at
from hub.language.yaml_source import Document
from hub.model import Lookup, LookupBy, Record

MANY = {
    "none": "no record is taken, and a note says so",
    "newest": "the record that was made last",
    "oldest": "the record that was made first",
    "first": "`{ first: [contact, lead] }`: of the first of these objects that has one, when it has just one",
    "refuse": "the row parks",
}
BY = {
    "id": "the record's own id; from `clicked.id` only where the click was in the target's own CRM",
    "key": "a unique field: `key: { field: Customer_No__c, from: customer.crm_key }`, or a path for the object's own key",
    "phone": "a number, in E.164 where it can be read; a withheld one and an extension ask nothing",
    "email": "a mail address",
}

_RESERVED = frozenset(["any", "all", "not"]) | set(EVENT_SCOPE.roots) | set(LIST_SCOPE.roots)


@dataclass(frozen=True)
class Policy:
    """What is done where several records match; `objects` is the order of `first`."""

    kind: Literal["none", "newest", "oldest", "first", "refuse"] = "none"
    objects: tuple[str, ...] = ()


@dataclass(slots=True)
class Choice:
    """The record that was chosen. Where none was although there were some, `ambiguous` says why."""

    record: Record | None
    ambiguous: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Resolve:
    """A name that stands for the record found. `by` is in order of preference: (by, path)."""

    name: str
    object: str
    by: tuple[tuple[LookupBy, str], ...]
    many: Policy
    asks: tuple[Callable[[Facts], Lookup | None], ...] = field(repr=False)
    fields: tuple[str, ...] = ()  # the CRM's own fields that the mapping reads of the record

    def lookups(self, facts: Facts) -> list[Lookup]:
        """What to ask the CRM, in order of preference; nothing where no identifier is there."""
        asked: list[Lookup] = []
        for ask in self.asks:
            lookup = ask(facts)
            if lookup is not None and self.fields:
                lookup = replace(lookup, fields=self.fields)
            if lookup is not None and lookup not in asked:
                asked.append(lookup)
        return asked


def choose_one(records: Sequence[Record], policy: Policy) -> Choice:
    """The one record that a name stands for, by the policy for many."""
    if len(records) == 1:
        return Choice(records[0])
    different = list({(record.object, record.id): record for record in records}.values())
    if policy.kind == "first" and len(different) > 1:
        preferred = _of_first(different, policy.objects)
        if not preferred:
            return Choice(None, f"{len(different)} records match, and none is of {', '.join(policy.objects)}")
        different = preferred
    if len(different) <= 1:
        return Choice(different[0] if different else None)
    if policy.kind in ("newest", "oldest"):
        return _by_age(different, policy.kind)
    return Choice(None, f"{len(different)} records match", refused=policy.kind == "refuse")


def record_facts(record: Record) -> dict[str, Any]:
    """A record as paths see it: the CRM's own fields, and over them what every record has."""
    facts: dict[str, Any] = {**record.fields, "id": record.id, "title": record.title, "object": record.object}
    facts["url"] = record.url
    if record.account is not None:
        account = record.account
        facts["account"] = {"id": account.id, "title": account.title, "object": account.object}
    for name in ("owner", "open_cases"):
        if (value := getattr(record, name)) is not None:
            facts[name] = value
    for name in ("last_contact_at", "created_at", "updated_at"):
        if (moment := getattr(record, name)) is not None:
            facts[name] = moment.isoformat()
    return facts


def _of_first(records: list[Record], objects: tuple[str, ...]) -> list[Record]:
    for wanted in objects:
        if found := [record for record in records if record.object.lower() == wanted.lower()]:
            return found
    return []


def _by_age(records: list[Record], which: str) -> Choice:
    dated = [(record.created_at or record.updated_at, record) for record in records]
    if any(moment is None for moment, _ in dated):
        return Choice(None, f"{len(records)} records match, and not all say when they were made")
    moments = [moment for moment, _ in dated if moment is not None]
    best = max(moments) if which == "newest" else min(moments)
    chosen = [record for moment, record in dated if moment == best]
    if len(chosen) > 1:
        return Choice(None, f"{len(chosen)} of {len(records)} records that match are the {which}")
    return Choice(chosen[0])


# --- compiling ----------------------------------------


def compile_resolve(doc: Document, value: Any, scope: Scope, connection: str, country: str) -> tuple[Resolve, ...]:
    """Everything under `resolve`. `connection` is the target's, `country` how its national numbers are read."""
    at: At = ("resolve",)
    if not isinstance(value, dict):
        raise doc.error(
            at, "`resolve` is a group of names, such as caller: { find: contact, by: { phone: customer.phone } }"
        )
    resolved = []
    for name, words in value.items():
        here = (*at, name)
        name_of(doc, here, name, "a resolved name")
        if name in _RESERVED:
            raise doc.error(here, f'"{name}" has a meaning of its own; choose another name, such as caller')
        group(doc, here, words, ("find", "by", "many"), ("find", "by"))
        target = text_at(doc, (*here, "find"), words["find"], "`find`")
        by, asks = _by(doc, (*here, "by"), words["by"], target, scope, connection, country)
        resolved.append(Resolve(name, target, by, _many(doc, (*here, "many"), words.get("many", "none")), asks))
    return tuple(resolved)


def _by(
    doc: Document, at: At, value: Any, target: str, scope: Scope, connection: str, country: str
) -> tuple[tuple[tuple[LookupBy, str], ...], tuple[Callable[[Facts], Lookup | None], ...]]:
    listed = value if isinstance(value, list) else [value]
    by: list[tuple[LookupBy, str]] = []
    asks = []
    for i, one in enumerate(listed):
        here = (*at, i) if isinstance(value, list) else at
        if not isinstance(one, dict) or len(one) != 1:
            raise doc.error(
                here, "one way to look up, such as { phone: customer.phone }; several are a list, best first"
            )
        ((kind, what),) = one.items()
        if kind not in BY:
            raise doc.error(
                (*here, kind),
                f'there is no look-up by "{kind}"{right_word(kind, BY)}',
            )
        words = what if isinstance(what, dict) else {"from": what}
        extra = {"key": ("field",), "phone": ("country",)}.get(kind, ())
        group(doc, (*here, kind), words, ("from", *extra), ("from",))
        paths = _paths(doc, (*here, kind), words["from"], scope)
        national: Path | str = country
        if "country" in words:
            national = country_of(doc, (*here, kind, "country"), words["country"], scope)
        field_name = words.get("field", "")
        if not isinstance(field_name, str):
            raise doc.error((*here, kind, "field"), "`field` is the unique field's name")
        by.extend((kind, path.text) for path in paths)
        asks.append(_ask(kind, target, paths, field_name, connection, national, country))
    if not asks:
        raise doc.error(at, "nothing to look up by")
    return tuple(by), tuple(asks)


def _paths(doc: Document, at: At, value: Any, scope: Scope) -> list[Path]:
    if isinstance(value, list) and value:
        return [path_at(doc, at, one, scope) for one in value]
    return [path_at(doc, at, value, scope)]


def _ask(
    kind: LookupBy,
    target: str,
    paths: Sequence[Path],
    key_field: str,
    connection: str,
    country: Path | str,
    default: str,
) -> Callable[[Facts], Lookup | None]:
    clicked = kind == "id" and any(path.root == "clicked" for path in paths)

    def ask(facts: Facts) -> Lookup | None:
        value = next((found for path in paths if (found := path(facts)) is not None), None)
        if value is None or type(value) in (dict, list):
            return None
        text = text_of(value).strip()
        if clicked:
            return _of_click(facts["clicked"], text, target, connection)
        if kind == "phone":
            read = _number(text, country if isinstance(country, str) else _known(country, facts) or default)
            return Lookup(target, "phone", read) if read else None
        if kind == "email":
            return Lookup(target, "email", text.lower()) if "@" in text else None
        return Lookup(target, kind, text, key_field) if text else None

    return ask


def _of_click(clicked: dict[str, Any], record: str, target: str, connection: str) -> Lookup | None:
    if clicked.get("connection") != connection:
        return None  # a record of another CRM: its id means nothing here, or worse, somebody else
    clicked_object = str(clicked.get("object") or "")
    if target != "person" and clicked_object.lower() != target.lower():
        return None
    return Lookup(clicked_object, "id", record)


def _number(text: str, country: str) -> str:
    if phone.is_withheld(text) or phone.is_extension(text):
        return ""
    return phone.e164(text, country) or text


def _known(country: Path, facts: Facts) -> str | None:
    try:
        return country(facts)  # type: ignore[no-any-return]
    except Unfit:
        return None  # a look-up asks with what it has; a field that is written is the place to be strict


def _many(doc: Document, at: At, value: Any) -> Policy:
    if isinstance(value, dict) and list(value) == ["first"]:
        objects = value["first"]
        if not isinstance(objects, list) or not objects or not all(isinstance(one, str) for one in objects):
            raise doc.error(at, "`first` is a list of objects in order, such as [contact, lead, account]")
        return Policy("first", tuple(objects))
    if value == "none" or value == "newest" or value == "oldest" or value == "refuse":
        return Policy(value)
    raise doc.error(at, f'there is no policy "{value}"{right_word(value, MANY)}')
