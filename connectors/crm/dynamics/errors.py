"""What Dataverse's answers mean: a table from its codes, and from the status where the code says nothing.

Microsoft's "Web service error codes", "Handle errors" and "Service protection API limits", read 2026-11. 412 has two
meanings (a record is there already, or its version is another one), so the code decides and never the status alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from connectors.wire import answers
from hub.errors import (
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
    Unsupported,
)


class Duplicate(Locked):
    """A record with this id or key is there already: an answer to a create. Who sees it at the end may try again: the next
    look finds the record."""


CODES: Mapping[str, type[ConnectorError]] = {
    "0x80040217": NotFound,  # the record, or one that it refers to, does not exist
    "0x80060891": NotFound,  # no record has this key
    "0x8006088a": NotFound,  # no such table or segment
    "0x80040220": NotPermitted,  # a privilege is missing
    "0x80048306": NotPermitted,  # no access to this record
    "0x80048405": NotPermitted,
    "0x80040237": Duplicate,
    "0x80060892": Duplicate,  # of an alternate key
    "0x80060882": Locked,  # somebody changed it since it was read
    "0x80044150": Locked,  # SQL deadlock [K]
    "0x80044151": Locked,  # SQL time-out [K]
    "0x80072322": Throttled,  # requests in five minutes
    "0x80072321": Throttled,  # execution time in five minutes
    "0x80072326": Throttled,  # requests at once [K]
    "0x8005f103": Throttled,
    "0x80060308": Throttled,
    "0x80072560": CredentialsRefused,  # no application user in this environment [K]
    "0x80040225": CredentialsRefused,  # that user is disabled [K]
}
STATUSES: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    401: CredentialsRefused,
    403: NotPermitted,
    404: NotFound,
    405: Rejected,
    409: Locked,
    412: Locked,
    413: Rejected,
    415: Rejected,
    429: Throttled,
    501: Unsupported,
    503: Unavailable,
}
# An activity that was completed between our look and our write: the next look sees it, and opens it first.
CLOSED = re.compile(r"Closed or Cancelled Activity")
_FIELD = re.compile(
    r"(?:attribute |property |'?Attribute )'?(\w+)'?|'(\w+)' attribute|of '(\w+)' on record|literal of '(\w+)'"
)
_GUID = re.compile(r"([0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})")
_PERSONAL = re.compile(r"[^\s'\"<>]+@[^\s'\"<>]+|\+?\d[\d ()./-]{5,}\d")
LONGEST = 300


def failure(status: int, body: bytes, retry_after: float | None, *, changes: bool) -> ConnectorError:
    """The error that an answer is. `changes`: the request may have changed something, so a 5xx leaves it unknown."""
    code, message = _said(body)
    kind = CODES.get(code) or STATUSES.get(status) or answers.lost(changes)
    if CLOSED.search(message):
        kind = Locked
    text = (
        f"Dataverse answers {status}" + (f" ({code})" if code else "") + (f": {readable(message)}" if message else "")
    )
    if kind is Throttled:
        return Throttled(text, retry_after)
    if kind is Rejected:
        return Rejected(text, {name: readable(message) for name in fields_in(message)})
    return kind(text)


def code_of(body: bytes) -> str:
    """The error's code, in small letters; empty where the body has none."""
    return _said(body)[0]


def fields_in(message: str) -> list[str]:
    """The columns that a message names."""
    found = (next(filter(None, groups)) for groups in _FIELD.findall(message))
    return list(dict.fromkeys(name.removesuffix("@odata.bind") for name in found))


def readable(message: str) -> str:
    """A message without what may be personal: addresses and numbers are left out, ids stay."""
    kept = (part if place % 2 else _PERSONAL.sub("…", part) for place, part in enumerate(_GUID.split(message)))
    text = " ".join("".join(kept).split())
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _said(body: bytes) -> tuple[str, str]:
    try:
        error = answers.parsed(body)["error"]
        return str(error.get("code", "")).lower(), str(error.get("message", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", ""
