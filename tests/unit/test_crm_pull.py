"""List pulls from the embedded CRM: every row once, in whatever pages, and what changed since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from hub.errors import NotFound, Rejected
from hub.model import Page, Query, Row
from hub.store.crm import OBJECTS, Crm
from hub.store.database import Store

MEMBERS = 23


@pytest.fixture
def crm(store: Store) -> Crm:
    """Two campaigns: 23 contacts in `spring`, three of them in `autumn` too."""
    crm = Crm(store.engine, "ES")
    put(crm, "account", "acme", name="Acme")
    put(crm, "campaign", "spring", name="Spring offer")
    put(crm, "campaign", "autumn", name="Autumn offer")
    person = {"phone": "612 34 56 78", "country": "ES", "account": "acme", "consent": True}
    rows = [Row(key=f"c{n}", fields=person | {"last_name": f"Person {n}"}) for n in range(MEMBERS)]
    crm.write("contact", "contact_key", rows)
    crm.write("campaign_member", "member_key", [*_members("spring", MEMBERS), *_members("autumn", 3)])
    return crm


def _members(campaign: str, count: int) -> list[Row]:
    return [Row(key=f"{campaign[0]}{n}", fields={"campaign": campaign, "contact": f"c{n}"}) for n in range(count)]


def put(crm: Crm, object: str, key: str, **fields: Any) -> str:
    """Upsert one record."""
    change = crm.write(object, OBJECTS[object].key, [Row(key=key, fields=fields)])[0]
    assert change.error is None, change.error
    return change.id


def remove(crm: Crm, object: str, key: str) -> None:
    """Remove one record."""
    crm.write(object, OBJECTS[object].key, [Row(key=key, fields={}, action="remove")])


def keys(pages: Iterator[Page] | list[Page]) -> list[str]:
    """The keys of all members on the pages."""
    return [row["member_key"] for page in pages for row in page.rows]


def spring(watermark: str | None = None, **more: Any) -> Query:
    """A pull of `spring`."""
    return Query(object="campaign_member", where={"campaign": "spring", **more}, watermark=watermark)


def since(crm: Crm, watermark: str | None, **more: Any) -> tuple[list[str], list[str]]:
    """(members, removed ids) that changed since."""
    pages = list(crm.pages(spring(watermark, **more)))
    return keys(pages), [id_ for page in pages for id_ in page.removed]


def watermark_of(crm: Crm, **more: Any) -> str | None:
    """The watermark at the end of a whole pull."""
    return list(crm.pages(spring(**more)))[-1].watermark


def test_a_member_carries_what_is_known_of_the_person(crm: Crm) -> None:
    put(crm, "lead", "l", last_name="Núñez", company="Solo", email="n@example.org")
    put(crm, "campaign_member", "lead", campaign="spring", lead="l")
    rows = {row["member_key"]: row for page in crm.pages(spring()) for row in page.rows}
    contact, lead = rows["s0"], rows["lead"]
    told = {
        "campaign": "spring", "campaign_name": "Spring offer", "person": "C-1001", "last_name": "Person 0",
        "phone": "612 34 56 78", "company": "Acme", "consent": True,
    }  # fmt: skip
    assert {name: contact[name] for name in told} == told
    assert (lead["person"], lead["company"], lead["consent"], lead["account"]) == ("L-1001", "Solo", None, None)
    assert contact["updated_at"].endswith("Z")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=some.integers(1, 30), cut=some.integers(1, 30))
def test_any_page_size_gives_every_row_once_even_when_cut(crm: Crm, size: int, cut: int) -> None:
    query = Query(object="campaign_member", where={"campaign": "spring"}, size=size)
    seen: list[Page] = []
    for page in crm.pages(query):
        seen.append(page)
        if len(seen) == cut and page.cursor:
            resumed = Query(object="campaign_member", where={"campaign": "spring"}, size=size, cursor=page.cursor)
            seen += crm.pages(resumed)
            break
    assert sorted(keys(seen)) == sorted(f"s{n}" for n in range(MEMBERS))
    assert all(len(page.rows) <= size for page in seen)
    assert [bool(page.watermark) for page in seen] == [False] * (len(seen) - 1) + [True]
    assert [page.cursor is None for page in seen] == [False] * (len(seen) - 1) + [True]


def test_rows_that_come_and_change_meanwhile_cost_none_of_the_others_and_come_next_time(crm: Crm) -> None:
    pulled: list[Page] = []
    for turn, page in enumerate(crm.pages(Query(object="campaign_member", where={"campaign": "spring"}, size=5))):
        pulled.append(page)
        put(crm, "campaign_member", f"new{turn}", campaign="spring", contact=f"c{turn}")
        put(crm, "campaign_member", "s0", comment=f"Changed in turn {turn}")
        remove(crm, "campaign_member", f"a{turn}")
    seen = keys(pulled)
    assert len(seen) == len(set(seen))
    assert set(seen) >= {f"s{n}" for n in range(MEMBERS)}
    changed, _ = since(crm, pulled[-1].watermark)
    assert set(changed) == {"s0", *(f"new{turn}" for turn in range(len(pulled)))}


def test_a_pull_that_was_cut_ends_with_the_watermark_of_its_beginning(crm: Crm) -> None:
    first = next(crm.pages(Query(object="campaign_member", where={"campaign": "spring"}, size=5)))
    seen = keys([first])[0]
    put(crm, "campaign_member", seen, comment="Changed while nobody pulled")
    resumed = Query(object="campaign_member", where={"campaign": "spring"}, size=5, cursor=first.cursor)
    rest = list(crm.pages(resumed))
    assert seen not in keys(rest)
    assert since(crm, rest[-1].watermark) == ([seen], [])


def test_a_change_of_the_person_is_a_change_of_the_member(crm: Crm) -> None:
    watermark = watermark_of(crm)
    assert since(crm, watermark) == ([], [])
    put(crm, "contact", "c4", consent=False)
    assert since(crm, watermark) == (["s4"], [])
    put(crm, "contact", "c4", consent=False)  # nothing new: nothing to pull
    assert since(crm, watermark_of(crm)) == ([], [])


def test_who_left_is_named(crm: Crm) -> None:
    watermark = watermark_of(crm)
    remove(crm, "campaign_member", "s1")
    put(crm, "campaign_member", "s2", campaign="autumn")
    put(crm, "campaign_member", "s3", campaign="autumn")
    put(crm, "campaign_member", "s3", campaign="spring")  # and back
    changed, removed = since(crm, watermark)
    assert changed == ["s3"]
    assert sorted(removed) == ["M-1002", "M-1003"]
    autumn = Query(object="campaign_member", where={"campaign": "autumn"}, watermark=watermark)
    assert [page.removed for page in crm.pages(autumn)] == [["M-1004"]]  # it left autumn again
    assert since(crm, watermark_of(crm)) == ([], [])


def test_who_no_longer_meets_the_conditions_is_named(crm: Crm) -> None:
    watermark = watermark_of(crm, consent=True, status="open")
    put(crm, "contact", "c5", consent=None)
    put(crm, "campaign_member", "s6", status="done")
    put(crm, "campaign_member", "s7", comment="Still open")
    changed, removed = since(crm, watermark, consent=True, status="open")
    assert (changed, removed) == (["s7"], ["M-1006", "M-1007"])


def test_conditions_are_checked(crm: Crm) -> None:
    assert len(keys(crm.pages(spring(country=["ES", "FR"], consent=True)))) == MEMBERS
    assert keys(crm.pages(spring(language=None, country="FR"))) == []
    assert (
        len(keys(crm.pages(Query(object="campaign_member", where={"campaign": ["Autumn offer", "CMP-1001"]}))))
        == MEMBERS + 3
    )
    for where, problem in (({"contry": "ES"}, 'did you mean "country"'), ({"consent": "yes"}, "not true or false")):
        with pytest.raises(Rejected, match=problem):
            next(crm.pages(spring(**where)))
    with pytest.raises(NotFound, match='no campaign "sprng", did you mean "spring"'):
        next(crm.pages(Query(object="campaign_member", where={"campaign": "sprng"})))
    for query in (spring("yesterday"), Query(object="campaign_member", cursor="1/'; --")):
        with pytest.raises(Rejected, match="embedded CRM"):
            next(crm.pages(query))


def test_people_and_accounts_can_be_pulled_too(crm: Crm) -> None:
    pages = list(crm.pages(Query(object="contact", where={"account": "A-1001"}, size=10)))
    assert [len(page.rows) for page in pages] == [10, 10, 3]
    put(crm, "contact", "c9", vip=True)
    put(crm, "contact", "free", last_name="Free")
    remove(crm, "contact", "free")
    [page] = crm.pages(Query(object="contact", watermark=pages[-1].watermark))
    assert [row["contact_key"] for row in page.rows] == ["c9"]
    assert page.removed == ["C-1024"]
