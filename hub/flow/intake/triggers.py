"""Which deliveries an event makes.

A mapping gets one at its event, and from then on again whenever later facts change what it has written: a late recording,
the wrap-up after a provisional record. Waiting ones of the same subject and mapping are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from hub.errors import ConfigError
from hub.language.mapping import Mapping
from hub.model import Event
from hub.store.intake import Due

if TYPE_CHECKING:
    from hub.store.database import Transaction


class Mappings(Protocol):
    """What the road in asks of the registry of mappings."""

    def catch_up(self, connection: Transaction) -> None: ...

    def triggered_by(self, connection: str, event_type: str) -> Sequence[Mapping]: ...

    def current(self, name: str) -> Mapping: ...


class Outbox:
    """The deliveries of one group of events, collapsed."""

    def __init__(self, mappings: Mappings, now: int) -> None:
        self._mappings, self._now = mappings, now
        self._rows: dict[tuple[str, str], Due] = {}

    @property
    def rows(self) -> list[Due]:
        """What goes out."""
        return list(self._rows.values())

    def fire(self, subject: str, connection: str, events: Sequence[Event], *, final: bool = True) -> list[str]:
        """Deliver to the mappings whose events these are, and say which."""
        fired: list[str] = []
        for event in events:
            for mapping in self._mappings.triggered_by(connection, event.type):
                self._add(subject, mapping, mapping.source.after_seconds(event.type), final)
                fired.append(mapping.name)
        return fired

    def follow(self, subject: str, names: Sequence[str], *, final: bool) -> None:
        """Deliver changed facts to mappings that were triggered before."""
        for name in names:
            try:
                mapping = self._mappings.current(name)
            except ConfigError:
                continue  # a mapping that nobody runs any more
            # Final facts go at once; others wait as the mapping's own events do, for what may still come.
            wait = 0.0 if final else max(map(mapping.source.after_seconds, mapping.source.events), default=0.0)
            self._add(subject, mapping, wait, final)

    def _add(self, subject: str, mapping: Mapping, after_seconds: float, final: bool) -> None:
        due_at = self._now + int(after_seconds * 1000)
        waiting = self._rows.get((subject, mapping.name))
        if waiting is not None:
            due_at = min(due_at, waiting.due_at)
        target = mapping.target
        self._rows[subject, mapping.name] = Due(
            mapping.name, subject, target.connection, target.lane, not final, due_at, self._now
        )
