"""What the Odoo tests share: a connector at the one sandbox of this process, by each interface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.odoo.peer import VARIANTS, Peer
from tests.contract.sandbox_peer import shared


@pytest.fixture
def peer() -> Iterator[Peer]:
    with shared(Peer, api="json2") as one:
        yield one


@pytest.fixture(params=VARIANTS)
def either(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with shared(Peer, api=request.param) as one:
        yield one
