"""Click-to-dial: checked, originated once, and tied to the record that was clicked."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hub.config import Config
from hub.connections import Connections
from hub.model import Clicked
from hub.store.database import Store


class Dialled(Struct, frozen=True, kw_only=True):
    """What became of a click. `unknown`: it may ring; it is never dialled again for this click."""

    id: str
    outcome: Literal["requested", "accepted", "refused", "unknown"]
    connection: str
    agent: str
    to: str
    record: Clicked | None = None  # what the call is tied to
    interaction: str = ""
    reason: str = ""
    note: str = ""
    repeated: bool = False  # the answer to an earlier click


class Dialer:
    """Originates calls for agents."""

    def __init__(self, store: Store, connections: Connections, config: Config) -> None:
        raise NotImplementedError

    def dial(
        self,
        *,
        to: str,
        agent: str,
        idempotency_key: str,
        record: Clicked | None = None,
        connection: str | None = None,
    ) -> Dialled:
        """Dial `to` for `agent`. Raises DialRefused where a check forbids it, KeyReused for a used key."""
        raise NotImplementedError

    def state(self, id: str) -> Dialled | None:
        """What became of the dial `id`."""
        raise NotImplementedError
