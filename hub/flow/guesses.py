"""What is guessed for one field of a draft: the words that it gets in YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.flow.vocabulary import Fact, likeness, names_of, nearest_value
from hub.model import Field

PLACEHOLDER = "CHANGE-ME"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class Guess:
    """One field as it is drafted: its words in YAML, the facts of the example, and what to say beside it."""

    words: str
    example: Mapping[str, object] = field(default_factory=dict)
    remark: str = ""


def id_of(of: Sequence[str], may_be: Sequence[str]) -> str:
    """The caller's id, where the caller is one of the objects that the field refers to."""
    if set(may_be) <= set(of):
        return "caller.id"
    right = " or ".join(f"caller.object == '{object}'" for object in of)
    return f'{{ expr: "caller.id if {right}" }}'


def score(fact: Fact, one: Field) -> float:
    """How well a fact goes into a field: by name, and a little by type."""
    if one.type not in fact.types or (one.type == "picklist" and not one.picklist):
        return 0.0
    alike = likeness(names_of(one), fact.called)
    return alike - 0.05 * fact.types.index(one.type) if alike else 0.0


def converted(fact: Fact, one: Field) -> list[str]:
    """The converter that the field's type needs."""
    if fact.name == "seconds":
        minutes = any({"minutes", "minute", "mins"} & set(words) for words in names_of(one))
        return ["as: minutes" if minutes else "as: text" if one.type == "text" else "as: integer"]
    if fact.convert:
        return [f"as: {fact.convert}"]
    return ["as: date"] if one.type == "date" else []


def chosen(fact: Fact, one: Field, path: str, example: Mapping[str, object]) -> Guess | None:
    """A table from the fact's words to the picklist's, as far as they are alike; the rest is to decide: nothing, or the
    first value where one is required."""
    if one.type == "boolean":
        return _flag(fact, one, path, example)
    table = {word: value for word, called in fact.words.items() if (value := nearest_value(one, called)) is not None}
    if not table:
        return None
    given = {path: next(iter(table))}
    if len(table) == len(fact.words):
        if all(word == value for word, value in table.items()):
            return Guess(path, given)
        return Guess(f"{{ from: {path}, choose: {flow(table)} }}", given)
    rest = ", ".join(word for word in fact.words if word not in table)
    if one.required:
        words = f"{{ from: {path}, choose: {flow(table)}, otherwise: {quoted(one.picklist[0])} }}"
    else:  # nothing is better than a sale that nobody made
        words = f"{{ from: {path}, choose: {flow(table | {word: None for word in fact.words if word not in table})} }}"
    return Guess(words, given, f"decide what {rest} should be")


def _flag(fact: Fact, one: Field, path: str, example: Mapping[str, object]) -> Guess | None:
    """`direction` as true or false: true is what the field is called after, else what went out."""
    if fact.name != "direction":
        return None
    called = {word for words in names_of(one) for word in words}
    true = "inbound" if called & {"inbound", "incoming", "in"} else "outbound"
    table = {word: word == true for word in fact.words}
    return Guess(f"{{ from: {path}, choose: {flow(table)} }}", example, f"true is {true}: check it")


def placeholder(one: Field) -> Any:
    if one.picklist:
        return one.picklist[0]
    match one.type:
        case "boolean":
            return False
        case "integer" | "decimal":
            return 0
        case "date":
            return "2026-01-01"
        case "datetime":
            return "2026-01-01T00:00:00Z"
    return PLACEHOLDER[: one.max_length]


def quoted(value: Any) -> str:
    """A value as it stands in YAML: bare where nobody could misread it."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in ("true", "false", "null"):
        return value
    return json.dumps(value, ensure_ascii=False)


def flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(key)}: {flow(one)}" for key, one in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return quoted(value)
