"""Odoo's fields in the hub's words, by `fields_get`; what a new record needs and gets by itself, by `default_get`.

Which of the two are there for our user alone: a field that the user may not see is not told at all.
Source: Odoo, `BaseModel.fields_get`, `default_get`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from connectors.crm.odoo.external import KEY
from connectors.crm.odoo.models import Described, Model
from hub.model import Description, Field
from hub.model.exchange import FieldType

TYPES: Mapping[str, FieldType] = {
    "char": "text", "text": "longtext", "html": "longtext", "integer": "integer", "float": "decimal", "monetary": "decimal",
    "boolean": "boolean", "date": "date", "datetime": "datetime", "selection": "picklist", "many2one": "reference",
    "many2many": "reference", "one2many": "reference", "many2one_reference": "integer", "reference": "text",
}  # fmt: skip


def description(model: Model, told: Described, defaults: Collection[str]) -> Description:
    """The model with its fields, and the external id as the key that it always has."""
    fields = [Field(name=KEY, label="External ID", unique=True)]
    fields += [
        _field(model, name, one, defaults) for name, one in sorted(told.items()) if str(one.get("type")) in TYPES
    ]
    return Description(object=model.name, label=model.name, fields=tuple(fields))


def required_of(told: Described) -> list[str]:
    """The fields that a new record has to have, whether or not it gets them by itself."""
    return sorted(name for name, one in told.items() if one.get("required") and not one.get("readonly"))


def _field(model: Model, name: str, told: Mapping[str, Any], defaults: Collection[str]) -> Field:
    kind = TYPES[str(told["type"])]
    if kind == "text":
        kind = "phone" if name in model.phones else "email" if name in model.mails else kind
    size = told.get("size")
    options = told.get("selection") if kind == "picklist" else None
    writable = not told.get("readonly") and name not in ("id", "create_date", "write_date", "create_uid", "write_uid")
    return Field(
        name=name,
        label=str(told.get("string") or name),
        type=kind,
        max_length=size if isinstance(size, int) and size > 0 else None,
        required=bool(told.get("required")) and writable and name not in defaults,
        writable=writable,
        unique=name == "id",
        picklist=tuple(str(one[0]) for one in options if one) if isinstance(options, list) else (),
        refers_to=(str(told["relation"]),) if told.get("relation") else (),
    )
