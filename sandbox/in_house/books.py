"""What the in-house CRM keeps: customers, the calls they had, and the segments they belong to. No HTTP in it."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from hub.store.sample.people import sample_people

LONGEST_NOTE = 4000
OUTCOMES = ("sale", "no_sale", "callback", "no_answer")
CALL_FIELDS = ("customer", "direction", "outcome", "seconds", "note", "recording", "at")


class Refused(Exception):
    """What it does not do, with the code of its own that says why."""

    def __init__(self, status: int, code: str, message: str, fields: Mapping[str, str] | None = None) -> None:
        self.status, self.code, self.fields = status, code, dict(fields or {})
        super().__init__(message)


class Books:
    """The state, behind one lock. Ids are `K-1001` for customers and `R-1` for calls."""

    def __init__(self, rows: int = 200, seed: int = 1878) -> None:
        self._lock = threading.RLock()
        self._customers: dict[str, dict[str, Any]] = {}
        self._merged: dict[str, str] = {}
        self._calls: dict[str, dict[str, Any]] = {}
        self._members: dict[str, dict[str, str | None]] = {}
        self._customer_ids, self._call_ids = itertools.count(1001), itertools.count(1)
        self._ticks = itertools.count()
        people = sample_people(seed).contacts[:rows]
        for person in people:
            self.put_customer(
                name=f"{person['first_name']} {person['last_name']}", phone=person.get("phone"),
                mobile=person.get("mobile"), email=person.get("email"), country=person.get("country"),
                ref=person["contact_key"], consent=person.get("consent"),
            )  # fmt: skip
        for id in list(self._customers)[::2]:
            self.join("spring", id)

    # --- customers ----------------------------------------

    def put_customer(self, **fields: Any) -> str:
        """A new customer's id."""
        with self._lock:
            id = f"K-{next(self._customer_ids)}"
            told = {"ref": uuid.uuid4().hex, "country": None, "consent": None, "phone": None, "mobile": None,
                    "email": None, **fields}  # fmt: skip
            self._customers[id] = {"id": id, **told, "changed": self._moment()}
            return id

    def customer(self, id: str) -> dict[str, Any]:
        """A customer; a merged one's id gives the one that is left."""
        with self._lock:
            while id in self._merged:
                id = self._merged[id]
            if id not in self._customers:
                raise Refused(404, "NO_SUCH_CUSTOMER", "there is no such customer")
            return dict(self._customers[id])

    def customers(self, *, phone_ends: str = "", email: str = "", ref: str = "") -> list[dict[str, Any]]:
        """The customers that one of these fits: the digits at the end of a number, an address, a reference."""
        with self._lock:
            return [dict(one) for one in self._customers.values() if _fits(one, phone_ends, email, ref)]

    def merge(self, gone: str, left: str) -> None:
        """Make two customers one."""
        with self._lock:
            del self._customers[gone]
            self._merged[gone] = left

    # --- calls ----------------------------------------

    def put_call(self, ref: str, told: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """The call with this reference, made or changed; whether it is new."""
        wrong = {name: f"there is no field {name}" for name in told if name not in (*CALL_FIELDS, "ref")}
        if told.get("outcome") not in (None, *OUTCOMES):
            wrong["outcome"] = f"one of {', '.join(OUTCOMES)}"
        if not isinstance(told.get("seconds", 0), int):
            wrong["seconds"] = "a whole number"
        if isinstance(told.get("note"), str) and len(told["note"]) > LONGEST_NOTE:
            wrong["note"] = f"at most {LONGEST_NOTE} characters"
        if not ref or len(ref) > 400:
            wrong["ref"] = "1 to 400 characters"
        with self._lock:
            if told.get("customer") is not None and str(told["customer"]) not in {*self._customers, *self._merged}:
                wrong["customer"] = "there is no such customer"
            if wrong:
                raise Refused(422, "INVALID", "the call cannot be kept", wrong)
            known = self._calls.get(ref)
            call = {**(known or {"id": f"R-{next(self._call_ids)}", "ref": ref}), **told, "ref": ref,
                    "changed": self._moment()}  # fmt: skip
            self._calls[ref] = call
            return dict(call), known is None

    def call(self, ref: str) -> dict[str, Any] | None:
        """The call with this reference."""
        with self._lock:
            return dict(self._calls[ref]) if ref in self._calls else None

    def drop_call(self, ref: str) -> bool:
        """Whether there was such a call; it is gone now."""
        with self._lock:
            return self._calls.pop(ref, None) is not None

    # --- segments ----------------------------------------

    def join(self, segment: str, id: str) -> None:
        """Put a customer into a segment."""
        with self._lock:
            self._members.setdefault(segment, {})[id] = None
            self._customers[id]["changed"] = self._moment()

    def leave(self, segment: str, id: str) -> None:
        """Take a customer out of a segment; it is told to whoever asks what changed since."""
        with self._lock:
            self._members[segment][id] = self._moment()

    def members(
        self, segment: str, after: str, size: int, since: str | None
    ) -> tuple[list[dict[str, Any]], list[str], str | None]:
        """A page of a segment: its members, the ids that left, and the id to go on after (None: the last page)."""
        with self._lock:
            told = self._members.get(segment, {})
            there = [id for id, left in told.items() if left is None and id > after and self._changed(id, since)]
            page = there[:size]
            left = [id for id, moment in told.items() if moment is not None and since and moment >= since and not after]
            return [dict(self._customers[id]) for id in page], left, page[-1] if len(there) > size else None

    def _changed(self, id: str, since: str | None) -> bool:
        return since is None or bool(self._customers[id]["changed"] >= since)

    def _moment(self) -> str:
        return dt.datetime.now(dt.UTC).isoformat()


def _fits(one: Mapping[str, Any], phone_ends: str, email: str, ref: str) -> bool:
    numbers = ("".join(c for c in str(one[name] or "") if c.isdecimal()) for name in ("phone", "mobile"))
    return (
        (bool(phone_ends) and any(number.endswith(phone_ends) for number in numbers if number))
        or (bool(email) and str(one["email"] or "").casefold() == email.casefold())
        or (bool(ref) and one["ref"] == ref)
    )


def batches(rows: list[Any], size: int) -> Iterator[list[Any]]:
    """The rows, so many at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
