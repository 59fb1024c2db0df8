"""Values on their way into a row: of the column's type, not too long, one of its choices."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from sandbox.dynamics.errors import OUT_OF_RANGE, TOO_LONG, DataverseError, bad_payload
from sandbox.dynamics.schema import Column, Table

_TYPES: dict[str, tuple[type, ...]] = {
    "Integer": (int,), "BigInt": (int,), "Picklist": (int,), "State": (int,), "Status": (int,), "Boolean": (bool,),
    "Decimal": (int, float), "Money": (int, float),
}  # fmt: skip
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def value_for(table: Table, column: Column, value: Any) -> Any:
    """A value as it is kept. Raises DataverseError."""
    if value is None:
        return None
    wanted = _TYPES.get(column.type, (str,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise bad_payload(f"Cannot convert the literal of '{column.name}' to the expected type 'Edm.{column.type}'.")
    if column.choices and column.type != "Boolean" and value not in column.choices:
        accepted = ",".join(map(str, column.choices))
        what = f"The value {value} of '{column.name}' on record of type '{table.name}' is outside the valid range."
        raise DataverseError(400, OUT_OF_RANGE, f"A validation error occurred. {what} Accepted Values: {accepted}")
    if isinstance(value, str):
        return _text(table, column, value)
    return value


def _text(table: Table, column: Column, value: str) -> str:
    if _NO_TEXT.search(value):
        raise bad_payload("hexadecimal value is an invalid character.")
    if column.max_length is not None and len(value) > column.max_length:
        message = (f"A validation error occurred. The length of the '{column.name}' attribute of the '{table.name}' entity "
                   f"exceeded the maximum allowed length of '{column.max_length}'.")  # fmt: skip
        raise DataverseError(400, TOO_LONG, message)
    if column.type == "DateTime":
        return _date(column, value)
    return value


def _date(column: Column, value: str) -> str:
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        raise bad_payload(
            f"Cannot convert the literal '{value[:40]}' to the expected type 'Edm.DateTimeOffset'."
        ) from None
    if column.format == "DateOnly":
        return moment.date().isoformat()
    if moment.tzinfo is None:
        raise bad_payload(f"Cannot convert the literal '{value[:40]}' to the expected type 'Edm.DateTimeOffset'.")
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
