"""Values on their way to and from OData v2 in JSON: dates as `/Date(ms)/`, times as `PT13H00M00S`, decimals as texts."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.crm.sap_c4c.edm import Property
from hub.errors import Rejected

_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_WORDS = {"true": True, "false": False, "1": True, "0": False}


def to_odata(property: Property, value: Any) -> Any:
    """`value` as SAP takes it in this field. Raises Rejected, which names the field."""
    if value is None:
        return None
    try:
        match property.type:
            case "Edm.DateTime" | "Edm.DateTimeOffset":
                return f"/Date({_milliseconds(value)})/"
            case "Edm.Time":
                return _duration(str(value))
            case "Edm.Boolean":
                return value if isinstance(value, bool) else _WORDS[str(value).lower()]
            case "Edm.Byte" | "Edm.Int16" | "Edm.Int32":
                return int(str(value))
            case "Edm.Int64":
                return str(int(str(value)))
            case "Edm.Decimal" | "Edm.Double" | "Edm.Single":
                return str(Decimal(str(value)))
    except (ValueError, KeyError, InvalidOperation, OverflowError):
        raise _wrong(property, f"no {property.type.removeprefix('Edm.')}") from None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "\0" in text:
        raise _wrong(property, "a NUL character, which SAP does not take")
    if property.max_length is not None and len(text) > property.max_length:
        raise _wrong(property, f"{len(text)} characters, {property.max_length} are taken")
    return text


def from_odata(value: Any) -> Any:
    """A value as the hub keeps it: a date as ISO text in UTC, anything else as it came."""
    if isinstance(value, str) and (date := _DATE.fullmatch(value)):
        return (EPOCH + dt.timedelta(milliseconds=int(date[1]))).isoformat()
    return value


def fields_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's own fields: no links, no children, no metadata."""
    return {name: from_odata(value) for name, value in row.items() if not isinstance(value, dict | list)}


def same(property: Property, stored: Any, ours: Any) -> bool:
    """Whether what is stored is what would be written: no value and an empty text are one, and so are 1.0 and 1.00."""
    if stored in (None, "") or ours in (None, ""):
        return stored in (None, "") and ours in (None, "")
    if property.type in ("Edm.DateTime", "Edm.DateTimeOffset"):
        one, other = _DATE.fullmatch(str(stored)), _DATE.fullmatch(str(ours))
        return bool(one and other) and one[1] == other[1]  # type: ignore[index]
    if property.type in ("Edm.Decimal", "Edm.Double", "Edm.Single"):
        try:
            return Decimal(str(stored)) == Decimal(str(ours))
        except InvalidOperation:
            return False
    return bool(stored == ours)


def moment(value: Any) -> dt.datetime | None:
    """A stored date as a moment."""
    date = _DATE.fullmatch(value) if isinstance(value, str) else None
    return EPOCH + dt.timedelta(milliseconds=int(date[1])) if date else None


def _milliseconds(value: Any) -> int:
    at = value if isinstance(value, dt.date) else dt.datetime.fromisoformat(str(value))
    if not isinstance(at, dt.datetime):
        at = dt.datetime(at.year, at.month, at.day)
    at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return (at - EPOCH) // dt.timedelta(milliseconds=1)


def _duration(text: str) -> str:
    if text.startswith("PT"):
        return text
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        raise ValueError(text)
    hours, minutes, seconds = (int(part or 0) for part in clock.groups())
    return f"PT{hours:02}H{minutes:02}M{seconds:02}S"


def _wrong(property: Property, problem: str) -> Rejected:
    return Rejected(f"{property.name}: {problem}", {property.name: problem})
