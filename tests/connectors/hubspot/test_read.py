"""Finding, pulling, describing and linking beyond what every connector owes."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub.clock import now
from hub.errors import Ambiguous, ConfigError, NotFound, Rejected, Throttled, Unsupported
from hub.model import PERSON, Lookup, Query, Target
from sandbox.hubspot import search
from tests.connectors.hubspot.peer import KEY, Peer
from tests.contract.given import a_key, a_mail, a_number

# --- find ----------------------------------------


def searched(peer: Peer, numbers: list[str], **settings: str) -> tuple[list[list[str]], int]:
    """Whom the numbers find, and how many calls that took, all of them searches."""
    connector: Any = peer.opened(**settings)
    before = Counter(peer.sandbox.faults.calls)
    found = connector.find([Lookup("contacts", "phone", one) for one in numbers])
    made = Counter(peer.sandbox.faults.calls) - before
    assert all("search" in path for _, path in made)
    return [[one.id for one in records] for records in found], sum(made.values())


def test_as_many_numbers_as_a_search_takes_are_asked_for_at_once(peer: Peer) -> None:
    numbers = [a_number() for _ in range(100)]
    ids = [peer.person("Ada", phone=f"(+34) {one[3:6]}-{one[6:]}") for one in numbers]
    assert searched(peer, numbers) == ([[id] for id in ids], 3)
    strangers = [a_number() for _ in range(4)]
    assert searched(peer, [*numbers, *strangers]) == ([[id] for id in ids] + [[]] * 4, 3 + 2)
    assert searched(peer, [*numbers, *strangers], phone_search="exact") == ([[id] for id in ids] + [[]] * 4, 3)


def test_by_suffix_numbers_are_searched_two_a_call_and_compared_here(peer: Peer) -> None:
    numbers = [a_number() for _ in range(4)]
    ids = [peer.person("Ada", phone=f"(+34) {one[3:6]}-{one[6:]}") for one in numbers]
    peer.person("Near", phone=f"+44 7{numbers[0][3:]}")  # the same last digits in another country
    assert searched(peer, numbers, phone_search="suffix") == ([[id] for id in ids], 2)


def test_who_is_kept_in_another_form_is_found_by_suffix(peer: Peer) -> None:
    number = a_number()
    id = peer.person("Ada", phone=number)
    peer.sandbox.portal.one("contacts", id).properties["hs_searchable_calculated_mobile_number"] = f"00{number[1:]}"
    assert searched(peer, [number]) == ([[id]], 2)
    assert searched(peer, [number], phone_search="exact") == ([[]], 1)


def test_mails_ids_and_keys_are_read_in_one_call_each(peer: Peer) -> None:
    mails = [a_mail() for _ in range(5)]
    ids = [peer.person("Ada", email=one) for one in mails]
    before = Counter(peer.sandbox.faults.calls)
    asked = [Lookup("contacts", "email", one) for one in mails] + [Lookup("contacts", "id", one) for one in ids]
    asked += [Lookup("contacts", "key", peer.key_of(one)) for one in ids]
    assert [[one.id for one in records] for records in peer.connector.find(asked)] == [[id] for id in ids] * 3
    assert sum((Counter(peer.sandbox.faults.calls) - before).values()) == 3


def test_a_merged_contact_is_found_by_its_old_id_and_its_old_address(peer: Peer) -> None:
    portal, mails = peer.sandbox.portal, [a_mail(), a_mail()]
    ada, again = (peer.person("Ada Lovelace", email=one) for one in mails)
    left = portal.merge("contacts", portal.one("contacts", ada), portal.one("contacts", again)).id
    asked = [
        Lookup("contacts", "id", ada),
        Lookup(PERSON, "id", again),
        *(Lookup(PERSON, "email", one) for one in mails),
    ]
    assert [[one.id for one in records] for records in peer.connector.find(asked)] == [[left]] * 4


def test_who_was_made_just_now_is_found_by_mail_before_the_index_knows(peer: Peer) -> None:
    number, mail = a_number(), a_mail()
    id = peer.person("Ada", phone=number, email=mail)
    peer.sandbox.faults.set("index_lag", times=-1)
    by_mail, by_phone = peer.connector.find([Lookup("contacts", "email", mail), Lookup("contacts", "phone", number)])
    assert [one.id for one in by_mail] == [id] and list(by_phone) == []
    peer.sandbox.faults.clear()
    assert [one.id for one in peer.connector.find([Lookup("contacts", "phone", number)])[0]] == [id]


def test_a_record_has_its_company_its_owner_and_what_was_asked_for(peer: Peer) -> None:
    ((lucia,),) = peer.connector.find([Lookup(PERSON, "phone", "+34612345678", fields=("jobtitle", "consent_to_call"))])
    assert lucia.title == "Lucía Romero Ibáñez" and lucia.owner == "ana@example.com"
    assert lucia.account and lucia.account.object == "companies" and lucia.account.title.startswith("Naranja Viva")
    assert lucia.fields["consent_to_call"] == "true" and "jobtitle" in lucia.fields
    assert lucia.created_at and lucia.updated_at and lucia.match and lucia.match.field == "mobilephone"
    ((company,),) = peer.connector.find([Lookup(PERSON, "phone", "+34914112233")])
    assert (company.object, company.id) == ("companies", lucia.account.id)


def test_the_agent_is_found_as_an_owner(peer: Peer) -> None:
    (by_mail, nobody) = peer.connector.find(
        [Lookup("owners", "email", "Ana@example.com"), Lookup("owners", "email", a_mail())]
    )
    assert [one.title for one in by_mail] == ["Ana"] and list(nobody) == []
    assert peer.connector.describe("owners").changeable is False
    with pytest.raises(Unsupported):
        peer.connector.write(Target(object="owners", key="id"), [peer.row("x", "x")])
    (by_id,) = peer.connector.find([Lookup("owners", "id", by_mail[0].id)])
    assert [one.id for one in by_id] == [by_mail[0].id]


def test_without_the_right_to_see_owners_people_are_found_all_the_same(peer: Peer) -> None:
    connector: Any = peer.opened()
    peer.sandbox.faults.set("forbidden", after=2)  # the search and the company come first
    ((lucia,),) = connector.find([Lookup("contacts", "phone", "+34612345678")])
    assert lucia.title.startswith("Lucía") and lucia.owner is None


# --- pages ----------------------------------------


def test_a_condition_is_pulled_past_the_cap_of_a_search(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    city = f"city {a_number()}"
    put = [peer.sandbox.portal.create("contacts", {"lastname": f"M{n}", "city": city}).id for n in range(9)]
    monkeypatch.setattr(search, "CAP", 4)
    before = Counter(peer.sandbox.faults.calls)
    pages = list(peer.connector.pages(Query(object="contacts", where={"city": city.upper()}, size=3)))
    assert [row["id"] for page in pages for row in page.rows] == put and len(pages) == 3
    assert sum((Counter(peer.sandbox.faults.calls) - before).values()) == 3


def test_all_contacts_come_by_the_listing(peer: Peer) -> None:
    before = Counter(peer.sandbox.faults.calls)
    every: Any = peer.opened(bulk_from=0)
    pages = list(every.pages(Query(object="contacts", size=50)))
    made = Counter(peer.sandbox.faults.calls) - before
    ids = [row["id"] for page in pages for row in page.rows]
    assert ids == [one.id for one in peer.sandbox.portal.all("contacts")] and all(method == "GET" for method, _ in made)
    assert {"firstname", "email", "phone", "mobilephone", "country"} <= set(pages[0].rows[0])


def test_an_increment_by_condition_tells_who_left_it(peer: Peer) -> None:
    portal, city = peer.sandbox.portal, f"city {a_number()}"
    stays, leaves = (portal.create("contacts", {"lastname": name, "city": city}).id for name in ("Stays", "Leaves"))
    query = Query(object="contacts", where={"city": [city, "Nowhere"]}, size=2)
    watermark = list(peer.connector.pages(query))[-1].watermark
    portal.update("contacts", portal.one("contacts", leaves), {"city": "Elsewhere"})
    pages = list(peer.connector.pages(Query(object="contacts", where=query.where, watermark=watermark, size=2)))
    assert [row["id"] for page in pages for row in page.rows] == [stays]
    assert leaves in {id for page in pages for id in page.removed}


def test_an_increment_of_a_list_knows_who_joined_without_a_change_of_their_own(peer: Peer) -> None:
    portal = peer.sandbox.portal
    old = peer.person("Old")
    moment = "2026-01-01T00:00:00.000Z"
    portal.one("contacts", old).properties["lastmodifieddate"] = moment
    before = peer.member("Before")
    portal.one("contacts", before).properties["lastmodifieddate"] = peer.list.members[before] = moment
    portal.join(peer.list, old)
    query = Query(object="contacts", where=peer.query.where, watermark="2026-06-01T00:00:00+00:00")
    assert old in {row["id"] for page in peer.connector.pages(query) for row in page.rows}
    assert before not in {row["id"] for page in peer.connector.pages(query) for row in page.rows}


def test_who_is_taken_off_a_static_list_makes_the_next_pull_a_full_one(peer: Peer) -> None:
    portal, stays, leaves = peer.sandbox.portal, peer.member("Stays"), peer.member("Leaves")
    watermark = list(peer.connector.pages(peer.query))[-1].watermark
    query = Query(object="contacts", where=peer.query.where, watermark=watermark)
    assert list(peer.connector.pages(query))[-1].watermark  # nobody left
    portal.leave(peer.list, leaves)
    pages = list(peer.connector.pages(query))
    assert pages[-1].cursor is pages[-1].watermark is None  # nobody says who
    whole = list(peer.connector.pages(peer.query))
    assert [row["id"] for page in whole for row in page.rows] == [stays] and whole[-1].watermark
    later = Query(object="contacts", where=peer.query.where, watermark=now().isoformat())
    assert list(peer.connector.pages(later))[-1].watermark
    peer.list.processing = "DYNAMIC"  # who leaves such a list has changed
    assert list(peer.connector.pages(query))[-1].watermark


def test_an_interrupted_increment_goes_on(peer: Peer) -> None:
    since = now().isoformat()
    stays, leaves = peer.member("Stays"), peer.member("Leaves")
    put = {stays, *(peer.member(f"More {n}") for n in range(3))}
    query = Query(object="contacts", where=peer.query.where, watermark=since, size=2)
    peer.leave(leaves)
    whole = list(peer.connector.pages(query))
    assert len(whole) > 3
    for place, page in enumerate(whole[:-1]):
        rest = list(peer.connector.pages(Query(object="contacts", where=query.where, watermark=query.watermark,
                                               cursor=page.cursor, size=2)))  # fmt: skip
        pages = [*whole[: place + 1], *rest]
        assert leaves in {id for one in pages for id in one.removed}
        assert put <= {row["id"] for one in pages for row in one.rows}
        assert not put & {id for one in pages for id in one.removed} and rest[-1].watermark == whole[-1].watermark


def test_a_list_by_number_by_an_ambiguous_name_and_a_wrong_cursor(peer: Peer) -> None:
    id = peer.member("Member")
    by_number = Query(object="contacts", where={"list": peer.list.id})
    assert [row["id"] for page in peer.connector.pages(by_number) for row in page.rows] == [id]
    peer.sandbox.portal.new_list(peer.list.name, "companies")  # of another object: not meant
    assert list(peer.connector.pages(peer.query))
    peer.sandbox.portal.new_list(peer.list.name, "contacts")
    with pytest.raises(Ambiguous):
        list(peer.connector.pages(peer.query))
    for wrong in ("x", "2026-01-01T00:00:00+00:00 nowhere 1", "2026-01-01T00:00:00+00:00 some 1;drop"):
        with pytest.raises(Rejected):
            list(peer.connector.pages(Query(object="contacts", where={"city": "x"}, cursor=wrong)))
    with pytest.raises(Unsupported):
        list(peer.connector.pages(Query(object="contacts", where={"list": "x", "city": "x"})))


def test_a_throttled_search_says_so(peer: Peer) -> None:
    peer.sandbox.faults.set("secondly")
    with pytest.raises(Throttled) as raised:
        peer.connector.find([Lookup("contacts", "phone", a_number())])
    assert raised.value.retry_after == 1.0


# --- describe, links, settings ----------------------------------------


def test_describe_says_what_a_mapping_has_to_know(peer: Peer) -> None:
    calls = {field.name: field for field in peer.connector.describe("calls").fields}
    assert calls["hs_timestamp"].required and calls["hs_timestamp"].type == "datetime"
    assert len(calls["hs_call_disposition"].picklist) == 6 and calls[KEY].unique and not calls["hs_call_title"].unique
    assert "f240bbac-87c9-4f6e-bf70-924b57d47db7" in calls["hs_call_disposition"].picklist
    assert calls["hs_call_body"].type == "longtext" and calls["hs_call_body"].max_length == 65_536
    assert not calls["hs_lastmodifieddate"].writable and calls["contact"].refers_to == ("contacts",)
    assert calls["hubspot_owner_id"].type == "reference" and calls["hubspot_owner_id"].refers_to == ("owners",)
    contacts = {field.name: field for field in peer.connector.describe("contacts").fields}
    assert contacts["phone"].type == contacts["mobilephone"].type == "phone" and contacts["email"].type == "email"
    assert contacts["email"].unique and contacts["lifecyclestage"].retired == ("evangelist",)
    assert contacts["consent_to_call"].type == "boolean" and not contacts["hs_object_id"].writable
    assert not contacts["hs_searchable_calculated_phone_number"].writable and "contact" not in contacts


def test_dispositions_that_we_may_not_see_are_not_checked(peer: Peer) -> None:
    peer.sandbox.faults.set("forbidden", after=1)
    fields = {field.name: field for field in peer.connector.describe("calls").fields}
    assert fields["hs_call_disposition"].picklist == ()


def test_a_custom_object_is_named_in_a_setting(peer: Peer) -> None:
    connector: Any = peer.opened(custom_objects=["2-3465404"])
    assert "2-3465404" in connector.objects()
    with pytest.raises(NotFound, match="contacts"):
        connector.describe("contact")


def test_links_open_the_account_s_pages(peer: Peer) -> None:
    links: Any = peer.connector
    home = "https://app.hubspot.com/contacts/44001122"
    assert links.links("open", "contacts", "501") == f"{home}/record/0-1/501"
    assert links.links("open", "companies", "501") == f"{home}/record/0-2/501"
    assert links.links("search", "contacts", fields={"name": "O'Brien & Söhne", "phone": "+34 612"}) == (
        f"{home}/objects/0-1/views/all/list?query=%2B34%20612")  # fmt: skip
    new = links.links("new", "contacts", fields={"firstname": "Ada & Bea", "phone": "+34612"})
    assert new == f"{home}/objects/0-1/views/all/list?createNewObject=0-1&firstname=Ada%20%26%20Bea&phone=%2B34612"
    id = peer.person("Ada Lovelace")
    ((record,),) = links.find([Lookup("contacts", "id", id)])
    assert record.url == f"{home}/record/0-1/{id}" and urlsplit(record.url).query == ""
    europe: Any = peer.opened(app_url="https://app-eu1.hubspot.com")
    assert europe.links("open", "contacts", "501").startswith("https://app-eu1.hubspot.com/contacts/44001122/")
    asked: Any = peer.opened(portal=None)
    assert asked.links("open", "contacts", "501") == f"{home}/record/0-1/501"


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": None},
        {"version": "v2"},
        {"phone_search": "guess"},
        {"phone_fields": ["contact.phone"]},
        {"keyed_objects": ["people"]},
    ],
)
def test_a_wrong_setting_is_said_at_the_start(peer: Peer, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        peer.opened(**wrong)


def test_a_key_of_one_s_own_name(peer: Peer) -> None:
    mail, key = a_mail(), a_key()
    id = peer.sandbox.portal.create("contacts", {"email": mail, KEY: key}).id
    other: Any = peer.opened(key_property="email")
    asked = [Lookup("contacts", "key", mail), Lookup("contacts", "key", key, key_field=KEY)]
    assert [[one.id for one in records] for records in other.find(asked)] == [[id], [id]]
    bare: Any = peer.opened(keyed_objects=[])
    assert list(bare.find([Lookup("contacts", "key", key)])[0]) == []
