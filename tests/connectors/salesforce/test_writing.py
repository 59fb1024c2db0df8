"""Writing: how many calls, records by id and by key, parents, mails, and many rows by the Bulk API."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec
import pytest

import connectors.crm.salesforce
from hub.errors import (
    Ambiguous,
    ConnectorError,
    Locked,
    NotFound,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
)
from hub.model import Lookup, Row, Target
from tests.connectors.salesforce.bench import CONTACTS, TASKS, Bench
from tests.contract.given import HOSTILE, a_key

BULK = 21


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Bulk API takes over from 21 rows, so that a test need not write thousands."""
    monkeypatch.setattr(connectors.crm.salesforce, "BULK_ABOVE", BULK - 1)


# --- collections ----------------------------------------


def test_two_hundred_rows_take_one_call(bench: Bench) -> None:
    bench.connector.check()
    rows = bench.rows(200)
    with bench.counted() as calls:
        assert {receipt.outcome for receipt in bench.connector.write(TASKS, rows)} == {"created"}
    assert calls == [1]
    gone = [msgspec.structs.replace(row, action="remove") for row in rows]
    with bench.counted() as calls:
        assert {receipt.outcome for receipt in bench.connector.write(TASKS, gone)} == {"removed"}
    assert calls == [2]  # the ids, the deletion
    assert not any(bench.tasks(row.key) for row in rows)


def test_one_row_that_cannot_be_parsed_fails_alone(bench: Bench) -> None:
    rows = bench.rows(200)
    rows[117] = Row(key=a_key(), fields={"CallDurationInSeconds": "long"})
    bench.connector.check()
    with bench.counted() as calls:
        receipts = bench.connector.write(TASKS, rows)
    assert [place for place, receipt in enumerate(receipts) if receipt.outcome == "failed"] == [117]
    assert isinstance(receipts[117].error, Rejected)
    assert calls[0] <= 17  # halves: two calls for each time two hundred can be halved
    assert all(len(bench.tasks(row.key)) == (place != 117) for place, row in enumerate(rows))


def test_the_same_key_twice_is_written_twice_in_order(bench: Bench) -> None:
    key = a_key()
    rows = [Row(key=key, fields={"Subject": "first", "Priority": "High"}), Row(key=key, fields={"Subject": "second"}),
            Row(key=key, fields={}, action="remove"), Row(key=key, fields={"Subject": "third"})]  # fmt: skip
    receipts = bench.connector.write(TASKS, rows)
    assert [receipt.outcome for receipt in receipts] == ["created", "updated", "removed", "created"]
    (task,) = bench.tasks(key)
    assert (task["Subject"], task["Priority"]) == ("third", "Normal")


def test_every_kind_of_value_arrives(bench: Bench) -> None:
    key, who = a_key(), bench.contact()
    fields = {
        "WhoId": who, "ActivityDate": dt.date(2026, 3, 2), "CallDurationInSeconds": Decimal("184.0"), "CallType": "Inbound",
        "Description": None, "CallDisposition": "Sale", "Recording_URL__c": "https://rec.example/1", "Channel__c": "voice",
    }  # fmt: skip
    (receipt,) = bench.connector.write(TASKS, [Row(key=key, fields=fields)])
    (task,) = bench.tasks(key)
    assert receipt.outcome == "created" and receipt.url.endswith(f"/lightning/r/Task/{task['Id']}/view")
    assert (task["WhoId"], task["ActivityDate"], task["CallDurationInSeconds"]) == (who, dt.date(2026, 3, 2), 184)
    assert {type(receipt.error) for receipt in bench.connector.write(TASKS, [Row(key=key, fields={"Subject": {"a": 1}}),
            Row(key="", fields={}), Row(key="k" * 256, fields={})])} == {Rejected}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"Subject": "x" * 256}, Rejected, "Subject"),
        ({"Nope__c": 1}, Rejected, ""),
        ({"CallType": "Sideways"}, Rejected, "CallType"),
        ({"WhoId": "003000000000000AAA"}, Rejected, ""),
        ({"WhoId": "abc"}, Rejected, "WhoId"),
        ({"AccountId": "0015g0000000001AAA"}, Rejected, "AccountId"),
        ({"Contact:Who.Hub_Key__c": "nobody"}, Rejected, ""),
        ({"Contact:Who.Hub Key": "nobody"}, Rejected, ""),
    ],
)
def test_what_salesforce_refuses_is_told_by_field(
    bench: Bench, fields: dict[str, object], error: type[ConnectorError], field: str
) -> None:
    (receipt,) = bench.connector.write(TASKS, [Row(key=a_key(), fields=fields)])
    assert receipt.outcome == "failed" and type(receipt.error) is error
    assert not field or field in receipt.error.fields  # type: ignore[union-attr]


def test_a_key_that_several_records_have_is_ambiguous(bench: Bench) -> None:
    first, _ = bench.contact(Legacy_Id__c="twice"), bench.contact(Legacy_Id__c="twice")
    target = Target(object="Contact", key="Legacy_Id__c")
    for action in ("upsert", "remove"):
        (receipt,) = bench.connector.write(target, [Row(key="twice", fields={"LastName": "x"}, action=action)])
        assert isinstance(receipt.error, Ambiguous)
    assert bench.org.get("Contact", first)["LastName"] == "Lovelace"
    with pytest.raises(NotFound):
        bench.connector.write(Target(object="Contact", key="No_Key__c"), [Row(key="k", fields={"LastName": "x"})])


def test_a_record_by_its_own_id(bench: Bench) -> None:
    member = bench.peer.member("Ada")
    target = Target(object="CampaignMember", key="id")
    rows = [Row(key=member, fields={"Status": "Reached"}), Row(key="00v5g000000zzzzAAA", fields={"Status": "Reached"}),
            Row(key="no id", fields={"Status": "Reached"})]  # fmt: skip
    first, *others = bench.connector.write(target, rows)
    assert (first.outcome, first.id) == ("updated", member)
    assert bench.org.get("CampaignMember", member)["Status"] == "Reached"
    assert [type(receipt.error) for receipt in others] == [NotFound, NotFound]
    gone = [Row(key=member, fields={}, action="remove"), Row(key="no id", fields={}, action="remove")]
    for outcome in ("removed", "unchanged"):
        assert [receipt.outcome for receipt in bench.connector.write(target, gone)] == [outcome, "unchanged"]


def test_a_parent_by_its_key(bench: Bench) -> None:
    who = bench.contact()
    key = bench.org.get("Contact", who)["Hub_Key__c"]
    case = bench.org.insert("Case", {"Subject": "Broken", "Hub_Key__c": a_key()})
    rows = [Row(key=a_key(), fields={"Contact:Who.Hub_Key__c": key, "Subject": "Call"}),
            Row(key=a_key(), fields={"Contact:Who.Hub_Key__c": None, "WhatId": case})]  # fmt: skip
    assert {receipt.outcome for receipt in bench.connector.write(TASKS, rows)} == {"created"}
    assert [bench.tasks(row.key)[0]["WhoId"] for row in rows] == [who, None]


def test_a_person_and_their_calls_go_by_one_call(bench: Bench, early: None) -> None:
    connector = bench.opened(together=["Contact:Who"])
    connector.check()
    described = {field.name: field for field in connector.describe("Task").fields}
    assert described["Contact:Who.LastName"].max_length == 80 and "Lead:Who.Hub_Key__c" in described
    person, stranger = a_key(), a_key()
    of_person = {
        "Contact:Who.Hub_Key__c": person,
        "Contact:Who.LastName": "Noether",
        "Contact:Who.Phone": "+34 612 000 111",
    }
    nameless = {"Contact:Who.Hub_Key__c": stranger, "Contact:Who.Email": "no address"}
    told = [{"Subject": "One", **of_person}, {"Subject": "Two", **of_person}, {"Subject": "Three", **nameless}]
    rows = [Row(key=a_key(), fields=fields) for fields in told]
    with bench.counted() as calls:
        first, second, third = connector.write(TASKS, rows)
    assert calls == [1] and (first.outcome, second.outcome) == ("created", "created")
    (found,) = [record for record in bench.org.all("Contact") if record["Hub_Key__c"] == person]
    assert found["Phone"] == "+34 612 000 111"
    assert {bench.tasks(row.key)[0]["WhoId"] for row in rows[:2]} == {found["Id"]}
    assert isinstance(third.error, Rejected) and "Email" in third.error.fields  # the person's problem, not the call's
    assert bench.tasks(rows[2].key) == []
    assert {receipt.outcome for receipt in connector.write(TASKS, rows[:2])} == {"updated"}
    again = bench.rows(BULK, **of_person)
    assert {receipt.outcome for receipt in connector.write(TASKS, again)} == {"created"}
    assert {bench.tasks(row.key)[0]["WhoId"] for row in again[::5]} == {found["Id"]}


def test_a_mail_is_an_email_message(bench: Bench) -> None:
    who = bench.contact(Email="ada@example.com")
    case = bench.org.insert("Case", {"Subject": "Broken", "ContactId": who})
    key = "<a1b2@mail.example>"
    fields = {
        "Subject": "It broke", "TextBody": "Dear all,\n…", "FromAddress": "ada@example.com", "ToAddress": "help@example.com",
        "Incoming": True, "Status": "1", "MessageDate": dt.datetime(2026, 11, 23, 10, 5, tzinfo=dt.UTC), "ParentId": case,
        "MessageIdentifier": key, "ToIds": [who],
    }  # fmt: skip
    target = Target(object="EmailMessage", key="Hub_Key__c")
    (receipt,) = bench.connector.write(target, [Row(key=key, fields=fields)])
    assert receipt.outcome == "created"
    mail = bench.org.get("EmailMessage", receipt.id)
    assert (mail["ParentId"], mail["Incoming"], mail["ToIds"]) == (case, True, who)
    assert mail["MessageDate"] == dt.datetime(2026, 11, 23, 10, 5, tzinfo=dt.UTC)
    # What never changes after (Incoming, ParentId, ToIds) is refused by Salesforce: `describe` says that it is fixed.
    described = {field.name: field for field in bench.connector.describe("EmailMessage").fields}
    assert described["ParentId"].fixed and described["Incoming"].fixed and not described["Status"].fixed


@pytest.mark.parametrize("count", [3, BULK])
def test_what_never_changes_is_no_obstacle_to_writing_twice(bench: Bench, early: None, count: int) -> None:
    case = bench.org.insert("Case", {"Subject": "Broken"})
    target = Target(object="EmailMessage", key="Hub_Key__c")
    rows = [Row(key=a_key(), fields={"Subject": "Before", "Incoming": True, "ParentId": case}) for _ in range(count)]
    first = bench.connector.write(target, rows)
    assert {receipt.outcome for receipt in first} == {"created"}
    rows = [Row(key=row.key, fields={**row.fields, "Subject": "After", "Incoming": False}) for row in rows]
    rows[1] = Row(key=rows[1].key, fields={"Subject": "After", "Name": "nobody may write it"})
    again = bench.connector.write(target, rows)
    assert [receipt.id for receipt in again if receipt.id] == [one.id for place, one in enumerate(first) if place != 1]
    assert [receipt.outcome for receipt in again] == ["updated", "failed", *["updated"] * (count - 2)]
    mail = bench.org.get("EmailMessage", first[0].id)
    assert (mail["Subject"], mail["Incoming"], mail["ParentId"]) == ("After", True, case)
    assert [receipt.key for receipt in again] == [row.key for row in rows]


def test_what_a_person_changed_is_seen_by_its_key(bench: Bench) -> None:
    (row,) = bench.rows(1, Description="by us")
    bench.connector.write(TASKS, [row])
    ((record,),) = bench.connector.find([Lookup("Task", "key", row.key, key_field="Hub_Key__c")])
    assert (record.fields["Description"], record.fields["Status"]) == ("by us", "Completed")


@pytest.mark.parametrize("count", [1, BULK])
def test_an_unknown_outcome_leads_to_no_second_record(bench: Bench, early: None, count: int) -> None:
    bench.connector.check()
    rows = bench.rows(count)
    path = "/services/data/v61.0/composite" if count == 1 else "/services/data/v61.0/jobs/ingest/"
    bench.fault("reset_after", path=path, method="PATCH")
    with pytest.raises(UnknownOutcome):
        bench.connector.write(TASKS, rows)
    assert all(len(bench.tasks(row.key)) == 1 for row in rows[:: max(1, count // 3)])  # it was done all the same
    again = [msgspec.structs.replace(row, in_doubt=True) for row in rows]
    assert {receipt.outcome for receipt in bench.connector.write(TASKS, again)} == {"updated"}
    assert all(len(bench.tasks(row.key)) == 1 for row in rows[:: max(1, count // 3)])


# --- bulk ----------------------------------------


def test_the_hub_s_own_batches_are_one_call_each(bench: Bench) -> None:
    bench.connector.check()
    with bench.counted() as calls:
        for _ in range(5):
            bench.connector.write(TASKS, bench.rows(200))
    assert calls == [5]


def test_hostile_values_go_through_csv_unchanged(bench: Bench, early: None) -> None:
    rows = [Row(key=f"{a_key()} {text[:30]}", fields={"Description": text}) for text in HOSTILE.values()]
    rows += bench.rows(BULK - len(rows))
    receipts = bench.connector.write(TASKS, rows)
    for (what, text), row, receipt in zip(HOSTILE.items(), rows, receipts, strict=False):
        if what == "long":
            assert isinstance(receipt.error, Rejected) and "Description" in receipt.error.fields
        else:
            assert receipt.outcome == "created" and bench.tasks(row.key)[0]["Description"] == text, what


def test_a_job_s_rows_fail_alone_and_the_same_key_twice_is_one_record(bench: Bench, early: None) -> None:
    rows = bench.rows(BULK)
    rows[1] = Row(key=rows[1].key, fields={"CallType": "Sideways"})
    rows[2] = Row(key=rows[3].key, fields={"Subject": "earlier", "Description": None})
    rows[5] = Row(key="", fields={})
    rows[6] = Row(key=a_key(), fields={"Subject": object()})
    receipts = bench.connector.write(TASKS, rows)
    assert [place for place, receipt in enumerate(receipts) if receipt.outcome == "failed"] == [1, 5, 6]
    assert isinstance(receipts[1].error, Rejected) and "CallType" in receipts[1].error.fields
    assert receipts[2].id == receipts[3].id and bench.tasks(rows[3].key)[0]["Subject"] == "Call 3"
    bench.fault("lock")
    again = bench.connector.write(TASKS, bench.rows(BULK))
    assert [type(receipt.error) for receipt in again if receipt.error] == [Locked]


def test_a_cell_that_is_left_out_is_left_alone_and_none_empties_it(bench: Bench, early: None) -> None:
    rows = bench.rows(BULK, Description="as it was", CallDisposition="Sale")
    bench.connector.write(TASKS, rows)
    changes = [{"Subject": "anew"}, {"Description": None}]
    half = [Row(key=row.key, fields=changes[place % 2]) for place, row in enumerate(rows)]
    assert {receipt.outcome for receipt in bench.connector.write(TASKS, half)} == {"updated"}
    assert [bench.tasks(row.key)[0]["Description"] for row in rows[:2]] == ["as it was", None]
    assert [bench.tasks(row.key)[0]["Subject"] for row in rows[:2]] == ["anew", "Call 1"]


def test_a_job_that_fails_half_way_tells_which_half(bench: Bench, early: None) -> None:
    bench.fault("job_failed")
    rows = bench.rows(BULK)
    receipts = bench.connector.write(TASKS, rows)
    failed = [row for row, receipt in zip(rows, receipts, strict=True) if receipt.outcome == "failed"]
    assert len(failed) == 11 and {type(receipt.error) for receipt in receipts if receipt.error} == {Unavailable}
    assert {receipt.outcome for receipt in bench.connector.write(TASKS, rows)} == {"created", "updated"}
    assert all(len(bench.tasks(row.key)) == 1 for row in rows[::4])


def test_a_job_that_takes_too_long_is_in_doubt(bench: Bench, early: None) -> None:
    bench.fault("job_slow", times=-1)
    connector = bench.opened(bulk_minutes=1)
    with pytest.raises(UnknownOutcome, match="still at work after 1 minutes"):
        connector.write(TASKS, bench.rows(BULK))
    assert 45 < sum(bench.waits) <= 60 and max(bench.waits) <= 8


@pytest.mark.parametrize("part", ["POST", "PUT", "PATCH", "GET"])
def test_a_fault_in_any_part_of_a_job_is_told(bench: Bench, early: None, part: str) -> None:
    bench.connector.check()
    rows = bench.rows(BULK)
    bench.fault("throttled", path="/services/data/v61.0/jobs", method=part, seconds=7)
    with pytest.raises(Throttled) as failed:
        bench.connector.write(TASKS, rows)
    assert failed.value.retry_after == 7
    bench.fault("expired", path="/services/data/v61.0/jobs", method=part)  # the token is renewed in the middle of a job
    assert {receipt.outcome for receipt in bench.connector.write(TASKS, rows)} <= {"created", "updated"}
    assert all(len(bench.tasks(row.key)) == 1 for row in rows[::4])


@pytest.mark.parametrize("fault", ["html", "truncated", "failed_after"])
@pytest.mark.parametrize("after", range(7))
def test_whatever_breaks_in_a_job_no_row_is_there_twice(bench: Bench, early: None, fault: str, after: int) -> None:
    bench.connector.check()
    rows = bench.rows(BULK)
    bench.fault(fault, path="/services/data/v61.0/jobs", after=after)
    try:
        bench.connector.write(TASKS, rows)
    except Unavailable:  # an unknown outcome is one too
        bench.connector.write(TASKS, [msgspec.structs.replace(row, in_doubt=True) for row in rows])
    else:
        assert after == 6 or (fault, after) == (
            "truncated",
            1,
        )  # the job takes six calls; an empty answer cannot be cut
    assert all(len(bench.tasks(row.key)) == 1 for row in rows)


def test_a_backlog_of_long_texts_is_cut_into_uploads(
    bench: Bench, early: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connectors.crm.salesforce.bulk, "LARGEST", 4 * 3_000)
    rows = bench.rows(BULK, Description="ñ" * 1_000)
    bench.connector.check()
    with bench.counted() as calls:
        assert {receipt.outcome for receipt in bench.connector.write(TASKS, rows)} == {"created"}
    assert calls[0] > 6 * 5 and all(bench.tasks(row.key)[0]["Description"] == "ñ" * 1_000 for row in rows)


def test_removals_of_a_backlog_go_by_collections(bench: Bench, early: None) -> None:
    rows = bench.rows(BULK)
    bench.connector.write(TASKS, rows)
    gone = [msgspec.structs.replace(row, action="remove") for row in rows]
    assert {receipt.outcome for receipt in bench.connector.write(TASKS, gone)} == {"removed"}


def test_a_duplicate_rule_that_only_warns_can_be_passed_over(bench: Bench, early: None) -> None:
    told = bench.opened(ignore_duplicate_rules=True)
    assert told.write(CONTACTS, [Row(key=a_key(), fields={"LastName": "x"})])[0].outcome == "created"
