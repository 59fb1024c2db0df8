"""Interactions: what is known of one, and what became of it in the CRMs."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint
from marshmallow import Schema
from marshmallow import fields as wire

from hub import model
from hub.flow.subject import interaction_subject
from hub.store import deliveries as store
from hub.store.deliveries import Filter
from hub.store.listings import interactions_by_key
from hub.web.api.deliveries import FullDeliverySchema, full
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment, Noun
from hub.web.current import the_hub
from hub.web.problems import Problem, not_found

api = Blueprint("interactions", __name__)

MOST_DELIVERIES = 200
# What the stored facts leave out because it goes without saying; an answer says it.
_AT_FIRST = {"state": "created", "anonymous": False}


class WhichQuery(Schema):
    """Which of several platforms' interactions."""

    connection = wire.String(metadata={"description": "The platform's connection, where two have this key."})


class InteractionSchema(Schema):
    """One interaction as it is known now: all that its events fold into, with its deliveries."""

    key = wire.String(metadata={"description": "The platform's own id."})
    connection = wire.String(metadata={"description": "The platform's connection."})
    updated_at = Moment()
    event = Noun(model.EventRef)
    interaction = Noun(model.InteractionFacts)
    agent = Noun(model.Agent)
    agents = wire.List(Noun(model.Agent))
    customer = Noun(model.Customer)
    wrap_up = Noun(model.WrapUp)
    wrap_ups = wire.List(Noun(model.AgentWrapUp))
    disposition = Noun(model.Disposition)
    comments = wire.List(Noun(model.CommentFacts))
    transfers = wire.List(Noun(model.TransferFacts))
    legs = wire.List(Noun(model.Leg))
    recordings = wire.List(Noun(model.Recording))
    dial = Noun(model.DialPart)
    clicked = Noun(model.Clicked)
    campaign = Noun(model.CampaignPart)
    work_item = Noun(model.WorkItemPart)
    attached = wire.Dict()
    final = wire.Boolean(metadata={"description": "Whether it is wrapped up."})
    deliveries = wire.List(wire.Nested(FullDeliverySchema))


@api.get("/interactions/<path:key>")
@endpoint(
    scope="read",
    query=WhichQuery,
    answers=InteractionSchema,
    about="One interaction with its deliveries, their attempts and receipts.",
    problems={404: "No platform has it.", 409: "Two platforms have this key: `connections` names them."},
)
def interaction(key: str, query: dict[str, Any]) -> Any:
    hub, of = the_hub(), query.get("connection")
    with hub.store.read() as connection:
        found = interactions_by_key(connection, key, of)
        if not found:
            where = f" on {of}" if of else ""
            raise not_found(f'There is no interaction "{key}"{where}.')
        if len(found) > 1:
            names = [row.connection for row in found]
            raise Problem(
                409,
                f'{len(names)} connections have an interaction "{key}": say which by ?connection={names[0]}.',
                kind="which-connection",
                connections=names,
            )
        [row] = found
        about = Filter(subject=interaction_subject(row.connection, row.key))
        made = store.page(connection, about, limit=MOST_DELIVERIES)
        attempts = store.attempts_of(connection, [delivery.id for delivery in made])
    facts = msgspec.json.decode(row.facts)
    return (
        {"final": False}
        | facts
        | {
            "interaction": _AT_FIRST | facts["interaction"],
            "key": row.key,
            "connection": row.connection,
            "updated_at": row.updated_at,
            "deliveries": [full(delivery, attempts[delivery.id]) for delivery in reversed(made)],
        }
    )
