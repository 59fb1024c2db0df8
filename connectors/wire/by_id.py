"""Pulls by ascending id, for vendors whose lists have no cursor of their own: where one goes on and from when the next one
reads, as the hub keeps both between two calls."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from hub.errors import Rejected

# Two clocks and a long transaction: what changed this long before a pull began is read again by the next one.
OVERLAP = dt.timedelta(minutes=5)


class Place(NamedTuple):
    """How far a pull has come: every id up to `last` is read ("" at its begin)."""

    last: str
    began: dt.datetime

    @property
    def watermark(self) -> str:
        """From when on the next pull has to read what changed: a row that changes behind a slow pull is read again."""
        return (self.began - OVERLAP).isoformat()

    def not_after(self, vendors: dt.datetime | None) -> Place:
        """The same place, begun by the vendor's clock where that one is behind ours."""
        return self._replace(began=min(self.began, vendors or self.began))

    def cursor(self, last: Any) -> str:
        """The cursor behind this id."""
        return f"{last} {self.began.isoformat()}"


def place_of(cursor: str | None, now: dt.datetime) -> Place:
    """The place that a cursor tells; without one, the begin of a pull that begins now. Raises Rejected."""
    if cursor is None:
        return Place("", now)
    last, _, began = cursor.partition(" ")
    if not last:
        raise Rejected(f'"{cursor[:60]}" is no cursor of this connector')
    return Place(last, moment(began))


def number_of(place: Place) -> int:
    """The last id where ids are numbers; 0 at the begin. Raises Rejected."""
    if place.last and not (place.last.isascii() and place.last.isdecimal()):
        raise Rejected(f'"{place.last[:60]}" is no id of this connector')
    return int(place.last or 0)


def moment(text: str) -> dt.datetime:
    """A moment of our own cursors and watermarks; one without a zone is UTC. Raises Rejected."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Rejected(f'"{text[:60]}" is no moment of this connector') from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def many(value: Any) -> list[Any]:
    """The values of a condition of `where`: one, or a list of them."""
    return list(value) if isinstance(value, list | tuple) else [value]
