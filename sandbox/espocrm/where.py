"""`where` as EspoCRM reads it: nested variables of PHP's, or JSON in `searchParams`, and what each type means.

The database behind it is a MariaDB with its usual collation: capitals and accents do not matter, `%` and `_` are wildcards
for the types that become LIKE, and a backslash takes their meaning away.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandbox.espocrm.schema import attributes, link_of

Values = Callable[[str], list[Any]]  # all values that an attribute has: a record may have several numbers
MOST_VARIABLES = 1000
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


class Wrong(ValueError):
    """What EspoCRM refuses: the status and the words."""

    def __init__(self, status: int, what: str) -> None:
        self.status = status
        super().__init__(what)


def php(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The query as PHP makes arrays of it."""
    root: dict[str, Any] = {}
    for count, (name, value) in enumerate(pairs):
        if count >= MOST_VARIABLES:
            break  # max_input_vars: the rest is left out without a word
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        keys = [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])]
        here: Any = root
        for key in keys[:-1]:
            here = here.setdefault(key or str(len(here)), {})
            if not isinstance(here, dict):
                break
        else:
            here[keys[-1] or str(len(here))] = value
    return {name: _listed(value) for name, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(one) for name, one in value.items()}
    return list(inner.values()) if inner and all(name.isdecimal() for name in inner) else inner


def folded(value: Any) -> str:
    """As the collation compares: without capitals, accents and blanks at the end."""
    text = unicodedata.normalize("NFKD", str(value).casefold())
    return "".join(c for c in text if not unicodedata.combining(c)).rstrip(" ")


def fits(entity: str, items: Any, values: Values, linked: Callable[[str], list[str]]) -> bool:
    """Whether a record fits all items. Raises Wrong."""
    if not isinstance(items, list):
        raise Wrong(400, "Bad where.")
    return all(_fits(entity, item, values, linked) for item in items)


def _fits(entity: str, item: Any, values: Values, linked: Callable[[str], list[str]]) -> bool:
    if not isinstance(item, Mapping) or not isinstance(item.get("type"), str):
        raise Wrong(400, "Bad where item.")
    type, wanted = item["type"], item.get("value")
    if type in ("or", "and"):
        several = wanted if isinstance(wanted, list) else []
        told = [_fits(entity, one, values, linked) for one in several]
        return any(told) if type == "or" else all(told)
    name = str(item.get("attribute") or item.get("field") or "")
    if type in ("linkedWith", "notLinkedWith"):
        if not link_of(entity, name):
            raise Wrong(400, f"Link '{name}' does not exist.")
        ids = wanted if isinstance(wanted, list) else [wanted]
        is_linked = any(id in linked(name) for id in ids)
        return is_linked if type == "linkedWith" else not is_linked
    if name not in attributes(entity):
        raise Wrong(400, f"Not existing attribute '{name}' in where.")
    if type not in TYPES:
        raise Wrong(400, f"Unknown where type '{type}'.")
    return TYPES[type](values(name), wanted)


def _like(pattern: Callable[[str], str]) -> Callable[[list[Any], Any], bool]:
    def test(stored: list[Any], wanted: Any) -> bool:
        expression = _expression(folded_pattern(pattern(str(wanted))))
        return any(one is not None and expression.fullmatch(folded(one)) for one in stored)

    return test


def folded_pattern(text: str) -> str:
    """A pattern, folded as what it is compared with."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def _expression(pattern: str) -> re.Pattern[str]:
    parts, escaped = [], False
    for c in pattern:
        if escaped:
            parts.append(re.escape(c))
            escaped = False
        elif c == "\\":
            escaped = True
        else:
            parts.append(".*" if c == "%" else "." if c == "_" else re.escape(c))
    return re.compile("".join(parts), re.DOTALL)


def _compared(test: Callable[[str, str], bool]) -> Callable[[list[Any], Any], bool]:
    return lambda stored, wanted: any(one is not None and test(folded(one), folded(wanted)) for one in stored)


def _equal(stored: list[Any], wanted: Any) -> bool:
    return any(one is not None and folded(_text(one)) == folded(_text(wanted)) for one in stored)


def _text(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


TYPES: Mapping[str, Callable[[list[Any], Any], bool]] = {
    "equals": _equal,
    "notEquals": lambda stored, wanted: not _equal(stored, wanted),
    "in": lambda stored, wanted: any(_equal(stored, one) for one in (wanted if isinstance(wanted, list) else [wanted])),
    "notIn": lambda stored, wanted: not any(_equal(stored, one) for one in wanted or ()),
    "contains": _like(lambda value: f"%{value}%"),
    "startsWith": _like(lambda value: f"{value}%"),
    "endsWith": _like(lambda value: f"%{value}"),
    "like": _like(lambda value: value),
    "greaterThan": _compared(lambda stored, wanted: stored > wanted),
    "lessThan": _compared(lambda stored, wanted: stored < wanted),
    "greaterThanOrEquals": _compared(lambda stored, wanted: stored >= wanted),
    "lessThanOrEquals": _compared(lambda stored, wanted: stored <= wanted),
    "isNull": lambda stored, _: all(one is None for one in stored),
    "isNotNull": lambda stored, _: any(one is not None for one in stored),
    "isTrue": lambda stored, _: any(one is True for one in stored),
    "isFalse": lambda stored, _: not any(one is True for one in stored),
}
