"""List pulls as a profile declares them: where the rows are, what the next page is asked by, and what changed since."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.wire.profiled.asking import Answer, Asks
from connectors.wire.profiled.declared import Declared
from connectors.wire.profiled.finding import listed
from connectors.wire.profiled.pieces import text
from hub.contract import Piece, Place, Profile, Tools
from hub.errors import Rejected, Unavailable, Unsupported
from hub.model import Page, Query

ROOTS = ("where", "size", "cursor", "page", "offset", "after", "watermark")
WORDS: Mapping[str, str] = {
    "records": "the path of the rows in the answer",
    "next": "how the next page is asked for",
    "more": "a condition on the answer: there is another page",
    "removed": "the path of the ids that left the list",
    "gone": "a condition on a record: it is deleted, or left the list",
    "overlap_seconds": "how long before the last pull began changes are asked for again (300)",
}
STYLES: Mapping[str, str] = {
    "cursor": "the path of a cursor, given back as `cursor`",
    "url": "the path of the next page's address",
    "link": "`next`: the address is in the header Link (RFC 8288)",
    "page": "true: pages have numbers from 1, given as `page`",
    "offset": "true: given as `offset`, counted in rows",
    "after": "the path in the last record by which the list is ordered, given as `after`",
}
_LINK = re.compile(r'<([^>]*)>\s*((?:;\s*[\w*]+\s*=\s*(?:"[^"]*"|[^;,"]*)\s*)*)')


@dataclass(frozen=True)
class Listing:
    """How one object is pulled."""

    call: Any
    records: Piece
    style: str
    step: Piece | None
    more: Callable[[Mapping[str, Any]], bool] | None
    removed: Piece | None
    gone: Callable[[Mapping[str, Any]], bool] | None
    overlap: dt.timedelta


class Pager:
    """Every object's list."""

    def __init__(
        self, profile: Profile, objects: Mapping[str, Any], declared: Declared, asks: Asks, tools: Tools
    ) -> None:
        self._declared, self._asks, self._now = declared, asks, tools.now
        self._listings = {
            name: _listing(profile, ("objects", name, "pages"), words["pages"], asks)
            for name, words in objects.items()
            if "pages" in words
        }

    def pages(self, query: Query) -> Iterator[Page]:
        """The pages of a pull. A cursor holds where the pull stands and when it began."""
        one = self._declared[query.object]
        listing = self._listings.get(one.name)
        if listing is None:
            raise Unsupported(f"the profile does not say how {one.name} is pulled as a list")
        began, place = _resumed(query.cursor) if query.cursor else (self._now().isoformat(), None)
        while True:
            answer = self._asked(listing, query, place)
            raws = listed(listing.records(answer.facts))
            stay = [raw for raw in raws if listing.gone is None or not listing.gone({"record": raw})]
            removed = [one.row(raw)["id"] for raw in raws if raw not in stay]
            if listing.removed is not None:
                removed += [text(id) for id in listing.removed(answer.facts) or []]
            following = _following(listing, answer, raws, place, query.size)
            rows = [one.row(raw) for raw in stay]
            if following is None:
                watermark = (dt.datetime.fromisoformat(began) - listing.overlap).isoformat()
                yield Page(rows=rows, removed=removed, watermark=watermark)
                return
            if following == place:
                raise Unavailable("the CRM names the same page again as the next one")
            place = following
            yield Page(rows=rows, removed=removed, cursor=json.dumps([began, place]))

    def _asked(self, listing: Listing, query: Query, place: Any) -> Answer:
        facts = {"where": query.where, "size": query.size, "watermark": query.watermark}
        if place is not None and listing.style in ("url", "link"):
            return self._asks.asked(listing.call, facts, changes=False, at=str(place))
        first = {"page": 1, "offset": 0}.get(listing.style)
        return self._asks.asked(listing.call, facts | {listing.style: place if place is not None else first},
                                  changes=False)  # fmt: skip


def _following(listing: Listing, answer: Answer, raws: list[dict[str, Any]], place: Any, size: int) -> Any:
    """What the next page is asked by; None: this is the last."""
    if listing.more is not None and not listing.more(answer.facts):
        return None
    match listing.style:
        case "cursor" | "url":
            assert listing.step is not None
            return listing.step(answer.facts)
        case "link":
            return _next_link(answer.headers.get("link", ""))
    if not raws or (listing.more is None and len(raws) < size):
        return None
    match listing.style:
        case "page":
            return (place or 1) + 1
        case "offset":
            return (place or 0) + len(raws)
        case _:
            assert listing.step is not None
            return listing.step({"record": raws[-1]})


def _next_link(header: str) -> str | None:
    for address, parameters in _LINK.findall(header):
        if re.search(r';\s*rel\s*=\s*"?(?:[^"]*\s)?next(?:\s[^"]*)?"?\s*(?:;|$)', parameters):
            return str(address)
    return None


def _resumed(cursor: str) -> tuple[str, Any]:
    try:
        began, place = json.loads(cursor)
        dt.datetime.fromisoformat(began)
    except (ValueError, TypeError):
        raise Rejected("this cursor is not one of this connection's") from None
    return began, place


def _listing(profile: Profile, at: Place, value: Any, asks: Asks) -> Listing:
    words = dict(profile.group(at, value, (*asks.words, *WORDS), ("next",)))
    told = profile.group((*at, "next"), words.pop("next"), STYLES)
    if len(told) != 1:
        raise profile.error((*at, "next"), f"`next` is one of {', '.join(STYLES)}")
    ((style, where),) = told.items()
    if style in ("url", "link") and not asks.addressed:
        raise profile.error(
            (*at, "next", style), "its pages have no addresses; use `cursor`, `page`, `offset` or `after`"
        )
    step = None
    if style in ("cursor", "url", "after"):
        step = profile.path((*at, "next", style), where, ("record",) if style == "after" else asks.roots)
    elif where is not True and not (style == "link" and where == "next"):
        raise profile.error((*at, "next", style), "write `link: next`" if style == "link" else f"write `{style}: true`")
    overlap = words.pop("overlap_seconds", 300)
    if not isinstance(overlap, int) or isinstance(overlap, bool) or overlap < 0:
        raise profile.error((*at, "overlap_seconds"), "`overlap_seconds` is a number of seconds")
    records = profile.path((*at, "records"), words.pop("records", "answer"), asks.roots)
    more = profile.condition((*at, "more"), words.pop("more"), asks.roots) if "more" in words else None
    removed = profile.path((*at, "removed"), words.pop("removed"), asks.roots) if "removed" in words else None
    gone = profile.condition((*at, "gone"), words.pop("gone"), ("record",)) if "gone" in words else None
    call = asks.call(profile, at, words, ROOTS)
    return Listing(call, records, style, step, more, removed, gone, dt.timedelta(seconds=overlap))
