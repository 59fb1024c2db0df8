"""Click-to-dial: read by the record's country, checked, originated once, tied to the right record."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from hub.clock import now_ms
from hub.desk.dial import Dialer, DialRefused, KeyReused
from hub.desk.dial_plan import dial_plan
from hub.errors import ConfigError, CredentialsRefused, NotFound, Throttled, Unavailable, UnknownOutcome
from hub.model import Clicked, DialReceipt, DialRequest, Record
from hub.store import desk
from hub.store.database import Store
from hub.store.schema import dials, do_not_call
from tests.desk_stubs import Gate, StubCrm, StubPlatform, all_but, config_of, connections_of, deadline_when, person
from tests.waiting import PATIENCE, until

ANA = "+34612345678"
Dialling = Callable[..., Dialer]


@pytest.fixture
def phone() -> StubPlatform:
    return StubPlatform()


@pytest.fixture
def dialling(store: Store, tmp_path: Path, phone: StubPlatform) -> Iterator[Dialling]:
    """Builds a Dialer over `phone` and stub CRMs; keyword `dial` is the plan."""
    opened: list[Dialer] = []

    def build(dial: dict[str, Any] | None = None, **crms: Any) -> Dialer:
        connections = connections_of(softphone=phone, **crms)
        opened.append(
            Dialer(
                store, connections, config_of(tmp_path, connections, dial={"double_click_seconds": 60} | (dial or {}))
            )
        )
        return opened[-1]

    yield build
    for one in opened:
        one.close()


def clicked(id: str, object: str = "contact", connection: str = "crm") -> Clicked:
    return Clicked(connection=connection, object=object, id=id)


def click(dialer: Dialer, to: str = "612 34 56 78", key: str = "k1", **more: Any) -> Any:
    return dialer.dial(**({"to": to, "agent": "a-17", "idempotency_key": key} | more))


def rows(store: Store) -> list[Any]:
    with store.read() as conn:
        return list(conn.execute(select(dials).order_by(dials.c.created_at)))


# --- once ----------------------------------------


def test_a_click_is_dialled_and_can_be_looked_up(dialling: Dialling, phone: StubPlatform, store: Store) -> None:
    dialer = dialling(crm=StubCrm(person("1", ANA)))
    told = click(dialer, record=clicked("1"))
    assert (told.outcome, told.to, told.record, told.note) == ("accepted", ANA, clicked("1"), "")
    assert phone.dialled == [DialRequest(id=told.id, to=ANA, agent="a-17", record=clicked("1"))]
    assert dialer.state(told.id) == told
    assert dialer.state("d-none") is None
    (row,) = rows(store)
    assert (row.interaction, row.state, row.record) == (
        f"call-of-{told.id}", "accepted", '{"connection":"crm","object":"contact","id":"1"}',
    )  # fmt: skip


def test_the_same_key_gets_the_same_answer_and_dials_nothing(dialling: Dialling, phone: StubPlatform) -> None:
    dialer = dialling()
    first, again = click(dialer), click(dialer)
    assert (again.id, again.outcome, first.repeated, again.repeated) == (first.id, "accepted", False, True)
    assert len(phone.dialled) == 1


def test_a_key_belongs_to_one_request(dialling: Dialling, phone: StubPlatform) -> None:
    dialer = dialling()
    click(dialer)
    for other in ({"to": "+34612345679"}, {"agent": "a-18"}, {"connection": "softphone"}):
        with pytest.raises(KeyReused):
            click(dialer, **other)
    assert len(phone.dialled) == 1


def test_a_double_click_under_two_keys_dials_once_and_the_second_key_stays_bound(
    dialling: Dialling, phone: StubPlatform, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now_ms()
    monkeypatch.setattr("hub.desk.dial.now_ms", lambda: moment)
    dialer = dialling({"double_click_seconds": 0.4})
    first, second = click(dialer, key="k1"), click(dialer, key="k2")
    assert (second.id, second.repeated) == (first.id, True)
    moment += 500
    late = click(dialer, key="k2")  # a client's retry, long after: still that click
    assert late.id == first.id
    assert len(phone.dialled) == 1
    third = click(dialer, key="k3")  # a new click after a while is a new call
    assert third.id != first.id
    assert len(phone.dialled) == 2
    assert dialer.state(rows(store)[1].id) == first


@pytest.mark.parametrize("keys", [["k"] * 12, [f"k{n}" for n in range(12)]])
def test_clicks_at_the_same_time_dial_once(
    dialling: Dialling, phone: StubPlatform, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find, done = desk.dial_of_key, threading.local()
    together = threading.Barrier(len(keys))

    def find_together(*asked: Any) -> Any:
        seen = find(*asked)
        if not getattr(done, "looked", False):
            done.looked = True
            together.wait(PATIENCE)  # everybody has looked, and nobody is there yet
        return seen

    monkeypatch.setattr(desk, "dial_of_key", find_together)
    phone.answer = lambda request: DialReceipt(outcome="accepted", interaction="call-1")
    dialer = dialling()

    def one(key: str) -> Any:
        return click(dialer, key=key)

    with ThreadPoolExecutor(len(keys)) as pool:
        answers = list(pool.map(one, keys))
    assert len(phone.dialled) == 1
    assert {(a.id, a.outcome, a.interaction) for a in answers} == {(answers[0].id, "accepted", "call-1")}
    assert sorted(a.repeated for a in answers) == [False] + [True] * 11


def test_the_same_key_from_two_agents_at_once_is_one_dial(dialling: Dialling, phone: StubPlatform) -> None:
    dialer = dialling()
    together = threading.Barrier(2)

    def one(agent: str) -> Any:
        together.wait(PATIENCE)
        try:
            return click(dialer, agent=agent)
        except KeyReused as reused:
            return reused

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(one, ["a-1", "a-2"]))
    assert sorted(type(a).__name__ for a in answers) == ["Dialled", "KeyReused"]
    assert len(phone.dialled) == 1


# --- what the platform says ----------------------------------------


def fails_with(error: Exception) -> Callable[[DialRequest], DialReceipt]:
    def answer(request: DialRequest) -> DialReceipt:
        raise error

    return answer


@pytest.mark.parametrize("error", [UnknownOutcome("reset"), RuntimeError("a bug after the request was sent")])
def test_an_unknown_outcome_is_reported_and_never_repeated(
    dialling: Dialling, phone: StubPlatform, error: Exception
) -> None:
    phone.answer = fails_with(error)
    dialer = dialling()
    told = click(dialer)
    assert told.outcome == "unknown"
    assert told.reason
    assert click(dialer).outcome == "unknown"
    assert click(dialer, key="k2").id == told.id
    assert len(phone.dialled) == 1


@pytest.mark.parametrize("error", [Unavailable("down"), Throttled("slow", 3), CredentialsRefused("who?")])
def test_what_was_surely_not_done_is_refused_and_a_new_click_dials(
    dialling: Dialling, phone: StubPlatform, error: Exception
) -> None:
    phone.answer = fails_with(error)
    dialer = dialling()
    told = click(dialer)
    assert (told.outcome, told.reason) == ("refused", str(error))
    assert click(dialer).outcome == "refused"  # the same click stays what it was
    phone.answer = lambda request: DialReceipt(outcome="accepted", interaction="c")
    assert click(dialer, key="k2").outcome == "accepted"


def test_the_platforms_refusal_has_its_reason(dialling: Dialling, phone: StubPlatform) -> None:
    phone.answer = lambda request: DialReceipt(outcome="refused", reason="agent not logged in")
    told = click(dialling())
    assert (told.outcome, told.reason) == ("refused", "agent not logged in")


def overdue(store: Store) -> bool:
    """Whether the newest dial was made longer ago than an answer may take in these tests."""
    return now_ms() - rows(store)[-1].created_at >= 200


def test_a_platform_that_hangs_is_unknown_and_a_late_answer_is_kept(
    dialling: Dialling, phone: StubPlatform, store: Store
) -> None:
    gate = Gate()

    def slowly(request: DialRequest) -> DialReceipt:
        gate()
        return DialReceipt(outcome="accepted", interaction="late")

    phone.answer = slowly
    dialer = dialling({"answer_seconds": 0.2})
    with pytest.MonkeyPatch.context() as patch:
        deadline_when(patch, "dial", lambda _: gate.waiting == 1 and overdue(store))
        told = click(dialer)
    assert told.outcome == "unknown"
    assert "not dialled again" in told.reason
    assert click(dialer).outcome == "unknown"
    gate.open()
    until(lambda: dialer.state(told.id).outcome != "unknown")  # type: ignore[union-attr]
    late = dialer.state(told.id)
    assert late is not None
    assert (late.outcome, late.interaction, late.reason) == ("accepted", "late", "")


def test_a_call_that_only_its_events_show_is_accepted(dialling: Dialling, phone: StubPlatform, store: Store) -> None:
    phone.answer = fails_with(UnknownOutcome("reset"))
    dialer = dialling()
    told = click(dialer)
    with store.write() as conn:
        desk.name_call(conn, told.id, "another platform", "call-9")
        desk.name_call(conn, told.id, "softphone", "call-7")
    became = dialer.state(told.id)
    assert became is not None
    assert (became.outcome, became.interaction) == ("accepted", "call-7")
    assert "did not answer" in became.reason


def test_a_dial_that_a_dead_hub_left_is_unknown(dialling: Dialling, phone: StubPlatform, store: Store) -> None:
    dialer = dialling({"answer_seconds": 30})
    told = click(dialer)
    with store.write() as conn:
        conn.execute(dials.update().values(state="requested", interaction=None, created_at=now_ms() - 60_000))
    assert click(dialer).outcome == "unknown"
    assert dialer.state(told.id).outcome == "unknown"  # type: ignore[union-attr]
    assert len(phone.dialled) == 1


# --- how the number is read ----------------------------------------


@pytest.mark.parametrize(
    ("fields", "account", "to", "number"),
    [
        ({"country": "GB"}, None, "020 7946 0958", "+442079460958"),
        ({"country": "gb"}, "9", "(0)20 7946 0958", "+442079460958"),
        ({}, "9", "030 901820", "+4930901820"),  # the account's country
        ({}, None, "612/34-56.78", "+34612345678"),  # the site's
        ({"country": "Spain"}, None, "612345678", "+34612345678"),
        ({"country": "GB"}, None, "+34 612 34 56 78", "+34612345678"),
        ({"country": "GB"}, None, "0034612345678", "+34612345678"),
        ({"country": "GB"}, None, "+44 (0)20 7946 0958", "+442079460958"),
    ],
)
def test_contact_country_before_account_country_before_the_sites(
    dialling: Dialling, phone: StubPlatform, fields: dict[str, Any], account: str | None, to: str, number: str
) -> None:
    german = Record(object="account", id="9", title="Nine", fields={"country": "DE"})
    crm = StubCrm(person("1", "", fields=fields | {"mobile": to}, account=account), german)
    told = click(dialling(crm=crm), to=to, record=clicked("1"))
    assert (told.to, told.record, told.note) == (number, clicked("1"), "")
    assert phone.dialled[0].to == number


# --- which record it is tied to ----------------------------------------


def test_the_number_of_another_record_ties_the_call_to_that_one(dialling: Dialling) -> None:
    crm = StubCrm(person("1", "+34699999999"), person("2", ANA))
    told = click(dialling(crm=crm), record=clicked("1"))
    assert told.record == clicked("2")
    assert "contact 2 does: tied to it" in told.note


def test_a_number_of_several_others_ties_to_none(dialling: Dialling) -> None:
    crm = StubCrm(person("1", "+34699999999"), person("2", ANA), person("3", ANA))
    told = click(dialling(crm=crm), record=clicked("1"))
    assert (told.record, told.outcome) == (None, "accepted")
    assert "2 others do: tied to none" in told.note


def test_a_number_that_nobody_has_stays_with_the_click(dialling: Dialling) -> None:
    told = click(dialling(crm=StubCrm(person("1", "+34699999999"))), record=clicked("1"))
    assert told.record == clicked("1")
    assert "nobody else does" in told.note


@pytest.mark.parametrize("object", ["account", "case"])
def test_an_account_and_a_case_are_what_was_clicked(dialling: Dialling, object: str) -> None:
    crm = StubCrm(person("5", object=object), person("2", ANA))
    told = click(dialling(crm=crm), record=clicked("5", object))
    assert (told.record, told.note) == (clicked("5", object), "")


def test_a_crm_that_is_silent_does_not_stop_the_call(
    dialling: Dialling, phone: StubPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.desk.clicked.CRM_SECONDS", 0.1)
    gate, crm = Gate(), StubCrm(person("1", ANA))
    crm.before = gate
    told = click(dialling(crm=crm), record=clicked("1"))
    assert (told.outcome, told.record) == ("accepted", clicked("1"))
    assert "did not answer" in told.note
    gate.open()


# --- what may not be dialled ----------------------------------------


def refused(dialer: Dialer, **more: Any) -> str:
    with pytest.raises(DialRefused) as problem:
        click(dialer, **more)
    return problem.value.kind


def test_what_is_no_number_to_dial(dialling: Dialling, phone: StubPlatform, store: Store) -> None:
    dialer = dialling(crm=StubCrm(person("1", ANA)))
    assert refused(dialer, to="anonymous") == "no-number"
    assert refused(dialer, to="202") == "extension"
    assert refused(dialer, to="112") == "extension"
    assert refused(dialer, to="12 34 56 78") == "no-number"
    assert refused(dialer, to="+34911234567") == "own-number"
    assert refused(dialer, record=clicked("99")) == "no-record"
    assert refused(dialer, record=clicked("1", connection="crmm")) == "no-record"
    assert refused(dialer, record=clicked("1", connection="softphone")) == "no-record"
    assert refused(dialer, connection="crm") == "no-platform"
    assert (phone.dialled, rows(store)) == ([], [])


def test_premium_numbers_and_blocked_prefixes(dialling: Dialling) -> None:
    assert refused(dialling(), to="803 123 456") == "blocked"
    assert refused(dialling({"blocked_prefixes": ["+34 612"]})) == "blocked"
    assert click(dialling({"premium": True}), to="803 123 456").outcome == "accepted"


def test_do_not_call(dialling: Dialling, store: Store, phone: StubPlatform) -> None:
    for n, value in enumerate((True, "true", "yes", 1)):
        crm = StubCrm(person("1", ANA, fields={"do_not_call": value}))
        assert refused(dialling(crm=crm), record=clicked("1"), key=f"k{n}") == "do-not-call"
    theirs = StubCrm(person("1"), person("2", ANA, fields={"do_not_call": True}))
    assert refused(dialling(crm=theirs), record=clicked("1")) == "do-not-call"
    with store.write() as conn:
        conn.execute(insert(do_not_call).values(phone=ANA, since=1, source="wrap-up"))
    assert refused(dialling()) == "do-not-call"
    assert phone.dialled == []


def test_do_not_call_holds_for_a_number_that_was_clicked_on_no_record(
    dialling: Dialling, phone: StubPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_not_to = StubCrm(person("1", ANA), person("2", ANA, fields={"do_not_call": True}))
    assert refused(dialling(crm=StubCrm(), other=asked_not_to)) == "do-not-call"
    assert phone.dialled == []
    gate, hanging = Gate(), StubCrm()
    hanging.before = gate
    deadline_when(monkeypatch, "asking", all_but(gate))
    told = click(dialling(crm=hanging, other=StubCrm(person("1", ANA))))
    assert (told.outcome, told.record) == ("accepted", None)
    assert "crm did not answer" in told.note
    gate.open()


def test_a_crm_that_knows_no_such_object_is_not_silent(dialling: Dialling, phone: StubPlatform) -> None:
    def unknown() -> None:
        raise NotFound("there is no object ../x")

    crm = StubCrm()
    crm.before = unknown
    assert refused(dialling(crm=crm), record=clicked("1", "../x")) == "no-record"
    assert phone.dialled == []


def test_an_agent_may_not_dial_too_often(dialling: Dialling, phone: StubPlatform) -> None:
    dialer = dialling({"per_minute": 3})
    for n in range(3):
        click(dialer, to=f"+3461234567{n}", key=f"k{n}")
    with pytest.raises(DialRefused) as problem:
        click(dialer, to="+34612345679", key="k9")
    assert problem.value.kind == "too-many"
    assert 0 < (problem.value.retry_after or 0) <= 60
    assert click(dialer, to="+34612345679", key="k10", agent="a-18").outcome == "accepted"
    assert len(phone.dialled) == 4


def test_which_platform(store: Store, tmp_path: Path) -> None:
    one, two = StubPlatform(), StubPlatform()
    both = connections_of(one=one, two=two)
    undecided = Dialer(store, both, config_of(tmp_path, both))
    assert refused(undecided) == "no-platform"
    assert click(undecided, connection="two").connection == "two"
    decided = Dialer(store, both, config_of(tmp_path, both, dial={"connection": "one"}))
    assert click(decided, key="k2", to="+34612345679").connection == "one"
    undecided.close()
    decided.close()


@pytest.mark.parametrize(
    ("dial", "words"),
    [
        ({"per_minutes": 3}, 'did you mean "per_minute"?'),
        ({"per_minute": 0}, "a number above 0"),
        ({"per_minute": True}, "a number above 0"),
        ({"premium": "no"}, "true or false"),
        ({"blocked_prefixes": ["803"]}, "with its country code"),
        ({"blocked_prefixes": "+34803"}, "a list of texts"),
        ({"connection": "softfone"}, 'did you mean "softphone"?'),
    ],
)
def test_a_wrong_plan_is_one_line(tmp_path: Path, dial: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=r"hub\.yaml") as wrong:
        dial_plan(config_of(tmp_path, connections_of(softphone=StubPlatform()), dial=dial))
    assert words in str(wrong.value)
