"""The registry: immutable, numbered versions; files and people meet; a broken one takes nothing down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from hub.errors import ConfigError
from hub.flow.mappings import Mappings, Published
from hub.store.database import Store, open_store
from hub.store.schema import mapping_versions
from tests.waiting import PATIENCE


def yaml(
    name: str = "log",
    about: str = "Logs.",
    connection: str = "any",
    event: str = "interaction.wrapped_up",
    got: str = "",
) -> str:
    return f"""\
mapping: {name}
about: {about}
source: {{ connection: {connection}, event: {event} }}
target: {{ connection: crm, write: activity, key: key }}
fields:
  agent: agent.id
examples:
  - {{ about: One., given: {{ agent: {{ id: a }} }}, expect: {{ agent: {got or "a"} }} }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mappings"
    made.mkdir()
    return made


def rows(store: Store) -> int:
    with store.read() as connection:
        return connection.scalar(select(func.count()).select_from(mapping_versions)) or 0


def short(published: list[Published]) -> list[tuple[str, int, str, bool]]:
    return [(one.name, one.version, one.by, one.changed) for one in published]


def test_a_changed_file_is_a_new_version(store: Store, folder: Path) -> None:
    (folder / "log.yaml").write_text(yaml())
    (folder / "zip.yaml").write_text(yaml("zip"))
    (folder / "notes.txt").write_text("no mapping")
    mappings = Mappings(store)
    assert short(mappings.publish_files(folder)) == [("log", 1, "files", True), ("zip", 1, "files", True)]
    assert short(mappings.publish_files(folder)) == [("log", 1, "files", False), ("zip", 1, "files", False)]
    (folder / "log.yaml").write_text(yaml(about="Changed."))
    assert short(mappings.publish_files(folder)) == [("log", 2, "files", True), ("zip", 1, "files", False)]
    assert (mappings.current("log").about, mappings.current("log").version) == ("Changed.", 2)
    assert [one.name for one in mappings.all()] == ["log", "zip"]
    assert mappings.source("log", 1) == yaml(), "a published version never changes"


def test_what_a_person_did_is_not_undone_by_the_next_start(store: Store, folder: Path) -> None:
    mappings = Mappings(store)
    (folder / "log.yaml").write_text(yaml(about="One."))
    mappings.publish_files(folder)
    (folder / "log.yaml").write_text(yaml(about="Two."))
    mappings.publish_files(folder)
    back = mappings.rollback("log", 1, "ana")
    assert (back.version, back.by, back.note) == (3, "ana", "rolled back to version 1")
    restarted = Mappings(store)
    assert restarted.publish_files(folder)[0].changed is False
    assert (restarted.current("log").about, restarted.current("log").version) == ("One.", 3)
    (folder / "log.yaml").write_text(yaml(about="Three."))
    assert restarted.publish_files(folder)[0].version == 4
    assert restarted.current("log").about == "Three."
    assert [(one.version, one.by, one.note) for one in restarted.history("log")] == [
        (4, "files", ""),
        (3, "ana", "rolled back to version 1"),
        (2, "files", ""),
        (1, "files", ""),
    ]


def test_a_file_that_says_what_a_person_published_is_still_the_files(store: Store, folder: Path) -> None:
    mappings = Mappings(store)
    (folder / "log.yaml").write_text(yaml(about="One."))
    mappings.publish_files(folder)
    mappings.publish(yaml(about="Two."), "ana", "by hand")
    (folder / "log.yaml").write_text(yaml(about="Two."))
    assert mappings.publish_files(folder)[0].changed
    mappings.rollback("log", 1, "ana")
    assert mappings.publish_files(folder)[0].changed is False
    assert mappings.current("log").about == "One."


def test_a_person_publishes(store: Store) -> None:
    mappings = Mappings(store)
    first = mappings.publish(yaml(), "ana", "the first")
    assert (first.name, first.version, first.by, first.note, first.changed) == ("log", 1, "ana", "the first", True)
    again = mappings.publish(yaml(), "bo")
    assert (again.version, again.by, again.changed) == (1, "ana", False)
    assert mappings.history("log") == [first]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (yaml("zip").replace("agent.id", "agent.idd"), "zip.yaml:6: there is no path"),
        (yaml("zip", got="b"), "zip.yaml:8: the example \"One.\" fails: agent: expected 'b', got 'a'"),
        (yaml("log"), 'zip.yaml:1: "log" is the name of the mapping in log.yaml too'),
        ("mapping: [", "zip.yaml:"),
    ],
)
def test_a_broken_file_stops_all_and_what_runs_goes_on(store: Store, folder: Path, broken: str, says: str) -> None:
    mappings = Mappings(store)
    (folder / "log.yaml").write_text(yaml(about="One."))
    mappings.publish_files(folder)
    (folder / "log.yaml").write_text(yaml(about="Two."))
    (folder / "zip.yaml").write_text(broken)
    with pytest.raises(ConfigError) as refused:
        mappings.publish_files(folder)
    assert says in str(refused.value)
    assert (mappings.current("log").about, rows(store)) == ("One.", 1)


def test_what_cannot_be_read_is_refused(store: Store, folder: Path, tmp_path: Path) -> None:
    mappings = Mappings(store)
    (folder / "log.yaml").write_bytes(b"about: \xff")
    with pytest.raises(ConfigError, match="written in UTF-8"):
        mappings.publish_files(folder)
    with pytest.raises(ConfigError, match="no such folder"):
        mappings.publish_files(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="fails"):
        mappings.publish(yaml(got="b"), "ana")
    assert rows(store) == 0


def test_unknown_names_are_told_the_nearest(store: Store) -> None:
    mappings = Mappings(store)
    mappings.publish(yaml("wrap_up"), "ana")
    calls: list[Callable[[], object]] = [
        lambda: mappings.current("wrapup"),
        lambda: mappings.history("wrapup"),
        lambda: mappings.source("wrapup", 1),
        lambda: mappings.rollback("wrapup", 1, "ana"),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match=r'there is no mapping "wrapup", did you mean "wrap_up"\?'):
            call()
    with pytest.raises(ConfigError, match='"wrap_up" has no version 7; the newest is 1'):
        mappings.rollback("wrap_up", 7, "ana")


def test_what_runs_is_written_as_files(store: Store, tmp_path: Path) -> None:
    mappings = Mappings(store)
    mappings.publish(yaml("log", about="Éxito."), "ana")
    mappings.publish(yaml("zip"), "ana")
    files = mappings.export(tmp_path / "out" / "here")
    assert [file.name for file in files] == ["log.yaml", "zip.yaml"]
    assert files[0].read_text(encoding="utf-8") == yaml("log", about="Éxito.")
    assert [one.changed for one in Mappings(store).publish_files(tmp_path / "out" / "here")] == [True, True]


def test_which_mappings_an_event_triggers(store: Store) -> None:
    mappings = Mappings(store)
    mappings.publish(yaml("every"), "ana")
    mappings.publish(yaml("one", connection="softphone", event="[interaction.ended, interaction.wrapped_up]"), "ana")
    mappings.publish(yaml("two", connection="[softphone, other]", event="interaction.ended"), "ana")

    def names(connection: str, event: str) -> list[str]:
        return [mapping.name for mapping in mappings.triggered_by(connection, event)]

    assert names("softphone", "interaction.wrapped_up") == ["every", "one"]
    assert names("softphone", "interaction.ended") == ["one", "two"]
    assert names("other", "interaction.ended") == ["two"]
    assert names("other", "interaction.wrapped_up") == ["every"]
    assert names("third", "interaction.wrapped_up") == ["every"]
    assert names("third", "interaction.ended") == []
    assert names("softphone", "dial.accepted") == []


def test_every_node_takes_up_what_one_publishes(store_url: str, store: Store) -> None:
    here, other = Mappings(store), open_store(store_url)
    there = Mappings(other)
    there.publish(yaml(about="One."), "ana")
    with pytest.raises(ConfigError):
        here.current("log")
    here.refresh()
    assert here.current("log").version == 1
    before = here.current("log")
    here.refresh()
    assert here.current("log") is before, "nothing changed, nothing compiled"
    rung: list[str] = []
    other.on_wake("mappings", lambda: rung.append("bell"))
    there.publish(yaml(about="Two."), "ana")
    there.publish(yaml(about="Two."), "ana")
    assert rung == ["bell"]
    here.refresh()
    assert here.current("log").about == "Two."
    other.close()


def test_a_version_that_does_not_compile_takes_no_node_down(store: Store) -> None:
    mappings = Mappings(store)
    mappings.publish(yaml(about="One."), "ana")
    mappings.publish(yaml(about="Two."), "ana")
    with store.write() as connection:
        for name, version in (("log", 3), ("other", 1)):  # as a newer hub may write them
            connection.execute(
                insert(mapping_versions).values(
                    name=name,
                    version=version,
                    source="mapping: of the future",
                    digest="d",
                    published_by="x",
                    published_at=1,
                )
            )
    mappings.refresh()
    assert mappings.current("log").about == "Two.", "the former goes on"
    fresh = Mappings(store)
    assert (fresh.current("log").about, fresh.current("log").version) == ("Two.", 2), "the newest that can be read"
    assert [mapping.name for mapping in fresh.all()] == ["log"]
    assert fresh.publish(yaml(about="Four."), "ana").version == 4
    assert fresh.current("log").about == "Four."


def test_nodes_that_start_together_make_one_version(store_url: str, store: Store, folder: Path) -> None:
    (folder / "log.yaml").write_text(yaml())
    (folder / "zip.yaml").write_text(yaml("zip"))
    nodes = [open_store(store_url) for _ in range(4)]
    start, done, failed = threading.Barrier(len(nodes)), [], []

    def node(own: Store) -> None:
        try:
            mappings = Mappings(own)
            start.wait(PATIENCE)
            done.extend(mappings.publish_files(folder))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=node, args=(own,)) for own in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for own in nodes:
        own.close()
    assert failed == []
    assert sorted(one.name for one in done if one.changed) == ["log", "zip"]
    assert {one.version for one in done} == {1} and len(done) == 8
    assert rows(store) == 2


def test_the_hubs_country_and_zone_hold_where_a_mapping_says_none(store: Store) -> None:
    mappings = Mappings(store, country="ES", zone="Europe/Madrid")
    text = yaml().replace("agent.id", "{ from: interaction.ended_at, as: date }").replace("agent: { id: a }", "")
    mappings.publish(text.replace("expect: { agent: a }", "expect: { agent: null }"), "ana")
    ended = {"interaction": {"ended_at": "2026-03-02T23:30:00Z"}}
    assert mappings.current("log").render(ended, {}).fields == {"agent": "2026-03-03"}


def test_a_retired_mapping_runs_nowhere_and_keeps_its_versions(store_url: str, store: Store, folder: Path) -> None:
    (folder / "log.yaml").write_text(yaml())
    mappings, other = Mappings(store), open_store(store_url)
    try:
        mappings.publish_files(folder)
        elsewhere = Mappings(other)
        retired = mappings.retire("log", "ana", "no longer wanted")
        assert (retired.version, retired.by, retired.note, retired.retired) == (2, "ana", "no longer wanted", True)
        elsewhere.refresh()
        for node in (mappings, elsewhere, Mappings(store)):
            assert (node.all(), node.triggered_by("pbx", "interaction.wrapped_up")) == ((), ())
            with pytest.raises(ConfigError, match="is retired; `patchbay mapping rollback log VERSION`"):
                node.current("log")
    finally:
        other.close()
    assert [(one.version, one.retired) for one in mappings.history("log")] == [(2, True), (1, False)]
    assert mappings.source("log", 1) == yaml()
    for refused in (lambda: mappings.retire("log", "ana"), lambda: mappings.rollback("log", 2, "ana")):
        with pytest.raises(ConfigError, match="retire"):
            refused()
    # The file says what it said: what a person did is not undone by the next start; another content is, and a rollback.
    assert short(mappings.publish_files(folder)) == [("log", 1, "files", False)]
    assert mappings.all() == ()
    assert mappings.rollback("log", 1, "ana").version == 3
    assert mappings.current("log").version == 3
    mappings.retire("log", "ana")
    (folder / "log.yaml").write_text(yaml(about="Changed."))
    assert short(mappings.publish_files(folder)) == [("log", 5, "files", True)]
    assert mappings.current("log").about == "Changed."


def test_below_a_version_that_cannot_be_read_a_retirement_still_holds(store: Store) -> None:
    mappings, elsewhere = Mappings(store), Mappings(store)
    mappings.publish(yaml(), "ana")
    elsewhere.refresh()
    mappings.retire("log", "ana")
    with store.write() as connection:
        row = {
            "name": "log",
            "version": 3,
            "source": "mapping: [",
            "digest": "x",
            "published_by": "b",
            "published_at": 1,
        }
        connection.execute(insert(mapping_versions).values(row))
    for node in (mappings, elsewhere, Mappings(store)):
        node.refresh()
        assert node.all() == ()


def test_an_event_triggers_what_was_published_before_it_came(store_url: str, store: Store) -> None:
    """Also where another node published it a moment ago and no bell has rung yet."""
    other = open_store(store_url)
    try:
        here, there = Mappings(store), Mappings(other)
        for change in (lambda: there.publish(yaml(), "ana"), lambda: there.publish(yaml("zip"), "ana"),
                       lambda: there.retire("log", "ana")):  # fmt: skip
            change()
            with store.write() as transaction:
                here.catch_up(transaction)
                assert names(here) == names(there)
        assert names(here) == ["zip"]
    finally:
        other.close()


def names(mappings: Mappings) -> list[str]:
    """What an event of `pbx` triggers."""
    return [mapping.name for mapping in mappings.triggered_by("pbx", "interaction.wrapped_up")]
