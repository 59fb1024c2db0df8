"""Writing to Dolibarr beyond the law: each own fault to its reaction, keys that answers hide, texts that it would cut."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import requests

from connectors.crm.dolibarr.errors import failed
from hub.errors import (
    Ambiguous,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from hub.flow.delivery.ownership import same
from hub.language.html_text import html_to_text, text_to_html
from hub.model import Lookup, Receipt, Row, Target
from tests.connectors.dolibarr.peer import Peer, kept
from tests.contract.given import HOSTILE, a_key, a_mail, a_number

PEOPLE = Target(object="contacts", key="ref_ext")
TICKETS = Target(object="tickets", key="track_id")


def written(peer: Peer, target: Target, *rows: Row, **settings: Any) -> list[Receipt]:
    connector: Any = peer.opened(**settings) if settings else peer.connector
    return list(connector.write(target, rows))


def event(peer: Peer, key: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = peer.sandbox.records.all("agendaevents")
    (only,) = [one for one in found if one["ref_ext"] == kept(key)]
    return only


# --- the faults of its own ----------------------------------------


@pytest.mark.parametrize("version", ["peer", "old"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("lock", Locked),
        ("validation", Rejected),
        ("crash", UnknownOutcome),
    ],
)
def test_a_fault_at_one_row_and_going_on_as_the_hub_would(version: str, fault: str, error: Any, request: Any) -> None:
    peer: Peer = request.getfixturevalue(version)
    rows = [peer.row(a_key(), f"text {n}") for n in range(4)]
    peer.sandbox.faults.set(fault)
    receipts = written(peer, peer.target, *rows) if fault != "crash" else []
    if fault == "crash":  # at the first row it is the whole call's
        with pytest.raises(UnknownOutcome):
            written(peer, peer.target, *rows)
    else:
        assert [receipt.outcome for receipt in receipts] == ["failed", "created", "created", "created"]
        assert type(receipts[0].error) is error
    again = [msgspec.structs.replace(row, in_doubt=fault == "crash") for row in rows]
    assert {receipt.outcome for receipt in written(peer, peer.target, *again)} <= {"created", "updated"}
    assert [peer.texts(row.key) for row in rows] == [[f"text {n}"] for n in range(4)]


def test_an_answer_that_is_lost_in_the_middle_stops_the_rows_after_it(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(4)]
    peer.sandbox.faults.set("reset_after", method="POST", after=1)
    receipts = written(peer, peer.target, *rows)
    assert [receipt.outcome for receipt in receipts] == ["created", "failed", "failed", "failed"]
    assert [type(receipt.error) for receipt in receipts[1:]] == [UnknownOutcome, Unavailable, Unavailable]
    again = [msgspec.structs.replace(row, in_doubt=True) for row in rows[1:]]
    assert [receipt.outcome for receipt in written(peer, peer.target, *again)] == ["updated", "created", "created"]
    assert [peer.texts(row.key) for row in rows] == [[f"text {n}"] for n in range(4)]


@pytest.mark.parametrize(
    ("fault", "error"),
    [("refused", CredentialsRefused), ("address", CredentialsRefused), ("module_off", Unavailable),
     ("database", Unavailable), ("endpoint_off", Unsupported), ("forbidden", NotPermitted)],
)  # fmt: skip
def test_what_meets_the_look_up_is_the_whole_call_s(peer: Peer, fault: str, error: Any) -> None:
    row = peer.row(a_key(), "hello")
    peer.sandbox.faults.set(fault)
    with pytest.raises(error) as failed:
        written(peer, peer.target, row)
    assert type(failed.value) is error
    assert written(peer, peer.target, row)[0].outcome == "created" and peer.texts(row.key) == ["hello"]


@pytest.mark.parametrize("version", ["peer", "old"])
def test_a_key_that_ends_in_the_middle_stops_the_rows_after_it(version: str, request: pytest.FixtureRequest) -> None:
    peer: Peer = request.getfixturevalue(version)
    rows = [peer.row(a_key(), f"text {n}") for n in range(3)]
    connector: Any = peer.opened(owner="1")
    peer.sandbox.faults.set("refused", after=2, times=-1)
    before = peer.sandbox.faults.call_count
    receipts = connector.write(peer.target, rows)
    assert [type(receipt.error) for receipt in receipts] == [type(None), CredentialsRefused, CredentialsRefused]
    assert peer.sandbox.faults.call_count - before == 3  # the look-up, a row, the one that was refused; no more


def test_a_change_that_dolibarr_does_not_make_is_no_success(peer: Peer) -> None:
    row = peer.row(a_key(), "before")
    written(peer, peer.target, row)
    peer.sandbox.faults.set("unchanged")
    (receipt,) = written(peer, peer.target, peer.row(row.key, "after"))
    assert isinstance(receipt.error, Rejected) and peer.texts(row.key) == ["before"]


# --- keys ----------------------------------------


@pytest.mark.parametrize("version", ["peer", "old"])
@pytest.mark.parametrize("there", [0, 1, 5, 16])
def test_rows_of_which_some_are_there_are_told_apart_though_answers_hide_the_key(
    version: str, there: int, request: pytest.FixtureRequest
) -> None:
    peer: Peer = request.getfixturevalue(version)
    rows = [peer.row(a_key(), f"text {n}") for n in range(16)]
    made = {receipt.key: receipt.id for receipt in written(peer, peer.target, *rows[::-1][:there])}
    before = peer.sandbox.faults.call_count
    receipts = written(peer, peer.target, *rows)
    assert [receipt.outcome for receipt in receipts] == ["created"] * (16 - there) + ["updated"] * there
    assert all(made.get(receipt.key, receipt.id) == receipt.id for receipt in receipts)
    calls = peer.sandbox.faults.call_count - before
    assert calls <= {0: 18, 1: 26, 5: 40, 16: 47}[there]
    assert [peer.texts(row.key) for row in (rows[0], rows[15])] == [["text 0"], ["text 15"]]


def test_a_key_in_an_extra_field_is_looked_up_at_once(peer: Peer) -> None:
    target = Target(object="agendaevents", key="options_patchbaykey")
    rows = [peer.row(a_key(), "hello") for _ in range(20)]
    for outcome in ("created", "updated"):
        before = peer.sandbox.faults.call_count
        assert {receipt.outcome for receipt in written(peer, target, *rows, owner="1")} == {outcome}
        assert peer.sandbox.faults.call_count - before == 21
    options = [one["array_options"] for one in peer.sandbox.records.all("agendaevents")]
    assert [one["options_patchbaykey"] for one in options].count(kept(rows[0].key)) == 1


def test_keys_that_the_database_cannot_tell_apart_make_a_record_each(peer: Peer) -> None:
    key = a_key()
    plain = key.removeprefix("softphone:")
    several = (key, key.upper(), f"{key} ", key.replace("-", "_"), f"{key}é", plain, plain.upper(), f"pb-{plain}")
    rows = [peer.row(one, f"text {one}") for one in several]
    for outcome in ("created", "updated"):
        assert {receipt.outcome for receipt in written(peer, peer.target, *rows)} == {outcome}
    notes = [one["note_private"] for one in peer.sandbox.records.all("agendaevents") if plain[5:] in str(one).lower()]
    assert sorted(notes) == sorted(row.fields["note_private"] for row in rows)


def test_a_record_that_another_system_named_is_changed_and_not_made_again(peer: Peer) -> None:
    theirs = f"CRM:{a_number()}"
    there = peer.sandbox.records.put("contacts", lastname="Theirs", ref_ext=theirs)
    peer.sandbox.records.put("contacts", lastname="Near", ref_ext=theirs.replace(":", "-"))
    (receipt,) = written(peer, PEOPLE, Row(key=theirs, fields={"poste": "Countess"}))
    assert (receipt.outcome, receipt.id) == ("updated", there)
    assert peer.sandbox.records.one("contacts", there)["ref_ext"] == theirs


def test_a_key_that_two_records_have_is_ambiguous(peer: Peer) -> None:
    key = a_key()
    for _ in range(2):
        peer.sandbox.records.put("agendaevents", label="Call", ref_ext=kept(key))
    good = peer.row(a_key(), "good")
    receipts = written(peer, peer.target, peer.row(key, "whose?"), good)
    assert isinstance(receipts[0].error, Ambiguous) and receipts[1].outcome == "created"


def test_a_row_without_a_key_is_that_row_s_failure(peer: Peer) -> None:
    good = peer.row(a_key(), "good")
    receipts = written(peer, peer.target, peer.row("", "bad"), good)
    assert isinstance(receipts[0].error, Rejected) and receipts[1].outcome == "created"


def test_a_record_is_changed_by_its_id_and_never_made_by_it(peer: Peer) -> None:
    id = peer.person("Ada Lovelace")
    target = Target(object="contacts", key="id")
    there, missing, wrong = written(
        peer, target, Row(key=id, fields={"poste": "Countess"}), Row(key="99999999", fields={}), Row(key="x", fields={})
    )
    assert (there.outcome, there.id) == ("updated", id) and peer.sandbox.records.one("contacts", id)[
        "poste"
    ] == "Countess"
    assert isinstance(missing.error, NotFound) and isinstance(wrong.error, Rejected)
    (gone,) = written(peer, target, Row(key=id, fields={}, action="remove"))
    assert gone.outcome == "removed" and id not in [one["id"] for one in peer.sandbox.records.all("contacts")]


def test_a_ticket_is_made_once_under_a_track_id_that_nobody_guesses(peer: Peer) -> None:
    key = a_key()
    row = Row(key=key, fields={"subject": "Where is it?", "message": "My <order>", "type_code": "REQUEST"})
    outcomes = [written(peer, TICKETS, row)[0].outcome for _ in range(2)]
    (ticket,) = [one for one in peer.sandbox.records.all("tickets") if one["message"] == "My ‹order›"]
    assert outcomes == ["created", "updated"] and len(ticket["track_id"]) > 64 and "call" not in ticket["track_id"]


# --- values ----------------------------------------


@pytest.mark.parametrize("text", [*HOSTILE.values(), 'O\'Brien & "Co" <b>', "a &lt; b &#39;", "../../etc", "a  b"])
def test_a_note_that_mappings_make_of_a_text_comes_back_as_that_text(peer: Peer, text: str) -> None:
    key, note = a_key(), text_to_html(text)
    written(peer, peer.target, Row(key=key, fields={**peer.row(key, "").fields, "note_private": note}))
    assert html_to_text(event(peer, key)["note_private"]) == html_to_text(note)


@pytest.mark.parametrize(
    "text", [*HOSTILE.values(), 'It\'s "done"', "a <b a < b", "&#39;", "JavaScript : x", "<!-- x -->"]
)
def test_of_a_note_that_is_a_text_nothing_is_lost_and_the_hub_sees_that_nobody_changed_it(
    peer: Peer, text: str
) -> None:
    key = a_key()
    row = Row(
        key=key, fields={**peer.row(key, "").fields, "note_private": text, "socpeopleassigned": peer.person("A B")}
    )
    written(peer, peer.target, row)
    (found,) = peer.connector.find([Lookup("agendaevents", "key", key)])[0]
    harmless = not set(text) & set("<&") and "avascript" not in text.lower()
    sent = {name: value for name, value in row.fields.items() if name != "note_private" or harmless}
    assert [name for name, value in sent.items() if not same(found.fields[name], value)] == []
    note = found.fields["note_private"]
    assert [sign for sign in note if sign.isalnum()] == [sign for sign in text if sign.isalnum()]


@pytest.mark.parametrize("text", [*HOSTILE.values(), "a &lt; b &#39; &quot c", "../../etc ..\\x", "<b", "a <1"])
def test_of_a_line_of_text_nothing_is_lost(peer: Peer, text: str) -> None:
    key = a_key()
    row = Row(key=key, fields={"lastname": "Told", "note_public": "x", "address": text[:200]})
    written(peer, PEOPLE, row)
    (found,) = [one for one in peer.sandbox.records.all("contacts") if one["ref_ext"] == kept(key)]
    letters = [sign for sign in text[:200] if sign.isalnum()]
    assert [sign for sign in found["address"] if sign.isalnum()] == letters
    assert len(found["address"]) >= len(" ".join(text[:200].split()))


def test_moments_dates_flags_and_nothing(peer: Peer) -> None:
    key = a_key()
    fields = {
        **peer.row(key, "hello").fields,
        "fulldayevent": True,
        "location": None,
        "options_seconds": 184,
        "id": "7",
    }
    written(peer, peer.target, Row(key=key, fields=fields), owner="0")
    call = event(peer, key)
    assert (call["datep"], call["datef"], call["fulldayevent"]) == (1795428120, 1795428313, "1")
    assert (call["location"], call["array_options"]["options_seconds"], call["userownerid"]) == (None, "184", "0")
    written(peer, PEOPLE, Row(key=a_key(), fields={"lastname": (name := a_key()), "birthday": "1815-12-10"}))
    (ada,) = [one for one in peer.sandbox.records.all("contacts") if one["lastname"] == name]
    assert ada["birthday"] == datetime(1815, 12, 10, 12, tzinfo=UTC).timestamp()


def test_the_owner_is_the_row_s_else_the_settings_else_the_hub_s_user(peer: Peer) -> None:
    ana = peer.sandbox.records.put("users", login=a_key()[:50])
    owners = []
    for more, settings in (({"userownerid": ana}, {}), ({}, {"owner": "2"}), ({}, {})):
        key = a_key()
        written(peer, peer.target, Row(key=key, fields={**peer.row(key, "x").fields, **more}), **settings)
        owners.append(event(peer, key)["userownerid"])
    assert owners == [ana, "2", peer.sandbox.records.me]


def test_whom_somebody_else_put_on_a_call_stays_there(peer: Peer) -> None:
    key, caller, colleague, third = a_key(), peer.person("Ada"), peer.person("Charles"), peer.person("Mary")
    row = Row(key=key, fields={**peer.row(key, "hello").fields, "socpeopleassigned": caller})
    (made,) = written(peer, peer.target, row)
    assert list(event(peer, key)["socpeopleassigned"]) == [caller]
    records = peer.sandbox.records
    records.update("agendaevents", made.id, {"socpeopleassigned": {one: {"id": one} for one in (caller, colleague)}})
    for wanted in ([caller], [third], third):
        changed = Row(key=key, fields={**row.fields, "socpeopleassigned": wanted})
        assert written(peer, peer.target, changed)[0].outcome == "updated"
    assert list(event(peer, key)["socpeopleassigned"]) == [caller, colleague, third]


def test_nothing_is_sent_where_everybody_is_on_the_call_already(peer: Peer) -> None:
    key, caller = a_key(), peer.person("Ada Lovelace")
    written(peer, peer.target, Row(key=key, fields={**peer.row(key, "hello").fields, "socpeopleassigned": [caller]}))
    before = peer.sandbox.faults.call_count
    (receipt,) = written(peer, peer.target, Row(key=key, fields={"socpeopleassigned": [caller]}))
    assert receipt.outcome == "unchanged" and receipt.id
    assert peer.sandbox.faults.call_count - before == 2  # the look-up, the event as it is


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("lastname", None, {"lastname": "missing"}),
        ("phone_pro", "+34 612 345 678 and 20 more letters", {"phone": "not as the database takes it"}),
        ("socid", "99999999", {}),
        ("socid", "of ada@example.com, +34 612 345 678", {"fk_soc": "not as the database takes it"}),
        ("email", "nobody at +34612345678", {}),
    ],
)
def test_a_refused_row_says_why_and_tells_no_value(peer: Peer, field: str, value: Any, named: dict[str, str]) -> None:
    (receipt,) = written(peer, PEOPLE, Row(key=a_key(), fields={"lastname": "King", field: value}))
    assert isinstance(receipt.error, Rejected) and receipt.error.fields == named
    assert "345" not in str(receipt.error) and "ada@" not in str(receipt.error)


def test_people_are_made_and_changed_with_their_extra_fields(peer: Peer) -> None:
    key, mail = a_key(), a_mail()
    row = Row(key=key, fields={"lastname": "King", "email": mail, "options_consent": True})
    for told, outcome in ((row, "created"), (Row(key=key, fields={"options_donotcall": True}), "updated")):
        assert written(peer, PEOPLE, told)[0].outcome == outcome
    (found,) = [one for one in peer.sandbox.records.all("contacts") if one["email"] == mail]
    assert found["array_options"] == {"options_consent": "1", "options_donotcall": "1"}


def test_users_are_not_written(peer: Peer) -> None:
    with pytest.raises(Unsupported):
        written(peer, Target(object="users", key="login"), Row(key="x", fields={}))


def test_fifty_new_rows_take_a_look_up_and_fifty_writes(peer: Peer) -> None:
    connector: Any = peer.opened(owner="1")
    rows = [peer.row(a_key(), "one of many") for _ in range(50)]
    before = peer.sandbox.faults.call_count
    assert {receipt.outcome for receipt in connector.write(peer.target, rows)} == {"created"}
    assert peer.sandbox.faults.call_count - before == 51


def test_the_peer_s_own_reading_of_notes_is_fair(peer: Peer) -> None:
    """What the law compares comes through the sandbox's cutting, not around it."""
    id = peer.sandbox.records.create(
        "agendaevents",
        {
            "userownerid": "1",
            "type_code": "AC_TEL",
            "note_private": "<p>O&#x27;Brien<script>x</script></p>",
            "label": 'a "b" <i>',
        },
        old=False,
    )
    kept_event = peer.sandbox.records.one("agendaevents", id)
    assert kept_event["note_private"] == "<p>O;Brienx</p>" and kept_event["label"] == "a b"
    assert html.unescape("O&#x27;Brien") == "O'Brien"


def test_an_error_that_is_nested_deeper_than_anybody_means_is_one_all_the_same() -> None:
    answer = requests.Response()
    answer.status_code, answer._content = 500, b"[" * 100_000
    assert isinstance(failed(answer, changes=True), UnknownOutcome)
    assert not isinstance(failed(answer, changes=False), UnknownOutcome)
