"""The organisation's records: insert, update, upsert, delete, merge, with what Salesforce checks on the way.

Every promise raises `Refused` in Salesforce's own words. Moments have a resolution of a second, as Salesforce's have.
"""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sandbox.salesforce.errors import Refused, no_such_column, not_found
from sandbox.salesforce.schema import PEOPLE, TABLES, Column, Table

Found = dict[str, Any]
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")
OF_MEMBER = ("FirstName", "LastName", "Phone", "MobilePhone", "Email", "DoNotCall", "Phone_Consent__c")


def id_18(id_15: str) -> str:
    """The case-safe form of an id: three letters say which of its letters are capitals."""
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << n for n, letter in enumerate(id_15[start : start + 5]) if letter.isupper())
        suffix += _ALPHABET[bits]
    return id_15 + suffix


class Org:
    """All records, behind one lock."""

    def __init__(self, now: Callable[[], dt.datetime]) -> None:
        self.lock = threading.RLock()
        self._now = now
        self._count = itertools.count(1)
        self.records: dict[str, dict[str, Found]] = {name: {} for name in TABLES}
        self._unique: dict[tuple[str, str], dict[Any, list[str]]] = defaultdict(dict)
        self.last_activity: dict[str, dt.date | None] = {}  # by record; a deleted task still counts, unlike there
        self.me = ""

    def moment(self) -> dt.datetime:
        """Now, to the second."""
        return self._now().replace(microsecond=0)

    def kept(self) -> Any:
        """All there is, for `restore`: what a transaction that fails goes back to."""
        return copy.deepcopy((self.records, dict(self._unique)))

    def restore(self, kept: Any) -> None:
        """Go back."""
        self.records, unique = kept
        self._unique = defaultdict(dict, unique)

    # --- reading ----------------------------------------

    def table(self, object: str) -> Table:
        """The object by its name, in any case."""
        table = TABLES.get(object.lower())
        if table is None:
            raise not_found()
        return table

    def all(self, object: str, deleted: bool = False) -> Iterator[Found]:
        """The object's records."""
        return (found for found in self.records[object.lower()].values() if deleted or not found["IsDeleted"])

    def get(self, object: str, id: str) -> Found:
        """One record. Raises 404 where there is none."""
        found = self.records[self.table(object).name.lower()].get(_long(id))
        if found is None:
            raise not_found("Provided external ID field does not exist or is not accessible: " + id[:18])
        if found["IsDeleted"]:
            raise Refused("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return found

    def anywhere(self, id: str) -> Found | None:
        """The record with this id, whatever it is; None where there is none or it is deleted."""
        table = next((table for table in TABLES.values() if id.startswith(table.prefix)), None)
        found = self.records[table.name.lower()].get(_long(id)) if table else None
        return None if found is None or found["IsDeleted"] else found

    def by_key(self, object: str, field: str, value: Any) -> list[str]:
        """The ids of the records whose external id `field` is `value`. Raises 404 where it is no such field."""
        table = self.table(object)
        column = table.column(field)
        if column is None or not (column.external_id or column.type == "id"):
            raise not_found(f"Provided external ID field does not exist or is not accessible: {field}")
        if column.type == "id":
            return [self.get(object, str(value))["Id"]]
        ids = self._unique[table.name, column.name].get(_indexed(column, value), [])
        return [id for id in ids if not self.records[table.name.lower()][id]["IsDeleted"]]

    # --- writing ----------------------------------------

    def insert(self, object: str, values: Mapping[str, Any], at: dt.datetime | None = None) -> str:
        """A new record; its id."""
        table = self.table(object)
        checked = self._checked(table, values, new=True)
        at = at or self.moment()
        number = next(self._count)
        digits = ""
        while number:
            number, rest = divmod(number, 62)
            digits = _DIGITS[rest] + digits
        found: Found = {column.name: _default(column, self.me) for column in table.columns.values()}
        found |= checked
        found |= {"Id": id_18(f"{table.prefix}{'5g0000'}{digits:0>6}"), "IsDeleted": False}
        found |= {"CreatedDate": at, "LastModifiedDate": at, "SystemModstamp": at}
        self._complete(table, found)
        self.records[table.name.lower()][found["Id"]] = found
        self._keep_keys(table, found, {})
        return str(found["Id"])

    def update(self, object: str, id: str, values: Mapping[str, Any]) -> str:
        """Change a record; its id."""
        table, found = self.table(object), self.get(object, id)
        checked = self._checked(table, values, new=False, id=found["Id"])
        before = dict(found)
        found.update(checked)
        self._complete(table, found)
        self._keep_keys(table, found, before)
        found["LastModifiedDate"] = found["SystemModstamp"] = self.moment()
        return str(found["Id"])

    def upsert(self, object: str, field: str, value: Any, values: Mapping[str, Any]) -> tuple[str, bool]:
        """The record whose external id is `value`, made or changed: its id, and whether it is new."""
        table = self.table(object)
        column = table.column(field)
        if value in (None, "") and column is not None:
            raise Refused("MISSING_ARGUMENT", f"{column.name} not specified", [column.name])
        there = self.by_key(object, field, value)
        if len(there) > 1:
            message = f"{field}: more than one record found for external id field: [{', '.join(there)}]"
            raise Refused("DUPLICATE_EXTERNAL_ID", message, [field])
        if there:
            return self.update(object, there[0], values), False
        assert column is not None
        return self.insert(object, {**values, column.name: value}), True

    def delete(self, id: str) -> str:
        """Put a record into the bin; its id."""
        table = next((table for table in TABLES.values() if id.startswith(table.prefix)), None)
        if table is None or not _ID.fullmatch(id):
            raise Refused("MALFORMED_ID", f"malformed id {id[:40]}", ["Id"])
        found = self.records[table.name.lower()].get(_long(id))
        if found is None:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if found["IsDeleted"]:
            raise Refused("ENTITY_IS_DELETED", "entity is deleted")
        found["IsDeleted"], found["SystemModstamp"] = True, self.moment()
        return str(found["Id"])

    def merge(self, survivor: str, loser: str) -> None:
        """Merge: the loser is deleted and points to the survivor, which takes over what was related to it."""
        found = self.anywhere(loser)
        assert found is not None and self.anywhere(survivor) is not None
        self.delete(loser)
        found["MasterRecordId"] = _long(survivor)
        for table in TABLES.values():
            names = [column.name for column in table.columns.values() if column.type == "reference"]
            for record in self.all(table.name):
                for name in names:
                    if record[name] == _long(loser) and name != "MasterRecordId":
                        record[name] = _long(survivor)

    # --- checks ----------------------------------------

    def _checked(self, table: Table, values: Mapping[str, Any], *, new: bool, id: str = "") -> Found:
        checked: Found = {}
        for name, value in values.items():
            if name == "attributes":
                continue
            column = table.column(name)
            if column is None:
                checked |= self._by_relation(table, name, value)
                continue
            if not (column.creatable if new else column.updatable):
                message = (
                    f"Unable to create/update fields: {column.name}. Please check the security settings of this field."
                )
                raise Refused("INVALID_FIELD_FOR_INSERT_UPDATE", message, [column.name])
            checked[column.name] = self._value(column, value)
        missing = [
            column.name for column in table.columns.values()
            if column.creatable and not column.nillable and not column.defaulted
            and (checked.get(column.name) is None if new else column.name in checked and checked[column.name] is None)
        ]  # fmt: skip
        if missing and table.name == "Account" and checked.get("IsPersonAccount"):
            missing = []
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise Refused("REQUIRED_FIELD_MISSING", message, missing)
        self._check_unique(table, checked, id)
        if table.name == "Task" and str(checked.get("WhoId") or "").startswith("00Q") and checked.get("WhatId"):
            message = "If the Name field contains a lead, the Related To field must be blank"
            raise Refused("FIELD_INTEGRITY_EXCEPTION", message, ["WhatId"])
        return checked

    def check_types(self, object: str, values: Any) -> None:
        """What is wrong with a row's JSON before any of its collection is looked at."""
        table = TABLES.get(object.lower())
        for name, value in values.items() if table and isinstance(values, dict) else ():
            column = table.column(name) if table else None
            if column is not None and column.type in ("boolean", "int", "double", "date", "datetime"):
                try:
                    self._value(column, value)
                except Refused as refused:
                    if refused.code == "JSON_PARSER_ERROR":
                        raise

    def _by_relation(self, table: Table, name: str, value: Any) -> Found:
        """`"Who": {"attributes": {"type": "Contact"}, "Hub_Key__c": "k"}`: a reference by the other's external id."""
        column = next((c for c in table.columns.values() if c.relation and c.relation.lower() == name.lower()), None)
        if column is None or not isinstance(value, dict):
            raise no_such_column(name, table.name)
        told = {word: inner for word, inner in value.items() if word not in ("attributes", "type")}
        object = (value.get("attributes") or {}).get("type") or value.get("type") or column.refers_to[0]
        if len(told) != 1 or object not in column.refers_to:
            raise Refused(
                "INVALID_FIELD", f"the relationship {name} needs one external id of {column.refers_to}", [name]
            )
        ((field, key),) = told.items()
        ids = self.by_key(object, field, key)
        if len(ids) != 1:
            message = f"Foreign key external ID: {key} not found for field {field} in entity {object}"
            raise Refused("INVALID_FIELD", message, [])
        return {column.name: ids[0]}

    def _value(self, column: Column, value: Any) -> Any:
        if value is None or (value == "" and column.type != "boolean"):
            if column.type == "boolean":
                raise Refused("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{column.label}: value not of required type: null",
                              [column.name])  # fmt: skip
            return None
        match column.type:
            case "reference":
                return self._reference(column, value)
            case "boolean":
                if isinstance(value, str) and value.lower() in ("true", "false"):
                    return value.lower() == "true"
                if not isinstance(value, bool):
                    raise _of_wrong_type(column, value)
                return value
            case "int" | "double":
                if isinstance(value, bool) or not re.fullmatch(r"-?\d+(\.\d+)?", str(value)):
                    raise _of_wrong_type(column, value)
                if column.type == "int" and abs(float(value)) >= 10**8:
                    raise Refused("NUMBER_OUTSIDE_VALID_RANGE", f"{column.label}: value outside of valid range: {value}",
                                  [column.name])  # fmt: skip
                return int(float(value)) if column.type == "int" else float(value)
            case "date" | "datetime":
                return _moment(column, value)
        if column.name == "ToIds":
            return ";".join(value) if isinstance(value, list) else str(value)
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise _of_wrong_type(column, value)
        text = str(value).strip()
        if column.length and len(text) > column.length:
            message = f"{column.label}: data value too large: {text[:255]} (max length={column.length})"
            raise Refused("STRING_TOO_LONG", message, [column.name])
        if column.type == "email" and not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+", text):
            raise Refused("INVALID_EMAIL_ADDRESS", f"{column.label}: invalid email address: {text}", [column.name])
        if column.restricted and text not in column.picklist:
            message = f"{column.label}: bad value for restricted picklist field: {text}"
            raise Refused("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [column.name])
        return text or None

    def _reference(self, column: Column, value: Any) -> str:
        if not isinstance(value, str) or not _ID.fullmatch(value):
            message = f"{column.label}: id value of incorrect type: {str(value)[:40]}"
            raise Refused("MALFORMED_ID", message, [column.name])
        found = self.anywhere(value)
        prefixes = [TABLES[object.lower()].prefix for object in column.refers_to if object.lower() in TABLES]
        if value[:3] not in prefixes:
            message = f"{column.label}: id value of incorrect type: {value}"
            raise Refused("FIELD_INTEGRITY_EXCEPTION", message, [column.name])
        if found is None:
            gone = self.records[TABLES_BY_PREFIX[value[:3]]].get(_long(value))
            if gone is not None:
                raise Refused("ENTITY_IS_DELETED", "entity is deleted", [])
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [])
        return str(found["Id"])

    def _check_unique(self, table: Table, checked: Found, id: str) -> None:
        for name, value in checked.items():
            column = table.columns[name.lower()]
            if not column.unique or value is None:
                continue
            taken = [other for other in self.by_key(table.name, name, value) if other != id]
            if taken:
                message = f"duplicate value found: {name} duplicates value on record with id: {taken[0][:15]}"
                raise Refused("DUPLICATE_VALUE", message, [])

    def _keep_keys(self, table: Table, found: Found, before: Found) -> None:
        for column in table.columns.values():
            if not column.external_id or found[column.name] == before.get(column.name):
                continue
            index = self._unique[table.name, column.name]
            if before.get(column.name) is not None:
                index[_indexed(column, before[column.name])].remove(found["Id"])
            if found[column.name] is not None:
                index.setdefault(_indexed(column, found[column.name]), []).append(found["Id"])

    def _complete(self, table: Table, found: Found) -> None:
        """What Salesforce fills in by itself."""
        if table.name in PEOPLE:
            found["Name"] = " ".join(filter(None, (found["FirstName"], found["LastName"])))
        elif table.name == "User":
            found["Name"] = found["Username"].partition("@")[0].title()
        elif table.name == "CampaignMember":
            person = self.anywhere(found["ContactId"] or found["LeadId"] or "")
            if person is None:
                raise Refused(
                    "REQUIRED_FIELD_MISSING", "Required fields are missing: [ContactId or LeadId]", ["ContactId"]
                )
            found["HasResponded"] = found["Status"] == "Responded"
        elif table.name == "Task":
            about = self.anywhere(found["WhatId"] or "")
            who = self.anywhere(found["WhoId"] or "")
            found["AccountId"] = (about["Id"] if about and about["Id"].startswith("001") else None) or (
                who.get("AccountId") if who else None
            )
            for id in {found["WhoId"], found["WhatId"], found["AccountId"]} - {None}:
                dates = [date for date in (found["ActivityDate"], self.last_activity.get(id)) if date]
                self.last_activity[id] = max(dates, default=None)
        elif table.name == "Case":
            found["CaseNumber"] = found["CaseNumber"] or f"{next(self._count):08d}"
            found["IsClosed"] = found["Status"] == "Closed"
        elif table.name == "Account" and found["IsPersonAccount"] and not found["PersonContactId"]:
            found["PersonContactId"] = self.insert(
                "Contact", {"LastName": found["Name"] or "?", "Phone": found["Phone"]}
            )


TABLES_BY_PREFIX = {table.prefix: name for name, table in TABLES.items()}


def value_of(org: Org, object: str, found: Found, name: str) -> Any:
    """A field of a record as it reads now: a campaign member shows its person's number, name and address."""
    if object == "CampaignMember":
        if name in OF_MEMBER or name == "Name":
            person = org.anywhere(found["ContactId"] or found["LeadId"] or "") or {}
            return person.get(name)
        if name == "CompanyOrAccount":
            person = org.anywhere(found["ContactId"] or found["LeadId"] or "") or {}
            account = org.anywhere(person.get("AccountId") or "") or {}
            return person.get("Company") or account.get("Name")
    if name == "LastActivityDate":
        return org.last_activity.get(found["Id"])
    return found[name]


def _long(id: str) -> str:
    return id_18(id) if len(id) == 15 else id


def _indexed(column: Column, value: Any) -> Any:
    text = str(value).strip()
    return text if column.unique else text.lower()


def _default(column: Column, me: str) -> Any:
    return me or None if column.default == "me" else column.default


def _of_wrong_type(column: Column, value: Any) -> Refused:
    kind = {"int": "xsd:int", "boolean": "xsd:boolean"}.get(column.type, f"xsd:{column.type}")
    return Refused(
        "JSON_PARSER_ERROR", f"Cannot deserialize instance of {kind} from value {str(value)[:80]}", [column.name]
    )


def _moment(column: Column, value: Any) -> Any:
    try:
        if column.type == "date":
            return dt.date.fromisoformat(str(value)[:10])
        at = dt.datetime.fromisoformat(str(value).replace("+0000", "+00:00"))
    except ValueError:
        raise _of_wrong_type(column, value) from None
    return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).replace(microsecond=0)
