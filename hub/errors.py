"""How things fail. Each class says what happens next, so no caller has to guess.

A connector raises (or puts on a receipt) what failed; `then` on the class tells the flow whether to try again (RETRY),
to set the row aside for a person (PARK) or to stop using the connection for a while (PAUSE).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import ClassVar


class Then(StrEnum):
    """What the flow does after a failure."""

    RETRY = "retry"
    PARK = "park"
    PAUSE = "pause"


class PatchbayError(Exception):
    """Every failure of ours. The message says what, where, and what would be right."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`, did you mean "channel"?` for the known word nearest to `word`, or an empty string."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f', did you mean "{close[0]}"?' if close else ""


class ConfigError(PatchbayError):
    """A wrong setting, mapping or rule: one line with file, line and the nearest right name."""

    def __init__(self, what: str, *, file: str = "", line: int | None = None) -> None:
        self.what, self.file, self.line = what, file, line
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(where + what)


# --- hooks in ----------------------------------------


class SenderRefused(PatchbayError):
    """The sender is not proven: unsigned, forged or stale. Answered 401; nothing is kept."""


class Unreadable(PatchbayError):
    """The sender is proven but the body cannot be read. Kept raw in `unread` and answered 202."""


class InvalidEvent(PatchbayError):
    """A readable body with a wrong field. Answered 422; `field` is its path, such as `[2].interaction.channel`."""

    def __init__(self, field: str, problem: str) -> None:
        self.field, self.problem = field, problem
        super().__init__(f"{field}: {problem}")


# --- connectors ----------------------------------------


class ConnectorError(PatchbayError):
    """What a connector says when its system does not do what was asked."""

    then: ClassVar[Then] = Then.PARK

    @property
    def name(self) -> str:
        """The word for this failure in the API and on an attempt, such as `throttled`."""
        return "".join("_" + c.lower() if c.isupper() else c for c in type(self).__name__).lstrip("_")


class Unavailable(ConnectorError):
    """The system did not answer, or answered that it cannot now. Nothing was done there."""

    then = Then.RETRY


class UnknownOutcome(Unavailable):
    """A time-out, a reset or a 5xx after the request was sent: it may have been done. The row is retried *in doubt*:
    unless the connector's idempotency is native-upsert, it looks the key up before it sends again."""


class Elsewhere(Unavailable):
    """The answer is at another host, where our keys do not go by themselves. It will be so the next time."""


class Throttled(ConnectorError):
    """Too many requests. `retry_after` is in seconds where the system said so."""

    then = Then.RETRY

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Locked(ConnectorError):
    """Somebody else holds the record just now; a short retry will do."""

    then = Then.RETRY


class Rejected(ConnectorError):
    """The system refused the row's values. `fields` maps a field's name to what is wrong with it."""

    then = Then.PARK

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        self.fields = dict(fields or {})
        super().__init__(message)


class Ambiguous(ConnectorError):
    """Several records match where one is needed; a person or a policy has to choose."""

    then = Then.PARK


class NotFound(ConnectorError):
    """The record, object or list that the row names is not there."""

    then = Then.PARK


class NotPermitted(ConnectorError):
    """Our user may not do this to that record."""

    then = Then.PARK


class Unsupported(ConnectorError):
    """The connector cannot do this verb, or not on this object."""

    then = Then.PARK


class CredentialsRefused(ConnectorError):
    """The system does not take our credentials (any more): the connection pauses and its queue waits."""

    then = Then.PAUSE


class QuotaSpent(ConnectorError):
    """The day's calls are used up: the connection pauses until `until` (aware UTC), or the next UTC midnight."""

    then = Then.PAUSE

    def __init__(self, message: str, until: datetime | None = None) -> None:
        self.until = until
        super().__init__(message)
