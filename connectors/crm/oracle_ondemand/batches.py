"""Batches that are refused whole: the wrong ones are found by halves, so that each row's failure is its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from hub.errors import Ambiguous, ConnectorError, Locked, NotFound, NotPermitted, Rejected

Item = TypeVar("Item")
Done = TypeVar("Done")
OF_THE_ROW = (Rejected, NotPermitted, NotFound, Locked, Ambiguous)


def each(call: Callable[[list[Item]], Sequence[Done]], items: Sequence[Item], size: int) -> list[Done | ConnectorError]:
    """One result per item: what `call` gives for up to `size` at once, or, where that is refused, for each half."""
    done: list[Done | ConnectorError] = []
    for start in range(0, len(items), size):
        done += _halved(call, list(items[start : start + size]))
    return done


def _halved(call: Callable[[list[Item]], Sequence[Done]], items: list[Item]) -> list[Done | ConnectorError]:
    try:
        return list(call(items))
    except OF_THE_ROW as error:
        if len(items) == 1:
            return [error]
        middle = len(items) // 2
        return _halved(call, items[:middle]) + _halved(call, items[middle:])
