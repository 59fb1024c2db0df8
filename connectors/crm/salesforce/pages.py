"""List pulls: campaign members, list views, any object with a condition.

By ascending id, page by page, so a cursor is good for ever and a record that changes meanwhile is not passed over; with a
watermark what changed since (by SystemModstamp, a campaign member's person included) and what left: deleted, or no longer
as the condition wants it. A first load of many records goes by one bulk query: two calls and one for each 10,000 rows.

Sources: REST API Developer Guide, Query and QueryAll, List View Describe; Object Reference, CampaignMember.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from connectors.crm.salesforce.bulk import Jobs
from connectors.crm.salesforce.errors import NO_LOCATOR, says
from connectors.crm.salesforce.fields import Describer
from connectors.crm.salesforce.rest import Rest, word
from connectors.crm.salesforce.soql import at, condition, field_name, is_id, select
from hub.errors import ConnectorError, NotFound, Rejected, Unsupported
from hub.model import Page, Query

MEMBER = "CampaignMember"
VIEW = "view"  # in a query's `where`: a list view, by its id, developer name or label
MOST = 2_000  # records of one answer to a query
BULK_ROWS = 10_000  # rows of one part of a bulk query's results: what is in memory at once
# A record's stamp is set before its transaction is committed, so one may appear behind the watermark.
OVERLAP = dt.timedelta(minutes=5)
MEMBER_FIELDS = ("CampaignId", "ContactId", "LeadId", "Status", "HasResponded", "FirstName", "LastName", "Phone",
                 "MobilePhone", "Email", "DoNotCall", "CompanyOrAccount")  # fmt: skip
# The person's own changes count as the member's: the number that is dialled is theirs.
_STAMPS: Mapping[str, tuple[str, ...]] = {
    MEMBER: ("SystemModstamp", "Contact.SystemModstamp", "Lead.SystemModstamp"),
}
_PULLED = ("string", "encryptedstring", "phone", "email", "url", "boolean", "int", "double", "currency", "percent", "date",
           "datetime", "picklist", "multipicklist", "reference", "combobox")  # fmt: skip

Found = dict[str, Any]


class List(Struct, frozen=True, kw_only=True):
    """What is pulled: the object with its scope, the condition, and the part of it that no member ever leaves."""

    source: str
    where: str
    fixed: str
    fields: tuple[str, ...]
    types: Mapping[str, str]


class Puller:
    """Pulls lists."""

    def __init__(
        self,
        rest: Rest,
        jobs: Jobs,
        describer: Describer,
        settings: Mapping[str, Any],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._rest, self._jobs, self._describer, self._now = rest, jobs, describer, now
        self._bulk_from = int(settings["bulk_from"])
        self._more = [field.partition(".")[::2] for field in settings["list_fields"]]

    def pages(self, query: Query) -> Iterator[Page]:
        """The list, from the cursor on."""
        field_name(query.object)
        pulled = self._list(query)
        began, way, *place = (query.cursor or "").split(" ") if query.cursor else ("", "")
        if not began:
            asked_at = self._now()
            large = query.watermark is None and self._bulk_from and self._count(pulled) >= self._bulk_from
            way = "bulk" if large else "id"
            began = at(asked_at + min(self._rest.clock_ahead, dt.timedelta(0)) - OVERLAP)
        if way == "bulk":
            yield from self._by_job(query, pulled, began, place)
        else:
            yield from self._by_id(query, pulled, began, place[0] if place else "")

    # --- by id ----------------------------------------

    def _by_id(self, query: Query, pulled: List, began: str, last: str) -> Iterator[Page]:
        size = max(1, min(query.size, MOST))
        changed = _changed(query)
        while True:
            ahead = [f"Id > '{last}'"] if last else []
            soql = select(pulled.fields, pulled.source, pulled.where, changed, *ahead, tail=f"ORDER BY Id LIMIT {size}")
            found = self._rest.query(soql)
            rows = [_row(record) for record in found]
            if len(found) == size:
                last = found[-1]["Id"]
                yield Page(rows=rows, cursor=f"{began} id {last}")
                continue
            yield Page(rows=rows, removed=self._left(pulled, changed), watermark=began)
            return

    def _left(self, pulled: List, changed: str) -> list[str]:
        """The ids of what changed and is not on the list any more."""
        if not changed:
            return []
        gone = f"IsDeleted = true OR (NOT ({pulled.where}))" if pulled.where else "IsDeleted = true"
        left, last = [], ""
        while True:
            ahead = [f"Id > '{last}'"] if last else []
            tail = f"ORDER BY Id LIMIT {MOST}"
            found = self._rest.query(
                select(["Id"], pulled.source, pulled.fixed, changed, gone, *ahead, tail=tail), deleted=True
            )
            left += [record["Id"] for record in found]
            if len(found) < MOST:
                return left
            last = left[-1]

    # --- by a bulk query ----------------------------------------

    def _by_job(self, query: Query, pulled: List, began: str, place: Sequence[str]) -> Iterator[Page]:
        job, locator, done = (place[0], place[1], int(place[2])) if place else ("", "-", 0)
        try:
            yield from self._of_job(query, pulled, began, job, "" if locator == "-" else locator, done)
        except ConnectorError as error:
            if not job or not says(error, *NO_LOCATOR):
                raise
            # The job's results are kept for seven days; whoever comes later begins anew.
            yield from self._of_job(query, pulled, began, "", "", 0)

    def _of_job(self, query: Query, pulled: List, began: str, job: str, locator: str, done: int) -> Iterator[Page]:
        if not job:
            job = self._jobs.begun(select(pulled.fields, pulled.source, pulled.where))
        while True:
            rows, after = self._jobs.page(job, locator, BULK_ROWS)
            page: list[Found] = []
            taken = 0
            for cells in rows:
                taken += 1
                if taken <= done:
                    continue
                if len(page) == query.size:
                    yield Page(rows=page, cursor=f"{began} bulk {job} {locator or '-'} {taken - 1}")
                    page = []
                page.append(_row(_nested(pulled, cells)))
            done = 0
            if not after:
                yield Page(rows=page, watermark=began)
                return
            locator = after
            yield Page(rows=page, cursor=f"{began} bulk {job} {locator} 0")

    # --- what is pulled ----------------------------------------

    def _list(self, query: Query) -> List:
        conditions, fixed = [], []
        source = query.object
        for name, value in query.where.items():
            if name == VIEW:
                source, view = self._view(query.object, str(value))
                conditions += [f"({view})"] if view else []
                continue
            type = self._describer.type_of(query.object, field_name(name))
            if type is None:
                raise Rejected(f'{query.object} has no field "{name}"', {name: "unknown"})
            told = condition(name, type, value)
            conditions.append(told)
            if name == "CampaignId" or name.startswith("Campaign."):  # no member ever moves to another campaign
                fixed.append(told)
        fields = self._fields(query.object)
        types = {path: self._describer.type_of(query.object, path) or "string" for path in fields}
        return List(
            source=source, where=" AND ".join(conditions), fixed=" AND ".join(fixed), fields=fields, types=types
        )

    def _fields(self, object: str) -> tuple[str, ...]:
        more = [path for of, path in self._more if of == object]
        if object == MEMBER:
            return tuple(dict.fromkeys(["Id", *MEMBER_FIELDS, *more]))
        known = self._describer.known(object)["fields"]
        return tuple(dict.fromkeys(["Id", *(field["name"] for field in known if field["type"] in _PULLED), *more]))

    def _view(self, object: str, name: str) -> tuple[str, str]:
        """A list view's object with its scope, and its condition."""
        id = name
        if not is_id(name):
            views = word(self._rest.read(f"sobjects/{object}/listviews"), "listviews", changes=False)
            id = next((view["id"] for view in views if name in (view["developerName"], view["label"])), "")
        if not id:
            raise NotFound(f"{object} has no such list view")
        soql = str(word(self._rest.read(f"sobjects/{object}/listviews/{id}/describe"), "query", changes=False))
        _, _, rest = soql.partition(" FROM ")
        source, _, where = rest.partition(" ORDER BY ")[0].partition(" WHERE ")
        if source.split(" ")[0] != object:
            raise Unsupported(f"the list view is of {source.split(' ')[0]}, not of {object}")
        return source.strip(), where.strip()

    def _count(self, pulled: List) -> int:
        return self._rest.count(select(["COUNT()"], pulled.source, pulled.where))


def _changed(query: Query) -> str:
    if query.watermark is None:
        return ""
    try:
        since = at(dt.datetime.fromisoformat(query.watermark))
    except ValueError:
        raise Rejected("the watermark is no moment") from None
    return " OR ".join(f"{stamp} >= {since}" for stamp in _STAMPS.get(query.object, ("SystemModstamp",)))


def _row(record: Found) -> Found:
    """A row of a page: the record's fields, with its id in small letters beside."""
    return {"id": record["Id"], **record}


def _nested(pulled: List, cells: Mapping[str, str]) -> Found:
    """A line of CSV as the same record comes in JSON."""
    record: Found = {}
    for path, cell in cells.items():
        *parents, name = path.split(".")
        here = record
        for parent in parents:
            here = here.setdefault(parent, {})
        here[name] = _typed(pulled.types.get(path, "string"), cell)
    return record


def _typed(type: str, cell: str) -> Any:
    if cell == "":
        return False if type == "boolean" else None
    match type:
        case "boolean":
            return cell.lower() == "true"
        case "int":
            return int(float(cell))
        case "double" | "currency" | "percent":
            return float(cell)
    return cell
