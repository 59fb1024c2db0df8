"""What the sandbox holds, and what C4C's own rules make of a write. All of it behind one lock."""

from __future__ import annotations

import datetime as dt
import re
import threading
import uuid
from typing import Any

from hub import phone
from hub.store.sample.people import sample_people
from sandbox.frame import Faults
from sandbox.sap_c4c.errors import Refused
from sandbox.sap_c4c.model import CODES, COLLECTIONS, ENTITIES, Entity

Row = dict[str, Any]
_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_IDS = {"Contact": "ContactID", "IndividualCustomer": "CustomerID", "CorporateAccount": "AccountID"}
_FIRST = {"PhoneCall": {"Status": "1"}, "ServiceRequest": {"ServiceRequestUserLifeCycleStatusCode": "1"}}
_PARTIES = {
    "MainAccountPartyID", "MainContactPartyID", "OwnerPartyID", "BuyerPartyID", "BuyerMainContactPartyID", "PartyID",
}  # fmt: skip
EMPLOYEES = ("7000001", "7000002")
GROUP = "101"  # the target group that the sample has


class State:
    """The records, by collection and ObjectID."""

    def __init__(self, faults: Faults, rows: int, seed: int) -> None:
        self.faults = faults
        self.lock = threading.RLock()
        self.records: dict[str, dict[str, Row]] = {name: {} for name in COLLECTIONS}
        self._numbers = {"bp": 1_000_000, "doc": 500_000}
        self._last = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self._seed(rows, seed)

    # --- reading ----------------------------------------

    def rows(self, collection: str) -> list[Row]:
        """All records of a collection, in the order of their ObjectIDs."""
        with self.lock:
            return [self.records[collection][id] for id in sorted(self.records[collection])]

    def one(self, collection: str, object_id: str) -> Row:
        """One record. Raises Refused with 404."""
        row = self.records[collection].get(object_id)
        if row is None:
            raise Refused(404, "Resource not found for the segment", "OData/404")
        return row

    def parts(self, entity: Entity, row: Row, path: str) -> list[Row]:
        """A record's parts behind a navigation property."""
        child = ENTITIES[entity.children[path]]
        return [part for part in self.records[child.collection].values() if part["ParentObjectID"] == row["ObjectID"]]

    # --- writing ----------------------------------------

    def create(self, entity: Entity, told: Row, parent: str = "") -> Row:
        """A new record with its parts (deep insert)."""
        self._may_write()
        children = {path: told[path] for path in entity.children if path in told}
        values = self._values(entity, {name: told[name] for name in told if name not in children}, "creatable")
        missing = [p.name for p in entity.properties.values() if p.required and values.get(p.name) in (None, "")]
        if missing:
            raise Refused(400, f"{missing[0]} is mandatory", "MANDATORY", missing[0])
        row: Row = {name: None if p.type != "String" else "" for name, p in entity.properties.items()}
        row |= _FIRST.get(entity.name, {}) | values | {"ObjectID": uuid.uuid4().hex.upper()}
        if entity.parent:
            row["ParentObjectID"] = parent or row["ParentObjectID"]
            self.one(ENTITIES[entity.parent].collection, row["ParentObjectID"])
        if entity.name in _IDS:
            row[_IDS[entity.name]] = self._number("bp")
            row["StatusCode"] = row["StatusCode"] or "2"
        elif "ID" in row and not entity.parent:
            row["ID"] = self._number("doc")
        if "CreatedOn" in row:
            row["CreatedOn"] = dt.datetime.now(dt.UTC)
        self._touch(row)
        self._derive(entity, row)
        self.records[entity.collection][row["ObjectID"]] = row
        for path, parts in children.items():
            for part in parts.get("results", []) if isinstance(parts, dict) else parts:
                self.create(ENTITIES[entity.children[path]], part, row["ObjectID"])
        return row

    def change(self, entity: Entity, object_id: str, told: Row, if_match: str) -> Row:
        """A record with some fields anew."""
        self._may_write()
        row = self._matched(entity, object_id, if_match)
        row |= self._values(entity, told, "updatable", row)
        self._touch(row)
        self._derive(entity, row)
        if entity.parent:
            self._touch(self.one(ENTITIES[entity.parent].collection, row["ParentObjectID"]))
        return row

    def remove(self, entity: Entity, object_id: str, if_match: str) -> None:
        """A record less, with its parts."""
        self._may_write()
        row = self._matched(entity, object_id, if_match)
        for path in entity.children:
            for part in self.parts(entity, row, path):
                del self.records[ENTITIES[entity.children[path]].collection][part["ObjectID"]]
        del self.records[entity.collection][object_id]

    def whole(self) -> dict[str, dict[str, Row]]:
        """A copy of everything, to go back to where a change set fails."""
        return {name: {id: dict(row) for id, row in rows.items()} for name, rows in self.records.items()}

    def _may_write(self) -> None:
        if self.faults.take("lock"):
            raise Refused(400, "Object is currently locked by user EDDIE WRIGHT; try again later", "LOCKED")
        if self.faults.take("business_500"):
            raise Refused(500, "Consistency check failed: the category is missing", "005056A509B11EE3AEB2")

    def _matched(self, entity: Entity, object_id: str, if_match: str) -> Row:
        row = self.one(entity.collection, object_id)
        if self.faults.take("changed_meanwhile"):
            self._touch(row)
        if if_match and if_match != "*" and if_match != etag(row):
            raise Refused(412, "Precondition failed: the entity was changed", "OData/412")
        return row

    def _values(self, entity: Entity, told: Row, may: str, before: Row | None = None) -> Row:
        values = {}
        for name, value in told.items():
            property = entity.properties.get(name)
            if name.startswith("__"):
                continue
            if property is None:
                raise Refused(400, f"Property {name} is invalid", "OData/400", name)
            value = _typed(property.type, value, name)
            if not getattr(property, may):
                if before is not None and before.get(name) == value:
                    continue
                if may == "creatable" and name == "ParentObjectID":
                    continue
                word = "created" if may == "creatable" else "updated"
                raise Refused(400, f"Property {name} cannot be {word}", "READONLY", name)
            if property.length and isinstance(value, str) and len(value) > property.length:
                raise Refused(400, f"{name} is longer than {property.length} characters", "LENGTH", name)
            if property.codes and value not in ("", None) and value not in CODES[property.codes]:
                raise Refused(400, f"{name}: the code {value} is not valid", "CODE", name)
            if name in _PARTIES and value and not self._is_party(value):
                raise Refused(500, f"Business partner in {name} does not exist or is not released", "PARTY", name)
            values[name] = value
        return values

    def _is_party(self, id: str) -> bool:
        if id in EMPLOYEES:
            return True
        return any(row[_IDS[name]] == id for name in _IDS for row in self.records[ENTITIES[name].collection].values())

    def _derive(self, entity: Entity, row: Row) -> None:
        """What C4C works out by itself: names, normalised numbers, the account's name."""
        if entity.name not in _IDS:
            return
        full = " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part)
        if entity.name == "Contact":
            row["Name"] = full
            accounts = self.records["CorporateAccountCollection"].values()
            row["AccountFormattedName"] = next((a["Name"] for a in accounts if a["AccountID"] == row["AccountID"]), "")
        elif entity.name == "IndividualCustomer":
            row["FormattedName"] = full
        for name in ("Phone", "Mobile"):
            row[f"Normalised{name}"] = phone.e164(row[name], row["CountryCode"] or "ES") or "" if row[name] else ""

    def _touch(self, row: Row) -> None:
        # Two changes in one millisecond are two versions all the same.
        now = dt.datetime.now(dt.UTC)
        self._last = max(
            now.replace(microsecond=now.microsecond // 1000 * 1000), self._last + dt.timedelta(milliseconds=1)
        )
        for name in ("EntityLastChangedOn", "ETag"):
            if name in row:
                row[name] = self._last

    def _number(self, kind: str) -> str:
        self._numbers[kind] += 1
        return str(self._numbers[kind])

    def _seed(self, rows: int, seed: int) -> None:
        sample = sample_people(seed)
        accounts = {}
        for told in sample.accounts[:rows]:
            made = self.create(ENTITIES["CorporateAccount"], {
                "Name": told["name"], "Phone": told["phone"] or "", "CountryCode": told["country"],
                "ExternalID": told["account_key"]})  # fmt: skip
            accounts[told["account_key"]] = made["AccountID"]
        for told in sample.contacts[:rows]:
            made = self.create(ENTITIES["Contact"], {
                "FirstName": told["first_name"], "LastName": told["last_name"], "Phone": told["phone"] or "",
                "Mobile": told["mobile"] or "", "Email": told["email"] or "", "CountryCode": told["country"],
                "LanguageCode": told["language"].upper(), "AccountID": accounts.get(told.get("account"), ""),
                "ContactPermissionCode": "1" if told.get("consent") else "2",
                "ExternalID": told["contact_key"]})  # fmt: skip
            member = {"TargetGroupID": GROUP, "ContactID": made["ContactID"]}
            self.create(ENTITIES["TargetGroupMember"], member)
        for told in sample.leads[:rows]:
            self.create(ENTITIES["IndividualCustomer"], {
                "FirstName": told["first_name"], "LastName": told["last_name"], "Phone": told["phone"] or "",
                "Mobile": told["mobile"] or "", "Email": told["email"] or "", "CountryCode": told["country"],
                "ExternalID": told["lead_key"]})  # fmt: skip
        group = self.create(ENTITIES["TargetGroup"], {"Description": "Spring campaign"})
        group["ID"] = GROUP


def etag(row: Row) -> str:
    """A record's version, as the header and the metadata tell it."""
    return f"W/\"datetimeoffset'{row['ETag'].strftime('%Y-%m-%dT%H:%M:%S')}.{row['ETag'].microsecond // 1000:03}Z'\""


def _typed(kind: str, value: Any, name: str) -> Any:
    if value is None:
        return "" if kind == "String" else None
    if kind == "DateTimeOffset":
        if date := _DATE.fullmatch(str(value)):
            return dt.datetime.fromtimestamp(int(date[1]) / 1000, dt.UTC)
        try:
            at = dt.datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        except ValueError:
            raise Refused(400, f"{name}: invalid value for DateTimeOffset", "OData/400", name) from None
        return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    wanted = {"String": str, "Boolean": bool, "Int32": int}[kind]
    if not isinstance(value, wanted):
        raise Refused(400, f"{name}: invalid value for Edm.{kind}", "OData/400", name)
    if isinstance(value, str) and "\0" in value:
        raise Refused(400, f"{name}: invalid character", "OData/400", name)
    return value
