"""Say of a wrong field where it is and what would be right."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, NoReturn

import msgspec
from msgspec import inspect

from hub.errors import InvalidEvent, nearest
from hub.model import EVENT_FAMILIES, INTERACTION_EVENTS, OTHER_EVENTS, Event

_AT = re.compile(r"(?P<problem>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.+)`")
_KIND = re.compile(r"Expected `(.+?)`, got `(.+?)`")
_LENGTH = re.compile(r"Expected `\w+` of length (>=|<=) (\d+)")
_CHOICE = re.compile(r"Invalid enum value '(.*)'", re.DOTALL)
_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "object": "an object",
          "array": "an array", "datetime": "a time", "null": "null"}  # fmt: skip
_TIME = 'such as "2026-11-23T10:05:40Z" or "2026-11-23T11:05:40+01:00"'


def invalid(error: msgspec.ValidationError, where: str) -> InvalidEvent:
    """What msgspec found wrong, in the sender's terms. `where` is the path of the event in the body."""
    found = _AT.fullmatch(str(error))
    problem, path = (found["problem"], found["path"] or "") if found else (str(error), "")
    path = path.replace("[...]", "")
    missing = _MISSING.fullmatch(problem)
    if missing:
        path = f"{path}.{missing[1]}"
    inside = path.lstrip(".")
    field = f"{where}{path}" if where else inside
    return InvalidEvent(field or "body", "missing" if missing else _in_words(problem, inside))


def unknown_type(name: str) -> str:
    """What to say of an event type that does not exist."""
    known = INTERACTION_EVENTS + OTHER_EVENTS
    shown = name if len(name) <= 60 else f"{name[:60]}…"
    hint = nearest(name, known)
    if hint:
        return f'there is no event "{shown}"{hint}'
    families = ", ".join(f"{family}.…" for family in EVENT_FAMILIES)
    return f'there is no event "{shown}"; there are {", ".join(known)}, {families}'


def lone_surrogate(raw: bytes) -> str | None:
    """The path of the first text in `raw` that holds half a surrogate pair; None where `raw` is no JSON anyway."""
    try:
        value = json.loads(raw, parse_constant=_refuse)
    except ValueError:
        return None
    return _lone(value, "")


def _lone(value: Any, path: str) -> str | None:
    if isinstance(value, str):
        return path.lstrip(".") if any("\ud800" <= c <= "\udfff" for c in value) else None
    if isinstance(value, dict):
        children = [(child, f"{path}.{_printable(name)}", name) for name, child in value.items()]
        for child, at, name in children:
            found = _lone(name, at) or _lone(child, at)
            if found is not None:
                return found
    elif isinstance(value, list):
        for n, child in enumerate(value):
            found = _lone(child, f"{path}[{n}]")
            if found is not None:
                return found
    return None


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode()


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _in_words(problem: str, path: str) -> str:
    choice = _CHOICE.fullmatch(problem)
    if choice:
        allowed = _choices().get(path, ())
        shown = choice[1] if len(choice[1]) <= 40 else f"{choice[1][:40]}…"
        return f'"{shown}" is none of {", ".join(allowed)}{nearest(choice[1], allowed)}'
    kind = _KIND.fullmatch(problem)
    if kind:
        wanted = " or ".join(
            _WORDS.get(word.strip(), word.strip()) for word in kind[1].split("|") if word.strip() != "null"
        )
        example = f", {_TIME}" if "datetime" in kind[1] else ""
        return f"{wanted} is needed{example}, not {_WORDS.get(kind[2], kind[2])}"
    length = _LENGTH.fullmatch(problem)
    if length:
        return "must not be empty" if length[1] == ">=" else f"{length[2]} characters at most"
    if "timezone" in problem:
        return f"a time with its zone is needed, {_TIME}"
    if "RFC3339" in problem:
        return f"a time is needed, {_TIME}"
    if problem.endswith(">= 0.0"):
        return "must not be negative"
    return problem.replace("`", '"')


@cache
def _choices() -> dict[str, tuple[str, ...]]:
    """The allowed words of each field that has such, by path."""
    found: dict[str, tuple[str, ...]] = {}

    def collect(of: inspect.Type, path: str) -> None:
        if isinstance(of, inspect.UnionType):
            for one in of.types:
                collect(one, path)
        elif isinstance(of, inspect.LiteralType):
            found[path] = tuple(str(value) for value in of.values)
        elif isinstance(of, inspect.StructType):
            for field in of.fields:
                collect(field.type, f"{path}.{field.encode_name}" if path else field.encode_name)

    collect(inspect.type_info(Event), "")
    return found
