"""Mappings: read, check, suggest, publish, roll back, retire."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from marshmallow import Schema
from marshmallow import fields as wire
from marshmallow.validate import Length, Range

from hub.errors import ConfigError, nearest
from hub.flow.agreement import Disagreement, compared, notes
from hub.flow.described import Asked
from hub.flow.drafts import suggestion
from hub.language.examples import run_examples
from hub.language.mapping import Mapping, compile_mapping
from hub.web.access import require_scope
from hub.web.api.endpoint import endpoint
from hub.web.api.fields import Moment
from hub.web.current import the_hub
from hub.web.problems import Problem, not_found

api = Blueprint("mappings", __name__)

Text = Length(1, 1 << 18)


class MappingSchema(Schema):
    """One mapping that runs."""

    name = wire.String()
    about = wire.String()
    version = wire.Integer()
    connections = wire.List(wire.String(), metadata={"description": "Where its events or rows come from; empty: any."})
    events = wire.List(wire.String())
    target = wire.String(metadata={"description": "The connection that it writes to."})
    write = wire.String(metadata={"description": "The object that it writes."})


class FullMappingSchema(MappingSchema):
    """One mapping with its text."""

    source = wire.String(metadata={"description": "Its YAML."})


class MappingsSchema(Schema):
    """Every mapping that runs, by name."""

    mappings = wire.List(wire.Nested(MappingSchema))


class PublishedSchema(Schema):
    """One version of a mapping."""

    name = wire.String()
    version = wire.Integer()
    by = wire.String()
    at = Moment()
    note = wire.String()
    changed = wire.Boolean(metadata={"description": "False where this content runs already; nothing was published."})
    retired = wire.Boolean(metadata={"description": "True where this version retires the mapping."})


class PublishedNowSchema(PublishedSchema):
    """A version that was just published, and what a person should know of it."""

    notes = wire.List(
        wire.String(), metadata={"description": "A system that could not be asked; a record that two mappings write."}
    )


class HistorySchema(Schema):
    """All versions, the newest first."""

    versions = wire.List(wire.Nested(PublishedSchema))


class VersionSchema(Schema):
    """The text of one version."""

    name = wire.String()
    version = wire.Integer()
    source = wire.String()


class CheckBody(Schema):
    """A mapping's YAML."""

    source = wire.String(required=True, validate=Text)


class PublishBody(CheckBody):
    """A mapping's YAML and why it is published."""

    note = wire.String(load_default="", validate=Length(max=500))
    anyway = wire.Boolean(
        load_default=False, metadata={"description": "Publish although the systems that it names disagree."}
    )


class RetireBody(Schema):
    """Why a mapping is retired."""

    note = wire.String(load_default="", validate=Length(max=500))


class RollbackBody(Schema):
    """The version to go back to: its content is published anew."""

    version = wire.Integer(required=True, validate=Range(1, 2**31 - 1))


class MappingProblemSchema(Schema):
    """What is wrong, and in which line."""

    line = wire.Integer(allow_none=True)
    problem = wire.String()


class CheckedSchema(Schema):
    """Whether a mapping could be published."""

    ok = wire.Boolean()
    name = wire.String(allow_none=True)
    problems = wire.List(wire.Nested(MappingProblemSchema))
    examples = wire.Integer(metadata={"description": "How many of its examples were run."})
    notes = wire.List(
        wire.String(), metadata={"description": "A system that could not be asked; a record that two mappings write."}
    )
    hints = wire.List(
        wire.Nested(MappingProblemSchema), metadata={"description": "What may go wrong, and may go well."}
    )


class SuggestBody(Schema):
    """What to draft a mapping from."""

    event = wire.String(required=True, validate=Length(1, 100), metadata={"description": "`interaction.wrapped_up`, …"})
    connection = wire.String(required=True, metadata={"description": "The CRM that is written to."})
    object = wire.String(required=True, validate=Length(1, 200), metadata={"description": "What is written there."})
    source = wire.String(load_default="any", metadata={"description": "The connection that the events come from."})
    name = wire.String(load_default="", validate=Length(max=63))


class DraftSchema(Schema):
    """A drafted mapping: it compiles, agrees with the CRM, and its example passes."""

    source = wire.String(metadata={"description": "Its YAML."})
    left_out = wire.List(wire.String(), metadata={"description": "Fields that nothing was found for."})
    to_decide = wire.List(wire.String(), metadata={"description": "What a person has to look at first."})


@api.get("/mappings")
@endpoint(scope="read", answers=MappingsSchema, about="Every mapping that runs.")
def mappings() -> Any:
    return {"mappings": [shown(one) for one in the_hub().mappings.all()]}


@api.post("/mappings")
@endpoint(
    scope="mappings",
    body=PublishBody,
    answers=PublishedNowSchema,
    status=201,
    also={200: "This content runs already."},
    about="Publish a mapping: it is compared with the systems that it names, its examples are run, and from then on it "
    "runs on every node.",
)
def publish(body: dict[str, Any]) -> Any:
    try:
        mapping = compiled(body["source"])
        found, told = _compared(mapping)
        disagreeing = [one for one in found if one.grave]
        if disagreeing and not body["anyway"]:
            raise _disagreeing(disagreeing)
        done = the_hub().mappings.publish(body["source"], require_scope("mappings").name, body["note"])
    except ConfigError as error:
        raise refused(error) from None
    answer = {name: getattr(done, name) for name in PublishedSchema().fields}
    return answer | {"notes": told + [one.what for one in disagreeing]}, 201 if done.changed else 200


@api.post("/mappings/check")
@endpoint(
    scope="mappings",
    body=CheckBody,
    answers=CheckedSchema,
    about="Check a mapping, against the systems that it names too, and run its examples; publishes nothing.",
)
def check(body: dict[str, Any]) -> Any:
    try:
        mapping = compiled(body["source"])
    except ConfigError as error:
        return {"ok": False, "name": None, "problems": [{"line": error.line, "problem": error.what}], "examples": 0,
                "notes": [], "hints": []}  # fmt: skip
    results = run_examples(mapping)
    disagreeing, told = _compared(mapping)
    problems: list[dict[str, Any]] = [{"line": one.line, "problem": one.what} for one in disagreeing if one.grave]
    problems += [
        {"line": result.line, "problem": f'the example "{result.about}" fails: {"; ".join(result.differences)}'}
        for result in results
        if not result.passed
    ]
    hints = [{"line": one.line, "problem": one.what} for one in disagreeing if not one.grave]
    return {"ok": not problems, "name": mapping.name, "problems": problems, "examples": len(results), "hints": hints,
            "notes": told}  # fmt: skip


@api.post("/mappings/suggest")
@endpoint(
    scope="mappings",
    body=SuggestBody,
    answers=DraftSchema,
    about="Draft a mapping from an event type and an object of a CRM, by names and types; publishes nothing.",
    problems={404: "No such connection."},
)
def suggest(body: dict[str, Any]) -> Any:
    hub = the_hub()
    for name in (body["connection"], body["source"]):
        if name != "any" and name not in hub.connections:
            raise not_found(f'There is no connection "{name}"{nearest(name, hub.connections)}.')
    connection = hub.connections[body["connection"]]
    more = {"country": hub.config.country, "zone": hub.config.zone, "name": body["name"], "source": body["source"]}
    try:
        return suggestion(body["event"], connection, body["object"], Asked(), **more)
    except ConfigError as error:
        raise Problem(422, error.what, kind="no-draft", title="No draft") from None


@api.get("/mappings/<name>")
@endpoint(scope="read", answers=FullMappingSchema, about="One mapping with its text.", problems={404: "Not there."})
def mapping(name: str) -> Any:
    one = current(name)
    return shown(one) | {"source": one.text}


@api.get("/mappings/<name>/versions")
@endpoint(
    scope="read",
    answers=HistorySchema,
    about="All versions of a mapping, the newest first.",
    problems={404: "Not there."},
)
def history(name: str) -> Any:
    try:
        return {"versions": the_hub().mappings.history(name)}
    except ConfigError as error:
        raise not_found(error.what) from None


@api.get("/mappings/<name>/versions/<int(max=2147483647):version>")
@endpoint(scope="read", answers=VersionSchema, about="The text of one version.", problems={404: "Not there."})
def version(name: str, version: int) -> Any:
    try:
        return {"name": name, "version": version, "source": the_hub().mappings.source(name, version)}
    except ConfigError as error:
        raise not_found(error.what) from None


@api.post("/mappings/<name>/rollback")
@endpoint(
    scope="mappings",
    body=RollbackBody,
    answers=PublishedSchema,
    about="Publish the content of an old version anew.",
    problems={404: "No such mapping or version."},
)
def rollback(name: str, body: dict[str, Any]) -> Any:
    try:
        return the_hub().mappings.rollback(name, body["version"], require_scope("mappings").name)
    except ConfigError as error:
        raise not_found(error.what) from None


@api.post("/mappings/<name>/retire")
@endpoint(
    scope="mappings",
    body=RetireBody,
    answers=PublishedSchema,
    about="Have nothing run under this name any more. Its versions stay: a rollback brings it back. What waits for it is "
    "parked; a platform's contact list stays as it is.",
    problems={404: "No such mapping."},
)
def retire(name: str, body: dict[str, Any]) -> Any:
    try:
        return the_hub().mappings.retire(name, require_scope("mappings").name, body["note"])
    except ConfigError as error:
        raise not_found(error.what) from None


def shown(one: Mapping) -> dict[str, Any]:
    """A mapping as MappingSchema dumps it."""
    return {
        "name": one.name,
        "about": one.about,
        "version": one.version,
        "connections": one.source.connections,
        "events": one.source.events,
        "target": one.target.connection,
        "write": one.target.write,
    }


def compiled(source: str) -> Mapping:
    """A text as a mapping. Raises ConfigError."""
    config = the_hub().config
    return compile_mapping(source, country=config.country, zone=config.zone)


def current(name: str) -> Mapping:
    """The mapping that runs under a name. Raises a 404 problem."""
    try:
        return the_hub().mappings.current(name)
    except ConfigError as error:
        raise not_found(error.what) from None


def _compared(mapping: Mapping) -> tuple[list[Disagreement], list[str]]:
    """What the systems that it names say against a mapping, and what a person should know."""
    hub = the_hub()
    disagreeing, unasked = compared(mapping, hub.connections, Asked())
    told = [f"not compared with its system: {unasked}"] if unasked else []
    return disagreeing, told + notes(mapping, hub.mappings.all(), hub.lists.on)


def _disagreeing(found: list[Disagreement]) -> Problem:
    told = "; ".join(one.what for one in found)
    errors: dict[str, str] = {}
    for one in found:
        field = f"source line {one.line}"
        errors[field] = f"{errors[field]}; {one.what}" if field in errors else one.what
    detail = f"{told}. With `anyway` it is published all the same."
    return Problem(422, detail, kind="invalid-mapping", title="Invalid mapping", errors=errors)


def refused(error: ConfigError) -> Problem:
    """A mapping's text that is wrong, with its line."""
    field = "source" if error.line is None else f"source line {error.line}"
    return Problem(422, error.what, kind="invalid-mapping", title="Invalid mapping", errors={field: error.what})
