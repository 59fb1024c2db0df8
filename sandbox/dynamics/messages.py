"""Requests taken apart and answers put together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sandbox.dynamics.errors import JSON, REASONS, bad_payload
from sandbox.frame.odata_batch import Answer, Asked

_BOUND = re.compile(rb'(@odata\.bind"\s*:\s*)"\$(\w+)"')


def segments_of(path: str) -> list[str]:
    """The segments of a path; a slash between parentheses or quotes is none."""
    parts, depth, quoted = [""], 0, False
    for sign in path:
        quoted ^= sign == "'"
        depth += (sign == "(") - (sign == ")") if not quoted else 0
        if sign == "/" and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += sign
    return [part for part in parts if part]


def resolved(part: Asked, known: Mapping[str, str]) -> Asked:
    """`$1` in an address or a binding is what that part of the change set made; a forward reference is an error."""
    if part.url.startswith("$"):
        name, slash, rest = part.url[1:].partition("/")
        part = Asked(method=part.method, url=known.get(name, part.url) + slash + rest, headers=part.headers, body=part.body,
                     id=part.id)  # fmt: skip
    body = _BOUND.sub(lambda m: m[1] + json.dumps(known.get(m[2].decode(), f"${m[2].decode()}")).encode(), part.body)
    return Asked(method=part.method, url=part.url, headers=part.headers, body=body, id=part.id)


def body_of(request: Asked) -> dict[str, Any]:
    """The object that a request carries. Raises DataverseError."""
    try:
        told = json.loads(request.body or b"{}")
    except ValueError:
        raise bad_payload("the body is no JSON.") from None
    if not isinstance(told, dict):
        raise bad_payload("the body is no object.")
    return told


def ok(told: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Done, with something to tell."""
    return Answer(status=status, reason=REASONS[status], body=json.dumps(told).encode(),
                  headers={"Content-Type": JSON, "OData-Version": "4.0", **(headers or {})})  # fmt: skip


def nothing(headers: Mapping[str, str]) -> Answer:
    """Done, and nothing to tell."""
    return Answer(status=204, reason=REASONS[204], headers={"OData-Version": "4.0", **headers})
