"""Lists, descriptions and links of Dolibarr beyond the law."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import Ambiguous, NotFound, Rejected, Unavailable, Unsupported
from hub.model import Field, Query
from sandbox.dolibarr.schema import CATEGORY_TYPES, TABLES
from tests.connectors.dolibarr.peer import Peer
from tests.contract.given import HOSTILE, a_number


def pulled(peer: Peer, object: str, **more: Any) -> tuple[list[str], list[str], str | None]:
    """(ids, removed, watermark) of a pull."""
    pages = list(peer.connector.pages(Query(object=object, **more)))
    rows = [row["id"] for page in pages for row in page.rows]
    return rows, [id for page in pages for id in page.removed], pages[-1].watermark


def category(peer: Peer, kind: str, *ids: str) -> tuple[str, str]:
    """A category with members: its name and id."""
    records, name = peer.sandbox.records, f"List {a_number()}"
    id = records.put("categories", label=name, type=str(CATEGORY_TYPES[kind]))
    records.members(id).update(dict.fromkeys(map(int, ids)))
    return name, str(id)


# --- categories ----------------------------------------


@pytest.mark.parametrize("version", ["peer", "old"])
def test_a_category_is_pulled_by_name_and_by_id(version: str, request: pytest.FixtureRequest) -> None:
    peer: Peer = request.getfixturevalue(version)
    contacts = [peer.sandbox.records.put("contacts", lastname=f"Contact {n}") for n in range(5)]
    name, id = category(peer, "contact", *contacts)
    for named in (name, id):
        assert pulled(peer, "contacts", where={"category": named}) == (contacts, [], None)
        assert pulled(peer, "contacts", where={"category": named}, size=2) == (contacts, [], None)
    nobody, _ = category(peer, "contact")
    assert pulled(peer, "contacts", where={"category": nobody}) == ([], [], None)


def test_every_third_party_of_a_category_is_pulled_once_whatever_it_is(peer: Peer) -> None:
    put = peer.sandbox.records.put
    clients = ["1", "2", "3", "0", "2", "1", "0"]
    ids = [put("thirdparties", name=f"Company {n}", client=client) for n, client in enumerate(clients)]
    name, _ = category(peer, "customer", *ids)
    whole, removed, watermark = pulled(peer, "thirdparties", where={"category": name})
    assert (sorted(whole, key=int), removed, watermark) == (ids, [], None)
    pages = list(peer.connector.pages(Query(object="thirdparties", where={"category": name}, size=2)))
    assert sorted((row["id"] for page in pages for row in page.rows), key=int) == ids
    for place, page in enumerate(pages):  # it goes on anywhere
        if page.cursor is None:
            continue
        rest = Query(object="thirdparties", where={"category": name}, size=2, cursor=page.cursor)
        assert [one.rows for one in peer.connector.pages(rest)] == [one.rows for one in pages[place + 1 :]]


def test_a_category_narrowed_by_fields(peer: Peer) -> None:
    put = peer.sandbox.records.put
    ids = [put("contacts", lastname="Member", array_options={"options_consent": n % 2}) for n in range(4)]
    name, _ = category(peer, "contact", *ids)
    assert pulled(peer, "contacts", where={"category": name, "options_consent": True})[0] == ids[1::2]
    (row,) = next(iter(peer.connector.pages(Query(object="contacts", where={"category": name, "id": ids[1]})))).rows
    assert row["category"] == name and row["options_consent"] == "1" and "array_options" not in row


def test_a_category_that_is_none_or_two_or_for_others(peer: Peer) -> None:
    name, _ = category(peer, "contact")
    with pytest.raises(NotFound):
        pulled(peer, "thirdparties", where={"category": name})
    for value in (*HOSTILE.values(), "", "99999999"):
        with pytest.raises(NotFound):
            pulled(peer, "contacts", where={"category": value})
    peer.sandbox.records.put("categories", label=name, type=str(CATEGORY_TYPES["contact"]))
    with pytest.raises(Ambiguous):
        pulled(peer, "contacts", where={"category": name})
    with pytest.raises(Unsupported):
        pulled(peer, "agendaevents", where={"category": name})


# --- kinds of objects ----------------------------------------


def test_records_by_one_value_several_and_a_number(peer: Peer) -> None:
    put, town, other = peer.sandbox.records.put, f"A {a_number()}", f"B {a_number()}"
    one, two = (
        put("contacts", lastname="One", town=town, statut="1"),
        put("contacts", lastname="Two", town=other, statut="0"),
    )
    assert pulled(peer, "contacts", where={"town": town.upper()})[0] == [one]
    assert pulled(peer, "contacts", where={"town": [town, other]})[0] == [one, two]
    assert pulled(peer, "contacts", where={"town": [town, other], "statut": 0})[0] == [two]
    assert pulled(peer, "contacts", where={"town": [town, other], "statut": True})[0] == [one]


def test_a_pull_goes_on_while_records_come_and_go(peer: Peer) -> None:
    ids = [peer.member(f"Member {n}") for n in range(6)]
    pages = peer.connector.pages(Query(object="contacts", where=peer.query.where, size=2))
    seen = [row["id"] for row in next(pages).rows]
    peer.sandbox.records.delete("contacts", ids[0])  # by number, the next page would begin one too late
    late = peer.member("Late")
    assert [*seen, *(row["id"] for page in pages for row in page.rows)] == [*ids, late]


def test_a_server_that_sends_fewer_than_were_asked_for_ends_no_pull(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [peer.member(f"Member {n}") for n in range(230)]
    connector: Any = peer.opened(page_size=500)
    sent = connector._api._sent

    def capped(method: str, path: str, query: Any, body: Any = None) -> Any:
        return sent(method, path, {**(query or {}), "limit": min(100, (query or {}).get("limit", 100))}, body)

    monkeypatch.setattr(connector._api, "_sent", capped)
    pages = list(connector.pages(Query(object="contacts", where=peer.query.where, size=1000)))
    assert [row["id"] for page in pages for row in page.rows] == ids and len(pages) == 3


@pytest.mark.parametrize("version", ["peer", "old"])
def test_what_changed_since_is_pulled_in_every_version(version: str, request: pytest.FixtureRequest) -> None:
    peer: Peer = request.getfixturevalue(version)
    stays, leaves = peer.member("Stays"), peer.member("Leaves")
    old = peer.member("Old")
    peer.sandbox.records.one("contacts", old)["date_modification"] -= 3 * 86_400
    _, _, watermark = pulled(peer, "contacts", where=peer.query.where)
    peer.leave(leaves)
    rows, removed, _ = pulled(peer, "contacts", where=peer.query.where, watermark=watermark)
    assert stays in rows and leaves in removed and old not in (*rows, *removed)


@pytest.mark.parametrize("where", [{"town": ""}, {"town": "x" * 300}, {"town": "%%%"}, {"a-b": "x"}, {"id": "x"},
                                   {"x' or '1": "1"}, {"no_such_column": "1"}, {"town": []}])  # fmt: skip
def test_a_condition_that_cannot_be_asked_is_refused(peer: Peer, where: Any) -> None:
    with pytest.raises(Rejected):
        pulled(peer, "contacts", where=where)


@pytest.mark.parametrize("cursor", ["x", "0:x 2026-11-23", "9:0 2026-11-23T10:00:00+00:00", "0:0 yesterday",
                                    "1:0 2026-11-23T10:00:00+00:00", "²:0 2026-11-23"])  # fmt: skip
def test_a_cursor_of_somebody_else_is_refused(peer: Peer, cursor: str) -> None:
    with pytest.raises(Rejected):
        pulled(peer, "contacts", where=peer.query.where, cursor=cursor)


def test_a_database_that_does_not_answer_in_the_middle_of_a_pull(peer: Peer) -> None:
    for n in range(4):
        peer.member(f"Member {n}")
    pages = peer.connector.pages(Query(object="contacts", where=peer.query.where, size=2))
    next(pages)
    peer.sandbox.faults.set("database")
    with pytest.raises(Unavailable):
        next(pages)


# --- describe ----------------------------------------


def fields_of(peer: Peer, object: str, **settings: Any) -> dict[str, Field]:
    connector: Any = peer.opened(**settings) if settings else peer.connector
    return {one.name: one for one in connector.describe(object).fields}


def test_what_is_described_is_what_the_tables_have(peer: Peer) -> None:
    for object in peer.connector.objects():
        described, table = fields_of(peer, object), TABLES[object]
        for column in table.columns:
            field = described.get(column.field)
            if field is None or not field.writable:
                continue
            if column.most and column.field != "type_code":
                assert field.max_length in (column.most, 128, 50) or field.picklist, (object, column.field)
                assert not field.max_length or field.max_length <= column.most, (object, column.field)
        required = {name for name, field in described.items() if field.required}
        assert required == set(table.needs) - {"userownerid", "login"}  # who owns an event the connector says itself


def test_picklists_come_from_the_dictionaries(peer: Peer) -> None:
    assert "AC_TEL" in fields_of(peer, "agendaevents")["type_code"].picklist
    tickets = fields_of(peer, "tickets")
    assert tickets["severity_code"].picklist == ("LOW", "NORMAL", "HIGH", "BLOCKING")
    assert fields_of(peer, "thirdparties")["options_tier"].picklist == ("A", "B")


def test_extra_fields_are_described_to_administrators_or_named_by_the_settings(peer: Peer, old: Peer) -> None:
    field = fields_of(peer, "agendaevents")["options_patchbaykey"]
    assert (field.type, field.max_length, field.unique, field.label) == ("text", 128, True, "Patchbay key")
    assert fields_of(peer, "contacts")["options_consent"].type == "boolean"
    for one in (peer, old):
        one.sandbox.faults.set("no_administrator", times=-1)
        assert "options_consent" not in fields_of(one, "contacts")
        assert fields_of(one, "contacts", extra_fields=["contacts.options_consent"])["options_consent"].writable


def test_what_the_user_may_do_is_described(peer: Peer) -> None:
    described = {object: peer.connector.describe(object) for object in peer.connector.objects()}
    assert {name: (one.creatable, one.changeable) for name, one in described.items()} == {
        **dict.fromkeys(("contacts", "thirdparties", "agendaevents", "tickets"), (True, True)), "users": (False, False),
    }  # fmt: skip
    assert not any(field.writable for field in described["users"].fields)


def test_an_object_that_the_settings_leave_out_is_not_described(peer: Peer) -> None:
    connector: Any = peer.opened(objects=["contacts", "agendaevents"])
    assert connector.objects() == ("contacts", "agendaevents")
    with pytest.raises(NotFound, match="tickets"):
        connector.describe("tickets")


# --- links ----------------------------------------


def test_links(peer: Peer) -> None:
    home, links = peer.served.url, peer.connector.links
    assert links("open", "contacts", "12") == f"{home}/contact/card.php?id=12"
    assert links("open", "agendaevents", "7") == f"{home}/comm/action/card.php?id=7"
    assert links("open", "tickets", "7") == f"{home}/ticket/card.php?id=7"
    found = links("search", "contacts", fields={"name": "Ada", "phone": "+34 612"})
    assert found == f"{home}/contact/list.php?search_all=%2B34%20612"
    new = links("new", "contacts", fields={"phone": "+34612345678", "name": "Ada King & Co", "email": "a@b.example"})
    assert new == (f"{home}/contact/card.php?action=create&phone_mobile=%2B34612345678&firstname=Ada%20King%20%26"
                   "&lastname=Co&email=a%40b.example")  # fmt: skip
    company = links("new", "thirdparties", fields={"name": "Engines", "mobile": "+34612345678"})
    assert company == f"{home}/societe/card.php?action=create&name=Engines&phone=%2B34612345678"
    other: Any = peer.opened(link_search="sall={words}", url=f"{home}/dolibarr/")
    assert other.links("search", "thirdparties", fields={"phone": "1"}) == f"{home}/dolibarr/societe/list.php?sall=1"
