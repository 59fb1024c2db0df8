"""Siebel's `describe` in the hub's words.

Source: Oracle, Siebel REST API Guide, "About Getting the Siebel REST API Specification in the OpenAPI 3.0 Standard Using
Describe" and its example of a field (`x-siebel-datatype`, `title`); bcgov/myss, Apps/IcmApi/docs/integration, documents as
a deployment told them in 2026 (`x-maxLength` and `x-siebel-readOnly` as text; `required` names system fields too). OpenAPI
2.0 has the same under `definitions`, with `maxLength`. The values of a pick list are not in it: they are read from the
list of values, where a setting names its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from connectors.crm.siebel.components import ID, REFERS, Component
from connectors.crm.siebel.errors import WHO
from hub.errors import Unavailable
from hub.model import Description, Field, FieldType

TYPES: Mapping[str, FieldType] = {
    "DTYPE_BOOL": "boolean",
    "DTYPE_CURRENCY": "decimal",
    "DTYPE_DATE": "date",
    "DTYPE_DATETIME": "datetime",
    "DTYPE_INTEGER": "integer",
    "DTYPE_NOTE": "longtext",
    "DTYPE_CLOB": "longtext",
    "DTYPE_NUMBER": "decimal",
    "DTYPE_PHONE": "phone",
    "DTYPE_UTCDATETIME": "datetime",
}
LONG = 500
DATATYPE, READ_ONLY = "x-siebel-datatype", "x-siebel-readOnly"


class Known(Struct, frozen=True, kw_only=True):
    """What the connection's settings say of a component's fields."""

    phones: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    values: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}  # by field: what it takes, and no more takes


def properties(document: Any) -> dict[str, dict[str, Any]]:
    """The fields of the document's component by name. Raises Unavailable where it describes none."""
    return {name: told for name, told in _schema(document)["properties"].items() if isinstance(told, dict)}


def types(document: Any) -> dict[str, str]:
    """Siebel's data types by field."""
    return {name: str(told.get(DATATYPE, "")) for name, told in properties(document).items()}


def description(component: Component, document: Any, known: Known) -> Description:
    """A component as described; its row id is a field too, which some documents leave out."""
    schema = _schema(document)
    needed = schema.get("required")
    required = {str(name) for name in needed} if isinstance(needed, list) else set()
    found = [_field(name, told, known, name in required) for name, told in properties(document).items() if name != ID]
    own = Field(name=ID, label=ID, max_length=15, writable=False, unique=True)
    verbs = list(_verbs(document))
    return Description(
        object=component.name,
        label=component.name,
        fields=(own, *found),
        creatable="post" in verbs if verbs else None,
        changeable="put" in verbs if verbs else None,
    )


def _schema(document: Any) -> dict[str, Any]:
    """The schema of the component itself: not that of an answer, which holds `items` and links."""
    if isinstance(document, dict):
        components = document.get("components")
        schemas = components.get("schemas") if isinstance(components, dict) else document.get("definitions")
        for name, schema in schemas.items() if isinstance(schemas, dict) else ():
            if name.endswith("response") or not isinstance(schema, dict):
                continue
            if isinstance(schema.get("properties"), dict) and schema["properties"]:
                return schema
    raise Unavailable(f"{WHO} describes the object in a way that is not understood")


def _verbs(document: Any) -> Iterator[str]:
    """What can be done by the document's word."""
    paths = document.get("paths")
    for told in paths.values() if isinstance(paths, dict) else ():
        yield from (str(verb).lower() for verb in told if isinstance(told, dict))


def _field(name: str, told: Mapping[str, Any], known: Known, required: bool) -> Field:
    kind = str(told.get(DATATYPE, ""))
    longest = _number(told.get("maxLength")) or _number(told.get("x-maxLength"))
    writable = str(told.get(READ_ONLY, "false")).lower() != "true" and told.get("readOnly") is not True
    values, retired = known.values.get(name, ((), ()))
    type = _type(name, kind, longest, known)
    return Field(
        name=name,
        label=str(told.get("title") or name),
        type=type,
        max_length=longest if type in ("text", "longtext", "email", "phone", "picklist") else None,
        required=required and writable,
        writable=writable,
        unique=name in known.keys,
        picklist=values,
        retired=retired,
        refers_to=(REFERS[name],) if name in REFERS else (),
    )


def _type(name: str, kind: str, longest: int | None, known: Known) -> FieldType:
    if name in known.phones:
        return "phone"
    if name in known.mails:
        return "email"
    if name in known.values:
        return "picklist"
    if name in REFERS:
        return "reference"
    plain = TYPES.get(kind, "text")
    return "longtext" if plain == "text" and (longest or 0) > LONG else plain


def _number(told: Any) -> int | None:
    """A length; 0 stands for none."""
    text = str(told)
    return int(text) if text.isdecimal() and int(text) > 0 else None
