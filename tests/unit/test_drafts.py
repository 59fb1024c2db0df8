"""A drafted mapping loads, agrees with what it was drafted from, and its example passes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine

from hub.config import ConnectionConfig
from hub.connections import Connection, Connections
from hub.contract import Manifest
from hub.errors import ConfigError
from hub.flow.agreement import compared
from hub.flow.described import Asked
from hub.flow.drafts import Draft, draft, suggestion
from hub.flow.vocabulary import likeness, words_of
from hub.language.examples import run_examples
from hub.language.mapping import Mapping, compile_mapping
from hub.model import Description, Field
from tests.contract.scenario_files import built
from tests.unit.test_agreement import Crm

TASK = (
    Field(name="Id", unique=True, writable=False),
    Field(name="Interaction_Key__c", label="Interaction Key", unique=True, max_length=255),
    Field(name="WhoId", label="Name ID", type="reference", refers_to=("contact", "lead")),
    Field(name="WhatId", label="Related To ID", type="reference", refers_to=("account", "case")),
    Field(name="OwnerId", label="Assigned To ID", type="reference", refers_to=("user",)),
    Field(name="Subject", max_length=255),
    Field(name="Status", type="picklist", picklist=("Not Started", "Completed"), required=True),
    Field(name="Priority", type="picklist", picklist=("High", "Normal"), required=True),
    Field(name="CallType", label="Call Type", type="picklist", picklist=("Internal", "Inbound", "Outbound")),
    Field(name="CallDurationInSeconds", label="Call Duration", type="integer"),
    Field(name="CallDisposition", label="Call Result", max_length=255),
    Field(name="ActivityDate", label="Due Date Only", type="date"),
    Field(name="Description", label="Comments", type="longtext", max_length=32_000),
    Field(name="TaskSubtype", type="picklist", picklist=("Call",), fixed=True),
)
PHONE_CALL = (
    Field(name="activityid", unique=True, type="text", label="Phone Call"),
    Field(name="subject", max_length=200, required=True),
    Field(name="description", type="longtext", max_length=2_000),
    Field(name="directioncode", label="Direction", type="boolean"),
    Field(name="actualdurationminutes", label="Duration (minutes)", type="integer"),
    Field(name="scheduledend", label="Scheduled End", type="datetime"),
    Field(name="phonenumber", label="Phone Number", max_length=200),
    Field(name="leftvoicemail", label="Left Voice Mail", type="boolean"),
    Field(name="prioritycode", label="Priority", type="picklist", picklist=("0", "1", "2")),
)


class Described(Crm):
    """A CRM of several kinds of people."""

    def __init__(self, *fields: Field, **rights: bool | None) -> None:
        super().__init__(*fields, **rights)
        people = ("contact", "lead", "account")
        self.manifest = Manifest(
            name="crm",
            title="Crm",
            about="x",
            family="crm",
            idempotency="native-upsert",
            people=people,
            company="account",
        )


def drafted(*fields: Field, event: str = "interaction.wrapped_up", **rights: Any) -> tuple[Draft, Mapping]:
    """The draft for `task`, proven as a person would prove it."""
    crm = Described(*fields, **rights)
    connection = Connection("crm", ConnectionConfig("crm", "crm", {}), crm)  # type: ignore[arg-type]
    return proven(event, connection, crm.describe("task"))


def proven(event: str, connection: Connection, description: Description) -> tuple[Draft, Mapping]:
    made = draft(event, connection, description, country="ES")
    mapping = compile_mapping(made.source, country="ES")
    [result] = run_examples(mapping)
    assert result.passed, result.differences
    found, _ = compared(mapping, Connections({connection.name: connection}), Asked())
    assert [one.what for one in found if one.grave] == []
    return made, mapping


def lines(made: Draft) -> dict[str, str]:
    """The fields' lines, by name."""
    part = made.source.partition("\nfields:\n")[2].partition("\nexamples:\n")[0]
    told = (line.strip().partition(": ") for line in part.splitlines() if not line.strip().startswith("#"))
    return {name.strip('"'): words for name, _, words in told}


def test_a_task() -> None:
    made, mapping = drafted(*TASK)
    assert (mapping.name, mapping.target.key) == ("wrapped_up_to_task", "Interaction_Key__c")
    assert lines(made) == {
        "WhoId": "{ expr: \"caller.id if caller.object == 'contact' or caller.object == 'lead'\" }",
        "WhatId": "{ expr: \"caller.id if caller.object == 'account' else caller.account.id\" }",
        "Subject": '{ text: "Call {interaction.direction}: {disposition.name}", max: 255 }',
        "Status": "{ value: Completed }",
        "CallType": "{ from: interaction.direction, choose: { inbound: Inbound, outbound: Outbound, internal: Internal } }",
        "CallDurationInSeconds": "{ from: [interaction.talk_seconds, interaction.total_seconds], as: integer }",
        "CallDisposition": "{ from: [disposition.name, disposition.code], max: 255 }",
        "ActivityDate": "{ from: interaction.ended_at, as: date }",
        "Description": "{ from: [wrap_up.comment, interaction.summary], max: 32000 }",
        "Priority": "{ value: High } # required: decide",
    }
    assert made.left_out == ("OwnerId",)
    assert made.to_decide == ("Priority is required there, and what it should be was not guessed",)
    assert [(one.object, [by for by, _ in one.by]) for one in mapping.resolve] == [
        ("person", ["id", "phone", "phone", "email"])
    ]


def test_a_phone_call_with_a_flag_for_its_direction() -> None:
    made, mapping = drafted(*PHONE_CALL, changeable=False, creatable=True)
    said = lines(made)
    assert mapping.target.mode == "once"
    assert mapping.target.key == "activityid"
    assert said["directioncode"] == (
        "{ from: interaction.direction, choose: { inbound: false, outbound: true, internal: false } } # true is outbound: "
        "check it"
    )
    assert said["actualdurationminutes"] == (
        "{ from: [interaction.talk_seconds, interaction.total_seconds], as: minutes }"
    )
    assert said["phonenumber"] == "{ from: [customer.phone, interaction.remote_e164], as: e164 }"
    assert said["scheduledend"] == "interaction.ended_at"
    assert "leftvoicemail" in made.left_out


@pytest.mark.parametrize("event", ["interaction.wrapped_up", "interaction.missed", "campaign.contact_result"])
def test_every_object_of_the_embedded_crm(event: str) -> None:
    connector = built("embedded", {}, engine=create_engine("sqlite://"))
    connection = Connection("crm", ConnectionConfig("crm", "embedded", {}), connector)
    for object in connector.objects():
        try:
            made, _ = proven(event, connection, connector.describe(object))
        except ConfigError as error:
            assert "could be guessed" in str(error), (event, object)
            continue
        assert lines(made), (event, object)


def test_a_person_is_drafted_by_name() -> None:
    connector = built("embedded", {}, engine=create_engine("sqlite://"))
    connection = Connection("crm", ConnectionConfig("crm", "embedded", {}), connector)
    made, _ = proven("interaction.missed", connection, connector.describe("contact"))
    said = lines(made)
    assert said["first_name"] == "{ from: customer.name, as: first_name, max: 120 }"
    assert said["last_name"] == "{ from: customer.name, as: last_name, max: 120 }"
    assert said["phone"] == "{ from: [customer.phone, interaction.remote_e164], as: e164 }"
    assert made.to_decide == ()


def test_a_picklist_that_knows_only_some_of_the_words_is_to_be_decided() -> None:
    kinds = Field(name="Channel", type="picklist", picklist=("Other", "Phone Call", "E-mail"))
    made, _ = drafted(TASK[1], kinds)
    assert lines(made)["Channel"] == (
        '{ from: interaction.channel, choose: { voice: "Phone Call", email: "E-mail", task: Other, chat: null, '
        "sms: null } } "
        "# decide what chat, sms should be"
    )


def test_what_cannot_be_drafted_says_why() -> None:
    crm = Described(Field(name="Subject"), Field(name="No", unique=True, type="integer"))
    there = Connection("crm", ConnectionConfig("crm", "crm", {}), crm)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="task has no unique text field for a key"):
        draft("interaction.ended", there, crm.describe("task"))
    with pytest.raises(ConfigError, match=r'no event "interaction\.wraped_up", did you mean "interaction\.wrapped_up"'):
        draft("interaction.wraped_up", there, crm.describe("task"))
    with pytest.raises(ConfigError, match='crm has no object "tusk", did you mean "task"'):
        suggestion("interaction.ended", there, "tusk", Asked())
    with pytest.raises(ConfigError, match="could be guessed"):
        draft("interaction.ended", there, Description(object="x", label="x", fields=(TASK[1],)))


def test_what_would_not_pass_check_is_no_draft() -> None:
    with pytest.raises(ConfigError, match="no draft would agree with crm: our user of crm may not make task records"):
        drafted(*TASK, creatable=False)


def test_a_text_that_takes_only_some_words_is_chosen_like_a_picklist() -> None:
    either = Field(name="X", required=True, picklist=("a", "b"))
    made, _ = drafted(TASK[1], Field(name="Channel", picklist=("Call",), max_length=9, required=True), either)
    assert lines(made)["Channel"].startswith("{ from: interaction.channel, choose: { voice: Call }, otherwise: Call }")
    assert lines(made)["X"].startswith("{ value: a }")


def test_hostile_names_and_values_stay_names_and_values() -> None:
    fields = (
        TASK[1],
        Field(name='Sub"ject: #1', label="Subject", max_length=10),
        Field(name="null", label="Description", type="longtext"),
        Field(name="Status", type="picklist", picklist=('a: "b" # c', "yes"), required=True),
        Field(name="Direction", type="picklist", picklist=("In", "Out\\", "internal")),
        Field(name="left\nfields: {}", label="nothing like it"),
    )
    made, mapping = drafted(*fields)
    assert set(mapping.fields) == {'Sub"ject: #1', "null", "Status", "Direction"}
    assert 'a: \\"b\\" # c' in lines(made)["Status"]


def test_names_are_compared_by_their_words() -> None:
    assert words_of("CallDurationInSeconds__c") == ("call", "duration", "in", "seconds")
    assert words_of("new_HTTPStatus") == ("new", "http", "status")
    assert likeness([words_of("Comments")], ("comment",)) == 1.0
    assert likeness([words_of("CallDuration")], ("duration",)) == 0.45
    assert likeness([words_of("Weather")], ("duration", "subject")) == 0.0
