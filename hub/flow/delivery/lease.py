"""A claim's lease, kept while its calls run. Whoever lost it stops before the next call."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from hub.clock import now_ms
from hub.store import outbox
from hub.store.database import Store


class LeaseLost(Exception):
    """The claim is somebody else's now: what is still to be sent is theirs to send."""


class Lease:
    """The right to send some deliveries, for `seconds` from its last renewal."""

    def __init__(self, store: Store, seconds: float) -> None:
        self.owner = uuid.uuid4().hex
        self.ids: Sequence[int] = ()
        self.until_ms = now_ms() + int(seconds * 1000)
        self._valid_until = time.monotonic() + seconds
        self._store, self._seconds = store, seconds
        self._lost = False

    def check(self) -> None:
        """Raises LeaseLost where the lease has run out; renews it where it is half over."""
        if self._valid_until - time.monotonic() < self._seconds / 2:
            self.renew()
        if self._lost:
            raise LeaseLost

    def renew(self) -> None:
        """Have the lease run on from now, unless it has run out."""
        moment = time.monotonic()
        if moment > self._valid_until:
            self._lost = True
        if self._lost or not self.ids:
            return
        with self._store.write() as conn:
            until = now_ms() + int(self._seconds * 1000)
            kept = outbox.renew(conn, owner=self.owner, lease_until=until)
        if kept == len(self.ids):
            self._valid_until = moment + self._seconds
        else:
            self._lost = True

    def lose(self) -> None:
        """Give it up: the next check raises."""
        self._lost = True
