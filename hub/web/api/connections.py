"""Connections: how each one is, and the switch to pause it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from marshmallow import Schema
from marshmallow import fields as wire
from marshmallow.validate import Length
from msgspec.structs import asdict

from hub.connections import Connection
from hub.contract import Checks, capabilities
from hub.errors import ConnectorError, nearest
from hub.flow.delivery import pauses
from hub.flow.forecast import forecasts
from hub.flow.rights import rights_at
from hub.flow.standing import Standing
from hub.model import Identity
from hub.store import alerts, calls, deliveries
from hub.store.connection_states import ConnectionState
from hub.web.access import require_scope
from hub.web.api.alerts import AlertSchema
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment, Noun
from hub.web.current import the_hub
from hub.web.problems import Problem, not_found

if TYPE_CHECKING:
    from hub.assembly import Hub

api = Blueprint("connections", __name__)


class QueueSchema(Schema):
    """How many deliveries to it are not done."""

    pending = wire.Integer()
    sending = wire.Integer()
    parked = wire.Integer()


class LanesSchema(Schema):
    """Calls by lane."""

    interactive = wire.Integer(metadata={"description": "What a person waits for, and interactive deliveries."})
    wrap_ups = wire.Integer()
    lists = wire.Integer(metadata={"description": "List pulls, and contact lists that go out."})


class BudgetSchema(Schema):
    """The day's calls: what was made, what is left, and when they end at the present rate."""

    calls_today = wire.Nested(LanesSchema)
    per_hour = wire.Float(metadata={"description": "Calls an hour, over the last hour and a quarter."})
    limit = wire.Integer(allow_none=True, metadata={"description": "The limit that ends first; null: none is known."})
    used = wire.Integer(allow_none=True)
    left = wire.Integer(allow_none=True)
    by_vendor = wire.Boolean(metadata={"description": "Whether that limit is the vendor's own, not `calls_per_day`."})
    window_ends = Moment(allow_none=True, metadata={"description": "When it is new; null: its window rolls."})
    ends_at = Moment(allow_none=True, metadata={"description": "When it is used up; null: not before its window ends."})
    room = wire.Nested(LanesSchema, allow_none=True, metadata={"description": "How many calls each lane has left."})


class QuotaSchema(Schema):
    """What the vendor said last of its own count."""

    used = wire.Integer()
    limit = wire.Integer()
    window_seconds = wire.Integer()
    until = Moment(allow_none=True, metadata={"description": "When its window ends, where the vendor says so."})
    seen_at = Moment()


class CredentialsSchema(Schema):
    """How our credentials stand there."""

    state = wire.String(metadata={"enum": ["good", "expiring", "refused", "unknown"]})
    message = wire.String()
    expires_at = Moment(allow_none=True, metadata={"description": "When they end, where anybody says so."})
    checked_at = Moment(allow_none=True)


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
    budget = wire.Nested(BudgetSchema)
    quotas = wire.List(wire.Nested(QuotaSchema))
    credentials = wire.Nested(CredentialsSchema)
    queue = wire.Nested(QueueSchema)


class ConnectionsSchema(Schema):
    """All connections."""

    connections = wire.List(wire.Nested(ConnectionSchema))


class PauseBody(Schema):
    """Why a connection is paused."""

    message = wire.String(load_default="", validate=Length(max=500))


class RightsSchema(Schema):
    """What our user may do with the records of one object; null: the system does not say."""

    object = wire.String()
    may_make = wire.Boolean(allow_none=True)
    may_change = wire.Boolean(allow_none=True)
    mode = wire.String(metadata={"enum": ["incremental", "once", "none"], "description": "`once` goes, and `append`."})
    unfit = wire.Dict(metadata={"description": "Mappings whose mode needs a right that is not there, with that mode."})


class CheckSchema(Schema):
    """Who we are at the other system, or why it does not say."""

    ok = wire.Boolean()
    took_ms = wire.Float()
    identity = Noun(Identity, allow_none=True)
    rights = wire.List(
        wire.Nested(RightsSchema),
        metadata={"description": "For each object that mappings write there."},
    )
    error = wire.Dict(allow_none=True, metadata={"description": "`name` and `message` of what failed."})


class ComparedSchema(Schema):
    """What a comparison found."""

    compared = wire.Integer(metadata={"description": "How many mappings could be compared."})
    alerts = wire.List(wire.Nested(AlertSchema), metadata={"description": "The open alerts about what does not fit."})


@api.get("/connections")
@endpoint(scope="read", answers=ConnectionsSchema, about="All connections, how they are and what waits for them.")
def connections() -> Any:
    return {"connections": all_shown(the_hub())}


@api.get("/connections/<name>")
@endpoint(scope="read", answers=ConnectionSchema, about="One connection.", problems={404: "Not there."})
def connection(name: str) -> Any:
    return _one(_known(name))


@api.post("/connections/<name>/check")
@endpoint(
    scope="connections",
    answers=CheckSchema,
    about="Ask the other system who we are there and what our user may do. Changes nothing.",
    problems={404: "Not there, or its connector cannot be checked."},
)
def check(name: str) -> Any:
    there, hub = _known(name), the_hub()
    if not isinstance(there.connector, Checks):
        raise Problem(404, f"{name} ({there.manifest.title}) has nothing to check.", kind="cannot")
    began = time.perf_counter()
    identity, error, rights = None, None, []
    try:
        identity = hub.watch.standings.check(there, for_person=True)
        rights = rights_at(there, hub.mappings.all())
    except ConnectorError as failed:
        error = {"name": failed.name, "message": str(failed)}
    took = round((time.perf_counter() - began) * 1000, 1)
    return {"ok": error is None, "took_ms": took, "identity": identity, "rights": rights, "error": error}


@api.post("/connections/<name>/compare")
@endpoint(
    scope="connections",
    answers=ComparedSchema,
    about="Compare every published mapping that writes or pulls there with what it is now; raise and clear alerts.",
    problems={404: "Not there, or its connector does not describe itself."},
)
def compare(name: str) -> Any:
    there, hub = _known(name), the_hub()
    if not there.can("describe"):
        raise Problem(404, f"{name} ({there.manifest.title}) does not describe itself.", kind="cannot")
    compared = hub.drift.compare(name)
    with hub.store.read() as connection:
        raised = alerts.opened(connection, kind=alerts.DRIFT, connection=name)
    return {"compared": compared, "alerts": raised}


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


def all_shown(hub: Hub) -> list[dict[str, Any]]:
    """Every connection as ConnectionSchema dumps it. Their settings are not shown: they hold secrets."""
    states, standings = pauses.states(hub.store), hub.watch.standings.all()
    told = forecasts(hub.store, hub.connections)
    with hub.store.read() as connection:
        waiting, quotas = deliveries.waiting(connection), calls.told(connection)
    return [
        {
            "name": name,
            "connector": there.manifest.name,
            "title": there.manifest.title,
            "family": there.manifest.family,
            "verbs": capabilities(there.connector),
            **asdict(states.get(name) or ConnectionState(connection=name)),
            "calls_per_day": there.config.calls_per_day,
            "budget": asdict(told[name]),
            "quotas": [asdict(one.quota) | {"seen_at": one.at} for one in quotas.get(name, ())],
            "credentials": asdict(standings.get(name, Standing())),
            "queue": {state: waiting.get(name, {}).get(state, 0) for state in deliveries.OPEN_STATES},
        }
        for name, there in hub.connections.items()
    ]


def _one(there: Connection) -> dict[str, Any]:
    return next(shown for shown in all_shown(the_hub()) if shown["name"] == there.name)


def _known(name: str) -> Connection:
    hub = the_hub()
    if name not in hub.connections:
        raise not_found(f'There is no connection "{name}"{nearest(name, hub.connections) or "."}')
    return hub.connections[name]
