"""SOQL and SOSL: conditions, literals and search words, with everything that was given by others quoted.

Sources: SOQL and SOSL Reference (quoted string escapes, date formats, reserved characters of SOSL, SOSL limits).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from simple_salesforce.format import format_soql, quote_soql_value

from hub import phone
from hub.errors import Rejected

LONGEST_KEY = 255  # an external id, an address, a name: nothing that is looked for is longer
# A search takes 10,000 characters of words; beyond 4,000 its operators are removed, "and AND will default to OR" (SOSL
# Syntax): words that are joined by OR mean the same.
LONGEST_SEARCH, WITH_OPERATORS = 10_000, 4_000
ONE_QUERY = 60_000  # characters of values that one query is given; Salesforce takes 100,000 of a whole query
_OR = " OR "
_RESERVED = re.compile(r"([?&|!{}\[\]()^~*:\\\"'+-])")
_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")
_NAME = re.compile(r"[A-Za-z][\w.]*", re.ASCII)
# How a literal of the type has to be written; it is not quoted, so nothing else may pass.
_BARE: Mapping[str, re.Pattern[str]] = {
    "boolean": re.compile(r"true|false", re.IGNORECASE),
    "int": re.compile(r"-?\d{1,18}"),
    "double": re.compile(r"-?\d{1,18}(\.\d{1,18})?"),
    "currency": re.compile(r"-?\d{1,18}(\.\d{1,18})?"),
    "percent": re.compile(r"-?\d{1,18}(\.\d{1,18})?"),
    "date": re.compile(r"\d{4}-\d\d-\d\d|TODAY|YESTERDAY|(LAST|NEXT)_N_DAYS:\d{1,4}"),
    "datetime": re.compile(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)|TODAY|YESTERDAY|LAST_N_DAYS:\d{1,4}"
    ),
}


def is_id(text: str) -> bool:
    """Whether this can be a record's id: 15 characters, or 18."""
    return _ID.fullmatch(text) is not None


def id_18(id: str) -> str:
    """The case-safe form of an id: its last three characters say which of each five are capitals."""
    if len(id) != 15:
        return id
    bits = (sum(1 << n for n, c in enumerate(id[start : start + 5]) if c.isupper()) for start in (0, 5, 10))
    return id + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[number] for number in bits)


def searchable(values: Iterable[str]) -> list[str]:
    """The values that a key, an address or a name can be at all."""
    return [value for value in dict.fromkeys(values) if 0 < len(value) <= LONGEST_KEY and "\0" not in value]


def field_name(name: str) -> str:
    """`name`, where it can be a field's path. It is not quoted in a query, so nothing else may pass."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_KEY:
        raise Rejected(f'"{name[:80]}" cannot be the name of a field')
    return name


def select(fields: Sequence[str], source: str, *conditions: str, tail: str = "") -> str:
    """A query for what meets all of the conditions; empty ones are none."""
    told = [f"({one})" for one in conditions if one]
    where = f" WHERE {' AND '.join(told)}" if told else ""
    return f"SELECT {','.join(fields)} FROM {source}{where}{tail and ' '}{tail}"  # noqa: S608 - its parts are quoted or checked


def among(field: str, values: Sequence[str]) -> str:
    """`field IN ('a','b')`."""
    return f"{field} IN {quote_soql_value(list(values))}"


def at(moment: dt.datetime) -> str:
    """A moment as SOQL writes it, in UTC, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(field: str, type: str, value: Any) -> str:
    """`field` is `value`, or one of them where it is a list. `type` is Salesforce's own word for the field's."""
    values = list(value) if isinstance(value, list | tuple | set) else [value]
    written = [literal(field, type, one) for one in values]
    return f"{field} = {written[0]}" if len(written) == 1 else f"{field} IN ({','.join(written) or 'null'})"


def literal(field: str, type: str, value: Any) -> str:
    """One value as a literal. Raises Rejected where a field of this type cannot have it."""
    if isinstance(value, dt.datetime):
        return at(value)
    if isinstance(value, str) and type in _BARE:
        if not _BARE[type].fullmatch(value):
            raise Rejected(f"{field} is compared with what is no {type}", {field: f"no {type}"})
        return value
    if isinstance(value, str) and type in ("id", "reference") and not is_id(value):
        raise Rejected(f"{field} is compared with what is no record's id", {field: "no id"})
    if value is not None and not isinstance(value, str | int | float | dt.date):
        raise Rejected(f"{field} is compared with a value that SOQL has no word for", {field: "no literal"})
    return str(quote_soql_value(value))


def ends_so(fields: Sequence[str], number: str) -> str:
    """One of the fields holds the number's last digits, however they were typed."""
    pattern = "%" + "%".join(phone.digits(number)[-7:])
    return " OR ".join(format_soql("{:literal} LIKE {}", field, pattern) for field in fields)


# --- search words ----------------------------------------


def search(words: Sequence[str], scope: str, returning: str) -> str:
    """The search for any of `words`."""
    return f"FIND {{{_OR.join(map(_safe, words))}}} IN {scope} FIELDS RETURNING {returning}"


def fitting(words: Sequence[str], longest: int, most: int) -> list[str]:
    """The first of `words`, as many as one search takes: `longest` characters, `most` words. One at least."""
    length = 0
    for place, word in enumerate(words):
        length += len(_safe(word)) + len(_OR)
        if place and (length - len(_OR) > longest or place >= most):
            return list(words[:place])
    return list(words)


def is_long(words: Sequence[str]) -> bool:
    """Whether a search for these words loses its operators."""
    return len(_OR.join(map(_safe, words))) > WITH_OPERATORS


def _safe(word: str) -> str:
    return _RESERVED.sub(r"\\\1", word)


# --- pieces ----------------------------------------


def in_pieces(values: Iterable[str], times: int = 1) -> Iterator[list[str]]:
    """The values in as few lists as fit into a query each, which names them so many times."""
    piece: list[str] = []
    length = 0
    for value in values:
        size = times * (2 * len(value) + 4)  # each of its characters may have to be escaped
        if piece and length + size > ONE_QUERY:
            yield piece
            piece, length = [], 0
        piece.append(value)
        length += size
    if piece:
        yield piece
