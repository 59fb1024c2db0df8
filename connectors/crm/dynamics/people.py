"""Where people, companies and what they ask about are kept: the columns that are read, and a row as the hub's
Record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from connectors.crm.dynamics.fields import value_of
from connectors.crm.dynamics.tables import Table
from hub.model import Account, Match, Record

PEOPLE = ("contact", "lead", "account")
PHONES = (
    "contact.telephone1", "contact.telephone2", "contact.telephone3", "contact.mobilephone", "contact.address1_telephone1",
    "lead.telephone1", "lead.telephone2", "lead.telephone3", "lead.mobilephone",
    "account.telephone1", "account.telephone2", "account.telephone3",
)  # fmt: skip
MAILS = (
    *(f"{table}.emailaddress{n}" for table in PEOPLE for n in (1, 2, 3)), "systemuser.internalemailaddress",
)  # fmt: skip
KEYS = ("account.accountnumber", "incident.ticketnumber")
OWNER = "owninguser($select=internalemailaddress)"
COUNTRY = "address1_country"
TYPE_OF = "@Microsoft.Dynamics.CRM.lookuplogicalname"
SHOWN_AS = "@OData.Community.Display.V1.FormattedValue"


class Shape(Struct, frozen=True, kw_only=True):
    """A table as `find` reads it. `live` is the condition that leaves out what nobody should be called about any more."""

    name: str
    set: str
    id: str
    title: str
    select: tuple[str, ...]
    expand: str = ""
    live: str = ""
    merges: bool = False


_COMMON = ("createdon", "modifiedon")
_PERSON = (*_COMMON, "statecode", "merged", "_masterid_value", "donotphone", COUNTRY)
SHAPES: Mapping[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape(name="contact", set="contacts", id="contactid", title="fullname", expand=OWNER, live="statecode eq 0",
              merges=True, select=(*_PERSON, "firstname", "lastname", "jobtitle", "_parentcustomerid_value")),
        Shape(name="lead", set="leads", id="leadid", title="fullname", expand=OWNER, live="statecode eq 0", merges=True,
              select=(*_PERSON, "firstname", "lastname", "companyname")),
        Shape(name="account", set="accounts", id="accountid", title="name", expand=OWNER, live="statecode eq 0",
              merges=True, select=_PERSON),
        Shape(name="incident", set="incidents", id="incidentid", title="title", expand=OWNER,
              select=(*_COMMON, "statecode", "ticketnumber", "_customerid_value")),
        Shape(name="systemuser", set="systemusers", id="systemuserid", title="fullname", live="isdisabled eq false",
              select=_COMMON),
    )
}  # fmt: skip
HIDDEN = ("statecode", "merged", "createdon", "modifiedon")


def shape_of(table: Table) -> Shape:
    """The shape of a table that has none of its own here."""
    select = tuple(name for name in _COMMON if name in table.columns)
    return Shape(name=table.name, set=table.set, id=table.id, title=table.title, select=select)


def by_table(names: Sequence[str]) -> dict[str, list[str]]:
    """`contact.telephone1` and the like, as table → columns."""
    found: dict[str, list[str]] = {}
    for name in names:
        table, dot, column = str(name).strip().partition(".")
        if dot and column:
            found.setdefault(table, []).append(column)
    return found


def record(
    shape: Shape, told: Mapping[str, Any], link: Callable[[str, str], str], match: Match | None,
    table: Table | None = None, wanted: Sequence[str] = (),
) -> Record:  # fmt: skip
    """A row as a Record; `wanted` are fields that a look-up asked for, in the words in which they are written."""
    id = str(told[shape.id])
    fields = {name: value for name, value in told.items()
              if name in shape.select and not name.startswith("_") and name not in HIDDEN and value is not None}  # fmt: skip
    if table is not None:
        fields |= {name: value_of(table, name, told) for name in wanted if name in table.columns}
    return Record(
        object=shape.name,
        id=id,
        title=str(told.get(shape.title) or id),
        url=link(shape.name, id),
        match=match,
        account=_account(told),
        owner=(told.get("owninguser") or {}).get("internalemailaddress"),
        created_at=moment(told.get("createdon")),
        updated_at=moment(told.get("modifiedon")),
        fields=fields,
    )


def _account(told: Mapping[str, Any]) -> Account | None:
    name = next((name for name in ("_parentcustomerid_value", "_customerid_value")
                 if told.get(name) and told.get(name + TYPE_OF) == "account"), None)  # fmt: skip
    return Account(object="account", id=told[name], title=str(told.get(name + SHOWN_AS) or "")) if name else None


def moment(text: str | None) -> dt.datetime | None:
    """A moment as Dataverse writes it."""
    return dt.datetime.fromisoformat(text) if text else None
