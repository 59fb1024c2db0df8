"""Lists are pulled by themselves: by one node each time, taken over from a dead one, and opt-outs do not wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.errors import Unavailable
from hub.flow.lists.schedules import Schedules
from hub.store.database import Store
from hub.store.schema import do_not_call, list_runs, schedule_ticks
from tests.contact_lists import SPRING, Stand, stand
from tests.waiting import PATIENCE, until

NEVER = 3600.0  # seconds between looks: then only a bell makes a node look


@pytest.fixture
def spring(store: Store, tmp_path: Path) -> Stand:
    """Three members to pull."""
    made = stand(store, tmp_path)
    for number in range(1, 4):
        made.crm.put(str(number), f"61234560{number}")
    return made


@pytest.fixture
def running() -> Iterator[Callable[[Schedules], Schedules]]:
    """Starts timetables, and stops them afterwards."""
    with ExitStack() as stack:

        def start(schedules: Schedules) -> Schedules:
            stack.callback(schedules.close)
            schedules.start()
            return schedules

        yield start


def node(spring: Stand, look_seconds: float = NEVER) -> Schedules:
    """The timetable of another process on the same store."""
    return Schedules(spring.store, spring.node(), zone="Europe/Madrid", look_seconds=look_seconds)


def runs(store: Store) -> list[tuple[str, bool]]:
    """Every run: its state, and whether it was full."""
    with store.read() as conn:
        return [(run.state, run.full) for run in conn.execute(select(list_runs).order_by(list_runs.c.id))]


def test_of_two_nodes_one_fires(spring: Stand) -> None:
    nodes = [node(spring), node(spring)]
    together = threading.Barrier(2)
    won: list[bool] = []

    def fire(one: Schedules, tick: int) -> None:
        together.wait(PATIENCE)
        won.append(one.fire("spring", tick))

    for tick in range(1, 11):
        pair = [threading.Thread(target=fire, args=(one, tick * 60_000)) for one in nodes]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join(PATIENCE)
    assert (won.count(True), won.count(False)) == (10, 10)
    assert len(spring.crm.queries) == 10


def test_two_running_nodes_pull_once_for_each_tick(spring: Stand, running: Callable[[Schedules], Schedules]) -> None:
    spring.mappings.publish(SPRING.replace("every: 15 minutes", "every: 1 second"), by="test")
    nodes = [running(node(spring)), running(node(spring))]
    until(lambda: len(spring.crm.queries) >= 3)
    for one in nodes:
        one.close()
    with spring.store.read() as conn:
        ticks = conn.execute(select(schedule_ticks)).all()
    # A tick whose turn came while the pull before it still ran, or while the hub stopped, has none; none has two.
    assert 3 <= len(spring.crm.queries) <= len(runs(spring.store)) <= len(ticks)
    assert all(tick.tick % 1000 == 0 for tick in ticks)
    assert {state for state, _ in runs(spring.store)} <= {"done", "running"}


def test_the_timetable_follows_the_mappings(spring: Stand, running: Callable[[Schedules], Schedules]) -> None:
    before = datetime.now(UTC)
    timetable = running(node(spring))
    until(lambda: "spring" in timetable.planned())
    first = timetable.planned()["spring"]
    assert before < first <= datetime.now(UTC) + timedelta(minutes=15)
    assert first.minute % 15 == 0
    spring.mappings.publish(SPRING.replace("every: 15 minutes", 'cron: "30 7 * * mon-fri"'), by="test")
    timetable.look()
    following = timetable.planned()["spring"]
    assert (following.hour, following.minute, following.utcoffset()) == (7, 30, following.utcoffset())
    assert str(following.tzinfo) == "Europe/Madrid"
    assert following.weekday() < 5
    spring.mappings.publish(SPRING.replace("  every: 15 minutes\n", ""), by="test")  # by hand alone
    timetable.look()
    assert timetable.planned() == {}


def test_a_dead_node_s_pull_is_taken_over(spring: Stand, running: Callable[[Schedules], Schedules]) -> None:
    spring.lists.pull("spring")
    with spring.store.write() as conn:
        conn.execute(list_runs.update().values(state="running", lease_until=1, cursor="3/1", counts="{}"))
    running(node(spring))
    until(lambda: runs(spring.store) == [("done", True)])
    assert spring.crm.queries[-1].cursor == "3/1"


def test_an_opt_out_rings_and_leaves_the_list(spring: Stand, running: Callable[[Schedules], Schedules]) -> None:
    spring.lists.pull("spring")
    spring.deliver()
    running(node(spring))
    with spring.store.write() as conn:
        conn.execute(do_not_call.insert().values(phone="+34612345602", since=1, source="test"))
    spring.store.wake("do_not_call")
    until(lambda: spring.queued() == {"2": "remove"})


def test_a_failed_pull_is_on_its_run_and_the_timetable_goes_on(
    spring: Stand, running: Callable[[Schedules], Schedules]
) -> None:
    def away(number: int) -> None:
        if len(spring.crm.queries) == 1:
            raise Unavailable("the CRM does not answer")

    spring.crm.before_page = away
    spring.mappings.publish(SPRING.replace("every: 15 minutes", "every: 1 second"), by="test")
    running(node(spring))
    until(lambda: ("done", True) in runs(spring.store))
    assert runs(spring.store)[0] == ("failed", True)
