"""Tryton's records as the hub sees them: what is read of a party, an opportunity and a note, and how it is named.

A party is a person or a company alike; its numbers and addresses are `party.contact_mechanism` records. Tryton keeps a
number beside its E.164 form (`value_compact`) where its `phonenumbers` package is installed and the number's type is a
telephone; anything else it keeps as it was typed.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub import phone
from hub.errors import NotFound, nearest
from hub.model import Match, Record

PARTY, OPPORTUNITY, NOTE = "party.party", "sale.opportunity", "ir.note"
MECHANISM = "party.contact_mechanism"
OBJECTS = (PARTY, OPPORTUNITY, NOTE)
OWN_KEY = {PARTY: "code", OPPORTUNITY: "number", NOTE: "key"}  # what identifies one of them, beside its id
LONGEST = 500
PHONES = ("phone", "mobile", "fax", "sip", "other")  # the mechanisms in which people keep numbers
CONTACTS = ("phone", "mobile", "fax", "email", "website")  # the mechanisms that a party shows as fields of its own

_PARTY_FIELDS = (
    "name", "code", "create_date", "write_date", "contact_mechanisms.type", "contact_mechanisms.value",
    "contact_mechanisms.value_compact", "addresses.country.code", "categories.name", "identifiers.code",
)  # fmt: skip
_OPPORTUNITY_FIELDS = (
    "number", "reference", "description", "comment", "state", "amount", "start_date", "create_date", "write_date",
)  # fmt: skip
FIELDS: Mapping[str, Sequence[str]] = {
    PARTY: _PARTY_FIELDS,
    OPPORTUNITY: (*_OPPORTUNITY_FIELDS, *(f"party.{name}" for name in _PARTY_FIELDS)),
    MECHANISM: ("type", "value", "value_compact", *(f"party.{name}" for name in _PARTY_FIELDS)),
    NOTE: ("message", "resource", "create_date", "write_date"),
}
# The domain of an object that is on nobody's desk any more is not searched: merged and deactivated parties.
LIVE: Mapping[str, list[Any]] = {
    PARTY: [["active", "=", True]],
    OPPORTUNITY: [["OR", ["party", "=", None], ["party.active", "=", True]]],
    NOTE: [],
}


def known(object: str) -> str:
    """The object, where it is one of Tryton's that this connector knows. Raises NotFound."""
    if object not in OBJECTS:
        raise NotFound(f'this connector knows no object "{object}" of Tryton{nearest(object, OBJECTS)}')
    return object


class Reader:
    """Reads Tryton's rows, knowing the connection's words for consent and its country."""

    def __init__(self, country: str, consent: str, do_not_call: str) -> None:
        self._country, self._consent, self._do_not_call = country, consent, do_not_call

    def contact(self, party: Mapping[str, Any] | None) -> dict[str, Any]:
        """A party's contact data. Consent that Tryton does not hold is False: unknown means no."""
        party = party or {}
        categories = [category["name"] for category in party.get("categories.", ())]
        numbers = {kind: self._first(party, kind) for kind in ("phone", "mobile", "fax", "email", "website")}
        return {
            **numbers,
            "country": country_of(party),
            "categories": categories,
            "consent": self._consent in categories,
            "do_not_call": self._do_not_call in categories,
        }

    def row(self, object: str, found: Mapping[str, Any]) -> dict[str, Any]:
        """One row of a list pull, flat, with a text `id`."""
        if object == PARTY:
            return {"id": str(found["id"]), "name": found["name"], "code": found["code"], **self.contact(found)}
        party = found.get("party.") or {}
        return {
            "id": str(found["id"]),
            **{name: found[name] for name in _OPPORTUNITY_FIELDS if not name.endswith("_date")},
            "start_date": found["start_date"],
            "party_id": str(party["id"]) if party else None,
            "party": party.get("name"),
            "code": party.get("code"),
            **self.contact(party),
        }

    def record(self, object: str, found: Mapping[str, Any], url: str, match: Match | None) -> Record:
        """One found record."""
        fields = note_fields(found) if object == NOTE else self.row(object, found)
        titles = {PARTY: found.get("name"), OPPORTUNITY: found.get("description")}
        title = titles.get(object) or fields.get("code") or fields.get("number") or _first_line(fields.get("message"))
        return Record(
            object=object,
            id=str(found["id"]),
            title=str(title or found["id"]),
            url=url,
            match=match,
            created_at=found.get("create_date"),
            updated_at=found.get("write_date") or found.get("create_date"),
            fields=fields,
        )

    def answers_to(self, mechanism: Mapping[str, Any]) -> set[tuple[str, str]]:
        """The look-ups, as (by, value), that a contact mechanism is what they ask for."""
        kind, typed = mechanism["type"], mechanism["value"] or ""
        if kind == "email":
            return {("email", typed.casefold())}
        if kind not in PHONES:
            return set()
        numbers = {typed, mechanism["value_compact"] or "", self.e164(mechanism, mechanism.get("party.")) or ""}
        return {("phone", number) for number in numbers if number}

    def e164(self, mechanism: Mapping[str, Any], party: Mapping[str, Any] | None) -> str | None:
        """The mechanism's number, read by the party's own country where it is written nationally."""
        return phone.e164(mechanism["value_compact"] or "", country_of(party or {}) or self._country)

    def as_e164(self, number: str) -> str:
        """A number to be written: Tryton refuses one it cannot read without a country."""
        return phone.e164(number, self._country) or number

    def _first(self, party: Mapping[str, Any], kind: str) -> str | None:
        for mechanism in party.get("contact_mechanisms.", ()):
            if mechanism["type"] == kind:
                number = self.e164(mechanism, party) if kind in PHONES else None
                return number or mechanism["value"] or None
        return None


def country_of(party: Mapping[str, Any]) -> str | None:
    """The ISO code of the party's first address that has a country."""
    for address in party.get("addresses.", ()):
        if country := address.get("country."):
            return str(country["code"])
    return None


_MARK = re.compile(r"(?:\n\n)?\[patchbay [a-z2-7]{24}\]\s*\Z")

# --- notes: an interaction's key rides in the note's last line ----------------------------------------


def mark(series: str, key: str) -> str:
    """The last line of the note that carries `key`. A digest: of one length, without wildcards, quotes or line ends, and
    no key's mark is the beginning of another's. `series` (the target's key field) keeps two mappings' notes apart."""
    digest = hashlib.sha256(f"{series}\0{key}".encode("utf-8", "surrogatepass")).digest()[:15]
    return f"[patchbay {b32encode(digest).decode().lower()}]"


def marked(message: str, line: str) -> str:
    """`message` with its mark as the last line."""
    return f"{message}\n\n{line}" if message else line


def note_fields(note: Mapping[str, Any]) -> dict[str, Any]:
    """A note's fields by the names that a mapping writes: the message without its mark, and what the note is about."""
    resource = note["resource"] or ""
    object, _, id = resource.partition(",")
    return {
        "message": _MARK.sub("", note["message"] or ""),
        "resource": resource,
        "party": id if object == PARTY else None,
        "opportunity": id if object == OPPORTUNITY else None,
    }


def _first_line(message: object) -> str:
    return str(message or "").strip().partition("\n")[0][:80]


# --- search terms: what Tryton is asked is a net, what it gives is compared here ----------------------------------------


def searchable(values: Iterable[str]) -> list[str]:
    """The values that a record can hold at all: no NUL, nothing outside Unicode, nothing longer than any number, address
    or code is. Databases refuse such a search as if it were our mistake."""
    return [
        value for value in dict.fromkeys(values) if len(value) <= LONGEST and "\0" not in value and _is_unicode(value)
    ]


def ids(values: Iterable[str]) -> list[int]:
    """The record numbers among `values`: what is no number, or too large for one, is nobody's."""
    numbers = (int(value) for value in values if value.isascii() and value.isdecimal() and len(value) < 11)
    return [number for number in dict.fromkeys(numbers) if 0 < number < 2**31]


def literally(value: str) -> str:
    """`value` for `like` and `ilike`, its wildcards taken at their word."""
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def loosely(number: str) -> str:
    """A pattern that finds a number's last digits however they were typed."""
    return "%" + "%".join(phone.digits(number)[-7:]) + "%"


def either(clauses: Sequence[list[Any]]) -> list[Any]:
    """The domain that is met where one of `clauses` is."""
    return ["OR", *clauses]


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
