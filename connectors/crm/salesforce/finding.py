"""Finding records for a whole batch of look-ups.

Numbers: by SOSL, Salesforce's index, for as many as 10,000 characters take (333 numbers in two forms); what it does not
know is asked for by SOQL among what changed lately, because the index follows the data by some time. Everything else, and
that fallback, is one composite call for each five queries. What comes back is compared as E.164 here.

Beyond 4,000 characters a search loses its operators, "and AND will default to OR" (SOSL Syntax): ours are ORs. Should an
organisation take all of the words to be meant instead, nobody meets them; so until a long search has found somebody, one
that finds nobody is asked anew in short ones, and once those know better all searches are short.

Two hundred numbers take one search and one composite call, 10,000 numbers 31 and one. Not by `composite/batch`, which does
take searches: each of its parts counts as a call (REST API Developer Guide, Composite Batch).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from connectors.crm.salesforce.errors import says
from connectors.crm.salesforce.fields import Describer
from connectors.crm.salesforce.people import PEOPLE, PREFIXES, Found, People
from connectors.crm.salesforce.rest import Ask, Rest, plain
from connectors.crm.salesforce.soql import (
    LONGEST_SEARCH,
    WITH_OPERATORS,
    among,
    at,
    ends_so,
    field_name,
    fitting,
    id_18,
    in_pieces,
    is_id,
    is_long,
    search,
    searchable,
    select,
)
from connectors.wire.numbers import forms
from hub.errors import ConnectorError, NotFound, Unavailable, Unsupported
from hub.model import PERSON, Lookup, Match, Record

MOST_HITS = 2_000  # what one search gives at most, shared out among the objects that it asks for (SOSL Limits)
FEW = 25  # so many numbers that the fallback asks for them by name
MOST_RECENT = 2_000  # else it takes the records that changed last, and looks itself
MERGES = 5  # how often a merged record was merged again, at most

# A converted lead is on nobody's screen any more: its contact is.
_LIVE: Mapping[str, str] = {"Lead": "IsConverted = false"}

Hits = dict[tuple[str, str], dict[tuple[str, str], Record]]


class Part(Struct, frozen=True, kw_only=True):
    """One query of a batch, and whose answer it is."""

    object: str
    soql: str
    by: str
    key_field: str = ""
    deleted: bool = False
    may_lack: bool = False  # whether the object may not have the field


class Finder:
    """Finds records."""

    def __init__(
        self,
        rest: Rest,
        people: People,
        settings: Mapping[str, Any],
        now: Callable[[], dt.datetime],
        describer: Describer,
    ) -> None:
        self._rest, self._people, self._now, self._describer = rest, people, now, describer
        self._forms = tuple(settings["phone_forms"])
        self._fallback = str(settings["phone_fallback"])
        self._recent = dt.timedelta(minutes=int(settings["recent_minutes"]))
        self._key_field = str(settings["key_field"])
        self._longest_search = LONGEST_SEARCH
        self._long_ones_find = False  # whether a search without operators has found anybody yet

    def found(self, lookups: Sequence[Lookup]) -> list[list[Record]]:
        """One list for each look-up, in order; people before companies."""
        hits: Hits = defaultdict(dict)
        more = tuple(dict.fromkeys(name for lookup in lookups for name in lookup.fields))
        for lookup in lookups:
            if lookup.object != PERSON:
                self._check(lookup)
        parts = self._by_numbers(lookups, more, hits)
        parts += self._by_words(lookups, more)
        self._asked(parts, more, hits)
        answers = [self._of(lookup, hits) for lookup in lookups]
        return self._with_open_cases(answers)

    def _check(self, lookup: Lookup) -> None:
        object = field_name(lookup.object)
        fields = {"phone": self._people.phones, "email": self._people.emails}.get(lookup.by)
        if fields is not None and not fields(object):
            raise Unsupported(f"{object} is not searched by {lookup.by}: no field of it is in the settings")

    def _read(self, object: str, more: Sequence[str], merged: bool = False) -> list[str]:
        """What is read of an object, with what is wanted beyond that where it has it."""
        return self._people.read(object, [name for name in more if self._describer.type_of(object, name)], merged)

    def _of(self, lookup: Lookup, hits: Hits) -> list[Record]:
        by, value = _asked_as(lookup, self._key_field)
        objects = PEOPLE if lookup.object == PERSON else (lookup.object,)
        every = hits.get((by, value), {}).values()
        wanted = [record for record in every if lookup.object == PERSON or _is(record, lookup)]
        return sorted(wanted, key=lambda r: objects.index(r.object) if r.object in objects else len(objects))

    # --- numbers ----------------------------------------

    def _by_numbers(self, lookups: Sequence[Lookup], more: Sequence[str], hits: Hits) -> list[Part]:
        """Fills in what the index knows; gives the queries for what it does not."""
        asked = [lookup for lookup in lookups if lookup.by == "phone" and len(lookup.value) <= 40]
        objects = [object for object in _objects(asked) if self._people.phones(object)]
        words = {lookup.value: forms(lookup.value, self._forms) for lookup in asked}
        words = {number: forms for number, forms in words.items() if forms}
        if not objects or not words:
            return []
        returning = {object: f"({','.join(self._read(object, more))}{_of_index(object)})" for object in objects}
        every = list(dict.fromkeys(form for told in words.values() for form in told))
        self._search(every, returning, hits, self._longest_search)
        missed = [number for number in words if ("phone", number) not in hits]
        if not missed or self._fallback == "off":
            return []
        return [part for object in objects for part in self._by_suffix(object, missed, more)]

    def _search(self, words: Sequence[str], returning: Mapping[str, str], hits: Hits, longest: int) -> int:
        """Fills in who has these numbers; how many records there were."""
        most, count = max(1, MOST_HITS // len(returning)), 0
        while words:
            some = fitting(words, longest, most)
            words = words[len(some) :]
            records = self._index(some, returning)
            if is_long(some) and not self._long_ones_find:
                if not records and (told := self._search(some, returning, hits, WITH_OPERATORS)):
                    self._longest_search = longest = WITH_OPERATORS
                    count += told
                self._long_ones_find = bool(records)
            by_object = Counter(record["attributes"]["type"] for record in records)
            if max(by_object.values(), default=0) >= most and len(some) > 1:  # cut off: for fewer numbers at a time
                middle = len(some) // 2
                for half in (some[:middle], some[middle:]):
                    count += self._search(half, returning, hits, longest)
                continue
            count += len(records)
            for record in records:
                self._hit_by(hits, "phone", record["attributes"]["type"], plain(record))
        return count

    def _index(self, words: Sequence[str], returning: Mapping[str, str]) -> list[Found]:
        told = self._rest.read("search", {"q": search(words, "PHONE", ",".join(map("".join, returning.items())))})
        records = told.get("searchRecords") if isinstance(told, dict) else None
        if not isinstance(records, list):
            raise Unavailable("the answer to a search has no records")
        return records

    def _by_suffix(self, object: str, numbers: Sequence[str], more: Sequence[str]) -> list[Part]:
        phones, fields, live = self._people.phones(object), self._read(object, more), _LIVE.get(object, "")
        if self._fallback == "all":
            batches = [numbers[start : start + FEW] for start in range(0, len(numbers), FEW)]
            near = [" OR ".join(ends_so(phones, number) for number in batch) for batch in batches]
            return [Part(object=object, by="phone", soql=select(fields, object, one, live)) for one in near]
        # A leading wildcard reads every record; the stamp is indexed and leaves only the latest ones to be read.
        late = f"SystemModstamp >= {at(self._now() - self._recent)}"
        by_name = " OR ".join(ends_so(phones, number) for number in numbers) if len(numbers) <= FEW else ""
        newest = f"ORDER BY SystemModstamp DESC LIMIT {MOST_RECENT}"
        return [Part(object=object, by="phone", soql=select(fields, object, late, by_name, live, tail=newest))]

    # --- addresses, keys, ids ----------------------------------------

    def _by_words(self, lookups: Sequence[Lookup], more: Sequence[str]) -> list[Part]:
        parts = []
        mails = [lookup for lookup in lookups if lookup.by == "email"]
        for object in _objects(mails):
            values = searchable(lookup.value.strip() for lookup in mails if _wants(lookup, object))
            fields = self._people.emails(object)
            for piece in in_pieces(values, len(fields)) if fields else ():
                where = " OR ".join(among(field, piece) for field in fields)
                parts.append(self._part(object, where, more, by="email"))
        keyed: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
        for lookup in lookups:
            if lookup.by == "key":
                field = lookup.key_field or self._key_field
                for object in PEOPLE if lookup.object == PERSON else (lookup.object,):
                    keyed[object, field, lookup.object == PERSON].append(lookup.value)
        for (object, field, may_lack), given in keyed.items():
            values = [id_18(v) for v in given if is_id(v)] if field == "Id" else searchable(given)
            for piece in in_pieces(values):
                where = among(field_name(field), piece)
                parts.append(self._part(object, where, more, by="key", key_field=field, may_lack=may_lack))
        ids: dict[str, list[str]] = defaultdict(list)
        for lookup in lookups:
            if lookup.by == "id" and is_id(lookup.value):
                home = PREFIXES.get(lookup.value[:3])
                if lookup.object == PERSON and home:
                    ids[home].append(id_18(lookup.value))
                elif lookup.object != PERSON and home in (None, lookup.object):
                    ids[lookup.object].append(id_18(lookup.value))
        parts += [self._part(object, among("Id", piece), more, by="id", deleted=True)
                  for object, values in ids.items() for piece in in_pieces(dict.fromkeys(values))]  # fmt: skip
        return parts

    def _part(
        self, object: str, where: str, more: Sequence[str], *, by: str, key_field: str = "", deleted: bool = False,
        may_lack: bool = False,
    ) -> Part:  # fmt: skip
        fields = self._read(object, more, merged=deleted)
        if object not in PEOPLE or (by == "key" and not may_lack):
            # A record that was asked for by its own object and key is compared with what is to be written: all of it.
            fields += self._describer.readable(object)
        fields = list(dict.fromkeys([*fields, key_field] if key_field else fields))
        live = _LIVE.get(object, "") if by == "email" else ""
        soql = select(fields, object, where, live)
        return Part(object=object, soql=soql, by=by, key_field=key_field, deleted=deleted, may_lack=may_lack)

    # --- answers ----------------------------------------

    def _asked(self, parts: Sequence[Part], more: Sequence[str], hits: Hits) -> None:
        asks = [Ask(soql=part.soql, deleted=part.deleted) for part in parts]
        for part, answer in zip(parts, self._rest.queries(asks), strict=True):
            if isinstance(answer, ConnectorError):
                # Not every object of people has the key field, or is to be seen at all: there nobody has this key.
                if part.may_lack and says(answer, "INVALID_FIELD", "INVALID_TYPE"):
                    continue
                raise NotFound(f"Salesforce has no object {part.object}") if says(answer, "INVALID_TYPE") else answer
            if part.by == "id":
                self._hit_by_id(part.object, answer, more, hits)
            for record in answer if part.by != "id" else ():
                self._hit_by(hits, part.by, part.object, record, part.key_field)

    def _hit_by(self, hits: Hits, by: str, object: str, found: Found, key_field: str = "") -> None:
        if by == "key":
            name = self._name(key_field, found)
            told = [(f"key {key_field}", (str(found[name]), Match(field=name, value=str(found[name]))))] if name else []
        elif by == "email":
            told = [("email", one) for one in self._people.addresses(object, found)]
        else:
            told = [("phone", one) for one in self._people.numbers(object, found)]
        for word, (value, match) in told:
            record = self._people.record(object, found, match)
            hits[word, value].setdefault((record.object, record.id), record)

    @staticmethod
    def _name(field: str, found: Found) -> str:
        return next((name for name in found if name.lower() == field.lower() and found[name] is not None), "")

    def _hit_by_id(self, object: str, answer: Sequence[Found], more: Sequence[str], hits: Hits) -> None:
        """Records by id; of a merged one the survivor, of a converted lead its contact."""
        asked = {found["Id"]: found["Id"] for found in answer}  # where each look-up has got to
        live: dict[str, tuple[str, Found]] = {}
        waiting = [(object, found) for found in answer]
        for _ in range(MERGES + 1):
            onward: dict[str, str] = {}
            for kind, found in waiting:
                contact = found.get("ConvertedContactId") if found.get("IsConverted") else None
                survivor = contact or (found.get("MasterRecordId") if found.get("IsDeleted") else None)
                if survivor:
                    onward[found["Id"]] = survivor
                elif not found.get("IsDeleted"):
                    live[found["Id"]] = (kind, found)
            if not onward:
                break
            asked = {first: onward.get(here, here) for first, here in asked.items()}
            waiting = self._survivors(sorted(set(onward.values())), more)
        for first, here in asked.items():
            if here in live:
                kind, found = live[here]
                record = self._people.record(kind, found, Match(field="Id", value=first))
                hits["id", first].setdefault((record.object, record.id), record)

    def _survivors(self, ids: Sequence[str], more: Sequence[str]) -> list[tuple[str, Found]]:
        kinds = {PREFIXES.get(id[:3], "") for id in ids} - {""}
        parts = [
            self._part(
                kind, among("Id", [id for id in ids if PREFIXES.get(id[:3]) == kind]), more, by="id", deleted=True
            )
            for kind in sorted(kinds)
        ]
        answers = self._rest.queries([Ask(soql=part.soql, deleted=True) for part in parts])
        told: list[tuple[str, Found]] = []
        for part, answer in zip(parts, answers, strict=True):
            if isinstance(answer, ConnectorError):
                raise answer
            told += [(part.object, found) for found in answer]
        return told

    def _with_open_cases(self, answers: list[list[Record]]) -> list[list[Record]]:
        """Where several people share what they were found by, how many open cases each has: one call more."""
        several = [sum(record.object != "Account" for record in records) > 1 for records in answers]
        shared = {
            r.id
            for records, many in zip(answers, several, strict=True)
            if many
            for r in records
            if r.object == "Contact"
        }
        if not shared:
            return answers
        of_them = among("ContactId", sorted(shared))
        soql = select(["ContactId"], "Case", "IsClosed = false", of_them, tail="LIMIT 2000")
        (cases,) = self._rest.queries([Ask(soql=soql)])
        if isinstance(cases, ConnectorError):
            return answers  # not every user may see cases, and they only help to choose
        count = Counter(case["ContactId"] for case in cases)
        return [
            [structs.replace(r, open_cases=count[r.id]) if r.id in shared else r for r in records]
            for records in answers
        ]


def _asked_as(lookup: Lookup, key_field: str) -> tuple[str, str]:
    match lookup.by:
        case "email":
            return "email", lookup.value.strip().casefold()
        case "key":
            field = lookup.key_field or key_field
            return f"key {field}", id_18(lookup.value) if field == "Id" else lookup.value
        case "id":
            return "id", id_18(lookup.value)
    return "phone", lookup.value


def _objects(lookups: Sequence[Lookup]) -> list[str]:
    every = dict.fromkeys(
        object for lookup in lookups for object in (PEOPLE if lookup.object == PERSON else [lookup.object])
    )
    return list(every)


def _wants(lookup: Lookup, object: str) -> bool:
    return lookup.object in (PERSON, object)


def _is(record: Record, lookup: Lookup) -> bool:
    # A person account that was asked for is found as its contact, and so is a converted lead.
    return (
        record.object == lookup.object
        or lookup.by == "id"
        or bool(lookup.object == "Account" and record.fields.get("IsPersonAccount"))
    )


def _of_index(object: str) -> str:
    return f" WHERE {_LIVE[object]}" if object in _LIVE else ""
