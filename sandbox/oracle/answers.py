"""What Fusion's answers are made of: items, collections, errors, and what a request holds."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any

from markupsafe import escape
from werkzeug.wrappers import Request, Response

from sandbox.oracle.schema import Resource
from sandbox.oracle.state import Problem, Record

ERROR = "application/vnd.oracle.adf.error+json"
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
          412: "Precondition Failed", 414: "URI Too Long", 500: "Internal Server Error"}  # fmt: skip


def shown(resource: Resource, record: Record, names: list[str] | None, base: str | None) -> dict[str, Any]:
    """A record as it is shown: those of its attributes that were asked for, and with `base` its links."""
    shown: dict[str, Any] = {name: record.get(name) for name in (names if names is not None else record)}
    if base is not None:
        href = f"{base}/{resource.name}/{record.get(resource.number)}"
        shown["links"] = [{"rel": "self", "href": href, "name": resource.name, "kind": "item",
                           "properties": {"changeIndicator": etag(resource, record)}}]  # fmt: skip
    return shown


def etag(resource: Resource, record: Record) -> str:
    """What the record is at this moment."""
    return f'"{record.get(resource.id)}-{record.get("LastUpdateDate")}"'


def told_of(problem: Problem, path: str) -> dict[str, Any]:
    """An error as REST framework version 4 tells it."""
    detail: dict[str, Any] = {"detail": problem.detail}
    if problem.code:
        detail["o:errorCode"] = problem.code
    if path:
        detail["o:errorPath"] = path if path.startswith("/") else f"/{path}"
    return {"title": TITLES.get(problem.status, "Error"), "status": str(problem.status), "o:errorDetails": [detail]}


def error(problem: Problem, path: str) -> Response:
    """An error as an answer of its own media type."""
    return json_answer(told_of(problem, path), problem.status, ERROR)


def json_answer(told: object, status: int = 200, kind: str = "application/json") -> Response:
    """An answer in JSON."""
    return Response(json.dumps(told), status, content_type=kind)


def body(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises Problem."""
    try:
        told = json.loads(request.get_data())
    except ValueError:
        raise Problem(400, "The payload is no JSON.") from None
    if not isinstance(told, dict):
        raise Problem(400, "The payload is no JSON object.")
    return told


def whole_number(request: Request, name: str, otherwise: int) -> int:
    """A number among the query parameters. Raises Problem."""
    text = request.args.get(name, "")
    if text and not text.isdecimal():
        raise Problem(400, f"URL request parameter {name} is not valid.", "27520")
    return int(text) if text else otherwise


def is_known(value: str, known: Mapping[str, str]) -> bool:
    """Whether a basic authentication is one of those known."""
    try:
        name, _, password = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return False
    return bool(password) and secrets.compare_digest(known.get(name, ""), password)


def asked_page(request: Request) -> Response:
    """What a deep link opens: the words that it came with."""
    told = "".join(f"<dt>{escape(name)}<dd>{escape(value)}" for name, value in request.args.items())
    return Response(
        f"<!DOCTYPE html><title>Fusion</title><h1>{escape(request.path)}</h1><dl>{told}</dl>", mimetype="text/html"
    )
