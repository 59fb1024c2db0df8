"""List pulls from Fusion: by ascending id, so that a pull can go on anywhere, and what changed since a watermark.

With a watermark everything that changed is read, and whoever no longer fits `where` is told as removed: Fusion itself
keeps no list of who left. What was deleted there is found by a full pull only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connectors.crm.oracle_fusion.query import both, either, equals, fits
from connectors.crm.oracle_fusion.resources import UPDATED, Catalogue
from connectors.crm.oracle_fusion.rest import EMPTY_PAGES, PAGE, Rest
from connectors.wire.by_id import many, moment, number_of, place_of
from hub.errors import Rejected, Unavailable
from hub.model import Page, Query


class Puller:
    """Pulls a resource page by page."""

    def __init__(
        self,
        rest: Rest,
        catalogue: Catalogue,
        reads: Callable[[Any], tuple[str, ...]],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._rest, self._catalogue, self._reads, self._now = rest, catalogue, reads, now

    def pages(self, query: Query) -> Iterator[Page]:
        """One GET for each page of at most 500."""
        resource = self._catalogue[query.object]
        place = place_of(query.cursor, self._now())
        last = number_of(place)
        wanted = {name: many(value) for name, value in query.where.items()}
        fits_in = [either(equals(name, value) for value in values) for name, values in wanted.items()]
        if query.watermark is not None:
            since = moment(query.watermark).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
            conditions = [f"{UPDATED} >= '{since}'"]
        else:
            conditions = fits_in
        names = (*self._reads(resource), *wanted, *self._catalogue.told("pull_fields", resource.name))
        fields = ",".join(dict.fromkeys(names))
        size, offset, empty = min(query.size, PAGE), 0, 0
        while True:
            q = both([f"{resource.id} > {last}", *conditions])
            if not fits(q):
                raise Rejected(f"the conditions on {', '.join(wanted)} are too long to be asked")
            part = self._rest.page(
                f"/{resource.name}", q=q, fields=fields, orderBy=f"{resource.id}:asc", limit=size, offset=offset
            )
            if part.items:
                last, offset, empty = int(part.items[-1][resource.id]), 0, 0
            elif part.more:  # nothing of that page is for our user to see
                offset, empty = offset + part.size, empty + 1
                if empty > EMPTY_PAGES:
                    raise Unavailable("Oracle Fusion always says that more follows, and gives nothing")
                continue
            rows, removed = [], []
            for item in part.items:
                id = str(item[resource.id])
                if query.watermark is None or _fits(item, wanted):
                    rows.append({**item, "id": id})
                else:
                    removed.append(id)
            if not part.more:
                yield Page(rows=rows, removed=removed, watermark=place.watermark)
                return
            yield Page(rows=rows, removed=removed, cursor=place.cursor(last))


def _fits(item: Mapping[str, Any], wanted: Mapping[str, list[Any]]) -> bool:
    return all(any(_alike(item.get(name), value) for value in values) for name, values in wanted.items())


def _alike(stored: Any, wanted: Any) -> bool:
    """Equal as `q` compares: a number is the same written as text."""
    if isinstance(stored, bool) or isinstance(wanted, bool):
        return str(stored).lower() == str(wanted).lower()
    return stored is not None and str(stored) == str(wanted)
