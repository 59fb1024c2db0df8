"""Which backlogs go the vendor's bulk path: where more is due for a mapping than ordinary calls should carry."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from hub.budget import INTERACTIVE
from hub.connections import Connection
from hub.store import outbox
from hub.store.database import Transaction

MOST_ROWS = 10_000  # of one job: they are in memory while it runs
BARRED_SECONDS = 3600.0  # how long a mapping goes the ordinary way after its bulk path was refused


class Bulk:
    """The backlogs of one connection, looked at every `look_seconds` at most."""

    def __init__(self, connection: Connection, look_seconds: float) -> None:
        manifest = connection.manifest
        self.rows = min(manifest.bulk_rows, MOST_ROWS) if manifest.bulk_rows > manifest.rows_per_call else 0
        self.mappings: tuple[str, ...] = ()  # those that go by bulk now, the most urgent first
        self._connection, self._above, self._look_seconds = connection.name, connection.config.bulk_above, look_seconds
        self._barred: dict[str, float] = {}
        self._next_look = 0.0
        self._looking = threading.Lock()

    def look(self, conn: Transaction, lanes: Sequence[int], *, now: int) -> None:
        """See which mappings have such a backlog, if the last look was long enough ago. Only `lanes` may be sent now.

        Whoever comes while another thread looks waits for what it sees: else a claim of the ordinary way would take a
        call's worth out of a backlog.
        """
        if self.rows:
            with self._looking:
                self._look(conn, lanes, now)

    def _look(self, conn: Transaction, lanes: Sequence[int], now: int) -> None:
        moment = time.monotonic()
        if moment < self._next_look:
            return
        self._next_look = moment + self._look_seconds
        lanes = [lane for lane in lanes if lane != INTERACTIVE]
        found = outbox.backlog(conn, self._connection, now=now, lanes=lanes, more_than=self._above) if lanes else []
        self.mappings = tuple(name for name in found if self._barred.get(name, 0.0) <= moment)

    def bar(self, mapping: str) -> None:
        """The vendor does not take this mapping's rows by bulk."""
        self._barred[mapping] = time.monotonic() + BARRED_SECONDS
        self.mappings = tuple(name for name in self.mappings if name != mapping)
