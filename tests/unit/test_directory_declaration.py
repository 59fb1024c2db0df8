"""config/directory.yaml: what it may say, and what a row becomes by it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.errors import ConfigError
from hub.flow.directory.rows import Entry, RowReader, Unreadable, folded, run_directory_examples
from hub.language.directory import DirectoryObject, DirectoryPlan, read_directory
from tests.customer_directory import PLAIN

PROJECT = Path(__file__).parents[2]
OBJECT = """\
connections:
  crm:
    objects:
      contact:
        title: row.name
        phones: [row.mobile, row.phone]
        emails: [row.email]
        keys: row.key
"""


def declared(folder: Path, text: str, connections: tuple[str, ...] = ("crm", "softphone")) -> DirectoryPlan:
    file = folder / "directory.yaml"
    file.write_text(text, encoding="utf-8")
    return read_directory(file, connections, country="ES", zone="Europe/Madrid")


def contact(folder: Path, more: str = "") -> DirectoryObject:
    return declared(folder, OBJECT + more).objects["directory crm/contact"]


def entry(one: DirectoryObject, **row: Any) -> Entry:
    body = RowReader(one, "ES").read({"id": "1", "name": "Ana", **row}).body
    return msgspec.json.decode(body, type=Entry)


def values(one: DirectoryObject, **row: Any) -> list[str]:
    return [known.value for known in entry(one, **row).known]


# --- what may be said ----------------------------------------


def test_what_is_not_said_has_its_usual_value(tmp_path: Path) -> None:
    plan = declared(tmp_path, OBJECT)
    assert dict(plan.connections["crm"].policies) == {"screen_pop": "first", "dial": "live", "resolve": "live"}
    assert plan.connections["crm"].max_age_seconds == 3600
    one = contact(tmp_path)
    assert (one.every_seconds, one.cron, one.full_every_seconds, one.page, one.where) == (None, None, None, 2000, {})
    assert plan.policy("crm", "screen_pop") == "first"
    assert plan.policy("erp", "screen_pop") == "live"


@pytest.mark.parametrize(
    ("wrong", "line", "says"),
    [
        (OBJECT.replace("  crm:", "  crmm:"), 2, 'no connection "crmm", did you mean "crm"?'),
        (OBJECT.replace("objects:", "object:"), 3, 'no word "object" in crm, did you mean "objects"?'),
        (OBJECT.replace("    objects:", "    screen_pop: frist\n    objects:"), 3, '"frist" is not known here, did you'),
        (OBJECT.replace("    objects:", "    max_age: soon\n    objects:"), 3, "a duration is a number and a unit"),
        (OBJECT.replace("phones:", "phone:"), 6, 'did you mean "phones"?'),
        (OBJECT.replace("row.mobile", "member.mobile"), 6, 'there is no path "member.mobile"'),
        (OBJECT.replace("        title: row.name\n", ""), 4, "contact has no `title`"),
        ("connections:\n  crm:\n    objects:\n      contact: { title: row.name }\n", 4, "nobody would ever be found by it"),
        (OBJECT + "        every: 1 minute\n        cron: 0 7 * * mon\n", 10, "`every` or `cron`, not both"),
        (OBJECT + "        cron: 0 7 * * 1\n", 9, "weekdays are written by name"),
        (OBJECT + "        page: 0\n", 9, "`page` is a number of rows"),
        (OBJECT + "        where: active\n", 9, "`where` is a group"),
        (OBJECT + "        country: XX\n", 9, 'no country "XX"'),
        (OBJECT + "        account: { object: account }\n", 9, "account has no `id`"),
        (OBJECT + "        owner: { text: no path }\n", 9, "a text without any {path}"),
        (OBJECT + "        examples: [{ about: x, given: {}, expect: { phone: 1 } }]\n", 9, 'did you mean "phones"'),
        ("connections: [crm]\n", 1, "connections is a group"),
        ("conections: {}\n", 1, 'did you mean "connections"?'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, wrong: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        declared(tmp_path, wrong)
    assert says in str(refused.value)
    assert (refused.value.line, refused.value.file) == (line, str(tmp_path / "directory.yaml"))


def test_another_content_is_another_version_and_another_time_is_not(tmp_path: Path) -> None:
    plain = contact(tmp_path).version
    assert contact(tmp_path, "        every: 1 minute\n        page: 10\n        full_every: 1 day\n").version == plain
    assert contact(tmp_path, "        owner: row.owner\n").version != plain
    assert contact(tmp_path, "        where: { active: true }\n").version != plain


@pytest.mark.parametrize("file", ["config/directory.yaml", "config/tryton/directory.yaml"])
def test_the_shipped_declarations_hold(file: str) -> None:
    plan = read_directory(PROJECT / file, ("crm", "tryton"), country="ES", zone="Europe/Madrid")
    results = run_directory_examples(plan.objects.values(), "ES")
    assert results
    assert [(example.about, problem) for example, problem in results if problem] == []


def test_an_example_that_fails_says_what_came(tmp_path: Path) -> None:
    examples = "        examples: [{ about: x, given: { phone: 612 34 56 78 }, expect: { title: Ana, phones: [] } }]\n"
    ((example, problem),) = run_directory_examples([contact(tmp_path, examples)], "ES")
    assert example.line == 9
    assert problem == "title is '1', not 'Ana'; phones is ['+34612345678'], not []"


# --- rows ----------------------------------------


def test_every_number_and_address_finds_the_row_once(tmp_path: Path) -> None:
    one = contact(tmp_path)
    assert values(one, mobile="612 34 56 78", phone="+34 612 345 678", email=" Ana@Example.COM ", key="K 1") == [
        "+34612345678", "ana@example.com", "key:K 1",
    ]  # fmt: skip
    (known,) = entry(one, mobile="612 34 56 78", phone="+34612345678").known
    assert (known.field, known.written) == ("mobile", "612 34 56 78")


def test_a_number_is_read_by_the_rows_own_country_and_never_by_a_wrong_one(tmp_path: Path) -> None:
    one = contact(tmp_path, "        country: row.country\n")
    assert values(one, phone="06 12 34 56 78", country="FR") == ["+33612345678"]
    assert values(one, phone="612345678") == ["+34612345678"]  # the hub's own
    assert values(one, phone="612345678", country="Spain") == []
    kept = entry(one, phone="612345678", country="Spain")
    assert kept.fields == {"phone": "612345678", "country": "Spain"}
    assert values(contact(tmp_path, "        country: FR\n"), phone="0612345678") == ["+33612345678"]


@pytest.mark.parametrize("value", ["ask Pepe", "12", "0" * 100_000, "'; DROP TABLE", "+", "\u202e612", 7, True, ["6"]])
def test_what_is_no_number_finds_nobody_and_the_row_is_kept(tmp_path: Path, value: Any) -> None:
    read = RowReader(contact(tmp_path), "ES").read({"id": "1", "name": "Ana", "phone": value})
    assert (read.values, read.unusable) == ((), 1)


@pytest.mark.parametrize("address", ["", "ana", "@", "a@", "@b", "a b@c.d", "a@" + "b" * 400, 7, None])
def test_what_is_no_address_finds_nobody(tmp_path: Path, address: Any) -> None:
    assert values(contact(tmp_path), email=address) == []


def test_what_no_store_takes_costs_a_field_or_the_row_and_no_other_row(tmp_path: Path) -> None:
    reader = RowReader(contact(tmp_path), "ES")
    assert reader.read({"id": "1", "key": "a\0b"}).values == ()
    assert "\0" not in reader.read({"id": "1", "name": "A\0na"}).body
    for row in ({"id": "1\0"}, {"id": "1", "name": "\ud800"}, {"id": "\ud800"}, {"id": "1", "name": ["a", "list"]}):
        with pytest.raises(Unreadable):
            reader.read(row)


def test_what_a_pop_needs_is_kept(tmp_path: Path) -> None:
    more = """\
        account: { object: company, id: row.account, title: row.company }
        owner: { from: row.owner, as: lower }
        open_cases: row.cases
        last_contact: row.called
        created: row.made
        fields: [row.vip, row.address.city]
"""
    row = {
        "account": 7,
        "company": "Lumen",
        "owner": "Bo@x.example",
        "cases": 2,
        "vip": True,
        "address": {"city": "Madrid"},
    }
    kept = entry(contact(tmp_path, more), called="2026-03-02T10:00:00Z", made=datetime(2026, 3, 2, tzinfo=UTC), **row)
    assert kept.account == ("company", "7", "Lumen")
    assert (kept.owner, kept.open_cases, kept.last_contact) == ("bo@x.example", 2, 1772445600000)
    assert kept.created == 1772409600000
    assert kept.fields == {"vip": True, "address.city": "Madrid"}


def test_a_title_is_cut_where_it_says_so_and_an_empty_one_is_the_id(tmp_path: Path) -> None:
    one = declared(tmp_path, OBJECT.replace("row.name", "{ from: row.name, max: 3 }")).objects["directory crm/contact"]
    assert entry(one, name="Annabel").title == "Ann"
    assert entry(one, name=None).title == "1"


def test_a_moment_that_is_none_makes_the_row_unreadable_without_telling_its_value(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as refused:
        entry(contact(tmp_path, "        created: row.made\n"), made="612345678")
    assert "612345678" not in str(refused.value)


def test_the_same_row_gives_the_same_body(tmp_path: Path) -> None:
    reader = RowReader(declared(tmp_path, PLAIN).objects["directory crm/contact"], "ES")
    row = {"id": "1", "first_name": "Ana", "phone": "612345678", "email": "a@b.example", "do_not_call": False}
    assert reader.read(row) == reader.read(dict(reversed(row.items())))


def test_an_address_is_folded_as_a_pop_folds_it() -> None:
    assert folded(" Ana@Example.com ") == "ana@example.com"
