"""Find people, companies and activities in CRM On Demand: one QueryPage for each record type for a batch of look-ups.

Numbers are stored as they were typed, so they are asked for by their last digits over every phone field and compared as
E.164.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connectors.crm.oracle_ondemand.interactions import interaction_id
from connectors.crm.oracle_ondemand.objects import CREATED, EXTERNAL_KEY, INTERACTION, MODIFIED, RecordType
from connectors.crm.oracle_ondemand.searchspec import LONGEST, bare, either, equals, like_number, portions, same_mail
from connectors.crm.oracle_ondemand.services import Services
from connectors.wire.numbers import same, tail
from hub.errors import Unsupported
from hub.model import Account, Lookup, Match, Record

FEWEST_DIGITS = 4
Found = dict[str, Any]
Fields = Mapping[str, Sequence[str]]  # by record type


class Finder:
    """Answers look-ups. `country` says how national numbers are read where a record has none of its own."""

    def __init__(
        self, services: Services, phones: Fields, mails: Fields, country: str, link: Callable[[str, str], str]
    ) -> None:
        self._services, self._phones, self._mails = services, phones, mails
        self._country, self._link = country, link

    def found(self, object: str, kind: RecordType, lookups: Mapping[int, Lookup]) -> dict[int, list[Record]]:
        """By place, the records of `kind` that answer the look-up."""
        asked: list[tuple[int, str]] = []
        for place, lookup in lookups.items():
            if lookup.by in ("phone", "email") and kind.name not in {**self._phones, **self._mails}:
                raise Unsupported(f"{kind.name} has no phone or e-mail that this connection's settings name")
            clause = either(clauses) if (clauses := list(self._clauses(object, kind, lookup))) else ""
            if clause and len(clause) <= LONGEST:
                asked.append((place, clause))
        answers: dict[int, dict[str, Record]] = {place: {} for place in lookups}
        for portion in portions(asked):
            mine = {place: lookups[place] for place, _ in portion}
            spec = bare(either(dict.fromkeys(clause for _, clause in portion)))
            for item in self._services.records(kind.name, spec, self._wanted(kind, mine.values(), object)):
                for place, lookup in mine.items():
                    if (match := self._match(object, kind, lookup, item)) is not None:
                        answers[place].setdefault(str(item["Id"]), self.record(object, kind, item, match))
        return {place: list(records.values()) for place, records in answers.items()}

    def record(self, object: str, kind: RecordType, item: Found, match: Match | None = None) -> Record:
        """One item as the hub's record; its fields are what was read."""
        id = str(item["Id"])
        company = None
        if kind.company is not None and item.get(kind.company[0]):
            company = Account(object="Account", id=str(item[kind.company[0]]), title=_text(item.get(kind.company[1])))
        return Record(
            object=object, id=id, title=" ".join(_text(item[name]) for name in kind.title if item.get(name)) or id,
            url=self._link(object, id), match=match, account=company, created_at=moment(item.get(CREATED)),
            updated_at=moment(item.get(MODIFIED)), fields={name: plain(value) for name, value in item.items()},
        )  # fmt: skip

    def reads(self, kind: RecordType) -> tuple[str, ...]:
        """The fields that are read of every record, as far as the company has them; numbers and addresses in any case."""
        there = self._services.fields(kind.name)
        company, country = kind.company or (), (kind.country,) if kind.country else ()
        phones, mails = self._phones.get(kind.name, ()), self._mails.get(kind.name, ())
        names = (*kind.title, *kind.reads, EXTERNAL_KEY, *company, *country, CREATED, MODIFIED)
        return tuple(dict.fromkeys((*(name for name in names if name in there), *phones, *mails)))

    def _wanted(self, kind: RecordType, lookups: Any, object: str) -> tuple[str, ...]:
        more = [name for lookup in lookups for name in lookup.fields]
        keys = [self._key(object, lookup) for lookup in lookups if lookup.by == "key"]
        return tuple(name for name in dict.fromkeys((*self.reads(kind), *more, *keys)) if name != "Id")

    def _clauses(self, object: str, kind: RecordType, lookup: Lookup) -> Iterator[str]:
        value = lookup.value.strip()
        if not value or any(c < " " and c not in "\t\n\r" for c in value):
            return
        match lookup.by:
            case "phone":
                if len(tail(value)) >= FEWEST_DIGITS:
                    yield from (like_number(field, value) for field in self._phones.get(kind.name, ()))
            case "email":
                if "@" in value:
                    yield from (same_mail(field, value) for field in self._mails.get(kind.name, ()))
            case "id":
                if len(value) <= 30:
                    yield equals("Id", value)
            case "key":
                yield equals(self._key(object, lookup), self._stored_key(object, lookup))

    def _match(self, object: str, kind: RecordType, lookup: Lookup, item: Found) -> Match | None:
        """Why an item answers the look-up; None: it does not, the query is wider."""
        match lookup.by:
            case "phone":
                country = _text(item.get(kind.country)) if kind.country else ""
                country = country if len(country) == 2 else self._country
                names = [name for name in self._phones.get(kind.name, ())
                         if same([_text(item.get(name))], lookup.value, country)]  # fmt: skip
            case "email":
                wanted = lookup.value.strip().casefold()
                names = [name for name in self._mails.get(kind.name, ())
                         if _text(item.get(name)).strip().casefold() == wanted]  # fmt: skip
            case "id":
                names = ["Id"] if item["Id"] == lookup.value.strip() else []
            case "key":
                key = self._key(object, lookup)
                names = [key] if _text(item.get(key)) == self._stored_key(object, lookup) else []
        return Match(field=names[0], value=_text(item[names[0]])) if names else None

    @staticmethod
    def _key(object: str, lookup: Lookup) -> str:
        return lookup.key_field or ("InteractionId" if object == INTERACTION else EXTERNAL_KEY)

    def _stored_key(self, object: str, lookup: Lookup) -> str:
        return interaction_id(lookup.value) if self._key(object, lookup) == "InteractionId" else lookup.value


def moment(told: Any) -> dt.datetime | None:
    """A date and time of the service's as UTC; zeep has read it already where the WSDL says that it is one."""
    try:
        found = told if isinstance(told, dt.datetime) else dt.datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
