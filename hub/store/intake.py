"""What came in, in SQL: events, unread bodies, interactions, and the deliveries that they make.

Written for a group of many events at once: each question is asked once for all, each kind of row goes in by one
statement. On PostgreSQL nodes write side by side: rows are locked in sorted order, and what two nodes still do at once
shows as a conflict that `may_pass` tells from a real failure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection, bindparam, case, insert, literal_column, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from hub.clock import from_ms
from hub.model import Clicked, Event, EventRef, Facts, InteractionFacts
from hub.store.many import parameters, write_rows
from hub.store.schema import deliveries, dials, do_not_call, events, interactions, unread

AT_ONCE = 500  # values in one IN list
PASSING = frozenset(["23505", "40001", "40P01", "55P03"])  # unique, serialization, deadlock, lock not available

Key = tuple[str, str]  # connection and the platform's own id: of an event, or of an interaction
Value = TypeVar("Value")

_event = msgspec.json.Decoder(Event)


class NewEvent(NamedTuple):
    """A row of `events`."""

    connection: str
    source_id: str
    type: str
    subject: str
    occurred_at: int
    received_at: int
    body: str


class Known(NamedTuple):
    """An interaction as it stands, locked until the transaction ends."""

    facts: str
    triggered: str


class Folded(NamedTuple):
    """A row of `interactions`."""

    connection: str
    key: str
    channel: str | None
    direction: str | None
    state: str
    remote_e164: str | None
    agent: str | None
    facts: str
    triggered: str
    last_occurred_at: int
    updated_at: int


class Due(NamedTuple):
    """A delivery to make: of the newest facts of `subject`, by `mapping`, into `connection`."""

    mapping: str
    subject: str
    connection: str
    lane: int
    provisional: bool
    due_at: int
    created_at: int


# --- events ----------------------------------------


def known_events(conn: Connection, keys: Collection[Key]) -> set[Key]:
    """Which of these events the store has."""
    return {
        (connection, found)
        for connection, ids in _by_connection(keys)
        for found in conn.scalars(_KNOWN, {"connection": connection, "ids": ids})
    }


def add_events(conn: Connection, rows: Sequence[NewEvent]) -> None:
    """Keep new events. Raises IntegrityError where another node has kept one of them since `known_events`."""
    # Sorted: two nodes that are sent the same events wait for each other in the same order.
    write_rows(conn, _ADD_EVENT, sorted(rows))


def events_of(conn: Connection, subjects: Collection[str]) -> dict[str, list[Event]]:
    """Every event of each subject, in no order."""
    found: dict[str, list[Event]] = {}
    for some in _chunks(sorted(subjects)):
        for subject, body in conn.execute(_EVENTS_OF, {"subjects": some}):
            found.setdefault(subject, []).append(_event.decode(body))
    return found


def keep_unread(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep bodies that cannot be read, each once."""
    rows = sorted(rows, key=lambda row: (row["connection"], row["digest"]))
    conn.execute(_insert(conn, unread).on_conflict_do_nothing(), rows)


# --- interactions ----------------------------------------


def locked_interactions(conn: Connection, keys: Collection[Key]) -> dict[Key, Known]:
    """The interactions among `keys` that are known, locked against every other writer until the transaction ends."""
    return {
        (connection, key): Known(facts, triggered)
        for connection, some in _by_connection(keys)
        for key, facts, triggered in conn.execute(_LOCKED, {"connection": connection, "keys": some})
    }


def save_interactions(conn: Connection, rows: Sequence[Folded], known: Collection[Key]) -> None:
    """Write interactions: those in `known` are there already, the others are new."""
    if conn.dialect.name == "sqlite":
        write_rows(conn, _PUT_INTERACTION, rows)
    else:  # told apart, for what another node has added since is a conflict and not a row to write over
        write_rows(conn, _ADD_INTERACTION, sorted(row for row in rows if (row.connection, row.key) not in known))
        write_rows(conn, _CHANGE, [row for row in rows if (row.connection, row.key) in known])


def clicked_by_dial(conn: Connection, ids: Collection[str]) -> dict[str, Clicked]:
    """The records on which these click-to-dial requests were made."""
    found = {
        id: record
        for some in _chunks(sorted(ids))
        for id, record in conn.execute(select(dials.c.id, dials.c.record).where(dials.c.id.in_(some)))
    }
    return {id: msgspec.json.decode(record, type=Clicked) for id, record in found.items() if record}


def clicked_by_interaction(conn: Connection, keys: Collection[Key]) -> dict[Key, Clicked]:
    """The records from which these interactions were dialled."""
    found = {
        (connection, key): record
        for connection, some in _by_connection(keys)
        for key, record in conn.execute(_DIALLED, {"connection": connection, "keys": some})
    }
    return {key: msgspec.json.decode(record, type=Clicked) for key, record in found.items() if record}


def facts_of(conn: Connection, subjects: Sequence[str]) -> dict[str, str]:
    """The facts (hub.model.Facts as JSON) of each subject that is known: an interaction's own, else the latest event's."""
    found: dict[str, str] = {}
    keys: list[Key] = []
    others: list[str] = []
    for subject in subjects:
        kind, _, rest = subject.partition(":")
        connection, _, key = rest.partition("/")
        if kind == "interaction":
            keys.append((connection, key))
        else:
            others.append(subject)
    for connection, some in _by_connection(keys):
        for key, facts in conn.execute(_FACTS, {"connection": connection, "keys": some}):
            found[f"interaction:{connection}/{key}"] = facts
    for some in _chunks(others):
        for subject, connection, body, occurred_at in conn.execute(_LATEST, {"subjects": some}):
            found[subject] = _alone(connection, _event.decode(body), occurred_at)
    return found


def _alone(connection: str, event: Event, occurred_at: int) -> str:
    """The facts of an event that stands alone."""
    said = event.interaction
    facts = Facts(
        connection=connection,
        event=EventRef(id=event.id, type=event.type, occurred_at=from_ms(occurred_at)),
        interaction=None if said is None else msgspec.convert(
            {name: value for name in said.__struct_fields__ if (value := getattr(said, name)) is not None}, InteractionFacts
        ),
        agent=event.agent,
        customer=event.customer,
        wrap_up=event.wrap_up,
        disposition=event.disposition,
        dial=event.dial,
        campaign=event.campaign,
        work_item=event.work_item,
        attached=event.attached or {},
        final=True,
    )  # fmt: skip
    return msgspec.json.encode(facts).decode()


# --- deliveries ----------------------------------------


def make_due(conn: Connection, rows: Sequence[Due]) -> None:
    """Put deliveries in the outbox. One that waits already stands for the new one too: the facts are read when it goes."""
    write_rows(conn, _deliver(conn.dialect.name), sorted(rows, key=lambda row: row[1::-1]))


def never_call(conn: Connection, numbers: Mapping[str, str], since: int) -> None:
    """Remember numbers (E.164, with where that comes from) that asked not to be called."""
    statement = _insert(conn, do_not_call).on_conflict_do_nothing()
    conn.execute(
        statement, [{"phone": phone, "source": source, "since": since} for phone, source in sorted(numbers.items())]
    )


def may_pass(error: Exception) -> bool:
    """Whether the same transaction may well succeed when it is tried again: other nodes were at the same rows."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in PASSING


def store_is_away(error: Exception) -> bool:
    """Whether the store itself does not answer, so that trying row by row would only take longer."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    busy = type(error.orig).__name__ == "OperationalError" and not state  # SQLite: locked, full, read-only
    return error.connection_invalidated or busy or state[:2] in ("08", "53", "57")


# --- statements ----------------------------------------

_ADD_EVENT = insert(events).values(parameters(NewEvent))
_ADD_INTERACTION = insert(interactions).values(parameters(Folded))
_put = sqlite.insert(interactions).values(parameters(Folded))
_PUT_INTERACTION = _put.on_conflict_do_update(
    index_elements=["connection", "key"],
    set_={name: _put.excluded[name] for name in Folded._fields if name not in ("connection", "key")},
)
_CHANGE = (
    update(interactions)
    .where(interactions.c.connection == bindparam("_connection"), interactions.c.key == bindparam("_key"))
    .values({name: value for name, value in parameters(Folded).items() if name not in ("connection", "key")})
)
_KNOWN = select(events.c.source_id).where(
    events.c.connection == bindparam("connection"), events.c.source_id.in_(bindparam("ids", expanding=True))
)
_EVENTS_OF = select(events.c.subject, events.c.body).where(events.c.subject.in_(bindparam("subjects", expanding=True)))
_THESE = (
    interactions.c.connection == bindparam("connection"),
    interactions.c.key.in_(bindparam("keys", expanding=True)),
)
_LOCKED = (
    select(interactions.c.key, interactions.c.facts, interactions.c.triggered)
    .where(*_THESE)
    .order_by(interactions.c.key)
    .with_for_update()  # nothing to SQLite, whose write transactions are alone anyway
)
_FACTS = select(interactions.c.key, interactions.c.facts).where(*_THESE)
_DIALLED = (
    select(dials.c.interaction, dials.c.record)
    .where(dials.c.connection == bindparam("connection"), dials.c.interaction.in_(bindparam("keys", expanding=True)))
    .order_by(dials.c.created_at)
)
_newer = events.alias("newer")
_LATEST = select(events.c.subject, events.c.connection, events.c.body, events.c.occurred_at).where(
    events.c.subject.in_(bindparam("subjects", expanding=True)),
    ~select(_newer.c.id)
    .where(
        _newer.c.subject == events.c.subject,
        (_newer.c.occurred_at > events.c.occurred_at)
        | ((_newer.c.occurred_at == events.c.occurred_at) & (_newer.c.source_id > events.c.source_id)),
    )
    .exists(),
)


@cache
def _deliver(dialect: str) -> Any:
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(deliveries)
    new, old = statement.excluded, deliveries.c
    zero: Any = literal_column("0")
    # A state is written out, never bound: only then does the partial index of that state serve.
    fixed = {"action": "'upsert'", "state": "'pending'", "attempts": "0", "collapsed": "0"}
    values: dict[str, Any] = {name: literal_column(value) for name, value in fixed.items()}
    values |= {"in_doubt": text("false"), "updated_at": bindparam("_created_at")}
    return statement.values(parameters(Due) | values).on_conflict_do_update(
        index_elements=["subject", "mapping"],
        index_where=text("state = 'pending'"),
        set_={
            "connection": new.connection,
            "lane": new.lane,
            "provisional": new.provisional,
            # What waits between two attempts waits on: news are no reason to press a CRM that just refused.
            "due_at": case((old.attempts > zero, old.due_at), (old.due_at < new.due_at, old.due_at), else_=new.due_at),
            "collapsed": old.collapsed + literal_column("1"),
            "updated_at": new.updated_at,
        },
    )


def _insert(conn: Connection, table: Any) -> Any:
    return (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table)


def _by_connection(keys: Iterable[Key]) -> Iterator[tuple[str, Sequence[str]]]:
    for connection, group in groupby(sorted(keys), key=lambda key: key[0]):
        for some in _chunks([key for _, key in group]):
            yield connection, some


def _chunks(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))
