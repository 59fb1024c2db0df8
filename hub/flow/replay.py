"""Replay: deliveries go out again, from the facts and the mapping as they are now, by the same keys."""

from __future__ import annotations

from msgspec import Struct

from hub.store.database import Store
from hub.store.deliveries import Filter


class Replayed(Struct, frozen=True, kw_only=True):
    """What a replay did: deliveries that are pending again, those that a waiting one of the same pair stands for, and
    why others could not be replayed."""

    replayed: int
    collapsed: int
    refused: dict[int, str]


def replay(store: Store, where: Filter, *, by: str, limit: int = 10_000) -> Replayed:
    """Make the deliveries that `where` describes pending, due now, with no attempts counted (by id: Filter(ids=…)).

    Pending, delivered, skipped and parked ones can be replayed. Refused: one in flight, a superseded one (the delivery
    that took its place is named), an old row of a contact list (it would bring an old content back), an id that is not there.
    """
    raise NotImplementedError
