"""List pulls: the members of a list, an object's records with a condition, or all of them.

`where: {list: …}` names a list by its number or its name; anything else in `where` are properties with one value or a list
of values. All of an object's records come by the plain listing (100 a call, no search, no cap); with a condition a search
is cut by ascending record id, so neither its cap of 10,000 nor a change meanwhile loses anything; a list's members come
by its memberships (250 a call) and are read 100 a call. The first load of many records, or of a list of many, goes by one
export (`first_load`).

With a watermark come the records that changed since, those that joined the list since, and as `removed` what changed and
is not (or no more) on the list or within the condition. A record that was deleted, or left a list without being
changed itself, is found by a full pull only: HubSpot tells nobody. But it tells when somebody was last taken off a list; if
that was since, a static list's increment ends without a watermark, which makes the next pull a full one. An increment of a
list holds the members' ids.

Sources: HubSpot, "Search the CRM" (cap, index lag), "Lists" (memberships); the public specification.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from connectors.crm.hubspot.exports import NoExport
from connectors.crm.hubspot.finding import is_id
from connectors.crm.hubspot.first_load import WAY, FirstLoad
from connectors.crm.hubspot.objects import ID, MERGED, Catalogue, Object
from connectors.crm.hubspot.people import moment
from connectors.crm.hubspot.pull import Pull
from connectors.crm.hubspot.rest import BATCH, SEARCHED, Found, Rest, next_of
from connectors.crm.hubspot.writing import as_text
from hub.errors import Ambiguous, NotFound, Rejected, Unsupported
from hub.model import Page, Query

LIST = "list"
DYNAMIC = "DYNAMIC"  # the processing type of an active list
MEMBERS = 250  # memberships of one page
LISTS = 500  # lists of one page of the search for one
OVERLAP = dt.timedelta(minutes=5)  # the index of searches is behind; so long is far more than it ever was
Members = dict[str, dt.datetime | None]  # by id when each joined
_WAYS = _ALL, _SOME, _LISTED, _JOINED, _CHANGED = "all", "some", "listed", "joined", "changed"


class Puller:
    """Pulls lists."""

    def __init__(
        self, rest: Rest, catalogue: Catalogue, first: FirstLoad, bulk_from: int, now: Callable[[], dt.datetime]
    ) -> None:
        self._rest, self._catalogue, self._first, self._bulk_from, self._now = rest, catalogue, first, bulk_from, now

    def pages(self, query: Query) -> Iterator[Page]:
        """The list from the cursor on: `<when it began> <way> <place>`."""
        object = self._catalogue[query.object]
        where = {name: told for name, told in query.where.items() if name != LIST}
        listed = self._list(object, query.where[LIST], where) if LIST in query.where else None
        list_id = str(listed["listId"]) if listed else ""
        since = moment(query.watermark) if query.watermark else None
        if query.watermark and since is None:
            raise Rejected("the watermark is none of this connector's")
        began, way, place = self._place(query, list_id, where, since)
        reads = self._catalogue.reads(
            object, (*self._catalogue.told("pull_fields", object.name), *where, object.changed)
        )
        pull = Pull(
            object=object,
            reads=reads,
            where=where,
            list_id=list_id,
            since=since,
            began=began,
            size=max(1, query.size),
            left=_somebody_left(listed, since),
        )
        if way in (_ALL, _LISTED) and not query.cursor and self._pays(object, listed):
            way = WAY
        if way == WAY:
            try:
                yield from self._first.pages(pull, place)
                return
            except NoExport:
                way, place = _LISTED if list_id else _ALL, ""
        match way:
            case "all":
                yield from self._all(pull, place)
            case "some":
                yield from self._some(pull, place)
            case "listed":
                yield from self._listed(pull, place)
            case "joined":
                yield from self._joined(pull, place)
            case _:
                yield from self._changed(pull, place, None)

    def _place(
        self, query: Query, list_id: str, where: Mapping[str, Any], since: dt.datetime | None
    ) -> tuple[str, str, str]:
        if query.cursor:
            began, way, place, *more = (*query.cursor.split(" "), "", "")[:4]
            if moment(began) is None or way not in (*_WAYS, WAY) or any(more):
                raise Rejected("the cursor is none of this connector's")
            return began, way, place
        began = (self._now() - OVERLAP).astimezone(dt.UTC).isoformat(timespec="milliseconds")
        if since is not None:
            return began, _JOINED if list_id else _CHANGED, ""
        return began, _LISTED if list_id else _SOME if where else _ALL, ""

    def _pays(self, object: Object, listed: Found | None) -> bool:
        """Whether a first load is worth an export: by the list's own size, else by the count of a search."""
        if not self._bulk_from:
            return False
        if listed is None:
            return self._rest.count(object.name) >= self._bulk_from
        size = (listed.get("additionalProperties") or {}).get("hs_list_size") or listed.get("size") or 0
        return str(size).isdecimal() and int(size) >= self._bulk_from

    # --- the ways ----------------------------------------

    def _all(self, pull: Pull, after: str) -> Iterator[Page]:
        """Every record, by the plain listing."""
        path = self._rest.at("objects", pull.object.name)
        while True:
            query: dict[str, str | int] = {"limit": min(pull.size, BATCH), "properties": ",".join(pull.reads),
                                           **({"after": after} if after else {})}  # fmt: skip
            told = self._rest.get(path, **query)
            after = next_of(told)
            yield pull.page([pull.row(one) for one in told.get("results") or ()], _ALL, after)
            if not after:
                return

    def _some(self, pull: Pull, last: str) -> Iterator[Page]:
        """What a condition fits, by ascending id."""
        filters = [_filter(name, told) for name, told in pull.where.items()]
        while True:
            size = min(pull.size, SEARCHED)
            found, more = self._ahead(pull, filters, last, size)
            last = str(found[-1]["id"]) if found and more else ""
            yield pull.page([pull.row(one) for one in found], _SOME, last)
            if not last:
                return

    def _listed(self, pull: Pull, after: str) -> Iterator[Page]:
        """A list's members."""
        for members, following in self._members(pull.list_id, after, min(pull.size, MEMBERS)):
            yield pull.page(self._rows(pull, members), _LISTED, following)

    def _joined(self, pull: Pull, after: str) -> Iterator[Page]:
        """Who joined the list since, and then what changed."""
        seen: Members | None = None if after else {}  # from the middle on, not all members are seen
        for members, following in self._members(pull.list_id, after, MEMBERS):
            if seen is not None:
                seen.update(members)
            new = [id for id, at in members.items() if pull.joined(at)]
            for start in range(0, len(new), pull.size):
                rows = self._rows(pull, new[start : start + pull.size])
                # Interrupted within these members, it begins with them again: a row twice is the same row.
                yield Page(rows=rows, cursor=f"{pull.began} {_JOINED} {after}".rstrip())
            after = following
        yield from self._changed(pull, "", seen)

    def _changed(self, pull: Pull, last: str, members: Members | None) -> Iterator[Page]:
        """What changed since, by ascending id: rows where it belongs to the list, else removed."""
        if pull.list_id and members is None:
            members = {}
            for some, _ in self._members(pull.list_id, "", MEMBERS):
                members.update(some)
        since = str(int((pull.since or dt.datetime.now(dt.UTC)).timestamp() * 1000))
        filters = [{"propertyName": pull.object.changed, "operator": "GTE", "value": since}]
        while True:
            found, more = self._ahead(pull, filters, last, min(pull.size, SEARCHED))
            inside = [one for one in found if pull.fits(one) and (members is None or str(one["id"]) in members)]
            ids = {str(one["id"]) for one in inside}
            merged = {id for one in inside for id in _merged(one)}
            # Who joined has come already.
            rows = [pull.row(one) for one in inside if not (members and pull.joined(members[str(one["id"])]))]
            gone = [str(one["id"]) for one in found if str(one["id"]) not in ids]
            last = str(found[-1]["id"]) if found and more else ""
            yield pull.page(rows, _CHANGED, last, [*gone, *sorted(merged - ids)])
            if not last:
                return

    def _ahead(self, pull: Pull, filters: list[Found], last: str, size: int) -> tuple[list[Found], bool]:
        """A page of a search from an id on, and whether more follows: each its own search, so no cap is met."""
        if last and not is_id(last):
            raise Rejected("the cursor is none of this connector's")
        ahead = [{"propertyName": ID, "operator": "GT", "value": last}] if last else []
        found, after = self._rest.search(pull.object.name, [[*filters, *ahead]], pull.reads, limit=size)
        return found, bool(after)

    # --- lists ----------------------------------------

    def _list(self, object: Object, told: Any, where: Mapping[str, Any]) -> Found:
        """A list. By a name HubSpot finds what contains it: it is compared here. Raises NotFound, Ambiguous."""
        if where:
            raise Unsupported(
                "a list is pulled whole: leave the other words of `where` out, or make them the list's own"
            )
        text = str(told or "").strip()
        found: dict[str, Found] = {}
        offset, more = 0, True
        while more and text:
            wanted: Found = {"listIds": [text]} if text.isdecimal() else {"query": text}
            answer = self._rest.ask(self._rest.at("lists", "search"), {**wanted, "count": LISTS, "offset": offset})
            lists = [one for one in answer.get("lists") or () if one.get("objectTypeId") == object.type_id]
            found |= {str(one["listId"]): one for one in lists
                      if text in (str(one.get("listId")), str(one.get("name", "")).strip())}  # fmt: skip
            more, offset = bool(answer.get("hasMore")) and not text.isdecimal(), offset + LISTS
        if len(found) > 1:
            raise Ambiguous(f"several lists of {object.name} have this name; give the list's number")
        if not found:
            raise NotFound(f"there is no list of {object.name} with this name or number")
        return next(iter(found.values()))

    def _members(self, list_id: str, after: str, size: int) -> Iterator[tuple[Members, str]]:
        """A list's members page by page: by id when each joined; with it where the next page begins."""
        while True:
            query: dict[str, str | int] = {"limit": size, **({"after": after} if after else {})}
            told = self._rest.get(self._rest.at("lists", list_id, "memberships"), **query)
            after = next_of(told)
            members = {str(one["recordId"]): moment(one.get("membershipTimestamp"))
                       for one in told.get("results") or () if one.get("recordId")}  # fmt: skip
            yield members, after
            if not after:
                return

    def _rows(self, pull: Pull, ids: Iterable[str]) -> list[dict[str, Any]]:
        wanted = list(ids)
        by_id = {str(one["id"]): one for one in self._rest.read(pull.object.name, wanted, pull.reads)}
        return [pull.row(by_id[id]) for id in wanted if id in by_id]


def _somebody_left(listed: Found | None, since: dt.datetime | None) -> bool:
    """Whether somebody was taken off a static list since: who leaves an active one has changed, and is told."""
    if listed is None or since is None or listed.get("processingType") == DYNAMIC:
        return False
    at = moment((listed.get("additionalProperties") or {}).get("hs_last_record_removed_at"))
    return at is not None and at >= since


def _filter(name: str, told: Any) -> Found:
    if told is None:
        return {"propertyName": name, "operator": "NOT_HAS_PROPERTY"}
    if isinstance(told, list):
        return {"propertyName": name, "operator": "IN", "values": [as_text(name, one).lower() for one in told]}
    return {"propertyName": name, "operator": "EQ", "value": as_text(name, told)}


def _merged(found: Found) -> set[str]:
    """The ids that were merged into a record: as members of a list they are gone."""
    properties = found.get("properties") or {}
    return {part.partition(":")[0] for name in MERGED for part in str(properties.get(name) or "").split(";") if part}
