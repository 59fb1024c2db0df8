"""A table's columns as the fields of an object: types, lengths, what is required, what is unique."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs
from sqlalchemy import types
from sqlalchemy.exc import NoSuchTableError

from hub.errors import NotFound
from hub.model import Description, Field, FieldType

# The first that a column's type is one of.
KINDS: Mapping[type[Any], FieldType] = {
    types.Boolean: "boolean",
    types.Integer: "integer",
    types.Numeric: "decimal",
    types.DateTime: "datetime",
    types.Date: "date",
    types.Text: "longtext",
    types.String: "text",
}


def described(inspector: Any, table: str, declared: Description) -> Description:
    """The object of `table`, which may be named with its schema. What the profile says of a field goes before."""
    schema, _, name = table.rpartition(".")
    told = {field.name: field for field in declared.fields}
    try:
        columns = inspector.get_columns(name, schema=schema or None)
        key = inspector.get_pk_constraint(name, schema=schema or None).get("constrained_columns", [])
        unique = [one["column_names"] for one in inspector.get_unique_constraints(name, schema=schema or None)]
        unique += [one["column_names"] for one in inspector.get_indexes(name, schema=schema or None) if one["unique"]]
    except NoSuchTableError:
        raise NotFound(f"the database has no table {table}") from None
    alone = {names[0] for names in (key, *unique) if len(names) == 1}
    fields = [_field(column, column["name"] in alone, told.pop(column["name"], None)) for column in columns]
    return structs.replace(declared, fields=(*fields, *told.values()))


def _field(column: Mapping[str, Any], unique: bool, told: Field | None) -> Field:
    kind: FieldType = next((kind for known, kind in KINDS.items() if isinstance(column["type"], known)), "text")
    generated = bool(column.get("autoincrement") is True or column.get("computed") or column.get("identity"))
    given = column.get("default") is not None or generated
    length = getattr(column["type"], "length", None)
    choices = tuple(getattr(column["type"], "enums", None) or ())
    seen = Field(
        name=column["name"],
        label=str(column.get("comment") or column["name"]),
        type="picklist" if choices else kind,
        max_length=length if isinstance(length, int) else None,
        required=not column["nullable"] and not given,
        writable=not column.get("computed"),
        unique=unique,
        picklist=choices,
    )
    if told is None:
        return seen
    # The profile knows what a column is for, the database what it takes.
    return structs.replace(
        seen,
        label=told.label if told.label != told.name else seen.label,
        type=told.type if told.type != "text" else seen.type,
        writable=seen.writable and told.writable,
        fixed=told.fixed,
        picklist=told.picklist or seen.picklist,
        retired=told.retired,
        refers_to=told.refers_to,
    )
