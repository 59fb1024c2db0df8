"""Ask the CRM whom a claim is about: all look-ups of all its rows in as few calls as it allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.budget import WRAP_UPS
from hub.connections import Connection
from hub.errors import ConnectorError, Then, Throttled, Unsupported
from hub.flow.delivery.calls import ConnectorBroke, Failed, Halving, called
from hub.flow.delivery.consignment import Parcel, made
from hub.flow.merged import Merged
from hub.model import Lookup, Record

Answer = Sequence[Record] | Failed


class Asked:
    """The look-ups of one claim: each is asked once, whoever needs it. `still_ours` is called before each call."""

    def __init__(
        self, connection: Connection, still_ours: Callable[[], None], merged: Merged, lane: int = WRAP_UPS
    ) -> None:
        self._connection, self._still_ours, self._merged, self._lane = connection, still_ours, merged, lane
        self._answers: dict[Lookup, Answer] = {}
        self._halving: Halving[Lookup, Sequence[Record]] = Halving(self._find)

    @property
    def stopped(self) -> ConnectorError | None:
        """Why no more calls may be made now: credentials, a quota, or that we were asked to slow down."""
        error = self._halving.stopped
        return error if error is not None and (error.then is Then.PAUSE or isinstance(error, Throttled)) else None

    @property
    def per_call(self) -> int:
        """How many look-ups go in one call."""
        return self._connection.manifest.lookups_per_call

    def ask(self, lookups: Sequence[Lookup]) -> None:
        """Ask those that were not asked yet."""
        new = [lookup for lookup in dict.fromkeys(lookups) if lookup not in self._answers]
        if new and not self._connection.can("find"):
            problem = Unsupported(f"the connector of {self._connection.name} cannot find records")
            self._answers.update(dict.fromkeys(new, Failed(problem)))
            return
        for start in range(0, len(new), self.per_call):
            batch = new[start : start + self.per_call]
            if start:
                self._halving.allow(1)
            self._answers.update(zip(batch, self._halving.answers(batch), strict=True))

    def answer(self, lookup: Lookup) -> Answer:
        """What came of a look-up that was asked."""
        return self._answers[lookup]

    def _find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        self._still_ours()
        connector: Any = self._connection.connector
        found: list[Sequence[Record]] = called(self._connection, lambda: list(connector.find(lookups)), self._lane)
        if len(found) != len(lookups):
            raise ConnectorBroke(f"the connector broke: {len(found)} answers to {len(lookups)} look-ups")
        self._merged.learn(self._connection.name, lookups, found)
        return found


def resolve(
    parcels: Sequence[Parcel], asked: Asked, instead: Callable[[Sequence[Lookup]], Mapping[Lookup, Lookup]]
) -> None:
    """Set `found` of each parcel: by resolve name, the records of the first look-up that found any.

    `instead` says which look-ups are asked another way.
    """
    wanted = [(parcel, name, lookups) for parcel in parcels for name, lookups in _lookups(parcel).items()]
    everything = dict.fromkeys(lookup for _, _, lookups in wanted for lookup in lookups)
    others = instead(list(everything))
    if others:
        wanted = [(parcel, name, [others.get(one, one) for one in lookups]) for parcel, name, lookups in wanted]
        everything = dict.fromkeys(others.get(one, one) for one in everything)
    if len(everything) <= asked.per_call:
        asked.ask(list(everything))  # one call for all preferences costs less than a second for the few left over
    rank = 0
    while wanted:
        asked.ask([lookups[rank] for _, _, lookups in wanted if rank < len(lookups)])
        wanted = [one for one in wanted if not _settled(*one, rank, asked)]
        rank += 1


def _lookups(parcel: Parcel) -> dict[str, list[Lookup]]:
    return made(parcel, lambda: parcel.mapping.lookups(parcel.facts)) or {}


def _settled(parcel: Parcel, name: str, lookups: Sequence[Lookup], rank: int, asked: Asked) -> bool:
    if rank >= len(lookups):
        parcel.found[name] = ()
        return True
    answer = asked.answer(lookups[rank])
    if isinstance(answer, Failed):
        parcel.fate = answer
        return True
    if answer:
        parcel.found[name] = answer
    return bool(answer)
