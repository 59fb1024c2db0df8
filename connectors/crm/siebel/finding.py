"""Find people, companies and other records in Siebel: one query for a batch of look-ups of a component.

A phone field of Siebel's own type holds `+` and digits, so it is asked for by that, and for nothing shorter; a text field
holds what was typed, and is asked for by its end. What comes back is compared as E.164 either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connectors.crm.siebel.components import CREATED, ID, UPDATED, Catalogue, Component
from connectors.crm.siebel.dictionary import Dictionary
from connectors.crm.siebel.rest import Item, Rest
from connectors.crm.siebel.searchspec import (
    FEWEST_DIGITS,
    askable,
    either,
    equals,
    field,
    fits,
    portions,
    same_mail,
    stored_number,
    typed_number,
)
from connectors.crm.siebel.values import Values, number, stored_key
from connectors.wire.numbers import same
from hub import phone
from hub.errors import Rejected, Unsupported
from hub.model import Account, Lookup, Match, Record

NORTH_AMERICA = "+1"


class Finder:
    """Answers look-ups. `country` says how numbers are read that were written nationally; `typed`: phones are free text."""

    def __init__(
        self,
        rest: Rest,
        catalogue: Catalogue,
        dictionary: Dictionary,
        values: Values,
        link: Callable[[Component, str], str],
        *,
        country: str,
        typed: bool,
    ) -> None:
        self._rest, self._catalogue, self._dictionary, self._values = rest, catalogue, dictionary, values
        self._link, self._country, self._typed = link, country, typed
        self._lacking: set[str] = set()  # components that do not show all the usual fields

    def found(self, component: Component, lookups: Mapping[int, Lookup]) -> dict[int, list[Record]]:
        """By place, the records of `component` that answer the look-up."""
        if component.parent:
            raise Unsupported(f"{component.name} is reached through its {component.parent} only, so by a list pull")
        phones, mails = self._told("phone_fields", component), self._told("mail_fields", component)
        asked: list[tuple[int, str]] = []
        for place, lookup in lookups.items():
            if lookup.by in ("phone", "email") and not phones + mails:
                raise Unsupported(f"{component.name} has no phone or e-mail that this connection's settings name")
            clauses = list(self._clauses(component, lookup, phones, mails))
            if clauses and fits(either(clauses)):
                asked.append((place, either(clauses)))
        # What nobody asked for beyond the usual needs no description: a screen pop saves that call.
        wanted = {name for lookup in lookups.values() for name in lookup.fields}
        types = self._dictionary.types(component) if asked and wanted else {}
        answers: dict[int, dict[str, Record]] = {place: {} for place in lookups}
        for portion in portions(asked):
            mine = {place: lookups[place] for place, _ in portion}
            spec = either(dict.fromkeys(clause for _, clause in portion))
            fields = self._reads(component, mine.values())

            def asked_for(names: Sequence[str], spec: str = spec) -> list[Item]:
                return list(self._rest.records(component, spec, names))

            for item in self.read(component, fields, asked_for):
                for place, lookup in mine.items():
                    if (match := self._match(component, lookup, item, phones, mails)) is not None:
                        record = self._record(component, item, types, match)
                        answers[place].setdefault(record.id, record)
        return {place: list(records.values()) for place, records in answers.items()}

    def read(
        self, component: Component, fields: Sequence[str], ask: Callable[[Sequence[str]], list[Item]]
    ) -> list[Item]:
        """What `ask` answers for these fields. Where Siebel refuses, again without those of the usual needs that its own
        description of the component lacks: not every repository shows `Updated`."""
        if component.name not in self._lacking:
            try:
                return ask(fields)
            except Rejected:
                if not self._lacks(component):
                    raise
            self._lacking.add(component.name)
        lacks = self._lacks(component)
        return ask([name for name in fields if name not in lacks])

    def _lacks(self, component: Component) -> set[str]:
        known = self._dictionary.types(component)
        asked = (*self._told("phone_fields", component), *self._told("mail_fields", component))
        return {name for name in self.reads(component) if name not in known and name not in asked} if known else set()

    def reads(self, component: Component) -> tuple[str, ...]:
        """The fields that are read of every record."""
        told = self._told
        names = (*component.title, *component.reads, *(component.company or ()), *told("phone_fields", component),
                 *told("mail_fields", component), *told("key_fields", component), CREATED, UPDATED)  # fmt: skip
        missing = told("missing_fields", component)
        return tuple(name for name in dict.fromkeys(names) if name not in missing)

    def plain(self, component: Component, item: Item, types: Mapping[str, str]) -> dict[str, Any]:
        """A record's fields in the hub's terms; a number is without its mask, whatever its field's type."""
        known = {CREATED: "DTYPE_UTCDATETIME", UPDATED: "DTYPE_UTCDATETIME", **types}
        known |= dict.fromkeys(self._told("phone_fields", component), "DTYPE_PHONE")
        return self._values.record(item, known)

    def _record(self, component: Component, item: Item, types: Mapping[str, str], match: Match) -> Record:
        id = _text(item.get(ID))
        return Record(
            object=component.name,
            id=id,
            title=" ".join(_text(item[name]) for name in component.title if item.get(name)) or id,
            url=self._link(component, id),
            match=match,
            account=self._company(component, item),
            created_at=self._values.moment(item.get(CREATED)),
            updated_at=self._values.moment(item.get(UPDATED)),
            fields=self.plain(component, item, types),
        )

    def _told(self, setting: str, component: Component) -> tuple[str, ...]:
        return self._catalogue.told(setting, component.name)

    def _reads(self, component: Component, lookups: Any) -> tuple[str, ...]:
        wanted = [name for lookup in lookups for name in (*lookup.fields, *_key_of(lookup))]
        for name in wanted:
            field(name)  # raises where it cannot be one: a comma in it would be two
        return tuple(dict.fromkeys((*self.reads(component), *wanted)))

    def _clauses(
        self, component: Component, lookup: Lookup, phones: Sequence[str], mails: Sequence[str]
    ) -> Iterator[str]:
        value = lookup.value.strip()
        match lookup.by:
            case "phone":
                digits = phone.digits(value)
                if len(digits) >= FEWEST_DIGITS and (self._typed or value.startswith("+")):
                    clause = typed_number if self._typed else stored_number
                    yield from (clause(name, value) for name in phones)
            case "email":
                if "@" in value and askable(value):
                    yield from (same_mail(name, value) for name in mails)
            case "id":
                if askable(value):
                    yield equals(ID, value)
            case "key":
                for name, keys in self._keys(component, lookup).items():
                    yield from (equals(name, key) for key in keys if askable(key))

    def _keys(self, component: Component, lookup: Lookup) -> dict[str, list[str]]:
        """The fields and values that a key may stand for: a long one of the hub's stands there by its digest, and a key
        that names no field may be the row id, which list pulls give to platforms."""
        name = lookup.key_field or self._catalogue.key_field(component.name)
        ours = name in self._told("key_fields", component)
        found = {name: list(dict.fromkeys([lookup.value, *([stored_key(lookup.value)] if ours else [])]))}
        return found if lookup.key_field else {**found, ID: [lookup.value]}

    def _match(
        self, component: Component, lookup: Lookup, item: Item, phones: Sequence[str], mails: Sequence[str]
    ) -> Match | None:
        """Why a record answers the look-up; None: it does not, Siebel's own comparison is wider."""
        value = lookup.value.strip()
        match lookup.by:
            case "phone":
                names = [name for name in phones if self._same(_text(item.get(name)), value)]
            case "email":
                names = [name for name in mails if _text(item.get(name)).strip().casefold() == value.casefold()]
            case "id":
                names = [ID] if _text(item.get(ID)) == value else []
            case "key":
                keys = self._keys(component, lookup)
                names = [name for name, told in keys.items() if _text(item.get(name)) in told]
        return Match(field=names[0], value=number(_text(item[names[0]]))) if names else None

    def _same(self, stored: str, asked: str) -> bool:
        bare = number(stored)
        if same([stored, bare], asked, self._country):
            return True
        # Siebel adds no code of its own to the numbers of North America: there they stand without one.
        return not bare.strip().startswith("+") and asked == NORTH_AMERICA + phone.digits(bare)

    def _company(self, component: Component, item: Item) -> Account | None:
        if component.company is None or not item.get(component.company[0]):
            return None
        id, name = component.company
        return Account(object="Account", id=_text(item[id]), title=_text(item.get(name)))


def _key_of(lookup: Lookup) -> tuple[str, ...]:
    return (lookup.key_field,) if lookup.by == "key" and lookup.key_field else ()


def _text(value: Any) -> str:
    return "" if value is None else str(value)
