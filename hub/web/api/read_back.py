"""Read-back: how well the CRMs keep what is written, field by field. Counts and lengths, never a value."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from marshmallow import Schema
from marshmallow import fields as wire

from hub.store import read_back as stored
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment
from hub.web.current import the_hub

api = Blueprint("read_back", __name__)


class ReadBackQuery(Schema):
    """Which."""

    connection = wire.String()
    mapping = wire.String()


class ScoreSchema(Schema):
    """How one field of one version of a mapping is kept."""

    connection = wire.String()
    mapping = wire.String()
    version = wire.Integer()
    field = wire.String()
    checked = wire.Integer(metadata={"description": "How often it was read after it was written."})
    kept = wire.Integer()
    changed = wire.Integer(metadata={"description": "Something else was there."})
    cut = wire.Integer(metadata={"description": "Only its beginning was there."})
    missing = wire.Integer(metadata={"description": "Nothing was there: our user may not see it, or it was emptied."})
    longest_sent = wire.Integer(allow_none=True, metadata={"description": "Characters, of those that were cut."})
    longest_kept = wire.Integer(allow_none=True)
    first_at = Moment()
    last_at = Moment()


class ReadBackSchema(Schema):
    """The scores, what waits, and what the node that answers has given up."""

    read_back = wire.List(wire.Nested(ScoreSchema))
    waiting = wire.Integer(metadata={"description": "Records that wait to be read, whichever node wrote them."})
    dropped = wire.Integer(metadata={"description": "Records of this node that were to be read and were not."})


@api.get("/read-back")
@endpoint(scope="read", query=ReadBackQuery, answers=ReadBackSchema, about="How well what was written is kept.")
def read_back(query: dict[str, Any]) -> Any:
    hub = the_hub()
    with hub.store.read() as connection:
        scores = stored.scores(connection, connection=query.get("connection"), mapping=query.get("mapping"))
    return {"read_back": scores, "waiting": hub.read_back.waiting, "dropped": hub.read_back.dropped}
