"""Canonical events off the wire: one, an array, or CloudEvents 1.0 (binary, structured, batch)."""

from __future__ import annotations

from collections.abc import Sequence

from hub.contract import HookRequest
from hub.model import Event


def events_of(request: HookRequest) -> Sequence[Event]:
    """The events that a hook carries. Raises Unreadable, or InvalidEvent with the path of the wrong field."""
    raise NotImplementedError
