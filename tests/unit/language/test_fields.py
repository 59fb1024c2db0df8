"""The words of a field: what they make, what is noted, what parks the row, and that preview and delivery agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_texts import mapping, rendered

from hub.language.fields import cut
from hub.language.mapping import Note

FACTS: dict[str, Any] = {
    "interaction": {
        "channel": "voice",
        "direction": "inbound",
        "talk_seconds": 184.4,
        "ended_at": "2026-03-02T23:30:00Z",
    },
    "customer": {"phone": "612 34 56 78", "vip": True, "email": ""},
    "disposition": {"name": "Sale", "class": "positive"},
    "wrap_up": {"comment": "  Wants the red one  ", "code": "SALE"},
    "agent": {"name": "Ana García"},
    "attached": {
        "order": "123",
        "n": 5,
        "yes": True,
        "list": [1, 2],
        "country": "fr",
        "fr": "01 42 68 53 00",
        "blank": "  ",
    },
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interaction.channel", "voice"),
        ({"from": "interaction.channel"}, "voice"),
        ({"from": ["interaction.summary", "customer.email", "wrap_up.code"]}, "SALE"),
        ("customer.email", None),
        ("attached.list", [1, 2]),
        ({"value": "Completed"}, "Completed"),
        ({"value": 5}, 5),
        ({"value": False}, False),
        ({"value": ["a", "b"]}, ["a", "b"]),
        # text
        ({"text": "Call {interaction.direction}: {disposition.name}"}, "Call inbound: Sale"),
        ({"text": "{interaction.summary}{ interaction.channel } {{x}} 100%"}, "voice {x} 100%"),
        ({"text": "Call: {interaction.summary}"}, None),
        ({"text": "Call: {interaction.summary}", "otherwise": "Call"}, "Call"),
        ({"text": "{interaction.talk_seconds} s, {attached.n}, {customer.vip}"}, "184.4 s, 5, true"),
        ({"text": "{disposition.name} ({interaction.queue})", "as": "upper"}, "SALE ()"),
        # as
        ({"from": "interaction.talk_seconds", "as": "integer"}, 184),
        ({"from": "interaction.talk_seconds", "as": "minutes"}, 4),
        ({"from": "wrap_up.comment", "as": ["trim", "upper"]}, "WANTS THE RED ONE"),
        ({"from": "attached.blank", "as": "trim"}, None),
        ({"from": "attached.blank", "as": ["trim", "upper"], "otherwise": "-"}, "-"),
        ({"from": "interaction.ended_at", "as": "date"}, "2026-03-02"),
        ({"from": "interaction.ended_at", "as": "date", "zone": "Europe/Madrid"}, "2026-03-03"),
        ({"from": "interaction.ended_at", "as": "datetime", "zone": "America/New_York"}, "2026-03-02T18:30:00-05:00"),
        ({"from": "customer.phone", "as": "e164"}, "+34612345678"),
        ({"from": "attached.fr", "as": "e164", "country": "FR"}, "+33142685300"),
        ({"from": "attached.fr", "as": "e164", "country": "attached.country"}, "+33142685300"),
        ({"from": "customer.phone", "as": "e164", "country": "attached.none"}, "+34612345678"),
        ({"from": "interaction.summary", "as": "integer"}, None),
        ({"from": "agent.name", "as": "last_name"}, "García"),
        (
            {"from": "attached", "as": "json"},
            '{"order":"123","n":5,"yes":true,"list":[1,2],"country":"fr","fr":"01 42 68 53 00","blank":"  "}',
        ),
        # choose
        ({"from": "interaction.direction", "choose": {"inbound": "In"}, "otherwise": "Other"}, "In"),
        ({"from": "interaction.direction", "choose": {"outbound": "Out"}, "otherwise": "Other"}, "Other"),
        ({"from": "interaction.end_cause", "choose": {"busy": "Busy"}, "otherwise": "Other"}, "Other"),
        ({"from": "wrap_up.code", "choose": {"SALE": 7}}, 7),
        ({"from": "wrap_up.code", "choose": {"SALE": None}}, None),
        ({"from": "wrap_up.code", "as": "lower", "choose": {"sale": "Sold"}}, "Sold"),
        ({"from": "wrap_up.name", "choose": {"x": "y"}}, None),
        ({"from": "customer.vip", "choose": {"true": "VIP", "false": "-"}}, "VIP"),
        ({"from": "attached.n", "choose": {"5": "five"}}, "five"),
        # expr
        ({"expr": "'High' if customer.vip else 'Normal'"}, "High"),
        ({"expr": "interaction.summary ~ ''"}, None),
        ({"expr": "attached.n + 1", "as": "text"}, "6"),
        ({"expr": "interaction.summary", "otherwise": "none"}, "none"),
        # max
        ({"from": "wrap_up.code", "max": 4}, "SALE"),
        ({"from": "wrap_up.code", "max": 2}, "SA"),
        ({"from": "attached.n", "max": 1}, 5),
        # otherwise
        ({"from": "interaction.summary", "otherwise": "none"}, "none"),
        ({"from": "interaction.summary", "otherwise": False}, False),
        ({"from": "wrap_up.code", "otherwise": "none"}, "SALE"),
        # problems
        (
            {"from": "wrap_up.code", "choose": {"x": "y", "z": "w"}},
            "problem: `choose` has no such value (a text of 4 characters); it has x, z, and no `otherwise`",
        ),
        (
            {"from": "interaction.summary", "required": True},
            "problem: required, and nothing is there (interaction.summary)",
        ),
        (
            {"from": ["interaction.summary", "wrap_up.name"], "required": True},
            "problem: required, and nothing is there (interaction.summary or wrap_up.name)",
        ),
        ({"from": "wrap_up.code", "as": "integer"}, "problem: a text of 4 characters is not a number such as 184"),
        (
            {"text": "{attached.list} x"},
            "problem: a list of 2 is not one text, number, or true or false (`as: json` writes a list or a group)",
        ),
        ({"expr": "attached.order + 1"}, "problem: `+` is for two numbers (`~` joins texts)"),
        (
            {"from": "customer.phone", "as": "e164", "country": "attached.order"},
            "problem: a text of 3 characters is not a country (attached.order has to hold an ISO code such as ES)",
        ),
    ],
)
def test_what_a_field_makes(field: Any, value: Any) -> None:
    got = rendered(field, FACTS)
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize(
    ("text", "most", "left"),
    [
        ("abcdef", 3, "abc"),
        ("abc", 1, "a"),
        ("e\u0301a", 1, "e\u0301"[:1]),
        ("ae\u0301b", 2, "a"),
        ("a👍🏽b", 2, "a"),
        ("x👨\u200d👩\u200d👧y", 3, "x"),
        ("x👨\u200d👩\u200d👧y", 6, "x👨\u200d👩\u200d👧"),
        ("a\r\nb", 2, "a"),
        ("\u0301" * 20, 5, "\u0301" * 5),
    ],
)
def test_a_cut_is_where_two_characters_meet(text: str, most: int, left: str) -> None:
    assert cut(text, most) == left


def test_a_cut_is_noted() -> None:
    done = mapping(fields={"A": {"from": "wrap_up.comment", "as": "trim", "max": 5}}).render(FACTS, {})
    assert done.fields == {"A": "Wants"}
    assert done.notes == [Note("A", "cut", "cut from 17 to 5 characters")]
    assert "red" not in done.notes[0].text


def test_every_problem_of_a_row_is_told_at_once() -> None:
    fields = {
        "A": {"from": "wrap_up.code", "as": "integer"},
        "B": "wrap_up.code",
        "C": {"from": "agent.id", "required": True},
    }
    done = mapping(fields=fields).render(FACTS, {})
    assert set(done.problems) == {"A", "C"}
    assert done.fields == {"B": "SALE"}


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("interaction.channel", ("interaction.channel", "voice", (), "voice")),
        (
            {"from": ["interaction.summary", "wrap_up.code"], "as": ["lower", "trim"]},
            ("wrap_up.code", "SALE", ("as lower", "as trim"), "sale"),
        ),
        (
            {"from": "interaction.direction", "choose": {"inbound": "In"}, "otherwise": "-"},
            ("interaction.direction", "inbound", ("choose",), "In"),
        ),
        (
            {"from": "interaction.direction", "choose": {"outbound": "Out"}, "otherwise": "-"},
            ("interaction.direction", "inbound", ("otherwise",), "-"),
        ),
        (
            {"from": "interaction.queue", "as": "upper", "otherwise": "-"},
            ("interaction.queue", None, ("otherwise",), "-"),
        ),
        ({"from": "wrap_up.code", "max": 2}, ("wrap_up.code", "SALE", ("cut at 2",), "SA")),
        ({"value": 1}, ("value", 1, (), 1)),
        ({"text": "Call {wrap_up.code}"}, ('text "Call {wrap_up.code}"', "Call SALE", (), "Call SALE")),
        ({"expr": "1 + 1"}, ("expr 1 + 1", 2, (), 2)),
        (
            {"from": "wrap_up.code", "as": "integer"},
            ("wrap_up.code", None, ("problem: a text of 4 characters is not a number such as 184",), None),
        ),
    ],
)
def test_a_preview_shows_where_a_value_came_from(field: Any, line: Any) -> None:
    came = mapping(fields={"A": field}).render(FACTS, {}, explain=True).lineage["A"]
    assert (came.source, came.raw, came.steps, came.value) == line


# --- the two roads agree ----------------------------------------

PATHS = st.sampled_from(
    [
        "interaction.channel",
        "interaction.direction",
        "interaction.talk_seconds",
        "interaction.ended_at",
        "interaction.summary",
        "customer.vip",
        "customer.phone",
        "attached.a",
        "attached.b",
        "wrap_up.comment",
        "recordings.0.url",
        "final",
    ]
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.lists(st.integers(), max_size=2)
)
SOURCES = st.one_of(
    PATHS.map(lambda path: {"from": path}),
    st.lists(PATHS, min_size=1, max_size=3).map(lambda paths: {"from": paths}),
    st.lists(PATHS, min_size=1, max_size=3).map(lambda paths: {"text": " - ".join("{" + path + "}" for path in paths)}),
    st.tuples(PATHS, PATHS).map(lambda paths: {"expr": f"{paths[0]} or {paths[1]} ~ '!'"}),
)
CONVERTED = st.lists(
    st.sampled_from(["trim", "lower", "text", "integer", "boolean", "date", "e164", "json", "minutes"]), max_size=2
)
AFTER = st.fixed_dictionaries(
    {}, optional={"otherwise": st.sampled_from(["x", 0, False]), "required": st.just(True), "max": st.integers(1, 6)}
)


@settings(max_examples=150, deadline=None)
@given(SOURCES, CONVERTED, AFTER, st.booleans(), st.data())
def test_preview_and_delivery_agree(
    made: Any, converters: list[str], after: Any, chooses: bool, data: st.DataObject
) -> None:
    field = {**made, **after}
    if converters:
        field["as"] = converters
    if chooses and "text" not in field and (converters or "expr" in field):
        field.pop("max", None)
        field |= {"choose": {"voice": "Voice", "inbound": None, "true": 1, "0": "zero"}}
        field.setdefault("otherwise", "other")
    if "otherwise" in field:
        field.pop("required", None)
    if converters and converters[-1] not in ("trim", "lower", "text", "json", "e164"):
        field.pop("max", None)
    facts = {
        "interaction": data.draw(st.fixed_dictionaries({}, optional={
            "channel": st.sampled_from(["voice", "chat"]), "direction": st.just("inbound"),
            "talk_seconds": st.floats(0, 1e6),
            "ended_at": st.sampled_from(["2026-03-02T23:30:00Z", "soon"]), "summary": st.text(max_size=8)})),
        "customer": data.draw(st.fixed_dictionaries({}, optional={"vip": st.booleans(), "phone": VALUES})),
        "attached": data.draw(st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES})),
        "wrap_up": data.draw(st.none() | st.fixed_dictionaries({"comment": VALUES})),
    }  # fmt: skip
    one = mapping(fields={"A": field})
    quick, told = one.render(facts, {}), one.render(facts, {}, explain=True)
    assert (quick.fields, quick.notes, quick.problems) == (told.fields, told.notes, told.problems)
    assert told.lineage["A"].value == told.fields.get("A")


def test_a_text_that_repeats_a_long_one_is_stopped() -> None:
    facts = FACTS | {"wrap_up": {"comment": "x" * 1_000_000}}
    assert rendered({"text": "{wrap_up.comment}" * 2, "max": 10}, facts) == "x" * 10
    bomb = rendered({"text": "{wrap_up.comment}" * 5_000, "max": 10}, facts)
    assert bomb == "problem: a text of more than 4000000 characters"
