"""Finding records: by phone in the properties that HubSpot keeps for searches, by mail, by id, by a unique property.

Mail addresses, ids and unique properties are read in batches (100 a call, as they are now, and outside the small limit of
searches). Numbers need a search. HubSpot keeps them for that as "area code and local number", so as many as fit into the
3,000 characters of one are asked for at once (some 35 of contacts, 60 of companies), as dialled and with the country's code
as well. Whom that does not find is looked for by the last digits: two numbers a call where two properties are searched,
because a search takes five groups of filters. What is found is compared as E.164 here. The index is some seconds behind:
who was made just now is found by mail, id and key at once, by number a little later.

Sources: HubSpot, "Search the CRM" (groups, filters, IN, `hs_searchable_calculated_*`, wildcards of CONTAINS_TOKEN, limits),
the public specification (batch/read, idProperty); that a merged id gives the record that is left: "Merge records".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from connectors.crm.hubspot.objects import CONTACTS, ID, RELATED, Catalogue, Object
from connectors.crm.hubspot.people import Owners, Records, ids_of, mail_of
from connectors.crm.hubspot.rest import BATCH, GROUPS, REACHED, SEARCHED, Found, Rest
from connectors.wire import numbers
from hub.model import Lookup, Match, Record

SHORTEST_NUMBER = 3  # digits; with fewer a search by suffix would give half of the account
LONGEST_KEY = 500
EMAIL, MORE_EMAILS = "email", "hs_additional_emails"
Asked = Mapping[int, Lookup]
Fits = Callable[[Lookup, Found], Match | None]
Answers = dict[int, list[tuple[Found, Match | None]]]


class Finder:
    """Finds the records of one object for a batch of look-ups."""

    def __init__(self, rest: Rest, catalogue: Catalogue, records: Records, owners: Owners, country: str) -> None:
        self._rest, self._catalogue, self._records, self._owners = rest, catalogue, records, owners
        self._country = country

    def found(self, object: Object, asked: Asked, *, by_suffix: bool = False) -> dict[int, list[Record]]:
        """By place of the look-up its records, by ascending id. `by_suffix`: numbers by their last digits."""
        more = sorted({name for lookup in asked.values() for name in lookup.fields})
        related = [name for name in object.related if name in more]
        reads = self._catalogue.reads(object, [name for name in more if name not in related])
        answers: Answers = {}
        ways = {"id": self._by_id, "key": self._by_key, "email": self._by_mail,
                "phone": self._by_suffix if by_suffix else self._by_number}  # fmt: skip
        for by, way in ways.items():
            if some := {place: lookup for place, lookup in asked.items() if lookup.by == by}:
                for place, records in way(object, some, reads).items():
                    answers.setdefault(place, []).extend(records)
        for name in related:
            self._relate(object, name, [one for records in answers.values() for one, _ in records])
        flat = [(place, one) for place, records in answers.items() for one in _once(records)]
        made = self._records.made(object, [one for _, one in flat])
        found: dict[int, list[Record]] = {}
        for (place, _), record in zip(flat, made, strict=True):
            found.setdefault(place, []).append(record)
        return found

    def _relate(self, object: Object, name: str, found: Sequence[Found]) -> None:
        """Put the ids of the records that each stands at beside its properties: an id, a list of them, or nothing."""
        at: dict[str, list[str]] = {}
        ids = sorted({str(one["id"]) for one in found})
        path = self._rest.at("associations", object.name, RELATED[name], "batch", "read")
        for start in range(0, len(ids), BATCH):
            told = self._rest.ask(path, {"inputs": [{"id": id} for id in ids[start : start + BATCH]]})
            for one in told.get("results") or ():
                at[str(one["from"]["id"])] = [str(other["toObjectId"]) for other in one.get("to") or ()]
        for one in found:
            there = at.get(str(one["id"]), [])
            one.setdefault("properties", {})[name] = there[0] if len(there) == 1 else there or None

    def owners(self, asked: Asked) -> dict[int, list[Record]]:
        """Owners by mail address or id: what a call's `hubspot_owner_id` wants."""
        found: dict[int, list[Record]] = {}
        for place, lookup in asked.items():
            if lookup.by == "email" and (mail := mail_of(lookup)):
                found[place] = [self._records.owner(one) for one in self._owners.with_mail(mail)]
            elif lookup.by == "id" and lookup.value.isdecimal() and (one := self._owners.of(lookup.value)):
                found[place] = [self._records.owner(one)]
        return found

    # --- in batches ----------------------------------------

    def _by_id(self, object: Object, asked: Asked, reads: Sequence[str]) -> Answers:
        wanted = {place: lookup.value for place, lookup in asked.items() if is_id(lookup.value)}
        read = [(ids_of(one), one) for one in self._rest.read(object.name, sorted(set(wanted.values())), reads)]
        answers: Answers = {}
        for place, id in wanted.items():
            # A merged id's own record comes first: an id is one record's and may be in another's list of merged ones.
            fitting = sorted((str(one["id"]) != id, n) for n, (ids, one) in enumerate(read) if id in ids)
            answers[place] = [(read[n][1], Match(field=ID, value=id)) for _, n in fitting[:1]]
        return answers

    def _by_key(self, object: Object, asked: Asked, reads: Sequence[str]) -> Answers:
        answers: Answers = {}
        by_name: dict[str, dict[int, Lookup]] = {}
        for place, lookup in asked.items():
            name = lookup.key_field or (self._catalogue.key if object.name in self._catalogue.keyed else "")
            if name in (ID, "id"):
                answers |= self._by_id(object, {place: lookup}, reads)
            elif name and lookup.value.strip() and len(lookup.value) <= LONGEST_KEY and "\0" not in lookup.value:
                by_name.setdefault(name, {})[place] = lookup
        for name, some in by_name.items():
            answers |= self._read_by(object, name, {p: lookup.value for p, lookup in some.items()}, [*reads, name])
        return answers

    def _by_mail(self, object: Object, asked: Asked, reads: Sequence[str]) -> Answers:
        fields = self._catalogue.told("mail_fields", object.name)
        wanted = {place: mail for place, lookup in asked.items() if (mail := mail_of(lookup))}
        answers: Answers = {}
        unique = EMAIL if object.name == CONTACTS and EMAIL in fields else ""
        if unique and wanted:
            answers = self._read_by(object, unique, wanted, reads)
        rest = tuple(name for name in fields if name != unique)
        groups = [(place, name, mail) for place, mail in wanted.items() if not answers.get(place) for name in rest]

        def fits(lookup: Lookup, one: Found) -> Match | None:
            for name in rest:
                kept = str((one.get("properties") or {}).get(name) or "")
                if mail_of(lookup) in (part.strip().lower() for part in kept.split(";")):
                    return Match(field=name, value=mail_of(lookup))
            return None

        for place, records in self._searched(object, asked, [
                (place, {"propertyName": name, "operator": "CONTAINS_TOKEN" if name == MORE_EMAILS else "EQ", "value": mail})
                for place, name, mail in groups], reads, fits).items():  # fmt: skip
            answers.setdefault(place, []).extend(records)
        return answers

    def _read_by(self, object: Object, name: str, wanted: Mapping[int, str], reads: Sequence[str]) -> Answers:
        """By a unique property. HubSpot does not say which value gave which record: they are compared."""
        found = list(self._rest.read(object.name, list(dict.fromkeys(wanted.values())), reads, by=name))
        answers: Answers = {}
        for place, value in wanted.items():
            for one in found:
                kept = str((one.get("properties") or {}).get(name) or "")
                others = str((one.get("properties") or {}).get(MORE_EMAILS) or "") if name == EMAIL else ""
                if value.lower() in (kept.lower(), *(part.strip().lower() for part in others.split(";") if part)):
                    answers.setdefault(place, []).append((one, Match(field=name, value=kept)))
        return answers

    # --- by searches ----------------------------------------

    def _by_number(self, object: Object, asked: Asked, reads: Sequence[str]) -> Answers:
        searched = [name for _, name in self._catalogue.phones(object.name)]
        answers: Answers = {}
        for start in range(0, len(searched), GROUPS):
            names = searched[start : start + GROUPS]
            room = self._rest.room(_among(names, ()), reads) // len(names)
            for places in _portions({place: numbers.forms(lookup.value) for place, lookup in asked.items()}, room):
                values = [form for place in places for form in numbers.forms(asked[place].value)]
                for one in self._all(object, _among(names, values), reads):
                    for place in places:
                        if match := self._same(object, asked[place], one):
                            answers.setdefault(place, []).append((one, match))
        return answers

    def _by_suffix(self, object: Object, asked: Asked, reads: Sequence[str]) -> Answers:
        filters = []
        for place, lookup in asked.items():
            digits = numbers.tail(lookup.value)
            if len(digits) >= SHORTEST_NUMBER:
                filters += [(place, {"propertyName": searched, "operator": "CONTAINS_TOKEN", "value": f"*{digits}"})
                            for _, searched in self._catalogue.phones(object.name)]  # fmt: skip
        return self._searched(object, asked, filters, reads, lambda lookup, one: self._same(object, lookup, one))

    def _same(self, object: Object, lookup: Lookup, one: Found) -> Match | None:
        properties = one.get("properties") or {}
        for typed, _ in self._catalogue.phones(object.name):
            kept = str(properties.get(typed) or "")
            if kept and numbers.same([kept], lookup.value, self._country):
                return Match(field=typed, value=kept)
        return None

    def _searched(
        self, object: Object, asked: Asked, filters: Sequence[tuple[int, Found]], reads: Sequence[str], fits: Fits
    ) -> Answers:
        answers: Answers = {}
        for start in range(0, len(filters), GROUPS):
            some = filters[start : start + GROUPS]
            places = dict.fromkeys(place for place, _ in some)
            for one in self._all(object, [[filter] for _, filter in some], reads):
                for place in places:
                    if match := fits(asked[place], one):
                        answers.setdefault(place, []).append((one, match))
        return answers

    def _all(self, object: Object, groups: Sequence[Sequence[Found]], reads: Sequence[str]) -> Iterator[Found]:
        """What a search finds, page by page, as far as paging reaches."""
        after = ""
        for _ in range(REACHED // SEARCHED):
            found, after = self._rest.search(object.name, groups, reads, after=after)
            yield from found
            if not after:
                return


def _among(properties: Sequence[str], values: Sequence[str]) -> list[list[Found]]:
    """Groups of filters: one of the properties is one of the values."""
    return [[{"propertyName": name, "operator": "IN", "values": list(values)}] for name in properties]


def _portions(forms: Mapping[int, Sequence[str]], room: int) -> Iterator[list[int]]:
    """The places that have any forms, in as few lists as fit into `room` characters each."""
    portion: list[int] = []
    length = 0
    for place, several in forms.items():
        size = sum(len(form) + len('"", ') for form in several)
        if portion and length + size > room:
            yield portion
            portion, length = [], 0
        if size:
            portion.append(place)
            length += size
    if portion:
        yield portion


def is_id(text: str) -> bool:
    """Whether a text can be a record's id."""
    return text.isascii() and text.isdecimal() and 0 < len(text) <= 19


def _once(records: Sequence[tuple[Found, Match | None]]) -> list[tuple[Found, Match | None]]:
    """Each record once, by ascending id."""
    by_id = {str(one["id"]): (one, match) for one, match in reversed(records)}
    return [by_id[id] for id in sorted(by_id, key=lambda id: (len(id), id))]
