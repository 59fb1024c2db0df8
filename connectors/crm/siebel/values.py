"""Values on their way to Siebel and back: everything there is text.

Source: bcgov/myss, Apps/IcmApi/README.md (measured 2026: `MM/DD/YYYY HH:MM:SS` without a zone, flags Y and N, dates as
`MM/DD/YYYY` in searches too); Siebel Object Interfaces Reference, "SetSearchExpr" (MM/DD/YYYY whatever the locale); Siebel
Enterprise Application Integration (G30554), "Using Formatted Values in Integration Objects": a number is stored as
`+555555555`, and the mask of its format, such as `000 0000`, behind it. Of which zone a time is, is unverified: a setting.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

KEY_LENGTH = 30  # of Activity UID and Integration Id, by the Application Services Interface Reference
DATETIME, DATE = "%m/%d/%Y %H:%M:%S", "%m/%d/%Y"
DATETIMES, DATES, FLAGS = ("DTYPE_DATETIME", "DTYPE_UTCDATETIME"), ("DTYPE_DATE",), ("DTYPE_BOOL",)
_PLAIN = re.compile(r"[A-Za-z0-9:._@/+#=-]{1,30}")
_DIGEST = re.compile(r"[A-Z2-7]{30}")
_STORED = re.compile(r"(\+?\d{7,})\s+[0# ().\-/]+")  # a number, white space, the mask of its format


class Values:
    """Writes and reads the values of one connection. `types` are Siebel's data types by field, as far as they are known."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def told(self, value: Any, kind: str) -> Any:
        """A value as Siebel takes it in a field of this data type; None empties the field."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "Y" if value else "N"
        if kind in FLAGS and str(value).lower() in ("true", "false"):
            return "Y" if str(value).lower() == "true" else "N"
        if kind in DATETIMES or kind in DATES or isinstance(value, dt.datetime | dt.date):
            return self._moment(value, kind)
        if isinstance(value, Decimal):
            return format(value, "f")
        return value if isinstance(value, str) else str(value)

    def read(self, value: Any, kind: str) -> Any:
        """A stored value in the hub's terms: moments in ISO 8601, flags as booleans, numbers without a mask."""
        if not isinstance(value, str) or not value:
            return value
        if kind in DATETIMES:
            found = self.moment(value)
            return found.isoformat().replace("+00:00", "Z") if found else value
        if kind in DATES:
            day = _parsed(value.partition(" ")[0], DATE)
            return day.date().isoformat() if day else value
        if kind in FLAGS:
            return {"Y": True, "N": False}.get(value, value)
        if kind == "DTYPE_PHONE":
            return number(value)
        return value

    def record(self, stored: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
        """A whole record in the hub's terms, without its links."""
        return {name: self.read(value, types.get(name, "")) for name, value in stored.items() if name != "Link"}

    def moment(self, text: Any) -> dt.datetime | None:
        """A time that Siebel tells, as UTC."""
        found = _parsed(str(text), DATETIME) or _iso(str(text))
        if found is None:
            return None
        return (found if found.tzinfo else found.replace(tzinfo=self._zone)).astimezone(dt.UTC)

    def at(self, moment: dt.datetime) -> str:
        """A moment as it stands in a field or a search."""
        return moment.astimezone(self._zone).strftime(DATETIME)

    def _moment(self, value: Any, kind: str) -> str:
        found = value if isinstance(value, dt.datetime) else None
        if found is None:
            text = value.isoformat() if isinstance(value, dt.date) else str(value)
            found = _iso(text)
            if found is None:
                return text  # Siebel says what is wrong with it
            if len(text) <= len("2026-11-23"):
                return found.strftime(DATE) if kind in DATES or not kind else found.strftime(DATETIME)
        if kind in DATES:
            return found.strftime(DATE)  # the day as it is written: another zone's would be another day
        return self.at(found if found.tzinfo else found.replace(tzinfo=dt.UTC))


def number(stored: str) -> str:
    """A phone number without the mask of its format."""
    found = _STORED.fullmatch(stored.strip())
    return found[1] if found else stored


def stored_key(key: str) -> str:
    """A key as its field holds it: itself where it fits, is plain and looks like no digest, else always the same thirty
    characters."""
    if _PLAIN.fullmatch(key) and not _DIGEST.fullmatch(key):
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return base64.b32encode(digest).decode()[:KEY_LENGTH]


def _parsed(text: str, pattern: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, pattern)
    except ValueError:
        return None


def _iso(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None
