"""How long to wait, when to stop, how many calls a connection may make, and what is whose in a record."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import budget as budget_module
from hub.budget import INTERACTIVE, Budget, BudgetSpent
from hub.errors import Throttled
from hub.flow.delivery.backoff import Pace, gave_up, probe_delay, retry_delay, throttle_delay
from hub.flow.delivery.consignment import write_key
from hub.flow.delivery.ownership import owned_fields, same
from hub.flow.delivery.pauses import next_midnight
from hub.store.deliveries import Sent
from tests.waiting import PATIENCE

PACE = Pace()


@given(st.integers(1, 10_000))
def test_backoff_doubles_up_to_its_cap_with_full_jitter(failures: int) -> None:
    ceiling = min(600.0, 2.0 ** min(failures - 1, 60))
    assert 0 <= retry_delay(failures, PACE) <= ceiling


def test_backoff_is_spread_over_its_whole_range() -> None:
    delays = [retry_delay(5, PACE) for _ in range(500)]
    assert min(delays) < 4 < 12 < max(delays) <= 16


@pytest.mark.parametrize(("asked", "waits"), [(0.0, 1.0), (5.0, 5.0), (86_400.0, 3600.0), (-3.0, 1.0)])
def test_retry_after_is_clamped(asked: float, waits: float) -> None:
    assert throttle_delay(Throttled("429", asked), 1, PACE) == waits


def test_throttled_without_a_time_backs_off() -> None:
    assert 1.0 <= throttle_delay(Throttled("429"), 5, PACE) <= 16.0


def test_probes_double() -> None:
    assert [probe_delay(paused, PACE) for paused in (0, 60, 120, 240, 9999)] == [60, 60, 120, 240, 900]


def test_giving_up_says_after_how_much() -> None:
    assert gave_up(9, 23 * 3600.0, PACE) is None
    assert gave_up(31, 25 * 3600.0, PACE) == "gave up after 31 attempts in 25.0 hours"


def test_midnight_is_utc() -> None:
    assert next_midnight(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        ("interaction:pbx/call-1", "pbx:call-1"),
        ("interaction:pbx/a/b", "pbx:a/b"),
        ("member:spring/42", "42"),
        ("contact:pbx/spring/42", "spring/42"),
        ("dial:pbx/d-1", "d-1"),
    ],
)
def test_the_key_of_a_record(subject: str, key: str) -> None:
    assert write_key(subject) == key


# --- budgets ----------------------------------------


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 100.0

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def paced(per_second: float) -> tuple[Budget, Clock]:
    clock = Clock()
    return Budget(per_second, None, clock=lambda: clock.at, sleep=clock.sleep), clock


def test_calls_keep_their_pace() -> None:
    budget, clock = paced(4)
    for _ in range(9):
        with budget.call():
            pass
    assert clock.at == pytest.approx(102.0)


def test_each_request_of_a_call_is_counted_and_paced() -> None:
    budget, clock = paced(1)
    with budget.call():
        for _ in range(3):
            budget.request()
    assert (budget.total, clock.at) == (3, 102.0)


def test_a_person_does_not_wait_but_counts() -> None:
    budget, clock = paced(1)
    for _ in range(3):
        budget.request()
    assert (budget.total, clock.at) == (3, 100.0)
    with budget.call():  # the deliveries make room for them
        pass
    assert clock.at == 103.0


def test_a_spent_budget_stops_deliveries_and_no_person() -> None:
    budget = Budget(None, 2)
    with budget.call():
        budget.request()
    assert budget.take() == {1: 1}
    budget.saw({1: 1})  # the store tells us our own: it is not counted twice
    with budget.call():
        pass
    with pytest.raises(BudgetSpent), budget.call():
        pass
    budget.request()
    assert (budget.total, budget.left()) == (3, 0)


def test_the_last_call_of_a_day_is_given_once() -> None:
    budget = Budget(None, 1)
    inside, leave = threading.Event(), threading.Event()

    def call() -> None:
        with budget.call():
            inside.set()
            assert leave.wait(PATIENCE)

    thread = threading.Thread(target=call)
    thread.start()
    assert inside.wait(PATIENCE)
    with pytest.raises(BudgetSpent), budget.call():
        pass
    leave.set()
    thread.join()
    assert budget.total == 1


def test_what_other_nodes_called_counts_and_a_new_day_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    day = [datetime(2026, 3, 2, 23, tzinfo=UTC)]
    monkeypatch.setattr(budget_module, "now", lambda: day[0])
    budget = Budget(None, 10)
    budget.saw({1: 9})
    with budget.call(INTERACTIVE):
        pass
    assert (budget.left(), budget.take(), budget.take()) == (0, {0: 1}, {})
    budget.give_back({0: 1})
    assert (budget.left(), budget.take()) == (0, {0: 1})
    day[0] += timedelta(hours=2)
    assert budget.left() == 10


# --- owned fields ----------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5, "5"),
        (5, 5.0),
        ("5.00", Decimal(5)),
        (None, ""),
        ("", "  "),
        (None, []),
        ("a\r\nb ", "a\nb"),
        (True, "true"),
        (True, 1),
        ("2026-03-02", date(2026, 3, 2)),
        ("2026-03-02T00:00:00Z", "2026-03-02"),
        ("2026-03-02T11:00:00+01:00", "2026-03-02 10:00:00"),
        ("2026-03-02T10:00:00.123Z", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ({"a": "1"}, {"a": 1}),
        ([1, "2"], ("1", 2)),
    ],
)
def test_the_same_however_it_is_written(one: Any, other: Any) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5, 6), ("a", "b"), (0, None), (False, None), ("007", "7"), ("+34600", "34600"), ("nan", "x"),
        ("2026-03-02", "2026-03-03"), ([1], [1, 2]), ({"a": 1}, {"b": 1}), ([1], "1"), ("5", "5 apples"),
    ],
)  # fmt: skip
def test_not_the_same(one: Any, other: Any) -> None:
    assert not same(one, other)


def test_whose_field_it_is() -> None:
    history = [
        Sent(fields={"a": 1, "b": 1, "c": 1}, arrived=True),
        Sent(fields={"a": 2}, arrived=True),
        Sent(fields={"b": 2}, arrived=False),
    ]
    current = {"a": 1, "b": 2, "d": "theirs", "e": None}
    send, kept = owned_fields({"a": 3, "b": 3, "c": 3, "d": 3, "e": 3, "f": 3}, current, history)
    assert send == {"b": 3, "e": 3, "f": 3}
    assert {note.field: note.text for note in kept} == {
        "a": "changed in the CRM",  # 1 is what we wrote before the last time: somebody put it back
        "c": "the CRM does not show it, so whether a person changed it is not known",
        "d": "filled in the CRM before",
    }
