"""List pulls from Tryton: opportunities or parties by ascending id, and what changed since a watermark.

With a watermark everything that changed is read, and whoever no longer fits `where` is told as removed. What was deleted
is found by a full pull only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from connectors.crm.tryton.records import FIELDS, LIVE, NOTE, OPPORTUNITY, PARTY, Reader, either, known
from connectors.crm.tryton.rpc import Rpc
from connectors.wire.by_id import many, moment, number_of, place_of
from hub.errors import Unsupported
from hub.model import Page, Query


class Puller:
    """Pulls an object page by page."""

    def __init__(self, rpc: Rpc, reader: Reader, now: Callable[[], dt.datetime]) -> None:
        self._rpc, self._reader, self._now = rpc, reader, now

    def pages(self, query: Query) -> Iterator[Page]:
        """One search for each page, two with a watermark."""
        object = known(query.object)
        if object == NOTE:
            raise Unsupported(f"{object} is no list; pull {OPPORTUNITY} or {PARTY}")
        where = [*LIVE[object], *([name, "in", many(value)] for name, value in query.where.items())]
        place = place_of(query.cursor, self._now())
        last = number_of(place)
        while True:
            ahead = [["id", ">", last]]
            removed: list[str] = []
            if query.watermark is None:
                found = self._rpc.search(object, [*ahead, *where], FIELDS[object], query.size)
                seen = [row["id"] for row in found]
            else:
                changed = _changed(object, moment(query.watermark))
                seen = self._rpc.read(f"model.{object}.search", [*ahead, *changed], 0, query.size, [["id", "ASC"]])
                found = self._rpc.search(object, [["id", "in", seen], *where], FIELDS[object]) if seen else []
                removed = [str(id) for id in sorted(set(seen) - {row["id"] for row in found})]
            place = place.not_after(self._rpc.server_time)
            rows = [self._reader.row(object, row) for row in found]
            if len(seen) < query.size:
                yield Page(rows=rows, removed=removed, watermark=place.watermark)
                return
            last = seen[-1]
            yield Page(rows=rows, removed=removed, cursor=place.cursor(last))


def _changed(object: str, since: dt.datetime) -> list[Any]:
    party = "" if object == PARTY else "party."
    places = ("", party, f"{party}contact_mechanisms.", f"{party}addresses.")
    changed = either([[f"{place}last_modified_at", ">=", since] for place in dict.fromkeys(places)])
    return [changed, ["active", "in", [True, False]]] if object == PARTY else [changed]
