"""A whole mapping: the design's own, what is refused and how it is said, examples as tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from mapping_texts import DESIGN, mapping, text

from hub.errors import ConfigError
from hub.language.examples import check_examples, run_examples
from hub.language.mapping import compile_mapping
from hub.model import Account, Lookup, Record

SHIPPED = sorted((Path(__file__).parents[3] / "mappings").rglob("*.yaml"))


def test_the_mapping_of_the_design_loads_and_its_examples_pass() -> None:
    task = compile_mapping(DESIGN, "mappings/wrap_up_to_task.yaml")
    assert [result.differences for result in run_examples(task)] == [(), ()]
    assert (task.name, task.version, task.target.key, task.target.zone) == (
        "wrap_up_to_task",
        0,
        "Interaction_Key__c",
        "Europe/Madrid",
    )
    assert task.source.connections == ("diabolocom",) and task.source.events == ("interaction.wrapped_up",)
    facts = {
        "interaction": {
            "channel": "voice",
            "direction": "outbound",
            "talk_seconds": 61.7,
            "ended_at": "2026-07-02T22:30:00Z",
        },
        "customer": {"phone": "+34 612 34 56 78", "vip": True},
        "disposition": {"name": "No", "class": "negative"},
    }
    assert task.skips(facts) is None
    assert task.lookups(facts) == {"caller": [Lookup("contact", "phone", "+34612345678")]}
    caller = Record(object="contact", id="003", title="Ada", account=Account(object="account", id="001", title="E"))
    assert task.render(facts, {"caller": [caller]}).fields == {
        "WhoId": "003", "Subject": "Call outbound: No", "Status": "Completed", "CallType": "Outbound",
        "CallDurationInSeconds": 62, "ActivityDate": "2026-07-03", "Priority": "High",
    }  # fmt: skip
    assert task.skips({"interaction": {"channel": "email"}}) == (
        "interaction.channel is email (wanted: interaction.channel is voice)"
    )


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_mappings_pass_their_examples(file: Path) -> None:
    check_examples(compile_mapping(file.read_text(encoding="utf-8"), str(file), country="ES", zone="Europe/Madrid"))


def test_facts_are_never_changed() -> None:
    facts: dict[str, Any] = {"interaction": {"channel": "voice", "talk_seconds": 9}}
    caller = Record(object="contact", id="003", title="Ada")
    compile_mapping(DESIGN).render(facts, {"caller": [caller]}, explain=True)
    assert facts == {"interaction": {"channel": "voice", "talk_seconds": 9}}


# --- what is refused ----------------------------------------

CALLER = {"find": "contact", "by": {"phone": "customer.phone"}}


def source(**words: Any) -> dict[str, Any]:
    return {"source": {"connection": "any", "event": "interaction.ended", **words}}


def target(**words: Any) -> dict[str, Any]:
    return {"target": {"connection": "crm", "write": "task", "key": "key", **words}}


def listed(**words: Any) -> dict[str, Any]:
    return {"source": {"connection": "crm", "list": "member", **words}, "fields": {"A": "member.id"}}


def field(*words: Any) -> dict[str, Any]:
    return {"fields": {"A": words[0] if len(words) == 1 else dict(zip(words[::2], words[1::2], strict=True))}}


def example(**words: Any) -> dict[str, Any]:
    return {"examples": [{"about": "One.", "given": {}, "expect": {"A": None}, **words}]}


WRONG: list[tuple[dict[str, Any], int, str]] = [
    # the whole
    ({"mapping": None}, 1, "a mapping has no `mapping`"),
    ({"mapping": "Wrap Up"}, 1, "a mapping's name is small letters"),
    ({"mapping": "x" * 64}, 1, "at most 63"),
    ({"mapping": 5}, 1, "small letters"),
    ({"about": " "}, 2, "`about` is a text"),
    ({"feilds": {}}, 7, 'there is no word "feilds" in a mapping, did you mean "fields"?'),
    ({"fields": {}}, 5, "`fields` is a group"),
    ({"fields": []}, 5, "`fields` is a group"),
    ({"examples": None}, 1, "every mapping carries `examples`"),
    ({"examples": []}, 6, "every mapping carries `examples`"),
    # source
    ({"source": "x"}, 3, "source is a group of words"),
    ({"source": {"connection": "a"}}, 3, "source has no `event`"),
    (source(wen={}), 3, 'no word "wen" in source, did you mean "when"?'),
    (source(connection=[]), 3, "`any` stands for all"),
    (source(connection=5), 3, "a connection is a text"),
    (source(event="wrapped_up"), 3, 'did you mean "interaction.wrapped_up"?'),
    (source(event="interaction.wraped_up"), 3, 'did you mean "interaction.wrapped_up"?'),
    (source(event=[]), 3, "an empty list of events"),
    (source(event=[5]), 3, 'there is no event "5"'),
    (source(after="30"), 3, "a number and a unit, such as `30 seconds`"),
    (source(after=30), 3, "a number and a unit"),
    (source(after="-3 seconds"), 3, "a number and a unit"),
    (source(after={"interaction.wrapped_up": "1 second"}), 3, "is not among this mapping's events"),
    (
        source(when={"caller.id": "x"}) | {"resolve": {"caller": CALLER}},
        3,
        '"caller" is looked up after `when` has decided',
    ),
    (source(when={"interaction.chanel": "x"}), 3, 'did you mean "interaction.channel"?'),
    (listed(every="1 day", cron="0 7 * * *"), 3, "`every` or `cron`, not both"),
    (listed(cron="0 7 * * 1-5"), 3, "weekdays are written by name"),
    (listed(cron="7am"), 3, "`cron` is minute, hour, day"),
    (listed(cron="99 7 * * mon"), 3, "`cron` is minute"),
    (listed(page=0), 3, "from 1 to 50000"),
    (listed(page="many"), 3, "from 1 to 50000"),
    (listed(where=[]), 3, "`where` is a group"),
    (listed(connection=["a", "b"]), 3, "a list is pulled from one connection"),
    (listed(connection="any"), 3, "from one connection"),
    (listed(phone="interaction.id"), 3, 'there is no path "interaction.id"'),
    (listed(country="XX"), 3, 'there is no country "XX"'),
    (listed(event="interaction.ended"), 3, 'no word "event" in source'),
    (listed(full_every="daily"), 3, "a number and a unit"),
    # target
    ({"target": {"connection": "crm", "write": "task"}}, 4, "target has no `key`"),
    (target(zone="Madrid"), 4, 'no time zone "Madrid"'),
    (target(zone="../etc/passwd"), 4, "no time zone"),
    (target(country="Spain"), 4, 'there is no country "Spain"'),
    (target(update="some"), 4, "`update` is all or owned"),
    (target(lane="intractive"), 4, 'did you mean "interactive"?'),
    (target(options=[]), 4, "`options` is a group"),
    (target(kye="x"), 4, 'did you mean "key"?'),
    (target(key=5), 4, "`key` is a text"),
    # resolve
    ({"resolve": ["x"]}, 7, "`resolve` is a group of names"),
    ({"resolve": {"agent": CALLER}}, 7, '"agent" has a meaning of its own'),
    ({"resolve": {"any": CALLER}}, 7, "a meaning of its own"),
    ({"resolve": {"Caller": CALLER}}, 7, "a resolved name is small letters"),
    ({"resolve": {"caller": {"find": "x"}}}, 7, "caller has no `by`"),
    ({"resolve": {"caller": CALLER}}, 7, '"caller" is looked up, and no field speaks of it'),
    ({"resolve": {"caller": CALLER | {"by": {"fone": "customer.phone"}}}}, 7, 'did you mean "phone"?'),
    ({"resolve": {"caller": CALLER | {"by": {"phone": "customer.fone"}}}}, 7, 'did you mean "customer.phone"?'),
    (
        {"resolve": {"caller": CALLER | {"by": {"phone": "customer.phone", "email": "customer.email"}}}},
        7,
        "several are a list, best first",
    ),
    ({"resolve": {"caller": CALLER | {"by": []}}}, 7, "nothing to look up by"),
    ({"resolve": {"caller": CALLER | {"by": ["x"]}}}, 7, "one way"),
    (
        {"resolve": {"caller": CALLER | {"by": {"email": {"from": "customer.email", "country": "ES"}}}}},
        7,
        'no word "country" in email',
    ),
    (
        {"resolve": {"caller": CALLER | {"by": {"key": {"from": "customer.crm_key", "field": 5}}}}},
        7,
        "`field` is the unique field's name",
    ),
    ({"resolve": {"caller": CALLER | {"many": "newst"}}}, 7, 'did you mean "newest"?'),
    ({"resolve": {"caller": CALLER | {"many": {"first": []}}}}, 7, "`first` is a list of objects"),
    ({"resolve": {"caller": CALLER | {"many": {"last": ["contact"]}}}}, 7, "there is no policy"),
    # fields
    (
        field("interaction.chanel"),
        5,
        'did you mean "interaction.channel"?; for a fixed value write { value: interaction.chanel }',
    ),
    (field("Completed"), 5, "for a fixed value write { value: Completed }"),
    (field(5), 5, "for a fixed value write { value: 5 }"),
    (field(None), 5, "a field is a path or a group of words"),
    (field([]), 5, "a field is a path or a group of words"),
    (field({}), 5, "here is nothing that it is made of"),
    (field("form", "x"), 5, 'did you mean "from"?'),
    (field("from", "agent.id", "value", 1), 5, "here is from and value at once"),
    (field("value", 1, "max", 3), 5, "a fixed value needs no `max`"),
    (field("value", None), 5, "`value` is a text, a number"),
    (field("value", {"a": 1}), 5, "`value` is a text, a number"),
    (field("from", []), 5, "an empty list of paths"),
    (field("from", ["agent.id", "agent.nam"]), 5, 'did you mean "agent.name"?'),
    (field("from", {"a": 1}), 5, "a path is text"),
    (field("customer"), 5, '"customer" is a group of values: name one of them'),
    (field("from", "comments"), 5, "is a list of values"),
    (field("from", "comments", "as", "upper"), 5, "is a list of values"),
    (field("from", "agent.id", "as", "intger"), 5, 'did you mean "integer"?'),
    (field("from", "agent.id", "as", []), 5, "empty list of converters"),
    (field("from", "agent.id", "as", ["trim", 5]), 5, 'no converter "5"'),
    (field("from", "agent.id", "zone", "UTC"), 5, "`zone` is for a converter"),
    (field("from", "agent.id", "as", "date", "country", "ES"), 5, "`country` is for a converter"),
    (field("from", "agent.id", "as", "date", "zone", "Mars"), 5, 'no time zone "Mars"'),
    (field("from", "agent.id", "as", "e164", "country", "XX"), 5, 'there is no country "XX"'),
    (field("from", "agent.id", "as", "e164", "country", "custmer.phone"), 5, "did you mean"),
    (field("from", "agent.id", "choose", []), 5, "`choose` is a table"),
    (field("from", "agent.id", "choose", {"a": []}), 5, "gives one value"),
    (
        field("from", "interaction.direction", "choose", {"inbund": "x"}, "otherwise", "y"),
        5,
        'never "inbund", did you mean "inbound"?',
    ),
    (
        field("from", "interaction.direction", "choose", {"inbound": "x"}),
        5,
        "says nothing for outbound, internal: add them, or `otherwise`",
    ),
    (field("from", "customer.vip", "choose", {"yes": "x"}, "otherwise", "y"), 5, 'it is never "yes"'),
    (field("text", "{agent.id}", "choose", {"a": "b"}), 5, "not a text made of several"),
    (field("text", "fixed"), 5, "a text without any {path}"),
    (field("text", "{agent.nam}"), 5, 'did you mean "agent.name"?'),
    (field("text", "{agent.id"), 5, "a lone {"),
    (field("text", "a}"), 5, "a lone }"),
    (field("text", "{agent}"), 5, '"agent" is a group'),
    (field("text", 5), 5, "`text` is a text"),
    (field("text", "{}"), 5, "is no path"),
    (field("from", "agent.id", "max", 0), 5, "from 1 up"),
    (field("from", "agent.id", "max", "10"), 5, "from 1 up"),
    (field("from", "agent.id", "max", True), 5, "from 1 up"),
    (field("from", "agent.id", "as", "date", "max", 5), 5, "`max` cuts text"),
    (field("from", "agent.id", "max", 2, "otherwise", "long"), 5, '"long" is longer than `max: 2`'),
    (field("from", "agent.id", "max", 2, "choose", {"a": "long"}), 5, '"long" is longer than `max: 2`'),
    (field("from", "agent.id", "required", "yes"), 5, "`required` is true or false"),
    (field("from", "agent.id", "required", True, "otherwise", "x"), 5, "can never fail"),
    (field("from", "agent.id", "otherwise", None), 5, "`otherwise` is a fixed value"),
    (field("expr", "2 *"), 5, "no readable expression"),
    (field("expr", "interaction.chanel"), 5, 'did you mean "interaction.channel"?'),
    (field("expr", 5), 5, "an expression is text"),
    (field("expr", "''.__class__"), 5, "follow a path only"),
    # examples
    (example(abuot="x"), 6, 'did you mean "about"?'),
    (example(about=None), 6, "has no `about`"),
    (example(expect=None), 6, "has no `expect`"),
    (example(expect="skipped"), 6, "`expect` is a group of fields"),
    (example(expect={}), 6, "`expect` is a group of fields"),
    (example(expect={"B": 1}), 6, 'the mapping has no field "B"'),
    (example(expect={"problem": "B"}), 6, 'no field "B"'),
    (example(given={"interacton": {}}), 6, 'did you mean "interaction"?'),
    (example(given={"agent": 5}), 6, "group"),
    (example(given={"interaction": {"chanel": "x"}}), 6, 'did you mean "channel"?'),
    (example(given={"interaction": {"channel": "fax"}}), 6, 'channel: it is never "fax"'),
    (example(given={"interaction": {"talk_seconds": "5"}}), 6, "talk_seconds: it is a number"),
    (example(given={"interaction": {"ended_at": "today"}}), 6, "ended_at: a text of 5 characters is not a time"),
    (example(given={"customer": {"phone": 34612345678}}), 6, 'phone is text: write it in quotes, "34612345678"'),
    (example(given={"recordings": {"url": "x"}}), 6, "recordings is a list"),
    (example(given={"recordings": [{"ulr": "x"}]}), 6, 'did you mean "url"?'),
]


@pytest.mark.parametrize(("parts", "line", "says"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_with_its_line(parts: dict[str, Any], line: int, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compile_mapping(text(**parts), "m.yaml")
    assert says in refused.value.what
    assert (refused.value.file, refused.value.line) == ("m.yaml", line)


def test_lines_are_those_of_the_word() -> None:
    wrong = DESIGN.replace("as: date", "as: dat").replace(
        "{ value: Completed }", "{ value: Completed }\n  X: { from: agent.id, max: no }"
    )
    with pytest.raises(ConfigError, match=re.escape("d.yaml:18: `max` is a number")):
        compile_mapping(wrong, "d.yaml")


@pytest.mark.parametrize("text", ["", "- a", "5", "mapping", "[" * 50])
def test_no_mapping_at_all(text: str) -> None:
    with pytest.raises(ConfigError):
        compile_mapping(text, "m.yaml")


# --- what is understood ----------------------------------------


def test_after_is_for_all_events_or_for_each() -> None:
    events = ["interaction.ended", "interaction.wrapped_up"]
    both = mapping(**source(event=events, after="5 minutes")).source
    assert [both.after_seconds(event) for event in (*events, "interaction.recording_ready")] == [300, 300, 0]
    one = mapping(**source(event=events, after={"interaction.ended": "30 seconds"})).source
    assert [one.after_seconds(event) for event in events] == [30, 0]


def test_a_list_mapping() -> None:
    words = {
        "every": "15 minutes",
        "full_every": "1 day",
        "page": 500,
        "where": {"campaign": "spring"},
        "phone": ["member.mobile", "member.phone"],
        "country": "member.country",
        "consent": "member.consent",
        "do_not_call": "member.do_not_call",
        "when": {"member.status": {"not": "done"}},
    }
    spring = mapping(**listed(**words), **target(write="contact_list", options={"list": "spring"}))
    pull = spring.source.contact_list
    assert pull is not None
    assert (pull.object, pull.every_seconds, pull.full_every_seconds, pull.page) == ("member", 900, 86400, 500)
    member = {"member": {"id": "7", "phone": "612", "country": "es", "consent": True, "status": "done"}}
    assert [path(member) for path in pull.phone] == [None, "612"]
    assert callable(pull.country) and pull.country(member) == "ES"
    assert pull.consent is not None and pull.consent(member) is True
    assert spring.skips(member) and spring.source.events == () and spring.target.lane == 2
    assert spring.target.options == {"list": "spring"}
    weekly = mapping(**listed(cron="0 7 * * mon-fri", country="FR")).source.contact_list
    assert weekly is not None and weekly.cron == "0 7 * * mon-fri" and weekly.country == "FR" and weekly.page == 1000


def test_a_target_and_its_defaults() -> None:
    assert mapping().target.lane == 1
    full = mapping(**target(lane="interactive", update="owned", country="FR", zone="Europe/Paris")).target
    assert (full.lane, full.update, full.country, full.zone) == (0, "owned", "FR", "Europe/Paris")


# --- examples are tests ----------------------------------------


def differences(**parts: Any) -> list[tuple[str, ...]]:
    return [result.differences for result in run_examples(mapping(**parts))]


def test_a_failing_example_says_field_by_field_what_differs() -> None:
    fields = {"A": "agent.id", "B": {"from": "agent.name", "as": "upper"}, "C": {"value": 1}}
    given = {"agent": {"id": "a", "name": "Ana"}}
    failing = {"about": "One.", "given": given, "expect": {"A": "b", "B": "ANA", "C": True}}
    assert differences(fields=fields, examples=[failing]) == [("A: expected 'b', got 'a'", "C: expected True, got 1")]
    with pytest.raises(
        ConfigError, match=re.escape("small.yaml:6: the example \"One.\" fails: A: expected 'b', got 'a'; C:")
    ):
        check_examples(mapping(fields=fields, examples=[failing]))


def test_skips_problems_and_cuts_can_be_expected() -> None:
    when = source(when={"interaction.channel": "voice"})
    fields = {
        "A": {"from": "wrap_up.code", "choose": {"x": "y"}},
        "B": {"from": "agent.name", "max": 2},
        "problem": "agent.id",
    }
    voice = {"interaction": {"channel": "voice"}}

    def told(given: dict[str, Any], expect: Any) -> tuple[str, ...]:
        return differences(**when, fields=fields, examples=[{"about": "One.", "given": given, "expect": expect}])[0]

    assert told({"interaction": {"channel": "chat"}}, "skip") == ()
    assert told(voice, "skip") == ("it has to be skipped, and is not: `when` is met",)
    assert told({}, {"A": "y"}) == (
        "it is skipped: interaction.channel is not there (wanted: interaction.channel is voice)",
    )
    assert told(voice | {"agent": {"name": "Ana"}}, {"B": "An", "cut": "B"}) == ()
    assert told(voice | {"agent": {"name": "An"}}, {"cut": ["B"]}) == ("B: a cut was expected",)
    assert told(voice, {"problem": None}) == (), "a field that is called so is a field"
    assert "`choose` has no such value" in told(voice | {"wrap_up": {"code": "z"}}, {"B": None})[0]


def test_a_problem_can_be_expected() -> None:
    fields = {"A": {"from": "wrap_up.code", "choose": {"x": "y"}}, "B": {"from": "agent.id", "required": True}}
    given = {"wrap_up": {"code": "z"}}
    assert differences(fields=fields, examples=[{"about": "1", "given": given, "expect": {"problem": ["A", "B"]}}]) == [
        ()
    ]
    some = differences(fields=fields, examples=[{"about": "1", "given": given, "expect": {"problem": "A"}}])
    assert some == [("B: required, and nothing is there (agent.id)",)]
    fine = {"wrap_up": {"code": "x"}, "agent": {"id": "a"}}
    none = differences(fields=fields, examples=[{"about": "1", "given": fine, "expect": {"problem": "A", "B": "a"}}])
    assert none == [("A: a problem was expected",)]


def test_several_matches_can_be_given() -> None:
    parts: dict[str, Any] = {
        "resolve": {"caller": CALLER | {"many": "newest"}},
        "fields": {"A": "caller.id", "B": "caller.Email", "C": "caller.account.title"},
    }
    records = [
        {"object": "contact", "id": "1", "created_at": "2026-01-01", "Email": "a@x.example"},
        {"object": "contact", "id": "2", "created_at": "2026-01-02", "Email": "b@x.example", "account": {"title": "E"}},
    ]
    expect = {"A": "2", "B": "b@x.example", "C": "E"}
    assert differences(**parts, examples=[{"about": "1", "given": {"caller": records}, "expect": expect}]) == [()]
