"""Find people and other records: one question per entity type for a batch of look-ups.

EspoCRM keeps beside each number its digits alone (`phoneNumberNumeric`), and a record may have several numbers and
addresses, of which a list shows only the first. So a number is asked for by its last digits; what comes back is compared
as E.164, and a record whose first number is another is read whole, for `phoneNumberData` and `emailAddressData`.
Source: espocrm/espocrm, `Core/Utils/Database/Orm/FieldConverters/Phone` and `Email`. A record that was merged into
another is deleted, and EspoCRM does not tell which one is left: the number finds that one, the old id nobody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from connectors.crm.espocrm.api import CUT, Api, Condition, Found, condition, either, fits
from connectors.crm.espocrm.entities import ACCOUNT, ALWAYS, READS, USER, Fields, moment
from connectors.wire.numbers import same, tail
from hub.errors import NotFound, NotPermitted, Unsupported
from hub.model import Account, Lookup, Match, Record
from hub.phone import digits

FEWEST_DIGITS = 4
LONGEST_VALUE = 255
OWNERS_KEPT = dt.timedelta(hours=1)
SEARCHES = ("numeric", "typed")
COUNTRIES = ("addressCountry", "billingAddressCountry")


class Owners:
    """The e-mail addresses of users, remembered for an hour."""

    def __init__(self, api: Api, now: Callable[[], dt.datetime]) -> None:
        self._api, self._now = api, now
        self._known: dict[str, str | None] = {}
        self._until: dt.datetime | None = None

    def of(self, ids: Iterable[Any]) -> Mapping[str, str | None]:
        """By user id the address; none where our user may not see users."""
        now = self._now()
        known = self._known if self._until is not None and now < self._until else {}
        asked = sorted({str(id) for id in ids if id} - set(known))
        if asked:
            try:
                told = {one["id"]: one for one in self._api.with_values(USER, "id", asked, ("id", "emailAddress"))}
            except (NotPermitted, NotFound):
                told = {}
            # A new dict: other threads read the old one.
            known = {**known, **{id: told.get(id, {}).get("emailAddress") or None for id in asked}}
            if known.keys() == set(asked):
                self._until = now + OWNERS_KEPT
            self._known = known
        return known


class Finder:
    """Answers look-ups. `country` says how national numbers are read."""

    def __init__(
        self,
        api: Api,
        owners: Owners,
        phones: Fields,
        mails: Fields,
        keys: Fields,
        country: str,
        link: Callable[[str, str], str],
        *,
        numeric: bool,
    ) -> None:
        self._api, self._owners, self._country, self._link = api, owners, country, link
        self._phones, self._mails, self._keys, self._numeric = phones, mails, keys, numeric

    def found(self, entity: str, lookups: Mapping[int, Lookup]) -> dict[int, list[Record]]:
        """By place, the records of one entity type that answer the look-up."""
        asked: dict[int, list[Condition]] = {}
        for place, lookup in lookups.items():
            if clauses := list(self._clauses(entity, lookup)):
                asked[place] = clauses
        matches: dict[int, dict[str, tuple[Found, Match]]] = {place: {} for place in lookups}
        self._ask(entity, lookups, asked, matches)
        # A record that answers one look-up by its first number may answer another by its second: those that nothing
        # has answered are asked again without the others.
        open_yet = {place for place in asked if not matches[place] and lookups[place].by in ("phone", "email")}
        if any(matches.values()) and open_yet:
            self._ask(entity, lookups, {place: asked[place] for place in open_yet}, matches)
        owners = self._owners.of(item.get("assignedUserId") for some in matches.values() for item, _ in some.values())
        return {place: [self._record(entity, item, match, owners) for item, match in some.values()]
                for place, some in matches.items()}  # fmt: skip

    # --- asking ----------------------------------------

    def _ask(
        self, entity: str, lookups: Mapping[int, Lookup], asked: Mapping[int, Sequence[Condition]],
        matches: dict[int, dict[str, tuple[Found, Match]]],
    ) -> None:  # fmt: skip
        for places in _portions(asked):
            mine = {place: lookups[place] for place in places}
            clauses = list({repr(one): one for place in places for one in asked[place]}.values())
            for item in self._api.all(quote(entity, safe=""), [either(clauses)], self._reads(entity, mine.values())):
                self._matched(entity, item, mine, matches)

    def _clauses(self, entity: str, lookup: Lookup) -> Iterator[Condition]:
        value = lookup.value.strip()
        if lookup.by in ("phone", "email") and not (self._phones.of(entity) + self._mails.of(entity)):
            raise Unsupported(f"{entity} has no phone or e-mail that this connection's settings name")
        if not value or len(value) > LONGEST_VALUE or "\0" in value:
            return
        match lookup.by:
            case "phone":
                end = tail(value)
                if len(end) >= FEWEST_DIGITS:
                    for field in self._phones.of(entity):
                        # `like` takes a pattern as it is: whatever stands between the digits, a number is found.
                        typed = condition("like", field, "%" + "%".join(end))
                        yield condition("endsWith", f"{field}Numeric", end) if self._numeric else typed
            case "email":
                if "@" in value:
                    for field in self._mails.of(entity):
                        yield condition("equals", field, value.lower())  # as EspoCRM keeps it for comparing
            case "id":
                yield condition("equals", "id", value)
            case "key":
                yield condition("equals", self._key(entity, lookup), lookup.value)

    def _key(self, entity: str, lookup: Lookup) -> str:
        """The field that a look-up by key means: the one it names, the settings' own, or the record's id."""
        own = self._keys.of(entity)
        return lookup.key_field or (own[0] if own else "id")

    def _reads(self, entity: str, lookups: Collection[Lookup]) -> list[str]:
        """What is read of each record; all of it (nothing is named) where a key asks: the hub compares such a record
        field by field with what it wrote."""
        if any(lookup.by == "key" for lookup in lookups):
            return []
        fields = [*READS.get(entity, ALWAYS), *self._phones.of(entity), *self._mails.of(entity)]
        for lookup in lookups:
            fields += lookup.fields
        return list(dict.fromkeys(fields))

    # --- comparing ----------------------------------------

    def _matched(
        self, entity: str, item: Found, lookups: Mapping[int, Lookup],
        matches: dict[int, dict[str, tuple[Found, Match]]],
    ) -> None:  # fmt: skip
        """Puts an item to the look-ups that it answers. Where it answers none of them by what the list shows of it, it
        is one of its further numbers or addresses that was found, and it is read whole."""
        known = {place: match for place, one in lookups.items() if (match := self._match(entity, one, item))}
        if not known and self._may_hide(entity, item, lookups):
            try:
                item = {**item, **self._more(entity, str(item["id"]))}
            except NotFound:
                return  # deleted meanwhile
            known = {place: match for place, one in lookups.items() if (match := self._match(entity, one, item))}
        if any(lookups[place].by == "key" for place in known) and _is_cut(item):
            item = self._api.one(entity, str(item["id"]))
        for place, match in known.items():
            matches[place].setdefault(str(item["id"]), (item, match))

    def _may_hide(self, entity: str, item: Found, lookups: Mapping[int, Lookup]) -> bool:
        """Whether it was found by something that the list does not show: unless its first number ends as one that is
        asked, and so is what was found, and another number after all."""
        asked = {one.by for one in lookups.values()}
        tails = {tail(one.value) for one in lookups.values() if one.by == "phone"}
        shown = [digits(str(item.get(field) or "")) for field in self._phones.of(entity)]
        return "email" in asked or ("phone" in asked and not any(one.endswith(end) for one in shown for end in tails))

    def _more(self, entity: str, id: str) -> Found:
        whole = self._api.one(entity, id)
        names = [f"{name}Data" for name in (*self._phones.of(entity), *self._mails.of(entity))]
        return {name: whole[name] for name in names if name in whole}

    def _match(self, entity: str, lookup: Lookup, item: Found) -> Match | None:
        """Why an item answers the look-up; None: it does not, EspoCRM's own comparison is wider."""
        wanted = lookup.value.strip()
        match lookup.by:
            case "phone":
                for field in self._phones.of(entity):
                    for number in _all_of(item, field, "phoneNumber"):
                        if same([number], wanted, self._country_of(item)):
                            return Match(field=field, value=number)
            case "email":
                for field in self._mails.of(entity):
                    for mail in _all_of(item, field, "emailAddress"):
                        if mail.strip().casefold() == wanted.casefold():
                            return Match(field=field, value=mail)
            case "id" if str(item.get("id")) == wanted:
                return Match(field="id", value=wanted)
            case "key":
                field = self._key(entity, lookup)
                if str(item.get(field) or "") == lookup.value:
                    return Match(field=field, value=lookup.value)
        return None

    def _country_of(self, item: Found) -> str:
        """The record's own country where it is a code; people write its name as often."""
        told = next((str(item[name]) for name in COUNTRIES if item.get(name)), "")
        return told if len(told) == 2 and told.isascii() and told.isupper() else self._country

    def _record(self, entity: str, item: Found, match: Match, owners: Mapping[str, str | None]) -> Record:
        company = None
        if item.get("accountId"):
            company = Account(object=ACCOUNT, id=str(item["accountId"]), title=str(item.get("accountName") or ""))
        id = str(item["id"])
        return Record(
            object=entity,
            id=id,
            title=str(item.get("name") or "") or id,
            url=self._link(entity, id),
            match=match,
            account=company,
            owner=owners.get(str(item.get("assignedUserId") or "")),
            created_at=moment(item.get("createdAt")),
            updated_at=moment(item.get("modifiedAt")),
            fields=item,
        )


def _all_of(item: Found, field: str, word: str) -> Iterator[str]:
    """The number or address that a list shows, and all of a record that was read whole."""
    if item.get(field):
        yield str(item[field])
    more = item.get(f"{field}Data")
    for one in more if isinstance(more, list) else ():
        if isinstance(one, dict) and one.get(word):
            yield str(one[word])


def _is_cut(item: Found) -> bool:
    return any(isinstance(value, str) and len(value) >= CUT for value in item.values())


def _portions(asked: Mapping[int, Sequence[Condition]]) -> Iterator[list[int]]:
    """The places in as few groups as fit into a request each."""
    portion: list[int] = []
    clauses: list[Condition] = []
    for place, some in asked.items():
        if portion and not fits([either([*clauses, *some])]):
            yield portion
            portion, clauses = [], []
        portion.append(place)
        clauses += some
    if portion:
        yield portion
