"""The worked example of an in-house CRM, by each of its three doors: the shipped mapping agrees with the shipped profile,
and a wrapped-up call arrives on the right customer."""

from __future__ import annotations

import pytest

from hub.config import load_config
from hub.model import Lookup
from hub.store.database import Store
from tests.contract.given import a_number
from tests.contract.peer import opened, variants
from tests.shipped import ROOT, agrees, connected, delivered, mapping_of

DOORS = {"rest": "in_house_wrap_up", "soap": "in_house_wrap_up", "sql": "in_house_wrap_up_by_sql"}


@pytest.mark.parametrize("door", DOORS)
def test_the_mapping_agrees_with_the_profile(door: str, request: pytest.FixtureRequest) -> None:
    with opened(door, variants(door)[0], request) as peer:
        mapping = mapping_of("in_house", DOORS[door])
        agrees("in_house", DOORS[door], connected(mapping.target.connection, peer.connector))


@pytest.mark.parametrize("door", DOORS)
def test_a_wrapped_up_call_arrives_on_its_customer(
    door: str, sqlite_store: Store, request: pytest.FixtureRequest
) -> None:
    number = a_number()
    with opened(door, variants(door)[0], request) as peer:
        customer = peer.person("Ada Lovelace", phone=f"{number[3:6]} {number[6:9]} {number[9:]}")
        facts = {
            "connection": "softphone", "final": True,
            "event": {"id": "e-1", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z"},
            "interaction": {"id": "call-1", "channel": "voice", "direction": "inbound", "remote_e164": number,
                            "talk_seconds": 184.0, "started_at": "2026-11-23T10:02:00Z"},
            "disposition": {"code": "SALE"}, "wrap_up": {"code": "SALE", "comment": "Wants the red one"},
        }  # fmt: skip
        (delivery,) = delivered(sqlite_store, peer.connector, mapping_of("in_house", DOORS[door]), facts)
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
