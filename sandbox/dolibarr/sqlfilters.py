"""Dolibarr's filters, as its versions read them; values are compared as MySQL compares.

A condition is found by its parentheses and colons, replaced, and what is left over may be nothing but parentheses,
blanks, `and` and `or`. Until version 20 whatever follows a second colon of a value is cut off, and a value that has
lost its closing quote is the number 0. Written from `core/lib/functions.lib.php`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

COLUMN_KEPT, OPERATOR_KEPT = re.compile(r"[^a-z0-9._]", re.IGNORECASE), re.compile(r"[^a-z<>!=]", re.IGNORECASE)
CONDITION = re.compile(r"\(([a-zA-Z0-9_.]+:[<>!=insotlke]+:[^()]+)\)", re.IGNORECASE)
LISTED = re.compile(r"[^a-z0-9_\-.']", re.IGNORECASE)
TOKEN = re.compile(r"\s*(?:(\()|(\))|(and)\b|(or)\b|#(\d+)#)", re.IGNORECASE)
Test = Callable[[Mapping[str, Any]], bool]


class Wrong(Exception):
    """A filter that is refused; `unknown` is the column that the database does not have."""

    def __init__(self, what: str, unknown: str = "") -> None:
        self.unknown = unknown
        super().__init__(what)


def test_of(filter: str, columns: Sequence[str], *, colons: bool) -> Test:
    """Whether a row (column → value) fits. `colons`: values may hold them. Raises Wrong."""
    if not (filter.startswith("(") and filter.endswith(")")):
        filter = f"({filter})"
    depth = 0
    for sign in filter:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            raise Wrong(f"Wrong balance of parenthesis in sqlfilters={filter}")
    if depth:
        raise Wrong(f"Wrong balance of parenthesis in sqlfilters={filter}")
    tests: list[Test] = []

    def taken(found: re.Match[str]) -> str:
        tests.append(_condition(found[1], columns, colons=colons))
        return f"#{len(tests) - 1}#"

    rest = CONDITION.sub(taken, filter)
    left = re.sub(r"#\d+#", "", rest)
    for word in ("and", "or", "AND", "OR", " "):
        left = left.replace(word, "")
    if re.search(r"[^()]", left):
        raise Wrong(f"Bad syntax of the search string: {filter}")
    return _Reader(rest, tests).whole()


class _Reader:
    """`and` before `or`, parentheses before both."""

    def __init__(self, text: str, tests: Sequence[Test]) -> None:
        self._tokens = list(TOKEN.finditer(text))
        self._at, self._tests = 0, tests

    def whole(self) -> Test:
        test = self._either()
        if self._at < len(self._tokens):
            raise Wrong("You have an error in your SQL syntax")
        return test

    def _either(self) -> Test:
        some = [self._every()]
        while self._next(4):
            some.append(self._every())
        return some[0] if len(some) == 1 else lambda row: any(one(row) for one in some)

    def _every(self) -> Test:
        some = [self._one()]
        while self._next(3):
            some.append(self._one())
        return some[0] if len(some) == 1 else lambda row: all(one(row) for one in some)

    def _one(self) -> Test:
        if self._next(1):
            test = self._either()
            if not self._next(2):
                raise Wrong("You have an error in your SQL syntax")
            return test
        if self._at < len(self._tokens) and (number := self._tokens[self._at][5]):
            self._at += 1
            return self._tests[int(number)]
        raise Wrong("You have an error in your SQL syntax")

    def _next(self, group: int) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][group]:
            self._at += 1
            return True
        return False


def _condition(told: str, columns: Sequence[str], *, colons: bool) -> Test:
    parts = told.split(":", 2) if colons else told.split(":")
    column = COLUMN_KEPT.sub("", parts[0].strip())
    operator = OPERATOR_KEPT.sub("", parts[1].strip()).lower()
    name = column.removeprefix("t.")
    if name not in columns:
        raise Wrong(f"Unknown column '{column}' in 'where clause'", unknown=column)
    value = parts[2]
    quoted = re.fullmatch(r"'(.*)'", value, re.DOTALL)
    if operator in ("in", "notin"):
        several = [LISTED.sub("", one).strip("'") for one in value.split(",")]
        return lambda row: any(_compared(row.get(name), one) == 0 for one in several) == (operator == "in")
    if operator in ("like", "notlike"):
        inner = re.fullmatch(r"'([^']*)'", value, re.DOTALL)
        pattern = _pattern(inner[1] if inner else value)
        return lambda row: (
            (row.get(name) is not None and pattern.fullmatch(_by_sign(str(row[name]))) is not None)
            == (operator == "like")
        )
    if operator in ("is", "isnot"):
        return lambda row: (row.get(name) is None) == (operator == "is")
    wanted: str | float = quoted[1] if quoted else _number(value)
    tests: Mapping[str, Callable[[int], bool]] = {
        "=": lambda order: order == 0, "!=": lambda order: order != 0, "<": lambda order: order < 0,
        ">": lambda order: order > 0, "<=": lambda order: order <= 0, ">=": lambda order: order >= 0,
    }  # fmt: skip
    if operator not in tests:
        raise Wrong("You have an error in your SQL syntax")

    def fits(row: Mapping[str, Any]) -> bool:
        order = _compared(row.get(name), wanted)
        return order is not None and tests[operator](order)

    return fits


def _compared(stored: Any, wanted: str | float) -> int | None:
    """-1, 0 or 1; None where there is nothing to compare. A text beside a number is read as one, as far as it is one."""
    if stored is None:
        return None
    if isinstance(stored, datetime):
        left: Any = f"{stored:%Y%m%d%H%M%S}"
        right: Any = re.sub(r"\D", "", str(wanted)).ljust(14, "0")[:14]
    elif isinstance(wanted, float) or isinstance(stored, int):
        left, right = _number(str(stored)), _number(str(wanted))
    else:
        left, right = folded(stored), folded(wanted)
    return int(left > right) - int(left < right)


def folded(value: Any) -> str:
    """As the collation compares: without capitals, accents and blanks at the end."""
    text = unicodedata.normalize("NFKD", str(value).casefold())
    return "".join(sign for sign in text if not unicodedata.combining(sign)).rstrip(" ")


def _by_sign(text: str) -> str:
    """As `like` compares, sign by sign: a mark that stands alone is a sign too."""
    return "".join(
        "".join(one for one in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(one)) or sign
        for sign in text.casefold()
    )


def _number(text: str) -> float:
    begin = re.match(r"\s*[+-]?\d+(?:\.\d+)?", text)
    return float(begin[0]) if begin else 0.0


def _pattern(text: str) -> re.Pattern[str]:
    parts, escaped = [], False
    for sign in _by_sign(text):
        if escaped:
            parts.append(re.escape(sign))
            escaped = False
        elif sign == "\\":
            escaped = True
        else:
            parts.append(".*" if sign == "%" else "." if sign == "_" else re.escape(sign))
    return re.compile("".join(parts), re.DOTALL)
