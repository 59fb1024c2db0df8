"""Who is calling: what is never matched, what wins over what, and that the deadline holds whatever a CRM does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now_ms
from hub.connections import Connections
from hub.desk.screen_pop import Ask, Pop, ScreenPop, UnknownConnection
from hub.errors import ConfigError, NotFound, QuotaSpent, Rejected, Unavailable
from hub.model import PERSON, Lookup, Match, Record
from hub.store import desk, fresh
from hub.store.database import Store
from tests.desk_stubs import Gate, StubCrm, StubPlatform, all_but, config_of, connections_of, deadline_when, person
from tests.waiting import PATIENCE, until

ANA = "+34612345678"
PATIENT = "deadline: 20 seconds\n"  # where every CRM answers: a busy machine's threads begin when they can
Popping = Callable[..., ScreenPop]


@pytest.fixture
def popping(store: Store, tmp_path: Path) -> Iterator[Popping]:
    """Builds a ScreenPop over stub connections."""
    opened: list[ScreenPop] = []

    def build(connections: Connections, table: str = PATIENT, **more: Any) -> ScreenPop:
        opened.append(ScreenPop(store, connections, config_of(tmp_path, connections, table=table, **more)))
        return opened[-1]

    yield build
    for one in opened:
        one.close()


def ids(pop: Pop) -> list[str]:
    return [record.id for record in pop.records]


# --- one, many, none ----------------------------------------


def test_one_record_says_by_which_field_and_opens(popping: Popping) -> None:
    pop = popping(connections_of(crm=StubCrm(person("1", ANA)))).pop(Ask(phone="612 34 56 78"))
    assert (pop.match, pop.url, ids(pop)) == ("one", "https://crm.example/contact/1", ["1"])
    found = pop.records[0]
    assert (found.matched.object, found.matched.field, found.matched.value) == ("contact", "phone", ANA)
    assert (found.connection, found.rule) == ("crm", "only")
    assert pop.silent == ()


def test_nobody_gives_a_new_record_with_prefilled_fields(popping: Popping) -> None:
    pop = popping(connections_of(crm=StubCrm())).pop(Ask(phone=ANA, email="Ana@Example.com"))
    assert (pop.match, pop.records) == ("none", ())
    assert pop.url == f"https://crm.example/new/contact/?email=ana@example.com&phone={ANA}"


def test_the_table_says_what_is_prefilled(popping: Popping) -> None:
    table = PATIENT + "none: { new: lead, fields: { mobile: phone, code: key } }\n"
    pop = popping(connections_of(crm=StubCrm()), table).pop(Ask(phone=ANA, key="K9"))
    assert pop.url == f"https://crm.example/new/lead/?code=K9&mobile={ANA}"


def test_many_give_our_page_to_choose_from(popping: Popping) -> None:
    crm = StubCrm(person("1", ANA), person("2", ANA))
    pop = popping(connections_of(crm=crm)).pop(Ask(phone=ANA, agent="x"))
    assert (pop.match, ids(pop)) == ("many", ["1", "2"])
    assert pop.url == "http://hub.example/pop?phone=%2B34612345678&agent=x"


def test_the_rules_choose_and_the_others_are_named(popping: Popping) -> None:
    crm = StubCrm(person("1", ANA), person("2", ANA, open_cases=1))
    pop = popping(connections_of(crm=crm)).pop(Ask(phone=ANA))
    assert (pop.match, ids(pop), pop.records[0].rule) == ("one", ["2"], "open_case")
    assert [other.id for other in pop.others] == ["1"]


def test_a_shared_number_points_to_the_account(popping: Popping) -> None:
    crm = StubCrm(*(person(str(n), ANA, account="9") for n in range(3)))
    pop = popping(connections_of(crm=crm)).pop(Ask(phone=ANA))
    assert (pop.match, ids(pop), pop.records[0].object) == ("one", ["9"], "account")
    assert pop.url == "https://crm.example/open/account/9?"
    assert pop.records[0].matched.field == "contact.phone"
    assert "3 people share it" in pop.records[0].why


def test_the_owner_is_compared_with_who_asks(popping: Popping) -> None:
    crm = StubCrm(person("1", ANA, owner="bo@example.com"), person("2", ANA, owner="Ana@Example.com"))
    assert ids(popping(connections_of(crm=crm)).pop(Ask(phone=ANA, agent="ana@example.com"))) == ["2"]


# --- what wins over what ----------------------------------------


def test_an_attached_key_wins_over_the_number_and_the_number_over_the_mail(popping: Popping) -> None:
    keyed, mailed = person("7"), person("8")
    crm = StubCrm(person("1", ANA), keys={"K7": keyed}, emails={"ana@example.com": mailed})
    pops = popping(connections_of(crm=crm))
    assert ids(pops.pop(Ask(phone=ANA, email="ana@example.com", key="K7"))) == ["7"]
    assert ids(pops.pop(Ask(phone=ANA, email="ana@example.com"))) == ["1"]
    assert ids(pops.pop(Ask(email="ANA@example.com "))) == ["8"]
    assert ids(pops.pop(Ask(key="1"))) == ["1"]  # a key may be the record's own id


def test_an_unknown_key_falls_back_to_the_number_and_says_so(popping: Popping) -> None:
    pop = popping(connections_of(crm=StubCrm(person("1", ANA)))).pop(Ask(phone=ANA, key="nope"))
    assert (ids(pop), pop.reason) == (["1"], "no record has the attached key")


def test_a_key_that_the_crm_refuses_does_not_cost_the_number(popping: Popping) -> None:
    class Picky(StubCrm):
        def _one(self, lookup: Lookup) -> list[Record]:
            if lookup.by in ("key", "id"):
                raise Rejected("malformed id")
            return super()._one(lookup)

    pop = popping(connections_of(crm=Picky(person("1", ANA)))).pop(Ask(phone=ANA, key="'; drop"))
    assert (ids(pop), pop.silent) == (["1"], ())


def test_all_lookups_of_a_crm_are_one_call(popping: Popping) -> None:
    crm = StubCrm()
    popping(connections_of(crm=crm)).pop(Ask(phone=ANA, email="a@b.example", key="K"))
    assert crm.calls == 1
    assert crm.asked == [Lookup(PERSON, "key", "K"), Lookup(PERSON, "id", "K"), Lookup(PERSON, "phone", ANA),
                         Lookup(PERSON, "email", "a@b.example")]  # fmt: skip


# --- what is never matched ----------------------------------------


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (Ask(phone="anonymous"), "the number is withheld"),
        (Ask(phone=""), "the number is withheld"),
        (Ask(phone="+34911234567"), "own number"),
        (Ask(phone="911 23 45 67"), "own number"),
        (Ask(phone="+34918001234"), "own number"),  # in the declared range
        (Ask(phone="202"), "internal call: an extension"),
        (Ask(phone="201"), "own number"),
        (Ask(phone=ANA, direction="internal"), "internal call"),
        (Ask(phone="sip:ana@pbx.example"), "no phone number"),
        (Ask(), "nothing to look up"),
    ],
)
def test_these_are_never_matched(popping: Popping, ask: Ask, reason: str) -> None:
    crm = StubCrm(*(person(n, n) for n in (ANA, "+34911234567", "+34918001234", "202", "201", "anonymous", "")))
    pop = popping(connections_of(crm=crm)).pop(ask)
    assert (pop.match, pop.records, pop.reason) == ("none", (), reason)
    assert crm.calls == 0
    assert pop.url.startswith("http://hub.example/pop?")  # no new record from a number that is nobody's


def test_a_withheld_number_with_a_key_is_matched_by_the_key(popping: Popping) -> None:
    pop = popping(connections_of(crm=StubCrm(keys={"K": person("7")}))).pop(Ask(phone="Restricted", key="K"))
    assert (ids(pop), pop.reason) == (["7"], "the number is withheld")


def test_a_learned_own_number_that_people_carry_is_not_hidden_silently(store: Store, popping: Popping) -> None:
    with store.write() as conn:
        desk.add_own_numbers(conn, [{"number": ANA, "connection": "softphone", "first_seen": 1}])
    carried = popping(connections_of(crm=StubCrm(person("1", ANA)))).pop(Ask(phone=ANA))
    assert (carried.match, carried.records) == ("none", ())
    assert "learned from softphone" in carried.reason
    assert "1 CRM records carry it" in carried.reason
    assert "own_numbers.never" in carried.reason
    free = popping(connections_of(crm=StubCrm())).pop(Ask(phone=ANA))
    assert free.reason == "own number (learned from softphone)"
    never = popping(connections_of(crm=StubCrm(person("1", ANA))), f"own_numbers: {{ never: ['{ANA}'] }}\n")
    assert ids(never.pop(Ask(phone=ANA))) == ["1"]


def test_a_number_without_its_plus_is_read(popping: Popping) -> None:
    crm = StubCrm(person("1", "+442079460958"))
    assert ids(popping(connections_of(crm=crm)).pop(Ask(phone="442079460958"))) == ["1"]


def test_a_record_of_another_country_with_the_same_digits_is_no_match(popping: Popping) -> None:
    class Suffix(StubCrm):
        def _one(self, lookup: Lookup) -> list[Record]:
            return [
                r for r in self.records if lookup.by == "phone" and r.match and r.match.value[-9:] == lookup.value[-9:]
            ]

    crm = Suffix(person("1", "+33612345678"), person("2", "0033612345678"), person("3", "612345678"))
    assert ids(popping(connections_of(crm=crm)).pop(Ask(phone=ANA))) == ["3"]


# --- several connections ----------------------------------------


def test_connection_names_one_crm_to_ask_alone(popping: Popping) -> None:
    crm, erp = StubCrm(person("1", ANA)), StubCrm(person("2", ANA))
    assert ids(popping(connections_of(crm=crm, erp=erp)).pop(Ask(phone=ANA, connection="erp"))) == ["2"]
    assert crm.calls == 0


def test_connection_may_name_the_platform(popping: Popping) -> None:
    pops = popping(connections_of(softphone=StubPlatform(), crm=StubCrm(person("1", ANA))))
    assert ids(pops.pop(Ask(phone=ANA, connection="softphone"))) == ["1"]


def test_an_unknown_connection_is_refused_with_the_nearest(popping: Popping) -> None:
    with pytest.raises(UnknownConnection, match='did you mean "crm"'):
        popping(connections_of(crm=StubCrm())).pop(Ask(phone=ANA, connection="crmm"))


def test_a_connection_of_the_table_has_to_find_people(popping: Popping) -> None:
    with pytest.raises(ConfigError, match=r'"softphone" cannot find people; those that can: crm'):
        popping(connections_of(softphone=StubPlatform(), crm=StubCrm()), "connections: [softphone]\n")


def test_the_tables_order_of_connections_decides(popping: Popping) -> None:
    both = connections_of(crm=StubCrm(person("1", ANA)), erp=StubCrm(person("2", ANA)), old=StubCrm(person("3", ANA)))
    pop = popping(both, PATIENT + "connections: [erp, crm]\nrules: [connections]\n").pop(Ask(phone=ANA))
    assert (ids(pop), [other.id for other in pop.others]) == (["2"], ["1"])


# --- CRMs that hang, fail and lie ----------------------------------------


def test_the_deadline_holds(popping: Popping) -> None:
    gate, hanging = Gate(), StubCrm(person("2", ANA))
    hanging.before = gate
    began = time.monotonic()
    pop = popping(connections_of(erp=hanging), "deadline: 500 ms\n").pop(Ask(phone=ANA))
    assert 0.45 < time.monotonic() - began < PATIENCE, "the gate is still shut"
    assert [s.connection for s in pop.silent] == ["erp"]
    assert "no answer within 0." in pop.silent[0].why  # from the click on
    gate.open()


def test_a_crm_that_hangs_is_named(popping: Popping, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, hanging = Gate(), StubCrm(person("2", ANA))
    hanging.before = gate
    deadline_when(monkeypatch, "asking", all_but(gate))
    pop = popping(connections_of(crm=StubCrm(person("1", ANA)), erp=hanging)).pop(Ask(phone=ANA))
    assert (ids(pop), [s.connection for s in pop.silent]) == (["1"], ["erp"])
    gate.open()


def test_none_is_never_said_for_sure_while_a_crm_is_silent(popping: Popping, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, hanging = Gate(), StubCrm(person("2", ANA))
    hanging.before = gate
    deadline_when(monkeypatch, "asking", all_but(gate))
    pop = popping(connections_of(crm=StubCrm(), erp=hanging)).pop(Ask(phone=ANA))
    assert (pop.match, [s.connection for s in pop.silent]) == ("none", ["erp"])
    assert "may still be known" in pop.reason
    assert pop.url == f"https://crm.example/search/person/?phone={ANA}"  # not a new record
    gate.open()


def test_a_crm_whose_every_slot_hangs_is_silent_at_once_and_costs_nobody_else(popping: Popping) -> None:
    gate, hanging = Gate(), StubCrm()
    hanging.before = gate
    pops = popping(connections_of(crm=StubCrm(person("1", ANA)), erp=hanging), "deadline: 30 seconds\n")
    with pytest.MonkeyPatch.context() as patch:
        deadline_when(patch, "asking", lambda _: gate.waiting == 8)
        threads = [threading.Thread(target=pops.pop, args=[Ask(phone=ANA)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    pop = pops.pop(Ask(phone=ANA))
    assert (ids(pop), [s.connection for s in pop.silent]) == (["1"], ["erp"])
    assert "still owes" in pop.silent[0].why
    assert pop.took_ms < 29_000, "nobody waits for the deadline"
    assert hanging.calls == 8
    gate.open()
    until(lambda: pops.pop(Ask(phone=ANA)).silent == (), about="its being asked again")


@pytest.mark.parametrize(
    "failure", [Unavailable("down"), QuotaSpent("the day is over"), NotFound("x"), KeyError("bug")]
)
def test_a_crm_that_fails_is_silent_with_why(popping: Popping, failure: Exception) -> None:
    def fail() -> None:
        raise failure

    broken = StubCrm()
    broken.before = fail
    pop = popping(connections_of(erp=broken, crm=StubCrm(person("1", ANA)))).pop(Ask(phone=ANA))
    assert ids(pop) == ["1"]
    assert [s.connection for s in pop.silent] == ["erp"]
    assert (str(failure) if not isinstance(failure, KeyError) else "KeyError") in pop.silent[0].why


@pytest.mark.parametrize("lie", [None, [], [[], []], ["text"], [[{"id": "1"}]], 7])
def test_a_crm_that_answers_nonsense_is_silent(popping: Popping, lie: Any) -> None:
    class Liar(StubCrm):
        def find(self, lookups: Any) -> Any:
            return lie

    pop = popping(connections_of(erp=Liar(), crm=StubCrm(person("1", ANA)))).pop(Ask(phone=ANA))
    assert (ids(pop), [s.connection for s in pop.silent]) == (["1"], ["erp"])
    assert "cannot be read" in pop.silent[0].why


def test_a_hostile_link_of_a_crm_is_not_passed_on(popping: Popping) -> None:
    evil = Record(object="contact", id="1", title="x", url="javascript:alert(1)", match=Match("phone", ANA))
    pop = popping(connections_of(crm=StubCrm(evil))).pop(Ask(phone=ANA))
    assert pop.url == "https://crm.example/open/contact/1?"


# --- what the hub knows itself ----------------------------------------


def just_created(store: Store, id: str, *, age_ms: int = 0, **more: Any) -> None:
    told = {"connection": "crm", "object": "contact", "record_id": id, "phone": ANA, "email": None, "title": "New",
            "url": f"http://hub.example/crm/contact/{id}"}  # fmt: skip
    with store.write() as conn:
        fresh.remember(conn, [fresh.Fresh(**(told | more))], now=now_ms() - age_ms)


def test_what_the_hub_just_created_is_found_before_the_index_knows_it(store: Store, popping: Popping) -> None:
    just_created(store, "5")
    just_created(store, "6", age_ms=16 * 60_000)
    just_created(store, "7", connection="other")
    pop = popping(connections_of(crm=StubCrm(), other=StubCrm())).pop(Ask(phone=ANA, connection="crm"))
    assert (pop.match, ids(pop), pop.url) == ("one", ["5"], "http://hub.example/crm/contact/5")


def test_a_fresh_record_that_the_crm_finds_too_is_one_record(store: Store, popping: Popping) -> None:
    just_created(store, "1")
    pop = popping(connections_of(crm=StubCrm(person("1", ANA, open_cases=3)))).pop(Ask(phone=ANA))
    assert (pop.match, ids(pop)) == ("one", ["1"])


def test_a_fresh_record_is_found_by_mail_and_even_when_the_crm_is_silent(
    store: Store, popping: Popping, monkeypatch: pytest.MonkeyPatch
) -> None:
    just_created(store, "5", phone=None, email="ana@example.com")
    gate, hanging = Gate(), StubCrm()
    hanging.before = gate
    deadline_when(monkeypatch, "asking", all_but(gate))
    pop = popping(connections_of(crm=hanging)).pop(Ask(email="Ana@example.com"))
    assert (ids(pop), [s.connection for s in pop.silent]) == (["5"], ["crm"])
    gate.open()
