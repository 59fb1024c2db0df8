"""Find business partners by number, e-mail address and id, and documents by their key: one call per kind of look-up.

SAP CRM keeps numbers as they were typed beside a normalised one, and which of them a service searches differs; so both the
E.164 number and its last digits are asked for (setting `phone_patterns`), and what comes back is compared here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.crm.sap_crm.keys import bare_id, stored_key
from connectors.crm.sap_crm.services import Found, Services
from connectors.crm.sap_crm.shapes import PARTNER, Shape, known
from connectors.wire import numbers
from hub.model import PERSON, Account, Lookup, Match, Record

TAIL = 7
LONGEST = 241  # of an e-mail address in SAP


class Finder:
    """Answers look-ups in batches."""

    def __init__(
        self, services: Services, shapes: Mapping[str, Shape], country: str, patterns: Sequence[str], link: Any
    ) -> None:
        self._services, self._shapes, self._country, self._patterns, self._link = (
            services,
            shapes,
            country,
            patterns,
            link,
        )

    def found(self, lookups: Sequence[Lookup]) -> list[list[Record]]:
        """The records of each look-up: one call per object and kind of look-up that is asked for."""
        answers: list[list[Record]] = [[] for _ in lookups]
        asked: dict[tuple[str, str], list[int]] = {}
        for place, lookup in enumerate(lookups):
            object = PARTNER if lookup.object == PERSON else lookup.object
            element = self._element(known(object, self._shapes), lookup)
            if element and self._values(element, lookup):
                asked.setdefault((object, element), []).append(place)
        for (object, element), places in asked.items():
            shape = self._shapes[object]
            values = dict.fromkeys(value for place in places for value in self._values(element, lookups[place]))
            rows = self._services.selected(shape, element, list(values))
            for place in places:
                answers[place] = self._answers(shape, element, lookups[place], rows)
        return answers

    def _element(self, shape: Shape, lookup: Lookup) -> str:
        match lookup.by:
            case "phone" | "email":
                return shape.elements.get(lookup.by, "")
            case "key" if lookup.key_field and lookup.key_field != "id":
                return lookup.key_field
            case "key" if shape.object != PARTNER:
                return shape.elements.get("key", "")
        return shape.elements.get("id", "ID")

    def _values(self, element: str, lookup: Lookup) -> list[str]:
        """What is asked for; nothing where no record can answer."""
        value = lookup.value.strip()
        if lookup.by == "phone":
            digits = numbers.tail(value, TAIL)
            if not value.startswith("+") or not value[1:].isdecimal() or len(digits) < TAIL:
                return []
            words = {"{e164}": value, "{digits}": value[1:], "{tail}": digits}
            return [_filled(pattern, words) for pattern in self._patterns]
        if lookup.by == "email":
            plain = "@" in value and len(value) <= LONGEST and "*" not in value and value.isprintable()
            return list(dict.fromkeys((value, value.lower()))) if plain else []
        if element == self._shapes[PARTNER if lookup.object == PERSON else lookup.object].elements.get("key"):
            return [stored_key(lookup.value)] if lookup.value else []
        return [value] if value.isalnum() and len(value) <= 60 else []

    def _answers(self, shape: Shape, element: str, lookup: Lookup, rows: Sequence[Found]) -> list[Record]:
        found: dict[str, Record] = {}
        for row in rows:
            match = None if row.get("DeletedIndicator") else self._match(element, lookup, row)
            if match is not None:
                id = str(row.get(shape.elements.get("id", "ID")) or "")
                found.setdefault(bare_id(id), self._record(shape, id, row, match))
        return list(found.values())

    def _match(self, element: str, lookup: Lookup, row: Found) -> Match | None:
        """Why a row answers; None: it does not."""
        if lookup.by == "phone":
            country = str(row.get("CountryCode") or self._country)
            stored = [str(one.get("NumberText") or "") for one in row.get("Telephone") or ()]
            number = next((text for text in stored if numbers.same([text], lookup.value, country)), None)
            return None if number is None else Match(field="Telephone", value=number)
        if lookup.by == "email":
            mails = [str(one.get("URI") or "") for one in row.get("Email") or ()]
            mail = next((text for text in mails if text.casefold() == lookup.value.strip().casefold()), None)
            return None if mail is None else Match(field="Email", value=mail)
        stored_value = str(row.get(element) or "")
        wanted = (lookup.value.strip(), stored_key(lookup.value))
        same = bool(stored_value) and (stored_value in wanted or bare_id(stored_value) == bare_id(wanted[0]))
        return Match(field=element, value=stored_value) if same else None

    def _record(self, shape: Shape, id: str, row: Found, match: Match) -> Record:
        company = next(iter(row.get("ContactPersonFor") or ()), None)
        return Record(
            object=shape.object,
            id=id,
            title=_title(row),
            url=self._link(shape.object, id),
            match=match,
            account=Account(
                object=PARTNER, id=str(company.get("InternalID") or ""), title=str(company.get("FormattedName") or "")
            )
            if company
            else None,
            fields=shown(shape, row),
        )


def shown(shape: Shape, row: Found) -> dict[str, Any]:
    """A record's fields: its plain elements, its parts, and of a partner one number, one mobile number, one address."""
    fields = {name: value for name, value in row.items() if not isinstance(value, list | dict)}
    fields |= {name: part.of(row) for name, part in shape.parts.items()}
    if shape.object == PARTNER:
        phones = row.get("Telephone") or ()
        fields |= {
            "TelephoneNumber": next((one.get("NumberText") for one in phones if not one.get("MobileIndicator")), None),
            "MobileNumber": next((one.get("NumberText") for one in phones if one.get("MobileIndicator")), None),
            "EmailAddress": next((one.get("URI") for one in row.get("Email") or ()), None),
        }
    return fields


def _title(row: Found) -> str:
    named = row.get("FormattedName") or row.get("OrganisationName") or row.get("Description")
    return str(named or " ".join(str(row[name]) for name in ("GivenName", "FamilyName") if row.get(name)))


def _filled(pattern: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        pattern = pattern.replace(word, value)
    return pattern
