"""`searchspec` as a predicate: `[Field] operator literal`, AND, OR, NOT and parentheses.

Source: Configuring Siebel Business Applications (G30558), "Parts of a Search Specification"; Siebel Developer's Reference,
"LIKE"; bcgov/myss, Apps/IcmApi/README.md: `=` and LIKE are case-sensitive, `~=` and `~LIKE` are not, `*` is wild with LIKE
only, a double quote within a literal ends it, a date that is not MM/DD/YYYY is SBL-DAT-00359, an unknown field
SBL-DAT-00416. Phone fields: Siebel Applications Administration Guide, "Querying Phone Numbers": the locale's country code is
put before a number that has none, and North America's is none.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.siebel.schema import Component, Field

Predicate = Callable[[Mapping[str, Any]], bool]
CODE = "+34"  # of the locale that this server runs in
MOMENTS = ("DTYPE_DATETIME", "DTYPE_UTCDATETIME", "DTYPE_DATE")
_TOKEN = re.compile(
    r"\s*(?:(?P<field>\[[^\]]+\])|(?P<text>\"[^\"]*\"|'[^']*')|(?P<op>~LIKE|~=|<>|<=|>=|=|<|>|\(|\))|(?P<word>[A-Za-z]+))",
    re.DOTALL | re.IGNORECASE,
)


class Wrong(ValueError):
    """This is no searchspec; with its SBL code."""

    def __init__(self, code: str, words: str) -> None:
        self.code, self.words = code, words
        super().__init__(words)


def predicate(text: str, component: Component) -> Predicate:
    """The expression as a function. Raises Wrong."""
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Wrong("SBL-DAT-00403", f"Invalid search specification at {at}")
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    reading = _Reading(tokens, component)
    fits = reading.alternatives()
    if reading.left:
        raise Wrong("SBL-DAT-00403", "Invalid search specification: something follows it")
    return fits


def moment(text: str) -> dt.datetime:
    """A date, with or without a time, as Siebel writes it. Raises Wrong."""
    for pattern in ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y"):
        try:
            return dt.datetime.strptime(text, pattern)
        except ValueError:
            continue
    raise Wrong("SBL-DAT-00359", "The value entered is not a valid date")


class _Reading:
    def __init__(self, tokens: list[tuple[str, str]], component: Component) -> None:
        self.left, self._component = tokens, component

    def alternatives(self) -> Predicate:
        parts = [self._conditions()]
        while self._is("OR"):
            self._take()
            parts.append(self._conditions())
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def _conditions(self) -> Predicate:
        parts = [self._condition()]
        while self._is("AND"):
            self._take()
            parts.append(self._condition())
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def _condition(self) -> Predicate:
        if self._is("NOT"):
            self._take()
            inner = self._condition()
            return lambda record: not inner(record)
        if self._is("("):
            self._take()
            inner = self.alternatives()
            if self._take()[1] != ")":
                raise Wrong("SBL-DAT-00403", "Invalid search specification: ) is needed")
            return inner
        kind, text = self._take()
        field = self._component.field(text[1:-1]) if kind == "field" else None
        if field is None:
            raise Wrong("SBL-DAT-00416", f"'{text[:60]}' is no field of business component '{self._component.name}'")
        operator = self._take()[1].upper()
        if operator == "IS":
            absent = not self._is("NOT")
            if not absent:
                self._take()
            if not self._is("NULL"):
                raise Wrong("SBL-DAT-00403", "Invalid search specification: NULL is needed")
            self._take()
            return lambda record: (record.get(field.name) in (None, "")) == absent
        kind, text = self._take()
        if kind != "text" or operator not in ("=", "~=", "<>", "<", "<=", ">", ">=", "LIKE", "~LIKE"):
            raise Wrong("SBL-DAT-00403", f"Invalid search specification near {operator}")
        return _compared(field, operator, text[1:-1])

    def _is(self, word: str) -> bool:
        return bool(self.left) and self.left[0][0] in ("word", "op") and self.left[0][1].upper() == word

    def _take(self) -> tuple[str, str]:
        if not self.left:
            raise Wrong("SBL-DAT-00403", "Invalid search specification: it ends too early")
        return self.left.pop(0)


def _compared(field: Field, operator: str, wanted: str) -> Predicate:
    folds = operator.startswith("~")
    operator = operator.lstrip("~")
    if field.type == "DTYPE_PHONE":
        wanted = _number(wanted)
    if operator == "LIKE":
        pattern = re.compile(_wild(wanted), re.DOTALL | (re.IGNORECASE if folds else 0))
        return lambda record: bool(pattern.fullmatch(str(record.get(field.name) or "")))
    if field.type in MOMENTS:
        at = moment(wanted)
        return lambda record: bool(record.get(field.name)) and _ORDER[operator](moment(record[field.name]), at)

    def fits(record: Mapping[str, Any]) -> bool:
        stored = record.get(field.name)
        if stored in (None, ""):
            return False
        one, other = str(stored), wanted
        if folds:
            one, other = one.casefold(), other.casefold()
        return _ORDER[operator](one, other)

    return fits


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _number(wanted: str) -> str:
    """What is searched for in a phone field: with the locale's code where it has none, without that of North America."""
    if wanted.startswith("+1"):
        return wanted[2:]
    if wanted[:1].isdecimal():
        return CODE + wanted
    return wanted


def _wild(text: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in text)
