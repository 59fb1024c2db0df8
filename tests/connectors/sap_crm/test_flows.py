"""The ready mappings and the example connection: they agree with what the sandbox describes, and what they write arrives."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.config import ConnectionConfig, load_config
from hub.connections import Connection, Connections
from hub.flow.agreement import disagreements
from hub.flow.subject import interaction_subject
from hub.language.examples import check_examples
from hub.language.mapping import Mapping, compile_mapping
from hub.store.database import Store, open_store
from hub.store.schema import metadata
from tests.connectors.sap_crm.peer import Peer
from tests.contract.given import a_mail, a_number
from tests.contract.sandbox_peer import shared
from tests.stubs import Rig, put_deliveries, put_interactions

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "mappings" / "examples" / "sap_crm"
TO_CRM = ("sap_crm_wrap_up", "sap_crm_mail_to_service_request")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    kept = open_store(f"sqlite:///{tmp_path / 'patchbay.db'}")
    metadata.create_all(kept.engine)
    yield kept
    kept.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with shared(Peer) as opened:
        yield opened


def mapping(name: str) -> Mapping:
    file = EXAMPLES / f"{name}.yaml"
    return compile_mapping(file.read_text(), str(file), country="ES", zone="Europe/Madrid")


def connections(peer: Peer) -> Connections:
    config = ConnectionConfig("sap_crm", "sap_crm", {})
    names = ("sap_crm", "softphone", "contact_centre")
    return Connections({name: Connection(name, config, peer.connector) for name in names})


def delivered(store: Store, peer: Peer, name: str, *every: dict[str, Any]) -> Any:
    """The facts of one interaction, one after the other, through the hub's own delivery."""
    here = copy.copy(mapping(name))
    here.target = replace(here.target, connection="crm")
    rig = Rig(store, peer.connector, here)
    for facts in every:
        put_interactions(store, [facts])
        put_deliveries(
            store, {"subject": interaction_subject("softphone", facts["interaction"]["id"]), "mapping": here.name}
        )
        assert rig.deliverer.run_once("crm") == 1
    return rig.all()[-1]


def facts(id: str, channel: str, **more: Any) -> dict[str, Any]:
    event = {"id": f"e-{id}", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z"}
    interaction = {"id": id, "channel": channel, "direction": "inbound", "started_at": "2026-11-23T10:02:00Z",
                   "ended_at": "2026-11-23T10:05:13Z", **more.pop("interaction", {})}  # fmt: skip
    return {"connection": "softphone", "final": True, "event": event, "interaction": interaction, **more}


def test_every_example_is_right_and_none_is_forgotten() -> None:
    names = {file.stem for file in EXAMPLES.glob("*.yaml")}
    assert names == set(TO_CRM)
    for name in names:
        check_examples(mapping(name))


@pytest.mark.parametrize("name", TO_CRM)
def test_the_mapping_agrees_with_what_the_wsdl_says(peer: Peer, name: str) -> None:
    assert disagreements(mapping(name), connections(peer)) == ([], "")


def test_a_wrapped_up_call_arrives_on_its_customer_once(peer: Peer, store: Store) -> None:
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
    delivery = delivered(store, peer, "sap_crm_wrap_up", early, told)
    assert delivery.state == "delivered" and "crm-object-type=BT126_CALL" in delivery.record_url
    (call,) = peer.documents("softphone:call-1")
    assert (call["Description"], call["StatusCode"], call["DirectionCode"]) == ("Sale, Ada Lovelace", "E0003", "1")
    assert call["Party"] == [{"RoleCode": "00000015", "BusinessPartnerInternalID": customer}]
    assert peer.texts("softphone:call-1") == ["Wants the red one"]


def test_a_mail_becomes_a_service_request(peer: Peer, store: Store) -> None:
    mail = a_mail()
    sender = peer.person("Ada", email=mail)
    told = facts("mail-1", "email", interaction={"subject": "It is broken", "summary": "The red one broke."},
                 disposition={"code": "CASE"}, customer={"email": mail})  # fmt: skip
    assert delivered(store, peer, "sap_crm_mail_to_service_request", told).state == "delivered"
    (request,) = peer.documents("softphone:mail-1", "ServiceRequest")
    assert request["Description"] == "It is broken" and {
        party["BusinessPartnerInternalID"] for party in request["Party"]
    } == {sender}


def test_the_example_connection_is_read_as_it_stands() -> None:
    config = load_config({"PATCHBAY_CONFIG": str(ROOT / "config" / "examples" / "sap_crm.yaml")})
    assert set(config.connections) == {"sap_crm"}
