"""Phone numbers: E.164 inside, whatever people typed outside. The rules are libphonenumber's."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from hub.phone_patterns import plain_e164

# The library's own switch: without it each number of a many-country list compiles its country's patterns anew (200 µs).
phonenumbers.enable_pattern_cache()

# How platforms write a caller who withheld the number; 266696687 spells "anonymous" on a keypad.
_WITHHELD = frozenset(
    [
        "", "anonymous", "restricted", "unavailable", "unknown", "private", "withheld", "blocked", "hidden",
        "+266696687", "266696687",
    ]
)  # fmt: skip
_EXTENSION = re.compile(r"\d{2,6}")
_SIP = re.compile(r"^(?:sips?|tel):([^@;?]*)", re.IGNORECASE)


def is_withheld(raw: str | None) -> bool:
    """Whether the caller withheld the number (`anonymous`, `Restricted`, empty, absent)."""
    if raw is None:
        return True
    return _bare(raw).lower() in _WITHHELD


def is_extension(raw: str) -> bool:
    """Whether `raw` is an internal extension: two to six digits and nothing else."""
    return _EXTENSION.fullmatch(_bare(raw)) is not None


@lru_cache(maxsize=20_000)
def e164(raw: str, country: str) -> str | None:
    """`raw` as E.164 (`+34612345678`), read by the rules of `country` where it is written nationally.

    None where no valid number can be read: too short, too long, an extension, no number at all.
    """
    bare = _bare(raw)
    plain = plain_e164(bare, country)
    if plain is not None:
        return plain
    number = _parsed(bare, country)
    return None if number is None else phonenumbers.format_number(number, PhoneNumberFormat.E164)


def national(number: str, country: str) -> str | None:
    """`number` as people of its own country write it, such as `612 34 56 78`. None where it is no valid number."""
    parsed = _parsed(_bare(number), country)
    return None if parsed is None else phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)


def country_of(number: str) -> str | None:
    """The ISO code of an E.164 number's country."""
    parsed = _parsed(number, "ZZ")
    return None if parsed is None else phonenumbers.region_code_for_number(parsed)


def is_premium(number: str) -> bool:
    """Whether calling this E.164 number costs extra by design."""
    parsed = _parsed(number, "ZZ")
    return parsed is not None and phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.PREMIUM_RATE


def digits(raw: str) -> str:
    """The digits of `raw` and nothing else."""
    return "".join(c for c in raw if c.isdecimal())


def _bare(raw: str) -> str:
    sip = _SIP.match(raw) if ":" in raw else None
    return (sip.group(1) if sip else raw).strip()


def _parsed(raw: str, country: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(raw, country or None)
    except NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None
