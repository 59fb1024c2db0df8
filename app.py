"""The front door: reads the settings, opens the store, hands out the ASGI application.

`patchbay serve` is the usual way in. For another ASGI server: `uvicorn app:create_app --factory`, one process for each node;
the hub starts and stops with the server's lifespan.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from hub.assembly import Hub
from hub.config import load_config
from hub.credentials import admit, with_credentials
from hub.log import set_up_logs
from hub.web.asgi import asgi_app

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def create_app(*, work: bool = True) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """The application; with `work` it delivers and pulls by schedule too. The hub starts and stops with the server."""
    env = with_credentials(os.environ, make=True)
    set_up_logs(env)
    hub = Hub(load_config(env))
    admit(hub.access, env)
    inner = asgi_app(hub)

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await inner(scope, receive, send)
            return
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                hub.start(work=work)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                hub.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    return app
