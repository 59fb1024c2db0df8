"""The bell between nodes: PostgreSQL's LISTEN and NOTIFY, on one connection and one thread per node.

Ringing never waits for the database: the thread sends what was rung since it last looked, once per channel.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import uuid
from collections.abc import Callable

import psycopg
import structlog
from sqlalchemy import URL

CHANNEL = "patchbay"
RECONNECT_SECONDS = 1.0

log = structlog.get_logger()


class Bells:
    """Carries `ring(channel)` to every other node, where `heard(channel)` is called."""

    def __init__(self, url: URL, heard: Callable[[str], None], heard_again: Callable[[], None]) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._heard, self._heard_again = heard, heard_again
        self._node = uuid.uuid4().hex
        self._rung: set[str] = set()
        self._lock = threading.Lock()
        self._nudge, self._nudged = socket.socketpair()
        self._nudge.setblocking(False)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bells", daemon=True)
        self._thread.start()

    def ring(self, channel: str) -> None:
        """Have the other nodes hear `channel`, soon."""
        with self._lock:
            if channel in self._rung:
                return
            self._rung.add(channel)
        self._wake()

    def close(self) -> None:
        """Send what was rung and stop."""
        self._stopping.set()
        self._wake()
        self._thread.join(5)
        self._nudge.close()
        self._nudged.close()

    def _wake(self) -> None:
        # A full pipe has woken the thread already.
        with contextlib.suppress(OSError):
            self._nudge.send(b"!")

    def _run(self) -> None:
        connected_before = False
        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True) as connection:
                    connection.execute("SET synchronous_commit = off")  # a bell need not survive a crash
                    connection.execute(f"LISTEN {CHANNEL}")
                    if connected_before:
                        self._heard_again()  # what was rung meanwhile is lost
                    connected_before = True
                    self._carry(connection)
            except psycopg.Error as error:
                log.warning("bell_lost", error=type(error).__name__, again_in=RECONNECT_SECONDS)
                self._stopping.wait(RECONNECT_SECONDS)

    def _carry(self, connection: psycopg.Connection) -> None:
        with selectors.DefaultSelector() as either:
            either.register(connection.fileno(), selectors.EVENT_READ)
            either.register(self._nudged, selectors.EVENT_READ)
            self._carry_until_stopped(connection, either)

    def _carry_until_stopped(self, connection: psycopg.Connection, either: selectors.BaseSelector) -> None:
        while True:
            stopping = self._stopping.is_set()
            with self._lock:
                rung, self._rung = self._rung, set()
            for channel in rung:
                connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, f"{self._node} {channel}"))
            for notify in connection.notifies(timeout=0):
                node, _, channel = notify.payload.partition(" ")
                if node != self._node:
                    self._heard(channel)
            if stopping:
                return
            for ready, _ in either.select():
                if ready.fileobj is self._nudged:
                    self._nudged.recv(4096)
