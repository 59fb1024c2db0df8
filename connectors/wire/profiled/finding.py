"""Look-ups as a profile declares them: one request for each, or for several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.wire.numbers import tail
from connectors.wire.profiled.asking import Asks, Nothing, nothing_of
from connectors.wire.profiled.declared import Declared, by_object
from hub.contract import Piece, Place, Profile
from hub.errors import Unavailable, Unsupported
from hub.model import PERSON, Lookup, Record

ROOTS = ("value", "values", "tail", "tails", "fields")
WORDS: Mapping[str, str] = {
    "records": "the path of the records in the answer: a list, or one",
    "of": "how many look-ups one request takes (1); with more, `values` and `tails` are lists",
    "none": "what means that nobody was found: statuses, or a condition",
}
LONGEST = 500  # characters of a value that somebody can have
LEAST = 20  # look-ups that are taken at a time, however many requests that makes


@dataclass(frozen=True)
class Way:
    """How one object is looked up by one identifier."""

    call: Any
    records: Piece
    of: int
    none: Nothing | None


class Finder:
    """Every object's ways of being looked up."""

    def __init__(
        self, profile: Profile, objects: Mapping[str, Any], declared: Declared, asks: Asks, country: str
    ) -> None:
        self._declared, self._asks, self._country = declared, asks, country
        self._ways = {
            (name, by): _way(profile, ("objects", name, "find", by), told, asks)
            for name, words in objects.items()
            for by, told in _group(profile, ("objects", name, "find"), words.get("find", {})).items()
        }
        self.lookups_per_call = max((way.of for way in self._ways.values()), default=LEAST)
        self.lookups_per_call = max(self.lookups_per_call, LEAST)

    def can(self, object: str, by: str) -> bool:
        """Whether an object can be looked up so."""
        return (object, by) in self._ways

    def found(self, lookups: Sequence[Lookup]) -> list[list[Record]]:
        """The records of each look-up."""
        answers: list[dict[tuple[str, str], Record]] = [{} for _ in lookups]
        for (object, by), places in by_object(self._declared, lookups).items():
            # What has no digit is nobody's number, and an empty value would ask for everybody.
            asked = [place for place in places if _is_something(lookups[place])]
            for way, mine in self._by_way(object, by, lookups, asked):
                for start in range(0, len(mine), way.of):
                    self._ask(way, object, lookups, mine[start : start + way.of], answers)
        return [list(found.values()) for found in answers]

    def _by_way(
        self, object: str, by: str, lookups: Sequence[Lookup], places: Sequence[int]
    ) -> list[tuple[Way, list[int]]]:
        """A key may be looked up by a way of its own (`find.account_number`), else by the object's `key`."""
        ways: dict[str, list[int]] = {}
        for place in places:
            field = lookups[place].key_field
            own = field if by == "key" and (object, field) in self._ways else by
            if own == "key" and field not in ("", self._declared[object].key):
                raise Unsupported(f"the profile does not say how {object} is found by {field}")
            ways.setdefault(own, []).append(place)
        found = []
        for own, mine in ways.items():
            if (object, own) in self._ways:
                found.append((self._ways[object, own], mine))
            elif any(lookups[place].object != PERSON for place in mine):
                raise Unsupported(f"the profile does not say how {object} is found by {own}")
        return found

    def _ask(
        self, way: Way, object: str, lookups: Sequence[Lookup], places: Sequence[int], answers: list[dict[Any, Record]]
    ) -> None:
        values = [lookups[place].value.strip() for place in places]
        fields = list(dict.fromkeys(name for place in places for name in lookups[place].fields))
        facts: dict[str, Any] = {"values": values, "tails": [tail(value) for value in values], "fields": fields or None}
        if way.of == 1:
            facts |= {"value": values[0], "tail": facts["tails"][0]}
        answer = self._asks.asked(way.call, facts, changes=False, none=way.none)
        one = self._declared[object]
        for raw in listed(way.records(answer.facts)):
            for place in places:
                match = one.answers(lookups[place], raw, self._country, alone=way.of == 1)
                if match is not None:
                    record = one.record(raw, match)
                    answers[place].setdefault((object, record.id), record)


def _is_something(lookup: Lookup) -> bool:
    """Whether anybody can have it: nobody's number has no digit, and nobody's key is a page long."""
    said = tail(lookup.value) if lookup.by == "phone" else lookup.value.strip()
    return bool(said) and len(lookup.value) <= LONGEST and "\0" not in said


def listed(told: Any) -> list[dict[str, Any]]:
    """The records that stand at a path: a list of groups, or one group; nothing where nothing stands."""
    if told is None:
        return []
    records = told if isinstance(told, list) else [told]
    if not all(isinstance(one, dict) for one in records):
        raise Unavailable("the answer has something else where the profile says that records are")
    return records


def _way(profile: Profile, at: Place, value: Any, asks: Asks) -> Way:
    words = dict(profile.group(at, value, (*asks.words, *WORDS)))
    records = profile.path((*at, "records"), words.pop("records", "answer"), asks.roots)
    of = words.pop("of", 1)
    none = nothing_of(profile, (*at, "none"), words.pop("none"), asks.roots) if "none" in words else None
    if not isinstance(of, int) or isinstance(of, bool) or not 1 <= of <= 1000:
        raise profile.error((*at, "of"), "`of` is how many look-ups a request takes, from 1 to 1000")
    return Way(asks.call(profile, at, words, ROOTS), records, of, none)


def _group(profile: Profile, at: Place, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise profile.error(at, "`find` is a group: phone, email, id, key, or the name of a field")
    return value
