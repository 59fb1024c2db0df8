"""Values as Dolibarr's API takes them, and as it keeps them.

Its check of input (`_checkValForAPI`, `sanitizeVal`) cuts pieces out of texts without a word: of one line of text all
that looks like a tag, double quotes, `../` and some entities; of notes, which are HTML, scripts and entities by number,
so that `O&#x27;Brien` becomes `O;Brien`. What would be lost is written by what looks like it (‹ › ” ), and entities by
number as the signs that they mean. Moments are seconds since 1970; dates are noon in UTC, which is that day on nearly
every server's clock.
Source: Dolibarr/dolibarr, `api/class/api.class.php`, `core/lib/functions.lib.php` (sanitizeVal, dol_string_nohtmltag,
dol_htmlwithnojs).
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.crm.dolibarr.objects import DATES, MOMENTS, OPTION, PEOPLE_OF_EVENT, Found

HTML = frozenset(["note", "note_private", "note_public", "desc", "description"])
_LOOKS_LIKE = str.maketrans({"<": "‹", ">": "›", '"': "”"})
_ENTITY = re.compile(r"&(?=#|\w+;|quot)")
_UP = re.compile(r"\.\.([/\\])")
_MARKUP = re.compile(
    r"\s*<(?:p|br|b|i|u|em|strong|div|span|ul|ol|li|a|table|tr|td|th|h[1-6])(?:\s[^<>]*)?/?>", re.IGNORECASE
)
_BEGINS = re.compile(r"<(?=[a-zA-Z/!?])")
_SCRIPT = re.compile(r"(java)(script\s*:)", re.IGNORECASE)
_BY_NUMBER = re.compile(r"&#(?:[xX][0-9a-fA-F]{1,6}|[0-9]{1,7});?")


def wire(fields: Mapping[str, Any]) -> Found:
    """Fields as the body of a request: extra fields in their own member, everything as it survives there."""
    told: Found = {}
    extras: Found = {}
    for name, value in fields.items():
        if name.startswith(OPTION):
            extras[name] = _value(name, value)
        else:
            told[name] = people(value) if name == PEOPLE_OF_EVENT else _value(name, value)
    return {**told, "array_options": extras} if extras else told


def people(value: Any) -> Found:
    """The contacts of an event, by id as Dolibarr keeps them; from one id, a list of them, or its own form."""
    if isinstance(value, Mapping):
        return {str(id): {"id": str(id)} for id in value}
    ids = value if isinstance(value, list | tuple) else [value]
    return {str(id): {"id": str(id)} for id in ids if id not in (None, "")}


def plain(text: str) -> str:
    """A text that comes out of the check for lines of text as it went in."""
    return _UP.sub(r".. \1", _ENTITY.sub("& ", text)).translate(_LOOKS_LIKE)


def rich(text: str) -> str:
    """A note that comes out of the check for notes as it went in, scripts apart: HTML where it begins with a tag that
    notes may have, else a text."""
    if _MARKUP.match(text):
        return _BY_NUMBER.sub(lambda entity: html.escape(html.unescape(entity[0]), quote=False), text)
    return _SCRIPT.sub(r"\1 \2", _ENTITY.sub("& ", _BEGINS.sub("‹", text)))


def _value(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp())
    if isinstance(value, dt.date):
        return int(dt.datetime(value.year, value.month, value.day, 12, tzinfo=dt.UTC).timestamp())
    if isinstance(value, str):
        if name in MOMENTS | DATES and (at := _read(value)) is not None:
            return _value(name, at)
        return rich(value) if name in HTML else plain(value)
    return value


def _read(text: str) -> dt.datetime | dt.date | None:
    """A moment, or a date, as mappings write it; Dolibarr says itself what is wrong with another text."""
    try:
        return dt.date.fromisoformat(text) if len(text) == 10 else dt.datetime.fromisoformat(text)
    except ValueError:
        return None
