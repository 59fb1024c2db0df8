"""Tryton's field types and the hub's: one table for `describe`, one for the values that are written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.crm.tryton.records import CONTACTS, NOTE, OPPORTUNITY, OWN_KEY, PARTY
from hub.errors import Rejected
from hub.model import Description, Field, FieldType

TYPES: Mapping[str, FieldType] = {
    "char": "text",
    "text": "longtext",
    "fulltext": "longtext",
    "integer": "integer",
    "float": "decimal",
    "numeric": "decimal",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "timestamp": "datetime",
    "selection": "picklist",
    "many2one": "reference",
    "one2one": "reference",
    "reference": "reference",
}
LABELS = {PARTY: "Party", OPPORTUNITY: "Sale opportunity", NOTE: "Note"}
_CONTACT_TYPES: Mapping[str, FieldType] = {"email": "email", "website": "url"}
# A note is written by what it is about; Tryton itself has one reference for it. Its key is in its last line; the three
# names are three series of keys, so that two mappings can each write a note of the same call.
_NOTE_FIELDS = (
    *(Field(name=name, label="Key", unique=True, writable=False) for name in ("key", "party_key", "opportunity_key")),
    Field(name="party", label="Party", type="reference", refers_to=(PARTY,)),
    Field(name="opportunity", label="Sale opportunity", type="reference", refers_to=(OPPORTUNITY,)),
)
# What is described and is no field of Tryton's own table: it is read another way.
VIRTUAL: Mapping[str, frozenset[str]] = {
    PARTY: frozenset(CONTACTS),
    OPPORTUNITY: frozenset(),
    NOTE: frozenset(field.name for field in _NOTE_FIELDS),
}
# Written by pressing Tryton's buttons, so that its workflow decides.
BUTTONS: Mapping[str, Mapping[str, str]] = {
    OPPORTUNITY: {"lead": "lead", "opportunity": "opportunity", "lost": "lost", "cancelled": "cancel"}
}

FIRST_STATE = "lead"  # that of a new opportunity


def description(
    object: str,
    fields: Mapping[str, Mapping[str, Any]],
    defaults: Mapping[str, Any],
    access: Mapping[str, Any],
) -> Description:
    """`fields_get`, `default_get` and `get_access` in the hub's words. Lists of records (one2many, many2many) are left out:
    no mapping writes them. What Tryton fills in by itself is not required. A note is changed by making it anew and
    deleting the old one (see `writing`)."""
    described = [_field(object, name, told, name in defaults) for name, told in fields.items() if told["type"] in TYPES]
    return Description(
        object=object,
        label=LABELS[object],
        fields=(*(_NOTE_FIELDS if object == NOTE else ()), *described),
        creatable=bool(access.get("create")),
        changeable=bool(access.get("create") and access.get("delete") if object == NOTE else access.get("write")),
    )


def _field(object: str, name: str, told: Mapping[str, Any], has_default: bool) -> Field:
    contact = object == PARTY and name in CONTACTS
    choices = told.get("selection") if isinstance(told.get("selection"), list) else []
    return Field(
        name=name,
        label=told.get("string") or name,
        type=_CONTACT_TYPES.get(name, "phone") if contact else TYPES[told["type"]],
        required=bool(told.get("required")) and not told.get("readonly") and not has_default and object != NOTE,
        writable=contact or not told.get("readonly") or (name == "state" and object in BUTTONS),
        unique=name in ("id", OWN_KEY[object]),
        picklist=tuple(value for value, _ in choices or [] if value),
        refers_to=(told["relation"],) if told.get("relation") else (),
    )


READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "decimal": Decimal,
    "date": lambda text: dt.date.fromisoformat(text[:10]),
    "datetime": dt.datetime.fromisoformat,
    "reference": int,
    "boolean": lambda text: {"true": True, "false": False}[text.lower()],
}


def value_for(field: Field, value: Any) -> Any:
    """`value` as Tryton takes it in `field`: a date, a number or a record's id may come as text. Raises Rejected."""
    if not isinstance(value, str) or (field.type == "reference" and "," in value):
        return Decimal(str(value)) if field.type == "decimal" and isinstance(value, (int, float)) else value
    read = READERS.get(field.type)
    if read is None or value == "":
        return value if read is None else None
    try:
        return read(value)
    except (ValueError, KeyError, InvalidOperation):
        problem = f'"{value[:80]}" is no {field.type}'
        raise Rejected(f"{field.name}: {problem}", {field.name: problem}) from None
