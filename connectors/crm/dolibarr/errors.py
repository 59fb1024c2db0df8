"""Dolibarr's errors in our words: a table from what it says, and one from statuses.

A refusal of its API is `{"error": {"code": 404, "message": "Not Found: Contact not found", "0": …}}`, the numbered
members being what the object said. Statuses alone mislead: a wrong key was 503 until version 13, a missing right was
401 and has been 403 since, an unknown column is 503, and what a record's own checks refuse is 500, with everything
rolled back. So the words decide first.
Sources: Dolibarr/dolibarr, `api/class/api_access.class.php`, `api/index.php` (501: a module that is off; 503: an
address that is not let in), `api_*.class.php`, `main.inc.php` (403 of the check for injections); Luracast/Restler,
`Compose`.
"""

from __future__ import annotations

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
    Rejected,
    Throttled,
    Unavailable,
    Unsupported,
)

WHO = "Dolibarr"

SAYINGS: tuple[tuple[re.Pattern[str], type[ConnectorError]], ...] = tuple(
    (re.compile(words, re.IGNORECASE), kind)
    for words, kind in (
        (r"api.?key|when fetching user\b", CredentialsRefused),
        (r"not allowed from (?:the|your) IP", CredentialsRefused),
        (r"insuffis?[a-z]+ rights|access not allowed|no permission|\bnot allowed\b|only an admin", NotPermitted),
        (r"injection protection", Rejected),
        (r"deadlock|lock wait timeout|could not serialize|database is locked", Locked),
        (r"parameter sqlfilters|unknown column|column \S+ does not exist|syntax error|bad syntax", Rejected),
    )
)
MEANING: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    401: CredentialsRefused,  # without a word: the key, more often than a right, and a paused queue loses nothing
    403: NotPermitted,
    404: NotFound,
    405: Unsupported,
    413: Rejected,
    414: Rejected,
    501: Unsupported,
    503: Unavailable,
}
COLUMN = re.compile(r"column '?(?:[a-z]+\.)?(\w+)'?", re.IGNORECASE)
BARE = frozenset(["", "internal server error"])


def failed(answer: requests.Response, *, changes: bool) -> ConnectorError:
    """What an answer that is no success means. `changes`: the call would have changed something."""
    status = answer.status_code
    if status == 429:
        return Throttled(f"{WHO} is asked too often", retry_after(answer))
    if 300 <= status < 400:
        return Unavailable(f"{WHO} redirects instead of answering ({status})")
    told = told_error(answer)
    words = said(told) if told is not None else answer.text[:2_000]
    for pattern, kind in SAYINGS:
        if pattern.search(words):
            return _made(kind, status, words)
    if told is None and status == 404:
        return Unavailable(f"there is no Dolibarr API at this address ({WHO}'s web server answers 404)")
    if told is not None and status == 500 and words.partition(":")[2].strip().casefold() not in BARE:
        return _made(Rejected, status, words)  # the object refused, and what was begun is rolled back
    kind = MEANING.get(status) or (lost(changes) if status >= 500 else Rejected)
    return _made(kind, status, words if told is not None else "")


def told_error(answer: requests.Response) -> dict[str, Any] | None:
    """What Dolibarr's own API says of an error; None where another answered."""
    try:
        body = parsed(answer.content)
    except ValueError:
        return None
    told = body.get("error") if isinstance(body, dict) else None
    return told if isinstance(told, dict) else {"message": told} if isinstance(told, str) else None


def said(told: Mapping[str, Any]) -> str:
    """Its message, and what the object added to it."""
    more = [str(value) for name, value in told.items() if name.isdecimal() and value]
    return ": ".join([str(told.get("message") or ""), *dict.fromkeys(more)])


def _made(kind: type[ConnectorError], status: int, words: str) -> ConnectorError:
    text = f"{WHO} answers {status}{': ' if words else ''}{discreet(words)}"
    if issubclass(kind, Rejected):
        column = COLUMN.search(words)
        missing = re.search(r"(\w+) field missing", words)
        if missing:
            return kind(text, {missing[1]: "missing"})
        return kind(text, {column[1]: "not as the database takes it"} if column else None)
    return kind(text)
