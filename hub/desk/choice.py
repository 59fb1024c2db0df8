"""Several records match: which one is it? The decision table at work; pure, so that its examples test just this.

The order is fixed: a line that many people share points to their account; then the table's rules, each of which keeps
the records it favours and hands the rest of the question on; what is left is for the table's policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from hub.model import Match, Record

Policy = Literal["choose", "newest", "oldest"]
Source = Literal["live", "directory", "hub"]  # the CRM itself, the directory, or what the hub has just written
POLICIES: tuple[Policy, ...] = ("choose", "newest", "oldest")
RULES = ("person_of_account", "open_case", "last_contact", "owner", "objects", "connections")


@dataclass(frozen=True)
class Rule:
    """One line of the table. `within` belongs to last_contact, `order` to objects."""

    word: str
    within: timedelta | None = None
    order: tuple[str, ...] = ()


DEFAULT_RULES = (
    Rule("person_of_account"),
    Rule("open_case"),
    Rule("last_contact", within=timedelta(days=30)),
    Rule("owner"),
)


@dataclass(frozen=True)
class Table:
    """config/screen_pop.yaml, checked."""

    deadline: float = 1.5  # seconds
    connections: tuple[str, ...] = ()  # empty: every CRM, as config/hub.yaml orders them
    fresh: timedelta = timedelta(minutes=15)
    shared_people: int = 3
    shared_people_with_account: int = 2
    rules: tuple[Rule, ...] = DEFAULT_RULES
    many: Policy = "choose"
    new_object: str = ""  # empty: the CRM's own choice
    new_fields: dict[str, str] = field(default_factory=lambda: {"phone": "phone", "email": "email"})
    learn_own_numbers: bool = True
    never_own: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class Candidate:
    """A record that matches."""

    connection: str
    record: Record
    company: bool
    match: Match
    by: str = "phone"  # key, phone or email
    source: Source = "live"
    fresh_at: datetime | None = None  # since when it holds; None: now

    @property
    def account(self) -> tuple[str, str, str] | None:
        """The company that it belongs to."""
        held = self.record.account
        return None if held is None else (self.connection, held.object, held.id)

    @property
    def identity(self) -> tuple[str, str, str]:
        """What no other record is."""
        return (self.connection, self.record.object, self.record.id)


@dataclass(frozen=True)
class Choice:
    """The outcome: `chosen` by `rule`, or None and a person has to say which of `left`."""

    chosen: Candidate | None
    rule: str
    why: str
    left: tuple[Candidate, ...] = ()  # the others; the most probable first


@dataclass(frozen=True)
class Asked:
    """Who asks, when, and in which order the connections count. `agent` is an e-mail address or an id."""

    agent: str
    order: Sequence[str]
    now: datetime


def choice(candidates: Sequence[Candidate], table: Table, asked: Asked) -> Choice:
    """Which of the candidates it is."""
    if len(candidates) == 1:
        return Choice(candidates[0], "only", "nothing else matches")
    shared = _shared_line(candidates, table, asked.order)
    if shared is not None:
        return shared
    left = list(candidates)
    for rule in table.rules:
        kept = _kept(rule, left, asked)
        if kept and len(kept) < len(left):
            left = kept
        if len(left) == 1:
            rest = tuple(c for c in candidates if c is not left[0])
            return Choice(left[0], rule.word, _WHY[rule.word], rest)
    return _by_policy(candidates, left, table.many)


def facts_asked(made: Choice, table: Table) -> frozenset[str]:
    """What a choice among several has asked of the records, of all that a directory may not keep."""
    if made.rule in ("only", "shared_line"):
        return frozenset()
    words = [rule.word for rule in table.rules]
    return frozenset(words[: words.index(made.rule) + 1] if made.rule in words else words) & {
        "open_case",
        "last_contact",
        "owner",
    }


def _by_policy(candidates: Sequence[Candidate], left: list[Candidate], policy: Policy) -> Choice:
    ranked = left + [c for c in candidates if c not in left]
    if policy != "choose":
        dated = [(moment, c) for c in left if (moment := _moment(c.record, policy)) is not None]
        if dated:
            best = (max if policy == "newest" else min)(moment for moment, _ in dated)
            first = [c for moment, c in dated if moment == best]
            if len(first) == 1:
                why = "the last one changed" if policy == "newest" else "the first one created"
                return Choice(first[0], policy, why, tuple(c for c in ranked if c is not first[0]))
    return Choice(None, "choose", "no rule of the table tells them apart", tuple(ranked))


def _moment(record: Record, policy: Policy) -> datetime | None:
    return record.created_at if policy == "oldest" else record.updated_at or record.created_at


# --- the shared line ----------------------------------------


def _shared_line(candidates: Sequence[Candidate], table: Table, order: Sequence[str]) -> Choice | None:
    """A line that many people share is its account's. It is never taken for one of them, whatever the rules say."""
    verdict: Choice | None = None
    for connection in order:
        here = [c for c in candidates if c.connection == connection]
        people = [c for c in here if not c.company and c.by != "key"]
        owners = {c.account for c in people}
        switchboard = any(c.company and c.identity in owners for c in here)
        if len(people) < (table.shared_people_with_account if switchboard else table.shared_people):
            continue
        owner = next(iter(owners)) if len(owners) == 1 else None
        why = f"{len(people)} people share it"
        if owner is None:
            verdict = verdict or Choice(None, "shared_line", f"{why}, and not one account", tuple(candidates))
            continue
        itself = next((c for c in here if c.identity == owner), None) or _account_of(people[0])
        rest = tuple(c for c in candidates if c is not itself)
        return Choice(itself, "shared_line", f"{why}: it is their account's", rest)
    return verdict


def _account_of(person: Candidate) -> Candidate:
    held = person.record.account
    assert held is not None
    record = Record(object=held.object, id=held.id, title=held.title)
    field = f"{person.record.object}.{person.match.field}"
    return replace(person, record=record, company=True, match=Match(field, person.match.value))


# --- the rules ----------------------------------------


def _kept(rule: Rule, left: Sequence[Candidate], asked: Asked) -> list[Candidate]:
    """The records that a rule favours; none: it has nothing to say."""
    if rule.word == "person_of_account":
        owners = {c.account for c in left if not c.company}
        return [c for c in left if not (c.company and c.identity in owners)]
    if rule.word == "open_case":
        return [c for c in left if c.record.open_cases]
    if rule.word == "last_contact":
        return _last_contact(rule, left, asked)
    if rule.word == "owner":
        return [c for c in left if asked.agent and (c.record.owner or "").casefold() == asked.agent.casefold()]
    if rule.word == "objects":
        return _first_group(left, rule.order, lambda c: c.record.object)
    return _first_group(left, asked.order, lambda c: c.connection)


def _last_contact(rule: Rule, left: Sequence[Candidate], asked: Asked) -> list[Candidate]:
    recent = [
        (moment, c)
        for c in left
        if (moment := c.record.last_contact_at) is not None
        and (rule.within is None or moment >= asked.now - rule.within)
    ]
    latest = max((moment for moment, _ in recent), default=None)
    return [c for moment, c in recent if moment == latest]


def _first_group(left: Sequence[Candidate], order: Sequence[str], kind: Callable[[Candidate], str]) -> list[Candidate]:
    first = next((name for name in order if any(kind(c) == name for c in left)), None)
    return [c for c in left if kind(c) == first]


_WHY = {
    "person_of_account": "the other one is this person's own account",
    "open_case": "only this one has an open case",
    "last_contact": "this one was in contact last",
    "owner": "it belongs to the agent who asks",
    "objects": "its kind of record comes first",
    "connections": "its CRM comes first",
}
