"""List pulls: the members of a target list, or an entity type by what its records hold.

Both go by ascending id, so a pull goes on anywhere. An entity type is pulled by `modifiedAt` from a watermark on: what
changed and no longer fits `where` is told as removed, what was deleted EspoCRM does not tell, and a full pull finds it.
Who joined or left a target list leaves no trace in EspoCRM either (the record itself does not change), so such a pull has
no watermark: the hub pulls the list whole each time and takes off whom it no longer sees.
Source: docs.espocrm.com, "Related records"; entityDefs TargetList (links contacts, leads, accounts, users).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from connectors.crm.espocrm.api import MOST, Api, Condition, Found, condition, either, fits
from connectors.crm.espocrm.entities import (
    ALWAYS,
    LINKS_OF_LIST,
    READS,
    TARGET_LIST,
    Fields,
    wire_moment,
)
from connectors.wire.by_id import many, moment, place_of
from hub.errors import Ambiguous, NotFound, Rejected, Unsupported
from hub.model import Page, Query

LIST = "targetList"  # in `where`: the name or id of a target list
ID = "id"


class Puller:
    """Pulls an entity type page by page, 200 records a call at most."""

    def __init__(
        self, api: Api, phones: Fields, mails: Fields, more: Fields, now: Callable[[], dt.datetime]
    ) -> None:  # fmt: skip
        self._api, self._phones, self._mails, self._more, self._now = api, phones, mails, more, now

    def pages(self, query: Query) -> Iterator[Page]:
        """`where` has attributes with one value or a list of them, and for people `targetList`."""
        entity = query.object
        wanted = {name: many(value) for name, value in query.where.items() if name != LIST}
        fields = list(dict.fromkeys((*READS.get(entity, ALWAYS), *self._phones.of(entity), *self._mails.of(entity),
                                     *self._more.of(entity), *wanted)))  # fmt: skip
        if LIST in query.where:
            yield from self._members(query, wanted, fields)
        else:
            yield from self._records(query, wanted, fields)

    # --- an entity type ----------------------------------------

    def _records(self, query: Query, wanted: Mapping[str, list[Any]], fields: Sequence[str]) -> Iterator[Page]:
        place = place_of(query.cursor, self._now())
        if query.watermark is None:
            where = _conditions(wanted)
        else:
            where = [condition("greaterThanOrEquals", "modifiedAt", wire_moment(moment(query.watermark)))]
        for found, last in self._pages(quote(query.object, safe=""), where, fields, place.last, query.size):
            rows, removed = [], []
            for item in found:
                if query.watermark is None or _holds(item, wanted):
                    rows.append(_row(item))
                else:
                    removed.append(str(item[ID]))
            end = None if last else place.cursor(found[-1][ID])
            yield Page(rows=rows, removed=removed, cursor=end,
                       watermark=place.watermark if last else None)  # fmt: skip

    # --- a target list ----------------------------------------

    def _members(self, query: Query, wanted: Mapping[str, list[Any]], fields: Sequence[str]) -> Iterator[Page]:
        link = LINKS_OF_LIST.get(query.object)
        if link is None:
            raise Unsupported(f"a target list holds {', '.join(LINKS_OF_LIST)}, and no {query.object}")
        place = place_of(query.cursor, self._now())
        path = f"{TARGET_LIST}/{quote(self._list(str(query.where[LIST])), safe='')}/{link}"
        for found, last in self._pages(path, _conditions(wanted), fields, place.last, query.size):
            end = None if last else place.cursor(found[-1][ID])
            yield Page(rows=[{**_row(item), LIST: str(query.where[LIST])} for item in found], cursor=end)

    def _list(self, named: str) -> str:
        """The id of the target list that has this name or id."""
        if not named or len(named) > 255 or "\0" in named:
            raise NotFound("there is no such target list")
        either_way = [condition("equals", "name", named), condition("equals", ID, named)]
        found = [one for one in self._api.all(TARGET_LIST, [either(either_way)], (ID, "name"))
                 if named in (one.get("name"), one.get(ID))]  # fmt: skip
        if not found:
            raise NotFound("there is no such target list")
        if len(found) > 1:
            raise Ambiguous(f"{len(found)} target lists have this name; say the id")
        return str(found[0][ID])

    # --- pages ----------------------------------------

    def _pages(
        self, path: str, where: Sequence[Condition], fields: Sequence[str], after: str, size: int
    ) -> Iterator[tuple[list[Found], bool]]:
        """Page by page what was found, and whether it is the last one."""
        if not fits(where):
            raise Rejected("the conditions of the pull are too long to be asked")
        more = True
        while more:
            found, more = self._api.page(path, where, fields, after=after, size=max(1, min(size, MOST)))
            more = more and bool(found)
            yield found, not more
            after = str(found[-1][ID]) if found else after


def _conditions(wanted: Mapping[str, list[Any]]) -> list[Condition]:
    return [_flag(name, values[0]) if len(values) == 1 and isinstance(values[0], bool)
            else condition("in", name, [str(value) for value in values]) for name, values in wanted.items()]  # fmt: skip


def _flag(name: str, value: bool) -> Condition:
    return condition("isTrue" if value else "isFalse", name)


def _holds(item: Found, wanted: Mapping[str, list[Any]]) -> bool:
    return all(any(_alike(item.get(name), value) for value in values) for name, values in wanted.items())


def _alike(stored: Any, wanted: Any) -> bool:
    """Equal as EspoCRM's database compares: a number is the same written as text, and capitals do not matter."""
    if isinstance(stored, bool) or isinstance(wanted, bool):
        return bool(stored) == bool(wanted)
    return stored is not None and str(stored).casefold() == str(wanted).casefold()


def _row(item: Found) -> dict[str, Any]:
    return {**item, ID: str(item[ID])}
