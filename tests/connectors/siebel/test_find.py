"""Finding in Siebel beyond the law of all connectors: numbers as Siebel stores them, keys, quoting, and who may be seen."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.crm.siebel.searchspec import askable, literal
from connectors.crm.siebel.values import stored_key
from hub.errors import NotFound, NotPermitted, Rejected, Unavailable, Unsupported
from hub.model import PERSON, Lookup, Query
from sandbox.siebel.schema import COMPONENTS
from tests.connectors.siebel.peer import CONTACTS, KEY, Peer
from tests.contract.given import HOSTILE, a_key, a_mail, a_number

ACCOUNTS = COMPONENTS["Account/Account"]
WAYS = ("stored", "typed")


def ids(found: Any) -> list[list[str]]:
    return [[record.id for record in records] for records in found]


def put(peer: Peer, **told: Any) -> str:
    names = {"mobile": "Cellular Phone #", "work": "Work Phone #", "home": "Home Phone #", "last": "Last Name"}
    record = {
        "Last Name": "Somebody",
        **{names.get(name, name.replace("_", " ")): value for name, value in told.items()},
    }
    return str(peer.sandbox.records.insert(CONTACTS, record)["Id"])


def asked(peer: Peer, lookups: list[Lookup], **settings: Any) -> list[list[str]]:
    connector: Any = peer.opened(**settings) if settings else peer.connector
    return ids(connector.find(lookups))


def specs(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the sandbox is asked from now on."""
    told: list[str] = []
    query = peer.sandbox.records.query

    def noted(component: Any, spec: str, parent: str = "") -> Any:
        told.append(spec)
        return query(component, spec, parent)

    monkeypatch.setattr(peer.sandbox.records, "query", noted)
    return told


# --- numbers ----------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("field", ["mobile", "work", "home"])
def test_a_number_is_found_whatever_mask_stands_behind_it(peer: Peer, way: str, field: str) -> None:
    number = a_number()
    plain, masked = put(peer, **{field: number}), put(peer, **{field: f"+34 {number[3:6]} {number[6:8]} {number[8:]}"})
    near, longer = put(peer, **{field: f"+33{number[3:]}"}), put(peer, **{field: f"{number}7"})
    stored = peer.sandbox.records.one(CONTACTS, masked)
    assert "\n" in next(stored[name] for name in ("Cellular Phone #", "Work Phone #", "Home Phone #") if stored[name])
    assert asked(peer, [Lookup("Contact", "phone", number)], phone_search=way) == [[plain, masked]]
    assert {near, longer}.isdisjoint(asked(peer, [Lookup(PERSON, "phone", number)], phone_search=way)[0])


def test_what_matched_is_told_without_its_mask(peer: Peer) -> None:
    number = a_number()
    put(peer, mobile=f"+34 {number[3:6]} {number[6:]}")
    (found,) = peer.connector.find([Lookup("Contact", "phone", number)])[0]  # type: ignore[attr-defined]
    assert (found.match.field, found.match.value) == ("Cellular Phone #", number)
    assert found.fields["Cellular Phone #"] == number


def test_north_america_stands_there_without_its_code(peer: Peer) -> None:
    number = f"+1212555{a_number()[-4:]}"
    mine = put(peer, work=number)
    assert peer.sandbox.records.one(CONTACTS, mine)["Work Phone #"] == number[2:]
    put(peer, work=f"+34{number[2:]}")
    assert asked(peer, [Lookup("Contact", "phone", number)]) == [[mine]]


def test_a_text_field_holds_what_was_typed(peer: Peer) -> None:
    """Spaces and all, without a country's code: found by its end, and compared as numbers of the hub's country."""
    number, settings = a_number(), {"phone_search": "typed", "phone_fields": ["Contact.Comment"]}
    mine, near = put(peer, Comment=f"({number[3:6]}) {number[6:]}"), put(peer, Comment=f"0033 {number[3:]}")
    found = asked(peer, [Lookup("Contact", "phone", number)], **settings)
    assert found == [[mine]] and near not in found[0]


@pytest.mark.parametrize("value", ["+1", "+", "+34", "12345", "+34123*", "anonymous", "", "*", "%", '+34" OR 1'])
def test_what_is_no_whole_number_is_never_asked_for(peer: Peer, value: str) -> None:
    before = peer.sandbox.faults.call_count
    assert asked(peer, [Lookup(PERSON, "phone", value)]) == [[]]
    assert peer.sandbox.faults.call_count == before


# --- people ----------------------------------------


def test_an_account_is_a_person_too_and_a_contact_has_one(peer: Peer) -> None:
    number, mail = a_number(), a_mail()
    engines = {"Name": f"Engines {a_key()}", "Location": "HQ", "Main Phone Number": number}
    account = str(peer.sandbox.records.insert(ACCOUNTS, engines)["Id"])
    ada = put(peer, First_Name="Ada", last="Lovelace", work=number, Email_Address=mail, Account_Id=account)
    by_phone, by_mail = peer.connector.find([Lookup(PERSON, "phone", number), Lookup(PERSON, "email", mail.upper())])  # type: ignore[attr-defined]
    assert [(one.object, one.id) for one in by_phone] == [("Contact", ada), ("Account", account)]
    assert ids([by_mail]) == [[ada]] and by_phone[1].title == engines["Name"]
    assert by_phone[0].title == "Ada Lovelace" and by_phone[0].account.id == account
    assert by_phone[0].account.title == engines["Name"] and by_phone[0].created_at and by_phone[0].updated_at
    assert by_phone[1].account is None and by_phone[0].url.endswith(f"SWEPostnRowId={ada}")


def test_prospects_are_asked_where_a_setting_names_their_fields(peer: Peer) -> None:
    number, prospects = a_number(), COMPONENTS["List Mgmt/List Mgmt Prospective Contact"]
    told = {"Last Name": "Prospect", "Cellular Phone #": number}
    prospect = str(peer.sandbox.records.insert(prospects, told)["Id"])
    contact = put(peer, mobile=number)
    fields = ["Prospect.Cellular Phone #", "Contact.Cellular Phone #"]
    assert asked(peer, [Lookup(PERSON, "phone", number)], phone_fields=fields) == [[contact, prospect]]
    assert asked(peer, [Lookup(PERSON, "phone", number)]) == [[contact]]


def test_one_caller_takes_one_call_for_each_kind_of_person(peer: Peer) -> None:
    before = peer.sandbox.faults.call_count
    asked(peer, [Lookup(PERSON, "phone", a_number())])
    assert peer.sandbox.faults.call_count - before == 2


def test_many_look_ups_take_few_calls(peer: Peer) -> None:
    numbers = [a_number() for _ in range(80)]
    records = [put(peer, mobile=number) for number in numbers]
    before = peer.sandbox.faults.call_count
    assert asked(peer, [Lookup("Contact", "phone", number) for number in numbers]) == [[id] for id in records]
    assert peer.sandbox.faults.call_count - before == 3


def test_each_look_up_of_a_batch_has_its_own_answer(peer: Peer) -> None:
    mails = [a_mail() for _ in range(3)]
    first, second = (put(peer, Email_Address=mail) for mail in mails[:2])
    wanted = [*(Lookup("Contact", "email", mail) for mail in mails), Lookup("Contact", "id", first)]
    assert asked(peer, wanted) == [[first], [second], [], [first]]


def test_more_than_a_page_of_people_with_one_number(peer: Peer) -> None:
    number = a_number()
    records = [put(peer, work=number) for _ in range(201)]
    assert asked(peer, [Lookup("Contact", "phone", number)]) == [records]


def test_wanted_fields_come_in_the_hub_s_terms(peer: Peer) -> None:
    number = a_number()
    put(peer, mobile=number, Birth_Date="12/10/1815", Suppress_All_Calls="Y", Job_Title="Countess")
    wanted = ("Birth Date", "Suppress All Calls", "Job Title", "Updated")
    (found,) = peer.connector.find([Lookup("Contact", "phone", number, fields=wanted)])[0]  # type: ignore[attr-defined]
    assert (found.fields["Birth Date"], found.fields["Suppress All Calls"]) == ("1815-12-10", True)
    assert found.fields["Job Title"] == "Countess" and found.fields["Updated"].endswith("Z")


def test_a_field_that_is_none_is_named(peer: Peer) -> None:
    with pytest.raises(Rejected, match="SBL-EAI-50258") as told:
        peer.connector.find([Lookup("Contact", "phone", a_number(), fields=("No Such Field",))])  # type: ignore[attr-defined]
    assert "No Such Field" in str(told.value)
    with pytest.raises(Rejected, match="is no name of a field"):
        peer.connector.find([Lookup("Contact", "phone", a_number(), fields=("Id,Comment",))])  # type: ignore[attr-defined]


@pytest.mark.parametrize("wanted", [(), ("Job Title",)])
def test_what_an_unchanged_repository_does_not_show_is_left_out(peer: Peer, wanted: tuple[str, ...]) -> None:
    number = a_number()
    mine = put(peer, mobile=number, Job_Title="Countess")
    peer.sandbox.faults.set("no_updated", times=-1)
    connector: Any = peer.opened()
    lookup = Lookup("Contact", "phone", number, fields=wanted)
    (found,) = connector.find([lookup])[0]
    assert found.id == mine and found.updated_at is None and ("Job Title" in found.fields) == bool(wanted)
    before = peer.sandbox.faults.call_count
    assert ids(connector.find([lookup])) == [[mine]] and peer.sandbox.faults.call_count - before == 1
    (page,) = connector.pages(Query(object="Contact", where={"Cellular Phone #": number}))
    assert [row["id"] for row in page.rows] == [mine]
    (page,) = connector.pages(Query(object="Contact", where={"Comment": "x"}, watermark="2099-01-01T00:00:00+00:00"))
    assert page.rows == []


def test_a_phone_field_that_is_none_is_said_and_not_left_out(peer: Peer) -> None:
    peer.sandbox.faults.set("no_updated", times=-1)
    with pytest.raises(Rejected, match="Phone That Is None"):
        asked(peer, [Lookup("Contact", "id", "1-1")], phone_fields=["Contact.Phone That Is None"])


def test_a_field_that_the_description_has_and_a_query_refuses_can_be_named(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    field, lacks = CONTACTS.field, "Suppress All Calls"
    monkeypatch.setattr(type(CONTACTS), "field", lambda self, name: None if name == lacks else field(name))
    with pytest.raises(Rejected, match=lacks):
        asked(peer, [Lookup("Contact", "id", "1-1")])
    assert asked(peer, [Lookup("Contact", "id", "1-1")], missing_fields=[f"Contact.{lacks}"]) == [[]]


# --- keys and ids ----------------------------------------


def test_a_key_is_that_of_the_key_field_or_the_row_id(peer: Peer) -> None:
    key, long = f"k{a_number()}", f"softphone:{a_key()}:{a_key()}"
    plain, digested = put(peer, Integration_Id=key), put(peer, Integration_Id=stored_key(long))
    assert len(long) > 30 and len(stored_key(long)) == 30
    wanted = [Lookup("Contact", "key", key), Lookup("Contact", "key", long), Lookup("Contact", "key", plain),
              Lookup("Contact", "key", key, key_field="Person UId"), Lookup("Contact", "id", plain)]  # fmt: skip
    assert asked(peer, wanted) == [[plain], [digested], [plain], [], [plain]]


def test_a_written_record_is_found_by_its_key_and_comes_as_it_was_written(peer: Peer) -> None:
    key = a_key()
    peer.connector.write(peer.target, [peer.row(key, "first")])  # type: ignore[attr-defined]
    fields = ("Started", "Done", "Duration Minutes", "Comment")
    (found,) = peer.connector.find([Lookup("Action", "key", key, key_field=KEY, fields=fields)])[0]  # type: ignore[attr-defined]
    assert [found.fields[name] for name in fields] == ["2026-11-23T10:02:00Z", "2026-11-23T10:05:13Z", "4", "first"]


def test_a_merged_contact_is_found_by_its_number_and_its_old_id_finds_nobody(peer: Peer) -> None:
    number = a_number()
    gone, left = put(peer, mobile=number), put(peer, mobile=number)
    peer.sandbox.records.delete(CONTACTS, gone)  # what a merge leaves of it
    assert asked(peer, [Lookup(PERSON, "phone", number), Lookup("Contact", "id", gone)]) == [[left], []]


def test_what_has_neither_number_nor_address_cannot_be_asked_for_one(peer: Peer) -> None:
    with pytest.raises(Unsupported):
        peer.connector.find([Lookup("Action", "phone", a_number())])  # type: ignore[attr-defined]
    with pytest.raises(Unsupported):
        peer.connector.find([Lookup("List Member", "id", "1-1")])  # type: ignore[attr-defined]
    with pytest.raises(NotFound, match=r'"Contakt".*"Contact"'):
        peer.connector.find([Lookup("Contakt", "id", "1-1")])  # type: ignore[attr-defined]


# --- quoting ----------------------------------------


@pytest.mark.parametrize("text", [*HOSTILE.values(), '" OR [Last Name] LIKE "*', "' OR [Last Name] LIKE '*", "*", "?", "a*",
                                  "[Id]", "x'", 'x"', "\\"], ids=repr)  # fmt: skip
@pytest.mark.parametrize("by", ["id", "key", "email"])
def test_no_value_finds_anybody_but_its_own(peer: Peer, by: Any, text: str) -> None:
    put(peer, Integration_Id="bystander", Email_Address="bystander@example.com")
    told = f"{text}@example.com" if by == "email" else text
    assert asked(peer, [Lookup("Contact", by, told)]) == [[]]
    if len(text) <= 30 and by == "key" and askable(text):
        mine = put(peer, Integration_Id=text)
        assert asked(peer, [Lookup("Contact", by, told)]) == [[mine]]
        peer.sandbox.records.delete(CONTACTS, mine)


@pytest.mark.parametrize(
    "mail", ["o'brien{}@example.com", 'o"brien{}@example.com', "a*{}@example.com", "a?{}@example.com"]
)
def test_a_quote_in_an_address_stands_in_the_other_kind(peer: Peer, mail: str) -> None:
    number = a_number()
    mine = put(peer, Email_Address=mail.format(number))
    put(peer, Email_Address=f"ab{number}@example.com")
    assert asked(peer, [Lookup("Contact", "email", mail.format(number))]) == [[mine]]


def test_a_value_that_cannot_be_quoted_is_no_literal() -> None:
    for text in ("'\"", "back\\slash", "two\nlines", "", "\x00", "\ud800"):
        assert not askable(text)
        with pytest.raises(Rejected):
            literal(text)
    assert (literal("O'Brien"), literal('3"')) == ('"O\'Brien"', "'3\"'")


def test_an_address_too_long_for_the_wire_is_not_asked_for(peer: Peer) -> None:
    before = peer.sandbox.faults.call_count
    assert asked(peer, [Lookup("Contact", "email", f"{'ñ' * 3000}@example.com")]) == [[]]
    assert peer.sandbox.faults.call_count == before


def test_what_is_asked_is_what_the_guides_write(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    told = specs(peer, monkeypatch)
    asked(peer, [Lookup("Account", "phone", "+34912345678"), Lookup("Contact", "email", "Ada@example.com")])
    assert told == ['[Email Address] ~= "Ada@example.com"', '[Main Phone Number] LIKE "+34912345678*"']


# --- servers ----------------------------------------


def test_an_older_server_s_answers_are_read_too(peer: Peer) -> None:
    number = a_number()
    mine = put(peer, mobile=number)
    peer.sandbox.faults.set("bare_records", times=-1)
    assert asked(peer, [Lookup("Contact", "phone", number)]) == [[mine]]
    peer.sandbox.faults.set("no_content", times=-1)
    assert asked(peer, [Lookup("Contact", "phone", a_number())]) == [[]]


def test_a_server_with_small_pages_says_so_and_is_asked_for_less(peer: Peer) -> None:
    number = a_number()
    records = [put(peer, work=number) for _ in range(45)]
    peer.sandbox.faults.set("small_pages", times=-1)
    with pytest.raises(Rejected, match="SBL-EAI-04447"):
        asked(peer, [Lookup("Contact", "phone", number)])
    assert asked(peer, [Lookup("Contact", "phone", number)], page_size=20) == [records]


def test_a_view_mode_that_hides_shows_nobody(peer: Peer) -> None:
    number = a_number()
    mine = put(peer, mobile=number)
    wanted = [Lookup("Contact", "phone", number)]
    assert asked(peer, wanted, view_modes=["Contact=Personal"]) == [[]]
    assert asked(peer, wanted, view_mode="") == asked(peer, wanted, view_mode="Catalog") == [[mine]]


def test_an_object_that_our_user_may_not_see_is_said(peer: Peer) -> None:
    peer.sandbox.faults.set("forbidden", times=-1)
    with pytest.raises(NotPermitted, match="SBL-DAT-00825"):
        asked(peer, [Lookup("Contact", "phone", a_number())])


def test_an_answer_that_is_no_records_is_no_answer(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.siebel.wire._item", lambda *told: {"Link": []})
    put(peer, mobile=(number := a_number()))
    with pytest.raises(Unavailable):
        asked(peer, [Lookup("Contact", "phone", number)])


def test_a_token_that_was_withdrawn_is_renewed_once(peer: Peer) -> None:
    connector: Any = peer.opened(client=True)
    number = a_number()
    mine = put(peer, mobile=number)
    assert ids(connector.find([Lookup("Contact", "phone", number)])) == [[mine]]
    peer.sandbox.service._tokens.clear()
    assert ids(connector.find([Lookup("Contact", "phone", number)])) == [[mine]]
