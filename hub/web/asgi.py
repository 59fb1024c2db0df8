"""The front door: one ASGI application. Hooks and screen pops are plain ASGI, all else is Flask, mounted beside them."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import TYPE_CHECKING, Any, cast

import structlog
from a2wsgi import WSGIMiddleware

from hub.web.asgi_wire import (
    Application,
    Gone,
    Message,
    Receive,
    Scope,
    Send,
    body_of,
    declared_length,
    headers_of,
    refuse,
)
from hub.web.hooks import PREFIX, READ_SECONDS, Hooks
from hub.web.problems import Problem
from hub.web.screen_pops import ALWAYS, PATH, ScreenPops

if TYPE_CHECKING:
    from flask import Flask

    from hub.assembly import Hub

WORKERS = 32  # threads for Flask; a page to choose from may hold one for the whole deadline of a screen pop
SWITCH_SECONDS = 0.0005
LARGEST = 4 << 20  # bytes of a request that is no hook; no room takes more

log = structlog.get_logger()


def asgi_app(hub: Hub, flask: Flask | None = None, read_seconds: float = READ_SECONDS) -> Application:
    """The application that serves `hub`: it starts the hub with the server and closes it with it. `read_seconds`: how long
    a whole body may take."""
    if flask is None:
        from hub.web.flask_app import create_flask

        flask = create_flask(hub)
    return Front(hub, flask, read_seconds)


class Front:
    """Sends each request down its road."""

    def __init__(self, hub: Any, flask: Flask, read_seconds: float) -> None:
        self._hub, self._read_seconds = hub, read_seconds
        self._hooks = Hooks(hub, _counter(flask), read_seconds)
        self._screen_pops = ScreenPops(hub, flask)
        self._rest = cast("Application", WSGIMiddleware(cast("Any", flask), workers=WORKERS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            path = scope["path"]
            if path.startswith(PREFIX):
                await self._hooks(scope, receive, send)
            elif (body := await self._body(scope, receive, send)) is not None:
                await (self._screen_pops if path == PATH else self._rest)(scope, _whole(body), send)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _body(self, scope: Scope, receive: Receive, send: Send) -> bytes | None:
        """The whole body: strangers who never end theirs would hold every thread. None: it was refused."""
        headers = headers_of(scope)
        length = declared_length(headers)
        try:
            if length is None and "transfer-encoding" in headers:
                raise Problem(411, "Say the body's length in Content-Length.", kind="length-required")
            return await body_of(receive, headers, LARGEST, self._read_seconds) if length else b""
        except Gone:
            return None
        except Problem as problem:
            await refuse(scope, receive, send, problem, linger=True, headers=ALWAYS)
            return None

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
                ready_for_callers()
                await send({"type": "lifespan.startup.complete"})
            else:
                gc.unfreeze()
                await asyncio.to_thread(self._hub.close)
                await send({"type": "lifespan.shutdown.complete"})
                return


def _whole(body: bytes) -> Receive:
    async def whole() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return whole


def ready_for_callers() -> None:
    """What a process that serves needs so that nobody waits for its other work. To be called once, when the hub has started.

    All that is loaded by now stays: looking through it for garbage again and again would stop every hook for some 50 ms each
    time. And a thread that computes, such as a pull's, hands the interpreter on after half a millisecond where another wants
    it, not after Python's five: a pop needs it half a dozen times.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_SECONDS)


def _counter(flask: Flask) -> Any:
    metrics = flask.extensions.get("metrics")
    if metrics is None:
        return lambda _connection, _status: None
    return lambda connection, status: metrics.hooks.labels(connection, str(status)).inc()
