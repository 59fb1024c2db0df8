"""By others: pyodata, SAP's own client, against the sandbox; and the connector against an OData v2 server that we did not
write, SAP's @sap/cds with the community's V2 adapter. That one has neither csrf nor C4C's oddities: it judges the protocol.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import msgspec
import pyodata
import pytest
import requests
from pyodata.exceptions import HttpError

from hub.errors import Rejected
from hub.model import PERSON, Lookup, Query, Row, Target
from sandbox.frame import serving
from sandbox.sap_c4c import SapC4cSandbox
from sandbox.sap_c4c.gate import ROOT
from tests.contract.scenario_files import built
from tests.judges import serving as judge

CALLS = Target(object="PhoneCallCollection", key="GroupwareItemID")


# --- pyodata against the sandbox ----------------------------------------


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with serving(SapC4cSandbox(rows=20, nested=False)) as served, requests.Session() as session:
        session.trust_env = False
        session.auth = tuple(served.sandbox.credentials().values())
        made = pyodata.Client(f"{served.url}{ROOT}/", session)
        fetched = session.get(f"{served.url}{ROOT}/", headers={"x-csrf-token": "fetch"})
        session.headers["x-csrf-token"] = fetched.headers["x-csrf-token"]
        yield made


def test_pyodata_reads_the_metadata(client: Any) -> None:
    assert {"PhoneCallCollection", "ContactCollection", "PhoneCallStatusCollection"} <= {
        entity_set.name for entity_set in client.schema.entity_sets
    }
    status = client.schema.entity_type("PhoneCall").proprty("Status")
    assert (status.creatable, status.updatable, status.max_length) == (False, True, 2)


def test_pyodata_creates_filters_and_changes(client: Any) -> None:
    calls = client.entity_sets.PhoneCallCollection
    note = {"TypeCode": "10002", "Text": "By pyodata"}
    made = calls.create_entity().set(Subject="One", GroupwareItemID="one", PhoneCallNotes=[note]).execute()
    assert made.ObjectID and made.Status == "1"
    (found,) = calls.get_entities().filter("GroupwareItemID eq 'one'").expand("PhoneCallNotes").execute()
    assert (found.Subject, found.PhoneCallNotes[0].Text) == ("One", "By pyodata")
    calls.update_entity(found.ObjectID).set(Status="3").execute()
    assert calls.get_entity(found.ObjectID).execute().Status == "3"
    assert client.entity_sets.ContactCollection.get_entities().count().execute() == 20
    calls.delete_entity(found.ObjectID).execute()
    assert calls.get_entities().filter("GroupwareItemID eq 'one'").execute() == []


def test_pyodata_batches_and_a_change_set_is_whole_or_not_at_all(client: Any) -> None:
    calls = client.entity_sets.PhoneCallCollection
    batch, changes = client.create_batch(), client.create_changeset()
    batch.add_request(client.entity_sets.ContactCollection.get_entities().top(2))
    changes.add_request(calls.create_entity().set(Subject="Two", GroupwareItemID="two"))
    changes.add_request(calls.create_entity().set(Subject="Three", GroupwareItemID="three"))
    batch.add_request(changes)
    contacts, made = batch.execute()
    assert len(contacts) == 2 and [one.Subject for one in made] == ["Two", "Three"]
    failing, batch = client.create_changeset(), client.create_batch()
    failing.add_request(calls.create_entity().set(Subject="Four", GroupwareItemID="four"))
    failing.add_request(calls.create_entity().set(Subject="Bad", InitiatorCode="9"))
    batch.add_request(failing)
    with pytest.raises(HttpError):
        batch.execute()
    assert calls.get_entities().filter("GroupwareItemID eq 'four'").execute() == []


# --- the connector against @sap/cds ----------------------------------------


@pytest.fixture(scope="module")
def cap() -> Iterator[dict[str, Any]]:
    with judge("sap_c4c_server") as told:
        yield {"url": told["url"], "user": "hub", "password": "Welcome1", "parts": [
            "PhoneCallCollection.Note = PhoneCallNotes(TypeCode=10002).Text"], "objects": [
            "ContactCollection", "IndividualCustomerCollection", "CorporateAccountCollection",
            "PhoneCallCollection"]}  # fmt: skip


def test_cap_describes(cap: dict[str, Any]) -> None:
    described = built("sap_c4c", cap).describe("PhoneCallCollection")
    fields = {field.name: field for field in described.fields}
    assert fields["Subject"].required and fields["Subject"].max_length == 765
    kinds = {name: fields[name].type for name in ("EndDateTime", "Billable", "Units", "Amount", "Note")}
    assert kinds == {
        "EndDateTime": "datetime",
        "Billable": "boolean",
        "Units": "integer",
        "Amount": "decimal",
        "Note": "longtext",
    }


def test_cap_takes_a_batch_of_calls_and_keeps_each_once(cap: dict[str, Any]) -> None:
    connector = built("sap_c4c", cap)
    ended = dt.datetime(2026, 11, 23, 10, 5, 13, tzinfo=dt.UTC)
    rows = [
        Row(key=f"cap/{n} 'q' & é*🦄", fields={"ID": f"{9000 + n}", "Subject": f"Call {n} ' \" \u202e",
            "Note": f"Note {n}\nß",
            "EndDateTime": ended.isoformat(), "Billable": True, "Units": "7", "Amount": "12.50", "Status": "1"})
        for n in range(40)
    ]  # fmt: skip
    rows[7] = msgspec.structs.replace(rows[7], fields={"ID": "9007", "Subject": "x" * 766})
    rows[9] = msgspec.structs.replace(rows[9], fields={"ID": "9009"})  # refused there: Subject is not null
    receipts = connector.write(CALLS, rows)
    assert [n for n, receipt in enumerate(receipts) if receipt.outcome != "created"] == [7, 9]
    assert isinstance(receipts[7].error, Rejected) and isinstance(receipts[9].error, Rejected)
    good = [row for n, row in enumerate(rows) if n not in (7, 9)]
    again = connector.write(CALLS, [msgspec.structs.replace(row, in_doubt=True) for row in good])
    assert {receipt.outcome for receipt in again} == {"unchanged"}
    changed = msgspec.structs.replace(good[3], fields={"Subject": "Changed", "Status": "3", "Note": "Another note"})
    assert [receipt.outcome for receipt in connector.write(CALLS, [changed])] == ["updated"]
    lookup = Lookup("PhoneCallCollection", "key", changed.key, "GroupwareItemID", ("Note",))
    ((found,),) = connector.find([lookup])
    assert [found.fields[name] for name in ("Subject", "Status", "Note")] == ["Changed", "3", "Another note"]
    assert found.fields["EndDateTime"] == ended.isoformat() and found.fields["Billable"] is True
    assert (
        len([row for page in connector.pages(Query(object="PhoneCallCollection", size=7)) for row in page.rows]) == 38
    )
    gone = msgspec.structs.replace(changed, action="remove")
    assert [connector.write(CALLS, [gone])[0].outcome for _ in range(2)] == ["removed", "unchanged"]


def test_cap_finds_people_and_lists_them(cap: dict[str, Any]) -> None:
    connector = built("sap_c4c", cap)
    rows = [Row(key=f"C{n}", fields={"ContactID": f"77{n:02}", "FirstName": "Ada", "LastName": f"O'Neil {n}",
                "Department": "A & B",
                "Name": f"Ada O'Neil {n}", "NormalisedPhone": f"+3461234{n:04}", "Email": f"ada.{n}@example.com"})
            for n in range(30)]  # fmt: skip
    assert {r.outcome for r in connector.write(Target(object="ContactCollection", key="ExternalID"), rows)} == {
        "created"
    }
    lookups = [Lookup(PERSON, "phone", f"+3461234{n:04}") for n in range(30)]
    found = connector.find([*lookups, Lookup(PERSON, "email", "ADA.7@example.com"), Lookup(PERSON, "id", "7703"),
                            Lookup(PERSON, "phone", "+34699999999")])  # fmt: skip
    assert [[record.title for record in records] for records in found[:30]] == [[f"Ada O'Neil {n}"] for n in range(30)]
    assert [[record.id for record in records] for records in found[30:]] == [["7707"], ["7703"], []]
    query = Query(object="ContactCollection", where={"Department": "A & B"}, size=8)
    pages = list(connector.pages(query))
    ids = [row["id"] for page in pages for row in page.rows]
    assert len(ids) == len(set(ids)) == 30 and pages[-1].watermark
    since = msgspec.structs.replace(query, watermark=(dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)).isoformat())
    assert {row["id"] for page in connector.pages(since) for row in page.rows} == set(ids)
