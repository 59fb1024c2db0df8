"""Fusion's errors in our words: a table of HTTP status, one of the framework's own numbers, and both shapes of a body.

Framework version 4 answers `application/vnd.oracle.adf.error+json` with `o:errorDetails`; older services answer one line
of `text/plain`, whatever was asked. Source: Oracle, faaps, "Status Codes" and "Set the REST Framework Version"; the
numbers are those of ADF Business Components (JBO-…), as far as they concern a row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import requests
from msgspec import Struct

from connectors.wire.answers import lost, parsed, retry_after
from connectors.wire.discreet import discreet
from hub.errors import (
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
)

WHO = "Oracle Fusion"
ROW = re.compile(r"\brow-(\d+)\b")  # the ids that we give to the parts of a batch

STATUS: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    401: CredentialsRefused,
    403: NotPermitted,
    404: NotFound,
    409: Locked,  # somebody else changes the record, or makes it, just now
    412: Locked,  # it changed since it was read
    413: Rejected,
    414: Rejected,
    422: Rejected,
    503: Unavailable,
}
JBO: Mapping[str, type[ConnectorError]] = {
    "25013": Locked,  # the key is taken: another writer was faster, and the next look-up finds its record
    "25014": Locked,  # another user changed the row
    "25019": NotFound,  # the row is gone
    "25020": NotFound,
    "26030": Locked,  # the row cannot be locked, another user holds it
    "26080": Unavailable,  # the database did not answer
    "27014": Rejected,  # a mandatory attribute is missing
    "27020": NotPermitted,
}
_CODE = re.compile(r"\bJBO-(?:\w+:)*(\d{5})\b")
_ATTRIBUTE = re.compile(r"\battribute\s+['\"]?(\w+)", re.IGNORECASE)


class Problem(Struct, frozen=True, kw_only=True):
    """One error that an answer tells of. `row` is the place of the part in the batch that it names, if any."""

    text: str
    code: str = ""
    row: int | None = None


def failed(answer: requests.Response, *, changes: bool) -> ConnectorError:
    """What an answer that is no success means as a whole."""
    return meant(answer, problems(answer), changes=changes)


def meant(answer: requests.Response, told: list[Problem], *, changes: bool = False) -> ConnectorError:
    """One error for what `told` says, by its number or else by the answer's status."""
    status = answer.status_code
    if status == 429:
        return Throttled(f"{WHO} takes no more calls just now", retry_after(answer))
    if 300 <= status < 400:
        return Unavailable(f"{WHO} answers {status}: somebody's sign-in page, perhaps")
    words = "; ".join(dict.fromkeys(problem.text for problem in told if problem.text))
    message = f"{WHO} answers {status}" + (f": {discreet(words)}" if words else "")
    kind = next((JBO[problem.code] for problem in told if problem.code in JBO), None) or STATUS.get(status)
    if kind is None:
        kind = lost(changes) if status >= 500 else Rejected
    if kind is Rejected:
        return Rejected(message, _fields(told))
    return kind(message)


def problems(answer: requests.Response) -> list[Problem]:
    """What the body tells, in whichever shape; none where it is a page of HTML."""
    if "html" in answer.headers.get("Content-Type", ""):
        return []
    try:
        body = parsed(answer.content)
    except ValueError:
        line = answer.content.decode("utf-8", "replace")
        return [Problem(text=line, code=_code(line), row=_row(line))] if line.strip() else []
    found = _told(body, None)
    return found or [Problem(text=str(body))] if body else []


def _told(body: Any, row: int | None) -> list[Problem]:
    """The errors in a body: each part of a refused batch, each of `o:errorDetails`, or the body itself."""
    if isinstance(body, list):
        return [problem for one in body for problem in _told(one, row)]
    if not isinstance(body, dict):
        return [Problem(text=str(body), row=row)] if body else []
    row = _row(str(body.get("id", ""))) if "id" in body and row is None else row
    inside = [body[name] for name in ("parts", "o:errorDetails", "error", "payload") if body.get(name)]
    found = [problem for one in inside for problem in _told(one, row)]
    if found:
        return found
    text = str(body.get("detail") or body.get("message") or body.get("title") or "")
    if not text:
        return [Problem(text="", row=row)] if row is not None else []
    path = f"{body.get('o:errorPath', '')} {body.get('instance', '')}"
    code = _code(str(body.get("o:errorCode", ""))) or _code(text)
    return [Problem(text=text, code=code, row=_row(path) if row is None else row)]


def _row(text: str) -> int | None:
    found = ROW.search(text)
    return int(found[1]) if found else None


def _code(text: str) -> str:
    found = _CODE.search(text)
    return found[1] if found else text if text.isdecimal() else ""


def _fields(told: list[Problem]) -> dict[str, str]:
    named = ((_ATTRIBUTE.search(problem.text), problem) for problem in told)
    return {found[1]: discreet(problem.text) for found, problem in named if found}
