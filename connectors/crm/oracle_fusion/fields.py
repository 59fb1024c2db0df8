"""Fusion's describe in the hub's words.

Source: Oracle, faaps, "Describe a resource": `Resources.<name>.attributes` with name, type, updatable, mandatory,
maxLength or precision, allowChanges, lov; `collection.actions` and `item.actions`. The values of a list are another
resource's `LookupCode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from connectors.crm.oracle_fusion.resources import REFERS, Resource
from hub.model import Description, Field, FieldType

TYPES: Mapping[str, FieldType] = {
    "string": "text",
    "integer": "integer",
    "int64": "integer",
    "number": "decimal",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "timestamp": "datetime",
    "attachment": "longtext",
    "clob": "longtext",
}
LONG = 1000  # a text that may be longer is a long text
ONLY_NEW = ("insert", "inserting", "whileNew", "whilenew", "new")  # `allowChanges`: while the record is new
NEVER = ("never", "readOnly", "readonly")


class Known(Struct, frozen=True, kw_only=True):
    """What the connection's settings say of a resource's attributes."""

    phones: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    values: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}  # by attribute: what it takes, and no more takes


def description(resource: Resource, told: Mapping[str, Any], known: Known) -> Description:
    """A resource as described. Children and what is no attribute are left out."""
    attributes = [one for one in told.get("attributes") or () if isinstance(one, dict) and one.get("name")]
    return Description(
        object=resource.name,
        label=str(told.get("title") or resource.label),
        fields=tuple(_field(resource, one, known) for one in attributes),
        creatable=_may(told.get("collection"), "create"),
        changeable=_may(told.get("item"), "update"),
    )


def _field(resource: Resource, told: Mapping[str, Any], known: Known) -> Field:
    name = str(told["name"])
    longest = _number(told.get("maxLength")) or (
        _number(told.get("precision")) if told.get("type") == "string" else None
    )
    changes = str(told.get("allowChanges", "always"))
    writable = bool(told.get("updatable", True)) and changes not in NEVER
    values, retired = known.values.get(name, ((), ()))
    return Field(
        name=name,
        label=str(told.get("title") or name),
        type=_type(resource, name, told, longest, known),
        max_length=longest if told.get("type") == "string" else None,
        required=bool(told.get("mandatory")) and writable and not told.get("hasDefaultValueExpression")
        and told.get("default") is None,
        writable=writable,
        fixed=writable and changes in ONLY_NEW,
        unique=name in (resource.id, resource.number, *known.keys),
        picklist=values,
        retired=retired,
        refers_to=(REFERS[name],) if name in REFERS and name != resource.id else (),
    )  # fmt: skip


def _type(resource: Resource, name: str, told: Mapping[str, Any], longest: int | None, known: Known) -> FieldType:
    if name in known.phones:
        return "phone"
    if name in known.mails:
        return "email"
    if name in known.values or told.get("lov"):
        return "picklist"
    if name in REFERS and name != resource.id:
        return "reference"
    plain = TYPES.get(str(told.get("type", "string")), "text")
    return "longtext" if plain == "text" and (longest or 0) > LONG else plain


def _may(told: Any, action: str) -> bool | None:
    """Whether a list of actions has one; None where the list is missing."""
    actions = told.get("actions") if isinstance(told, dict) else None
    if not isinstance(actions, list):
        return None
    return any(isinstance(one, dict) and one.get("name") == action for one in actions)


def _number(told: Any) -> int | None:
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else None
