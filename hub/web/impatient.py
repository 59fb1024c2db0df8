"""The server's side of a connection, which waits for a request's head a bounded while only."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0


class ImpatientProtocol(HttpToolsProtocol):
    """Hangs up on who connects and says nothing, or sends a request's head byte by byte: uvicorn itself would wait for
    ever, and strangers could so hold every connection that the machine has."""

    head_seconds = HEAD_SECONDS
    _hang_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_a_head()

    def data_received(self, data: bytes) -> None:
        if self._hang_up is None and (self.cycle is None or self.cycle.response_complete):
            self._wait_for_a_head()  # the next request of a connection that is kept alive
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._no_longer()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_longer()
        super().connection_lost(exc)

    def _wait_for_a_head(self) -> None:
        self._hang_up = self.loop.call_later(self.head_seconds, self.transport.close)

    def _no_longer(self) -> None:
        if self._hang_up is not None:
            self._hang_up.cancel()
            self._hang_up = None
