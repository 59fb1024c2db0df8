"""A CRM merges two contacts: whatever names the old one reaches the one that is left, once it is known and before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hub.clock import now_ms
from hub.desk.caller import Ask
from hub.desk.dial import Dialer
from hub.desk.screen_pop import ScreenPop
from hub.errors import NotFound, Rejected
from hub.flow.merged import Merged
from hub.language.mapping import Rendered, TargetSpec
from hub.model import PERSON, Clicked, Description, Field, Lookup, Record, Row
from hub.store import fresh, merged
from hub.store.crm import Crm
from hub.store.database import Store
from hub.store.merged import Merge
from tests import desk_stubs
from tests.stubs import Rig, StubCrm, StubMapping, put_calls, put_deliveries
from tests.whole_hub import WRAP_UP, whole_hub

BY_KEY = WRAP_UP.replace(
    "  contact: caller.id\n", "  contact: customer.crm_key\n").replace(
    "resolve:\n  caller: { find: contact, by: { phone: customer.phone }, many: none }\n", "").replace(
    'caller: { id: "C-1" }', 'customer: { crm_key: "C-1" }')  # fmt: skip


def contact(crm: Crm, key: str, **fields: Any) -> str:
    return crm.write("contact", "contact_key", [Row(key=key, fields={"last_name": "Pérez"} | fields)])[0].id


# --- the embedded CRM, from end to end ----------------------------------------


def test_a_wrap_up_that_names_a_merged_contact_is_delivered_to_the_one_that_is_left(
    store_url: str, tmp_path: Path
) -> None:
    with whole_hub(tmp_path, store_url, mappings={"wrap_up": BY_KEY}) as hub:
        crm = Crm(hub.hub.store.engine, "ES")
        left, gone = contact(crm, "k1"), contact(crm, "k2")
        crm.merge("contact", gone, left)
        hub.take_call("call-1", customer={"crm_key": gone})
        hub.deliver()
        (delivery,) = hub.program.get("/deliveries")["deliveries"]
        assert delivery["state"] == "delivered"
        (attempt,) = hub.program.get(f"/deliveries/{delivery['id']}")["attempts"]
        assert attempt["sent"]["contact"] == left
        assert attempt["notes"] == [
            {
                "field": "contact",
                "what": "followed",
                "text": f"{gone} is merged into the contact {left}, which is named instead",
            }
        ]
        written = crm.record("activity", delivery["record_id"])
        assert written and written.fields["contact"] == left
        with hub.hub.store.read() as conn:
            assert merged.merges_of(conn, "crm", [gone]) == [Merge("contact", gone, "contact", left)]
        # A contact that is nobody's, merged or not, waits for a person as before.
        hub.take_call("call-2", customer={"crm_key": "C-none"})
        hub.deliver()
        states = {one["subject"]: one["state"] for one in hub.program.get("/deliveries")["deliveries"]}
        assert states == {"interaction:platform/call-1": "delivered", "interaction:platform/call-2": "parked"}


def test_a_pop_by_key_and_by_a_clicked_record_show_the_one_that_is_left(store_url: str, tmp_path: Path) -> None:
    with whole_hub(tmp_path, store_url, mappings={}) as hub:
        crm = Crm(hub.hub.store.engine, "ES")
        left, gone = contact(crm, "k1"), contact(crm, "k2")
        crm.merge("contact", gone, left)
        popped = hub.hub.screen_pop.pop(Ask(key=gone))
        assert (popped.match, [one.id for one in popped.records]) == ("one", [left])
        with hub.hub.store.read() as conn:
            assert merged.any_of(conn, "crm")


# --- what is known serves even where the CRM tells nothing any more ----------------------------------------


class ForgetfulCrm(StubCrm):
    """Refuses rows for a contact that is not there, and may not know what was merged."""

    def __init__(self, **told: Any) -> None:
        super().__init__(**told)
        self.there = {"new"}
        self.merges: dict[str, str] = {}
        self.error: type[Exception] = NotFound
        self.refuses = self._refused

    def describe(self, object: str) -> Description:
        fields = (Field(name="who", type="reference", refers_to=("contact",)), Field(name="note"))
        return Description(object=object, label=object, fields=fields)

    def _refused(self, row: Row) -> Exception | None:
        if row.fields.get("who", "new") in self.there:
            return None
        return (
            Rejected("who is not there", {"who": "is not there"}) if self.error is Rejected else NotFound("no contact")
        )

    def _found(self, lookup: Lookup) -> Sequence[Record]:
        id = self.merges.get(lookup.value, lookup.value)
        return [Record(object="contact", id=id, title="")] if lookup.by == "id" and id in self.there else []


def naming(crm: ForgetfulCrm, store: Store) -> Rig:
    """A mapping that names the contact `old`, and calls it that in a note too."""
    return Rig(store, crm, StubMapping(render=lambda facts, found: Rendered(fields={"who": "old", "note": "old"})))


@pytest.mark.parametrize("error", [NotFound, Rejected])
def test_a_row_that_is_refused_for_a_merged_record_goes_again_with_the_other(
    store: Store, error: type[Exception]
) -> None:
    crm = ForgetfulCrm()
    crm.error, crm.merges = error, {"old": "new"}
    rig = naming(crm, store)
    put_calls(store, "a", "b")
    assert rig.deliverer.run_once("crm") == 2
    assert {one.state for one in rig.all()} == {"delivered"}
    assert crm.finds == [[Lookup("contact", "id", "old")]]  # one look-up for both
    assert crm.fields("pbx:a") == {"who": "new", "note": "old"}  # a text is nobody's reference
    put_calls(store, "c")
    rig.deliverer.run_once("crm")
    assert (len(crm.finds), len(crm.writes)) == (1, 3)  # what is known is neither asked nor refused again
    other = naming(crm, store)
    put_calls(store, "d")
    other.deliverer.run_once("crm")
    assert (len(crm.finds), len(crm.writes)) == (1, 4)  # and every node knows it


def test_where_nothing_was_merged_the_row_parks_with_the_crms_own_word(store: Store) -> None:
    crm = ForgetfulCrm()
    rig = naming(crm, store)
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    assert rig.one().state == "parked" and rig.one().reason and rig.one().reason.name == "not_found"  # type: ignore[union-attr]
    assert (len(crm.finds), len(crm.writes)) == (1, 1)
    crm.there = {"new", "old"}  # it is there, only our row was refused for something else
    crm.refuses = lambda row: NotFound("no such campaign")
    put_calls(store, "b")
    rig.deliverer.run_once("crm")
    assert {one.state for one in rig.all()} == {"parked"}
    with store.read() as conn:
        assert not merged.any_of(conn, "crm")


def test_a_row_that_is_refused_for_its_values_asks_about_no_record(store: Store) -> None:
    crm = ForgetfulCrm()
    crm.merges, crm.refuses = {"old": "new"}, lambda row: Rejected("note: too long", {"note": "too long"})
    rig = naming(crm, store)
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    assert rig.one().state == "parked" and crm.finds == []


def test_a_row_that_is_refused_twice_is_not_sent_a_third_time(store: Store) -> None:
    crm = ForgetfulCrm()
    crm.merges = {"old": "new"}
    crm.refuses = lambda row: NotFound("never")
    rig = naming(crm, store)
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    assert rig.one().state == "parked" and len(crm.writes) == 2


def test_a_result_for_the_very_record_that_was_pulled_follows_it(store: Store) -> None:
    crm = ForgetfulCrm()
    crm.merges = {"old": "new"}
    crm.refuses = lambda row: None if row.key == "new" else NotFound("no contact")
    target = TargetSpec(connection="crm", write="contact", key="id")
    rig = Rig(store, crm, StubMapping(target=target, render=lambda facts, found: Rendered(fields={"note": "sold"})))
    put_deliveries(store, {"subject": "contact:pbx/spring/old", "body": "{}"})
    rig.deliverer.run_once("crm")
    assert (rig.one().state, rig.one().record_id) == ("delivered", "R1")
    assert crm.fields("new", "contact") == {"note": "sold"}
    put_deliveries(store, {"subject": "contact:pbx/summer/old", "body": "{}"})
    rig.deliverer.run_once("crm")
    assert [row.key for rows in crm.writes for row in rows] == ["old", "new", "new"]


def test_a_resolve_by_an_old_id_asks_by_the_new_one(store: Store) -> None:
    crm = ForgetfulCrm()
    found: list[str] = []

    def render(facts: Any, given: Any) -> Rendered:
        found.extend(record.id for record in given["caller"])
        return Rendered(fields={"note": "x"})

    rig = Rig(
        store, crm, StubMapping(lookups=lambda facts: {"caller": [Lookup("contact", "id", "old")]}, render=render)
    )
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    assert found == []  # this CRM tells nothing of merges
    Merged(store).learn("crm", [Lookup("contact", "id", "old")], [[Record(object="contact", id="new", title="")]])
    again = Rig(store, crm, rig.mappings.current("wrap_up"))
    put_calls(store, "b")
    again.deliverer.run_once("crm")
    assert found == ["new"]


# --- at the desk ----------------------------------------


class MergingCrm(desk_stubs.StubCrm):
    """Finds `new` when it is asked for `old`."""

    def _one(self, lookup: Lookup) -> list[Record]:
        return super()._one(replace(lookup, value="new") if (lookup.by, lookup.value) == ("id", "old") else lookup)


def test_a_click_on_a_merged_record_ties_the_call_to_the_one_that_is_left(store: Store, tmp_path: Path) -> None:
    crm = MergingCrm(desk_stubs.person("new", "+34612345678"))
    phone = desk_stubs.StubPlatform()
    connections = desk_stubs.connections_of(crm=crm, phone=phone)
    dialer = Dialer(store, connections, desk_stubs.config_of(tmp_path, connections))
    clicked = Clicked(connection="crm", object="contact", id="old")
    told = dialer.dial(to="+34612345678", agent="a", idempotency_key="k1", record=clicked)
    assert told.record == Clicked(connection="crm", object="contact", id="new")
    assert told.note == "contact old is merged into contact new: tied to that"
    assert phone.dialled[0].record == told.record
    crm.asked.clear()
    again = dialer.dial(to="+34612345678", agent="b", idempotency_key="k2", record=clicked)
    assert again.record == told.record
    assert [lookup.value for lookup in crm.asked if lookup.by == "id"] == ["new"]
    dialer.close()


def test_a_fresh_record_that_is_merged_is_the_one_that_is_left(store: Store, tmp_path: Path) -> None:
    old = fresh.Fresh(connection="crm", object="contact", record_id="old", phone="+34612345678", email=None,
                      title="Ana", url="https://crm.example/contact/old")  # fmt: skip
    with store.write() as conn:
        fresh.remember(conn, [old, replace(old, record_id="other", phone="+34600000001")], now=now_ms())
    Merged(store).learn("crm", [Lookup("contact", "id", "old")], [[Record(object="contact", id="new", title="")]])
    connections = desk_stubs.connections_of(crm=desk_stubs.StubCrm())
    pops = ScreenPop(store, connections, desk_stubs.config_of(tmp_path, connections))
    (found,) = pops.pop(Ask(phone="+34612345678")).records
    assert (found.id, found.url) == ("new", "https://crm.example/open/contact/new?")
    Merged(store).learn("crm", [Lookup("contact", "id", "other")], [[Record(object="contact", id="new", title="")]])
    kept = fresh.known(store, ["crm"], "+34612345678", "", 0) + fresh.known(store, ["crm"], "+34600000001", "", 0)
    assert [one.record_id for one in kept] == ["new"]
    pops.close()


# --- what is kept ----------------------------------------


def known(store: Store, *ids: str) -> dict[str, str]:
    with store.read() as conn:
        return {one.old_id: one.new_id for one in merged.merges_of(conn, "crm", ids)}


def test_chains_are_short_and_a_ring_cannot_be(store: Store) -> None:
    def learn(old: str, new: str) -> None:
        with store.write() as conn:
            merged.learn(conn, "crm", Merge("contact", old, "contact", new), now=now_ms())

    learn("a", "b")
    learn("b", "c")
    assert known(store, "a", "b", "c") == {"a": "c", "b": "c"}
    learn("c", "a")  # the vendor has undone it and merged the other way round
    assert known(store, "a", "b", "c") == {"b": "a", "c": "a"}
    learn("c", "d")
    assert known(store, "c") == {"c": "d"}


def test_an_id_belongs_to_its_object_and_its_connection(store: Store) -> None:
    with store.write() as conn:
        merged.learn(conn, "crm", Merge("lead", "7", "contact", "12"), now=now_ms())
    merges = Merged(store)
    asked = [
        Lookup("lead", "id", "7"),
        Lookup("account", "id", "7"),
        Lookup(PERSON, "id", "7"),
        Lookup("lead", "key", "7"),
    ]
    assert merges.followed("crm", asked) == [
        Lookup("contact", "id", "12"),
        asked[1],
        Lookup(PERSON, "id", "12"),
        asked[3],
    ]
    assert merges.followed("other", asked) == asked


def test_another_spelling_of_an_id_is_no_merge(store: Store) -> None:
    answer = [Record(object="contact", id="ABC", title="")]
    Merged(store).learn("crm", [Lookup("contact", "id", "abc"), Lookup("contact", "key", "x")], [answer, answer])
    with store.read() as conn:
        assert not merged.any_of(conn, "crm")
