"""Paths: `interaction.talk_seconds`, `attached.order`, `caller.id`, `recordings.0.url`.

What may be named is read off the model's own declarations; a path is checked when it is compiled and is a closure
after that. `attached` and a CRM record's own fields are free: nobody can know them here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args, get_origin

from msgspec import Struct, structs

from hub import model
from hub.errors import nearest

Facts = MappingOf[str, Any]  # hub.model.Facts as a dict, or {"member": …, "campaign": …} for a row of a contact list
Getter = Callable[[Facts], Any]
Kind = Literal["text", "number", "boolean", "time", "list", "group", "free"]

MAX_STEPS = 12
MEMBER = "member"  # the row of a contact list
_STEP = re.compile(r'([A-Za-z_][A-Za-z0-9_-]*|-1|[0-9]{1,3})|"([^"\n]+)"')


class PathError(ValueError):
    """A path that cannot be; the message says what would be right."""


@dataclass(frozen=True)
class Shape:
    """What may stand at a place: its kind, the words it may hold, its parts, or what each item of a list is."""

    kind: Kind
    choices: tuple[str, ...] = ()
    parts: MappingOf[str, Shape] = field(default_factory=dict)
    item: Shape | None = None
    default: Any = None  # what an absent part of a present group stands for
    free_parts: bool = False  # parts beyond the named ones may be asked for
    whole: bool = False  # of a number: it never has decimals


FREE = Shape("free", free_parts=True)
_TEXT = Shape("text")

# A resolved name: what `Record` says of any record, and beyond that the CRM's own fields by their names.
RECORD = Shape(
    "group",
    parts={
        **dict.fromkeys(("id", "title", "object", "url", "owner"), _TEXT),
        "open_cases": Shape("number"),
        **dict.fromkeys(("last_contact_at", "created_at", "updated_at"), Shape("time")),
        "account": Shape("group", parts=dict.fromkeys(("id", "title", "object"), _TEXT)),
    },
    free_parts=True,
)


@dataclass(frozen=True)
class Path:
    """A checked path. Called with facts it gives the value, or None where nothing is there."""

    text: str
    shape: Shape
    get: Getter

    def __call__(self, facts: Facts) -> Any:
        return self.get(facts)

    @property
    def root(self) -> str:
        """Its first word."""
        return steps(self.text)[0]


class Scope:
    """The names that paths may start with: the facts' own, and the names that a mapping resolves."""

    def __init__(self, roots: MappingOf[str, Shape], later: Iterable[str] = ()) -> None:
        self.roots = dict(roots)
        self.later = frozenset(later)
        self.asked: set[str] = set()  # the first words of all paths that were compiled
        self.own_fields: dict[
            str, set[str]
        ] = {}  # by resolved name or MEMBER, the CRM's own fields that paths speak of

    def with_records(self, names: Iterable[str]) -> Scope:
        """This scope and resolved names in it."""
        return Scope({**self.roots, **dict.fromkeys(names, RECORD)})

    def before(self, names: Iterable[str]) -> Scope:
        """This scope as it is before these names are resolved."""
        return Scope(self.roots, later=names)

    def path(self, text: Any) -> Path:
        """The path that `text` writes. Raises PathError with the nearest right path."""
        if not isinstance(text, str):
            raise PathError(f"a path is text such as interaction.channel, not {kind_of(text)}")
        return self.path_of(steps(text))

    def path_of(self, parts: tuple[str, ...]) -> Path:
        """The path of these steps."""
        if len(parts) > MAX_STEPS:
            raise PathError(f"a path has at most {MAX_STEPS} steps")
        shape = self.roots.get(parts[0])
        self.asked.add(parts[0])
        if parts[0] in self.later:
            raise PathError(f'"{parts[0]}" is looked up after `when` has decided, so `when` cannot ask it')
        if shape is None:
            raise PathError(self._unknown(parts, 0, self.roots))
        if len(parts) > 1 and (parts[0] == MEMBER or (shape is RECORD and parts[1] not in RECORD.parts)):
            self.own_fields.setdefault(parts[0], set()).add(parts[1])
        getter, taken = _root(parts[0], shape.default), 1
        while taken < len(parts):
            shape = self._next(shape, parts, taken)
            getter = _step(getter, parts, taken, shape.default)
            taken += 1
        return Path(written(parts), shape, _short(parts, shape) or getter)

    def _next(self, shape: Shape, parts: tuple[str, ...], at: int) -> Shape:
        word = parts[at]
        if shape.kind == "list":
            if not _is_index(word):
                raise PathError(f'"{written(parts[:at])}" is a list: write {written(parts[:at])}.0 for its first')
            return shape.item or FREE
        known = shape.parts.get(word)
        if known is not None:
            return known
        if shape.free_parts:
            return FREE
        if not shape.parts:
            raise PathError(f'"{written(parts[:at])}" holds {_a(shape.kind)}: there is nothing inside of it')
        raise PathError(self._unknown(parts, at, shape.parts))

    def _unknown(self, parts: tuple[str, ...], at: int, known: MappingOf[str, Shape]) -> str:
        paths = [path for path, _ in self.leaves()] if at == 0 else []
        right = _same_end(parts[0], paths) if len(parts) == 1 else ""  # `talk_seconds` for `interaction.talk_seconds`
        near = [word for word in known if nearest(parts[at], [word])]
        right = right or nearest(written(parts), [written((*parts[:at], word, *parts[at + 1 :])) for word in near])
        right = right or nearest(written(parts), paths)
        listed = "" if right else f" (known here: {', '.join(sorted(known))})"
        return f'there is no path "{written(parts)}"{right}{listed}'

    def leaves(self) -> Iterator[tuple[str, Shape]]:
        """Every declared path with its shape, groups left out."""
        for root, shape in self.roots.items():
            yield from _leaves(root, shape)


def steps(text: str) -> tuple[str, ...]:
    """The steps of a path; a step with other signs than letters stands in double quotes."""
    found, at = [], 0
    while True:
        match = _STEP.match(text, at)
        if match is None:
            raise PathError(f'"{text}" is no path; a path is words with dots between, such as interaction.channel')
        found.append(match.group(1) or match.group(2))
        at = match.end()
        if at == len(text):
            break
        if text[at] != ".":
            raise PathError(f'"{text}" is no path; a path is words with dots between, such as interaction.channel')
        at += 1
    return tuple(found)


def written(parts: Iterable[str]) -> str:
    """The path of these steps, as it is written."""
    return ".".join(part if _STEP.fullmatch(part) else f'"{part}"' for part in parts)


def kind_of(value: Any) -> str:
    """What a value is, in words and without telling the value."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return f"a text of {len(value)} characters"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return "a group of values"
    return type(value).__name__


# --- closures ----------------------------------------


def _root(word: str, default: Any) -> Getter:
    def root(facts: Facts) -> Any:
        value = facts.get(word, default)
        return value if value != "" else None

    return root


def _short(parts: tuple[str, ...], shape: Shape) -> Getter | None:
    """One closure for the commonest form, `group.field`."""
    if len(parts) != 2 or _is_index(parts[1]):
        return None
    first, second = parts
    default = shape.default

    def field_of_group(facts: Facts) -> Any:
        group = facts.get(first)
        if type(group) is not dict:
            return None
        value = group.get(second, default)
        return value if value != "" else None

    return field_of_group


def _step(outer: Getter, parts: tuple[str, ...], at: int, default: Any) -> Getter:
    word = parts[at]
    index = int(word) if _is_index(word) else None

    def step(facts: Facts) -> Any:
        holder = outer(facts)
        if type(holder) is dict:
            value = holder.get(word, default)
        elif index is not None and type(holder) is list and -len(holder) <= index < len(holder):
            value = holder[index]
        else:
            return None
        return value if value != "" else None

    return step


def _is_index(word: str) -> bool:
    return word == "-1" or word.isdecimal()


# --- shapes, read off the model ----------------------------------------


def _shape(annotation: Any, default: Any = None) -> Shape:
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return Shape("text", choices=arguments, default=default)
    if type(None) in arguments:  # X | None
        return _shape(next(a for a in arguments if a is not type(None)), default)
    if get_origin(annotation) is list:
        return Shape("list", item=_shape(arguments[0]))
    if get_origin(annotation) is dict:
        return FREE
    if hasattr(annotation, "__metadata__"):  # Annotated
        return _shape(annotation.__origin__, default)
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return Shape("group", parts=_parts(annotation))
    kinds: dict[Any, Kind] = {str: "text", bool: "boolean", int: "number", float: "number", datetime: "time"}
    return Shape(kinds[annotation], default=default, whole=annotation is int)


def _parts(struct: type[Struct], without: tuple[str, ...] = ()) -> dict[str, Shape]:
    shapes = {}
    for declared in structs.fields(struct):
        if declared.encode_name in without:
            continue
        default = declared.default if isinstance(declared.default, str | bool | int | float) else None
        shapes[declared.encode_name] = _shape(declared.type, default)
    return shapes


def _leaves(path: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    if shape.kind == "list" and shape.item is not None:
        yield from _leaves(f"{path}.0", shape.item)
    elif shape.parts:
        for word, part in shape.parts.items():
            yield from _leaves(f"{path}.{word}", part)
    else:
        yield path, shape


def _same_end(word: str, paths: list[str]) -> str:
    same = [path for path in paths if path.endswith("." + word)]
    return f', did you mean "{min(same, key=len)}"?' if same else ""


def _a(kind: Kind) -> str:
    return {"text": "text", "number": "a number", "boolean": "true or false", "time": "a time"}.get(kind, kind)


EVENT_SCOPE = Scope(_parts(model.Facts, without=("held_since",)))  # held_since is the fold's own
LIST_SCOPE = Scope({MEMBER: FREE, "campaign": FREE})
