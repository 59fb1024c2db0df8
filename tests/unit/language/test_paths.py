"""Paths are read off the model, and a wrong one is told the right one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import pytest
from msgspec import Struct

from hub import model
from hub.language.paths import EVENT_SCOPE, LIST_SCOPE, PathError, Shape, steps

SCOPE = EVENT_SCOPE.with_records(["caller"])
FACTS: dict[str, Any] = {
    "connection": "platform",
    "interaction": {"channel": "voice", "talk_seconds": 184.0, "queue": "", "summary": None},
    "agent": None,
    "recordings": [{"url": "u1"}, {"url": "u2"}],
    "attached": {"order": "123", "x y": {"0": "zero", "l": ["a", ["b"]]}, "text": "plain"},
    "caller": {"id": "C-7", "Custom__c": 5, "account": {"id": "A-1"}},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("connection", "platform"),
        ("interaction.channel", "voice"),
        ("interaction.talk_seconds", 184.0),
        ("interaction.queue", None),
        ("interaction.summary", None),
        ("interaction.direction", None),
        ("interaction.state", "created"),
        ("interaction.anonymous", False),
        ("final", False),
        ("agent.email", None),
        ("customer.phone", None),
        ("disposition.class", None),
        ("recordings.0.url", "u1"),
        ("recordings.1.url", "u2"),
        ("recordings.-1.url", "u2"),
        ("recordings.2.url", None),
        ("attached.order", "123"),
        ("attached.order.more", None),
        ('attached."x y".0', "zero"),
        ('attached."x y".l.1.0', "b"),
        ("attached.text.0", None),
        ("attached.no.way", None),
        ("attached", FACTS["attached"]),
        ("caller.id", "C-7"),
        ("caller.Custom__c", 5),
        ("caller.account.id", "A-1"),
        ("caller.account.title", None),
    ],
)
def test_values(path: str, value: Any) -> None:
    got = SCOPE.path(path)(FACTS)
    assert got == value and type(got) is type(value)


def test_nothing_is_there_in_nothing() -> None:
    for path, _ in SCOPE.leaves():
        assert SCOPE.path(path)({}) in (None, False)
    assert SCOPE.path("interaction.state")({}) is None, "no interaction, no state of one"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("interaction.chanel", 'did you mean "interaction.channel"?'),
        ("interation.channel", 'did you mean "interaction.channel"?'),
        ("talk_seconds", 'did you mean "interaction.talk_seconds"?'),
        ("wrapup.comment", 'did you mean "wrap_up.comment"?'),
        ("callr.id", 'did you mean "caller.id"?'),
        ("caller.account.zzzzzz", "known here: id, object, title"),
        ("zzz", "known here: agent, agents, attached, caller"),
        ("held_since", "there is no path"),
        ("interaction.channel.x", '"interaction.channel" holds text: there is nothing inside of it'),
        ("interaction.talk_seconds.x", "holds a number"),
        ("recordings.url", "write recordings.0 for its first"),
        ("a..b", "is no path"),
        ("", "is no path"),
        ("a b", "is no path"),
        (".a", "is no path"),
        ("a.", "is no path"),
        ("{x}", "is no path"),
        ("attached" + ".a" * 12, "at most 12 steps"),
        (5, "a path is text"),
        (None, "a path is text"),
    ],
)
def test_a_wrong_path_is_told_the_right_one(path: Any, says: str) -> None:
    with pytest.raises(PathError) as refused:
        SCOPE.path(path)
    assert says in str(refused.value)


def test_a_contact_lists_facts_are_its_members() -> None:
    assert LIST_SCOPE.path("member.phone")({"member": {"phone": "1"}}) == "1"
    assert LIST_SCOPE.path("campaign.name")({"campaign": {"name": "spring"}}) == "spring"
    with pytest.raises(PathError):
        LIST_SCOPE.path("interaction.id")


def test_the_model_is_the_one_declaration() -> None:
    """Every field of the model is a path, and what msgspec writes is what the path reads."""
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)

    def filled(struct: type[Struct]) -> Any:
        given: dict[str, Any] = {}
        for field in msgspec.structs.fields(struct):
            given[field.name] = value(field.type)
        return struct(**given)

    def value(kind: Any) -> Any:
        inner = get_args(kind)
        if type(None) in inner:
            return value(next(one for one in inner if one is not type(None)))
        if get_origin(kind) is Literal:
            return inner[0]
        if get_origin(kind) is list:
            return [value(inner[0])]
        if get_origin(kind) is dict:
            return {"k": "platform"}
        if get_origin(kind) is Annotated:
            return value(inner[0])
        if issubclass(kind, Struct):
            return filled(kind)
        return {str: "x", int: 1, float: 1.5, bool: True, datetime: now}[kind]

    facts = msgspec.json.decode(msgspec.json.encode(filled(model.Facts)))
    for path, shape in EVENT_SCOPE.leaves():
        got = EVENT_SCOPE.path(path)(facts)
        assert got is not None, path
        kinds = {"text": str, "number": int | float, "boolean": bool, "time": str, "free": dict}
        assert isinstance(got, kinds[shape.kind]), path
        if shape.choices:
            assert got in shape.choices


def test_a_step_with_other_signs_stands_in_quotes() -> None:
    assert steps('attached."Order No.".x') == ("attached", "Order No.", "x")


def test_lists_of_the_model_say_what_their_items_are() -> None:
    assert EVENT_SCOPE.path("legs.0.party").shape == Shape("text", choices=("agent", "customer", "external", "bot"))
