"""Phone numbers in systems that keep what was typed: ask with the last digits, compare as E.164."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import phonenumbers

from hub import phone

FORMS = ("national", "dialled", "international")
TAIL = 7  # digits that are the same however a number was typed: without country code, area prefix and trunk zero


def tail(number: str, length: int = TAIL) -> str:
    """The last digits of a number, for a search by suffix; shorter where the number is."""
    return phone.digits(number)[-length:]


def same(stored: Iterable[str | None], asked: str, country: str) -> bool:
    """Whether one of the stored texts means the number `asked` (E.164, or as typed where it could not be read).

    `country` (ISO code) says how a nationally written one is read.
    """
    return any(text and (text.strip() == asked or phone.e164(text, country) == asked) for text in stored)


def forms(number: str, wanted: Sequence[str] = FORMS) -> list[str]:
    """A number as people write it into a CRM, in digits only, for a search whose index leaves the rest out.

    `national` is the number without its country (`612345678`), `dialled` with the trunk zero where the country has one
    (`0142685300`), `international` with the country (`34612345678`).
    """
    digits = phone.digits(number)
    if not number.startswith("+"):
        return [digits] if 2 <= len(digits) <= 20 else []
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return []
    ways = {
        "national": phonenumbers.national_significant_number(parsed),
        "dialled": phone.digits(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)),
        "international": digits,
    }
    return list(dict.fromkeys(ways[way] for way in wanted if len(ways[way]) >= 2))
