"""A peer: a real system that a connector is tried against, and what the law needs to do there behind the connector's back.

`tests/connectors/<name>/peer.py` has `VARIANTS` (names of the ways in which it can run) and `opened(variant, request)`, a
context manager that gives a Peer. The scenarios of a verb are played where the peer's class has what they need; `NEEDS`
says what that is.
"""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

import pytest

from hub.contract import Connector, HookRequest
from hub.model import DialRequest, Query, Row, Target


class Peer(Protocol):
    """What every peer has: the connector, opened against it."""

    connector: Connector


class HoldsPeople(Peer, Protocol):
    """For `find`."""

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        """Put a person there, the number typed as given; the record's id."""

    def key_of(self, id: str) -> str:
        """The person's key, as `find` by key takes it."""


class TakesRows(Peer, Protocol):
    """For `write`."""

    target: Target

    def row(self, key: str, text: str) -> Row:
        """A good row that carries `text`."""

    def bad_row(self, key: str) -> Row:
        """A row that the system refuses for its values."""

    def texts(self, key: str) -> list[str]:
        """The texts of all records that this key has made."""


class HasLists(Peer, Protocol):
    """For `pages`. With `whole` true besides: its system tells no changes of this list, every pull is a full one."""

    query: Query

    def member(self, name: str) -> str:
        """Put a member on the list; its id."""

    def leave(self, id: str) -> None:
        """Take a member off the list."""


class SendsHooks(Peer, Protocol):
    """For `receive`."""

    def hook(self, body: bytes, at: datetime) -> HookRequest:
        """A hook with this body, signed at that moment."""


class Originates(Peer, Protocol):
    """For `dial`."""

    def request(self, id: str) -> DialRequest:
        """A request that is accepted."""

    def refused_request(self, id: str) -> DialRequest:
        """A request that the platform refuses."""

    def rings(self, id: str) -> int:
        """How many calls the request has made."""


class Fails(Peer, Protocol):
    """For the faults."""

    calls_out: tuple[str, ...]  # the verbs that ask the system, and so can fail on the way

    def failing(self, case: str) -> Connector:
        """A connector whose next call ends so (`unavailable`, `throttled`, `unauthorized`, `unknown_outcome`)."""


def _words(*protocols: type) -> frozenset[str]:
    return frozenset(
        name for protocol in protocols for name in (*vars(protocol), *protocol.__annotations__) if name[0] != "_"
    )


NEEDS: dict[str, frozenset[str]] = {
    "find": _words(HoldsPeople),
    "write": _words(TakesRows),
    "pages": _words(HasLists),
    "receive": _words(SendsHooks),
    "dial": _words(Originates),
}


def peer_module(name: str) -> Any | None:
    """`tests/connectors/<name>/peer.py`; None where a connector has none."""
    module = f"tests.connectors.{name}.peer"
    if importlib.util.find_spec(f"tests.connectors.{name}") is None or importlib.util.find_spec(module) is None:
        return None
    return importlib.import_module(module)


def variants(name: str) -> tuple[str, ...]:
    """In which ways the connector's peer can run."""
    module = peer_module(name)
    return tuple(module.VARIANTS) if module else ()


def opened(name: str, variant: str, request: pytest.FixtureRequest) -> AbstractContextManager[Any]:
    """The connector's peer, running."""
    module = peer_module(name)
    assert module is not None
    peer: AbstractContextManager[Any] = module.opened(variant, request)
    return peer


def has(name: str, words: frozenset[str]) -> bool:
    """Whether the connector's peer has all of `words`."""
    module = peer_module(name)
    if module is None:
        return False
    declared = (name for kind in module.Peer.__mro__ for name in vars(kind).get("__annotations__", ()))
    return words <= {*dir(module.Peer), *declared}


def calls_out(name: str, verb: str) -> bool:
    """Whether the peer can make `verb` fail on the way."""
    module = peer_module(name)
    return module is not None and verb in getattr(module.Peer, "calls_out", ())
