"""Find people, companies and other records in Fusion: one question per resource for a batch of look-ups.

Fusion keeps a number as it was typed, so it is asked with the last digits, whatever stands between them, over every phone
attribute, and what comes back is compared as E.164.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connectors.crm.oracle_fusion.query import either, equals, fits, like_number, portions, same_mail
from connectors.crm.oracle_fusion.resources import CREATED, UPDATED, Catalogue, Resource
from connectors.crm.oracle_fusion.rest import Rest
from connectors.wire.numbers import same, tail
from hub.errors import Unsupported
from hub.model import Account, Lookup, Match, Record

FEWEST_DIGITS = 4
Found = dict[str, Any]


class Finder:
    """Answers look-ups. `country` says how national numbers are read where a record has none of its own."""

    def __init__(
        self,
        rest: Rest,
        catalogue: Catalogue,
        country: str,
        link: Callable[[Resource, str, str], str],
        *,
        typed: bool,
        upper: bool,
    ) -> None:
        self._rest, self._catalogue, self._country, self._link = rest, catalogue, country, link
        self._typed, self._upper = typed, upper

    def found(self, resource: Resource, lookups: Mapping[int, Lookup]) -> dict[int, list[Record]]:
        """By place, the records of `resource` that answer the look-up."""
        phones, mails = self._attributes(resource)
        asked: list[tuple[int, str]] = []
        for place, lookup in lookups.items():
            if lookup.by in ("phone", "email") and not phones + mails:
                raise Unsupported(f"{resource.name} has no phone or e-mail that this connection's settings name")
            clauses = [clause for clause in self._clauses(resource, lookup, phones, mails) if fits(clause)]
            if clauses and fits(either(clauses)):
                asked.append((place, either(clauses)))
        answers: dict[int, dict[str, Record]] = {place: {} for place in lookups}
        for portion in portions(asked):
            mine = {place: lookups[place] for place, _ in portion}
            q = either(dict.fromkeys(clause for _, clause in portion))
            for item in self._rest.items(
                f"/{resource.name}", q=q, fields=self._reads(resource, mine.values()), orderBy=f"{resource.id}:asc"
            ):
                for place, lookup in mine.items():
                    if (match := self._match(resource, lookup, item, phones, mails)) is not None:
                        record = self.record(resource, item, match)
                        answers[place].setdefault(record.id, record)
        return {place: list(records.values()) for place, records in answers.items()}

    def record(self, resource: Resource, item: Found, match: Match | None = None) -> Record:
        """One item as the hub's record; its fields are what was read."""
        id, number = str(item.get(resource.id, "")), str(item.get(resource.number, ""))
        company = self._company(resource, item)
        return Record(
            object=resource.name,
            id=id,
            title=self._title(resource, item) or number,
            url=self._link(resource, id, number),
            match=match,
            account=company,
            owner=item.get(resource.owner) or None if resource.owner else None,
            created_at=moment(item.get(CREATED)),
            updated_at=moment(item.get(UPDATED)),
            fields=item,
        )

    def reads(self, resource: Resource) -> tuple[str, ...]:
        """The attributes that are read of every record."""
        phones, mails = self._attributes(resource)
        company = resource.company or ()
        owner = (resource.owner,) if resource.owner else ()
        names = (resource.id, resource.number, *resource.title, *resource.reads, *company, *owner, *phones, *mails,
                 CREATED, UPDATED)  # fmt: skip
        missing = self._catalogue.told("missing_fields", resource.name)
        return tuple(name for name in dict.fromkeys(names) if name not in missing)

    def _reads(self, resource: Resource, lookups: Any) -> str:
        wanted = [name for lookup in lookups for name in lookup.fields]
        keys = [lookup.key_field for lookup in lookups if lookup.by == "key" and lookup.key_field]
        return ",".join(dict.fromkeys((*self.reads(resource), *wanted, *keys)))

    def _attributes(self, resource: Resource) -> tuple[tuple[str, ...], tuple[str, ...]]:
        told = self._catalogue.told
        return told("phone_fields", resource.name), told("mail_fields", resource.name)

    def _clauses(
        self, resource: Resource, lookup: Lookup, phones: Sequence[str], mails: Sequence[str]
    ) -> Iterator[str]:
        value = lookup.value.strip()
        if not value or "\0" in value:
            return
        match lookup.by:
            case "phone":
                if len(tail(value)) >= FEWEST_DIGITS:
                    yield from (like_number(attribute, value, typed=self._typed) for attribute in phones)
            case "email":
                if "@" in value:
                    yield from (same_mail(attribute, value, upper=self._upper) for attribute in mails)
            case "id":
                if value.isascii() and value.isdecimal() and len(value) <= 18:
                    yield equals(resource.id, int(value))
            case "key":
                yield equals(lookup.key_field or resource.number, lookup.value)

    def _match(
        self, resource: Resource, lookup: Lookup, item: Found, phones: Sequence[str], mails: Sequence[str]
    ) -> Match | None:
        """Why an item answers the look-up; None: it does not, Fusion's own comparison is wider."""
        match lookup.by:
            case "phone":
                country = str(item.get("Country") or self._country)
                names = [name for name in phones if same([_text(item.get(name))], lookup.value, country)]
            case "email":
                wanted = lookup.value.strip().casefold()
                names = [name for name in mails if _text(item.get(name)).strip().casefold() == wanted]
            case "id":
                names = [name for name in (resource.id,) if _text(item.get(name)) == lookup.value.strip()]
            case "key":
                key = lookup.key_field or resource.number
                names = [name for name in (key,) if _text(item.get(name)) == lookup.value]
        return Match(field=names[0], value=_text(item[names[0]])) if names else None

    def _company(self, resource: Resource, item: Found) -> Account | None:
        if resource.company is None or not item.get(resource.company[0]):
            return None
        id, name = resource.company
        return Account(object="accounts", id=str(item[id]), title=_text(item.get(name)))

    @staticmethod
    def _title(resource: Resource, item: Found) -> str:
        return next((_text(item[name]) for name in resource.title if item.get(name)), "")


def moment(told: Any) -> dt.datetime | None:
    """A date and time of Fusion's as UTC."""
    try:
        found = dt.datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
