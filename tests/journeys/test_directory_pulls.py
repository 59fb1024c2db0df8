"""The directory is loaded: what changed, who left, cut and taken up again, by one node, and never more than it was told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub.budget import LISTS
from hub.errors import ConfigError, QuotaSpent, Rejected, Unavailable
from hub.flow.directory.batches import BATCH, in_batches
from hub.flow.directory.load import DirectoryStatus
from hub.flow.lists import runs
from hub.flow.lists.runs import HubStopping, ListBusy
from hub.flow.lists.schedules import Schedules
from hub.model import Lookup, Page
from hub.store.database import Store
from hub.store.schema import directory_entries, directory_records, list_runs
from tests.customer_directory import CONTACTS, PLAIN, Stand
from tests.stubs import until
from tests.waiting import PATIENCE

ANA, BO, CY = "+34612345601", "+34612345602", "+34612345603"


@pytest.fixture
def crm(store: Store, tmp_path: Path) -> Stand:
    """Three contacts, not loaded yet."""
    made = Stand(store, tmp_path)
    for id, number in (("1", ANA), ("2", BO), ("3", CY)):
        made.crm.put(id, number)
    return made


def held(store: Store) -> tuple[int, int]:
    """How many records and entries there really are."""
    with store.read() as conn:
        tables = (directory_records, directory_entries)
        records, entries = (conn.scalar(select(func.count()).select_from(table)) or 0 for table in tables)
    return records, entries


def status(crm: Stand) -> DirectoryStatus:
    """How the only object stands; the counts that it tells have to be the true ones."""
    (one,) = crm.pulls.status()
    assert (one.records, one.entries) == held(crm.store)
    return one


def test_a_first_load_is_full_and_then_only_what_changed_is_read(crm: Stand) -> None:
    assert status(crm).fresh_at is None
    counts = crm.pulls.pull(CONTACTS)
    assert (counts.read, counts.sent) == (3, 3)
    assert (crm.ids("phone", ANA), crm.ids("phone", BO), crm.ids("phone", "+34699999999")) == (["1"], ["2"], [])
    crm.crm.put("4", "+34612345604")
    counts = crm.pulls.pull(CONTACTS)
    assert (counts.read, counts.sent) == (1, 1)
    assert crm.crm.queries[-1].watermark == "3"
    assert crm.ids("phone", "+34612345604") == ["4"]
    one = status(crm)
    assert (one.records, one.entries, one.run and one.run.state) == (4, 4, "done")
    assert one.fresh_at is not None


def test_a_number_that_changed_finds_by_the_new_one_only(crm: Stand) -> None:
    crm.pulls.pull(CONTACTS)
    crm.crm.put("1", "+34612345699", mobile=BO)
    crm.pulls.pull(CONTACTS)
    assert (crm.ids("phone", ANA), crm.ids("phone", "+34612345699")) == ([], ["1"])
    assert crm.ids("phone", BO) == ["1", "2"]
    assert status(crm).entries == 4


def test_who_left_is_not_found_and_who_came_back_is(crm: Stand) -> None:
    crm.pulls.pull(CONTACTS)
    crm.crm.drop("2")
    assert crm.pulls.pull(CONTACTS).removed == 1
    assert (crm.ids("phone", BO), crm.ids("id", "2")) == ([], [])
    assert (status(crm).records, status(crm).entries) == (2, 2)
    crm.crm.put("2", BO)
    crm.pulls.pull(CONTACTS)
    assert crm.ids("phone", BO) == ["2"]
    assert status(crm).records == 3


def test_who_left_without_a_word_is_seen_by_a_full_pull(crm: Stand) -> None:
    crm.pulls.pull(CONTACTS)
    del crm.crm.members["2"]
    crm.pulls.pull(CONTACTS)
    assert crm.ids("phone", BO) == ["2"]
    counts = crm.pulls.pull(CONTACTS, full=True)
    assert (counts.read, counts.sent, counts.unchanged, counts.removed) == (2, 0, 2, 1)
    assert crm.ids("phone", BO) == []
    status(crm)


def test_a_full_pull_comes_by_itself_when_it_is_due(crm: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    config = crm.declare(PLAIN.replace("every: 5 minutes", "every: 5 minutes\n        full_every: 1 day"))
    node = crm.node(config)
    node.pull(CONTACTS)
    node.pull(CONTACTS)
    real = runs.now_ms
    monkeypatch.setattr(runs, "now_ms", lambda: real() + 25 * 3600 * 1000)
    node.pull(CONTACTS)
    with crm.store.read() as conn:
        assert list(conn.scalars(select(list_runs.c.full).order_by(list_runs.c.id))) == [True, False, True]


def test_a_cut_load_goes_on_where_it_was_and_what_was_read_answers_meanwhile(crm: Stand) -> None:
    for id in range(4, 12):
        crm.crm.put(str(id), f"+346123456{id:02}")

    def fail(page: int) -> None:
        if page == 2:
            raise Unavailable("gone")

    crm.crm.before_page = fail
    with pytest.raises(Unavailable):
        crm.pulls.pull(CONTACTS)
    one = status(crm)
    assert (one.records, one.fresh_at, one.run and one.run.state) == (6, None, "failed")
    assert crm.ids("phone", ANA) == ["1"]
    told = crm.tell(Lookup("person", "phone", ANA))
    assert not told.loaded
    assert told.fresh_at["contact", "1"] is not None
    crm.crm.before_page = lambda page: None
    counts = crm.node().pull(CONTACTS)
    assert crm.crm.queries[-1].cursor == "11/6"
    assert (counts.read, counts.sent) == (11, 11)
    assert status(crm).records == 11


def test_a_hub_that_stops_leaves_the_load_to_any_node(crm: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.flow.directory.batches.BATCH", 3)
    crm.crm.put("4", "+34612345604")
    crm.crm.before_page = lambda page: crm.pulls.close()
    with pytest.raises(HubStopping):
        crm.pulls.pull(CONTACTS)
    other = crm.node()
    assert other.abandoned() == [CONTACTS]
    other.pull(CONTACTS)
    assert crm.crm.queries[-1].cursor == "4/3"
    assert (status(crm).records, other.abandoned()) == (4, [])


def test_a_cursor_that_the_crm_has_forgotten_begins_anew(crm: Stand) -> None:
    crm.crm.put("4", "+34612345604")

    def fail(page: int) -> None:
        if page == 1:
            raise Unavailable("gone")

    crm.crm.before_page = fail
    with pytest.raises(Unavailable):
        crm.pulls.pull(CONTACTS)
    with crm.store.write() as conn:
        conn.execute(list_runs.update().values(cursor="stale"))
    crm.crm.before_page = lambda page: None
    with pytest.raises(Rejected):
        crm.pulls.pull(CONTACTS)
    crm.pulls.pull(CONTACTS)
    assert status(crm).records == 4


def test_one_node_pulls_at_a_time(crm: Stand) -> None:
    began, go_on = threading.Event(), threading.Event()

    def wait(page: int) -> None:
        began.set()
        assert go_on.wait(PATIENCE)

    crm.crm.before_page = wait
    first = threading.Thread(target=crm.pulls.pull, args=(CONTACTS,))
    first.start()
    assert began.wait(PATIENCE)
    with pytest.raises(ListBusy, match="is being pulled just now"):
        crm.node().pull(CONTACTS)
    go_on.set()
    first.join(PATIENCE)
    assert len(crm.crm.queries) == 1


def test_another_declaration_is_another_first_load(crm: Stand) -> None:
    crm.crm.put("1", None, mobile=ANA, email="ana@example.com")
    crm.pulls.pull(CONTACTS)
    assert crm.ids("email", "ana@example.com") == ["1"]
    later = crm.node(crm.declare(PLAIN.replace("        emails: row.email\n", "")))
    assert later.pull(CONTACTS).read == 3
    assert crm.ids("email", "ana@example.com") == []
    status(crm)


def test_an_object_that_is_no_longer_declared_is_forgotten_when_somebody_says_so(crm: Stand) -> None:
    crm.pulls.pull(CONTACTS)
    with pytest.raises(ConfigError, match="is declared"):
        crm.pulls.forget("crm", "contact")
    other = crm.node(crm.declare(PLAIN.replace("      contact:", "      account:")))
    assert [(one.object, one.declared, one.records) for one in other.status()] == [
        ("account", True, 0), ("contact", False, 3),
    ]  # fmt: skip
    assert other.forget("crm", "contact") == 3
    assert held(crm.store) == (0, 0)
    assert [one.object for one in other.status()] == ["account"]


def test_rows_that_cannot_be_kept_are_named_and_cost_no_other_row(crm: Stand) -> None:
    crm.crm.put("2", BO, first_name="\ud800")
    crm.crm.put("3", "ask Pepe")
    crm.crm.put("4", "+34612345604", key="x'; DROP TABLE directory_entries; --", first_name="💛 مريم " * 5000)
    counts = crm.pulls.pull(CONTACTS)
    assert counts.left_out == {"not readable": 1, "unusable number": 1}
    assert counts.examples == {"not readable": ["2"], "unusable number": ["3"]}
    assert (crm.ids("phone", BO), crm.ids("id", "3")) == ([], ["3"])
    assert crm.ids("key", "x'; DROP TABLE directory_entries; --") == ["4"]
    crm.crm.put("1", ANA, first_name="\ud800")  # one that was kept and cannot be read now is not told as it was
    crm.pulls.pull(CONTACTS)
    assert crm.ids("phone", ANA) == []
    status(crm)


def test_only_declared_connections_and_objects_are_told_of(crm: Stand) -> None:
    crm.pulls.pull(CONTACTS)
    assert crm.directory.tell({"erp": [Lookup("person", "phone", ANA)]}) == {}
    assert crm.ids("phone", ANA, "contact") == ["1"]
    assert crm.ids("phone", ANA, "account") == []
    assert crm.ids("phone", ANA[1:]) == []
    assert crm.ids("phone", ANA + "\0") == []


def test_the_account_is_named_by_its_row_or_by_its_own_record(crm: Stand) -> None:
    crm.crm.put("1", ANA, account="9", company="Lumen")
    crm.crm.put("2", BO, account="9")
    crm.crm.put("3", CY, account="1")
    crm.pulls.pull(CONTACTS)

    def account(number: str) -> str | None:
        held = crm.tell(Lookup("person", "phone", number)).records[0][0].account
        return held and f"{held.object}/{held.id} {held.title}"

    assert (account(ANA), account(BO)) == ("account/9 Lumen", "account/9 9")


def test_old_runs_are_forgotten_but_not_those_that_a_pull_goes_on_from(
    crm: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm.pulls.pull(CONTACTS)
    for _ in range(3):
        crm.pulls.pull(CONTACTS)
    monkeypatch.setattr("hub.flow.directory.load.KEEP_RUNS_MS", -1000)
    crm.pulls.pull(CONTACTS)
    crm.pulls.pull(CONTACTS)
    with crm.store.read() as conn:
        assert list(conn.scalars(select(list_runs.c.full).order_by(list_runs.c.id))) == [True, False, False]
    crm.crm.put("4", "+34612345604")
    assert crm.pulls.pull(CONTACTS).read == 1


def test_the_timetable_loads_what_was_never_loaded_without_waiting_for_its_time(crm: Stand) -> None:
    schedules = Schedules(crm.store, crm.pulls, zone="Europe/Madrid", look_seconds=3600)
    schedules.start()
    try:
        until(lambda: crm.pulls.status()[0].fresh_at is not None)
        assert list(schedules.planned()) == [CONTACTS]
        assert crm.pulls.abandoned() == []
    finally:
        schedules.close()


def test_a_first_load_that_failed_waits_for_its_time(crm: Stand) -> None:
    def fail(page: int) -> None:
        raise Unavailable("down")

    crm.crm.before_page = fail
    assert crm.pulls.abandoned() == [CONTACTS]
    with pytest.raises(Unavailable):
        crm.pulls.pull(CONTACTS)
    assert crm.pulls.abandoned() == []


def test_what_cannot_be_pulled_is_refused_by_name(crm: Stand) -> None:
    with pytest.raises(ConfigError, match='the directory has no "crm/contacts", did you mean "crm/contact"'):
        crm.pulls.pull("directory crm/contacts")


# --- batches ----------------------------------------


def page(*ids: str, removed: tuple[str, ...] = (), cursor: str | None = "c", watermark: str | None = None) -> Page:
    return Page(rows=[{"id": id, "n": cursor} for id in ids], removed=list(removed), cursor=cursor, watermark=watermark)


def test_small_pages_are_kept_together_and_the_newest_word_of_each_row_counts() -> None:
    pages = [
        page("1", "2"),
        page("3", removed=("1",)),
        page("1", "2", cursor="d"),
        page("9", cursor=None, watermark="w"),
    ]
    (one,) = in_batches(iter(pages), BATCH, 60)
    assert {row["id"]: row["n"] for row in one.rows} == {"1": "d", "2": "d", "3": "c", "9": None}
    assert (one.removed, one.cursor, one.watermark) == ([], None, "w")
    (one,) = in_batches(iter([page("1", watermark="w"), page("2", cursor=None)]), BATCH, 60)
    assert one.watermark is None  # the last page has the word
    first, last = in_batches(iter([page("1", "2"), page("2", removed=("1",), cursor=None)]), 2, 60)
    assert (len(first.rows), first.cursor, last.removed) == (2, "c", ["1"])


def test_what_was_read_before_a_failure_is_kept() -> None:
    def pages() -> object:
        yield page("1")
        yield page("2", cursor="d")
        raise Unavailable("gone")

    batches = in_batches(pages(), BATCH, 60)  # type: ignore[arg-type]
    assert [row["id"] for row in next(batches).rows] == ["1", "2"]
    with pytest.raises(Unavailable):
        next(batches)


def test_a_slow_crm_is_kept_page_by_page() -> None:
    assert len(list(in_batches(iter([page("1"), page("2"), page("3", cursor=None)]), BATCH, 0))) == 3


def test_a_number_of_very_many_people_hides_nobody_else(crm: Stand) -> None:
    crm.crm.put("7", None, email="ana@example.com")
    for id in range(1000, 1600):
        crm.crm.put(str(id), "+34911000000")
    crm.crm.put("9", BO)
    config = crm.declare(PLAIN.replace("page: 3", "page: 1000"))
    crm.node(config).pull(CONTACTS)
    told = crm.tell(Lookup("person", "phone", "+34911000000"), Lookup("person", "email", "ana@example.com"))
    assert (len(told.records[0]), [one.id for one in told.records[1]]) == (500, ["7"])
    assert crm.ids("phone", BO) == ["2", "9"]


def test_a_row_that_is_there_was_not_removed_whatever_the_page_says_beside(
    crm: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm.pulls.pull(CONTACTS)
    rows = [{"id": "1", "phone": ANA, "first_name": "Moved"}]
    monkeypatch.setattr(
        crm.crm, "pages", lambda query: iter([Page(rows=rows, removed=["1", "2", "77"], watermark="9")])
    )
    assert crm.pulls.pull(CONTACTS).removed == 1
    assert (crm.ids("phone", ANA), crm.ids("phone", BO), crm.ids("phone", CY)) == (["1"], [], ["3"])
    status(crm)


def test_each_page_is_a_call_of_the_lists_lane(crm: Stand) -> None:
    crm.crm.put("4", "+34612345604")
    crm.pulls.pull(CONTACTS)
    budget = crm.connections["crm"].budget
    assert budget.made_today()[LISTS] == 2
    crm.connections["crm"].budget.calls_per_day = 2
    with pytest.raises(QuotaSpent):
        crm.pulls.pull(CONTACTS)
