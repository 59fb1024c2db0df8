"""Did the CRM keep what it was sent? One value against what is stored, whatever form the CRM gives it."""

from __future__ import annotations

import re
import unicodedata
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Literal

from hub.flow.delivery.ownership import same
from hub.language.html_text import html_to_text
from hub.model import Field
from hub.phone import e164

Verdict = Literal["kept", "changed", "cut", "missing"]
LETTERS: dict[Verdict, str] = {"kept": "k", "changed": "c", "cut": "s", "missing": "m"}

ABSENT = object()  # the record does not show the field: our user may not see it
_TAG = re.compile(r"<(?:/?[a-zA-Z][^<>]*|!--.*?--)>", re.DOTALL)
_DOTS = ("…", "...")
LEAST_ID = 15  # characters that two spellings of one record's id have in common at least


def verdict(field: Field | None, sent: Any, stored: Any, country: str) -> Verdict:
    """What became of `sent`. `stored` is ABSENT where the record does not show the field; `field` None: not described."""
    if _empty(sent):
        return "kept" if stored is ABSENT or _empty(stored) else "changed"
    if stored is ABSENT or _empty(stored):
        # A flag that is false and a number that is nought are often not stored at all.
        return "kept" if stored is not ABSENT and (sent is False or sent == 0) else "missing"
    if same(sent, stored) or _alike(field, sent, stored, country):
        return "kept"
    if isinstance(sent, str) and isinstance(stored, str) and _is_cut(_plain(sent), _plain(stored)):
        return "cut"
    return "changed"


def _alike(field: Field | None, sent: Any, stored: Any, country: str) -> bool:
    if _rounded(sent, stored):
        return True
    if isinstance(sent, bool) or isinstance(stored, bool):
        return _flag(sent) == _flag(stored)
    if not isinstance(sent, str | int | float) or not isinstance(stored, str | int | float):
        return False
    one, other = str(sent), str(stored)
    kind = field.type if field is not None else None
    if (
        kind in ("email", "picklist", "url")
        and one.strip().rstrip("/").casefold() == other.strip().rstrip("/").casefold()
    ):
        return True
    if kind == "reference":
        return min(len(one), len(other)) >= LEAST_ID and (one.startswith(other) or other.startswith(one))
    if (kind == "phone" or (kind is None and one.startswith("+"))) and _phone(one, country) == _phone(other, country):
        return True
    return _plain(one) == _plain(other)


def _rounded(sent: Any, stored: Any) -> bool:
    """A number that has fewer decimals there, rounded as numbers are."""
    if isinstance(sent, bool) or isinstance(stored, bool) or not isinstance(sent, int | float | Decimal):
        return False
    try:
        one, other = Decimal(str(sent)), Decimal(str(stored))
        exponent = other.as_tuple().exponent
        if not isinstance(exponent, int) or exponent >= 0:
            return False  # a whole number of 12.5 is another number
        return (
            abs(one - other) <= Decimal(1).scaleb(exponent) / 2
            or one.quantize(Decimal(1).scaleb(exponent), ROUND_HALF_EVEN) == other
        )
    except InvalidOperation:
        return False


def _flag(value: Any) -> bool | None:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(str(value).lower())


def _phone(value: str, country: str) -> str:
    return e164(value, country) or re.sub(r"\D", "", value)


def _plain(text: str) -> str:
    """The text without its HTML and with one blank between words: what a person reads is what has to be kept."""
    plain = html_to_text(text) if _TAG.search(text) and len(text) <= 200_000 else text
    return " ".join(unicodedata.normalize("NFC", plain).split())


def _is_cut(sent: str, stored: str) -> bool:
    for dots in _DOTS:
        stored = stored.removesuffix(dots).rstrip() or stored
    return len(stored) < len(sent) and sent.startswith(stored)


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value == [] or value == {}
