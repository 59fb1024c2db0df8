"""Call a connector for deliveries: within its budget, and whatever happens in there comes out as one of our errors."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar

from hub.budget import LANE_NAMES, WRAP_UPS, BudgetSpent
from hub.clock import now
from hub.connections import Connection
from hub.errors import Ambiguous, ConnectorError, QuotaSpent, Rejected, Then, UnknownOutcome

T = TypeVar("T")
R = TypeVar("R")

ROLLING_LOOK = timedelta(minutes=15)  # a rolling window that is spent is looked at again after so long
MOST_CALLS = 40  # for one batch that is halved again and again to find the row that spoils it


class ConnectorBroke(UnknownOutcome):
    """A bug in a connector. What it had sent by then is not known."""


class CallsPerDay(QuotaSpent):
    """The connection's own budget of calls a day is spent."""


class LaneSpent(ConnectorError):
    """What is left of the day is kept for more urgent calls than this one; it waits, and its connection does not."""

    then = Then.RETRY


class NotByBulk(ConnectorError):
    """The vendor does not take these rows by its bulk path; they go in ordinary calls."""

    then = Then.RETRY


SPOILED = (Rejected, Ambiguous, ConnectorBroke)  # what one row can do to the whole call


class RefusedTogether(ConnectorError):
    """Refused with a batch in which the spoiling rows were not all found yet; it is tried again with others."""

    then = Then.RETRY


class Failed:
    """Why one of a batch has no answer. `sent`: whether it was in the call that failed, or never came to be called."""

    __slots__ = ("error", "sent")

    def __init__(self, error: ConnectorError, sent: bool = True) -> None:
        self.error, self.sent = error, sent


def called(connection: Connection, call: Callable[[], R], lane: int = WRAP_UPS) -> R:
    """What `call` gives, counted for `lane` and paced. Raises nothing but ConnectorErrors."""
    try:
        with connection.budget.call(lane):
            return unpaced(call)
    except BudgetSpent as spent:
        raise spent_error(connection, spent) from None


def unpaced(call: Callable[[], R]) -> R:
    """What `call` gives, at once and whatever calls are left. Raises nothing but ConnectorErrors, and BudgetSpent."""
    try:
        return call()
    except (ConnectorError, BudgetSpent):
        raise
    except Exception as error:  # a bug in a connector must neither lose rows nor stop the others
        raise ConnectorBroke(f"the connector broke: {type(error).__name__} at {_place(error)}") from error


def spent_error(connection: Connection, spent: BudgetSpent) -> ConnectorError:
    """What it means that no call is left: the lane waits, or (nothing is left for anybody) the connection."""
    if not spent.all_lanes:
        lane = LANE_NAMES[spent.lane].replace("_", "-")
        return LaneSpent(f"what is left of the day's calls is kept for more urgent ones than {lane}")
    if spent.by_vendor:
        return QuotaSpent("the vendor's count of calls is used up", until=spent.until or now() + ROLLING_LOOK)
    return CallsPerDay(f"its budget of {connection.budget.calls_per_day} calls a day is spent")


def _place(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


class Halving(Generic[T, R]):
    """Calls for a batch. A call that is refused as a whole is halved until the rows that spoil it are found alone."""

    def __init__(self, call: Callable[[Sequence[T]], Sequence[R]], most_calls: int = MOST_CALLS) -> None:
        self._call, self._left = call, most_calls
        self.stopped: ConnectorError | None = None  # what concerns every call; no other was made after it

    def allow(self, calls: int) -> None:
        """Have so many calls more."""
        self._left += calls

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
