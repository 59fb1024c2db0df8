"""The calls of a connection between this node's budget and the store, where all nodes see them."""

from __future__ import annotations

from hub.clock import now
from hub.connections import Connection
from hub.store import calls
from hub.store.database import Store, Transaction


def keep_calls(store: Store, connection: Connection) -> None:
    """Put the calls that no claim has noted, such as a screen pop's, and what the vendor said, into the store."""
    made, told = connection.budget.take(), connection.budget.take_told()
    if not made and not told:
        return
    try:
        with store.write() as conn:
            if made:
                calls.add(conn, connection.name, made, now=now())
            calls.tell(conn, connection.name, told)
    except Exception:
        connection.budget.give_back(made)
        raise


def read_calls(conn: Transaction, connection: Connection) -> None:
    """Have this node's budget see what all nodes called today, and what they were told."""
    name = connection.name
    made = calls.of_day(conn, now=now(), connection=name).get(name, {})
    connection.budget.saw(made, calls.told(conn, name).get(name, ()))
