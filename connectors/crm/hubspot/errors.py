"""HubSpot's errors in our words: a table of statuses and categories, for a whole answer and for one row of a batch.

The envelope is {status, message, correlationId, category, subCategory, errors[], context}; a 207 has a list of them beside
the results. Sources: HubSpot, "Error handling" and "Usage guidelines" of the developer documentation; the API's public
specification (StandardError); HubSpot's own Node client for what a 429 means by its policy. Read 2026-11.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import requests

from connectors.wire.answers import lost, parsed, retry_after
from connectors.wire.discreet import discreet
from hub.errors import (
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    QuotaSpent,
    Rejected,
    Throttled,
    Unavailable,
)

WHO = "HubSpot"
DAILY = "DAILY"
TRACE = "objectWriteTraceId"
NO_PROPERTY = "PROPERTY_DOESNT_EXIST"

STATUS: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    401: CredentialsRefused,
    403: NotPermitted,
    404: NotFound,
    409: Rejected,  # somebody else's record has this unique value; see `existing_id`
    423: Locked,  # too much is being written there just now; two seconds and more
    502: Unavailable,
    503: Unavailable,
}
CATEGORY: Mapping[str, type[ConnectorError]] = {
    "VALIDATION_ERROR": Rejected,
    "CONFLICT": Rejected,
    "OBJECT_ALREADY_EXISTS": Rejected,
    "OBJECT_NOT_FOUND": NotFound,
    "RESOURCE_NOT_FOUND": NotFound,
    "MISSING_SCOPES": NotPermitted,
    "FORBIDDEN": NotPermitted,
    "LOCKED": Locked,
    "RATE_LIMITS": Throttled,
    "EXPIRED_AUTHENTICATION": CredentialsRefused,
    "INVALID_AUTHENTICATION": CredentialsRefused,
}
# Seconds to wait where a 429 does not say: its policy's window.
WINDOW: Mapping[str, float] = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0}
LOCKED_SECONDS = 2.0
_EXISTING = re.compile(r"existing id:?\s*(\d+)", re.IGNORECASE)
_LISTED = re.compile(r"\[\{.*\}\]", re.DOTALL)


def body_of(answer: requests.Response) -> dict[str, Any]:
    """The envelope; empty where the body is none of HubSpot's."""
    try:
        body = parsed(answer.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def failed(answer: requests.Response, *, changes: bool, day_ends: dt.datetime | None = None) -> ConnectorError:
    """What an answer that is no success means as a whole. `day_ends`: when the account's day does, where that is known."""
    status, told = answer.status_code, body_of(answer)
    message = f"{WHO} answers {status}{_words(told)}"
    if 300 <= status < 400:
        return Unavailable(f"{WHO} answers {status}: somebody's sign-in page, perhaps")
    if status == 429:
        policy = str(told.get("policyName", "")).upper()
        if policy == DAILY or "daily limit" in str(told.get("message", "")).lower():
            return QuotaSpent(f"the day's calls to {WHO} are used up", until=day_ends)
        return Throttled(f"{WHO} takes no more calls just now ({policy or 'no policy named'})",
                         _first(retry_after(answer), WINDOW.get(policy)))  # fmt: skip
    if status == 477:  # the account moves to another data centre: up to a day, and the answer says how long
        return Throttled(f"{WHO} is moving the account to another data centre", retry_after(answer))
    kind = STATUS.get(status)
    if kind is None:
        kind = lost(changes) if status >= 500 else Rejected
    return Rejected(message, fields_of(told)) if kind is Rejected else kind(message)


def meant(told: Mapping[str, Any]) -> ConnectorError:
    """What one error of a 207 means for its row."""
    kind = CATEGORY.get(str(told.get("category", "")), Rejected)
    message = f"{WHO} refuses the row{_words(told)}"
    return Rejected(message, fields_of(told)) if kind is Rejected else kind(message)


def traces_of(told: Mapping[str, Any]) -> list[str]:
    """The rows that an error of a 207 names: by their trace ids."""
    named = (told.get("context") or {}).get(TRACE) or told.get(TRACE) or []
    return [str(one) for one in named] if isinstance(named, list) else [str(named)]


def existing_id(told: Mapping[str, Any]) -> str:
    """The id of the record that has the unique value already, where the message says it; else empty."""
    found = _EXISTING.search(str(told.get("message", "")))
    return found[1] if found else ""


def fields_of(told: Mapping[str, Any]) -> dict[str, str]:
    """The properties that an error names, each with what is wrong: from its details, or from the list in its message."""
    return {name: discreet(words) for name, _, words in _details(told)}


def unknown_properties(told: Mapping[str, Any]) -> set[str]:
    """The properties that are not there at all: whatever row carries one of them is wrong for the same reason."""
    return {name for name, code, _ in _details(told) if code == NO_PROPERTY}


def _details(told: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Each as property, code, words."""
    found = []
    for one in told.get("errors") or ():
        if isinstance(one, dict):
            names = (one.get("context") or {}).get("propertyName") or ([one["in"]] if one.get("in") else [])
            found += [(str(name), str(one.get("code", "")), str(one.get("message", ""))) for name in names]
    listed = _LISTED.search(str(told.get("message", ""))[:100_000])
    if listed and not found:
        try:
            inside = parsed(listed[0])
        except ValueError:
            inside = []
        found = [(str(one["name"]), str(one.get("error", "")), str(one.get("message", "")))
                 for one in inside if isinstance(one, dict) and one.get("name")]  # fmt: skip
    return found


def _words(told: Mapping[str, Any]) -> str:
    """HubSpot's own words, without the values that a list in them repeats."""
    text = discreet(_LISTED.sub("…", str(told.get("message") or "")[:100_000]))
    return f": {text}" if text else ""


def _first(*seconds: float | None) -> float | None:
    return next((one for one in seconds if one is not None), None)
