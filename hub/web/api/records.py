"""Records: find them in a CRM, as the hub would."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint
from marshmallow import Schema, ValidationError, validates_schema
from marshmallow import fields as wire
from marshmallow.validate import Length

from hub import model
from hub.contract import Finds
from hub.errors import NotFound, nearest
from hub.flow.delivery.calls import unpaced
from hub.model import Lookup, LookupBy
from hub.phone import e164
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment, Noun
from hub.web.current import the_hub
from hub.web.problems import Problem, not_found

api = Blueprint("records", __name__)

WAYS: tuple[LookupBy, ...] = ("phone", "email", "key", "id")
Word = Length(1, 320)


class FindQuery(Schema):
    """By what to find: exactly one of phone, email, key and id."""

    phone = wire.String(validate=Word, metadata={"description": "As written; read as a number of the hub's country."})
    email = wire.String(validate=Word)
    key = wire.String(validate=Word, metadata={"description": "The value of a unique field."})
    key_field = wire.String(
        load_default="", metadata={"description": "With `key`: which field; else the object's own."}
    )
    id = wire.String(validate=Word)

    @validates_schema
    def _exactly_one(self, data: dict[str, Any], **_: Any) -> None:
        given = [way for way in WAYS if way in data]
        if len(given) != 1:
            raise ValidationError(
                f"give exactly one of {', '.join(WAYS)}{', not ' + ' and '.join(given) if given else ''}"
            )


class RecordSchema(Schema):
    """One record of a CRM."""

    object = wire.String()
    id = wire.String()
    title = wire.String()
    url = wire.String(metadata={"description": "Opens the record."})
    match = Noun(model.Match, allow_none=True)
    account = Noun(model.Account, allow_none=True)
    owner = wire.String(allow_none=True)
    open_cases = wire.Integer(allow_none=True)
    last_contact_at = Moment(allow_none=True)
    created_at = Moment(allow_none=True)
    updated_at = Moment(allow_none=True)
    fields_ = wire.Dict(data_key="fields", attribute="fields", metadata={"description": "By the CRM's own names."})


class RecordsSchema(Schema):
    """What was found."""

    records = wire.List(wire.Nested(RecordSchema))


@api.get("/records/<connection>/<object>")
@endpoint(
    scope="read",
    query=FindQuery,
    answers=RecordsSchema,
    about="Find records in a CRM by phone, e-mail, key or id. The object `person` means wherever it keeps people.",
    problems={
        404: "No such connection or object, or it cannot find.",
        502: "The CRM refused.",
        503: "The CRM does not answer.",
    },
)
def records(connection: str, object: str, query: dict[str, Any]) -> Any:
    hub = the_hub()
    if connection not in hub.connections:
        raise not_found(f'There is no connection "{connection}"{nearest(connection, hub.connections) or "."}')
    there = hub.connections[connection]
    if not isinstance(there.connector, Finds):
        raise Problem(404, f"{connection} ({there.manifest.title}) cannot find records.", kind="cannot")
    [by] = [way for way in WAYS if way in query]
    value = query[by]
    if by == "phone":
        value = e164(value, hub.config.country) or value
    try:
        lookups = [Lookup(object, by, value, query["key_field"])]
        found = unpaced(partial(there.connector.find, lookups))
    except NotFound as error:  # the object: a record that is not there is no error
        raise not_found(str(error)) from None
    return {"records": found[0]}
