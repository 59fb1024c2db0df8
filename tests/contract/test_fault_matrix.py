"""Every way in which a web service fails × every connector with a sandbox, through the hub's own delivery: whatever happens
on the way, the system holds each row once in the end, and a sign-in that is refused keeps the queue instead of losing it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.flow.delivery import pauses
from hub.installed import connector_names
from hub.language.mapping import Rendered, TargetSpec
from hub.store.database import Store
from sandbox.frame import FAULTS
from tests.contract.given import a_key
from tests.contract.peer import opened, peer_module, variants
from tests.contract.sandbox_peer import SandboxPeer
from tests.stubs import QUICK, Rig, StubMapping, put_calls, until

ROWS = 5
SANDBOXED = [
    (name, variants(name)[0])
    for name in connector_names()
    if (module := peer_module(name)) is not None and issubclass(getattr(module, "Peer", object), SandboxPeer)
    and hasattr(module.Peer, "target")
]  # fmt: skip


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[Any]:
    name, variant = request.param
    with opened(name, variant, request) as running:
        yield running


def rig_of(sqlite_store: Store, peer: Any) -> tuple[Rig, dict[str, str]]:
    """A hub's outbox with rows for the peer, and what the system has to hold in the end: key → text."""
    calls = [a_key().replace(":", "-") for _ in range(ROWS)]
    texts = {f"pbx:{call}": f"row {number} of the matrix" for number, call in enumerate(calls)}

    def fields(facts: Any, _found: Any) -> Rendered:
        key = f"pbx:{facts['interaction']['id']}"
        return Rendered(fields=dict(peer.row(key, texts[key]).fields))

    target = TargetSpec(connection="crm", write=peer.target.object, key=peer.target.key, options=peer.target.options)
    rig = Rig(sqlite_store, peer.connector, StubMapping(target=target, render=fields), pace=QUICK)
    put_calls(sqlite_store, *calls)
    return rig, texts


def settled(rig: Rig) -> bool:
    return all(delivery.state == "delivered" for delivery in rig.all())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("peer", SANDBOXED, indirect=True, ids=[name for name, _ in SANDBOXED])
def test_no_row_is_lost_and_none_is_there_twice(peer: Any, fault: str, sqlite_store: Store) -> None:
    rig, texts = rig_of(sqlite_store, peer)
    peer.connector.check()  # signed in: the fault hits the work
    peer.sandbox.faults.set(fault, times=2, seconds=0.05)
    rig.deliverer.start()
    try:
        until(lambda: settled(rig))
    finally:
        rig.deliverer.close()
    assert {key: peer.texts(key) for key in texts} == {key: [text] for key, text in texts.items()}


@pytest.mark.parametrize("peer", SANDBOXED, indirect=True, ids=[name for name, _ in SANDBOXED])
def test_a_refused_sign_in_keeps_the_queue(peer: Any, sqlite_store: Store) -> None:
    rig, texts = rig_of(sqlite_store, peer)
    peer.sandbox.faults.set(peer.UNAUTHORIZED, times=-1)
    rig.deliverer.start()
    try:
        until(lambda: pauses.states(sqlite_store).get("crm") is not None and pauses.states(sqlite_store)["crm"].paused)
        assert pauses.states(sqlite_store)["crm"].reason == "credentials_refused"
        assert {delivery.state for delivery in rig.all()} <= {"pending", "sending"}
        peer.sandbox.faults.clear()
        until(lambda: settled(rig))  # it tries again by itself
    finally:
        rig.deliverer.close()
    assert {key: peer.texts(key) for key in texts} == {key: [text] for key, text in texts.items()}
