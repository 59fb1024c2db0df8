"""Finding in EspoCRM beyond the law of all connectors: further numbers, owners, other entity types, what is hidden."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import ConfigError, CredentialsRefused, NotPermitted, Unavailable, Unsupported
from hub.model import PERSON, Lookup
from tests.connectors.espocrm.peer import KEY, Peer
from tests.contract.given import a_key, a_mail, a_number


def add_number(peer: Peer, entity: str, id: str, number: str) -> None:
    record = peer.sandbox.records.one(entity, id)
    record["phoneNumberData"] = [*(record.get("phoneNumberData") or []), {"phoneNumber": number, "primary": False}]


def ids(found: Any) -> list[list[str]]:
    return [[record.id for record in records] for records in found]


def test_leads_and_accounts_are_people_too(peer: Peer) -> None:
    number, mail = a_number(), a_mail()
    put = peer.sandbox.records.put
    account = put("Account", name="Engines", phoneNumber=f"({number[3:6]}) {number[6:]}", emailAddress=mail)
    lead = put("Lead", firstName="Ada", lastName="Lovelace", phoneNumber=f"00 34 {number[3:]}", emailAddress=mail)
    by_phone, by_mail = peer.connector.find([Lookup(PERSON, "phone", number), Lookup(PERSON, "email", mail)])  # type: ignore[attr-defined]
    assert [(one.object, one.id) for one in by_phone] == [("Lead", lead), ("Account", account)]
    assert ids([by_mail]) == [[lead, account]] and by_phone[1].title == "Engines"


def test_a_further_number_and_address_are_found_and_compared(peer: Peer) -> None:
    first, second, mail = a_number(), a_number(), a_mail()
    id = peer.person("Two Numbers", phone=first, email=a_mail())
    add_number(peer, "Contact", id, f"{second[3:6]}-{second[6:]}")
    record = peer.sandbox.records.one("Contact", id)
    record["emailAddressData"].append({"emailAddress": mail.title(), "primary": False})
    asked = [Lookup(PERSON, "phone", second), Lookup(PERSON, "email", mail)]
    assert ids(peer.connector.find(asked)) == [[id], [id]]  # type: ignore[attr-defined]
    (found,) = peer.connector.find([asked[0]])[0]  # type: ignore[attr-defined]
    assert found.match.value == f"{second[3:6]}-{second[6:]}"


def test_a_record_answers_one_look_up_by_its_first_number_and_another_by_its_second(peer: Peer) -> None:
    first, second = a_number(), a_number()
    id = peer.person("Two Numbers", phone=first)
    add_number(peer, "Contact", id, second)
    assert ids(peer.connector.find([Lookup(PERSON, "phone", first), Lookup(PERSON, "phone", second)])) == [[id], [id]]  # type: ignore[attr-defined]


@pytest.mark.parametrize("search", ["numeric", "typed"])
def test_another_country_s_number_with_the_same_end_is_not_found(peer: Peer, search: str) -> None:
    number = a_number()
    connector: Any = peer.opened(phone_search=search)
    mine = peer.person("Mine", phone=f"{number[3:6]}.{number[6:8]}.{number[8:]}")
    peer.person("Near", phone=f"+33{number[3:]}")
    assert ids(connector.find([Lookup(PERSON, "phone", number)])) == [[mine]]


def test_the_owner_the_account_and_wanted_fields_come_with_it(peer: Peer) -> None:
    put, number = peer.sandbox.records.put, a_number()
    owner = put("User", userName=a_key(), lastName="Ana", emailAddress="ana.owns@example.com")
    account = put("Account", name="Engines")
    put("Contact", lastName="King", phoneNumber=number, accountId=account, assignedUserId=owner, title="Countess")
    (found,) = peer.connector.find([Lookup("Contact", "phone", number, fields=("title",))])[0]  # type: ignore[attr-defined]
    assert (found.owner, found.fields["title"]) == ("ana.owns@example.com", "Countess")
    assert found.account is not None and (found.account.id, found.account.title) == (account, "Engines")
    assert found.created_at and found.updated_at and found.url == f"{peer.served.url}/#Contact/view/{found.id}"


def test_who_may_not_see_users_finds_people_all_the_same(peer: Peer) -> None:
    number = a_number()
    peer.sandbox.records.put("Contact", lastName="King", phoneNumber=number, assignedUserId=a_key())
    peer.sandbox.faults.set("forbidden", after=1)
    (found,) = peer.connector.find([Lookup("Contact", "phone", number)])[0]  # type: ignore[attr-defined]
    assert found.owner is None


def test_an_agent_is_found_as_a_user(peer: Peer) -> None:
    mail = a_mail()
    user = peer.sandbox.records.put("User", userName=a_key(), lastName="Bruno", emailAddress=mail)
    assert ids(peer.connector.find([Lookup("User", "email", mail.upper())])) == [[user]]  # type: ignore[attr-defined]
    with pytest.raises(Unsupported):
        peer.connector.find([Lookup("Case", "email", mail)])  # type: ignore[attr-defined]


def test_a_key_means_the_key_field_where_the_entity_has_one(peer: Peer) -> None:
    key = a_key()
    call = peer.sandbox.records.put("Call", name="Call", patchbayKey=key)
    peer.sandbox.records.put("Call", name="Call", patchbayKey=key.upper())  # the database sees no difference
    contact = peer.sandbox.records.put("Contact", lastName="Keyed", patchbayKey=key)
    asked = [
        Lookup("Call", "key", key),
        Lookup("Contact", "key", key, key_field=KEY),
        Lookup("Contact", "key", contact),
    ]
    assert ids(peer.connector.find(asked)) == [[call], [contact], [contact]]  # type: ignore[attr-defined]


def test_a_record_by_its_key_comes_whole_so_that_what_a_person_changed_can_be_seen(peer: Peer) -> None:
    key, long = a_key(), "ñandú " * 5_000
    for text in ("short", long):
        peer.connector.write(peer.target, [peer.row(key, text)])  # type: ignore[attr-defined]
        (found,) = peer.connector.find([Lookup("Call", "key", key)])[0]  # type: ignore[attr-defined]
        assert found.fields["description"] == text and found.fields["direction"] == "Inbound"


def test_a_merged_contact_is_found_by_its_number_and_its_old_id_finds_nobody(peer: Peer) -> None:
    number = a_number()
    gone, left = peer.person("Gone", phone=number), peer.person("Left", phone=number)
    peer.sandbox.records.delete("Contact", gone)  # what a merge leaves of it
    assert ids(peer.connector.find([Lookup(PERSON, "phone", number), Lookup("Contact", "id", gone)])) == [[left], []]  # type: ignore[attr-defined]


def test_many_look_ups_take_few_calls(peer: Peer) -> None:
    numbers = [a_number() for _ in range(80)]
    put = [peer.person(f"Caller {n}", phone=number) for n, number in enumerate(numbers)]
    before = peer.sandbox.faults.call_count
    found = peer.connector.find([Lookup("Contact", "phone", number) for number in numbers])  # type: ignore[attr-defined]
    assert ids(found) == [[id] for id in put]
    assert peer.sandbox.faults.call_count - before <= 4


def test_one_look_up_of_a_caller_takes_one_call_for_each_entity(peer: Peer) -> None:
    before = peer.sandbox.faults.call_count
    peer.connector.find([Lookup(PERSON, "phone", a_number())])  # type: ignore[attr-defined]
    assert peer.sandbox.faults.call_count - before == 3


def test_a_short_number_reads_nobody_whole_for_it(peer: Peer) -> None:
    number = a_number()
    for n in range(5):
        peer.person(f"Near {n}", phone=f"+3461{n}00{number[-4:]}")
    before = peer.sandbox.faults.call_count
    assert ids(peer.connector.find([Lookup("Contact", "phone", number[-4:])])) == [[]]  # type: ignore[attr-defined]
    assert peer.sandbox.faults.call_count - before == 1


def test_owners_are_asked_for_once_in_an_hour(peer: Peer) -> None:
    owner, mail = peer.sandbox.records.put("User", userName=a_key(), lastName="Ana", emailAddress=a_mail()), a_mail()
    asked = [Lookup("Contact", "email", mail)]
    peer.sandbox.records.put("Contact", lastName="King", emailAddress=mail, assignedUserId=owner)
    before = peer.sandbox.faults.call_count
    for _ in range(3):
        assert peer.connector.find(asked)[0][0].owner  # type: ignore[attr-defined]
    assert peer.sandbox.faults.call_count - before == 4


def test_who_is_asked_is_a_setting(peer: Peer) -> None:
    connector: Any = peer.opened(people=["Lead"])
    number = a_number()
    peer.person("Contact", phone=number)
    assert ids(connector.find([Lookup(PERSON, "phone", number)])) == [[]]


@pytest.mark.parametrize(("fault", "error"), [("forbidden", NotPermitted), ("maintenance", Unavailable),
                                              ("broken", Unavailable)])  # fmt: skip
def test_a_fault_of_espocrm_s_own(peer: Peer, fault: str, error: type[Exception]) -> None:
    peer.sandbox.faults.set(fault)
    with pytest.raises(error):
        peer.connector.find([Lookup(PERSON, "phone", a_number())])  # type: ignore[attr-defined]


def test_a_server_with_smaller_pages_needs_the_setting(peer: Peer) -> None:
    peer.sandbox.faults.set("small_pages", times=-1)
    with pytest.raises(NotPermitted, match="Max size should not exceed 20"):
        peer.connector.find([Lookup(PERSON, "phone", a_number())])  # type: ignore[attr-defined]
    number = a_number()
    put = {peer.person(f"Twin {n}", phone=number) for n in range(45)}
    connector: Any = peer.opened(page_size=20)
    (found,) = connector.find([Lookup("Contact", "phone", number)])
    assert {one.id for one in found} == put and len(found) == 45


@pytest.mark.parametrize("wrong", [{"phone_search": "exact"}, {"duplicates": "merge"}, {"hmac_digest": "md5"},
                                   {"phone_fields": ["phoneNumber"]}])  # fmt: skip
def test_a_wrong_setting_is_said_at_once(peer: Peer, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        peer.opened(**wrong)


@pytest.mark.parametrize("digest", ["hex", "raw"])
def test_a_signed_request_is_taken_and_one_with_another_secret_is_not(peer: Peer, digest: str) -> None:
    sandbox = peer.sandbox
    signed: Any = peer.opened(api_key=sandbox.hmac_key, secret_key=sandbox.hmac_secret, hmac_digest=digest)
    assert signed.check().user == "patchbay"
    id = peer.person("Signed")
    assert ids(signed.find([Lookup("Contact", "id", id)])) == [[id]]
    wrong: Any = peer.opened(api_key=sandbox.hmac_key, secret_key="another", hmac_digest=digest)
    with pytest.raises(CredentialsRefused) as refused:
        wrong.check()
    assert "another" not in str(refused.value) and sandbox.hmac_key not in str(refused.value)
