"""Phone numbers in systems that keep what was typed: ask with the last digits, compare as E.164."""

from __future__ import annotations

from collections.abc import Iterable

from hub import phone

TAIL = 7  # digits that are the same however a number was typed: without country code, area prefix and trunk zero


def tail(number: str, length: int = TAIL) -> str:
    """The last digits of a number, for a search by suffix; shorter where the number is."""
    return phone.digits(number)[-length:]


def same(stored: Iterable[str | None], asked: str, country: str) -> bool:
    """Whether one of the stored texts means the number `asked` (E.164, or as typed where it could not be read).

    `country` (ISO code) says how a nationally written one is read.
    """
    return any(text and (text.strip() == asked or phone.e164(text, country) == asked) for text in stored)
