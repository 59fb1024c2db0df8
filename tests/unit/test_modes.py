"""Write modes: `once` writes when an interaction is final, `append` adds a record for each state; neither changes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hub.config import ConnectionConfig
from hub.connections import Connection
from hub.errors import ConfigError, ConnectorError, NotPermitted, UnknownOutcome
from hub.flow.delivery.replay import replay
from hub.flow.rights import rights_at, said
from hub.model import Receipt, Row, Target
from hub.store import deliveries
from hub.store.database import Store
from hub.store.deliveries import Attempt, Filter
from tests.stubs import Rig, StubCrm, interaction, put_deliveries, put_interactions, raising_after
from tests.unit.language.mapping_texts import mapping
from tests.unit.test_agreement import Crm
from tests.waiting import PATIENCE

ONCE = {"connection": "crm", "write": "activity", "key": "key", "mode": "once"}
APPEND = ONCE | {"mode": "append", "link": "note"}
SUBJECT = "interaction:pbx/a"


class CreateOnly(StubCrm):
    """A CRM whose user may make records and not change them; it looks a key up only when a row is in doubt."""

    def _kept(self, target: Target, row: Row) -> Receipt:
        if (target.object, row.key) in self.records:
            refused = NotPermitted("no rights to change it")
            return Receipt(key=row.key, outcome="failed", error=refused)
        return super()._kept(target, row)


class Writing:
    """A mapping in a mode, and what is known of one call as it goes on."""

    def __init__(self, store: Store, target: dict[str, Any], **source: Any) -> None:
        self.store, self.crm = store, CreateOnly()
        fields = {"note": {"from": "interaction.summary", "max": 120}, "code": "wrap_up.code"}
        examples = [{"about": "x", "given": {}, "expect": {"code": None}}]
        told = {"connection": "any", "event": "interaction.wrapped_up"} | source
        built = mapping(mapping="wrap_up", target=target, fields=fields, source=told, examples=examples).published(1)
        self.rig = Rig(store, self.crm, built)  # type: ignore[arg-type]

    def now_known(self, final: bool = True, code: str = "SALE", **facts: Any) -> None:
        """What is known of the call; a delivery is made of it and goes out."""
        put_interactions(self.store, [interaction("a", **facts) | {"final": final, "wrap_up": {"code": code}}])
        put_deliveries(self.store, {"subject": SUBJECT})
        self.rig.deliverer.drain(PATIENCE)

    def states(self) -> list[str]:
        return [one.state for one in self.rig.all()]

    def notes(self, delivery: int) -> list[str]:
        with self.store.read() as conn:
            attempts: Sequence[Attempt] = deliveries.attempts_of(conn, [delivery])[delivery]
        return [note["text"] for one in attempts for note in one.notes]

    def records(self) -> dict[str, dict[str, Any]]:
        return {key: kept[0]["fields"] for (_, key), kept in self.crm.records.items()}


# --- once ----------------------------------------


def test_once_waits_for_the_end_and_then_changes_nothing(store: Store) -> None:
    writing = Writing(store, ONCE)
    writing.now_known(final=False, summary="ringing")
    assert (writing.states(), writing.records()) == (["skipped"], {})
    writing.now_known(summary="done")
    writing.now_known(summary="done, and a late recording")
    assert writing.states() == ["skipped", "delivered", "skipped"]
    assert writing.records() == {"pbx:a": {"note": "done", "code": "SALE"}}
    first, second, third = writing.rig.all()
    assert first.reason is not None
    assert "not final yet" in first.reason.message
    assert third.reason is not None
    assert third.reason.message == f"it was written once, by delivery {second.id}; `mode: once` leaves it as it is"
    assert len(writing.crm.writes) == 1


@pytest.mark.parametrize("outcome", ["missed", "voicemail"])
def test_once_takes_what_nobody_wraps_up_for_final(store: Store, outcome: str) -> None:
    writing = Writing(store, ONCE)
    writing.now_known(final=False, outcome=outcome)
    assert writing.states() == ["delivered"]


def test_once_writes_what_did_not_become_final_in_the_time_that_after_gave(store: Store) -> None:
    writing = Writing(store, ONCE, event=["interaction.ended"], after={"interaction.ended": "30 minutes"})
    writing.now_known(final=False, summary="ended")
    assert writing.states() == ["delivered"]


@pytest.mark.parametrize("target", [ONCE, APPEND], ids=["once", "append"])
def test_an_unknown_outcome_is_looked_up_and_not_written_over(store: Store, target: dict[str, Any]) -> None:
    writing = Writing(store, target)
    writing.crm.faults.append(raising_after(UnknownOutcome("reset")))
    writing.now_known(summary="done")
    assert writing.states() == ["delivered"]
    assert list(writing.records()) == ["pbx:a"]
    assert len(writing.crm.writes) == 1, "it is there, so nothing is written again"
    assert [lookup.value for call in writing.crm.finds for lookup in call] == ["pbx:a"]
    assert any("an earlier try has made it" in note for note in writing.notes(writing.rig.one().id))


@pytest.mark.parametrize("target", [ONCE, APPEND], ids=["once", "append"])
def test_an_unknown_outcome_that_was_not_done_is_done(store: Store, target: dict[str, Any]) -> None:
    writing = Writing(store, target)
    writing.crm.faults.append(lambda crm, to, rows: _raise(UnknownOutcome("reset")))
    writing.now_known(summary="done")
    assert (writing.states(), list(writing.records())) == (["delivered"], ["pbx:a"])


def test_a_replay_of_what_was_written_once_leaves_it(store: Store) -> None:
    writing = Writing(store, ONCE)
    writing.now_known(summary="done")
    replay(store, Filter(), by="tests")
    writing.rig.deliverer.drain(PATIENCE)
    [delivery] = writing.rig.all()
    assert (delivery.state, delivery.record_id) == ("delivered", "R1")
    assert len(writing.crm.writes) == 1
    assert "it is written, and `mode: once` changes no record" in writing.notes(delivery.id)


def test_a_refused_row_of_once_is_written_when_it_is_mended(store: Store) -> None:
    writing = Writing(store, ONCE)
    writing.crm.refuses = lambda row: NotPermitted("not now")
    writing.now_known(summary="done")
    assert writing.states() == ["parked"]
    writing.crm.refuses = lambda row: None
    replay(store, Filter(), by="tests")
    writing.rig.deliverer.drain(PATIENCE)
    assert (writing.states(), list(writing.records())) == (["delivered"], ["pbx:a"])


# --- append ----------------------------------------


def test_append_adds_a_record_for_each_state_and_links_it_back(store: Store) -> None:
    writing = Writing(store, APPEND)
    writing.now_known(final=False, summary="ended", code="")
    writing.now_known(summary="wrapped up")
    writing.now_known(summary="wrapped up")  # nothing new
    writing.now_known(summary="x" * 200)
    link = "\n\nContinues https://crm.example/R1"
    assert writing.states() == ["delivered"] * 4
    assert writing.records() == {
        "pbx:a": {"note": "ended"},
        "pbx:a/1": {"note": f"wrapped up{link}", "code": "SALE"},
        "pbx:a/3": {"note": "x" * (120 - len(link)) + link, "code": "SALE"},
    }
    assert [one.record_id for one in writing.rig.all()] == ["R1", "R2", "R2", "R3"]


def test_a_replay_of_an_appended_state_adds_nothing_unless_the_mapping_is_mended(store: Store) -> None:
    writing = Writing(store, APPEND)
    writing.now_known(summary="done")
    replay(store, Filter(), by="tests")
    writing.rig.deliverer.drain(PATIENCE)
    assert list(writing.records()) == ["pbx:a"]
    put_interactions(store, [interaction("a", summary="done, mended") | {"final": True}])
    replay(store, Filter(), by="tests")
    writing.rig.deliverer.drain(PATIENCE)
    assert list(writing.records()) == ["pbx:a", "pbx:a/1"]


def test_a_retried_state_keeps_its_key(store: Store) -> None:
    writing = Writing(store, APPEND)
    writing.now_known(summary="one")
    writing.crm.faults.append(raising_after(UnknownOutcome("reset")))
    writing.now_known(summary="two")
    assert list(writing.records()) == ["pbx:a", "pbx:a/1"]
    assert writing.states() == ["delivered", "delivered"]


# --- the words ----------------------------------------


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"mode": "onse"}, 'there is no mode "onse", did you mean "once"?'),
        ({"mode": "append"}, "`mode: append` needs `link`"),
        ({"mode": "append", "link": "B"}, 'the mapping has no field "B"'),
        ({"link": "A"}, "`link` is for `mode: append`"),
        ({"mode": "once", "key": "id"}, "`key: id` names one that is there"),
        ({"mode": "once", "update": "owned"}, "`update: owned` is about changing records"),
    ],
)
def test_modes_that_cannot_be(target: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=r"small\.yaml:4: ") as refused:
        mapping(target={"connection": "crm", "write": "task", "key": "key"} | target)
    assert said in str(refused.value)


def test_a_list_is_kept_in_step() -> None:
    with pytest.raises(ConfigError, match="a list is kept in step"):
        mapping(source={"connection": "crm", "list": "members"}, target=ONCE, fields={"A": "member.id"})


def _raise(error: ConnectorError) -> None:
    raise error


# --- what our user may do ----------------------------------------


@pytest.mark.parametrize(
    ("rights", "target", "mode", "unfit", "words"),
    [
        ((True, True), {}, "incremental", {}, "task: our user may make and change records; mode: incremental"),
        ((None, None), {}, "incremental", {},
         "task: our user may perhaps (it does not say) make and change records; mode: incremental"),
        ((True, False), {}, "once", {"small": "incremental"},
         "task: our user may make and may not change records; mode: once "
         "or append; small has mode: incremental, which cannot go"),
        ((True, False), {"mode": "once"}, "once", {},
         "task: our user may make and may not change records; mode: once or append"),
        ((False, True), {}, "none", {"small": "incremental"},
         "task: our user may not make and may change records; mode: none; "
         "small has mode: incremental, which cannot go"),
        ((False, True), {"key": "id"}, "none", {},
         "task: our user may not make and may change records; mode: none"),
    ],
)  # fmt: skip
def test_the_mode_is_recommended_by_what_our_user_may_do(
    rights: tuple[bool | None, bool | None], target: dict[str, Any], mode: str, unfit: dict[str, str], words: str
) -> None:
    crm = Crm(creatable=rights[0], changeable=rights[1])
    there = Connection("crm", ConnectionConfig("crm", "crm", {}), crm)  # type: ignore[arg-type]
    built = mapping(target={"connection": "crm", "write": "task", "key": "Key__c"} | target)
    [found] = rights_at(there, [built])
    assert (found.mode, found.unfit, said(found)) == (mode, unfit, words)
    assert [one.object for one in rights_at(there, [])] == ["contact"]
