"""Where a screen pop sends a person: to a record, a search, a new record, or our own page to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import urlencode

import structlog

from hub.config import Config
from hub.connections import Connections
from hub.desk.caller import Ask
from hub.desk.choice import Table
from hub.errors import ConnectorError
from hub.model import PERSON, Record

PAGE = "/pop"  # our own page: choose from several, or read why nobody is named

log = structlog.get_logger()


class Ways:
    """URLs for a person's browser. `known` holds what is known of the other side: phone, email, key, interaction."""

    def __init__(self, connections: Connections, config: Config, table: Table) -> None:
        self._connections, self._table = connections, table
        self._home = config.public_url.rstrip("/")

    def record(self, connection: str, record: Record) -> str:
        """Opens a record."""
        return self._absolute(record.url) or self._link((connection,), "open", record.object, {}, record.id)

    def search(self, names: Iterable[str], known: Mapping[str, str]) -> str:
        """Searches in the first of the connections that has such a page."""
        return self._link(names, "search", "", {name: known[name] for name in ("phone", "email") if known[name]})

    def new(self, names: Iterable[str], known: Mapping[str, str]) -> str:
        """A new record, its fields filled in as the table says, in the first of the connections that has such a page."""
        fields = {name: known[source] for name, source in self._table.new_fields.items() if known[source]}
        return self._link(names, "new", self._table.new_object, fields)

    def page(self, ask: Ask) -> str:
        """Our own page, which asks again."""
        told = {name: value for name in Ask.__struct_fields__ if (value := getattr(ask, name)) is not None}
        return f"{self._home}{PAGE}?{urlencode(told)}"

    def _link(
        self,
        names: Iterable[str],
        kind: Literal["open", "search", "new"],
        object: str,
        fields: Mapping[str, str],
        id: str = "",
    ) -> str:
        for name in names:
            connection = self._connections[name]
            if connection.can("links"):
                connector: Any = connection.connector
                wanted = object or (connection.manifest.new_person if kind == "new" else PERSON)
                try:
                    url = self._absolute(connector.links(kind, wanted, id, fields))
                except ConnectorError as error:
                    log.warning("no link", connection=name, kind=kind, error=error.name)
                    continue
                if url:
                    return url
        return ""

    def _absolute(self, url: str) -> str:
        """A URL that a browser may be sent to: what a CRM wrote as javascript: or the like is none."""
        if url.startswith("/") and not url.startswith("//"):
            return self._home + url
        return url if url.lower().startswith(("http://", "https://")) else ""
