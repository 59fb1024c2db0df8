"""Events of one interaction fold into what is known of it, whatever their order."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from hub.flow.intake.fold import fold, fold_all, order
from hub.model import Event, Facts, InteractionFacts
from tests.unit.interaction_events import event

START = datetime(2026, 11, 23, 10, 2, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def facts_of(*events: Event) -> Facts:
    folded = fold_all("pbx", events, "ES")
    assert (
        msgspec.json.decode(msgspec.json.encode(folded), type=Facts) == folded
    )  # what the store keeps is all there is
    return folded


def known(facts: Facts) -> InteractionFacts:
    assert facts.interaction is not None
    return facts.interaction


ANA, BEN = {"id": "a-1", "email": "ana@example.com", "name": "Ana"}, {"id": "a-2", "name": "Ben"}


def call(**more: Any) -> list[Event]:
    """A call that is queued, offered, answered, held twice, ended and wrapped up."""
    said = {"channel": "voice", "direction": "inbound", "remote": "612 34 56 78", "local": "+34 911 23 45 67"} | more
    return [
        event("created", 0, interaction=said),
        event("queued", 1, interaction={"queue": "Sales"}),
        event("offered", 5, agent=ANA),
        event("answered", 9, agent=ANA),
        event("held", 20),
        event("resumed", 30),
        event("held", 40),
        event("resumed", 45.5),
        event("ended", 100, interaction={"end_cause": "normal"}),
        event("wrapped_up", 120, agent=ANA, wrap_up={"code": "SALE", "name": "Sale", "comment": "red one"}),
    ]


def test_a_whole_call() -> None:
    facts = facts_of(*call())
    assert msgspec.to_builtins(known(facts)) == {
        "id": "call-1",
        "channel": "voice",
        "direction": "inbound",
        "state": "wrapped_up",
        "remote": "612 34 56 78",
        "remote_e164": "+34612345678",
        "local": "+34 911 23 45 67",
        "local_e164": "+34911234567",
        "queue": "Sales",
        "outcome": "answered",
        "end_cause": "normal",
        "started_at": "2026-11-23T10:02:00Z",
        "queued_at": "2026-11-23T10:02:01Z",
        "offered_at": "2026-11-23T10:02:05Z",
        "answered_at": "2026-11-23T10:02:09Z",
        "ended_at": "2026-11-23T10:03:40Z",
        "wrapped_up_at": "2026-11-23T10:04:00Z",
        "wait_seconds": 4.0,
        "ring_seconds": 4.0,
        "hold_seconds": 15.5,
        "talk_seconds": 91 - 15.5,
        "wrap_up_seconds": 20.0,
        "total_seconds": 100.0,
        "basis": dict.fromkeys(("wait_seconds", "ring_seconds", "hold_seconds", "talk_seconds", "wrap_up_seconds",
                                "total_seconds"), "computed"),
    }  # fmt: skip
    assert facts.final
    assert facts.event.type == "interaction.wrapped_up"
    assert facts.customer is not None
    assert facts.customer.phone == "612 34 56 78"
    assert facts.agent is not None
    assert facts.agent.name == "Ana"
    assert facts.disposition is not None
    assert (facts.disposition.code, facts.disposition.name) == ("SALE", "Sale")


def test_every_permutation_of_a_short_call_folds_the_same() -> None:
    events = [call()[n] for n in (0, 3, 4, 8, 9)]
    expected = facts_of(*events)
    for permutation in itertools.permutations(events):
        assert facts_of(*permutation) == expected


def test_fold_is_pure() -> None:
    facts = facts_of(*call()[:3], event("data_updated", 6, attached={"order": "1"}))
    before = msgspec.json.encode(facts)
    more = event("data_updated", 200, attached={"order": "2"}, agent=BEN, comment={"text": "x"}, leg={"id": "l"},
                 recording={"url": "u"}, transfer={"to_agent": "a-2"}, wrap_up={"code": "B"})  # fmt: skip
    for one in [*call()[3:], more]:
        after = fold(facts, "pbx", one, "ES")
        assert msgspec.json.encode(facts) == before
        facts, before = after, msgspec.json.encode(after)


def test_folding_one_by_one_is_folding_at_once() -> None:
    facts, events = None, call()
    for one in sorted(events, key=order):
        facts = fold(facts, "pbx", one, "ES")
    assert facts == facts_of(*events)


# --- states ----------------------------------------


@pytest.mark.parametrize(
    ("until", "state"),
    [(1, "created"), (2, "queued"), (3, "offered"), (4, "answered"), (5, "held"), (6, "answered"), (9, "ended"),
     (10, "wrapped_up")],
)  # fmt: skip
def test_the_state_is_the_latest_events(until: int, state: str) -> None:
    facts = facts_of(*call()[:until])
    assert known(facts).state == state
    assert facts.final == (state == "wrapped_up")


def test_late_facts_do_not_move_the_state() -> None:
    late = [
        event("comment_added", 300, comment={"text": "called back"}, agent=BEN),
        event("recording_ready", 301, recording={"url": "https://rec.example/1", "id": "r-1"}),
        event("data_updated", 302, attached={"order": "7"}),
        event("disposition_set", 303, disposition={"class": "positive"}),
    ]
    facts = facts_of(*call(), *late)
    assert known(facts).state == "wrapped_up"
    assert facts.final
    assert known(facts).recording_url == "https://rec.example/1"
    assert facts.comments[0].by == "a-2"
    assert facts.agent is not None
    assert facts.agent.id == "a-1"
    assert facts.attached == {"order": "7"}
    assert facts.disposition is not None
    assert (facts.disposition.code, facts.disposition.class_) == ("SALE", "positive")


def test_a_wrap_up_before_the_end_is_still_a_wrap_up() -> None:
    early = event("wrapped_up", 90, agent=ANA, wrap_up={"code": "SALE"})
    facts = facts_of(*call()[:9], early)
    assert known(facts).state == "wrapped_up"
    assert facts.final
    assert known(facts).wrap_up_seconds == 0


def test_a_hold_that_the_end_closes() -> None:
    facts = facts_of(*call()[:5], event("ended", 100), event("resumed", 100.2))
    assert known(facts).hold_seconds == 80
    assert known(facts).talk_seconds == 11
    assert known(facts).state == "ended"


def test_events_of_the_same_moment_follow_the_course_of_an_interaction() -> None:
    moment = [event(word, 5) for word in ("wrapped_up", "ended", "answered", "offered", "created", "missed")]
    for permutation in itertools.permutations(moment):
        facts = facts_of(*permutation)
        assert known(facts).state == "wrapped_up"
        assert known(facts).outcome == "answered"
    same = [event("comment_added", 5, id=id, comment={"text": id}) for id in ("b", "a")]
    assert [comment.text for comment in facts_of(*same).comments] == ["a", "b"]
    assert facts_of(*same) == facts_of(*reversed(same))


# --- durations ----------------------------------------


def test_what_the_platform_says_wins_whenever_it_says_so() -> None:
    said = event(
        "data_updated", 3, interaction={"talk_seconds": 60, "hold_seconds": 2, "wait_seconds": 0, "ring_seconds": 1}
    )
    for events in ([said, *call()], [*call(), said]):
        facts = facts_of(*events)
        i = known(facts)
        assert (i.talk_seconds, i.hold_seconds, i.wait_seconds, i.ring_seconds) == (60, 2, 0, 1)
        assert {i.basis[f"{name}_seconds"] for name in ("talk", "hold", "wait", "ring")} == {"platform"}
        assert i.basis["total_seconds"] == "computed"
    wrapped = event("wrapped_up", 121, agent=ANA, wrap_up={"seconds": 12})
    assert known(facts_of(*call(), wrapped)).wrap_up_seconds == 12


def test_durations_are_never_negative() -> None:
    skewed = {
        "started_at": at(50),
        "queued_at": at(40),
        "offered_at": at(30),
        "answered_at": at(20),
        "ended_at": at(10),
    }
    i = known(facts_of(event("ended", 60, interaction=skewed), event("wrapped_up", 5)))
    durations = (i.wait_seconds, i.ring_seconds, i.talk_seconds, i.total_seconds, i.wrap_up_seconds)
    assert durations == (0, 0, 0, 0, 0)


def test_times_of_any_zone_are_the_same_times() -> None:
    here, zone = call(), timezone(timedelta(hours=2))
    there = [msgspec.structs.replace(one, occurred_at=one.occurred_at.astimezone(zone)) for one in here]
    assert msgspec.json.encode(facts_of(*there)) == msgspec.json.encode(facts_of(*here))


def test_an_end_for_each_leg_is_the_last_one() -> None:
    assert known(facts_of(*call(), event("ended", 130))).ended_at == at(130)
    explicit = event("ended", 130, interaction={"ended_at": at(99)})
    assert known(facts_of(*call(), explicit)).ended_at == at(99)


# --- outcome ----------------------------------------


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([event("missed", 5)], "missed"),
        ([event("missed", 5), event("answered", 9)], "answered"),
        ([event("answered", 5), event("missed", 9)], "answered"),
        ([event("missed", 5), event("voicemail", 9)], "voicemail"),
        ([event("ended", 5, interaction={"end_cause": "abandoned_in_queue"})], "missed"),
        ([event("ended", 5)], None),
        ([event("wrapped_up", 5, interaction={"talk_seconds": 3})], "answered"),
    ],
)
def test_outcomes(events: list[Event], outcome: str | None) -> None:
    assert known(facts_of(event("created", 0), *events)).outcome == outcome


# --- transfers, agents, wrap-ups ----------------------------------------


def transferred() -> list[Event]:
    return [
        *call()[:4],
        event("transferred", 50, agent=ANA, transfer={"to_agent": "a-2", "kind": "warm"}),
        event("answered", 55, agent=BEN),
        event("wrapped_up", 60, agent=ANA, wrap_up={"code": "PASSED", "comment": "wants a discount", "seconds": 5}),
        event("ended", 100),
        event("wrapped_up", 110, agent=BEN, wrap_up={"code": "SALE", "seconds": 8}),
    ]


def test_a_second_agent_does_not_overwrite_the_first_ones_wrap_up() -> None:
    facts = facts_of(*transferred())
    assert [(w.agent, w.code, w.comment, w.seconds) for w in facts.wrap_ups] == [
        ("a-1", "PASSED", "wants a discount", 5),
        ("a-2", "SALE", None, 8),
    ]
    assert facts.wrap_up is not None
    assert (facts.wrap_up.code, facts.wrap_up.comment) == ("SALE", None)
    assert [agent.id for agent in facts.agents] == ["a-1", "a-2"]
    assert facts.agent is not None
    assert facts.agent.id == "a-2"
    (transfer,) = facts.transfers
    assert (transfer.at, transfer.by, transfer.to_agent, transfer.kind) == (at(50), "a-1", "a-2", "warm")
    assert facts.final


def test_it_is_not_over_when_the_first_agent_wraps_up() -> None:
    states = [known(facts_of(*transferred()[:n])).state for n in (7, 8, 9)]
    assert states == ["answered", "ended", "wrapped_up"]
    assert not facts_of(*transferred()[:8]).final


def test_a_wrap_up_is_completed_by_its_own_agent() -> None:
    more = event("disposition_set", 130, agent=ANA, wrap_up={"comment": "and a blue one"})
    facts = facts_of(*call(), more)
    (entry,) = facts.wrap_ups
    assert (entry.code, entry.comment, entry.at) == ("SALE", "and a blue one", at(120))


def test_a_wrap_up_of_nobody_is_the_current_agents() -> None:
    facts = facts_of(*call()[:9], event("wrapped_up", 120, wrap_up={"code": "SALE"}))
    assert [entry.agent for entry in facts.wrap_ups] == ["a-1"]
    assert facts.final
    assert facts_of(event("wrapped_up", 5), event("ended", 6)).final


# --- dispositions ----------------------------------------


def disposition(*said: dict[str, Any]) -> Any:
    facts = facts_of(*(event("disposition_set", n, disposition=one) for n, one in enumerate(said)))
    return None if facts.disposition is None else msgspec.to_builtins(facts.disposition)


def test_a_new_disposition_takes_the_old_ones_place() -> None:
    old, new = {"code": "A", "name": "Alpha", "class": "positive"}, {"code": "B", "name": None, "class": None}
    assert disposition(old, {"code": "B"}) == new
    assert disposition(old, {"name": "Other"})["code"] is None
    assert disposition(old, {"code": "A", "name": "Alfa"}) == old | {"name": "Alfa"}
    assert disposition({"code": "A"}, {"class": "negative"}) == {"code": "A", "name": None, "class": "negative"}
    assert disposition(old, {}) == old


def test_do_not_contact_is_never_taken_back() -> None:
    never = {"code": "DNC", "name": "Never again", "class": "do_not_contact"}
    assert disposition(never, {"code": "SALE", "class": "positive"}) == never
    assert disposition(never, {"code": "SALE"}) == never
    assert disposition(never, {"class": "neutral"}) == never
    assert disposition({"code": "SALE", "class": "positive"}, never) == never
    facts = facts_of(event("disposition_set", 0, disposition=never), *call()[1:])
    assert facts.disposition is not None
    assert facts.disposition.class_ == "do_not_contact"


def test_a_disposition_beside_a_wrap_up() -> None:
    both = event("wrapped_up", 5, wrap_up={"code": "S", "name": "Sale"}, disposition={"class": "positive"})
    facts = facts_of(both)
    assert msgspec.to_builtins(facts.disposition) == {"code": "S", "name": "Sale", "class": "positive"}
    assert facts_of(event("wrapped_up", 5, wrap_up={"comment": "x"})).disposition is None


# --- the other side ----------------------------------------


@pytest.mark.parametrize("remote", ["anonymous", "Restricted", "", "sip:anonymous@anonymous.invalid"])
def test_a_withheld_number_is_nobodys(remote: str) -> None:
    facts = facts_of(*call(remote=remote))
    assert known(facts).anonymous
    assert known(facts).remote_e164 is None
    assert facts.customer is None


def test_a_colleague_is_no_customer() -> None:
    assert facts_of(*call(direction="internal", remote="204")).customer is None
    assert facts_of(event("created", 0, interaction={"remote": "+34612345678"})).customer is None


def test_the_customers_number_follows_the_remote_unless_it_is_given() -> None:
    corrected = event("data_updated", 50, interaction={"remote": "+33 1 42 68 53 00"})
    facts = facts_of(*call(), corrected)
    assert facts.customer is not None
    assert facts.customer.phone == "+33 1 42 68 53 00"
    assert known(facts).remote_e164 == "+33142685300"
    given = event("data_updated", 40, customer={"phone": "+34 699 11 22 33", "name": "Eva"})
    facts = facts_of(*call(), given, corrected)
    assert facts.customer is not None
    assert (facts.customer.phone, facts.customer.name) == ("+34 699 11 22 33", "Eva")


def test_an_address_is_no_number() -> None:
    facts = facts_of(*call(channel="email", remote="eva@example.com", local="612345678@example.com"))
    assert known(facts).remote_e164 is None
    assert known(facts).local_e164 is None
    assert not known(facts).anonymous
    assert facts.customer is None


# --- parts ----------------------------------------


def test_legs_recordings_and_the_rest_are_gathered_by_their_ids() -> None:
    facts = facts_of(
        event(
            "offered",
            0,
            leg={"id": "l-1", "party": "agent", "started_at": at(0).astimezone(timezone(timedelta(hours=-7)))},
        ),
        event("answered", 2, leg={"id": "l-2", "party": "customer"}),
        event("ended", 9, leg={"id": "l-1", "ended_at": at(9)}, interaction={"recording_url": "https://rec.example/a"}),
        event("recording_ready", 20, recording={"id": "r", "url": "https://rec.example/b"}),
        event("recording_ready", 30, recording={"id": "r", "url": "https://rec.example/c", "expires_at": at(99)}),
        event("recording_ready", 31, recording={"url": "https://rec.example/a"}),
        event("data_updated", 40, attached={"a": 1, "b": [2]}, campaign={"id": "c-1", "attempts": 1}),
        event("data_updated", 41, attached={"b": 3}, campaign={"result": "OK"}, dial={"id": "d-1"}),
        event("transferred", 42, agent=ANA),
    )
    assert [(leg.id, leg.party, leg.started_at, leg.ended_at) for leg in facts.legs] == [
        ("l-1", "agent", at(0), at(9)),
        ("l-2", "customer", None, None),
    ]
    assert [(one.id, one.url) for one in facts.recordings] == [
        (None, "https://rec.example/a"),
        ("r", "https://rec.example/c"),
    ]
    assert known(facts).recording_url == "https://rec.example/a"
    assert facts.attached == {"a": 1, "b": 3}
    assert facts.campaign is not None
    assert (facts.campaign.id, facts.campaign.attempts, facts.campaign.result) == ("c-1", 1, "OK")
    assert facts.dial is not None
    assert facts.dial.id == "d-1"
    assert [(one.at, one.by) for one in facts.transfers] == [(at(42), "a-1")]


def test_what_is_absent_is_unchanged() -> None:
    facts = facts_of(*call(), event("data_updated", 200, interaction={}, agent={"id": "a-1", "extension": "204"}))
    assert known(facts).queue == "Sales"
    assert facts.agent is not None
    assert (facts.agent.name, facts.agent.extension) == ("Ana", "204")


def test_an_event_that_stands_alone_is_final() -> None:
    result = msgspec.convert(
        {"id": "e", "type": "campaign.contact_result", "occurred_at": START, "interaction": {"id": "call-1"},
         "campaign": {"list": "spring", "contact": "42", "result": "OK"}},
        Event,
    )  # fmt: skip
    assert fold(None, "pbx", result, "ES").final


def test_a_long_shuffled_life_folds_the_same() -> None:
    chance = random.Random(7)
    events = [*call(), *transferred()[4:7]]
    expected = facts_of(*events)
    for _ in range(50):
        chance.shuffle(events)
        assert facts_of(*events) == expected
