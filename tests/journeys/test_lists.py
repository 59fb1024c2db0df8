"""Contact lists: pulled by page and watermark, nobody lost, nobody twice, nobody called who must not be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from hub.clock import now_ms
from hub.connections import waits
from hub.errors import ConfigError, NotPermitted, Rejected, Unavailable
from hub.flow.agreement import notes
from hub.flow.delivery.deliver import Deliverer
from hub.flow.lists.membership import Outcome
from hub.flow.lists.pull import LEASE_SECONDS
from hub.flow.lists.runs import HubStopping, LeaseLost, ListBusy
from hub.language.mapping import compile_mapping
from hub.model import Page, Query
from hub.store import lists as sql
from hub.store.database import Store
from hub.store.schema import deliveries, do_not_call, list_runs, own_numbers
from tests.contact_lists import SPRING, Stand, stand
from tests.waiting import PATIENCE


@pytest.fixture
def spring(store: Store, tmp_path: Path) -> Stand:
    """The spring campaign, with nobody in it yet."""
    return stand(store, tmp_path)


def full_of(spring: Stand, count: int) -> None:
    """Put `count` members with different numbers into the campaign."""
    for number in range(1, count + 1):
        spring.crm.put(str(number), f"6123456{number:02d}")


def never_call(store: Store, phone: str) -> None:
    """An opt-out, as accepting an interaction's disposition keeps it."""
    with store.write() as conn:
        conn.execute(do_not_call.insert().values(phone=phone, since=1, source="interaction:softphone/1"))


class Crash(BaseException):
    """A process that dies in the middle: nothing after it runs that a dead process would not do."""


@contextmanager
def dying_at_page(spring: Stand, number: int) -> Iterator[None]:
    """Kill the pull before the CRM gives its page `number` (from 0): its run stays as a dead node leaves it."""

    def die(at: int) -> None:
        if at == number:
            raise Crash

    spring.crm.before_page = die
    runs = spring.lists._runs
    end, runs.end = runs.end, lambda run, failure=None: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        spring.crm.before_page = lambda at: None
        runs.end = end  # type: ignore[method-assign]


# --- who is on the list ----------------------------------------


def test_the_first_pull_sends_everyone_once(spring: Stand) -> None:
    full_of(spring, 7)
    counts = spring.lists.pull("spring")
    assert (counts.read, counts.sent, counts.unchanged, counts.removed, counts.left_out) == (7, 7, 0, 0, {})
    assert spring.queued() == {str(n): "upsert" for n in range(1, 8)}
    assert spring.bodies()["1"]["phone_e164"] == "+34612345601"
    assert [query.cursor for query in spring.crm.queries] == [None]
    assert spring.crm.queries[0].where == {"campaign": "spring"}


def test_only_what_changed_is_sent_again(spring: Stand) -> None:
    full_of(spring, 5)
    spring.lists.pull("spring")
    spring.deliver()
    spring.crm.put("2", "612345602", first_name="Ana")
    spring.crm.put("3", "612345603", irrelevant="changed")  # no field of the mapping
    counts = spring.lists.pull("spring")
    assert spring.crm.queries[-1].watermark == "5"
    assert (counts.read, counts.sent, counts.unchanged) == (2, 1, 1)
    assert spring.queued() == {"2": "upsert"}


def test_a_full_pull_of_what_is_known_sends_nothing(spring: Stand) -> None:
    full_of(spring, 5)
    spring.lists.pull("spring")
    spring.deliver()
    counts = spring.lists.pull("spring", full=True)
    assert (counts.read, counts.sent, counts.unchanged, counts.removed) == (5, 0, 5, 0)
    assert spring.queued() == {}


def test_everyone_who_is_left_out_is_counted_and_told_why(store: Store, tmp_path: Path) -> None:
    spring = stand(store, tmp_path, own_numbers=("911 234 567",))
    with store.write() as conn:
        conn.execute(own_numbers.insert().values(number="+34911234568", connection="softphone", first_seen=1))
    never_call(store, "+34612345699")
    crm = spring.crm
    crm.put("1", "612345601")
    crm.put("2", None)
    crm.put("3", "12")
    crm.put("4", "612 34 56 01")  # the same number as 1, written another way
    crm.put("5", "612345605", do_not_call=True)
    crm.put("6", "612345699")
    crm.put("7", "612345607", consent=None)
    crm.put("8", "911234567")
    crm.put("9", "+34 911 234 568")
    counts = spring.lists.pull("spring")
    assert counts.sent == 1
    assert spring.queued() == {"1": "upsert"}
    assert counts.left_out == {
        "no number": 1, "unusable number": 1, "duplicate": 1, "do not call": 2, "no consent": 1, "own number": 2,
    }  # fmt: skip
    assert counts.examples["own number"] == ["8", "9"]
    assert spring.members() == {
        "1": ("on", None),
        "2": ("left_out", "no number"),
        "3": ("left_out", "unusable number"),
        "4": ("left_out", "duplicate of 1"),
        "5": ("left_out", "do not call"),
        "6": ("left_out", "do not call"),
        "7": ("left_out", "no consent"),
        "8": ("left_out", "own number"),
        "9": ("left_out", "own number"),
    }
    status = spring.lists.status("spring")
    assert (status.on, status.left_out) == (1, counts.left_out)
    assert [each.member for each in spring.lists.left_out("spring", after="3", limit=2)] == ["4", "5"]
    assert [each.member for each in spring.lists.left_out("spring", reason="duplicate")] == ["4"]


def test_a_number_is_read_by_its_own_country(spring: Stand) -> None:
    spring.crm.put("1", "06 12 34 56 78", country="FR")
    spring.crm.put("2", "06 12 34 56 78", country=None, account={"country": "FR"})
    spring.crm.put("3", "0171 2345678", country="de")
    spring.crm.put("4", "612345604", country=None)  # nothing nearer: the hub's
    spring.crm.put("5", "612345605", country="Spain")  # no ISO code: not guessed
    spring.crm.put("6", "+34 612345606", country="Spain")
    spring.crm.put("7", "612345607", country=None, account={"country": "Spain"})
    spring.lists.pull("spring")
    assert {member: row["phone_e164"] for member, row in spring.bodies().items()} == {
        "1": "+33612345678", "3": "+491712345678", "4": "+34612345604", "6": "+34612345606",
    }  # fmt: skip
    assert spring.members()["2"] == ("left_out", "duplicate of 1")
    assert spring.members()["5"] == spring.members()["7"] == ("left_out", "unusable number")


def test_the_first_usable_number_counts(store: Store, tmp_path: Path) -> None:
    spring = stand(store, tmp_path, SPRING.replace("phone: member.phone\n", "phone: [member.mobile, member.phone]\n"))
    spring.crm.put("1", "911234501", mobile="612345601")
    spring.crm.put("2", "911234502", mobile=None)
    spring.crm.put("3", "911234503", mobile="4021")
    spring.crm.put("4", None, mobile="4021")
    spring.crm.put("5", None, mobile="")
    spring.lists.pull("spring")
    assert {member: row["phone_e164"] for member, row in spring.bodies().items()} == {
        "1": "+34612345601", "2": "+34911234502", "3": "+34911234503",
    }  # fmt: skip
    assert spring.members()["4"] == ("left_out", "unusable number")
    assert spring.members()["5"] == ("left_out", "no number")


def test_a_row_that_cannot_be_mapped_is_named_and_keeps_its_place(spring: Stand, store: Store, tmp_path: Path) -> None:
    strict = SPRING.replace("first_name: member.first_name", "first_name: { from: member.first_name, required: true }")
    spring = stand(store, tmp_path, strict)
    full_of(spring, 2)
    spring.crm.put("3", "612345603", first_name=None)
    assert spring.lists.pull("spring").left_out == {"not mapped": 1}
    assert spring.members()["3"][0] == "left_out"
    assert "first_name" in (spring.members()["3"][1] or "")
    spring.deliver()
    spring.crm.put("1", "612345601", first_name=None)  # still at the number that was sent: it stays as it was
    spring.crm.put("2", "612345622", first_name=None)  # at another number now: what was sent is wrong
    spring.lists.pull("spring")
    assert spring.queued() == {"2": "remove"}
    assert spring.members()["1"][0] == "on"


def test_a_hostile_row_stops_nobody_else(spring: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    spring.crm.put("1", "612345601", first_name="half \ud83d")
    spring.crm.put("2", "612345602", first_name="zero \x00 byte")
    spring.crm.put("3", "6" * 5000)
    spring.crm.put("4", "612345604", first_name="'; DROP TABLE list_members; --")
    spring.crm.put("5", "612345605", first_name={"nested": ["deep"]})
    spring.crm.put("6", "612345606", first_name="breaks it")
    mapping = spring.mappings.current("spring")
    render = type(mapping).render

    def broken(self: Any, facts: Any, found: Any, **options: Any) -> Any:
        if facts["member"]["first_name"] == "breaks it":
            raise ZeroDivisionError
        return render(self, facts, found, **options)

    monkeypatch.setattr(type(mapping), "render", broken)
    counts = spring.lists.pull("spring")
    assert counts.read == 6
    assert {"2", "4"} <= set(spring.queued())
    assert spring.bodies()["2"]["first_name"] == "zero \x00 byte"
    assert spring.members()["1"] == ("left_out", "not mapped: the row holds text that is no Unicode")
    assert spring.members()["3"] == ("left_out", "unusable number")
    assert spring.members()["6"] == ("left_out", "not mapped: the mapping broke: ZeroDivisionError")


# --- who leaves ----------------------------------------


def test_a_member_that_the_crm_drops_is_removed_incrementally(spring: Stand) -> None:
    full_of(spring, 4)
    spring.lists.pull("spring")
    spring.deliver()
    spring.crm.drop("2")
    counts = spring.lists.pull("spring")
    assert (counts.removed, spring.queued()) == (1, {"2": "remove"})
    assert spring.members()["2"] == ("removed", None)


def test_a_full_pull_removes_whom_it_does_not_see(spring: Stand) -> None:
    full_of(spring, 8)
    spring.crm.put("9", "1")  # left out, then gone: there is nothing to remove
    spring.lists.pull("spring")
    spring.deliver()
    for gone in ("1", "5", "8", "9"):
        del spring.crm.members[gone]
    counts = spring.lists.pull("spring", full=True)
    assert counts.removed == 3
    assert spring.queued() == {"1": "remove", "5": "remove", "8": "remove"}
    assert spring.members()["9"] == ("removed", None)
    spring.deliver()
    assert spring.lists.pull("spring", full=True).removed == 0
    spring.crm.put("5", "612345605")  # back again, with the same content as before
    assert spring.lists.pull("spring").sent == 1


def test_an_opt_out_at_the_crm_removes(spring: Stand) -> None:
    full_of(spring, 3)
    spring.lists.pull("spring")
    spring.deliver()
    spring.crm.put("1", "612345601", do_not_call=True)
    spring.crm.put("2", "612345602", consent=None)
    counts = spring.lists.pull("spring")
    assert (counts.removed, counts.left_out) == (2, {"do not call": 1, "no consent": 1})
    assert spring.queued() == {"1": "remove", "2": "remove"}


def test_who_opts_out_leaves_every_list_at_once_and_never_comes_back(spring: Stand, store: Store) -> None:
    spring.mappings.publish(SPRING.replace("mapping: spring", "mapping: summer"), by="test")
    full_of(spring, 3)
    for name in ("spring", "summer"):
        spring.lists.pull(name)
    spring.deliver()
    assert spring.lists.sweep() == 0
    never_call(store, "+34612345602")
    assert spring.lists.sweep() == 2
    assert spring.queued() == {"2": "remove"}
    spring.deliver()
    assert spring.lists.sweep() == 0
    spring.crm.put("2", "612345602", first_name="Again", consent=True)
    spring.crm.put("9", "+34 612 345 602")  # another member with that number
    for full in (False, True):
        assert spring.lists.pull("spring", full=full).sent == 0
    assert spring.members()["2"] == ("left_out", "do not call")
    assert spring.members()["9"] == ("left_out", "do not call")
    assert spring.queued() == {}


def test_a_removal_takes_the_place_of_an_upsert_that_still_waits(spring: Stand, store: Store) -> None:
    full_of(spring, 1)
    spring.lists.pull("spring")
    never_call(store, "+34612345601")
    spring.lists.sweep()
    assert spring.queued() == {"1": "remove"}
    with store.read() as conn:
        waits = conn.execute(select(deliveries)).one()
    assert (waits.collapsed, waits.connection, waits.lane, waits.state) == (1, "dialler", 2, "pending")


# --- duplicates ----------------------------------------


def test_the_next_one_takes_the_place_of_a_duplicate_that_leaves(spring: Stand) -> None:
    for member in ("1", "2", "10"):
        spring.crm.put(member, "612345601")
    spring.lists.pull("spring")
    spring.deliver()
    assert spring.members()["10"] == ("left_out", "duplicate of 1")
    spring.crm.drop("1")
    counts = spring.lists.pull("spring")
    assert (counts.removed, counts.sent) == (1, 1)
    assert spring.queued() == {"1": "remove", "2": "upsert"}
    assert spring.bodies()["2"]["first_name"] == "P2"
    spring.deliver()
    del spring.crm.members["2"]
    spring.lists.pull("spring", full=True)
    assert spring.queued() == {"2": "remove", "10": "upsert"}
    assert spring.members()["10"] == ("on", None)


def test_a_number_that_changes_frees_the_old_one(spring: Stand) -> None:
    spring.crm.put("1", "612345601")
    spring.crm.put("2", "612345601")
    spring.lists.pull("spring")
    spring.deliver()
    spring.crm.put("1", "612345609")
    assert spring.lists.pull("spring").sent == 2
    assert spring.queued() == {"1": "upsert", "2": "upsert"}
    assert {member: row["phone_e164"] for member, row in spring.bodies().items()} == {
        "1": "+34612345609", "2": "+34612345601",
    }  # fmt: skip


def test_who_is_on_the_list_stays_when_an_earlier_one_comes(spring: Stand) -> None:
    spring.crm.put("5", "612345601")
    spring.lists.pull("spring")
    spring.deliver()
    spring.crm.put("1", "612345601")
    spring.lists.pull("spring", full=True)
    assert spring.queued() == {}
    assert spring.members()["1"] == ("left_out", "duplicate of 5")


def test_one_who_waits_is_not_promoted_when_the_crm_does_not_name_it_any_more(spring: Stand) -> None:
    spring.crm.put("1", "612345601")
    spring.crm.put("2", "612345601")
    spring.lists.pull("spring")
    spring.deliver()
    spring.crm.members.clear()
    spring.lists.pull("spring", full=True)
    assert spring.queued() == {"1": "remove"}
    assert spring.members() == {"1": ("removed", None), "2": ("removed", None)}


def test_one_who_is_promoted_on_a_page_and_gone_at_the_crm_goes_at_the_end(spring: Stand) -> None:
    spring.crm.put("1", "612345601")
    spring.crm.put("2", "612345601")
    spring.lists.pull("spring")
    spring.deliver()
    spring.crm.put("1", "612345609")
    del spring.crm.members["2"]
    spring.lists.pull("spring", full=True)
    assert spring.queued() == {"1": "upsert", "2": "remove"}
    assert spring.members()["2"] == ("removed", None)


def test_the_same_member_twice_on_a_page_is_one(spring: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    full_of(spring, 2)
    pages = spring.crm.pages

    def doubled(query: Any) -> Iterator[Any]:
        for page in pages(query):
            page.rows.append(dict(page.rows[0]))
            yield page

    monkeypatch.setattr(spring.crm, "pages", doubled)
    assert spring.lists.pull("spring").sent == 2
    assert spring.queued() == {"1": "upsert", "2": "upsert"}


# --- what is interrupted goes on ----------------------------------------


def test_a_pull_that_died_goes_on_at_its_cursor(spring: Stand) -> None:
    full_of(spring, 10)
    with dying_at_page(spring, 2), pytest.raises(Crash):
        spring.lists.pull("spring")
    assert len(spring.queued()) == 6
    dead = spring.lists
    with pytest.raises(ListBusy):  # its lease is still good
        spring.node().pull("spring")
    assert spring.node().abandoned() == []
    with spring.store.write() as conn:
        conn.execute(list_runs.update().values(lease_until=1))
    assert dead.abandoned() == ["spring"]
    counts = spring.node().pull("spring")
    assert spring.crm.queries[-1].cursor == "10/6"
    assert (counts.read, counts.sent) == (10, 10)
    assert spring.queued() == {str(n): "upsert" for n in range(1, 11)}
    with spring.store.read() as conn:
        runs = conn.execute(select(list_runs)).all()
        assert [(run.state, run.full) for run in runs] == [("done", True)]
        collapsed = conn.exec_driver_sql("SELECT count(*) FROM deliveries WHERE collapsed > 0").scalar()
    assert collapsed == 0  # nothing was queued twice


def test_a_crm_that_fails_in_the_middle_is_asked_from_there_the_next_time(spring: Stand) -> None:
    full_of(spring, 7)

    def away(number: int) -> None:
        if number == 1:
            raise Unavailable("the CRM does not answer")

    spring.crm.before_page = away
    with pytest.raises(Unavailable):
        spring.lists.pull("spring")
    status = spring.lists.status("spring")
    assert status.run is not None
    assert (status.run.state, status.run.error) == ("failed", "Unavailable: the CRM does not answer")
    spring.crm.before_page = lambda number: None
    counts = spring.lists.pull("spring")
    assert (counts.read, counts.sent, len(spring.queued())) == (7, 7, 7)
    assert [query.cursor for query in spring.crm.queries] == [None, "7/3"]


def test_a_list_whose_pages_have_no_end_is_left(spring: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    def again(query: Query) -> Iterator[Page]:
        for _ in range(100):
            yield Page(rows=[{"id": "1", "phone": "612345601", "country": "ES", "consent": True}], cursor="more")

    monkeypatch.setattr(spring.crm, "pages", again)
    with pytest.raises(Unavailable, match="the same page of the list again and again"):
        spring.lists.pull("spring")


def test_an_incremental_pull_that_fails_goes_on_with_its_watermark(spring: Stand) -> None:
    full_of(spring, 2)
    spring.lists.pull("spring")
    spring.deliver()
    full_of(spring, 8)

    def away(number: int) -> None:
        if number == 1:
            raise Unavailable("the CRM does not answer")

    spring.crm.before_page = away
    with pytest.raises(Unavailable):
        spring.lists.pull("spring")
    spring.crm.before_page = lambda number: None
    assert spring.lists.pull("spring").sent == 6
    assert [(query.cursor, query.watermark) for query in spring.crm.queries] == [
        (None, None), (None, "2"), ("10/3", "2"),
    ]  # fmt: skip
    assert set(spring.queued()) == {str(n) for n in range(3, 9)}


def test_a_cursor_that_the_crm_does_not_take_any_more_is_dropped(spring: Stand) -> None:
    full_of(spring, 5)
    with dying_at_page(spring, 1), pytest.raises(Crash):
        spring.lists.pull("spring")
    with spring.store.write() as conn:
        conn.execute(list_runs.update().values(lease_until=1, cursor="stale"))
    with pytest.raises(Rejected):
        spring.lists.pull("spring")
    counts = spring.lists.pull("spring")
    assert (counts.read, counts.sent, counts.unchanged) == (5, 2, 3)
    assert len(spring.queued()) == 5


def test_a_pull_that_waits_for_a_job_of_its_crm_keeps_its_lease(spring: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, wait = [now_ms()], waits(threading.Event())
    monkeypatch.setattr("hub.flow.lists.runs.now_ms", lambda: clock[0])
    seen: list[list[str]] = []

    def long(page: int) -> None:
        for _ in range(4):
            clock[0] += int(LEASE_SECONDS * 600)  # twice would be too long
            wait(0)
        seen.append(spring.node().abandoned())

    spring.crm.before_page = long
    spring.lists.pull("spring")
    assert seen and not any(seen)
    clock[0] += int(LEASE_SECONDS * 2000)
    wait(0)  # nobody's any more


def test_who_waits_in_vain_is_told_when_another_node_has_taken_over(spring: Stand) -> None:
    waited: list[int] = []

    def overtaken(page: int) -> None:
        with spring.store.write() as conn:
            conn.execute(list_runs.update().values(lease_owner="another"))
        waits(threading.Event())(0)
        waited.append(page)

    spring.crm.before_page = overtaken
    with pytest.raises(LeaseLost):
        spring.lists.pull("spring")
    assert not waited and not spring.queued()


def test_a_node_that_lost_its_lease_keeps_nothing_more(spring: Stand) -> None:
    full_of(spring, 9)

    def overtaken(number: int) -> None:
        if number == 1:
            with spring.store.write() as conn:
                conn.execute(list_runs.update().values(lease_owner="another node"))

    spring.crm.before_page = overtaken
    with pytest.raises(LeaseLost):
        spring.lists.pull("spring")
    assert len(spring.queued()) == 3


def test_a_hub_that_stops_lets_another_node_go_on(spring: Stand) -> None:
    full_of(spring, 9)
    spring.crm.before_page = lambda number: spring.lists.close()
    with pytest.raises(HubStopping):
        spring.lists.pull("spring")
    spring.crm.before_page = lambda number: None
    other = spring.node()
    assert other.abandoned() == ["spring"]
    assert other.pull("spring").sent == 9


def test_another_version_of_the_mapping_is_a_first_load(spring: Stand) -> None:
    full_of(spring, 4)
    spring.lists.pull("spring")
    spring.deliver()
    spring.mappings.publish(SPRING.replace("about: The", "about: Another"), by="test")
    counts = spring.lists.pull("spring")
    assert spring.crm.queries[-1].watermark is None
    assert (counts.read, counts.sent, counts.unchanged) == (4, 0, 4)


def test_a_list_that_goes_elsewhere_is_sent_there_whole_and_the_former_one_is_told(spring: Stand) -> None:
    full_of(spring, 4)
    summer = SPRING.replace("options: { list: spring }", "options: { list: summer }")
    compiled = compile_mapping(summer)
    assert notes(compiled, spring.mappings.all(), spring.lists.on) == [], "nobody is on it yet"
    spring.lists.pull("spring")
    spring.deliver()
    assert notes(compile_mapping(SPRING), spring.mappings.all(), spring.lists.on) == []
    [told] = notes(compiled, spring.mappings.all(), spring.lists.on)
    assert "the 4 contacts on the former list (dialler/contact_list, list: spring) have to be taken off there" in told
    spring.mappings.publish(summer, by="test")
    counts = spring.lists.pull("spring")
    assert (counts.read, counts.sent, counts.unchanged) == (4, 4, 0)
    spring.deliver()
    assert spring.lists.pull("spring", full=True).unchanged == 4


def test_a_full_pull_is_done_when_it_is_due(store: Store, tmp_path: Path) -> None:
    spring = stand(store, tmp_path, SPRING.replace("every: 15 minutes", "every: 15 minutes\n  full_every: 1 day"))
    full_of(spring, 2)
    spring.lists.pull("spring")
    spring.lists.pull("spring")
    assert spring.crm.queries[-1].watermark == "2"
    with store.write() as conn:
        conn.execute(list_runs.update().values(started_at=list_runs.c.started_at - 25 * 3600 * 1000))
    spring.lists.pull("spring")
    assert spring.crm.queries[-1].watermark is None


def test_a_pull_that_ends_without_a_watermark_makes_the_next_one_full(
    spring: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody left, the CRM knows, and cannot say who: the next pull sees everybody and takes off whom it does not see."""
    full_of(spring, 7)
    spring.lists.pull("spring")
    del spring.crm.members["3"]  # it is told nowhere
    told = type(spring.crm).pages

    def silent(crm: Any, query: Query) -> Iterator[Page]:
        for page in told(crm, query):
            yield msgspec.structs.replace(page, watermark=None)

    monkeypatch.setattr(type(spring.crm), "pages", silent)
    counts = spring.lists.pull("spring")
    assert spring.crm.queries[-1].watermark == "7" and counts.removed == 0
    monkeypatch.undo()
    counts = spring.lists.pull("spring")
    assert spring.crm.queries[-1].watermark is None and counts.removed == 1
    spring.lists.pull("spring")
    assert spring.crm.queries[-1].watermark == "7"


def test_a_failure_that_is_not_about_the_cursor_keeps_what_was_read(spring: Stand) -> None:
    full_of(spring, 7)

    def forbidden(number: int) -> None:
        if number == 2:
            raise NotPermitted("not this page")

    spring.crm.before_page = forbidden
    with pytest.raises(NotPermitted):
        spring.lists.pull("spring")
    spring.crm.before_page = lambda number: None
    spring.lists.pull("spring")
    assert spring.crm.queries[-1].cursor == "7/6"


# --- simulation ----------------------------------------


def test_a_simulation_says_what_a_pull_then_does_and_changes_nothing(spring: Stand, store: Store) -> None:
    full_of(spring, 6)
    spring.crm.put("7", "612345601")
    spring.lists.pull("spring")
    spring.deliver()
    never_call(store, "+34612345606")
    spring.crm.drop("1")
    spring.crm.put("2", "612345602", first_name="Ana")
    spring.crm.put("3", "612345603", consent=False)
    spring.crm.put("8", "5")
    spring.crm.put("9", "612345609")
    for full in (False, True):
        before = (spring.members(), spring.queued())
        heard: list[Outcome] = []
        simulated = spring.lists.pull("spring", full=full, simulate=True, report=heard.extend)
        assert (spring.members(), spring.queued()) == before
        with store.read() as conn:
            runs = conn.execute(select(list_runs)).all()
        assert simulated.sent == sum(outcome.what == "sent" for outcome in heard)
        told: list[Outcome] = []
        real = spring.lists.pull("spring", full=full, report=told.extend)
        assert (simulated, heard) == (real, told)
        with store.read() as conn:
            assert len(conn.execute(select(list_runs)).all()) == len(runs) + 1
    assert spring.queued()["1"] == "remove"


def test_the_simulation_of_a_first_load(spring: Stand) -> None:
    full_of(spring, 5)
    spring.crm.put("6", "612345601")
    seen = []
    counts = spring.lists.pull("spring", simulate=True, progress=lambda so_far: seen.append(so_far.read))
    assert (counts.sent, counts.left_out, counts.examples["sent"]) == (5, {"duplicate": 1}, ["1", "2", "3", "4", "5"])
    assert seen == [3, 6]
    assert spring.members() == {}
    assert spring.lists.status("spring").run is None


# --- and on to the platform ----------------------------------------


def test_what_is_pulled_while_deliveries_run_arrives_as_it_is_in_the_end(spring: Stand, store: Store) -> None:
    deliverer = Deliverer(store, spring.connections, spring.mappings, spring.config)
    deliverer.start()
    try:
        for round_ in range(6):
            for number in range(1, 25):
                if (number + round_) % 5:
                    spring.crm.put(str(number), f"6123456{number:02d}", first_name=f"Round {round_}")
                elif str(number) in spring.crm.members:
                    spring.crm.drop(str(number))
            spring.lists.pull("spring", full=bool(round_ % 2))
        never_call(store, "+34612345601")
        spring.lists.sweep()
        assert deliverer.drain(PATIENCE)
    finally:
        deliverer.close()
    assert spring.dialler.targets == {("contact_list", "spring")}
    assert spring.dialler.contacts == {
        id: {"phone": f"+346123456{int(id):02d}", "first_name": row["first_name"]}
        for id, (_, row) in spring.crm.members.items()
        if id != "1"
    }


# --- who pulls ----------------------------------------


def test_one_node_pulls_a_list_at_a_time(spring: Stand) -> None:
    full_of(spring, 4)
    entered, go_on = threading.Event(), threading.Event()

    def wait(number: int) -> None:
        entered.set()
        assert go_on.wait(PATIENCE)

    spring.crm.before_page = wait
    first = threading.Thread(target=spring.lists.pull, args=("spring",))
    first.start()
    assert entered.wait(PATIENCE)
    with pytest.raises(ListBusy, match="being pulled just now"):
        spring.node().pull("spring")
    go_on.set()
    first.join(PATIENCE)
    assert len(spring.queued()) == 4


def test_what_is_no_list_is_refused_with_the_nearest_name(spring: Stand) -> None:
    other = SPRING.replace("mapping: spring", "mapping: lost").replace("connection: crm", "connection: crn", 1)
    spring.mappings.publish(other, by="test")
    with pytest.raises(ConfigError, match='no connection "crn", did you mean "crm"'):
        spring.lists.pull("lost")


def test_a_tick_is_claimed_once(store: Store) -> None:
    tick = int(datetime(2026, 11, 23, 7, tzinfo=UTC).timestamp() * 1000)
    with store.write() as conn:
        assert sql.claim_tick(conn, "spring", tick, "a")
        assert not sql.claim_tick(conn, "spring", tick, "b")
        assert sql.claim_tick(conn, "summer", tick, "b")
        sql.forget_ticks(conn, tick + 1)
        assert sql.claim_tick(conn, "spring", tick, "b")
