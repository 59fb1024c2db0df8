"""What an endpoint says of itself, and what follows from it whoever serves it: what comes in is checked by it, what goes out
is shaped by it, and /openapi.json is read off it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from marshmallow import RAISE, Schema, ValidationError
from marshmallow import fields as wire
from werkzeug.datastructures import MultiDict

from hub.errors import nearest
from hub.store.access import SCOPES
from hub.web.problems import Problem

LARGEST = 2**63 - 1
UNKNOWN, MISSING = "Unknown field.", "Missing data for required field."  # marshmallow's own words


@dataclass(frozen=True)
class Declaration:
    """What an endpoint says of itself."""

    scope: str
    about: str
    query: type[Schema] | None = None
    body: type[Schema] | None = None
    headers: type[Schema] | None = None  # data_key is the header's name
    answers: type[Schema] | None = None  # None: a Response that the function makes
    status: int = 200
    many: bool = False  # whether it answers a JSON array of `answers`
    problems: Mapping[int, str] = field(default_factory=dict)  # further refusals: status → when
    also: Mapping[int, str] = field(default_factory=dict)  # further answers of the same shape: status → when
    media: str = "application/json"

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(f'there is no scope "{self.scope}"{nearest(self.scope, SCOPES)}')

    def asked(self, args: MultiDict[str, str]) -> dict[str, Any]:
        """The query, as its schema loads it. Raises Problem."""
        return loaded(made(self.query or _Nothing), _flat(args, self.query))

    def said(self, result: Any) -> tuple[bytes, int]:
        """The body and the status for what was found: that, or `(that, status)`."""
        status = self.status
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], int):
            result, status = result
        if self.answers is not None:
            result = made(self.answers).dump(result, many=self.many)
        return msgspec.json.encode(result), status


class _Nothing(Schema):
    """A query without parameters."""


@cache
def made(schema: type[Schema]) -> Schema:
    """The one instance of a schema. It keeps nothing between calls, and to build it costs more than to use it."""
    return schema()


def _flat(args: MultiDict[str, str], schema: type[Schema] | None) -> dict[str, Any]:
    """The query's parameters: a list where the schema has one, else the only value."""
    lists = (
        {_wire_name(f, name) for name, f in made(schema).fields.items() if isinstance(f, wire.List)}
        if schema
        else set()
    )
    flat: dict[str, Any] = {}
    for name, values in args.lists():
        if name not in lists and len(values) > 1:
            raise Problem(
                422,
                f"The parameter {name} is given {len(values)} times; give it once.",
                kind="invalid-request",
                errors={name: "given more than once"},
            )
        flat[name] = values if name in lists else values[0]
    return flat


def storable(given: Any, where: str) -> None:
    """Raise a problem for what no store can hold, and so nobody can mean: NUL in a text, a number beyond 63 bits."""
    if isinstance(given, str) and "\0" in given:
        raise Problem(422, f"{where} holds a NUL character", kind="invalid-request", errors={where: "a NUL character"})
    if isinstance(given, int) and abs(given) > LARGEST:
        raise Problem(422, f"{where}: {given} is too large", kind="invalid-request", errors={where: "too large"})
    if isinstance(given, Mapping):
        for name, value in given.items():
            storable(name, where)
            storable(value, str(name))
    elif isinstance(given, list | tuple):
        for value in given:
            storable(value, where)


def loaded(schema: Schema, given: Mapping[str, Any], unknown: Any = RAISE) -> dict[str, Any]:
    """What is given, as the schema loads it. Raises Problem."""
    try:
        taken: dict[str, Any] = schema.load(given, unknown=unknown)
    except ValidationError as refused:
        messages = refused.messages
        errors = [(path, _improved(schema, path, problem)) for path, problem in _flattened(messages)]
        detail = "; ".join(f"{path}: {problem}" if path else problem for path, problem in errors)
        raise Problem(422, detail, kind="invalid-request", title="Invalid request", errors=errors) from None
    storable(taken, "the request")
    return taken


def _flattened(messages: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            step = f"[{name}]" if isinstance(name, int) else str(name)
            step = "" if name == "_schema" else step
            joined = f"{path}.{step}" if path and step and not step.startswith("[") else path + step
            yield from _flattened(inner, joined)
    elif isinstance(messages, Sequence) and not isinstance(messages, str):
        yield path, " ".join(str(message) for message in messages)
    else:
        yield path, str(messages)


def _improved(schema: Schema, path: str, problem: str) -> str:
    """The problem in our words: an unknown name comes with the nearest right one."""
    if problem == MISSING:
        return "required"
    if problem != UNKNOWN:
        return problem
    *above, name = path.replace("[", ".[").split(".")
    known = list(_names(_inner(schema, [step for step in above if step and not step.startswith("[")])))
    return f"there is no such field{nearest(name, known) or '; known: ' + (', '.join(known) or 'none')}"


def _inner(schema: Schema, steps: Sequence[str]) -> Schema:
    for step in steps:
        found = next((f for name, f in schema.fields.items() if _wire_name(f, name) == step), None)
        if isinstance(found, wire.List):
            found = found.inner
        if isinstance(found, wire.Nested):
            schema = found.schema
    return schema


def _names(schema: Schema) -> Iterator[str]:
    return (_wire_name(f, name) for name, f in schema.fields.items() if not f.dump_only)


def _wire_name(declared: wire.Field[Any], name: str) -> str:
    return declared.data_key or name
