"""`q` in the expanded syntax of REST framework version 2 and later, as a predicate over records."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.oracle.schema import Resource

Predicate = Callable[[Mapping[str, Any]], bool]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<op><=|>=|<>|!=|=|<|>|\(|\))|(?P<word>[A-Za-z_]\w*))",
    re.DOTALL,
)


class Wrong(ValueError):
    """This is no expression, or one about an attribute that there is not."""


def predicate(text: str, resource: Resource) -> Predicate:
    """The expression as a function. Raises Wrong."""
    reading = _Reading(_tokens(text), resource)
    found = reading.alternatives()
    if reading.left:
        raise Wrong(f"what follows is not understood: {reading.left[0][1][:40]}")
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise Wrong(f"not understood at {at}")
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    return tokens


class _Reading:
    def __init__(self, tokens: list[tuple[str, str]], resource: Resource) -> None:
        self.left, self._resource = tokens, resource

    def alternatives(self) -> Predicate:
        parts = [self._conditions()]
        while self._is("or"):
            self._take()
            parts.append(self._conditions())
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def _conditions(self) -> Predicate:
        parts = [self._condition()]
        while self._is("and"):
            self._take()
            parts.append(self._condition())
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def _condition(self) -> Predicate:
        if self._is("("):
            self._take()
            inner = self.alternatives()
            self._need(")")
            return inner
        name, upper = self._attribute()
        negated = self._is("not")
        if negated:
            self._take()
        word = self._take()[1].lower()
        if word == "is":
            absent = not self._is("not")
            if not absent:
                self._take()
            self._need("null")
            return lambda record: (record.get(name) in (None, "")) == absent
        value = self._value()

        def stored(record: Mapping[str, Any]) -> Any:
            found = record.get(name)
            return str(found).upper() if upper and found is not None else found

        if word == "like":
            pattern = re.compile(_wild(str(value)), re.DOTALL)
            return lambda record: (
                (found := stored(record)) is not None and bool(pattern.fullmatch(str(found))) != negated
            )
        if word not in _COMPARE or negated:
            raise Wrong(f"there is no operator {word}")
        return lambda record: (found := stored(record)) is not None and _COMPARE[word](*_alike(found, value))

    def _attribute(self) -> tuple[str, bool]:
        kind, name = self._take()
        upper = name.lower() == "upper" and self._is("(")
        if upper:
            self._take()
            kind, name = self._take()
            self._need(")")
        if kind != "word" or self._resource.attribute(name) is None:
            raise Wrong(f"attribute {name[:60]} is not defined for {self._resource.name}")
        return name, upper

    def _value(self) -> Any:
        kind, text = self._take()
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return float(text) if "." in text else int(text)
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise Wrong(f"a value is needed, not {text[:40]}")

    def _is(self, word: str) -> bool:
        return bool(self.left) and self.left[0][0] != "text" and self.left[0][1].lower() == word

    def _need(self, word: str) -> None:
        if not self._is(word):
            raise Wrong(f"{word} is needed")
        self._take()

    def _take(self) -> tuple[str, str]:
        if not self.left:
            raise Wrong("it ends too early")
        return self.left.pop(0)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _wild(text: str) -> str:
    return "".join(".*" if c in "%*" else "." if c == "_" else re.escape(c) for c in text)


def _alike(stored: Any, wanted: Any) -> tuple[Any, Any]:
    """Both sides in one type, as the database would have them."""
    if isinstance(stored, bool) or isinstance(wanted, bool):
        return str(stored).lower(), str(wanted).lower()
    if isinstance(stored, int | float):
        try:
            return float(stored), float(wanted)
        except ValueError:
            return str(stored), str(wanted)
    try:
        return _moment(str(stored)), _moment(str(wanted))
    except ValueError:
        return str(stored), str(wanted)


def _moment(text: str) -> dt.datetime:
    if len(text) < 19 or text[4:5] != "-" or text[10:11] != "T":
        raise ValueError(text)
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
