"""What a system's refusals mean, as a profile's table tells it: from a status or a condition to one of our errors.

    errors:
      - { status: 409, when: { answer.code: LOCKED }, is: locked }
      - { when: { answer.success: false }, is: rejected, message: answer.error, fields: answer.problems }

The first line that fits decides. A line without `status` is asked of every answer, a good one too: there are systems that
answer 200 to everything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.wire.profiled.pieces import text
from hub.contract import Piece, Place, Profile
from hub.errors import (
    Ambiguous,
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    QuotaSpent,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
    nearest,
)

WORDS: Mapping[str, str] = {
    "status": "an HTTP status, or a list of them",
    "when": "a condition on the answer",
    "is": "what it means, as one of the hub's words",
    "message": "the path of the system's own words",
    "fields": "the path of what is wrong with each field: a group, or a list of groups with `field` and `message`",
    "retry_after": "the path of the seconds to wait",
}
KINDS: Mapping[str, type[ConnectorError]] = {
    kind("").name: kind
    for kind in (Ambiguous, CredentialsRefused, Locked, NotFound, NotPermitted, QuotaSpent, Rejected, Throttled, Unavailable,
                 UnknownOutcome)
}  # fmt: skip
LONGEST = 300  # characters of a system's own words that are kept: they may quote what was sent


@dataclass(frozen=True)
class Rule:
    """One line of the table."""

    statuses: frozenset[int]
    when: Callable[[Mapping[str, Any]], bool] | None
    kind: type[ConnectorError]
    message: Piece | None
    fields: Piece | None
    retry_after: Piece | None

    def meets(self, facts: Mapping[str, Any]) -> bool:
        """Whether an answer is one of those that are meant."""
        if self.statuses and facts.get("status") not in self.statuses:
            return False
        return self.when is None or self.when(facts)

    def error(self, who: str, facts: Mapping[str, Any]) -> ConnectorError:
        """The error that it means."""
        said = self.message(facts) if self.message else None
        message = f"{who}: {text(said)[:LONGEST]}" if said is not None else f"{who} refuses it"
        if self.kind is Rejected:
            return Rejected(message, _fields(self.fields(facts)) if self.fields else {})
        if self.kind is Throttled:
            return Throttled(message, _seconds(self.retry_after(facts)) if self.retry_after else None)
        if self.kind is QuotaSpent:
            return QuotaSpent(message, _until(self.retry_after(facts)) if self.retry_after else None)
        return self.kind(message)


class Failures:
    """The table. `roots` are the names that its conditions and paths may speak of."""

    def __init__(self, profile: Profile, at: Place, value: Any, roots: tuple[str, ...], who: str) -> None:
        if not isinstance(value, list):
            raise profile.error(at, "`errors` is a list of lines such as { status: 409, is: locked }")
        self._who = who
        self._rules = tuple(_rule(profile, (*at, i), told, roots) for i, told in enumerate(value))

    def error(self, facts: Mapping[str, Any]) -> ConnectorError | None:
        """What an answer means by the table; None: no line fits."""
        rule = next((rule for rule in self._rules if rule.meets(facts)), None)
        return None if rule is None else rule.error(self._who, facts)


def _rule(profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> Rule:
    words = profile.group(at, value, WORDS, ("is",))
    if words["is"] not in KINDS:
        raise profile.error((*at, "is"), f'there is no failure "{words["is"]}"{nearest(str(words["is"]), KINDS)}')
    statuses = words.get("status", [])
    listed = statuses if isinstance(statuses, list) else [statuses]
    if not all(isinstance(one, int) and 100 <= one < 600 for one in listed):
        raise profile.error((*at, "status"), "a status is a number such as 409, or a list of them")
    if not listed and "when" not in words:
        raise profile.error(at, "a line needs `status` or `when`, or it would fit every answer")

    def piece(word: str) -> Piece | None:
        return profile.path((*at, word), words[word], roots) if word in words else None

    return Rule(
        frozenset(listed),
        profile.condition((*at, "when"), words["when"], roots) if "when" in words else None,
        KINDS[words["is"]],
        piece("message"),
        piece("fields"),
        piece("retry_after"),
    )


def _fields(told: Any) -> dict[str, str]:
    if isinstance(told, dict):
        return {str(name): text(what)[:LONGEST] for name, what in told.items()}
    if isinstance(told, list):
        pairs = ((one.get("field"), one.get("message")) for one in told if isinstance(one, dict))
        return {str(name): text(what)[:LONGEST] for name, what in pairs if name}
    return {str(told): "refused"} if isinstance(told, str) else {}


def _seconds(told: Any) -> float | None:
    try:
        return float(told)
    except (TypeError, ValueError):
        return None


def _until(told: Any) -> dt.datetime | None:
    try:
        read = dt.datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=dt.UTC)
