"""A mapping against the CRM's description: each disagreement is one line with its place and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hub.config import ConnectionConfig
from hub.connections import Connection, Connections
from hub.contract import Manifest
from hub.errors import NotFound, Unavailable
from hub.flow.agreement import Disagreement
from hub.flow.agreement import compared as all_of
from hub.flow.described import Asked
from hub.model import Description, Field, Lookup, Receipt, Record, Row, Target
from tests.unit.language.mapping_texts import mapping

FIELDS = (
    Field(name="Key__c", unique=True, max_length=255),
    Field(name="Subject", max_length=80),
    Field(name="Comments", type="longtext", max_length=32_000),
    Field(name="Priority", type="picklist", picklist=("Normal", "Low"), retired=("High",)),
    Field(name="CallType", type="picklist", picklist=("inbound", "outbound", "Internal")),
    Field(name="Seconds", type="integer"),
    Field(name="Amount", type="decimal"),
    Field(name="Done", type="boolean"),
    Field(name="Day", type="date"),
    Field(name="At", type="datetime"),
    Field(name="WhoId", type="reference", refers_to=("contact",)),
    Field(name="Sort", fixed=True),
    Field(name="CreatedBy", writable=False),
)


class Crm:
    """A CRM that describes itself as it is told."""

    def __init__(self, *fields: Field, **rights: bool | None) -> None:
        self.manifest = Manifest(
            name="crm", title="Crm", about="x", family="crm", idempotency="native-upsert", people=("contact",)
        )
        self.fields: tuple[Field, ...] = fields or FIELDS
        self.rights: dict[str, Any] = rights
        self.asked: list[str] = []
        self.error: Exception | None = None

    def objects(self) -> Sequence[str]:
        return ("task", "contact")

    def describe(self, object: str) -> Description:
        self.asked.append(object)
        if self.error:
            raise self.error
        if object == "contact":
            return Description(object=object, label=object, fields=(Field(name="No", unique=True), Field(name="Mail")))
        return Description(object=object, label=object, fields=self.fields, **self.rights)

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        raise AssertionError

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        raise AssertionError


def compared(crm: Crm | None = None, **parts: Any) -> list[Disagreement]:
    """What does not fit of a small mapping with the CRM."""
    parts.setdefault("target", {"connection": "crm", "write": "task", "key": "Key__c"})
    connection = Connection("crm", ConnectionConfig("crm", "crm", {}), crm or Crm())  # type: ignore[arg-type]
    found, unasked = all_of(mapping(**parts), Connections({"crm": connection}), Asked())
    assert unasked == ""
    return found


def said(field: str, words: Any, **parts: Any) -> list[str]:
    """What is wrong with one field; what may go well is in brackets."""
    return [one.what if one.grave else f"({one.what})" for one in compared(fields={field: words}, **parts)]


@pytest.mark.parametrize(
    ("field", "words", "wrong"),
    [
        # names
        ("Subjekt", "interaction.id", 'task has no field "Subjekt", did you mean "Subject"?'),
        ("CreatedBy", "agent.email", "task.CreatedBy cannot be written"),
        ("Sort", {"value": "call"}, "task.Sort is written with a new record and never changed after, and this mapping "
                                    "changes its records later: leave it out, or write `mode: once`"),
        # literals
        ("Priority", {"value": "Hgih"}, 'Priority does not take "Hgih"; it takes: Normal, Low'),
        ("Priority", {"value": "Norml"}, 'Priority does not take "Norml", did you mean "Normal"?'),
        ("Priority", {"value": "High"}, 'Priority no longer takes "High"; it takes: Normal, Low'),
        ("Subject", {"value": "x" * 81}, "Subject takes 80 characters, and this value has 81"),
        ("Subject", {"value": 5}, "Subject is text, and 5 is a number: write it in quotes"),
        ("Seconds", {"value": "5"}, 'Seconds is integer, and "5" is a text of 1 characters: write a whole number'),
        ("Seconds", {"value": 5.5}, "Seconds is integer, and 5.5 is a number: write a whole number"),
        ("Seconds", {"value": True}, "Seconds is integer, and true is true or false: write a whole number"),
        ("Done", {"value": "yes"}, 'Done is boolean, and "yes" is a text of 3 characters: write true or false'),
        ("Day", {"value": "2026-13-01"}, 'Day is date, and "2026-13-01" is a text of 10 characters: write a date such as '
                                         "2026-03-02"),
        ("Seconds", {"from": "interaction.talk_seconds", "as": "integer", "otherwise": "none"},
         'Seconds is integer, and "none" is a text of 4 characters: write a whole number'),
        # kinds
        ("Seconds", "interaction.talk_seconds", "Seconds is integer, and interaction.talk_seconds gives a number that may "
                                                "have decimals: write as: integer"),
        ("Seconds", {"from": "interaction.talk_seconds", "as": "decimal"},
         "Seconds is integer, and as: decimal gives a number with decimals: write as: integer"),
        ("Subject", "interaction.talk_seconds", "Subject is text, and interaction.talk_seconds gives a number that may have "
                                                "decimals: write as: text"),
        ("Amount", "wrap_up.comment", "Amount is decimal, and wrap_up.comment gives text: write as: decimal"),
        ("Done", "wrap_up.code", "Done is boolean, and wrap_up.code gives text: write as: boolean, or choose"),
        ("Day", "interaction.ended_at", "Day is date, and interaction.ended_at gives a time: write as: date"),
        ("At", {"from": "interaction.ended_at", "as": "date"},
         "At is datetime, and as: date gives a date: write as: datetime"),
        ("Subject", "final", "Subject is text, and final gives true or false: write as: text"),
        # words that a path may hold
        ("CallType", "interaction.direction", 'interaction.direction may be "internal": CallType does not take "internal", '
                                              'did you mean "Internal"?; use choose'),
        # lengths
        ("Subject", {"from": "wrap_up.comment", "max": 255}, "Subject takes 80 characters, and max says 255"),
        ("Subject", "wrap_up.comment", "(Subject takes 80 characters, and nothing cuts wrap_up.comment: write max: 80)"),
        ("Priority", "wrap_up.name", "(Priority takes only: Normal, Low; wrap_up.name may be another word: use choose)"),
    ],
)  # fmt: skip
def test_what_does_not_fit(field: str, words: Any, wrong: str) -> None:
    assert said(field, words) == [wrong]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("Subject", {"from": "wrap_up.comment", "max": 80}), ("Comments", "wrap_up.comment"),
        ("Priority", {"from": "wrap_up.code", "choose": {"a": "Low"}, "otherwise": "Normal"}),
        ("Seconds", {"from": "interaction.talk_seconds", "as": "integer"}), ("Amount", "interaction.talk_seconds"),
        ("Seconds", "campaign.attempts"), ("Done", "final"), ("At", "interaction.ended_at"),
        ("Day", {"from": "interaction.ended_at", "as": "date"}), ("Subject", "interaction.direction"),
        ("Subject", {"expr": "interaction.id"}), ("Seconds", "attached.seconds"), ("Amount", {"value": 5}),
        ("At", {"value": "2026-03-02T10:00:00Z"}), ("Subject", {"from": "interaction.remote", "as": "e164"}),
    ],
)  # fmt: skip
def test_what_fits(field: str, words: Any) -> None:
    assert said(field, words) == []


def test_a_word_that_when_keeps_out_is_not_asked_for() -> None:
    for when in ({"interaction.direction": {"not": "internal"}}, {"all": [{"interaction.direction": ["inbound"]}]}):
        source = {"connection": "crm", "event": "interaction.wrapped_up", "when": when}
        assert said("CallType", "interaction.direction", source=source) == [], when
    source["when"] = {"interaction.channel": "voice"}
    assert len(said("CallType", "interaction.direction", source=source)) == 1
    assert said("CallType", {"from": "interaction.direction", "as": "upper"}) == [
        f'interaction.direction may be "{word}": CallType does not take "{word.upper()}"; it takes: inbound, outbound, '
        "Internal; use choose"
        for word in ("inbound", "outbound", "internal")
    ]


def test_keys_and_what_a_new_record_needs() -> None:
    crm = Crm(*FIELDS, Field(name="Owner", required=True))
    key = {"connection": "crm", "write": "task", "key": "Subject"}
    fields = {"Comments": "wrap_up.comment"}
    assert [(one.code, one.field) for one in compared(crm, fields=fields, target=key)] == [
        ("key", "Subject"), ("required", "Owner"),
    ]  # fmt: skip
    assert compared(crm, fields=fields, target=key | {"key": "id"}) == []
    [gone] = compared(Crm(*FIELDS[1:]), fields=fields)
    assert gone.what == 'task has no field "Key__c"'
    resolve = {"who": {"find": "contact", "by": {"key": {"field": "Mail", "from": "customer.crm_key"}}}}
    [one] = compared(fields={"WhoId": "who.id"}, resolve=resolve)
    assert "contact.Mail is not unique, so it is no key; unique: No" in one.what


def test_a_records_id_goes_where_a_crm_counts_its_records() -> None:
    who = {"who": {"find": "contact", "by": {"id": "clicked.id"}}}
    for path in ("who.id", "who.account.id", "clicked.id"):
        assert compared(fields={"Seconds": path, "WhoId": "who.id"}, resolve=who) == [], path
    assert len(said("Seconds", "interaction.id")) == 1


def test_a_reference_to_another_kind_of_record() -> None:
    who = {"who": {"find": "task", "by": {"id": "clicked.id"}}}
    [one] = compared(fields={"WhoId": "who.id"}, resolve=who)
    assert one.what == "WhoId takes the id of contact, and who is found as task"
    assert compared(fields={"WhoId": "who.id"}, resolve={"who": who["who"] | {"find": "person"}}) == []


@pytest.mark.parametrize(
    ("rights", "target", "wrong"),
    [
        ({}, {}, None),
        ({"changeable": None}, {}, None),
        ({"changeable": False}, {}, "our user of crm may not change task records, and this mapping changes them: write "
                                    "`mode: once` or `mode: append`"),
        ({"changeable": False}, {"mode": "once"}, None),
        ({"changeable": False}, {"mode": "append", "link": "Comments"}, None),
        ({"creatable": False}, {"mode": "once"}, "our user of crm may not make task records"),
        ({"creatable": False, "changeable": True}, {"key": "id"}, None),
        ({"changeable": False}, {"key": "id"}, "our user of crm may not change task records, and this mapping changes them: "
                                               "nothing can be written"),
    ],
)  # fmt: skip
def test_a_mode_needs_its_rights(rights: dict[str, Any], target: dict[str, Any], wrong: str | None) -> None:
    told = {"connection": "crm", "write": "task", "key": "Key__c"} | target
    found = compared(Crm(*FIELDS, **rights), fields={"Comments": "wrap_up.comment"}, target=told)
    assert [one.what for one in found] == ([wrong] if wrong else [])


def test_fixed_fields_are_right_where_nothing_is_changed() -> None:
    once = {"connection": "crm", "write": "task", "key": "Key__c", "mode": "once"}
    assert said("Sort", {"value": "call"}, target=once) == []


def test_each_line_is_where_the_trouble_stands() -> None:
    parts = {"fields": {"Subjekt": "interaction.id"}, "target": {"connection": "crm", "write": "tusk", "key": "Key__c"}}
    one = mapping(**parts).text.splitlines()
    [wrong] = compared(**parts)
    assert (wrong.what, wrong.code) == ('crm has no object "tusk", did you mean "task"?', "object")
    assert one[wrong.line - 1].startswith("target:")


def test_who_does_not_answer_is_not_held_against_the_mapping() -> None:
    crm = Crm()
    connections = Connections({"crm": Connection("crm", ConnectionConfig("crm", "crm", {}), crm)})  # type: ignore[arg-type]
    target = {"connection": "crm", "write": "task", "key": "Key__c"}
    crm.error = Unavailable("down")
    assert all_of(mapping(target=target), connections, Asked()) == ([], "crm: down")
    crm.error = NotFound("there is no task")
    [gone], unasked = all_of(mapping(target=target), connections, Asked())
    assert (gone.code, gone.what, unasked) == ("object", "there is no task", "")


def test_fields_of_a_record_that_are_read_and_not_described() -> None:
    resolve = {"who": {"find": "contact", "by": {"id": "clicked.id"}}}
    fields = {"WhoId": "who.id", "Comments": {"from": ["who.No", "who.Mial", "who.title"]}}
    [one] = compared(fields=fields, resolve=resolve)
    assert (one.grave, one.what) == (
        False, 'who.Mial is never there: contact has no field "Mial", did you mean "Mail"?',
    )  # fmt: skip


def test_a_list_is_pulled_from_where_there_is_one() -> None:
    source = {"connection": "crm", "list": "tusk"}
    fields = {"Comments": "member.note"}
    crm = Crm()
    [no_lists] = compared(crm, source=source, fields=fields)
    assert no_lists.what == "crm (Crm) has no lists to pull"
    crm.pages = lambda query: iter(())  # type: ignore[attr-defined]
    [unknown] = compared(crm, source=source, fields=fields)
    assert unknown.what == 'crm has no object "tusk", did you mean "task"?'
    assert compared(crm, source=source | {"list": "task"}, fields=fields) == []
