"""The ready mappings: they agree with what the sandbox describes, and what they write arrives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.flow.lists.members import RowReader
from hub.model import Query
from hub.store.database import Store
from tests.connectors.sap_crm.peer import Peer
from tests.contract.given import a_mail, a_number
from tests.contract.sandbox_peer import shared
from tests.shipped import agrees, connected, delivered, facts, mapping_of, names_of

TO_CRM = ("sap_crm_wrap_up", "sap_crm_mail_to_service_request")


LIST = "sap_crm_target_group_to_dialer"


@pytest.fixture
def peer() -> Iterator[Peer]:
    with shared(Peer) as opened:
        yield opened


def test_every_example_is_right_and_none_is_forgotten() -> None:
    names = set(names_of("sap_crm"))
    assert names == {*TO_CRM, LIST}
    for name in names:
        mapping_of("sap_crm", name)


@pytest.mark.parametrize("name", TO_CRM)
def test_the_mapping_agrees_with_what_the_wsdl_says(peer: Peer, name: str) -> None:
    agrees("sap_crm", name, connected("sap_crm", peer.connector))


def test_a_wrapped_up_call_arrives_on_its_customer_once(peer: Peer, sqlite_store: Store) -> None:
    number = a_number()
    customer = peer.person("Ada Lovelace", phone=f"{number[3:6]} {number[6:9]} {number[9:]}")
    told = facts("call-1", "voice", interaction={"remote_e164": number}, disposition={"code": "SALE", "name": "Sale"},
                 wrap_up={"comment": "Wants the red one"})  # fmt: skip
    early = {
        **told,
        "final": False,
        "wrap_up": {},
        "event": {**told["event"], "id": "e-0", "type": "interaction.ended"},
    }
    delivery = delivered(sqlite_store, peer.connector, mapping_of("sap_crm", "sap_crm_wrap_up"), early, told)[-1]
    assert delivery.state == "delivered" and "crm-object-type=BT126_CALL" in delivery.record_url
    (call,) = peer.documents("softphone:call-1")
    assert (call["Description"], call["StatusCode"], call["DirectionCode"]) == ("Sale, Ada Lovelace", "E0003", "1")
    assert call["Party"] == [{"RoleCode": "00000015", "BusinessPartnerInternalID": customer}]
    assert peer.texts("softphone:call-1") == ["Wants the red one"]


def test_a_target_group_is_a_dialer_s_list(peer: Peer) -> None:
    mapping = mapping_of("sap_crm", LIST)
    source = mapping.source.contact_list
    assert source is not None
    reader = RowReader(mapping, source, "ES", ())
    query = Query(object=source.object, where=source.where)
    rows = [row for page in peer.connector.pages(query) for row in page.rows]  # type: ignore[attr-defined]
    read = {one.member: one for one in map(reader.read, rows)}
    assert len(rows) > 2 and {one.refusal for one in read.values()} <= {None, "no number", "unusable number"}
    assert sum(one.refusal is None and one.phone is not None for one in read.values()) > 1


def test_a_mail_becomes_a_service_request(peer: Peer, sqlite_store: Store) -> None:
    mail = a_mail()
    sender = peer.person("Ada", email=mail)
    told = facts("mail-1", "email", interaction={"subject": "It is broken", "summary": "The red one broke."},
                 disposition={"code": "CASE"}, customer={"email": mail})  # fmt: skip
    assert (
        delivered(sqlite_store, peer.connector, mapping_of("sap_crm", "sap_crm_mail_to_service_request"), told)[
            -1
        ].state
        == "delivered"
    )
    (request,) = peer.documents("softphone:mail-1", "ServiceRequest")
    assert request["Description"] == "It is broken" and {
        party["BusinessPartnerInternalID"] for party in request["Party"]
    } == {sender}
