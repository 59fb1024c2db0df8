"""Fusion beyond the law of all connectors: every fault and what comes of it, batches, describe, pulls and links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connectors.wire.discreet import discreet
from hub.errors import (
    Ambiguous,
    ConfigError,
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from hub.model import PERSON, Lookup, Query, Row, Target
from sandbox.frame.faults import FAULTS
from sandbox.oracle import OWN_FAULTS
from sandbox.oracle.schema import SCHEMA
from tests.connectors.oracle_fusion.peer import KEY, Peer
from tests.contract.given import a_key, a_mail, a_number
from tests.contract.sandbox_peer import shared


@pytest.fixture
def peer() -> Iterator[Peer]:
    with shared(Peer) as running:
        yield running


def count(peer: Peer, key: str) -> int:
    return len(peer.texts(key))


# --- every fault, and what comes of it ----------------------------------------

READING = {"down": Unavailable, "throttled": Throttled, "throttled_until": Throttled, "reset": Unavailable,
           "reset_after": Unavailable, "failed_after": Unavailable, "truncated": Unavailable, "login_page": Unavailable,
           "html": Unavailable, "slow": None, "gzip": None, "refused": CredentialsRefused, "expired": CredentialsRefused,
           "forbidden": NotPermitted, "server_error": Unavailable, "short_pages": None, "empty_page": None,
           "plain_errors": None, "error_paths": None, "row_locked": None}  # fmt: skip
WRITING = {**READING, "reset": UnknownOutcome, "reset_after": UnknownOutcome, "failed_after": UnknownOutcome,
           "truncated": UnknownOutcome, "html": UnknownOutcome, "forbidden": None}  # fmt: skip
ON_A_RECEIPT = {"row_locked": Locked, "forbidden": NotPermitted}


def test_every_fault_is_in_the_matrix() -> None:
    assert set(READING) == set(WRITING) == {*FAULTS, *OWN_FAULTS}


@pytest.mark.parametrize("fault", sorted(READING))
def test_a_fault_while_the_keys_are_looked_up(peer: Peer, fault: str) -> None:
    gone_on_with(peer, fault, READING[fault], after=0)


@pytest.mark.parametrize("fault", sorted(WRITING))
def test_a_fault_while_the_batch_is_sent(peer: Peer, fault: str) -> None:
    gone_on_with(peer, fault, WRITING[fault], after=1)


def gone_on_with(peer: Peer, fault: str, expected: type[ConnectorError] | None, after: int) -> None:
    """The rows are written while it fails, and again as the hub would: each is there exactly once in the end."""
    rows = [peer.row(a_key(), f"text {n}") for n in range(4)]
    told: dict[str, Any] = {"seconds": 0.01} if fault == "slow" else {}
    if fault in FAULTS:
        told["method"] = "POST" if after else "GET"
    elif fault != "row_locked":
        told |= {"after": after, "times": -1 if fault == "forbidden" else 1}
    peer.sandbox.faults.set(fault, **told)
    doubt = False
    try:
        receipts = list(peer.connector.write(peer.target, rows))
    except ConnectorError as error:
        assert expected is not None and type(error) is expected, fault
        if isinstance(error, Throttled):
            assert error.retry_after is not None
        doubt = isinstance(error, UnknownOutcome)
        receipts = []
    else:
        assert expected is None, f"{fault} was not noticed"
        failed = [receipt for receipt in receipts if receipt.outcome == "failed"]
        if after and fault in ON_A_RECEIPT:
            assert failed and all(isinstance(receipt.error, ON_A_RECEIPT[fault]) for receipt in failed)
    peer.sandbox.faults.clear()
    done = {receipt.key for receipt in receipts if receipt.outcome != "failed"}
    again = [msgspec.structs.replace(row, in_doubt=doubt) for row in rows if row.key not in done]
    assert all(receipt.outcome in ("created", "updated") for receipt in peer.connector.write(peer.target, again))
    assert [peer.texts(row.key) for row in rows] == [[f"text {n}"] for n in range(4)]


@pytest.mark.parametrize("shape", ["", "plain_errors", "error_paths"])
def test_a_refused_row_is_found_whatever_shape_its_error_has(peer: Peer, shape: str) -> None:
    rows = [peer.row(a_key(), "good") for _ in range(8)]
    rows[2], rows[6] = peer.bad_row(rows[2].key), peer.bad_row(rows[6].key)
    if shape:
        peer.sandbox.faults.set(shape, times=-1)
    receipts = peer.connector.write(peer.target, rows)
    assert [receipt.outcome for receipt in receipts] == ["created", "created", "failed", "created"] * 2
    assert all(isinstance(receipts[place].error, Rejected) for place in (2, 6))
    assert [count(peer, row.key) for row in rows] == [1, 1, 0, 1] * 2


def test_a_refused_row_names_its_field_and_no_value(peer: Peer) -> None:
    row = Row(key=a_key(), fields={**peer.row("", "").fields, "StatusCode": "+34612345678"})
    (receipt,) = peer.connector.write(peer.target, [row])
    assert isinstance(receipt.error, Rejected) and list(receipt.error.fields) == ["StatusCode"]
    assert "612345678" not in str(receipt.error)


def test_what_a_vendor_says_is_passed_on_without_numbers_and_addresses() -> None:
    said = "The value +34 612 34 56 78 of ada@example.com\nis wrong (JBO-27024)"
    assert discreet(said) == "The value … of … is wrong (JBO-27024)"
    assert len(discreet("x" * 10_000)) < 400


# --- batches ----------------------------------------


def test_two_hundred_rows_take_a_handful_of_calls(peer: Peer) -> None:
    rows = [peer.row(a_key(), "one of many") for _ in range(200)]
    before = peer.sandbox.faults.call_count
    assert all(receipt.outcome == "created" for receipt in peer.connector.write(peer.target, rows))
    assert peer.sandbox.faults.call_count - before == 5
    before = peer.sandbox.faults.call_count
    assert all(receipt.outcome == "updated" for receipt in peer.connector.write(peer.target, rows))
    assert peer.sandbox.faults.call_count - before == 5


def test_a_native_upsert_needs_no_look_up(peer: Peer) -> None:
    connector: Any = peer.opened(upsert_by=["contacts.PartyNumber"])
    target = Target(object="contacts", key="PartyNumber")
    key = f"HUB-{a_number()}"
    before = peer.sandbox.faults.call_count
    (made,) = connector.write(target, [Row(key=key, fields={"LastName": "Lovelace"})])
    (changed,) = connector.write(target, [Row(key=key, fields={"LastName": "King"}, in_doubt=True)])
    assert (made.outcome, changed.outcome) == ("created", "updated") and made.id == changed.id
    assert peer.sandbox.faults.call_count - before == 2
    assert [one["LastName"] for one in peer.sandbox.records.all("contacts") if one["PartyNumber"] == key] == ["King"]


def test_a_key_that_two_records_have_is_ambiguous(peer: Peer) -> None:
    twice = f"twice {a_number()}"
    for name in ("One", "Two"):
        peer.sandbox.records.create(SCHEMA["contacts"], {"LastName": name, "Comments": twice})
    (receipt,) = peer.connector.write(
        Target(object="contacts", key="Comments"), [Row(key=twice, fields={"Country": "ES"})]
    )
    assert isinstance(receipt.error, Ambiguous)


def test_a_record_is_changed_by_its_id_and_never_made_by_it(peer: Peer) -> None:
    id = peer.person("Ada Lovelace")
    target = Target(object="contacts", key="id")
    there, missing, wrong = peer.connector.write(
        target,
        [Row(key=id, fields={"Country": "FR"}), Row(key="999", fields={"Country": "FR"}), Row(key="x", fields={})],
    )
    assert there.outcome == "updated" and there.id == id
    assert isinstance(missing.error, NotFound) and isinstance(wrong.error, NotFound)


def test_a_key_that_fits_into_no_address_is_that_row_s_failure(peer: Peer) -> None:
    long, good = Row(key="k" * 9000, fields=peer.row("", "").fields), peer.row(a_key(), "good")
    receipts = peer.connector.write(peer.target, [long, good])
    assert isinstance(receipts[0].error, Rejected) and receipts[1].outcome == "created"


def test_long_texts_go_as_base64_where_the_pod_wants_it(peer: Peer) -> None:
    connector: Any = peer.opened(base64_fields=["activities.ActivityDescription"])
    key = a_key()
    connector.write(peer.target, [peer.row(key, "ñandú")])
    assert peer.texts(key) == ["w7FhbmTDug=="]


def test_a_number_with_a_slash_stays_one_part_of_the_address(peer: Peer) -> None:
    number = f"A/B?{a_number()}"
    peer.sandbox.records.create(SCHEMA["contacts"], {"LastName": "Slash", "PartyNumber": number})
    target = Target(object="contacts", key="PartyNumber")
    (receipt,) = peer.connector.write(target, [Row(key=number, fields={"LastName": "Slashed"})])
    assert receipt.outcome == "updated"


# --- find ----------------------------------------


def test_companies_and_prospects_are_people_too(peer: Peer) -> None:
    number, mail = a_number(), a_mail()
    records = peer.sandbox.records
    account = records.create(
        SCHEMA["accounts"], {"OrganizationName": "Engines", "RawPhoneNumber": f"0034-{number[3:]}"}
    )
    lead = records.create(SCHEMA["leads"], {"Name": "Loom", "PrimaryContactPhoneNumber": number,
                                            "PrimaryContactEmailAddress": mail})  # fmt: skip
    contact = records.create(
        SCHEMA["contacts"], {"LastName": "Ada", "RawHomePhoneNumber": number, "AccountPartyId": account["PartyId"]}
    )
    by_phone, by_mail = peer.connector.find([Lookup(PERSON, "phone", number), Lookup(PERSON, "email", mail)])
    assert [(one.object, one.id) for one in by_phone] == [
        ("contacts", str(contact["PartyId"])), ("leads", str(lead["LeadId"])), ("accounts", str(account["PartyId"]))
    ]  # fmt: skip
    assert by_phone[0].account is not None and by_phone[0].account.title == "Engines"
    assert [one.id for one in by_mail] == [str(lead["LeadId"])]


def test_what_the_pod_lacks_is_not_asked_for(peer: Peer) -> None:
    id = peer.person("Ada Lovelace")
    connector: Any = peer.opened(missing_fields=["contacts.DoNotCallFlag"])
    ((record,),) = connector.find([Lookup("contacts", "id", id)])
    assert "DoNotCallFlag" not in record.fields and record.title == "Ada Lovelace"


def test_a_resource_that_no_setting_names_is_not_asked_for_people(peer: Peer) -> None:
    connector: Any = peer.opened(phone_fields=["contacts.RawMobileNumber"], mail_fields=["contacts.EmailAddress"])
    before = peer.sandbox.faults.call_count
    connector.find([Lookup(PERSON, by, "none") for by in ("key", "id")] + [Lookup(PERSON, "phone", a_number())])
    assert peer.sandbox.faults.call_count - before == 1


def test_a_national_number_is_read_by_the_record_s_own_country(peer: Peer) -> None:
    values = {"LastName": "Éloïse", "RawMobileNumber": "06 12 34 56 78", "Country": "FR"}
    id = str(peer.sandbox.records.create(SCHEMA["contacts"], values)["PartyId"])
    french, spanish = peer.connector.find(
        [Lookup("contacts", "phone", "+33612345678"), Lookup("contacts", "phone", "+34612345678")]
    )
    assert id in [one.id for one in french] and id not in [one.id for one in spanish]


def test_wanted_fields_are_read(peer: Peer) -> None:
    id = str(peer.sandbox.records.create(SCHEMA["contacts"], {"LastName": "A", "Comments": "vip"})["PartyId"])
    ((record,),) = peer.connector.find([Lookup("contacts", "id", id, fields=("Comments",))])
    assert record.fields["Comments"] == "vip" and record.fields["PartyNumber"]


def test_many_numbers_take_few_questions(peer: Peer) -> None:
    numbers = [a_number() for _ in range(40)]
    ids = [peer.person("Many", phone=number) for number in numbers]
    before = peer.sandbox.faults.call_count
    found = peer.connector.find([Lookup("contacts", "phone", number) for number in numbers])
    assert [[one.id for one in records] for records in found] == [[id] for id in ids]
    assert peer.sandbox.faults.call_count - before <= 4


@pytest.mark.parametrize("fault", ["short_pages", "empty_page"])
def test_short_pages_lose_nobody(peer: Peer, fault: str) -> None:
    number = a_number()
    ids = {peer.person("Shared", phone=number) for _ in range(7)}
    peer.sandbox.faults.set(fault, times=1 if fault == "empty_page" else -1)
    (found,) = peer.connector.find([Lookup("contacts", "phone", number)])
    assert {one.id for one in found} == ids and len(found) == 7


def test_activities_have_no_number(peer: Peer) -> None:
    with pytest.raises(Unsupported):
        peer.connector.find([Lookup("activities", "phone", a_number())])
    with pytest.raises(NotFound, match="contacts"):
        peer.connector.find([Lookup("contact", "phone", a_number())])


# --- pages, describe, links, settings ----------------------------------------


@pytest.mark.parametrize("fault", ["short_pages", "empty_page"])
def test_a_pull_goes_on_through_short_pages(peer: Peer, fault: str) -> None:
    put = [peer.member(f"Member {n}") for n in range(8)]
    peer.sandbox.faults.set(fault, times=2)
    query = Query(object="contacts", where=peer.query.where, size=4)
    assert [row["id"] for page in peer.connector.pages(query) for row in page.rows] == put


def test_a_pull_asks_once_for_each_page(peer: Peer) -> None:
    for n in range(9):
        peer.member(f"Member {n}")
    before = Counter(peer.sandbox.faults.calls)
    pages = list(peer.connector.pages(Query(object="contacts", where=peer.query.where, size=3)))
    assert len(pages) == 3 and sum((Counter(peer.sandbox.faults.calls) - before).values()) == 3
    with pytest.raises(Rejected):
        list(peer.connector.pages(Query(object="contacts", where=peer.query.where, cursor="1; drop")))


def test_describe_says_what_a_mapping_has_to_know(peer: Peer) -> None:
    described = peer.connector.describe("activities")
    fields = {field.name: field for field in described.fields}
    assert described.creatable and described.changeable
    assert fields["Subject"].required and fields["Subject"].max_length == 500
    assert fields["ActivityNumber"].fixed and not fields["Subject"].fixed
    assert fields["ActivityFunctionCode"].picklist == (
        "APPOINTMENT",
        "CALLREPORT",
        "TASK",
    )
    assert fields["ActivityTypeCode"].retired == ("FAX",) and "FAX" not in fields["ActivityTypeCode"].picklist
    assert not fields["ActivityId"].writable and fields["ActivityId"].unique
    assert fields[KEY].unique and fields["PrimaryContactId"].refers_to == ("contacts",)
    assert fields["ActivityStartDate"].type == "datetime" and fields["DueDate"].type == "date"
    contact = {field.name: field for field in peer.connector.describe("contacts").fields}
    assert contact["RawMobileNumber"].type == "phone" and contact["EmailAddress"].type == "email"


def test_a_list_of_values_that_is_not_there_leaves_the_rest_of_the_description(peer: Peer) -> None:
    connector: Any = peer.opened(lookups=["activities.StatusCode=noSuchLookups"])
    fields = {field.name: field for field in connector.describe("activities").fields}
    assert (
        fields["StatusCode"].type == "picklist" and fields["StatusCode"].picklist == () and fields["Subject"].required
    )


def test_links_are_the_documented_addresses(peer: Peer) -> None:
    home = peer.served.url
    deep = "/fscmUI/redwood/application-components/application/container/deep-link?"
    opened = peer.opened()
    links: Any = opened
    assert links.links("open", "contacts", "300") == f"{home}{deep}id=300&resource=contacts"
    id = peer.person("Ada Lovelace")
    ((record,),) = links.find([Lookup("contacts", "id", id)])
    number = peer.key_of(id)
    assert record.url == links.links("open", "contacts", id) == f"{home}{deep}id={id}&puid={number}&resource=contacts"
    classic: Any = peer.opened(link_style="classic")
    assert (
        classic.links("open", "contacts", "300")
        == f"{home}/fscmUI/faces/deeplink?objType=CONTACT&objKey=300&action=EDIT"
    )
    new = links.links("new", "contacts", fields={"LastName": "O'Brien & Söhne", "RawMobileNumber": "+34 612"})
    assert new.endswith("/contacts/contacts-create?LastName=O%27Brien%20%26%20S%C3%B6hne&RawMobileNumber=%2B34%20612")


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": None},
        {"client_id": "x"},
        {"phone_fields": ["contact.Mobile"]},
        {"link_style": "old"},
        {"lookups": ["x"]},
    ],
)
def test_a_wrong_setting_is_said_at_the_start(peer: Peer, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        peer.opened(**wrong)


def test_a_custom_object_is_described_by_its_name(peer: Peer) -> None:
    connector: Any = peer.opened(custom_objects=["CallRequest_c"])
    assert "CallRequest_c" in connector.objects()
    with pytest.raises(NotFound):
        connector.describe("CallRequest_c")


def test_a_nul_is_never_asked_for(peer: Peer) -> None:
    bad, good = Row(key="nul\0key", fields=peer.row("", "").fields), peer.row(a_key(), "good")
    before = Counter(peer.sandbox.faults.calls)
    receipts = peer.connector.write(peer.target, [bad, good])
    assert isinstance(receipts[0].error, Rejected) and receipts[1].outcome == "created"
    assert sum((Counter(peer.sandbox.faults.calls) - before).values()) == 2
    with pytest.raises(Rejected):
        list(peer.connector.pages(Query(object="contacts", where={"Comments": "nul\0"})))
