"""Writing to Siebel beyond the law of all connectors: every fault and what comes of it, arrays, keys, services."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import requests

from connectors.crm.siebel.errors import CODES, failed, refusal
from connectors.crm.siebel.values import KEY_LENGTH, stored_key
from hub.errors import (
    Ambiguous,
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
from hub.model import Row, Target
from sandbox.frame.faults import FAULTS
from sandbox.siebel import OWN_FAULTS
from tests.connectors.siebel.peer import ACTIONS, CONTACTS, KEY, SERVICE, Peer
from tests.contract.given import HOSTILE, a_key, a_number

# What a fault is while something is read; None: it is got over.
READING = {"down": Unavailable, "throttled": Throttled, "throttled_until": Throttled, "reset": Unavailable,
           "reset_after": Unavailable, "failed_after": Unavailable, "truncated": Unavailable, "login_page": Unavailable,
           "html": Unavailable, "slow": None, "gzip": None, "refused": CredentialsRefused, "expired": CredentialsRefused,
           "forbidden": NotPermitted, "server_error": Unavailable, "object_manager": Unavailable, "modified": None,
           "no_content": None, "bare_records": None, "small_pages": Rejected, "other_order": None,
           "no_status": None, "no_updated": None}  # fmt: skip
WRITING = {**READING, "reset": UnknownOutcome, "reset_after": UnknownOutcome, "failed_after": UnknownOutcome,
           "truncated": UnknownOutcome, "html": UnknownOutcome, "server_error": UnknownOutcome,
           "object_manager": UnknownOutcome}  # fmt: skip


def test_every_fault_is_in_the_matrix() -> None:
    assert set(READING) == set(WRITING) == {*FAULTS, *OWN_FAULTS}


@pytest.mark.parametrize("way", ["look-up", "service"])
@pytest.mark.parametrize("when", ["read", "sent"])
@pytest.mark.parametrize("fault", sorted(READING))
def test_a_fault_and_the_rows_after_it(peer: Peer, fault: str, when: str, way: str) -> None:
    """The rows are written while it fails, and again as the hub would: each is there exactly once in the end."""
    connector: Any = peer.opened(upsert_by=[SERVICE] if way == "service" else [])
    connector.write(peer.target, [peer.row(a_key(), "so that the fields are known")])
    if way == "service" and when == "read":
        return  # nothing is read before rows go by a service
    expected = (READING if when == "read" else WRITING)[fault]
    if fault == "small_pages" and way == "service":
        expected = None  # a page is asked for by a look-up only
    rows = [peer.row(a_key(), f"text {n}") for n in range(4)]
    told: dict[str, Any] = {"seconds": 0.01} if fault == "slow" else {}
    if fault in FAULTS:
        told["method"] = "POST" if when == "sent" else "GET"
    elif fault in ("expired", "refused", "forbidden", "server_error", "object_manager"):
        told["after"] = 1 if when == "sent" and way == "look-up" else 0
    peer.sandbox.faults.set(fault, **told)
    doubt = False
    try:
        receipts = list(connector.write(peer.target, rows))
    except ConnectorError as error:
        assert expected is not None and type(error) is expected, f"{fault}: {error!r}"
        doubt, receipts = isinstance(error, UnknownOutcome), []
    else:
        assert expected is None, f"{fault} was not noticed"
        failed = [receipt for receipt in receipts if receipt.outcome == "failed"]
        assert len(failed) == 0 or fault == "modified"
        assert all(isinstance(receipt.error, Locked) for receipt in failed)
    peer.sandbox.faults.clear()
    done = {receipt.key for receipt in receipts if receipt.outcome != "failed"}
    again = [msgspec.structs.replace(row, in_doubt=doubt) for row in rows if row.key not in done]
    written = connector.write(peer.target, again)
    assert all(receipt.outcome in ("created", "updated", "unchanged") and receipt.id for receipt in written)
    assert [peer.texts(row.key) for row in rows] == [[f"text {n}"] for n in range(4)]


def test_a_record_that_somebody_changes_just_now_holds_up_nobody_else(peer: Peer) -> None:
    rows = [peer.row(a_key(), "before") for _ in range(6)]
    peer.connector.write(peer.target, rows)
    peer.sandbox.faults.set("modified", times=4)  # of the whole, of a half, of a quarter, and of the one
    after = [peer.row(row.key, "after") for row in rows]
    receipts = peer.connector.write(peer.target, after)
    assert [receipt.outcome for receipt in receipts] == ["failed", *["updated"] * 5]
    assert isinstance(receipts[0].error, Locked)


# --- arrays ----------------------------------------


def test_two_hundred_rows_take_a_handful_of_calls(peer: Peer) -> None:
    peer.connector.write(peer.target, [peer.row(a_key(), "the first is made alone")])
    rows = [peer.row(a_key(), "one of many") for _ in range(200)]
    before = peer.sandbox.faults.call_count
    assert all(receipt.outcome == "created" for receipt in peer.connector.write(peer.target, rows))
    assert peer.sandbox.faults.call_count - before == 3 + 2
    before = peer.sandbox.faults.call_count
    changed = [peer.row(row.key, "changed") for row in rows]
    assert all(receipt.outcome == "updated" for receipt in peer.connector.write(peer.target, changed))
    assert peer.sandbox.faults.call_count - before == 3 + 2
    gone = [msgspec.structs.replace(row, action="remove") for row in rows]
    assert all(receipt.outcome == "removed" for receipt in peer.connector.write(peer.target, gone))
    assert peer.sandbox.faults.call_count - before == 2 * (3 + 2)


def test_rows_that_say_nothing_new_are_unchanged(peer: Peer) -> None:
    rows = [peer.row(a_key(), "the same") for _ in range(3)]
    peer.connector.write(peer.target, rows)
    again = peer.connector.write(peer.target, rows)
    assert [receipt.outcome for receipt in again] == ["unchanged"] * 3 and all(receipt.id for receipt in again)


@pytest.mark.parametrize("way", ["look-up", "service"])
def test_the_wrong_ones_of_an_array_are_found_by_halves(peer: Peer, way: str) -> None:
    connector: Any = peer.opened(upsert_by=[SERVICE] if way == "service" else [])
    connector.write(peer.target, [peer.row(a_key(), "the first is made alone")])
    rows = [peer.row(a_key(), "good") for _ in range(16)]
    rows[5], rows[11] = peer.bad_row(rows[5].key), Row(key=rows[11].key, fields={"Comment": "without its Type"})
    receipts = connector.write(peer.target, rows)
    assert [place for place, receipt in enumerate(receipts) if receipt.outcome == "failed"] == [5, 11]
    assert all(isinstance(receipts[place].error, Rejected) for place in (5, 11))
    assert [len(peer.texts(row.key)) for row in rows] == [place not in (5, 11) for place in range(16)]


def test_an_old_server_takes_row_by_row(peer: Peer) -> None:
    connector: Any = peer.opened(rows_per_request=1)
    rows = [peer.row(a_key(), "one by one") for _ in range(3)]
    assert [receipt.outcome for receipt in connector.write(peer.target, rows)] == ["created"] * 3
    changed = [peer.row(row.key, "changed") for row in rows]
    assert [receipt.outcome for receipt in connector.write(peer.target, changed)] == ["updated"] * 3
    paths = {path for (method, path) in peer.sandbox.faults.calls if method == "PUT"}
    assert any(path.startswith("/siebel/v1.0/data/Action/Action/1-") for path in paths)


def test_a_refused_row_names_its_field_and_no_value(peer: Peer) -> None:
    row = Row(key=a_key(), fields={**peer.row("", "").fields, "Status": "+34612345678"})
    (receipt,) = peer.connector.write(peer.target, [row])
    assert isinstance(receipt.error, Rejected) and list(receipt.error.fields) == ["Status"]
    assert "612345678" not in str(receipt.error) and "612345678" not in str(receipt.error.fields)


def test_nothing_more_is_made_where_what_was_made_is_not_seen(peer: Peer) -> None:
    connector: Any = peer.opened(view_modes=["Action=Personal"])
    rows = [peer.row(a_key(), "hidden") for _ in range(5)]
    first, *rest = connector.write(peer.target, rows)
    assert first.outcome == "created" and all(isinstance(receipt.error, NotPermitted) for receipt in rest)
    assert "view_mode" in str(rest[0].error)
    assert [len(peer.texts(row.key)) for row in rows] == [1, 0, 0, 0, 0]
    (later,) = connector.write(peer.target, [peer.row(a_key(), "hidden too")])
    assert isinstance(later.error, NotPermitted)


def test_what_it_made_is_seen_once_somebody_lets_it(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    connector: Any = peer.opened(view_modes=["Action=Personal"])
    assert connector.write(peer.target, [peer.row(a_key(), "hidden")])[0].outcome == "created"
    monkeypatch.setattr("sandbox.siebel.wire.HIDES", ())
    assert [receipt.outcome for receipt in connector.write(peer.target, [peer.row(a_key(), "seen")])] == ["created"]


def test_the_first_record_may_go_again(peer: Peer) -> None:
    connector: Any = peer.opened()
    (receipt,) = connector.write(peer.target, [peer.row(a_key(), "a trial, which somebody deletes")])
    peer.sandbox.records.delete(ACTIONS, receipt.id)
    assert connector.write(peer.target, [peer.row(a_key(), "the next")])[0].outcome == "created"


@pytest.mark.parametrize("way", ["look-up", "service"])
def test_a_key_that_comes_twice_is_written_in_turn(peer: Peer, way: str) -> None:
    connector: Any = peer.opened(upsert_by=[SERVICE] if way == "service" else [])
    key = a_key()
    rows = [peer.row(key, "one"), peer.row(a_key(), "other"), peer.row(key, "two")]
    assert [receipt.outcome for receipt in connector.write(peer.target, rows)] == ["created", "created", "updated"]
    assert peer.texts(key) == ["two"]


def test_a_bad_first_row_does_not_stand_for_the_others(peer: Peer) -> None:
    connector: Any = peer.opened()
    rows = [peer.bad_row(a_key()), *(peer.row(a_key(), "good") for _ in range(3))]
    assert [receipt.outcome for receipt in connector.write(peer.target, rows)] == ["failed", *["created"] * 3]


# --- keys ----------------------------------------


def test_a_key_that_does_not_fit_stands_there_by_its_digest() -> None:
    assert stored_key("call-1") == "call-1" and stored_key("x" * KEY_LENGTH) == "x" * KEY_LENGTH
    long = [stored_key(f"softphone:call-{n:040}") for n in range(2)]
    assert long[0] != long[1] == stored_key(f"softphone:call-{1:040}")
    for text in {*HOSTILE.values(), "", " call", "call ", "a*", "ñ"} - {"_"}:
        assert len(stored_key(text)) == KEY_LENGTH and stored_key(text).isalnum()
    assert stored_key(long[0]) not in (long[0], long[1])  # a key that looks like a digest is no other key's


def test_a_key_that_two_records_have_is_ambiguous(peer: Peer) -> None:
    key = f"k{a_number()}"
    for name in ("One", "Two"):
        peer.sandbox.records.insert(CONTACTS, {"Last Name": name, "Integration Id": key})
    target = Target(object="Contact", key="Integration Id")
    row = Row(key=key, fields={"Last Name": "Three"})
    (receipt,) = peer.connector.write(target, [row])
    assert isinstance(receipt.error, Ambiguous)
    native: Any = peer.opened(
        upsert_by=["Contact.Integration Id=Siebel Contact/InsertOrUpdate/Contact Interface/Contact"]
    )
    assert isinstance(native.write(target, [row])[0].error, Ambiguous)


def test_a_record_is_changed_by_its_id_and_never_made_by_it(peer: Peer) -> None:
    id = peer.person("Ada Lovelace")
    rows = [
        Row(key=id, fields={"Job Title": "Countess"}),
        *(Row(key=key, fields={"Last Name": "X"}) for key in ("1-NO", "'\"")),
    ]
    there, missing, wrong = peer.connector.write(Target(object="Contact", key="id"), rows)
    assert there.outcome == "updated" and there.id == id
    assert isinstance(missing.error, NotFound) and isinstance(wrong.error, NotFound)


def test_a_duplicate_by_another_user_key_is_refused(peer: Peer) -> None:
    target, fields = Target(object="Account", key="Integration Id"), {"Name": f"Engines {a_number()}", "Location": "HQ"}
    first, second = (peer.connector.write(target, [Row(key=a_key(), fields=fields)])[0] for _ in range(2))
    assert first.outcome == "created" and isinstance(second.error, Rejected)


def test_another_writer_was_faster(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is not there when it is looked up and is there when the row goes: the row is tried again, and changes it."""
    connector: Any = peer.connector
    row = peer.row(a_key(), "ours")
    peer.connector.write(peer.target, [peer.row(a_key(), "the first is made alone")])
    seek = connector._writer._there

    def too_early(*told: Any) -> dict[str, list[str]]:
        found: dict[str, list[str]] = seek(*told)
        peer.sandbox.records.insert(ACTIONS, {"Type": "Other", "Comment": "theirs", KEY: stored_key(row.key)})
        return found

    monkeypatch.setattr(connector._writer, "_there", too_early)
    (receipt,) = connector.write(peer.target, [row])
    monkeypatch.undo()
    assert isinstance(receipt.error, Locked)
    assert connector.write(peer.target, [row])[0].outcome == "updated" and peer.texts(row.key) == ["ours"]


@pytest.mark.parametrize("action", ["remove", "upsert"])
def test_what_somebody_removes_just_now_is_no_failure(peer: Peer, monkeypatch: pytest.MonkeyPatch, action: Any) -> None:
    connector: Any = peer.connector
    rows = [peer.row(a_key(), "soon gone") for _ in range(3)]
    ids = [receipt.id for receipt in connector.write(peer.target, rows)]
    seek = connector._writer._there

    def too_early(*told: Any) -> dict[str, list[str]]:
        found: dict[str, list[str]] = seek(*told)
        peer.sandbox.records.delete(ACTIONS, ids[1])
        return found

    monkeypatch.setattr(connector._writer, "_there", too_early)
    again = [msgspec.structs.replace(peer.row(row.key, "changed"), action=action) for row in rows]
    receipts = connector.write(peer.target, again)
    if action == "remove":
        assert [receipt.outcome for receipt in receipts] == ["removed", "unchanged", "removed"]
    else:
        assert [receipt.outcome for receipt in receipts] == ["updated", "created", "updated"]
        assert receipts[1].id != ids[1] and receipts[1].id in receipts[1].url
        assert [peer.texts(row.key) for row in rows] == [["changed"]] * 3


# --- services ----------------------------------------


def test_a_service_that_matches_by_the_key_needs_no_look_up(peer: Peer) -> None:
    connector: Any = peer.opened(upsert_by=[SERVICE])
    connector.write(peer.target, [peer.row(a_key(), "so that the fields are known")])
    rows = [peer.row(a_key(), "one of many") for _ in range(200)]
    before = peer.sandbox.faults.call_count
    made = connector.write(peer.target, rows)
    changed = connector.write(peer.target, [peer.row(row.key, "changed") for row in rows])
    assert peer.sandbox.faults.call_count - before == 2 + 2
    assert {receipt.outcome for receipt in made} == {"created"} and {receipt.outcome for receipt in changed} == {
        "updated"
    }
    assert [receipt.id for receipt in made] == [receipt.id for receipt in changed]
    gone = [msgspec.structs.replace(row, action="remove") for row in rows[:3]]
    assert [receipt.outcome for receipt in connector.write(peer.target, gone)] == ["removed"] * 3


def test_what_a_service_does_not_tell_is_looked_up(peer: Peer) -> None:
    connector: Any = peer.opened(upsert_by=[SERVICE])
    peer.sandbox.faults.set("no_status", times=-1)
    rows = [peer.row(a_key(), "without status") for _ in range(2)]
    receipts = connector.write(peer.target, rows)
    ids = {one[KEY]: one["Id"] for one in peer.sandbox.records.all("Action/Action")}
    assert [receipt.id for receipt in receipts] == [ids[stored_key(row.key)] for row in rows]


def test_a_service_that_is_not_enabled_is_said_once(peer: Peer) -> None:
    connector: Any = peer.opened(upsert_by=["Action.Activity UID=No Service/InsertOrUpdate/Action Interface/Action"])
    before = peer.sandbox.faults.call_count
    with pytest.raises(NotFound, match="SBL-EAI-50257"):
        connector.write(peer.target, [peer.row(a_key(), "never") for _ in range(50)])
    assert peer.sandbox.faults.call_count - before == 2


# --- values ----------------------------------------


def test_values_go_as_siebel_writes_them(peer: Peer) -> None:
    connector: Any = peer.opened(zone="Europe/Madrid")
    fields = {"Last Name": "Lovelace", "Birth Date": "1815-12-10", "Suppress All Calls": True, "X Call Consent": "false",
              "Job Title": None, "Comment": Decimal("1.50"), "Account Id": 7, "Created": "ignored"}  # fmt: skip
    connector.write(Target(object="Contact", key="Integration Id"), [Row(key="values-1", fields=fields)])
    (stored,) = (one for one in peer.sandbox.records.all("Contact/Contact") if one["Integration Id"] == "values-1")
    assert (stored["Birth Date"], stored["Suppress All Calls"], stored["X Call Consent"]) == ("12/10/1815", "Y", "N")
    assert (stored["Job Title"], stored["Comment"], stored["Account Id"]) == ("", "1.50", "7")
    moments = {
        "Started": dt.datetime(2026, 7, 1, 10, tzinfo=dt.UTC),
        "Done": "2026-07-01T12:30:00+02:00",
        "Type": "Other",
    }
    row = Row(key=a_key(), fields=moments)
    connector.write(peer.target, [row])
    (stored,) = (one for one in peer.sandbox.records.all("Action/Action") if one[KEY] == stored_key(row.key))
    assert (stored["Started"], stored["Done"]) == ("07/01/2026 12:00:00", "07/01/2026 12:30:00")


def test_a_date_that_is_none_is_that_row_s_failure(peer: Peer) -> None:
    row = Row(key=a_key(), fields={"Type": "Other", "Started": "tomorrow"})
    (receipt,) = peer.connector.write(peer.target, [row])
    assert isinstance(receipt.error, Rejected) and "SBL-DAT-00359" in str(receipt.error)


@pytest.mark.parametrize("name", ["a,b", "a]b", 'a"b', "", "Id]=1"])
def test_what_is_no_name_of_a_field_is_never_sent(peer: Peer, name: str) -> None:
    (receipt,) = peer.connector.write(peer.target, [Row(key=a_key(), fields={"Type": "Other", name: "x"})])
    assert isinstance(receipt.error, Rejected)
    with pytest.raises(Rejected):
        peer.connector.write(Target(object="Action", key=name or "]"), [peer.row(a_key(), "x")])


def test_the_members_of_a_list_are_not_written(peer: Peer) -> None:
    with pytest.raises(Unsupported):
        peer.connector.write(Target(object="List Member", key="Id"), [Row(key="1-A", fields={})])


# --- what an error means ----------------------------------------


class Told:
    """As much of an answer as an error is read from."""

    def __init__(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.status_code, self.content = status, body
        self.headers = {"Content-Type": kind}


WRAPPED = (
    "Method 'WriteRecord' of business component 'Account' returned the following error: "
    '\\"The customer you are creating already exists.(SBL-EXL-00151)\\"(SBL-EAI-04451)'
)
INVOKED = "Error invoking service 'EAI Siebel Adapter'(SBL-BPR-00162)--No user key can be used(SBL-EAI-04397)"


@pytest.mark.parametrize(
    ("status", "words", "kind", "row"),
    [
        (500, "modified by another user(SBL-DAT-00523)", Locked, True),
        (500, WRAPPED, Rejected, True),
        (500, INVOKED, Rejected, True),
        (500, "Access to Resource is denied(SBL-DAT-00825)", NotPermitted, False),
        (500, "you may not(SBL-DAT-00553)", NotPermitted, True),
        (500, "some other refusal(SBL-ABC-99999)", Rejected, True),
        (500, "the net(SBL-NET-01201)", UnknownOutcome, False),
        (500, "secret(SBL-SEC-10018)", CredentialsRefused, False),
        (500, "Internal Server Error", UnknownOutcome, False),
        (401, "some other refusal(SBL-ABC-99999)", CredentialsRefused, False),
        (503, "", Unavailable, False),
        (404, "not enabled(SBL-EAI-50297)", NotFound, False),
        (404, "There is no data for the requested resource", NotFound, True),
        (405, "", NotPermitted, False),
        (415, "", Rejected, False),
        (418, "", Rejected, False),
    ],
)
def test_an_error_means_what_its_code_says(status: int, words: str, kind: type[ConnectorError], row: bool) -> None:
    told: Any = Told(status, f'{{"ERROR": "{words}"}}'.encode())
    why = refusal(told, changes=True)
    assert type(why.error) is kind and why.row is row


def test_a_page_of_somebody_else_s_tells_nothing() -> None:
    told: Any = Told(500, b"<html>(SBL-DAT-00523) ada@example.com</html>", "text/html")
    why = refusal(told, changes=False)
    assert type(why.error) is Unavailable and "ada" not in str(why.error)


def test_the_table_has_no_code_twice_and_only_codes() -> None:
    assert all(len(code) == 13 and code.startswith("SBL-") for code in CODES)


def test_an_error_that_is_nested_deeper_than_anybody_means_is_one_all_the_same() -> None:
    answer = requests.Response()
    answer.status_code, answer._content = 500, b"[" * 100_000
    assert isinstance(failed(answer, changes=True), UnknownOutcome)
    assert not isinstance(failed(answer, changes=False), UnknownOutcome)
