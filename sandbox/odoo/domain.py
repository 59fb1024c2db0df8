"""Odoo's search domains: a list in prefix notation, `&` where nothing joins two conditions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Test = Callable[[dict[str, Any]], bool]
Value = Callable[[dict[str, Any], str], list[Any]]
OPERATORS = ("=", "!=", "in", "not in", "like", "ilike", "=like", "=ilike", "<", ">", "<=", ">=")


class Wrong(ValueError):
    """The domain is none."""


def predicate(domain: Any, values: Value) -> Test:
    """What the domain fits; `values` gives a record's values at a path. Raises Wrong."""
    if not isinstance(domain, list):
        raise Wrong("Domain() invalid item in domain")
    tests: list[Test] = []
    for item in reversed(domain):
        if item == "!":
            (inner,) = _taken(tests, 1)
            tests.append(lambda record, inner=inner: not inner(record))  # type: ignore[misc]
        elif item in ("&", "|"):
            one, two = _taken(tests, 2)
            both = all if item == "&" else any
            tests.append(lambda record, one=one, two=two, both=both: both((one(record), two(record))))  # type: ignore[misc]
        elif isinstance(item, list) and len(item) == 3:
            tests.append(_condition(str(item[0]), str(item[1]).lower(), item[2], values))
        else:
            raise Wrong(f"Invalid leaf {str(item)[:80]}")
    return lambda record: all(test(record) for test in tests)


def _taken(tests: list[Test], count: int) -> list[Test]:
    if len(tests) < count:
        raise Wrong("Domain() unexpected end")
    return [tests.pop() for _ in range(count)]


def _condition(path: str, operator: str, wanted: Any, values: Value) -> Test:
    if operator not in OPERATORS:
        raise Wrong(f"Invalid operator {operator}")
    if operator in ("in", "not in"):
        among = wanted if isinstance(wanted, list) else [wanted]
        inside = operator == "in"
        return lambda record: any(_same(one, other) for one in values(record, path) for other in among) is inside
    if operator in ("=", "!="):
        equal = operator == "="
        return lambda record: any(_same(one, wanted) for one in values(record, path)) is equal
    if operator in ("<", ">", "<=", ">="):
        return lambda record: any(_compared(one, operator, wanted) for one in values(record, path))
    pattern = _like(str(wanted), whole=operator.startswith("="), small=operator.endswith("ilike"))
    return lambda record: any(one not in (None, False) and pattern.search(str(one)) is not None
                              for one in values(record, path))  # fmt: skip


def _same(kept: Any, wanted: Any) -> bool:
    if wanted is False or wanted is None:
        return kept in (None, False, "")
    if isinstance(kept, bool) or isinstance(wanted, bool):
        return kept is wanted
    return bool(kept == wanted)


def _compared(kept: Any, operator: str, wanted: Any) -> bool:
    if kept in (None, False):
        return False
    try:
        return bool({"<": kept < wanted, ">": kept > wanted, "<=": kept <= wanted, ">=": kept >= wanted}[operator])
    except TypeError:
        return False


def _like(text: str, *, whole: bool, small: bool) -> re.Pattern[str]:
    """SQL's LIKE: `%` any letters, `_` one, a backslash takes both their meaning."""
    parts = re.findall(r"\\.|%|_|[^\\%_]+|\\", text, re.DOTALL)
    made = "".join(".*" if part == "%" else "." if part == "_" else
                   re.escape(part[1:] if part[0] == "\\" and len(part) > 1 else part) for part in parts)  # fmt: skip
    return re.compile(f"^{made}$" if whole else made, re.DOTALL | (re.IGNORECASE if small else 0))
