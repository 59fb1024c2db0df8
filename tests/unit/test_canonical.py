"""Canonical events off the wire: what is read, what is refused with which field, what is kept unread."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from connectors.wire.canonical import events_of
from hub.contract import HookRequest
from hub.errors import InvalidEvent, Unreadable
from hub.model import Event, WireEvent

EVENT: dict[str, Any] = {
    "id": "evt-1",
    "type": "interaction.wrapped_up",
    "occurred_at": "2026-11-23T10:05:40Z",
    "interaction": {"id": "call-1", "channel": "voice", "direction": "inbound", "talk_seconds": 184},
    "agent": {"id": "a-17", "email": "ana@example.com", "name": "Ana"},
    "customer": {"phone": "+34 612 34 56 78", "email": None, "crm_key": None},
    "attached": {"order": "123"},
}
DEEPEST = 64


def read(body: bytes | str, headers: Mapping[str, str] | None = None) -> list[Event]:
    raw = body.encode() if isinstance(body, str) else body
    return list(
        events_of(HookRequest(method="POST", query={}, headers=headers or {}, body=raw, received_at=datetime.now(UTC)))
    )


def wrong(body: object, headers: Mapping[str, str] | None = None) -> tuple[str, str]:
    with pytest.raises(InvalidEvent) as refused:
        read(body if isinstance(body, (str, bytes)) else json.dumps(body), headers)
    return refused.value.field, refused.value.problem


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in EVENT.items() if name not in names}


def about(**said: Any) -> dict[str, Any]:
    return EVENT | {"interaction": {"id": "call-1"} | said}


# --- what is read ----------------------------------------


def test_one_event() -> None:
    (event,) = read(json.dumps(EVENT))
    assert (event.id, event.type) == ("evt-1", "interaction.wrapped_up")
    assert event.occurred_at == datetime(2026, 11, 23, 10, 5, 40, tzinfo=UTC)
    assert event.interaction is not None
    assert event.interaction.talk_seconds == 184
    assert event.customer is not None
    assert event.customer.email is None


def test_an_array_and_an_empty_one() -> None:
    assert [event.id for event in read(json.dumps([EVENT, EVENT | {"id": "evt-2"}]))] == ["evt-1", "evt-2"]
    assert read(b" [ ] ") == []


def test_unknown_fields_pass_and_are_kept_as_they_were_written() -> None:
    text = json.dumps(EVENT | {"vendor": {"x": [1, 2.50]}, "interaction": {"id": "c", "mood": "é"}}, ensure_ascii=False)
    (event,) = read(text)
    assert isinstance(event, WireEvent)
    assert event.wire == text
    assert [e.wire for e in read(f"[{text}, {text}]") if isinstance(e, WireEvent)] == [text, text]


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps(EVENT).encode())[0].id == "evt-1"


@pytest.mark.parametrize(
    "name", ["dial.accepted", "work_item.timed_out", "campaign.contact_result", "agent.state_changed"]
)
def test_events_that_are_not_an_interactions(name: str) -> None:
    assert read(json.dumps(EVENT | {"type": name}))[0].type == name


def test_of_a_field_that_came_twice_the_last_counts() -> None:
    (event,) = read('{"id": "first", ' + json.dumps(EVENT)[1:])
    assert event.id == "evt-1"


# --- readable, but wrong ----------------------------------------

WRONG = [
    (without("id"), "id", "missing"),
    (without("type"), "type", "missing"),
    (without("occurred_at"), "occurred_at", "missing"),
    (EVENT | {"id": ""}, "id", "must not be empty"),
    (EVENT | {"id": "x" * 201}, "id", "200 characters at most"),
    (EVENT | {"id": 7}, "id", "text is needed, not a whole number"),
    (EVENT | {"id": None}, "id", "text is needed, not null"),
    (EVENT | {"type": "interaction.wraped_up"}, "type",
     'there is no event "interaction.wraped_up", did you mean "interaction.wrapped_up"?'),
    (EVENT | {"type": "dial."}, "type", "there is no event"),
    (EVENT | {"type": "zzz"}, "type", "campaign.contact_result"),
    (EVENT | {"occurred_at": "2026-11-23T10:05:40"}, "occurred_at", "a time with its zone is needed"),
    (EVENT | {"occurred_at": "yesterday"}, "occurred_at", "2026-11-23T10:05:40Z"),
    (EVENT | {"occurred_at": 1700000000}, "occurred_at", "a time is needed"),
    (EVENT | {"occurred_at": "9999-12-31T23:59:59-12:00"}, "occurred_at", "out of range"),
    (EVENT | {"occurred_at": "0001-01-01T00:00:00+12:00"}, "occurred_at", "out of range"),
    (EVENT | {"interaction": {}}, "interaction.id", "missing"),
    (EVENT | {"interaction": []}, "interaction", "an object is needed, not an array"),
    (about(channel="voise"), "interaction.channel", 'did you mean "voice"?'),
    (about(channel="fax"), "interaction.channel", "none of chat, email, sms, task, voice"),
    (about(ended_at="2026-11-23 10:05:40"), "interaction.ended_at", "a time with its zone is needed"),
    (about(ended_at="9999-01-01T00:00:00Z"), "interaction.ended_at", "out of range"),
    (about(talk_seconds=-1), "interaction.talk_seconds", "must not be negative"),
    (about(talk_seconds="12"), "interaction.talk_seconds", "a number is needed, not text"),
    (EVENT | {"disposition": {"class": "postive"}}, "disposition.class", 'did you mean "positive"?'),
    (EVENT | {"attached": []}, "attached", "an object is needed, not an array"),
    (EVENT | {"attached": {"a": [{"b": 2**63}]}}, "attached.a[0].b", "more than 64 bits"),
    (EVENT | {"campaign": {"attempts": 2**31}}, "campaign.attempts", "below 2,147,483,648"),
    (EVENT | {"comment": {}}, "comment.text", "missing"),
    (EVENT | {"leg": {"id": "l", "party": "robot"}}, "leg.party", "none of agent, bot, customer, external"),
    (EVENT | {"leg": {"id": "l", "ended_at": "9999-01-01T00:00:00Z"}}, "leg.ended_at", "out of range"),
    (EVENT | {"recording": {"url": "u", "expires_at": "9999-01-01T00:00:00Z"}}, "recording.expires_at", "out of range"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "field", "problem"), WRONG)
def test_a_wrong_field_is_named_with_what_would_be_right(event: dict[str, Any], field: str, problem: str) -> None:
    named, told = wrong(event)
    assert named == field
    assert problem in told
    assert wrong([EVENT, EVENT, EVENT, event])[0] == f"[3].{field}"


@pytest.mark.parametrize("body", ["3", '"text"', "null", "true"])
def test_a_body_that_is_no_event(body: str) -> None:
    assert wrong(body)[0] == "body"
    assert wrong(f"[{body}]")[0] == "[0]"


def test_numbers_that_no_one_can_hold() -> None:
    huge = json.dumps(EVENT).replace('"123"', "9" * 5000)
    assert wrong(huge)[0] == "attached"
    assert wrong(json.dumps(about(talk_seconds=1)).replace('"talk_seconds": 1', '"talk_seconds": 1e999'))[0] == (
        "interaction.talk_seconds"
    )
    assert read(json.dumps(EVENT | {"unknown": 1}).replace('"unknown": 1', '"unknown": ' + "9" * 5000))


KEYS = ["id", "interaction.id", "agent.id", "agent.email", "leg.id", "dial.id", "work_item.id", "campaign.id",
        "campaign.list", "campaign.contact"]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_no_identifier_holds_a_nul(key: str) -> None:
    part, _, name = key.rpartition(".")
    event = EVENT | ({part: {name: "a\0b"}} if part else {name: "a\0b"})
    assert wrong(event) == (key, "holds a NUL character; an identifier cannot")


def test_a_nul_in_a_text_becomes_the_character_that_stands_for_an_unusable_one() -> None:
    body = json.dumps(EVENT | {"comment": {"text": "a\0b \\u0000"}, "attached": {"k\0": "\0"}})
    (event,) = read(body)
    assert isinstance(event, WireEvent)
    assert event.comment is not None
    assert event.comment.text == "a�b \\u0000"
    assert event.attached == {"k�": "�"}
    assert json.loads(event.wire)["comment"]["text"] == "a�b \\u0000"


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (EVENT | {"attached": {"a": [1, {"b": "\ud800"}]}}, "attached.a[1].b"),
        (EVENT | {"attached": {"\udc00": 1}}, "attached.?"),
        (EVENT | {"comment": {"text": "x \ude00\ud83d"}}, "comment.text"),
    ],
)
def test_half_a_surrogate_pair_is_named(event: dict[str, Any], field: str) -> None:
    assert wrong(event) == (field, "holds half a surrogate pair; write both halves")


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert read(json.dumps(EVENT | {"comment": {"text": "😀"}}, ensure_ascii=True))


# --- unreadable ----------------------------------------

UNREADABLE = [
    b"", b"  ", b"{", b"[", b'{"id": "evt-1", "ty', json.dumps(EVENT).encode()[:-1], json.dumps([EVENT]).encode()[:-1],
    json.dumps(EVENT).encode() + b" x", b"\x00", b"\xff\xfe{}", b'{"id": "\xff"}', json.dumps(EVENT).encode("utf-16"),
    b"<event/>", b"id=1&type=2", b"{'id': 1}", b'{"id": NaN}', b'{"id": Infinity}', b'{"id": "a\nb"}', b'{"id": 3, "type',
    b'[{"id": 3}, {"id"', b'{"a": 01}', b'{"a": \xed\xa0\x80}',
]  # fmt: skip


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_body_that_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


@pytest.mark.parametrize("depth", [DEEPEST + 1, 1_000, 100_000, 500_000])
@pytest.mark.parametrize(
    "template", ["%s", '{"x": %s}', json.dumps(EVENT)[:-1] + ', "x": %s}', "[1, %s]", '{"a": "[[[", "attached": %s}']
)
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}"), ("[", "")])
def test_nesting_is_bounded_and_hurts_nobody(depth: int, template: str, brackets: tuple[str, str]) -> None:
    nested = template % (brackets[0] * depth + "1" + brackets[1] * depth)
    for headers in ({}, {"content-type": "application/cloudevents+json"}, {"ce-specversion": "1.0"},
                    {"content-type": "application/cloudevents-batch+json"}):  # fmt: skip
        with pytest.raises((Unreadable, InvalidEvent)) as refused:
            read(nested, headers)
        if isinstance(refused.value, InvalidEvent):
            assert refused.value.field in ("body", "[0]")


def test_what_is_not_too_deep_is_read() -> None:
    depth = DEEPEST - 2  # the event and `attached` are two
    deep = json.dumps(EVENT).replace('"123"', "[" * depth + '"]["' + "]" * depth)
    assert read(deep)
    assert len(read(json.dumps([EVENT | {"id": str(n), "attached": {"q": '"[{\\"'}} for n in range(2_000)]))) == 2_000
    with pytest.raises(Unreadable, match="64 deep"):
        read(json.dumps(EVENT).replace('"123"', "[" * (depth + 1) + "]" * (depth + 1)))


def test_a_string_that_never_ends_costs_no_more_than_one_that_does() -> None:
    body = b"{}" * DEEPEST + b'"' + b'\\"' * 400_000  # looked at anew from each of its quotes: hours
    for broken in (body, body + b"\\"):
        began = time.process_time()
        with pytest.raises(Unreadable):
            read(broken)
        assert time.process_time() - began < 2


# --- CloudEvents, made by the PyPI package `cloudevents` ----------------------------------------

ENVELOPE = {
    "id": "ce-1",
    "source": "/pbx",
    "type": "interaction.ended",
    "time": datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
    "specversion": "1.0",
    "datacontenttype": "application/json",
}


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_a_cloud_event_keeps_what_the_event_says_itself(mode: str) -> None:
    made = (to_binary if mode == "binary" else to_structured)(CloudEvent(ENVELOPE, EVENT), JSONFormat())
    (event,) = read(made.body, lower(made.headers))
    assert (event.id, event.type, event.occurred_at.hour) == ("evt-1", "interaction.wrapped_up", 10)


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_a_cloud_event_fills_in_what_the_event_leaves_out(mode: str) -> None:
    envelope = ENVELOPE | {"id": 'é "%2'}
    data = without("id", "type", "occurred_at")
    made = (to_binary if mode == "binary" else to_structured)(CloudEvent(envelope, data), JSONFormat())
    (event,) = read(made.body, lower(made.headers))
    assert (event.id, event.type) == ('é "%2', "interaction.ended")
    assert event.occurred_at == ENVELOPE["time"]
    assert isinstance(event, WireEvent)
    assert json.loads(event.wire) == data | {
        "id": 'é "%2', "type": "interaction.ended", "occurred_at": json.loads(event.wire)["occurred_at"]
    }  # fmt: skip


def structured(**over: Any) -> dict[str, Any]:
    return ENVELOPE | {"time": "2026-11-23T09:00:00Z", "data": EVENT} | over


STRUCTURED = {"content-type": "Application/CloudEvents+JSON; charset=utf-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def test_a_batch_of_cloud_events() -> None:
    batch = json.dumps([structured(data={"interaction": {"id": "c"}}), structured()])
    assert [event.id for event in read(batch, BATCH)] == ["ce-1", "evt-1"]
    assert wrong([structured(), structured(data=about(channel="fax"))], BATCH)[0] == "[1].data.interaction.channel"
    assert wrong([structured(), {"id": "1"}], BATCH)[0] == "[1].specversion"
    assert wrong(structured(), BATCH) == ("body", "an array of CloudEvents is needed")


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": None}, "specversion"),
        ({"data": [EVENT]}, "data"),
        ({"data": "text"}, "data"),
        ({"data": about(channel="fax")}, "data.interaction.channel"),
        ({"data": without("id"), "id": None}, "data.id"),
        ({"data": without("type"), "type": "com.example.ended"}, "data.type"),
        ({"data": without("occurred_at"), "time": "noon"}, "data.occurred_at"),
        ({"datacontenttype": "application/xml"}, "datacontenttype"),
    ],
)
def test_a_wrong_cloud_event_is_told_where(over: dict[str, Any], field: str) -> None:
    assert wrong(structured(**over), STRUCTURED)[0] == field


def test_a_cloud_event_without_data_or_with_binary_data() -> None:
    bare = {name: value for name, value in structured().items() if name != "data"}
    assert wrong(bare, STRUCTURED)[0] == "data"
    from base64 import b64encode

    assert read(json.dumps(bare | {"data_base64": b64encode(json.dumps(EVENT).encode()).decode()}), STRUCTURED)
    assert wrong(bare | {"data_base64": "!"}, STRUCTURED)[0] == "data_base64"
    assert wrong(bare | {"data_base64": b64encode(b"\xff").decode()}, STRUCTURED)[0] == "data_base64"
    deep = bare | {"data_base64": b64encode(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}").decode()}
    for body, headers in ((deep, STRUCTURED), ([deep], BATCH)):
        with pytest.raises(Unreadable, match="nested too deep"):
            read(json.dumps(body), headers)


def test_binary_cloud_events_that_are_wrong() -> None:
    head = {"ce-specversion": "1.0", "ce-id": "x", "ce-type": "interaction.ended", "ce-time": "2026-11-23T09:00:00Z"}
    assert wrong([EVENT], head)[0] == "body"
    assert wrong(EVENT, head | {"ce-specversion": "2.0"})[0] == "ce-specversion"
    assert wrong(EVENT, head | {"content-type": "application/avro"})[0] == "content-type"
    assert read('{"interaction": {"id": "c"}}', head | {"ce-id": '"a\\"%E2%82%AC"'})[0].id == 'a"€'
    assert read("{ \n}", head | {"ce-type": "agent.state_changed"})[0].id == "x"
    with pytest.raises(Unreadable):
        read("{", head)
