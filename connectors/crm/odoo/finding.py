"""Finding people: all numbers of a batch in one search of each model, all mail addresses in another.

Numbers are searched in the field that Odoo keeps for it and compared as E.164 here: `phone_mobile_search` finds the digits
however they were typed, `phone_sanitized` is E.164 and faster. A contact that was merged into another is gone with its
id: Odoo tells nobody which one is left. Source: Odoo, module `phone_validation`; `email_normalized` of `mail`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.crm.odoo.external import KEY, ExternalIds
from connectors.crm.odoo.models import LEAD, PARTNER, USER, Catalogue, Model
from connectors.crm.odoo.rpc import Rpc, moment_of
from connectors.wire import numbers
from hub.errors import NotPermitted
from hub.model import Account, Lookup, Match, Record

SANITIZED = "phone_sanitized"
SHORTEST_NUMBER = 3  # digits; Odoo's own search refuses fewer
MOST = 80  # values of one search; a domain of more is slow
LONGEST = 500
Found = dict[str, Any]
Asked = Mapping[int, Lookup]
Fits = Callable[[Lookup, Found], Match | None]
Answers = dict[int, list[tuple[Found, Match | None]]]


class Finder:
    """Finds the records of one model for a batch of look-ups. `link` gives a record's address."""

    def __init__(
        self, rpc: Rpc, catalogue: Catalogue, external: ExternalIds, settings: Mapping[str, Any], country: str,
        link: Callable[[str, str], str],
    ) -> None:  # fmt: skip
        self._rpc, self._catalogue, self._external, self._link = rpc, catalogue, external, link
        self._country = country
        self._phone_search, self._mail_search = str(settings["phone_search"]), str(settings["mail_search"])
        self._lock = threading.Lock()
        self._users: dict[int, str] = {}

    def found(self, model: Model, asked: Asked) -> dict[int, list[Record]]:
        """By place of the look-up its records, by ascending id."""
        more = sorted({name for lookup in asked.values() for name in lookup.fields})
        reads = model.all([name for name in more if name != KEY])
        answers: Answers = {}
        ways = {"id": self._by_id, "key": self._by_key, "email": self._by_mail, "phone": self._by_phone}
        for by, way in ways.items():
            if some := {place: lookup for place, lookup in asked.items() if lookup.by == by and _plain(lookup.value)}:
                for place, records in way(model, some, reads).items():
                    answers.setdefault(place, []).extend(records)
        if KEY in more:
            self._name(model, [one for records in answers.values() for one, _ in records])
        owners = self._owners(one for records in answers.values() for one, _ in records)
        return {place: [self._made(model, one, match, owners)
                        for one, match in sorted(_once(records), key=lambda pair: int(pair[0]["id"]))]
                for place, records in answers.items()}  # fmt: skip

    def _name(self, model: Model, found: Sequence[Found]) -> None:
        """Put each record's external id beside its fields."""
        if ids := sorted({int(one["id"]) for one in found}):
            told = self._rpc.ask(model.name, "get_external_id", ids=ids)
            for one in found:
                one[KEY] = told.get(str(one["id"])) or None

    # --- the ways ----------------------------------------

    def _by_id(self, model: Model, asked: Asked, reads: Sequence[str]) -> Answers:
        ids = {place: int(lookup.value) for place, lookup in asked.items() if is_id(lookup.value)}
        found = {int(one["id"]): one for one in self._search(model, "id", "in", sorted(set(ids.values())), reads)}
        return {place: [(found[id], Match(field="id", value=str(id)))] for place, id in ids.items() if id in found}

    def _by_key(self, model: Model, asked: Asked, reads: Sequence[str]) -> Answers:
        answers: Answers = {}
        named: dict[str, dict[int, Lookup]] = {}
        for place, lookup in asked.items():
            named.setdefault(lookup.key_field, {})[place] = lookup
        for name, some in named.items():
            if name in ("", KEY):
                ids = self._external.records(model.name, {lookup.value for lookup in some.values()})
                found = {
                    int(one["id"]): one for one in self._search(model, "id", "in", sorted(set(ids.values())), reads)
                }
                for place, lookup in some.items():
                    if (id := ids.get(lookup.value)) in found:
                        answers[place] = [(found[id], Match(field=KEY, value=lookup.value))]
                continue
            values = sorted({lookup.value for lookup in some.values()})
            for one in self._search(model, name, "in", values, [*reads, name]):
                for place, lookup in some.items():
                    if str(one.get(name)) == lookup.value:
                        answers.setdefault(place, []).append((one, Match(field=name, value=lookup.value)))
        return answers

    def _by_mail(self, model: Model, asked: Asked, reads: Sequence[str]) -> Answers:
        if not model.mails:
            return {}
        wanted = sorted({lookup.value.strip().lower() for lookup in asked.values() if "@" in lookup.value})
        found = self._search(model, self._mail_search, "in", wanted, [*reads, self._mail_search])

        def fits(lookup: Lookup, one: Found) -> Match | None:
            kept = str(one.get(self._mail_search) or "")
            if kept.lower() != lookup.value.strip().lower():
                return None
            return Match(field=model.mails[0], value=str(one.get(model.mails[0]) or kept))

        return _fitting(asked, found, fits)

    def _by_phone(self, model: Model, asked: Asked, reads: Sequence[str]) -> Answers:
        if not model.phones:
            return {}
        if self._phone_search == SANITIZED:
            wanted = sorted({lookup.value for lookup in asked.values() if lookup.value.startswith("+")})
            found = self._search(model, SANITIZED, "in", wanted, reads)
        else:
            tails = {numbers.tail(lookup.value) for lookup in asked.values()}
            found = self._search(
                model, self._phone_search, "like", sorted(t for t in tails if len(t) >= SHORTEST_NUMBER), reads
            )

        def fits(lookup: Lookup, one: Found) -> Match | None:
            for name in model.phones:
                kept = str(one.get(name) or "")
                if kept and numbers.same([kept], lookup.value, self._country):
                    return Match(field=name, value=kept)
            return None

        return _fitting(asked, found, fits)

    def _search(
        self, model: Model, field: str, operator: str, values: Sequence[Any], reads: Sequence[str]
    ) -> list[Found]:
        found: list[Found] = []
        for start in range(0, len(values), MOST):
            some = list(values[start : start + MOST])
            if operator == "in":
                domain: list[Any] = [[field, "in", some]]
            else:  # or-ed: a bar before all but the last
                domain = ["|"] * (len(some) - 1) + [[field, operator, value] for value in some]
            found += self._rpc.ask(model.name, "search_read", domain=domain, fields=list(reads), order="id asc")
        return found

    # --- records ----------------------------------------

    def _owners(self, found: Any) -> dict[int, str]:
        """By id of a user the address that the user signs in with; kept, so one call more at most."""
        wanted = {int(one["user_id"][0]) for one in found if one.get("user_id")}
        with self._lock:
            if unknown := sorted(wanted - set(self._users)):
                try:
                    told = self._rpc.ask(USER, "search_read", domain=[["id", "in", unknown]], fields=["login"])
                except NotPermitted:
                    told = []
                self._users |= dict.fromkeys(unknown, "") | {
                    int(one["id"]): str(one.get("login") or "") for one in told
                }
            return {id: self._users[id] for id in wanted}

    def _made(self, model: Model, found: Found, match: Match | None, owners: Mapping[int, str]) -> Record:
        id = str(found["id"])
        parent = (
            found.get("parent_id") if model.name == PARTNER else found.get("partner_id") if model.name == LEAD else None
        )
        account = Account(object=PARTNER, id=str(parent[0]), title=str(parent[1])) if parent else None
        owner = owners.get(int(found["user_id"][0])) if found.get("user_id") else None
        return Record(
            object=model.name,
            id=id,
            title=str(found.get("display_name") or id),
            url=self._link(model.name, id),
            match=match,
            account=account,
            owner=owner or None,
            created_at=moment_of(found.get("create_date")),
            updated_at=moment_of(found.get("write_date")),
            fields=flat(plain(found, self._catalogue.types(model.name))),
        )


def flat(found: Found) -> Found:
    """A record without Odoo's shapes: a reference is its id, with its name beside it; `false` for nothing is nothing."""
    told: Found = {}
    for name, value in found.items():
        if isinstance(value, list) and len(value) == 2 and isinstance(value[1], str):
            told[name], told[f"{name}_name"] = str(value[0]), value[1]
        else:
            told[name] = value
    return told


def plain(found: Found, types: Mapping[str, str]) -> Found:
    """A record without Odoo's `false` for nothing, and with moments that say they are UTC, as far as types are known."""
    told: Found = {}
    for name, value in found.items():
        kind = types.get(name, "boolean")
        if value is False and kind != "boolean":
            value = None
        elif kind == "datetime" and isinstance(value, str):
            value = f"{value.replace(' ', 'T')}Z"
        told[name] = value
    return told


def is_id(text: str) -> bool:
    """Whether a text can be a record's id: a PostgreSQL integer above nothing."""
    return text.isascii() and text.isdecimal() and len(text) <= 10 and 0 < int(text) < 2**31


def _plain(text: str) -> bool:
    return bool(text.strip()) and len(text) <= LONGEST and "\0" not in text


def _fitting(asked: Asked, found: Sequence[Found], fits: Fits) -> Answers:
    answers: Answers = {}
    for place, lookup in asked.items():
        for one in found:
            if match := fits(lookup, one):
                answers.setdefault(place, []).append((one, match))
    return answers


def _once(records: Sequence[tuple[Found, Match | None]]) -> list[tuple[Found, Match | None]]:
    return list({int(one["id"]): (one, match) for one, match in reversed(records)}.values())
