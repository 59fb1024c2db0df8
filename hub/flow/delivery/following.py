"""Deliveries that name a record which the CRM has merged into another: they go to the one that is left.

What is known is put right before the row is sent. Where the CRM refuses a row for a record that is not there, that record
is looked up once by its id; if another one answers, the row goes again with that one's id instead of waiting for a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from hub.connections import Connection
from hub.errors import ConnectorError, NotFound, Rejected
from hub.flow.delivery.calls import Failed
from hub.flow.delivery.consignment import Parcel
from hub.flow.delivery.lookups import Asked
from hub.flow.described import Described
from hub.flow.merged import Merged
from hub.model import PERSON, Lookup, Record

KEY = "id"  # a target's key field where the row is written to the very record that it came from


class Followed(Struct, frozen=True, kw_only=True):
    """A note: a field that names another record than the mapping said."""

    field: str
    what: str = "followed"
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a parcel names a record: a field, or (no field) the key of the row. `objects`: what kind it may be of."""

    parcel: Parcel
    field: str | None
    objects: tuple[str, ...]
    id: str

    def put(self, object: str, id: str) -> None:
        """Have it name this record instead."""
        if self.field is None:
            self.parcel.key = id
        else:
            self.parcel.fields = self.parcel.fields | {self.field: id}
        self.parcel.notes.append(
            Followed(
                field=self.field or KEY, text=f"{self.id} is merged into the {object} {id}, which is named instead"
            )
        )


class Following:
    """The merged records of one connection, for its road."""

    def __init__(self, connection: Connection, merged: Merged, described: Described) -> None:
        self.merged = merged
        self._connection, self._described = connection, described

    def lookups(self, lookups: Sequence[Lookup]) -> dict[Lookup, Lookup]:
        """Those of the look-ups that ask by an id which is merged, and what to ask instead."""
        if not any(lookup.by == "id" for lookup in lookups):
            return {}
        pairs = zip(lookups, self.merged.followed(self._connection.name, lookups), strict=True)
        return {asked: instead for asked, instead in pairs if asked != instead}

    def redirect(self, parcels: Sequence[Parcel]) -> None:
        """Have the rows name the records that are left, as far as merges are known."""
        if not self.merged.has_any(self._connection.name):
            return
        places = [place for parcel in parcels for place in self._places(parcel)]
        known = self.merged.known(self._connection.name, {place.id for place in places})
        for place in places:
            merges = [one for one in known.get(place.id, ()) if not place.objects or one.object in place.objects]
            if len(merges) == 1:
                place.put(merges[0].new_object, merges[0].new_id)

    def mended(self, parcels: Sequence[Parcel], asked: Asked) -> list[Parcel]:
        """Of the rows that were refused, those that name another record now and may go again."""
        places = [place for parcel in parcels for place in self._refused(parcel)]
        if not places or asked.stopped is not None or not self._connection.can("find"):
            return []
        asked.ask([lookup for place in places for lookup in _by_id(place)])
        again: dict[int, Parcel] = {}
        for place in places:
            left = _left(place, asked)
            if left is not None:
                place.put(left.object, left.id)
                place.parcel.fate = None
                again[place.parcel.claimed.id] = place.parcel
        return list(again.values())

    def _refused(self, parcel: Parcel) -> Iterator[Place]:
        """The places that a row may have been refused for."""
        error = parcel.fate.error if isinstance(parcel.fate, Failed) and parcel.called else None
        if isinstance(error, NotFound):
            yield from self._places(parcel)
        elif isinstance(error, Rejected) and error.fields:
            yield from (place for place in self._places(parcel) if place.field in error.fields)

    def _places(self, parcel: Parcel) -> Iterator[Place]:
        target = parcel.target
        if target.key == KEY:
            yield Place(parcel, None, (target.object,), parcel.key)
        if parcel.claimed.action == "remove":
            return
        references = self._references(target.object)
        for name, value in parcel.fields.items():
            if isinstance(value, str) and value and name in references:
                yield Place(parcel, name, references[name], value)

    def _references(self, object: str) -> dict[str, tuple[str, ...]]:
        """The fields of an object that name another record, and what kind of record."""
        if not self._connection.can("describe"):
            return {}
        try:
            description = self._described.describe(self._connection, object)
        except ConnectorError:
            return {}
        return {field.name: field.refers_to for field in description.fields if field.type == "reference"}


def _by_id(place: Place) -> list[Lookup]:
    return [Lookup(object, "id", place.id) for object in place.objects or (PERSON,)]


def _left(place: Place, asked: Asked) -> Record | None:
    """The one record that answers to the id and has another one itself."""
    found: list[Any] = [asked.answer(lookup) for lookup in _by_id(place)]
    records = [record for answer in found if not isinstance(answer, Failed) for record in answer]
    others = [record for record in records if record.id and record.id.casefold() != place.id.casefold()]
    return others[0] if len(records) == len(others) == 1 else None
