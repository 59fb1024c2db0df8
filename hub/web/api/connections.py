"""Connections: how each one is, and the switch to pause it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from flask import Blueprint
from marshmallow import Schema
from marshmallow import fields as wire
from marshmallow.validate import Length

from hub.connections import Connection
from hub.contract import Checks, capabilities
from hub.errors import ConnectorError, nearest
from hub.flow.delivery import pauses
from hub.model import Identity
from hub.store import deliveries
from hub.store.connection_states import ConnectionState
from hub.web.access import require_scope
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment, Noun
from hub.web.current import the_hub
from hub.web.problems import Problem, not_found

api = Blueprint("connections", __name__)


class QueueSchema(Schema):
    """How many deliveries to it are not done."""

    pending = wire.Integer()
    sending = wire.Integer()
    parked = wire.Integer()


class ConnectionSchema(Schema):
    """One connection: what it is and how it is."""

    name = wire.String()
    connector = wire.String()
    title = wire.String()
    family = wire.String(metadata={"description": "`crm`, `platform` or `mailbox`."})
    verbs = wire.List(wire.String(), metadata={"description": "What its connector can do."})
    state = wire.String(metadata={"enum": ["active", "paused"]})
    reason = wire.String(metadata={"description": "Why it is paused, in a word."})
    message = wire.String()
    since = Moment(allow_none=True)
    until = Moment(allow_none=True, metadata={"description": "When it goes on by itself; null while paused: by hand."})
    calls_today = wire.Integer()
    calls_per_day = wire.Integer(allow_none=True)
    queue = wire.Nested(QueueSchema)


class ConnectionsSchema(Schema):
    """All connections."""

    connections = wire.List(wire.Nested(ConnectionSchema))


class PauseBody(Schema):
    """Why a connection is paused."""

    message = wire.String(load_default="", validate=Length(max=500))


class CheckSchema(Schema):
    """Who we are at the other system, or why it does not say."""

    ok = wire.Boolean()
    took_ms = wire.Float()
    identity = Noun(Identity, allow_none=True)
    error = wire.Dict(allow_none=True, metadata={"description": "`name` and `message` of what failed."})


@api.get("/connections")
@endpoint(scope="read", answers=ConnectionsSchema, about="All connections, how they are and what waits for them.")
def connections() -> Any:
    hub = the_hub()
    known = pauses.states(hub.store)
    with hub.store.read() as connection:
        waiting = deliveries.waiting(connection)
    return {
        "connections": [
            shown(one, known.get(name) or ConnectionState(connection=name), waiting.get(name, {}))
            for name, one in hub.connections.items()
        ]
    }


@api.get("/connections/<name>")
@endpoint(scope="read", answers=ConnectionSchema, about="One connection.", problems={404: "Not there."})
def connection(name: str) -> Any:
    return _one(_known(name))


@api.post("/connections/<name>/check")
@endpoint(
    scope="connections",
    answers=CheckSchema,
    about="Ask the other system who we are there. Changes nothing.",
    problems={404: "Not there, or its connector cannot be checked."},
)
def check(name: str) -> Any:
    there = _known(name)
    if not isinstance(there.connector, Checks):
        raise Problem(404, f"{name} ({there.manifest.title}) has nothing to check.", kind="cannot")
    began = time.perf_counter()
    identity, error = None, None
    try:
        identity = there.connector.check()
    except ConnectorError as failed:
        error = {"name": failed.name, "message": str(failed)}
    took = round((time.perf_counter() - began) * 1000, 1)
    return {"ok": error is None, "took_ms": took, "identity": identity, "error": error}


@api.post("/connections/<name>/pause")
@endpoint(
    scope="connections",
    body=PauseBody,
    answers=ConnectionSchema,
    about="Pause a connection until a person resumes it. Its deliveries wait; nothing is lost.",
    problems={404: "Not there."},
)
def pause(name: str, body: dict[str, Any]) -> Any:
    there, by = _known(name), require_scope("connections").name
    pauses.pause(the_hub().store, name, body["message"] or f"paused by {by}")
    return _one(there)


@api.post("/connections/<name>/resume")
@endpoint(
    scope="connections",
    answers=ConnectionSchema,
    about="Resume a connection, whatever paused it.",
    problems={404: "Not there."},
)
def resume(name: str) -> Any:
    there = _known(name)
    pauses.resume(the_hub().store, name)
    return _one(there)


def shown(there: Connection, state: ConnectionState, waiting: Mapping[str, int]) -> dict[str, Any]:
    """A connection as ConnectionSchema dumps it. Its settings are not shown: they hold secrets."""
    return {
        "name": there.name,
        "connector": there.manifest.name,
        "title": there.manifest.title,
        "family": there.manifest.family,
        "verbs": capabilities(there.connector),
        "state": state.state,
        "reason": state.reason,
        "message": state.message,
        "since": state.since,
        "until": state.until,
        "calls_today": state.calls_today,
        "calls_per_day": there.config.calls_per_day,
        "queue": {name: waiting.get(name, 0) for name in deliveries.OPEN_STATES},
    }


def _one(there: Connection) -> dict[str, Any]:
    store = the_hub().store
    with store.read() as connection:
        waiting = deliveries.waiting(connection)
    state = pauses.states(store).get(there.name) or ConnectionState(connection=there.name)
    return shown(there, state, waiting.get(there.name, {}))


def _known(name: str) -> Connection:
    hub = the_hub()
    if name not in hub.connections:
        raise not_found(f'There is no connection "{name}"{nearest(name, hub.connections) or "."}')
    return hub.connections[name]
