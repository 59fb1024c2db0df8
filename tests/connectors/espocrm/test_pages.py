"""Lists, descriptions and links of EspoCRM beyond the law."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import Ambiguous, NotFound, Rejected, Unsupported
from hub.model import Query
from sandbox.espocrm.schema import ENTITY_DEFS
from tests.connectors.espocrm.peer import Peer
from tests.contract.given import a_number


def pulled(peer: Peer, object: str, **more: Any) -> tuple[list[str], list[str], str | None]:
    """(ids, removed, watermark) of a pull."""
    pages = list(peer.connector.pages(Query(object=object, **more)))  # type: ignore[attr-defined]
    rows = [row["id"] for page in pages for row in page.rows]
    return rows, [id for page in pages for id in page.removed], pages[-1].watermark


@pytest.fixture
def listed(peer: Peer) -> tuple[str, str, list[str], list[str]]:
    """A target list: its name and id, its contacts and its leads."""
    records, name = peer.sandbox.records, f"List {a_number()}"
    list_id = records.put("TargetList", name=name)
    contacts = [records.put("Contact", lastName=f"Contact {n}", cConsent=n % 2 == 0) for n in range(5)]
    leads = [records.put("Lead", lastName="Lead")]
    records.relate("TargetList", list_id, "contacts", contacts)
    records.relate("TargetList", list_id, "leads", leads)
    return name, list_id, contacts, leads


# --- target lists ----------------------------------------


def test_a_target_list_is_pulled_by_name_and_by_id(peer: Peer, listed: Any) -> None:
    name, list_id, contacts, leads = listed
    for named in (name, list_id):
        assert pulled(peer, "Contact", where={"targetList": named}) == (contacts, [], None)
        assert pulled(peer, "Lead", where={"targetList": named}) == (leads, [], None)
    assert pulled(peer, "Account", where={"targetList": name}) == ([], [], None)


def test_a_target_list_is_pulled_whole_each_time_for_it_keeps_no_trace_of_who_left(peer: Peer, listed: Any) -> None:
    name, list_id, contacts, _ = listed
    _, _, watermark = pulled(peer, "Contact", where={"targetList": name})
    assert watermark is None  # so the hub asks for all again, and takes off whom it no longer sees
    peer.sandbox.records.unrelate("TargetList", list_id, "contacts", contacts[:1])
    assert pulled(peer, "Contact", where={"targetList": name})[0] == contacts[1:]


def test_a_target_list_can_be_narrowed_and_goes_on_where_it_stopped(peer: Peer, listed: Any) -> None:
    name, _, contacts, _ = listed
    where = {"targetList": name, "cConsent": True}
    assert pulled(peer, "Contact", where=where)[0] == contacts[::2]
    first = next(iter(peer.connector.pages(Query(object="Contact", where={"targetList": name}, size=2))))  # type: ignore[attr-defined]
    assert [row["id"] for row in first.rows] == contacts[:2] and first.rows[0]["targetList"] == name
    assert pulled(peer, "Contact", where={"targetList": name}, size=2, cursor=first.cursor)[0] == contacts[2:]


@pytest.mark.parametrize("named", ["", "nul\0", "none"])
def test_a_list_that_is_not_there_is_not_found(peer: Peer, named: str) -> None:
    with pytest.raises(NotFound):
        pulled(peer, "Contact", where={"targetList": named})


def test_a_list_of_another_spelling_is_another_list(peer: Peer, listed: Any) -> None:
    with pytest.raises(NotFound):
        pulled(peer, "Contact", where={"targetList": listed[0].upper()})


def test_two_lists_of_one_name_and_calls_on_a_list(peer: Peer, listed: Any) -> None:
    with pytest.raises(Unsupported, match="no Call"):
        pulled(peer, "Call", where={"targetList": listed[0]})
    peer.sandbox.records.put("TargetList", name=listed[0])
    with pytest.raises(Ambiguous):
        pulled(peer, "Contact", where={"targetList": listed[0]})


# --- entity types ----------------------------------------


def test_what_changed_comes_and_what_no_longer_fits_is_removed(peer: Peer) -> None:
    records, text = peer.sandbox.records, f"vip {a_number()}"
    stays, leaves = (records.put("Lead", lastName=name, description=text) for name in ("Stays", "Leaves"))
    where: dict[str, Any] = {"description": [text, "another"], "doNotCall": False}
    records.update("Lead", stays, {"doNotCall": False})
    records.update("Lead", leaves, {"doNotCall": False})
    rows, _, watermark = pulled(peer, "Lead", where=where)
    assert {stays, leaves} <= set(rows) and watermark
    records.update("Lead", leaves, {"doNotCall": True})
    rows, removed, _ = pulled(peer, "Lead", where=where, watermark=watermark)
    assert stays in rows and leaves in removed and leaves not in rows
    later = "2099-01-01T00:00:00+00:00"
    assert pulled(peer, "Lead", where=where, watermark=later)[:2] == ([], [])


def test_more_fields_are_a_setting(peer: Peer) -> None:
    text = f"text {a_number()}"
    peer.sandbox.records.put("Lead", lastName="Lead", description=text, title="Countess")
    connector: Any = peer.opened(pull_fields=["Lead.title"])
    (page,) = connector.pages(Query(object="Lead", where={"description": text}))
    assert page.rows[0]["title"] == "Countess" and page.rows[0]["phoneNumber"] is None


@pytest.mark.parametrize(("told", "error"), [
    ({"cursor": "64f0 yesterday"}, Rejected), ({"watermark": "yesterday"}, Rejected),
    ({"where": {"description": "x" * 9_000}}, Rejected), ({"where": {"noSuchField": "x"}}, Rejected)])  # fmt: skip
def test_a_pull_that_cannot_be_is_said(peer: Peer, told: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        pulled(peer, "Contact", **told)


def test_a_pull_with_more_conditions_than_fit_is_not_sent(peer: Peer) -> None:
    before = peer.sandbox.faults.call_count
    with pytest.raises(Rejected, match="too long to be asked"):
        pulled(peer, "Contact", where={"description": "x" * 9_000})
    assert peer.sandbox.faults.call_count == before


def test_pages_hold_two_hundred_and_no_one_comes_twice(peer: Peer) -> None:
    text = f"text {a_number()}"
    put = [peer.sandbox.records.put("Lead", lastName="Lead", description=text) for _ in range(401)]
    before = peer.sandbox.faults.call_count
    assert pulled(peer, "Lead", where={"description": text})[0] == put
    assert peer.sandbox.faults.call_count - before == 3


# --- describe ----------------------------------------


def fields(peer: Peer, object: str, **settings: Any) -> dict[str, Any]:
    connector: Any = peer.opened(**settings)
    return {field.name: field for field in connector.describe(object).fields}


def test_a_call_is_described(peer: Peer) -> None:
    call = fields(peer, "Call", assigned_user="")
    assert call["status"].type == "picklist" and call["status"].picklist == ("Planned", "Held", "Not Held")
    assert not call["status"].required  # it has a default
    assert call["dateStart"].required and call["dateStart"].type == "datetime"  # its default is the browser's
    assert call["parentType"].picklist == call["parentId"].refers_to and "Contact" in call["parentId"].refers_to
    assert call["contactsIds"].type == "reference" and call["contactsIds"].refers_to == ("Contact",)
    assert call["assignedUserId"].required and call["assignedUserId"].refers_to == ("User",)
    assert not call["assignedUserName"].writable and not call["createdAt"].writable and not call["id"].writable
    assert call["patchbayKey"].unique and call["patchbayKey"].max_length == 150 and call["name"].max_length == 255
    assert "duration" not in call and call["description"].type == "longtext"
    assert not fields(peer, "Call", assigned_user="64f0")["assignedUserId"].required


def test_people_are_described(peer: Peer) -> None:
    contact = fields(peer, "Contact")
    assert (contact["phoneNumber"].type, contact["emailAddress"].type) == ("phone", "email")
    assert contact["accountId"].refers_to == ("Account",) and contact["lastName"].required
    assert "name" not in contact and "address" not in contact and contact["doNotCall"].type == "boolean"


def test_what_our_user_may_do_is_told(peer: Peer) -> None:
    connector: Any = peer.connector
    assert [connector.describe(one).creatable for one in ("Call", "User")] == [True, False]
    assert [connector.describe(one).changeable for one in ("Call", "User")] == [True, False]
    assert set(connector.objects()) == set(ENTITY_DEFS)


def test_a_version_that_answers_with_all_its_metadata_is_understood(peer: Peer) -> None:
    peer.sandbox.faults.set("whole_metadata", times=-1)
    connector: Any = peer.connector
    assert set(connector.objects()) == set(ENTITY_DEFS)
    assert {field.name for field in connector.describe("Lead").fields} >= {"lastName", "status"}


@pytest.mark.parametrize("object", ["no_such_object", "Contact.fields", "", "../Contact", "Kontakt"])
def test_no_such_object(peer: Peer, object: str) -> None:
    with pytest.raises(Unsupported):
        peer.connector.describe(object)  # type: ignore[attr-defined]


# --- links ----------------------------------------


def test_links(peer: Peer) -> None:
    links: Any = peer.opened(url="https://crm.acme.example/espo/").links  # type: ignore[attr-defined]
    home = "https://crm.acme.example/espo/#"
    assert links("open", "Contact", "64f0") == f"{home}Contact/view/64f0"
    assert links("search", "Lead", fields={"name": "Ada", "phone": "+34612"}) == f"{home}Lead/list/textFilter=%2B34612"
    new = links("new", "Contact", fields={"phone": "+34 612", "email": "a&b@example.com", "name": "Ada King Lovelace"})
    assert new == (f"{home}Contact/create/phoneNumber=%2B34%20612&emailAddress=a%26b%40example.com"
                   "&firstName=Ada%20King&lastName=Lovelace")  # fmt: skip
    assert links("new", "Account", fields={"name": "A / B"}) == f"{home}Account/create/name=A%20%2F%20B"
    other: Any = peer.opened(url="https://crm.example", link_search="/#Phone/{words}?in={object}")
    assert other.links("search", "Lead", fields={"x": "{object}"}) == "https://crm.example/#Phone/%7Bobject%7D?in=Lead"
