"""How a room declares an endpoint: once, for the check of what comes in, the shape of what goes out, and /openapi.json.

    api = Blueprint("lists", __name__)                      # served under /api/v1

    @api.get("/lists/<name>")
    @endpoint(scope="lists", query=AskSchema, answers=ListSchema, about="One contact list.", problems={404: "No such list."})
    def one_list(name: str, query: dict[str, Any]) -> Any: ...

The function gets its path's parts and, where declared, `query`, `body` and `headers` (dicts as their schemas load them). It
returns what `answers` dumps, `(that, status)`, or a Flask Response as it is. It raises `Problem` (or a connector's error).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, wraps
from typing import Any

import msgspec
from flask import Response, request
from marshmallow import EXCLUDE, RAISE, Schema, ValidationError
from marshmallow import fields as wire
from werkzeug.datastructures import MultiDict

from hub.errors import nearest
from hub.store.access import SCOPES
from hub.web.access import require_scope
from hub.web.problems import Problem

DECLARATION = "__endpoint__"
MAX_BODY_BYTES = 4 << 20
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


def endpoint(
    *,
    scope: str,
    about: str,
    query: type[Schema] | None = None,
    body: type[Schema] | None = None,
    headers: type[Schema] | None = None,
    answers: type[Schema] | None = None,
    status: int = 200,
    many: bool = False,
    problems: Mapping[int, str] | None = None,
    also: Mapping[int, str] | None = None,
    media: str = "application/json",
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Declare the function below as an endpoint that a caller with `scope` may use."""
    if scope not in SCOPES:
        raise ValueError(f'there is no scope "{scope}"{nearest(scope, SCOPES)}')
    declared = Declaration(
        scope, about, query, body, headers, answers, status, many, dict(problems or {}), dict(also or {}), media
    )

    def decorate(function: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(function)
        def answer(**path: Any) -> Response:
            require_scope(scope)
            _storable(path, "the path")
            given: dict[str, Any] = {}
            if headers is not None:
                given["headers"] = _loaded(_made(headers), dict(request.headers), unknown=EXCLUDE)
            given["query"] = _loaded(_made(query or _Nothing), _flat(request.args, query))
            if query is None:
                del given["query"]
            if body is not None:
                given["body"] = _loaded(_made(body), _json_object())
            return _answered(declared, function(**path, **given))

        setattr(answer, DECLARATION, declared)
        return answer

    return decorate


class _Nothing(Schema):
    """A query without parameters."""


@cache
def _made(schema: type[Schema]) -> Schema:
    """The one instance of a schema. It keeps nothing between calls, and to build it costs more than to use it."""
    return schema()


def _answered(declared: Declaration, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    status = declared.status
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], int):
        result, status = result
    if declared.answers is not None:
        result = _made(declared.answers).dump(result, many=declared.many)
    return Response(msgspec.json.encode(result), status, mimetype=declared.media)


def _flat(args: MultiDict[str, str], schema: type[Schema] | None) -> dict[str, Any]:
    """The query's parameters: a list where the schema has one, else the only value."""
    lists = (
        {_wire_name(f, name) for name, f in _made(schema).fields.items() if isinstance(f, wire.List)}
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


def _json_object() -> dict[str, Any]:
    if request.mimetype not in ("application/json", ""):
        raise Problem(415, f"Send JSON as application/json, not {request.mimetype}.", kind="not-json")
    request.max_content_length = MAX_BODY_BYTES
    raw = request.get_data(cache=False)
    try:
        parsed = msgspec.json.decode(raw or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"The body is not JSON: {error}.", kind="not-json") from None
    if not isinstance(parsed, dict):
        raise Problem(422, "The body has to be a JSON object.", kind="invalid-request", errors={"": "not an object"})
    return parsed


def _storable(given: Any, where: str) -> None:
    """Raise a problem for what no store can hold, and so nobody can mean: NUL in a text, a number beyond 63 bits."""
    if isinstance(given, str) and "\0" in given:
        raise Problem(422, f"{where} holds a NUL character", kind="invalid-request", errors={where: "a NUL character"})
    if isinstance(given, int) and abs(given) > LARGEST:
        raise Problem(422, f"{where}: {given} is too large", kind="invalid-request", errors={where: "too large"})
    if isinstance(given, Mapping):
        for name, value in given.items():
            _storable(name, where)
            _storable(value, str(name))
    elif isinstance(given, list | tuple):
        for value in given:
            _storable(value, where)


def _loaded(schema: Schema, given: Mapping[str, Any], unknown: Any = RAISE) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(given, unknown=unknown)
    except ValidationError as refused:
        messages = refused.messages
        errors = [(path, _improved(schema, path, problem)) for path, problem in _flattened(messages)]
        detail = "; ".join(f"{path}: {problem}" if path else problem for path, problem in errors)
        raise Problem(422, detail, kind="invalid-request", title="Invalid request", errors=errors) from None
    _storable(loaded, "the request")
    return loaded


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
