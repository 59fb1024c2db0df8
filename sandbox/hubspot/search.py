"""HubSpot's search: groups of filters, sorts, pages up to a cap of 10,000."""

from __future__ import annotations

import datetime as dt
import fnmatch
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.hubspot.errors import Problem
from sandbox.hubspot.schema import Property

GROUPS, FILTERS, ALL_FILTERS, LARGEST_PAGE, CAP, LONGEST_BODY = 5, 6, 18, 200, 10_000, 3_000
_TOKEN = re.compile(r"[^\W_]+")
_PATTERN = re.compile(r"[^\W_*]*\*?[^\W_*]+\*?|\*")
Properties = Mapping[str, str]


def predicate(groups: Any, schema: Mapping[str, Property]) -> Callable[[Properties], bool]:
    """What fits any of the groups. Raises Problem."""
    if not isinstance(groups, list):
        raise Problem(400, "filterGroups is a list")
    if len(groups) > GROUPS:
        raise Problem(400, f"There are too many filterGroups; the maximum allowed is {GROUPS}")
    filters = [group.get("filters") or [] for group in groups]
    if any(len(some) > FILTERS for some in filters) or sum(map(len, filters)) > ALL_FILTERS:
        raise Problem(400, f"Too many filters; {FILTERS} in a group and {ALL_FILTERS} in all")
    tests = [[_test(one, schema) for one in some] for some in filters]
    return lambda properties: not tests or any(all(test(properties) for test in some) for some in tests)


def page_of(told: Mapping[str, Any]) -> tuple[int, int]:
    """Limit and offset. Raises Problem beyond what paging reaches."""
    limit, after = told.get("limit", 10), told.get("after") or 0
    if not str(limit).isdecimal() or not str(after).isdecimal() or int(limit) > LARGEST_PAGE:
        raise Problem(400, f"limit is at most {LARGEST_PAGE}, after a number")
    if int(after) + int(limit) > CAP:
        raise Problem(400, f"Paging is limited to {CAP} results", errors=[{"message": "cap", "in": "after"}])
    return int(limit), int(after)


def sorted_by(told: Any, schema: Mapping[str, Property]) -> Callable[[Properties], Any] | None:
    """The key of the first sort, and by its direction `reverse` elsewhere; None: as they come."""
    one = told[0] if isinstance(told, list) and told else None
    name = str(one.get("propertyName") if isinstance(one, dict) else one or "").lstrip("-")
    if not name:
        return None
    if name not in schema:
        raise Problem(400, f"There was a problem with the sort: {name} does not exist")
    return lambda properties: _comparable(properties.get(name, ""), schema[name])


def descending(told: Any) -> bool:
    """Whether the first sort goes down."""
    one = told[0] if isinstance(told, list) and told else None
    return one.get("direction") == "DESCENDING" if isinstance(one, dict) else str(one or "").startswith("-")


def _test(told: Mapping[str, Any], schema: Mapping[str, Property]) -> Callable[[Properties], bool]:
    name, operator = str(told.get("propertyName", "")), str(told.get("operator", ""))
    if name not in schema:
        words = f"Property {name} does not exist"
        detail = {"message": words, "code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": [name]}}
        raise Problem(400, "There was a problem with the request.", errors=[detail])
    one = schema[name]
    value = str(told.get("value", ""))
    values = [str(each).lower() for each in told.get("values") or ()]

    def of(properties: Properties) -> Any:
        return _comparable(properties.get(name, ""), one)

    match operator:
        case "HAS_PROPERTY":
            return lambda properties: bool(properties.get(name))
        case "NOT_HAS_PROPERTY":
            return lambda properties: not properties.get(name)
        case "IN":
            return lambda properties: properties.get(name, "").lower() in values
        case "NOT_IN":
            return lambda properties: properties.get(name, "").lower() not in values
        case "CONTAINS_TOKEN":
            return lambda properties: _contains(properties.get(name, ""), value)
        case "NOT_CONTAINS_TOKEN":
            return lambda properties: not _contains(properties.get(name, ""), value)
    wanted = _comparable(value, one)
    if not value:
        raise Problem(400, f"The operator {operator} needs a value")
    match operator:
        case "EQ":
            return lambda properties: of(properties) == wanted
        case "NEQ":
            return lambda properties: of(properties) != wanted
        case "GT" | "GTE" | "LT" | "LTE":
            compare = {"GT": wanted.__lt__, "GTE": wanted.__le__, "LT": wanted.__gt__, "LTE": wanted.__ge__}[operator]
            return lambda properties: bool(properties.get(name)) and compare(of(properties)) is True
        case "BETWEEN":
            high = _comparable(str(told.get("highValue", "")), one)
            return lambda properties: bool(properties.get(name)) and wanted <= of(properties) <= high
    raise Problem(400, f"There is no operator {operator}")


def _comparable(value: str, one: Property) -> Any:
    if one.type == "number":
        try:
            return float(value)
        except ValueError:
            return -1.0
    if one.type in ("datetime", "date"):
        return milliseconds(value) or 0.0
    return value.lower()


def milliseconds(value: str) -> float | None:
    """A moment, ISO or milliseconds, in milliseconds; None where it is none."""
    try:
        if value.isdecimal():
            return float(value)
        moment = dt.datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000
    except ValueError:
        return None


def _contains(kept: str, wanted: str) -> bool:
    """Whether the words of `wanted` (a star stands for any letters) are in the value, one after the other."""
    tokens = [token.lower() for token in _TOKEN.findall(kept)]
    patterns = [pattern.lower() for pattern in _PATTERN.findall(wanted)]
    if not patterns:
        return False
    return any(all(fnmatch.fnmatchcase(tokens[start + n], pattern) for n, pattern in enumerate(patterns))
               for start in range(len(tokens) - len(patterns) + 1))  # fmt: skip
