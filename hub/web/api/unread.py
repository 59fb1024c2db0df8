"""Bodies that a proven sender sent and that could not be read: listed, and handed out as they came."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from marshmallow import Schema
from marshmallow import fields as wire
from marshmallow.validate import Range

from hub.store import listings
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment
from hub.web.current import the_hub
from hub.web.problems import not_found

api = Blueprint("unread", __name__)


class UnreadQuery(Schema):
    """Which, and where to go on."""

    connection = wire.String()
    before = wire.Integer(metadata={"description": "Go on here: `next` of the page before."})
    limit = wire.Integer(load_default=50, validate=Range(1, 500))


class UnreadOneSchema(Schema):
    """One body that could not be read."""

    id = wire.Integer()
    connection = wire.String()
    received_at = Moment()
    reason = wire.String()
    size = wire.Integer(metadata={"description": "In bytes."})


class UnreadSchema(Schema):
    """The newest first."""

    unread = wire.List(wire.Nested(UnreadOneSchema))
    next = wire.Integer(allow_none=True, metadata={"description": "`before` of the next page; null: this is the last."})


@api.get("/unread")
@endpoint(
    scope="admin", query=UnreadQuery, answers=UnreadSchema, about="Bodies that could not be read, the newest first."
)
def unread(query: dict[str, Any]) -> Any:
    limit = query["limit"]
    with the_hub().store.read() as connection:
        page = listings.unread_page(connection, of=query.get("connection"), before=query.get("before"), limit=limit + 1)
    return {"unread": page[:limit], "next": page[limit - 1].id if len(page) > limit else None}


@api.get("/unread/<int:id>/body")
@endpoint(
    scope="admin",
    about="The body as it came, byte for byte.",
    media="application/octet-stream",
    problems={404: "Not there."},
)
def body(id: int) -> Any:
    with the_hub().store.read() as connection:
        found = listings.unread_one(connection, id)
    if found is None:
        raise not_found(f"There is no unread body {id}.")
    # As an attachment of no known type: nothing that a stranger sent is run by a browser on our origin.
    headers = {"Content-Disposition": f'attachment; filename="unread-{id}"'}
    return Response(found.body, mimetype="application/octet-stream", headers=headers)
