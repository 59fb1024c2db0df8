"""Describe and pulls: metadata by version stamp, tables by delta link and by modifiedon, marketing lists."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from hub.errors import Ambiguous, NotFound, Rejected, Unavailable
from hub.model import Page, Query
from sandbox.dynamics import sample
from sandbox.dynamics.schema import TABLES
from tests.connectors.dynamics.peer import Peer
from tests.contract.given import a_number


def pulled(peer: Peer, query: Query) -> list[Page]:
    return list(peer.connector.pages(query))  # type: ignore[attr-defined]


def ids(pages: list[Page]) -> list[str]:
    return [row["id"] for page in pages for row in page.rows]


def removed(pages: list[Page]) -> list[str]:
    return [id for page in pages for id in page.removed]


# --- describe ----------------------------------------


def test_what_describe_says_of_a_phone_call(peer: Peer) -> None:
    described = peer.connector.describe("phonecall")  # type: ignore[attr-defined]
    fields = {field.name: field for field in described.fields}
    assert described.label == "Phone Call" and (described.creatable, described.changeable) == (True, True)
    assert fields["statecode"].picklist == ("Open", "Completed", "Canceled") and fields["statecode"].type == "picklist"
    assert fields["subject"].max_length == 200 and not fields["subject"].required
    assert fields["from"].type == "reference" and "contact" in fields["from"].refers_to and fields["from"].writable
    assert fields["regardingobjectid"].refers_to == ("account", "contact", "lead", "incident")
    assert fields["activityid"].unique and fields["activityid"].fixed and not fields["createdon"].writable
    assert (fields["phonenumber"].type, fields["actualstart"].type) == ("phone", "datetime")
    lists = {field.name: field for field in peer.connector.describe("list").fields}  # type: ignore[attr-defined]
    assert lists["createdfromcode"].required and not lists["ownerid"].required
    contact = {field.name: field for field in peer.connector.describe("contact").fields}  # type: ignore[attr-defined]
    assert contact["new_customerno"].unique and not contact["externaluseridentifier"].unique


def test_describe_asks_by_version_stamp_and_sees_drift(peer: Peer) -> None:
    connector: Any = peer.opened()
    connector.describe("incident")
    before = peer.sandbox.faults.call_count
    connector.describe("incident")
    assert peer.sandbox.faults.call_count - before == 1
    peer.sandbox.service.definitions.drift("incident", "title", MaxLength=50)
    assert {field.name: field for field in connector.describe("incident").fields}["title"].max_length == 50
    peer.sandbox.service.definitions.drift("incident", "title", MaxLength=200)
    peer.sandbox.faults.set("stamp_expired")
    assert {field.name: field for field in connector.describe("incident").fields}["title"].max_length == 200


def test_what_our_user_may_not_do(peer: Peer) -> None:
    peer.sandbox.denied.add("prvCreateLead")
    try:
        described = peer.opened().describe("lead")  # type: ignore[attr-defined]
    finally:
        peer.sandbox.denied.clear()
    assert (described.creatable, described.changeable) == (False, True)


# --- tables ----------------------------------------


def test_a_whole_table_goes_by_its_change_tracking(peer: Peer) -> None:
    query = Query(object="account", size=30)
    first = pulled(peer, query)
    assert len(first) > 1 and len(set(ids(first))) == len(ids(first)) == len(peer.sandbox.rows("account"))
    new, gone = peer.sandbox.create("account", {"name": "New"}), peer.sandbox.create("account", {"name": "Soon gone"})
    second = pulled(peer, replace(query, watermark=first[-1].watermark))
    assert set(ids(second)) == {new, gone} and removed(second) == []
    with peer.sandbox.lock:
        peer.sandbox.records.delete(TABLES["account"], gone)
        peer.sandbox.records.done()
    third = pulled(peer, replace(query, watermark=second[-1].watermark))
    assert (ids(third), removed(third)) == ([], [gone])
    peer.sandbox.faults.set("delta_expired")
    (nothing,) = pulled(peer, replace(query, watermark=third[-1].watermark))
    assert nothing == Page(rows=[])  # no watermark: what was deleted meanwhile is seen by the full pull that comes next


def test_a_tracked_pull_goes_on_where_it_stopped(peer: Peer) -> None:
    query = Query(object="account", size=30)
    whole = pulled(peer, query)
    rest = pulled(peer, replace(query, cursor=whole[0].cursor))
    assert ids(whole[:1]) + ids(rest) == ids(whole) and (rest[-1].watermark or "").startswith("delta:")


def test_without_change_tracking_by_modifiedon(peer: Peer) -> None:
    first = pulled(peer, Query(object="lead", size=5000))  # its tracking is off
    assert len(ids(first)) == len(peer.sandbox.rows("lead")) and "T" in (first[-1].watermark or "")
    named = pulled(peer, Query(object="lead", where={"statecode": "Open", "address1_country": ["FR", "GB"]}, size=5000))
    assert ids(named) and all(row["address1_country"] in ("FR", "GB") for page in named for row in page.rows)
    assert all(row["statecode"] == "Open" for page in named for row in page.rows)


def test_a_row_whose_column_was_emptied_no_longer_fits(peer: Peer) -> None:
    town = f"dept {a_number()}"
    id = peer.sandbox.create("contact", {"lastname": "Emptied", "department": town})
    query = Query(object="contact", where={"department": town})
    first = pulled(peer, query)
    peer.sandbox.update("contact", id, {"department": None})
    second = pulled(peer, replace(query, watermark=first[-1].watermark))
    assert ids(first) == [id] and ids(second) == [] and id in removed(second)


def test_only_the_columns_of_the_setting(peer: Peer) -> None:
    connector: Any = peer.opened(list_columns=["contact.lastname", "contact.parentcustomerid"])
    (row, *_) = [
        row for page in connector.pages(Query(object="contact", where={"lastname": "Otxoa"})) for row in page.rows
    ]
    assert set(row) == {"id", "lastname", "parentcustomerid"} and row["parentcustomerid"].startswith("account/")


def test_a_cursor_that_leads_elsewhere_or_was_tampered_with(peer: Peer) -> None:
    active = Query(object="contact", where={"statecode": "Active"}, size=2)
    first: Page = next(iter(peer.connector.pages(active)))  # type: ignore[attr-defined]
    told = json.loads(first.cursor or "")
    other = {**told, "path": told["path"].replace("pagenumber%3D%222", "pagenumber%3D%229")}
    with pytest.raises(Rejected):
        pulled(peer, Query(object="contact", where={"statecode": "Active"}, size=2, cursor=json.dumps(other)))
    for cursor in ("no cursor", "[]"):
        with pytest.raises(Rejected, match="cursor"):
            pulled(peer, Query(object="contact", where={"statecode": "Active"}, cursor=cursor))
    with pytest.raises(Unavailable, match="next page"):
        peer.connector._api.inside("https://evil.example/steal")  # type: ignore[attr-defined]


# --- marketing lists ----------------------------------------


def a_list(peer: Peer, **values: Any) -> tuple[str, str]:
    name = f"List {a_number()}"
    return name, peer.sandbox.create("list", {"listname": name, "createdfromcode": 2, "type": False, **values})


def join(peer: Peer, list_: str, id: str) -> None:
    with peer.sandbox.lock:
        sample.join(peer.sandbox.records, list_, "contact", id)
        peer.sandbox.records.done()


def taken_off(peer: Peer, list_: str, id: str) -> None:
    with peer.sandbox.lock:
        rows = peer.sandbox.rows("listmember")
        (gone,) = (row["listmemberid"] for row in rows if row["listid"][1] == list_ and row["entityid"][1] == id)
        peer.sandbox.records.delete(TABLES["listmember"], gone)
        peer.sandbox.records.done()


def test_a_static_list(peer: Peer) -> None:
    name, list_ = a_list(peer)
    members = [peer.person(f"Ada {n}", phone=a_number()) for n in range(5)]
    for id in members:
        join(peer, list_, id)
    query = Query(object="listmember", where={"list": name}, size=2)
    pages = pulled(peer, query)
    assert sorted(ids(pages)) == sorted(members) and [len(page.rows) for page in pages] == [2, 2, 1]
    assert pages[0].rows[0]["object"] == "contact" and pages[0].rows[0]["list"] == name
    rest = pulled(peer, replace(query, cursor=pages[0].cursor))
    assert ids(pages[:1]) + ids(rest) == ids(pages)
    assert ids(pulled(peer, replace(query, where={"list": list_}))) == ids(pages)
    assert pages[-1].watermark is None  # it tells nobody who was taken off: every pull is a full one
    taken_off(peer, list_, members[0])
    whole = pulled(peer, replace(query, watermark="2099-01-01T00:00:00Z"))
    assert sorted(ids(whole)) == sorted(members[1:]) and whole[-1].watermark is None


def test_a_static_list_by_what_changed(peer: Peer) -> None:
    name, list_ = a_list(peer)
    first = peer.person("Ada First", phone=a_number())
    join(peer, list_, first)
    query = Query(object="listmember", where={"list": name})
    connector: Any = peer.opened(whole_lists=False)
    watermark = list(connector.pages(query))[-1].watermark
    late = peer.person("Ada Late", phone=a_number())
    join(peer, list_, late)
    assert watermark and late in ids(list(connector.pages(replace(query, watermark=watermark))))
    assert ids(list(connector.pages(replace(query, watermark="2099-01-01T00:00:00Z")))) == []


def test_a_dynamic_list_tells_who_left_it(peer: Peer) -> None:
    town = f"dept {a_number()}"
    fetch = (f'<fetch><entity name="contact"><attribute name="fullname"/><order attribute="lastname"/><filter>'
             f'<condition attribute="department" operator="eq" value="{town}"/></filter></entity></fetch>')  # fmt: skip
    name, _ = a_list(peer, type=True, query=fetch)
    people = [peer.sandbox.create("contact", {"lastname": f"D{n}", "department": town}) for n in range(3)]
    query = Query(object="listmember", where={"list": name}, size=2)
    first = pulled(peer, query)
    assert sorted(ids(first)) == sorted(people)
    peer.sandbox.update("contact", people[0], {"department": "elsewhere"})
    second = pulled(peer, replace(query, watermark=first[-1].watermark, size=50))
    assert people[0] in removed(second) and not set(ids(second)) & set(removed(second)) and second[-1].watermark


def test_a_list_that_is_not_there_or_there_twice(peer: Peer) -> None:
    with pytest.raises(NotFound):
        pulled(peer, Query(object="listmember", where={"list": "' or listname ne '"}))
    name, _ = a_list(peer)
    peer.sandbox.create("list", {"listname": name, "createdfromcode": 2})
    with pytest.raises(Ambiguous):
        pulled(peer, Query(object="listmember", where={"list": name}))
    with pytest.raises(Rejected, match="list"):
        pulled(peer, Query(object="listmember", where={"campaign": "x"}))
