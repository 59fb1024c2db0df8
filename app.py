"""The front door: reads the settings, opens the store, hands out the ASGI application.

`patchbay serve` is the usual way in. For another ASGI server: `uvicorn app:create_app --factory`, one process for each node;
the hub starts and stops with the server.
"""

from __future__ import annotations

import os

from hub.assembly import Hub
from hub.config import load_config
from hub.credentials import admit, with_credentials
from hub.log import set_up_logs
from hub.web.asgi import asgi_app
from hub.web.asgi_wire import Application


def create_app() -> Application:
    """The application, with the hub behind it."""
    env = with_credentials(os.environ, make=True)
    set_up_logs(env)
    hub = Hub(load_config(env))
    admit(hub.access, env)
    return asgi_app(hub)
