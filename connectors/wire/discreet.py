"""A vendor's own words for our error messages, without what they repeat of a person: numbers, addresses, long texts."""

from __future__ import annotations

import re

LONGEST = 300
_MAIL = re.compile(r"[^\s@<>\"'(),;]+@[^\s@<>\"'(),;]+")
_NUMBER = re.compile(r"\+?\d(?:[\s./()-]?\d){5,}")  # six digits and more: no error code, and every phone number


def discreet(text: str) -> str:
    """`text` in one line and cut, its e-mail addresses and long numbers left out."""
    line = " ".join(text[: 4 * LONGEST].split())  # so much and no more: the patterns below look back at every @
    line = _NUMBER.sub("…", _MAIL.sub("…", line))
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
