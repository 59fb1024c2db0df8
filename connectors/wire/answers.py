"""What any vendor's HTTP answer has: when to come again, and a body that may not be what it should."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from hub.errors import Unavailable, UnknownOutcome

MOST_VALUES = 4_000_000  # in one answer; each takes some sixty bytes of memory, though it may be two letters there
LONGEST_WAIT = 86_400.0  # seconds; who asks for more than a day does not mean it


@contextmanager
def nothing_done() -> Iterator[None]:
    """A POST that changes nothing: the session cannot know that, here it is said."""
    try:
        yield
    except UnknownOutcome as error:
        raise Unavailable(str(error)) from error


def lost(changes: bool) -> type[Unavailable]:
    """What it is when an answer is missing or unreadable: where the call changes something, nobody knows."""
    return UnknownOutcome if changes else Unavailable


def parsed(text: bytes | str) -> Any:
    """JSON as RFC 8259 has it. Raises ValueError for what is none: a page, half an answer, `NaN`, a number that no float
    holds, nesting that is deeper than anybody means, or more values than memory should hold."""
    if len(text) > MOST_VALUES and _values_of(text) > MOST_VALUES:
        raise ValueError("too many values")
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _values_of(text: bytes | str) -> int:
    """How many values it has at most."""
    if isinstance(text, str):
        return sum(map(text.count, ",[{"))
    return sum(map(text.count, (b",", b"[", b"{")))


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number("infinity")


def json_of(answer: requests.Response, who: str, *, changes: bool) -> Any:
    """The answer's JSON; `who` names the vendor in the message. A page of HTML, or half an answer, is none of theirs."""
    try:
        return parsed(answer.content)
    except ValueError as error:
        kind = answer.headers.get("Content-Type", "").partition(";")[0] or "no type"
        raise lost(changes)(f"{who} answers {answer.status_code} with {kind} that cannot be read as JSON") from error


def object_of(answer: requests.Response, who: str, *, changes: bool) -> dict[str, Any]:
    """The answer's JSON object; where they answer with one, anything else is none of theirs."""
    body = json_of(answer, who, changes=changes)
    if not isinstance(body, dict):
        raise lost(changes)(f"{who} answers {answer.status_code} with JSON that is no object")
    return body


def retry_after(answer: requests.Response) -> float | None:
    """Seconds until the vendor wants to be asked again: `Retry-After` as a number or as a date (RFC 9110, 10.2.3)."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text), LONGEST_WAIT)
    until, said_at = moment(text), moment(answer.headers.get("Date", ""))
    return min(max(0.0, (until - said_at).total_seconds()), LONGEST_WAIT) if until and said_at else None


def moment(text: str) -> dt.datetime | None:
    """An HTTP date as UTC; None where it is none."""
    try:
        return parsedate_to_datetime(text).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
