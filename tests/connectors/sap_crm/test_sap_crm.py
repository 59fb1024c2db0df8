"""What is SAP CRM's own: message ids, the log inside status 200, long keys, WS-Security, names by settings, faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.crm.sap_crm.keys import LONGEST, stored_key
from connectors.crm.sap_crm.refusals import of_log
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
from hub.model import PERSON, Lookup, Row, Target
from sandbox.frame import serving
from sandbox.sap_crm import FOLDER, SapCrmSandbox
from tests.connectors.sap_crm.peer import CANCELLED, Peer
from tests.contract.given import HOSTILE, a_key, a_mail, a_number
from tests.contract.sandbox_peer import shared
from tests.contract.scenario_files import built

CALLS = Target(object="Activity", key="ExternalReferenceID")
REQUESTS = Target(object="ServiceRequest", key="ExternalReferenceID")


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


def test_fifty_rows_take_a_search_and_a_call_each(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(50)]
    peer.connector.write(CALLS, [peer.row(a_key(), "the WSDL is read now")])
    assert calls_of(peer, lambda: peer.connector.write(CALLS, rows)) == 51
    assert calls_of(peer, lambda: peer.connector.write(CALLS, rows)) == 1  # nothing differs
    anew = [msgspec.structs.replace(row, fields={**row.fields, "Note": "new"}) for row in rows[:3]]
    assert calls_of(peer, lambda: peer.connector.write(CALLS, [*anew, *rows[3:]])) == 4


def test_two_hundred_lookups_take_a_call_for_each_kind(peer: Peer) -> None:
    known = {number: peer.person("Ada", phone=f"0034 {number[3:]}") for number in (a_number() for _ in range(3))}
    lookups = [Lookup(PERSON, "phone", number) for number in known]
    lookups += [Lookup(PERSON, "phone", a_number()) for _ in range(150)] + [
        Lookup(PERSON, "email", a_mail()) for _ in range(47)
    ]
    peer.connector.find(lookups[:1])
    assert calls_of(peer, lambda: peer.connector.find(lookups)) == 2
    found = peer.connector.find(lookups)
    assert [[record.id for record in records] for records in found[:3]] == [[id] for id in known.values()]
    assert not any(found[3:])


# --- partners ----------------------------------------


def test_a_partner_has_a_company_numbers_and_an_address(peer: Peer) -> None:
    number, mail = a_number(), a_mail()
    with peer.sandbox.state.lock:
        made = peer.sandbox.state.partner(
            GivenName="Ada", FamilyName="Lovelace", FormattedName="Ada Lovelace", ExternalID="crm-7",
            phones=["91 411 22 33"], mobiles=[number], mails=[mail],
            ContactPersonFor=[{"InternalID": "0000400001", "FormattedName": "Engines"}])  # fmt: skip
        peer.sandbox.state.partner(FormattedName="Archived", mobiles=[number], DeletedIndicator=True)
    bare = made["InternalID"].lstrip("0")
    asked = [Lookup(PERSON, "phone", number), Lookup(PERSON, "id", bare), Lookup(PERSON, "key", bare),
             Lookup("BusinessPartner", "key", "crm-7", "ExternalID")]  # fmt: skip
    for (record,) in peer.connector.find(asked):
        assert (record.id, record.title) == (made["InternalID"], "Ada Lovelace")
        assert record.account and (record.account.id, record.account.title) == ("0000400001", "Engines")
        assert [record.fields[name] for name in ("TelephoneNumber", "MobileNumber", "EmailAddress")] == [
            "91 411 22 33", number, mail]  # fmt: skip
        assert record.url == (
            f"{peer.served.url}/sap/bc/bsp/sap/crm_ui_start/default.htm?sap-client=100&crm-object-type=BP_ACCOUNT"
            f"&crm-object-action=B&crm-object-keyname=PARTNER&crm-object-value={made['InternalID']}"
        )
    wild = [Lookup(PERSON, "email", "*@*"), Lookup(PERSON, "id", "*"), Lookup(PERSON, "phone", "*")]
    assert peer.connector.find(wild) == [[], [], []]


def test_a_document_is_found_by_its_key_with_its_parts(peer: Peer) -> None:
    key, who = a_key(), peer.person("Ada")
    [made] = peer.connector.write(
        CALLS, [Row(key=key, fields={**peer.row(key, "Said so").fields, "BusinessPartner": who})]
    )
    ((found,),) = peer.connector.find([Lookup("Activity", "key", key, "", ("Note",))])
    assert (found.id, found.fields["Note"], found.fields["BusinessPartner"]) == (made.id, "Said so", who)


# --- writing ----------------------------------------


def test_a_creation_that_the_search_does_not_see_yet_is_not_done_twice(peer: Peer) -> None:
    row = peer.row(a_key(), "once")
    [first] = peer.connector.write(CALLS, [row])
    document = peer.documents(row.key)[0]
    with peer.sandbox.state.lock:
        hidden = peer.sandbox.state.documents["Activity"].pop(document["ID"])  # the search does not know it yet
    [again] = peer.connector.write(CALLS, [msgspec.structs.replace(row, in_doubt=True)])
    assert again.id == first.id and peer.documents(row.key) == []  # SAP answered the old confirmation
    with peer.sandbox.state.lock:
        peer.sandbox.state.documents["Activity"][hidden["ID"]] = hidden


def test_what_was_written_can_be_changed_back(peer: Peer) -> None:
    key = a_key()
    for text in ("A", "B", "A", "B", "A"):
        assert peer.connector.write(CALLS, [peer.row(key, text)])[0].outcome in ("created", "updated")
        assert peer.texts(key) == [text]


def test_long_and_strange_keys_are_kept_as_digests() -> None:
    plain = "softphone:call-1"
    assert stored_key(plain) == plain
    for key in (*HOSTILE.values(), "x" * 36, "PB.x", "a*", " a", "a "):
        assert stored_key(key) != key and len(stored_key(key)) <= LONGEST and stored_key(key) == stored_key(key)
    assert len({stored_key(key) for key in HOSTILE.values()}) == len(HOSTILE)


def test_what_is_wrong_is_said_by_field(peer: Peer) -> None:
    good = peer.row("x", "y").fields
    rows = [
        Row(key=a_key(), fields={**good, "Descripton": "A call"}),
        Row(key=a_key(), fields={**good, "Description": "x" * 41}),
        Row(key=a_key(), fields={**good, "StartDateTime": "yesterday"}),
        Row(key=a_key(), fields={**good, "DirectionCode": "3"}),
        Row(key=a_key(), fields={**good, "Note": "a\x01b"}),
    ]
    errors = [receipt.error for receipt in peer.connector.write(CALLS, rows)]
    named = [list(error.fields) for error in errors if isinstance(error, Rejected)]
    assert named == [["Descripton"], ["Description"], ["StartDateTime"], ["DirectionCode"], ["Note"]]
    assert 'did you mean "Description"?' in str(errors[0])
    missing = peer.connector.write(CALLS, [Row(key=a_key(), fields={"Description": "no type"})])[0].error
    assert isinstance(missing, Rejected) and "ProcessTypeCode" in str(missing)
    unknown = peer.connector.write(CALLS, [Row(key=a_key(), fields={**good, "BusinessPartner": "999"})])[0].error
    assert isinstance(unknown, NotFound)


def test_by_id_and_by_what_cannot_be_a_key(peer: Peer) -> None:
    [made] = peer.connector.write(CALLS, [peer.row(a_key(), "hello")])
    by_id = Target(object="Activity", key="id")
    changed = Row(key=made.id.lstrip("0"), fields={"Description": "By id"})
    assert peer.connector.write(by_id, [changed])[0].id == made.id
    assert isinstance(peer.connector.write(by_id, [Row(key="0", fields={"Description": "x"})])[0].error, NotFound)
    with pytest.raises(Rejected, match="not by"):
        peer.connector.write(Target(object="Activity", key="Description"), [changed])
    with pytest.raises(Unsupported):
        peer.connector.write(Target(object="BusinessPartner", key="InternalID"), [changed])
    with pytest.raises(Unsupported, match='did you mean "Activity"'):
        peer.connector.write(Target(object="Activty", key="ID"), [changed])
    with peer.sandbox.state.lock:
        for _ in range(2):
            peer.sandbox.state.create("Activity", {"ProcessTypeCode": "ICAL", "ExternalReferenceID": "twin"}, "")
    assert isinstance(peer.connector.write(CALLS, [peer.row("twin", "x")])[0].error, Ambiguous)


def test_a_service_request_from_a_mail(peer: Peer) -> None:
    who = peer.person("Ada")
    fields = {"ProcessTypeCode": "SRVR", "Description": "Broken", "SoldToParty": who, "Note": HOSTILE["long"]}
    row = Row(key=a_key(), fields=fields)
    [made] = peer.connector.write(REQUESTS, [row])
    assert made.outcome == "created" and "crm-object-value=" + made.id in made.url
    assert peer.connector.write(REQUESTS, [row])[0].outcome == "unchanged"
    (document,) = peer.documents(row.key, "ServiceRequest")
    assert document["Party"] == [{"RoleCode": "00000001", "BusinessPartnerInternalID": who}]


def test_nothing_is_deleted_a_removal_cancels(peer: Peer) -> None:
    row = peer.row(a_key(), "hello")
    [made] = peer.connector.write(CALLS, [row])
    peer.connector.write(CALLS, [msgspec.structs.replace(row, action="remove")])
    assert peer.sandbox.state.documents["Activity"][made.id]["StatusCode"] == CANCELLED


# --- describe ----------------------------------------


def test_describe_reads_lengths_and_enumerations_off_the_imported_schema(peer: Peer) -> None:
    described = peer.connector.describe("Activity")
    fields = {field.name: field for field in described.fields}
    assert (described.creatable, described.changeable) == (True, True)
    assert fields["ProcessTypeCode"].required and fields["Description"].max_length == 40
    assert fields["DirectionCode"].picklist == ("1", "2") and fields["EndDateTime"].type == "datetime"
    assert fields["ExternalReferenceID"].unique and fields["ExternalReferenceID"].max_length == LONGEST
    assert (fields["Note"].type, fields["BusinessPartner"].max_length) == ("longtext", 60)
    partners = peer.connector.describe("BusinessPartner")
    assert (partners.creatable, partners.changeable) == (False, False)
    assert not any(field.writable for field in partners.fields)


# --- names, files, ways to sign in ----------------------------------------


def test_a_wsdl_of_ones_own_calls_things_otherwise(tmp_path: Path) -> None:
    """As after SOAMANAGER: the WSDL is a file, and its operation, key and texts have other names."""
    with serving(SapCrmSandbox(rows=3)) as served:
        for name in ("activity.wsdl", "global.xsd"):
            text = (FOLDER / name).read_text().replace("http://localhost/", f"{served.url}/")
            text = text.replace(
                'operation name="ActivityCRMCreateRequestConfirmation_In"', 'operation name="CreateOurs"'
            )
            (tmp_path / name).write_text(text)
        told = {"url": served.url, **served.sandbox.credentials(),
                "wsdls": [f"Activity={tmp_path}/activity.wsdl", "BusinessPartner=/sap/bc/srt/wsdl/business_partner.wsdl"],
                "operations": ["Activity.create=CreateOurs", "Activity.query=ActivityCRMByElementsQueryResponse_In"],
                "parts": ["Activity.Comment = Text(TypeCode=Z001).ContentText"]}  # fmt: skip
        connector = built("sap_crm", told)
        row = Row(key="own-1", fields={"ProcessTypeCode": "ICAL", "GroupCode": "1", "Comment": "Ours"})
        assert connector.write(CALLS, [row])[0].outcome == "created"
        (document,) = served.sandbox.state.documents["Activity"].values()
        assert document["Text"] == [{"TypeCode": "Z001", "ContentText": "Ours"}]
        changed = msgspec.structs.replace(row, fields={**row.fields, "Comment": "Anew"})
        assert isinstance(connector.write(CALLS, [changed])[0].error, Unsupported)  # no operation for it is named
        wrong = built("sap_crm", told | {"operations": ["Activity.create=Nope", "Activity.query=Nope"]})
        with pytest.raises(NotFound, match="Nope"):
            wrong.describe("Activity")


@pytest.mark.parametrize("sign_in", ["usernametoken", "usernametoken_digest"])
def test_ws_security(sign_in: str) -> None:
    with serving(SapCrmSandbox(rows=3, token_only=True)) as served:
        told = {"url": served.url, **served.sandbox.credentials()}
        assert built("sap_crm", told | {"sign_in": sign_in}).check().user == "PATCHBAY"
        for wrong in ({"sign_in": "basic"}, {"sign_in": sign_in, "password": "wrong"}):
            with pytest.raises(CredentialsRefused):
                built("sap_crm", told | wrong).check()
    with pytest.raises(ConfigError, match="usernametoken_digest"):
        built("sap_crm", {"url": "https://crm.example", "user": "u", "password": "p", "sign_in": "kerberos"})


def test_settings_that_cannot_be_read_are_refused() -> None:
    told = {"url": "https://crm.example", "user": "u", "password": "p"}
    for name, value in (("parts", "Activity.Note=Text"), ("operations", "Activity"), ("wsdls", "=x")):
        with pytest.raises(ConfigError, match=name):
            built("sap_crm", told | {name: [value]})


# --- the log ----------------------------------------


def test_only_an_error_in_the_log_is_one() -> None:
    assert of_log(None, ()) is None and of_log({"MaximumLogItemSeverityCode": "2", "Item": None}, ()) is None
    assert of_log({"Item": [{"SeverityCode": "2", "Note": "A warning"}]}, ()) is None
    hidden = of_log({"MaximumLogItemSeverityCode": "1", "Item": [{"SeverityCode": "3", "Note": "Bad"}]}, ())
    assert isinstance(hidden, Rejected) and "Bad" in str(hidden)
    assert isinstance(of_log({"MaximumLogItemSeverityCode": "4"}, ()), Rejected)


# --- every fault ----------------------------------------

FAULTS: dict[str, tuple[type[ConnectorError] | None, bool]] = {
    # fault: (what the creation of the first row says, whether of that row alone)
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
    "lock": (Locked, True),
    "no_authority": (NotPermitted, True),
    "business_fault": (Rejected, True),
    "dump": (UnknownOutcome, False),
    "xml_page": (UnknownOutcome, False),
}


def test_every_fault_is_in_the_matrix(peer: Peer) -> None:
    assert set(FAULTS) | {"no_group_authority"} == set(peer.sandbox.faults.known)  # that one is a pull's: test_pages.py


@pytest.mark.parametrize("first", [True, False], ids=["at the first row", "in the middle"])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_row_is_lost_and_none_is_there_twice(peer: Peer, fault: str, first: bool) -> None:
    error, by_row = FAULTS[fault]
    rows = [peer.row(a_key(), f"text {n}") for n in range(4)]
    connector = peer.opened()
    connector.describe("Activity")
    # The search passes, and in the middle two creations; `lock` and `no_authority` are taken by writes only.
    passing = (0 if first else 2) + (fault not in ("lock", "no_authority"))
    peer.sandbox.faults.set(fault, seconds=0.05 if fault == "slow" else 30, after=passing)
    receipts: list[Any] = []
    if error is not None and not by_row and (first or error is CredentialsRefused):
        with pytest.raises(error) as raised:
            connector.write(CALLS, rows)
        assert type(raised.value) is error
        assert not isinstance(raised.value, Throttled) or 0 < (raised.value.retry_after or 0) <= 30
    else:
        receipts = list(connector.write(CALLS, rows))
        failed = {n: type(receipt.error) for n, receipt in enumerate(receipts) if receipt.outcome == "failed"}
        place, rest = (0, {}) if first else (2, {} if by_row else {3: Throttled if error is Throttled else Unavailable})
        assert failed == ({} if error is None else {place: error, **rest})
    peer.sandbox.faults.clear()
    doubted = [msgspec.structs.replace(row, in_doubt=error is UnknownOutcome) for row in rows]
    assert all(receipt.outcome != "failed" for receipt in connector.write(CALLS, doubted))
    assert [peer.texts(row.key) for row in rows] == [["text 0"], ["text 1"], ["text 2"], ["text 3"]]


def test_no_error_tells_a_name_or_the_password(peer: Peer) -> None:
    peer.sandbox.faults.set("lock")
    [failed] = peer.connector.write(CALLS, [peer.row(a_key(), "hello")])
    peer.sandbox.faults.set("unauthorized")
    with pytest.raises(CredentialsRefused) as refused:
        peer.connector.find([Lookup(PERSON, "phone", "+34612345678")])
    said = f"{failed.error} {refused.value}"
    assert not any(word in said for word in ("MUELLER", "4711", "612345678", "Welcome1!"))
