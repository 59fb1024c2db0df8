"""The company's own numbers: declared in config/hub.yaml and learned from traffic. They are never a customer."""

from __future__ import annotations

from hub.config import Config
from hub.store.database import Store


class OwnNumbers:
    """Declared and learned numbers. `learn` is what the acceptor calls (`on_local_number`); it returns at once."""

    def __init__(self, store: Store, config: Config) -> None:
        raise NotImplementedError

    def learn(self, connection: str, number: str) -> None:
        """Remember `number` as the local side of an external call of `connection`."""
        raise NotImplementedError

    def close(self) -> None:
        """Write what waits, and stop."""
        raise NotImplementedError
