"""The scenarios that are the same for every connector with a peer, played against it for real.

A scenario is a function of `live_crm` or `live_platform`, `find_many` for `find many`; the faults are one function here. All
that a scenario makes there has a name of its own, so scenarios can share a peer.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from hub.errors import (
    ConnectorError,
    CredentialsRefused,
    Throttled,
    Unavailable,
    UnknownOutcome,
)
from hub.model import PERSON, Lookup
from tests.contract import live_crm, live_platform
from tests.contract.given import a_key, a_number
from tests.contract.owed import CALLS_OUT, CHANGES, FAULTS, UNKNOWN
from tests.contract.peer import NEEDS, calls_out, has

SCENARIOS: dict[str, Callable[[Any], None]] = {**vars(live_crm), **vars(live_platform)}


def served(name: str, scenario: str) -> bool:
    """Whether the peer of the connector `name` lets this scenario be played."""
    verb, case = scenario.split()
    if case in (*FAULTS, UNKNOWN):
        return calls_out(name, verb) and has(name, NEEDS.get(verb, frozenset()))
    return f"{verb}_{case}" in SCENARIOS and has(name, NEEDS.get(verb, frozenset()))


def play(peer: Any, scenario: str) -> None:
    """Play one scenario."""
    verb, case = scenario.split()
    if case in (*FAULTS, UNKNOWN):
        fault(peer, verb, case)
    else:
        SCENARIOS[f"{verb}_{case}"](peer)


WHAT_FAILS: dict[str, type[ConnectorError]] = {
    "unavailable": Unavailable,
    "throttled": Throttled,
    "unauthorized": CredentialsRefused,
    "unknown_outcome": UnknownOutcome,
}


def fault(peer: Any, verb: str, case: str) -> None:
    """The verb, called once while the system fails so."""
    assert verb in CALLS_OUT and (case != UNKNOWN or verb in CHANGES)
    connector = peer.failing(case)
    calls: dict[str, Callable[[], object]] = {
        "check": lambda: connector.check(),
        "find": lambda: connector.find([Lookup(PERSON, "phone", a_number())]),
        "describe": lambda: connector.describe(connector.objects()[0]),
        "write": lambda: connector.write(peer.target, [peer.row(a_key(), "hello")]),
        "pages": lambda: list(connector.pages(peer.query)),
        "dial": lambda: connector.dial(peer.request(f"d-{uuid.uuid4().hex}")),
    }
    with pytest.raises(WHAT_FAILS[case]) as failed:
        calls[verb]()
    assert case == UNKNOWN or not isinstance(failed.value, UnknownOutcome)
    assert not isinstance(failed.value, Throttled) or failed.value.retry_after
