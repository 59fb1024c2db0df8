"""Finding in Dolibarr beyond the law: numbers as typed, third parties, keys of others, what filters cannot carry."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.crm.dolibarr.filters import equal
from hub.errors import ConfigError, CredentialsRefused, NotPermitted, Rejected, Unavailable, Unsupported
from hub.model import PERSON, Lookup, Row, Target
from tests.connectors.dolibarr.peer import Peer
from tests.contract.given import HOSTILE, a_key, a_mail, a_number


def ids(found: Any) -> list[list[str]]:
    return [[record.id for record in records] for records in found]


def test_third_parties_are_people_too_after_contacts(peer: Peer) -> None:
    number, mail = a_number(), a_mail()
    company = peer.sandbox.records.put("thirdparties", name="Engines", phone=f"00 34 {number[3:]}", email=mail)
    contact = peer.person("Ada Lovelace", phone=f"({number[3:6]}) {number[6:]}", email=mail.title())
    by_phone, by_mail = peer.connector.find([Lookup(PERSON, "phone", number), Lookup(PERSON, "email", mail)])
    assert [(one.object, one.id) for one in by_phone] == [("contacts", contact), ("thirdparties", company)]
    assert ids([by_mail]) == [[contact, company]] and by_phone[1].title == "Engines"
    assert by_phone[1].url == f"{peer.served.url}/societe/card.php?socid={company}"


@pytest.mark.parametrize("field", ["phone_pro", "phone_perso", "phone_mobile"])
@pytest.mark.parametrize("typed", ["{n}", "0034{n}", "{a}.{b}.{c}", "+34 ({a}) {b}-{c} ", "{a}/{b}{c}"])
def test_a_number_is_found_however_and_wherever_it_was_typed(peer: Peer, field: str, typed: str) -> None:
    number = a_number()
    text = typed.format(n=number[3:], a=number[3:6], b=number[6:9], c=number[9:])
    id = peer.sandbox.records.put("contacts", lastname="Typed", **{field: text})
    (found,) = peer.connector.find([Lookup(PERSON, "phone", number)])[0]
    assert (found.id, found.match.field, found.match.value) == (id, field, text)


def test_another_country_s_number_with_the_same_end_is_not_found(peer: Peer) -> None:
    number = f"+34612{a_number()[6:]}"  # a mobile number in France too, where not every 6 begins one
    mine, french = peer.person("Mine", phone=number[3:]), peer.person("Near", phone=f"+33{number[3:]}")
    records = peer.sandbox.records
    abroad = records.put("contacts", lastname="Abroad", phone_pro=f"0{number[3:]}", country_code="FR")
    assert ids(peer.connector.find([Lookup(PERSON, "phone", number)])) == [[mine]]
    assert ids(peer.connector.find([Lookup(PERSON, "phone", f"+33{number[3:]}")])) == [[french, abroad]]


def test_the_company_extra_fields_and_wanted_fields_come_with_it(peer: Peer) -> None:
    put, number = peer.sandbox.records.put, a_number()
    company = put("thirdparties", name="Engines")
    put("contacts", lastname="King", phone_pro=number, socid=company, note_public="Countess",
        array_options={"options_consent": 1})  # fmt: skip
    asked = Lookup("contacts", "phone", number, fields=("note_public", "options_consent"))
    (found,) = peer.connector.find([asked])[0]
    assert (found.fields["note_public"], found.fields["options_consent"]) == ("Countess", "1")
    assert found.account is not None and (found.account.id, found.account.title) == (company, "Engines")
    assert found.created_at and found.updated_at


def test_an_agent_is_found_as_a_user(peer: Peer) -> None:
    mail = a_mail()
    user = peer.sandbox.records.put("users", login=a_key(), lastname="Bruno", email=mail)
    assert ids(peer.connector.find([Lookup("users", "email", mail.upper())])) == [[user]]
    for by in ("email", "phone"):
        with pytest.raises(Unsupported):
            peer.connector.find([Lookup("tickets", by, mail)])
    with pytest.raises(Unsupported, match='did you mean "contacts"'):
        peer.connector.find([Lookup("contact", "email", mail)])


@pytest.mark.parametrize("text", [*HOSTILE.values(), "a:b", "a__NOW__b", "%", "a%", "_" * 9, "\\%", "x' OR 'a'='a"])
@pytest.mark.parametrize("version", ["peer", "old"])
def test_a_hostile_key_finds_itself_alone(version: str, text: str, request: pytest.FixtureRequest) -> None:
    peer: Peer = request.getfixturevalue(version)
    key = f"{a_key()}{text}"[:128].rstrip()
    mine = peer.sandbox.records.put("contacts", lastname="Keyed", ref_ext=key)
    peer.sandbox.records.put("contacts", lastname="Near", ref_ext=f"{key[:-1]}~"[:128])
    peer.sandbox.records.put("contacts", lastname="In capitals", ref_ext=key.upper()[:128])
    assert ids(peer.connector.find([Lookup("contacts", "key", key)])) == [[mine]]


@pytest.mark.parametrize("text", [*HOSTILE.values(), "a:b", "a__NOW__b", "(a)", "a,b", "O'Brien", "ñ é", "a&b;c", "\0"])
def test_a_value_in_a_filter_has_nothing_that_any_version_reads_otherwise(text: str) -> None:
    told = equal("t.x", f"k{text}"[:255])
    field, _, value = told.removeprefix("(").removesuffix(")").rpartition(":")
    assert field in ("t.x:=", "t.x:like") and value.startswith("'k") and value.endswith("'")
    assert all(sign.isalnum() or sign in "@.+-_" for sign in value[1:-1]) and "__" not in value * field.endswith("=")


def test_a_key_that_the_hub_wrote_and_one_of_another_system_are_both_found(peer: Peer) -> None:
    ours, theirs = a_key(), f"CRM:{a_number()}"
    (receipt,) = peer.connector.write(peer.target, [peer.row(ours, "hello")])
    contact = peer.sandbox.records.put("contacts", lastname="Theirs", ref_ext=theirs)
    login = peer.sandbox.records.put("users", login=a_key()[:50])
    named = peer.sandbox.records.one("users", login)["login"]
    asked = [Lookup("agendaevents", "key", ours), Lookup("contacts", "key", theirs),
             Lookup("contacts", "key", contact, "id"), Lookup("users", "key", named)]  # fmt: skip
    assert ids(peer.connector.find(asked)) == [[receipt.id], [contact], [contact], [login]]


def test_an_event_by_its_key_comes_whole_and_with_the_key(peer: Peer) -> None:
    keys = [a_key() for _ in range(3)]
    peer.connector.write(peer.target, [peer.row(key, f"text {key}") for key in keys])
    found = peer.connector.find([Lookup("agendaevents", "key", key) for key in keys])
    for key, (record,) in zip(keys, found, strict=True):
        assert record.fields["ref_ext"] == key and key in record.fields["note_private"]
        assert record.fields["percentage"] == "100" and record.title == "Call"


def test_keys_of_events_that_are_not_there_take_one_call(peer: Peer) -> None:
    keys = [a_key() for _ in range(30)]
    asked = [Lookup("agendaevents", "key", key) for key in [*keys, keys[0]]]
    before = peer.sandbox.faults.call_count
    assert ids(peer.connector.find(asked)) == [[]] * 31
    assert peer.sandbox.faults.call_count - before == 1
    made = peer.connector.write(peer.target, [peer.row(keys[0], "one of many"), peer.row(keys[20], "another")])
    before = peer.sandbox.faults.call_count
    found = ids(peer.connector.find(asked))
    assert (found[0], found[20], found[30]) == ([made[0].id], [made[1].id], [made[0].id]) and sum(map(len, found)) == 3
    assert peer.sandbox.faults.call_count - before <= 19


def test_a_ticket_is_found_by_its_key_and_by_its_own_track_id(peer: Peer) -> None:
    key = a_key()
    row = Row(key=key, fields={"subject": "Where is it?", "message": "My order"})
    (made,) = peer.connector.write(Target(object="tickets", key="track_id"), [row])
    track_id = peer.sandbox.records.one("tickets", made.id)["track_id"]
    asked = [Lookup("tickets", "key", key), Lookup("tickets", "key", track_id)]
    assert ids(peer.connector.find(asked)) == [[made.id]] * 2 and "call" not in track_id


def test_a_merged_third_party_is_found_by_its_number_and_its_old_id_finds_nobody(peer: Peer) -> None:
    number, put = a_number(), peer.sandbox.records.put
    gone, left = put("thirdparties", name="Gone", phone=number), put("thirdparties", name="Left")
    peer.sandbox.records.merge(left, gone)
    asked = [Lookup(PERSON, "phone", number), Lookup("thirdparties", "id", gone)]
    assert ids(peer.connector.find(asked)) == [[left], []]


def test_many_look_ups_take_few_calls(peer: Peer) -> None:
    numbers = [a_number() for _ in range(80)]
    put = [peer.person(f"Caller {n}", phone=number) for n, number in enumerate(numbers)]
    before = peer.sandbox.faults.call_count
    found = peer.connector.find([Lookup("contacts", "phone", number) for number in numbers])
    assert ids(found) == [[id] for id in put]
    assert peer.sandbox.faults.call_count - before <= 7


def test_one_look_up_of_a_caller_takes_one_call_for_each_object(peer: Peer) -> None:
    before = peer.sandbox.faults.call_count
    peer.connector.find([Lookup(PERSON, "phone", a_number())])
    assert peer.sandbox.faults.call_count - before == 2


def test_what_nobody_can_have_is_not_asked(peer: Peer) -> None:
    before = peer.sandbox.faults.call_count
    asked = [Lookup("contacts", "phone", "112"), Lookup("contacts", "email", "nobody"), Lookup("contacts", "id", "12x"),
             Lookup("contacts", "key", ""), Lookup("contacts", "id", "²")]  # fmt: skip
    assert ids(peer.connector.find(asked)) == [[]] * 5
    assert peer.sandbox.faults.call_count == before


@pytest.mark.parametrize(
    ("fault", "error", "old_error"),
    [
        ("refused", CredentialsRefused, CredentialsRefused),
        ("forbidden", NotPermitted, NotPermitted),
        ("address", CredentialsRefused, CredentialsRefused),
        ("endpoint_off", Unsupported, Unsupported),
        ("module_off", Unavailable, Unavailable),
        ("database", Unavailable, Unavailable),
    ],
)
def test_what_dolibarr_says_is_told_apart(peer: Peer, old: Peer, fault: str, error: Any, old_error: Any) -> None:
    for one, expected in ((peer, error), (old, old_error)):
        one.sandbox.faults.set(fault)
        with pytest.raises(expected) as failed:
            one.connector.find([Lookup("contacts", "phone", "+34612345678")])
        assert type(failed.value) is expected and "12345678" not in str(failed.value)


def test_a_column_that_this_version_does_not_have_is_named(peer: Peer) -> None:
    connector: Any = peer.opened(phone_fields=["thirdparties.phone_mobile"])
    with pytest.raises(Rejected) as failed:
        connector.find([Lookup("thirdparties", "phone", a_number())])
    assert list(failed.value.fields) == ["phone_mobile"]


def test_an_address_without_a_dolibarr_is_no_empty_list(peer: Peer) -> None:
    connector: Any = peer.opened(url=f"{peer.served.url}/elsewhere")
    with pytest.raises(Unavailable):
        connector.find([Lookup("contacts", "phone", a_number())])


@pytest.mark.parametrize("told", [{"people": ["leads"]}, {"objects": ["contact"]}, {"phone_fields": ["contacts"]},
                                  {"mail_fields": ["leads.email"]}, {"extra_fields": ["contacts.x'y"]}])  # fmt: skip
def test_settings_that_name_nothing_are_refused(peer: Peer, told: Any) -> None:
    with pytest.raises(ConfigError, match=next(iter(told))):
        peer.opened(**told)
