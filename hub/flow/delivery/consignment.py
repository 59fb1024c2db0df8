"""A consignment: the deliveries of one claim on their way out, each with its mapping, its facts and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from hub.clock import now_ms
from hub.errors import ConfigError, ConnectorError
from hub.flow import subject
from hub.flow.delivery.calls import Failed
from hub.flow.mappings import Mappings
from hub.language.mapping import Mapping
from hub.model import Receipt, Record, Target
from hub.store import intake
from hub.store.database import Store
from hub.store.outbox import Claimed

R = TypeVar("R")


class MappingGone(ConnectorError):
    """The delivery's mapping is not published (any more), so nobody knows what to write."""


class FactsGone(ConnectorError):
    """What the delivery is about is not in the store."""


class MappingBroke(ConnectorError):
    """A mapping failed in a way that it should not be able to."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The mapping writes to another connection now."""

    connection: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """The mapping's `when` is not met."""

    why: str


@dataclass(frozen=True, slots=True)
class Spoiled:
    """The mapping could not make its fields."""

    problems: dict[str, str]


Fate = Receipt | Failed | Moved | Skipped | Spoiled


@dataclass(slots=True)
class Parcel:
    """One delivery on its way. `fate` is set as soon as it is known; until then it goes on."""

    claimed: Claimed
    mapping: Mapping
    facts: dict[str, Any]
    key: str
    in_doubt: bool
    found: dict[str, Sequence[Record]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    notes: list[Any] = field(default_factory=list)
    called: bool = False  # whether its row was in a write call
    fate: Fate | None = None

    @property
    def target(self) -> Target:
        """Where it goes."""
        spec = self.mapping.target
        return Target(object=spec.write, key=spec.key, options=spec.options)


@dataclass(slots=True)
class Consignment:
    """All of a claim. `undeliverable` has those whose mapping or facts are not there."""

    parcels: list[Parcel]
    undeliverable: list[tuple[Claimed, ConnectorError]]
    started_at: int

    def going(self) -> list[Parcel]:
        """Those whose fate is still open."""
        return [parcel for parcel in self.parcels if parcel.fate is None]


def packed(store: Store, mappings: Mappings, connection: str, claimed: Sequence[Claimed]) -> Consignment:
    """The claim with its facts, as far as `when` lets each go out."""
    consignment = Consignment([], [], now_ms())
    facts = _facts(store, claimed)
    for one in claimed:
        known = facts.get(one.id)
        if known is None:
            consignment.undeliverable.append((one, FactsGone(f"there is nothing in the store about {_kind(one)}")))
            continue
        try:
            mapping = mappings.current(one.mapping)
        except ConfigError:
            gone = MappingGone(f'the mapping "{one.mapping}" is not published; publish it and replay')
            consignment.undeliverable.append((one, gone))
            continue
        parcel = Parcel(one, mapping, known, write_key(one.subject, mapping.target.key), one.in_doubt)
        parcel.fate = _first_fate(parcel, connection)
        consignment.parcels.append(parcel)
    return consignment


def write_key(about: str, key_field: str = "") -> str:
    """The key of the record that a subject is written to: the same for ever, so that twice is once.

    A contact's is `<list>/<contact>`; a mapping with `key: id` writes to the very record that the contact was pulled from.
    """
    kind, owner, key = subject.parts(about)
    if kind == "contact" and key_field == "id":
        return key.partition("/")[2]
    return f"{owner}:{key}" if kind == "interaction" else key


def made(parcel: Parcel, work: Callable[[], R]) -> R | None:
    """What the mapping makes; None, and the parcel's fate is set, where it breaks: that must not stop the others."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001  (somebody's mapping)
        parcel.fate = Failed(MappingBroke(f"the mapping {parcel.mapping.name} broke: {type(error).__name__}"))
        return None


def _facts(store: Store, claimed: Sequence[Claimed]) -> dict[int, dict[str, Any]]:
    found = {one.id: msgspec.json.decode(one.body) for one in claimed if one.body is not None}
    others = {one.subject for one in claimed if one.body is None}
    if others:
        with store.read() as conn:
            stored = intake.facts_of(conn, list(others))
        # Decoded for each delivery: a mapping is given facts of its own.
        found |= {one.id: msgspec.json.decode(stored[one.subject]) for one in claimed if one.subject in stored}
    return found


def _kind(one: Claimed) -> str:
    return f"this {subject.parts(one.subject)[0]}"


def _first_fate(parcel: Parcel, connection: str) -> Fate | None:
    target = parcel.mapping.target
    if target.connection != connection:
        return Moved(target.connection)
    if parcel.claimed.action == "remove":
        return None
    why = made(parcel, lambda: parcel.mapping.skips(parcel.facts))
    return parcel.fate if why is None else Skipped(why)
