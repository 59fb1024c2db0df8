"""A row of a contact list as it came from the CRM, read: number, consent, content. Pure; nothing is decided here that
needs to know the other rows.

The mapping runs here already, so that a row whose rendered fields are as before is not sent again and a row that cannot be
mapped is named at the pull. What goes into the outbox are the row's facts: delivery renders them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct
from phonenumbers import SUPPORTED_REGIONS

from hub.flow.lists.contactability import contactable
from hub.language.converters import Unfit
from hub.language.mapping import Mapping
from hub.language.source import ListSource
from hub.phone import e164

NUMBER = "phone_e164"  # what the hub adds to a member: the number that counts, read by the member's own country
NOWHERE = "ZZ"  # by whose rules only a number with its calling code can be read

_ENCODER = msgspec.json.Encoder(order="deterministic")


class Candidate(Struct, frozen=True):
    """One row, read. With `refusal` it is left out whatever the other rows say; `because` is the refusal in full."""

    member: str
    phone: str | None
    content: str  # digest of the rendered fields and of where they are written
    body: str  # the facts, as the delivery keeps them
    refusal: str | None = None
    because: str | None = None


class RowReader:
    """Reads the rows of one list mapping."""

    def __init__(self, mapping: Mapping, source: ListSource, country: str, own_numbers: Container[str]) -> None:
        self._mapping = mapping
        self._source = source
        self._country = country
        self._own = own_numbers
        self._consent = _value(source.consent)
        self._do_not_call = _value(source.do_not_call)
        target = mapping.target  # another list on the platform has none of what was sent to this one
        self._digest = blake2b(_ENCODER.encode([target.connection, target.write, target.options]), digest_size=15)

    def read(self, row: dict[str, Any]) -> Candidate:
        """The candidate that this row is."""
        member = msgspec.to_builtins(row)
        key = str(member["id"])
        facts = {"member": member}
        written, phone = self._number_of(facts)
        member[NUMBER] = phone
        verdict = contactable(
            written,
            phone,
            own=phone in self._own,
            suppressed=False,
            do_not_call=self._do_not_call(facts),
            consent=self._consent(facts),
        )
        try:
            body = msgspec.json.encode(facts).decode()
        except UnicodeEncodeError:  # half of a surrogate pair: no store and no platform takes it
            key = key.encode("utf-8", "backslashreplace").decode()
            return Candidate(key, phone, "", "", "not mapped", "not mapped: the row holds text that is no Unicode")
        if not verdict.allowed:
            return Candidate(key, phone, "", body, verdict.reason, verdict.reason)
        try:
            unwanted = self._mapping.skips(facts)
            if unwanted is not None:
                return Candidate(key, phone, "", body, "not wanted", f"not wanted: {unwanted}")
            rendered = self._mapping.render(facts, {})
        except Exception as broke:  # noqa: BLE001  (somebody's mapping: it must not stop the other rows)
            because = f"not mapped: the mapping broke: {type(broke).__name__}"
            return Candidate(key, phone, "", body, "not mapped", because)
        if rendered.problems:
            named = "; ".join(f"{field}: {problem}" for field, problem in rendered.problems.items())
            return Candidate(key, phone, "", body, "not mapped", f"not mapped: {named}")
        digest = self._digest.copy()
        digest.update(_ENCODER.encode(rendered.fields))
        return Candidate(key, phone, digest.hexdigest(), body)

    def _number_of(self, facts: dict[str, Any]) -> tuple[Any, str | None]:
        """What is written where a number should be, and the first of it that is a number."""
        first, country = None, self._country_of(facts)
        for path in self._source.phone:
            written = path(facts)
            if written is None or written == "":
                continue
            phone = e164(str(written), country)
            if phone is not None:
                return written, phone
            first = first or written
        return first, None

    def _country_of(self, facts: dict[str, Any]) -> str:
        """The contact's own country, else its account's, else the hub's. One that is no ISO code gives none at all:
        better an unusable number than one read by the rules of the wrong country."""
        declared = self._source.country
        try:
            said = declared if isinstance(declared, str) else declared(facts) if declared is not None else None
        except Unfit:
            return NOWHERE
        if not said:
            account = facts["member"].get("account")
            said = account.get("country") if isinstance(account, dict) else None
        if not said:
            return self._country
        code = str(said).strip().upper()
        return code if code in SUPPORTED_REGIONS else NOWHERE


def _value(path: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    return path if path is not None else lambda _facts: None
