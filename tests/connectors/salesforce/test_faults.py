"""Salesforce's own ways to fail: the right class each time, and after going on as the hub would each row is there once.

The ways of any web service are in `tests/contract/test_fault_matrix.py`.
"""

from __future__ import annotations

import msgspec
import pytest

from connectors.crm.salesforce.errors import failure, told_in
from hub.errors import (
    Ambiguous,
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
)
from hub.model import PERSON, Lookup, Row
from sandbox.salesforce import OWN_FAULTS
from tests.connectors.salesforce.bench import TASKS, Bench
from tests.contract.given import a_number

CALL: dict[str, type[ConnectorError]] = {
    "expired_for_ever": CredentialsRefused,
    "disabled": CredentialsRefused,
    "gone": CredentialsRefused,
    "day_spent": QuotaSpent,
    "concurrent": Throttled,
    "unavailable": Unavailable,
    "unknown_exception": UnknownOutcome,
}
ROW: dict[str, type[ConnectorError]] = {
    "lock": Locked,
    "many_match": Ambiguous,
    "duplicate_rule": Ambiguous,
    "rolled_back": Locked,
}
UNSEEN = ("expired", "expired_dict", "quota_near", "race")  # the row is written all the same
# Another test here is about it.
ELSEWHERE = ("sign_in_refused", "locator_lost", "index_lag", "all_words", "job_failed", "job_slow")


def test_every_fault_of_the_sandbox_is_tried() -> None:
    assert {*CALL, *ROW, *UNSEEN, *ELSEWHERE} == set(OWN_FAULTS)


def gone_on(bench: Bench, rows: list[Row]) -> None:
    """The same rows again, in doubt, and each is there once."""
    again = [msgspec.structs.replace(row, in_doubt=True) for row in rows]
    assert {receipt.outcome for receipt in bench.connector.write(TASKS, again)} <= {"created", "updated"}
    for row in rows:
        (task,) = bench.tasks(row.key)
        assert task["Subject"] == row.fields["Subject"]


@pytest.mark.parametrize("fault", CALL)
def test_what_concerns_the_whole_call_is_raised(bench: Bench, fault: str) -> None:
    bench.connector.check()
    bench.fault(fault, times=2 if CALL[fault] is CredentialsRefused else 1)
    rows = bench.rows(3)
    with pytest.raises(ConnectorError) as failed:
        bench.connector.write(TASKS, rows)
    assert type(failed.value) is CALL[fault] and ("api_version" in str(failed.value)) == (fault == "gone")
    bench.sandbox.faults.clear()
    gone_on(bench, rows)


@pytest.mark.parametrize("fault", [*CALL, "reset_after"])
def test_a_reading_call_leaves_nothing_in_doubt(bench: Bench, fault: str) -> None:
    bench.connector.check()
    bench.fault(fault, times=-1)
    for call in (
        lambda: bench.connector.find([Lookup(PERSON, "phone", a_number())]),
        lambda: bench.connector.find([Lookup(PERSON, "email", "a@example.com")]),
        lambda: list(bench.connector.pages(bench.peer.query)),
        lambda: bench.connector.describe("Task"),
    ):
        with pytest.raises(ConnectorError) as failed:
            call()
        assert type(failed.value) is (Unavailable if CALL.get(fault) in (UnknownOutcome, None) else CALL[fault])


@pytest.mark.parametrize("fault", ROW)
def test_what_concerns_a_row_is_on_its_receipt(bench: Bench, fault: str) -> None:
    bench.fault(fault)
    rows = bench.rows(3)
    receipts = bench.connector.write(TASKS, rows)
    failed = [place for place, receipt in enumerate(receipts) if receipt.outcome == "failed"]
    assert failed == {"lock": [1], "rolled_back": [1, 2]}.get(fault, [0])
    assert {type(receipts[place].error) for place in failed} == {ROW[fault]}
    gone_on(bench, rows)


@pytest.mark.parametrize("fault", UNSEEN)
def test_what_nobody_sees(bench: Bench, fault: str) -> None:
    bench.connector.check()
    bench.fault(fault)
    rows = bench.rows(3)
    receipts = bench.connector.write(TASKS, rows)
    assert {receipt.outcome for receipt in receipts} <= {"created", "updated"}
    assert [receipt.id for receipt in receipts] == [bench.tasks(row.key)[0]["Id"] for row in rows]
    gone_on(bench, rows)


def test_a_record_that_somebody_else_made_in_the_same_moment_gets_our_values(bench: Bench) -> None:
    bench.fault("race")
    (row,) = bench.rows(1)
    with bench.counted() as calls:
        (receipt,) = bench.connector.write(TASKS, [row])
    (task,) = bench.tasks(row.key)
    assert (receipt.outcome, receipt.key, receipt.id) == ("updated", row.key, task["Id"])
    assert calls[0] <= 3  # sign-in, upsert, update by id


def test_the_day_s_quota_is_told_at_every_answer(bench: Bench) -> None:
    bench.fault("quota_near", times=-1)
    bench.connector.check()
    assert {(quota.limit, quota.used) for quota in bench.quotas} == {(15_000, 14_990)}
    bench.fault("day_spent")
    bench.quotas.clear()
    with pytest.raises(QuotaSpent):
        bench.connector.check()
    assert bench.quotas  # a refusal tells it too


@pytest.mark.parametrize(
    ("body", "status", "error", "words"),
    [
        (["/services/data/v61.0/sobjects/Contact/003"], 300, Ambiguous, "several records"),
        ([{"errorCode": "ENTITY_IS_DELETED", "message": "entity is deleted"}], 404, NotFound, "ENTITY_IS_DELETED"),
        ([{"errorCode": "INSUFFICIENT_ACCESS_OR_READONLY", "message": "no"}], 403, NotPermitted, "INSUFFICIENT"),
        ([{"errorCode": "STORAGE_LIMIT_EXCEEDED", "message": "full"}], 400, QuotaSpent, "full"),
        ([{"errorCode": "JSON_PARSER_ERROR", "message": "at 1"}], 400, Rejected, "JSON_PARSER_ERROR: at 1"),
        ([{"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "No sum"}], 400, Rejected, "No sum"),
        ([{"errorCode": "MALFORMED_QUERY", "message": "FIND {612345678}"}], 400, Rejected, "cannot do this query"),
        ({"error": "proxy", "message": "who are you"}, 403, NotPermitted, "proxy: who are you"),
        (None, 502, UnknownOutcome, "502"), (None, 503, Unavailable, "503"), (None, 404, NotFound, "does not say why"),
        (None, 429, Throttled, "no more calls"), ([], 400, Rejected, "does not say why"),
        ("x", 400, Rejected, "does not say"),
    ],
)  # fmt: skip
def test_an_error_of_any_shape_has_its_class(
    body: object, status: int, error: type[ConnectorError], words: str
) -> None:
    told = failure(told_in(body), status)
    assert type(told) is error and words in str(told) and "612345678" not in str(told)


def test_no_value_of_a_row_is_in_an_error(bench: Bench) -> None:
    secret = "Lovelace-612345678"
    rows = [
        Row(key="k1", fields={"Subject": secret * 20}),
        Row(key="k2", fields={"ActivityDate": secret}),
        Row(key="k3", fields={"WhoId": secret}),
        Row(key="k4", fields={"CallDurationInSeconds": secret}),
        Row(key="k5", fields={"Contact:Who.Hub_Key__c": secret}),
    ]
    receipts = bench.connector.write(TASKS, rows)
    assert [receipt.outcome for receipt in receipts] == ["failed"] * 5
    for receipt in receipts:
        assert secret not in str(receipt.error) and secret not in str(getattr(receipt.error, "fields", ""))
    assert receipts[0].error.fields.keys() == {"Subject"}  # type: ignore[union-attr]
    assert "max length=255" in str(receipts[0].error)
