"""`$filter` as Dataverse reads it: compared without regard to case, `%`, `_` and `[…]` are wildcards in text
functions."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sandbox.dynamics.errors import QUERY, DataverseError, no_property
from sandbox.dynamics.schema import Table

Row = dict[str, Any]
Test = Callable[[Row], bool]
MOST_CONDITIONS = 500

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<moment>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<json>\[[^\]]*\])|(?P<mark>[(),=]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le,
}  # fmt: skip


def column_of(table: Table, name: str) -> str:
    """The column that a query means by `name`; a lookup is named `_…_value`. Case-sensitive."""
    if name.startswith("_") and name.endswith("_value"):
        bare = name[1:-6]
        if bare in table.columns and table.columns[bare].targets:
            return bare
    elif name in table.columns and not table.columns[name].targets:
        return name
    raise no_property(name, table.name)


def plain(value: Any) -> Any:
    """A stored value as it is compared: text without case, a lookup by its id."""
    if isinstance(value, tuple):
        return value[1]
    if isinstance(value, bool):
        return value
    return value.casefold() if isinstance(value, str) else value


@lru_cache(maxsize=4096)
def like(pattern: str) -> re.Pattern[str]:
    """A SQL LIKE pattern."""
    out, place = "", 0
    while place < len(pattern):
        sign = pattern[place]
        if sign == "[" and (end := pattern.find("]", place + 1)) > place + 1:
            inside = pattern[place + 1 : end]
            out += f"[{'^' if inside[0] == '^' else ''}{re.escape(inside.lstrip('^'))}]"
            place = end
        else:
            out += {"%": ".*", "_": "."}.get(sign) or re.escape(sign)
        place += 1
    return re.compile(out, re.IGNORECASE | re.DOTALL)


def compiled(text: str, table: Table, me: str) -> Test:
    """The test that `text` says. Raises DataverseError. `me` is the calling user's id."""
    return _Parser(text, table, me).whole()


class _Parser:
    def __init__(self, text: str, table: Table, me: str) -> None:
        self._table, self._me, self._text = table, me, text
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if not found:
                raise self._syntax(place)
            kind = found.lastgroup or ""
            self._tokens.append((kind, found.group(kind)))
            place = found.end()
        self._next = self._conditions = 0

    def whole(self) -> Test:
        test = self._either()
        if self._next < len(self._tokens):
            raise self._syntax(0)
        if self._conditions > MOST_CONDITIONS:
            limit = f"the hard limit of {MOST_CONDITIONS} conditions in a single filter"
            raise DataverseError(400, QUERY, f"Query on {self._table.name} has exceeded {limit}.")
        return test

    def _syntax(self, place: int) -> DataverseError:
        return DataverseError(400, QUERY, f"Syntax error at position {place} in '{self._text[:60]}'.")

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("", "")

    def _take(self, *marks: str) -> tuple[str, str]:
        token = self._peek()
        if not token[0] or (marks and token[1] not in marks):
            raise self._syntax(self._next)
        self._next += 1
        return token

    def _either(self) -> Test:
        tests = [self._both()]
        while self._peek() == ("name", "or"):
            self._next += 1
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._peek() == ("name", "and"):
            self._next += 1
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        kind, word = self._take()
        if (kind, word) == ("mark", "("):
            test = self._either()
            self._take(")")
            return test
        if (kind, word) == ("name", "not"):
            negated = self._one()
            return lambda row: not negated(row)
        self._conditions += 1
        if kind != "name":
            raise self._syntax(self._next)
        if self._peek() == ("mark", "("):
            return self._function(word)
        column = column_of(self._table, word)
        name = self._take(*_COMPARE)[1]
        value = self._value()
        if value is None:
            return (lambda row: row.get(column) is None) if name == "eq" else (lambda row: row.get(column) is not None)
        compare = _COMPARE[name]

        def compared(row: Row) -> bool:
            held = plain(row.get(column))
            if held is None:
                return False
            if type(held) is not type(value) and not (isinstance(held, int | float) and isinstance(value, int | float)):
                return False
            return compare(held, value)

        return compared

    def _function(self, name: str) -> Test:
        self._take("(")
        if name in ("contains", "startswith", "endswith"):
            column = column_of(self._table, self._take()[1])
            self._take(",")
            pattern = str(self._value())
            self._take(")")
            front, back = name != "startswith", name != "endswith"
            found = like(("%" if front else "") + pattern + ("%" if back else ""))
            return lambda row: isinstance(row.get(column), str) and found.fullmatch(row[column]) is not None
        named: dict[str, Any] = {}
        while self._peek()[1] != ")":
            word = self._take()[1]
            self._take("=")
            named[word] = self._value()
            if self._peek()[1] == ",":
                self._take(",")
        self._take(")")
        column = column_of(self._table, str(named.get("PropertyName", "")))
        if name == "Microsoft.Dynamics.CRM.In":
            values = {plain(value) for value in named["PropertyValues"]}
            return lambda row: plain(row.get(column)) in values
        if name == "Microsoft.Dynamics.CRM.EqualUserId":
            return lambda row: plain(row.get(column)) == self._me
        raise DataverseError(400, QUERY, f"An unknown function with name '{name}' was found.")

    def _value(self) -> Any:
        kind, word = self._take()
        if kind == "text":
            return word[1:-1].replace("''", "'").casefold()
        if kind == "guid":
            return word.lower()
        if kind == "moment":
            return _moment(word)
        if kind == "number":
            return float(word) if "." in word else int(word)
        if kind == "json":
            return json.loads(word.replace("'", '"'))
        if word in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[word]
        raise self._syntax(self._next)


def _moment(text: str) -> str:
    """As moments are stored, in whole seconds of UTC, folded like all text."""
    return (text[:19] + "z").casefold() if "T" in text else text.casefold()
