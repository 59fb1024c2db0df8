"""The objects and fields of the organisation, as `describe` tells them.

A selection of Salesforce's standard objects (Object Reference, API v61) with one custom key field on each:
`Hub_Key__c`, text 255, unique, case-sensitive external id, which is what an administrator makes for the hub.
`Contact.Legacy_Id__c` is an external id that is not unique, so that several records can have the same value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

NOW = "now"
PEOPLE = ("Contact", "Lead")


class Column(Struct, frozen=True, kw_only=True):
    """One field."""

    name: str
    label: str
    type: str = "string"
    length: int = 0
    nillable: bool = True
    defaulted: bool = False
    creatable: bool = True
    updatable: bool = True
    unique: bool = False
    external_id: bool = False
    picklist: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    restricted: bool = False
    refers_to: tuple[str, ...] = ()
    relation: str = ""
    default: Any = None
    name_field: bool = False


class Table(Struct, frozen=True, kw_only=True):
    """One object."""

    name: str
    label: str
    prefix: str
    columns: Mapping[str, Column]

    def column(self, name: str) -> Column | None:
        """A field by its name, in any case."""
        return self.columns.get(name.lower())


def _text(name: str, label: str, length: int = 255, **more: Any) -> Column:
    return Column(name=name, label=label, length=length, **more)


def _long(name: str, label: str, length: int = 32_000) -> Column:
    return Column(name=name, label=label, type="textarea", length=length)


def _phones(**labels: str) -> list[Column]:
    return [Column(name=name, label=label, type="phone", length=40) for name, label in labels.items()]


def _pick(name: str, label: str, *values: str, default: str | None = None, **more: Any) -> Column:
    return Column(name=name, label=label, type="picklist", length=255, picklist=values, default=default,
                  defaulted=default is not None, **more)  # fmt: skip


def _flag(name: str, label: str, **more: Any) -> Column:
    return Column(name=name, label=label, type="boolean", nillable=False, defaulted=True, default=False, **more)


def _ref(name: str, label: str, *objects: str, relation: str, **more: Any) -> Column:
    return Column(name=name, label=label, type="reference", length=18, refers_to=objects, relation=relation, **more)


def _computed(name: str, label: str, type: str = "string", length: int = 255, **more: Any) -> Column:
    return Column(name=name, label=label, type=type, length=length, creatable=False, updatable=False, **more)


_EMAIL = Column(name="Email", label="Email", type="email", length=80)
_OWNER = _ref("OwnerId", "Owner ID", "User", relation="Owner", nillable=False, defaulted=True, default="me")
_PERSON_NAME = (
    _text("LastName", "Last Name", 80, nillable=False),
    _text("FirstName", "First Name", 40),
    _computed("Name", "Full Name", length=121, name_field=True),
)
_KEY = _text("Hub_Key__c", "Hub Key", unique=True, external_id=True)
_SYSTEM = (
    _computed("Id", "Record ID", "id", 18, nillable=False, defaulted=True),
    _flag("IsDeleted", "Deleted", creatable=False, updatable=False),
    _computed("CreatedDate", "Created Date", "datetime", 0, nillable=False, defaulted=True),
    _computed("LastModifiedDate", "Last Modified Date", "datetime", 0, nillable=False, defaulted=True),
    _computed("SystemModstamp", "System Modstamp", "datetime", 0, nillable=False, defaulted=True),
)
_CONSENT = (
    _flag("DoNotCall", "Do Not Call"),
    _flag("Phone_Consent__c", "Phone Consent"),
)


def _table(name: str, label: str, prefix: str, columns: Iterable[Column], owner: bool = True) -> Table:
    every = [*_SYSTEM, *columns, _KEY, *([_OWNER] if owner else [])]
    return Table(name=name, label=label, prefix=prefix, columns={column.name.lower(): column for column in every})


def _master(object: str) -> Column:
    return _ref("MasterRecordId", "Master Record ID", object, relation="MasterRecord", creatable=False, updatable=False)


_LAST = _computed("LastActivityDate", "Last Activity", "date", 0)
ACCOUNT = _table("Account", "Account", "001", [
    _text("Name", "Account Name", nillable=False, name_field=True), *_phones(Phone="Account Phone", Fax="Account Fax"),
    Column(name="Website", label="Website", type="url", length=255),
    _pick("Type", "Account Type", "Prospect", "Customer", "Other"), _flag("IsPersonAccount", "Is Person Account"),
    _ref("PersonContactId", "Contact ID", "Contact", relation="PersonContact", creatable=False, updatable=False),
    *_phones(PersonMobilePhone="Mobile", PersonHomePhone="Home Phone"),
    Column(name="PersonEmail", label="Email", type="email", length=80),
    _text("BillingCountryCode", "Billing Country Code", 2),
    _long("Description", "Account Description"), _LAST, _master("Account"),
])  # fmt: skip
CONTACT = _table("Contact", "Contact", "003", [
    *_PERSON_NAME, _ref("AccountId", "Account ID", "Account", relation="Account"),
    *_phones(Phone="Business Phone", MobilePhone="Mobile Phone", HomePhone="Home Phone", OtherPhone="Other Phone",
             AssistantPhone="Asst. Phone", Fax="Business Fax"),
    _EMAIL, _text("Title", "Title", 128), _text("MailingCountryCode", "Mailing Country Code", 2), *_CONSENT,
    _text("Legacy_Id__c", "Legacy Id", 40, external_id=True), _long("Description", "Contact Description"),
    _LAST, _master("Contact"),
])  # fmt: skip
LEAD = _table("Lead", "Lead", "00Q", [
    *_PERSON_NAME, _text("Company", "Company", nillable=False),
    *_phones(Phone="Phone", MobilePhone="Mobile Phone", Fax="Fax"),
    _EMAIL, _pick("Status", "Status", "Open - Not Contacted", "Working - Contacted", "Closed - Converted",
                  "Closed - Not Converted", default="Open - Not Contacted", nillable=False),
    _text("CountryCode", "Country Code", 2), *_CONSENT, _long("Description", "Description"),
    _flag("IsConverted", "Converted", updatable=False), _LAST,
    _ref("ConvertedContactId", "Converted Contact ID", "Contact", relation="ConvertedContact", creatable=False,
         updatable=False),
    _master("Lead"),
])  # fmt: skip
CAMPAIGN = _table("Campaign", "Campaign", "701", [
    _text("Name", "Name", 80, nillable=False, name_field=True), _flag("IsActive", "Active"),
    _pick("Status", "Status", "Planned", "In Progress", "Completed", default="Planned"),
])  # fmt: skip
MEMBER = _table("CampaignMember", "Campaign Member", "00v", [
    _ref("CampaignId", "Campaign ID", "Campaign", relation="Campaign", nillable=False, updatable=False),
    _ref("ContactId", "Contact ID", "Contact", relation="Contact", updatable=False),
    _ref("LeadId", "Lead ID", "Lead", relation="Lead", updatable=False),
    _pick("Status", "Status", "Sent", "Responded", "Reached", "Not Reached", default="Sent"),
    _flag("HasResponded", "Responded", creatable=False, updatable=False),
    _computed("Name", "Name", name_field=True), _computed("FirstName", "First Name", length=40),
    _computed("LastName", "Last Name", length=80), _computed("Phone", "Phone", "phone", 40),
    _computed("MobilePhone", "Mobile", "phone", 40), _computed("Email", "Email", "email", 80),
    _flag("DoNotCall", "Do Not Call", creatable=False, updatable=False),
    _computed("CompanyOrAccount", "Company (Account)"),
    _flag("Phone_Consent__c", "Phone Consent", creatable=False, updatable=False),  # a formula: the person's
], owner=False)  # fmt: skip
TASK = _table("Task", "Task", "00T", [
    _ref("WhoId", "Name ID", *PEOPLE, relation="Who"),
    _ref("WhatId", "Related To ID", "Account", "Case", "Campaign", relation="What"),
    _computed("AccountId", "Account ID", "reference", 18, refers_to=("Account",), relation="Account"),
    _text("Subject", "Subject", name_field=True), Column(name="ActivityDate", label="Due Date Only", type="date"),
    _pick("Status", "Status", "Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred",
          default="Not Started", nillable=False),
    _pick("Priority", "Priority", "High", "Normal", "Low", default="Normal", nillable=False),
    _pick("TaskSubtype", "Task Subtype", "Task", "Email", "ListEmail", "Call", "LinkedIn", updatable=False, default="Task",
          restricted=True),
    _pick("CallType", "Call Type", "Internal", "Inbound", "Outbound", restricted=True),
    Column(name="CallDurationInSeconds", label="Call Duration", type="int"),
    _text("CallDisposition", "Call Result"), _text("CallObject", "Call Object Identifier"),
    _long("Description", "Description"), Column(name="Recording_URL__c", label="Recording", type="url", length=255),
    _pick("Channel__c", "Channel", "voice", "email", "chat", "sms", "task", retired=("fax",), restricted=True),
])  # fmt: skip
CASE = _table("Case", "Case", "500", [
    _text("Subject", "Subject"), _long("Description", "Description"), _computed("CaseNumber", "Case Number", length=30),
    _pick("Status", "Status", "New", "Working", "Escalated", "Closed", default="New", nillable=False),
    _pick("Origin", "Case Origin", "Phone", "Email", "Web"), _flag("IsClosed", "Closed", creatable=False, updatable=False),
    _pick("Priority", "Priority", "High", "Medium", "Low", default="Medium"),
    _ref("ContactId", "Contact ID", "Contact", relation="Contact"),
    _ref("AccountId", "Account ID", "Account", relation="Account"),
    Column(name="SuppliedEmail", label="Web Email", type="email", length=80), _text("SuppliedName", "Web Name", 80),
    Column(name="SuppliedPhone", label="Web Phone", type="phone", length=40),
])  # fmt: skip
MAIL = _table("EmailMessage", "Email Message", "02s", [
    _ref("ParentId", "Case ID", "Case", relation="Parent", updatable=False),
    _ref("RelatedToId", "Related To ID", "Account", "Case", "Campaign", relation="RelatedTo"),
    _text("Subject", "Subject", 3000), Column(name="TextBody", label="Text Body", type="textarea", length=131_072),
    Column(name="HtmlBody", label="HTML Body", type="textarea", length=131_072), _text("FromAddress", "From Address", 1000),
    _text("FromName", "From Name", 1000), _text("ToAddress", "To Address", 4000), _text("CcAddress", "CC Address", 4000),
    _flag("Incoming", "Is Incoming", updatable=False),
    _pick("Status", "Status", "0", "1", "2", "3", "4", "5", default="5", nillable=False, restricted=True),
    Column(name="MessageDate", label="Message Date", type="datetime"), _text("MessageIdentifier", "Message ID", 765),
    _text("ToIds", "To IDs", 0, updatable=False), _text("ThreadIdentifier", "Thread ID", 765),
], owner=False)  # fmt: skip
USER = _table("User", "User", "005", [
    _text("Username", "Username", 80, nillable=False), Column(name="Email", label="Email", type="email", length=128),
    _computed("Name", "Full Name", name_field=True), _flag("IsActive", "Active"),
], owner=False)  # fmt: skip

TABLES: Mapping[str, Table] = {
    table.name.lower(): table for table in (ACCOUNT, CONTACT, LEAD, CAMPAIGN, MEMBER, TASK, CASE, MAIL, USER)
}


def described(table: Table, url: str) -> dict[str, Any]:
    """The answer of `sobjects/{object}/describe`."""
    return {
        **summary(table, url),
        "fields": [_field(column) for column in table.columns.values()],
        "recordTypeInfos": [],
        "childRelationships": [],
    }


def summary(table: Table, url: str) -> dict[str, Any]:
    """One entry of `sobjects`."""
    return {
        "name": table.name, "label": table.label, "labelPlural": f"{table.label}s", "keyPrefix": table.prefix,
        "custom": False, "createable": table.name != "User", "updateable": table.name != "User",
        "deletable": table.name != "User", "queryable": True, "searchable": True, "layoutable": True,
        "urls": {"sobject": f"{url}/sobjects/{table.name}", "describe": f"{url}/sobjects/{table.name}/describe"},
    }  # fmt: skip


_SOAP = {"boolean": "xsd:boolean", "int": "xsd:int", "double": "xsd:double", "date": "xsd:date",
         "datetime": "xsd:dateTime", "id": "tns:ID", "reference": "tns:ID"}  # fmt: skip


def _field(column: Column) -> dict[str, Any]:
    values = [(value, True) for value in column.picklist] + [(value, False) for value in column.retired]
    return {
        "name": column.name, "label": column.label, "type": column.type, "length": column.length,
        "byteLength": column.length * 3, "soapType": _SOAP.get(column.type, "xsd:string"),
        "digits": 8 if column.type == "int" else 0, "precision": 0, "scale": 0, "nillable": column.nillable,
        "defaultedOnCreate": column.defaulted, "createable": column.creatable, "updateable": column.updatable,
        "custom": column.name.endswith("__c"), "unique": column.unique, "externalId": column.external_id,
        "idLookup": column.external_id or column.type == "id", "caseSensitive": column.unique,
        "restrictedPicklist": column.restricted, "dependentPicklist": False, "controllerName": None,
        "picklistValues": [{"value": value, "label": value, "active": active, "defaultValue": value == column.default,
                            "validFor": None} for value, active in values],
        "referenceTo": list(column.refers_to), "relationshipName": column.relation or None,
        "polymorphicForeignKey": len(column.refers_to) > 1, "namePointing": len(column.refers_to) > 1,
        "nameField": column.name_field, "calculated": False, "autoNumber": column.name == "CaseNumber",
        "filterable": column.type != "textarea", "sortable": column.type != "textarea", "groupable": False,
        "encrypted": False, "deprecatedAndHidden": False,
        "defaultValue": column.default if column.type == "boolean" else None,
    }  # fmt: skip
