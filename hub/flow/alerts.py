"""Raise and clear alerts: in a transaction of their own, and each with one line in the log."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from hub.clock import now_ms
from hub.store import alerts
from hub.store.alerts import Alert, Trouble
from hub.store.database import Store

log = structlog.get_logger()


def raise_alert(store: Store, trouble: Trouble, *, keep_message: bool = False) -> bool:
    """Raise an alert, unless it is open: then it is seen again. Whether it is new."""
    new = store.in_one_piece(lambda conn: alerts.raise_one(conn, trouble, now=now_ms(), keep_message=keep_message))
    if new:
        _told("alert_raised", trouble)
    return new


def clear_alerts(store: Store, keys: Iterable[str]) -> int:
    """The troubles of these keys are over; how many of them had an open alert."""
    wanted = list(keys)
    cleared = store.in_one_piece(lambda conn: alerts.clear(conn, wanted, now=now_ms()))
    for alert in cleared:
        _told("alert_cleared", alert)
    return len(cleared)


def settle(
    store: Store,
    troubles: Iterable[Trouble],
    *,
    kind: str,
    connection: str | None = None,
    mapping: str | None = None,
    keep_message: bool = True,
) -> None:
    """What was found is all there is: raise `troubles`, and clear the other alerts of this kind, connection, mapping."""
    found = {trouble.key: trouble for trouble in troubles}
    with store.read() as conn:
        before = alerts.opened(conn, kind=kind, connection=connection, mapping=mapping)
    for trouble in found.values():
        raise_alert(store, trouble, keep_message=keep_message)
    over = [alert.key for alert in before if alert.key not in found]
    if over:
        clear_alerts(store, over)


def _told(what: str, about: Trouble | Alert) -> None:
    tell = log.warning if what == "alert_raised" else log.info
    # Without its message, which may repeat what a CRM said.
    tell(what, kind=about.kind, key=about.key, connection=about.connection, mapping=about.mapping, field=about.field)
