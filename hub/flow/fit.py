"""Does what a mapping makes fit the field that it is for? Pure: a compiled field and the CRM's description of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from hub.errors import nearest
from hub.language.converters import Problem, text_of
from hub.language.fields import FieldPlan
from hub.language.paths import EVENT_SCOPE, Path, kind_of
from hub.model import Field, FieldType

LONG_ENOUGH = 4_000  # a text field of so many characters takes what people say without `max`

TEXTS: frozenset[FieldType] = frozenset(["text", "longtext", "phone", "email", "url"])

# By the field's type, what it does not take of what a mapping can make, and the word that would make it right.
_MISMATCH: Mapping[FieldType, Mapping[str, str]] = {
    **dict.fromkeys(TEXTS, dict.fromkeys(("number", "integer", "decimal", "boolean"), "as: text")),
    "integer": dict.fromkeys(("number", "decimal", "text", "boolean", "date", "datetime", "time"), "as: integer"),
    "decimal": dict.fromkeys(("text", "boolean", "date", "datetime", "time"), "as: decimal"),
    "boolean": dict.fromkeys(
        ("text", "number", "integer", "decimal", "date", "datetime", "time"), "as: boolean, or choose"
    ),
    "date": dict.fromkeys(("text", "number", "integer", "decimal", "boolean", "datetime", "time"), "as: date"),
    "datetime": dict.fromkeys(("text", "number", "integer", "decimal", "boolean", "date"), "as: datetime"),
    "reference": dict.fromkeys(("decimal", "boolean", "date", "datetime", "time"), "the id of a record"),
    "picklist": dict.fromkeys(("date", "datetime", "time"), "choose"),
}
_WORDS = {"number": "a number that may have decimals", "integer": "a whole number", "decimal": "a number with decimals",
          "boolean": "true or false", "time": "a time", "datetime": "a time", "date": "a date", "text": "text"}  # fmt: skip


@dataclass(frozen=True)
class Misfit:
    """What does not fit. `code` and `detail` name it, so that it is known again; not `grave`: it may go well."""

    code: str
    what: str
    detail: str = ""
    grave: bool = True


def misfits(plan: FieldPlan, field: Field, may_be: Callable[[Path, str], bool]) -> Iterator[Misfit]:
    """Everything that can be told without facts. `may_be` says whether a path can hold a word where the mapping writes."""
    for literal in plan.fixed:
        yield from _literal(field, literal)
    yield from _kind(plan, field)
    yield from _choices(plan, field, may_be)
    yield from _length(plan, field)


def picklist_problem(field: Field, word: str) -> Misfit | None:
    """Why a picklist does not take `word`; None: it does, or takes anything."""
    if word in field.retired:
        return Misfit("retired", f'{field.name} no longer takes "{word}"{_instead(field, word)}', word)
    if field.picklist and word not in field.picklist:
        return Misfit("value", f'{field.name} does not take "{word}"{_instead(field, word)}', word)
    return None


def _instead(field: Field, word: str) -> str:
    return nearest(word, field.picklist) or (f"; it takes: {', '.join(field.picklist)}" if field.picklist else "")


def _literal(field: Field, literal: Any) -> Iterator[Misfit]:
    if isinstance(literal, list):
        return
    shown = text_of(literal)
    if field.picklist or field.retired:
        problem = picklist_problem(field, shown)
        if problem is not None:
            yield problem
        return
    right = _not_right(field.type, literal)
    if right:
        what = f"{field.name} is {field.type}, and {_quoted(literal)} is {kind_of(literal)}: {right}"
        yield Misfit("type", what, shown)
    elif field.max_length and isinstance(literal, str) and len(literal) > field.max_length:
        yield Misfit(
            "length", f"{field.name} takes {field.max_length} characters, and this value has {len(literal)}", shown
        )


def _not_right(kind: FieldType, literal: Any) -> str:
    """What would be right instead of a literal; empty: it is."""
    is_number = isinstance(literal, int | float) and not isinstance(literal, bool)
    match kind:
        case "text" | "longtext" | "phone" | "email" | "url":
            return "" if isinstance(literal, str) else "write it in quotes"
        case "integer":
            return "" if is_number and float(literal).is_integer() else "write a whole number"
        case "decimal":
            return "" if is_number else "write a number"
        case "boolean":
            return "" if isinstance(literal, bool) else "write true or false"
        case "date":
            return "" if _reads(date.fromisoformat, literal, 10) else "write a date such as 2026-03-02"
        case "datetime":
            return "" if _reads(datetime.fromisoformat, literal) else "write a time such as 2026-03-02T10:00:00Z"
        case "reference":
            return "" if isinstance(literal, str) or is_number else "write a record's id"
        case "picklist":
            return ""


def _reads(read: Callable[[str], object], literal: Any, length: int | None = None) -> bool:
    if not isinstance(literal, str) or (length is not None and len(literal) != length):
        return False
    try:
        read(literal)
    except ValueError:
        return False
    return True


def _quoted(literal: Any) -> str:
    return f'"{literal}"' if isinstance(literal, str) else text_of(literal)


def _kind(plan: FieldPlan, field: Field) -> Iterator[Misfit]:
    gives: str = plan.gives
    if gives == "number" and not plan.converters and plan.made.shape.whole:
        gives = "integer"
    if field.type == "integer" and not plan.converters and plan.made.paths and all(map(_is_id, plan.made.paths)):
        return  # a record's id is text to the hub, also where its CRM counts records
    right = _MISMATCH.get(field.type, {}).get(gives)
    if right is not None:
        made = f"as: {plan.converters[-1].name}" if plan.converters else plan.made.words
        yield Misfit("type", f"{field.name} is {field.type}, and {made} gives {_WORDS[gives]}: write {right}")


def _is_id(path: Path) -> bool:
    """Whether a path gives the id of a CRM's record: a resolved one's, or the clicked one's."""
    return path.text.endswith(".id") and (path.root not in EVENT_SCOPE.roots or path.root == "clicked")


def _choices(plan: FieldPlan, field: Field, may_be: Callable[[Path, str], bool]) -> Iterator[Misfit]:
    """Every word that the paths may hold goes into the field, so it has to take each."""
    if plan.choose is not None or not field.picklist or plan.made.value is not None:
        return
    words = _possible(plan, may_be)
    if words is None:
        if plan.gives == "text" and not plan.made.shape.choices:
            takes = f"{field.name} takes only: {', '.join(field.picklist)}"
            yield Misfit("open", f"{takes}; {plan.made.words} may be another word: use choose", grave=False)
        return
    for word, becomes in words.items():
        problem = picklist_problem(field, becomes)
        if problem is not None:
            what = f'{plan.made.words} may be "{word}": {problem.what}; use choose'
            yield Misfit(problem.code, what, problem.detail)


def _possible(plan: FieldPlan, may_be: Callable[[Path, str], bool]) -> dict[str, str] | None:
    """By each word that the paths may hold, what the converters make of it; None where that cannot be told."""
    choices = ("true", "false") if plan.made.shape.kind == "boolean" else plan.made.shape.choices
    if not choices or any(converter.needs or converter.gives != "text" for converter in plan.converters):
        return None
    words = [word for word in choices if any(may_be(path, word) for path in plan.made.paths)]
    becomes = {}
    for word in words:
        value: Any = word
        try:
            for step in plan.steps:
                value = step(value, {})
        except Problem:
            continue  # it parks by itself, and says so
        becomes[word] = text_of(value)
    return becomes


def _length(plan: FieldPlan, field: Field) -> Iterator[Misfit]:
    longest = field.max_length
    if not longest or field.type not in TEXTS:
        return
    if plan.max is not None and plan.max > longest:
        yield Misfit("length", f"{field.name} takes {longest} characters, and max says {plan.max}")
    may_be_long = plan.gives == "text" and not plan.made.shape.choices and field.type in ("text", "longtext")
    short = plan.converters and plan.converters[-1].name in ("e164", "national")
    if plan.max is None and may_be_long and not short and longest <= LONG_ENOUGH:
        what = f"{field.name} takes {longest} characters, and nothing cuts {plan.made.words}: write max: {longest}"
        yield Misfit("uncut", what, grave=False)
