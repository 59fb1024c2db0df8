"""What came in, in SQL: events, unread bodies, interactions, and the deliveries that they make."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection


def facts_of(conn: Connection, subjects: Sequence[str]) -> dict[str, str]:
    """The facts (hub.model.Facts as JSON) of each subject that is known: an interaction's own, else the latest event's."""
    raise NotImplementedError
