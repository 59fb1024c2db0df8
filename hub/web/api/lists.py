"""Contact lists: how they stand, who is left out and why, and pull one now."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

from flask import Blueprint
from marshmallow import Schema
from marshmallow import fields as wire
from marshmallow.validate import Range

from hub.errors import ConfigError, nearest
from hub.flow.lists.membership import Counts
from hub.flow.lists.pull import ContactLists, ListStatus
from hub.flow.lists.runs import ListBusy
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment
from hub.web.current import the_hub
from hub.web.problems import Problem, not_found

api = Blueprint("lists", __name__)


class CountsSchema(Schema):
    """What a pull did, or would do."""

    read = wire.Integer(metadata={"description": "Rows that the CRM gave."})
    sent = wire.Integer(metadata={"description": "Members queued for the platform, new or changed."})
    unchanged = wire.Integer(metadata={"description": "Members that are on the list as they were; nothing is sent."})
    removed = wire.Integer(metadata={"description": "Members queued for removal from the platform's list."})
    left_out = wire.Dict(
        keys=wire.String(), values=wire.Integer(), metadata={"description": "Members left out, by reason."}
    )
    examples = wire.Dict(
        keys=wire.String(),
        values=wire.List(wire.String()),
        metadata={"description": "The first member ids of each outcome and reason."},
    )


class RunSchema(Schema):
    """One pull."""

    id = wire.Integer()
    state = wire.String(metadata={"enum": ["running", "done", "failed"]})
    full = wire.Boolean(metadata={"description": "Whether everything was read, not only what changed."})
    started_at = Moment()
    finished_at = Moment(allow_none=True)
    counts = wire.Nested(CountsSchema)
    error = wire.String(allow_none=True)


class ListSchema(Schema):
    """A contact list as it stands."""

    mapping = wire.String(metadata={"description": "The mapping that declares it."})
    about = wire.String()
    source = wire.String(metadata={"description": "Connection and object that it is pulled from."})
    target = wire.String(metadata={"description": "Connection and object that it is written to."})
    state = wire.String(metadata={"enum": ["never pulled", "running", "done", "failed"]})
    on = wire.Integer(metadata={"description": "Members that are on the list."})
    left_out = wire.Dict(
        keys=wire.String(), values=wire.Integer(), metadata={"description": "Members left out, by reason."}
    )
    last_run = wire.Nested(RunSchema, allow_none=True)


class ListsSchema(Schema):
    """All contact lists."""

    lists = wire.List(wire.Nested(ListSchema))


class LeftOutSchema(Schema):
    """A member that is left out, and why."""

    member = wire.String()
    reason = wire.String(metadata={"description": "Such as `no consent` or `duplicate of 17`."})


class OneListSchema(ListSchema):
    """A contact list with a page of the members that are left out."""

    members_left_out = wire.List(wire.Nested(LeftOutSchema))
    next = wire.String(allow_none=True, metadata={"description": "`after` of the next page; null: this is the last."})


class MembersQuery(Schema):
    """Which of the members that are left out."""

    reason = wire.String(load_default="", metadata={"description": "Of this reason only, such as `duplicate`."})
    after = wire.String(load_default="", metadata={"description": "Go on here: `next` of the page before."})
    limit = wire.Integer(load_default=100, validate=Range(1, 1000))


class PullBody(Schema):
    """How to pull."""

    full = wire.Boolean(load_default=False, metadata={"description": "Read everything, not only what changed."})
    simulate = wire.Boolean(load_default=False, metadata={"description": "Only say what would be done, and why."})
    wait_seconds = wire.Float(
        load_default=20.0, validate=Range(0, 60), metadata={"description": "How long to wait for a pull to end."}
    )


class StandingSchema(Schema):
    """How the whole list stands after a pull; the pull's own counts name only what it read."""

    on = wire.Integer(metadata={"description": "Members that are on the list."})
    left_out = wire.Dict(
        keys=wire.String(), values=wire.Integer(), metadata={"description": "Members left out, by reason."}
    )


class PullSchema(Schema):
    """A pull: done, or still running."""

    mapping = wire.String()
    simulated = wire.Boolean()
    state = wire.String(metadata={"enum": ["running", "done"]})
    counts = wire.Nested(CountsSchema)
    standing = wire.Nested(
        StandingSchema, allow_none=True, metadata={"description": "The whole list afterwards; null while it runs."}
    )


@api.get("/lists")
@endpoint(scope="read", answers=ListsSchema, about="The contact lists: how many are on them, and the last pull.")
def lists() -> Any:
    hub_lists = the_hub().lists
    return {"lists": [_shown(hub_lists.status(name)) for name in hub_lists.names()]}


@api.get("/lists/<name>")
@endpoint(
    scope="read",
    query=MembersQuery,
    answers=OneListSchema,
    about="One contact list, and the members that are left out with the reason.",
    problems={404: "Not there."},
)
def one_list(name: str, query: dict[str, Any]) -> Any:
    hub_lists = _with(name)
    limit = query.pop("limit")
    found = hub_lists.left_out(name, limit=limit + 1, **query)
    following = found[limit - 1].member if len(found) > limit else None
    return _shown(hub_lists.status(name)) | {"members_left_out": found[:limit], "next": following}


@api.post("/lists/<name>/pull")
@endpoint(
    scope="lists",
    body=PullBody,
    answers=PullSchema,
    about="Pull a contact list now, or simulate it.",
    also={202: "It goes on in the background; the list's last run tells how far it is."},
    problems={
        404: "Not there.",
        409: "It is being pulled just now.",
        502: "The CRM refused.",
        503: "The CRM does not answer.",
    },
)
def pull(name: str, body: dict[str, Any]) -> Any:
    hub_lists = _with(name)
    simulate, standing = body["simulate"], list[ListStatus]()
    try:
        if simulate:
            counts = hub_lists.pull(name, full=body["full"], simulate=True, standing=standing.append)
        else:
            counts = _pulled(hub_lists, name, body["full"], body["wait_seconds"], standing)
    except ListBusy as busy:
        raise Problem(409, f"{busy}.", kind="list-busy") from None
    except ConfigError as wrong:
        raise Problem(422, f"{wrong}.", kind="not-a-list") from None
    answer = {"mapping": name, "simulated": simulate, "counts": counts}
    if not standing:
        return answer | {"state": "running", "standing": None}, 202
    return answer | {"state": "done", "standing": standing[0]}, 200


def _pulled(hub_lists: ContactLists, name: str, full: bool, wait_seconds: float, standing: list[ListStatus]) -> Counts:
    """What a pull did within the time; a longer one goes on by itself, and tells how far it is. Once it is done, `standing`
    has how the list stands."""
    result: Future[tuple[Counts, list[ListStatus]]] = Future()
    so_far = Counts()

    def heard(counts: Counts) -> None:
        nonlocal so_far
        so_far = counts

    def run() -> None:
        try:
            ended: list[ListStatus] = []
            counts = hub_lists.pull(name, full=full, progress=heard, standing=ended.append)
            result.set_result((counts, ended))
        except BaseException as failure:  # noqa: BLE001  (it is raised again where it is waited for)
            result.set_exception(failure)

    threading.Thread(target=run, name=f"pull {name}", daemon=True).start()
    try:
        counts, ended = result.result(wait_seconds)
    except TimeoutError:
        if result.done():
            raise
        return so_far
    standing += ended
    return counts


def _with(name: str) -> ContactLists:
    hub_lists = the_hub().lists
    names = hub_lists.names()
    if name not in names:
        raise not_found(f'There is no contact list "{name}"{nearest(name, names) or "."}')
    return hub_lists


def _shown(status: ListStatus) -> dict[str, Any]:
    return {
        "mapping": status.mapping,
        "about": status.about,
        "source": status.source,
        "target": status.target,
        "state": status.run.state if status.run is not None else "never pulled",
        "on": status.on,
        "left_out": status.left_out,
        "last_run": status.run,
    }
