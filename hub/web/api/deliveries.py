"""Deliveries: look at them, and send them again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from marshmallow import Schema, ValidationError, validates_schema
from marshmallow import fields as wire
from marshmallow.validate import Length, OneOf, Range

from hub.flow.delivery.replay import replay
from hub.store import deliveries as store
from hub.store.deliveries import STATES, Delivery, Filter
from hub.web.access import require_scope
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment
from hub.web.current import the_hub
from hub.web.problems import not_found

api = Blueprint("deliveries", __name__)


class ReasonSchema(Schema):
    """Why a delivery waits, was skipped or is parked."""

    name = wire.String(metadata={"description": "The word for it, such as `rejected`."})
    message = wire.String()
    fields_ = wire.Dict(
        keys=wire.String(),
        values=wire.String(),
        data_key="fields",
        attribute="fields",
        metadata={"description": "The row's fields that it is about: name → what is wrong."},
    )


class AttemptSchema(Schema):
    """One try: what was sent and what became of it."""

    started_at = Moment()
    took_ms = wire.Integer()
    mapping_version = wire.Integer()
    outcome = wire.String(
        metadata={"description": "`created`, `updated`, `unchanged`, `removed`, `skipped` or `failed`."}
    )
    sent = wire.Dict(allow_none=True, metadata={"description": "The fields as they were sent."})
    notes = wire.List(wire.Dict(), metadata={"description": "Cuts and whatever else was not to be silent."})
    error = wire.Nested(ReasonSchema, allow_none=True)


class DeliverySchema(Schema):
    """One delivery: one subject × one mapping, and what became of it."""

    id = wire.Integer()
    mapping = wire.String()
    subject = wire.String(metadata={"description": "What it is about, such as `interaction:softphone/call-1`."})
    state = wire.String(metadata={"enum": list(STATES)})
    connection = wire.String(metadata={"description": "The target's."})
    object = wire.String(allow_none=True, metadata={"description": "The object that was written, such as `activity`."})
    record_id = wire.String(allow_none=True)
    url = wire.String(allow_none=True, attribute="record_url", metadata={"description": "Opens the record."})
    action = wire.String(metadata={"enum": ["upsert", "remove"]})
    provisional = wire.Boolean(metadata={"description": "Whether later facts will update the record."})
    in_doubt = wire.Boolean(metadata={"description": "Whether an earlier attempt may have been done."})
    tries = wire.Integer(attribute="attempts")
    collapsed = wire.Integer(metadata={"description": "How many older waiting ones this one stands for."})
    lane = wire.Integer(metadata={"description": "0 interactive, 1 wrap-ups, 2 lists."})
    due_at = Moment()
    reason = wire.Nested(ReasonSchema, allow_none=True)
    created_at = Moment()
    updated_at = Moment()


class FullDeliverySchema(DeliverySchema):
    """One delivery with its attempts."""

    tries = wire.Integer()
    attempts = wire.List(wire.Nested(AttemptSchema))


class FilterSchema(Schema):
    """Which deliveries; what is not given does not narrow."""

    state = wire.List(
        wire.String(validate=OneOf(STATES)), validate=Length(min=1), metadata={"description": "One or several states."}
    )
    mapping = wire.String()
    connection = wire.String(metadata={"description": "The target's."})
    subject = wire.String(metadata={"description": "Such as `interaction:softphone/call-1`."})
    reason = wire.String(metadata={"description": "An error's word, such as `rejected`."})
    since = Moment(metadata={"description": "Made at this moment or later."})
    until = Moment(metadata={"description": "Made before this moment."})


class DeliveriesQuery(FilterSchema):
    """A filter and where to go on."""

    before = wire.Integer(metadata={"description": "Go on here: `next` of the page before."})
    limit = wire.Integer(load_default=50, validate=Range(1, 500))


class DeliveriesSchema(Schema):
    """The newest deliveries first."""

    deliveries = wire.List(wire.Nested(DeliverySchema))
    next = wire.Integer(allow_none=True, metadata={"description": "`before` of the next page; null: this is the last."})


class ReplayBody(Schema):
    """Which deliveries to send again: by `ids` or by `filter`."""

    ids = wire.List(wire.Integer(validate=Range(min=1)), validate=Length(1, 10_000))
    filter = wire.Nested(FilterSchema)

    @validates_schema
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if ("ids" in data) == ("filter" in data):
            raise ValidationError("say which: either `ids` or `filter`")
        if not data.get("filter", True):
            raise ValidationError(
                "an empty filter would send everything again; name a state, mapping or time", "filter"
            )


class RefusedSchema(Schema):
    """A delivery that was not replayed."""

    id = wire.Integer()
    why = wire.String()


class ReplayedSchema(Schema):
    """What a replay did."""

    replayed = wire.Integer(metadata={"description": "How many are pending again."})
    collapsed = wire.Integer(metadata={"description": "How many a waiting one of the same pair stands for."})
    refused = wire.List(wire.Nested(RefusedSchema))


@api.get("/deliveries")
@endpoint(scope="read", query=DeliveriesQuery, answers=DeliveriesSchema, about="Deliveries, the newest first.")
def deliveries(query: dict[str, Any]) -> Any:
    before, limit = query.pop("before", None), query.pop("limit")
    with the_hub().store.read() as connection:
        page = store.page(connection, _filter(query), before=before, limit=limit + 1)
    more = len(page) > limit
    return {"deliveries": page[:limit], "next": page[limit - 1].id if more else None}


@api.get("/deliveries/<int:id>")
@endpoint(
    scope="deliveries",
    answers=FullDeliverySchema,
    about="One delivery with its attempts.",
    problems={404: "Not there."},
)
def delivery(id: int) -> Any:
    with the_hub().store.read() as connection:
        found = store.one(connection, id)
        if found is None:
            raise not_found(f"There is no delivery {id}.")
        return full(found, store.attempts_of(connection, [id])[id])


@api.post("/deliveries/replay")
@endpoint(
    scope="deliveries",
    body=ReplayBody,
    answers=ReplayedSchema,
    about="Send deliveries again, from the facts and the mapping as they are now and by the same keys: nothing duplicates.",
)
def send_again(body: dict[str, Any]) -> Any:
    hub = the_hub()
    where = Filter(ids=tuple(body["ids"])) if "ids" in body else _filter(body["filter"])
    done = replay(hub.store, where, by=require_scope("deliveries").name)
    return {
        "replayed": done.replayed,
        "collapsed": done.collapsed,
        "refused": [{"id": id, "why": why} for id, why in sorted(done.refused.items())],
    }


def full(delivery: Delivery, attempts: list[store.Attempt]) -> dict[str, Any]:
    """A delivery with its attempts, as FullDeliverySchema dumps it."""
    shown = {name: getattr(delivery, name) for name in delivery.__struct_fields__ if name != "attempts"}
    return shown | {"attempts": attempts, "tries": delivery.attempts}


def _filter(given: dict[str, Any]) -> Filter:
    return Filter(states=tuple(given.pop("state", ())), **given)
