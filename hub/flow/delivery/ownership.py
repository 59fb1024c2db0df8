"""`update: owned`: of a record that is there already, only what is ours is touched.

A field is ours while it still holds what we wrote last, or what an attempt since then may have written. A field that we
never wrote is ours to fill while it is empty. What a person wrote stays, and a note on the attempt says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from hub.store.deliveries import Sent


class Kept(Struct, frozen=True, kw_only=True):
    """A note: a field that was left to the person who changed it."""

    field: str
    what: str = "kept"
    text: str


def owned_fields(
    fields: Mapping[str, Any], current: Mapping[str, Any], history: Iterable[Sent]
) -> tuple[dict[str, Any], list[Kept]]:
    """(the fields to send, what was left alone and why). `current` is the record's fields, `history` what was sent for
    the pair, oldest first."""
    ours = _ours(history)
    send: dict[str, Any] = {}
    kept: list[Kept] = []
    for name, value in fields.items():
        now = current.get(name)
        if same(now, value):
            continue
        if name in ours and name not in current:
            kept.append(Kept(field=name, text="the CRM does not show it, so whether a person changed it is not known"))
        elif name in ours and not any(same(now, sent) for sent in ours[name]):
            kept.append(Kept(field=name, text="changed in the CRM"))
        elif name not in ours and not _empty(now):
            kept.append(Kept(field=name, text="filled in the CRM before"))
        else:
            send[name] = value
    return send, kept


def _ours(history: Iterable[Sent]) -> dict[str, list[Any]]:
    """By field, what it may hold by our hand: the last value that surely arrived, and what may have arrived since."""
    ours: dict[str, list[Any]] = {}
    for sent in history:
        for name, value in sent.fields.items():
            if sent.arrived:
                ours[name] = [value]
            else:
                ours.setdefault(name, []).append(value)
    return ours


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same, however a CRM formats them: 5 and "5.00", a date and its midnight, line ends."""
    if one is other or (_empty(one) and _empty(other)):
        return True
    if isinstance(one, dict | list | tuple) or isinstance(other, dict | list | tuple):
        return _same_inside(one, other)
    for reading in (_number, _moment):
        a, b = reading(one), reading(other)
        if a is not None and b is not None:
            return a == b
    return _text(one) == _text(other)


def _same_inside(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return False


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value == [] or value == {}


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return Decimal(value)
    text = {"true": "1", "false": "0"}.get(str(value).lower(), str(value).strip())
    # A leading zero or plus is an identifier's or a phone number's, not a quantity's.
    if isinstance(value, str) and (text[:1] == "+" or (text[:1] == "0" and text[1:2].isdigit())):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)
    elif isinstance(value, str) and len(value) >= 10 and value[4:5] == "-":
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    else:
        return None
    # CRMs keep whole seconds.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).replace(microsecond=0)


def _text(value: Any) -> str:
    return str(value).replace("\r\n", "\n").replace("\r", "\n").strip()
