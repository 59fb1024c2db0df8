"""What the Salesforce tests share: one sandbox in a process, a new connector each time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.salesforce.bench import Bench, a_bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    with a_bench() as one:
        yield one
