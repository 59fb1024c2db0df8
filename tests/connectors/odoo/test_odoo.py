"""Odoo beyond what every connector owes: its own faults, load() with rows that are wrong, look-ups, increments, links."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from connectors.crm.odoo.errors import meant
from hub.errors import (
    ConfigError,
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    UnknownOutcome,
)
from hub.model import PERSON, Lookup, Query, Row, Target
from tests.connectors.odoo.peer import Peer, external_name
from tests.contract.given import HOSTILE, a_key, a_mail, a_number

PARTNERS = Target(object="res.partner", key="external_id")


def made(peer: Peer, before: Counter[tuple[str, str]]) -> int:
    return sum((Counter(peer.sandbox.faults.calls) - before).values())


def record(peer: Peer, model: str, id: str) -> dict[str, Any]:
    found: dict[str, Any] = peer.sandbox.database.stored[model][int(id)]
    return found


# --- what goes wrong ----------------------------------------

FAULTS: dict[str, type[ConnectorError]] = {
    "forbidden": NotPermitted,
    "refused": CredentialsRefused,
    "serialization": Locked,
    "lock": Locked,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_its_class_and_goes_on_once(either: Peer, fault: str) -> None:
    rows = [either.row(a_key(), f"text {n}") for n in range(3)]
    either.connector.check()
    either.sandbox.faults.set(fault)
    with pytest.raises(FAULTS[fault]) as raised:
        either.connector.write(either.target, rows)
    assert type(raised.value) is FAULTS[fault]
    assert [either.texts(row.key) for row in rows] == [[], [], []]
    assert [one.outcome for one in either.connector.write(either.target, rows)] == ["created"] * 3
    assert [either.texts(row.key) for row in rows] == [["text 0"], ["text 1"], ["text 2"]]


def test_two_transactions_that_met_are_known_by_their_words_too() -> None:
    told = {
        "name": "odoo.exceptions.UserError",
        "message": "ERROR: could not serialize access due to concurrent update",
    }
    assert type(meant(told, 422, changes=True)) is Locked and type(meant({"name": "x"}, 422, changes=True)) is Rejected


def test_a_database_that_went_away_while_it_wrote_leaves_the_outcome_unknown(either: Peer) -> None:
    row = either.row(a_key(), "text")
    either.connector.write(either.target, [either.row(a_key(), "the fields are known now")])
    either.sandbox.faults.set("database_gone", after=1)
    with pytest.raises(UnknownOutcome):
        either.connector.write(either.target, [row])
    doubted = msgspec.structs.replace(row, in_doubt=True)
    assert either.connector.write(either.target, [doubted])[0].outcome == "created" and either.texts(row.key) == [
        "text"
    ]


@pytest.mark.parametrize("nameless", [False, True])
def test_rows_that_are_wrong_fail_alone(either: Peer, nameless: bool) -> None:
    rows = [either.bad_row(a_key()) if n in (2, 5) else either.row(a_key(), f"text {n}") for n in range(8)]
    if nameless:
        either.sandbox.faults.set("nameless", times=-1)
    receipts = either.connector.write(either.target, rows)
    assert [one.outcome for one in receipts] == ["failed" if n in (2, 5) else "created" for n in range(8)]
    for n in (2, 5):
        error = receipts[n].error
        assert isinstance(error, Rejected) and (nameless or "message_type" in error.fields)
    assert [either.texts(row.key) for row in rows] == [[] if n in (2, 5) else [f"text {n}"] for n in range(8)]


def test_a_wrong_field_and_a_wrong_reference_are_their_rows_failures(peer: Peer) -> None:
    wrong: list[dict[str, Any]] = [{"name": "A", "nam": "x"}, {"name": "B", "parent_id": "999999"},
                                   {"name": "C", "parent_id": "x' or 1=1"}, {"city": "no name"}]  # fmt: skip
    rows = [Row(key=a_key(), fields=fields) for fields in (*wrong, {"name": "D"})]
    receipts = peer.connector.write(PARTNERS, rows)
    assert [one.outcome for one in receipts] == ["failed"] * 4 + ["created"]
    assert all(isinstance(one.error, Rejected) for one in receipts[:4])
    with pytest.raises(Rejected):
        peer.connector.write(Target(object="res.partner", key="email"), rows)


def test_no_value_of_a_row_is_in_its_error(peer: Peer) -> None:
    (receipt,) = peer.connector.write(
        PARTNERS, [Row(key=a_key(), fields={"name": "A", "type": "ada@example.com +34612345678"})]
    )
    told = f"{receipt.error} {getattr(receipt.error, 'fields', '')}"
    assert receipt.outcome == "failed" and "61234" not in told and "ada@" not in told


# --- writing ----------------------------------------


def test_200_rows_take_two_calls(peer: Peer) -> None:
    peer.connector.write(peer.target, [peer.row(a_key(), "the fields are known now")])
    before = Counter(peer.sandbox.faults.calls)
    rows = [peer.row(a_key(), f"text {n}") for n in range(200)]
    assert all(one.outcome == "created" for one in peer.connector.write(peer.target, rows))
    assert made(peer, before) == 2


def test_the_same_key_twice_in_one_call_is_made_and_then_changed(peer: Peer) -> None:
    key = a_key()
    receipts = peer.connector.write(
        peer.target, [peer.row(key, "before"), peer.row(a_key(), "beside"), peer.row(key, "after")]
    )
    assert [one.outcome for one in receipts] == ["created", "created", "updated"] and peer.texts(key) == ["after"]


def test_rows_with_other_fields_empty_nothing(peer: Peer) -> None:
    one, two = a_key(), a_key()
    peer.connector.write(PARTNERS, [Row(key=key, fields={"name": "Ada", "city": "London"}) for key in (one, two)])
    rows = [Row(key=one, fields={"name": "Bea"}), Row(key=two, fields={"city": None})]
    first, second = peer.connector.write(PARTNERS, rows)
    assert (first.outcome, second.outcome) == ("updated", "updated")
    assert (record(peer, "res.partner", first.id)["name"], record(peer, "res.partner", first.id)["city"]) == (
        "Bea",
        "London",
    )
    assert (record(peer, "res.partner", second.id)["name"], record(peer, "res.partner", second.id)["city"]) == (
        "Ada",
        None,
    )


def test_values_become_cells_of_an_import(either: Peer) -> None:
    at = dt.datetime(2026, 11, 23, 11, 2, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    fields = {**either.row("x", HOSTILE["markup"]).fields, "date": at, "partner_ids": ["1", 2], "author_id": 1}
    (note,) = either.connector.write(either.target, [Row(key=a_key(), fields=fields)])
    kept = record(either, "mail.message", note.id)
    ((read,),) = either.connector.find(
        [Lookup("mail.message", "id", note.id, fields=("date", "subject", "external_id"))]
    )
    assert read.fields["date"] == "2026-11-23T10:02:00Z" and read.fields["subject"] is None
    assert read.fields["external_id"] == f"patchbay.{external_name(note.key)}"
    assert kept["date"] == "2026-11-23 10:02:00" and kept["partner_ids"] == [1, 2] and kept["author_id"] == 1
    lead = {"name": "Engines", "expected_revenue": Decimal("12.50"), "priority": "2"}
    (receipt,) = either.connector.write(Target(object="crm.lead", key="external_id"), [Row(key=a_key(), fields=lead)])
    assert record(either, "crm.lead", receipt.id)["expected_revenue"] == 12.5
    key = a_key()
    for value in (True, False):
        (partner,) = either.connector.write(PARTNERS, [Row(key=key, fields={"name": "Ada", "is_company": value})])
        assert record(either, "res.partner", partner.id)["is_company"] is value
    activity = {"summary": "Call back", "date_deadline": "2026-11-23T23:30:00+01:00"}
    (todo,) = either.connector.write(
        Target(object="mail.activity", key="external_id"), [Row(key=a_key(), fields=activity)]
    )
    assert record(either, "mail.activity", todo.id)["date_deadline"] == "2026-11-23"


def test_records_are_changed_and_removed_by_id(either: Peer) -> None:
    id = either.person("Ada Lovelace")
    by_id = Target(object="res.partner", key="id")
    rows = [
        Row(key=id, fields={"city": "London"}),
        Row(key="999999", fields={"city": "Paris"}),
        Row(key="x'", fields={}),
    ]
    receipts = either.connector.write(by_id, rows)
    assert [one.outcome for one in receipts] == ["updated", "failed", "failed"]
    assert record(either, "res.partner", id)["city"] == "London"
    gone = [Row(key=id, fields={}, action="remove")]
    assert [either.connector.write(by_id, gone)[0].outcome for _ in range(2)] == ["removed", "unchanged"]


@pytest.mark.parametrize("key", ["", " ", "x" * 501])
def test_a_key_that_can_be_none_is_its_row_s_failure(peer: Peer, key: str) -> None:
    bad, good = peer.connector.write(peer.target, [peer.row(key, "bad"), peer.row(a_key(), "good")])
    assert (bad.outcome, good.outcome) == ("failed", "created") and isinstance(bad.error, Rejected)


# --- find ----------------------------------------


@pytest.mark.parametrize("field", ["phone_mobile_search", "phone_sanitized"])
def test_all_numbers_of_a_batch_are_one_search_and_compared_here(peer: Peer, field: str) -> None:
    connector: Any = peer.opened(phone_search=field)
    numbers = [a_number() for _ in range(5)]
    ids = [peer.person("Ada", phone=f"(+34) {one[3:6]}-{one[6:]}") for one in numbers]
    near = peer.person("Near", phone=f"+44 7{numbers[0][3:]}")
    before = Counter(peer.sandbox.faults.calls)
    found = connector.find([Lookup("res.partner", "phone", one) for one in numbers])
    assert [[one.id for one in records] for records in found] == [[id] for id in ids] and made(peer, before) == 1
    assert near not in {one.id for records in found for one in records}


def test_until_18_the_mobile_is_a_field_of_its_own(either: Peer) -> None:
    connector: Any = either.opened(phone_fields=["res.partner.phone", "res.partner.mobile"])
    ((lucia,),) = connector.find([Lookup("res.partner", "phone", "+34612345678", fields=("ref", "is_company"))])
    assert lucia.title.endswith("Lucía Romero Ibáñez") and lucia.match and lucia.match.field == "mobile"
    assert lucia.owner == "ana@example.com" and lucia.account and lucia.account.title.startswith("Naranja Viva")
    assert lucia.fields["is_company"] is False and "ref" in lucia.fields and lucia.created_at
    record(either, "res.partner", lucia.id)["ref"] = "R-7"
    ((by_key,),) = connector.find([Lookup("res.partner", "key", "R-7", key_field="ref")])
    assert by_key.id == lucia.id


def test_a_lead_is_found_too(peer: Peer) -> None:
    number, mail = a_number(), a_mail()
    lead = peer.sandbox.database.create("crm.lead", {"name": "Engines", "phone": number, "email_from": mail.upper()})[
        "id"
    ]
    by_phone, by_mail = peer.connector.find([Lookup(PERSON, "phone", number), Lookup(PERSON, "email", mail)])
    assert [(one.object, one.id) for one in (*by_phone, *by_mail)] == [("crm.lead", str(lead))] * 2


def test_without_the_right_to_see_users_people_are_found_all_the_same(peer: Peer) -> None:
    connector: Any = peer.opened(phone_fields=["res.partner.mobile"])
    peer.sandbox.faults.set("forbidden", after=1)
    ((lucia,),) = connector.find([Lookup("res.partner", "phone", "+34612345678")])
    assert lucia.title and lucia.owner is None


# --- pages ----------------------------------------


def test_the_contacts_of_a_mailing_list_are_pulled(either: Peer) -> None:
    database, name = either.sandbox.database, f"list {a_number()}"
    number = database.create("mailing.list", {"name": name})["id"]
    ids = [str(database.create("mailing.contact", {"name": f"M{n}", "list_ids": [number]})["id"]) for n in range(5)]
    query = Query(object="mailing.contact", where={"list_ids.name": name}, size=2)
    pages = list(either.connector.pages(query))
    assert [row["id"] for page in pages for row in page.rows] == ids and len(pages) == 3
    assert pages[0].rows[0]["email"] is None, "Odoo says false where nothing is"
    by_number = Query(object="mailing.contact", where={"list_ids": [number]})
    assert [row["id"] for page in either.connector.pages(by_number) for row in page.rows] == ids


def test_an_increment_tells_who_was_archived_or_left(either: Peer) -> None:
    stays, leaves, archived = (either.member(name) for name in ("Stays", "Leaves", "Archived"))
    watermark = list(either.connector.pages(either.query))[-1].watermark
    either.leave(leaves)
    either.sandbox.database.write("res.partner", record(either, "res.partner", archived), {"active": False})
    (page,) = either.connector.pages(msgspec.structs.replace(either.query, watermark=watermark))
    assert [row["id"] for row in page.rows] == [stays] and {leaves, archived} <= set(page.removed)
    everybody = Query(object="res.partner", watermark=watermark)
    removed = {id for one in either.connector.pages(everybody) for id in one.removed}
    assert archived in removed and not {stays, leaves} & removed


def test_a_reference_is_its_id_with_its_name_beside(peer: Peer) -> None:
    company = peer.sandbox.database.create("res.partner", {"name": "Engines", "is_company": True})["id"]
    member = peer.member("Ada")
    peer.sandbox.database.write("res.partner", record(peer, "res.partner", member), {"parent_id": company})
    (page,) = peer.connector.pages(peer.query)
    assert (page.rows[0]["parent_id"], page.rows[0]["parent_id_name"]) == (str(company), "Engines")
    assert page.rows[0]["is_company"] is False and page.rows[0]["user_id"] is None


@pytest.mark.parametrize(
    "wrong", [{"cursor": "x"}, {"cursor": "2026-01-01 00:00:00 1;drop"}, {"watermark": "yesterday"}]
)
def test_a_cursor_that_is_none_is_refused(peer: Peer, wrong: dict[str, str]) -> None:
    with pytest.raises(Rejected):
        list(peer.connector.pages(Query(object="res.partner", **wrong)))  # type: ignore[arg-type]


# --- describe, links, settings ----------------------------------------


def test_describe_says_what_a_mapping_has_to_know(either: Peer) -> None:
    fields = {field.name: field for field in either.connector.describe("crm.lead").fields}
    assert fields["external_id"].unique and fields["name"].required and not fields["type"].required, "it has a default"
    assert fields["type"].picklist == ("lead", "opportunity") and fields["partner_id"].refers_to == ("res.partner",)
    assert (
        fields["phone"].type == "phone" and fields["email_from"].type == "email" and not fields["write_date"].writable
    )
    assert fields["expected_revenue"].type == "decimal" and not fields["phone_sanitized"].writable
    more: Any = either.opened(models=["helpdesk.ticket"])
    assert "helpdesk.ticket" in more.objects()
    with pytest.raises(NotFound):
        more.describe("helpdesk.ticket")
    with pytest.raises(NotFound, match=r"res\.partner"):
        more.describe("res.partners")


def test_links_are_odoo_s_pages(peer: Peer) -> None:
    home, links = peer.served.url, peer.connector
    assert links.links("open", "res.partner", "7") == f"{home}/odoo/res.partner/7"
    new = links.links("new", "res.partner", fields={"name": "O'Brien & Söhne", "phone": "+34 612"})
    assert new == f"{home}/odoo/res.partner/new?name=O%27Brien%20%26%20S%C3%B6hne&phone=%2B34%20612"
    old: Any = peer.opened(link_style="web")
    assert old.links("open", "res.partner", "7") == f"{home}/web#id=7&model=res.partner&view_type=form"
    own: Any = peer.opened(link_search="/find?q={words}")
    assert own.links("search", "res.partner", fields={"email": "a@b.example"}) == f"{home}/find?q=a%40b.example"


@pytest.mark.parametrize(
    "wrong",
    [{"api": "xmlrpc"}, {"link_style": "new"}, {"phone_fields": ["partner.phone"]}, {"api": "jsonrpc", "login": None}],
)
def test_a_wrong_setting_is_said_at_the_start(peer: Peer, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        peer.opened(**wrong)


def test_an_external_id_is_the_key_s_hash_in_our_module(peer: Peer) -> None:
    key = a_key()
    connector: Any = peer.opened(module="acme_calls")
    connector.write(peer.target, [peer.row(key, "text")])
    data = peer.sandbox.database.stored["ir.model.data"].values()
    assert [one["module"] for one in data if one["name"] == external_name(key)] == ["acme_calls"]
