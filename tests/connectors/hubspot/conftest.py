"""What the HubSpot tests share: a connector at the one sandbox of this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.hubspot.peer import Peer
from tests.contract.sandbox_peer import shared


@pytest.fixture
def peer() -> Iterator[Peer]:
    with shared(Peer) as one:
        yield one
