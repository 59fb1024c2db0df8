"""The sample: the same thousand people everywhere, and those of whom demos speak."""

from __future__ import annotations

import pytest

from hub import phone
from hub.model import PERSON, Lookup, Query
from hub.store.crm import Crm
from hub.store.database import Store
from hub.store.sample.load import NOBODY, OWN_NUMBER, load_sample
from hub.store.sample.people import sample_people


def test_the_sample_is_the_same_every_time() -> None:
    assert sample_people() == sample_people()
    assert sample_people(1) != sample_people(2)


def test_a_thousand_people_as_people_are() -> None:
    made = sample_people()
    people = [*made.contacts, *made.leads]
    assert len(people) == 1_000
    read = [(row, phone.e164(raw, row["country"])) for row in people for raw in (row["phone"], row["mobile"]) if raw]
    valid = [number for _, number in read if number]
    assert len(valid) > 800
    assert len(valid) > len(set(valid)) + 10  # couples, and colleagues behind one switchboard
    assert len({row["phone"] for row in made.accounts} & {row["phone"] for row in made.contacts}) > 20
    assert len([number for _, number in read if not number]) > 20  # extensions and what is of no use
    assert sum(not row["phone"] and not row["mobile"] for row in people) > 20
    assert {row["consent"] for row in people} == {True, False, None}
    assert sum(row["do_not_call"] for row in people if "do_not_call" in row) > 20
    assert {row["country"] for row in people} == {"ES", "FR", "GB", "DE", "PT", "IT"}
    assert not {OWN_NUMBER, NOBODY} & set(valid)
    typed = {raw[:2] for row in people for raw in (row["phone"], row["mobile"]) if raw}
    assert typed >= {"+3", "00", "(+", "61", "02"}


def test_it_is_loaded_once_and_only_into_an_empty_crm(store: Store) -> None:
    counts = load_sample(store)
    assert counts == {
        "account": 120, "contact": 820, "lead": 180, "case": 60, "activity": 140, "campaign": 2, "campaign_member": 478
    }  # fmt: skip
    assert load_sample(store) == {}
    crm = Crm(store.engine, "ES")
    for number, ids in FAMOUS.items():
        found = crm.find([Lookup(PERSON, "phone", number)])[0]
        assert [record.id for record in found][: len(ids)] == ids, number
        assert bool(found) == bool(ids)
    [lucia] = crm.find([Lookup(PERSON, "phone", "+34612345678")])[0]
    assert (lucia.owner, lucia.fields["vip"]) == ("ana@example.com", True)
    assert lucia.fields["email"] and lucia.last_contact_at
    marta, jordi = crm.find([Lookup(PERSON, "phone", "+34932154040")])[0]
    assert (marta.open_cases, jordi.open_cases) == (1, 0)
    shared = crm.find([Lookup(PERSON, "phone", "+34944123400")])[0]
    assert {record.account.id for record in shared if record.account} == {"A-1002"}
    rows = [
        row for page in crm.pages(Query(object="campaign_member", where={"campaign": "spring"})) for row in page.rows
    ]
    assert all(row["member_key"] == f"spring/{row['id']}" for row in rows)
    assert {row["result_class"] for row in rows} > {None, "positive"}
    numbers = [phone.e164(row["mobile"] or row["phone"] or "", row["country"]) for row in rows]
    assert None in numbers
    assert len(set(numbers)) < len([number for number in numbers if number])


FAMOUS = {
    "+34612345678": ["C-1001"],
    "+34944123400": ["C-1002", "C-1003", "C-1004", "C-1005"],
    "+34932154040": ["C-1006", "C-1007"],
    "+33199001234": ["C-1008"],
    "+442079460123": ["C-1009"],
    "4021": ["C-1010"],
    "+493023125123": ["C-1012", "L-1001"],
    NOBODY: [],
    OWN_NUMBER: [],
}


@pytest.mark.parametrize("number", ["anonymous", "", "Restricted"])
def test_a_withheld_number_is_nobodys(store: Store, number: str) -> None:
    load_sample(store)
    assert Crm(store.engine, "ES").find([Lookup(PERSON, "phone", number)]) == [[]]
