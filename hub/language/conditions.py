"""Conditions, the word `when`: fields with what they have to be, and `any`, `all`, `not` around them.

Several fields in one group all have to hold. A value alone means *is*, a list *is one of*, a group of words what OPERATORS
says. A condition that is not met says why in words, with the value only where the model declares what it may be.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from hub.errors import nearest
from hub.language.converters import Problem, Unfit, moment, number, text_of
from hub.language.paths import Facts, Path, PathError, Scope, Shape, kind_of
from hub.language.words import At, right_word
from hub.language.yaml_source import Document

Test = Callable[[Any], bool]
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Condition:
    """A compiled condition: `holds` on the hot road, `unmet` to say why not (None: it is met), `words` to say what."""

    holds: Callable[[Facts], bool]
    unmet: Callable[[Facts], str | None]
    words: str


@dataclass(frozen=True)
class Operator:
    """One word of a condition. `build` makes the test of a value (never None) or raises PathError."""

    about: str
    takes: str
    words: str
    build: Callable[[Any, Shape], Test]
    absent: bool = False  # whether it holds where nothing is there


def compile_condition(doc: Document, at: At, value: Any, scope: Scope) -> Condition:
    """The condition that stands at `at` of a document. Raises ConfigError."""
    if not isinstance(value, dict) or not value:
        raise doc.error(at, "a condition is a group such as { interaction.channel: voice }")
    parts = []
    for word, operand in value.items():
        here = (*at, word)
        if word in ("any", "all"):
            if not isinstance(operand, list) or not operand:
                raise doc.error(here, f"`{word}` takes a list of conditions")
            inner = [compile_condition(doc, (*here, i), one, scope) for i, one in enumerate(operand)]
            parts.append(_all(inner) if word == "all" else _any(inner))
        elif word == "not":
            parts.append(_not(compile_condition(doc, here, operand, scope)))
        else:
            parts.append(_field(doc, here, word, operand, scope))
    return _all(parts)


def _field(doc: Document, at: At, word: str, operand: Any, scope: Scope) -> Condition:
    try:
        path = scope.path(word)
    except PathError as error:
        raise doc.error(at, str(error)) from None
    if operand == {}:
        raise doc.error(at, "an empty group says nothing")
    asked = operand if isinstance(operand, dict) else {"in" if isinstance(operand, list) else "is": operand}
    parts = []
    for name, wanted in asked.items():
        operator = OPERATORS.get(name)
        here = (*at, name) if isinstance(operand, dict) else at
        if operator is None:
            raise doc.error(here, f'there is no condition "{name}"{right_word(name, OPERATORS)}')
        try:
            test = operator.build(wanted, path.shape)
        except (PathError, Problem) as error:
            raise doc.error(here, f"{word}: {error}") from None
        words = f"{path.text} {operator.words} {_listed(wanted)}" if name != "present" else _presence(path.text, wanted)
        parts.append(_leaf(path, test, operator.absent if name != "present" else wanted is False, words))
    return _all(parts)


def _leaf(path: Path, test: Test, absent: bool, words: str) -> Condition:
    get = path.get
    told = path.shape.choices or path.shape.kind in ("number", "boolean")

    def holds(facts: Facts) -> bool:
        value = get(facts)
        return absent if value is None else test(value)

    def unmet(facts: Facts) -> str | None:
        if holds(facts):
            return None
        value = get(facts)
        if value is None:
            return f"{path.text} is not there (wanted: {words})"
        return f"{path.text} is {text_of(value) if told else 'something else'} (wanted: {words})"

    return Condition(holds, unmet, words)


def _all(parts: list[Condition]) -> Condition:
    if len(parts) == 1:
        return parts[0]
    tests = [part.holds for part in parts]
    if len(tests) == 2:
        first, second = tests

        def both(facts: Facts) -> bool:
            return first(facts) and second(facts)
    else:

        def both(facts: Facts) -> bool:
            return all(test(facts) for test in tests)

    def unmet(facts: Facts) -> str | None:
        return next((why for part in parts if (why := part.unmet(facts)) is not None), None)

    return Condition(both, unmet, " and ".join(part.words for part in parts))


def _any(parts: list[Condition]) -> Condition:
    def holds(facts: Facts) -> bool:
        return any(part.holds(facts) for part in parts)

    def unmet(facts: Facts) -> str | None:
        return None if holds(facts) else "; ".join(part.unmet(facts) or "" for part in parts)

    return Condition(holds, unmet, "any of (" + "; ".join(part.words for part in parts) + ")")


def _not(part: Condition) -> Condition:
    def holds(facts: Facts) -> bool:
        return not part.holds(facts)

    def unmet(facts: Facts) -> str | None:
        return f"it has to be other than: {part.words}" if part.holds(facts) else None

    return Condition(holds, unmet, f"not ({part.words})")


# --- operators ----------------------------------------


def _is(wanted: Any, shape: Shape) -> Test:
    return _one_of([wanted], shape)


def _one_of(wanted: Any, shape: Shape) -> Test:
    if not isinstance(wanted, list) or not wanted:
        raise PathError("a list of values has to be there")
    if shape.kind in ("group", "list"):
        raise PathError(f"it holds a {shape.kind}: ask for a part of it, or `present: true`, or `contains` of a list")
    for one in wanted:
        check_value(one, shape)
    texts = frozenset(text_of(one) for one in wanted)
    if shape.kind == "text":
        return lambda value: type(value) is str and value in texts
    # Numbers and true/false are compared as they are written, so that 1, 1.0 and "1" are one, and true is not 1.
    return lambda value: type(value) not in (dict, list) and text_of(value) in texts


def _none_of(wanted: Any, shape: Shape) -> Test:
    test = _one_of(wanted if isinstance(wanted, list) else [wanted], shape)
    return lambda value: not test(value)


def check_value(value: Any, shape: Shape) -> None:
    """Refuse a value that could never stand at a place of this shape. Raises PathError."""
    if value is None:
        raise PathError("null is no value; write { present: false }")
    if isinstance(value, dict | list):
        raise PathError(f"one value is wanted, not {kind_of(value)}")
    if shape.choices and value not in shape.choices:
        right = nearest(str(value), shape.choices) or f" (it is one of: {', '.join(shape.choices)})"
        raise PathError(f'it is never "{value}"{right}')
    if shape.kind == "boolean" and not isinstance(value, bool):
        raise PathError("it is true or false")
    if shape.kind == "number" and (isinstance(value, bool | str)):
        raise PathError("it is a number")


def _order(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Shape], Test]:
    def build(wanted: Any, shape: Shape) -> Test:
        if shape.kind not in ("number", "time", "free"):
            raise PathError("only a number or a time can be compared so")
        if shape.kind == "time" or isinstance(wanted, str):
            bound = moment(wanted, _UTC)
            return _ordered(lambda value: compare(moment(value, _UTC), bound))
        if isinstance(wanted, bool) or not isinstance(wanted, int | float):
            raise PathError(f"a number is wanted, not {kind_of(wanted)}")
        if shape.kind == "number":
            return lambda value: type(value) in (int, float) and compare(value, wanted)
        return _ordered(lambda value: compare(number(value), wanted))

    return build


def _ordered(test: Test) -> Test:
    def ordered(value: Any) -> bool:
        try:
            return test(value)
        except Unfit:
            return False

    return ordered


def _contains(wanted: Any, shape: Shape) -> Test:
    if shape.kind not in ("text", "list", "free"):
        raise PathError("only a text or a list can contain something")
    asked = [text_of(one).casefold() for one in (wanted if isinstance(wanted, list) else [wanted])]
    if not asked or "" in asked:
        raise PathError("an empty text is contained in everything")

    def contains(value: Any) -> bool:
        if type(value) is list:
            items = {text_of(item).casefold() for item in value if type(item) not in (dict, list, type(None))}
            return any(one in items for one in asked)
        if type(value) is not str:
            return False
        text = value.casefold()
        return any(one in text for one in asked)

    return contains


def _starts_with(wanted: Any, shape: Shape) -> Test:
    if shape.kind not in ("text", "free"):
        raise PathError("only a text can start with something")
    asked = tuple(text_of(one).casefold() for one in (wanted if isinstance(wanted, list) else [wanted]))
    if not asked or "" in asked:
        raise PathError("every text starts with an empty one")
    return lambda value: type(value) is str and value.casefold().startswith(asked)


def _present(wanted: Any, _shape: Shape) -> Test:
    if not isinstance(wanted, bool):
        raise PathError("`present` is true or false")
    return lambda _value: wanted


OPERATORS = {
    "is": Operator("the same; capital and small letters differ", "a value", "is", _is),
    "in": Operator("one of these (a list alone means this)", "a list", "is one of", _one_of),
    "not": Operator("none of these; holds where nothing is there", "a value, a list", "is not", _none_of, absent=True),
    "at_least": Operator("this or more", "number, time", "is at least", _order(operator.ge)),
    "at_most": Operator("this or less", "number, time", "is at most", _order(operator.le)),
    "more_than": Operator("more than this", "number, time", "is more than", _order(operator.gt)),
    "less_than": Operator("less than this", "number, time", "is less than", _order(operator.lt)),
    "contains": Operator(
        "a text has one of these in it, a list one of these as an item; capitals do not matter", "text, a list",
        "contains", _contains,
    ),
    "starts_with": Operator("a text begins with one of these; capitals do not matter", "text, a list", "starts with",
                            _starts_with),
    "present": Operator("whether anything is there at all", "true or false", "is there:", _present),
}  # fmt: skip


def _presence(path: str, wanted: Any) -> str:
    return f"{path} is there" if wanted is True else f"{path} is not there"


def _listed(value: Any) -> str:
    return " or ".join(text_of(one) for one in value) if isinstance(value, list) else text_of(value)
