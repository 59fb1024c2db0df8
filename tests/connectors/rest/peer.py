"""The in-house CRM by REST, through the profile of the worked example."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.frame import Served
from sandbox.in_house import InHouseSandbox
from tests.contract.sandbox_peer import shared
from tests.in_house import InHousePeer

VARIANTS = ("oauth2",)


class Peer(InHousePeer):
    """Its REST interface."""

    NAME, SANDBOX = "rest", InHouseSandbox

    def __init__(self, served: Served, **settings: Any) -> None:
        super().__init__(served, sign_in_url=f"{served.url}/oauth/token", **settings)


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """At the sandbox that the worker's tests share."""
    with shared(Peer) as peer:
        yield peer
