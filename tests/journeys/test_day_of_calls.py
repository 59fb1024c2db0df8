"""A day's calls on the road: a contact list cannot eat the screen pops' calls, and everybody is told when the day ends."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.budget import INTERACTIVE, LISTS, WRAP_UPS
from hub.clock import now
from hub.connections import Connections
from hub.errors import PatchbayError
from hub.flow import forecast as forecasting
from hub.flow.delivery import pauses
from hub.flow.delivery.calls import LaneSpent, called
from hub.flow.forecast import forecasts
from hub.flow.ledger import keep_calls
from hub.flow.subject import interaction_subject
from hub.flow.watch import Watch
from hub.language.mapping import Rendered, TargetSpec
from hub.model import Lookup, Quota
from hub.store import alerts, calls
from hub.store.database import Store
from tests.contact_lists import stand
from tests.stubs import (
    Rig,
    StubCrm,
    StubMapping,
    config,
    interaction,
    put_calls,
    put_deliveries,
    put_interactions,
)
from tests.waiting import until
from tests.whole_hub import whole_hub

pytestmark = pytest.mark.usefixtures("one_day")

SPRING = TargetSpec(connection="crm", write="member", key="key", lane=2)


def limited(store: Store, calls_per_day: int) -> Rig:
    spring = StubMapping("spring", target=SPRING, render=lambda facts, found: Rendered(fields={"note": "x"}))
    rig = Rig(store, StubCrm(rows_per_call=1), StubMapping(), spring)
    rig.connection.budget.calls_per_day = calls_per_day
    return rig


def put_members(store: Store, many: int) -> None:
    rows = (
        {"subject": f"member:spring/{n}", "mapping": "spring", "lane": 2, "body": '{"id": "x"}'} for n in range(many)
    )
    put_deliveries(store, *rows)


def run(rig: Rig) -> None:
    while rig.deliverer.run_once("crm"):
        pass


def by_lane(rig: Rig) -> Counter[tuple[int, str]]:
    return Counter((one.lane, one.state) for one in rig.all())


def test_a_list_stops_first_then_wrap_ups_and_what_is_interactive_goes_on(store: Store) -> None:
    rig = limited(store, 100)
    put_members(store, 40)
    run(rig)
    assert by_lane(rig) == {(2, "delivered"): 30, (2, "pending"): 10}
    assert {one.attempts for one in rig.all(states=("pending",))} == {0}
    assert not pauses.states(store)["crm"].paused  # the list waits, the connection does not
    put_calls(store, *(f"c{n}" for n in range(55)))
    run(rig)
    assert by_lane(rig)[1, "delivered"] == 50 and by_lane(rig)[2, "delivered"] == 30
    put_interactions(store, [interaction(f"now{n}") for n in range(25)])
    put_deliveries(store, *({"subject": interaction_subject("pbx", f"now{n}"), "lane": 0} for n in range(25)))
    run(rig)
    assert by_lane(rig)[0, "delivered"] == 20
    state = pauses.states(store)["crm"]
    assert (state.paused, state.reason, state.calls_today) == (True, "calls_per_day", 100)


def test_a_lane_that_runs_out_in_the_middle_of_a_claim_waits_without_an_attempt(store: Store) -> None:
    mapping = StubMapping(
        lookups=lambda facts: {"caller": [Lookup("contact", "phone", facts["interaction"]["id"])]},
        render=lambda facts, found: Rendered(fields={"note": "x"}),
    )
    rig = Rig(store, StubCrm(), mapping)
    rig.connection.budget.calls_per_day = 10
    for _ in range(7):
        with rig.connection.budget.call(WRAP_UPS):
            pass
    put_calls(store, "a")
    assert rig.deliverer.run_once("crm") == 1  # the look-up takes the lane's last call, the write has none
    assert not rig.crm.writes
    assert (rig.one().state, rig.one().attempts, rig.one().reason and rig.one().reason.name) == (  # type: ignore[union-attr]
        "pending", 0, "lane_spent",
    )  # fmt: skip
    assert rig.deliverer.run_once("crm") == 0
    assert not pauses.states(store)["crm"].paused


def test_other_nodes_and_a_restart_know_what_each_lane_used(store: Store) -> None:
    rig = limited(store, 100)
    put_members(store, 40)
    run(rig)
    again = limited(store, 100)
    assert again.deliverer.run_once("crm") == 0
    assert again.connection.budget.made_today() == {INTERACTIVE: 0, WRAP_UPS: 0, LISTS: 30}


def test_the_vendors_count_stops_the_list_and_its_end_pauses(store: Store) -> None:
    rig = limited(store, 1_000_000)
    ends = now() + timedelta(hours=5)
    rig.connection.budget.told(Quota(limit=100, used=65, until=ends))
    put_members(store, 3)
    put_calls(store, "a")
    run(rig)
    assert by_lane(rig) == {(2, "pending"): 3, (1, "delivered"): 1}
    rig.connection.budget.told(Quota(limit=100, used=100, until=ends))
    put_calls(store, "b")
    run(rig)
    state = pauses.states(store)["crm"]
    assert (state.paused, state.reason) == (True, "quota_spent")
    assert state.until is not None and abs(state.until - ends) < timedelta(seconds=1)


def test_what_the_vendor_said_is_seen_by_every_node(store: Store) -> None:
    rig, other = limited(store, 1_000_000), limited(store, 1_000_000)
    rig.connection.budget.told(Quota(limit=100, used=95))
    put_calls(store, "a")
    assert rig.deliverer.run_once("crm") == 0  # a fifth is kept
    keep_calls(store, rig.connection)
    assert other.deliverer.run_once("crm") == 0
    assert other.connection.budget.left() == 5


def test_a_person_is_never_stopped(store: Store) -> None:
    rig = limited(store, 1)
    rig.connection.budget.request()
    rig.connection.budget.request()
    with pytest.raises(LaneSpent):
        limited_lists = limited(store, 10)
        for _ in range(10):
            called(limited_lists.connection, lambda: None, LISTS)


def test_a_pull_stops_when_the_lists_calls_are_used_and_goes_on_where_it_was(store: Store, tmp_path: Path) -> None:
    spring = stand(store, tmp_path)
    for n in range(1, 8):
        spring.crm.put(str(n), f"61234560{n}")
    budget = spring.connections["crm"].budget
    budget.calls_per_day = 4  # two of them are kept for wrap-ups
    with pytest.raises(LaneSpent, match="kept for more urgent ones than lists"):
        spring.lists.pull("spring")
    assert budget.made_today() == {INTERACTIVE: 0, WRAP_UPS: 0, LISTS: 2}
    assert len(spring.queued()) == 6  # pages of three
    budget.calls_per_day = 100
    counts = spring.lists.pull("spring")
    assert [query.cursor for query in spring.crm.queries] == [None, "7/6"]
    assert (counts.read, len(spring.queued()), budget.made_today()[LISTS]) == (7, 7, 3)


# --- forecast ----------------------------------------


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(forecasting, "now", lambda: moment)
    monkeypatch.setattr("hub.flow.ledger.now", lambda: moment)
    monkeypatch.setattr("hub.budget.now", lambda: moment)


def test_the_forecast_goes_by_the_last_hour_and_a_quarter_of_all_nodes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = limited(store, 1000)
    made: dict[str, object] = {"crm": rig.connection}
    connections = Connections(made)  # type: ignore[arg-type]
    with store.write() as conn:
        calls.add(conn, "crm", {2: 400}, now=datetime(2026, 3, 2, 8, tzinfo=UTC))  # long ago
        calls.add(conn, "crm", {1: 100, 0: 25}, now=datetime(2026, 3, 2, 12, 10, tzinfo=UTC))
    at(monkeypatch, datetime(2026, 3, 2, 12, 15, tzinfo=UTC))
    told = forecasts(store, connections)["crm"]
    assert told.calls_today == {"interactive": 25, "wrap_ups": 100, "lists": 400}
    assert (told.per_hour, told.limit, told.used, told.left) == (125.0, 1000, 525, 475)
    assert told.ends_at == datetime(2026, 3, 2, 16, 3, tzinfo=UTC)
    assert told.room == {"interactive": 475, "wrap_ups": 300, "lists": 0}
    at(monkeypatch, datetime(2026, 3, 2, 23, 50, tzinfo=UTC))
    later = forecasts(store, connections)["crm"]
    assert (later.per_hour, later.ends_at) == (0.0, None)  # not today


def test_an_end_before_the_windows_is_an_alert_till_it_is_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = limited(store, 1000)
    watch = Watch(store, Connections({"crm": rig.connection}), config(store))
    clock = [datetime(2026, 3, 2, 12, 10, tzinfo=UTC)]
    monkeypatch.setattr("hub.flow.watch.now_ms", lambda: int(clock[0].timestamp() * 1000))

    def open_alerts() -> list[str]:
        at(monkeypatch, clock[0])
        watch.look()
        with store.read() as conn:
            return [one.message for one in alerts.opened(conn, kind=alerts.QUOTA)]

    assert open_alerts() == []
    with store.write() as conn:
        calls.add(conn, "crm", {1: 250}, now=clock[0])
    clock[0] += timedelta(minutes=5)
    (message,) = open_alerts()  # the check of its credentials was a call too
    assert 'The connection "crm" has 749 of the 1000 calls left that its budget allows' in message
    assert "250 an hour they end at 15:14 UTC" in message
    clock[0] += timedelta(minutes=90)
    assert open_alerts() == []


# --- told ----------------------------------------


def test_the_api_the_page_and_the_metrics_tell(store_url: str, tmp_path: Path) -> None:
    settings = (
        "country: ES\nconnections:\n  crm: { connector: embedded, calls_per_day: 5000, kept_for_interactive: 10 }\n"
    )
    with whole_hub(tmp_path, store_url, settings=settings, mappings={}) as hub:
        there = hub.hub.connections["crm"]
        there.budget.request()
        there.budget.told(Quota(limit=15_000, used=14_000, until=now() + timedelta(hours=2)))
        there.budget.told(Quota(limit=100, used=3, window_seconds=10))
        hub.hub.watch.keep()
        shown = hub.program.get("/connections")["connections"][0]
        assert shown["calls_today"] == 1
        budget = shown["budget"]
        assert budget["calls_today"] == {"interactive": 1, "wrap_ups": 0, "lists": 0}
        assert (budget["limit"], budget["left"], budget["by_vendor"], budget["ends_at"]) == (15_000, 1000, True, None)
        assert budget["room"] == {"interactive": 1000, "wrap_ups": 0, "lists": 0}
        day, short = shown["quotas"]
        assert (day["used"], day["limit"], day["window_seconds"], short["limit"]) == (14_000, 15_000, 86_400, 100)
        assert datetime.fromisoformat(day["seen_at"]) <= now() and day["until"] and short["until"] is None
        assert hub.program.get("/connections/crm")["budget"] == budget
        browser = hub.signed_in()
        assert "1000 of 15000 left, says the vendor" in browser.get("/").text
        metrics = browser.get("/metrics").text
        assert 'patchbay_calls_left{connection="crm",lane="interactive"} 1000.0' in metrics
        assert 'patchbay_calls_limit{connection="crm"} 15000.0' in metrics


def test_a_nodes_calls_are_kept_by_the_clock_even_where_nothing_is_delivered(store: Store) -> None:
    rig = limited(store, 10)
    rig.connection.budget.request()
    watch = Watch(store, Connections({"crm": rig.connection}), config(store), seconds=0.02)
    watch.start(checks=False)
    until(lambda: "crm" in pauses.states(store))
    rig.connection.budget.request()
    watch.close()
    assert pauses.states(store)["crm"].calls_today == 2


@pytest.mark.parametrize("told", ["kept_for_interactive: 60, kept_for_wrap_ups: 50", "kept_for_wrap_ups: -1"])
def test_shares_that_cannot_be_are_refused(tmp_path: Path, told: str) -> None:
    settings = f"country: ES\nconnections:\n  crm: {{ connector: embedded, {told} }}\n"
    with (
        pytest.raises(PatchbayError, match=r"hub.yaml:3: .*100 at most"),
        whole_hub(tmp_path, f"sqlite:///{tmp_path}/p.db", settings=settings, mappings={}),
    ):
        pass
