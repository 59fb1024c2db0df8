"""One sandbox for all of these tests, its faults off before and after each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.siebel.peer import Peer
from tests.contract.sandbox_peer import shared


@pytest.fixture
def peer() -> Iterator[Peer]:
    with shared(Peer) as running:
        yield running
