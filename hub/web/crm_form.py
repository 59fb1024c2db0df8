"""The form of a CRM record: from its declared fields to inputs, and from what was typed back to values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub.model import Field
from hub.store.crm import CrmObject

YES_NO = {"yes": True, "no": False}
_FIRST = ("first_name", "last_name", "name", "subject")  # what a form begins with; keys come last
_HINTS = {
    "phone": "As you would write it; the country tells how it is read.",
    "reference": "The record's id, such as {prefix}1001, or its key.",
    "url": "Begins with https:// or http://",
}


@dataclass(frozen=True)
class Input:
    """One input of a form: its field, what stands in it, and what is wrong with that."""

    field: Field
    value: str
    problem: str = ""
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()  # value and label

    @property
    def wide(self) -> bool:
        """Whether it takes the form's full width."""
        return self.field.type in ("longtext", "url")


def inputs(
    crm_object: CrmObject,
    texts: Mapping[str, str],
    problems: Mapping[str, str] | None = None,
    prefixes: Mapping[str, str] | None = None,
    *,
    new: bool,
) -> list[Input]:
    """The inputs of a form in which `texts` stand."""
    fields = _asked(crm_object, new=new)
    fields.sort(key=lambda f: _FIRST.index(f.name) if f.name in _FIRST else len(_FIRST) + (f.name == crm_object.key))
    wrong, named = problems or {}, prefixes or {}
    return [
        Input(
            field=f,
            value=texts.get(f.name, ""),
            problem=wrong.get(f.name, ""),
            hint=_hint(crm_object, f, named),
            choices=_choices(crm_object, f),
        )
        for f in fields
    ]


def texts_of(crm_object: CrmObject, kept: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    """A record's fields as they stand in the form."""
    return {f.name: _text(f, kept.get(f.name), zone) for f in crm_object.fields if f.writable}


def typed(
    crm_object: CrmObject, sent: Mapping[str, str], stood: Mapping[str, str], zone: ZoneInfo, *, new: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """What a person changed against what `stood` in the form, as values; and what cannot be read, by field."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for f in _asked(crm_object, new=new):
        if f.name not in sent:
            continue
        text = sent[f.name].replace("\r\n", "\n")
        text = text if f.type == "longtext" else text.strip()
        if text == stood.get(f.name, "").replace("\r\n", "\n"):
            continue
        try:
            values[f.name] = _value(f, text, zone)
        except ValueError as wrong:
            problems[f.name] = str(wrong)
    return values, problems


def prefilled(crm_object: CrmObject, query: Mapping[str, str]) -> dict[str, str]:
    """What a link filled in, by field. A whole `name` is parted where the object has first and last names."""
    texts = {f.name: query[f.name] for f in crm_object.fields if f.writable and query.get(f.name)}
    whole = " ".join(query.get("name", "").split())
    if whole and "last_name" in crm_object.by_name and "last_name" not in texts:
        first, _, last = whole.rpartition(" ")
        texts |= {"last_name": last} | ({"first_name": first} if first and "first_name" not in texts else {})
    return texts


def _asked(crm_object: CrmObject, *, new: bool) -> list[Field]:
    """The fields that a form asks for. An existing record's key is not for people to change."""
    return [f for f in crm_object.fields if f.writable and (new or f.name != crm_object.key)]


def _text(field: Field, value: Any, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    if field.type == "boolean":
        return "yes" if value else "no"
    if field.type == "datetime":
        return datetime.fromisoformat(value).astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")
    return str(value)


def _value(field: Field, text: str, zone: ZoneInfo) -> Any:
    if not text:
        return None
    if field.type == "boolean":
        if text not in YES_NO:
            raise ValueError("is neither yes nor no")
        return YES_NO[text]
    if field.type == "integer":
        try:
            return int(text)
        except ValueError:
            raise ValueError("is no whole number") from None
    if field.type == "datetime":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("is no date and time such as 2026-11-23 10:05") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return text


def _hint(crm_object: CrmObject, field: Field, prefixes: Mapping[str, str]) -> str:
    if field.name == "country":
        return "Two letters, such as ES."
    if field.name == "consent":
        return "Unknown means no."
    if field.name == crm_object.key:
        return "Another system's key. Left empty, it is the record's id."
    if field.type == "reference":
        return _HINTS["reference"].format(prefix=prefixes.get(field.refers_to[0], ""))
    return _HINTS.get(field.type, "")


def _choices(crm_object: CrmObject, field: Field) -> tuple[tuple[str, str], ...]:
    none = (
        ()
        if crm_object.defaults.get(field.name) is not None
        else (("", "Unknown" if field.type == "boolean" else "—"),)
    )
    if field.type == "boolean":
        return (*none, ("no", "No"), ("yes", "Yes"))
    if field.type == "picklist":
        return (*none, *((word, word.replace("_", " ").capitalize()) for word in field.picklist))
    return ()
