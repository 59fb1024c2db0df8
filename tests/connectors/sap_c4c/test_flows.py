"""The ready mappings: they agree with what the sandbox describes, and what they write arrives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.model import Query
from hub.store.database import Store
from sandbox.sap_c4c.state import GROUP
from tests.connectors.sap_c4c.peer import Peer
from tests.contract.given import a_mail, a_number
from tests.contract.sandbox_peer import shared
from tests.shipped import agrees, connected, delivered, facts, mapping_of, names_of

TO_CRM = ("c4c_wrap_up", "c4c_mail_to_ticket")


@pytest.fixture
def peer() -> Iterator[Peer]:
    with shared(Peer) as opened:
        yield opened


def test_every_example_is_right_and_none_is_forgotten() -> None:
    names = set(names_of("sap_c4c"))
    assert names == {*TO_CRM, "c4c_target_group_to_dialer"}
    for name in names:
        mapping_of("sap_c4c", name)


@pytest.mark.parametrize("name", TO_CRM)
def test_the_mapping_agrees_with_what_c4c_describes(peer: Peer, name: str) -> None:
    agrees("sap_c4c", name, connected("c4c", peer.connector))


def test_the_pulled_list_has_every_field_that_the_mapping_names(peer: Peer) -> None:
    source = mapping_of("sap_c4c", "c4c_target_group_to_dialer").source.contact_list
    assert source is not None and source.where == {"TargetGroupID": GROUP}
    row = next(iter(peer.connector.pages(Query(object=source.object, where=source.where)))).rows[0]
    named = {"NormalisedMobile", "NormalisedPhone", "Mobile", "Phone", "CountryCode", "ContactPermissionCode", "Name",
             "FirstName", "LastName", "Email", "AccountFormattedName", "LanguageCode", "ContactID", "id"}  # fmt: skip
    assert named <= set(row)


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
    delivery = delivered(sqlite_store, peer.connector, mapping_of("sap_c4c", "c4c_wrap_up"), early, told)[-1]
    assert delivery.state == "delivered" and "OnExtInspect" in delivery.record_url
    (call,) = peer.calls("softphone:call-1")
    assert call["Subject"] == "Call from Ada Lovelace: Sale" and call["MainAccountPartyID"] == customer
    assert (call["Status"], call["InitiatorCode"], call["Phone"]) == ("3", "2", number)
    assert peer.texts("softphone:call-1") == ["Wants the red one"]


def test_a_mail_becomes_a_ticket(peer: Peer, sqlite_store: Store) -> None:
    mail = a_mail()
    account = peer.made("CorporateAccount", Name="Engines")
    contact = peer.made("Contact", LastName="Lovelace", Email=mail, AccountID=account["AccountID"])
    told = facts("mail-1", "email", interaction={"subject": "It is broken", "summary": "The red one broke."},
                 disposition={"code": "CASE"}, customer={"email": mail})  # fmt: skip
    (delivery,) = delivered(sqlite_store, peer.connector, mapping_of("sap_c4c", "c4c_mail_to_ticket"), told)
    assert delivery.state == "delivered"
    (ticket,) = [
        row for row in peer.sandbox.state.rows("ServiceRequestCollection") if row["ExternalID"] == "softphone:mail-1"
    ]
    assert (ticket["Name"], ticket["BuyerPartyID"]) == ("It is broken", account["AccountID"])
    assert ticket["BuyerMainContactPartyID"] == contact["ContactID"]
