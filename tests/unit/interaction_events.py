"""Events of one interaction, for tests: made in few words, and made up by hypothesis."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as some

from hub.model import INTERACTION_EVENTS, Event

START = datetime(2026, 11, 23, 10, 2, tzinfo=UTC)
_numbers = itertools.count()


def event(word: str, seconds: float, *, id: str = "", key: str = "call-1", **parts: Any) -> Event:
    """`interaction.<word>` of the interaction `key`, so many seconds after the start."""
    interaction = {"id": key} | parts.pop("interaction", {})
    raw = {
        "id": id or f"evt-{next(_numbers):06}",
        "type": f"interaction.{word}",
        "occurred_at": START + timedelta(seconds=seconds),
        "interaction": interaction,
    }
    return msgspec.convert(raw | parts, Event)


def _parts(**fields: Any) -> some.SearchStrategy[dict[str, Any]]:
    return some.fixed_dictionaries({}, optional=fields)


_seconds = some.floats(0, 500, allow_nan=False)
_moments = some.integers(0, 8).map(lambda n: START + timedelta(seconds=n * 10))
_words = some.sampled_from(["A", "B", "C"])
_agents = some.sampled_from([{"id": "a-1", "name": "Ana"}, {"id": "a-2"}, {"email": "cy@example.com"}, {"name": "Di"}])

events = some.builds(
    dict,
    type=some.sampled_from([*INTERACTION_EVENTS, "dial.accepted", "dial.failed"]),
    occurred_at=_moments,
    interaction=_parts(
        channel=some.sampled_from(["voice", "email", "chat"]),
        direction=some.sampled_from(["inbound", "outbound", "internal"]),
        remote=some.sampled_from(["+34612345678", "612 34 56 78", "anonymous", "+33142685300"]),
        local=some.sampled_from(["+34911234567", "204"]),
        queue=_words,
        started_at=_moments,
        answered_at=_moments,
        ended_at=_moments,
        talk_seconds=_seconds,
        hold_seconds=_seconds,
        end_cause=some.sampled_from(["normal", "busy", "abandoned_in_queue"]),
        recording_url=some.sampled_from(["https://rec.example/1", "https://rec.example/2"]),
    ),
)
parts = _parts(
    agent=_agents,
    customer=_parts(phone=some.sampled_from(["+34699112233", "+34612345678"]), name=_words),
    wrap_up=_parts(code=_words, comment=_words, seconds=_seconds),
    disposition=_parts(code=_words, **{"class": some.sampled_from(["positive", "negative", "do_not_contact"])}),
    comment=some.builds(dict, text=_words),
    recording=some.fixed_dictionaries({"url": _words}, optional={"id": _words}),
    transfer=_parts(to_agent=_words, kind=some.sampled_from(["blind", "warm"])),
    leg=some.fixed_dictionaries({"id": _words}, optional={"ended_at": _moments, "party": some.just("agent")}),
    dial=some.fixed_dictionaries({"id": some.sampled_from(["d-1", "d-2"])}, optional={"reason": _words}),
    attached=some.dictionaries(_words, some.integers(0, 3), max_size=2),
)


@some.composite
def lives(draw: some.DrawFn) -> list[dict[str, Any]]:
    """The events of one interaction as they are on the wire, in no order, with ids of their own."""
    drawn = draw(some.lists(some.tuples(events, parts), min_size=1, max_size=9))
    return [{"id": f"e{n}"} | one | more for n, (one, more) in enumerate(drawn)]


def of_interaction(raw: dict[str, Any], key: str) -> Event:
    """The event `raw` as one of the interaction `key`, with an id that no other interaction's event has."""
    said = raw | {"id": f"{key}/{raw['id']}", "interaction": raw["interaction"] | {"id": key}}
    return msgspec.convert(said, Event)
