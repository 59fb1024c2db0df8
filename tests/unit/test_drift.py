"""Drift: a CRM that changes under a mapping raises an alert that names mapping, field and change, and clears it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from hub.config import ConnectionConfig
from hub.connections import Connection, Connections
from hub.errors import Rejected, Unavailable
from hub.flow.changes import changes
from hub.flow.delivery import pauses
from hub.flow.described import Described, Known
from hub.flow.drift import Drift
from hub.flow.mappings import Mappings
from hub.model import Description, Field, Row
from hub.store import alerts, descriptions
from hub.store.database import Store
from tests.stubs import Rig, StubCrm, put_calls, until
from tests.unit.language.mapping_texts import text
from tests.unit.test_agreement import FIELDS, Crm
from tests.waiting import PATIENCE

TARGET = {"connection": "crm", "write": "task", "key": "Key__c"}
EXAMPLES = [{"about": "x", "given": {}, "expect": {"Comments": None}}]


class Watched:
    """A CRM, a published mapping and who looks for drift between them."""

    def __init__(self, store: Store, debounce: float = 600.0, **fields: Any) -> None:
        self.store, self.crm = store, Crm()
        self.mappings = Mappings(store, country="ES")
        self.publish(**(fields or {"Priority": {"value": "Low"}, "Comments": "wrap_up.comment"}))
        connection = Connection("crm", ConnectionConfig("crm", "crm", {}), self.crm)  # type: ignore[arg-type]
        self.connections = Connections({"crm": connection})
        self.described = Described(store)
        self.drift = Drift(store, self.connections, self.mappings, self.described, 24, debounce)

    def publish(self, name: str = "small", **fields: Any) -> None:
        """Publish a mapping with these fields."""
        fields = {"Comments": "wrap_up.comment"} | fields
        self.mappings.publish(text(mapping=name, target=TARGET, fields=fields, examples=EXAMPLES), "tests")

    def becomes(self, name: str, **what: Any) -> None:
        """A field of the CRM changes; with nothing said of it, it goes."""
        changed = (replace(field, **what) if field.name == name else field for field in self.crm.fields)
        self.crm.fields = tuple(field for field in changed if what or field.name != name)

    def raised(self) -> list[tuple[str | None, str | None, str]]:
        """The open alerts: mapping, field, message."""
        with self.store.read() as conn:
            return [(one.mapping, one.field, one.message) for one in alerts.opened(conn, kind="drift")][::-1]


@pytest.fixture
def watched(store: Store) -> Iterator[Watched]:
    """With the mapping in agreement, and described once."""
    one = Watched(store)
    assert one.drift.compare("crm") == 1
    assert one.raised() == []
    yield one
    one.drift.close()


def test_a_retired_value_is_named_and_is_over_when_it_is_back(watched: Watched) -> None:
    watched.becomes("Priority", picklist=("Normal",), retired=("High", "Low"))
    watched.drift.compare("crm")
    watched.drift.compare("crm")
    [(mapping, field, message)] = watched.raised()
    assert (mapping, field) == ("small", "Priority")
    assert message.startswith('Priority no longer takes "Low"; it takes: Normal (small version 1, line ')
    watched.becomes("Priority", picklist=("Normal", "Low"), retired=())
    watched.drift.compare("crm")
    assert watched.raised() == []


def test_a_value_that_is_gone_altogether_names_the_change(watched: Watched) -> None:
    watched.becomes("Priority", picklist=("Normal", "Urgent"), retired=())
    watched.drift.compare("crm")
    [(_, _, message)] = watched.raised()
    assert message.startswith(
        'Priority no longer takes "Low": Priority does not take "Low"; it takes: Normal, Urgent ('
    )


def test_a_shorter_field_is_told_although_the_mapping_may_go_well(watched: Watched) -> None:
    watched.becomes("Comments", max_length=255)
    watched.drift.compare("crm")
    for _ in range(2):  # it stays: nothing has changed since, and it is still so
        [(_, field, message)] = watched.raised()
        assert field == "Comments"
        assert message.startswith("Comments was 32000 long and is 255: ")
        assert "write max: 255" in message
        watched.drift.compare("crm")
    watched.publish(Comments={"from": "wrap_up.comment", "max": 255}, Priority={"value": "Low"})
    watched.drift.compare("crm")
    assert watched.raised() == []


def test_a_field_that_never_fitted_without_max_is_no_alert(store: Store) -> None:
    watched = Watched(store, Subject="wrap_up.comment")
    watched.drift.compare("crm")
    assert watched.raised() == []
    watched.drift.close()


def test_fields_that_go_come_or_close(watched: Watched) -> None:
    watched.becomes("Key__c")
    watched.becomes("Comments", writable=False)
    watched.crm.fields += (Field(name="Owner", required=True),)
    watched.drift.compare("crm")
    said = {field: message.partition(" (")[0] for _, field, message in watched.raised()}
    assert said["Key__c"] == 'Key__c is gone: task has no field "Key__c"'
    assert said["Comments"] == "Comments can no longer be written: task.Comments cannot be written"
    assert said["Owner"] == "Owner is new and required: task.Owner is required there and not in this mapping"


def test_rights_that_were_taken_away(watched: Watched) -> None:
    watched.crm.rights = {"creatable": True, "changeable": False}
    watched.drift.compare("crm")
    [(_, field, message)] = watched.raised()
    assert field is None
    assert message.startswith("our user may no longer change task records: our user of crm may not change task records")


def test_who_does_not_answer_changes_no_alert(watched: Watched) -> None:
    watched.becomes("Priority", picklist=("Normal",))
    watched.drift.compare("crm")
    before = watched.raised()
    watched.crm.error = Unavailable("down")
    assert watched.drift.compare("crm") == 0
    assert watched.raised() == before


def test_the_alerts_of_a_mapping_that_writes_elsewhere_now_are_over(watched: Watched) -> None:
    watched.becomes("Priority", picklist=("Normal",))
    watched.drift.compare("crm")
    elsewhere = text(mapping="small", target=TARGET | {"connection": "other"}, fields={"Comments": "wrap_up.comment"},
                     examples=EXAMPLES)  # fmt: skip
    watched.mappings.publish(elsewhere, "tests")
    watched.drift.compare("crm")
    assert watched.raised() == []


def test_one_firing_across_nodes_and_none_while_paused(watched: Watched) -> None:
    other = Drift(watched.store, watched.connections, watched.mappings, Described(watched.store))
    asked = len(watched.crm.asked)
    assert [watched.drift.fire(86_400_000), other.fire(86_400_000)] == [True, False]
    assert len(watched.crm.asked) == asked + 1
    pauses.pause(watched.store, "crm", "moving")
    assert other.fire(2 * 86_400_000)
    assert len(watched.crm.asked) == asked + 1


@pytest.mark.parametrize(("hours", "planned"), [(24, True), (0.5, True), (0, False)])
def test_the_clock_is_the_same_on_every_node(store: Store, hours: float, planned: bool) -> None:
    watched = Watched(store)
    one, other = (Drift(store, watched.connections, watched.mappings, watched.described, hours) for _ in range(2))
    one.start()
    other.start()
    try:
        moments = [moment for moment in (one.planned(), other.planned()) if moment is not None]
        assert len(moments) == (2 if planned else 0)
        assert all(moment.timestamp() % (hours * 3600) == 0 for moment in moments)
        if planned:
            watched.becomes("Priority", picklist=("Normal",))
            one._fire()  # what the clock does
            assert len(watched.raised()) == 1
    finally:
        one.close()
        other.close()


def test_what_was_described_last_serves_offline_and_the_cache_has_an_age(watched: Watched) -> None:
    connection = watched.connections["crm"]
    asked = len(watched.crm.asked)
    assert Known(watched.store).describe(connection, "task") == watched.crm.describe("task")
    assert Known(watched.store).describe(connection, "contact") is None
    fresh = Described(watched.store)
    watched.becomes("Priority", picklist=("Normal",))
    assert fresh.describe(connection, "task", oldest=60).fields == FIELDS
    assert len(watched.crm.asked) == asked + 1  # by the test itself
    assert fresh.describe(connection, "task", oldest=-1).fields == watched.crm.fields
    # What the cache has asked is not what drift compares with: the change is named all the same.
    watched.drift.compare("crm")
    assert "no longer takes" in watched.raised()[0][2]
    with watched.store.read() as conn:
        seen = descriptions.last(conn, "crm", "task")
    assert seen is not None
    assert seen.description.fields == watched.crm.fields
    assert seen.changed_at == seen.asked_at


# --- after refusals ----------------------------------------


class Refusing(StubCrm):
    """Refuses every row for its values, and describes itself."""

    described = 0

    def describe(self, object: str) -> Description:
        self.described += 1
        return Description(object=object, label=object, fields=(Field(name="note", writable=False), Field(name="key")))

    def _kept(self, target: Any, row: Row) -> Any:
        self.refuses = lambda row: Rejected("note: cannot be written", {"note": "no"})
        return super()._kept(target, row)


def test_a_refused_write_has_its_mapping_looked_at_once(store: Store) -> None:
    mappings = Mappings(store, country="ES")
    target = {"connection": "crm", "write": "activity", "key": "key"}
    mappings.publish(text(mapping="wrap_up", target=target, fields={"note": "interaction.summary"}), "tests")
    crm = Refusing()
    rig = Rig(store, crm)
    connections = Connections({"crm": rig.connection})
    drift = Drift(store, connections, mappings, Described(store), 0)
    rig.deliverer.close()
    rig.mappings = mappings
    deliverer = rig.another(drift.saw_refusals)
    drift.start()
    try:
        for key in ("call-1", "call-2", "call-3"):
            put_calls(store, key)
            assert deliverer.drain(PATIENCE)
            until(lambda: bool(opened(store)))
        assert [one.reason.name for one in rig.all() if one.reason] == ["rejected"] * 3
        assert [(one.mapping, one.field) for one in opened(store)] == [("wrap_up", "note")]
        # One for the drift, and one to see whether the refused field names a record that may be merged.
        assert crm.described == 2, "refusals are debounced"
        mended = text(mapping="wrap_up", target=target, fields={"key": "interaction.id"})
        mappings.publish(mended, "tests")  # its bell rings
        until(lambda: not opened(store))
    finally:
        drift.close()
        deliverer.close()


def opened(store: Store) -> list[alerts.Alert]:
    with store.read() as conn:
        return alerts.opened(conn, kind="drift")


# --- the words ----------------------------------------


def test_changes_that_do_no_harm_are_not_told() -> None:
    before = Description(object="task", label="Task", fields=FIELDS)
    wider = [replace(f, max_length=f.max_length and f.max_length + 1, label="new") for f in FIELDS]
    wider[3] = replace(wider[3], picklist=(*wider[3].picklist, "Urgent"), retired=())
    after = Description(
        object="task", label="Tasks", fields=(*wider, Field(name="New")), creatable=True, changeable=True
    )
    assert changes(before, after) == {}
    assert changes(before, before) == {}


def test_each_change_has_its_words() -> None:
    was = Field(name="X", refers_to=("a", "b"), unique=True)
    for what, said in (
        ({"type": "integer"}, "X was text and is integer"),
        ({"max_length": 80}, "X was of any length and is 80"),
        ({"fixed": True}, "X can no longer be changed once its record is there"),
        ({"required": True}, "X is required now"),
        ({"unique": False}, "X is no longer unique"),
        ({"refers_to": ("a",)}, "X no longer refers to b"),
        ({"picklist": ("a",)}, "X takes only: a"),
    ):
        before, after = (Description(object="o", label="o", fields=(f,)) for f in (was, replace(was, **what)))
        assert changes(before, after) == {"X": [said]}


# --- the lists that are pulled ----------------------------------------


def test_a_field_that_a_contact_list_reads_and_that_goes(store: Store) -> None:
    watched = Watched(store)
    watched.crm.pages = lambda query: iter(())  # type: ignore[attr-defined]
    phones = (Field(name="Mobile", type="phone"), Field(name="Consent", type="boolean"))
    watched.crm.fields += phones
    source = {"connection": "crm", "list": "task", "phone": ["member.Mobile"], "consent": "member.Consent"}
    to = {"connection": "dialer", "write": "contact_list", "key": "id"}
    fields = {"A": "member.Mobile", "B": "member.of_the_person"}
    watched.mappings.publish(text(mapping="to_dialer", source=source, target=to, fields=fields), "tests")
    assert watched.drift.compare("crm") == 2
    assert watched.raised() == [], "a row may have more than is described"
    watched.becomes("Consent")
    for _ in range(2):
        watched.drift.compare("crm")
        [(mapping, field, message)] = watched.raised()
        assert (mapping, field) == ("to_dialer", "Consent")
        assert message.startswith(
            "Consent is gone: member.Consent is not described as a field of task (to_dialer version 1"
        )
    watched.crm.fields += (phones[1],)
    watched.drift.compare("crm")
    assert watched.raised() == []
    gone = text(mapping="to_dialer", source=source | {"list": "tusk"}, target=to, fields=fields)
    watched.mappings.publish(gone, "tests")
    watched.drift.compare("crm")
    assert [message.partition(" (")[0] for _, _, message in watched.raised()] == [
        'crm has no object "tusk", did you mean "task"?'
    ]
    watched.drift.close()
