"""The outbox's promises, on both engines."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from hub.clock import now_ms
from hub.store import outbox, outcomes, recovery
from hub.store.database import Store
from hub.store.deliveries import Filter, Reason, attempts_of, one, page
from hub.store.outbox import Claimed
from hub.store.outcomes import Tried, Verdict
from tests.stubs import put_deliveries, until
from tests.waiting import PATIENCE

NOW = 1_000_000


def claim(store: Store, owner: str = "me", limit: int = 200, now: int = NOW, lease: int = 1000) -> list[Claimed]:
    with store.write() as conn:
        return outbox.claim(conn, "crm", owner=owner, limit=limit, now=now, lease_until=now + lease)


def finish(store: Store, *verdicts: Verdict, owner: str = "me", now: int = NOW) -> int:
    with store.write() as conn:
        return outcomes.finish(conn, owner, verdicts, now=now)


def states(store: Store) -> list[str]:
    with store.read() as conn:
        return [one.state for one in reversed(page(conn, Filter()))]


def tried(outcome: str = "failed", at: int = NOW) -> Tried:
    return Tried(started_at=at, took_ms=1, mapping_version=1, outcome=outcome, sent={"a": 1})


def put(store: Store, *rows: dict[str, Any]) -> list[int]:
    return put_deliveries(store, *({"due_at": NOW} | row for row in rows))


def test_interactive_first_then_the_oldest(store: Store) -> None:
    ids = put(
        store,
        {"subject": "a", "lane": 2, "due_at": NOW - 9},
        {"subject": "b", "lane": 1, "due_at": NOW - 1},
        {"subject": "c", "lane": 1, "due_at": NOW - 5},
        {"subject": "d", "lane": 0},
        {"subject": "e", "lane": 0, "due_at": NOW + 1},
        {"subject": "f", "connection": "other"},
    )
    assert [one.id for one in claim(store, limit=3)] == [ids[3], ids[2], ids[1]]
    assert [one.id for one in claim(store)] == [ids[0]]
    assert claim(store) == []
    with store.read() as conn:
        assert outbox.next_due(conn, "crm", now=NOW) == NOW + 1


def test_one_of_a_subject_in_flight(store: Store) -> None:
    put(store, {"subject": "a"})
    (first,) = claim(store)
    put(store, {"subject": "a"}, {"subject": "a", "mapping": "other"})
    assert claim(store) == []
    finish(store, Verdict(claimed=first, state="delivered", tried=tried("created")))
    assert len(claim(store)) == 2


def test_threads_never_share_a_delivery(store: Store) -> None:
    put(store, *({"subject": f"s{i}"} for i in range(400)))
    claimed: list[int] = []
    start = threading.Barrier(8)

    def take(owner: str) -> None:
        start.wait()
        while batch := claim(store, owner=owner, limit=13):
            claimed.extend(one.id for one in batch)

    threads = [threading.Thread(target=take, args=(f"t{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 400


def test_a_dead_workers_claim_comes_back_in_doubt(store: Store) -> None:
    (id,) = put(store, {"subject": "a"})
    claim(store, now=NOW, lease=1000)
    with store.write() as conn:
        assert not recovery.expired(conn, now=NOW + 1000)
        assert recovery.take_back(conn, now=NOW + 1000) == 0
        assert recovery.expired(conn, now=NOW + 1001)
        assert recovery.take_back(conn, now=NOW + 1001) == 1
        delivery = one(conn, id)
        (attempt,) = attempts_of(conn, [id])[id]
    assert delivery is not None
    assert (delivery.state, delivery.in_doubt, delivery.attempts) == ("pending", True, 1)
    assert attempt.error is not None and attempt.error.name == "lease_expired"
    assert claim(store, now=NOW + 1001)[0].in_doubt


def test_a_newer_one_stands_for_a_dead_workers(store: Store) -> None:
    old, *_ = put(store, {"subject": "a", "attempts": 3, "tried_since": 5})
    claim(store)
    new, other = put(store, {"subject": "a"}, {"subject": "a", "mapping": "other"})
    with store.write() as conn:
        recovery.take_back(conn, now=NOW + 2000)
        old_one, new_one, other_one = one(conn, old), one(conn, new), one(conn, other)
    assert old_one and new_one and other_one
    assert old_one.state == "superseded"
    assert (new_one.state, new_one.in_doubt, new_one.attempts, new_one.collapsed) == ("pending", True, 4, 1)
    assert (other_one.in_doubt, other_one.attempts) == (False, 0)


def test_a_lost_lease_notes_nothing_but_the_attempt(store: Store) -> None:
    (id,) = put(store, {"subject": "a"})
    (mine,) = claim(store, owner="slow")
    with store.write() as conn:
        recovery.take_back(conn, now=NOW + 2000)
    (theirs,) = claim(store, owner="quick", now=NOW + 2000)
    assert finish(store, Verdict(claimed=mine, state="parked", tried=tried()), owner="slow") == 0
    assert states(store) == ["sending"]
    assert finish(store, Verdict(claimed=theirs, state="delivered", tried=tried("created")), owner="quick") == 1
    with store.read() as conn:
        assert [attempt.outcome for attempt in attempts_of(conn, [id])[id]] == ["failed", "failed", "created"]
    assert states(store) == ["delivered"]


def test_a_kept_lease_is_not_taken(store: Store) -> None:
    put(store, {"subject": "a"}, {"subject": "b"})
    claim(store, lease=1000)
    with store.write() as conn:
        assert outbox.renew(conn, owner="me", lease_until=NOW + 5000) == 2
        assert outbox.renew(conn, owner="you", lease_until=NOW + 9000) == 0
        assert recovery.take_back(conn, now=NOW + 4000) == 0


def test_a_released_claim_is_due_and_in_doubt(store: Store) -> None:
    (id,) = put(store, {"subject": "a"})
    claim(store)
    with store.write() as conn:
        assert recovery.release(conn, owner="me", now=NOW) == 1
        delivery = one(conn, id)
    assert delivery and (delivery.state, delivery.in_doubt, delivery.attempts) == ("pending", True, 0)


def test_a_retry_waits_and_counts(store: Store) -> None:
    (id,) = put(store, {"subject": "a"})
    (mine,) = claim(store)
    why = Reason(name="locked", message="busy")
    finish(store, Verdict(claimed=mine, state="pending", tried=tried(at=NOW + 7), reason=why, due_at=NOW + 500))
    assert claim(store, now=NOW + 499) == []
    (again,) = claim(store, now=NOW + 500)
    assert (again.attempts, again.tried_since) == (1, NOW + 7)
    with store.read() as conn:
        delivery = one(conn, id)
    assert delivery and delivery.reason == why


def test_a_retry_with_a_newer_one_waiting_is_superseded(store: Store) -> None:
    put(store, {"subject": "a"})
    (mine,) = claim(store)
    (new,) = put(store, {"subject": "a"})
    finish(store, Verdict(claimed=mine, state="pending", tried=tried(), due_at=NOW + 500, in_doubt=True))
    assert states(store) == ["superseded", "pending"]
    (heir,) = claim(store)
    assert (heir.id, heir.attempts, heir.in_doubt, heir.tried_since) == (new, 1, True, NOW)


def test_delivered_supersedes_what_was_parked_before(store: Store) -> None:
    put(
        store,
        {"subject": "a", "state": "parked"},
        {"subject": "a", "state": "parked", "mapping": "other"},
        {"subject": "a"},
    )
    (mine,) = claim(store)
    done = Verdict(
        claimed=mine,
        state="delivered",
        tried=tried("created"),
        object="activity",
        record_id="R1",
        record_url="https://x/1",
    )
    finish(store, done)
    assert states(store) == ["superseded", "parked", "delivered"]
    with store.read() as conn:
        delivery = one(conn, mine.id)
    assert delivery and (delivery.object, delivery.record_id, delivery.record_url) == ("activity", "R1", "https://x/1")


def test_an_older_list_row_does_not_supersede_a_newer_parked_one(store: Store) -> None:
    put(store, {"subject": "member:l/1", "body": "{}"}, {"subject": "member:l/1", "body": "{}", "state": "parked"})
    (mine,) = claim(store)
    finish(store, Verdict(claimed=mine, state="delivered", tried=tried("created")))
    assert states(store) == ["delivered", "parked"]


def test_parked_explains_itself(store: Store) -> None:
    (id,) = put(store, {"subject": "a"})
    (mine,) = claim(store)
    why = Reason(name="rejected", message="too long", fields={"Subject": "at most 255"})
    finish(store, Verdict(claimed=mine, state="parked", tried=tried(), reason=why))
    with store.read() as conn:
        (delivery,) = page(conn, Filter(states=("parked",), reason="rejected"))
        assert page(conn, Filter(reason="reject")) == []
        (attempt,) = attempts_of(conn, [id])[id]
    assert delivery.reason == why == attempt.error
    assert attempt.sent == {"a": 1}


def test_pages_go_on_where_the_last_one_ended(store: Store) -> None:
    ids = put(store, *({"subject": f"s{i}"} for i in range(5)))
    with store.read() as conn:
        first = page(conn, Filter(connection="crm"), limit=2)
        second = page(conn, Filter(connection="crm"), limit=2, before=first[-1].id)
    assert [one.id for one in first + second] == ids[:0:-1]


def test_another_nodes_bell_is_heard(store: Store, store_url: str) -> None:
    if store.is_sqlite:
        pytest.skip("one SQLite file is polled")
    from hub.store.database import open_store

    heard, mine = threading.Event(), threading.Event()
    store.on_wake("deliveries", heard.set)
    other = open_store(store_url)
    other.on_wake("deliveries", mine.set)
    ready = threading.Event()
    store.on_wake("ready", ready.set)

    def listening() -> bool:
        other.wake("ready")
        return ready.wait(0.05)

    until(listening)
    assert not heard.is_set()
    other.wake("deliveries")
    assert mine.is_set()
    assert heard.wait(PATIENCE)
    other.close()


def test_no_error_of_the_store_repeats_a_value(store: Store) -> None:
    put(store, {"subject": "a"})
    with pytest.raises(Exception, match=r"UNIQUE|unique") as told:
        put(store, {"subject": "a", "body": "+34612345678"})
    assert "+34612345678" not in str(told.value)


def test_due_counts_no_further_than_needed(store: Store) -> None:
    put(store, *({"subject": f"s{i}", "due_at": now_ms()} for i in range(5)))
    with store.read() as conn:
        assert outbox.due(conn, "crm", now=now_ms() + 1, enough=3) == 3
