"""Find people and other records: one question per kind of object for a batch of look-ups.

Dolibarr keeps numbers as they were typed. So a number is asked for by its last seven digits, with anything between
them, in every field that holds numbers, and what comes back is compared as E.164. Keys and addresses are compared
letter by letter: the database sees no capitals and no accents, and a filter's wildcards stand for the signs that it
cannot carry. A third party that was merged into another is deleted there, and Dolibarr does not tell which one is left:
the number finds that one, the old id nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from connectors.crm.dolibarr.api import Api
from connectors.crm.dolibarr.filters import either, ends_with, equal, fits, one_of
from connectors.crm.dolibarr.keys import stored
from connectors.crm.dolibarr.objects import (
    OPTION,
    THIRDPARTIES,
    Fields,
    Found,
    Kind,
    flat,
    kind_of,
    moment,
    title_of,
)
from connectors.wire.numbers import same, tail
from hub.errors import Unsupported
from hub.model import Account, Lookup, Match, Record

FEWEST_DIGITS = 4
CREATED, CHANGED = ("date_creation", "datec"), ("date_modification", "datem")

Matches = dict[int, dict[str, tuple[Found, Match]]]


class Finder:
    """Answers look-ups. `country` says how national numbers are read."""

    def __init__(self, api: Api, phones: Fields, mails: Fields, country: str, link: Callable[[str, str], str]) -> None:
        self._api, self._phones, self._mails, self._country, self._link = api, phones, mails, country, link

    def found(self, name: str, lookups: Mapping[int, Lookup]) -> dict[int, list[Record]]:
        """By place, the records of one kind that answer the look-up."""
        kind = kind_of(name)
        asked = {place: told for place, lookup in lookups.items() if (told := self._conditions(kind, lookup))}
        matches: Matches = {place: {} for place in lookups}
        hidden = [place for place in asked if _is_hidden(kind, lookups[place])]
        for places in _portions({place: told for place, told in asked.items() if place not in hidden}):
            mine = {place: lookups[place] for place in places}
            conditions = list(dict.fromkeys(one for place in places for one in asked[place]))
            for item in self._api.all(kind, [either(conditions)], self._reads(kind, mine.values())):
                self._matched(kind, flat(item), mine, matches)
        self._ask_hidden(kind, hidden, asked, lookups, matches)
        return {place: [self._record(kind, item, match) for item, match in some.values()]
                for place, some in matches.items()}  # fmt: skip

    # --- asking ----------------------------------------

    def _conditions(self, kind: Kind, lookup: Lookup) -> list[str]:
        value = lookup.value.strip()
        phones, mails = self._phones.of(kind), self._mails.of(kind)
        if lookup.by in ("phone", "email") and not phones + mails:
            raise Unsupported(f"{kind.name} have no phone or e-mail that this connection's settings name")
        match lookup.by:
            case "phone":
                end = tail(value)
                return [ends_with(kind.column(one), end) for one in phones] if len(end) >= FEWEST_DIGITS else []
            case "email":
                texts = dict.fromkeys((value, value.lower())) if "@" in value else ()
                return [told for one in mails for text in texts if (told := equal(kind.column(one), text))]
            case "id":
                return [one_of(kind.id_column, [value])] if _is_id(value) else []
        return self._by_key(kind, lookup)

    def _by_key(self, kind: Kind, lookup: Lookup) -> list[str]:
        """A key that the hub wrote, and the same text as another system would have written it."""
        field = lookup.key_field or kind.key
        if field == "id":
            return [one_of(kind.id_column, [lookup.value])] if _is_id(lookup.value) else []
        if not lookup.value:
            return []
        mine = stored(lookup.value, unguessable=kind.key_public and field == kind.key)
        told = [one_of(kind.column(field), [f"'{mine}'"])]
        if kind.shows(field) and (plain := equal(kind.column(field), lookup.value)):
            told.append(plain)
        return told

    def _reads(self, kind: Kind, lookups: Collection[Lookup]) -> list[str]:
        """What is read of each record; all of it (nothing is named) where a key asks: the hub compares such a record
        field by field with what it wrote."""
        if any(lookup.by == "key" for lookup in lookups):
            return []
        fields = [*kind.reads, *self._phones.of(kind), *self._mails.of(kind)]
        for lookup in lookups:
            fields += [one for one in lookup.fields if not one.startswith(OPTION)]
        return list(dict.fromkeys(fields))

    def _ask_hidden(
        self, kind: Kind, places: Sequence[int], asked: Mapping[int, Sequence[str]], lookups: Mapping[int, Lookup],
        matches: Matches,
    ) -> None:  # fmt: skip
        """Asks for keys that answers do not show: all at once, and by halves where something is there."""
        conditions = list(dict.fromkeys(one for place in places for one in asked[place]))
        if not conditions:
            return
        alone = len(conditions) == 1
        if alone or fits(either(conditions)):
            items = list(self._api.all(kind, [either(conditions)], () if alone else ("id",)))
            if alone:
                for item in items:
                    self._matched(kind, flat(item), {place: lookups[place] for place in places}, matches)
            if alone or not items:
                return
        for half in (conditions[: len(conditions) // 2], conditions[len(conditions) // 2 :]):
            mine = [place for place in places if asked[place][0] in half]
            self._ask_hidden(kind, mine, asked, lookups, matches)

    # --- comparing ----------------------------------------

    def _matched(self, kind: Kind, item: Found, lookups: Mapping[int, Lookup], matches: Matches) -> None:
        for place, lookup in lookups.items():
            if match := self._match(kind, lookup, item):
                field = lookup.key_field or kind.key
                told = {**item, field: lookup.value} if lookup.by == "key" and not kind.shows(field) else item
                matches[place].setdefault(item["id"], (told, match))

    def _match(self, kind: Kind, lookup: Lookup, item: Found) -> Match | None:
        """Why an item answers the look-up; None: it does not."""
        wanted = lookup.value.strip()
        match lookup.by:
            case "phone":
                for field in self._phones.of(kind):
                    if same([_text(item, field)], wanted, self._country_of(item)):
                        return Match(field=field, value=_text(item, field))
            case "email":
                for field in self._mails.of(kind):
                    if _text(item, field).strip().casefold() == wanted.casefold():
                        return Match(field=field, value=_text(item, field))
            case "id" if item["id"] == wanted:
                return Match(field="id", value=wanted)
            case "key":
                field = lookup.key_field or kind.key
                mine = stored(lookup.value, unguessable=kind.key_public and field == kind.key)
                if _text(item, field) in (mine, lookup.value) or not kind.shows(field):
                    return Match(field=field, value=lookup.value)
        return None

    def _country_of(self, item: Found) -> str:
        """The record's own country where it is a code."""
        told = _text(item, "country_code")
        return told if len(told) == 2 and told.isascii() and told.isupper() else self._country

    def _record(self, kind: Kind, item: Found, match: Match) -> Record:
        company = None
        socid = _text(item, "socid")
        if kind.name != THIRDPARTIES and _is_id(socid) and int(socid):
            company = Account(object=THIRDPARTIES, id=socid, title=_text(item, "socname"))
        return Record(
            object=kind.name,
            id=item["id"],
            title=title_of(kind, item),
            url=self._link(kind.name, item["id"]),
            match=match,
            account=company,
            created_at=next((at for name in CREATED if (at := moment(item.get(name)))), None),
            updated_at=next((at for name in CHANGED if (at := moment(item.get(name)))), None),
            fields=item,
        )


def _text(item: Found, field: str) -> str:
    value = item.get(field)
    return "" if value is None or value is False else str(value)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _is_hidden(kind: Kind, lookup: Lookup) -> bool:
    return lookup.by == "key" and not kind.shows(lookup.key_field or kind.key)


def _portions(asked: Mapping[int, Sequence[str]]) -> Iterator[list[int]]:
    """The places in as few groups as fit into a request each."""
    portion: list[int] = []
    conditions: list[str] = []
    for place, some in asked.items():
        if portion and not fits(either([*conditions, *some])):
            yield portion
            portion, conditions = [], []
        portion.append(place)
        conditions += some
    if portion:
        yield portion
