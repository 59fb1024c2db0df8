"""What the events of one interaction fold into. Pure: facts and an event in, facts out."""

from __future__ import annotations

from hub.model import Event, Facts


def fold(facts: Facts | None, connection: str, event: Event, country: str) -> Facts:
    """`facts` with `event` taken in. Events have to come in the order of `order`; `facts` itself is not changed."""
    raise NotImplementedError
