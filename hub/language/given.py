"""The examples of a mapping: what is given, and what is expected. Checked when the mapping is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hub.errors import nearest
from hub.language.conditions import check_value
from hub.language.converters import Unfit, moment
from hub.language.lookups import Resolve
from hub.language.paths import PathError, Scope, Shape, kind_of
from hub.language.words import At, group, text_at
from hub.language.yaml_source import Document

OUTCOMES = {
    "problem": "fields (or resolved names) that park the row",
    "cut": "fields that `max` cuts",
}


@dataclass(frozen=True)
class Example:
    """One example. `given` is facts with resolved names in them; `records` are given lists of several matches."""

    about: str
    given: dict[str, Any]
    records: dict[str, list[dict[str, Any]]]
    expect: dict[str, Any] | Literal["skip"]
    problems: tuple[str, ...]
    cuts: tuple[str, ...]
    line: int


def compile_examples(
    doc: Document, value: Any, scope: Scope, fields: tuple[str, ...], resolved: Sequence[Resolve]
) -> tuple[Example, ...]:
    """Everything under `examples`. Raises ConfigError: also where there are none."""
    at: At = ("examples",)
    if not isinstance(value, list) or not value:
        raise doc.error(
            at if value is not None else (), "every mapping carries `examples`: what is given, what to expect"
        )
    names = tuple(one.name for one in resolved)
    return tuple(_example(doc, (*at, i), one, scope, fields, names) for i, one in enumerate(value))


def check_given(doc: Document, at: At, value: Any, scope: Scope) -> None:
    """Refuse given facts that the model does not know. Raises ConfigError with the nearest right name."""
    if not isinstance(value, dict):
        raise doc.error(at, "facts are a group such as { interaction: { channel: voice } }")
    for word, one in value.items():
        if word not in scope.roots:
            raise doc.error((*at, word), f'nothing is called "{word}" here{nearest(word, scope.roots)}')
        _check(doc, (*at, word), one, scope.roots[word])


def _example(
    doc: Document, at: At, value: Any, scope: Scope, fields: tuple[str, ...], names: tuple[str, ...]
) -> Example:
    group(doc, at, value, ("about", "given", "expect"), ("about", "expect"))
    about = text_at(doc, (*at, "about"), value["about"], "`about`")
    given = dict(value.get("given") or {})
    records = {name: given.pop(name) for name in names if isinstance(given.get(name), list)}
    for name, several in records.items():
        for i, one in enumerate(several):
            if not isinstance(one, dict):
                raise doc.error((*at, "given", name, i), f"a record is a group of values, not {kind_of(one)}")
            _check(doc, (*at, "given", name, i), one, scope.roots[name])
    check_given(doc, (*at, "given"), given, scope)
    expect = value["expect"]
    if expect == "skip":
        return Example(about, given, records, "skip", (), (), doc.line(at))
    here = (*at, "expect")
    if not isinstance(expect, dict) or not expect:
        raise doc.error(here, "`expect` is a group of fields with their values, or `skip`")
    plain = {word: one for word, one in expect.items() if word in fields or word not in OUTCOMES}
    for word in plain:
        if word not in fields:
            raise doc.error((*here, word), f'the mapping has no field "{word}"{nearest(word, fields)}')
    problems, cuts = (
        _fields(doc, (*here, word), expect[word], known) if word in expect and word not in plain else ()
        for word, known in (("problem", fields + names), ("cut", fields))
    )
    return Example(about, given, records, plain, problems, cuts, doc.line(at))


def _fields(doc: Document, at: At, value: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    for one in listed:
        if one not in known:
            raise doc.error(at, f'the mapping has no field "{one}"{nearest(str(one), known)}')
    return tuple(listed)


def _check(doc: Document, at: At, value: Any, shape: Shape) -> None:
    if value is None or shape.kind == "free":
        return
    if shape.kind == "group":
        _check_group(doc, at, value, shape)
    elif shape.kind == "list":
        if not isinstance(value, list):
            raise doc.error(at, f"{at[-1]} is a list")
        for i, item in enumerate(value):
            _check(doc, (*at, i), item, shape.item or shape)
    else:
        _check_single(doc, at, value, shape)


def _check_group(doc: Document, at: At, value: Any, shape: Shape) -> None:
    if not isinstance(value, dict):
        raise doc.error(at, f"{at[-1]} is a group of values")
    for word, one in value.items():
        part = shape.parts.get(word)
        if part is not None:
            _check(doc, (*at, word), one, part)
        elif not shape.free_parts:
            raise doc.error((*at, word), f'nothing is called "{word}" in {at[-1]}{nearest(word, shape.parts)}')


def _check_single(doc: Document, at: At, value: Any, shape: Shape) -> None:
    try:
        check_value(value, shape)
        if shape.kind == "time":
            moment(value, ZoneInfo("UTC"))
    except (PathError, Unfit) as error:
        raise doc.error(at, f"{at[-1]}: {error}") from None
    if shape.kind == "text" and not isinstance(value, str):
        raise doc.error(at, f'{at[-1]} is text: write it in quotes, "{value}"')
