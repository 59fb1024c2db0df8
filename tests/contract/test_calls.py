"""How many calls one claim's wrap-ups take with the look-ups of their callers, by the mapping that ships and each sandbox's
own count: forty callers are never forty questions."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from hub.flow.subject import interaction_subject
from hub.store.database import Store
from tests.contract.given import a_number
from tests.contract.peer import opened, variants
from tests.shipped import mapping_of, names_of
from tests.stubs import Rig, put_deliveries, put_interactions

ROWS = 40
# Questions and writes. Where a row is a call of its own, the vendor has no other way.
MOST = {
    "dynamics": 7,  # batches, and two when it begins
    "espocrm": 11 + ROWS,
    "hubspot": 5,
    "odoo": 5,
    "oracle_fusion": 6,
    "oracle_ondemand": 8
    + 2 * ROWS // 5
    + 2,  # five interactions in one insert and in one wrap-up, twenty in one update
    "salesforce": 2,
    "sap_c4c": 6,
    "sap_crm": 4 + ROWS,
}


@pytest.mark.parametrize("name", MOST)
def test_a_claim_s_callers_are_few_questions(name: str, request: pytest.FixtureRequest, sqlite_store: Store) -> None:
    (which,) = (one for one in names_of(name) if "wrap_up" in one)
    mapping = copy.copy(mapping_of(name, which))
    mapping.target = replace(mapping.target, connection="crm")
    with opened(name, variants(name)[0], request) as peer:
        every = [told(n, number) for n, number in enumerate(a_number() for _ in range(ROWS))]
        for one in every:
            peer.person(f"Ada {one['interaction']['id']}", phone=one["interaction"]["remote_e164"])
        put_interactions(sqlite_store, every)
        subjects = [interaction_subject("softphone", one["interaction"]["id"]) for one in every]
        put_deliveries(sqlite_store, *({"subject": subject, "mapping": mapping.name} for subject in subjects))
        rig = Rig(sqlite_store, peer.connector, mapping)  # type: ignore[arg-type]
        peer.connector.check()
        before = peer.sandbox.faults.call_count
        assert rig.deliverer.run_once("crm") == ROWS
        assert {delivery.state for delivery in rig.all()} == {"delivered"}
        assert peer.sandbox.faults.call_count - before <= MOST[name]


def told(n: int, number: str) -> dict[str, Any]:
    """A wrapped-up call."""
    return {
        "connection": "softphone", "final": True,
        "event": {"id": f"e-{n}", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z"},
        "interaction": {"id": f"{number[1:]}-{n}", "channel": "voice", "direction": "inbound", "remote_e164": number,
                        "talk_seconds": 184.0, "started_at": "2026-11-23T10:02:00Z", "ended_at": "2026-11-23T10:05:13Z"},
        "agent": {"id": "a-1", "email": "ana@example.com"},
        "disposition": {"code": "SALE", "name": "Sale"}, "wrap_up": {"code": "SALE", "comment": f"Call {n}"},
    }  # fmt: skip
