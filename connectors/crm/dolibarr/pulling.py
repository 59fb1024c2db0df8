"""List pulls: the records of one kind by what they hold, or the members of a category.

Both go by ascending id, so a pull goes on anywhere. An incremental pull asks for what was changed since the day before
its watermark: days need no colon, which filters until version 20 cannot carry, and the server's zone does not matter.
What changed and no longer fits `where` is told as removed; what was deleted Dolibarr does not tell, and a full pull
finds it. Who joined or left a category leaves no trace on the record, so such a pull has no watermark: the hub pulls it
whole each time and takes off whom it no longer sees. Third parties of a category are asked for as customers, as
prospects and as neither: asked for at once, Dolibarr joins a table too many and lists each as often as that has rows,
or never.
Source: Dolibarr/dolibarr, api_contacts, api_thirdparties (index), api_categories.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from connectors.crm.dolibarr.api import MOST, Api
from connectors.crm.dolibarr.filters import either, equal, number, one_of, since
from connectors.crm.dolibarr.objects import OPTION, THIRDPARTIES, Fields, Found, Kind, flat, kind_of
from hub.errors import Ambiguous, NotFound, Rejected, Unsupported
from hub.model import Page, Query

OVERLAP = dt.timedelta(days=1)
CATEGORY = "category"  # in `where`: the name or id of a category
CHANGED = ("date_modification", "datem")


class _Walk(Struct, frozen=True):
    """One way through the records: what is asked for beside the conditions."""

    mode: int = 0
    conditions: tuple[str, ...] = ()


ONE_WALK = (_Walk(),)
# Of `mode`, 1 has who is a customer (also prospects), 2 who is a prospect (also customers), 3 who is neither.
THREE_WALKS = (_Walk(1), _Walk(2, ("(t.client:=:2)",)), _Walk(3))


class Puller:
    """Pulls records page by page, 500 a call at most."""

    def __init__(self, api: Api, phones: Fields, mails: Fields, more: Fields, now: Callable[[], dt.datetime]) -> None:
        self._api, self._phones, self._mails, self._more, self._now = api, phones, mails, more, now

    def pages(self, query: Query) -> Iterator[Page]:
        """`where` has fields with one value or a list of them, and for people `category`."""
        kind = kind_of(query.object)
        wanted = {name: _many(value) for name, value in query.where.items() if name != CATEGORY}
        reads = [*kind.reads, *self._phones.of(kind), *self._mails.of(kind), *self._more.of(kind), *wanted]
        properties = list(dict.fromkeys(one for one in reads if not one.startswith(OPTION)))
        walk, after, began = _place(query.cursor, self._now)
        extra: dict[str, Any] = {}
        walks: Sequence[_Walk] = ONE_WALK
        if CATEGORY in query.where:
            extra = {CATEGORY: self._category(kind, str(query.where[CATEGORY]))}
            walks = THREE_WALKS if kind.name == THIRDPARTIES else ONE_WALK
        if walk >= len(walks):
            raise Rejected("that is a cursor of another pull")
        changed_only = query.watermark is not None and not extra
        if changed_only:
            conditions = [since(_changed(kind), f"{_moment(str(query.watermark)) - OVERLAP:%Y%m%d}")]
        else:
            conditions = [_condition(kind, name, values) for name, values in wanted.items()]
        more = True
        while more:
            told = walks[walk]
            asked = [*conditions, *told.conditions]
            found, more = self._page(kind, asked, properties, after, query.size, {**extra, **_mode(told)})
            if not found or not more:
                walk, after = walk + 1, 0
            else:
                after = int(found[-1]["id"])
            more = walk < len(walks)
            rows, removed = [], []
            for item in map(flat, found):
                if _holds(item, wanted):
                    rows.append({**item, **({CATEGORY: str(query.where[CATEGORY])} if extra else {})})
                elif changed_only:
                    removed.append(item["id"])
            ends = None if extra else began.isoformat()
            yield Page(rows=rows, removed=removed, cursor=f"{walk} {after} {began.isoformat()}" if more else None,
                       watermark=None if more else ends)  # fmt: skip

    def _page(
        self, kind: Kind, conditions: Sequence[str], properties: Sequence[str], after: int, size: int,
        extra: Mapping[str, Any],
    ) -> tuple[list[Found], bool]:  # fmt: skip
        return self._api.page(kind, conditions, properties, after=after, size=max(1, min(size, MOST)), extra=extra)

    def _category(self, kind: Kind, named: str) -> str:
        """The id of the category that has this name or id."""
        if not kind.category:
            raise Unsupported(f"{kind.name} have no categories that can be pulled")
        conditions = [told for told in (equal("t.label", named),) if told]
        if named.isascii() and named.isdecimal():
            conditions.append(number("t.rowid", "=", int(named)))
        if not conditions:
            raise NotFound("there is no such category")
        told = self._api.listed("categories", {"type": kind.category, "limit": MOST, "sqlfilters": either(conditions)})
        found = [str(one["id"]) for one in told if isinstance(one, dict) and one.get("id")
                 and named in (one.get("label"), str(one["id"]))]  # fmt: skip
        if not found:
            raise NotFound("there is no such category")
        if len(found) > 1:
            raise Ambiguous(f"{len(found)} categories have this name; say the id")
        return found[0]


def _mode(walk: _Walk) -> dict[str, int]:
    return {"mode": walk.mode} if walk.mode else {}


def _changed(kind: Kind) -> str:
    return next(kind.column(name) for name in CHANGED if name in kind.columns)


def _condition(kind: Kind, name: str, values: Sequence[Any]) -> str:
    """The condition that a field has one of the values; what comes back is compared again, letter by letter."""
    column = kind.column(name)
    told = []
    for value in values:
        if isinstance(value, bool | int):
            told.append(number(column, "=", int(value)))
        elif name == "id":
            told.append(one_of(column, [str(value)]) if str(value).isdecimal() else "")
        else:
            told.append(equal(column, str(value)))
    if not all(told) or not told:
        raise Rejected("a condition of the pull has a value that cannot be asked for", {name: "empty, or too long"})
    return either(told)


def _holds(item: Found, wanted: Mapping[str, Sequence[Any]]) -> bool:
    return all(any(_alike(item.get(name), value) for value in values) for name, values in wanted.items())


def _alike(stored: Any, wanted: Any) -> bool:
    """Equal as the database compares: a number is the same written as text, and capitals do not matter."""
    if isinstance(wanted, bool | int) or isinstance(stored, bool):
        return str(int(stored or 0) if isinstance(stored, bool | None) else stored) == str(int(wanted))
    return stored is not None and str(stored).casefold() == str(wanted).casefold()


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _place(cursor: str | None, now: Callable[[], dt.datetime]) -> tuple[int, int, dt.datetime]:
    """The walk, the id to go on behind, and when the pull began."""
    if cursor is None:
        return 0, 0, now()
    walk, _, rest = cursor.partition(" ")
    after, _, began = rest.partition(" ")
    if not walk.isdecimal() or not after.isdecimal() or int(walk) >= len(THREE_WALKS):
        raise Rejected("that is no cursor of this connector")
    return int(walk), int(after), _moment(began)


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise Rejected("that is no cursor or watermark of this connector") from None
