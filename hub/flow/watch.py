"""What is looked at from time to time: calls go into the store, budgets are forecast, credentials are checked.

Every node keeps its own calls. The rest is done once across nodes: a round is a unique row in the store, one node has it.
"""

from __future__ import annotations

import socket
import threading
import uuid

import structlog

from hub.clock import now, now_ms
from hub.config import Config
from hub.connections import Connection, Connections
from hub.errors import ConnectorError, CredentialsRefused
from hub.flow.delivery import pauses
from hub.flow.delivery.backoff import pace_of
from hub.flow.forecast import forecasts, warn
from hub.flow.ledger import keep_calls
from hub.flow.standing import Standing, Standings
from hub.store import calls, lists
from hub.store.database import Store

KEEP_SECONDS = 15.0
FORECAST_MS = 5 * 60_000
RECHECK_MS = 15 * 60_000  # refused credentials of a connection that nobody else tries
HOUR_MS = 3_600_000

log = structlog.get_logger()


class Watch:
    """The rounds of this node. With `checks`, it also takes part in those that are done once."""

    def __init__(
        self, store: Store, connections: Connections, config: Config, *, seconds: float = KEEP_SECONDS
    ) -> None:
        self.standings = Standings(store, config.credentials_expiring_days)
        self._store, self._connections, self._seconds = store, connections, seconds
        self._check_ms = max(1, int(config.credentials_check_hours * HOUR_MS))
        self._first_probe = pace_of(config).first_probe
        self._node = f"{socket.gethostname()}/{uuid.uuid4().hex[:8]}"
        self._asked: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, *, checks: bool = True) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, args=(checks,), name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the present round."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10)
        self.keep()

    def keep(self) -> None:
        """Put this node's calls into the store."""
        for connection in self._connections.values():
            keep_calls(self._store, connection)

    def look(self) -> None:
        """Do what is due and no other node does."""
        moment = now_ms()
        if self._mine("forecast", moment, FORECAST_MS):
            for name, told in forecasts(self._store, self._connections).items():
                warn(self._store, name, told)
                self.standings.warn(name)
            with self._store.write() as conn:
                calls.forget(conn, now=now())
        standings, states = self.standings.all(), pauses.states(self._store)
        for connection in self._connections.that("check"):
            name = connection.name
            if name in states and states[name].paused:
                continue  # its own probes find out
            refused = standings.get(name, Standing()).state == "refused"
            due = self._mine(f"check {name}", moment, self._check_ms)
            if due or (refused and self._mine(f"recheck {name}", moment, RECHECK_MS)):
                self._check(connection)

    def _check(self, connection: Connection) -> None:
        try:
            self.standings.check(connection)
        except CredentialsRefused as error:
            log.warning("credentials_refused", connection=connection.name)
            if connection.can("write"):  # its queue waits, and its road tries again and again
                pauses.pause_for(self._store, connection.name, error, self._first_probe)
        except ConnectorError as error:
            log.info("not_checked", connection=connection.name, reason=error.name)

    def _mine(self, round: str, moment: int, every: int) -> bool:
        """Whether this node is the one that does this round now; it asks once."""
        tick = moment - moment % every
        if self._asked.get(round) == tick:
            return False
        self._asked[round] = tick
        with self._store.write() as conn:
            return lists.claim_tick(conn, round, tick, self._node)

    def _run(self, checks: bool) -> None:
        while True:
            try:
                self.keep()
                if checks:
                    self.look()
            except Exception as error:  # noqa: BLE001  (the store may be away; the next round tries again)
                log.error("watching_failed", error=type(error).__name__)
            if self._stopping.wait(self._seconds):
                return
