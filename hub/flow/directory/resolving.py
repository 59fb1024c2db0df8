"""Let the directory answer the `resolve` of mappings, where a connection says so: fewer calls for the price of its age.

Only look-ups by number and address are answered so. A key or an id asks what the CRM holds *now*, before something is
written there, and so do fields that the directory does not keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hub.clock import now
from hub.connections import Connection, Connections
from hub.contract import Connector
from hub.errors import ConnectorError, Then
from hub.flow.directory.known import Directory
from hub.model import Lookup, Record

Answer = Sequence[Record]


def resolving(connections: Connections, directory: Directory) -> Connections:
    """The connections as deliveries see them."""
    return Connections({name: _resolving(connection, directory) for name, connection in connections.items()})


def _resolving(connection: Connection, directory: Directory) -> Connection:
    if directory.plan.policy(connection.name, "resolve") == "live" or not connection.can("find"):
        return connection
    wrapped: Any = _Resolving(connection.name, connection.connector, directory)
    return replace(connection, connector=wrapped)


class _Resolving:
    """A connector whose `find` asks the directory too; all else is the connector's own."""

    def __init__(self, name: str, connector: Connector, directory: Directory) -> None:
        self._name, self._connector, self._directory = name, connector, directory
        self._policy = directory.plan.policy(name, "resolve")
        self._max_age = timedelta(seconds=directory.plan.connections[name].max_age_seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Answer]:
        """As the connection's policy says."""
        mine = [lookup for lookup in lookups if self._keeps(lookup)]
        if not mine:
            return self._live(lookups)
        if self._policy == "fallback":
            try:
                return self._live(lookups)
            except ConnectorError as error:
                known = self._known(mine, whatever_age=True)
                if error.then is Then.PARK or not all(lookup in known for lookup in lookups):
                    raise
                return [known[lookup] for lookup in lookups]
        known = self._known(mine, whatever_age=self._policy == "only")
        left = [lookup for lookup in lookups if lookup not in known]
        found = dict(zip(left, self._live(left), strict=True)) if left else {}
        return [known[lookup] if lookup in known else found[lookup] for lookup in lookups]

    def _live(self, lookups: Sequence[Lookup]) -> Sequence[Answer]:
        answer: Sequence[Answer] = self._connector.find(lookups)  # type: ignore[attr-defined]
        return answer

    def _keeps(self, lookup: Lookup) -> bool:
        """Whether it is a question that the directory may answer for this CRM."""
        about = self._directory.asked(self._name, lookup)
        return lookup.by in ("phone", "email") and bool(about) and all(one.keeps(lookup.fields) for one in about)

    def _known(self, lookups: Sequence[Lookup], *, whatever_age: bool) -> dict[Lookup, Answer]:
        """The look-ups that it answers: with somebody, or with `only` and once loaded, with nobody."""
        told = self._directory.tell({self._name: lookups})[self._name]
        if self._policy == "first" and not told.loaded:
            return {}  # half loaded, it may know one of two who share a number
        oldest = now() - self._max_age
        known: dict[Lookup, Answer] = {}
        for lookup, records in zip(lookups, told.records, strict=True):
            ages = [told.fresh_at[record.object, record.id] for record in records]
            if (records or (self._policy == "only" and told.loaded)) and (whatever_age or min(ages) >= oldest):
                known[lookup] = records
        return known
