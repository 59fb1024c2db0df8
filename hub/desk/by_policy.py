"""Ask the CRMs, the directory, or both: as config/directory.yaml says for each connection and road.

- `first`: what the directory, once it is loaded, knows, is fresh enough and answers the strongest of the look-ups is the
  answer; else the CRM is asked, and where that is silent the directory answers all the same, whatever its age.
- `fallback`: the CRM is asked; where it is silent, the directory answers.
- `only`: the directory answers.

Who is not known to the directory while the CRM is silent is not known so far: the connection stays silent. A CRM that was
silent is not waited for again where the directory has an answer: it is asked beside, until it speaks.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from hub.clock import now
from hub.desk.asking import Answer, Asked, Asking, Silent, Wait
from hub.errors import ConnectorError
from hub.flow.directory.known import Directory, Told
from hub.language.directory import Policy, Road
from hub.model import PERSON, Lookup

PROBE_SECONDS = 10.0  # between two questions to a CRM that was silent
NOT_LOADED = "its directory is not loaded yet"

Since = Mapping[tuple[str, str], datetime]  # (object, id) → since when the record holds


class ByPolicy:
    """Asks on one road. Thread-safe."""

    def __init__(self, asking: Asking, directory: Directory | None, road: Road) -> None:
        self._asking, self._directory, self.road = asking, directory, road
        self._probed: dict[str, float] = {}  # connections that were silent → when they were asked last

    def policy(self, connection: str) -> Policy:
        """Who answers for this connection."""
        return "live" if self._directory is None else self._directory.plan.policy(connection, self.road)

    def begin(self, lookups: Mapping[str, Sequence[Lookup]]) -> AskedByPolicy:
        """Look up in the directory, and ask those whose answer that is not, all at once."""
        told = self._told(lookups)
        live = {name: asked for name, asked in lookups.items() if not self._answers_alone(name, asked, told.get(name))}
        return AskedByPolicy(self, lookups, told, self._asking.begin(live))

    def once_more(
        self, names: Sequence[str], lookups: Mapping[str, Sequence[Lookup]], deadline: float
    ) -> Generator[Wait, None, dict[str, Answer]]:
        """What those of `names` find that were not asked yet and were not silent: what the directory cannot decide."""
        asked = self._asking.begin(
            {n: lookups[n] for n in names if self.policy(n) == "first" and n not in self._probed}
        )
        yield from asked.awaited(deadline)
        found, silent = asked.answers(deadline)
        for one in silent:
            self.was_silent(one.connection)
        return found

    def heard(self, name: str) -> None:
        """A CRM has answered."""
        self._probed.pop(name, None)

    def was_silent(self, name: str) -> None:
        """A CRM has not answered."""
        if self.policy(name) == "first":
            self._probed[name] = time.monotonic()

    def _told(self, lookups: Mapping[str, Sequence[Lookup]]) -> dict[str, Told]:
        if self._directory is None:
            return {}
        return self._directory.tell({n: asked for n, asked in lookups.items() if asked and self.policy(n) != "live"})

    def _answers_alone(self, name: str, lookups: Sequence[Lookup], told: Told | None) -> bool:
        """Whether the directory's answer is the answer, and the CRM need not be waited for."""
        if told is None or self.policy(name) == "fallback":
            return False
        if self.policy(name) == "only":
            return True
        strongest = _strongest(lookups, told)
        if not strongest:
            return False
        # Half loaded, it may know one of two who share a number.
        if told.loaded and min(told.fresh_at[one] for one in strongest) >= now() - self._max_age(name):
            return True
        return self._is_silent(name, lookups)

    def _max_age(self, name: str) -> timedelta:
        assert self._directory is not None
        return timedelta(seconds=self._directory.plan.connections[name].max_age_seconds)

    def _is_silent(self, name: str, lookups: Sequence[Lookup]) -> bool:
        """Whether the CRM was silent last; now and then it is asked again, with nobody waiting."""
        asked_at = self._probed.get(name)
        if asked_at is None:
            return False
        if time.monotonic() - asked_at >= PROBE_SECONDS:
            self._probed[name] = time.monotonic()
            self._asking.ask_beside(name, lookups, lambda: self.heard(name))
        return True


class AskedByPolicy:
    """Questions under way. After `answers`, `since` says of which connections the directory has answered."""

    def __init__(
        self, road: ByPolicy, lookups: Mapping[str, Sequence[Lookup]], told: Mapping[str, Told], asked: Asked
    ) -> None:
        self._road, self._lookups, self._told, self._asked = road, lookups, told, asked
        self.since: dict[str, Since] = {}

    @property
    def refused(self) -> dict[str, ConnectorError]:
        """Who did answer: that it cannot be asked so."""
        return {name: error for name, error in self._asked.refused.items() if name not in self.since}

    def awaited(self, deadline: float) -> Iterator[Wait]:
        """What has to be waited for before `answers`."""
        return self._asked.awaited(deadline)

    def answers(self, deadline: float) -> tuple[dict[str, Answer], tuple[Silent, ...]]:
        """What is found by `deadline` (of time.monotonic), and who stayed silent and is not known to the directory."""
        found, silent = self._asked.answers(deadline)
        for name in found:
            self._road.heard(name)
        quiet = {one.connection: one for one in silent}
        for name in quiet:
            if name not in self._asked.refused:
                self._road.was_silent(name)
        for name, told in self._told.items():
            if name in found or (name in self._asked.refused and self._road.road == "dial"):
                continue  # a CRM that says that there is no such record is right, whatever was there once
            if name not in quiet and not told.loaded and not told.knows_any:
                quiet[name] = Silent(connection=name, why=NOT_LOADED)
            elif name not in quiet or told.knows_any:
                found[name], self.since[name] = told.records, told.fresh_at
                if _strongest(self._lookups[name], told):
                    quiet.pop(name, None)
        return {name: found[name] for name in self._lookups if name in found}, tuple(quiet.values())


def _strongest(lookups: Sequence[Lookup], told: Told) -> set[tuple[str, str]]:
    """The records, as (object, id), that the strongest of the look-ups finds; empty where that one finds nobody."""
    kinds: dict[str, set[tuple[str, str]]] = {}
    for lookup, records in zip(lookups, told.records, strict=True):
        found = kinds.setdefault(_kind(lookup), set())
        found |= {(record.object, record.id) for record in records}
    return next(iter(kinds.values()), set())


def _kind(lookup: Lookup) -> str:
    """What a look-up goes by: a record that was clicked, an attached key (or id), a number, an address."""
    return "clicked" if lookup.object != PERSON else "key" if lookup.by == "id" else lookup.by
