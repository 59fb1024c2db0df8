"""What the hub knows of C4C's collections beside what `$metadata` says: ids that people see, deep links, parts of a record.

Deep links: SAP note 3521005 (`COD_CONTACT_TT` and the like). Collections and their fields: SAP's own EDMX of `c4codataapi`.
Unverified, and therefore settings: the codes of notes, references and roles, and the link types that the note does not list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from hub.errors import ConfigError, Unsupported, nearest

CONTACT, INDIVIDUAL, ACCOUNT = "ContactCollection", "IndividualCustomerCollection", "CorporateAccountCollection"
PEOPLE = (CONTACT, INDIVIDUAL, ACCOUNT)
CALL, TICKET = "PhoneCallCollection", "ServiceRequestCollection"
MEMBER = "TargetGroupMemberCollection"
OBJECTS = (*PEOPLE, CALL, TICKET, "TargetGroupCollection", MEMBER)
# The id that people see, that parties and references are written by, and that deep links open. Elsewhere it is `ID`.
OWN_IDS: Mapping[str, str] = {CONTACT: "ContactID", INDIVIDUAL: "CustomerID", ACCOUNT: "AccountID", MEMBER: "ObjectID"}
TITLES = ("Name", "FormattedName", "AccountFormattedName", "Subject", "Description")
KEYS = (f"{CALL}.GroupwareItemID", f"{TICKET}.ExternalID", *(f"{people}.ExternalID" for people in PEOPLE))
PHONES = tuple(f"{people}.{name}" for people in PEOPLE for name in ("NormalisedPhone", "NormalisedMobile"))
MAILS = tuple(f"{people}.Email" for people in PEOPLE)
CHILDREN = (
    f"{CALL}.Note = PhoneCallNotes(TypeCode=10002).Text",
    f"{CALL}.TicketID = PhoneCallBTDReference(TypeCode=118, BTDRoleCode=1).ID",
    f"{CALL}.OpportunityID = PhoneCallBTDReference(TypeCode=72, BTDRoleCode=1).ID",
    f"{CALL}.EmployeePartyID = PhoneCallParties(RoleCode=39).PartyID",
    f"{TICKET}.Text = ServiceRequestTextCollection(TypeCode=10004).Text",
)
LINK_TYPES = (
    f"{CONTACT}=COD_CONTACT_TT",
    f"{ACCOUNT}=COD_ACCOUNT_TT",
    f"{INDIVIDUAL}=COD_ACCOUNT_TT",
    f"{TICKET}=COD_SRQ_AGENT_TT",
    f"{CALL}=COD_PHONECALL_TT",
    "LeadCollection=COD_LEAD_TT",
    "OpportunityCollection=COD_OPPORTUNITY_THINGTYPE",
)
_CHILD = re.compile(r"(\w+)\.(\w+)\s*=\s*(\w+)\(([^()]*)\)\.(\w+)")
_WORDS = {"true": True, "false": False}


class Child(Struct, frozen=True, kw_only=True):
    """A field of a record that C4C keeps in a part of it: `name` is ours, `path` the navigation property, `fixed` tells the
    one part from the others, `field` holds the value."""

    name: str
    path: str
    fixed: dict[str, Any]
    field: str

    def part(self, value: Any) -> dict[str, Any]:
        """The part as it is written."""
        return {**self.fixed, self.field: value}

    def of(self, parts: Any) -> dict[str, Any] | None:
        """The first of a record's parts that is the one meant."""
        rows = parts.get("results", []) if isinstance(parts, dict) else parts
        return next((row for row in rows or () if isinstance(row, dict) and self._is(row)), None)

    def _is(self, row: Mapping[str, Any]) -> bool:
        return all(str(row.get(name)).lower() == str(told).lower() for name, told in self.fixed.items())


class Objects:
    """The collections that can be named, and what the settings say of them."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.names: Sequence[str] = tuple(settings["objects"])
        self.phones = fields_by_object(settings["phone_fields"], "phone_fields")
        self.mails = fields_by_object(settings["email_fields"], "email_fields")
        self.keys = fields_by_object(settings["key_fields"], "key_fields")
        self.children = _children(settings["parts"])
        self.link_types = dict(pair.split("=", 1) for pair in settings["link_types"] if "=" in pair)

    def known(self, object: str) -> str:
        """`object` itself. Raises Unsupported for one that the connection does not name."""
        if object not in self.names:
            raise Unsupported(
                f'this connection names no collection "{object}"{nearest(object, self.names)}; see its setting objects'
            )
        return object

    def own_id(self, object: str) -> str:
        """The field with the id that people see."""
        return OWN_IDS.get(object, "ID")

    def id_of(self, object: str, row: Mapping[str, Any]) -> str:
        """A row's id: the one that people see, else C4C's own."""
        return str(row.get(self.own_id(object)) or row.get("ObjectID") or "")


def title(row: Mapping[str, Any]) -> str:
    """What a record is called."""
    named = next((str(row[name]) for name in TITLES if row.get(name)), "")
    return named or " ".join(str(row[name]) for name in ("FirstName", "LastName") if row.get(name))


def fields_by_object(told: Sequence[str], setting: str) -> dict[str, tuple[str, ...]]:
    """`Collection.Field` texts as fields by collection."""
    found: dict[str, tuple[str, ...]] = {}
    for text in told:
        object, dot, name = text.strip().partition(".")
        if not dot or not object.isidentifier() or not name.isidentifier():
            raise ConfigError(f'{setting}: "{text}" is not of the form Collection.Field')
        found[object] = (*found.get(object, ()), name)
    return found


def _children(told: Sequence[str]) -> dict[str, dict[str, Child]]:
    found: dict[str, dict[str, Child]] = {}
    for text in told:
        read = _CHILD.fullmatch(text.strip())
        if read is None:
            raise ConfigError(f'parts: "{text}" is not of the form Collection.Name = Parts(Field=Value).Field')
        object, name, path, fixed, field = read.groups()
        pairs = dict(pair.strip().split("=", 1) for pair in fixed.split(",") if "=" in pair)
        values = {key.strip(): _WORDS.get(value.strip(), value.strip()) for key, value in pairs.items()}
        found.setdefault(object, {})[name] = Child(name=name, path=path, fixed=values, field=field)
    return found
