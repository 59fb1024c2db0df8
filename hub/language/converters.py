"""Converters, the word `as`: one table. Each takes one value and gives one, or None where there is nothing to give.

A value that a converter cannot read raises Unfit, which says what kind of value it was (never the value) and what is right.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hub import phone
from hub.language.html_text import html_to_text, text_to_html
from hub.language.paths import kind_of

LARGEST = 10**15  # a number beyond it no longer keeps its last digit everywhere it goes
LONGEST = 200_000  # characters of HTML

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_YES = frozenset(["true", "yes", "y", "on", "1"])
_NO = frozenset(["false", "no", "n", "off", "0"])
_PARTICLES = frozenset(
    ["af", "al", "ap", "bin", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos", "du", "el", "la", "las",
     "le", "los", "mc", "ten", "ter", "van", "vom", "von", "zu", "zum", "zur", "y"]
)  # fmt: skip


class Problem(ValueError):
    """A value that a field cannot be made of: the row parks, and the message says why without telling the value."""


class Unfit(Problem):
    """A value that a converter cannot read."""

    def __init__(self, value: Any, right: str) -> None:
        super().__init__(f"{kind_of(value)} is not {right}")


# --- numbers ----------------------------------------


def number(value: Any, right: str = "a number such as 184 or 12.5") -> float | int:
    """A number, or a text that spells one with a point."""
    if type(value) is int:
        return value
    read = value
    if type(value) is str and len(value) <= 40 and "_" not in value:
        try:
            read = int(value) if _WHOLE.fullmatch(value) else float(value)
        except ValueError:
            raise Unfit(value, right) from None
    if type(read) is int:
        return read
    if type(read) is not float or not -LARGEST <= read <= LARGEST:  # the comparison refuses NaN too
        raise Unfit(value, f"{right}, at most {LARGEST:.0e}")
    return read


def _integer(value: Any) -> int:
    read = number(value, "a number such as 184")
    return read if type(read) is int else math.floor(read + 0.5)


def _decimal(value: Any) -> float:
    if type(value) is str and sum(sign.isdecimal() for sign in value) > 15:
        raise Unfit(value, "a number of at most 15 digits; keep it with `as: text`")
    return float(number(value, "a number such as 12.5"))


def _minutes(value: Any) -> int:
    seconds = number(value, "a number of seconds")
    if seconds < 0:
        raise Unfit(value, "a number of seconds from 0 up")
    return math.ceil(round(seconds, 3) / 60)


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    word = str(value).strip().lower() if type(value) in (str, int) else ""
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise Unfit(value, "true or false (also yes/no, on/off, 1/0)")


# --- time ----------------------------------------

_A_TIME = "a time such as 2026-03-02T10:00:00Z or 2026-03-02"


def moment(value: Any, zone: ZoneInfo) -> datetime:
    """A time in ISO form, moved to `zone`; without an offset it is read as that zone's."""
    return _moved(_time(value, zone), zone, value)


def instant(value: Any, zone: ZoneInfo) -> datetime:
    """The same in UTC, where the zone is nobody's concern."""
    return _moved(_time(value, zone), UTC, value)


def _time(value: Any, zone: ZoneInfo) -> datetime:
    if type(value) is not str or not 10 <= len(value) <= 40 or value[4] != "-":
        raise Unfit(value, _A_TIME)
    try:
        read = datetime.fromisoformat(value)
        # By way of UTC, so that an hour which the zone skips in spring is one that a clock there has shown.
        return read if read.tzinfo is not None else read.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unfit(value, _A_TIME) from None


def _moved(read: datetime, zone: tzinfo, value: Any) -> datetime:
    try:
        return read.astimezone(zone)
    except (ValueError, OverflowError):
        raise Unfit(value, _A_TIME) from None


def _date(value: Any, zone: ZoneInfo) -> str:
    if type(value) is str and len(value) == 10:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise Unfit(value, "a date such as 2026-03-02") from None
    return moment(value, zone).date().isoformat()


def _datetime(value: Any, zone: ZoneInfo) -> str:
    return moment(value, zone).isoformat()


# --- phone numbers ----------------------------------------


def _e164(value: Any, country: str) -> str | None:
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        raise Unfit(value, "a phone number")
    if phone.is_withheld(value):
        return None
    read = phone.e164(value, country)
    if read is None:
        raise Unfit(
            value, f"a phone number, read by the rules of {country or 'no country: write it with + and its code'}"
        )
    return read


def _national(value: Any, country: str) -> str | None:
    read = _e164(value, country)
    return read and phone.national(read, country)


# --- text ----------------------------------------


def text_of(value: Any) -> str:
    """A value as text: true and false in small letters, a whole number without `.0`. A list or group is refused."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float and value.is_integer():
        return str(int(value))
    if type(value) in (int, float):
        return str(value)
    raise Unfit(value, "one text, number, or true or false (`as: json` writes a list or a group)")


def _lower(value: Any) -> str:
    return text_of(value).lower()


def _upper(value: Any) -> str:
    return text_of(value).upper()


def _trim(value: Any) -> str:
    return text_of(value).strip()


def names(full: str) -> tuple[str, str]:
    """(first, last) of a person's full name: `Ludwig van Beethoven`, `Lovelace, Ada`. One word alone is a last name."""
    if "," in full:
        last, _, first = full.partition(",")
        return " ".join(first.split()), " ".join(last.split())
    words = full.split()
    begin = len(words) - 1
    while begin > 1 and words[begin - 1].lower() in _PARTICLES:
        begin -= 1
    return " ".join(words[:begin]) if begin > 0 else "", " ".join(words[max(begin, 0) :])


def _first_name(value: Any) -> str:
    return names(text_of(value))[0]


def _last_name(value: Any) -> str:
    return names(text_of(value))[1]


def _html_to_text(value: Any) -> str:
    html = text_of(value)
    if len(html) > LONGEST:
        raise Unfit(value, f"HTML of at most {LONGEST} characters")
    return html_to_text(html)


def _text_to_html(value: Any) -> str:
    return text_to_html(text_of(value))


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise Unfit(value, "a value of reasonable depth") from None


# --- the table ----------------------------------------

Gives = Literal["text", "integer", "decimal", "boolean", "date", "datetime"]


@dataclass(frozen=True)
class Converter:
    """One converter. `run` takes the value, and after it the zone or the country where it `needs` one."""

    name: str
    about: str
    takes: str
    gives: Gives
    run: Callable[..., Any]
    needs: Literal["", "zone", "country"] = ""


CONVERTERS = {
    converter.name: converter
    for converter in (
        Converter("text", "the value as text; 184.0 is `184`", "text, number, true/false", "text", text_of),
        Converter("trim", "without the spaces around it", "text", "text", _trim),
        Converter("lower", "in small letters", "text", "text", _lower),
        Converter("upper", "in capital letters", "text", "text", _upper),
        Converter(
            "integer", "a whole number, rounded to the nearest (half is up)", "number, text", "integer", _integer
        ),
        Converter("decimal", "a number with its decimals, at most 15 digits", "number, text", "decimal", _decimal),
        Converter("minutes", "seconds as whole minutes, rounded up", "number of seconds", "integer", _minutes),
        Converter("boolean", "true or false; reads yes/no, on/off, 1/0 too", "true/false, text", "boolean", _boolean),
        Converter("date", "the day, in the field's or the target's zone", "time, date", "date", _date, "zone"),
        Converter("datetime", "the time with the zone's offset", "time, date", "datetime", _datetime, "zone"),
        Converter(
            "e164", "the number as +34612345678; a withheld one is nothing", "phone number", "text", _e164, "country"
        ),
        Converter("national", "the number as its own country writes it", "phone number", "text", _national, "country"),
        Converter("first_name", "the first names of a full name", "text", "text", _first_name),
        Converter("last_name", "the last name of a full name; one word alone is one", "text", "text", _last_name),
        Converter(
            "html_to_text", "HTML as plain text, with paragraphs and links", "text (HTML)", "text", _html_to_text
        ),
        Converter("text_to_html", "plain text as HTML, escaped, with paragraphs", "text", "text", _text_to_html),
        Converter("json", "any value as JSON text", "anything", "text", _json),
    )
}
