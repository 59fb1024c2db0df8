"""Writing to EspoCRM beyond the law: its own faults, duplicates, relations, moments, calls, errors that tell nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hub.errors import (
    Ambiguous,
    ConnectorError,
    CredentialsRefused,
    NotFound,
    NotPermitted,
    Rejected,
    Unavailable,
    UnknownOutcome,
)
from hub.model import Row, Target
from sandbox.espocrm import OWN_FAULTS
from tests.connectors.espocrm.peer import KEY, Peer
from tests.contract.given import a_key, a_mail, a_number

PEOPLE = Target(object="Contact", key=KEY)

# What each of EspoCRM's own faults is while a row is written; None: it does not come to writing.
WRITING: dict[str, type[ConnectorError] | None] = {
    "refused": CredentialsRefused, "forbidden": NotPermitted, "maintenance": Unavailable, "broken": UnknownOutcome,
    "duplicate": Ambiguous, "duplicate_unnamed": Ambiguous, "validation": Rejected, "plain_400": Rejected,
    "whole_metadata": None, "small_pages": None,
}  # fmt: skip
LOOKING_UP = {**WRITING, "broken": Unavailable, "small_pages": NotPermitted}


def written(peer: Peer, target: Target, *rows: Row, **settings: Any) -> list[Any]:
    connector: Any = peer.opened(**settings) if settings else peer.connector
    return list(connector.write(target, rows))


def stored(peer: Peer, entity: str, key: str) -> list[dict[str, Any]]:
    return [one for one in peer.sandbox.records.all(entity) if one[KEY] == key]


# --- every fault of its own ----------------------------------------


def test_every_fault_is_in_the_matrix() -> None:
    assert set(WRITING) == set(OWN_FAULTS)


@pytest.mark.parametrize("when", ["looking up", "writing"])
@pytest.mark.parametrize("fault", sorted(WRITING))
def test_a_fault_and_the_rows_after_it(peer: Peer, fault: str, when: str) -> None:
    """The rows are written while it fails, and again as the hub would: each is there exactly once in the end."""
    rows = [peer.row(a_key(), f"text {n}") for n in range(4)]
    written(peer, peer.target, peer.row(a_key(), "the definitions are known"))
    after = 0 if when == "looking up" or fault.startswith(("duplicate", "validation", "plain")) else 1
    peer.sandbox.faults.set(fault, after=after)
    expected = (WRITING if when == "writing" else LOOKING_UP)[fault]
    try:
        receipts = written(peer, peer.target, *rows)
    except ConnectorError as error:
        assert expected is not None and type(error) is expected
        receipts = []
    else:
        failed = [receipt for receipt in receipts if receipt.outcome == "failed"]
        assert all(isinstance(receipt.error, expected or Unavailable) for receipt in failed)
        assert bool(failed) == (expected is not None)
    peer.sandbox.faults.clear()
    done = {receipt.key for receipt in receipts if receipt.outcome != "failed"}
    again = [msgspec.structs.replace(row, in_doubt=True) for row in rows if row.key not in done]
    assert all(receipt.outcome in ("created", "updated") for receipt in written(peer, peer.target, *again))
    assert [peer.texts(row.key) for row in rows] == [[f"text {n}"] for n in range(4)]


def test_an_answer_that_is_lost_in_the_middle_stops_the_rows_after_it(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(4)]
    written(peer, peer.target, peer.row(a_key(), "the definitions are known"))
    peer.sandbox.faults.set("reset_after", method="POST", after=1)
    receipts = written(peer, peer.target, *rows)
    assert [receipt.outcome for receipt in receipts] == ["created", "failed", "failed", "failed"]
    assert [type(receipt.error) for receipt in receipts[1:]] == [UnknownOutcome, Unavailable, Unavailable]
    again = [msgspec.structs.replace(row, in_doubt=True) for row in rows[1:]]
    assert [receipt.outcome for receipt in written(peer, peer.target, *again)] == ["updated", "created", "created"]
    assert [peer.texts(row.key) for row in rows] == [[f"text {n}"] for n in range(4)]


def test_a_disabled_user_in_the_middle_stops_the_rows_after_it(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(3)]
    written(peer, peer.target, peer.row(a_key(), "the definitions are known"))
    peer.sandbox.faults.set("refused", after=2, times=-1)
    before = peer.sandbox.faults.call_count
    receipts = written(peer, peer.target, *rows)
    assert [type(receipt.error) for receipt in receipts] == [type(None), CredentialsRefused, CredentialsRefused]
    assert peer.sandbox.faults.call_count - before == 3  # the look-up, a row, the one that was refused; no more


def test_signed_rows_are_made_changed_related_and_removed(peer: Peer) -> None:
    signed = {"api_key": peer.sandbox.hmac_key, "secret_key": peer.sandbox.hmac_secret}
    key, caller = a_key(), peer.person("Ada Lovelace")
    row = Row(key=key, fields={**peer.row(key, "hello").fields, "contactsIds": [caller]})
    gone = msgspec.structs.replace(row, action="remove")
    outcomes = [written(peer, peer.target, one, **signed)[0].outcome for one in (row, row, gone)]
    assert outcomes == ["created", "updated", "removed"]


# --- duplicates ----------------------------------------


def someone(peer: Peer, key: str, **more: Any) -> Row:
    return Row(key=key, fields={"firstName": "Ada", "lastName": f"L{a_number()}", **more})


def test_a_duplicate_is_parked_and_its_candidates_are_named(peer: Peer) -> None:
    mail = a_mail()
    there = peer.person("Somebody Else", email=mail)
    (receipt,) = written(peer, PEOPLE, someone(peer, a_key(), emailAddress=mail))
    assert isinstance(receipt.error, Ambiguous) and receipt.error.name == "ambiguous"
    assert there in str(receipt.error) and mail not in repr((receipt.error, vars(receipt.error)))
    assert type(receipt.error) is Ambiguous
    assert receipt.error.then.value == "park" and stored(peer, "Contact", receipt.key) == []


def test_a_duplicate_can_be_updated_and_has_our_key_then(peer: Peer) -> None:
    mail, key = a_mail(), a_key()
    there = peer.person("Somebody Else", email=mail)
    row = someone(peer, key, emailAddress=mail, description="ours now")
    for _ in range(2):
        (receipt,) = written(peer, PEOPLE, row, duplicates="update")
        assert (receipt.outcome, receipt.id) == ("updated", there)
    (kept,) = stored(peer, "Contact", key)
    assert (kept["id"], kept["description"]) == (there, "ours now")


def test_a_duplicate_that_has_another_key_is_another_row_s_record(peer: Peer) -> None:
    mail, other = a_mail(), a_key()
    peer.sandbox.records.put("Contact", lastName="Taken", emailAddress=mail, patchbayKey=other)
    (receipt,) = written(peer, PEOPLE, someone(peer, a_key(), emailAddress=mail), duplicates="update")
    assert isinstance(receipt.error, Ambiguous)
    assert [one["lastName"] for one in stored(peer, "Contact", other)] == ["Taken"]


@pytest.mark.parametrize("keyed", [False, True])
def test_of_several_duplicates_none_is_chosen(peer: Peer, keyed: bool) -> None:
    mail = a_mail()
    peer.person("One Twin", email=mail)
    peer.sandbox.records.put("Contact", lastName="Other Twin", emailAddress=mail, **({KEY: a_key()} if keyed else {}))
    (receipt,) = written(peer, PEOPLE, someone(peer, a_key(), emailAddress=mail), duplicates="update")
    assert isinstance(receipt.error, Ambiguous)


def test_a_duplicate_can_be_made_all_the_same(peer: Peer) -> None:
    mail, key = a_mail(), a_key()
    peer.person("Somebody Else", email=mail)
    (receipt,) = written(peer, PEOPLE, someone(peer, key, emailAddress=mail), duplicates="create")
    assert receipt.outcome == "created" and len(stored(peer, "Contact", key)) == 1


# --- values ----------------------------------------


def test_moments_go_in_utc_and_links_as_lists(peer: Peer) -> None:
    key, caller = a_key(), peer.person("Ada Lovelace")
    more = {"parentType": "Contact", "parentId": caller, "contactsIds": caller, "id": "ours"}
    row = peer.row(key, "hello")
    written(peer, peer.target, Row(key=key, fields={**row.fields, **more, "direction": None}))
    (call,) = stored(peer, "Call", key)
    assert (call["dateStart"], call["dateEnd"]) == ("2026-11-23 10:02:00", "2026-11-23 10:05:13")
    assert (call["parentType"], call["parentId"], call["contactsIds"]) == ("Contact", caller, [caller])
    assert call["direction"] == "Outbound"  # nothing was said of it, so EspoCRM's default stands
    assert call["assignedUserId"] == peer.sandbox.records.owner


def test_whom_somebody_else_put_on_a_call_stays_there(peer: Peer) -> None:
    key, caller, colleague = a_key(), peer.person("Ada Lovelace"), peer.person("Charles Babbage")
    row = Row(key=key, fields={**peer.row(key, "hello").fields, "contactsIds": [caller]})
    (made,) = written(peer, peer.target, row)
    peer.sandbox.records.relate("Call", made.id, "contacts", [colleague])
    (changed,) = written(peer, peer.target, row)
    assert changed.outcome == "updated" and changed.id == made.id
    assert peer.sandbox.records.related("Call", made.id, "contacts") == [caller, colleague]
    third = peer.person("Mary Somerville")
    written(peer, peer.target, Row(key=key, fields={**row.fields, "contactsIds": [third]}))
    assert peer.sandbox.records.related("Call", made.id, "contacts") == [caller, colleague, third]


def test_nothing_is_sent_where_everybody_is_on_the_call_already(peer: Peer) -> None:
    key, caller = a_key(), peer.person("Ada Lovelace")
    written(peer, peer.target, Row(key=key, fields={**peer.row(key, "hello").fields, "contactsIds": [caller]}))
    before = peer.sandbox.faults.call_count
    (receipt,) = written(peer, peer.target, Row(key=key, fields={"contactsIds": [caller]}))
    assert receipt.outcome == "unchanged" and receipt.id
    assert peer.sandbox.faults.call_count - before == 2  # the look-up, the call as it is


def test_a_parent_that_is_not_there_is_that_row_s_failure(peer: Peer) -> None:
    good, bad = peer.row(a_key(), "good"), peer.row(a_key(), "bad")
    lost = Row(key=bad.key, fields={**bad.fields, "parentType": "Contact", "parentId": "gone"})
    receipts = written(peer, peer.target, lost, good)
    assert isinstance(receipts[0].error, NotFound) and receipts[1].outcome == "created"


def test_a_refused_row_names_its_field_and_no_value(peer: Peer) -> None:
    row = peer.row(a_key(), "hello")
    for field, value, check in (("status", "+34612345678", "valid"), ("dateStart", "at +34612345678", "valid"),
                                ("name", "", "required"), ("name", "<+34612345678>", "pattern"),
                                ("dateEnd", "2026-11-23T09:00:00Z", "after")):  # fmt: skip
        (receipt,) = written(peer, peer.target, Row(key=row.key, fields={**row.fields, field: value}))
        assert isinstance(receipt.error, Rejected) and receipt.error.fields == {field: check}
        assert "612345678" not in str(receipt.error)


def test_a_key_field_that_is_not_there_is_said_before_anything_is_sent(peer: Peer) -> None:
    with pytest.raises(Rejected, match="no field cPatchbayKey"):
        written(peer, Target(object="Call", key="cPatchbayKey"), peer.row(a_key(), "hello"))


def test_a_record_is_changed_by_its_id_and_never_made_by_it(peer: Peer) -> None:
    id = peer.person("Ada Lovelace")
    target = Target(object="Contact", key="id")
    there, missing = written(
        peer, target, Row(key=id, fields={"title": "Countess"}), Row(key="64f0", fields={"title": "None"})
    )
    assert (there.outcome, there.id) == ("updated", id) and isinstance(missing.error, NotFound)
    (gone,) = written(peer, target, Row(key=id, fields={}, action="remove"))
    assert gone.outcome == "removed" and id not in [one["id"] for one in peer.sandbox.records.all("Contact")]


def test_a_key_that_two_records_have_is_ambiguous_and_one_in_capitals_is_another(peer: Peer) -> None:
    twice, other = a_key(), a_key()
    for key in (twice, twice, other.upper()):
        peer.sandbox.records.put("Call", name="Call", patchbayKey=key)
    receipts = written(peer, peer.target, peer.row(twice, "whose?"), peer.row(other, "mine"))
    assert isinstance(receipts[0].error, Ambiguous) and receipts[1].outcome == "created"


@pytest.mark.parametrize("key", ["k" * 9000, "nul\0"])
def test_a_key_that_cannot_be_is_that_row_s_failure(peer: Peer, key: str) -> None:
    good = peer.row(a_key(), "good")
    receipts = written(peer, peer.target, peer.row(key, "bad"), good)
    assert isinstance(receipts[0].error, Rejected) and receipts[1].outcome == "created"


def test_fifty_rows_take_a_look_up_and_fifty_writes(peer: Peer) -> None:
    rows = [peer.row(a_key(), "one of many") for _ in range(50)]
    written(peer, peer.target, peer.row(a_key(), "the definitions are known"))
    for outcome in ("created", "updated"):
        before = peer.sandbox.faults.call_count
        assert {receipt.outcome for receipt in written(peer, peer.target, *rows)} == {outcome}
        assert peer.sandbox.faults.call_count - before == 51


def test_more_keys_than_fit_into_an_address_are_all_looked_up(peer: Peer) -> None:
    rows = [peer.row(a_key(), "one of many") for _ in range(120)]
    written(peer, peer.target, *rows)
    before = peer.sandbox.faults.call_count
    assert {receipt.outcome for receipt in written(peer, peer.target, *rows)} == {"updated"}
    assert peer.sandbox.faults.call_count - before == 122
    assert all(peer.texts(row.key) == ["one of many"] for row in rows[::50])
