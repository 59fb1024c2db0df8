"""The softphone at work: its calls, its contact lists, and the plays that become hooks, by one seed.

All in memory, but for the contact lists where a file is given: the hub knows what it put on them, so a platform that is
started anew has to know it too.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.softphone.hooks import HookSender
from sandbox.softphone.scripts import SCRIPTS, Given, Step, campaign, morning, outbound

# A contact's fields: name → largest length. An integer and a moment are checked by their own rule.
CONTACT_FIELDS = {"phone": 32, "name": 120, "first_name": 80, "last_name": 80, "email": 254, "company": 120, "country": 2,
                  "language": 8, "crm_key": 200, "agent": 80, "note": 2000, "callback_at": 40}  # fmt: skip
STATES = {"created": "created", "queued": "queued", "offered": "ringing", "answered": "answered", "held": "held",
          "resumed": "answered", "ended": "ended", "missed": "ended", "wrapped_up": "wrapped_up"}  # fmt: skip


class Refused(Exception):
    """The platform refuses, with an HTTP status."""

    def __init__(self, status: int, problem: str) -> None:
        self.status, self.problem = status, problem
        super().__init__(problem)


class Platform:
    """Calls, lists and plays. `speed` 60 plays an hour in a minute; `run` begins every id, so runs do not collide."""

    def __init__(
        self, hooks: HookSender, *, speed: float = 1.0, seed: int = 1, run: str = "", lists: Path | None = None
    ) -> None:
        self._hooks, self._speed, self._rng = hooks, speed, random.Random(seed)
        self._run = run or f"{int(time.time()):x}"
        self._lock = threading.Lock()
        self._calls: dict[str, dict[str, Any]] = {}
        self._by_key: dict[str, str] = {}
        self._lists: dict[str, dict[str, dict[str, Any]]] = {}
        self._lists_file = lists
        self._count = 0
        if lists is not None and lists.exists():
            for line in lists.read_text().splitlines():
                name, rows = json.loads(line)
                for row in rows:
                    self._put(self._lists.setdefault(name, {}), row)

    # --- calls ----------------------------------------

    def dial(self, key: str, to: str, agent: str, dial: str) -> tuple[dict[str, Any], bool]:
        """The call that this idempotency key made, and whether it is new."""
        with self._lock:
            if key in self._by_key:
                return dict(self._calls[self._by_key[key]]), False
            if not to.startswith("+"):
                raise Refused(422, f"{to} is not a number in E.164")
            told = {"number": to, "agent": agent, "dial": dial, "hold": 0, "recording": True}
            call = self._play(outbound, told)
            call.update(to=to, agent=agent)
            self._by_key[key] = call["id"]
            return dict(call), True

    def call(self, id: str) -> dict[str, Any]:
        """One call as it is now."""
        with self._lock:
            if id not in self._calls:
                raise Refused(404, f"there is no call {id}")
            call = dict(self._calls[id])
            passed = (time.monotonic() - call.pop("_begun")) * self._speed
            reached = [word for at, word in call.pop("_states") if at <= passed]
            return call | {"state": reached[-1] if reached else "created"}

    def play(self, script: str, told: Mapping[str, Any]) -> list[str]:
        """Play a script (`inbound`, `missed` …) or a whole `morning`; gives the interactions' ids."""
        with self._lock:
            if script == "morning":
                plays = morning(self._rng, told.get("people") or (), int(told.get("count", 40)))
                spread = float(told.get("minutes", 180)) * 60
                each = spread / max(1, len(plays))
                return [self._play(SCRIPTS[name], one, n * each, spread)["id"] for n, (name, one) in enumerate(plays)]
            if script not in SCRIPTS:
                raise Refused(422, f"there is no script {script}; known: morning, {', '.join(SCRIPTS)}")
            return [self._play(SCRIPTS[script], told)["id"]]

    def _play(self, script: Any, told: Mapping[str, Any], delay: float = 0.0, spread: float = 0.0) -> dict[str, Any]:
        self._count += 1
        id = str(told.get("id") or f"call-{self._run}-{self._count}")
        if id in self._calls:
            raise Refused(409, f"there is already an interaction {id}")
        steps: list[Step] = sorted(script(Given(dict(told), self._rng, id)), key=lambda step: step[0])
        self._send(id, steps, delay, spread)
        states = [(at, STATES[word]) for at, event in steps if (word := event["type"].partition(".")[2]) in STATES]
        self._calls[id] = {"id": id, "_begun": time.monotonic() + delay / self._speed, "_states": states}
        return self._calls[id]

    def _send(self, id: str, steps: Sequence[Step], delay: float, spread: float) -> None:
        """Give each event its moment: compressed time ends now, so nothing that is told lies in the future."""
        begin, wall = time.monotonic(), datetime.now(UTC)
        last = max(delay + steps[-1][0], spread)
        first = wall - timedelta(seconds=last * (1 - 1 / max(1.0, self._speed)))
        for n, (at, event) in enumerate(steps):
            moment = (first + timedelta(seconds=delay + at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            told = {**event, "id": f"{id}-{n}", "occurred_at": moment}
            told["interaction"] = {"id": id, **event.get("interaction", {})}
            self._hooks.at(begin + (delay + at) / self._speed, told)

    # --- contact lists ----------------------------------------

    def put_contacts(self, name: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Add, update and remove contacts: one result per row, in the rows' order."""
        with self._lock:
            contacts = self._lists.setdefault(name, {})
            if self._lists_file is not None:
                with self._lists_file.open("a") as kept:
                    kept.write(json.dumps([name, list(rows)]) + "\n")
            return [self._put(contacts, row) for row in rows]

    def _put(self, contacts: dict[str, dict[str, Any]], row: Mapping[str, Any]) -> dict[str, Any]:
        id, fields = str(row.get("id") or ""), dict(row.get("fields") or {})
        if row.get("action") == "remove":
            return {"id": id, "outcome": "removed" if contacts.pop(id, None) is not None else "unchanged"}
        wrong = _wrong(fields)
        if not id or wrong:
            return {"id": id, "outcome": "rejected", "problem": "the contact has wrong fields", "fields": wrong}
        before = contacts.get(id)
        contacts[id] = fields
        return {"id": id, "outcome": "created" if before is None else "unchanged" if before == fields else "updated"}

    def contacts(self, name: str) -> list[dict[str, Any]]:
        """The contacts of a list."""
        with self._lock:
            if name not in self._lists:
                raise Refused(404, f"there is no list {name}")
            return [{"id": id, "fields": dict(fields)} for id, fields in self._lists[name].items()]

    def run_list(self, name: str, told: Mapping[str, Any]) -> list[str]:
        """Call the contacts of a list, a few seconds apart; gives the interactions' ids."""
        contacts = self.contacts(name)[: int(told.get("limit", 1000))]
        apart = float(told.get("seconds_apart", 5))
        with self._lock:
            played = []
            for n, contact in enumerate(contacts):
                fields = contact["fields"]
                one = {"number": fields["phone"], "list": name, "contact": contact["id"], "hold": 0}
                one |= {
                    word: told[word] for word in ("campaign", "wrap_up", "talk_seconds", "recording") if word in told
                }
                one |= {word: fields[word] for word in ("agent", "email", "crm_key", "name") if fields.get(word)}
                played.append(self._play(campaign, one, n * apart)["id"])
            return played


def _wrong(fields: Mapping[str, Any]) -> dict[str, str]:
    wrong = {}
    for name, value in fields.items():
        if name == "priority":
            if isinstance(value, bool) or not isinstance(value, int):
                wrong[name] = "a whole number is needed"
        elif name not in CONTACT_FIELDS:
            wrong[name] = f"there is no such field; known: {', '.join(CONTACT_FIELDS)}, priority"
        elif value is not None and not isinstance(value, str):
            wrong[name] = "a text is needed"
        elif value is not None and len(value) > CONTACT_FIELDS[name]:
            wrong[name] = f"longer than {CONTACT_FIELDS[name]} characters"
    phone = fields.get("phone")
    if not isinstance(phone, str) or not phone.startswith("+") or not phone[1:].isdecimal() or len(phone) < 8:
        wrong["phone"] = "a number in E.164 is needed, such as +34612345678"
    return wrong
