"""The connectors that are installed, by name. The hub itself names no vendor: they are found by their entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import cast

from hub.contract import Connector
from hub.errors import ConfigError, nearest

GROUP = "patchbay.connectors"


def connector_names() -> tuple[str, ...]:
    """The names of all installed connectors."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def connector_class(name: str) -> type[Connector]:
    """The connector called `name`. Raises ConfigError with the nearest right name."""
    for entry in entry_points(group=GROUP, name=name):
        return cast("type[Connector]", entry.load())
    raise ConfigError(
        f'there is no connector "{name}"{nearest(name, connector_names())} Installed: {", ".join(connector_names())}.'
    )
