"""EspoCRM's metadata in the hub's words.

A field is one attribute or several: a link has its id, a link to several kinds of records also their kind, an amount its
currency. What is composed of others (a person's name, an address) and what is only counted is left out.
Source: docs.espocrm.com, "entityDefs", "Metadata"; espocrm/espocrm, `Resources/metadata/fields`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.model import Description, Field, FieldType

TYPES: Mapping[str, FieldType] = {
    "varchar": "text", "text": "longtext", "wysiwyg": "longtext", "enum": "picklist", "enumInt": "integer",
    "enumFloat": "decimal", "bool": "boolean", "int": "integer", "float": "decimal", "decimal": "decimal",
    "currency": "decimal", "currencyConverted": "decimal", "date": "date", "datetime": "datetime",
    "datetimeOptional": "datetime", "email": "email", "phone": "phone", "url": "url", "number": "text",
    "autoincrement": "integer", "barcode": "text", "multiEnum": "picklist", "array": "text", "checklist": "picklist",
    "urlMultiple": "text", "foreign": "text", "password": "text", "duration": "integer",
}  # fmt: skip
LINKED = ("link", "linkOne", "image", "file")
SEVERAL = ("linkMultiple", "attachmentMultiple")
MADE_THERE = ("number", "autoincrement", "currencyConverted", "foreign", "duration")
DEFAULT_LENGTH = 255  # of a varchar that names none


def description(entity: str, told: Mapping[str, Any], key: str, acl: Any, *, assigned: bool) -> Description:
    """An entity type. `acl`: what the API user may do to it; `assigned`: the settings name a user for what has none."""
    fields = [Field(name="id", label="id", writable=False, unique=True)]
    links = told.get("links") or {}
    for name, one in told["fields"].items():
        if isinstance(one, dict) and not one.get("utility"):
            fields += _attributes(name, one, links.get(name) or {}, key)
    if assigned:
        fields = [_not_required(one) if one.name == "assignedUserId" else one for one in fields]
    return Description(
        object=entity, label=entity, fields=tuple({one.name: one for one in fields}.values()),
        creatable=_may(acl, "create"), changeable=_may(acl, "edit"),
    )  # fmt: skip


def _attributes(name: str, told: Mapping[str, Any], link: Mapping[str, Any], key: str) -> Iterator[Field]:
    type = str(told.get("type", ""))
    writable = not told.get("readOnly") and type not in MADE_THERE
    default = told.get("default")
    # A default that is written for the browser is nothing that the API fills in.
    filled = default is not None and not str(default).startswith("javascript:")
    required = bool(told.get("required")) and writable and not filled
    fixed = writable and bool(told.get("readOnlyAfterCreate"))
    entity = str(told.get("entity") or link.get("entity") or "")

    def field(name: str, type: FieldType, **more: Any) -> Field:
        given = {"writable": writable, "required": required, "fixed": fixed, **more}
        return Field(name=name, label=name, type=type, **given)

    if type in LINKED:
        yield field(f"{name}Id", "reference", refers_to=(entity,) if entity else ())
        yield field(f"{name}Name", "text", writable=False, required=False, fixed=False)
    elif type in SEVERAL:
        yield field(f"{name}Ids", "reference", refers_to=(entity,) if entity else ())
    elif type == "linkParent":
        kinds = tuple(map(str, told.get("entityList") or link.get("entityList") or ()))
        yield field(f"{name}Type", "picklist", picklist=kinds)
        yield field(f"{name}Id", "reference", refers_to=kinds)
    elif type in TYPES:
        options = tuple(str(one) for one in told.get("options") or ()) if TYPES[type] == "picklist" else ()
        longest = told.get("maxLength") or (DEFAULT_LENGTH if type == "varchar" else None)
        yield field(name, TYPES[type], picklist=options, max_length=longest, unique=name == key or type == "number")
        if type == "currency":
            yield field(f"{name}Currency", "text", required=False, max_length=3)


def _not_required(field: Field) -> Field:
    return Field(name=field.name, label=field.label, type=field.type, writable=field.writable, fixed=field.fixed,
                 refers_to=field.refers_to)  # fmt: skip


def _may(acl: Any, action: str) -> bool | None:
    """What the table of rights says: true or false for a whole entity type, or a level for each action."""
    if isinstance(acl, bool):
        return acl
    level = acl.get(action) if isinstance(acl, dict) else None
    return None if level is None else level not in ("no", False)
