"""Who is calling? Asks every CRM, or its directory, all at once under one deadline and answers one record, several, or none.

An attached CRM key wins over the number, the number over the e-mail address. The record on which a call was clicked wins
over them all. `none` with silent connections means "nobody known so far": its url is then a search, not a new record, for
whoever calls may well be known to the CRM that did not answer.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import Literal

import structlog
from msgspec import Struct
from msgspec.structs import replace

from hub.clock import from_ms, now, now_ms
from hub.config import Config
from hub.connections import Connection, Connections
from hub.desk.asking import Answer, Asking, Silent, Wait
from hub.desk.by_policy import ByPolicy, Since
from hub.desk.caller import Ask, Caller, caller_of
from hub.desk.choice import Asked, Candidate, Choice, Source, choice, facts_asked
from hub.desk.own_numbers import OwnNumbers
from hub.desk.rules import table_of
from hub.desk.ways import Ways
from hub.errors import ConfigError, PatchbayError, nearest
from hub.flow.directory.known import Directory
from hub.flow.merged import Merged
from hub.model import PERSON, Account, Lookup, Match, Record
from hub.phone import e164
from hub.store import fresh
from hub.store.database import Store

log = structlog.get_logger()

__all__ = ["Ask", "Found", "Matched", "Pop", "ScreenPop", "Silent", "UnknownConnection"]


class UnknownConnection(PatchbayError):
    """There is no such connection."""


class Matched(Struct, frozen=True, kw_only=True):
    """By which field of which object a record was found."""

    object: str
    field: str
    value: str


class Found(Struct, frozen=True, kw_only=True):
    """One record of the answer. `rule` is the table's rule that chose it, `why` says it in words.

    `source`: the CRM itself (live), the directory, or the hub's own memory of what it has just written (hub); the record
    was so at `fresh_at`.
    """

    connection: str
    object: str
    id: str
    title: str
    url: str
    account: Account | None = None
    matched: Matched
    rule: str
    why: str
    source: Source
    fresh_at: datetime


class Pop(Struct, frozen=True, kw_only=True):
    """The answer. With `silent` connections, `none` means "nobody known so far", never "unknown"."""

    match: Literal["one", "many", "none"]
    url: str
    records: tuple[Found, ...] = ()
    others: tuple[Found, ...] = ()  # with match one: what matched too and was not chosen
    silent: tuple[Silent, ...] = ()
    took_ms: float = 0.0
    reason: str = ""


class ScreenPop:
    """Answers screen pops. Thread-safe; `close` lets its threads go."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        config: Config,
        own: OwnNumbers | None = None,
        asking: Asking | None = None,
        directory: Directory | None = None,
    ) -> None:
        self.table = table_of(config)
        self.own = own or OwnNumbers(store, config, self.table)
        self.asking = asking or Asking(connections)
        self._store, self._connections, self._config = store, connections, config
        self._merged = Merged(store)
        self._ways = Ways(connections, config, self.table)
        self._directory, self._road = directory, ByPolicy(self.asking, directory, "screen_pop")
        able = [name for name, one in connections.items() if one.manifest.people and self._may_ask(one)]
        for name in self.table.connections:
            if name not in able:
                known = nearest(name, able) or "; those that can: " + (", ".join(able) or "none")
                raise ConfigError(f'connections: "{name}" cannot find people{known}', file=self.table.file)
        self._crms = self.table.connections or tuple(able)

    def pop(self, ask: Ask) -> Pop:
        """Who it is. Raises UnknownConnection for a connection that is not there."""
        steps = self.steps(ask)
        while True:
            try:
                next(steps)  # the next step waits by itself
            except StopIteration as done:
                made: Pop = done.value
                return made

    def steps(self, ask: Ask) -> Generator[Wait, None, Pop]:
        """The same in steps, each of which is short: whoever has something better to do than wait, waits in between for
        what the step has given out."""
        began = time.monotonic()
        asked, platform = self._asked(ask.connection)
        caller = caller_of(ask, platform, self.own, self._store, self._config)
        lookups = {name: self._merged.followed(name, self._lookups(name, caller)) for name in asked}
        under_way = self._road.begin(lookups)
        fresh = self._fresh(asked, caller)  # while the CRMs think
        deadline = began + self.table.deadline
        yield from under_way.awaited(deadline)
        answers, silent = under_way.answers(deadline)
        since = under_way.since
        for name, answer in answers.items():
            if name not in since:
                self._merged.learn(name, lookups[name], answer)
        tiers = self._tiers(lookups, answers, since, fresh, caller)
        unsure = self._unsure(tiers, caller, asked)
        if unsure:
            live = yield from self._road.once_more(unsure, lookups, deadline)
            since = {name: held for name, held in since.items() if name not in live}
            tiers = self._tiers(lookups, answers | live, since, fresh, caller)
        made = self._answer(ask, caller, tiers, asked, silent)
        return replace(made, silent=silent, took_ms=round((time.monotonic() - began) * 1000, 1))

    def elsewhere(self, ask: Ask) -> dict[str, str]:
        """For a person who finds nobody right: where to `search`, and a `new` record. Empty where no CRM has such a page."""
        asked, platform = self._asked(ask.connection)
        caller = caller_of(ask, platform, self.own, self._store, self._config)
        known = {"phone": caller.phone, "email": caller.email, "key": caller.key, "interaction": ask.interaction or ""}
        return {"search": self._ways.search(asked, known), "new": self._ways.new(asked, known)}

    def close(self) -> None:
        """Stop asking."""
        self.asking.close()
        self.own.close()

    def _asked(self, name: str | None) -> tuple[tuple[str, ...], Connection | None]:
        """The CRMs to ask, and the platform that asks."""
        if not name:
            return self._crms, None
        if name not in self._connections:
            known = ", ".join(self._connections)
            raise UnknownConnection(
                f'there is no connection "{name}"{nearest(name, self._connections) or "; known: " + known}'
            )
        connection = self._connections[name]
        if connection.manifest.people and self._may_ask(connection):
            return (name,), None
        return self._crms, connection

    # --- what matches ----------------------------------------

    def _may_ask(self, connection: Connection) -> bool:
        return connection.can("find") or self._road.policy(connection.name) == "only"

    def _lookups(self, name: str, caller: Caller) -> list[Lookup]:
        clicked = caller.clicked
        first = [Lookup(clicked.object, "id", clicked.id)] if clicked is not None and clicked.connection == name else []
        return first + caller.lookups()

    def _tiers(
        self,
        lookups: Mapping[str, Sequence[Lookup]],
        answers: Mapping[str, Answer],
        since: Mapping[str, Since],
        fresh: Sequence[Candidate],
        caller: Caller,
    ) -> dict[str, list[Candidate]]:
        """Every match, by what it matched by; each record once, under the strongest."""
        tiers: dict[str, list[Candidate]] = {"clicked": [], "key": [], "phone": [], "email": []}
        seen: set[tuple[str, str, str]] = set()
        every = [
            self._candidate(name, lookup, record, since.get(name))
            for name, answer in answers.items()
            for lookup, records in zip(lookups[name], answer, strict=True)
            for record in records
            if not _other_number(lookup, record, caller)
        ]
        for tier, matching in tiers.items():
            for candidate in (*every, *fresh):
                if candidate.by == tier and candidate.identity not in seen:
                    seen.add(candidate.identity)
                    matching.append(candidate)
        return tiers

    def _candidate(self, name: str, lookup: Lookup, record: Record, since: Since | None) -> Candidate:
        by = "clicked" if lookup.object != PERSON else "key" if lookup.by == "id" else lookup.by
        match = record.match or Match(lookup.by, lookup.value)
        company = record.object == self._connections[name].manifest.company
        if since is None:
            return Candidate(name, record, company, match, by)
        return Candidate(name, record, company, match, by, "directory", since[record.object, record.id])

    def _unsure(self, tiers: Mapping[str, list[Candidate]], caller: Caller, asked: Sequence[str]) -> list[str]:
        """The connections whose several records the directory tells, without what the table's rules have asked of them."""
        candidates = next(iter(self._usable(tiers, caller).values()), [])
        made = choice(candidates, self.table, Asked(caller.agent, asked, now())) if len(candidates) > 1 else None
        facts = facts_asked(made, self.table) if made is not None else frozenset()
        lacking = [c.connection for c in candidates if c.source == "directory" and not facts <= self._keeps(c)]
        return list(dict.fromkeys(lacking))

    def _keeps(self, candidate: Candidate) -> frozenset[str]:
        """The rules whose question the directory answers for such a record."""
        assert self._directory is not None
        declared = self._directory.declared(candidate.connection, candidate.record.object)
        return frozenset() if declared is None else declared.facts

    def _usable(self, tiers: Mapping[str, list[Candidate]], caller: Caller) -> dict[str, list[Candidate]]:
        """The matches that may count, the strongest first: a number that is ours is nobody's."""
        return {name: found for name, found in tiers.items() if found and not (name == "phone" and caller.learned_own)}

    def _fresh(self, asked: Sequence[str], caller: Caller) -> list[Candidate]:
        """What the hub itself just created, for the CRM's own index may not know it yet."""
        if not caller.phone and not caller.email:
            return []
        since = now_ms() - int(self.table.fresh.total_seconds() * 1000)
        rows = fresh.known(self._store, asked, caller.phone, caller.email, since)
        made = []
        for row in rows:
            by = "phone" if caller.phone and row.phone == caller.phone else "email"
            created = from_ms(row.created_at)
            record = Record(object=row.object, id=row.record_id, title=row.title, url=row.url, created_at=created)
            match = Match(by, row.phone if by == "phone" else row.email)
            company = row.object == self._connections[row.connection].manifest.company
            made.append(Candidate(row.connection, record, company, match, by, "hub", created))
        return made

    # --- the answer ----------------------------------------

    def _answer(
        self,
        ask: Ask,
        caller: Caller,
        tiers: Mapping[str, list[Candidate]],
        asked: Sequence[str],
        silent: Sequence[Silent],
    ) -> Pop:
        reasons = list(caller.reasons)
        if caller.learned_own and tiers["phone"]:
            reasons.append(
                f"but {len(tiers['phone'])} CRM records carry it: declare it in own_numbers of hub.yaml, or take it out "
                "under own_numbers.never of screen_pop.yaml"
            )
            log.warning("a learned own number is carried by CRM records", records=len(tiers["phone"]))
        usable = self._usable(tiers, caller)
        if caller.key and "key" not in usable:
            reasons.append("no record has the attached key")
        if not usable:
            return self._nobody(ask, caller, reasons, asked, silent)
        candidates = next(iter(usable.values()))
        made = choice(candidates, self.table, Asked(caller.agent, asked, now()))
        reason = "; ".join(reasons)
        if made.chosen is None:
            several = tuple(self._found(c, made) for c in made.left)
            return Pop(match="many", url=self._ways.page(ask), records=several, reason=reason or made.why)
        one = self._found(made.chosen, made)
        others = tuple(self._found(c, Choice(None, "", "")) for c in made.left)
        return Pop(match="one", url=one.url or self._ways.page(ask), records=(one,), others=others, reason=reason)

    def _nobody(
        self, ask: Ask, caller: Caller, reasons: list[str], asked: Sequence[str], silent: Sequence[Silent]
    ) -> Pop:
        known = {"phone": caller.phone, "email": caller.email, "key": caller.key, "interaction": ask.interaction or ""}
        if silent:
            names = [one.connection for one in silent]
            reasons.append(f"{' and '.join(names)} did not answer, so somebody may still be known there")
            prefer = (*names, *(name for name in asked if name not in names))
            url = self._ways.search(prefer, known)
        elif not caller.lookups() or caller.learned_own:
            url = ""
        else:
            reasons.append("nobody is known by it")
            url = self._ways.new(asked, known)
        return Pop(match="none", url=url or self._ways.page(ask), reason="; ".join(reasons) or "nothing to look up")

    def _found(self, candidate: Candidate, made: Choice) -> Found:
        record, match = candidate.record, candidate.match
        url = self._ways.record(candidate.connection, record)
        return Found(
            connection=candidate.connection,
            object=record.object,
            id=record.id,
            title=record.title,
            url=url,
            account=record.account,
            matched=Matched(object=record.object, field=match.field, value=match.value),
            rule=made.rule,
            why=made.why,
            source=candidate.source,
            fresh_at=candidate.fresh_at or now(),
        )


def _other_number(lookup: Lookup, record: Record, caller: Caller) -> bool:
    """Whether the CRM gave a record for a number that is another: same last digits, another country."""
    if lookup.by != "phone" or not caller.is_e164 or record.match is None:
        return False
    value = str(record.match.value).strip()
    stored = e164("+" + value[2:] if value.startswith("00") else value, "") if value.startswith(("+", "00")) else None
    if stored is None or stored == caller.phone:
        return False
    log.warning("a CRM gave a record with another number", object=record.object, field=record.match.field)
    return True
