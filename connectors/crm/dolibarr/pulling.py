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
from connectors.wire.by_id import Place, many, moment, place_of
from hub.errors import Ambiguous, NotFound, Rejected, Unsupported
from hub.model import Page, Query

DAY = dt.timedelta(days=1)
CATEGORY = "category"  # in `where`: the name or id of a category
CHANGED = ("date_modification", "datem")


class _Walk(Struct, frozen=True):
    """One way through the records: what is asked for beside the conditions."""

    words: Mapping[str, str] = {}
    conditions: tuple[str, ...] = ()


class _Pull(Struct, frozen=True, kw_only=True):
    """What one pull asks for, page after page."""

    kind: Kind
    walks: tuple[_Walk, ...]
    conditions: tuple[str, ...]
    reads: tuple[str, ...]
    size: int


class Puller:
    """Pulls records page by page, 500 a call at most."""

    def __init__(self, api: Api, phones: Fields, mails: Fields, more: Fields, now: Callable[[], dt.datetime]) -> None:
        self._api, self._phones, self._mails, self._more, self._now = api, phones, mails, more, now

    def pages(self, query: Query) -> Iterator[Page]:
        """`where` has fields with one value or a list of them, and for people `category`."""
        kind = kind_of(query.object)
        wanted = {name: many(value) for name, value in query.where.items() if name != CATEGORY}
        of_category = {CATEGORY: str(query.where[CATEGORY])} if CATEGORY in query.where else {}
        changed_only = query.watermark is not None and not of_category
        if changed_only:
            conditions = [since(_changed(kind), f"{moment(str(query.watermark)) - DAY:%Y%m%d}")]
        else:
            conditions = [_condition(kind, name, values) for name, values in wanted.items()]
        walks = _walks(kind, self._category(kind, of_category[CATEGORY])) if of_category else (_Walk(),)
        pull = _Pull(kind=kind, walks=walks, conditions=tuple(conditions), reads=self._reads(kind, wanted),
                     size=max(1, min(query.size, MOST)))  # fmt: skip
        place = place_of(query.cursor, self._now())
        for found, behind in self._pages(pull, *_behind(place, len(walks))):
            fitting = [item for item in found if _holds(item, wanted)]
            gone = [item["id"] for item in found if changed_only and item not in fitting]
            yield Page(
                rows=[{**item, **of_category} for item in fitting],
                removed=gone,
                cursor=place.cursor(behind) if behind else None,
                watermark=None if behind or of_category else place.watermark,
            )

    def _reads(self, kind: Kind, wanted: Mapping[str, Any]) -> tuple[str, ...]:
        reads = (*kind.reads, *self._phones.of(kind), *self._mails.of(kind), *self._more.of(kind), *wanted)
        return tuple(dict.fromkeys(one for one in reads if not one.startswith(OPTION)))

    def _pages(self, pull: _Pull, walk: int, after: int) -> Iterator[tuple[list[Found], str]]:
        """Page by page what was found, and what the pull goes on behind; nothing with the last one."""
        while walk < len(pull.walks):
            told = pull.walks[walk]
            found, more = self._api.page(
                pull.kind,
                [*pull.conditions, *told.conditions],
                pull.reads,
                after=after,
                size=pull.size,
                extra=told.words,
            )
            walk, after = (walk, int(found[-1]["id"])) if found and more else (walk + 1, 0)
            yield [flat(item) for item in found], f"{walk}:{after}" if walk < len(pull.walks) else ""

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


def _walks(kind: Kind, category: str) -> tuple[_Walk, ...]:
    """The ways to everybody in a category."""
    words = {CATEGORY: category}
    if kind.name != THIRDPARTIES:
        return (_Walk(words),)
    # 1: who is a customer (also prospects); 2: who is a prospect (also customers); 3: who is neither.
    only_prospects = number(kind.column("client"), "=", 2)
    return (
        _Walk({**words, "mode": "1"}),
        _Walk({**words, "mode": "2"}, (only_prospects,)),
        _Walk({**words, "mode": "3"}),
    )


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


def _behind(place: Place, walks: int) -> tuple[int, int]:
    """The walk, and the id to go on behind. Raises Rejected."""
    if not place.last:
        return 0, 0
    walk, _, after = place.last.partition(":")
    if not (walk.isdecimal() and after.isdecimal() and place.last.isascii()) or int(walk) >= walks:
        raise Rejected("that is no cursor of this pull")
    return int(walk), int(after)
