"""What the embedded CRM's pages show: search, timelines, people, cases, campaigns with their results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, or_, select

from hub.model import PERSON, Lookup, Record
from hub.store.crm.find import Hit, find, records
from hub.store.crm.schema import ACTIVITY, CAMPAIGN, CAMPAIGN_MEMBER, CASE, CONTACT, LEAD, OBJECTS, PEOPLE
from hub.store.crm.values import folded, is_text

_ID = re.compile(r"([A-Z]{1,4}-)\d{1,12}", re.IGNORECASE)

Rows = Sequence[RowMapping]


def search(connection: Connection, words: str, country: str, limit: int = 50) -> tuple[list[Record], bool]:
    """People and companies for what somebody typed: a number, an e-mail, an id, a key or part of a name; and whether there
    are more than `limit`."""
    words = words.strip()
    if not words or not is_text(words):
        return [], False
    lookups = [Lookup(PERSON, by, words) for by in ("phone", "email", "key")]
    exact = find(connection, [*lookups, *(Lookup(name, "id", words.upper()) for name in _named_by(words))], country)
    found = {(record.object, record.id): record for records_ in exact for record in records_}
    names = [hit for hit in _by_name(connection, words, limit + 1) if hit not in found]
    read = records(connection, names[: limit + 1])
    together = [*found.values(), *(read[hit] for hit in names if hit in read)]
    return together[:limit], len(together) > limit


def recent(connection: Connection, limit: int = 12) -> list[Record]:
    """The people and companies with the latest activities."""
    table = ACTIVITY.table
    latest: list[Hit] = []
    statement = select(table.c.contact, table.c.lead, table.c.account).where(table.c.started_at.is_not(None))
    for row in connection.execute(statement.order_by(table.c.started_at.desc()).limit(limit * 4)):
        hit = next(((name, id_) for name, id_ in zip(("contact", "lead", "account"), row, strict=True) if id_), None)
        if hit and hit not in latest:
            latest.append(hit)
    read = records(connection, latest[:limit])
    return [read[hit] for hit in latest[:limit] if hit in read]


def totals(connection: Connection) -> dict[str, int]:
    """How many records there are, by object."""
    return {
        one.name: connection.execute(select(func.count()).select_from(one.table)).scalar_one()
        for one in OBJECTS.values()
    }


def timeline(connection: Connection, object: str, id: str, limit: int, offset: int = 0) -> tuple[Rows, int]:
    """The activities of a person, a case or an account (its people's too), the newest first; and how many there are."""
    table, contact, lead = ACTIVITY.table, CONTACT.table, LEAD.table
    whose: ColumnElement[bool] = table.c[object] == id
    if object == "account":
        whose = or_(whose, table.c.contact.in_(select(contact.c.id).where(contact.c.account == id)))
    statement = (
        select(
            table,
            func.coalesce(contact.c.first_name, lead.c.first_name).label("first_name"),
            func.coalesce(contact.c.last_name, lead.c.last_name).label("last_name"),
        )
        .outerjoin(contact, contact.c.id == table.c.contact)
        .outerjoin(lead, lead.c.id == table.c.lead)
        .where(whose)
        .order_by(func.coalesce(table.c.started_at, table.c.created_at).desc(), table.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    count = connection.execute(select(func.count()).select_from(table).where(whose)).scalar_one()
    return connection.execute(statement).mappings().all(), count


def cases(connection: Connection, object: str, id: str, limit: int = 100) -> Rows:
    """The cases of a contact or an account (its people's too): the open ones first, then the newest."""
    table, contact = CASE.table, CONTACT.table
    whose: ColumnElement[bool] = table.c[object] == id
    if object == "account":
        whose = or_(whose, table.c.contact.in_(select(contact.c.id).where(contact.c.account == id)))
    statement = select(table).where(whose).order_by(table.c.status.desc(), table.c.opened_at.desc(), table.c.id)
    return connection.execute(statement.limit(limit)).mappings().all()


def people(connection: Connection, account: str, limit: int = 200) -> list[Record]:
    """The people of an account, by name."""
    table = CONTACT.table
    ids = connection.execute(
        select(table.c.id)
        .where(table.c.account == account)
        .order_by(table.c.last_name, table.c.first_name)
        .limit(limit)
    ).scalars()
    hits = [("contact", id_) for id_ in ids]
    read = records(connection, hits)
    return [read[hit] for hit in hits]


def memberships(connection: Connection, object: str, id: str) -> Rows:
    """The campaigns that a contact or lead is in, with what came of it."""
    member, campaign = CAMPAIGN_MEMBER.table, CAMPAIGN.table
    statement = (
        select(member, campaign.c.name.label("campaign_name"))
        .join(campaign, campaign.c.id == member.c.campaign)
        .where(member.c[object] == id)
        .order_by(member.c.id)
    )
    return connection.execute(statement).mappings().all()


def campaigns(connection: Connection) -> list[dict[str, Any]]:
    """Every campaign, with how many members it has and how many have a result."""
    member = CAMPAIGN_MEMBER.table
    counted = {
        row.campaign: row
        for row in connection.execute(
            select(
                member.c.campaign, func.count().label("members"), func.count(member.c.result).label("results")
            ).group_by(member.c.campaign)
        )
    }
    rows = connection.execute(select(CAMPAIGN.table).order_by(CAMPAIGN.table.c.name, CAMPAIGN.table.c.id)).mappings()
    return [
        dict(row)
        | {name: getattr(counted[row["id"]], name) if row["id"] in counted else 0 for name in ("members", "results")}
        for row in rows
    ]


def results(connection: Connection, campaign: str) -> dict[str, int]:
    """How many members of a campaign have a result, by its class; `""` for those without any."""
    member = CAMPAIGN_MEMBER.table
    statement = (
        select(member.c.result_class, func.count()).where(member.c.campaign == campaign).group_by(member.c.result_class)
    )
    return {class_ or "": number for class_, number in connection.execute(statement)}


def members(
    connection: Connection, campaign: str, limit: int, offset: int = 0, result_class: str | None = None
) -> tuple[Rows, int]:
    """The members of a campaign with their names, those with the latest results first; and how many there are."""
    member, contact, lead = CAMPAIGN_MEMBER.table, CONTACT.table, LEAD.table
    which = [member.c.campaign == campaign]
    if result_class is not None:
        which.append(member.c.result_class == result_class if result_class else member.c.result_class.is_(None))
    columns = {name: func.coalesce(contact.c[name], lead.c[name]) for name in
               ("first_name", "last_name", "phone", "mobile", "country", "consent", "do_not_call")}  # fmt: skip
    statement = (
        select(member, *(column.label(name) for name, column in columns.items()))
        .outerjoin(contact, contact.c.id == member.c.contact)
        .outerjoin(lead, lead.c.id == member.c.lead)
        .where(and_(*which))
        .order_by(func.coalesce(member.c.last_result_at, 0).desc(), member.c.id)
        .limit(limit)
        .offset(offset)
    )
    count = connection.execute(select(func.count()).select_from(member).where(and_(*which))).scalar_one()
    return connection.execute(statement).mappings().all(), count


def titles(connection: Connection, hits: Sequence[Hit]) -> dict[Hit, str]:
    """What records are called, by object and id."""
    return {hit: record.title for hit, record in records(connection, hits).items()}


def _named_by(words: str) -> list[str]:
    """The objects whose ids look like `words`."""
    match = _ID.fullmatch(words)
    return [one.name for one in OBJECTS.values() if match and one.prefix == match[1].upper()]


def _by_name(connection: Connection, words: str, limit: int) -> list[Hit]:
    """Records whose name holds every word; `%` and `_` mean themselves."""
    parts = [part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for part in folded(words).split()]
    hits: list[Hit] = []
    for one in PEOPLE if parts else ():
        table = one.table
        matches = (table.c.search_folded.like(f"%{part}%", escape="\\") for part in parts)
        statement = select(table.c.id).where(*matches).order_by(table.c.search_folded, table.c.id).limit(limit)
        hits += [(one.name, id_) for id_ in connection.execute(statement).scalars()]
    return hits
