"""What a field is made of: `from`, `value`, `text` or `expr`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hub.language.converters import Problem, text_of
from hub.language.expressions import ExpressionError, compile_expression
from hub.language.paths import FREE, Facts, Getter, Path, PathError, Scope, Shape
from hub.language.words import At, path_at
from hub.language.yaml_source import Document

LONGEST = 4_000_000  # characters of a `text` before `max` cuts it; a hook's whole body is less

_PIECE = re.compile(r"([^{}]*)(?:\{\{|\}\}|\{([^{}]*)\}|([{}]))")
_TEXT = Shape("text")


@dataclass(frozen=True)
class Made:
    """Where a field's raw value comes from. `trace` says it with the value, for a person."""

    get: Getter
    trace: Callable[[Facts], tuple[str, Any]]
    shape: Shape
    words: str  # for "required, but nothing at …"
    value: Any = None
    paths: tuple[Path, ...] = ()  # of `from`


def made_of(doc: Document, at: At, words: dict[str, Any], scope: Scope, short: bool) -> Made:
    """What the one of the four words says that is among `words`. Raises ConfigError."""
    if "from" in words:
        return _from(doc, at if short else (*at, "from"), words["from"], scope, short)
    if "text" in words:
        return _text(doc, (*at, "text"), words["text"], scope)
    if "expr" in words:
        return _expr(doc, (*at, "expr"), words["expr"], scope)
    value = words["value"]
    if (
        value is None
        or isinstance(value, dict)
        or (isinstance(value, list) and any(isinstance(v, dict) for v in value))
    ):
        raise doc.error((*at, "value"), "`value` is a text, a number, true, false or a list of them")
    return Made(lambda _facts: value, lambda _facts: ("value", value), FREE, "value", value)


def _from(doc: Document, at: At, value: Any, scope: Scope, short: bool) -> Made:
    if short and isinstance(value, str):
        try:
            paths = [scope.path(value)]
        except PathError as error:
            raise doc.error(at, f"{error}; for a fixed value write {{ value: {value} }}") from None
    elif isinstance(value, list):
        if not value:
            raise doc.error(at, "an empty list of paths")
        paths = [path_at(doc, (*at, i), one, scope) for i, one in enumerate(value)]
    else:
        paths = [path_at(doc, at, value, scope)]

    def trace(facts: Facts) -> tuple[str, Any]:
        for path in paths:
            if (found := path(facts)) is not None:
                return path.text, found
        return paths[0].text, None

    words = " or ".join(path.text for path in paths)
    return Made(_first(paths), trace, _shared(paths), words, paths=tuple(paths))


def _first(paths: Sequence[Path]) -> Getter:
    if len(paths) == 1:
        return paths[0].get
    getters = tuple(path.get for path in paths)

    def first(facts: Facts) -> Any:
        for get in getters:
            value = get(facts)
            if value is not None:
                return value
        return None

    return first


def _shared(paths: Sequence[Path]) -> Shape:
    shapes = [path.shape for path in paths]
    if all(shape.kind == shapes[0].kind and shape.choices == shapes[0].choices for shape in shapes):
        return shapes[0]
    return FREE


def _text(doc: Document, at: At, template: Any, scope: Scope) -> Made:
    pieces, tail = _pieces(doc, at, template, scope)
    pairs = tuple((before, path.get) for before, path in pieces)

    def get(facts: Facts) -> Any:
        written, anything = [], False
        for before, value_of in pairs:
            written.append(before)
            value = value_of(facts)
            if value is not None:
                anything = True
                written.append(value if type(value) is str else text_of(value))
        if not anything:
            return None
        written.append(tail)
        if sum(map(len, written)) > LONGEST:
            raise Problem(f"a text of more than {LONGEST} characters")
        return "".join(written).strip() or None

    return Made(get, lambda facts: (f'text "{template}"', get(facts)), _TEXT, " or ".join(p.text for _, p in pieces))


def _pieces(doc: Document, at: At, template: Any, scope: Scope) -> tuple[list[tuple[str, Path]], str]:
    if not isinstance(template, str):
        raise doc.error(at, '`text` is a text with paths in it, such as "Call {interaction.direction}"')
    pieces, before, end = [], "", 0
    for match in _PIECE.finditer(template):
        literal, path, stray = match.groups()
        before += literal
        end = match.end()
        if stray:
            raise doc.error(at, f"a lone {stray} in a text; write {stray * 2} for the sign itself")
        if path is None:
            before += template[end - 1]
            continue
        found = path_at(doc, at, path.strip(), scope)
        if found.shape.kind in ("group", "list"):
            raise doc.error(at, f'"{found.text}" is a {found.shape.kind}: a text takes single values')
        pieces.append((before, found))
        before = ""
    if not pieces:
        raise doc.error(at, "a text without any {path}; for a fixed text write { value: … }")
    return pieces, before + template[end:]


def _expr(doc: Document, at: At, source: Any, scope: Scope) -> Made:
    try:
        run = compile_expression(source, scope)
    except ExpressionError as error:
        raise doc.error(at, str(error)) from None

    def get(facts: Facts) -> Any:
        value = run(facts)
        return value if value != "" else None

    return Made(get, lambda facts: (f"expr {source}", get(facts)), FREE, f"expr {source}")
