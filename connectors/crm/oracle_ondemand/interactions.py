"""Interactions: made by CTIActivityInsert, noted by an update of their activity, ended by CTIActivityWrapUp.

An interaction's key is (InteractionId, AgentOfferTime): sent again it answers `Activity already exists` with the old
activity, so nothing can be made twice as long as both stay the same. Statuses are always in English.

Calls for 200 rows: 40 inserts (five interactions in each, the most that there may be), 10 updates (twenty in each) and 40
wrap-ups.

Source: Oracle, CTI Developer's Guide (E99788, G30551). That an activity shows its interaction in a field `InteractionId`
is inference; only removing and finding by key stand on it, and the field is a setting.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

from msgspec import Struct

from connectors.crm.oracle_ondemand.batches import OF_THE_ROW, each
from connectors.crm.oracle_ondemand.errors import WHO
from connectors.crm.oracle_ondemand.objects import (
    ACTIVITY,
    INTERACTION,
    INTERACTION_FIELDS,
    KEY_LENGTH,
    TIMES,
    WRAP_UP,
)
from connectors.crm.oracle_ondemand.searchspec import bare, either, equals
from connectors.crm.oracle_ondemand.services import Services, listed
from connectors.wire.discreet import discreet
from hub.errors import Ambiguous, ConnectorError, NotFound, Rejected, UnknownOutcome
from hub.model import Receipt, Row

PER_INSERT, PER_UPDATE = 5, 20
OK, EXISTS, WRAPPED = "OK", "Activity already exists", "Activity has already been wrapped up"
NONE, MANY = "Activity not found", "Multiple activites found"  # as Oracle spells it
_NAMES = frozenset(field.name for field in INTERACTION_FIELDS) - {WRAP_UP}
_TRUE = (True, 1, "true", "True", "1", "Y")
Outcome = Literal["created", "updated", "unchanged", "removed"]
Values = dict[str, Any]


class Made(Struct, frozen=True, kw_only=True):
    """An activity that an interaction has."""

    id: str
    new: bool


class Interactions:
    """Writes interactions and gives one receipt per row. `field` is where an activity shows its interaction's id."""

    def __init__(self, services: Services, link: Callable[[str, str], str], field: str) -> None:
        self._services, self._link, self._field = services, link, field

    def written(self, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order; no key twice among them."""
        errors: dict[int, ConnectorError] = {}
        asked: dict[int, Values] = {}
        for place, row in enumerate(rows):
            if row.action == "upsert":
                try:
                    asked[place] = _interaction(row)
                except Rejected as error:
                    errors[place] = error
        made = self._inserted(asked, errors)
        noted = {place: notes for place in made if (notes := _notes(rows[place]))}
        self._noted(noted, made, errors)
        ended = [place for place in made if place not in errors and rows[place].fields.get(WRAP_UP) in _TRUE]
        newly = self._wrapped({place: asked[place] for place in ended}, errors)
        removed = self._removed([place for place, row in enumerate(rows) if row.action == "remove"], rows, errors)
        return [
            self._receipt(row, made.get(place), errors.get(place), removed.get(place), place in noted or place in newly)
            for place, row in enumerate(rows)
        ]

    # --- the three calls ----------------------------------------

    def _inserted(self, asked: Mapping[int, Values], errors: dict[int, ConnectorError]) -> dict[int, Made]:
        made: dict[int, Made] = {}
        for place, told in self._cti("CTIActivityInsert", asked).items():
            if isinstance(told, ConnectorError):
                errors[place] = told
            elif told.get("Status") in (OK, EXISTS) and told.get("ActivityId"):
                made[place] = Made(id=str(told["ActivityId"]), new=told["Status"] == OK)
            else:
                errors[place] = Rejected(f"{WHO}: {discreet(str(told.get('Status') or 'no status'))}")
        return made

    def _noted(self, noted: Mapping[int, Values], made: Mapping[int, Made], errors: dict[int, ConnectorError]) -> None:
        def update(rows: list[Values]) -> list[Values]:
            told = self._services.call(ACTIVITY, "ActivityUpdate", changes=True, ListOfActivity={"Activity": rows})
            listed(told, ACTIVITY)
            return rows

        changes = [{"Id": made[place].id, **notes} for place, notes in noted.items()]
        for place, done in zip(noted, each(update, changes, PER_UPDATE), strict=True):
            if isinstance(done, ConnectorError):
                errors[place] = done

    def _wrapped(self, asked: Mapping[int, Values], errors: dict[int, ConnectorError]) -> set[int]:
        """Which of them were wrapped up just now."""
        keys = {place: {name: values[name] for name in ("InteractionId", "AgentOfferTime", "ChannelType")}
                for place, values in asked.items()}  # fmt: skip
        newly = set()
        for place, told in self._cti("CTIActivityWrapUp", keys).items():
            status = OK if isinstance(told, ConnectorError) else str(told.get("Status") or "")
            if isinstance(told, ConnectorError):
                errors[place] = told
            elif status == MANY:
                errors[place] = Ambiguous(f"{WHO}: several activities have this interaction and offer time")
            elif status == NONE:
                errors[place] = NotFound(f"{WHO}: no activity has this interaction and offer time")
            elif status == OK:
                newly.add(place)
            elif status != WRAPPED:
                errors[place] = Rejected(f"{WHO} does not wrap up: {discreet(status)}")
        return newly

    def _cti(self, operation: str, asked: Mapping[int, Values]) -> dict[int, Values | ConnectorError]:
        """By place what the service says of an interaction, found by its key: their order is nobody's promise."""

        def call(rows: list[Values]) -> list[Values]:
            interactions = {"Interaction": rows}
            told = listed(
                self._services.call(INTERACTION, operation, changes=True, ListOfInteraction=interactions), ACTIVITY
            )
            by_key = {(str(one.get("InteractionId")), str(one.get("AgentOfferTime"))): one for one in told}
            answers = [by_key.get((row["InteractionId"], row["AgentOfferTime"])) for row in rows]
            if len(told) == len(rows):
                answers = [answer or told[n] for n, answer in enumerate(answers)]
            if any(answer is None for answer in answers):
                raise UnknownOutcome(f"{WHO} says nothing of some of the interactions")
            return [answer for answer in answers if answer is not None]

        return dict(zip(asked, each(call, list(asked.values()), PER_INSERT), strict=True))

    def _removed(
        self, places: list[int], rows: Sequence[Row], errors: dict[int, ConnectorError]
    ) -> dict[int, list[str]]:
        """By place the activities that were deleted."""
        if not places:
            return {}
        keys = {place: interaction_id(rows[place].key) for place in places}
        spec = bare(either(equals(self._field, key) for key in dict.fromkeys(keys.values())))
        there: dict[str, list[str]] = {}
        for one in self._services.records(ACTIVITY, spec, (self._field,)):
            there.setdefault(str(one[self._field]), []).append(str(one["Id"]))

        def delete(ids: list[str]) -> list[str]:
            gone = {"Activity": [{"Id": id} for id in ids]}
            self._services.call(ACTIVITY, "ActivityDelete", changes=True, ListOfActivity=gone)
            return ids

        doomed = [(place, id) for place in places for id in there.get(keys[place], ())]
        done = each(delete, [id for _, id in doomed], PER_UPDATE)
        removed: dict[int, list[str]] = {place: [] for place in places}
        for (place, id), outcome in zip(doomed, done, strict=True):
            if isinstance(outcome, NotFound):
                continue  # somebody else has deleted it meanwhile
            if isinstance(outcome, OF_THE_ROW):
                errors[place] = outcome
            else:
                removed[place].append(id)
        return removed

    def _receipt(
        self, row: Row, made: Made | None, error: ConnectorError | None, removed: list[str] | None, changed: bool
    ) -> Receipt:
        if error is not None:
            return Receipt(key=row.key, outcome="failed", error=error)
        if made is None:
            ids = removed or []
            return Receipt(key=row.key, outcome="removed" if ids else "unchanged", id=ids[0] if ids else "")
        outcome: Outcome = "created" if made.new else "updated" if changed else "unchanged"
        return Receipt(key=row.key, outcome=outcome, id=made.id, url=self._link(INTERACTION, made.id))


def interaction_id(key: str) -> str:
    """The hub's key as an InteractionId of at most thirty letters: itself, or what stands for it for ever."""
    plain = len(key) <= KEY_LENGTH and key.isprintable() and key == key.strip() and key.isascii()
    return key if plain else base64.b32encode(sha256(key.encode()).digest()).decode()[:KEY_LENGTH]


def _interaction(row: Row) -> Values:
    """What CTIActivityInsert is told. Raises Rejected where a part of the key is missing."""
    values = {name: value for name, value in row.fields.items() if name in _NAMES and value not in (None, "")}
    values["InteractionId"] = interaction_id(row.key)
    for name in ("AgentOfferTime", "ChannelType"):
        if name not in values:
            raise Rejected(f"an interaction needs {name}, and always the same", {name: "missing"})
    for name in TIMES:
        if name in values:
            values[name] = _seconds(name, values[name])
    return {name: str(value) for name, value in values.items()}


def _notes(row: Row) -> Values:
    """What is written to the activity itself."""
    return {
        name: value for name, value in row.fields.items() if name not in _NAMES and name not in (WRAP_UP, "id", "Id")
    }


def _seconds(name: str, value: Any) -> int:
    """A moment in seconds since 1970, as the service wants it."""
    if isinstance(value, dt.datetime):
        return int(value.timestamp())
    text = str(value)
    if text.isdecimal():
        return int(text)
    try:
        told = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Rejected(f"{name} is no moment", {name: "a date and time, or seconds since 1970"}) from None
    return int((told if told.tzinfo else told.replace(tzinfo=dt.UTC)).timestamp())
