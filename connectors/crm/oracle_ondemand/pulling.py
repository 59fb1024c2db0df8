"""List pulls from CRM On Demand: by ascending Id, a hundred at a time, and what changed since a watermark.

With a watermark everything that changed is read, and whoever no longer fits `where` is told as removed. What was deleted
there is found by a full pull only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connectors.crm.oracle_ondemand.finding import plain
from connectors.crm.oracle_ondemand.objects import MODIFIED, RecordType
from connectors.crm.oracle_ondemand.searchspec import LONGEST, bare, beyond, both, either, equals, since
from connectors.crm.oracle_ondemand.services import PAGE, Services
from connectors.wire.by_id import many, moment, place_of
from hub.errors import Rejected
from hub.model import Page, Query


class Puller:
    """Pulls a record type page by page."""

    def __init__(
        self,
        services: Services,
        reads: Callable[[RecordType], tuple[str, ...]],
        more: Mapping[str, tuple[str, ...]],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._services, self._reads, self._more, self._now = services, reads, more, now

    def pages(self, kind: RecordType, query: Query) -> Iterator[Page]:
        """One QueryPage for each page of at most 100."""
        place = place_of(query.cursor, self._now())
        last = place.last
        wanted = {name: [_text(value) for value in many(told)] for name, told in query.where.items()}
        if query.watermark is None:
            conditions = [either(equals(name, value) for value in values) for name, values in wanted.items()]
        else:
            changed = moment(query.watermark).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            conditions = [since(MODIFIED, changed)]
        names = (*self._reads(kind), *wanted, *self._more.get(kind.name, ()))
        fields = tuple(name for name in dict.fromkeys(names) if name != "Id")
        size = min(query.size, PAGE)
        while True:
            parts = [*([beyond("Id", last)] if last else []), *conditions]
            spec = bare(both(parts)) if parts else ""
            if len(spec) > LONGEST or any(c < " " and c not in "\t\n\r" for c in spec):
                raise Rejected(f"the conditions on {', '.join(wanted)} cannot be asked")
            found, finished = self._services.page(kind.name, spec, fields, size=size)
            rows, removed = [], []
            for one in found:
                if query.watermark is None or _fits(one, wanted):
                    rows.append({**{name: plain(value) for name, value in one.items()}, "id": str(one["Id"])})
                else:
                    removed.append(str(one["Id"]))
            if finished or not found:
                yield Page(rows=rows, removed=removed, watermark=place.watermark)
                return
            last = str(found[-1]["Id"])
            yield Page(rows=rows, removed=removed, cursor=place.cursor(last))


def _fits(record: Mapping[str, Any], wanted: Mapping[str, list[str]]) -> bool:
    return all(_text(record.get(name)) in values for name, values in wanted.items())


def _text(value: Any) -> str:
    """A stored value as it is written in a condition."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
