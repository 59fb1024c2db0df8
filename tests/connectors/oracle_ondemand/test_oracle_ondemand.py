"""CRM On Demand beyond the law of all connectors: every fault and what comes of it, interactions, upserts, links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.crm.oracle_ondemand.errors import failure
from connectors.crm.oracle_ondemand.interactions import interaction_id
from connectors.wire.soap import SoapFault
from hub.clock import now
from hub.errors import (
    Ambiguous,
    ConfigError,
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    QuotaSpent,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from hub.model import PERSON, Lookup, Query, Row, Target
from sandbox.frame.faults import FAULTS
from sandbox.ondemand import OWN_FAULTS
from sandbox.ondemand.documents import names
from sandbox.ondemand.schema import SCHEMA
from tests.connectors.oracle_ondemand.peer import Peer
from tests.contract.given import a_key, a_mail, a_number
from tests.contract.sandbox_peer import shared

CONTACTS = Target(object="Contact", key="ExternalSystemId")


@pytest.fixture(scope="module")
def warm() -> Iterator[Peer]:
    """One connector for all: its documents are read once."""
    with shared(Peer) as running:
        yield running


@pytest.fixture
def peer(warm: Peer) -> Iterator[Peer]:
    warm.sandbox.faults.clear()
    yield warm
    warm.sandbox.faults.clear()


def contact(key: str, **more: Any) -> Row:
    return Row(key=key, fields={"ContactFirstName": "Ada", "ContactLastName": "Lovelace", **more})


# --- every fault, and what comes of it ----------------------------------------

WRITING = {
    "down": Unavailable, "throttled": Throttled, "throttled_until": Throttled, "reset": UnknownOutcome,
    "reset_after": UnknownOutcome, "failed_after": UnknownOutcome, "truncated": UnknownOutcome, "html": UnknownOutcome,
    "login_page": Unavailable, "slow": None, "gzip": None, "refused": CredentialsRefused, "rate": Throttled,
    "allotment": QuotaSpent, "concurrent": Throttled, "no_server": Unavailable, "modified": None, "short_pages": None,
}  # fmt: skip
READING = {
    **WRITING, "reset": Unavailable, "reset_after": Unavailable, "failed_after": Unavailable, "truncated": Unavailable,
    "html": Unavailable, "modified": Locked,
}  # fmt: skip


def test_every_fault_is_in_the_matrix() -> None:
    assert set(READING) == set(WRITING) == {*FAULTS, *OWN_FAULTS}


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("fault", sorted(WRITING))
def test_a_fault_in_the_middle_of_writing(peer: Peer, fault: str, call: int) -> None:
    """Six rows take two inserts, an update and two wrap-ups; each of the first four calls fails in its turn."""
    connector = peer.connector
    if call == 0:
        connector.write(peer.target, [peer.row(a_key(), "so that the documents are read")])
    rows = [peer.row(a_key(), f"text {n}") for n in range(6)]
    peer.sandbox.faults.set(fault, after=call, **({"seconds": 0.01} if fault == "slow" else {}))
    expected, doubt = WRITING[fault], False
    try:
        receipts = list(connector.write(peer.target, rows))
    except ConnectorError as error:
        assert expected is not None and type(error) is expected
        doubt = isinstance(error, UnknownOutcome)
        receipts = []
    else:
        assert expected is None, f"{fault} was not noticed"
    peer.sandbox.faults.clear()
    done = {receipt.key for receipt in receipts if receipt.outcome != "failed"}
    again = [msgspec.structs.replace(row, in_doubt=doubt) for row in rows if row.key not in done]
    assert all(receipt.outcome != "failed" for receipt in connector.write(peer.target, again))
    assert [peer.texts(row.key) for row in rows] == [[f"text {n}"] for n in range(6)]


@pytest.mark.parametrize("fault", sorted(READING))
def test_a_fault_while_reading(peer: Peer, fault: str) -> None:
    connector = peer.connector
    number = a_number()
    ids = {peer.person("Shared", phone=number) for _ in range(5)}
    connector.check()
    peer.sandbox.faults.set(fault, **({"seconds": 0.01} if fault == "slow" else {}))
    expected = READING[fault]
    if expected is None:
        assert {one.id for one in connector.find([Lookup("Contact", "phone", number)])[0]} == ids
    else:
        with pytest.raises(expected) as failed:
            connector.find([Lookup("Contact", "phone", number)])
        assert type(failed.value) is expected


def test_limits_say_when_to_come_again(peer: Peer) -> None:
    peer.connector.check()
    peer.sandbox.faults.set("rate")
    with pytest.raises(Throttled) as throttled:
        peer.connector.check()
    assert throttled.value.retry_after == 0.03
    peer.sandbox.faults.set("allotment")
    with pytest.raises(QuotaSpent) as spent:
        peer.connector.check()
    assert spent.value.until is not None and 3000 < (spent.value.until - now()).total_seconds() <= 3600


@pytest.mark.parametrize(
    ("code", "words", "detail", "kind"),
    [
        ("SOAP-ENV:Server", "x(SBL-DAT-00225)", "", Rejected),
        (
            "SOAP-ENV:Server",
            "Error while processing(SBL-EAI-04316)",
            "<e>(SBL-EAI-04316)</e><e>(SBL-EAI-04390)</e>",
            Ambiguous,
        ),
        ("SOAP-ENV:Server", "x", "<ErrorCode>SBL-DAT-00523</ErrorCode>", Locked),
        ("SOAP-ENV:Server", "No rows(SBL-EAI-04378)", "", NotFound),
        ("SOAP-ENV:Server", "x(SBL-DAT-00553)", "", NotPermitted),
        ("SOAP-ENV:Server", "x(SBL-SEC-10018)", "", CredentialsRefused),
        ("wsse:FailedAuthentication", "no", "", CredentialsRefused),
        ("SOAP-ENV:Server", "Server Unavailable.", "", Unavailable),
        ("SOAP-ENV:Client", "something new(SBL-XYZ-99999)", "", Rejected),
    ],
)
def test_a_fault_means_what_its_code_says(code: str, words: str, detail: str, kind: type[ConnectorError]) -> None:
    assert type(failure(SoapFault(code=code, message=words, detail=detail), now)) is kind


def test_a_fault_names_the_field_and_repeats_no_number() -> None:
    words = "The value +34612345678 in field 'Status' is wrong(SBL-DAT-00225)"
    error = failure(SoapFault(code="x", message=words, detail=""), now)
    assert isinstance(error, Rejected) and list(error.fields) == ["Status"] and "612345678" not in str(error)


# --- interactions ----------------------------------------


def test_a_key_longer_than_thirty_letters_has_a_shorter_one_for_ever() -> None:
    assert interaction_id("call-1") == "call-1"
    long = interaction_id("softphone:call-" + "1" * 40)
    assert len(long) == 30 and long == interaction_id("softphone:call-" + "1" * 40) != interaction_id(
        "softphone:call-" + "2" * 40
    )
    assert interaction_id(" call") != " call" and interaction_id("ñ").isascii()


def test_two_hundred_rows_take_ninety_calls(peer: Peer) -> None:
    connector = peer.connector
    connector.write(peer.target, [peer.row(a_key(), "so that the documents are read")])
    rows = [peer.row(a_key(), "one of many") for _ in range(200)]
    before = peer.sandbox.faults.call_count
    assert all(receipt.outcome == "created" for receipt in connector.write(peer.target, rows))
    assert peer.sandbox.faults.call_count - before == 40 + 10 + 40


def test_an_interaction_that_says_nothing_new_is_unchanged(peer: Peer) -> None:
    fields = {"AgentOfferTime": 1287786900, "ChannelType": "Inbound Call"}
    key = a_key()
    outcomes = [peer.connector.write(peer.target, [Row(key=key, fields=fields)])[0].outcome for _ in range(2)]
    ended = [
        peer.connector.write(peer.target, [Row(key=key, fields={**fields, "WrapUp": True})])[0].outcome
        for _ in range(2)
    ]
    assert outcomes == ["created", "unchanged"] and ended == ["updated", "unchanged"]


def test_an_interaction_without_its_offer_time_is_refused(peer: Peer) -> None:
    good = peer.row(a_key(), "good")
    bad = Row(key=a_key(), fields={"ChannelType": "Inbound Call"})
    worse = Row(key=a_key(), fields={"ChannelType": "Inbound Call", "AgentOfferTime": "yesterday"})
    receipts = peer.connector.write(peer.target, [bad, good, worse])
    assert [receipt.outcome for receipt in receipts] == ["failed", "created", "failed"]
    assert all(isinstance(receipts[place].error, Rejected) for place in (0, 2))


def test_a_note_that_is_refused_leaves_the_others_alone(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(8)]
    rows[3] = Row(key=rows[3].key, fields={**rows[3].fields, "Subject": "x" * 151})
    receipts = peer.connector.write(peer.target, rows)
    assert [receipt.outcome for receipt in receipts] == ["created"] * 3 + ["failed"] + ["created"] * 4
    assert isinstance(receipts[3].error, Rejected) and peer.texts(rows[4].key) == ["text 4"]


def test_an_interaction_is_found_by_its_key(peer: Peer) -> None:
    key = a_key()
    (receipt,) = peer.connector.write(peer.target, [peer.row(key, "found")])
    by_key, by_id = peer.connector.find([Lookup("CTIActivity", "key", key), Lookup("CTIActivity", "id", receipt.id)])
    assert [one.id for one in by_key] == [one.id for one in by_id] == [receipt.id]


# --- upserts, find, describe, links ----------------------------------------


def test_contacts_are_upserted_twenty_at_a_time(peer: Peer) -> None:
    connector = peer.connector
    rows = [contact(a_key()) for _ in range(45)]
    connector.write(CONTACTS, rows[:1])
    before = peer.sandbox.faults.call_count
    receipts = connector.write(CONTACTS, rows)
    assert peer.sandbox.faults.call_count - before == 3
    assert len({receipt.id for receipt in receipts}) == 45
    assert [receipt.id for receipt in connector.write(CONTACTS, rows)] == [receipt.id for receipt in receipts]


def test_the_wrong_one_of_a_batch_is_found_by_halves(peer: Peer) -> None:
    rows = [contact(a_key()) for _ in range(20)]
    rows[13] = contact(rows[13].key, ContactType="Enemy")
    rows[17] = contact(rows[17].key, Description="nul \0 inside")
    receipts = peer.connector.write(CONTACTS, rows)
    assert [place for place, receipt in enumerate(receipts) if receipt.outcome == "failed"] == [13, 17]
    assert all(isinstance(receipts[place].error, Rejected) for place in (13, 17))
    keys = {one.get("ExternalSystemId") for one in peer.sandbox.records.all("Contact")}
    assert [row.key in keys for row in rows] == [n not in (13, 17) for n in range(20)]


def test_a_user_key_that_two_records_have_is_ambiguous(peer: Peer) -> None:
    key = a_key()
    for _ in range(2):
        peer.sandbox.records.insert(
            SCHEMA["Lead"], {"LeadFirstName": "A", "LeadLastName": "B", "ExternalSystemId": key}
        )
    fields = {"LeadFirstName": "A", "LeadLastName": "B"}
    (receipt,) = peer.connector.write(Target(object="Lead", key="ExternalSystemId"), [Row(key=key, fields=fields)])
    assert isinstance(receipt.error, Ambiguous)


def test_a_record_is_changed_by_its_id_and_removed_by_its_key(peer: Peer) -> None:
    id = peer.person("Ada Lovelace")
    there, missing = peer.connector.write(
        Target(object="Contact", key="id"),
        [Row(key=id, fields={"HomePhone": "1"}), Row(key="1QA2-NOBODY", fields={"HomePhone": "1"})],
    )
    assert there.outcome == "updated" and there.id == id and isinstance(missing.error, NotFound)
    gone = [
        peer.connector.write(CONTACTS, [Row(key=peer.key_of(id), fields={}, action="remove")])[0].outcome
        for _ in range(2)
    ]
    assert gone == ["removed", "unchanged"]


def test_companies_and_prospects_are_people_too(peer: Peer) -> None:
    number, mail = a_number(), a_mail()
    account = peer.sandbox.records.insert(
        SCHEMA["Account"], {"AccountName": "Engines", "MainPhone": f"0034 {number[3:]}"}
    )
    lead = {"LeadFirstName": "Lo", "LeadLastName": "Om", "PrimaryPhone": number, "LeadEmail": mail}
    peer.sandbox.records.insert(SCHEMA["Lead"], lead)
    values = {"ContactFirstName": "A", "ContactLastName": "B", "HomePhone": number, "AccountId": account["Id"]}
    peer.sandbox.records.insert(SCHEMA["Contact"], values)
    by_phone, by_mail = peer.connector.find([Lookup(PERSON, "phone", number), Lookup(PERSON, "email", mail.upper())])
    assert [one.object for one in by_phone] == ["Contact", "Lead", "Account"] and len(by_mail) == 1
    assert by_phone[0].account is not None and by_phone[0].account.title == "Engines"
    with pytest.raises(Unsupported):
        peer.connector.find([Lookup("ServiceRequest", "phone", number)])


def test_a_pull_goes_on_through_short_pages(peer: Peer) -> None:
    put = [peer.member(f"Member {n}") for n in range(8)]
    peer.sandbox.faults.set("short_pages", times=2)
    query = Query(object="Contact", where=peer.query.where, size=5)
    assert [row["id"] for page in peer.connector.pages(query) for row in page.rows] == put
    with pytest.raises(Rejected):
        list(peer.connector.pages(msgspec.structs.replace(query, cursor="'")))


def test_describe_reads_the_company_s_own_document(peer: Peer) -> None:
    fields = {field.name: field for field in peer.connector.describe("Contact").fields}
    assert fields["ContactLastName"].required and fields["ContactLastName"].max_length == 50
    assert fields["CellularPhone"].type == "phone" and fields["ContactEmail"].type == "email"
    assert not fields["CreatedDate"].writable and fields["CreatedDate"].type == "datetime"
    assert fields["ExternalSystemId"].unique and fields["AccountId"].refers_to == ("Account",)
    assert fields["Description"].type == "longtext" and fields["NeverCall"].type == "boolean"
    interaction = {field.name: field for field in peer.connector.describe("CTIActivity").fields}
    assert interaction["AgentOfferTime"].required and interaction["AgentOfferTime"].writable
    assert "Inbound Call" in interaction["ChannelType"].picklist and interaction["Description"].writable


def test_the_documents_may_lie_in_a_folder(peer: Peer, tmp_path: Path) -> None:
    from sandbox.ondemand.documents import document

    for name in names():
        (tmp_path / f"{name}.wsdl").write_text(document(name, "https://elsewhere.example/Services/Integration"))
    connector: Any = peer.opened(wsdl=str(tmp_path))
    assert connector.check().user == "ACME/patchbay" and connector.describe("Lead").fields
    lean = (tmp_path / "Contact.wsdl").read_text().replace('name="NeverCall"', 'name="NeverEver"')
    (tmp_path / "Contact.wsdl").write_text(lean)
    id = peer.person("Ada Lovelace")
    ((record,),) = connector_of(peer, tmp_path).find([Lookup("Contact", "id", id)])
    assert record.title == "Ada Lovelace" and "NeverCall" not in record.fields
    nowhere: Any = peer.opened(wsdl=str(tmp_path / "nowhere"))
    for call in (nowhere.check, lambda: nowhere.describe("Lead")):
        with pytest.raises(Unavailable, match="WSDL"):
            call()


def connector_of(peer: Peer, folder: Path) -> Any:
    return peer.opened(wsdl=str(folder))


def test_links_are_the_screen_pop_command(peer: Peer) -> None:
    home = f"{peer.served.url}/OnDemand/user"
    links = peer.connector.links  # type: ignore[attr-defined]
    assert (
        links("open", "Contact", "1QA2-D903L00")
        == f"{home}/CTICommand?Command=ScreenPop&Record%20Type=Contact&Record%20Id=1QA2-D903L00"
    )
    pop = f"{home}/CTICommand?Command=ScreenPop&Record%20Type="
    assert links("open", "ServiceRequest", "1QA2-1") == f"{pop}Service%20Request&Record%20Id=1QA2-1"
    assert links("open", "CTIActivity", "1QA2-2") == f"{pop}Activity&Record%20Id=1QA2-2&Channel%20Type=Inbound%20Call"
    assert links("search", "Contact", fields={"phone": "+34 612"}).endswith("SearchType=Contact&SearchText=%2B34%20612")
    assert links("new", "Lead", fields={"LeadLastName": "O'Brien & Söhne"}).endswith(
        "LeadLastName=O%27Brien%20%26%20S%C3%B6hne"
    )
    with pytest.raises(NotFound, match="Contact"):
        links("open", "Contacts", "1")


@pytest.mark.parametrize("wrong", [{"phone_fields": ["Person.Mobile"]}, {"link_channel": "Inbound Pigeon"}])
def test_a_wrong_setting_is_said_at_the_start(peer: Peer, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        peer.opened(**wrong)


def test_what_the_service_says_of_a_wrong_interaction_is_on_its_receipt(peer: Peer) -> None:
    fields = {"AgentOfferTime": 1287786900, "ChannelType": "Pigeon"}
    (receipt,) = peer.connector.write(peer.target, [Row(key=a_key(), fields=fields)])
    assert isinstance(receipt.error, Rejected) and "ChannelType" in str(receipt.error)
