"""The worked example of an in-house CRM, by each of its three doors: the shipped mapping agrees with the shipped profile,
and a wrapped-up call arrives on the right customer."""

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
from hub.language.mapping import Mapping, compile_mapping
from hub.model import Lookup
from hub.store.database import Store, open_store
from hub.store.schema import metadata
from tests.contract.given import a_number
from tests.contract.peer import opened, variants
from tests.stubs import Rig, put_deliveries, put_interactions

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "mappings" / "examples" / "in_house"
DOORS = {"rest": "in_house_wrap_up", "soap": "in_house_wrap_up", "sql": "in_house_wrap_up_by_sql"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    kept = open_store(f"sqlite:///{tmp_path / 'patchbay.db'}")
    metadata.create_all(kept.engine)
    yield kept
    kept.close()


def mapping(name: str) -> Mapping:
    file = EXAMPLES / f"{name}.yaml"
    return compile_mapping(file.read_text(), str(file), country="ES", zone="Europe/Madrid")


def connections(peer: Any, name: str) -> Connections:
    mine = mapping(name).target.connection
    config = ConnectionConfig(mine, peer.connector.manifest.name, {})
    others = {one: Connection(one, config, peer.connector) for one in ("softphone", "contact_centre")}
    return Connections({mine: Connection(mine, config, peer.connector), **others})


@pytest.mark.parametrize("door", DOORS)
def test_the_mapping_agrees_with_the_profile(door: str, request: pytest.FixtureRequest) -> None:
    with opened(door, variants(door)[0], request) as peer:
        assert disagreements(mapping(DOORS[door]), connections(peer, DOORS[door])) == ([], "")


@pytest.mark.parametrize("door", DOORS)
def test_a_wrapped_up_call_arrives_on_its_customer(door: str, store: Store, request: pytest.FixtureRequest) -> None:
    number = a_number()
    with opened(door, variants(door)[0], request) as peer:
        customer = peer.person("Ada Lovelace", phone=f"{number[3:6]} {number[6:9]} {number[9:]}")
        here = copy.copy(mapping(DOORS[door]))
        here.target = replace(here.target, connection="crm")
        rig = Rig(store, peer.connector, here)
        facts = {
            "connection": "softphone", "final": True,
            "event": {"id": "e-1", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z"},
            "interaction": {"id": "call-1", "channel": "voice", "direction": "inbound", "remote_e164": number,
                            "talk_seconds": 184.0, "started_at": "2026-11-23T10:02:00Z"},
            "disposition": {"code": "SALE"}, "wrap_up": {"code": "SALE", "comment": "Wants the red one"},
        }  # fmt: skip
        put_interactions(store, [facts])
        put_deliveries(store, {"subject": interaction_subject("softphone", "call-1"), "mapping": here.name})
        assert rig.deliverer.run_once("crm") == 1
        delivery = rig.one()
        assert delivery.state == "delivered" and delivery.record_url, delivery
        assert peer.texts("softphone:call-1") == ["Wants the red one"]
        (call,) = peer.connector.find([Lookup("call", "key", "softphone:call-1")])[0]
        told = {name: str(value) for name, value in call.fields.items()}
        assert told["customer_id" if door == "sql" else "customer"] == customer
        assert (told["outcome"], told["seconds"], told["direction"]) == ("sale", "184", "inbound")


def test_the_example_connections_are_read_as_they_stand() -> None:
    env = {
        "PATCHBAY_CONFIG": str(ROOT / "config" / "examples" / "in_house.yaml"),
        "PATCHBAY_WEBHOOK_SECRET": "whsec_MTIz",
    }
    assert {"in_house", "in_house_soap", "in_house_sql"} < set(load_config(env).connections)
