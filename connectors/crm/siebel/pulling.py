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
from hub.errors import Rejected
from hub.model import Page, Query

# Two clocks and a long transaction: what changed this long before a pull began is read again by the next one.
OVERLAP = dt.timedelta(minutes=5)
# Where the clocks go back, an hour's times come twice and do not say which of the two they mean.
TWICE = dt.timedelta(hours=1)
PAGINGS = ("id", "rows")


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
        self._overlap = OVERLAP if utc else OVERLAP + TWICE

    def pages(self, query: Query) -> Iterator[Page]:
        """One GET for each page of at most a hundred."""
        component = self._catalogue[query.object]
        parent, wanted = _conditions(component, query.where)
        incremental = query.watermark is not None and not component.parent
        last, start, began = _place(query.cursor)
        began = began or self._now()
        types = self._dictionary.types(component)
        conditions = [either(equals(name, value) for value in values) for name, values in wanted.items()]
        if incremental:
            moment = _moment(str(query.watermark))
            conditions = [since(UPDATED, self._values.at(moment))]
        more = self._catalogue.told("pull_fields", component.name)
        fields = (*self._finder.reads(component), *wanted, *more)
        size = max(1, min(query.size, self._rest.page_size))
        while True:
            parts = [*([beyond(ID, last)] if self._by_id and last else []), *conditions]
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
                watermark = None if component.parent else (began - self._overlap).isoformat()
                yield Page(rows=rows, removed=removed, watermark=watermark)
                return
            last, start = ids[-1], 0 if self._by_id else start + len(items)
            yield Page(rows=rows, removed=removed, cursor=f"{last} {start} {began.isoformat()}")


def _conditions(component: Component, where: Mapping[str, Any]) -> tuple[str, dict[str, list[str]]]:
    """The parent's row id, where the component has one, and what else is wanted, by field."""
    parent = ""
    wanted: dict[str, list[str]] = {}
    for name, told in where.items():
        values = [_text(one) for one in (told if isinstance(told, list | tuple) else [told])]
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


def _place(cursor: str | None) -> tuple[str, int, dt.datetime | None]:
    if cursor is None:
        return "", 0, None
    last, _, rest = cursor.partition(" ")
    start, _, began = rest.partition(" ")
    if not askable(last) or not start.isdecimal():
        raise Rejected(f'"{cursor[:60]}" is no cursor of this connector')
    return last, int(start), _moment(began)


def _moment(text: str) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Rejected(f'"{text[:40]}" is no moment of this connector') from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
