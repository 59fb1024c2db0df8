"""Phone calls and other rows: one change set each, parties, states, keys, and how many calls that takes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from connectors.crm.dynamics.errors import readable
from connectors.crm.dynamics.fields import id_for
from hub.errors import (
    ConnectorError,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from hub.model import Lookup, Row, Target
from sandbox.dynamics import ME
from tests.connectors.dynamics.peer import Peer
from tests.contract.given import a_key, a_mail, a_number

CALL = Target(object="phonecall", key="activityid")
DONE = {"statecode": "Completed", "statuscode": "Received"}


def calls(peer: Peer) -> int:
    return peer.sandbox.faults.call_count  # type: ignore[no-any-return]


def written(peer: Peer, target: Target, *rows: Row) -> list[Any]:
    return list(peer.connector.write(target, rows))  # type: ignore[attr-defined]


def in_doubt(peer: Peer, rows: list[Row]) -> list[Any]:
    """The rows again as the hub sends them; a connection that was kept open may turn out to be gone first."""
    doubted = [replace(row, in_doubt=True) for row in rows]
    try:
        return written(peer, CALL, *doubted)
    except Unavailable:
        return written(peer, CALL, *doubted)


def the_call(peer: Peer, key: str) -> dict[str, Any]:
    (row,) = peer.sandbox.rows("phonecall", activityid=id_for("phonecall", "activityid", key))
    return row  # type: ignore[no-any-return]


def test_200_new_rows_are_one_call_in_doubt_two_and_known_ones_three(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"row {n}") for n in range(200)]
    written(peer, CALL, peer.row(a_key(), "now the table is known"))
    before = calls(peer)
    assert {receipt.outcome for receipt in written(peer, CALL, *rows)} == {"created"}
    assert calls(peer) - before == 1
    doubted = [replace(row, in_doubt=True, fields={**row.fields, "description": "again"}) for row in rows]
    before = calls(peer)
    assert {receipt.outcome for receipt in written(peer, CALL, *doubted)} == {"updated"}
    assert calls(peer) - before == 2
    before = calls(peer)
    assert {receipt.outcome for receipt in written(peer, CALL, *rows)} == {"updated"}
    assert calls(peer) - before == 3
    before = calls(peer)
    assert {receipt.outcome for receipt in written(peer, CALL, *(replace(row, in_doubt=True) for row in rows))} == {
        "unchanged"
    }
    assert calls(peer) - before == 1


def test_an_inbound_call_is_from_the_caller_and_an_outbound_one_to_them(peer: Peer) -> None:
    caller, key = peer.person("Ada Party", phone=a_number()), a_key()
    inbound = Row(key=key, fields={"subject": "In", "directioncode": False, "from": f"contact/{caller}",
                                   "to": f"systemuser/{ME}", "regardingobjectid": f"contact/{caller}", **DONE})  # fmt: skip
    (receipt,) = written(peer, CALL, inbound)
    assert receipt.outcome == "created" and receipt.id in receipt.url
    assert peer.sandbox.parties(receipt.id) == [(1, f"contact/{caller}"), (2, f"systemuser/{ME}")]
    row = the_call(peer, key)
    assert (row["regardingobjectid"], row["statecode"], row["statuscode"]) == (("contact", caller), 1, 4)
    outbound = Row(key=a_key(), fields={"subject": "Out", "directioncode": True, "from": f"systemuser/{ME}",
                                        "to": f"+34911234567; contact/{caller}", "statecode": "Completed",
                                        "statuscode": "Made"})  # fmt: skip
    (receipt,) = written(peer, CALL, outbound)
    assert peer.sandbox.parties(receipt.id) == [(1, f"systemuser/{ME}"), (2, "+34911234567"), (2, f"contact/{caller}")]


def test_a_late_fact_opens_a_completed_call_and_completes_it_again(peer: Peer) -> None:
    key = a_key()
    whole = Row(key=key, fields={"subject": "Late", "from": "+34600111222", "to": f"systemuser/{ME}", **DONE})
    written(peer, CALL, whole)
    (late,) = written(
        peer, CALL, Row(key=key, fields={"subject": "Late", "description": "Recorded", "from": "+34600111333"})
    )
    row = the_call(peer, key)
    assert late.outcome == "updated" and row["description"] == "Recorded"
    assert (row["statecode"], row["statuscode"]) == (1, 4)  # as it was
    # Parties are one list: what the row does not speak of stays.
    assert peer.sandbox.parties(late.id) == [(1, "+34600111333"), (2, f"systemuser/{ME}")]
    (canceled,) = written(peer, CALL, Row(key=key, fields={"statecode": "Canceled"}, in_doubt=True))
    assert canceled.outcome == "updated" and the_call(peer, key)["statecode"] == 2


def test_what_was_written_is_read_back_in_the_same_words(peer: Peer) -> None:
    caller, key = peer.person("Ada Back", phone=a_number()), a_key()
    fields = {"subject": "Words", "from": f"contact/{caller}", "to": f"systemuser/{ME}", "prioritycode": "High",
              "regardingobjectid": f"contact/{caller}", "actualdurationminutes": 4,
              "actualstart": "2026-11-23T10:02:00+01:00",
              "ownerid": ME, **DONE}  # fmt: skip
    written(peer, CALL, Row(key=key, fields=fields))
    asked = Lookup("phonecall", "key", key, "activityid", tuple(fields))
    ((record,),) = peer.connector.find([asked])  # type: ignore[attr-defined]
    told = {name: record.fields[name] for name in fields}
    assert told == fields | {"actualstart": "2026-11-23T09:02:00Z"}


def test_an_alternate_key_with_signs_that_no_address_takes(peer: Peer) -> None:
    task, key = Target(object="task", key="new_interactionkey"), a_key() + "/%&?+'x"
    first = written(peer, task, Row(key=key, fields={"subject": "One"}))
    second = written(peer, task, Row(key=key, fields={"subject": "Two"}))
    assert [first[0].outcome, second[0].outcome] == ["created", "updated"] and first[0].id == second[0].id
    assert [row["subject"] for row in peer.sandbox.rows("task", new_interactionkey=key)] == ["Two"]
    gone = written(peer, task, Row(key=key, fields={}, action="remove"))
    again = written(peer, task, Row(key=key, fields={}, action="remove"))
    assert (gone[0].outcome, again[0].outcome) == ("removed", "unchanged")


def test_a_person_by_a_key_column_that_somebody_typed(peer: Peer) -> None:
    key = f"KD-{a_number()}"
    id = peer.sandbox.create("contact", {"lastname": "Typed", "new_customerno": key.lower()})
    contact = Target(object="contact", key="new_customerno")
    (receipt,) = written(peer, contact, Row(key=key, fields={"firstname": "Ada", "emailaddress1": a_mail()}))
    assert (receipt.outcome, receipt.id) == ("updated", id)
    # Its index is not active; and there is no such table.
    (no_key,) = written(peer, Target(object="contact", key="externaluseridentifier"), Row(key="x", fields={}))
    (no_table,) = written(peer, Target(object="kontact", key="id"), Row(key="x", fields={}))
    assert isinstance(no_key.error, Rejected) and "no key" in str(no_key.error)
    assert isinstance(no_table.error, NotFound) and "contact" in str(no_table.error)


def test_the_very_record_by_its_id(peer: Peer) -> None:
    id, target = peer.person("Ada Id", phone=a_number()), Target(object="contact", key="id")
    rows = (
        Row(key=id, fields={"jobtitle": "CEO"}),
        Row(key=id_for("contact", "x", "nobody"), fields={"jobtitle": "CEO"}),
    )
    done, missing = written(peer, target, *rows)
    assert done.outcome == "updated" and isinstance(missing.error, NotFound)
    (refused,) = written(peer, target, Row(key=id, fields={}, action="remove"))
    assert isinstance(refused.error, Unsupported) and peer.sandbox.rows("contact", contactid=id)
    (no_id,) = written(peer, target, Row(key="no id", fields={"jobtitle": "x"}))
    assert isinstance(no_id.error, NotFound)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"subjekt": "x"}, "subjekt"),
        ({"regardingobjectid": "0f6f5c5c-7d3b-4a35-9f2a-2c3f3fe6f2a1"}, "regardingobjectid"),  # of which table?
        ({"regardingobjectid": "queue/0f6f5c5c-7d3b-4a35-9f2a-2c3f3fe6f2a1"}, "regardingobjectid"),
        ({"from": "incident/0f6f5c5c-7d3b-4a35-9f2a-2c3f3fe6f2a1"}, "from"),
        ({"statecode": "Complete"}, "statecode"),
        ({"actualstart": "yesterday"}, "actualstart"),
        ({"actualdurationminutes": "1.5"}, "actualdurationminutes"),
        ({"createdon": "2026-11-23T10:02:00Z"}, "createdon"),
        ({"subject": "s" * 201}, "subject"),  # refused by Dataverse itself
    ],
)
def test_values_that_do_not_fit_are_named(peer: Peer, fields: dict[str, Any], named: str) -> None:
    key = a_key()
    (receipt,) = written(peer, CALL, Row(key=key, fields={"subject": "Call", **fields}))
    assert isinstance(receipt.error, Rejected) and named in receipt.error.fields, receipt.error
    assert peer.texts(key) == []


OWN = {
    "throttled_requests": Throttled, "throttled_time": Throttled, "throttled_concurrent": Throttled,
    "throttled_part": Throttled,
    "deadlock": Locked, "sql_timeout": Locked, "failed_part": UnknownOutcome, "version_mismatch": Locked,
    "privilege": NotPermitted,
}  # fmt: skip


@pytest.mark.parametrize("fault", OWN)
def test_each_fault_of_dataverse_and_going_on_after_it(peer: Peer, fault: str) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(3)]
    written(peer, CALL, peer.row(a_key(), "now the table is known"))
    peer.sandbox.faults.set(fault, times=1, seconds=12)
    failed: list[ConnectorError]
    try:
        receipts = written(peer, CALL, *rows)
        failed = [receipt.error for receipt in receipts if receipt.error]
        assert [receipt.outcome for receipt in receipts] == ["failed", "created", "created"]
    except ConnectorError as error:
        failed = [error]
    assert [type(error) for error in failed] == [OWN[fault]]
    assert not isinstance(failed[0], Throttled) or failed[0].retry_after == 12.0
    again = [replace(row, in_doubt=isinstance(failed[0], UnknownOutcome)) for row in rows]
    assert {receipt.outcome for receipt in written(peer, CALL, *again)} <= {"created", "updated", "unchanged"}
    assert [peer.texts(row.key) for row in rows] == [["text 0"], ["text 1"], ["text 2"]]


def test_a_text_that_looks_like_a_reference_of_a_change_set(peer: Peer) -> None:
    key = a_key()
    written(peer, CALL, peer.row(key, "$1"))
    assert peer.texts(key) == ["$1"]


def test_a_batch_of_which_every_part_is_throttled_is_throttled(peer: Peer) -> None:
    written(peer, CALL, peer.row(a_key(), "now the table is known"))
    peer.sandbox.faults.set("throttled_part", times=-1)
    with pytest.raises(Throttled) as failed:
        written(peer, CALL, peer.row(a_key(), "one"), peer.row(a_key(), "two"))
    assert failed.value.retry_after == 12.0


def test_a_token_that_ran_out_is_renewed_once(peer: Peer) -> None:
    key = a_key()
    peer.sandbox.faults.set("expired", times=1)
    assert written(peer, CALL, peer.row(key, "renewed"))[0].outcome == "created"


def test_a_lost_answer_leaves_each_row_once(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(3)]
    written(peer, CALL, peer.row(a_key(), "now the table is known"))
    peer.sandbox.faults.set("reset_after", times=1)
    with pytest.raises(UnknownOutcome):
        written(peer, CALL, *rows)
    again = in_doubt(peer, rows)
    assert [receipt.outcome for receipt in again] == ["unchanged"] * 3
    assert [peer.texts(row.key) for row in rows] == [["text 0"], ["text 1"], ["text 2"]]


def test_no_personal_data_in_what_a_refusal_says() -> None:
    said = readable(
        "Cannot convert 'ada@example.com' or +34 612 34 56 78 of 0f6f5c5c-7d3b-4a35-9f2a-2c3f3fe6f2a1, 200 long"
    )
    assert said == "Cannot convert '…' or … of 0f6f5c5c-7d3b-4a35-9f2a-2c3f3fe6f2a1, 200 long"
