"""The API's rooms, and where they are served."""

from __future__ import annotations

from flask import Flask

from hub.web.api import (
    alerts,
    connections,
    deliveries,
    desk,
    directory,
    interactions,
    lists,
    mappings,
    preview,
    read_back,
    records,
    unread,
)

API_PREFIX = "/api/v1"
ROOMS = (
    interactions,
    deliveries,
    records,
    connections,
    mappings,
    preview,
    unread,
    desk,
    lists,
    alerts,
    read_back,
    directory,
)


def with_api(app: Flask) -> None:
    """Add the API's rooms to `app`."""
    for room in ROOMS:
        app.register_blueprint(room.api, url_prefix=API_PREFIX)
