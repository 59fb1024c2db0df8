"""The API's rooms, and where they are served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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
from hub.web.api.declaration import Declaration
from hub.web.api.endpoint import DECLARATION

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


class Road(NamedTuple):
    """One road of the API: where it is, its method, its name, and what it says of itself."""

    rule: str
    method: str
    endpoint: str
    says: Declaration


# Not Flask's: docs/adr/0014.
SCREEN_POP = Road(f"{API_PREFIX}/screen-pop", "GET", "desk.screen_pop", desk.SCREEN_POP)
PLAIN_ROADS = (SCREEN_POP,)


def with_api(app: Flask) -> None:
    """Add the API's rooms to `app`."""
    for room in ROOMS:
        app.register_blueprint(room.api, url_prefix=API_PREFIX)


def roads(app: Flask) -> list[Road]:
    """Every road of the API, whoever serves it."""
    return sorted((*_flasks(app), *PLAIN_ROADS), key=lambda road: (road.rule, road.method))


def _flasks(app: Flask) -> Iterator[Road]:
    for rule in app.url_map.iter_rules():
        says = getattr(app.view_functions[rule.endpoint], DECLARATION, None)
        if says is not None:
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield Road(rule.rule, method, rule.endpoint, says)
