"""The preview of a mapping: every field with where its value came from. Nothing is written."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from marshmallow import Schema, ValidationError, validates_schema
from marshmallow import fields as wire
from marshmallow.validate import Length

from hub.errors import ConfigError
from hub.flow.preview import PreviewError, facts_of_interaction, preview
from hub.web.api.endpoint import endpoint
from hub.web.api.mappings import Text, compiled, current, refused
from hub.web.api.records import RecordSchema
from hub.web.current import the_hub
from hub.web.problems import not_found

api = Blueprint("preview", __name__)


class PreviewBody(Schema):
    """What to preview with: an interaction that is known, or facts as they are given."""

    interaction = wire.String(validate=Length(1, 200))
    connection = wire.String(metadata={"description": "The interaction's platform, where two have this key."})
    given = wire.Dict(keys=wire.String(), metadata={"description": "Facts, as in a mapping's examples."})
    source = wire.String(validate=Text, metadata={"description": "A text to try in place of the one that runs."})

    @validates_schema
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if ("interaction" in data) == ("given" in data):
            raise ValidationError("say what with: either `interaction` or `given`")


class PreviewFieldSchema(Schema):
    """One field: what would be written and where it came from."""

    field = wire.String()
    value = wire.Raw(allow_none=True)
    source = wire.String(metadata={"description": "The path, template or expression."})
    raw = wire.Raw(allow_none=True, metadata={"description": "What stood there."})
    steps = wire.List(wire.String(), metadata={"description": "What was done to it."})
    problem = wire.String(allow_none=True)


class PreviewFoundSchema(Schema):
    """Whom a name stands for."""

    name = wire.String()
    records = wire.List(wire.Nested(RecordSchema))
    silent = wire.String(allow_none=True, metadata={"description": "Why the CRM did not say."})


class PreviewSchema(Schema):
    """What a mapping would write. Nothing was written."""

    mapping = wire.String()
    version = wire.Integer()
    skips = wire.String(allow_none=True, metadata={"description": "Why nothing would be written."})
    target = wire.String()
    write = wire.String()
    fields_ = wire.List(wire.Nested(PreviewFieldSchema), data_key="fields", attribute="lines")
    found = wire.List(wire.Nested(PreviewFoundSchema))
    notes = wire.List(wire.String())


@api.post("/mappings/<name>/preview")
@endpoint(
    scope="mappings",
    body=PreviewBody,
    answers=PreviewSchema,
    about="What a mapping would write for an interaction, field by field, and where each value came from. Writes nothing.",
    problems={404: "No such mapping or interaction."},
)
def show_preview(name: str, body: dict[str, Any]) -> Any:
    hub = the_hub()
    try:
        one = compiled(body["source"]) if "source" in body else current(name)
    except ConfigError as error:
        raise refused(error) from None
    try:
        facts = (
            body["given"]
            if "given" in body
            else facts_of_interaction(hub.store, body["interaction"], body.get("connection"))
        )
    except PreviewError as error:
        raise not_found(str(error)) from None
    result = preview(one, facts, hub.connections)
    done = result.rendered
    names = {**dict.fromkeys(result.found), **result.silent}
    return {
        "mapping": one.name,
        "version": one.version,
        "skips": result.skips,
        "target": one.target.connection,
        "write": one.target.write,
        "lines": [
            {"field": field, "value": came.value, "source": came.source, "raw": came.raw, "steps": came.steps,
             "problem": done.problems.get(field)}
            for field, came in done.lineage.items()
        ] if done else [],
        "found": [{"name": n, "records": result.found.get(n, []), "silent": why} for n, why in names.items()],
        "notes": [f"{note.field}: {note.text}" for note in done.notes] if done else [],
    }  # fmt: skip
