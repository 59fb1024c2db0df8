"""One sandbox of each version for all of these tests, its faults off before and after each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.dolibarr.peer import OldPeer, Peer
from tests.contract.sandbox_peer import shared


@pytest.fixture
def peer() -> Iterator[Peer]:
    with shared(Peer) as running:
        yield running


@pytest.fixture
def old() -> Iterator[Peer]:
    with shared(OldPeer) as running:
        yield running
