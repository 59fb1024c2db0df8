"""From the outbox to the CRM, through every fault: all is delivered in the end, nothing twice, and what waits says why."""

from __future__ import annotations

import random
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from structlog import wrap_logger
from structlog.testing import CapturingLogger

from hub.clock import now, to_ms
from hub.errors import (
    CredentialsRefused,
    Locked,
    NotPermitted,
    QuotaSpent,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
)
from hub.flow.delivery import pauses, road, verdicts
from hub.flow.delivery.replay import replay
from hub.flow.subject import member_subject
from hub.language.mapping import Note, Rendered, TargetSpec
from hub.model import Lookup, Receipt, Record
from hub.store.database import Store
from hub.store.deliveries import Attempt, Filter, Reason, attempts_of
from hub.store.schema import connection_states, deliveries, fresh_records
from tests.stubs import (
    QUICK,
    Rig,
    StubCrm,
    StubMapping,
    giving,
    interaction,
    put_calls,
    put_deliveries,
    put_interactions,
    raising,
    raising_after,
)
from tests.waiting import PATIENCE, until

LIST = TargetSpec(connection="crm", write="contact_list", key="id", lane=2, options={"list": "spring"})


def attempts(rig: Rig) -> list[Attempt]:
    with rig.store.read() as conn:
        (of_one,) = attempts_of(conn, [delivery.id for delivery in rig.all()]).values()
    return of_one


def states(rig: Rig) -> Counter[str]:
    return Counter(delivery.state for delivery in rig.all())


# --- the plain road ----------------------------------------


def test_a_wrap_up_becomes_one_record(store: Store) -> None:
    rig = Rig(store, StubCrm())
    put_calls(store, "call-1", summary="wants the red one")
    assert rig.deliverer.run_once("crm") == 1
    delivery = rig.one()
    assert (delivery.state, delivery.object, delivery.record_id) == ("delivered", "activity", "R1")
    assert delivery.record_url == "https://crm.example/R1"
    assert rig.crm.fields("pbx:call-1") == {"note": "wants the red one"}
    (attempt,) = attempts(rig)
    assert (attempt.outcome, attempt.sent, attempt.mapping_version) == ("created", {"note": "wants the red one"}, 1)
    assert rig.deliverer.tally == {("crm", "created"): 1}


def test_the_log_tells_where_an_interaction_went_and_nothing_of_a_person(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = CapturingLogger()
    for room in (road, verdicts):
        monkeypatch.setattr(room, "log", wrap_logger(logged, processors=[]))
    rig = Rig(store, StubCrm())
    rig.crm.refuses = lambda row: Rejected("Lopez is no note") if row.key == "pbx:call-2" else None
    put_calls(store, "call-1", "call-2", summary="Ana Lopez wants the red one", remote="+34600000001")
    rig.deliverer.run_once("crm")
    told = {call.kwargs["event"]: call.kwargs for call in logged.calls}
    assert told["carried"]["interactions"] == {"delivered": ["call-1"], "parked": ["call-2"]}
    assert told["parked"]["interaction"] == "call-2"
    assert not any(word in str(logged.calls) for word in ("Lopez", "600000001", "wants"))


def test_two_hundred_rows_are_two_calls(store: Store) -> None:
    seen: list[str] = []

    def render(facts: Any, found: Any) -> Rendered:
        seen.extend(record.id for record in found["caller"])
        return Rendered(fields={"note": "x"})

    mapping = StubMapping(
        lookups=lambda facts: {"caller": [Lookup("contact", "phone", facts["interaction"]["remote"])]}, render=render
    )
    rig = Rig(store, StubCrm(), mapping)
    rig.crm.people["+34600000001"] = [Record(object="contact", id="ana", title="Ana")]
    put_calls(store, *(f"c{i}" for i in range(200)), remote="+34600000001")
    assert rig.deliverer.run_once("crm") == 200
    assert (len(rig.crm.finds), len(rig.crm.writes)) == (1, 1)
    assert rig.crm.finds == [[Lookup("contact", "phone", "+34600000001")]]  # the same question is asked once
    assert seen == ["ana"] * 200
    assert rig.deliverer.calls == {"crm": 2}


def test_the_second_preference_is_asked_for_who_was_not_found(store: Store) -> None:
    crm = StubCrm(lookups_per_call=2)
    crm.people["+1"] = [Record(object="contact", id="one", title="")]
    crm.people["b@x"] = [Record(object="contact", id="two", title="")]
    found: dict[str, list[str]] = {}

    def render(facts: Any, given: Any) -> Rendered:
        found[facts["interaction"]["id"]] = [record.id for record in given["caller"]]
        return Rendered(fields={"note": "x"})

    def lookups(facts: Any) -> dict[str, list[Lookup]]:
        phone, mail = facts["interaction"]["remote"].split()
        return {"caller": [Lookup("contact", "phone", phone), Lookup("contact", "email", mail)]}

    rig = Rig(store, crm, StubMapping(lookups=lookups, render=render))
    put_interactions(
        store, [interaction("a", remote="+1 a@x"), interaction("b", remote="+2 b@x"), interaction("c", remote="+3 c@x")]
    )
    put_deliveries(store, *({"subject": f"interaction:pbx/{key}"} for key in "abc"))
    rig.deliverer.run_once("crm")
    assert found == {"a": ["one"], "b": ["two"], "c": []}
    assert [lookup.value for asked in crm.finds for lookup in asked] == ["+1", "+2", "+3", "b@x", "c@x"]


def test_when_is_not_met(store: Store) -> None:
    rig = Rig(store, StubCrm(), StubMapping(skips=lambda facts: "channel is email, not voice"))
    put_calls(store, "call-1")
    rig.deliverer.run_once("crm")
    assert rig.one().state == "skipped"
    assert rig.one().reason == Reason(name="skipped", message="channel is email, not voice")
    assert not rig.crm.writes


def test_what_the_mapping_cannot_make_parks_with_its_fields(store: Store) -> None:
    rig = Rig(
        store, StubCrm(), StubMapping(render=lambda facts, found: Rendered({}, problems={"Subject": "is required"}))
    )
    put_calls(store, "call-1")
    rig.deliverer.run_once("crm")
    assert (rig.one().state, rig.one().reason) == (
        "parked",
        Reason(name="rejected", message="Subject: is required", fields={"Subject": "is required"}),
    )


def test_a_missing_mapping_and_a_broken_one_park(store: Store) -> None:
    def broken(facts: Any, found: Any) -> Rendered:
        raise KeyError("+34612345678")

    rig = Rig(store, StubCrm(), StubMapping("broken", render=broken), StubMapping())
    put_calls(store, "good")
    put_interactions(store, [interaction("a")])
    put_deliveries(
        store,
        {"subject": "interaction:pbx/a", "mapping": "gone"},
        {"subject": "interaction:pbx/a", "mapping": "broken"},
    )
    put_deliveries(store, {"subject": "interaction:pbx/nowhere"})
    rig.deliverer.run_once("crm")
    told = {delivery.mapping: delivery.reason for delivery in rig.all(states=("parked",))}
    assert told["gone"] and told["gone"].message == 'the mapping "gone" is not published; publish it and replay'
    assert told["broken"] and told["broken"].message == "the mapping broken broke: KeyError"
    assert told["wrap_up"] and told["wrap_up"].name == "facts_gone"
    assert rig.crm.keys() == {"pbx:good": 1}


def test_a_mapping_that_writes_elsewhere_now(store: Store) -> None:
    rig = Rig(store, StubCrm())
    put_calls(store, "call-1")
    rig.mappings.by_name["wrap_up"].target = TargetSpec(connection="crm2", write="activity", key="key")
    rig.deliverer.run_once("crm")
    assert (rig.one().state, rig.one().connection, rig.one().attempts) == ("pending", "crm2", 0)
    assert not rig.crm.writes


def test_what_waits_for_a_connection_that_is_gone_is_settled_at_the_start(store: Store) -> None:
    rig = Rig(store, StubCrm())
    put_interactions(store, [interaction("a")])
    put_deliveries(
        store,
        {"subject": "interaction:pbx/a", "connection": "old"},
        {"subject": "interaction:pbx/a", "connection": "old", "mapping": "gone"},
    )
    rig.deliverer.start()
    until(lambda: states(rig) == {"delivered": 1, "parked": 1})
    rig.deliverer.close()
    (parked,) = rig.all(states=("parked",))
    assert parked.reason and parked.reason.name == "no_connection"


def test_a_list_row_goes_out_and_is_removed_by_its_own_body(store: Store) -> None:
    mapping = StubMapping(
        "spring", target=LIST, render=lambda facts, found: Rendered({"phone": facts["member"]["phone"]})
    )
    rig = Rig(store, StubCrm(), mapping)
    body = msgspec.json.encode({"member": {"id": "42", "phone": "+34600000001"}}).decode()
    row = {"mapping": "spring", "subject": member_subject("spring", "42"), "lane": 2, "body": body}
    put_deliveries(store, row)
    rig.deliverer.run_once("crm")
    assert rig.crm.fields("42", "contact_list") == {"phone": "+34600000001"}
    put_deliveries(store, row | {"action": "remove"})
    rig.deliverer.run_once("crm")
    assert rig.crm.keys() == {}
    assert states(rig) == {"delivered": 2}


def test_two_mappings_of_one_call_never_share_a_batch(store: Store) -> None:
    other = StubMapping("late", render=lambda facts, found: Rendered({"late": True}))
    rig = Rig(store, StubCrm(native=False), StubMapping(), other)
    put_calls(store, "call-1")
    put_deliveries(store, {"subject": "interaction:pbx/call-1", "mapping": "late"})
    assert rig.deliverer.run_once("crm") == 2
    assert [[row.key for row in rows] for rows in rig.crm.writes] == [["pbx:call-1"], ["pbx:call-1"]]
    assert rig.crm.fields("pbx:call-1") == {"note": "call call-1", "late": True}


def test_provisional_then_final_is_one_record(store: Store) -> None:
    rig = Rig(store, StubCrm(native=False))
    put_calls(store, "call-1", summary=None)
    rig.deliverer.run_once("crm")
    put_calls(store, "call-1", summary="a sale")
    rig.deliverer.run_once("crm")
    put_calls(store, "call-1", summary="a sale, recorded")
    rig.deliverer.run_once("crm")
    assert rig.crm.fields("pbx:call-1") == {"note": "a sale, recorded"}
    assert [delivery.record_id for delivery in rig.all()] == ["R1"] * 3


def test_people_just_created_are_remembered(store: Store) -> None:
    person = TargetSpec(connection="crm", write="contact", key="key")
    fields = {"mobile": "612 34 56 78", "mail": "Ana@Example.com", "name": "Ana"}
    rig = Rig(store, StubCrm(), StubMapping(target=person, render=lambda facts, found: Rendered(dict(fields))))
    put_calls(store, "call-1")
    rig.deliverer.run_once("crm")
    with store.read() as conn:
        (row,) = conn.execute(select(fresh_records)).all()
    assert (row.phone, row.email, row.title, row.record_id) == ("+34612345678", "ana@example.com", "Ana", "R1")


# --- faults of the whole call ----------------------------------------


@pytest.mark.parametrize(
    ("fault", "doubt"),
    [
        (raising(Unavailable("down")), False),
        (raising(UnknownOutcome("time-out")), True),
        (raising_after(UnknownOutcome("500 after the commit")), True),
        (raising(Locked("busy")), False),
        (raising(ValueError("+34612345678")), True),
        (raising_after(KeyError("id")), True),
        (giving(lambda receipts: receipts[1:]), True),
        (giving(lambda receipts: []), True),
        (giving(lambda receipts: [receipts[0]] * len(receipts)), True),
        (giving(lambda receipts: None), True),  # type: ignore[arg-type,return-value]
        (giving(lambda receipts: [Receipt(key=one.key, outcome="failed") for one in receipts]), True),
    ],
)
def test_tried_again_until_it_is_there_once(store: Store, fault: Any, doubt: bool) -> None:
    rig = Rig(store, StubCrm(native=False))
    put_calls(store, "a", "b", "c")
    rig.crm.faults.append(fault)
    rig.deliverer.run_once("crm")
    again = rig.all(states=("pending",))
    assert all(delivery.in_doubt == doubt and delivery.attempts == 1 and delivery.reason for delivery in again)
    assert "612345678" not in str([delivery.reason for delivery in again])
    assert rig.deliverer.drain(PATIENCE)
    assert rig.crm.keys() == {"pbx:a": 1, "pbx:b": 1, "pbx:c": 1}
    assert states(rig) == {"delivered": 3}
    doubted = {delivery.subject.replace("interaction:pbx/", "pbx:") for delivery in again if doubt}
    assert all(row.in_doubt for rows in rig.crm.writes[1:] for row in rows if row.key in doubted)


def test_receipts_in_another_order_are_noted_on_their_own_rows(store: Store) -> None:
    rig = Rig(store, StubCrm())
    put_calls(store, "a", "b")
    rig.crm.faults.append(giving(lambda receipts: receipts[::-1]))
    rig.deliverer.run_once("crm")
    assert [delivery.record_id for delivery in rig.all()] == ["R1", "R2"]


def test_one_bad_row_in_a_refused_batch_parks_alone(store: Store) -> None:
    crm = StubCrm()

    def picky(target: Any, rows: Any) -> list[Receipt]:
        if any(row.key == "pbx:c77" for row in rows):
            raise Rejected("the batch is refused", {"note": "has a bad letter"})
        return StubCrm.commit(crm, target, rows)

    crm.commit = picky  # type: ignore[method-assign]
    rig = Rig(store, crm)
    put_calls(store, *(f"c{i}" for i in range(200)))
    rig.deliverer.run_once("crm")
    assert states(rig) == {"delivered": 199, "parked": 1}
    (parked,) = rig.all(states=("parked",))
    assert parked.subject == "interaction:pbx/c77"
    assert parked.reason and parked.reason.fields == {"note": "has a bad letter"}
    assert len(crm.writes) == 17  # twice for each of eight halvings, and the first


def test_a_batch_of_bad_rows_costs_a_bounded_number_of_calls(store: Store) -> None:
    rig = Rig(store, StubCrm())
    rig.crm.commit = lambda target, rows: (_ for _ in ()).throw(Rejected("never"))  # type: ignore[assignment,method-assign]
    put_calls(store, *(f"c{i}" for i in range(50)))
    rig.deliverer.run_once("crm")
    assert len(rig.crm.writes) <= 40
    assert rig.deliverer.drain(PATIENCE)
    assert states(rig) == {"parked": 50}


def test_a_refused_object_parks_all_in_one_call(store: Store) -> None:
    rig = Rig(store, StubCrm())
    rig.crm.faults.append(raising(NotPermitted("our user may not write activities")))
    put_calls(store, *(f"c{i}" for i in range(50)))
    rig.deliverer.run_once("crm")
    assert len(rig.crm.writes) == 1
    assert states(rig) == {"parked": 50}


def test_a_connector_that_always_breaks_parks_with_the_class_and_no_value(store: Store) -> None:
    rig = Rig(store, StubCrm())
    rig.crm.faults.extend(raising(ValueError("+34612345678")) for _ in range(20))
    put_calls(store, "a")
    assert rig.deliverer.drain(PATIENCE)
    parked = rig.one()
    assert (parked.state, parked.attempts, parked.in_doubt) == ("parked", QUICK.bugs, True)
    assert parked.reason and parked.reason.name == "connector_broke"
    assert parked.reason.message.startswith("the connector broke 5 times: the connector broke: ValueError at stubs.py:")


def test_half_a_batch_fails_by_row(store: Store) -> None:
    rig = Rig(store, StubCrm())
    once = {"pbx:c1": Locked("busy"), "pbx:c2": UnknownOutcome("?")}
    rig.crm.refuses = lambda row: Rejected("no", {"note": "no"}) if row.key == "pbx:c0" else once.pop(row.key, None)
    put_calls(store, *(f"c{i}" for i in range(6)))
    rig.deliverer.run_once("crm")
    assert states(rig) == {"delivered": 3, "pending": 2, "parked": 1}
    assert [delivery.in_doubt for delivery in rig.all(states=("pending",))] == [False, True]
    assert rig.deliverer.drain(PATIENCE)
    assert states(rig) == {"delivered": 5, "parked": 1}


def test_gives_up_after_a_day(store: Store) -> None:
    rig = Rig(store, StubCrm(), pace=msgspec.structs.replace(QUICK, give_up_after=0.1))
    rig.crm.faults.extend(raising(Unavailable("down")) for _ in range(200))
    put_calls(store, "a")
    assert rig.deliverer.drain(PATIENCE)
    assert rig.one().state == "parked"
    assert rig.one().reason and rig.one().reason.message.endswith("hours: down")


def test_throttled_slows_the_connection_and_counts_no_attempt(store: Store) -> None:
    rig = Rig(store, StubCrm(), pace=msgspec.structs.replace(QUICK, longest_retry_after=600.0))
    rig.crm.faults.append(raising(Throttled("429", retry_after=3600.0)))
    put_calls(store, "a", "b")
    before = now()
    rig.deliverer.run_once("crm")
    assert [(one.state, one.attempts) for one in rig.all()] == [("pending", 0)] * 2
    asked_for = [one.due_at - timedelta(seconds=600) for one in rig.all()]  # clamped: not an hour
    assert all(before - timedelta(milliseconds=1) <= moment <= now() for moment in asked_for)
    put_calls(store, "c")
    assert rig.deliverer.run_once("crm") == 0  # the whole connection waits, not only those rows
    with store.write() as conn:  # ten minutes go by
        conn.execute(deliveries.update().values(due_at=0))
    rig.deliverer._roads["crm"]._slow_until -= 600
    assert rig.deliverer.drain(PATIENCE)
    assert states(rig) == {"delivered": 3}


def test_a_failing_look_up_holds_up_only_who_needs_it(store: Store) -> None:
    def lookups(facts: Any) -> dict[str, list[Lookup]]:
        remote = facts["interaction"].get("remote")
        return {"caller": [Lookup("contact", "phone", remote)]} if remote else {}

    rig = Rig(store, StubCrm(), StubMapping(lookups=lookups))
    put_calls(store, "a", remote="+1")
    put_calls(store, "b")
    rig.crm.find_faults.append(UnknownOutcome("time-out"))
    rig.deliverer.run_once("crm")
    assert [(one.state, one.in_doubt) for one in rig.all()] == [("pending", False), ("delivered", False)]
    assert rig.deliverer.drain(PATIENCE)
    assert states(rig) == {"delivered": 2}


def test_a_throttled_look_up_stops_the_whole_claim(store: Store) -> None:
    def lookups(facts: Any) -> dict[str, list[Lookup]]:
        remote = facts["interaction"].get("remote")
        return {"caller": [Lookup("contact", "phone", remote)]} if remote else {}

    rig = Rig(store, StubCrm(), StubMapping(lookups=lookups))
    put_calls(store, "a", remote="+1")
    put_calls(store, "b")
    rig.crm.find_faults.append(Throttled("429", 60))
    rig.deliverer.run_once("crm")
    assert not rig.crm.writes
    assert [(one.state, one.attempts) for one in rig.all()] == [("pending", 0)] * 2


# --- pauses and budgets ----------------------------------------


def test_refused_credentials_pause_and_a_probe_resumes(store: Store) -> None:
    rig = Rig(store, StubCrm())
    works: list[bool] = []

    def checks() -> None:
        if not works:
            raise CredentialsRefused("the token was revoked")

    rig.crm.checks = checks
    rig.crm.faults.append(raising(CredentialsRefused("the token was revoked")))
    put_calls(store, "a", "b")
    rig.deliverer.start()
    until(lambda: pauses.states(store).get("crm") is not None and pauses.states(store)["crm"].paused)
    state = pauses.states(store)["crm"]
    assert (state.reason, state.message) == ("credentials_refused", "the token was revoked")
    assert state.until is not None
    until(lambda: [(one.state, one.attempts) for one in rig.all()] == [("pending", 0)] * 2)
    works.append(True)
    until(lambda: states(rig) == {"delivered": 2})
    rig.deliverer.close()
    assert len(rig.crm.writes) == 2
    assert not pauses.states(store)["crm"].paused


def test_paused_and_resumed_by_hand(store: Store) -> None:
    rig = Rig(store, StubCrm())
    pauses.pause(store, "crm", "the CRM is being moved")
    put_calls(store, "a")
    assert rig.deliverer.run_once("crm") == 0
    rig.crm.faults.append(raising(CredentialsRefused("no")))
    state = pauses.states(store)["crm"]
    assert (state.reason, state.message, state.until) == ("by_hand", "the CRM is being moved", None)
    assert pauses.resume(store, "crm")
    assert not pauses.resume(store, "crm")
    rig.crm.faults.clear()
    assert rig.deliverer.drain(PATIENCE)
    assert states(rig) == {"delivered": 1}


def test_a_pause_by_hand_is_not_shortened(store: Store) -> None:
    rig = Rig(store, StubCrm())
    put_calls(store, "a")

    def paused_meanwhile(crm: Any, target: Any, rows: Any) -> None:
        pauses.pause(store, "crm", "by Ana")
        raise CredentialsRefused("no")

    rig.crm.faults.append(paused_meanwhile)
    rig.deliverer.run_once("crm")
    state = pauses.states(store)["crm"]
    assert (state.reason, state.until) == ("by_hand", None)


@pytest.mark.usefixtures("one_day")
def test_a_spent_quota_waits_until_it_is_new(store: Store) -> None:
    rig = Rig(store, StubCrm())
    until_then = now().replace(microsecond=0) + timedelta(hours=1)
    rig.crm.faults.append(raising(QuotaSpent("no calls left", until=until_then)))
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    assert rig.deliverer.run_once("crm") == 0
    assert pauses.states(store)["crm"].until == until_then
    with store.write() as conn:  # an hour goes by
        conn.execute(connection_states.update().values(until=to_ms(now())))
    assert rig.deliverer.run_once("crm") == 1
    rig.crm.faults.append(raising(QuotaSpent("no calls left")))
    put_calls(store, "b")
    rig.deliverer.run_once("crm")
    assert pauses.states(store)["crm"].until == pauses.next_midnight(now())


@pytest.mark.usefixtures("one_day")
def test_the_days_budget_holds_and_survives_a_restart(store: Store) -> None:
    crm = StubCrm(rows_per_call=1)
    rig = Rig(store, crm)
    rig.connection.budget.calls_per_day = 3
    put_calls(store, *(f"c{i}" for i in range(5)))
    assert rig.deliverer.drain(PATIENCE)  # nothing left on a connection that is not paused
    assert len(crm.writes) == 3
    assert states(rig) == {"delivered": 3, "pending": 2}
    assert {one.attempts for one in rig.all(states=("pending",))} == {0}
    state = pauses.states(store)["crm"]
    assert (state.reason, state.calls_today) == ("calls_per_day", 3)
    assert state.until == pauses.next_midnight(now())
    again = Rig(store, crm)
    again.connection.budget.calls_per_day = 3
    pauses.resume(store, "crm")
    assert again.deliverer.run_once("crm") == 1
    assert len(crm.writes) == 3
    assert pauses.states(store)["crm"].paused


# --- many threads ----------------------------------------


def test_everything_arrives_once_through_a_storm_of_faults(store: Store) -> None:
    luck = random.Random(7)
    rig = Rig(store, StubCrm(native=False, rows_per_call=20), concurrency=8)
    kinds = [
        lambda: raising(Unavailable("down")),
        lambda: raising(UnknownOutcome("?")),
        lambda: raising_after(UnknownOutcome("500")),
        lambda: raising(Throttled("429", 0.01)),
        lambda: raising_after(RuntimeError("bug")),
        lambda: giving(lambda receipts: receipts[: len(receipts) // 2]),
        lambda: lambda crm, target, rows: None,
    ]
    rig.crm.faults.extend(luck.choice(kinds)() for _ in range(60))
    keys = [f"c{i}" for i in range(400)]
    rig.deliverer.start()
    for start in range(0, 400, 50):
        put_calls(store, *keys[start : start + 50])
        store.wake("deliveries")
    assert rig.deliverer.drain(PATIENCE)
    rig.deliverer.close()
    for parked in rig.all(states=("parked",)):  # bugs enough in a row to park: mended, replayed
        assert parked.reason and parked.reason.name == "connector_broke"
    rig.crm.faults.clear()
    replay(store, Filter(states=("parked",)), by="ana")
    again = rig.another()
    assert again.drain(PATIENCE)
    assert rig.crm.keys() == {f"pbx:{key}": 1 for key in keys}
    assert states(rig) == {"delivered": 400}


def test_one_in_flight_per_pair_under_eight_threads(store: Store) -> None:
    rig = Rig(store, StubCrm(native=False, rows_per_call=1, latency=0.002), concurrency=8)
    rig.deliverer.start()
    for turn in range(15):
        put_interactions(store, [interaction(key, summary=f"{turn}") for key in "abcd"])
        for key in "abcd":
            if not rig.all(subject=f"interaction:pbx/{key}", states=("pending",)):
                try:
                    put_deliveries(store, {"subject": f"interaction:pbx/{key}"})
                except Exception as collision:
                    assert "uq_deliveries_pending" in str(collision) or "UNIQUE" in str(collision)
        store.wake("deliveries")
    assert rig.deliverer.drain(PATIENCE)
    rig.deliverer.close()
    assert max(rig.crm.busiest.values()) == 1
    assert rig.crm.keys() == {f"pbx:{key}": 1 for key in "abcd"}


def test_part_filled_batches_gather_while_calls_are_out(store: Store) -> None:
    rig = Rig(store, StubCrm(), pace=msgspec.structs.replace(QUICK, gather=30.0), concurrency=4)
    gathered = threading.Event()
    rig.crm.faults.append(lambda crm, target, rows: None if gathered.wait(PATIENCE) else [])
    rig.deliverer.start()
    put_calls(store, "first")
    store.wake("deliveries")
    until(lambda: len(rig.crm.writes) == 1)
    for i in range(10):
        put_calls(store, f"c{i}")
        store.wake("deliveries")
    gathered.set()
    assert rig.deliverer.drain(PATIENCE)
    rig.deliverer.close()
    assert [len(rows) for rows in rig.crm.writes] == [1, 10]


def test_a_stop_waits_for_what_is_in_flight(store: Store) -> None:
    rig = Rig(store, StubCrm(latency=0.2))
    rig.deliverer.start()
    put_calls(store, "a")
    store.wake("deliveries")
    until(lambda: bool(rig.crm.writes))
    rig.deliverer.close()
    assert rig.one().state == "delivered"


def test_a_stop_gives_back_what_hangs(store: Store) -> None:
    rig = Rig(store, StubCrm(), pace=msgspec.structs.replace(QUICK, close=0.05))
    lets_go = threading.Event()
    rig.crm.faults.append(lambda crm, target, rows: None if lets_go.wait(PATIENCE) else [])
    rig.deliverer.start()
    put_calls(store, "a")
    store.wake("deliveries")
    until(lambda: bool(rig.crm.writes))
    rig.deliverer.close()
    assert (rig.one().state, rig.one().in_doubt) == ("pending", True)
    lets_go.set()
    until(lambda: rig.crm.keys() == {"pbx:a": 1})  # the call comes to its end after all
    assert rig.another().drain(PATIENCE)
    assert (rig.one().state, rig.crm.keys()) == ("delivered", {"pbx:a": 1})


def test_what_a_dead_node_left_is_taken_up_at_the_start(store: Store) -> None:
    rig = Rig(store, StubCrm(), pace=msgspec.structs.replace(QUICK, lease=3600.0))  # the next look is far away
    put_interactions(store, [interaction("a")])
    put_deliveries(store, {"subject": "interaction:pbx/a", "state": "sending", "lease_owner": "dead", "lease_until": 1})
    rig.deliverer.start()
    until(lambda: states(rig) == {"delivered": 1})
    rig.deliverer.close()
    assert [attempt.outcome for attempt in attempts(rig)] == ["failed", "created"]


# --- owned fields ----------------------------------------


def owned(fields: dict[str, Any]) -> StubMapping:
    target = TargetSpec(connection="crm", write="activity", key="key", update="owned")
    return StubMapping(target=target, render=lambda facts, found: Rendered(dict(fields)))


def test_a_text_that_a_person_changed_stays(store: Store) -> None:
    fields: dict[str, Any] = {"note": "first", "seconds": 12, "extra": None}
    rig = Rig(store, StubCrm(), owned(fields))
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    (record,) = rig.crm.records["activity", "pbx:a"]
    record["fields"] |= {"note": "mended by Ana", "seconds": "12.0", "colour": "red"}
    fields |= {"note": "second", "seconds": 15, "colour": "blue", "extra": "now"}
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    assert record["fields"] == {"note": "mended by Ana", "seconds": 15, "colour": "red", "extra": "now"}
    assert rig.crm.finds[-1][0].fields == ("colour", "extra", "note", "seconds"), "what is compared is asked for"
    with rig.store.read() as conn:
        (attempt,) = attempts_of(conn, [rig.all()[-1].id])[rig.all()[-1].id]
    assert attempt.sent == {"seconds": 15, "extra": "now"}
    assert attempt.notes == [
        {"field": "note", "what": "kept", "text": "changed in the CRM"},
        {"field": "colour", "what": "kept", "text": "filled in the CRM before"},
    ]


def test_nothing_of_ours_to_change_costs_no_write(store: Store) -> None:
    fields: dict[str, Any] = {"note": "first"}
    rig = Rig(store, StubCrm(), owned(fields))
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    assert len(rig.crm.writes) == 1
    latest = rig.all()[-1]
    assert (latest.state, latest.record_id) == ("delivered", "R1")


def test_what_an_unknown_outcome_wrote_is_ours(store: Store) -> None:
    fields: dict[str, Any] = {"note": "first"}
    rig = Rig(store, StubCrm(), owned(fields))
    rig.crm.faults.append(raising_after(UnknownOutcome("?")))
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    fields["note"] = "second"
    assert rig.deliverer.drain(PATIENCE)
    assert rig.crm.fields("pbx:a") == {"note": "second"}


# --- replay ----------------------------------------


def test_mend_the_mapping_press_replay(store: Store) -> None:
    rig = Rig(store, StubCrm(), StubMapping(render=lambda facts, found: Rendered({}, problems={"a": "b"})))
    put_calls(store, *(f"c{i}" for i in range(700)))
    assert rig.deliverer.drain(PATIENCE)
    assert states(rig) == {"parked": 700}
    rig.mappings.by_name["wrap_up"] = StubMapping(
        render=lambda facts, found: Rendered({"note": "x"}, [Note("note", "cut", "y")])
    )
    done = replay(store, Filter(states=("parked",), mapping="wrap_up", reason="rejected"), by="ana")
    assert (done.replayed, done.collapsed, done.refused) == (700, 0, {})
    assert rig.all()[0].reason == Reason(name="replayed", message="replayed by ana")
    assert rig.deliverer.drain(PATIENCE)
    assert states(rig) == {"delivered": 700}


def test_replay_by_id_and_what_cannot_be(store: Store) -> None:
    rig = Rig(store, StubCrm())
    subject = "interaction:pbx/a"
    put_interactions(store, [interaction("a")])
    superseded, delivered = put_deliveries(
        store, {"subject": subject, "state": "superseded"}, {"subject": subject, "state": "delivered"}
    )
    old, new = put_deliveries(
        store,
        {"subject": "member:l/1", "state": "delivered", "body": "{}", "mapping": "l"},
        {"subject": "member:l/1", "state": "parked", "body": "{}", "mapping": "l"},
    )
    (sending,) = put_deliveries(store, {"subject": "interaction:pbx/b", "state": "sending"})
    done = replay(store, Filter(ids=(superseded, delivered, old, new, sending, 999)), by="ana")
    assert (done.replayed, done.collapsed) == (2, 0)
    assert done.refused == {
        superseded: f"a newer delivery of the same subject and mapping took its place: replay {delivered}",
        old: f"it is an old row of this member of the contact list: replay {new}",
        sending: "it is being sent just now",
        999: "there is no delivery with this id",
    }
    assert {one.id for one in rig.all(states=("pending",))} == {delivered, new}


def test_replay_collapses_into_the_newest(store: Store) -> None:
    rig = Rig(store, StubCrm())
    subject = "interaction:pbx/a"
    put_interactions(store, [interaction("a")])
    delivered, parked, newer, waiting = put_deliveries(
        store,
        {"subject": subject, "state": "delivered"},
        {"subject": subject, "state": "parked", "in_doubt": True},
        {"subject": subject, "state": "parked"},
        {"subject": subject, "due_at": 2**50},
    )
    done = replay(store, Filter(subject=subject), by="ana")
    assert (done.replayed, done.collapsed) == (1, 3)
    by_id = {one.id: one for one in rig.all()}
    assert [by_id[id].state for id in (delivered, parked, newer, waiting)] == [
        "delivered", "superseded", "superseded", "pending",
    ]  # fmt: skip
    assert (by_id[waiting].collapsed, by_id[waiting].in_doubt) == (2, True)
    assert rig.deliverer.run_once("crm") == 1
