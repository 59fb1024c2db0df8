"""What is C4C's own: csrf, one property per OR, ETags, what is said only after a creation, parts, target groups, faults."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from connectors.crm.sap_c4c.edm import Property, collections
from connectors.crm.sap_c4c.values import to_odata
from hub.errors import (
    Ambiguous,
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from hub.model import PERSON, Lookup, Query, Row, Target
from sandbox.frame import serving
from sandbox.sap_c4c import SapC4cSandbox
from sandbox.sap_c4c.filters import test_of as filtered
from sandbox.sap_c4c.gate import ROOT
from sandbox.sap_c4c.model import ENTITIES
from sandbox.sap_c4c.state import GROUP
from tests.connectors.sap_c4c.peer import Peer
from tests.contract.given import HOSTILE, a_key, a_mail, a_number
from tests.contract.sandbox_peer import shared
from tests.contract.scenario_files import built

CALLS = Target(object="PhoneCallCollection", key="GroupwareItemID")
BATCH = ("POST", f"{ROOT}/$batch")


@pytest.fixture
def peer() -> Iterator[Peer]:
    with shared(Peer) as opened:
        yield opened


def calls_of(peer: Peer, doing: Any) -> int:
    """How many requests something takes."""
    before = peer.sandbox.faults.call_count
    doing()
    return int(peer.sandbox.faults.call_count - before)


# --- how many calls ----------------------------------------


def test_a_batch_of_a_hundred_takes_three_calls(peer: Peer) -> None:
    rows = [Row(key=a_key(), fields={"Subject": f"{n}", "Note": "Hello", "Status": "3"}) for n in range(100)]
    peer.connector.write(CALLS, [peer.row(a_key(), "the token and the metadata are there now")])
    assert calls_of(peer, lambda: peer.connector.write(CALLS, rows)) == 3  # search, creation, status
    assert {row["Status"] for key in rows for row in peer.calls(key.key)} == {"3"}
    assert calls_of(peer, lambda: peer.connector.write(CALLS, rows)) == 1  # nothing differs
    anew = [msgspec.structs.replace(row, fields={"Subject": "New"}) for row in rows]
    assert calls_of(peer, lambda: peer.connector.write(CALLS, anew)) == 2


def test_two_hundred_lookups_take_one_call(peer: Peer) -> None:
    numbers = {number: peer.person("Ada", phone=number) for number in (a_number() for _ in range(5))}
    lookups = [Lookup(PERSON, "phone", number) for number in numbers]
    lookups += [Lookup(PERSON, "phone", a_number()) for _ in range(145)] + [Lookup(PERSON, "email", a_mail())] * 50
    peer.connector.find(lookups[:1])
    assert calls_of(peer, lambda: peer.connector.find(lookups)) == 1
    found = peer.connector.find(lookups)
    assert [[record.id for record in records] for records in found[:5]] == [[id] for id in numbers.values()]
    assert not any(found[5:])


def test_the_csrf_token_is_fetched_once_and_again_when_it_is_refused(peer: Peer) -> None:
    connector = peer.opened()
    assert calls_of(peer, lambda: connector.find([Lookup(PERSON, "phone", a_number())])) == 3  # refused, fetched, done
    assert calls_of(peer, lambda: connector.find([Lookup(PERSON, "phone", a_number())])) == 1
    peer.sandbox.faults.set("csrf_expired")
    assert calls_of(peer, lambda: connector.find([Lookup(PERSON, "phone", a_number())])) == 3
    peer.sandbox.faults.set("csrf_expired", times=-1)
    with pytest.raises(Unavailable, match="csrf"):
        connector.find([Lookup(PERSON, "phone", a_number())])


# --- people ----------------------------------------


def test_people_of_all_kinds_are_found_and_told_apart(peer: Peer) -> None:
    number = a_number()
    account = peer.made("CorporateAccount", Name="Engines", Phone=number)
    contact = peer.made(
        "Contact", FirstName="Ada", LastName="Lovelace", AccountID=account["AccountID"], Phone=f"00 34 {number[3:]}"
    )
    customer = peer.person("Ada King", phone=number)
    peer.made("Contact", LastName="Obsolete", Mobile=number)
    with peer.sandbox.state.lock:
        peer.sandbox.state.rows("ContactCollection")
        gone = next(row for row in peer.sandbox.state.rows("ContactCollection") if row["LastName"] == "Obsolete")
        gone["StatusCode"] = "4"
    ((first, second, third),) = peer.connector.find([Lookup(PERSON, "phone", number)])
    assert [first.id, second.id, third.id] == [contact["ContactID"], customer, account["AccountID"]]
    assert first.account and (first.account.id, first.account.title) == (account["AccountID"], "Engines")
    assert f"param.InternalID={contact['ContactID']}&param.Type=COD_CONTACT_TT" in first.url
    assert first.fields["ObjectID"] == contact["ObjectID"] and first.updated_at is not None
    with peer.sandbox.state.lock:
        gone["LastName"] = "No more"


def test_a_field_that_is_not_normalised_is_asked_for_its_last_digits(peer: Peer) -> None:
    number = a_number()
    connector = peer.opened(phone_fields=["ContactCollection.Phone"])
    made = peer.made("Contact", LastName="Typed", Phone=f"({number[3:6]}) {number[6:9]}-{number[9:]}")
    peer.made("Contact", LastName="Near", Phone=f"+49 {number[3:]}")
    ((found,),) = connector.find([Lookup(PERSON, "phone", number)])
    assert found.id == made["ContactID"] and found.match and found.match.field == "Phone"


def test_a_field_that_the_tenant_has_not_got_silences_nobody_and_the_check_names_it(peer: Peer) -> None:
    number = a_number()
    id = peer.person("Ada", phone=number)
    fields = ["CorporateAccountCollection.NormalisedFax", "IndividualCustomerCollection.NormalisedMobile"]
    connector: Any = peer.opened(phone_fields=fields)
    assert [record.id for record in connector.find([Lookup(PERSON, "phone", number)])[0]] == [id]
    with pytest.raises(Rejected, match=r"phone_fields and email_fields, CorporateAccountCollection.*NormalisedFax"):
        connector.check()
    with pytest.raises(Rejected, match="NormalisedFax"):
        peer.opened(phone_fields=fields[:1]).find([Lookup(PERSON, "phone", number)])


def test_a_wildcard_finds_nobody_and_does_not_ask_for_everybody(peer: Peer) -> None:
    peer.person("Ada", email="ada@example.com")
    for value in ("*", "*@example.com", "a*", "1*", "' or CustomerID ne '", "'"):
        for by in ("phone", "email", "id", "key"):
            assert peer.connector.find([Lookup(PERSON, by, value)]) == [[]], (by, value)
    assert calls_of(peer, lambda: peer.connector.find([Lookup(PERSON, "email", "*@example.com")])) == 0
    starred = f"patchbay:{a_key()}*"
    peer.connector.write(CALLS, [peer.row(starred, "its own"), peer.row(f"{starred}and more", "another")])
    ((found,),) = peer.connector.find([Lookup("PhoneCallCollection", "key", starred, "GroupwareItemID")])
    assert found.fields["GroupwareItemID"] == starred


def test_oauth_goes_before_a_password_and_is_renewed(peer: Peer) -> None:
    connector = peer.opened(**peer.sandbox.oauth(peer.served.url), user="", password="")
    assert connector.check().user == "PATCHBAY"  # type: ignore[attr-defined]
    peer.sandbox.faults.set("unauthorized")
    connector.check()  # type: ignore[attr-defined]
    wrong = peer.opened(**{**peer.sandbox.oauth(peer.served.url), "client_secret": "wrong"})
    with pytest.raises(CredentialsRefused):
        wrong.check()  # type: ignore[attr-defined]
    with pytest.raises(CredentialsRefused, match="set user"):
        built("sap_c4c", {"url": peer.served.url}).check()


# --- writing ----------------------------------------


def test_a_call_has_its_notes_references_and_parties(peer: Peer) -> None:
    who, key = peer.person("Ada"), a_key()
    fields = {"Subject": "Wants the red one", "InitiatorCode": "2", "MainAccountPartyID": who, "Note": "Said so",
              "TicketID": "4711",
              "EmployeePartyID": "7000001", "StartDateTime": "2026-11-23T11:02:00+01:00", "Status": "3"}  # fmt: skip
    [made] = peer.connector.write(CALLS, [Row(key=key, fields=fields)])
    (call,) = peer.calls(key)
    assert (made.outcome, made.id, call["Status"]) == ("created", call["ID"], "3")
    assert call["StartDateTime"] == dt.datetime(2026, 11, 23, 10, 2, tzinfo=dt.UTC)
    state, entity = peer.sandbox.state, ENTITIES["PhoneCall"]
    (ticket,) = state.parts(entity, call, "PhoneCallBTDReference")
    (party,) = state.parts(entity, call, "PhoneCallParties")
    assert (ticket["ID"], ticket["TypeCode"], party["PartyID"], party["RoleCode"]) == ("4711", "118", "7000001", "39")
    more = {"Note": "Said more", "OpportunityID": "12"}
    assert peer.connector.write(CALLS, [Row(key=key, fields=more)])[0].outcome == "updated"
    assert peer.texts(key) == ["Said more"]
    assert {row["ID"] for row in state.parts(entity, call, "PhoneCallBTDReference")} == {"4711", "12"}
    assert peer.connector.write(CALLS, [Row(key=key, fields=fields | more)])[0].outcome == "unchanged"


def test_somebody_else_was_quicker(peer: Peer) -> None:
    key = a_key()
    peer.connector.write(CALLS, [peer.row(key, "before")])
    peer.sandbox.faults.set("changed_meanwhile")
    [failed] = peer.connector.write(CALLS, [Row(key=key, fields={"Subject": "after"})])
    assert isinstance(failed.error, Locked) and peer.calls(key)[0]["Subject"] == "A call"
    assert peer.connector.write(CALLS, [Row(key=key, fields={"Subject": "after"})])[0].outcome == "updated"


def test_what_is_wrong_is_said_by_field(peer: Peer) -> None:
    rows = [
        Row(key=a_key(), fields={"Subjekt": "A call"}),
        Row(key=a_key(), fields={"Subject": "x" * 766}),
        Row(key=a_key(), fields={"Subject": "A call", "StartDateTime": "yesterday"}),
        Row(key=a_key(), fields={"Subject": "A call", "CreatedOn": "2026-01-01"}),
        Row(key=a_key(), fields={"Subject": "A call", "InitiatorCode": "9"}),
        Row(key=a_key(), fields={"InitiatorCode": "2"}),
        Row(key="*", fields={"Subject": "A call"}),
    ]
    errors = [receipt.error for receipt in peer.connector.write(CALLS, rows)]
    assert all(isinstance(error, Rejected) for error in errors)
    named = [list(error.fields) for error in errors]  # type: ignore[union-attr]
    assert named == [
        ["Subjekt"],
        ["Subject"],
        ["StartDateTime"],
        ["CreatedOn"],
        ["InitiatorCode"],
        ["Subject"],
        ["GroupwareItemID"],
    ]
    assert 'did you mean "Subject"?' in str(errors[0])


def test_keys_of_ones_own_and_ids(peer: Peer) -> None:
    own = Target(object="PhoneCallCollection", key="HubKey_KUT")
    [made] = peer.connector.write(own, [Row(key="hub-1", fields={"Subject": "By a field of our own"})])
    assert peer.connector.write(own, [Row(key="hub-1", fields={"Subject": "Again"})])[0].id == made.id
    by_id = Target(object="PhoneCallCollection", key="id")
    assert peer.connector.write(by_id, [Row(key=made.id, fields={"Subject": "By id"})])[0].outcome == "updated"
    assert isinstance(peer.connector.write(by_id, [Row(key="0", fields={"Subject": "x"})])[0].error, NotFound)
    for _ in range(2):
        peer.made("PhoneCall", Subject="Twin", GroupwareItemID="twin")
    assert isinstance(peer.connector.write(CALLS, [Row(key="twin", fields={"Subject": "x"})])[0].error, Ambiguous)
    with pytest.raises(Unsupported, match='did you mean "PhoneCallCollection"'):
        peer.connector.write(Target(object="PhoneCallCollectio", key="ID"), [Row(key="1", fields={})])
    with pytest.raises(Rejected, match="has no field"):
        peer.connector.write(Target(object="PhoneCallCollection", key="Nope"), [Row(key="1", fields={})])


def test_a_ticket_from_a_mail(peer: Peer) -> None:
    tickets = Target(object="ServiceRequestCollection", key="ExternalID")
    row = Row(key=a_key(), fields={"Name": "Broken", "ReporterEmail": "a@example.com", "Text": HOSTILE["long"]})
    [made] = peer.connector.write(tickets, [row])
    assert made.outcome == "created" and made.url.endswith("param.Type=COD_SRQ_AGENT_TT&sapbyd-agent=TAB")
    assert peer.connector.write(tickets, [row])[0].outcome == "unchanged"


@pytest.mark.parametrize("doctype", ['<!DOCTYPE e [<!ENTITY a "aaaa">]>', '<!DOCTYPE e SYSTEM "http://127.0.0.1:1/x">'])
def test_metadata_with_a_document_type_is_not_read(doctype: str) -> None:
    with pytest.raises(Unavailable, match="document type"):
        collections(f"{doctype}<Edmx/>".encode())
    with pytest.raises(Unavailable):
        collections(b"<html>Sign in")


def test_what_is_too_long_or_of_another_type_is_refused_before_it_is_sent() -> None:
    wrong = (("String", 3, "abcd"), ("Int32", None, "x"), ("Boolean", None, "maybe"), ("Time", None, "noon"),
             ("Decimal", None, "1,5"), ("DateTimeOffset", None, "2026-13-01"), ("String", None, "a\0"))  # fmt: skip
    for kind, longest, value in wrong:
        with pytest.raises(Rejected) as refused:
            to_odata(Property(name="Field", type=f"Edm.{kind}", max_length=longest), value)
        assert list(refused.value.fields) == ["Field"]
    assert to_odata(Property(name="At", type="Edm.Time"), "13:00") == "PT13H00M00S"
    assert to_odata(Property(name="At", type="Edm.DateTime"), "2026-11-23") == "/Date(1795392000000)/"


# --- lists ----------------------------------------


def test_the_members_of_a_target_group_come_with_their_contacts(peer: Peer) -> None:
    pages = list(
        peer.connector.pages(Query(object="TargetGroupMemberCollection", where={"TargetGroupID": GROUP}, size=2))
    )
    rows = [row for page in pages for row in page.rows]
    assert len(rows) == 5 and all(row["LastName"] and row["ContactID"] and "Mobile" in row for row in rows)
    assert len({row["id"] for row in rows}) == 5 and rows[0]["id"] != rows[0]["ContactID"]
    json.dumps(rows)
    assert pages[-1].watermark is None  # C4C tells nobody who was taken off: every pull is a full one
    changes: Any = peer.opened(whole_lists=False)
    pages = list(changes.pages(Query(object="TargetGroupMemberCollection", where={"TargetGroupID": GROUP})))
    watermark = dt.datetime.fromisoformat(pages[-1].watermark or "")
    assert dt.timedelta(minutes=4) < dt.datetime.now(dt.UTC) - watermark < dt.timedelta(minutes=6)  # two clocks overlap


def test_who_is_taken_off_a_target_group_and_a_contact_s_new_number(peer: Peer) -> None:
    with serving(SapC4cSandbox(rows=5)) as served:
        told = {"url": served.url, **served.sandbox.credentials()}
        query = Query(object="TargetGroupMemberCollection", where={"TargetGroupID": GROUP})
        whole, changes = built("sap_c4c", told), built("sap_c4c", told | {"whole_lists": False})
        leaves, stays, *_ = (row for page in whole.pages(query) for row in page.rows)
        since = msgspec.structs.replace(query, watermark=(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat())
        state = served.sandbox.state
        with state.lock:
            contact = next(row for row in state.rows("ContactCollection") if row["ContactID"] == stays["ContactID"])
            state.change(ENTITIES["Contact"], contact["ObjectID"], {"Mobile": "+34 699 000 111"}, "")
            state.remove(ENTITIES["TargetGroupMember"], leaves["ObjectID"], "")
        (page,) = whole.pages(since)
        assert leaves["id"] not in {row["id"] for row in page.rows} and page.watermark is None and not page.removed
        assert "+34 699 000 111" in {row["Mobile"] for row in page.rows}
        (page,) = changes.pages(since)
        assert page.rows == [] and page.removed == [] and page.watermark


def test_a_thousand_rows_are_a_page_and_paging_by_skiptoken_gives_the_same(peer: Peer) -> None:
    with serving(SapC4cSandbox(rows=25, page=10)) as served:
        told = {"url": served.url, **served.sandbox.credentials()}
        by_id = built("sap_c4c", told)
        by_token = built("sap_c4c", told | {"server_paging": True})
        query = Query(object="ContactCollection", size=9)
        one, other = ([row["id"] for page in way.pages(query) for row in page.rows] for way in (by_id, by_token))
        assert sorted(one) == sorted(other) and len(set(one)) == len(one) == 25
        first = next(iter(by_token.pages(query)))
        rest = [
            row["id"]
            for page in by_token.pages(msgspec.structs.replace(query, cursor=first.cursor))
            for row in page.rows
        ]
        assert [row["id"] for row in first.rows] + rest == other
    with pytest.raises(Rejected, match='did you mean "Department"'):
        list(peer.connector.pages(Query(object="ContactCollection", where={"Departmen": "x"})))


# --- links ----------------------------------------


def test_links(peer: Peer) -> None:
    connector = peer.connector
    opened = connector.links("open", "CorporateAccountCollection", "1000077")
    asked = parse_qs(urlsplit(opened).query)
    assert urlsplit(opened).path == "/sap/public/byd/runtime" and asked["bo"] == ["COD_GENERIC"]
    assert (asked["param.InternalID"], asked["param.Type"]) == (["1000077"], ["COD_ACCOUNT_TT"])
    mine = peer.opened(open_link="/ui#{type}/{id}?sso", link_types=["ContactCollection=C"])
    assert mine.links("open", "ContactCollection", "a/b c") == f"{peer.served.url}/ui#C/a%2Fb%20c?sso"
    assert "param.Phone=%2B34612345678" in connector.links("new", "ContactCollection", fields={"Phone": "+34612345678"})


# --- every fault ----------------------------------------

FAULTS: dict[str, tuple[type[ConnectorError] | None, bool]] = {
    # fault: (what a write of new rows says, whether it is said of each row rather than raised)
    "down": (Unavailable, False),
    "throttled": (Throttled, False),
    "throttled_until": (Throttled, False),
    "reset": (UnknownOutcome, False),
    "reset_after": (UnknownOutcome, False),
    "failed_after": (UnknownOutcome, False),
    "truncated": (UnknownOutcome, False),
    "login_page": (Unavailable, False),
    "html": (UnknownOutcome, False),
    "slow": (None, False),
    "gzip": (None, False),
    "unauthorized": (CredentialsRefused, False),
    "csrf_expired": (None, False),
    "lock": (Locked, True),
    "business_500": (Rejected, True),
    "changed_meanwhile": (None, False),
}


def test_every_fault_is_in_the_matrix(peer: Peer) -> None:
    assert set(FAULTS) == set(peer.sandbox.faults.known)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_row_is_lost_and_none_is_there_twice(peer: Peer, fault: str) -> None:
    error, by_row = FAULTS[fault]
    rows = [peer.row(a_key(), f"text {n}") for n in range(3)]
    connector = peer.opened()
    connector.find([Lookup(PERSON, "phone", a_number())])  # the token is there
    connector.describe("PhoneCallCollection")
    told: dict[str, Any] = {} if by_row or fault == "unauthorized" else {"method": "POST"}
    peer.sandbox.faults.set(fault, seconds=0.05 if fault == "slow" else 30, **told)
    receipts: list[Any] = []
    if error is not None and not by_row:
        with pytest.raises(error) as raised:
            connector.write(CALLS, rows)
        assert type(raised.value) is error
        assert not isinstance(raised.value, Throttled) or 0 < (raised.value.retry_after or 0) <= 30
    else:
        receipts = list(connector.write(CALLS, rows))
        failed = [receipt.error for receipt in receipts if receipt.outcome == "failed"]
        assert [type(one) for one in failed] == ([error] if by_row else [])
    peer.sandbox.faults.clear()
    doubted = [msgspec.structs.replace(row, in_doubt=error is UnknownOutcome) for row in rows]
    assert all(receipt.outcome != "failed" for receipt in connector.write(CALLS, doubted))
    assert [peer.texts(row.key) for row in rows] == [["text 0"], ["text 1"], ["text 2"]]


def test_a_status_that_could_not_be_said_is_said_the_next_time(peer: Peer) -> None:
    row = Row(key=a_key(), fields={"Subject": "A call", "Status": "3"})
    connector = peer.opened()
    connector.write(CALLS, [peer.row(a_key(), "first")])
    peer.sandbox.faults.set("lock", after=1)  # the creation passes, the change after it does not
    [failed] = connector.write(CALLS, [row])
    assert isinstance(failed.error, Locked) and [call["Status"] for call in peer.calls(row.key)] == ["1"]
    assert connector.write(CALLS, [row])[0].outcome == "updated"
    assert [call["Status"] for call in peer.calls(row.key)] == ["3"]


def test_no_error_tells_a_number_a_name_or_the_password(peer: Peer) -> None:
    peer.sandbox.faults.set("lock")
    [failed] = peer.connector.write(CALLS, [peer.row(a_key(), "hello")])
    peer.sandbox.faults.set("unauthorized")
    with pytest.raises(CredentialsRefused) as refused:
        peer.connector.find([Lookup(PERSON, "phone", "+34612345678")])
    said = f"{failed.error} {refused.value}"
    assert not any(word in said for word in ("EDDIE", "612345678", "Welcome1!", "_PATCHBAY"))


# --- the sandbox itself ----------------------------------------


def test_the_sandbox_refuses_or_on_two_properties_and_answers_atom_by_default(peer: Peer) -> None:
    connector: Any = peer.connector
    service = connector._service
    with pytest.raises(Rejected, match="one property only"):
        service.get("ContactCollection", {"$filter": "Phone eq '1' or Mobile eq '1'"})
    atom = service._session.get(
        f"{peer.served.url}{ROOT}/ContactCollection?$top=1", headers={"Authorization": service._sign_in.header()}
    )
    assert atom.headers["Content-Type"] == "application/atom+xml;type=feed" and b"<m:properties>" in atom.content
    wild = filtered("Name eq '*da*' and endswith(Name,'e') and Phone ne null", {"Name", "Phone"})
    assert wild({"Name": "Ada Lovelace", "Phone": "1"}) and not wild({"Name": "Ada King", "Phone": "1"})
