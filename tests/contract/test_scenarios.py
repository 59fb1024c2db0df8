"""Every scenario of every connector: those in files through `responses`, those of a peer for real."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.installed import connector_class, connector_names
from tests.contract import live, scenario_files
from tests.contract.owed import owed
from tests.contract.peer import opened, variants
from tests.contract.scenario_files import Scenario, contract_of, scenarios_of

FILES = [scenario for name in connector_names() for scenario in scenarios_of(name)]
PEERS = [(name, variant) for name in connector_names() for variant in variants(name)]
LIVE = [
    (name, variant, scenario)
    for name, variant in PEERS
    for scenario in owed(connector_class(name))
    if live.served(name, scenario) and scenario not in contract_of(name).waivers
]


@pytest.mark.parametrize("scenario", FILES, ids=lambda scenario: scenario.id)
def test_file(scenario: Scenario) -> None:
    scenario_files.play(scenario)


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[Any]:
    name, variant = request.param
    with opened(name, variant, request) as running:
        yield running


@pytest.mark.parametrize(
    ("peer", "scenario"),
    [((name, variant), scenario) for name, variant, scenario in LIVE],
    ids=[f"{name}-{variant}-{scenario.replace(' ', '-')}" for name, variant, scenario in LIVE],
    indirect=["peer"],
)
def test_live(peer: Any, scenario: str) -> None:
    live.play(peer, scenario)
