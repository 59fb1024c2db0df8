"""The record on which a number was clicked: its country, whether the number is its own, whether it may be called.

A page can send the wrong record along with a number: the account's that is on screen for its contact's number. So the
number is looked for on the record before the call is tied to it:

- the record has the number, or is not a person (an account, a case): the call is tied to it;
- another single record has it: the call is tied to that one, and the answer says so;
- several others have it: the call is tied to none of them, and the answer says so;
- nobody has it, or the CRM does not answer in time: the click counts, and the answer says so.

A number that was clicked on no record is looked up in every CRM, for one reason: whoever has it may not want to be called.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from hub.config import Config
from hub.connections import Connection, Connections
from hub.desk.by_policy import ByPolicy
from hub.desk.caller import read_number
from hub.desk.dial_plan import DialPlan, DialRefused
from hub.errors import nearest
from hub.flow.merged import Merged
from hub.model import PERSON, Clicked, Lookup, Record
from hub.phone import e164

CRM_SECONDS = 1.5


@dataclass(frozen=True)
class Link:
    """The number in E.164 and what the call is tied to; `note` is what the agent should know of it."""

    to: str
    record: Clicked | None
    note: str = ""


class Links:
    """Ties numbers to records."""

    def __init__(
        self, connections: Connections, asking: ByPolicy, config: Config, plan: DialPlan, merged: Merged
    ) -> None:
        self._connections, self._asking, self._config, self._plan = connections, asking, config, plan
        self._merged = merged

    def link(self, to: str, clicked: Clicked | None, platform: Connection) -> Link:
        """Read `to` by the record's country and tie it. Raises DialRefused."""
        site = str(platform.config.settings.get("country") or self._config.country)
        if clicked is None:
            return self._unclicked(_e164(to, site))
        crm = self._crm(clicked)
        clicked = self._merged.clicked(clicked)
        found = self._find(crm, Lookup(clicked.object, "id", clicked.id))
        if found is None:
            return Link(_e164(to, site), clicked, f"{crm.name} did not answer: the record was not checked")
        record = next(iter(found), None)
        if record is None:
            raise DialRefused("no-record", f"There is no {clicked.object} {clicked.id} in {crm.name}.")
        note = ""
        if record.id.casefold() != clicked.id.casefold():
            note = f"{clicked.object} {clicked.id} is merged into {record.object} {record.id}: tied to that"
            clicked = Clicked(connection=crm.name, object=record.object, id=record.id)
        country = self._country(crm, record) or site
        number = _e164(to, country)
        self._refuse_opted_out(record)
        if _holds(record, number, country) or not _is_person(crm, record):
            return Link(number, clicked, note)
        return self._rematched(crm, clicked, number)

    def _unclicked(self, number: str) -> Link:
        """A number without a record: refused where anybody who has it must not be called."""
        lookups = {crm.name: [Lookup(PERSON, "phone", number)] for crm in self._connections.that("find")}
        answers, silent = self._asking.begin(lookups).answers(time.monotonic() + CRM_SECONDS)
        for (holders,) in answers.values():
            for record in holders:
                self._refuse_opted_out(record)
        names = ", ".join(one.connection for one in silent)
        return Link(
            number, None, f"{names} did not answer: whether it may be called was not checked there" if names else ""
        )

    def _rematched(self, crm: Connection, clicked: Clicked, number: str) -> Link:
        holders = self._find(crm, Lookup(PERSON, "phone", number))
        if holders is None:
            return Link(number, clicked, f"{crm.name} did not answer: whose number it is was not checked")
        theirs = {(record.object, record.id): record for record in holders}
        shown = f"{clicked.object} {clicked.id}"
        if (clicked.object, clicked.id) in theirs:
            return Link(number, clicked)
        if not theirs:
            return Link(number, clicked, f"{shown} does not hold this number, and nobody else does")
        if len(theirs) > 1:
            return Link(number, None, f"{shown} does not hold this number and {len(theirs)} others do: tied to none")
        (other,) = theirs.values()
        self._refuse_opted_out(other)
        theirs_is = Clicked(connection=crm.name, object=other.object, id=other.id)
        return Link(number, theirs_is, f"{shown} does not hold this number; {other.object} {other.id} does: tied to it")

    def _crm(self, clicked: Clicked) -> Connection:
        if clicked.connection not in self._connections:
            hint = nearest(clicked.connection, self._connections)
            raise DialRefused("no-record", f'There is no connection "{clicked.connection}"{hint or "."}')
        crm = self._connections[clicked.connection]
        if not crm.can("find"):
            raise DialRefused("no-record", f'The connection "{crm.name}" keeps no records.')
        return crm

    def _find(self, crm: Connection, lookup: Lookup) -> tuple[Record, ...] | None:
        """The records; None where the CRM is silent. Raises DialRefused where it says that it has no such thing."""
        asked = self._asking.begin({crm.name: [lookup]})
        answers, _ = asked.answers(time.monotonic() + CRM_SECONDS)
        if crm.name in asked.refused:
            raise DialRefused("no-record", f"{crm.name} does not know that record: {asked.refused[crm.name]}")
        if crm.name not in answers:
            return None
        self._merged.learn(crm.name, [lookup], answers[crm.name])
        return tuple(answers[crm.name][0])

    def _country(self, crm: Connection, record: Record) -> str:
        """The record's own country, or else its account's."""
        own = self._country_in(record)
        if own or record.account is None:
            return own
        accounts = self._find(crm, Lookup(record.account.object, "id", record.account.id))
        return self._country_in(accounts[0]) if accounts else ""

    def _country_in(self, record: Record) -> str:
        for name in self._plan.country_fields:
            written = record.fields.get(name)
            if isinstance(written, str) and len(written.strip()) == 2 and written.strip().isalpha():
                return written.strip().upper()
        return ""

    def _refuse_opted_out(self, record: Record) -> None:
        for name in self._plan.do_not_call_fields:
            if _is_yes(record.fields.get(name)):
                raise DialRefused("do-not-call", f"{record.object} {record.id} must not be called ({name}).")


def _e164(to: str, country: str) -> str:
    number = read_number(to, country)
    if number is None:
        raise DialRefused(
            "no-number", f"This cannot be read as a phone number of {country}; write it like +34612345678."
        )
    return number


def _holds(record: Record, number: str, country: str) -> bool:
    return any(isinstance(value, str) and e164(value, country) == number for value in record.fields.values())


def _is_person(crm: Connection, record: Record) -> bool:
    return record.object in crm.manifest.people and record.object != crm.manifest.company


def _is_yes(value: Any) -> bool:
    return value is True or str(value).strip().lower() in ("true", "yes", "1")
