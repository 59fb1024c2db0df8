"""Where Salesforce keeps people and companies, and their records as the hub sees them.

Contacts, leads and accounts. With person accounts an account may be a person: behind it is a contact, and that one is the
record, because a task's `WhoId` has to be it (Object Reference, Account, PersonContactId).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.crm.salesforce.soql import field_name
from hub import phone
from hub.errors import ConfigError
from hub.model import Account, Match, Record

PEOPLE = ("Contact", "Lead", "Account")
PREFIXES: Mapping[str, str] = {"003": "Contact", "00Q": "Lead", "001": "Account"}
PHONES = ("Contact.Phone", "Contact.MobilePhone", "Contact.HomePhone", "Contact.OtherPhone", "Contact.AssistantPhone",
          "Lead.Phone", "Lead.MobilePhone", "Account.Phone")  # fmt: skip
EMAILS = ("Contact.Email", "Lead.Email")
# What is read of each, beside its numbers and addresses.
_READ: Mapping[str, tuple[str, ...]] = {
    "Contact": ("Name", "FirstName", "LastName", "AccountId", "Account.Name", "Owner.Email", "LastActivityDate"),
    "Lead": ("Name", "FirstName", "LastName", "Company", "Owner.Email", "LastActivityDate"),
    "Account": ("Name", "Owner.Email", "LastActivityDate"),
}
_SYSTEM = ("Id", "CreatedDate", "SystemModstamp")
_MERGED = ("IsDeleted", "MasterRecordId")
COUNTRY: Mapping[str, str] = {"Contact": "MailingCountryCode", "Lead": "CountryCode", "Account": "BillingCountryCode"}
TITLES = ("Name", "Subject", "CaseNumber")

Found = dict[str, Any]


class People:
    """Which fields the connection looks at, and how a record of theirs is read."""

    def __init__(self, settings: Mapping[str, Any], country: str, link: Callable[[str, str], str]) -> None:
        self._country, self._link = country, link
        self._phones = _by_object("phone_fields", settings["phone_fields"])
        self._emails = _by_object("email_fields", settings["email_fields"])
        self.person_accounts = bool(settings["person_accounts"])
        self._country_codes = bool(settings["country_codes"])
        if self.person_accounts:
            self._phones["Account"] = (*self._phones.get("Account", ()), "PersonMobilePhone", "PersonHomePhone")
            self._emails["Account"] = (*self._emails.get("Account", ()), "PersonEmail")

    def phones(self, object: str) -> tuple[str, ...]:
        """The fields of `object` that hold numbers."""
        return self._phones.get(object, ())

    def emails(self, object: str) -> tuple[str, ...]:
        """The fields of `object` that hold addresses."""
        return self._emails.get(object, ())

    def read(self, object: str, more: Iterable[str], merged: bool = False) -> list[str]:
        """The fields to ask for."""
        fields = [*_SYSTEM, *_READ.get(object, ()), *self.phones(object), *self.emails(object)]
        if object in PEOPLE and merged:
            fields += _MERGED
        if object == "Lead":
            fields += ("IsConverted", "ConvertedContactId")
        if object == "Account" and self.person_accounts:
            fields += ("IsPersonAccount", "PersonContactId")
        if self._country_codes and object in COUNTRY:
            fields.append(COUNTRY[object])
        return list(dict.fromkeys([*fields, *map(field_name, more)]))

    def numbers(self, object: str, found: Found) -> Iterator[tuple[str, Match]]:
        """What the record is found by: each number as E.164 and as it was typed, and where it stands."""
        country = found.get(COUNTRY.get(object, "")) or self._country
        for field in self.phones(object):
            if typed := found.get(field):
                match = Match(field=field, value=typed)
                for number in {typed.strip(), phone.e164(typed, country) or ""} - {""}:
                    yield number, match

    def addresses(self, object: str, found: Found) -> Iterator[tuple[str, Match]]:
        """The record's addresses, in small letters."""
        for field in self.emails(object):
            if typed := found.get(field):
                yield typed.strip().casefold(), Match(field=field, value=typed)

    def record(self, object: str, found: Found, match: Match | None = None) -> Record:
        """A record as `find` gives it."""
        id = found["Id"]
        if object == "Account" and found.get("IsPersonAccount") and found.get("PersonContactId"):
            object, id = "Contact", found["PersonContactId"]
        owner, company = found.get("Owner") or {}, found.get("Account") or {}
        account = None
        if object == "Contact" and found.get("AccountId"):
            account = Account(object="Account", id=found["AccountId"], title=company.get("Name") or "")
        last = found.get("LastActivityDate")
        return Record(
            object=object,
            id=id,
            title=str(next((found[name] for name in TITLES if found.get(name)), id)),
            url=self._link(object, id),
            match=match,
            account=account,
            owner=owner.get("Email"),
            last_contact_at=dt.datetime.fromisoformat(last).replace(tzinfo=dt.UTC) if last else None,
            created_at=moment(found.get("CreatedDate")),
            updated_at=moment(found.get("SystemModstamp")),
            fields=found,
        )


def moment(text: str | None) -> dt.datetime | None:
    """`2026-11-23T10:05:40.000+0000`, as Salesforce writes it."""
    return dt.datetime.fromisoformat(text) if text else None


def _by_object(setting: str, fields: Sequence[str]) -> dict[str, tuple[str, ...]]:
    told: dict[str, tuple[str, ...]] = {}
    for field in fields:
        object, _, name = field.partition(".")
        if object not in PEOPLE or not name:
            raise ConfigError(
                f'{setting}: "{field}" is none of {", ".join(PEOPLE)} with a field, such as Contact.Phone'
            )
        told[object] = (*told.get(object, ()), name)
    return told
