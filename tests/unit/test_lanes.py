"""What each lane may call: the day is shared, the vendor counts too, and the last calls are for who waits for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub import budget as budget_module
from hub.budget import INTERACTIVE, LANES, LISTS, WRAP_UPS, Bound, Budget, BudgetSpent, Told
from hub.clock import to_ms
from hub.flow.forecast import ends
from hub.model import Quota
from hub.store import calls
from hub.store.connection_states import state_of
from hub.store.database import Store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Day:
    """A clock for budgets."""

    def __init__(self) -> None:
        self.at = NOON


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Day:
    clock = Day()
    monkeypatch.setattr(budget_module, "now", lambda: clock.at)
    return clock


def spend(budget: Budget, lane: int, most: int = 10_000) -> int:
    """Call until it is refused; how often it was not."""
    for n in range(most):
        try:
            with budget.call(lane):
                pass
        except BudgetSpent:
            return n
    return most


def rooms(budget: Budget) -> list[int | None]:
    return [budget.room(lane) for lane in LANES]


# --- shares ----------------------------------------


def test_lists_stop_first_then_wrap_ups_and_interactive_last(day: Day) -> None:
    budget = Budget(None, 100)
    assert rooms(budget) == [100, 80, 30]
    assert spend(budget, LISTS) == 30
    assert budget.open_lanes() == (INTERACTIVE, WRAP_UPS)
    assert spend(budget, WRAP_UPS) == 50  # their share is whole
    assert budget.open_lanes() == (INTERACTIVE,)
    assert spend(budget, INTERACTIVE) == 20
    assert budget.open_lanes() == ()


def test_a_higher_lane_may_take_what_is_nobodys_and_lists_then_have_less(day: Day) -> None:
    budget = Budget(None, 100)
    assert spend(budget, WRAP_UPS) == 80  # all but what is kept for who waits
    assert rooms(budget) == [20, 0, 0]
    for _ in range(30):
        budget.request()  # a person's request is never refused
    assert rooms(budget) == [0, 0, 0]


def test_what_a_person_used_of_the_share_is_not_kept_twice(day: Day) -> None:
    budget = Budget(None, 100)
    for _ in range(15):
        budget.request()
    assert rooms(budget) == [85, 80, 30]  # 5 are still kept for people, 50 for wrap-ups


def test_what_is_kept_is_let_go_in_the_days_last_hour(day: Day) -> None:
    budget = Budget(None, 100)
    day.at = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)
    assert rooms(budget) == [100, 80, 30]
    day.at = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    assert rooms(budget) == [100, 90, 65]
    day.at = datetime(2026, 3, 2, 23, 59, 59, 999999, tzinfo=UTC)
    assert rooms(budget) == [100, 99, 99]


def test_the_shares_are_settings(day: Day) -> None:
    assert rooms(Budget(None, 100, kept=(0, 0))) == [100, 100, 100]
    assert rooms(Budget(None, 100, kept=(60, 40))) == [100, 40, 0]


def test_without_a_limit_nobody_is_stopped() -> None:
    budget = Budget()
    assert rooms(budget) == [None, None, None] and budget.open_lanes() == LANES
    assert spend(budget, LISTS, 50) == 50


def test_a_refused_lane_says_whether_anybody_has_a_call_left(day: Day) -> None:
    budget = Budget(None, 10)
    spend(budget, LISTS)
    with pytest.raises(BudgetSpent) as lane, budget.call(LISTS):
        pass
    assert (lane.value.all_lanes, lane.value.by_vendor) == (False, False)
    spend(budget, INTERACTIVE)
    with pytest.raises(BudgetSpent) as everybody, budget.call(LISTS):
        pass
    assert everybody.value.all_lanes and everybody.value.until == datetime(2026, 3, 3, tzinfo=UTC)


def test_a_call_in_flight_is_counted_once(day: Day) -> None:
    budget = Budget(None, 10, kept=(0, 0))
    with budget.call(LISTS):
        assert budget.open_lanes() == LANES
        for _ in range(9):
            budget.request()
        assert budget.room(LISTS) == 1 and LISTS in budget.open_lanes()
    assert budget.made_today() == {INTERACTIVE: 0, WRAP_UPS: 0, LISTS: 9}


# --- the vendor's own count ----------------------------------------


def test_the_vendors_count_bounds_the_day_too(day: Day) -> None:
    budget = Budget(None, 1000)
    budget.told(Quota(limit=15_000, used=14_900))
    assert budget.left() == 100  # other programs use it too
    assert budget.room(WRAP_UPS) == 0  # a fifth of the vendor's day is kept for people
    for _ in range(30):
        budget.request()
    assert budget.left() == 70  # ours count before the vendor says so again
    budget.told(Quota(limit=15_000, used=14_930))
    assert budget.left() == 70
    budget.told(Quota(limit=15_000, used=18))
    assert budget.left() == 970  # now our own is the smaller one


def test_a_short_window_is_told_and_not_a_day(day: Day) -> None:
    budget = Budget(None, 100)
    budget.told(Quota(limit=10, used=10, window_seconds=10))
    assert budget.left() == 100
    assert [one.quota.limit for one in budget.take_told()] == [10]
    assert budget.take_told() == []


def test_a_rolling_window_lets_go_and_a_fixed_one_ends(day: Day) -> None:
    rolling, fixed = Budget(), Budget()
    rolling.told(Quota(limit=1000, used=1000))
    fixed.told(Quota(limit=1000, used=1000, until=NOON + timedelta(hours=4)))
    assert (rolling.left(), fixed.left()) == (0, 0)
    with pytest.raises(BudgetSpent) as spent, fixed.call(WRAP_UPS):
        pass
    assert spent.value.by_vendor and spent.value.until == NOON + timedelta(hours=4)
    day.at = NOON + timedelta(hours=3)
    assert (rolling.left(), fixed.left()) == (125, 0)
    day.at = NOON + timedelta(hours=4)
    assert fixed.left() is None
    day.at = NOON + timedelta(days=1)
    assert rolling.left() is None


def test_the_newest_word_of_any_node_counts(day: Day) -> None:
    budget = Budget()
    budget.told(Quota(limit=100, used=10))
    budget.saw({}, [Told(Quota(limit=100, used=5), NOON - timedelta(minutes=1))])
    assert budget.left() == 90
    budget.saw({}, [Told(Quota(limit=100, used=60), NOON + timedelta(minutes=1))])
    assert budget.left() == 40


# --- in the store ----------------------------------------


def test_calls_are_kept_by_lane_and_quarter_of_an_hour(store: Store) -> None:
    with store.write() as conn:
        calls.add(conn, "crm", {0: 1, 2: 5}, now=NOON - timedelta(days=1))
        calls.add(conn, "crm", {0: 2, 1: 3}, now=NOON)
        calls.add(conn, "crm", {1: 4}, now=NOON + timedelta(minutes=20))
        calls.add(conn, "other", {2: 1}, now=NOON)
        assert calls.of_day(conn, now=NOON) == {"crm": {0: 2, 1: 7}, "other": {2: 1}}
        assert calls.of_day(conn, now=NOON, connection="crm") == {"crm": {0: 2, 1: 7}}
        assert calls.since(conn, to_ms(NOON)) == {"crm": 9, "other": 1}
        assert calls.since(conn, to_ms(NOON + timedelta(minutes=15))) == {"crm": 4}
        assert state_of(conn, "crm", day="2026-03-02").calls_today == 9
        calls.forget(conn, now=NOON + timedelta(days=7, minutes=10))
        assert calls.since(conn, 0) == {"crm": 9, "other": 1}


def test_a_vendors_word_is_kept_and_an_older_one_does_not_replace_it(store: Store) -> None:
    newer = Told(Quota(limit=100, used=60, until=NOON + timedelta(hours=1)), NOON)
    second = Told(Quota(limit=7, used=1, window_seconds=10), NOON)
    with store.write() as conn:
        calls.tell(conn, "crm", [newer, second])
        calls.tell(conn, "crm", [Told(Quota(limit=100, used=5), NOON - timedelta(seconds=1))])
        assert calls.told(conn) == {"crm": [newer, second]}
        calls.tell(conn, "crm", [Told(Quota(limit=100, used=61), NOON + timedelta(seconds=1))])
        assert [one.quota.used for one in calls.told(conn, "crm")["crm"]] == [61, 1]


# --- when it ends ----------------------------------------


@pytest.mark.parametrize(
    ("used", "per_hour", "ends_after"),
    [
        (400, 100, 6.0),  # 600 left, six hours
        (400, 40, None),  # not today: midnight comes first
        (0, 0, None),
        (1000, 0, 0.0),  # over already
    ],
)
def test_when_a_fixed_window_ends(used: int, per_hour: float, ends_after: float | None) -> None:
    bound = Bound(1000, used, 86_400, NOON + timedelta(hours=12), False)
    expected = None if ends_after is None else NOON + timedelta(hours=ends_after)
    assert ends(bound, per_hour, NOON) == expected


def test_a_rolling_window_is_filled_only_by_what_comes_faster_than_it_goes() -> None:
    bound = Bound(24_000, 12_000, 86_400, None, True)
    assert ends(bound, 500, NOON) is None  # as much leaves as comes
    assert ends(bound, 1500, NOON) == NOON + timedelta(hours=12)
