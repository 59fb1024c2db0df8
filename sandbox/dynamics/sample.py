"""Who is in the organisation at first: the sample's people and companies, two users, a few lists and cases."""

from __future__ import annotations

import uuid
from typing import Any

from hub.store.sample.people import SEED, sample_people
from sandbox.dynamics.records import Records
from sandbox.dynamics.schema import TABLES

_HOME = uuid.UUID("5d8c7a1e-2f0b-4c53-9a64-3f1d0f0e7b11")
COLUMNS = {
    "firstname": "first_name", "lastname": "last_name", "emailaddress1": "email", "telephone1": "phone",
    "mobilephone": "mobile", "address1_country": "country", "donotphone": "do_not_call",
}  # fmt: skip
ACCOUNT, CONTACT, LEAD = 1, 2, 4
DYNAMIC = ('<fetch version="1.0"><entity name="contact"><attribute name="fullname"/><filter type="and">'
           '<condition attribute="address1_country" operator="eq" value="FR"/></filter></entity></fetch>')  # fmt: skip


def id_of(*words: str) -> str:
    """The id of a thing of the sample, the same for ever."""
    return str(uuid.uuid5(_HOME, "/".join(words)))


def fill(records: Records, organization: str, seed: int, rows: int) -> None:
    """Put the sample there: at most `rows` people of each kind."""
    sample = sample_people(SEED if seed == 1 else seed)
    _put(records, "systemuser", records.me, fullname="# Patchbay", domainname="patchbay@sandbox.example")
    _put(records, "organization", organization, name="Sandbox")
    owners = {str(row["owner"]) for row in (*sample.accounts, *sample.contacts, *sample.leads) if row.get("owner")}
    for mail in sorted(owners):
        name = mail.partition("@")[0].title()
        _put(records, "systemuser", id_of("user", mail), fullname=name, domainname=mail, internalemailaddress=mail)
    contacts = sample.contacts[:rows]
    wanted = {row.get("account") for row in contacts} | {row["account_key"] for row in sample.accounts[:2]}
    for row in sample.accounts:
        if row["account_key"] in wanted:
            _put(records, "account", id_of("account", row["account_key"]), row.get("owner"), name=row["name"],
                 telephone1=row.get("phone"), address1_country=row.get("country"), websiteurl=row.get("website"),
                 accountnumber=f"A-{id_of('account', row['account_key'])[:6]}")  # fmt: skip
    for row in contacts:
        bound: dict[str, Any] = {}
        if row.get("account"):
            bound["parentcustomerid_account@odata.bind"] = f"/accounts({id_of('account', row['account'])})"
        bound["new_callconsent"] = row.get("consent")
        _put(records, "contact", id_of("contact", row["contact_key"]), row.get("owner"), **_named(row), **bound)
    for row in sample.leads[:rows]:
        more = {"companyname": row.get("company"), "subject": "Wants to know more"}
        _put(records, "lead", id_of("lead", row["lead_key"]), row.get("owner"), **more, **_named(row))
    _lists(records, [id_of("contact", row["contact_key"]) for row in contacts])
    if contacts:
        marta = id_of("contact", "person-0006") if len(contacts) > 5 else id_of("contact", contacts[0]["contact_key"])
        _put(records, "incident", id_of("case", "1"), title="Warranty claim", caseorigincode=1,
             **{"customerid_contact@odata.bind": f"/contacts({marta})"})  # fmt: skip
    records.done()


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {column: row.get(ours) for column, ours in COLUMNS.items() if row.get(ours) is not None}


def _lists(records: Records, contacts: list[str]) -> None:
    spring = _put(records, "list", id_of("list", "spring"), listname="Spring", type=False, createdfromcode=CONTACT)
    for contact in contacts[:40]:
        join(records, spring, "contact", contact)
    _put(records, "list", id_of("list", "france"), listname="France", type=True, createdfromcode=CONTACT, query=DYNAMIC)


def join(records: Records, list_: str, kind: str, id: str) -> str:
    """Put somebody on a static list."""
    body = {
        "listid@odata.bind": f"/lists({list_})",
        "entitytype": kind,
        "entityid@odata.bind": f"/{TABLES[kind].set}({id})",
    }
    return str(records.create(TABLES["listmember"], body)["listmemberid"])


def _put(records: Records, table: str, id: str, owner: str | None = None, **values: Any) -> str:
    kind = TABLES[table]
    if owner:
        values["ownerid@odata.bind"] = f"/systemusers({id_of('user', owner)})"
    return str(records.create(kind, {name: value for name, value in values.items() if value is not None}, id)[kind.id])
