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
from hub.errors import Rejected
from hub.model import Page, Query

# Two clocks and a long transaction: what changed this long before a pull began is read again by the next one.
OVERLAP = dt.timedelta(minutes=5)


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
        last, began = _place(query.cursor)
        began = began or self._now()
        wanted = {name: [str(value) for value in _many(told)] for name, told in query.where.items()}
        if query.watermark is None:
            conditions = [either(equals(name, value) for value in values) for name, values in wanted.items()]
        else:
            moment = _moment(query.watermark).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            conditions = [since(MODIFIED, moment)]
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
                yield Page(rows=rows, removed=removed, watermark=(began - OVERLAP).isoformat())
                return
            last = str(found[-1]["Id"])
            yield Page(rows=rows, removed=removed, cursor=f"{last} {began.isoformat()}")


def _fits(record: Mapping[str, Any], wanted: Mapping[str, list[str]]) -> bool:
    return all(_text(record.get(name)) in values for name, values in wanted.items())


def _text(value: Any) -> str:
    """A stored value as it is written in a condition."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _many(value: Any) -> list[Any]:
    many = list(value) if isinstance(value, list | tuple) else [value]
    return [_text(one) for one in many]


def _place(cursor: str | None) -> tuple[str, dt.datetime | None]:
    if cursor is None:
        return "", None
    last, _, began = cursor.partition(" ")
    if not last or not began:
        raise Rejected(f'"{cursor}" is no cursor of this connector')
    return last, _moment(began)


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise Rejected(f'"{text}" is no moment of this connector') from None
