"""The customer directory: what it knows of a number or an address, and how fresh it is."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from marshmallow import Schema, validate
from marshmallow import fields as wire

from hub.desk.caller import read_number
from hub.flow.directory.load import DirectoryStatus
from hub.model import PERSON, Lookup
from hub.web.api.desk import AccountSchema, MatchedSchema
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment
from hub.web.current import the_hub

api = Blueprint("directory", __name__)

LONG = validate.Length(max=320)


def _about(text: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"description": text, **more}}


class WhoQuery(Schema):
    """Whom to look up; without anything, only how the directory stands."""

    phone = wire.String(
        load_default="", validate=LONG, **_about("A number, read as by a screen pop.", example="+34612345678")
    )
    email = wire.String(load_default="", validate=LONG, **_about("An e-mail address."))


class EntrySchema(Schema):
    """A record that the directory knows."""

    connection = wire.String(required=True)
    object = wire.String(required=True)
    id = wire.String(required=True)
    title = wire.String(required=True)
    matched = wire.Nested(MatchedSchema, required=True)
    account = wire.Nested(AccountSchema, allow_none=True)
    kept = wire.Dict(required=True, data_key="fields", **_about("What else is kept of it, by the CRM's names."))
    fresh_at = Moment(required=True, **_about("The record was so at this moment."))


class SourceSchema(Schema):
    """One object of one connection."""

    connection = wire.String(required=True)
    object = wire.String(required=True)
    declared = wire.Boolean(required=True, **_about("Whether config/directory.yaml still names it."))
    screen_pop = wire.String(required=True, **_about("Who answers a screen pop for this connection."))
    records = wire.Integer(required=True)
    entries = wire.Integer(required=True, **_about("Numbers, addresses and keys that find a record."))
    fresh_at = Moment(
        required=True, allow_none=True, **_about("All that the CRM had then is known; null: not loaded yet.")
    )
    age_seconds = wire.Float(required=True, allow_none=True)
    state = wire.String(required=True, metadata={"enum": ["never pulled", "running", "done", "failed"]})
    error = wire.String(required=True, allow_none=True, **_about("Why the last pull failed."))


class DirectorySchema(Schema):
    """Who it is as far as the directory knows, and how the directory stands."""

    records = wire.List(wire.Nested(EntrySchema), required=True)
    sources = wire.List(wire.Nested(SourceSchema), required=True)


@api.get("/directory")
@endpoint(
    scope="screen_pop",
    query=WhoQuery,
    answers=DirectorySchema,
    about="What the customer directory knows by a number or an address, how fresh, and how much it holds. No CRM is asked.",
)
def directory(query: dict[str, Any]) -> Any:
    """What it knows, and how fresh it is."""
    hub = the_hub()
    lookups = []
    if phone := query["phone"].strip():
        lookups.append(Lookup(PERSON, "phone", read_number(phone, hub.config.country) or phone))
    if query["email"]:
        lookups.append(Lookup(PERSON, "email", query["email"]))
    records = []
    for name, told in hub.directory.tell(dict.fromkeys(hub.directory.plan.connections, lookups)).items():
        seen = {(one.object, one.id): one for each in reversed(told.records) for one in each}
        for key, one in seen.items():
            matched = {"object": one.object, "field": one.match.field, "value": one.match.value} if one.match else None
            kept = {"title": one.title, "account": one.account, "kept": one.fields, "matched": matched}
            records.append({"connection": name, "object": key[0], "id": key[1], "fresh_at": told.fresh_at[key], **kept})
    return {"records": records, "sources": [shown(one) for one in hub.directory_pulls.status()]}


def shown(status: DirectoryStatus) -> dict[str, Any]:
    """A source as the API and the start page show it."""
    return {
        "connection": status.connection,
        "object": status.object,
        "declared": status.declared,
        "screen_pop": the_hub().directory.plan.policy(status.connection, "screen_pop"),
        "records": status.records,
        "entries": status.entries,
        "fresh_at": status.fresh_at,
        "age_seconds": status.age_seconds,
        "state": status.run.state if status.run is not None else "never pulled",
        "error": status.run.error if status.run is not None else None,
    }
