"""The wire to a PostgreSQL server, which can be cut: before a statement reaches it, before a commit does, after a commit was
done. Or the server seems to turn everybody away in words of its own.

It reads the statements as they go by; a refusal at the door is an ErrorResponse (PostgreSQL, "Message Formats").
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from sqlalchemy import URL


class Wire:
    """A port on loopback that leads to a server. `cut` and `refusal` say what goes wrong, `times` how often still."""

    def __init__(self, server: URL) -> None:
        self._server = server
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self.cut = ""  # of what inserts: before statement, before commit, after commit
        self.refusal: tuple[str, str] | None = None  # SQLSTATE and message
        self.times = 0
        self.after = 0  # how many inserts pass before anything is cut
        self._open: list[socket.socket] = []

    @contextlib.contextmanager
    def served(self) -> Iterator[Wire]:
        """Leads there for as long as the block runs."""
        threading.Thread(target=self._serve, daemon=True).start()
        try:
            yield self
        finally:
            self._door.close()
            self.drop()

    def drop(self) -> None:
        """Cut every connection there is."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self._takes(lambda: self.refusal is not None):
                assert self.refusal is not None
                client.recv(4096)
                client.sendall(_error(*self.refusal))
                return
            with self._connected() as server:
                self._open += [client, server]
                self._carry(client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        written = committed = False
        while True:
            ready, _, _ = select.select([client, server], [], [])
            if client in ready:
                if not (told := client.recv(1 << 16)):
                    return
                if b"INSERT" in told:
                    written, self.after = True, self.after - 1
                if b"INSERT" in told and self._takes(lambda: self._cuts("before statement")):
                    return
                committed = written and b"COMMIT" in told
                if committed and self._takes(lambda: self._cuts("before commit")):
                    return
                server.sendall(told)
            if server in ready:
                if not (told := server.recv(1 << 16)):
                    return
                if committed and self._takes(lambda: self._cuts("after commit")):
                    return
                written, committed = written and not committed, False
                client.sendall(told)

    def _cuts(self, where: str) -> bool:
        return self.cut == where and self.after < 0

    def _takes(self, met: Callable[[], bool]) -> bool:
        if not self.times or not met():
            return False
        self.times -= 1
        return True

    def _connected(self) -> socket.socket:
        folder = self._server.query.get("host", self._server.host or "localhost")
        port = self._server.port or 5432
        if isinstance(folder, str) and folder.startswith("/"):
            there = socket.socket(socket.AF_UNIX)
            there.connect(f"{folder}/.s.PGSQL.{port}")
            return there
        return socket.create_connection((str(folder), port))


def _error(state: str, message: str) -> bytes:
    fields = (("S", "FATAL"), ("V", "FATAL"), ("C", state), ("M", message))
    body = b"".join(name.encode() + value.encode() + b"\0" for name, value in fields) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body
