"""Pull lists from the embedded CRM: page by page in the order of the ids, resumable, and what changed since a watermark.

The watermark is the CRM's revision when the pull began. Writers take turns at the revision, so nothing can appear below it
later. A cursor holds that revision and the last id: a pull that was cut goes on where it stopped and ends with the right
watermark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, exists, false, func, or_, select, true

from hub.errors import NotFound, Rejected, nearest
from hub.model import Field, Page, Query
from hub.store.crm.find import crm_object
from hub.store.crm.schema import ACCOUNT, CAMPAIGN, CAMPAIGN_MEMBER, CONTACT, LEAD, CrmObject, counters, tombstones
from hub.store.crm.values import WrongValue, iso, kept

Reader = Callable[[], AbstractContextManager[Connection]]

_CURSOR = re.compile(r"(\d{1,18})/([A-Za-z0-9-]{1,40})")
_REVISION = re.compile(r"\d{1,18}")
_OF_PERSON = ("first_name", "last_name", "phone", "mobile", "email", "country", "language", "consent", "do_not_call",
              "owner", "vip")  # fmt: skip


@dataclass(frozen=True)
class _Source:
    """Where an object's rows come from: the tables, the columns, and the revisions that make a row a changed one."""

    tables: FromClause
    columns: dict[str, tuple[Field, ColumnElement[Any]]]
    revisions: tuple[ColumnElement[int], ...]


@dataclass(frozen=True)
class _List:
    """What is pulled: a source, the campaigns it is limited to (by id), and every other condition."""

    object: CrmObject
    source: _Source
    campaigns: tuple[str, ...] | None
    rest: ColumnElement[bool]

    @property
    def scope(self) -> ColumnElement[bool]:
        """The rows of the campaigns."""
        return true() if self.campaigns is None else self.object.table.c.campaign.in_(self.campaigns)


def pages(read: Reader, query: Query) -> Iterator[Page]:
    """The pages of `query`. Only the last one has a watermark; the first one of an incremental pull names who left."""
    since = _since(query)
    with read() as connection:
        listed = _listed(connection, query)
        now = connection.execute(select(counters.c.value).where(counters.c.name == "revision")).scalar() or 0
    start, last = _place(query, now)
    size = max(1, query.size)
    first = query.cursor is None
    while True:
        with read() as connection:
            removed = _removed(connection, listed, since) if first and since is not None else []
            rows = _rows(connection, listed, since, last, size + 1)
        first = False
        more = len(rows) > size
        last = rows[size - 1]["id"] if more else ""
        yield Page(
            rows=rows[:size],
            removed=removed,
            cursor=f"{start}/{last}" if more else None,
            watermark=None if more else str(start),
        )
        if not more:
            return


def _since(query: Query) -> int | None:
    if query.watermark is None:
        return None
    if not _REVISION.fullmatch(query.watermark):
        raise Rejected(f'"{query.watermark}" is no watermark of the embedded CRM', {"watermark": "is not one of ours"})
    return int(query.watermark)


def _place(query: Query, now: int) -> tuple[int, str]:
    """The revision at which the pull began, and the last id that it has seen."""
    if query.cursor is None:
        return now, ""
    place = _CURSOR.fullmatch(query.cursor)
    if not place:
        raise Rejected(f'"{query.cursor}" is no cursor of the embedded CRM', {"cursor": "is not one of ours"})
    return int(place[1]), place[2]


def _rows(connection: Connection, listed: _List, since: int | None, last: str, limit: int) -> list[dict[str, Any]]:
    id_, columns = listed.object.table.c.id, listed.source.columns
    statement = (
        select(*(column.label(name) for name, (_, column) in columns.items()))
        .select_from(listed.source.tables)
        .where(listed.scope, listed.rest, id_ > last)
        .order_by(id_)
        .limit(limit)
    )
    if since is not None:
        statement = statement.where(_changed(listed, since))
    names, moments = tuple(columns), [name for name, (field, _) in columns.items() if field.type == "datetime"]
    rows = [dict(zip(names, row, strict=True)) for row in connection.execute(statement)]
    for row in rows:
        for name in moments:
            if row[name] is not None:
                row[name] = iso(row[name])
    return rows


def _removed(connection: Connection, listed: _List, since: int) -> list[str]:
    """Who left since: the record is gone or in another campaign, or it changed so that the conditions leave it out."""
    table = listed.object.table
    still = exists().where(table.c.id == tombstones.c.record, listed.scope)
    gone = select(tombstones.c.record).where(
        tombstones.c.object == listed.object.name,
        tombstones.c.revision > since,
        tombstones.c.scope.in_(listed.campaigns) if listed.campaigns is not None else true(),
        ~still,
    )
    left_out = (
        select(table.c.id)
        .select_from(listed.source.tables)
        .where(listed.scope, _changed(listed, since), func.coalesce(listed.rest, false()).is_(false()))
    )
    return sorted({*connection.execute(gone).scalars(), *connection.execute(left_out).scalars()})


def _changed(listed: _List, since: int) -> ColumnElement[bool]:
    return or_(*(revision > since for revision in listed.source.revisions))


# --- what can be pulled ----------------------------------------


def _listed(connection: Connection, query: Query) -> _List:
    one = crm_object(query.object)
    source = _members() if one is CAMPAIGN_MEMBER else _records(one)
    campaigns: tuple[str, ...] | None = None
    conditions: list[ColumnElement[bool]] = []
    for name, wanted in query.where.items():
        values = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
        if name not in source.columns:
            raise Rejected(f'{one.name} has no field "{name}"{nearest(name, source.columns)}', {name: "is not there"})
        if one is CAMPAIGN_MEMBER and name == "campaign":
            campaigns = tuple(_campaign(connection, value) for value in values)
        else:
            conditions.append(_is_one_of(*source.columns[name], values))
    return _List(one, source, campaigns, and_(true(), *conditions))


def _records(one: CrmObject) -> _Source:
    table = one.table
    return _Source(table, {field.name: (field, table.c[field.name]) for field in one.fields}, (table.c.revision,))


def _members() -> _Source:
    """Members with what is known of the person: a list is dialled without a second question."""
    member, campaign, account = CAMPAIGN_MEMBER.table, CAMPAIGN.table, ACCOUNT.table
    contact, lead = CONTACT.table, LEAD.table
    tables = (
        member.join(campaign, campaign.c.id == member.c.campaign)
        .outerjoin(contact, contact.c.id == member.c.contact)
        .outerjoin(lead, lead.c.id == member.c.lead)
        .outerjoin(account, account.c.id == contact.c.account)
    )
    columns: dict[str, tuple[Field, ColumnElement[Any]]] = {
        field.name: (field, member.c[field.name]) for field in CAMPAIGN_MEMBER.fields
    }
    columns["campaign"] = (CAMPAIGN.by_name["campaign_key"], campaign.c.campaign_key)
    columns["campaign_name"] = (CAMPAIGN.by_name["name"], campaign.c.name)
    columns["person"] = (CONTACT.by_name["id"], func.coalesce(contact.c.id, lead.c.id))
    for name in _OF_PERSON:
        columns[name] = (CONTACT.by_name[name], func.coalesce(contact.c[name], lead.c[name]))
    columns["account"] = (ACCOUNT.by_name["id"], account.c.id)
    columns["company"] = (ACCOUNT.by_name["name"], func.coalesce(account.c.name, lead.c.company))
    latest = (table.c.revision for table in (member, campaign, contact, lead, account))
    return _Source(tables, columns, tuple(latest))


def _campaign(connection: Connection, word: Any) -> str:
    """The id of the campaign that `word` names by its key, its id or its name."""
    table = CAMPAIGN.table
    known = connection.execute(select(table.c.id, table.c.campaign_key, table.c.name)).all()
    for place in (1, 0, 2):
        for campaign in known:
            if campaign[place] == word:
                return str(campaign[0])
    keys = [campaign.campaign_key for campaign in known]
    raise NotFound(f'there is no campaign "{word}"{nearest(str(word), keys)}')


def _is_one_of(field: Field, column: ColumnElement[Any], values: list[Any]) -> ColumnElement[bool]:
    try:
        wanted = [kept(field, value) for value in values]
    except WrongValue as wrong:
        raise Rejected(f"{field.name} {wrong}", {field.name: str(wrong)}) from None
    there = column.in_([value for value in wanted if value is not None])
    return or_(there, column.is_(None)) if None in wanted else there
