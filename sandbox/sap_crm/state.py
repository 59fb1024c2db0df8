"""What the sandbox holds, and what its services make of a request. All of it behind one lock."""

from __future__ import annotations

import datetime as dt
import fnmatch
import re
import threading
import uuid
from typing import Any

from hub import phone
from hub.store.sample.people import sample_people
from sandbox.frame import Faults

Row = dict[str, Any]
PARTNER, DOCUMENTS = "BusinessPartner", ("Activity", "ServiceRequest")
# What a document holds, in the order of its schema.
ORDER = ("ID", "UUID", "ProcessTypeCode", "GroupCode", "ExternalReferenceID", "Description", "DirectionCode", "ReasonCode",
         "RequestedDueDateTime", "StatusCode", "PriorityCode", "CategoryCode", "StartDateTime", "EndDateTime", "Party",
         "Text", "BusinessTransactionDocumentReference")  # fmt: skip
REPEATED = {"Party": "RoleCode", "Text": "TypeCode", "BusinessTransactionDocumentReference": "TypeCode"}
PROCESS_TYPES = {"Activity": ("0010", "ICAL", "IREC"), "ServiceRequest": ("SRVR", "SRVO")}
SELECTIONS = {"InternalID", "ExternalID", "TelephoneNumber", "EmailAddress", "ExternalReferenceID", "ID"}


class BusinessError(Exception):
    """What goes into the log with severity 3."""


class State:
    """Business partners and documents."""

    def __init__(self, faults: Faults, rows: int, seed: int) -> None:
        self.faults = faults
        self.lock = threading.RLock()
        self.partners: dict[str, Row] = {}
        self.documents: dict[str, dict[str, Row]] = {name: {} for name in DOCUMENTS}
        self.groups: dict[str, set[str]] = {}  # by a target group's id its members' numbers
        self.confirmed: dict[str, Row] = {}  # by message id: what a creation answered
        self._numbers = {"bp": 400_000, "doc": 300_000}
        self._seed(rows, seed)

    # --- partners ----------------------------------------

    def partner(self, **fields: Any) -> Row:
        """A new business partner. Phones and mails are lists of texts; a mobile number is one of `mobiles`."""
        phones = [{"NumberText": text, "MobileIndicator": False} for text in fields.pop("phones", ()) if text]
        phones += [{"NumberText": text, "MobileIndicator": True} for text in fields.pop("mobiles", ()) if text]
        mails = [{"URI": text} for text in fields.pop("mails", ()) if text]
        row = {"InternalID": self._number("bp"), "UUID": str(uuid.uuid4()), "CategoryCode": "1", "CountryCode": "ES",
               **fields, "Telephone": phones, "Email": mails}  # fmt: skip
        self.partners[row["InternalID"]] = row
        return row

    # --- operations ----------------------------------------

    def query(self, object: str, selections: dict[str, list[str]], most: int) -> tuple[list[Row], bool]:
        """The rows that meet every selection by one of its values, and whether there are more than `most`."""
        with self.lock:
            rows = list(self.partners.values()) if object == PARTNER else list(self.documents[object].values())
            found = [row for row in rows if all(_meets(row, name, values) for name, values in selections.items())]
        return found[:most], len(found) > most

    def create(self, object: str, told: Row, message_id: str) -> Row:
        """A new document; the old confirmation where this message was confirmed before."""
        with self.lock:
            if message_id and message_id in self.confirmed:
                return self.confirmed[message_id]
            self._may_write()
            if told.get("ProcessTypeCode") not in PROCESS_TYPES[object]:
                raise BusinessError(f"Transaction type {told.get('ProcessTypeCode')} is not defined")
            self._check(told)
            row = {**told, "ID": self._number("doc"), "UUID": str(uuid.uuid4())}
            self.documents[object][row["ID"]] = row
            if message_id:
                self.confirmed[message_id] = row
            return row

    def change(self, object: str, told: Row) -> Row:
        """A document with some elements anew; a repeated element replaces the one of its kind."""
        with self.lock:
            row = self.documents[object].get(str(told.get("ID") or "").zfill(10))
            if row is None:
                raise BusinessError(f"Document {told.get('ID')} does not exist")
            self._may_write()
            self._check(told)
            for name, value in told.items():
                if name in REPEATED:
                    kinds = {part[REPEATED[name]] for part in value}
                    row[name] = [part for part in row.get(name, ()) if part[REPEATED[name]] not in kinds] + value
                elif name != "ID":
                    row[name] = value
            return row

    def _may_write(self) -> None:
        if self.faults.take("lock"):
            raise BusinessError("Business partner 4711 is locked by user MUELLER")
        if self.faults.take("no_authority"):
            raise BusinessError("You have no authorization to change transaction type ICAL")

    def _check(self, told: Row) -> None:
        for party in told.get("Party", ()):
            if party["BusinessPartnerInternalID"].zfill(10) not in self.partners:
                raise BusinessError(f"Business partner {party['BusinessPartnerInternalID']} does not exist")

    def _number(self, kind: str) -> str:
        self._numbers[kind] += 1
        return str(self._numbers[kind]).zfill(10)

    def _seed(self, rows: int, seed: int) -> None:
        sample = sample_people(seed)
        companies = {}
        for told in sample.accounts[:rows]:
            made = self.partner(CategoryCode="2", FormattedName=told["name"], OrganisationName=told["name"],
                                CountryCode=told["country"], ExternalID=told["account_key"][:35],
                                phones=[told["phone"]])  # fmt: skip
            companies[told["account_key"]] = {"InternalID": made["InternalID"], "FormattedName": told["name"]}
        may_be_called = self.groups.setdefault("MAY_BE_CALLED", set())
        for told in sample.contacts[:rows]:
            company = companies.get(told.get("account"))
            made = self.partner(GivenName=told["first_name"], FamilyName=told["last_name"], CountryCode=told["country"],
                         FormattedName=f"{told['first_name']} {told['last_name']}", ExternalID=told["contact_key"],
                         phones=[told["phone"]], mobiles=[told["mobile"]], mails=[told["email"]],
                         ContactPersonFor=[company] if company else [])  # fmt: skip
            if told.get("consent"):
                may_be_called.add(made["InternalID"])


def _meets(row: Row, name: str, values: list[str]) -> bool:
    return any(_like(value, text) for value in values for text in _held(row, name))


def _held(row: Row, name: str) -> list[str]:
    """What a selection looks at: for a number as it was typed, and as SAP has normalised it."""
    if name == "TelephoneNumber":
        typed = [str(one["NumberText"]) for one in row.get("Telephone", ())]
        return typed + [number for text in typed if (number := phone.e164(text, row.get("CountryCode") or "ES"))]
    if name == "EmailAddress":
        return [str(one["URI"]).lower() for one in row.get("Email", ())]
    return [str(row.get(name) or "")]


def _like(pattern: str, text: str) -> bool:
    if not text:
        return False
    if "*" in pattern:
        literal = "*".join(re.sub(r"([\[?])", r"[\1]", part) for part in pattern.split("*"))
        return fnmatch.fnmatchcase(text, literal)
    return text == pattern or (pattern.isdecimal() and text == pattern.zfill(10))


def moment(text: str) -> dt.datetime:
    """An `xsd:dateTime`."""
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
