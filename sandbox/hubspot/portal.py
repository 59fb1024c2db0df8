"""The account's records: made, changed, merged and archived under one lock; their associations; lists and their members."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import phonenumbers
from msgspec import Struct

from hub.store.sample.people import sample_people
from sandbox.hubspot.errors import Problem, invalid
from sandbox.hubspot.schema import ASSOCIATIONS, LONGEST, REQUIRED, SCHEMA, Property, changed_property
from sandbox.hubspot.search import milliseconds

COUNTRY = "ES"
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_KEPT_FOR_SEARCHES: Mapping[str, str] = {
    "phone": "hs_searchable_calculated_phone_number",
    "mobilephone": "hs_searchable_calculated_mobile_number",
}
Values = Mapping[str, Any]


class Record(Struct, kw_only=True):
    """One record."""

    id: str
    properties: dict[str, str]
    created_at: str
    updated_at: str
    archived: bool = False


class List(Struct, kw_only=True):
    """A list and when each of its members joined."""

    id: str
    name: str
    object: str
    members: dict[str, str]
    processing: str = "MANUAL"
    left_at: str = ""  # when somebody was last taken off


class Portal:
    """Everything that is stored."""

    def __init__(self, rows: int, seed: int) -> None:
        self.lock = threading.RLock()
        self.schema: dict[str, dict[str, Property]] = {name: dict(made) for name, made in SCHEMA.items()}
        self.stored: dict[str, dict[str, Record]] = {name: {} for name in SCHEMA}
        self._unique: dict[tuple[str, str], dict[str, str]] = {}
        self.merged: dict[tuple[str, str], str] = {}
        self.associations: dict[tuple[str, str, str, str], int] = {}
        self.lists: dict[str, List] = {}
        self.owners: dict[str, dict[str, Any]] = {}
        self._next = 501
        self._last = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._seed(rows, seed)

    # --- records ----------------------------------------

    def one(self, object: str, id: str, by: str = "") -> Record | None:
        """The record with this id (a merged one's survivor) or this value of a unique property."""
        with self.lock:
            if by and by != "hs_object_id":
                prop = self.schema[object].get(by)
                if prop is None or not prop.unique:
                    raise Problem(400, f"Property {by} is not a unique identifying property for {object}")
                id = self._unique.get((object, by), {}).get(id.strip().lower(), "")
            while (object, id) in self.merged:
                id = self.merged[object, id]
            found = self.stored[object].get(id)
            return None if found is None or found.archived else found

    def all(self, object: str) -> list[Record]:
        """The records that are not archived, by ascending id."""
        with self.lock:
            found = [one for one in self.stored[object].values() if not one.archived]
            return sorted(found, key=lambda one: int(one.id))

    def create(self, object: str, values: Values) -> Record:
        """A new record. Raises Problem."""
        with self.lock:
            missing = [name for name in REQUIRED.get(object, ()) if values.get(name) in (None, "")]
            if missing:
                raise invalid([(name, "REQUIRED_FIELD", f"{name} is required") for name in missing])
            kept = self._checked(object, values, "")
            self._next += 1
            at = self._now()
            record = Record(id=str(self._next), properties={}, created_at=at, updated_at=at)
            record.properties["hs_object_id"] = record.id
            record.properties["createdate" if object == "contacts" else "hs_createdate"] = at
            self.stored[object][record.id] = record
            self._put(object, record, kept, at)
            return record

    def update(self, object: str, record: Record, values: Values) -> Record:
        """A record with other values. Raises Problem."""
        with self.lock:
            self._put(object, record, self._checked(object, values, record.id), self._now())
            return record

    def archive(self, object: str, record: Record) -> None:
        """Into the recycling bin, off every list."""
        with self.lock:
            record.archived = True
            for name, prop in self.schema[object].items():
                if prop.unique and (value := record.properties.get(name)):
                    self._unique.get((object, name), {}).pop(value.lower(), None)
            for one in self.lists.values():
                if one.object == object:
                    self.leave(one, record.id)

    def merge(self, object: str, primary: Record, other: Record) -> Record:
        """One record of two: a new one with a new id (since 2025); both old ids give it."""
        with self.lock:
            values = {**other.properties, **primary.properties}
            mails = {one.properties["email"] for one in (primary, other) if one.properties.get("email")}
            for one in (primary, other):
                self.archive(object, one)
            writable = {name: value for name, value in values.items()
                        if not (self.schema[object][name].read_only or self.schema[object][name].calculated)}  # fmt: skip
            kept = self.create(object, writable)
            kept.properties["hs_merged_object_ids"] = f"{primary.id};{other.id}"
            if object == "contacts":
                kept.properties["hs_additional_emails"] = ";".join(sorted(mails - {kept.properties.get("email", "")}))
            for one in (primary, other):
                self.merged[object, one.id] = kept.id
            return kept

    def _put(self, object: str, record: Record, values: Mapping[str, str], at: str) -> None:
        for name, value in values.items():
            if self.schema[object][name].unique:
                index = self._unique.setdefault((object, name), {})
                index.pop(record.properties.get(name, "").lower(), None)
                if value:
                    index[value.strip().lower()] = record.id
            if value:
                record.properties[name] = value
            else:
                record.properties.pop(name, None)
            if searched := _KEPT_FOR_SEARCHES.get(name):
                record.properties[searched] = _searchable(value)
        record.updated_at = record.properties[changed_property(object)] = at

    def _checked(self, object: str, values: Values, id: str) -> dict[str, str]:
        problems: list[tuple[str, str, str]] = []
        kept: dict[str, str] = {}
        for name, told in values.items():
            prop = self.schema[object].get(name)
            value = "" if told is None else str(told)
            if prop is None:
                problems.append((name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
            elif prop.read_only or prop.calculated:
                if value != self._kept(object, id, name):
                    problems.append(
                        (name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set')
                    )
            elif problem := _problem(prop, value):
                problems.append((name, *problem))
            else:
                kept[name] = value.strip().lower() if name == "email" else value
        if problems:
            raise invalid(problems)
        for name, value in kept.items():
            other = self._unique.get((object, name), {}).get(value.strip().lower()) if value else None
            if self.schema[object][name].unique and other and other != id:
                what = "Contact" if object == "contacts" else "Object"
                raise Problem(409, f"{what} already exists. Existing ID: {other}", "CONFLICT")
        return kept

    def _kept(self, object: str, id: str, name: str) -> str:
        record = self.stored[object].get(id)
        return record.properties.get(name, "") if record else ""

    # --- associations ----------------------------------------

    def associate(self, object: str, id: str, other: str, other_id: str) -> tuple[str, str, int]:
        """In the default way; both ids and the type. Raises Problem."""
        with self.lock:
            ours, theirs = self.one(object, id), self.one(other, other_id)
            number = ASSOCIATIONS.get((object, other))
            if number is None:
                raise Problem(400, f"No default association from {object} to {other}")
            for record, what, wrong in ((ours, object, id), (theirs, other, other_id)):
                if record is None:
                    key = "fromObjectId" if what == object else "toObjectId"
                    raise Problem(404, f"No {what} with ID {wrong} exists", "OBJECT_NOT_FOUND", context={key: [wrong]})
            assert ours and theirs
            self.associations[object, ours.id, other, theirs.id] = number
            return ours.id, theirs.id, number

    def associated(self, object: str, id: str, other: str) -> list[str]:
        """The ids of the records of `other` that this one stands at."""
        with self.lock:
            return [there for kind, ours, what, there in self.associations if (kind, ours, what) == (object, id, other)]

    # --- lists ----------------------------------------

    def new_list(self, name: str, object: str, ids: Iterable[str] = ()) -> List:
        """A list of this name."""
        with self.lock:
            made = List(id=str(len(self.lists) + 1), name=name, object=object, members={})
            self.lists[made.id] = made
            for id in ids:
                self.join(made, id)
            return made

    def join(self, list: List, id: str) -> None:
        """A record joins; its own change date stays, as HubSpot's does for a manual list."""
        with self.lock:
            list.members.setdefault(id, self._now())

    def leave(self, list: List, id: str) -> bool:
        """A record is taken off; its own change date stays. Whether it was on it."""
        with self.lock:
            if list.members.pop(id, None) is None:
                return False
            list.left_at = self._now()
            return True

    def _now(self) -> str:
        """The moment, never the same twice."""
        self._last = max(dt.datetime.now(dt.UTC), self._last + dt.timedelta(milliseconds=1))
        return self._last.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # --- the sample ----------------------------------------

    def _seed(self, rows: int, seed: int) -> None:
        made = sample_people(seed) if seed != 1 else sample_people()
        companies: dict[str, str] = {}

        def owner(mail: str | None) -> str | None:
            if not mail:
                return None
            known = next((id for id, one in self.owners.items() if one["email"] == mail), None)
            if known is None:
                known = str(70_000 + len(self.owners))
                self.owners[known] = {"id": known, "email": mail, "firstName": mail.partition("@")[0].title(),
                                      "lastName": "", "userId": int(known), "type": "PERSON", "archived": False, "teams": [],
                                      "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}  # fmt: skip
            return known

        for row in made.accounts[: max(1, rows // 5)]:
            values = {"name": row["name"], "phone": row.get("phone"), "country": row["country"],
                      "website": row.get("website"), "hubspot_owner_id": owner(row.get("owner"))}  # fmt: skip
            companies[row["account_key"]] = self.create("companies", values).id
        callable_ids = []
        for row in made.contacts[:rows]:
            values = {
                "firstname": row["first_name"], "lastname": row["last_name"], "email": row.get("email"),
                "phone": row.get("phone"), "mobilephone": row.get("mobile"), "country": row["country"],
                "associatedcompanyid": companies.get(row.get("account") or ""), "lifecyclestage": "customer",
                "hubspot_owner_id": owner(row.get("owner")), "consent_to_call": _text(row.get("consent")),
                "do_not_call": _text(row.get("do_not_call")),
            }  # fmt: skip
            try:
                id = self.create("contacts", values).id
            except Problem:  # two of the sample share an address: HubSpot keeps one person for it
                id = self.create("contacts", {**values, "email": None}).id
            if row.get("consent"):
                callable_ids.append(id)
        self.new_list("May be called", "contacts", callable_ids)


def _text(value: Any) -> str | None:
    return None if value is None else "true" if value else "false"


def _problem(prop: Property, value: str) -> tuple[str, str] | None:
    """Why a value is not the property's, as code and words."""
    if not value:
        return None
    if "\0" in value:
        return "INVALID_VALUE", f"{prop.name} holds a character that is not allowed"
    if prop.type == "enumeration" and not prop.external and value not in (*prop.options, *prop.hidden_options):
        return (
            "INVALID_OPTION",
            f'Property option is not valid for {prop.name}: "{value[:40]}" was not one of the allowed options',
        )
    if prop.type == "bool" and value not in ("true", "false"):
        return "INVALID_OPTION", f"{prop.name} is true or false"
    if prop.type == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return "INVALID_INTEGER", f"{prop.name} is a number"
    if prop.type in ("datetime", "date") and milliseconds(value) is None:
        return "INVALID_DATE", f"{prop.name} is a moment"
    if prop.name == "email" and not _MAIL.fullmatch(value.strip()):
        return "INVALID_EMAIL", f"Email address {value[:60]} is invalid"
    if prop.type == "string" and len(value) > LONGEST:
        return "PROPERTY_VALUE_TOO_LONG", f"{prop.name} is longer than {LONGEST} characters"
    return None


def _searchable(typed: str) -> str:
    """Digits without the country's code, as HubSpot keeps a number for its searches."""
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse(typed, COUNTRY))
    except phonenumbers.NumberParseException:
        return re.sub(r"\D", "", typed)
