"""Call a connector for deliveries: within its budget, and whatever happens in there comes out as one of our errors."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from hub.budget import BudgetSpent
from hub.connections import Connection
from hub.errors import Ambiguous, ConnectorError, QuotaSpent, Rejected, Then, UnknownOutcome

T = TypeVar("T")
R = TypeVar("R")

MOST_CALLS = 40  # for one batch that is halved again and again to find the row that spoils it


class ConnectorBroke(UnknownOutcome):
    """A bug in a connector. What it had sent by then is not known."""


class CallsPerDay(QuotaSpent):
    """The connection's own budget of calls a day is spent."""


SPOILED = (Rejected, Ambiguous, ConnectorBroke)  # what one row can do to the whole call


class RefusedTogether(ConnectorError):
    """Refused with a batch in which the spoiling rows were not all found yet; it is tried again with others."""

    then = Then.RETRY


class Failed:
    """Why one of a batch has no answer. `sent`: whether it was in the call that failed, or never came to be called."""

    __slots__ = ("error", "sent")

    def __init__(self, error: ConnectorError, sent: bool = True) -> None:
        self.error, self.sent = error, sent


def called(connection: Connection, call: Callable[[], R]) -> R:
    """What `call` gives, counted and paced. Raises nothing but ConnectorErrors."""
    try:
        with connection.budget.call():
            return call()
    except ConnectorError:
        raise
    except BudgetSpent:
        raise CallsPerDay(f"its budget of {connection.budget.calls_per_day} calls a day is spent") from None
    except Exception as error:  # a bug in a connector must neither lose rows nor stop the others
        raise ConnectorBroke(f"the connector broke: {type(error).__name__} at {_place(error)}") from error


def _place(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


class Halving(Generic[T, R]):
    """Calls for a batch. A call that is refused as a whole is halved until the rows that spoil it are found alone."""

    def __init__(self, call: Callable[[Sequence[T]], Sequence[R]], most_calls: int = MOST_CALLS) -> None:
        self._call, self._left = call, most_calls
        self.stopped: ConnectorError | None = None  # what concerns every call; no other was made after it

    def answers(self, batch: Sequence[T]) -> list[R | Failed]:
        """One answer or failure for each of the batch, in its order."""
        if self.stopped is not None:
            return [Failed(self.stopped, sent=False)] * len(batch)
        if not self._left:
            return [Failed(RefusedTogether("refused with its batch, in which too many rows are refused"))] * len(batch)
        self._left -= 1
        try:
            return list(self._call(batch))
        except ConnectorError as error:
            if not isinstance(error, SPOILED):
                self.stopped = error if error.then is not Then.PARK else None
                return [Failed(error)] * len(batch)
            if len(batch) == 1:
                return [Failed(error)]
            middle = len(batch) // 2
            return [*self.answers(batch[:middle]), *self.answers(batch[middle:])]
