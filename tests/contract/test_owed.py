"""Every connector has all the scenarios that it owes, and no waiver that it no longer needs."""

from __future__ import annotations

from typing import Any

import pytest

from hub.contract import Manifest, Setting
from hub.installed import connector_class, connector_names
from tests.contract import live
from tests.contract.owed import owed
from tests.contract.peer import variants
from tests.contract.scenario_files import contract_of, scenarios_of


@pytest.mark.parametrize("name", connector_names())
def test_nothing_is_missing(name: str) -> None:
    shown = {scenario.name for scenario in scenarios_of(name)}
    missing = [
        scenario
        for scenario in owed(connector_class(name))
        if scenario not in shown | set(contract_of(name).waivers) and not live.served(name, scenario)
    ]
    assert not missing, (
        f"{name} owes {', '.join(missing)}: add tests/connectors/{name}/<verb>_<case>.yaml, give its peer.py what the "
        f"scenario needs (tests/contract/peer.py), or waive it with a reason in tests/connectors/{name}/contract.yaml"
    )


@pytest.mark.parametrize("name", connector_names())
def test_no_waiver_is_stale(name: str) -> None:
    shown = {scenario.name for scenario in scenarios_of(name)}
    owes = owed(connector_class(name))
    for scenario, reason in contract_of(name).waivers.items():
        assert scenario in owes, f"{name} does not owe {scenario!r}; its waiver is stale"
        assert scenario not in shown, f"{name} shows {scenario!r} in a file; its waiver is stale"
        assert not live.served(name, scenario), f"{name} shows {scenario!r} against its peer; its waiver is stale"
        assert len(reason) > 20, f"{name}: why is {scenario!r} waived?"


@pytest.mark.parametrize("name", connector_names())
def test_a_peer_can_run(name: str) -> None:
    assert variants(name) or list(scenarios_of(name)), f"{name} has neither a peer nor scenario files"


class _Made:
    """A connector of a test's own."""

    manifest = Manifest(
        name="made", title="Made", about="", family="crm", settings=(Setting(name="url", about="", kind="url"),)
    )

    def find(self, lookups: Any) -> Any: ...

    def write(self, target: Any, rows: Any) -> Any: ...


def test_what_is_owed_follows_from_the_capabilities() -> None:
    owes = owed(_Made)  # type: ignore[arg-type]
    assert {"find many", "find hostile", "find throttled", "write twice", "write half", "write unknown_outcome"} <= set(
        owes
    )
    assert not [scenario for scenario in owes if scenario.split()[0] not in ("find", "write")]
    assert "find unknown_outcome" not in owes  # a search changes nothing


def test_without_an_address_to_call_no_fault_is_owed() -> None:
    inside = type("Inside", (_Made,), {"manifest": Manifest(name="inside", title="", about="", family="crm")})
    assert not [scenario for scenario in owed(inside) if scenario.endswith(("unavailable", "unknown_outcome"))]
