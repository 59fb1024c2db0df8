"""The records of the stand-in, and what it does with an interaction."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from hub import phone
from hub.store.sample.people import sample_people
from sandbox.ondemand.schema import CHANNELS, PRIORITIES, SCHEMA, RecordType

Record = dict[str, Any]
OK, EXISTS, WRAPPED = "OK", "Activity already exists", "Activity has already been wrapped up"
NONE, MANY = "Activity not found", "Multiple activites found"  # as Oracle spells it
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Problem(Exception):
    """What the service refuses: its code and its words."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


class Records:
    """Everything that is stored, by record type and id, under one lock."""

    def __init__(self, rows: int, seed: int) -> None:
        self.lock = threading.RLock()
        self._stored: dict[str, dict[str, Record]] = {name: {} for name in SCHEMA}
        self._wrapped: set[str] = set()
        self._next = 46656 * 40
        self._seed(rows, seed)

    def all(self, name: str) -> list[Record]:
        """The records of a type by ascending Id."""
        with self.lock:
            return [self._stored[name][id] for id in sorted(self._stored[name])]

    def insert(self, kind: RecordType, given: Mapping[str, Any], *, inside: bool = False) -> Record:
        """A new record. Raises Problem."""
        with self.lock:
            self._check(kind, given, inside)
            for one in kind.fields:
                if one.required and not given.get(one.name):
                    raise Problem(
                        "SBL-DAT-00498", f"'{one.name}' is a required field. Please enter a value for the field."
                    )
            self._next += 1
            now = _now()
            record = {**given, "Id": f"1QA2-{_base36(self._next)}", "CreatedDate": now, "ModifiedDate": now}
            self._stored[kind.name][record["Id"]] = self._derived(kind, record)
            return record

    def update(self, kind: RecordType, given: Mapping[str, Any]) -> Record:
        """A record with other values, named by Id or a user key. Raises Problem."""
        with self.lock:
            record = self._named(kind, given)
            if record is None:
                raise Problem(
                    "SBL-EAI-04378", f"No rows retrieved corresponding to the business component '{kind.name}'"
                )
            self._check(kind, {name: value for name, value in given.items() if name != "Id"}, inside=False)
            after = {**record, **given, "Id": record["Id"], "ModifiedDate": _now()}
            self._stored[kind.name][record["Id"]] = self._derived(kind, after)
            return after

    def insert_or_update(self, kind: RecordType, given: Mapping[str, Any]) -> Record:
        """By user key. Raises Problem."""
        with self.lock:
            return self.update(kind, given) if self._named(kind, given) else self.insert(kind, given)

    def delete(self, kind: RecordType, given: Mapping[str, Any]) -> Record:
        """Takes a record away. Raises Problem."""
        with self.lock:
            record = self._named(kind, given)
            if record is None:
                raise Problem(
                    "SBL-EAI-04378", f"No rows retrieved corresponding to the business component '{kind.name}'"
                )
            return self._stored[kind.name].pop(record["Id"])

    def batch(self, kind: RecordType, rows: Sequence[Mapping[str, Any]], what: Any) -> list[Record]:
        """All or none: where one fails, what was done before it is taken back."""
        with self.lock:
            before = dict(self._stored[kind.name])
            try:
                return [what(kind, row) for row in rows]
            except Problem:
                self._stored[kind.name] = before
                raise

    # --- interactions ----------------------------------------

    def interaction(self, told: Mapping[str, str]) -> dict[str, str]:
        """What CTIActivityInsert answers for one interaction."""
        with self.lock:
            key = {"InteractionId": told.get("InteractionId", ""), "AgentOfferTime": told.get("AgentOfferTime", "")}
            problem = _wrong_interaction(told)
            if problem:
                return {"Status": problem, **key}
            there = self._activities(key)
            if there:
                return {"Status": EXISTS, **key, "ActivityId": there[0]["Id"]}
            contact = self._associated(told)
            channel = told["ChannelType"]
            values = {
                **key, "Activity": "Task", "SubType": channel, "Type": _type_of(channel), "Status": "In Progress",
                "Subject": channel, "Origin": told.get("Origin"), "Destination": told.get("Destination"),
                "Queue": told.get("Queue"), "Priority": told.get("Priority") or "3-Low",
                "PrimaryContactId": contact["Id"] if contact else None,
            }  # fmt: skip
            record = self.insert(SCHEMA["Activity"], values, inside=True)
            answer = {"Status": OK, **key, "ActivityId": record["Id"]}
            if contact is not None:
                return {**answer, "ContactId": contact["Id"], "ContactFullName": contact["ContactFullName"],
                        "ScreenPopRecordId": contact["Id"], "ScreenPopRecordType": "Contact"}  # fmt: skip
            return {**answer, "ScreenPopRecordId": record["Id"], "ScreenPopRecordType": "Activity"}

    def wrap_up(self, told: Mapping[str, str]) -> dict[str, str]:
        """What CTIActivityWrapUp answers for one interaction."""
        with self.lock:
            key = {"InteractionId": told.get("InteractionId", ""), "AgentOfferTime": told.get("AgentOfferTime", "")}
            there = self._activities(key)
            if len(there) != 1:
                return {"Status": MANY if there else NONE, **key}
            if there[0]["Id"] in self._wrapped:
                return {"Status": WRAPPED, **key}
            self._wrapped.add(there[0]["Id"])
            there[0]["Status"] = "Completed"
            return {"Status": OK, **key}

    def is_wrapped_up(self, id: str) -> bool:
        """Whether an activity was wrapped up."""
        return id in self._wrapped

    def _activities(self, key: Mapping[str, str]) -> list[Record]:
        return [one for one in self._stored["Activity"].values() if all(one.get(name) == key[name] for name in key)]

    def _associated(self, told: Mapping[str, str]) -> Record | None:
        """The named record, else the only contact with the caller's number."""
        if told.get("AssociatedRecordType") == "Contact":
            return self._stored["Contact"].get(told.get("AssociatedRecordId", ""))
        number = told.get("Destination" if "Outbound" in told["ChannelType"] else "Origin") or ""
        tail = phone.digits(number)[-9:]
        names = ("CellularPhone", "WorkPhone", "HomePhone")
        found = [one for one in self._stored["Contact"].values()
                 if len(tail) >= 7 and any(phone.digits(one.get(name) or "").endswith(tail) for name in names)]  # fmt: skip
        return found[0] if len(found) == 1 else None

    # --- checks ----------------------------------------

    def _named(self, kind: RecordType, given: Mapping[str, Any]) -> Record | None:
        if given.get("Id"):
            return self._stored[kind.name].get(given["Id"])
        keys = [name for name in kind.keys if given.get(name)]
        if not keys:
            raise Problem(
                "SBL-EAI-04397", f"No user key can be used for the Integration Component instance '{kind.name}'."
            )
        found = [one for one in self._stored[kind.name].values() if one.get(keys[0]) == given[keys[0]]]
        if len(found) > 1:
            raise Problem(
                "SBL-EAI-04390", f"Multiple matches found for instance of integration component '{kind.name}'"
            )
        return found[0] if found else None

    @staticmethod
    def _check(kind: RecordType, given: Mapping[str, Any], inside: bool) -> None:
        for name, value in given.items():
            one = kind.field(name)
            if one is None:
                raise Problem("SBL-EAI-04127", f"Element with XML tag '{name}' is not found in '{kind.name}'")
            if one.readonly and not inside:
                raise Problem("SBL-DAT-00279", f"The field '{name}' is read-only.")
            if value in (None, ""):
                continue
            if one.length and len(str(value)) > one.length:
                raise Problem("SBL-DAT-00235", f"The value entered for the field '{name}' is too long.")
            if one.values and value not in one.values and not (inside and name in ("Status", "Priority")):
                words = f"The value entered in field {name} of buscomp {kind.name} matches no value in the bounded pick list"
                raise Problem("SBL-DAT-00225", words)

    def _derived(self, kind: RecordType, record: Record) -> Record:
        if kind.name in ("Contact", "Lead"):
            record[f"{kind.name}FullName"] = " ".join(
                part for part in (record.get(f"{kind.name}FirstName"), record.get(f"{kind.name}LastName")) if part
            )
        if kind.name == "Contact":
            account = self._stored["Account"].get(record.get("AccountId") or "")
            record["AccountName"] = account["AccountName"] if account else None
        return record

    def _seed(self, rows: int, seed: int) -> None:
        made = sample_people(seed) if seed != 1 else sample_people()
        accounts: dict[str, str] = {}
        for row in made.accounts[: max(1, rows // 5)]:
            values = {"AccountName": row["name"], "MainPhone": row.get("phone"), "ExternalSystemId": row["account_key"],
                      "PrimaryBillToCountry": row["country"], "Owner": row.get("owner")}  # fmt: skip
            accounts[row["account_key"]] = self.insert(SCHEMA["Account"], values)["Id"]
        for row in made.contacts[:rows]:
            values = {
                "ContactFirstName": row["first_name"], "ContactLastName": row["last_name"], "ContactEmail": row.get("email"),
                "WorkPhone": row.get("phone"), "CellularPhone": row.get("mobile"), "ExternalSystemId": row["contact_key"],
                "AccountId": accounts.get(row.get("account") or ""), "PrimaryCountry": row["country"],
                "NeverCall": "true" if row.get("do_not_call") else "false",
                "bPhone_Consent": None if row.get("consent") is None else str(row["consent"]).lower(),
                "Owner": row.get("owner"),
                "ContactType": "Customer" if row.get("account") else "Prospect",
            }  # fmt: skip
            self.insert(SCHEMA["Contact"], values)
        for row in made.leads[: max(1, rows // 5)]:
            values = {"LeadFirstName": row["first_name"], "LeadLastName": row["last_name"], "LeadEmail": row.get("email"),
                      "PrimaryPhone": row.get("phone"), "CellularPhone": row.get("mobile"), "Company": row.get("company"),
                      "Country": row["country"], "ExternalSystemId": row["lead_key"], "Status": "New"}  # fmt: skip
            self.insert(SCHEMA["Lead"], values)


def _wrong_interaction(told: Mapping[str, str]) -> str:
    """What is wrong with an interaction, as its Status says it; inference: the guide lists messages, not their words."""
    for name in ("InteractionId", "AgentOfferTime", "ChannelType"):
        if not told.get(name):
            return f"Missing value for required parameter {name}"
    if len(told["InteractionId"]) > 30:
        return "The value for parameter InteractionId is too long"
    if not told["AgentOfferTime"].isdecimal():
        return "Invalid value for parameter AgentOfferTime"
    if told["ChannelType"] not in CHANNELS:
        return "Invalid value for parameter ChannelType"
    if told.get("Priority") and told["Priority"] not in PRIORITIES:
        return "Invalid value for parameter Priority"
    return ""


def _type_of(channel: str) -> str:
    for word in ("Chat", "Email", "Voicemail", "Callback"):
        if word in channel:
            return word
    return "Call"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits.rjust(6, "0")


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
