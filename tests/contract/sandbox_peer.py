"""A peer that is a sandbox: served once for a module's tests, its faults switched on by name.

class Peer(SandboxPeer):
    NAME, SANDBOX = "acme", AcmeSandbox
    UNAUTHORIZED = "expired_for_ever"     # the sandbox's fault that makes it refuse our credentials
    def person(…) …                       # what tests/contract/peer.py lists, done to self.sandbox directly
"""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, ClassVar

from hub.contract import Connector
from sandbox.frame import Sandbox, Served, serving
from tests.contract.scenario_files import built


class SandboxPeer:
    """The connector against its sandbox, and the sandbox itself."""

    NAME: ClassVar[str]
    SANDBOX: ClassVar[Callable[[], Sandbox]]
    UNAUTHORIZED: ClassVar[str]
    TLS: ClassVar[bool] = False
    PATH: ClassVar[str] = ""  # of the address that a connection is given
    calls_out: ClassVar[tuple[str, ...]] = ("check", "find", "describe", "write", "pages")

    def __init__(self, served: Served, **settings: Any) -> None:
        self.served, self.sandbox = served, served.sandbox
        self._settings = settings
        self.connector: Connector = self.opened()

    def opened(self, **settings: Any) -> Connector:
        """A connector of its own, with no session and nothing kept."""
        told = {"url": self.served.url + self.PATH, **self.sandbox.credentials(), **self._settings, **settings}
        return built(self.NAME, told, ca_file=self.served.ca_file)

    def failing(self, case: str) -> Connector:
        """A connector that is signed in and whose next call ends so."""
        faults = self.sandbox.faults
        faults.clear()
        connector = self.opened()
        connector.check()  # type: ignore[attr-defined]
        what = {"unauthorized": self.UNAUTHORIZED, "unavailable": "down", "unknown_outcome": "reset_after"}
        faults.set(what.get(case, case), times=-1, seconds=30)
        return connector


@cache
def _served(sandbox: Callable[[], Sandbox], tls: bool) -> tuple[contextlib.ExitStack, Served]:
    closing = contextlib.ExitStack()
    atexit.register(closing.close)  # before the interpreter stops the server's thread
    return closing, closing.enter_context(serving(sandbox(), tls=tls))


@contextlib.contextmanager
def shared(peer: type[SandboxPeer], **settings: Any) -> Iterator[Any]:
    """A peer at the one sandbox of its kind that this process serves; the faults are off before and after."""
    _, served = _served(peer.SANDBOX, peer.TLS)
    served.sandbox.faults.clear()
    try:
        yield peer(served, **settings)
    finally:
        served.sandbox.faults.clear()
