"""The company's own numbers: declared in config/hub.yaml and learned from traffic. They are never a customer.

A declared number may end in `*`: `+3491123*` is every number that begins so. What is learned is doubted first: a number
that was ever the other side of an interaction is a customer's, whatever a platform shows as its own side.
"""

from __future__ import annotations

import threading
from typing import Literal

import structlog
from msgspec import Struct

from hub.clock import now_ms
from hub.config import Config
from hub.desk.choice import Table
from hub.desk.rules import table_of
from hub.phone import digits, e164, is_extension
from hub.store import desk
from hub.store.database import Store

BELL = "own_numbers"
REFUSED_AT_MOST = 100_000

log = structlog.get_logger()


class Own(Struct, frozen=True):
    """Why a number is ours: declared, or learned from the traffic of `connection`."""

    kind: Literal["declared", "learned"]
    connection: str = ""


class OwnNumbers:
    """Declared and learned numbers. `learn` is what the acceptor calls (`on_local_number`); it returns at once."""

    def __init__(self, store: Store, config: Config, table: Table | None = None) -> None:
        table = table or table_of(config)
        self._store, self._country, self._learns = store, config.country, table.learn_own_numbers
        ranges = [number for number in config.own_numbers if number.endswith("*")]
        self._ranges = tuple(("+" if number.startswith("+") else "") + digits(number) for number in ranges)
        self._declared = frozenset(self._number(number) for number in config.own_numbers if number not in ranges)
        self._never = frozenset(self._number(number) for number in table.never_own)
        self._learned: dict[str, str] = {}
        self._refused: set[str] = set()
        self._waiting: dict[str, str] = {}
        self._stale = True
        self._closed = False
        self._called = threading.Condition()
        self._thread: threading.Thread | None = None
        store.on_wake(BELL, self._forget)

    def whose(self, number: str) -> Own | None:
        """Why `number` (E.164, or an extension's digits) is ours; None where it is not."""
        if number in self._never:
            return None
        if number in self._declared or (self._ranges and number.startswith(self._ranges)):
            return Own("declared")
        if self._stale:
            self._stale = False
            with self._store.read() as conn:
                self._learned = desk.learned_numbers(conn)
        connection = self._learned.get(number)
        return None if connection is None else Own("learned", connection)

    def learn(self, connection: str, number: str) -> None:
        """Remember `number` as the local side of an external call of `connection`, unless it turns out a customer's."""
        if not self._learns or is_extension(number):
            return
        plain = e164(number, self._country)
        if plain is None or plain in self._refused or plain in self._never or self.whose(plain) is not None:
            return
        with self._called:
            if self._closed or plain in self._waiting:
                return
            self._waiting[plain] = connection
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="own-numbers", daemon=True)
                self._thread.start()
            self._called.notify()

    def close(self) -> None:
        """Write what waits, and stop."""
        with self._called:
            self._closed = True
            self._called.notify_all()
        if self._thread is not None:
            self._thread.join(10)

    def _forget(self) -> None:
        self._stale = True

    def _number(self, number: str) -> str:
        return e164(number, self._country) or digits(number)

    def _work(self) -> None:
        while True:
            with self._called:
                while not self._waiting and not self._closed:
                    self._called.wait()
                if not self._waiting:
                    return
                batch = dict(self._waiting)
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001  (this thread has to live on; the next call shows the number again)
                log.warning("own numbers not written", error=type(error).__name__)
            finally:
                with self._called:
                    for number in batch:
                        self._waiting.pop(number, None)

    def _write(self, batch: dict[str, str]) -> None:
        with self._store.write() as conn:
            remote = desk.seen_as_remote(conn, batch)
            seen = now_ms()
            rows = [
                {"number": number, "connection": connection, "first_seen": seen}
                for number, connection in batch.items()
                if number not in remote
            ]
            desk.add_own_numbers(conn, rows)
        if len(self._refused) < REFUSED_AT_MOST:
            self._refused |= remote
        if remote:
            log.warning("numbers shown as our own side are customers'; not learned", count=len(remote))
        if rows:
            log.info("own numbers learned", count=len(rows))
            self._stale = True
            self._store.wake(BELL)
