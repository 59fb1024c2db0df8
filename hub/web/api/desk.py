"""The desk's API: who is calling, and dial this number."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from marshmallow import Schema, validate
from marshmallow import fields as wire

from hub.desk.asking import Wait
from hub.desk.dial import DialRefused, KeyReused
from hub.desk.screen_pop import Ask, Pop, UnknownConnection
from hub.model import Clicked
from hub.web.api.declaration import Declaration
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment
from hub.web.current import the_hub
from hub.web.problems import Problem, not_found

if TYPE_CHECKING:
    from hub.assembly import Hub

api = Blueprint("desk", __name__)

ASKED_BY = ("phone", "email", "key", "interaction")
OUTCOMES = ("requested", "accepted", "refused", "unknown")
LONG = validate.Length(max=320)


def _about(text: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"description": text, **more}}


class AskSchema(Schema):
    """What is known of the other side. At least one of phone, email, key and interaction."""

    phone = wire.String(validate=LONG, **_about("The other side's number; empty: withheld.", example="+34612345678"))
    email = wire.String(validate=LONG, **_about("The other side's e-mail address."))
    key = wire.String(validate=LONG, **_about("A CRM key that came with the interaction; it wins over the number."))
    connection = wire.String(validate=LONG, **_about("One CRM to ask alone, or the platform that asks."))
    agent = wire.String(validate=LONG, **_about("Who asks, best by e-mail address: the rule `owner` compares it."))
    interaction = wire.String(validate=LONG, **_about("The platform's id: what is left out here is taken from it."))
    direction = wire.String(validate=validate.OneOf(["inbound", "outbound", "internal"]))
    redirect = wire.Boolean(load_default=False, **_about("Answer 302 to the url."))


class AccountSchema(Schema):
    """The company that a person belongs to."""

    object = wire.String(required=True)
    id = wire.String(required=True)
    title = wire.String(required=True)


class MatchedSchema(Schema):
    """By which field of which object a record was found."""

    object = wire.String(required=True)
    field = wire.String(required=True)
    value = wire.String(required=True)


class FoundSchema(Schema):
    """One record of the answer."""

    connection = wire.String(required=True)
    object = wire.String(required=True)
    id = wire.String(required=True)
    title = wire.String(required=True)
    url = wire.String(required=True, **_about("Opens the record."))
    account = wire.Nested(AccountSchema, allow_none=True)
    matched = wire.Nested(MatchedSchema, required=True)
    rule = wire.String(required=True, **_about("The rule of the decision table that chose it."))
    why = wire.String(required=True, **_about("The same in words."))
    source = wire.String(
        required=True,
        validate=validate.OneOf(["live", "directory", "hub"]),
        **_about("live: the CRM itself; directory: the hub's own; hub: what the hub itself has just written."),
    )
    fresh_at = Moment(required=True, **_about("The record was so at this moment."))


class SilentSchema(Schema):
    """A connection that was asked and did not answer."""

    connection = wire.String(required=True)
    why = wire.String(required=True)


class PopSchema(Schema):
    """Who it is. With silent connections, `none` means "nobody known so far", never "unknown"."""

    match = wire.String(required=True, validate=validate.OneOf(["one", "many", "none"]))
    url = wire.String(required=True, **_about("What to open: the record, a page to choose, a new record or a search."))
    records = wire.List(wire.Nested(FoundSchema), required=True)
    others = wire.List(wire.Nested(FoundSchema), **_about("With match one: what matched too and was not chosen."))
    silent = wire.List(wire.Nested(SilentSchema), required=True)
    took_ms = wire.Float(required=True)
    reason = wire.String(required=True, **_about("What was not looked up and why, or why nobody is named."))


class ClickedSchema(Schema):
    """A record of a CRM."""

    connection = wire.String(required=True, validate=validate.Length(1, 80))
    object = wire.String(required=True, validate=validate.Length(1, 200))
    id = wire.String(required=True, validate=validate.Length(1, 200))


class DialSchema(Schema):
    """A click on a number."""

    to = wire.String(required=True, validate=validate.Length(1, 80), **_about("The number as the page shows it."))
    agent = wire.String(required=True, validate=validate.Length(1, 200), **_about("The platform's id of who clicked."))
    record = wire.Nested(ClickedSchema, load_default=None, allow_none=True, **_about("The record that was clicked."))
    connection = wire.String(load_default=None, allow_none=True, **_about("The platform, where several can dial."))


class KeySchema(Schema):
    """The header that makes a click one click."""

    key = wire.String(
        required=True,
        data_key="Idempotency-Key",
        validate=validate.Length(1, 200),
        **_about("New for each click; the same again gets the same answer and dials nothing."),
    )


class DialledSchema(Schema):
    """What became of a click."""

    id = wire.String(required=True)
    outcome = wire.String(
        required=True,
        validate=validate.OneOf(OUTCOMES),
        **_about("unknown: it may ring, and is never dialled again for this click."),
    )
    connection = wire.String(required=True)
    agent = wire.String(required=True)
    to = wire.String(required=True, **_about("E.164: what is dialled, read by the record's country."))
    record = wire.Nested(ClickedSchema, allow_none=True, **_about("What the call is tied to."))
    interaction = wire.String(required=True, **_about("The platform's id of the call, once it has one."))
    reason = wire.String(required=True)
    note = wire.String(required=True, **_about("What the agent should know, such as whose number it really is."))
    repeated = wire.Boolean(required=True, **_about("Whether this is the answer to an earlier click."))


SCREEN_POP = Declaration(
    scope="screen_pop",
    query=AskSchema,
    answers=PopSchema,
    about="Who is calling? Asks every CRM at once and answers before the deadline, whatever a CRM does.",
    also={302: "With redirect=1: to the url."},
    problems={422: "Nothing to look up by, or an unknown connection."},
)  # served by hub.web.screen_pops


@api.post("/dial")
@endpoint(
    scope="dial",
    body=DialSchema,
    headers=KeySchema,
    answers=DialledSchema,
    about="Click-to-dial: checked, read by the record's country, originated once. The outcome may be `unknown`.",
    problems={
        409: "The Idempotency-Key was used for another request.",
        422: "A check forbids it: the problem's type says which (no-number, own-number, do-not-call, blocked …).",
        429: "The agent dials too often.",
    },
)
def dial(body: dict[str, Any], headers: dict[str, Any]) -> Any:
    """Dial a number for an agent."""
    record = body["record"] and Clicked(**body["record"])
    try:
        return the_hub().dialer.dial(
            to=body["to"],
            agent=body["agent"],
            record=record,
            connection=body["connection"],
            idempotency_key=headers["key"],
        )
    except KeyReused as reused:
        raise Problem(409, str(reused), kind="key-reused") from None
    except DialRefused as refused:
        wait = {} if refused.retry_after is None else {"Retry-After": str(max(1, round(refused.retry_after)))}
        raise Problem(
            429 if refused.kind == "too-many" else 422, str(refused), kind=refused.kind, headers=wait
        ) from None


@api.get("/dial/<id>")
@endpoint(scope="dial", answers=DialledSchema, about="What became of a dial.", problems={404: "No such dial."})
def one_dial(id: str) -> Any:
    """What became of a dial."""
    dialled = the_hub().dialer.state(id)
    if dialled is None:
        raise not_found(f"There is no dial {id}.")
    return dialled


def popping(hub: Hub, query: dict[str, Any]) -> Generator[Wait, None, Pop]:
    """The steps of a screen pop for a checked query. Raises Problem."""
    if not any(name in query for name in ASKED_BY):
        raise Problem(422, f"Nothing to look up by: give one of {', '.join(ASKED_BY)}.", kind="invalid-request")
    try:
        return (yield from hub.screen_pop.steps(ask_of(query)))
    except UnknownConnection as unknown:
        raise Problem(422, str(unknown), kind="unknown-connection", errors={"connection": str(unknown)}) from None


def ask_of(query: Mapping[str, str]) -> Ask:
    """The query as an ask. Many a platform's URL template writes +34… as it is, and in a URL a bare + is a space."""
    told: dict[str, Any] = dict(query)
    phone = told.get("phone", "")
    if phone.startswith(" ") and phone.strip()[:1].isdigit():
        told["phone"] = "+" + phone.strip()
    return Ask(**told)
