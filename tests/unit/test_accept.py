"""Accepting: durable, once, folded right whatever the order, and made into the deliveries that are owed."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import delete, func, insert, select, text, update

from hub.contract import HookRequest
from hub.errors import ConfigError, InvalidEvent
from hub.flow.intake import accept
from hub.flow.intake.accept import Accepted, Acceptor, TooBusy
from hub.flow.intake.fold import fold_all
from hub.flow.intake.group import Arrival, take_in
from hub.flow.subject import subject_of
from hub.language.mapping import Source, TargetSpec
from hub.model import Event, Facts, WireEvent
from hub.store import intake
from hub.store.database import Store, open_store
from hub.store.schema import deliveries, dials, do_not_call, events, interactions, unread
from tests.unit.interaction_events import event, lives, of_interaction
from tests.waiting import PATIENCE, until

NOW = 1_700_000_000_000
_keys = itertools.count()


@dataclass
class SomeMappings:
    """Mappings in few words: name → (events with their delay in seconds, lane)."""

    given: dict[str, tuple[dict[str, float], int]] = field(default_factory=dict)

    def catch_up(self, connection: object) -> None:
        """Nobody publishes here."""

    def triggered_by(self, connection: str, event_type: str) -> tuple[Any, ...]:
        return tuple(self.current(name) for name, (types, _) in self.given.items() if event_type in types)

    def current(self, name: str) -> Any:
        if name not in self.given:
            raise ConfigError(f"there is no mapping {name}")
        types, lane = self.given[name]
        source = Source(connections=(), events=tuple(types), after={type: wait for type, wait in types.items() if wait})
        return SimpleNamespace(
            name=name,
            source=source,
            target=TargetSpec(connection="crm", write="activity", key="key", lane=lane),  # type: ignore[arg-type]
        )


LOG = SomeMappings({"log": ({"interaction.wrapped_up": 0}, 1)})
PROVISIONAL = SomeMappings({"log": ({"interaction.ended": 30, "interaction.wrapped_up": 0}, 1)})


def taken(
    store: Store, *given: Event, mappings: SomeMappings = LOG, now: int = NOW, connection: str = "pbx"
) -> set[str]:
    """The ids of the events that were new."""
    with store.write() as conn:
        arrivals = [Arrival(connection, one, subject_of(connection, one)) for one in given]
        return {id for _, id in take_in(conn, arrivals, mappings, "ES", now).new}


def facts_of(store: Store, subject: str = "interaction:pbx/call-1") -> Facts:
    with store.read() as conn:
        return msgspec.json.decode(intake.facts_of(conn, [subject])[subject], type=Facts)


def rows(store: Store, table: Any) -> list[dict[str, Any]]:
    with store.read() as conn:
        return [dict(row._mapping) for row in conn.execute(select(table).order_by(*table.primary_key.columns))]


def outbox(store: Store) -> list[dict[str, Any]]:
    return rows(store, deliveries)


def test_an_event_looks_for_what_was_published_before_it(store: Store) -> None:
    class PublishedElsewhere(SomeMappings):
        def catch_up(self, connection: object) -> None:
            self.given = LOG.given

    acceptor = Acceptor(store, PublishedElsewhere(), "ES")
    acceptor.start()
    acceptor.accept("pbx", [event("wrapped_up", 12)]).result(PATIENCE)
    acceptor.close()
    assert [row["mapping"] for row in outbox(store)] == ["log"]


@pytest.fixture
def acceptor(store: Store) -> Iterator[Acceptor]:
    running = Acceptor(store, LOG, "ES")
    running.start()
    yield running
    running.close()


# --- once, and right in the end ----------------------------------------


@settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(life=lives(), data=some.data())
def test_any_order_any_repetition_any_split_comes_to_the_same_facts(
    store: Store, life: list[dict[str, Any]], data: some.DataObject
) -> None:
    key = f"p-{next(_keys)}"
    given_events = [of_interaction(raw, key) for raw in life]
    again = data.draw(some.lists(some.sampled_from(given_events), max_size=4))
    left = data.draw(some.permutations([*given_events, *again]))
    new: list[str] = []
    while left:
        size = data.draw(some.integers(1, len(left)))
        new += taken(store, *left[:size])
        left = left[size:]
    assert sorted(new) == sorted(one.id for one in given_events)
    assert facts_of(store, f"interaction:pbx/{key}") == fold_all("pbx", given_events, "ES")


def test_a_known_event_changes_nothing_whatever_its_body(store: Store) -> None:
    assert taken(store, event("wrapped_up", 5, id="e", interaction={"queue": "Sales"})) == {"e"}
    before = rows(store, interactions), rows(store, events), outbox(store)
    assert taken(store, event("ended", 9, id="e", interaction={"queue": "Other"}), now=NOW + 5) == set()
    assert taken(store, event("created", 9, id="e", key="call-2"), now=NOW + 5) == set()
    assert (rows(store, interactions), rows(store, events), outbox(store)) == before


def test_another_connections_event_of_the_same_id_is_another_event(store: Store) -> None:
    one = event("ended", 5, id="e")
    assert taken(store, one) == taken(store, one, connection="acd") == {"e"}
    assert {row["connection"] for row in rows(store, interactions)} == {"pbx", "acd"}
    assert facts_of(store, "interaction:acd/call-1").connection == "acd"


def test_accepts_count_what_was_new_to_each(acceptor: Acceptor, store: Store) -> None:
    first, second = event("created", 0), event("ended", 5)
    assert acceptor.accept("pbx", [first, second, first]).result(PATIENCE) == Accepted(2, 1)
    assert acceptor.accept("pbx", [second, event("wrapped_up", 9)]).result(PATIENCE) == Accepted(1, 1)
    assert acceptor.accept("pbx", []).result(0) == Accepted(0, 0)


def test_the_senders_own_json_is_kept(store: Store) -> None:
    known = msgspec.to_builtins(event("ended", 5))
    taken(store, msgspec.convert(known | {"$wire": '{"as": "written"}'}, WireEvent))
    taken(store, event("ended", 6))
    first, second = rows(store, events)
    assert first["body"] == '{"as": "written"}'
    assert msgspec.json.decode(second["body"], type=Event).type == "interaction.ended"


def test_an_event_that_lacks_what_it_is_about_is_refused_by_its_place(acceptor: Acceptor) -> None:
    lacking = msgspec.convert({"id": "x", "type": "dial.failed", "occurred_at": datetime.now(UTC)}, Event)
    with pytest.raises(InvalidEvent, match=r"^dial.id: "):
        acceptor.accept("pbx", [lacking])
    with pytest.raises(InvalidEvent, match=r"^\[1\].dial.id: "):
        acceptor.accept("pbx", [event("ended", 1), lacking])
    with pytest.raises(InvalidEvent, match=r"^dial.id: too long"):
        acceptor.accept("pbx", [alone("dial.failed", 1, dial={"id": "d" * 1000})])


def alone(type: str, seconds: int, **parts: Any) -> Event:
    """An event that is not an interaction's."""
    raw = {"id": f"{type}-{seconds}", "type": type, "occurred_at": datetime.fromtimestamp(NOW / 1000 + seconds, UTC)}
    return msgspec.convert(raw | parts, Event)


def test_events_that_stand_alone_give_the_latest_ones_facts(store: Store) -> None:
    mappings = SomeMappings({"result": ({"campaign.contact_result": 0}, 2)})
    said = {"list": "spring/1", "contact": "42"}
    later = alone(
        "campaign.contact_result", 9, campaign=said | {"result": "SOLD"}, interaction={"id": "c-9", "queue": "Q"}
    )
    earlier = alone("campaign.contact_result", 5, campaign=said | {"result": "BUSY"})
    taken(store, later, mappings=mappings)
    taken(store, earlier, mappings=mappings)
    (delivery,) = outbox(store)
    facts = facts_of(store, delivery["subject"])
    assert delivery["subject"] == "contact:pbx/spring%2F1/42"
    assert (delivery["lane"], delivery["provisional"], delivery["collapsed"]) == (2, False, 1)
    assert facts.campaign is not None
    assert facts.campaign.result == "SOLD"
    assert facts.interaction is not None
    assert facts.interaction.queue == "Q"
    assert facts.final
    assert rows(store, interactions) == []


def test_an_unknown_subject_has_no_facts(store: Store) -> None:
    with store.read() as conn:
        assert intake.facts_of(conn, ["interaction:pbx/none", "dial:pbx/none", "member:list/1"]) == {}


# --- deliveries ----------------------------------------


def sent(store: Store, **columns: Any) -> None:
    """Have what waits be delivered."""
    with store.write() as conn:
        conn.execute(update(deliveries).where(deliveries.c.state == "pending").values({"state": "delivered"} | columns))


def test_a_mapping_gets_a_delivery_at_its_event_and_whenever_facts_change_from_then_on(store: Store) -> None:
    taken(store, event("created", 0), event("ended", 5))
    assert outbox(store) == []
    taken(store, event("wrapped_up", 9))
    (delivery,) = outbox(store)
    expected = {"mapping": "log", "subject": "interaction:pbx/call-1", "connection": "crm", "lane": 1, "state": "pending",
                "action": "upsert", "provisional": False, "in_doubt": False, "attempts": 0, "collapsed": 0,
                "due_at": NOW, "created_at": NOW, "body": None}  # fmt: skip
    assert {name: delivery[name] for name in expected} == expected
    sent(store)
    taken(store, event("recording_ready", 60, recording={"url": "https://rec.example/1"}))
    assert [row["state"] for row in outbox(store)] == ["delivered", "pending"]
    sent(store)
    taken(store, event("data_updated", 70, interaction={}))
    assert [row["state"] for row in outbox(store)] == ["delivered", "delivered"]


def test_an_event_that_comes_late_reaches_a_mapping_that_wrote_already(store: Store) -> None:
    taken(store, event("wrapped_up", 20))
    sent(store)
    taken(store, event("answered", 5))
    assert [row["state"] for row in outbox(store)] == ["delivered", "pending"]
    assert json.loads(rows(store, interactions)[0]["triggered"]) == ["log"]


def test_waiting_deliveries_of_one_subject_and_mapping_are_one(store: Store) -> None:
    taken(store, event("wrapped_up", 9), event("wrapped_up", 10))
    taken(store, event("comment_added", 12, comment={"text": "x"}), event("wrapped_up", 8, key="call-2"), now=NOW + 50)
    first, second = outbox(store)
    assert (first["collapsed"], first["due_at"], first["created_at"], first["updated_at"]) == (1, NOW, NOW, NOW + 50)
    assert second["subject"] == "interaction:pbx/call-2"


def test_a_provisional_record_waits_for_the_wrap_up_and_goes_with_it(store: Store) -> None:
    taken(store, event("ended", 5), mappings=PROVISIONAL)
    (delivery,) = outbox(store)
    assert (delivery["provisional"], delivery["due_at"]) == (True, NOW + 30_000)
    taken(store, event("comment_added", 6, comment={"text": "x"}), mappings=PROVISIONAL, now=NOW + 5_000)
    (delivery,) = outbox(store)
    assert (delivery["provisional"], delivery["due_at"]) == (True, NOW + 30_000)
    taken(store, event("wrapped_up", 15), mappings=PROVISIONAL, now=NOW + 10_000)
    (delivery,) = outbox(store)
    assert (delivery["provisional"], delivery["due_at"]) == (False, NOW + 10_000)


def test_a_record_that_went_out_provisionally_is_followed_by_the_final_one(store: Store) -> None:
    only_ended = SomeMappings({"log": ({"interaction.ended": 30}, 1)})
    taken(store, event("ended", 5), mappings=only_ended)
    sent(store)
    taken(store, event("wrapped_up", 50), mappings=only_ended, now=NOW + 45_000)
    assert [(row["provisional"], row["due_at"]) for row in outbox(store)] == [
        (True, NOW + 30_000),
        (False, NOW + 45_000),
    ]


def test_news_do_not_hurry_what_waits_between_two_attempts(store: Store) -> None:
    taken(store, event("wrapped_up", 9))
    sent(store, state="pending", attempts=3, due_at=NOW + 60_000, in_doubt=True)
    taken(store, event("comment_added", 12, comment={"text": "x"}))
    (delivery,) = outbox(store)
    assert (delivery["due_at"], delivery["in_doubt"], delivery["attempts"]) == (NOW + 60_000, True, 3)


def test_a_mapping_that_is_gone_gets_nothing(store: Store) -> None:
    taken(store, event("wrapped_up", 9))
    sent(store)
    taken(store, event("comment_added", 12, comment={"text": "x"}), mappings=SomeMappings())
    assert len(outbox(store)) == 1


# --- what else an event does ----------------------------------------


def dialled(store: Store, id: str, interaction: str | None, state: str = "accepted") -> None:
    record = json.dumps({"connection": "crm", "object": "contact", "id": id})
    with store.write() as conn:
        conn.execute(
            insert(dials).values(
                id=id, idempotency_key=id, digest="", connection="pbx", agent="a-1", to="+34612345678", record=record,
                state=state, interaction=interaction, created_at=NOW,
            )
        )  # fmt: skip


def test_a_dialled_call_carries_the_record_that_was_clicked(store: Store) -> None:
    dialled(store, "d-1", None)
    dialled(store, "d-2", "call-2")
    outbound = {"direction": "outbound"}
    taken(
        store,
        event("created", 0, dial={"id": "d-1"}),
        event("created", 0, key="call-2", interaction=outbound),
        event("created", 0, key="call-3", interaction=outbound),
    )
    for key, record in (("call-1", "d-1"), ("call-2", "d-2"), ("call-3", None)):
        clicked = facts_of(store, f"interaction:pbx/{key}").clicked
        assert (clicked and clicked.id) == record
    with store.write() as conn:  # by a retention rule
        conn.execute(delete(dials))
    taken(store, event("wrapped_up", 9), event("answered", -5))
    clicked = facts_of(store).clicked
    assert clicked is not None
    assert clicked.id == "d-1"


@pytest.mark.parametrize(
    ("before", "word", "after"),
    [
        ("unknown", "failed", "refused"),
        ("requested", "failed", "refused"),
        ("unknown", "refused", "refused"),
        ("unknown", "accepted", "accepted"),
        ("accepted", "failed", "accepted"),  # it rang, and its call tells the rest
        ("refused", "accepted", "refused"),
        ("unknown", "ringing", "unknown"),
    ],
)
def test_the_platforms_events_tell_what_became_of_a_dial(store: Store, before: str, word: str, after: str) -> None:
    dialled(store, "d-1", None, before)
    dialled(store, "d-2", None, before)
    told = alone(f"dial.{word}", 1, dial={"id": "d-1", "reason": "agent not logged in"})
    taken(store, told, connection="another platform")
    assert [row["state"] for row in rows(store, dials)] == [before, before]
    taken(store, told)
    first, second = rows(store, dials)
    assert (first["state"], second["state"]) == (after, before)
    assert first["reason"] == ("agent not logged in" if after != before else None)


def test_a_dial_that_is_known_after_its_call_began(store: Store) -> None:
    outbound = {"direction": "outbound"}
    taken(store, event("created", 0, interaction=outbound), event("wrapped_up", 3))
    sent(store)
    dialled(store, "d-1", "call-1")
    taken(store, event("data_updated", 4))
    assert facts_of(store).clicked is not None
    assert [row["state"] for row in outbox(store)] == ["delivered", "pending"]


def test_who_asks_not_to_be_called_is_not_called_again(store: Store) -> None:
    never = {"class": "do_not_contact"}
    taken(
        store,
        event("created", 0, interaction={"direction": "inbound", "channel": "voice", "remote": "612 34 56 78"}),
        event("disposition_set", 5, disposition=never),
        event("disposition_set", 5, disposition=never, key="call-2"),  # of whom nobody knows the number
        alone("campaign.contact_result", 1, customer={"phone": "+33 1 42 68 53 00"},
              campaign={"contact": "7", "result_class": "do_not_contact"}),
    )  # fmt: skip
    taken(store, event("disposition_set", 9, disposition={"class": "positive"}))
    assert [(row["phone"], row["source"]) for row in rows(store, do_not_call)] == [
        ("+33142685300", "contact:pbx//7"),
        ("+34612345678", "interaction:pbx/call-1"),
    ]


def test_own_numbers_are_told_once_and_never_of_internal_calls(store: Store) -> None:
    told: list[tuple[str, str]] = []
    running = Acceptor(store, LOG, "ES", lambda connection, number: told.append((connection, number)))
    running.start()
    said = {"channel": "voice", "direction": "inbound", "remote": "+34612345678", "local": "911 23 45 67"}
    for n in range(3):
        running.accept("pbx", [event("created", n, key=f"c-{n}", interaction=said)]).result(PATIENCE)
    running.accept(
        "pbx", [event("created", 9, key="i", interaction=said | {"direction": "internal", "local": "+34911112222"})]
    )
    running.close()
    assert told == [("pbx", "+34911234567")]


def test_a_listener_that_fails_stops_nobody(store: Store) -> None:
    def fails(connection: str, number: str) -> None:
        raise RuntimeError

    running = Acceptor(store, LOG, "ES", fails)
    running.start()
    said = {"direction": "inbound", "local": "+34911234567"}
    for n in range(2):
        assert running.accept("pbx", [event("created", n, interaction=said)]).result(PATIENCE).accepted == 1
    running.close()


def test_bells_are_rung_after_the_commit(store: Store, acceptor: Acceptor) -> None:
    seen: list[tuple[str, int]] = []
    store.on_wake("deliveries", lambda: seen.append(("deliveries", len(outbox(store)))))
    store.on_wake("do_not_call", lambda: seen.append(("do_not_call", len(rows(store, do_not_call)))))
    said = {"direction": "inbound", "remote": "+34612345678"}
    acceptor.accept("pbx", [event("created", 0, interaction=said)]).result(PATIENCE)
    acceptor.accept("pbx", [event("wrapped_up", 5)]).result(PATIENCE)
    acceptor.accept("pbx", [event("disposition_set", 2, disposition={"class": "do_not_contact"})]).result(PATIENCE)
    acceptor.close()
    assert seen == [("deliveries", 1), ("deliveries", 1), ("do_not_call", 1)]


def test_a_bell_that_fails_stops_nobody(store: Store, acceptor: Acceptor) -> None:
    def fails() -> None:
        raise RuntimeError

    store.on_wake("deliveries", fails)
    for n in range(2):
        assert acceptor.accept("pbx", [event("wrapped_up", n)]).result(PATIENCE).accepted == 1


def hook(body: bytes) -> HookRequest:
    headers = {
        "content-type": "text/plain",
        "authorization": "Bearer abc",
        "webhook-signature": "v1,abc",
        "cookie": "a=b",
    }
    return HookRequest(method="POST", query={}, headers=headers, body=body, received_at=datetime.now(UTC))


def test_an_unreadable_body_is_kept_once_without_what_is_secret(acceptor: Acceptor, store: Store) -> None:
    for body in (b"\xff\x00", b"\xff\x00", b"other"):
        acceptor.keep_unread("pbx", hook(body), "not UTF-8 at byte 0").result(PATIENCE)
    acceptor.keep_unread("acd", hook(b"other"), "no JSON").result(PATIENCE)
    kept = rows(store, unread)
    assert [(row["connection"], row["body"]) for row in kept] == [
        ("pbx", b"\xff\x00"),
        ("pbx", b"other"),
        ("acd", b"other"),
    ]
    assert kept[0]["reason"] == "not UTF-8 at byte 0"
    headers = json.loads(kept[0]["headers"])
    assert headers["content-type"] == "text/plain"
    assert {headers[name] for name in ("authorization", "webhook-signature", "cookie")} == {"(not kept)"}


# --- when something goes wrong ----------------------------------------


def poison() -> Event:
    """An event that no store can hold."""
    return msgspec.structs.replace(event("ended", 1), attached={"x": object()})


def test_one_bad_accept_does_not_poison_the_others(store: Store) -> None:
    running = Acceptor(store, LOG, "ES")
    waiting = [running.accept("pbx", [poison() if n == 2 else event("ended", n, key=f"c-{n}")]) for n in range(5)]
    keeping = running.keep_unread("pbx", hook(b"?"), "no JSON")
    running.start()
    for n, one in enumerate(waiting):
        if n == 2:
            with pytest.raises(TypeError):
                one.result(PATIENCE)
        else:
            assert one.result(PATIENCE) == Accepted(1, 0)
    keeping.result(PATIENCE)
    running.close()
    assert len(rows(store, events)) == 4
    assert len(rows(store, unread)) == 1


def test_an_accept_is_all_or_nothing(store: Store, acceptor: Acceptor) -> None:
    with pytest.raises(TypeError):
        acceptor.accept("pbx", [event("ended", 1), poison()]).result(PATIENCE)
    assert rows(store, events) == rows(store, interactions) == []


def test_closing_commits_what_waits_and_takes_no_more(store: Store) -> None:
    running = Acceptor(store, LOG, "ES")
    waiting = [running.accept("pbx", [event("ended", n)]) for n in range(50)]
    running.start()
    running.close()
    assert all(one.done() for one in waiting)
    assert len(rows(store, events)) == 50
    with pytest.raises(TooBusy):
        running.accept("pbx", [event("ended", 1)])


def test_more_than_can_be_held_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "WAITING_AT_MOST", 3 << 20)
    running = Acceptor(store, LOG, "ES")
    one = running.accept("pbx", [event("ended", n) for n in range(2_000)])  # a single large one is not refused for ever
    with pytest.raises(TooBusy, match="3 MiB of events wait"):
        running.accept("pbx", [event("ended", 13)])
    running.start()
    assert one.result(PATIENCE).accepted == 2_000
    assert running.accept("pbx", [event("ended", 14)]).result(PATIENCE).accepted == 1
    running.close()


def test_thousands_of_events_in_one_accept(store: Store, acceptor: Acceptor) -> None:
    many = [event("ended", n % 7, key=f"c-{n % 1500}") for n in range(3_000)]
    assert acceptor.accept("pbx", many).result(PATIENCE) == Accepted(3_000, 0)
    assert acceptor.accept("pbx", many).result(PATIENCE) == Accepted(0, 3_000)
    assert len(rows(store, interactions)) == 1_500


def test_two_nodes_take_in_the_same_events_at_once(store: Store, store_url: str) -> None:
    other = open_store(store_url)
    nodes = [Acceptor(one, LOG, "ES") for one in (store, other)]
    life = [
        event(word, n, key=f"c-{k}")
        for k in range(12)
        for n, word in enumerate(("created", "answered", "ended", "wrapped_up"))
    ]
    for node in nodes:
        node.start()
    answers: list[Accepted] = []
    problems: list[Exception] = []

    def send(node: Acceptor, seed: int) -> None:
        mine = life.copy()
        random.Random(seed).shuffle(mine)
        try:
            for start in range(0, len(mine), 5):
                answers.append(node.accept("pbx", mine[start : start + 5]).result(PATIENCE))
        except Exception as error:
            problems.append(error)

    in_threads([lambda n=n: send(nodes[n % 2], n) for n in range(8)])  # type: ignore[misc]
    for node in nodes:
        node.close()
    assert problems == []
    assert sum(answer.accepted for answer in answers) == len(life)
    assert sum(answer.duplicates for answer in answers) == 7 * len(life)
    assert len(rows(store, events)) == len(life)
    for k in range(12):
        assert facts_of(store, f"interaction:pbx/c-{k}") == fold_all("pbx", life[k * 4 : k * 4 + 4], "ES")
    with store.read() as conn:
        waiting = select(func.count()).where(deliveries.c.state == "pending")
        assert conn.execute(waiting).scalar_one() == 12
    other.close()


def test_another_node_takes_in_the_same_event_between_our_look_and_our_write(
    store: Store, acceptor: Acceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    known_events, looks = intake.known_events, []

    def first_sees_nothing(conn: Any, keys: Any) -> Any:
        looks.append(keys)
        return known_events(conn, keys) if len(looks) > 1 else set()

    taken(store, event("created", 0, id="e"))
    monkeypatch.setattr(intake, "known_events", first_sees_nothing)
    assert acceptor.accept("pbx", [event("created", 0, id="e")]).result(PATIENCE) == Accepted(0, 1)
    assert len(looks) == 2


def test_two_nodes_fold_into_the_same_interaction_one_after_the_other(store: Store) -> None:
    if store.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    life = [event(word, n) for n, word in enumerate(("created", "answered", "ended"))]
    taken(store, life[0])
    second = threading.Thread(target=lambda: taken(store, life[2]))
    with store.write() as conn:
        take_in(conn, [Arrival("pbx", life[1], subject_of("pbx", life[1]))], LOG, "ES", NOW)
        second.start()
        until(lambda: blocked(store) or not second.is_alive())
    second.join(PATIENCE)
    assert facts_of(store) == fold_all("pbx", life, "ES")


def blocked(store: Store) -> bool:
    with store.read() as conn:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(conn.execute(text(waiting)).scalar_one())


def in_threads(work: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
