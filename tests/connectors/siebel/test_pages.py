"""Pulling from Siebel, its descriptions, its addresses and its settings."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from hub.errors import ConfigError, NotFound, NotPermitted, Rejected
from hub.model import Lookup, Query
from sandbox.siebel import describing
from sandbox.siebel.schema import COMPONENTS
from tests.connectors.siebel.peer import CONTACTS, Peer
from tests.contract.given import a_number

MEMBERS = COMPONENTS["List Mgmt/List Mgmt Lists/{key}/List Mgmt Prospective Contact"]


def members(peer: Peer, count: int) -> list[str]:
    return [peer.member(f"Member {n}") for n in range(count)]


def pulled(connector: Any, query: Query) -> list[Any]:
    return list(connector.pages(query))


def rows_of(pages: list[Any]) -> list[str]:
    return [row["id"] for page in pages for row in page.rows]


# --- pages ----------------------------------------


@pytest.mark.parametrize("paging", ["id", "rows"])
def test_a_hundred_at_a_time(peer: Peer, paging: str) -> None:
    there, connector = members(peer, 205), peer.opened(paging=paging)
    pulled(connector, Query(object="Contact", where={"Comment": "nobody's"}))  # the fields are known
    before = peer.sandbox.faults.call_count
    pages = pulled(connector, peer.query)
    assert peer.sandbox.faults.call_count - before == 3
    assert [len(page.rows) for page in pages] == [100, 100, 5] and rows_of(pages) == there
    assert [bool(page.cursor) for page in pages] == [True, True, False] and pages[-1].watermark


@pytest.mark.parametrize("paging", ["id", "rows"])
def test_a_pull_goes_on_where_it_ended(peer: Peer, paging: str) -> None:
    there, connector = members(peer, 7), peer.opened(paging=paging)
    (first, *_) = pulled(connector, Query(object="Contact", where=peer.query.where, size=3))
    rest = pulled(
        peer.opened(paging=paging), Query(object="Contact", where=peer.query.where, size=3, cursor=first.cursor)
    )
    assert rows_of([first, *rest]) == there


def test_who_leaves_meanwhile_hides_nobody(peer: Peer) -> None:
    there = members(peer, 9)
    connector: Any = peer.connector
    pages = connector.pages(Query(object="Contact", where=peer.query.where, size=3))
    first = next(pages)
    peer.leave(there[0])
    assert rows_of([first, *pages]) == there


def test_a_database_that_orders_otherwise_is_noticed(peer: Peer) -> None:
    there = members(peer, 5)
    peer.sandbox.faults.set("other_order", times=-1)
    with pytest.raises(Rejected, match="paging: rows"):
        pulled(peer.connector, peer.query)
    connector = peer.opened(paging="rows")
    assert rows_of(pulled(connector, Query(object="Contact", where=peer.query.where, size=2))) == there[::-1]


def test_a_list_may_be_longer_than_a_query_s_usual_end(peer: Peer) -> None:
    query = Query(object="Contact", cursor="#9900 2026-11-26T10:00:00+00:00")
    assert [page.rows for page in pulled(peer.opened(paging="rows"), query)] == [[]]


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
def test_what_changed_since_and_who_no_longer_fits(peer: Peer, zone: str) -> None:
    stay, go = members(peer, 2)
    connector: Any = peer.opened(zone=zone)
    whole = pulled(connector, peer.query)
    long_ago = {"Updated": "01/01/2020 08:00:00"}
    for record in (stay, go):
        peer.sandbox.records.one(CONTACTS, record).update(long_ago)
    watermark = "2020-01-01T09:00:00+00:00"  # an hour after it in UTC, and seven hours before it in California
    pages = pulled(connector, Query(object="Contact", where=peer.query.where, watermark=watermark))
    assert rows_of(pages) == ([] if zone == "UTC" else [stay, go])
    peer.leave(go)
    later = Query(object="Contact", where=peer.query.where, watermark="2025-01-01T00:00:00+00:00")
    pages = pulled(connector, later)
    removed = [id for page in pages for id in page.removed]
    assert go in removed and stay not in removed and rows_of(pages) == []
    gap = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(whole[-1].watermark)
    assert dt.timedelta(minutes=5 if zone == "UTC" else 65) <= gap < dt.timedelta(minutes=6 if zone == "UTC" else 66)


def test_several_values_and_flags_are_conditions(peer: Peer) -> None:
    one, two = members(peer, 2)
    for id, title in ((one, "A"), (two, "B")):
        record = peer.sandbox.records.one(CONTACTS, id)
        peer.sandbox.records.update(
            CONTACTS, record, {"Job Title": title, "X Call Consent": "Y" if title == "A" else "N"}
        )
    told = dict(peer.query.where)
    assert rows_of(pulled(peer.connector, Query(object="Contact", where={**told, "Job Title": ["A", "B"]}))) == [
        one,
        two,
    ]
    assert rows_of(pulled(peer.connector, Query(object="Contact", where={**told, "X Call Consent": True}))) == [one]


def test_what_a_pull_reads_beyond_the_usual(peer: Peer) -> None:
    id = peer.member("Member")
    record = peer.sandbox.records.one(CONTACTS, id)
    peer.sandbox.records.update(CONTACTS, record, {"Job Title": "Countess", "Work Phone #": "+34 912 345 678"})
    connector = peer.opened(pull_fields=["Contact.Job Title", "Contact.X Call Consent"])
    (row,) = pulled(connector, peer.query)[0].rows
    assert (row["Job Title"], row["Work Phone #"], row["Last Name"]) == ("Countess", "+34912345678", "Member")
    assert row["Suppress All Calls"] in ("", False) and "X Call Consent" in row and row["Updated"].endswith("Z")


@pytest.mark.parametrize("value", ["", "'\"", "a\\b", [], ["ok", "\x00"], "x" * 7000], ids=repr)
def test_what_cannot_be_asked_is_no_condition(peer: Peer, value: Any) -> None:
    with pytest.raises(Rejected):
        pulled(peer.connector, Query(object="Contact", where={"Comment": value}))


@pytest.mark.parametrize("cursor", ["1-1", "1-1 x 2026-01-01", "'\" 2026-01-01", "1-1 yesterday", "#5 2026-01-01"])
def test_a_cursor_of_somebody_else_s_is_refused(peer: Peer, cursor: str) -> None:
    with pytest.raises(Rejected):
        pulled(peer.connector, Query(object="Contact", cursor=cursor))
    with pytest.raises(Rejected):
        pulled(peer.connector, Query(object="Contact", watermark="yesterday"))
    for text in ("1-1 2026-01-01", "#x 2026-01-01", "# 2026-01-01", "#٣ 2026-01-01"):
        with pytest.raises(Rejected, match="paging"):
            pulled(peer.opened(paging="rows"), Query(object="Contact", cursor=text))


def test_the_members_of_a_list_are_read_whole_each_time(peer: Peer) -> None:
    lists = COMPONENTS["List Mgmt/List Mgmt Lists"]
    (mine, other) = (str(peer.sandbox.records.insert(lists, {"Name": f"List {a_number()}"})["Id"]) for _ in range(2))
    told = {"Last Name": "Ferrer", "Work Phone #": "+34 912 345 678", "Suppress All Calls": "Y"}
    (there, left) = (str(peer.sandbox.records.insert(MEMBERS, told, mine)["Id"]) for _ in range(2))
    peer.sandbox.records.insert(MEMBERS, told, other)
    (page,) = pulled(peer.connector, Query(object="List Member", where={"List Id": mine}))
    assert rows_of([page]) == [there, left] and page.watermark is None and page.rows[0]["Suppress All Calls"] is True
    peer.sandbox.records.delete(MEMBERS, left)
    query = Query(object="List Member", where={"List Id": mine}, watermark="2099-01-01T00:00:00+00:00")
    (page,) = pulled(peer.connector, query)
    assert rows_of([page]) == [there] and page.removed == []


@pytest.mark.parametrize("where", [{}, {"List Id": ["1-A", "1-B"]}, {"List Id": ""}, {"List Id": "1-\\"}])
def test_a_list_has_to_be_named(peer: Peer, where: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="List Id"):
        pulled(peer.connector, Query(object="List Member", where=where))


def test_a_list_s_id_is_a_part_of_the_path_and_nothing_else(peer: Peer) -> None:
    assert (
        rows_of(pulled(peer.connector, Query(object="List Member", where={"List Id": "../../Contact/Contact?x=1"})))
        == []
    )


# --- describe ----------------------------------------


def test_a_field_in_the_hub_s_words(peer: Peer) -> None:
    described = peer.connector.describe("Action")  # type: ignore[attr-defined]
    fields = {field.name: field for field in described.fields}
    assert (
        fields["Id"].writable is False and fields["Created"].writable is False and fields["Created"].required is False
    )
    kinds = {
        name: fields[name].type for name in ("Comment", "Type", "Started", "Duration Minutes", "Primary Contact Id")
    }
    assert kinds == {"Comment": "longtext", "Type": "picklist", "Started": "datetime", "Duration Minutes": "decimal",
                     "Primary Contact Id": "reference"}  # fmt: skip
    assert (
        fields["Type"].required and "Call - Inbound" in fields["Type"].picklist and fields["Type"].retired == ("Fax",)
    )
    assert fields["Activity UID"].unique and fields["Activity UID"].max_length == 30
    assert fields["Primary Contact Id"].refers_to == ("Contact",) and fields["Started"].max_length is None
    assert described.creatable is True and described.changeable is True


def test_an_older_document_says_the_same(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = peer.connector.describe("Contact")  # type: ignore[attr-defined]
    monkeypatch.setattr("sandbox.siebel.wire.document", lambda c, url, base: describing.older(c, "crm.example", base))
    older = peer.connector.describe("Contact")  # type: ignore[attr-defined]
    assert {field.name: field for field in older.fields} == {field.name: field for field in newer.fields}
    assert {field.name: field.type for field in older.fields}["Work Phone #"] == "phone"


def test_a_list_of_values_that_our_user_may_not_see_is_not_known(peer: Peer) -> None:
    peer.sandbox.faults.set("forbidden", times=-1, after=1)
    described = peer.connector.describe("Service Request")  # type: ignore[attr-defined]
    (status,) = (field for field in described.fields if field.name == "Status")
    assert status.type == "text" and status.picklist == ()


def test_another_s_object_is_described_too(peer: Peer) -> None:
    connector: Any = peer.opened(objects=["Visit=Action/Action", "Gone=No/Such"])
    assert "Visit" in connector.objects() and any(one.name == "Type" for one in connector.describe("Visit").fields)
    assert any(one.name == "Last Name" for one in connector.describe("List Member").fields)
    with pytest.raises(NotFound, match="SBL-EAI-50257"):
        connector.describe("Gone")
    peer.sandbox.faults.set("forbidden", times=-1)
    with pytest.raises(NotPermitted):
        connector.describe("Visit")


# --- addresses ----------------------------------------


def test_addresses_are_the_web_engine_s_commands(peer: Peer) -> None:
    connector: Any = peer.opened(url="https://siebel.example:9001/")
    home = "https://siebel.example:9001/siebel/app/callcenter/enu?"
    applet = "Contact%20List%20Applet"
    assert connector.links("open", "Contact", id="1-AB/C&D") == (
        f"{home}SWECmd=GotoView&SWEView=Visible%20Contact%20List%20View&SWEPostnApplet={applet}"
        "&SWEPostnRowId=1-AB%2FC%26D"
    )
    assert connector.links("search", "Contact", fields={"Work Phone #": "+34612345678", "Last Name": ""}) == (
        f"{home}SWECmd=InvokeMethod&SWEMethod=ExecuteQuery&SWEView=Visible%20Contact%20List%20View&SWEApplet={applet}"
        "&Work%20Phone%20%23=%2B34612345678"
    )
    told = connector.links("new", "Contact", fields={"Cellular Phone #": "+34 6&SWECmd=Logoff"})
    assert "SWECmd=NewRecord" in told and told.endswith("Cellular%20Phone%20%23=%2B34%206%26SWECmd%3DLogoff")
    other = peer.opened(
        pages_url="https://crm.example", views=["Contact=My View/My Applet"], link_open="SWEV={view}&R={id}"
    )
    told = other.links("open", "Contact", id="1-A")  # type: ignore[attr-defined]
    assert told == "https://crm.example/siebel/app/callcenter/enu?SWEV=My%20View&R=1-A"


# --- settings ----------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"objects": ["Visit"]}, "objects"),
        ({"objects": ["Visit=Action"]}, "objects"),
        ({"objects": ["Visit=A/B/C/D"]}, "objects"),
        ({"objects": ["=A/B"]}, "objects"),
        ({"phone_fields": ["Contact"]}, "phone_fields"),
        ({"phone_fields": ["Kontact.Phone"]}, "phone_fields"),
        ({"key_fields": ["Contact.Integration]Id"]}, "key_fields"),
        ({"views": ["Contact=My View"]}, "views"),
        ({"view_modes": ["Organization"]}, "view_modes"),
        ({"view_modes": ["Nothing=Personal"]}, "view_modes"),
        ({"lookups": ["Action.Type"]}, "lookups"),
        ({"upsert_by": ["Action.Activity UID=Siebel Action/InsertOrUpdate"]}, "upsert_by"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../etc"}, "zone"),
        ({"paging": "ids"}, "paging"),
        ({"phone_search": "store"}, "phone_search.*stored"),
        ({"user": None}, "user"),
        ({"user": None, "client_id": "patchbay"}, "sign_in_url"),
    ],
)
def test_a_wrong_setting_is_said_at_once(peer: Peer, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        peer.opened(**settings)


def test_who_we_are(peer: Peer) -> None:
    connector: Any = peer.opened()
    assert connector.check() == peer.connector.check()  # type: ignore[attr-defined]
    assert connector.check().user == "PATCHBAY"
    nobody: Any = peer.opened(phone_fields=[], mail_fields=[])
    assert nobody.check().user == "PATCHBAY" and nobody.find([Lookup("person", "phone", "+34612345678")]) == [[]]
