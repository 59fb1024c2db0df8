"""Who is on the list: what one page of a pull, an opt-out or the end of a full pull changes. Pure decisions on what the
store knows; `hub.flow.lists.pull` reads before and writes after.

Among rows with the same number the one that is on the list stays; among new ones the first wins. When it leaves, the next
one that waits takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingOf
from typing import Any, Literal

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from hub.flow.lists.members import Candidate
from hub.flow.subject import member_subject
from hub.language.mapping import Mapping
from hub.store.lists import Member, Outgoing

EXAMPLES = 5

What = Literal["sent", "unchanged", "removed", "left out"]


class Outcome(Struct, frozen=True):
    """What became of one member in a run, and why: the kind of the reason, and the reason in full."""

    member: str
    what: What
    reason: str = ""
    because: str = ""


class Counts(Struct, kw_only=True):
    """What a run did. `examples` are member ids: by outcome, or by reason for who was left out."""

    read: int = 0
    sent: int = 0
    unchanged: int = 0
    removed: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    read_all: bool = False  # every page was read; what a full pull did not see may still have to go

    def plus(self, outcomes: Iterable[Outcome]) -> Counts:
        """These counts with what a page did."""
        tally = {"sent": self.sent, "unchanged": self.unchanged, "removed": self.removed}
        left_out, examples = dict(self.left_out), {word: list(shown) for word, shown in self.examples.items()}
        for outcome in outcomes:
            if outcome.what == "left out":
                left_out[outcome.reason] = left_out.get(outcome.reason, 0) + 1
            else:
                tally[outcome.what] += 1
            if outcome.what != "unchanged":
                shown = examples.setdefault(outcome.reason or outcome.what, [])
                if len(shown) < EXAMPLES:
                    shown.append(outcome.member)
        return replace(self, **tally, left_out=left_out, examples=examples)


class Changes:
    """Collects what changes in one transaction: members, deliveries, outcomes, and the numbers that became free."""

    def __init__(self, mapping: Mapping, run: int, now: int) -> None:
        self.members: dict[str, Member] = {}
        self.outgoing: dict[str, Outgoing] = {}
        self.outcomes: list[Outcome] = []
        self.freed: set[str] = set()
        self._mapping, self._target, self._run, self._now = mapping.name, mapping.target, run, now

    def page(
        self,
        candidates: Sequence[Candidate],
        gone: Iterable[str],
        *,
        known: MappingOf[str, Any],
        holders: dict[str, str],
        suppressed: set[str],
        every_row_is_seen: bool,
    ) -> None:
        """One page: rows to put on the list or leave out, and members that the CRM took off it."""
        for member in gone:
            if member in known and known[member].state != "removed":
                self.take_off(member, known[member].state, known[member].phone)
        for phone in self.freed:
            holders.pop(phone, None)
        for candidate in candidates:
            member, phone = candidate.member, candidate.phone or ""
            before: Any = known.get(member)
            was_on = before is not None and before.state == "on" and member not in self.members
            if candidate.refusal is not None:
                if candidate.refusal == "not mapped" and was_on and before.phone == phone and phone not in suppressed:
                    # A row that cannot be mapped just now does not lose its place; what was sent stays as it is.
                    self._left_out(candidate, "not mapped", candidate.because or "")
                    self._member(member, "on", candidate.because, phone, before.content)
                    continue
                self._refuse(candidate, candidate.refusal, candidate.because or "", before if was_on else None)
            elif phone in suppressed:
                self._refuse(candidate, "do not call", "do not call", before if was_on else None)
            elif phone is not None and (holder := holders.setdefault(phone, member)) != member:
                self._refuse(candidate, "duplicate", f"duplicate of {holder}", before if was_on else None)
            elif was_on and before.content == candidate.content and before.phone == phone:
                self.outcomes.append(Outcome(member, "unchanged"))
                if (every_row_is_seen and before.run != self._run) or before.reason is not None:
                    self._member(member, "on", None, phone, candidate.content)
            else:
                self._put_on(member, phone, candidate.content, candidate.body)
                if was_on and before.phone != phone:
                    self.freed.add(before.phone)

    def promote(self, waiting: Iterable[Any], suppressed: set[str]) -> None:
        """Put the first of those who wait for a freed number on the list."""
        held = {each.phone for each in self.members.values() if each.state == "on"}
        for candidate in waiting:
            known = self.members.get(candidate.member)
            if candidate.phone in held or candidate.phone in suppressed:
                continue
            if known is not None and (
                known.state != "left_out" or known.body is None or known.phone != candidate.phone
            ):
                continue  # this very page says something newer of it
            held.add(candidate.phone)
            # It keeps the run that saw it: a full pull may still find that the CRM does not name it any more.
            self._put_on(candidate.member, candidate.phone, candidate.content, candidate.body, candidate.run)

    def waiting_here(self) -> list[Member]:
        """The duplicates of this page that wait for a number that became free."""
        return [each for each in self.members.values() if each.body is not None and each.phone in self.freed]

    def take_off(self, member: str, state: str, phone: str | None) -> None:
        """A member that the CRM does not name any more."""
        self._member(member, "removed", None, None, "")
        if state == "on":
            self._remove(member, phone, "")

    def opt_out(self, member: str, phone: str, run: int) -> None:
        """A member whose number must not be called any more."""
        self._member(member, "left_out", "do not call", phone, "", run=run)
        self._remove(member, phone, "do not call")

    def _refuse(self, candidate: Candidate, reason: str, because: str, was_on: Any | None) -> None:
        self._left_out(candidate, reason, because)
        waits = candidate.body if reason == "duplicate" else None
        self._member(candidate.member, "left_out", because, candidate.phone, candidate.content, waits)
        if was_on is not None:
            self._remove(candidate.member, was_on.phone, reason)

    def _left_out(self, candidate: Candidate, reason: str, because: str) -> None:
        self.outcomes.append(Outcome(candidate.member, "left out", reason, because))

    def _put_on(self, member: str, phone: str, content: str, body: str, run: int | None = None) -> None:
        self._member(member, "on", None, phone, content, run=run)
        self._send(member, "upsert", body)
        self.outcomes.append(Outcome(member, "sent"))

    def _remove(self, member: str, phone: str | None, reason: str) -> None:
        self._send(member, "remove", msgspec.json.encode({"member": {"id": member}}).decode())
        self.outcomes.append(Outcome(member, "removed", because=reason))
        if phone is not None:
            self.freed.add(phone)

    def _member(
        self,
        member: str,
        state: str,
        reason: str | None,
        phone: str | None,
        content: str,
        body: str | None = None,
        *,
        run: int | None = None,
    ) -> None:
        seen_by = self._run if run is None else run
        self.members[member] = Member(self._mapping, member, seen_by, state, reason, phone, content, body)

    def _send(self, member: str, action: str, body: str) -> None:
        subject = member_subject(self._mapping, member)
        connection, lane = self._target.connection, self._target.lane
        self.outgoing[member] = Outgoing(self._mapping, subject, connection, action, body, lane, self._now)
