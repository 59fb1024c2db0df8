"""Who is calling? Asks every CRM at once under one deadline and answers one record, several, or none."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hub.config import Config
from hub.connections import Connections
from hub.model import Account, Direction
from hub.store.database import Store


class Ask(Struct, frozen=True, kw_only=True):
    """What is known of the other side. `connection` names one CRM to ask alone, or the platform that asks."""

    phone: str | None = None
    email: str | None = None
    key: str | None = None
    connection: str | None = None
    agent: str | None = None
    interaction: str | None = None
    direction: Direction | None = None


class Matched(Struct, frozen=True, kw_only=True):
    """By which field of which object a record was found."""

    object: str
    field: str
    value: str


class Found(Struct, frozen=True, kw_only=True):
    """One record of the answer; `why` names the rule that chose it, or how it matched."""

    connection: str
    object: str
    id: str
    title: str
    url: str
    account: Account | None = None
    matched: Matched
    why: str


class Silent(Struct, frozen=True, kw_only=True):
    """A connection that was asked and did not answer."""

    connection: str
    why: str


class Pop(Struct, frozen=True, kw_only=True):
    """The answer. With `silent` connections, `none` means "nobody known so far", never "unknown"."""

    match: Literal["one", "many", "none"]
    url: str
    records: tuple[Found, ...] = ()
    others: tuple[Found, ...] = ()  # with match one: what matched too and was not chosen
    silent: tuple[Silent, ...] = ()
    took_ms: float
    reason: str = ""


class ScreenPop:
    """Answers screen pops. Thread-safe; `close` lets its threads go."""

    def __init__(self, store: Store, connections: Connections, config: Config) -> None:
        raise NotImplementedError

    def pop(self, ask: Ask) -> Pop:
        """Who it is. Raises UnknownConnection for a connection that is not there."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop asking."""
        raise NotImplementedError
