"""Conditions: each word, how they nest, and why one is not met."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.errors import ConfigError
from hub.language.conditions import OPERATORS, Condition, compile_condition
from hub.language.paths import EVENT_SCOPE
from hub.language.yaml_source import read_yaml

FACTS: dict[str, Any] = {
    "interaction": {
        "channel": "voice",
        "direction": "inbound",
        "talk_seconds": 184.5,
        "queue": "Sales ES",
        "ended_at": "2026-03-02T23:30:00Z",
    },
    "customer": {"vip": True, "phone": "+34612345678"},
    "attached": {
        "order": "123",
        "count": 5,
        "one": 1,
        "yes": True,
        "spelled": "7.5",
        "tags": ["New", "vip"],
        "zip": "012",
    },
}


def condition(when: Any) -> Condition:
    doc = read_yaml("when: " + json.dumps(when), "f.yaml")
    return compile_condition(doc, ("when",), doc.value["when"], EVENT_SCOPE)


@pytest.mark.parametrize(
    ("when", "met"),
    [
        ({"interaction.channel": "voice"}, True),
        ({"interaction.channel": "chat"}, False),
        ({"interaction.channel": ["chat", "voice"]}, True),
        ({"interaction.channel": {"in": ["chat", "sms"]}}, False),
        ({"interaction.channel": {"is": "voice"}}, True),
        ({"interaction.channel": {"not": "voice"}}, False),
        ({"interaction.channel": {"not": ["chat", "sms"]}}, True),
        ({"interaction.end_cause": {"not": "busy"}}, True),
        ({"interaction.end_cause": "busy"}, False),
        ({"interaction.end_cause": ["busy"]}, False),
        ({"interaction.talk_seconds": {"at_least": 184.5}}, True),
        ({"interaction.talk_seconds": {"more_than": 184.5}}, False),
        ({"interaction.talk_seconds": {"at_most": 184.5}}, True),
        ({"interaction.talk_seconds": {"less_than": 184.5}}, False),
        ({"interaction.talk_seconds": {"at_least": 5, "less_than": 200}}, True),
        ({"interaction.talk_seconds": 184.5}, True),
        ({"interaction.hold_seconds": {"at_most": 5}}, False),
        ({"interaction.hold_seconds": {"at_least": 0}}, False),
        ({"interaction.ended_at": {"at_least": "2026-03-02"}}, True),
        ({"interaction.ended_at": {"at_least": "2026-03-03"}}, False),
        ({"interaction.ended_at": {"less_than": "2026-03-03T00:30:00+01:00"}}, False),
        ({"interaction.ended_at": {"at_most": "2026-03-03T00:30:00+01:00"}}, True),
        ({"interaction.queue": {"contains": "es"}}, True),
        ({"interaction.queue": {"contains": ["x", "SALES"]}}, True),
        ({"interaction.queue": {"contains": "fr"}}, False),
        ({"interaction.queue": {"starts_with": "sales"}}, True),
        ({"interaction.queue": {"starts_with": ["fr", "es"]}}, False),
        ({"interaction.queue": "sales es"}, False),
        ({"attached.tags": {"contains": "new"}}, True),
        ({"attached.tags": {"contains": "ne"}}, False),
        ({"attached.tags": "New"}, False),
        ({"attached.count": {"contains": "5"}}, False),
        ({"interaction.summary": {"present": False}}, True),
        ({"interaction.queue": {"present": True}}, True),
        ({"interaction.summary": {"present": True}}, False),
        ({"interaction.queue": {"present": False}}, False),
        ({"customer.vip": True}, True),
        ({"customer.vip": False}, False),
        ({"interaction.anonymous": False}, True),
        ({"attached.order": 123}, True),
        ({"attached.order": "123"}, True),
        ({"attached.count": "5"}, True),
        ({"attached.one": True}, False),
        ({"attached.yes": 1}, False),
        ({"attached.yes": "true"}, True),
        ({"attached.zip": "012"}, True),
        ({"attached.zip": 12}, False),
        ({"attached.spelled": {"more_than": 7}}, True),
        ({"attached.order": {"at_least": "2026-01-01"}}, False),
        ({"attached.tags": {"at_least": 1}}, False),
        ({"interaction.channel": "voice", "customer.vip": False}, False),
        ({"interaction.channel": "voice", "customer.vip": True}, True),
        ({"any": [{"interaction.channel": "chat"}, {"customer.vip": True}]}, True),
        ({"any": [{"interaction.channel": "chat"}, {"customer.vip": False}]}, False),
        ({"all": [{"interaction.channel": "voice"}, {"customer.vip": True}, {"attached.count": 5}]}, True),
        ({"all": [{"interaction.channel": "voice"}, {"customer.vip": True}, {"attached.count": 6}]}, False),
        ({"not": {"interaction.channel": "chat"}}, True),
        ({"not": {"any": [{"customer.vip": True}]}}, False),
    ],
)
def test_conditions(when: Any, met: bool) -> None:
    one = condition(when)
    assert one.holds(FACTS) is met
    assert (one.unmet(FACTS) is None) is met
    assert one.words


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ({"interaction.channel": "chat"}, "interaction.channel is voice (wanted: interaction.channel is chat)"),
        (
            {"interaction.channel": ["chat", "sms"]},
            "interaction.channel is voice (wanted: interaction.channel is one of chat or sms)",
        ),
        (
            {"interaction.hold_seconds": {"at_least": 5}},
            "interaction.hold_seconds is not there (wanted: interaction.hold_seconds is at least 5)",
        ),
        (
            {"interaction.talk_seconds": {"less_than": 5}},
            "interaction.talk_seconds is 184.5 (wanted: interaction.talk_seconds is less than 5)",
        ),
        ({"customer.phone": "1"}, "customer.phone is something else (wanted: customer.phone is 1)"),
        ({"not": {"customer.vip": True}}, "it has to be other than: customer.vip is true"),
        (
            {"interaction.queue": {"present": False}},
            "interaction.queue is something else (wanted: interaction.queue is not there)",
        ),
        (
            {"any": [{"customer.vip": False}, {"interaction.channel": "sms"}]},
            "customer.vip is true (wanted: customer.vip is false); "
            "interaction.channel is voice (wanted: interaction.channel is sms)",
        ),
    ],
)
def test_why_it_is_not_met_is_said_without_personal_data(when: Any, why: str) -> None:
    assert condition(when).unmet(FACTS) == why


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ({"interaction.chanel": "voice"}, 'did you mean "interaction.channel"'),
        ({"interaction.channel": "voise"}, 'interaction.channel: it is never "voise", did you mean "voice"?'),
        ({"interaction.channel": ["voice", "fax"]}, 'it is never "fax"'),
        ({"interaction.channel": {"at_lest": 1}}, 'there is no condition "at_lest", did you mean "at_least"?'),
        ({"interaction.channel": {"at_least": 1}}, "only a number or a time"),
        ({"interaction.channel": {"matches": "v.*"}}, 'there is no condition "matches"'),
        ({"interaction.talk_seconds": {"at_least": "5 minutes"}}, "a text of 9 characters is not a time"),
        ({"interaction.talk_seconds": {"at_least": True}}, "a number is wanted"),
        ({"interaction.talk_seconds": "five"}, "it is a number"),
        ({"interaction.talk_seconds": True}, "it is a number"),
        ({"customer.vip": "yes"}, "it is true or false"),
        ({"customer.vip": {"contains": "x"}}, "only a text or a list"),
        ({"customer.phone": None}, "write { present: false }"),
        ({"customer.phone": {}}, "an empty group"),
        ({"customer.phone": []}, "a list of values"),
        ({"customer.phone": [["a"]]}, "one value is wanted"),
        ({"customer.phone": {"present": "yes"}}, "`present` is true or false"),
        ({"recordings": "x"}, "it holds a list"),
        ({"customer": "x"}, "it holds a group"),
        ({"customer.phone": {"contains": ""}}, "contained in everything"),
        ({"customer.phone": {"starts_with": []}}, "starts with an empty one"),
        ({"customer.phone": {"contains": [{"a": 1}]}}, "a group of values is not"),
        ({"interaction.talk_seconds": {"starts_with": "1"}}, "only a text can start"),
        ({"any": {}}, "`any` takes a list"),
        ({"all": []}, "`all` takes a list"),
        ({"not": []}, "a condition is a group"),
        ({}, "a condition is a group"),
        ("voice", "a condition is a group"),
        ({"any": ["voice"]}, "a condition is a group"),
    ],
)
def test_a_wrong_condition_is_refused_with_its_line(when: Any, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        condition(when)
    assert says in str(refused.value) and str(refused.value).startswith("f.yaml:1: ")


def test_every_operator_is_documented() -> None:
    assert all(operator.about and operator.takes for operator in OPERATORS.values())
