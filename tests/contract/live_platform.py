"""The live scenarios of what a platform does: receive and dial."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from hub.clock import now
from hub.errors import (
    ConnectorError,
    InvalidEvent,
    SenderRefused,
    Then,
    Unreadable,
)
from tests.contract.given import HOSTILE, an_event, signed

# --- receive ----------------------------------------


def receive_happy(peer: Any) -> None:
    (event,) = peer.connector.receive(signed(peer, an_event("e-1")))
    assert (event.id, event.type) == ("e-1", "interaction.wrapped_up")
    assert event.interaction.remote == "+34 612 34 56 78" and event.wrap_up.code == "SALE"


def receive_none(peer: Any) -> None:
    assert list(peer.connector.receive(signed(peer, []))) == []


def receive_many(peer: Any) -> None:
    events = peer.connector.receive(signed(peer, [an_event(f"e-{n}") for n in range(3)]))
    assert [event.id for event in events] == ["e-0", "e-1", "e-2"]


def receive_twice(peer: Any) -> None:
    hook = signed(peer, an_event("e-1"))
    first, second = peer.connector.receive(hook), peer.connector.receive(hook)
    assert [event.id for event in first] == [event.id for event in second] == ["e-1"]


def receive_unsigned(peer: Any) -> None:
    hook = signed(peer, an_event("e-1"))
    with pytest.raises(SenderRefused):
        peer.connector.receive(msgspec.structs.replace(hook, headers={"content-type": "application/json"}))


def receive_forged(peer: Any) -> None:
    hook = signed(peer, an_event("e-1"))
    forged = [msgspec.structs.replace(hook, body=hook.body.replace(b"SALE", b"sALE"))]
    for name, value in hook.headers.items():
        if name.startswith("webhook") or "signature" in name:
            forged.append(msgspec.structs.replace(hook, headers={**hook.headers, name: value[:-3] + "A1="}))
    for one in forged:
        with pytest.raises(SenderRefused):
            peer.connector.receive(one)


def receive_stale(peer: Any) -> None:
    for away in (timedelta(minutes=-6), timedelta(minutes=6)):
        with pytest.raises(SenderRefused):
            peer.connector.receive(peer.hook(json.dumps(an_event("e-1")).encode(), now() + away))


def receive_unreadable(peer: Any) -> None:
    for body in (b"", b"{", b'{"id": "e-1"', b"\xff\xfe{}", b'"text' + b"[" * 10, b"[" * 5000 + b"]" * 5000):
        with pytest.raises(Unreadable):
            peer.connector.receive(peer.hook(body, now()))


def receive_invalid(peer: Any) -> None:
    wrong = {
        "type": {**an_event("e-1"), "type": "interaction.wraped_up"},
        "id": {**an_event("e-1"), "id": ""},
        "occurred_at": {**an_event("e-1"), "occurred_at": "yesterday"},
        "interaction.channel": {**an_event("e-1"), "interaction": {"id": "call-1", "channel": "fax"}},
    }
    for field, event in wrong.items():
        with pytest.raises(InvalidEvent) as refused:
            peer.connector.receive(signed(peer, event))
        assert refused.value.field == field
    with pytest.raises(InvalidEvent) as refused:
        peer.connector.receive(signed(peer, [an_event("e-1"), wrong["type"]]))
    assert refused.value.field == "[1].type"


def receive_hostile(peer: Any) -> None:
    for what, text in HOSTILE.items():
        event = {**an_event("e-1"), "wrap_up": {"comment": text}, "attached": {text[:50]: text}}
        (heard,) = peer.connector.receive(signed(peer, event))
        assert heard.wrap_up.comment == text and heard.attached == {text[:50]: text}, what


# --- dial ----------------------------------------


def dial_happy(peer: Any) -> None:
    request = peer.request(f"d-{uuid.uuid4().hex}")
    receipt = peer.connector.dial(request)
    assert receipt.outcome == "accepted" and receipt.interaction and peer.rings(request.id) == 1


def dial_refused(peer: Any) -> None:
    request = peer.refused_request(f"d-{uuid.uuid4().hex}")
    receipt = peer.connector.dial(request)
    assert receipt.outcome == "refused" and receipt.reason and peer.rings(request.id) == 0


def dial_twice(peer: Any) -> None:
    request = peer.request(f"d-{uuid.uuid4().hex}")
    first, second = peer.connector.dial(request), peer.connector.dial(request)
    assert first.interaction == second.interaction and peer.rings(request.id) == 1


def dial_hostile(peer: Any) -> None:
    for text in HOSTILE.values():
        request = peer.request(f"d-{uuid.uuid4().hex}")
        try:
            receipt = peer.connector.dial(msgspec.structs.replace(request, agent=text))
        except ConnectorError as error:
            assert error.then is Then.PARK
        else:
            assert receipt.outcome in ("accepted", "refused")
