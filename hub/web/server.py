"""The server that a node runs: uvicorn, as this hub wants it."""

from __future__ import annotations

from typing import Any

import uvicorn

from hub.web.asgi_wire import Application
from hub.web.impatient import ImpatientProtocol

FINISH_SECONDS = 20  # how long requests in flight may take to end
KEEP_ALIVE_SECONDS = 65  # longer than a platform's or a balancer's own, so that they hang up first


def server(app: Application, **where: Any) -> uvicorn.Server:
    """A server for `app`, whose hub is started and closed by whoever runs it; `where` is a host and a port, unless sockets
    are given to `run`, which is the way to run it: that takes the quick event loop."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=ImpatientProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=FINISH_SECONDS,
            **where,
        )
    )
