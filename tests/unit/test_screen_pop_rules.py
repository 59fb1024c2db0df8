"""The decision table: what it says of wrong words, and that each rule decides what it is there for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.clock import now
from hub.desk.choice import Asked, Candidate, Rule, Table, choice
from hub.desk.rules import read_table, run_screen_pop_examples
from hub.errors import ConfigError
from hub.model import Account, Match, Record

SHIPPED = Path(__file__).parents[2] / "config" / "screen_pop.yaml"


def candidate(
    id: str, object: str = "contact", connection: str = "crm", account: str = "", **more: object
) -> Candidate:
    held = Account(object="account", id=account, title="A") if account else None
    record = Record(object=object, id=id, title=id, account=held, **more)  # type: ignore[arg-type]
    return Candidate(connection, record, object == "account", Match("phone", "+34612345678"))


def chosen(*candidates: Candidate, rules: tuple[Rule, ...] = (), **more: object) -> tuple[str, str]:
    table = Table(rules=rules, **more)  # type: ignore[arg-type]
    made = choice(candidates, table, Asked("ana@example.com", ("crm", "erp"), now()))
    return (made.chosen.record.id if made.chosen else "", made.rule)


def test_the_shipped_table_does_what_its_examples_say() -> None:
    results = run_screen_pop_examples(SHIPPED)
    assert len(results) >= 10
    assert [result for result in results if result.problem] == []


def test_an_example_that_does_not_come_true_says_so(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "examples:\n"
        "  - about: Wrong.\n"
        "    given: { records: [{ object: contact, id: 1 }] }\n"
        "    expect: { match: many }\n"
        "  - about: Nobody.\n"
        "    expect: { match: none }\n"
    )
    wrong, right = run_screen_pop_examples(file)
    assert wrong.problem == "match is one, not many"
    assert (wrong.line, right.problem) == (2, "")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("deadlin: 2 s\n", 1, 'did you mean "deadline"?'),
        ("deadline: 2\n", 1, 'written like "1.5 seconds"'),
        ("deadline: 2 fortnights\n", 1, 'written like "1.5 seconds"'),
        ("deadline: 2 hours\n", 1, "between 50 ms and 30 s"),
        ("\nconnections: [crmm]\n", 2, 'did you mean "crm"?'),
        ("rules:\n  - open_case\n  - opencase\n", 3, 'did you mean "open_case"?'),
        ("rules:\n  - objects\n", 2, "objects needs its order"),
        ("rules:\n  - owner: ana\n", 2, "takes nothing beside its name"),
        ("rules:\n  - owner\n  - owner\n", 3, "twice"),
        ("rules: open_case\n", 1, "has to be a list"),
        ("rules:\n  - last_contact: { with: 1 day }\n", 2, 'did you mean "within"?'),
        ("many: newst\n", 1, 'did you mean "newest"?'),
        ("shared_line:\n  people: 1\n", 2, "at least 2"),
        ("none:\n  fields: { phone: phon }\n", 2, 'did you mean "phone"?'),
        ("own_numbers: { learn: maybe }\n", 1, "true or false"),
        ("examples:\n  - given: { records: [{ object: contact }] }\n    expect: { match: one }\n", 2, "needs its id"),
        ("examples:\n  - about: x\n", 2, "expects at least a match"),
        ("- a list\n", 1, "has to be a mapping"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_one_line_with_its_place(tmp_path: Path, text: str, line: int, words: str) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_table(file, ["crm", "softphone"])
    assert (refused.value.file, refused.value.line) == (str(file), line)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_everything_can_be_said(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "deadline: 800 ms\nconnections: [erp, crm]\nfresh: 5 minutes\nshared_line: { people: 4 }\n"
        "rules: [owner, {last_contact: {within: 2 days}}, {objects: [lead, contact]}, connections]\nmany: newest\n"
        "none: { new: lead, fields: { mobile: phone } }\nown_numbers: { learn: false, never: ['+34612345678'] }\n"
    )
    table, _ = read_table(file, ["crm", "erp"])
    assert table.deadline == 0.8
    assert table.connections == ("erp", "crm")
    assert table.fresh == timedelta(minutes=5)
    assert (table.shared_people, table.shared_people_with_account) == (4, 2)
    assert [rule.word for rule in table.rules] == ["owner", "last_contact", "objects", "connections"]
    assert (table.rules[1].within, table.rules[2].order) == (timedelta(days=2), ("lead", "contact"))
    assert (table.many, table.new_object, table.new_fields) == ("newest", "lead", {"mobile": "phone"})
    assert (table.learn_own_numbers, table.never_own) == (False, ("+34612345678",))


def test_a_shared_line_is_its_accounts() -> None:
    people = [candidate(str(n), account="9") for n in range(3)]
    assert chosen(*people) == ("9", "shared_line")
    assert chosen(*people, candidate("9", "account")) == ("9", "shared_line")
    assert chosen(*people[:2], candidate("9", "account")) == ("9", "shared_line")
    assert chosen(*people[:2]) == ("", "choose")


def test_a_shared_line_is_never_a_person_whatever_the_rules_say() -> None:
    people = [candidate("1", account="9", open_cases=2), candidate("2", account="8"), candidate("3")]
    assert chosen(*people, rules=(Rule("open_case"),)) == ("", "shared_line")
    assert chosen(*people, rules=(Rule("open_case"),), many="newest") == ("", "shared_line")


def test_the_same_people_in_two_crms_are_not_a_crowd() -> None:
    twins = [candidate("1"), candidate("2"), candidate("1", connection="erp"), candidate("2", connection="erp")]
    assert chosen(*twins) == ("", "choose")
    assert chosen(twins[0], twins[2], rules=(Rule("connections"),)) == ("1", "connections")


def test_rules_narrow_one_after_the_other() -> None:
    fresh, old = now() - timedelta(hours=1), now() - timedelta(days=40)
    rules = (Rule("open_case"), Rule("last_contact", within=timedelta(days=30)), Rule("owner"))
    one, two, three = (
        candidate("1", open_cases=1, last_contact_at=old, owner="ana@example.com", connection="crm"),
        candidate("2", open_cases=1, last_contact_at=fresh, connection="erp"),
        candidate("3", last_contact_at=now(), owner="ana@example.com", connection="erp"),
    )
    assert chosen(one, two, three, rules=rules) == ("2", "last_contact")
    assert chosen(one, candidate("2", open_cases=1, connection="erp"), rules=rules) == ("1", "owner")
    assert chosen(three, candidate("4", last_contact_at=old), rules=rules) == ("3", "last_contact")


def test_a_person_comes_before_the_own_account_and_an_order_of_objects_decides_the_rest() -> None:
    own, other = candidate("9", "account"), candidate("8", "account")
    ana = candidate("1", account="9")
    rules = (Rule("person_of_account"),)
    assert chosen(own, ana, rules=rules) == ("1", "person_of_account")
    assert chosen(other, ana, rules=rules) == ("", "choose")
    assert chosen(other, ana, rules=(*rules, Rule("objects", order=("case", "contact")))) == ("1", "objects")


def test_the_policy_is_for_what_is_left() -> None:
    young = candidate("1", created_at=now(), updated_at=now() - timedelta(days=3))
    old = candidate("2", created_at=now() - timedelta(days=9), updated_at=now())
    assert chosen(young, old) == ("", "choose")
    assert chosen(young, old, many="newest") == ("2", "newest")
    assert chosen(young, old, many="oldest") == ("2", "oldest")
    assert chosen(candidate("1"), candidate("2"), many="newest") == ("", "choose")
