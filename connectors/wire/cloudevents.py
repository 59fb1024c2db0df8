"""CloudEvents 1.0 around a canonical event: the envelope's id, type and time stand in where the event has none."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from connectors.wire.wrong_field import invalid
from hub.errors import InvalidEvent, Unreadable

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
VERSION = "1.0"


class _Envelope(Struct, frozen=True):
    specversion: str
    id: str | None = None
    type: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    data: Raw | UnsetType = UNSET
    data_base64: str | None = None


class _Present(Struct, frozen=True):
    id: Raw | UnsetType = UNSET
    type: Raw | UnsetType = UNSET
    occurred_at: Raw | UnsetType = UNSET


_envelope = msgspec.json.Decoder(_Envelope)
_present = msgspec.json.Decoder(_Present)
_JSON = re.compile(r"(?:application|text)/(?:[\w.!#$&^-]+\+)?json", re.ASCII)


def is_structured(headers: Mapping[str, str]) -> bool:
    """Whether the body is one CloudEvent, envelope and all."""
    return _media(headers.get("content-type", "")) == STRUCTURED


def is_batch(headers: Mapping[str, str]) -> bool:
    """Whether the body is an array of CloudEvents."""
    return _media(headers.get("content-type", "")) == BATCH


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether the envelope is in the headers and the body is the data."""
    return "ce-specversion" in headers


def enveloped(raw: bytes, where: str) -> bytes:
    """The canonical event's JSON inside a structured CloudEvent."""
    prefix = f"{where}." if where else ""
    try:
        envelope = _envelope.decode(raw)
    except msgspec.ValidationError as error:
        raise invalid(error, where) from None
    except msgspec.DecodeError as error:
        raise Unreadable(str(error)) from None
    _check(envelope.specversion, f"{prefix}specversion")
    if envelope.datacontenttype is not None and not _JSON.fullmatch(_media(envelope.datacontenttype)):
        raise InvalidEvent(f"{prefix}datacontenttype", "application/json is needed")
    if envelope.data is not UNSET:
        data = bytes(envelope.data)
    elif envelope.data_base64 is not None:
        try:
            data = b64decode(envelope.data_base64, validate=True)
            data.decode()
        except (binascii.Error, ValueError):
            raise InvalidEvent(f"{prefix}data_base64", "base64 of a JSON object is needed") from None
    else:
        raise InvalidEvent(f"{prefix}data", "missing; it holds the canonical event")
    return _filled(data, f"{prefix}data", envelope.id, envelope.type, envelope.time)


def from_headers(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The canonical event's JSON where the envelope is in the headers."""
    _check(_text(headers["ce-specversion"]), "ce-specversion")
    media = _media(headers.get("content-type", "application/json"))
    if not _JSON.fullmatch(media):
        raise InvalidEvent("content-type", "application/json is needed")
    attributes = (_text(headers[name]) if name in headers else None for name in ("ce-id", "ce-type", "ce-time"))
    return _filled(body, "body", *attributes)


def _filled(data: bytes, where: str, id: str | None, type: str | None, time: str | None) -> bytes:
    try:
        present = _present.decode(data)
    except msgspec.ValidationError:
        raise InvalidEvent(where, "an object is needed: one canonical event for each CloudEvent") from None
    except RecursionError:  # in base64 no reader before us could see it
        raise Unreadable("nested too deep") from None
    except msgspec.DecodeError as error:
        raise Unreadable(str(error)) from None
    missing = {
        name: value
        for name, value, own in (
            ("id", id, present.id),
            ("type", type, present.type),
            ("occurred_at", time, present.occurred_at),
        )
        if value is not None and own is UNSET
    }
    if not missing:
        return data
    # Put in front of what was written, rather than written anew: nothing else of the sender's JSON changes.
    rest = data.lstrip().removeprefix(b"{")
    return msgspec.json.encode(missing)[:-1] + (b"" if rest.lstrip()[:1] == b"}" else b",") + rest


def _check(version: str, where: str) -> None:
    if version != VERSION:
        raise InvalidEvent(where, f'"{VERSION}" is needed')


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _text(header: str) -> str:
    """An attribute's value out of its header: quotes off, then percent-decoded, as the HTTP binding says."""
    value = header.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return unquote(value)
