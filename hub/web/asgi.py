"""The front door: one ASGI application. Hooks are plain ASGI, everything else is Flask, mounted beside them."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any, cast

import structlog
from a2wsgi import WSGIMiddleware

from hub.web.asgi_wire import Application, Receive, Scope, Send, declared_length, headers_of, refuse
from hub.web.hooks import PREFIX, Hooks
from hub.web.problems import Problem

if TYPE_CHECKING:
    from flask import Flask

    from hub.assembly import Hub

WORKERS = 32  # threads for Flask; a screen pop may hold one for its whole deadline
LARGEST = 8 << 20  # bytes of a request to Flask

log = structlog.get_logger()


def asgi_app(hub: Hub, flask: Flask | None = None) -> Application:
    """The application that serves `hub`: it starts the hub with the server and closes it with it."""
    if flask is None:
        from hub.web.flask_app import create_flask

        flask = create_flask(hub)
    return Front(hub, flask)


class Front:
    """Sends each request down its road."""

    def __init__(self, hub: Any, flask: Flask) -> None:
        self._hub = hub
        self._hooks = Hooks(hub, _counter(flask))
        self._rest = cast("Application", WSGIMiddleware(cast("Any", flask), workers=WORKERS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            if scope["path"].startswith(PREFIX):
                await self._hooks(scope, receive, send)
            else:
                await self._to_flask(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _to_flask(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        length = declared_length(headers)
        if length is not None and length > LARGEST:
            problem = Problem(413, f"The body is larger than {LARGEST} bytes.", kind="too-large")
        elif length is None and "transfer-encoding" in headers:
            problem = Problem(411, "Say the body's length in Content-Length.", kind="length-required")
        else:
            await self._rest(scope, receive, send)
            return
        await refuse(scope, receive, send, problem, linger=True)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await asyncio.to_thread(self._hub.start)
                except Exception as error:  # noqa: BLE001 (the server says why, and stops)
                    log.error("not started", error=type(error).__name__, problem=str(error))
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                keep_what_is_loaded()
                await send({"type": "lifespan.startup.complete"})
            else:
                gc.unfreeze()
                await asyncio.to_thread(self._hub.close)
                await send({"type": "lifespan.shutdown.complete"})
                return


def keep_what_is_loaded() -> None:
    """All that is loaded by now stays: looking through it for garbage again and again would stop every hook for some
    50 ms each time. To be called once, when the hub has started."""
    gc.collect()
    gc.freeze()


def _counter(flask: Flask) -> Any:
    metrics = flask.extensions.get("metrics")
    if metrics is None:
        return lambda _connection, _status: None
    return lambda connection, status: metrics.hooks.labels(connection, str(status)).inc()
