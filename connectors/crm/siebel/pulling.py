"""List pulls from Siebel: by ascending Id, a hundred at a time, and what changed since a watermark.

By default each page asks for what lies beyond the last row id, so that a pull can go on anywhere and loses nobody when
others leave. That needs a database which orders row ids as it compares them; one that does not is noticed, and `paging:
rows` then counts rows instead. With a watermark everything that changed is read, and whoever no longer fits `where` is told
as removed. What was deleted is found by a full pull only, and a child component (a list's members) is always pulled whole:
Siebel tells nothing of who left.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connectors.crm.siebel.components import ID, UPDATED, Catalogue, Component
from connectors.crm.siebel.dictionary import Dictionary
from connectors.crm.siebel.finding import Finder
from connectors.crm.siebel.rest import Item, Rest
from connectors.crm.siebel.searchspec import askable, beyond, both, either, equals, field, fits, since
from connectors.crm.siebel.values import Values
from connectors.wire.by_id import Place, many, moment, place_of
from hub.errors import Rejected
from hub.model import Page, Query

# Where the clocks go back, an hour's times come twice and do not say which of the two they mean.
TWICE = dt.timedelta(hours=1)
PAGINGS = ("id", "rows")
ROWS = "#"  # before the number of rows, in a cursor that counts them


class Puller:
    """Pulls a component page by page."""

    def __init__(
        self,
        rest: Rest,
        catalogue: Catalogue,
        dictionary: Dictionary,
        values: Values,
        finder: Finder,
        now: Callable[[], dt.datetime],
        *,
        by_id: bool,
        utc: bool,
    ) -> None:
        self._rest, self._catalogue, self._dictionary, self._values = rest, catalogue, dictionary, values
        self._finder, self._now, self._by_id = finder, now, by_id
        self._twice = dt.timedelta() if utc else TWICE

    def pages(self, query: Query) -> Iterator[Page]:
        """One GET for each page of at most a hundred."""
        component = self._catalogue[query.object]
        parent, wanted = _conditions(component, query.where)
        incremental = query.watermark is not None and not component.parent
        place = place_of(query.cursor, self._now())
        last, start = self._reached(place)
        types = self._dictionary.types(component)
        conditions = [either(equals(name, value) for value in values) for name, values in wanted.items()]
        if incremental:
            conditions = [since(UPDATED, self._values.at(moment(str(query.watermark))))]
        more = self._catalogue.told("pull_fields", component.name)
        fields = (*self._finder.reads(component), *wanted, *more)
        size = max(1, min(query.size, self._rest.page_size))
        while True:
            parts = [*([beyond(ID, last)] if last else []), *conditions]
            if not fits(both(parts)):
                raise Rejected(f"the conditions on {', '.join(wanted)} are too long to be asked")
            spec, at = both(parts), start

            def asked_for(names: Sequence[str], spec: str = spec, at: int = at) -> list[Item]:
                return self._rest.page(component, spec, names, size=size, start=at, parent=parent)

            items = self._finder.read(component, fields, asked_for)
            ids = [str(item[ID]) for item in items]
            if self._by_id and ([last, *ids] if last else ids) != sorted({*([last] if last else []), *ids}):
                raise Rejected(
                    "this Siebel's database orders row ids otherwise than it compares them: set paging: rows"
                )
            rows, removed = [], []
            for id, item in zip(ids, items, strict=True):
                if incremental and not _fits(item, wanted):
                    removed.append(id)
                else:
                    rows.append({**self._finder.plain(component, item, types), "id": id})
            if len(items) < size:
                began = place._replace(began=place.began - self._twice)
                watermark = None if component.parent else began.watermark
                yield Page(rows=rows, removed=removed, watermark=watermark)
                return
            last, start = (ids[-1], 0) if self._by_id else ("", start + len(items))
            yield Page(rows=rows, removed=removed, cursor=place.cursor(last or f"{ROWS}{start}"))

    def _reached(self, place: Place) -> tuple[str, int]:
        """The last row id, or how many rows are read. Raises Rejected where the cursor was made by the other paging."""
        if not place.last:
            return "", 0
        counts, told = place.last.startswith(ROWS), place.last.removeprefix(ROWS)
        if counts == self._by_id or not askable(told) or (counts and not (told.isascii() and told.isdecimal())):
            raise Rejected(f'"{place.last[:60]}" is no cursor of this connector with this setting of paging')
        return ("", int(told)) if counts else (told, 0)


def _conditions(component: Component, where: Mapping[str, Any]) -> tuple[str, dict[str, list[str]]]:
    """The parent's row id, where the component has one, and what else is wanted, by field."""
    parent = ""
    wanted: dict[str, list[str]] = {}
    for name, told in where.items():
        values = [_text(one) for one in many(told)]
        if name == component.parent:
            parent = values[0] if len(values) == 1 else ""
            continue
        field(name)
        if not values or not all(askable(value) for value in values):
            raise Rejected(f"{name} cannot be asked for what it should hold")
        wanted[name] = values
    if component.parent and not askable(parent):
        raise Rejected(f"{component.name} needs the row id of its list in where, as {component.parent}")
    return parent, wanted


def _fits(item: Mapping[str, Any], wanted: Mapping[str, list[str]]) -> bool:
    return all(_text(item.get(name)) in values for name, values in wanted.items())


def _text(value: Any) -> str:
    """A value as it is written in a condition, and as Siebel stores it."""
    if isinstance(value, bool):
        return "Y" if value else "N"
    return "" if value is None else str(value)
