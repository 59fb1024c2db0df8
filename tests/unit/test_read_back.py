"""Read-back: what the CRM stored is compared with what was sent, and no delivery is delayed or failed by it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text

from hub.clock import now_ms
from hub.connections import Connections
from hub.errors import NotPermitted, QuotaSpent, Unavailable, Unsupported
from hub.flow.delivery import pauses
from hub.flow.described import Described
from hub.flow.read_back import KEEP_MS, LEASE_MS, LOOK_SECONDS, ReadBack
from hub.language.mapping import Rendered
from hub.model import Description, Field, Lookup, Record
from hub.store import alerts, read_back
from hub.store import read_back_queue as queue
from hub.store.database import Store, open_store
from hub.store.read_back import Score
from hub.store.read_back_queue import Written
from hub.store.schema import read_back as table
from hub.store.schema import read_back_queue
from tests.stubs import Rig, StubCrm, StubMapping, interaction, put_deliveries, put_interactions, until
from tests.waiting import PATIENCE


class ReadableCrm(StubCrm):
    """Shows its records by their id, as `shows` makes them look."""

    shows: Callable[[dict[str, Any]], dict[str, Any] | None] = staticmethod(lambda fields: fields)

    def describe(self, object: str) -> Description:
        return Description(object=object, label=object, fields=(Field(name="note", max_length=10), Field(name="n")))

    def _found(self, lookup: Lookup) -> Sequence[Record]:
        if lookup.by != "id":
            return super()._found(lookup)
        held = [one for (object, _), kept in self.records.items() for one in kept if one["id"] == lookup.value]
        shown = [(one["id"], self.shows(dict(one["fields"]))) for one in held]
        return [
            Record(object=lookup.object, id=id, title="", fields=fields) for id, fields in shown if fields is not None
        ]


@pytest.fixture
def postgres(filled_postgres: str) -> Iterator[Store]:
    """The engine on which nodes write side by side."""
    store = open_store(filled_postgres)
    yield store
    store.close()


class Reading:
    """A rig whose deliveries are read back when the test says so."""

    def __init__(self, store: Store, *, chance: Callable[[], float] = lambda: 0.0, **declared: Any) -> None:
        self.crm = ReadableCrm()
        mapping = StubMapping(render=lambda facts, found: Rendered(fields=dict(facts["interaction"]["sent"])))
        settings = {"read_back": "full", "read_back_after_seconds": 0.0} | declared
        self.rig = Rig(store, self.crm, mapping, **settings)
        self.store = store
        connections = Connections({"crm": self.rig.connection})
        self.read_back = ReadBack(store, connections, Described(store), "ES", chance)
        self.deliverer = self.rig.another(self.read_back.saw, keepers=[self.read_back.to_read])

    def deliver(self, *keys: str, **sent: Any) -> None:
        put_interactions(self.store, [interaction(key, sent=sent) for key in keys])
        put_deliveries(self.store, *({"subject": f"interaction:pbx/{key}"} for key in keys))
        assert self.deliverer.drain(PATIENCE)

    def read(self) -> dict[str, Score]:
        """The scores by field, after all that waits was read."""
        self.read_back.read_due(everything=True)
        with self.store.read() as conn:
            return {score.field: score for score in read_back.scores(conn)}

    def raised(self) -> list[tuple[str | None, str]]:
        with self.store.read() as conn:
            return [(one.field, one.message) for one in alerts.opened(conn, kind="not_kept")]


def counts(score: Score) -> tuple[int, int, int, int, int]:
    return score.checked, score.kept, score.changed, score.cut, score.missing


def test_what_was_kept_changed_cut_and_missing_is_counted_by_field(store: Store) -> None:
    reading = Reading(store)
    reading.crm.shows = lambda f: {"note": f["note"][:10], "n": 7, "same": f["same"]}
    reading.deliver("a", "b", note="Wants the red one", n=5, same="x", gone="y")
    scores = reading.read()
    assert {name: counts(score) for name, score in scores.items()} == {
        "note": (2, 0, 0, 2, 0), "n": (2, 0, 2, 0, 0), "same": (2, 2, 0, 0, 0), "gone": (2, 0, 0, 0, 2),
    }  # fmt: skip
    assert (scores["note"].longest_sent, scores["note"].longest_kept) == (17, 10)
    [asked] = [call for call in reading.crm.finds if call[0].by == "id"]
    assert [(lookup.value, lookup.fields) for lookup in asked] == [
        (id, ("gone", "n", "note", "same")) for id in ("R1", "R2")
    ]
    with store.read() as conn:
        assert "red" not in str(conn.execute(select(table)).all()), "no value is kept with the score"


def test_a_field_that_is_not_kept_again_and_again_is_an_alert_until_it_is(store: Store) -> None:
    reading = Reading(store)
    reading.crm.shows = lambda f: f | {"note": f["note"][:10]}
    reading.deliver("a", "b", note="Wants the red one", n=1)
    reading.read()
    assert reading.raised() == [], "twice may be chance"
    reading.deliver("c", note="Wants the blue one, please", n=1)
    reading.read()
    [(field, message)] = reading.raised()
    assert field == "note"
    assert message == ("note is cut by the CRM, from up to 26 characters to 10 (3 of the last 3 times it was read; wrap_up "
                       "version 1)")  # fmt: skip
    reading.crm.shows = lambda f: f
    reading.deliver("d", "e", "f", "g", note="Wants the red one", n=1)
    reading.read()
    assert len(reading.raised()) == 1
    reading.deliver("h", note="Wants the red one", n=1)
    scores = reading.read()
    assert reading.raised() == []
    assert scores["note"].lately == "ssskkkkk"


def test_a_record_that_our_user_does_not_see_is_missing(store: Store) -> None:
    reading = Reading(store)
    reading.crm.shows = lambda f: None
    reading.deliver("a", note="x")
    assert counts(reading.read()["note"]) == (1, 0, 0, 0, 1)


def test_what_was_written_over_meanwhile_is_not_judged(store: Store) -> None:
    reading = Reading(store)
    reading.deliver("a", note="first")
    other = reading.rig.another()  # a node that reads nothing back
    put_interactions(store, [interaction("a", sent={"note": "second"})])
    put_deliveries(store, {"subject": "interaction:pbx/a"})
    assert other.drain(PATIENCE)
    assert reading.read() == {}
    reading.deliver("a", note="third")
    reading.deliver("a", note="fourth")
    assert reading.read_back.waiting == 1, "the newest stands for both"
    assert counts(reading.read()["note"]) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize(("share", "chance", "read"), [(0.3, 0.29, 1), (0.3, 0.31, 0), (0.0, 0.0, 0), (1.0, 0.99, 1)])
def test_a_sample_is_a_share(store: Store, share: float, chance: float, read: int) -> None:
    reading = Reading(store, chance=lambda: chance, read_back="sample", read_back_share=share)
    reading.deliver("a", note="x")
    assert reading.read_back.waiting == read


def test_off_reads_nothing(store: Store) -> None:
    reading = Reading(store, read_back="off")
    reading.deliver("a", note="x")
    assert reading.read_back.waiting == 0


def test_who_does_not_answer_fails_no_delivery_and_is_asked_again_later(store: Store) -> None:
    reading = Reading(store)
    reading.deliver("a", note="x")
    reading.crm.find_faults.append(Unavailable("down"))
    assert reading.read() == {}
    assert reading.rig.one().state == "delivered"
    assert reading.read_back.waiting == 1
    assert counts(reading.read()["note"]) == (1, 1, 0, 0, 0)
    reading.deliver("b", note="x")
    for _ in range(3):
        reading.crm.find_faults.append(QuotaSpent("spent"))
        reading.read()
    assert (reading.read_back.waiting, reading.read_back.dropped) == (0, 1)
    assert not pauses.states(store)["crm"].paused


def test_what_cannot_be_read_is_not_asked_for_again(store: Store) -> None:
    reading = Reading(store)
    reading.deliver("a", note="x")
    reading.crm.find_faults.append(Unsupported("no such thing"))
    reading.read()
    reading.deliver("b", note="x")
    assert (reading.read_back.waiting, reading.read_back.dropped) == (0, 1)


def test_what_could_not_be_read_is_asked_for_again_some_day(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.flow.read_back.UNREADABLE_SECONDS", 0.0, raising=False)
    reading = Reading(store)
    reading.deliver("a", note="x")
    reading.crm.find_faults.append(NotPermitted("not this record"))
    reading.read()
    reading.deliver("b", note="x")
    assert counts(reading.read()["note"]) == (1, 1, 0, 0, 0)


def test_a_paused_connection_and_a_spent_budget_are_left_alone(store: Store) -> None:
    reading = Reading(store)
    reading.deliver("a", note="x")
    finds = len(reading.crm.finds)
    pauses.pause(store, "crm", "moving")
    reading.read()
    assert (len(reading.crm.finds), reading.read_back.dropped) == (finds, 1)
    tight = Reading(store)
    pauses.resume(store, "crm")
    tight.deliver("b", note="x")
    tight.rig.connection.budget.calls_per_day = 1
    tight.read()
    assert [call for call in tight.crm.finds if call[0].by == "id"] == [], "no call is left"
    assert tight.read_back.waiting == 1


def test_it_runs_by_itself(store: Store) -> None:
    reading = Reading(store)
    reading.read_back.start()
    try:
        reading.deliver("a", note="x")
        until(lambda: bool(reading_scores(store)))
    finally:
        reading.read_back.close()


def test_a_crm_that_hangs_does_not_keep_the_hub_from_ending(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.flow.read_back.CLOSE_SECONDS", 0.01, raising=False)
    reading, asked, let_go = Reading(store), threading.Event(), threading.Event()

    def hang(fields: dict[str, Any]) -> dict[str, Any]:
        asked.set()
        let_go.wait(PATIENCE)
        return fields

    reading.crm.shows = hang
    reading.deliver("a", note="x")
    reading.read_back.start()
    try:
        assert asked.wait(PATIENCE)
        ending = threading.Thread(target=reading.read_back.close)
        ending.start()
        ending.join(PATIENCE / 2)
        assert not ending.is_alive()
        assert reading.read_back.waiting == 1, "it comes again when its lease is over"
    finally:
        let_go.set()
        reading.read_back.close()
        until(lambda: not reading.read_back._reader.is_alive())


def test_an_end_that_comes_while_the_bell_is_put_down_is_heard(store: Store) -> None:
    read_back = Reading(store).read_back

    class Bell(threading.Event):
        def clear(self) -> None:
            read_back._stopping = True
            self.set()
            super().clear()

    read_back._rung = Bell()
    read_back._rung.set()
    read_back.start()
    read_back._reader.join(LOOK_SECONDS / 3)
    assert not read_back._reader.is_alive()


def test_more_than_is_read_is_counted_as_dropped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.flow.read_back.MOST_WAITING", 2)
    reading = Reading(store)
    reading.deliver("a", "b", "c", note="x")
    assert (reading.read_back.waiting, reading.read_back.dropped) == (2, 1)


def reading_scores(store: Store) -> list[Score]:
    with store.read() as conn:
        return read_back.scores(conn)


# --- what waits is in the store ----------------------------------------


class Killed(BaseException):
    """What ends a process in the middle of its work."""


def another_node(reading: Reading) -> ReadBack:
    return ReadBack(reading.store, Connections({"crm": reading.rig.connection}), Described(reading.store), "ES")


def beside(work: Callable[[], object]) -> None:
    """What somebody else does meanwhile."""
    other = threading.Thread(target=work)
    other.start()
    other.join()


def after(monkeypatch: pytest.MonkeyPatch, ms: int) -> None:
    later = now_ms() + ms
    monkeypatch.setattr("hub.flow.read_back.now_ms", lambda: later)


def test_a_restart_loses_nothing_that_waits(store: Store) -> None:
    reading = Reading(store, read_back_after_seconds=60.0)
    reading.deliver("a", "b", note="Wants the red one", n=5)
    with store.read() as conn:
        assert "red" not in str(conn.execute(select(read_back_queue)).all()), "no value is kept beside the attempt's"
    started_anew = another_node(reading)
    assert started_anew.waiting == 2
    assert 0 < started_anew.read_due() <= 60
    assert reading_scores(store) == [], "it is not due yet"
    started_anew.read_due(everything=True)
    assert [score.checked for score in reading_scores(store)] == [2, 2]
    assert (started_anew.waiting, started_anew.dropped) == (0, 0)


def test_who_dies_while_reading_is_followed_by_another_when_the_lease_is_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(store)
    reading.deliver("a", note="x")

    def die(_fields: dict[str, Any]) -> dict[str, Any]:
        raise Killed

    reading.crm.shows = die
    with pytest.raises(Killed):
        reading.read_back.read_due()
    reading.crm.shows = lambda fields: fields
    other = another_node(reading)
    other.read_due()
    assert reading_scores(store) == [], "somebody may be reading it"
    after(monkeypatch, LEASE_MS)
    other.read_due()
    assert [score.checked for score in reading_scores(store)] == [1]
    assert other.waiting == 0


def test_two_that_read_the_same_score_it_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(store)
    reading.deliver("a", note="x")

    def slow(fields: dict[str, Any]) -> dict[str, Any]:
        reading.crm.shows = lambda fields: fields
        after(monkeypatch, LEASE_MS)
        beside(another_node(reading).read_due)  # takes it over, and judges it
        return fields

    reading.crm.shows = slow
    reading.read_back.read_due()
    assert [score.checked for score in reading_scores(store)] == [1]
    assert reading.read_back.waiting == 0


ONE = Written("crm", "activity", "1", "m", 1, delivery=1, country="ES", noted_at=1, due_at=1)
TWO = ONE._replace(record_id="2")


def put(store: Store, row: Written) -> None:
    with store.write() as conn:  # once: whoever is undone here is undone with all that it has noted
        queue.put(conn, [row], most=10)


def waiting_rows(store: Store) -> list[Written]:
    with store.read() as conn:
        return [Written(**row._mapping) for row in conn.execute(select(read_back_queue))]


def waits_for_a_lock(store: Store) -> bool:
    with store.read() as conn:
        return bool(conn.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_two_nodes_that_write_one_record_at_once_both_note_it(postgres: Store) -> None:
    with ThreadPoolExecutor() as other:
        with postgres.write() as conn:
            queue.put(conn, [ONE], most=10)
            id = conn.scalar(select(read_back_queue.c.id))
            second = other.submit(put, postgres, ONE._replace(delivery=2))
            until(lambda: waits_for_a_lock(postgres))
        second.result(PATIENCE)
    (row,) = waiting_rows(postgres)
    assert row.delivery == 2
    assert row.id != id, "whoever reads the first counts nothing"


def test_who_judges_and_who_writes_again_do_not_wait_for_each_other_in_a_ring(postgres: Store) -> None:
    for row in (TWO, ONE):
        put(postgres, row)
    taken = waiting_rows(postgres)

    def judge() -> set[int]:
        with postgres.write() as conn:
            return queue.done(conn, taken)

    with ThreadPoolExecutor() as other:
        with postgres.write() as conn:
            queue.put(conn, [ONE], most=10)
            judged = other.submit(judge)
            until(lambda: waits_for_a_lock(postgres))
            queue.put(conn, [TWO], most=10)
        assert judged.result(PATIENCE) == set(), "both were written again"
    assert len(waiting_rows(postgres)) == 2


def test_what_is_written_again_while_it_is_read_is_read_again(store: Store) -> None:
    reading = Reading(store)
    reading.deliver("a", note="first")

    def meanwhile(fields: dict[str, Any]) -> dict[str, Any]:
        reading.crm.shows = lambda fields: fields
        beside(lambda: reading.deliver("a", note="second"))
        return fields

    reading.crm.shows = meanwhile
    reading.read_back.read_due()
    assert counts(reading.read()["note"]) == (1, 1, 0, 0, 0)


def test_what_nobody_could_read_for_a_day_is_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(store)
    reading.deliver("a", note="x")
    elsewhere = ReadBack(store, Connections({}), Described(store), "ES")
    elsewhere.read_due(everything=True)
    assert elsewhere.waiting == 1, "it is another node's to read"
    after(monkeypatch, KEEP_MS + 1)
    started_anew = ReadBack(store, Connections({}), Described(store), "ES")
    started_anew.read_due()
    assert (started_anew.waiting, started_anew.dropped) == (0, 1)


def test_what_is_another_nodes_to_read_is_not_looked_for_without_a_pause(store: Store) -> None:
    reading = Reading(store)
    reading.deliver("a", note="x")
    elsewhere = ReadBack(store, Connections({}), Described(store), "ES")  # such as after a connection was taken out
    assert elsewhere.read_due() == LOOK_SECONDS
    assert elsewhere.waiting == 1


def test_a_keeper_that_fails_costs_no_delivery_its_note(store: Store) -> None:
    reading = Reading(store)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    reading.deliverer = reading.rig.another(keepers=[fail, reading.read_back.to_read])
    reading.deliver("a", note="x")
    assert reading.rig.one().state == "delivered"
    assert reading.read_back.waiting == 1


def test_one_that_cannot_be_judged_does_not_hold_up_the_rest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(store)
    reading.deliver("a", note="x")

    def break_down(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr("hub.flow.read_back.verdict", break_down)
        for _ in range(3):
            reading.read()
    assert (reading.read_back.waiting, reading.read_back.dropped) == (0, 1)
    reading.deliver("b", note="x")
    assert counts(reading.read()["note"]) == (1, 1, 0, 0, 0)
