"""Canonical events off the wire: one, an array, or CloudEvents 1.0 (binary, structured, batch).

Three ends: the events; `Unreadable`, where the body is no JSON that can be held (the hub keeps it raw); `InvalidEvent`,
where it can be read but a field is wrong: the sender learns which one and what would be right. Fields that we do not know
are let pass, and kept with the event's JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from connectors.wire.cloudevents import enveloped, from_headers, is_batch, is_binary, is_structured
from connectors.wire.wrong_field import invalid, lone_surrogate, unknown_type
from hub.contract import HookRequest
from hub.errors import InvalidEvent, Unreadable
from hub.model import Event, WireEvent, is_event_type

DEEPEST = 64
INTERACTION_TIMES = ("started_at", "queued_at", "offered_at", "answered_at", "ended_at")
LEG_TIMES = ("started_at", "answered_at", "ended_at")

_event = msgspec.json.Decoder(WireEvent)
_each = msgspec.json.Decoder(list[msgspec.Raw])
_any = msgspec.json.Decoder(msgspec.Raw)
# Strings whole (so that a bracket inside one does not count), then brackets. Possessive: no backtracking on hostile input;
# and a string that never ends reaches to the end, or each escaped quote in it would be looked at as another beginning.
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
# An escaped NUL, but not a backslash that is itself escaped and followed by the letters u0000.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def events_of(request: HookRequest) -> Sequence[Event]:
    """The events that a hook carries. Raises Unreadable, or InvalidEvent with the path of the wrong field."""
    body = request.body.removeprefix(b"\xef\xbb\xbf")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 at byte {error.start}") from None
    if is_batch(request.headers):
        return [
            _one(enveloped(raw, f"[{n}]"), f"[{n}].data")
            for n, raw in enumerate(_elements(body, "an array of CloudEvents"))
        ]
    if is_structured(request.headers):
        return [_one(enveloped(_bounded(body), ""), "data")]
    if is_binary(request.headers):
        return [_one(from_headers(_bounded(body), request.headers), "")]
    if body.lstrip()[:1] == b"[":
        return [_one(raw, f"[{n}]") for n, raw in enumerate(_elements(body, "an event or an array of events"))]
    return [_one(body, "")]


def _one(raw: bytes, where: str) -> Event:
    _bounded(raw)
    event = _decoded(raw, where)
    if b"\\u0000" in raw:
        _no_nul_in_keys(event, where)
        # A NUL elsewhere is shown as what it is, an unusable character: no database text can hold it.
        raw = _NUL.sub(rb"\1\\ufffd", raw)
        event = _decoded(raw, where)
    if not is_event_type(event.type):
        raise InvalidEvent(_at(where, "type"), unknown_type(event.type))
    force_setattr(event, "wire", raw.decode())
    _in_range(event, where)
    return event


def _decoded(raw: bytes, where: str) -> WireEvent:
    try:
        return _event.decode(raw)
    except msgspec.ValidationError as error:
        try:
            _any.decode(raw)
        except msgspec.DecodeError as worse:  # wrong and, further on, broken: nobody can say what was meant
            raise Unreadable(str(worse)) from None
        raise invalid(error, where) from None
    except msgspec.DecodeError as error:
        field = lone_surrogate(raw)
        if field is not None:
            raise InvalidEvent(_at(where, field), "holds half a surrogate pair; write both halves") from None
        raise Unreadable(str(error)) from None


def _elements(body: bytes, what: str) -> list[bytes]:
    try:
        return [bytes(raw) for raw in _each.decode(body)]
    except RecursionError:
        raise Unreadable(f"nested more than {DEEPEST} deep") from None
    except msgspec.ValidationError:
        raise InvalidEvent("body", f"{what} is needed") from None
    except msgspec.DecodeError as error:
        raise Unreadable(str(error)) from None


def _bounded(raw: bytes) -> bytes:
    """`raw` itself. Raises Unreadable where it is nested too deep for any of the readers behind us."""
    if raw.count(b"{") + raw.count(b"[") > DEEPEST:  # else it cannot be; the exact count is slower
        depth = 0
        for token in _TOKENS.finditer(raw):
            kind = token.group()[:1]
            if kind in b"[{":
                depth += 1
                if depth > DEEPEST:
                    raise Unreadable(f"nested more than {DEEPEST} deep")
            elif kind in b"]}":
                depth -= 1
    return raw


def _no_nul_in_keys(event: Event, where: str) -> None:
    keys = {
        "id": event.id,
        "type": event.type,
        "interaction.id": event.interaction and event.interaction.id,
        "agent.id": event.agent and event.agent.id,
        "agent.email": event.agent and event.agent.email,
        "leg.id": event.leg and event.leg.id,
        "dial.id": event.dial and event.dial.id,
        "work_item.id": event.work_item and event.work_item.id,
        "campaign.id": event.campaign and event.campaign.id,
        "campaign.list": event.campaign and event.campaign.list,
        "campaign.contact": event.campaign and event.campaign.contact,
    }
    for name, value in keys.items():
        if value and "\0" in value:
            raise InvalidEvent(_at(where, name), "holds a NUL character; an identifier cannot")


def _in_range(event: Event, where: str) -> None:
    """Refuse what fits the types but no store: years that UTC cannot hold, whole numbers beyond 64 bits."""
    _years(event, ("occurred_at",), where)
    if event.interaction is not None:
        _years(event.interaction, INTERACTION_TIMES, _at(where, "interaction"))
    if event.leg is not None:
        _years(event.leg, LEG_TIMES, _at(where, "leg"))
    if event.recording is not None:
        _years(event.recording, ("expires_at",), _at(where, "recording"))
    if event.campaign is not None and not -(2**31) <= (event.campaign.attempts or 0) < 2**31:
        raise InvalidEvent(_at(where, "campaign.attempts"), "a whole number below 2,147,483,648 is needed")
    if event.attached is not None:
        at = _too_big(event.attached)
        if at is not None:
            raise InvalidEvent(
                _at(where, f"attached{at}"), "a whole number of more than 64 bits; write such a one as text"
            )


def _years(part: Struct, names: Sequence[str], where: str) -> None:
    for name in names:
        moment = getattr(part, name)
        if moment is not None and not 1 < moment.year < 9999:
            raise InvalidEvent(_at(where, name), f"the year {moment.year} is out of range")


def _too_big(value: Any) -> str | None:
    """The path below `value` of a whole number that no store holds."""
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**63 else ""
    if isinstance(value, dict):
        for name, child in value.items():
            if not isinstance(child, str) and (below := _too_big(child)) is not None:
                return f".{name}{below}"
    elif isinstance(value, list):
        for n, child in enumerate(value):
            if not isinstance(child, str) and (below := _too_big(child)) is not None:
                return f"[{n}]{below}"
    return None


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
