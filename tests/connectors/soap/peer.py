"""The in-house CRM by SOAP, through the profile of the worked example."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from sandbox.in_house.soap import InHouseSoapSandbox
from tests.contract.sandbox_peer import shared
from tests.in_house import InHousePeer

VARIANTS = ("username_token",)


class Peer(InHousePeer):
    """Its SOAP interface."""

    NAME, SANDBOX = "soap", InHouseSoapSandbox
    PATH = "/soap"


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """At the sandbox that the worker's tests share."""
    with shared(Peer) as peer:
        yield peer
