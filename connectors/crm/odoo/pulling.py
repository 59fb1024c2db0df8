"""List pulls: any model by ascending id, with a condition; with a watermark what changed since.

`where` names fields with one value or a list of them; a path such as `list_ids.name` is Odoo's own, so the contacts of a
mailing list are `mailing.contact` with `where: { list_ids.name: Newsletter }`. By id, page by page, so a cursor is good for
ever. With a watermark (`write_date`) come the records that were written since, and as `removed` those of them that are
archived or no longer within the condition. What was deleted Odoo tells nobody: a full pull finds it.

Calls: one for each page, and one for each 1,000 removed. Source: Odoo, `search_read`, domains (one
that names `active` finds archived records too).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from connectors.crm.odoo.finding import flat, is_id, plain
from connectors.crm.odoo.models import Catalogue
from connectors.crm.odoo.rpc import Rpc, stamp
from hub.errors import Rejected
from hub.model import Page, Query

MOST = 1_000
# A record's moment is that of its transaction's begin, so one may appear behind the watermark.
OVERLAP = dt.timedelta(minutes=5)
_MOMENT = "%Y-%m-%d %H:%M:%S"


class Puller:
    """Pulls lists."""

    def __init__(self, rpc: Rpc, catalogue: Catalogue, now: Callable[[], dt.datetime]) -> None:
        self._rpc, self._catalogue, self._now = rpc, catalogue, now

    def pages(self, query: Query) -> Iterator[Page]:
        """The list from the cursor on: `<date> <time> <last id>`."""
        model = self._catalogue[query.object]
        fields = self._catalogue.fields(model.name)
        where = _domain(query.where)
        more = self._catalogue.told("pull_fields", model.name)
        reads = [name for name in model.all((*more, *query.where)) if name in fields]
        since = [["write_date", ">=", _moment(query.watermark)]] if query.watermark else []
        began, last = self._place(query)
        size = max(1, min(query.size, MOST))
        while True:
            ahead = [["id", ">", last]] if last else []
            found = self._rpc.ask(model.name, "search_read", domain=[*where, *since, *ahead], fields=reads,
                                  order="id asc", limit=size)  # fmt: skip
            rows = [_row(fields, one) for one in found]
            if len(found) == size:
                last = int(found[-1]["id"])
                yield Page(rows=rows, cursor=f"{began} {last}")
                continue
            removed = self._left(model.name, where, since, "active" in fields) if since else []
            yield Page(rows=rows, removed=removed, watermark=began)
            return

    def _place(self, query: Query) -> tuple[str, int]:
        if not query.cursor:
            return stamp(self._now() - OVERLAP), 0
        began, _, last = query.cursor.rpartition(" ")
        if not is_id(last):
            raise Rejected("the cursor is none of this connector's")
        return _moment(began), int(last)

    def _left(self, model: str, where: list[Any], since: list[Any], archives: bool) -> list[str]:
        """The ids of what was written since and is archived or outside the condition."""
        outside: list[Any] = ["!", *["&"] * (len(where) - 1), *where] if where else []
        archived: list[Any] = [["active", "=", False]] if archives else []
        if not outside and not archived:
            return []
        either = ["|", *archived, *outside] if outside and archived else [*archived, *outside]
        left: list[str] = []
        last = 0
        while True:
            domain = [*["&"] * len(since), *since, *["&"], ["id", ">", last], *either]
            found = self._rpc.ask(model, "search_read", domain=domain, fields=["id"],
                                  order="id asc", limit=MOST)  # fmt: skip
            left += [str(one["id"]) for one in found]
            if len(found) < MOST:
                return left
            last = int(found[-1]["id"])


def _domain(where: Mapping[str, Any]) -> list[Any]:
    domain: list[Any] = []
    for name, told in where.items():
        if isinstance(told, list):
            domain.append([name, "in", [_value(name, one) for one in told]])
        else:
            domain.append([name, "=", False if told is None else _value(name, told)])
    return domain


def _value(name: str, told: Any) -> Any:
    if isinstance(told, str):
        if "\0" in told:
            raise Rejected(f"{name}: Odoo's database keeps no NUL", {name: "NUL"})
        return told
    if isinstance(told, bool | int | float):
        return told
    if isinstance(told, Decimal):
        return float(told)
    if isinstance(told, dt.datetime):
        return stamp(told)
    return str(told)


def _moment(told: str | None) -> str:
    try:
        return dt.datetime.strptime(str(told), _MOMENT).strftime(_MOMENT)
    except ValueError:
        raise Rejected("the watermark or the cursor is none of this connector's") from None


def _row(fields: Mapping[str, Mapping[str, Any]], found: dict[str, Any]) -> dict[str, Any]:
    """A record as a row of JSON."""
    told = plain(found, {name: str(one.get("type")) for name, one in fields.items()})
    return {**flat(told), "id": str(found["id"])}
