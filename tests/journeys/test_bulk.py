"""Above a backlog the bulk path takes over by itself, and every promise of the ordinary road holds on it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from hub.clock import now_ms
from hub.contract import Tools
from hub.errors import NotPermitted, Rejected, Throttled, Unavailable, UnknownOutcome, Unsupported
from hub.flow.delivery.backoff import Pace
from hub.flow.subject import interaction_subject
from hub.language.mapping import Rendered, TargetSpec
from hub.model import Lookup, Receipt, Row, Target
from hub.store import outbox, recovery
from hub.store.database import Store
from hub.store.deliveries import Attempt, attempts_of
from hub.store.outbox import backlog
from hub.store.schema import deliveries
from tests.stubs import (
    QUICK,
    Rig,
    StubCrm,
    StubMapping,
    interaction,
    put_calls,
    put_deliveries,
    put_interactions,
    raising,
    raising_after,
)
from tests.waiting import PATIENCE, until
from tests.whole_road import Platform, arrived, road

MANY = 60
KEYS = [f"c{i:02}" for i in range(MANY)]


def bulky(store: Store, *mappings: StubMapping, above: int = 20, **crm: Any) -> Rig:
    """A CRM that takes 5 rows a call and 50 by bulk, and a road that bulks above so many."""
    stub = StubCrm(**({"rows_per_call": 5, "bulk_rows": 50} | crm))
    return Rig(store, stub, *mappings, bulk_above=above)


def sizes(rig: Rig) -> list[int]:
    return [len(rows) for rows in rig.crm.writes]


def states(rig: Rig) -> Counter[str]:
    return Counter(delivery.state for delivery in rig.all())


def attempts(rig: Rig) -> list[Attempt]:
    with rig.store.read() as conn:
        return [one for found in attempts_of(conn, [d.id for d in rig.all()]).values() for one in found]


def put_lists(store: Store, *keys: str, mapping: str = "spring") -> None:
    """A contact list's deliveries."""
    put_deliveries(
        store,
        *({"subject": f"member:spring/{key}", "mapping": mapping, "lane": 2, "body": '{"id": "x"}'} for key in keys),
    )


def patient(**told: float) -> Pace:
    """The tests' pace, but for what is told."""
    return replace(QUICK, **told)


# --- when ----------------------------------------


def test_a_backlog_goes_in_one_write(store: Store) -> None:
    rig = bulky(store)
    put_calls(store, *KEYS)
    assert rig.deliverer.run_once("crm") == 50
    assert rig.deliverer.drain(PATIENCE)
    assert sizes(rig)[0] == 50 and len(sizes(rig)) <= 3
    assert states(rig) == {"delivered": MANY}
    assert rig.crm.keys() == {f"pbx:{key}": 1 for key in KEYS}
    delivery = rig.all()[0]
    assert delivery.record_url == f"https://crm.example/{delivery.record_id}"  # each row has its own receipt


def test_what_is_not_more_than_the_threshold_goes_the_ordinary_way(store: Store) -> None:
    rig = bulky(store, above=MANY)
    put_calls(store, *KEYS)
    assert rig.deliverer.drain(PATIENCE)
    assert set(sizes(rig)) == {5}


def test_a_connector_without_a_bulk_path_never_sees_more_rows_than_it_takes(store: Store) -> None:
    rig = bulky(store, bulk_rows=0)
    put_calls(store, *KEYS)
    assert rig.deliverer.drain(PATIENCE)
    assert set(sizes(rig)) == {5}


def test_a_backlog_is_a_mappings_and_only_what_is_due_counts(store: Store) -> None:
    put_interactions(store, [interaction(key) for key in KEYS])
    subjects = [interaction_subject("pbx", key) for key in KEYS]
    put_deliveries(store, *({"subject": subject} for subject in subjects[:15]))
    put_deliveries(store, *({"subject": subject, "mapping": "other"} for subject in subjects[15:30]))
    put_deliveries(store, *({"subject": subject, "due_at": now_ms() + 60_000} for subject in subjects[30:45]))
    put_deliveries(store, *({"subject": subject, "lane": 0} for subject in subjects[45:]))
    with store.read() as conn:
        asked = {"now": now_ms(), "lanes": (1, 2)}
        assert backlog(conn, "crm", more_than=15, **asked) == []
        assert sorted(backlog(conn, "crm", more_than=14, **asked)) == ["other", "wrap_up"]
    put_lists(store, *KEYS)
    asked = {"now": now_ms(), "lanes": (1, 2)}
    with store.read() as conn:
        assert backlog(conn, "crm", more_than=20, **asked) == ["spring"]
        assert backlog(conn, "crm", now=now_ms(), lanes=(2, 1), more_than=14)[0] == "spring"


def test_what_others_have_to_send_does_not_wait_for_a_backlog(store: Store) -> None:
    spring = StubMapping("spring", target=TargetSpec(connection="crm", write="member", key="key", lane=2),
                         render=lambda facts, found: Rendered(fields={"note": "x"}))  # fmt: skip
    rig = bulky(store, StubMapping(), spring)
    put_lists(store, *KEYS, *(f"d{i}" for i in range(MANY)))
    put_calls(store, "a", "b")
    road = rig.deliverer._roads["crm"]
    bulk, ordinary = road.bulk_now(), road.batch_now()
    assert bulk and ordinary
    assert {one.mapping for one in bulk[1]} == {"spring"} and len(bulk[1]) == 50
    assert {one.mapping for one in ordinary[1]} == {"wrap_up"}  # none of the backlog's rows rides along
    rig.deliverer.close()
    assert states(rig) == {"pending": 2 * MANY + 2}


def test_an_interactive_delivery_is_not_held_up_behind_a_job(store: Store) -> None:
    rig = Rig(store, StubCrm(rows_per_call=5, bulk_rows=50), bulk_above=20, concurrency=1)
    begun, end = threading.Event(), threading.Event()

    def job(crm: StubCrm, target: Target, rows: Sequence[Row]) -> None:
        begun.set()
        assert end.wait(PATIENCE)

    rig.crm.faults.append(job)
    put_calls(store, *KEYS[:50])
    rig.deliverer.start()
    assert begun.wait(PATIENCE)
    put_interactions(store, [interaction("now")])
    put_deliveries(store, {"subject": interaction_subject("pbx", "now"), "lane": 0})
    store.wake("deliveries")
    until(lambda: rig.crm.keys()["pbx:now"] == 1)
    assert sizes(rig) == [50, 1] and not end.is_set()
    end.set()
    until(lambda: states(rig) == {"delivered": 51})
    rig.deliverer.close()


class Door:
    """A lock that tells when somebody has to wait at it."""

    def __init__(self) -> None:
        self._lock, self.somebody_waits = threading.Lock(), threading.Event()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.somebody_waits.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_whoever_looks_while_another_looks_sees_the_same_backlog(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    bulk = Rig(store, StubCrm(rows_per_call=5, bulk_rows=50), pace=patient(poll=60)).deliverer._roads["crm"].bulk
    bulk._looking = door = Door()  # type: ignore[assignment]
    seen: list[tuple[str, ...]] = []

    def look() -> None:
        with store.read() as conn:
            bulk.look(conn, (1, 2), now=now_ms())
        seen.append(bulk.mappings)

    second = threading.Thread(target=look)

    def slow(*asked: Any, **how: Any) -> list[str]:
        second.start()
        until(lambda: door.somebody_waits.is_set() or not second.is_alive())
        return ["wrap_up"]

    monkeypatch.setattr(outbox, "backlog", slow)
    look()
    second.join()
    assert seen == [("wrap_up",), ("wrap_up",)]


def test_one_of_a_subject_is_in_flight_while_a_job_runs(store: Store) -> None:
    rig = bulky(store, StubMapping(), StubMapping("other"))
    put_calls(store, *KEYS[:50])
    road = rig.deliverer._roads["crm"]
    bulk = road.bulk_now()
    assert bulk and len(bulk[1]) == 50
    put_deliveries(store, {"subject": interaction_subject("pbx", KEYS[0]), "mapping": "other"})
    assert road.batch_now() is None
    road.carry(bulk)
    assert rig.deliverer.drain(PATIENCE)
    assert rig.crm.busiest[f"pbx:{KEYS[0]}"] == 1


def test_look_ups_stay_in_batches(store: Store) -> None:
    mapping = StubMapping(
        lookups=lambda facts: {"caller": [Lookup("contact", "phone", facts["interaction"]["id"])]},
        render=lambda facts, found: Rendered(fields={"note": "x"}),
    )
    rig = bulky(store, mapping, lookups_per_call=1)  # more calls than the halving of one batch may make
    put_calls(store, *KEYS[:50])
    assert rig.deliverer.run_once("crm") == 50
    assert [len(asked) for asked in rig.crm.finds] == [1] * 50
    assert sizes(rig) == [50] and states(rig) == {"delivered": 50}


# --- what goes wrong ----------------------------------------


def test_a_rows_own_failure_parks_it_alone(store: Store) -> None:
    rig = bulky(store)
    rig.crm.refuses = lambda row: Rejected("no", {"note": "is wrong"}) if row.key == "pbx:c07" else None
    put_calls(store, *KEYS)
    assert rig.deliverer.drain(PATIENCE)
    assert states(rig) == {"delivered": MANY - 1, "parked": 1}


def test_a_job_that_one_row_spoils_is_halved(store: Store) -> None:
    rig = bulky(store)

    def spoiled(crm: StubCrm, target: Target, rows: Sequence[Row]) -> None:
        if any(row.key == "pbx:c07" for row in rows):
            raise Rejected("the file cannot be read")

    rig.crm.faults.extend([spoiled] * 40)
    put_calls(store, *KEYS[:50])
    assert rig.deliverer.run_once("crm") == 50
    assert states(rig) == {"delivered": 49, "parked": 1}
    assert rig.crm.keys() == {f"pbx:{key}": 1 for key in KEYS[:50] if key != "c07"}


@pytest.mark.parametrize("error", [Unavailable("down"), Throttled("429", 0.05)])
def test_a_job_that_was_not_taken_comes_again_whole(store: Store, error: Exception) -> None:
    rig = bulky(store)
    rig.crm.faults.append(raising(error))
    put_calls(store, *KEYS[:50])
    assert rig.deliverer.run_once("crm") == 50
    assert states(rig) == {"pending": 50} and not any(one.in_doubt for one in rig.all())
    assert rig.deliverer.drain(PATIENCE)
    assert states(rig) == {"delivered": 50} and rig.crm.keys() == {f"pbx:{key}": 1 for key in KEYS[:50]}


@pytest.mark.parametrize("native", [True, False])
def test_a_job_of_unknown_outcome_comes_again_in_doubt(store: Store, native: bool) -> None:
    rig = bulky(store, native=native)
    rig.crm.faults.append(raising_after(UnknownOutcome("the job's state cannot be read")))
    put_calls(store, *KEYS[:50])
    assert rig.deliverer.run_once("crm") == 50
    assert all(one.in_doubt and one.state == "pending" for one in rig.all())
    assert rig.deliverer.drain(PATIENCE)
    assert all(row.in_doubt for rows in rig.crm.writes[1:] for row in rows)
    assert rig.crm.keys() == {f"pbx:{key}": 1 for key in KEYS[:50]}


@pytest.mark.parametrize("error", [Unsupported("no bulk for this object"), NotPermitted("no bulk for this user")])
def test_where_the_bulk_path_is_refused_the_ordinary_one_is_taken(store: Store, error: Exception) -> None:
    rig = bulky(store)
    rig.crm.faults.append(raising(error))
    put_calls(store, *KEYS)
    assert rig.deliverer.drain(PATIENCE)
    assert sizes(rig) == [50] + [5] * (MANY // 5)
    assert states(rig) == {"delivered": MANY}


def test_a_claim_is_kept_while_the_connector_waits_for_the_job(store: Store) -> None:
    rig = Rig(store, StubCrm(rows_per_call=5, bulk_rows=50), bulk_above=20, pace=patient(lease=8))

    def lease_ends() -> int:
        with store.read() as conn:
            return min(conn.scalars(select(deliveries.c.lease_until)))

    def slow(crm: StubCrm, target: Target, rows: Sequence[Row]) -> None:
        before = lease_ends()
        until(lambda: lease_ends() > before)

    rig.crm.faults.append(slow)
    put_calls(store, *KEYS[:50])
    rig.deliverer.start()
    until(lambda: states(rig) == {"delivered": 50})
    rig.deliverer.close()
    assert sizes(rig) == [50]
    assert [one.outcome for one in attempts(rig)] == ["created"] * 50


def test_a_job_whose_claim_was_lost_notes_nothing_and_all_arrive_once(store: Store) -> None:
    rig = bulky(store, native=False)

    def lost(crm: StubCrm, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        given = crm.commit(target, rows)
        with store.write() as conn:
            conn.execute(deliveries.update().values(lease_until=now_ms() - 1))
            assert recovery.take_back(conn, now=now_ms()) == 50
        return given

    rig.crm.faults.append(lost)
    put_calls(store, *KEYS[:50])
    rig.deliverer.run_once("crm")
    assert states(rig) == {"pending": 50} and all(one.in_doubt for one in rig.all())
    assert rig.another().drain(PATIENCE)
    assert states(rig) == {"delivered": 50}
    assert all(row.in_doubt for row in rig.crm.writes[1])
    assert rig.crm.keys() == {f"pbx:{key}": 1 for key in KEYS[:50]}


def test_a_hub_that_stops_gives_a_running_job_back_in_doubt(store: Store) -> None:
    rig = Rig(store, StubCrm(rows_per_call=5, bulk_rows=50), bulk_above=20, pace=patient(close=0.1))
    begun, end = threading.Event(), threading.Event()

    def job(crm: StubCrm, target: Target, rows: Sequence[Row]) -> None:
        begun.set()
        assert end.wait(PATIENCE)

    rig.crm.faults.append(job)
    put_calls(store, *KEYS[:50])
    rig.deliverer.start()
    assert begun.wait(PATIENCE)
    rig.deliverer.close()
    assert {(one.state, one.in_doubt) for one in rig.all()} == {("pending", True)}
    end.set()
    until(lambda: sum(rig.crm.keys().values()) == 50)
    assert rig.another().drain(PATIENCE)
    assert rig.crm.keys() == {f"pbx:{key}": 1 for key in KEYS[:50]}


def test_a_job_ends_with_the_hub_and_its_outcome_is_not_known(tmp_path: Path) -> None:
    from tests.whole_hub import whole_hub

    seen: list[Tools] = []
    with pytest.MonkeyPatch.context() as patch, whole_hub(tmp_path, f"sqlite:///{tmp_path}/p.db") as hub:
        patch.setattr("hub.connections.connector_class", lambda name: _Keeping(seen))
        from hub.connections import open_connections

        opened = open_connections(hub.hub.config, hub.hub.store)
        opened.close()
        with pytest.raises(UnknownOutcome, match="hub ends"):
            seen[0].wait(PATIENCE)


class _Keeping:
    """Keeps the tools that it is given."""

    manifest = StubCrm().manifest

    def __init__(self, seen: list[Tools]) -> None:
        self._seen = seen

    def __call__(self, settings: Any, tools: Tools) -> Any:
        self._seen.append(tools)
        return self


# --- a process that dies ----------------------------------------


def test_a_worker_is_killed_in_the_middle_of_a_job(store_url: str, tmp_path: Path) -> None:
    with road(tmp_path, store_url, "bulking", latency=0.3, more="bulk_above: 100") as built:
        hub = built.serve("front", "--no-work")
        platform = Platform(600)
        platform.hub = hub
        platform.start()
        platform.join(120)
        built.judge.hold()  # a job that is done, and whose worker does not hear of it
        worker = built.work(hub, "worker-0")
        until(lambda: built.judge.tally()["records"] >= 200, about="a job that is done")
        worker.kill()
        worker.wait()
        built.judge.hold(off=True)
        built.outlast_leases()
        built.work(hub, "worker-1")
        arrived(built, platform.accepted)
        assert built.taken_back() >= 200  # a whole job was in flight
