"""Alerts: what a person has to know, by kind; open ones and those that are over."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from marshmallow import Schema
from marshmallow import fields as wire
from marshmallow.validate import Range

from hub.store import alerts as stored
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment
from hub.web.current import the_hub

api = Blueprint("alerts", __name__)


class AlertsQuery(Schema):
    """Which, and where to go on."""

    open = wire.Boolean(metadata={"description": "true: open ones, false: cleared ones; without it: all."})
    kind = wire.List(wire.String(), metadata={"description": "`drift`, `credentials`, `quota`, `not_kept`, …"})
    connection = wire.String()
    mapping = wire.String()
    before = wire.Integer(metadata={"description": "Go on here: `next` of the page before."})
    limit = wire.Integer(load_default=50, validate=Range(1, 500))


class AlertSchema(Schema):
    """One alert: the same trouble is one, from when it was raised until it was cleared."""

    id = wire.Integer()
    key = wire.String(metadata={"description": "The trouble's own name."})
    kind = wire.String()
    connection = wire.String(allow_none=True)
    mapping = wire.String(allow_none=True)
    field = wire.String(allow_none=True)
    message = wire.String()
    raised_at = Moment()
    seen_at = Moment(metadata={"description": "When it was last found to be so."})
    cleared_at = Moment(allow_none=True, metadata={"description": "Null while it is open."})


class AlertsSchema(Schema):
    """The newest first."""

    alerts = wire.List(wire.Nested(AlertSchema))
    next = wire.Integer(allow_none=True, metadata={"description": "`before` of the next page; null: this is the last."})


@api.get("/alerts")
@endpoint(scope="read", query=AlertsQuery, answers=AlertsSchema, about="Alerts, the newest first.")
def alerts(query: dict[str, Any]) -> Any:
    limit = query["limit"]
    with the_hub().store.read() as connection:
        page = stored.page(
            connection,
            open=query.get("open"),
            kinds=query.get("kind", ()),
            connection=query.get("connection"),
            mapping=query.get("mapping"),
            before=query.get("before"),
            limit=limit + 1,
        )
    return {"alerts": page[:limit], "next": page[limit - 1].id if len(page) > limit else None}
