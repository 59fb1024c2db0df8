"""How a room declares an endpoint: once, for the check of what comes in, the shape of what goes out, and /openapi.json.

    api = Blueprint("lists", __name__)                      # served under /api/v1

    @api.get("/lists/<name>")
    @endpoint(scope="lists", query=AskSchema, answers=ListSchema, about="One contact list.", problems={404: "No such list."})
    def one_list(name: str, query: dict[str, Any]) -> Any: ...

The function gets its path's parts and, where declared, `query`, `body` and `headers` (dicts as their schemas load them). It
returns what `answers` dumps, `(that, status)`, or a Flask Response as it is. It raises `Problem` (or a connector's error).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import msgspec
from flask import Response, request
from marshmallow import EXCLUDE, Schema

from hub.web.access import require_scope
from hub.web.api.declaration import Declaration, loaded, made, storable
from hub.web.problems import Problem

DECLARATION = "__endpoint__"
MAX_BODY_BYTES = 4 << 20


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
    declared = Declaration(
        scope, about, query, body, headers, answers, status, many, dict(problems or {}), dict(also or {}), media
    )

    def decorate(function: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(function)
        def answer(**path: Any) -> Response:
            require_scope(scope)
            storable(path, "the path")
            given: dict[str, Any] = {}
            if headers is not None:
                given["headers"] = loaded(made(headers), dict(request.headers), unknown=EXCLUDE)
            asked = declared.asked(request.args)
            if query is not None:
                given["query"] = asked
            if body is not None:
                given["body"] = loaded(made(body), _json_object())
            result = function(**path, **given)
            if isinstance(result, Response):
                return result
            return Response(*declared.said(result), mimetype=declared.media)

        setattr(answer, DECLARATION, declared)
        return answer

    return decorate


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
