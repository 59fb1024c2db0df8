"""The embedded CRM's store: look-ups, batches and what is wrong with a row, on both engines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.errors import NotFound, Rejected, Unsupported
from hub.model import PERSON, Lookup, LookupBy, Match, Row
from hub.store.crm import OBJECTS, Change, Crm, screens
from hub.store.crm.schema import phones
from hub.store.database import Store


@pytest.fixture
def crm(store: Store) -> Crm:
    """An empty CRM of a Spanish company."""
    return Crm(store.engine, "ES")


def put(crm: Crm, object: str, key: str, **fields: Any) -> Change:
    """Upsert one record."""
    return crm.write(object, OBJECTS[object].key, [Row(key=key, fields=fields)])[0]


def made(crm: Crm, object: str, key: str, **fields: Any) -> str:
    """The id of a record that was made."""
    change = put(crm, object, key, **fields)
    assert change.outcome == "created", change.error
    return change.id


def wrong(crm: Crm, object: str, key: str = "k", **fields: Any) -> dict[str, str]:
    """What is wrong with a row, by field."""
    change = put(crm, object, key, **fields)
    assert change.outcome == "failed"
    assert isinstance(change.error, Rejected)
    return change.error.fields


def by_phone(crm: Crm, value: str, object: str = PERSON) -> list[str]:
    """The ids of the records with that number."""
    return [record.id for record in crm.find([Lookup(object, "phone", value)])[0]]


# --- look-ups ----------------------------------------


TYPED = [
    "612 34 56 78", "+34 612 34 56 78", "0034612345678", "(+34) 612.345.678", "612-34-56-78", "91 411 22 33 / 612 34 56 78",
    "612345678 o 914112233", "+34612345678 ext 5",
]  # fmt: skip


def test_a_number_is_found_however_it_was_typed(crm: Crm) -> None:
    for typed in TYPED:
        put(crm, "contact", "c", last_name="Romero", phone=typed)
        [record] = crm.find([Lookup(PERSON, "phone", "+34612345678")])[0]
        assert (record.id, record.match) == ("C-1001", Match("phone", typed))
        assert by_phone(crm, "612 345 678") == ["C-1001"]
        assert by_phone(crm, "+34612345679") == []


def test_a_number_is_read_by_its_own_country(crm: Crm) -> None:
    contact = made(crm, "contact", "c", last_name="Thorne", phone="020 7946 0123", country="gb")
    assert by_phone(crm, "+442079460123") == [contact]
    put(crm, "contact", "c", country="DE")
    assert by_phone(crm, "+442079460123") == []


def test_an_old_number_is_forgotten_and_a_new_one_known(crm: Crm, store: Store) -> None:
    contact = made(crm, "contact", "c", last_name="Peña", phone="612345678", mobile="699111222")
    put(crm, "contact", "c", phone="4021")
    assert by_phone(crm, "+34612345678") == []
    assert by_phone(crm, "4021") == by_phone(crm, "+34699111222") == [contact]
    put(crm, "contact", "c", phone=None, mobile="")
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(phones)).scalar_one() == 0


def test_people_companies_and_leads_with_one_number_come_in_their_order(crm: Crm) -> None:
    account = made(crm, "account", "a", name="Cantera", phone="944123400")
    lead = made(crm, "lead", "l", last_name="B", phone="944123400")
    contacts = [
        made(crm, "contact", f"c{n}", last_name="A", phone="+34 944 12 34 00", account=account) for n in range(2)
    ]
    assert by_phone(crm, "+34944123400") == [*contacts, lead, account]
    assert by_phone(crm, "+34944123400", "lead") == [lead]
    assert crm.record("contact", contacts[0]).account.title == "Cantera"  # type: ignore[union-attr]


def test_one_batch_answers_every_kind_of_lookup_in_its_order(crm: Crm) -> None:
    contact = made(crm, "contact", "key-1", last_name="Romero", email="Lucia@Example.ORG", phone="612345678")
    campaign = made(crm, "campaign", "spring", name="Spring")
    found = crm.find(
        [
            Lookup(PERSON, "email", " lucia@example.org "),
            Lookup("contact", "key", "key-1"),
            Lookup("campaign", "key", "spring"),
            Lookup("contact", "key", "key-2"),
            Lookup(PERSON, "id", contact),
            Lookup("contact", "key", contact, key_field="id"),
            Lookup("contact", "phone", "+34612345678"),
            Lookup("account", "email", "lucia@example.org"),
        ]
    )
    assert [[record.id for record in records] for records in found] == [
        [contact], [contact], [campaign], [], [contact], [contact], [contact], []
    ]  # fmt: skip
    assert found[0][0].match == Match("email", "Lucia@Example.ORG")


def test_a_lookup_that_cannot_be_says_what_can(crm: Crm) -> None:
    with pytest.raises(NotFound, match='did you mean "contact"'):
        crm.find([Lookup("contacts", "id", "C-1")])
    with pytest.raises(Rejected, match="contact_key and id are"):
        crm.find([Lookup("contact", "key", "x", key_field="email")])
    with pytest.raises(Unsupported, match="by key or id"):
        crm.find([Lookup("activity", "phone", "612345678")])


def test_a_record_tells_its_open_cases_and_its_last_contact(crm: Crm) -> None:
    contact = made(crm, "contact", "c", last_name="Ferrer")
    made(crm, "case", "1", subject="Broken", contact=contact)
    made(crm, "case", "2", subject="Mended", contact=contact, status="closed")
    for key, day in (("x", 3), ("y", 9), ("z", 5)):
        made(crm, "activity", key, contact=contact, started_at=f"2026-11-0{day}T10:00:00+01:00")
    record = crm.record("contact", contact)
    assert record is not None
    assert (record.open_cases, record.last_contact_at) == (1, datetime(2026, 11, 9, 9, 0, tzinfo=UTC))


# --- batches ----------------------------------------


def test_the_same_key_is_the_same_record(crm: Crm) -> None:
    first = put(crm, "activity", "softphone:call-1", subject="Call", provisional=True)
    second = put(crm, "activity", "softphone:call-1", subject="Call", provisional=True)
    third = put(crm, "activity", "softphone:call-1", provisional=False, comment="Wants the red one")
    assert [change.outcome for change in (first, second, third)] == ["created", "unchanged", "updated"]
    assert {change.id for change in (first, second, third)} == {"ACT-1001"}
    record = crm.record("activity", "ACT-1001")
    assert record is not None
    assert record.fields["subject"] == "Call"  # what a row does not name stays as it is


def test_a_key_twice_in_a_batch_is_one_record_with_the_later_row_on_top(crm: Crm) -> None:
    rows = [Row(key="k", fields={"subject": "One", "queue": "Sales"}), Row(key="k", fields={"subject": "Two"})]
    changes = crm.write("activity", "interaction_key", rows)
    assert [(change.outcome, change.id) for change in changes] == [("created", "ACT-1001"), ("updated", "ACT-1001")]
    record = crm.record("activity", "ACT-1001")
    assert record is not None
    assert (record.fields["subject"], record.fields["queue"]) == ("Two", "Sales")


def test_writers_side_by_side_never_make_two_of_one_key(crm: Crm) -> None:
    def batch(writer: int) -> list[Change]:
        rows = [Row(key=f"call-{n}", fields={"agent": str(writer)}) for n in range(50)]
        return crm.write("activity", "interaction_key", rows if writer % 2 else rows[::-1])

    with ThreadPoolExecutor(8) as pool:
        written = [change for changes in pool.map(batch, range(8)) for change in changes]
    assert sum(change.outcome == "created" for change in written) == 50
    assert not [change for change in written if change.error]
    assert len({change.id for change in written}) == 50


def test_a_wrong_row_fails_alone_and_says_all_that_is_wrong(crm: Crm) -> None:
    rows = [
        Row(key="1", fields={"last_name": "Good"}),
        Row(key="2", fields={"lastname": "Bad", "vip": "yes", "account": "A-9", "consent": None}),
        Row(key="3", fields={"last_name": "Good too"}),
    ]
    changes = crm.write("contact", "contact_key", rows)
    assert [change.outcome for change in changes] == ["created", "failed", "created"]
    assert isinstance(changes[1].error, Rejected)
    assert changes[1].error.fields == {
        "lastname": 'is no field of contact, did you mean "last_name"?',
        "vip": "is a text, not true or false",
        "account": 'names the account "A-9", which is not there',
        "last_name": "is required",
    }
    assert [change.id for change in changes] == ["C-1001", "", "C-1002"]


WRONG: list[tuple[str, str, Any, str]] = [
    ("contact", "first_name", 7, "is a number, not a text"),
    ("contact", "first_name", "x" * 121, "has 121 characters, at most 120 fit"),
    ("contact", "last_name", "a\x00b", "NUL"),
    ("contact", "last_name", "\ud800", "half a character"),
    ("contact", "email", "nobody", "is no e-mail address"),
    ("contact", "do_not_call", 1, "is a number, not true or false"),
    ("contact", "country", "Spain", "at most 2 fit"),
    ("contact", "id", "C-7", "is given by the CRM"),
    ("activity", "channel", "vioce", 'did you mean "voice"?'),
    ("activity", "channel", "pigeon", "it takes voice, email, chat, sms, task"),
    ("activity", "duration_seconds", 1.5, "not a whole number"),
    ("activity", "duration_seconds", True, "is true or false, not a whole number"),
    ("activity", "duration_seconds", float("nan"), "not a whole number"),
    ("activity", "duration_seconds", 10**30, "beyond all reason"),
    ("activity", "started_at", "yesterday", "is no date and time"),
    ("activity", "started_at", "2026-11-23T10:05:40", "lacks its zone"),
    ("activity", "started_at", "0001-01-01T00:00:00+14:00", "beyond the calendar"),
    ("activity", "recording_url", "javascript:alert(1)", "https://"),
    ("activity", "comment", "x" * 131_073, "at most 131072 fit"),
    ("activity", "agent", {"name": "Ana"}, "is an object, not a text"),
    ("case", "contact", "nobody", 'names the contact "nobody", which is not there'),
    ("campaign_member", "campaign", None, "is required"),
]


def test_a_wrong_value_says_what_would_be_right(crm: Crm) -> None:
    for object, field, value, problem in WRONG:
        assert problem in wrong(crm, object, **{field: value})[field], (object, field, value)


def test_a_key_has_to_be_a_key(crm: Crm) -> None:
    with pytest.raises(Rejected, match="contact_key and id are"):
        crm.write("contact", "email", [Row(key="x", fields={})])
    assert "needs its key" in wrong(crm, "contact", "", last_name="X")["contact_key"]
    assert "NUL" in wrong(crm, "contact", "a\x00", last_name="X")["contact_key"]
    assert "another one" in wrong(crm, "contact", "a", last_name="X", contact_key="b")["contact_key"]


def test_by_id_a_record_is_changed_but_never_made(crm: Crm) -> None:
    one, two = (made(crm, "contact", key, last_name="X") for key in ("a", "b"))
    rows = [
        Row(key=one, fields={"contact_key": "c", "comment": "Moved"}),
        Row(key=two, fields={"contact_key": "c"}),
        Row(key="C-9999", fields={"last_name": "Nobody"}),
    ]
    changes = crm.write("contact", "id", rows)
    assert [change.outcome for change in changes] == ["updated", "failed", "failed"]
    assert changes[1].error is not None and str(changes[1].error) == f"contact_key is the key of {one} already"
    assert isinstance(changes[2].error, NotFound)


def test_a_reference_is_an_id_or_a_key(crm: Crm) -> None:
    account = made(crm, "account", "acme", name="Acme")
    for key, word in (("a", account), ("b", "acme")):
        made(crm, "contact", key, last_name="X", account=word)
    records = crm.find([Lookup("contact", "key", key) for key in ("a", "b")])
    assert [record.fields["account"] for [record] in records] == [account, account]


HOSTILE = {
    "quotes": "O'Brien \"'; DROP TABLE crm_contacts; --",
    "like": "100%_\\",
    "right to left": "שלום \u202e عالم",
    "emoji": "👩🏽‍🚀 ok",
    "markup": "<script>alert(1)</script> & {{ 7*7 }}",
    "lines": "\n one\r\n two\n",
    "long": "ñ" * 100_000,
}


def test_hostile_text_comes_back_as_it_went_in(crm: Crm) -> None:
    for what, text in HOSTILE.items():
        key = text[:100]
        activity = made(crm, "activity", key, comment=text)
        [record] = crm.find([Lookup("activity", "key", key)])[0]
        assert (record.id, record.fields["comment"]) == (activity, text), what


def test_a_hostile_lookup_finds_nobody(crm: Crm) -> None:
    made(crm, "contact", "a", last_name="X", phone="612345678", email="ab@example.org")
    values = ["", "%", "_", "' OR 1=1 --", "a\x00b", "\ud800", "9" * 5000, "+" * 50, "٣٤"]
    ways: tuple[LookupBy, ...] = ("phone", "email", "key", "id")
    asked = [Lookup(PERSON, by, value) for by in ways for value in values]
    assert crm.find(asked) == [[]] * len(asked)


# --- removing ----------------------------------------


def test_a_record_is_removed_once_and_gone_with_its_numbers(crm: Crm) -> None:
    made(crm, "contact", "a", last_name="X", phone="612345678")
    gone = Row(key="a", fields={}, action="remove")
    assert [crm.write("contact", "contact_key", [gone])[0].outcome for _ in range(2)] == ["removed", "unchanged"]
    assert by_phone(crm, "+34612345678") == []


def test_what_others_refer_to_stays(crm: Crm) -> None:
    contact = made(crm, "contact", "a", last_name="X")
    made(crm, "case", "1", subject="Broken", contact=contact)
    [change] = crm.write("contact", "contact_key", [Row(key="a", fields={}, action="remove")])
    assert change.outcome == "failed"
    assert str(change.error) == f"id {contact} stays: cases refer to it"


def test_removed_and_made_again_in_one_batch_is_the_same_record(crm: Crm) -> None:
    contact = made(crm, "contact", "a", last_name="X", vip=True)
    rows = [Row(key="a", fields={}, action="remove"), Row(key="a", fields={"last_name": "Y"})]
    assert [change.outcome for change in crm.write("contact", "contact_key", rows)] == ["removed", "created"]
    record = crm.record("contact", contact)
    assert record is not None
    assert (record.title, record.fields["vip"]) == ("Y", False)


# --- people's wishes ----------------------------------------


def test_who_does_not_want_to_be_contacted_is_not_called(crm: Crm) -> None:
    campaign = made(crm, "campaign", "spring", name="Spring")
    for object in ("contact", "lead"):
        person, other = (made(crm, object, key, last_name="X") for key in ("a", "b"))
        for who in (person, other):
            made(crm, "campaign_member", who, campaign=campaign, **{object: who})
        put(crm, "campaign_member", person, result="Stop", result_class="do_not_contact")
        put(crm, "campaign_member", other, result="Later", result_class="callback")
        records = [crm.record(object, id_) for id_ in (person, other)]
        assert [record and record.fields["do_not_call"] for record in records] == [True, False]


def test_a_member_is_one_person(crm: Crm) -> None:
    made(crm, "campaign", "spring", name="Spring")
    contact, lead = made(crm, "contact", "c", last_name="X"), made(crm, "lead", "l", last_name="Y")
    assert "exactly one" in wrong(crm, "campaign_member", campaign="spring")["contact"]
    assert "exactly one" in wrong(crm, "campaign_member", campaign="spring", contact=contact, lead=lead)["contact"]


# --- as a person makes it ----------------------------------------


def test_a_new_record_gets_its_id_for_a_key_and_takes_nobody_elses(crm: Crm) -> None:
    first = crm.create("contact", {"last_name": "X"})
    record = crm.record("contact", first.id)
    assert record is not None and record.fields["contact_key"] == first.id == "C-1001"
    taken = crm.create("contact", {"last_name": "Y", "contact_key": "C-1001"})
    assert str(taken.error) == "contact_key is the key of C-1001 already"


# --- search ----------------------------------------


def searched(crm: Crm, words: str) -> list[str]:
    """The titles of what a search finds."""
    with crm.store.read() as connection:
        found, _ = screens.search(connection, words, crm.country)
    return [record.title for record in found]


def test_search_finds_by_name_number_mail_and_id(crm: Crm) -> None:
    made(
        crm, "contact", "key-7", first_name="Íñigo", last_name="Núñez", email="inigo@example.org", phone="612 34 56 78"
    )
    made(crm, "account", "acme", name="Acme 100% Energía")
    for words in ("nunez", "ÍÑIGO n", "612-345-678", "Inigo@example.org", "c-1001", "key-7", "  inigo  "):
        assert searched(crm, words) == ["Íñigo Núñez"], words
    assert searched(crm, "100%") == searched(crm, "energia") == ["Acme 100% Energía"]
    for words in ("", "   ", "%", "_", "nu_ez", "\\", "a\x00", "'", "C-99999999999999999"):
        assert "Íñigo Núñez" not in searched(crm, words), words


def test_search_says_when_there_is_more(crm: Crm) -> None:
    crm.write("contact", "contact_key", [Row(key=str(n), fields={"last_name": f"Twin {n}"}) for n in range(9)])
    with crm.store.read() as connection:
        found, more = screens.search(connection, "twin", "ES", limit=5)
        assert (len(found), more) == (5, True)
        found, more = screens.search(connection, "twin", "ES", limit=9)
        assert (len(found), more) == (9, False)
