"""Finding people: the index and what it does not know yet, numbers as people type them, merged and converted records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.crm.salesforce.soql import LONGEST_SEARCH, fitting, search
from connectors.wire.numbers import forms
from hub.errors import Rejected, Unsupported
from hub.model import PERSON, Lookup, Query, Row, Target
from tests.connectors.salesforce.bench import Bench
from tests.contract.given import a_mail, a_number


def by_phone(bench: Bench, number: str, object: str = PERSON, **settings: object) -> list[tuple[str, str]]:
    connector = bench.opened(**settings) if settings else bench.connector
    ((*found,),) = connector.find([Lookup(object, "phone", number)])
    return [(record.object, record.id) for record in found]


def test_two_hundred_numbers_take_two_calls_and_known_ones_one(bench: Bench) -> None:
    bench.connector.check()
    known = {(number := a_number()): bench.contact(Phone=number) for _ in range(200)}
    lookups = [Lookup(PERSON, "phone", number) for number in known]
    with bench.counted() as calls:
        found = bench.connector.find(lookups)
    assert [[record.id for record in records] for records in found] == [[id] for id in known.values()]
    assert calls == [1]  # 333 numbers in two forms fill a search
    strangers = [Lookup(PERSON, "phone", a_number()) for _ in range(199)]
    with bench.counted() as calls:
        found = bench.connector.find([*strangers, lookups[0], Lookup(PERSON, "email", a_mail())])
    assert [len(records) for records in found] == [0] * 199 + [1, 0]
    assert calls == [2]  # one search; the fallback's three queries and the addresses' two go by one call


def test_a_search_takes_what_fits() -> None:
    words = [form for n in range(700) for form in forms(f"+346123{n:05d}", ("national", "international"))]
    first = fitting(words, LONGEST_SEARCH, 1_000)
    assert len(" OR ".join(first)) <= LONGEST_SEARCH < len(" OR ".join(words[: len(first) + 1]))
    assert fitting(words, LONGEST_SEARCH, 5) == words[:5] and fitting(words[:5], LONGEST_SEARCH, 9) == words[:5]
    assert fitting(["(" * 40], 10, 9) == ["(" * 40] and fitting([], 10, 9) == []
    assert search(["612", "a)b"], "PHONE", "Contact(Id)") == r"FIND {612 OR a\)b} IN PHONE FIELDS RETURNING Contact(Id)"


def test_forms_of_a_number() -> None:
    every = ("national", "dialled", "international")
    assert forms("+33142685300", every) == ["142685300", "0142685300", "33142685300"]
    assert forms("+34612345678", every) == ["612345678", "34612345678"]
    assert forms("4021", every) == ["4021"] and forms("x", every) == [] and forms("+", every) == []


@pytest.mark.parametrize("field", ["Phone", "MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone"])
def test_every_field_of_the_settings_is_searched(bench: Bench, field: str) -> None:
    number = a_number()
    id = bench.contact(**{field: f"{number[3:6]}-{number[6:9]} {number[9:]}"})
    ((record,),) = bench.connector.find([Lookup(PERSON, "phone", number)])
    assert record.id == id and record.match and record.match.field == field
    assert by_phone(bench, number, phone_fields=["Lead.Phone", "Contact.Fax"]) == []


def test_a_number_that_ends_alike_is_somebody_else_s(bench: Bench) -> None:
    number = a_number()
    bench.contact(Phone=f"+351{number[3:]}")
    assert by_phone(bench, number) == []


def test_leads_and_accounts_come_after_contacts(bench: Bench) -> None:
    number = a_number()
    account = bench.org.insert("Account", {"Name": "Engines", "Phone": number})
    lead = bench.org.insert("Lead", {"LastName": "Byron", "Company": "Poems", "MobilePhone": number})
    contact = bench.contact(Phone=number, AccountId=account)
    assert by_phone(bench, number) == [("Contact", contact), ("Lead", lead), ("Account", account)]
    assert by_phone(bench, number, "Lead") == [("Lead", lead)]
    ((record, *_),) = bench.connector.find([Lookup(PERSON, "phone", number)])
    assert record.account and (record.account.id, record.account.title) == (account, "Engines")
    assert record.owner == "patchbay@example.com" and record.url.endswith(f"/lightning/r/Contact/{contact}/view")


def test_what_the_index_does_not_know_yet_is_found_by_its_stamp(bench: Bench) -> None:
    number, old = a_number(), a_number()
    id = bench.contact(Phone=f"{number[3:6]} {number[6:9]} {number[9:]}")
    aged = bench.contact(Phone=old)
    bench.org.get("Contact", aged)["SystemModstamp"] -= dt.timedelta(hours=2)
    bench.fault("index_lag", times=-1)
    assert by_phone(bench, number) == [("Contact", id)]
    assert by_phone(bench, number, phone_fallback="off") == []
    assert by_phone(bench, number, phone_fallback="all") == [("Contact", id)]
    assert by_phone(bench, old) == [("Contact", aged)]  # the index has had its time
    many = [Lookup(PERSON, "phone", a_number()) for _ in range(60)]
    assert [len(found) for found in bench.connector.find([*many, Lookup(PERSON, "phone", number)])] == [0] * 60 + [1]


def test_the_person_s_own_country_reads_the_number(bench: Bench) -> None:
    id = bench.contact(Phone="01.42.68.53.77", MailingCountryCode="FR")
    assert by_phone(bench, "+33142685377") == []
    told = {"country_codes": True, "phone_forms": ["national", "dialled"]}
    assert by_phone(bench, "+33142685377", **told) == [("Contact", id)]


def test_a_person_account_is_found_as_the_contact_behind_it(bench: Bench) -> None:
    number = a_number()
    account = bench.org.insert("Account", {"Name": "Ada", "Phone": number, "IsPersonAccount": True})
    contact = bench.org.get("Account", account)["PersonContactId"]
    assert by_phone(bench, number, person_accounts=True) == [("Contact", contact)]
    assert by_phone(bench, number, "Account", person_accounts=True) == [("Contact", contact)]


def test_a_merged_record_leads_to_the_one_that_is_left(bench: Bench) -> None:
    first, second, third = (bench.contact(Phone=a_number()) for _ in range(3))
    bench.org.merge(second, first)
    bench.org.merge(third, second)
    asked = [Lookup("Contact", "id", first), Lookup(PERSON, "id", second), Lookup(PERSON, "id", first[:15])]
    found = bench.connector.find(asked)
    assert [[record.id for record in records] for records in found] == [[third]] * 3
    bench.org.delete(third)
    assert list(bench.connector.find(asked[:1])) == [[]]


def test_a_converted_lead_leads_to_its_contact_and_its_number_to_nobody_else(bench: Bench) -> None:
    number = a_number()
    lead = bench.org.insert("Lead", {"LastName": "Byron", "Company": "Poems", "Phone": number})
    contact = bench.contact()
    bench.org.get("Lead", lead).update({"IsConverted": True, "ConvertedContactId": contact})
    ((record,),) = bench.connector.find([Lookup("Lead", "id", lead)])
    assert (record.object, record.id) == ("Contact", contact)
    assert by_phone(bench, number) == []


def test_by_key_and_with_wanted_fields(bench: Bench) -> None:
    id = bench.contact(Title="Countess", Legacy_Id__c="old-1")
    key = bench.org.get("Contact", id)["Hub_Key__c"]
    twin = bench.contact(Legacy_Id__c="old-1")
    asked = [
        Lookup(PERSON, "key", key, fields=("Title", "Company", "no_such_field", "Account.Website")),
        Lookup("Contact", "key", "old-1", key_field="Legacy_Id__c"),
        Lookup(PERSON, "key", "old-1", key_field="Legacy_Id__c"),  # leads and accounts have no such field
        Lookup("Case", "id", "500000000000000AAA"),
    ]
    by_key, old, anybody, none = bench.connector.find(asked)
    assert [record.fields["Title"] for record in by_key] == ["Countess"]
    assert {record.id for record in old} == {record.id for record in anybody} == {id, twin} and list(none) == []


def test_a_case_is_found_by_id_and_not_by_number(bench: Bench) -> None:
    case = next(iter(bench.org.all("Case")))
    ((record,),) = bench.connector.find([Lookup("Case", "id", case["Id"])])
    assert (record.object, record.title, record.fields["Status"]) == ("Case", case["Subject"], "New")
    with pytest.raises(Unsupported, match="Case is not searched by phone"):
        bench.connector.find([Lookup("Case", "phone", a_number())])


def test_whoever_shares_a_number_has_open_cases_or_not(bench: Bench) -> None:
    number = a_number()
    first, second = bench.contact(Phone=number), bench.contact(Phone=number)
    bench.org.insert("Case", {"Subject": "Open", "ContactId": second})
    bench.org.insert("Case", {"Subject": "Done", "ContactId": second, "Status": "Closed"})
    bench.org.insert("Task", {"Subject": "Call", "WhoId": first, "ActivityDate": "2026-11-20"})
    (found,) = bench.connector.find([Lookup(PERSON, "phone", number)])
    told = {record.id: (record.open_cases, record.last_contact_at) for record in found}
    assert told == {first: (0, dt.datetime(2026, 11, 20, tzinfo=dt.UTC)), second: (1, None)}


@pytest.mark.parametrize(
    "name", ["Contact/../../limits", "Contact WHERE Id != ''", "Contact?x=1", "", "Cöntact", "x" * 300]
)
def test_no_name_of_an_object_or_field_leaves_its_place(bench: Bench, name: str) -> None:
    bench.connector.check()
    calls: list[Callable[[], object]] = [
        lambda: bench.connector.describe(name),
        lambda: bench.connector.find([Lookup(name, "id", "003000000000000AAA")]),
        lambda: bench.connector.find([Lookup("Contact", "key", "k", key_field=name or "a b")]),
        lambda: list(bench.connector.pages(Query(object=name))),
        lambda: bench.connector.write(Target(object=name, key="Hub_Key__c"), [Row(key="k", fields={})]),
        lambda: bench.connector.write(Target(object="Task", key=name), [Row(key="k", fields={}, action="remove")]),
    ]
    with bench.counted() as count:
        for call in calls:
            with pytest.raises(Rejected):
                call()
    assert count == [0]


def test_links(bench: Bench) -> None:
    links = bench.connector.links
    root = bench.served.url
    assert links("open", "Contact", "003xx") == f"{root}/lightning/r/Contact/003xx/view"
    new = links("new", "Contact", fields={"name": "D'Arc, Jeanne", "phone": "+33 6", "Title": "100% sure & = more"})
    (told,) = parse_qs(urlsplit(new).query)["defaultFieldValues"]
    assert told == "LastName=D%27Arc%2C%20Jeanne,Phone=%2B33%206,Title=100%25%20sure%20%26%20%3D%20more"
    assert links("new", "Case") == f"{root}/lightning/o/Case/new"
    assert links("search", "Contact", fields={"phone": "+34612345678"}).startswith(f"{root}/one/one.app#ey")
