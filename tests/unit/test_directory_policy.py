"""Who answers: the directory, the CRM, or both, and that an outage changes nothing but the age."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now
from hub.desk import by_policy
from hub.desk.dial import Dialer, DialRefused
from hub.desk.screen_pop import Ask, Pop, ScreenPop
from hub.errors import ConfigError, NotFound, QuotaSpent, Rejected, Unavailable
from hub.flow.directory.known import Directory
from hub.flow.directory.load import DirectoryPulls
from hub.flow.directory.resolving import resolving
from hub.model import PERSON, Clicked, Lookup
from hub.store.database import Store
from hub.store.schema import directory_records, directory_sources
from tests.customer_directory import CONTACTS, PLAIN, Stand
from tests.desk_stubs import (
    Gate,
    StubCrm,
    StubPlatform,
    all_but,
    config_of,
    connections_of,
    deadline_when,
    person,
)
from tests.waiting import PATIENCE, until

ANA, BO, CY = "+34612345601", "+34612345602", "+34612345603"
PATIENT = "deadline: 20 seconds\n"  # for CRMs that answer; those that hang have a shorter one


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """SQLite: who answers is decided above the store, and what the store finds is tested on both engines elsewhere."""
    return f"sqlite:///{tmp_path / 'patchbay.db'}"


class Desk(Stand):
    """A directory of Ana and Bo, a CRM behind it, and pops."""

    def __init__(self, store: Store, folder: Path, declared: str = PLAIN, table: str = PATIENT) -> None:
        super().__init__(store, folder, declared, table)
        self.crm.put("1", ANA, email="ana@example.com", key="K1")
        self.crm.put("2", BO)
        self.pulls.pull(CONTACTS)
        self.screen_pop = ScreenPop(store, self.connections, self.config, directory=self.directory)

    def pop(self, phone: str | None = None, **more: Any) -> Pop:
        return self.screen_pop.pop(Ask(phone=phone, **more))

    def fail(self, error: Exception) -> None:
        """Every find fails so."""

        def failing() -> None:
            raise error

        self.crm.before = failing

    def hang(self) -> Gate:
        """Every find hangs until the gate opens."""
        self.crm.before = gate = Gate()
        return gate

    def age(self, **by: float) -> None:
        """Make all that is known older."""
        ms = int(timedelta(**by).total_seconds() * 1000)
        with self.store.write() as conn:
            conn.execute(directory_records.update().values(seen_at=directory_records.c.seen_at - ms))
            conn.execute(directory_sources.update().values(fresh_at=directory_sources.c.fresh_at - ms))


@pytest.fixture
def desks(store: Store, tmp_path: Path) -> Iterator[Any]:
    """Builds desks; closed afterwards."""
    opened: list[Desk] = []

    def build(policy: str = "first", table: str = PATIENT, **swap: str) -> Desk:
        text = PLAIN.replace("screen_pop: first", f"screen_pop: {policy}")
        for old, new in swap.items():
            text = text.replace(old, new)
        opened.append(Desk(store, tmp_path, text, table))
        return opened[-1]

    yield build
    for one in opened:
        one.screen_pop.close()


def said(pop: Pop) -> tuple[str, list[str], list[str], list[str]]:
    """Match, ids, where each is from, who is silent."""
    return (
        pop.match,
        [one.id for one in pop.records],
        [one.source for one in pop.records],
        [one.connection for one in pop.silent],
    )


# --- first ----------------------------------------


def test_first_answers_from_the_directory_and_asks_nobody(desks: Any) -> None:
    desk = desks()
    pop = desk.pop(ANA)
    assert said(pop) == ("one", ["1"], ["directory"], [])
    assert now() - pop.records[0].fresh_at < timedelta(minutes=3)
    assert pop.url == "https://crm.example/open/contact/1"
    assert desk.crm.calls == 0


def test_first_asks_the_crm_whom_the_directory_does_not_know(desks: Any) -> None:
    desk = desks()
    desk.crm.put("3", CY)
    pop = desk.pop(CY)
    assert said(pop) == ("one", ["3"], ["live"], [])
    assert now() - pop.records[0].fresh_at < timedelta(minutes=3)
    assert said(desk.pop("+34699999999")) == ("none", [], [], [])


def test_first_asks_the_crm_when_what_it_knows_is_too_old(desks: Any) -> None:
    desk = desks()
    desk.age(minutes=16)
    desk.crm.put("9", ANA)  # changed since
    assert said(desk.pop(ANA)) == ("many", ["1", "9"], ["live", "live"], [])
    assert said(desk.pop(ANA, connection="crm"))[2] == ["live", "live"]


def test_what_a_later_pull_has_confirmed_is_fresh_although_it_was_not_read_again(desks: Any) -> None:
    desk = desks()
    desk.age(minutes=16)
    desk.pulls.pull(CONTACTS)
    assert said(desk.pop(ANA)) == ("one", ["1"], ["directory"], [])


def test_first_asks_the_crm_until_all_is_loaded(desks: Any) -> None:
    desk = desks()
    with desk.store.write() as conn:
        conn.execute(directory_sources.update().values(fresh_at=None))
    assert said(desk.pop(ANA)) == ("one", ["1"], ["live"], [])
    desk.fail(Unavailable("down"))
    assert said(desk.pop(ANA)) == ("one", ["1"], ["directory"], [])


def test_an_outage_changes_nothing_but_the_age(desks: Any) -> None:
    desk = desks()
    desk.fail(Unavailable("down"))
    assert said(desk.pop(ANA)) == ("one", ["1"], ["directory"], [])
    desk.age(days=3)
    pop = desk.pop(ANA)
    assert said(pop) == ("one", ["1"], ["directory"], [])
    assert timedelta(days=3) <= now() - pop.records[0].fresh_at < timedelta(days=3, minutes=1)


def test_unknown_while_the_crm_is_silent_is_never_an_unknown_caller(desks: Any) -> None:
    desk = desks()
    desk.fail(Unavailable("down"))
    pop = desk.pop(CY)
    assert said(pop) == ("none", [], [], ["crm"])
    assert "may still be known" in pop.reason
    assert "/search/" in pop.url


def test_a_crm_that_hangs_is_waited_for_once_and_noticed_when_it_speaks_again(
    desks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_policy, "PROBE_SECONDS", 0.0)
    desk = desks(table="deadline: 30 seconds\n")
    desk.age(minutes=16)
    gate = desk.hang()
    with monkeypatch.context() as patch:
        deadline_when(patch, "asking", all_but(gate))
        assert said(desk.pop(ANA)) == ("one", ["1"], ["directory"], [])
    assert gate.waiting == 1
    for _ in range(3):
        pop = desk.pop(ANA)
        assert said(pop) == ("one", ["1"], ["directory"], [])
        assert pop.took_ms < 29_000, "nobody waits for the deadline"
    gate.open()
    until(lambda: said(desk.pop(ANA))[2] == ["live"])


def test_a_key_wins_in_the_directory_too_and_an_unknown_one_is_asked_of_the_crm(desks: Any) -> None:
    desk = desks()
    assert said(desk.pop(BO, key="K1")) == ("one", ["1"], ["directory"], [])
    assert said(desk.pop(BO, key="2")) == ("one", ["2"], ["directory"], [])  # its own id
    assert desk.crm.calls == 0
    desk.crm.put("3", CY, key="K3")
    assert said(desk.pop(BO, key="K3")) == ("one", ["3"], ["live"], [])


def test_a_key_that_nobody_could_check_leaves_the_crm_silent_beside_the_numbers_record(desks: Any) -> None:
    desk = desks()
    desk.fail(Unavailable("down"))
    assert said(desk.pop(BO, key="K3")) == ("one", ["2"], ["directory"], ["crm"])


def test_a_known_address_does_not_hide_whom_an_unknown_number_may_belong_to(desks: Any) -> None:
    desk = desks()
    desk.crm.put("3", CY)
    assert said(desk.pop(CY, email="ana@example.com")) == ("one", ["3"], ["live"], [])
    assert said(desk.pop(email="Ana@Example.com")) == ("one", ["1"], ["directory"], [])


# --- what the rules ask and the directory does not keep ----------------------------------------


def test_what_the_directory_cannot_decide_is_asked_of_the_crm(desks: Any) -> None:
    desk = desks()
    desk.crm.put("2", ANA)
    desk.pulls.pull(CONTACTS)
    desk.crm.more["2"] = {"open_cases": 1}
    pop = desk.pop(ANA)
    assert said(pop) == ("one", ["2"], ["live"], [])
    assert pop.records[0].rule == "open_case"
    desk.fail(Unavailable("down"))
    assert said(desk.pop(ANA)) == ("many", ["1", "2"], ["directory", "directory"], [])


def test_what_it_can_decide_is_not_asked(desks: Any) -> None:
    by_owner = PATIENT + "rules: [person_of_account, owner, open_case]\n"
    desk = desks(table=by_owner)
    desk.crm.put("2", ANA, owner="bo@example.com")
    desk.crm.put("1", ANA, owner="ana@example.com")
    desk.pulls.pull(CONTACTS)
    assert said(desk.pop(ANA, agent="ana@example.com")) == ("one", ["1"], ["directory"], [])
    for id in ("1", "2", "3"):
        desk.crm.put(id, ANA, account="9")
    desk.pulls.pull(CONTACTS)
    pop = desk.pop(ANA)
    assert (said(pop), pop.records[0].rule, pop.records[0].object) == (
        ("one", ["9"], ["directory"], []), "shared_line", "account",
    )  # fmt: skip
    assert desk.crm.calls == 0


# --- fallback, only, live ----------------------------------------


@pytest.mark.parametrize(
    "failure", [Unavailable("down"), QuotaSpent("the day is over"), Rejected("x"), KeyError("bug")]
)
def test_fallback_asks_the_crm_and_takes_the_directory_when_it_fails(desks: Any, failure: Exception) -> None:
    desk = desks("fallback")
    assert said(desk.pop(ANA)) == ("one", ["1"], ["live"], [])
    desk.fail(failure)
    assert said(desk.pop(ANA)) == ("one", ["1"], ["directory"], [])
    assert said(desk.pop(CY)) == ("none", [], [], ["crm"])


def test_fallback_takes_the_directory_when_the_crm_hangs_and_the_deadline_holds(desks: Any) -> None:
    desk = desks("fallback", table="deadline: 300 ms\n")
    gate = desk.hang()
    began = time.monotonic()
    assert said(desk.pop(ANA)) == ("one", ["1"], ["directory"], [])
    assert time.monotonic() - began < PATIENCE, "the gate is still shut"
    gate.open()


def test_fallback_believes_a_crm_that_says_nobody(desks: Any) -> None:
    desk = desks("fallback")
    desk.crm.drop("1")
    assert said(desk.pop(ANA)) == ("none", [], [], [])


def test_only_never_asks_the_crm(desks: Any) -> None:
    desk = desks("only")
    desk.age(days=3)
    assert said(desk.pop(ANA)) == ("one", ["1"], ["directory"], [])
    pop = desk.pop(CY)
    assert said(pop) == ("none", [], [], [])
    assert "/new/" in pop.url
    assert desk.crm.calls == 0


def test_only_is_silent_until_it_is_loaded(store: Store, tmp_path: Path) -> None:
    stand = Stand(store, tmp_path, PLAIN.replace("first", "only"), PATIENT)
    pops = ScreenPop(store, stand.connections, stand.config, directory=stand.directory)
    pop = pops.pop(Ask(phone=ANA))
    assert said(pop) == ("none", [], [], ["crm"])
    assert pop.silent[0].why == "its directory is not loaded yet"
    pops.close()


def test_live_leaves_the_directory_out(desks: Any) -> None:
    desk = desks("live")
    desk.fail(Unavailable("down"))
    assert said(desk.pop(ANA)) == ("none", [], [], ["crm"])


def test_a_crm_that_can_only_be_pulled_from_is_asked_by_its_directory(store: Store, tmp_path: Path) -> None:
    stand = Stand(store, tmp_path, PLAIN.replace("first", "only"), PATIENT)
    stand.crm.find = None  # type: ignore[method-assign, assignment]
    stand.crm.put("1", ANA)
    stand.pulls.pull(CONTACTS)
    pops = ScreenPop(store, stand.connections, stand.config, directory=stand.directory)
    assert said(pops.pop(Ask(phone=ANA))) == ("one", ["1"], ["directory"], [])
    assert said(pops.pop(Ask(phone=ANA, connection="crm"))) == ("one", ["1"], ["directory"], [])
    pops.close()


def test_beside_a_crm_without_a_directory_both_answer(store: Store, tmp_path: Path) -> None:
    stand = Stand(store, tmp_path)
    stand.crm.put("1", ANA)
    erp = StubCrm(person("7", ANA))
    both = connections_of(crm=stand.crm, erp=erp)
    config = config_of(
        tmp_path, both, table=PATIENT + "rules: [connections]\n", directory_file=stand.config.directory_file
    )
    pulls = DirectoryPulls(store, both, config)
    pulls.pull(CONTACTS)
    pops = ScreenPop(store, both, config, directory=Directory(store, both, pulls.plan))
    pop = pops.pop(Ask(phone=ANA))
    assert (said(pop), [(o.id, o.source) for o in pop.others]) == (("one", ["1"], ["directory"], []), [("7", "live")])
    pops.close()


# --- click-to-dial ----------------------------------------


@pytest.fixture
def dialler(store: Store, tmp_path: Path) -> Iterator[Any]:
    """A click-to-dial whose CRM has a directory on this road."""
    opened: list[Dialer] = []

    def build(policy: str, text: str = PLAIN) -> tuple[Stand, Dialer]:
        stand = Stand(store, tmp_path, text.replace("screen_pop: first", f"screen_pop: live\n    dial: {policy}"))
        stand.crm.put("1", ANA, do_not_call=True)
        stand.crm.put("2", BO)
        stand.pulls.pull(CONTACTS)
        connections = connections_of(softphone=StubPlatform(), crm=stand.crm)
        opened.append(Dialer(store, connections, stand.config, directory=stand.directory))
        return stand, opened[-1]

    yield build
    for one in opened:
        one.close()


def dial(dialer: Dialer, to: str, id: str | None = None) -> Any:
    record = id and Clicked(connection="crm", object="contact", id=id)
    return dialer.dial(to=to, agent="a", idempotency_key=f"{to}{id}", record=record or None)


def test_a_dial_asks_the_crm_unless_its_connection_says_otherwise(dialler: Any) -> None:
    stand, dialer = dialler("live")

    def fail() -> None:
        raise Unavailable("down")

    stand.crm.before = fail
    assert "did not answer" in dial(dialer, BO, "2").note


def test_a_dial_is_checked_by_the_directory_where_its_connection_says_so(dialler: Any) -> None:
    stand, dialer = dialler("fallback")

    def fail() -> None:
        raise Unavailable("down")

    stand.crm.before = fail
    assert dial(dialer, BO, "2").note == ""
    for id in ("1", None):
        with pytest.raises(DialRefused, match="must not be called"):
            dial(dialer, ANA, id)
    assert "it does" not in dial(dialer, BO, None).note


def test_a_record_that_neither_knows_now_is_not_said_to_be_none(dialler: Any) -> None:
    stand, dialer = dialler("fallback")

    def fail() -> None:
        raise Unavailable("down")

    stand.crm.before = fail
    assert "did not answer: the record was not checked" in dial(dialer, CY, "77").note


def test_a_crm_that_says_there_is_no_such_record_is_right_whatever_was_there(dialler: Any) -> None:
    stand, dialer = dialler("fallback")

    def fail() -> None:
        raise NotFound("no such record")

    stand.crm.before = fail
    with pytest.raises(DialRefused, match="does not know that record"):
        dial(dialer, BO, "2")


def test_a_directory_that_does_not_keep_who_must_not_be_called_may_not_answer_a_dial(dialler: Any) -> None:
    with pytest.raises(ConfigError, match=r"crm: `dial: first` needs row.do_not_call among the `fields` of contact"):
        dialler("first", PLAIN.replace("        fields: [row.do_not_call]\n", ""))


# --- resolve ----------------------------------------


def resolved(store: Store, folder: Path, policy: str) -> tuple[Stand, Any]:
    """A CRM as deliveries see it."""
    text = PLAIN.replace("max_age", f"resolve: {policy}\n    max_age")
    stand = Stand(store, folder, text)
    stand.crm.put("1", ANA, key="K1")
    stand.pulls.pull(CONTACTS)
    return stand, resolving(stand.connections, stand.directory)["crm"]


def by_phone(number: str, **more: Any) -> Lookup:
    return Lookup("contact", "phone", number, **more)


def test_resolve_asks_the_crm_unless_its_connection_says_otherwise(store: Store, tmp_path: Path) -> None:
    stand, crm = resolved(store, tmp_path, "live")
    assert crm is stand.connections["crm"]


def test_resolve_first_asks_only_for_what_the_directory_does_not_know(store: Store, tmp_path: Path) -> None:
    stand, crm = resolved(store, tmp_path, "first")
    asked = []
    find = stand.crm.find
    stand.crm.find = lambda lookups: asked.extend(lookups) or find(lookups)  # type: ignore[method-assign, func-returns-value]
    stand.crm.put("2", BO)
    key, more = Lookup("contact", "key", "K1"), by_phone(ANA, fields=("budget",))
    anybody = Lookup(PERSON, "phone", ANA)
    found = crm.connector.find([by_phone(ANA), by_phone(BO), key, more, anybody])
    assert [[one.id for one in each] for each in found] == [["1"], ["2"], ["1"], ["1"], ["1"]]
    assert asked == [by_phone(BO), key, more]  # a key, and a field that is not kept, ask what the CRM holds now
    assert crm.can("find")
    assert crm.can("pages")
    assert not crm.can("write")
    assert crm.manifest.name == "people"


def test_resolve_first_asks_the_crm_until_all_is_loaded(store: Store, tmp_path: Path) -> None:
    """Half loaded, it may know one of two who share a number."""
    lines = "resolve: first\n    max_age"
    more = "      account: { phones: row.phone, title: row.name }\n"
    stand = Stand(store, tmp_path, PLAIN.replace("max_age", lines) + more)
    stand.crm.put("1", ANA)
    stand.pulls.pull(CONTACTS)
    crm: Any = resolving(stand.connections, stand.directory)["crm"]
    for _ in ("half loaded", "loaded"):
        (found,) = crm.connector.find([Lookup(PERSON, "phone", ANA)])
        assert {record.id for record in found} == {"1"} and stand.crm.calls == 1
        stand.pulls.pull("directory crm/account")


def test_resolve_fallback_answers_a_crm_that_is_down_only_when_it_knows_all(store: Store, tmp_path: Path) -> None:
    stand, crm = resolved(store, tmp_path, "fallback")
    assert [one.id for one in crm.connector.find([by_phone(ANA)])[0]] == ["1"]

    def fail() -> None:
        raise Unavailable("down")

    stand.crm.before = fail
    assert [one.id for one in crm.connector.find([by_phone(ANA)])[0]] == ["1"]
    with pytest.raises(Unavailable):
        crm.connector.find([by_phone(ANA), by_phone(BO)])


def test_resolve_only_takes_nobody_for_an_answer(store: Store, tmp_path: Path) -> None:
    stand, crm = resolved(store, tmp_path, "only")
    assert [list(each) for each in crm.connector.find([by_phone(BO)])] == [[]]
    assert stand.crm.calls == 0
