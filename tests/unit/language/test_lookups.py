"""`resolve`: what is asked, in which order, and which of many is taken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from mapping_texts import mapping

from hub.language.lookups import Policy, choose_one, record_facts
from hub.language.mapping import Mapping, Note
from hub.model import Account, Lookup, Record


def resolving(by: Any, find: str = "contact", many: Any = "none", **target: Any) -> Mapping:
    resolve = {"caller": {"find": find, "by": by, "many": many}}
    return mapping(
        resolve=resolve,
        fields={"A": "caller.id"},
        target={"connection": "crm", "write": "task", "key": "key", **target},
    )


def asked(by: Any, facts: dict[str, Any], **more: Any) -> list[Lookup]:
    return resolving(by, **more).lookups(facts)["caller"]


PREFERRED = [{"id": "clicked.id"}, {"id": "customer.crm_key"}, {"phone": "customer.phone"}, {"email": "customer.email"}]


def test_the_order_of_preference_is_kept() -> None:
    facts = {
        "clicked": {"connection": "crm", "object": "contact", "id": "C-1"},
        "customer": {"crm_key": "C-2", "phone": "612 34 56 78", "email": " Ada@X.example "},
    }
    assert asked(PREFERRED, facts) == [
        Lookup("contact", "id", "C-1"),
        Lookup("contact", "id", "C-2"),
        Lookup("contact", "phone", "+34612345678"),
        Lookup("contact", "email", "ada@x.example"),
    ]


def test_the_same_is_asked_once() -> None:
    facts = {"clicked": {"connection": "crm", "object": "contact", "id": "C-1"}, "customer": {"crm_key": "C-1"}}
    assert asked(PREFERRED, facts) == [Lookup("contact", "id", "C-1")]


@pytest.mark.parametrize(
    ("clicked", "find", "lookups"),
    [
        ({"connection": "crm", "object": "lead", "id": "L-1"}, "person", [Lookup("lead", "id", "L-1")]),
        ({"connection": "crm", "object": "lead", "id": "L-1"}, "Lead", [Lookup("lead", "id", "L-1")]),
        ({"connection": "crm", "object": "lead", "id": "L-1"}, "contact", []),
        ({"connection": "other", "object": "contact", "id": "C-1"}, "contact", []),
        ({"connection": "other", "object": "contact", "id": "C-1"}, "person", []),
        (None, "person", []),
    ],
)
def test_a_click_counts_in_its_own_crm_only(clicked: Any, find: str, lookups: list[Lookup]) -> None:
    assert asked({"id": "clicked.id"}, {"clicked": clicked}, find=find) == lookups


@pytest.mark.parametrize(
    ("number", "country", "asks"),
    [
        ("+34 612 34 56 78", None, "+34612345678"),
        ("612345678", None, "+34612345678"),
        ("01 42 68 53 00", "FR", "+33142685300"),
        ("sip:+34612345678@pbx.example", None, "+34612345678"),
        ("99999", None, None),
        ("anonymous", None, None),
        ("", None, None),
        ("204", None, None),
        ("+266696687", None, None),
        ("1234567", None, "1234567"),
    ],
)
def test_a_number_is_asked_as_e164_where_it_can_be_read(number: str, country: str | None, asks: str | None) -> None:
    target = {"country": country} if country else {}
    lookups = asked({"phone": "customer.phone"}, {"customer": {"phone": number}}, **target)
    assert lookups == ([Lookup("contact", "phone", asks)] if asks else [])


def test_ways_to_write_a_lookup() -> None:
    facts = {
        "customer": {"phone": "01 42 68 53 00"},
        "attached": {"c": "FR", "bad": "France", "no": 17, "e": "no mail"},
    }
    assert asked({"phone": {"from": "customer.phone", "country": "attached.c"}}, facts)[0].value == "+33142685300"
    assert asked({"phone": {"from": "customer.phone", "country": "attached.bad"}}, facts)[0].value == "01 42 68 53 00"
    assert asked({"key": {"field": "No__c", "from": "attached.no"}}, facts) == [Lookup("contact", "key", "17", "No__c")]
    assert asked({"key": "attached.no"}, facts) == [Lookup("contact", "key", "17")]
    assert asked({"phone": ["interaction.remote", "customer.phone"]}, facts) == [
        Lookup("contact", "phone", "01 42 68 53 00")
    ]
    assert asked({"email": "attached.e"}, facts) == []
    assert asked({"id": "attached"}, facts) == []
    assert resolving([{"id": ["clicked.id", "customer.crm_key"]}, {"phone": "customer.phone"}]).resolve[0].by == (
        ("id", "clicked.id"),
        ("id", "customer.crm_key"),
        ("phone", "customer.phone"),
    )


# --- many ----------------------------------------


def record(object_: str, id_: str, day: int | None = None) -> Record:
    made = datetime(2026, 1, day, tzinfo=UTC) if day else None
    return Record(object=object_, id=id_, title=id_, created_at=made)


C1, C2, C3 = record("contact", "C-1", 1), record("contact", "C-2", 2), record("contact", "C-3", 2)
UNDATED, LEAD, COMPANY = record("contact", "C-4"), record("lead", "L-1", 9), record("account", "A-1", 1)
ORDER = Policy("first", ("contact", "lead", "account"))


@pytest.mark.parametrize(
    ("records", "policy", "chosen"),
    [
        ([], Policy(), None),
        ([C1], Policy(), C1),
        ([C1, C2], Policy(), None),
        ([C1, C1], Policy(), C1),
        ([C1, C2, LEAD], Policy("newest"), LEAD),
        ([C2, C1], Policy("oldest"), C1),
        ([C2, C3], Policy("newest"), None),
        ([C1, UNDATED], Policy("newest"), None),
        ([LEAD, C1, COMPANY], ORDER, C1),
        ([COMPANY, LEAD], ORDER, LEAD),
        ([C1, C2, COMPANY], ORDER, None),
        ([C1, C2], Policy("refuse"), None),
        ([record("case", "K-1")], ORDER, record("case", "K-1")),
        ([record("case", "K-1"), record("case", "K-2")], ORDER, None),
        ([record("Contact", "1"), LEAD], ORDER, record("Contact", "1")),
    ],
)
def test_one_of_many(records: list[Record], policy: Policy, chosen: Record | None) -> None:
    choice = choose_one(records, policy)
    assert choice.record == chosen
    assert bool(choice.ambiguous) is (len(records) > 1 and chosen is None)


def test_an_ambiguous_caller_is_noted_and_left_out() -> None:
    done = resolving({"phone": "customer.phone"}).render({}, {"caller": [C1, C2]})
    assert done.fields == {} and done.problems == {}
    assert done.notes == [Note("caller", "ambiguous", "2 records match; none is taken")]


def test_a_refused_caller_parks_the_row() -> None:
    done = resolving({"phone": "customer.phone"}, many="refuse").render({}, {"caller": [C1, C2]})
    assert done.problems == {"caller": "2 records match, and `many: refuse` takes none of them"}


def test_a_record_has_its_own_fields_and_those_of_all() -> None:
    made = datetime(2026, 1, 2, tzinfo=UTC)
    facts = record_facts(
        Record(
            object="contact", id="C-1", title="Ada", url="https://crm.example/C-1", owner="o@x.example", open_cases=2,
            account=Account(object="account", id="A-1", title="Engines"), created_at=made,
            fields={"Email": "ada@x.example", "id": "not this one", "account": "nor this"},
        )
    )  # fmt: skip
    assert facts == {
        "id": "C-1", "title": "Ada", "object": "contact", "url": "https://crm.example/C-1", "owner": "o@x.example",
        "open_cases": 2, "account": {"id": "A-1", "title": "Engines", "object": "account"},
        "created_at": "2026-01-02T00:00:00+00:00", "Email": "ada@x.example",
    }  # fmt: skip


def test_the_fields_that_a_mapping_reads_of_a_record_are_asked_for() -> None:
    resolve = {"who": {"find": "contact", "by": {"email": "customer.email"}}}
    fields = {"A": "who.Segment__c", "B": {"expr": "who.vip if who.title else who.owner"}, "C": "who.account.id"}
    one = mapping(resolve=resolve, fields=fields)
    [lookup] = one.lookups({"customer": {"email": "a@b.example"}})["who"]
    assert lookup.fields == ("Segment__c", "vip")
