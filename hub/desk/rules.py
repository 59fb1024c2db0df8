"""The decision table of the screen pop: config/screen_pop.yaml, read and checked; its examples are its tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from hub.clock import now
from hub.config import Config
from hub.desk.choice import POLICIES, RULES, Asked, Candidate, Rule, Table, choice
from hub.errors import ConfigError, nearest
from hub.language.yaml_source import Document, Step, read_yaml
from hub.model import Account, Match, Record

WORDS = ("deadline", "connections", "fresh", "shared_line", "rules", "many", "none", "own_numbers", "examples")
PREFILL = ("phone", "email", "key", "interaction")  # what a new record's fields may be filled with
UNITS = {"millisecond": 0.001, "ms": 0.001, "second": 1, "s": 1, "minute": 60, "hour": 3600, "day": 86400}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+?)s?")
AGO = " ago"


@dataclass(frozen=True)
class Example:
    """Given records and what has to come of them."""

    about: str
    agent: str
    candidates: tuple[Candidate, ...]
    expect: dict[str, Any]
    line: int


@dataclass(frozen=True)
class ScreenPopExample:
    """The result of one example of the table; `problem` is empty where it came out as expected."""

    about: str
    problem: str
    file: str
    line: int | None


def table_of(config: Config) -> Table:
    """The table of this hub: its file, or the defaults where there is none. Raises ConfigError."""
    if config.screen_pop_file is None:
        return Table()
    return read_table(config.screen_pop_file, tuple(config.connections))[0]


def read_table(file: Path, connections: Sequence[str] | None = None) -> tuple[Table, tuple[Example, ...]]:
    """A decision table and its examples. With `connections` (all configured names) its names are checked too."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("cannot be read as UTF-8 text", file=str(file)) from None
    return _Reader(read_yaml(text, str(file)), connections).table()


def run_screen_pop_examples(file: Path) -> list[ScreenPopExample]:
    """Run the examples of a decision table. Raises ConfigError where the table itself is wrong."""
    table, examples = read_table(file)
    return [ScreenPopExample(e.about, _problem(e, table), str(file), e.line) for e in examples]


def _problem(example: Example, table: Table) -> str:
    seen = dict.fromkeys(candidate.connection for candidate in example.candidates)
    order = [*table.connections, *(name for name in seen if name not in table.connections)]
    if not example.candidates:
        came: dict[str, Any] = {"match": "none"}
    else:
        made = choice(example.candidates, table, Asked(example.agent, order, now()))
        came = {"match": "many" if made.chosen is None else "one", "why": made.rule}
        if made.chosen is not None:
            came["which"] = f"{made.chosen.record.object}/{made.chosen.record.id}"
    wrong = [
        f"{name} is {came.get(name)}, not {value}" for name, value in example.expect.items() if came.get(name) != value
    ]
    return "; ".join(wrong)


class _Reader:
    """Reads one document; every complaint names its line."""

    def __init__(self, document: Document, connections: Sequence[str] | None) -> None:
        self.document, self.known = document, connections

    def table(self) -> tuple[Table, tuple[Example, ...]]:
        given = self.mapping((), self.document.value, WORDS)
        shared = self.mapping(("shared_line",), given.get("shared_line"), ("people", "people_with_account"))
        nobody = self.mapping(("none",), given.get("none"), ("new", "fields"))
        own = self.mapping(("own_numbers",), given.get("own_numbers"), ("learn", "never"))
        table = Table(file=self.document.file)
        people = self.count(("shared_line", "people"), shared, table.shared_people)
        deadline = self.duration(("deadline",), given["deadline"]) if "deadline" in given else table.deadline
        if not 0.05 <= deadline <= 30:
            self.fail(("deadline",), f"deadline has to be between 50 ms and 30 s, not {given['deadline']}")
        table = replace(
            table,
            deadline=deadline,
            connections=self.connections(given.get("connections")),
            fresh=timedelta(seconds=self.duration(("fresh",), given["fresh"])) if "fresh" in given else table.fresh,
            shared_people=people,
            shared_people_with_account=self.count(
                ("shared_line", "people_with_account"), shared, min(people, table.shared_people_with_account)
            ),
            rules=self.rules(given["rules"]) if given.get("rules") is not None else table.rules,
            many=self.one_of(("many",), given.get("many", table.many), POLICIES),
            new_object=self.text(("none", "new"), nobody.get("new", "")),
            new_fields=self.prefill(nobody.get("fields"), table.new_fields),
            learn_own_numbers=self.boolean(("own_numbers", "learn"), own.get("learn", True)),
            never_own=self.texts(("own_numbers", "never"), own.get("never", [])),
        )
        return table, self.examples(given.get("examples"))

    def connections(self, given: Any) -> tuple[str, ...]:
        names = self.texts(("connections",), given or [])
        for index, name in enumerate(names):
            if self.known is not None and name not in self.known:
                self.fail(("connections", index), f'there is no connection "{name}"{nearest(name, self.known)}')
        return names

    def prefill(self, given: Any, default: dict[str, str]) -> dict[str, str]:
        if given is None:
            return default
        if not isinstance(given, dict):
            self.fail(
                ("none", "fields"), "fields has to be a mapping: a field of the new record to what it is filled with"
            )
        return {name: self.one_of(("none", "fields", name), source, PREFILL) for name, source in given.items()}

    # --- the rules ----------------------------------------

    def rules(self, given: Any) -> tuple[Rule, ...]:
        if not isinstance(given, list):
            self.fail(("rules",), "rules has to be a list, the first rule first")
        made = tuple(self.rule(("rules", index), rule) for index, rule in enumerate(given))
        for index, rule in enumerate(made):
            if rule.word in [before.word for before in made[:index]]:
                self.fail(("rules", index), f"the rule {rule.word} is here twice")
        return made

    def rule(self, path: tuple[Step, ...], given: Any) -> Rule:
        if isinstance(given, dict) and len(given) == 1:
            ((word, detail),) = given.items()
        else:
            word, detail = given, None
        self.one_of(path, word, RULES)
        if word == "objects":
            order = self.texts((*path, word), detail or [])
            if not order:
                self.fail(path, "objects needs its order, such as objects: [contact, lead, account]")
            return Rule(word, order=order)
        if word == "last_contact":
            limits = self.mapping((*path, word), detail, ("within",))
            within = self.duration((*path, word, "within"), limits["within"]) if "within" in limits else None
            return Rule(word, within=None if within is None else timedelta(seconds=within))
        if detail is not None:
            self.fail(path, f"the rule {word} takes nothing beside its name")
        return Rule(word)

    # --- the examples ----------------------------------------

    def examples(self, given: Any) -> tuple[Example, ...]:
        if not isinstance(given or [], list):
            self.fail(("examples",), "examples has to be a list")
        return tuple(self.example(("examples", index), one) for index, one in enumerate(given or []))

    def example(self, path: tuple[Step, ...], given: Any) -> Example:
        one = self.mapping(path, given, ("about", "given", "expect"))
        told = self.mapping((*path, "given"), one.get("given"), ("agent", "records"))
        expect = self.mapping((*path, "expect"), one.get("expect"), ("match", "which", "why"))
        if "match" not in expect:
            self.fail((*path, "expect"), "an example expects at least a match: one, many or none")
        self.one_of((*path, "expect", "match"), expect["match"], ("one", "many", "none"))
        records = told.get("records") or []
        if not isinstance(records, list):
            self.fail((*path, "given", "records"), "records has to be a list")
        # An account is named by its id alone; which object it is, the company among the records says.
        companies = (str(r.get("object")) for r in records if isinstance(r, dict) and r.get("company") is True)
        company = next(companies, "account")
        candidates = tuple(self.candidate((*path, "given", "records", i), r, company) for i, r in enumerate(records))
        about = self.text((*path, "about"), one.get("about", ""))
        agent = self.text((*path, "given", "agent"), told.get("agent", ""))
        return Example(about, agent, candidates, expect, self.document.line(path))

    def candidate(self, path: tuple[Step, ...], given: Any, company: str) -> Candidate:
        words = ("connection", "object", "id", "account", "company", "owner", "open_cases", "last_contact", "created",
                 "updated", "by")  # fmt: skip
        told = self.mapping(path, given, words)
        for needed in ("object", "id"):
            if not told.get(needed):
                self.fail(path, f"a record needs its {needed}")
        account = self.text((*path, "account"), told.get("account", ""))
        record = Record(
            object=self.text((*path, "object"), told["object"]),
            id=self.text((*path, "id"), told["id"]),
            title="",
            account=Account(object=company, id=account, title="") if account else None,
            owner=self.text((*path, "owner"), told.get("owner", "")) or None,
            open_cases=told.get("open_cases"),
            last_contact_at=self.moment((*path, "last_contact"), told.get("last_contact")),
            created_at=self.moment((*path, "created"), told.get("created")),
            updated_at=self.moment((*path, "updated"), told.get("updated")),
        )
        return Candidate(
            connection=self.text((*path, "connection"), told.get("connection", "crm")),
            record=record,
            company=self.boolean((*path, "company"), told.get("company", record.object == "account")),
            match=Match("phone", ""),
            by=self.one_of((*path, "by"), told.get("by", "phone"), ("phone", "email", "key")),
        )

    def moment(self, path: tuple[Step, ...], given: Any) -> Any:
        if given is None:
            return None
        if not isinstance(given, str) or not given.endswith(AGO):
            self.fail(path, f'a moment of an example is written like "2 days ago", not {given!r}')
        return now() - timedelta(seconds=self.duration(path, given.removesuffix(AGO)))

    # --- values ----------------------------------------

    def fail(self, path: tuple[Step, ...], what: str) -> NoReturn:
        raise self.document.error(path, what)

    def mapping(self, path: tuple[Step, ...], given: Any, words: Iterable[str]) -> dict[str, Any]:
        known = tuple(words)
        if given is None:
            return {}
        if not isinstance(given, dict):
            self.fail(path, f"{_name(path)} has to be a mapping with some of: {', '.join(known)}")
        for word in given:
            if word not in known:
                hint = nearest(word, known) or "; known: " + ", ".join(known)
                self.fail((*path, word), f'there is no "{word}" in {_name(path)}{hint}')
        return dict(given)

    def one_of(self, path: tuple[Step, ...], given: Any, known: Sequence[Any]) -> Any:
        if given not in known:
            hint = nearest(str(given), known) or "; known: " + ", ".join(known)
            self.fail(path, f'{_name(path)}: "{given}" is not known here{hint}')
        return given

    def text(self, path: tuple[Step, ...], given: Any) -> str:
        if isinstance(given, bool) or not isinstance(given, str | int):
            self.fail(path, f"{_name(path)} has to be a text, not {given!r}")
        return str(given)

    def texts(self, path: tuple[Step, ...], given: Any) -> tuple[str, ...]:
        if not isinstance(given, list):
            self.fail(path, f"{_name(path)} has to be a list")
        return tuple(self.text((*path, index), one) for index, one in enumerate(given))

    def boolean(self, path: tuple[Step, ...], given: Any) -> bool:
        if not isinstance(given, bool):
            self.fail(path, f"{_name(path)} has to be true or false, not {given!r}")
        return given

    def count(self, path: tuple[Step, ...], held: dict[str, Any], default: int) -> int:
        given = held.get(str(path[-1]), default)
        if isinstance(given, bool) or not isinstance(given, int) or given < 2:
            self.fail(path, f"{_name(path)} has to be a whole number of at least 2, not {given!r}")
        return given

    def duration(self, path: tuple[Step, ...], given: Any) -> float:
        found = DURATION.fullmatch(given.strip().lower()) if isinstance(given, str) else None
        unit = found and (UNITS.get(found.group(2)) or UNITS.get(found.group(2) + "s"))
        if found is None or unit is None:
            self.fail(path, f'{_name(path)} is written like "1.5 seconds", "15 minutes" or "30 days", not {given!r}')
        return float(found.group(1)) * unit


def _name(path: tuple[Step, ...]) -> str:
    return ".".join(str(step) for step in path if isinstance(step, str)) or "the table"
