"""Fields that several schemas use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from marshmallow import ValidationError
from marshmallow import fields as wire

from hub.clock import from_ms


class Moment(wire.Field[datetime]):
    """A moment: ISO 8601 with zone on the wire, an aware datetime inside (milliseconds since 1970 are shown too)."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        if value is None or isinstance(value, str):
            return value
        moment = value if isinstance(value, datetime) else from_ms(value)
        return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:  # noqa: ARG002
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise ValidationError("not a moment; write it like 2026-11-23T10:05:40Z") from None
        if moment.tzinfo is None:
            raise ValidationError("a moment needs its zone; write it like 2026-11-23T10:05:40Z")
        return moment.astimezone(UTC)


class Noun(wire.Field[Any]):
    """One of the model's nouns, shown as it is. Its schema in /openapi.json is read off the model."""

    def __init__(self, noun: type[msgspec.Struct], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.noun = noun
