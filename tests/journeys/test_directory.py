"""The customer directory through the front door: a CRM goes down, the pop answers and says since when; it comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub import installed
from hub.errors import PatchbayError
from hub.model import PERSON, Lookup
from hub.store.schema import directory_records, directory_sources
from tests.desk_stubs import deadline_when
from tests.journeys.test_cli import Say, env, patchbay  # noqa: F401 (fixtures)
from tests.people_crm import PeopleCrm, PeopleServer
from tests.whole_hub import WholeHub, whole_hub

PROJECT = Path(__file__).parents[2]
ANA, BO, CY = "+34612345601", "+34612345602", "+34612345603"
CONTACTS = "directory crm/contact"
SETTINGS = """\
company: Test
country: ES
screen_pop: screen_pop.yaml
connections:
  crm: {{ connector: people, url: "{url}", private_network: true, timeout_seconds: 120 }}
"""
TABLE = "deadline: 30 seconds\n"
DIRECTORY = """\
connections:
  crm:
    screen_pop: first
    max_age: 15 minutes
    objects:
      contact:
        every: 5 minutes
        title: row.name
        phones: row.phone
"""


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> Iterator[PeopleServer]:
    """A CRM over HTTP, whose connector is installed."""
    known = installed.connector_class
    for module in ("hub.config", "hub.connections"):
        monkeypatch.setattr(f"{module}.connector_class", lambda name: PeopleCrm if name == "people" else known(name))
    with PeopleServer().served() as server:
        server.put("1", ANA, "Ana")
        server.put("2", BO, "Bo")
        yield server


@pytest.fixture
def whole(people: PeopleServer, tmp_path: Path, store_url: str) -> Iterator[WholeHub]:
    """A whole hub over it, its directory not loaded yet, once on each engine."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "screen_pop.yaml").write_text(TABLE)
    (tmp_path / "config" / "directory.yaml").write_text(DIRECTORY)
    with whole_hub(tmp_path, store_url, settings=SETTINGS.format(url=people.url), mappings={}) as made:
        yield made


def popped(whole: WholeHub, phone: str) -> tuple[str, list[tuple[str, str]], list[str]]:
    """Match, (id, source) of the records, who is silent."""
    pop = whole.program.get("/screen-pop", phone=phone)
    return pop["match"], [(r["id"], r["source"]) for r in pop["records"]], [s["connection"] for s in pop["silent"]]


def test_a_crm_goes_down_and_comes_back_and_the_agent_sees_the_age(people: PeopleServer, whole: WholeHub) -> None:
    assert popped(whole, ANA) == ("one", [("1", "live")], [])
    whole.hub.directory_pulls.pull(CONTACTS)
    searches = people.searches
    assert popped(whole, ANA) == ("one", [("1", "directory")], [])
    assert people.searches == searches

    people.down = True
    with pytest.raises(PatchbayError):
        whole.hub.directory_pulls.pull(CONTACTS)
    _age(whole, hours=2)
    pop = whole.program.get("/screen-pop", phone=ANA)
    assert (pop["match"], pop["silent"], pop["url"]) == ("one", [], f"{people.url}/open/contact/1")
    (found,) = pop["records"]
    age = datetime.now(UTC) - datetime.fromisoformat(found["fresh_at"])
    assert found["source"] == "directory"
    assert timedelta(hours=2) <= age < timedelta(hours=2, minutes=1)
    assert popped(whole, CY) == ("none", [], ["crm"])
    (source,) = whole.program.get("/directory")["sources"]
    assert (source["state"], source["error"], source["records"]) == ("failed", "Unavailable: answered 503", 2)
    assert source["age_seconds"] >= 7200

    people.down = False
    people.put("2", CY, "Bo")
    people.put("3", BO, "Cy")
    whole.hub.directory_pulls.pull(CONTACTS)
    assert popped(whole, CY) == ("one", [("2", "directory")], [])
    assert popped(whole, BO) == ("one", [("3", "directory")], [])
    (source,) = whole.program.get("/directory")["sources"]
    assert (source["state"], source["error"]) == ("done", None)
    assert source["age_seconds"] < 60


def test_a_crm_that_hangs_costs_an_old_directory_one_deadline_and_then_nothing(
    people: PeopleServer, whole: WholeHub
) -> None:
    whole.hub.directory_pulls.pull(CONTACTS)
    _age(whole, hours=2)
    people.hangs = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        deadline_when(patch, "asking", lambda _: True)
        assert popped(whole, ANA) == ("one", [("1", "directory")], [])
    began = time.monotonic()
    for _ in range(5):
        assert popped(whole, ANA) == ("one", [("1", "directory")], [])
    assert time.monotonic() - began < 29, "nobody waits for the deadline"
    people.hangs.set()


def test_what_it_knows_is_told_with_its_age_and_nobody_is_asked(people: PeopleServer, whole: WholeHub) -> None:
    whole.hub.directory_pulls.pull(CONTACTS)
    told = whole.program.get("/directory", phone="612 34 56 01")
    assert people.searches == 0
    (found,) = told["records"]
    assert (found["connection"], found["object"], found["id"], found["title"]) == ("crm", "contact", "1", "Ana")
    assert found["matched"] == {"object": "contact", "field": "phone", "value": ANA}
    assert found["fields"] == {"phone": ANA}
    assert datetime.fromisoformat(found["fresh_at"]) > datetime.now(UTC) - timedelta(minutes=1)
    assert whole.program.get("/directory", phone="+34699999999", email="a@b.example")["records"] == []
    (source,) = whole.program.get("/directory")["sources"]
    assert (source["connection"], source["object"], source["entries"], source["screen_pop"]) == (
        "crm", "contact", 2, "first",
    )  # fmt: skip
    whole.program.get("/directory", status=422, phone="+34" + "6" * 400)


def test_metrics_and_the_start_page_say_how_old_it_is(whole: WholeHub) -> None:
    assert "not loaded yet" in whole.signed_in().get("/").text
    assert "patchbay_directory_age_seconds{" not in whole.flask.test_client().get("/metrics").text
    whole.hub.directory_pulls.pull(CONTACTS)
    _age(whole, hours=1)
    text = whole.flask.test_client().get("/metrics").text
    assert 'patchbay_directory_entries{connection="crm",object="contact"} 2.0' in text
    (age,) = [line for line in text.splitlines() if line.startswith("patchbay_directory_age_seconds{")]
    assert 3600 <= float(age.rpartition(" ")[2]) < 3700
    assert ANA not in text
    page = whole.signed_in().get("/").text
    assert "Customer directory" in page
    assert "not loaded yet" not in page
    assert ANA not in page


def _age(whole: WholeHub, **by: float) -> None:
    """Make all that is known older."""
    ms = int(timedelta(**by).total_seconds() * 1000)
    with whole.hub.store.write() as conn:
        conn.execute(directory_records.update().values(seen_at=directory_records.c.seen_at - ms))
        conn.execute(directory_sources.update().values(fresh_at=directory_sources.c.fresh_at - ms))


# --- what is shipped ----------------------------------------


def test_the_shipped_directory_answers_for_the_sample_people(tmp_path: Path, store_url: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "directory.yaml").write_text((PROJECT / "config" / "directory.yaml").read_text())
    settings = "country: ES\nsample: true\nconnections: { crm: { connector: embedded } }\n"
    with whole_hub(tmp_path, store_url, settings=settings, mappings={}) as whole:
        for name in whole.hub.directory_pulls.names():
            whole.hub.directory_pulls.pull(name)
        sources = {one["object"]: one["records"] for one in whole.program.get("/directory")["sources"]}
        assert sources["contact"] + sources["lead"] >= 1000
        with whole.hub.store.read() as conn:
            numbers = [row[0] for row in conn.exec_driver_sql("SELECT number FROM crm_phones ORDER BY number LIMIT 40")]
        from_directory = 0
        for number in dict.fromkeys(number for number in numbers if number.startswith("+")):
            live = whole.hub.connections["crm"].connector.find([Lookup(PERSON, "phone", number)])[0]  # type: ignore[attr-defined]
            if len(live) == 1:
                (one,) = whole.program.get("/screen-pop", phone=number)["records"]
                assert (one["object"], one["id"], one["title"]) == (live[0].object, live[0].id, live[0].title)
                assert (one["url"], one["matched"]["field"]) == (live[0].url, live[0].match.field)
                assert (one["account"] or {}).get("title") == (live[0].account and live[0].account.title)
                from_directory += one["source"] == "directory"
        assert from_directory >= 20


# --- the command line ----------------------------------------


def test_the_command_line_loads_and_says_how_it_stands(
    tmp_path: Path,
    patchbay: Say,  # noqa: F811
) -> None:
    file = tmp_path / "config" / "directory.yaml"
    file.write_text((PROJECT / "config" / "directory.yaml").read_text())
    assert "not loaded yet" in patchbay("directory", "status")[0]
    assert "crm/contact: 0 read, 0 new or changed, 0 unchanged, 0 removed" in patchbay("directory", "load")[0]
    assert "not loaded yet" not in patchbay("directory", "status")[0]
    out, err = patchbay("directory", "load", "crm/contacts", code=1)
    assert (out, 'did you mean "crm/contact"' in err) == ("", True)
    assert f"directory: {file}, 3 objects, 3 examples" in patchbay("check")[0]
    right = file.read_text()
    file.write_text(right.replace("row.email", "member.email", 1))
    line = 1 + right[: right.index("row.email")].count("\n")
    assert f'{file}:{line}: there is no path "member.email"' in patchbay("check", code=1)[1]
    file.write_text(right.replace("title: Martin", "title: Marten"))
    assert "title is 'Martin', not 'Marten'" in patchbay("check", code=1)[1]
    file.write_text(right.replace("  crm:", "  platform:", 1))
    assert '"platform" cannot be pulled from; those that can: crm' in patchbay("check", code=1)[1]
    file.unlink()
    assert "no longer declared" in patchbay("directory", "status")[0]
    assert "crm/lead: 0 records forgotten" in patchbay("directory", "forget", "crm/lead")[0]
    assert "crm/lead" not in patchbay("directory", "status")[0]
    assert "nothing is declared" in patchbay("directory", "load", code=1)[1]
