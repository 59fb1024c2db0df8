"""Two records of the embedded CRM become one, and an old id leads to the one that is left."""

from __future__ import annotations

import pytest

from hub.errors import NotFound, Rejected
from hub.model import PERSON, Lookup, Query, Record, Row
from hub.store.crm import OBJECTS, Crm
from hub.store.database import Store


@pytest.fixture
def crm(store: Store) -> Crm:
    """An empty CRM of a Spanish company."""
    return Crm(store.engine, "ES")


def made(crm: Crm, object: str, key: str, **fields: object) -> str:
    change = crm.write(object, OBJECTS[object].key, [Row(key=key, fields=fields)])[0]
    assert change.outcome == "created", change.error
    return change.id


def by_id(crm: Crm, id: str, object: str = "contact") -> list[Record]:
    return crm.find([Lookup(object, "id", id)])[0]


def test_the_old_id_finds_the_one_that_is_left_with_what_both_knew(crm: Crm) -> None:
    left = made(crm, "contact", "k1", last_name="Pérez", phone="612 34 56 78", email="ana@example.com")
    gone = made(crm, "contact", "k2", last_name="Perez", first_name="Ana", mobile="+34600111222", email="a@b.example",
                do_not_call=True)  # fmt: skip
    case = made(crm, "case", "c1", subject="Broken", contact=gone)
    activity = made(crm, "activity", "i1", contact=gone)
    before = by_id(crm, left)[0]
    crm.merge("contact", gone, left)
    (record,) = by_id(crm, gone)
    assert record.id == left and record.match and record.match.value == left
    assert by_id(crm, gone, PERSON) == by_id(crm, left, PERSON)
    assert record.title == "Ana Pérez"
    assert record.fields["email"] == "ana@example.com" and record.fields["do_not_call"] is True
    assert [one.id for one in crm.find([Lookup(PERSON, "phone", "+34600111222")])[0]] == [left]
    assert (
        by_id(crm, case, "case")[0].fields["contact"] == by_id(crm, activity, "activity")[0].fields["contact"] == left
    )
    assert record.open_cases == 1 and before.open_cases == 0
    assert crm.find([Lookup("contact", "key", "k2")])[0] == []


def test_merged_and_merged_again(crm: Crm) -> None:
    a, b, c = (made(crm, "contact", f"k{n}", last_name=f"N{n}") for n in range(3))
    crm.merge("contact", a, b)
    crm.merge("contact", b, c)
    assert [by_id(crm, id)[0].id for id in (a, b, c)] == [c, c, c]
    asked = [Lookup("contact", "id", id) for id in (a, b, c, "C-none")]
    assert [[one.id for one in found] for found in crm.find(asked)] == [[c], [c], [c], []]


def test_an_incremental_pull_tells_who_left(crm: Crm) -> None:
    a, b = made(crm, "contact", "k1", last_name="A"), made(crm, "contact", "k2", last_name="B")
    watermark = list(crm.pages(Query(object="contact")))[-1].watermark
    crm.merge("contact", a, b)
    (page,) = crm.pages(Query(object="contact", watermark=watermark))
    assert page.removed == [a]


def test_what_cannot_be_merged_says_why_and_changes_nothing(crm: Crm) -> None:
    contact = made(crm, "contact", "k1", last_name="A")
    case = made(crm, "case", "c1", subject="x", contact=contact)
    for object, old, into, error in (
        ("contact", contact, contact, Rejected),
        ("contact", contact, "C-9", NotFound),
        ("contact", "C-9", contact, NotFound),
        ("case", case, "CASE-9", Rejected),
        ("nothing", "a", "b", NotFound),
    ):
        with pytest.raises(error):
            crm.merge(object, old, into)
    assert by_id(crm, contact)[0].id == contact
