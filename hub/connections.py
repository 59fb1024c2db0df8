"""The open connections: each a connector at work with its settings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from hub.budget import Budget
from hub.clock import now
from hub.config import Config, ConnectionConfig
from hub.contract import Connector, Manifest, Tools, capabilities
from hub.errors import UnknownOutcome
from hub.installed import connector_class
from hub.language.profile import Profile
from hub.session import open_session
from hub.store.database import Store

EMBEDDED = "embedded"  # the connector of the CRM that lives in the hub's own store
LONGEST_WAIT = 60.0  # seconds that a connector may wait at a time for a job of its vendor's
# What whoever called the connector does after each such wait, in the same thread: a pull renews its lease.
after_a_wait: ContextVar[Callable[[], None]] = ContextVar("after_a_wait")


@dataclass(frozen=True)
class Connection:
    """One connection, open."""

    name: str
    config: ConnectionConfig
    connector: Connector
    budget: Budget = field(default_factory=Budget)

    @property
    def manifest(self) -> Manifest:
        """What its connector is."""
        return self.connector.manifest

    def can(self, verb: str) -> bool:
        """Whether its connector has this verb."""
        return verb in capabilities(self.connector)


class Connections(Mapping[str, Connection]):
    """All connections by name."""

    def __init__(self, connections: Mapping[str, Connection], ending: threading.Event | None = None) -> None:
        self._by_name = dict(connections)
        self._ending = ending or threading.Event()

    def __getitem__(self, name: str) -> Connection:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def that(self, verb: str) -> tuple[Connection, ...]:
        """The connections whose connector has `verb`, in the order of the configuration."""
        return tuple(connection for connection in self._by_name.values() if connection.can(verb))

    def close(self) -> None:
        """End every wait of a connector: the hub ends."""
        self._ending.set()


def waits(ending: threading.Event) -> Callable[[float], None]:
    """How connectors wait, until the hub ends."""

    def wait(seconds: float) -> None:
        if ending.wait(min(seconds, LONGEST_WAIT)):
            raise UnknownOutcome("the hub ends, so nobody waits for what becomes of the vendor's job")
        if (then := after_a_wait.get(None)) is not None:
            then()

    return wait


def open_connections(config: Config, store: Store) -> Connections:
    """Build every configured connector. Nothing is called yet: a CRM that is down does not keep the hub from starting."""
    opened = {}
    ending = threading.Event()
    for name, declared in config.connections.items():
        kept = (declared.kept_for_interactive, declared.kept_for_wrap_ups)
        budget = Budget(declared.calls_per_second, declared.calls_per_day, kept=kept)
        kind = connector_class(declared.connector)
        tools = Tools(
            connection=name,
            session=open_session(declared, budget.request, kind.manifest.secrets(declared.settings)),
            now=now,
            country=config.country,
            public_url=config.public_url,
            engine=store.engine,
            profile=lambda file: Profile(file, config.country, config.zone),
            quota=budget.told,
            wait=waits(ending),
        )
        opened[name] = Connection(name, declared, kind(declared.settings, tools), budget)
    return Connections(opened, ending)
