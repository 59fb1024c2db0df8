"""The records of the stand-in: made, changed and deleted under one lock, several at once as one transaction."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from hub.store.sample.people import sample_people
from sandbox.oracle.query import Wrong, predicate
from sandbox.oracle.schema import FUNCTIONS, SCHEMA, TYPES, Attribute, Resource

USER = "patchbay.integration"
Record = dict[str, Any]


class Problem(Exception):
    """What the service refuses, as it says so: status, the framework's number, words, and the attribute meant."""

    def __init__(self, status: int, detail: str, code: str = "", path: str = "") -> None:
        self.status, self.detail, self.code, self.path = status, detail, code, path
        super().__init__(detail)


class Records:
    """Everything that is stored, by resource and id."""

    def __init__(self, rows: int, seed: int) -> None:
        self.lock = threading.RLock()
        self._stored: dict[str, dict[int | str, Record]] = {name: {} for name in SCHEMA}
        self._next = {name: resource.first_id for name, resource in SCHEMA.items()}
        self._undo: list[tuple[str, int | str, Record | None]] | None = None
        for name, codes in (("activityFunctionLookups", FUNCTIONS), ("activityTypeLookupsLOV", TYPES)):
            for code in codes:
                self._stored[name][code] = {
                    "LookupCode": code,
                    "LookupType": name,
                    "Meaning": code.title(),
                    "EnabledFlag": "Y",
                }
        self._stored["activityTypeLookupsLOV"]["FAX"] = {
            "LookupCode": "FAX", "LookupType": "activityTypeLookupsLOV", "Meaning": "Fax", "EnabledFlag": "N",
        }  # fmt: skip
        self._seed(rows, seed)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or none."""
        with self.lock:
            self._undo = []
            try:
                yield
            except Problem:
                for name, id, before in reversed(self._undo):
                    if before is None:
                        del self._stored[name][id]
                    else:
                        self._stored[name][id] = before
                raise
            finally:
                self._undo = None

    def all(self, name: str) -> list[Record]:
        """The records of a resource by ascending id."""
        with self.lock:
            stored = self._stored[name]
            return [stored[id] for id in sorted(stored, key=lambda id: (isinstance(id, str), id))]

    def query(self, resource: Resource, q: str) -> list[Record]:
        """Those that `q` fits. Raises Problem."""
        try:
            fits = predicate(q, resource) if q else None
        except Wrong as wrong:
            raise Problem(400, f"The query parameter q is not valid: {wrong}", "27522") from None
        return [record for record in self.all(resource.name) if fits is None or fits(record)]

    def one(self, resource: Resource, number: str) -> Record:
        """The record with this number. Raises Problem."""
        with self.lock:
            for record in self._stored[resource.name].values():
                if str(record.get(resource.number)) == number:
                    return record
        raise Problem(404, f"Not Found: {resource.title}")

    def create(self, resource: Resource, payload: Mapping[str, Any]) -> Record:
        """A new record."""
        with self.lock:
            self._check(resource, payload, new=True)
            for one in resource.attributes:
                if one.mandatory and payload.get(one.name) in (None, ""):
                    raise Problem(400, f"Attribute {one.name} in {resource.title} is required.", "27014", one.name)
            self._next[resource.name] += 1
            id = self._next[resource.name]
            now = _now()
            record: Record = {one.name: None for one in resource.attributes}
            record |= payload
            record |= {
                resource.id: id,
                "CreationDate": now,
                "CreatedBy": USER,
                "LastUpdateDate": now,
                "LastUpdatedBy": USER,
            }
            if not record.get(resource.number):
                record[resource.number] = f"{resource.prefix}{id - resource.first_id}"
            self._check_unique(resource, record)
            self._put(resource, id, self._derived(resource, record))
            return record

    def update(self, resource: Resource, record: Record, payload: Mapping[str, Any]) -> Record:
        """A record with other values."""
        with self.lock:
            changed = {name: value for name, value in payload.items() if record.get(name) != value}
            self._check(resource, changed, new=False)
            after = {**record, **changed, "LastUpdateDate": _now(), "LastUpdatedBy": USER}
            self._check_unique(resource, after)
            self._put(resource, record[resource.id], self._derived(resource, after))
            return after

    def upsert(self, resource: Resource, payload: Mapping[str, Any]) -> tuple[Record, bool]:
        """Updates the record whose number or unique attribute the payload has; whether it is new."""
        with self.lock:
            names = [one.name for one in resource.attributes if one.unique and payload.get(one.name)]
            for record in self.all(resource.name):
                if any(record.get(name) == payload[name] for name in names):
                    return self.update(resource, record, payload), False
            return self.create(resource, payload), True

    def delete(self, resource: Resource, record: Record) -> None:
        """Takes a record away."""
        with self.lock:
            before = self._stored[resource.name].pop(record[resource.id])
            if self._undo is not None:
                self._undo.append((resource.name, record[resource.id], before))

    def _put(self, resource: Resource, id: int | str, record: Record) -> None:
        if self._undo is not None:
            self._undo.append((resource.name, id, self._stored[resource.name].get(id)))
        self._stored[resource.name][id] = record

    def _check(self, resource: Resource, payload: Mapping[str, Any], *, new: bool) -> None:
        for name, value in payload.items():
            one = resource.attribute(name)
            if one is None:
                raise Problem(400, f"Attribute {name} is not defined for {resource.title}.", "27503", name)
            if one.changes == "never" or (one.changes == "whileNew" and not new):
                raise Problem(400, f"Attribute {name} in {resource.title} is not updatable.", "27008", name)
            if value is not None:
                _check_value(resource, one, value)

    def _check_unique(self, resource: Resource, record: Record) -> None:
        for one in resource.attributes:
            if one.unique and record.get(one.name) not in (None, ""):
                for other in self._stored[resource.name].values():
                    if other[resource.id] != record[resource.id] and other.get(one.name) == record[one.name]:
                        raise Problem(400, f"Too many objects match the primary key: {one.name}", "25013", one.name)

    def _derived(self, resource: Resource, record: Record) -> Record:
        if resource.name == "contacts":
            record["ContactName"] = " ".join(part for part in (record.get("FirstName"), record.get("LastName")) if part)
            account = self._stored["accounts"].get(record.get("AccountPartyId") or 0)
            record["AccountName"] = account["OrganizationName"] if account else None
        return record

    # --- the sample ----------------------------------------

    def _seed(self, rows: int, seed: int) -> None:
        made = sample_people(seed) if seed != 1 else sample_people()
        accounts: dict[str, int] = {}
        for row in made.accounts[: max(1, rows // 5)]:
            payload = {"OrganizationName": row["name"], "RawPhoneNumber": row.get("phone"), "Country": row["country"],
                       "URL": row.get("website"), "OwnerEmailAddress": row.get("owner")}  # fmt: skip
            accounts[row["account_key"]] = self.create(SCHEMA["accounts"], payload)["PartyId"]
        for row in made.contacts[:rows]:
            payload = {
                "FirstName": row["first_name"], "LastName": row["last_name"], "EmailAddress": row.get("email"),
                "RawWorkPhoneNumber": row.get("phone"), "RawMobileNumber": row.get("mobile"), "Country": row["country"],
                "AccountPartyId": accounts.get(row.get("account") or ""), "PhoneConsent_c": row.get("consent"),
                "DoNotCallFlag": bool(row.get("do_not_call")),
                "PreferredContactMethod": "PHONE" if row.get("mobile") or row.get("phone") else "EMAIL",
                "OwnerEmailAddress": row.get("owner"),
            }  # fmt: skip
            self.create(SCHEMA["contacts"], payload)
        for row in made.leads[: max(1, rows // 5)]:
            name = f"{row['first_name']} {row['last_name']}"
            payload = {"Name": row.get("company") or name, "ContactName": name, "StatusCode": "UNQUALIFIED",
                       "PrimaryContactPhoneNumber": row.get("mobile") or row.get("phone"),
                       "PrimaryContactEmailAddress": row.get("email")}  # fmt: skip
            self.create(SCHEMA["leads"], payload)


def _check_value(resource: Resource, one: Attribute, value: Any) -> None:
    if one.type == "string":
        if not isinstance(value, str):
            raise Problem(400, f"Attribute {one.name} is of type String; the value is not.", "25009", one.name)
        if "\0" in value:
            raise Problem(
                400, f"Attribute {one.name} holds a character that the database does not take.", "27018", one.name
            )
        if one.length and len(value) > one.length:
            raise Problem(400, f"Attribute {one.name} is longer than {one.length}.", "27011", one.name)
        if one.values and value not in one.values:
            words = f"The value of the attribute {one.name} isn't valid for {resource.title}."
            raise Problem(400, words, "27024", one.name)
    elif one.type in ("integer", "number"):
        if isinstance(value, bool) or (not isinstance(value, int | float) and not str(value).isdecimal()):
            raise Problem(400, f"Attribute {one.name} is a number; the value is not.", "25009", one.name)
    elif one.type in ("date", "datetime"):
        try:
            dt.datetime.fromisoformat(str(value))
        except ValueError:
            raise Problem(400, f"Attribute {one.name} is a date; the value is not.", "25009", one.name) from None


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
