"""One pull of a list: what of, what is read, and how its rows and pages look."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from connectors.crm.hubspot.objects import ID, MERGED, Object
from connectors.crm.hubspot.rest import Found
from connectors.crm.hubspot.writing import as_text
from hub.model import Page


class Pull:
    """One pull: what of, what is read, and how its pages look."""

    def __init__(
        self, *, object: Object, reads: list[str], where: Mapping[str, Any], list_id: str,
        since: dt.datetime | None, began: str, size: int, left: bool = False,
    ) -> None:  # fmt: skip
        self.object, self.reads, self.where, self.list_id = object, reads, where, list_id
        self.since, self.began, self.size, self.left = since, began, size, left
        self.shown = [name for name in reads if name not in (*MERGED, ID)]

    def row(self, found: Found) -> dict[str, Any]:
        """A record as a row: its id and its properties."""
        properties = found.get("properties") or {}
        return {**{name: properties.get(name) for name in self.shown}, "id": str(found["id"])}

    def page(self, rows: list[dict[str, Any]], way: str, place: str, removed: list[str] | None = None) -> Page:
        """A page; without a place to go on from the last one, with the watermark. Where somebody left and nobody says who,
        there is none: the next pull is a full one."""
        if place:
            return Page(rows=rows, removed=removed or [], cursor=f"{self.began} {way} {place}")
        return Page(rows=rows, removed=removed or [], watermark=None if self.left else self.began)

    def joined(self, at: dt.datetime | None) -> bool:
        """Whether a member that joined at that moment is new since the watermark; where nobody says when, it may be."""
        return at is None or self.since is None or at >= self.since

    def fits(self, found: Found) -> bool:
        """Whether a record is within the condition, as a search would say."""
        properties = found.get("properties") or {}
        for name, told in self.where.items():
            kept = str(properties.get(name) or "").lower()
            wanted = [as_text(name, one).lower() for one in (told if isinstance(told, list) else [told])]
            if kept not in wanted and not (told is None and not kept):
                return False
        return True
