"""`$filter` as C4C takes it: comparisons, `eq` with `*` as a wildcard, startswith, endswith; OR of one property."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from sandbox.sap_c4c.errors import Refused

Row = dict[str, Any]
Test = Callable[[Row], bool]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<moment>datetime(?:offset)?'[^']*')|(?P<guid>guid'[^']*')"
    r"|(?P<number>-?\d+(?:\.\d+)?[mMdDlL]?)(?![\w])|(?P<word>\w+)|(?P<sign>[(),]))",
    re.DOTALL,
)
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "ge": lambda a, b: a >= b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "lt": lambda a, b: a < b,
}


def test_of(text: str, known: set[str]) -> Test:
    """The test that a filter makes of a row. Raises Refused."""
    reader = _Reader(text, known)
    test, _ = reader.either()
    if reader.ahead:
        raise Refused(400, f"The filter cannot be read at: {reader.ahead[0][1][:40]}")
    return test


class _Reader:
    def __init__(self, text: str, known: set[str]) -> None:
        self._known = known
        self.ahead: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                raise Refused(400, f"The filter cannot be read at: {text[place : place + 40]}")
            kind = str(found.lastgroup)
            self.ahead.append((kind, found[kind]))
            place = found.end()

    def _next(self) -> tuple[str, str]:
        if not self.ahead:
            raise Refused(400, "The filter ends too early")
        return self.ahead.pop(0)

    def _is(self, word: str) -> bool:
        return bool(self.ahead) and self.ahead[0][1] == word

    def either(self) -> tuple[Test, set[str]]:
        """Alternatives: all of them of one property."""
        tests, names = [], set()
        test, used = self.both()
        tests.append(test)
        names |= used
        while self._is("or"):
            self._next()
            test, used = self.both()
            tests.append(test)
            names |= used
        if len(tests) > 1 and len(names) > 1:
            raise Refused(400, f"Logical OR is supported for one property only: {', '.join(sorted(names))}")
        return (lambda row: any(test(row) for test in tests)), names

    def both(self) -> tuple[Test, set[str]]:
        """Conditions that all have to hold."""
        tests, names = [], set()
        while True:
            test, used = self._one()
            tests.append(test)
            names |= used
            if not self._is("and"):
                return (lambda row: all(test(row) for test in tests)), names
            self._next()

    def _one(self) -> tuple[Test, set[str]]:
        kind, word = self._next()
        if word == "(" and kind == "sign":
            found = self.either()
            self._expect(")")
            return found
        if word in ("startswith", "endswith"):
            self._expect("(")
            name = self._property()
            self._expect(",")
            text = str(self._value())
            self._expect(")")
            if self._is("eq"):
                self._next()
                self._value()
            test: Test = lambda row: getattr(str(row.get(name) or ""), word)(text)  # noqa: E731
            return test, {name}
        self.ahead.insert(0, (kind, word))
        name = self._property()
        operator, value = self._next()[1], self._value()
        if operator == "eq":
            return _equal(name, value), {name}
        if operator == "ne":
            equal = _equal(name, value)
            return (lambda row: not equal(row)), {name}
        if operator not in _COMPARED:
            raise Refused(400, f"The operator {operator} is not supported")
        compared = _COMPARED[operator]
        return (lambda row: row.get(name) is not None and compared(row[name], value)), {name}

    def _property(self) -> str:
        kind, word = self._next()
        if kind != "word" or word not in self._known:
            raise Refused(400, f"Invalid property '{word}' in the filter")
        return word

    def _value(self) -> Any:
        kind, word = self._next()
        match kind:
            case "text":
                return word[1:-1].replace("''", "'")
            case "moment":
                at = dt.datetime.fromisoformat(word[word.index("'") + 1 : -1].replace("Z", "+00:00"))
                return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
            case "guid":
                return word[5:-1]
            case "number":
                return float(word.rstrip("mMdDlL"))
            case "word" if word in ("true", "false", "null"):
                return {"true": True, "false": False, "null": None}[word]
        raise Refused(400, f"A value is expected, not {word}")

    def _expect(self, sign: str) -> None:
        if self._next()[1] != sign:
            raise Refused(400, f"{sign} is expected in the filter")


def _equal(name: str, value: Any) -> Test:
    if isinstance(value, str) and "*" in value:
        pattern = re.compile(".*".join(map(re.escape, value.split("*"))), re.DOTALL)
        return lambda row: pattern.fullmatch(str(row.get(name) or "")) is not None
    if value == "":
        return lambda row: row.get(name) in (None, "")
    return lambda row: row.get(name) == value
