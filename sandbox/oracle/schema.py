"""The resources of the stand-in: names, types and limits of their attributes, as far as the documents show them.

Source: docs.oracle.com, faaps: contacts, accounts, leads, opportunities, activities, serviceRequests,
activityFunctionLookups, activityTypeLookupsLOV. Inference: which lengths an attribute has where the documents are silent,
the Raw… phone attributes being stored as they were sent, and `PatchbayKey_c`, the custom field that an administrator
makes.
"""

from __future__ import annotations

from msgspec import Struct


class Attribute(Struct, frozen=True, kw_only=True):
    """One attribute. `changes` is `always`, `whileNew` or `never`."""

    name: str
    type: str = "string"
    length: int = 0
    mandatory: bool = False
    changes: str = "always"
    unique: bool = False
    values: tuple[str, ...] = ()
    title: str = ""


class Resource(Struct, frozen=True, kw_only=True):
    """One resource. `number` stands in addresses, `id` is what other records refer to."""

    name: str
    title: str
    number: str
    id: str
    attributes: tuple[Attribute, ...]
    first_id: int
    prefix: str = ""
    readonly: bool = False

    def attribute(self, name: str) -> Attribute | None:
        """The attribute called so."""
        return next((one for one in self.attributes if one.name == name), None)


def _text(*names: str, length: int = 360) -> tuple[Attribute, ...]:
    return tuple(Attribute(name=name, length=length) for name in names)


def _of(kind: str, *names: str) -> tuple[Attribute, ...]:
    return tuple(Attribute(name=name, type=kind) for name in names)


def _keys(id: str, number: str) -> tuple[Attribute, ...]:
    return (
        Attribute(name=id, type="integer", changes="never"),
        Attribute(name=number, length=64, changes="whileNew", unique=True),
    )


_AUDIT = tuple(
    Attribute(name=name, type=kind, length=64 if kind == "string" else 0, changes="never")
    for name, kind in (("CreationDate", "datetime"), ("CreatedBy", "string"), ("LastUpdateDate", "datetime"),
                       ("LastUpdatedBy", "string"))
)  # fmt: skip
_PHONES = ("Mobile", "WorkPhone", "HomePhone")
FUNCTIONS = ("APPOINTMENT", "CALLREPORT", "TASK")
TYPES = ("CALL", "DEMO", "EMAIL", "FOLLOW_UP", "MEETING")
STATUSES = ("NOT_STARTED", "IN_PROGRESS", "COMPLETE", "ON_HOLD", "CANCELED")
KEY = Attribute(name="PatchbayKey_c", length=150, unique=True, title="Patchbay key")

SCHEMA: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            name="contacts", title="Contact", number="PartyNumber", id="PartyId", first_id=300000100000000, prefix="CDRM_",
            attributes=(
                *_keys("PartyId", "PartyNumber"),
                Attribute(name="LastName", length=150, mandatory=True), *_text("FirstName", length=150),
                Attribute(name="ContactName", length=360, changes="never"),
                *_text("EmailAddress", length=320),
                *_text(*(f"Raw{kind}Number" for kind in ("Mobile", "WorkPhone", "HomePhone")), length=60),
                *_text(*(f"Formatted{kind}Number" for kind in _PHONES), length=60),
                Attribute(name="Country", length=2), Attribute(name="AccountPartyId", type="integer"),
                Attribute(name="AccountName", length=360, changes="never"), *_text("OwnerEmailAddress", length=320),
                *_of("boolean", "DoNotCallFlag", "DoNotEmailFlag"), Attribute(name="PreferredContactMethod", length=30),
                Attribute(name="Comments", length=2000), *_of("boolean", "PhoneConsent_c"), *_AUDIT,
            ),
        ),
        Resource(
            name="accounts", title="Account", number="PartyNumber", id="PartyId", first_id=300000200000000, prefix="CDRM_A",
            attributes=(
                *_keys("PartyId", "PartyNumber"), Attribute(name="OrganizationName", length=360, mandatory=True),
                *_text("EmailAddress", "OwnerEmailAddress", length=320), *_text("RawPhoneNumber", "URL", length=60),
                Attribute(name="Country", length=2), *_AUDIT,
            ),
        ),
        Resource(
            name="leads", title="Lead", number="LeadNumber", id="LeadId", first_id=300000300000000, prefix="LEAD_",
            attributes=(
                *_keys("LeadId", "LeadNumber"), Attribute(name="Name", length=250, mandatory=True), *_text("ContactName"),
                *_text("PrimaryContactEmailAddress", length=320), *_text("PrimaryContactPhoneNumber", length=60),
                Attribute(name="StatusCode", length=30, values=("UNQUALIFIED", "QUALIFIED", "CONVERTED", "RETIRED")),
                KEY, *_AUDIT,
            ),
        ),
        Resource(
            name="opportunities", title="Opportunity", number="OptyNumber", id="OptyId", first_id=300000400000000,
            attributes=(
                *_keys("OptyId", "OptyNumber"), Attribute(name="Name", length=600, mandatory=True),
                *_text("StatusCode", length=30), *_of("integer", "TargetPartyId"), *_AUDIT,
            ),
        ),
        Resource(
            name="activities", title="Activity", number="ActivityNumber", id="ActivityId", first_id=300000500000000,
            prefix="ACT_",
            attributes=(
                *_keys("ActivityId", "ActivityNumber"),
                Attribute(name="ActivityFunctionCode", length=30, mandatory=True, values=FUNCTIONS),
                Attribute(name="ActivityTypeCode", length=30, values=TYPES),
                Attribute(name="Subject", length=500, mandatory=True), Attribute(name="ActivityDescription"),
                *_of("datetime", "ActivityStartDate", "ActivityEndDate"), *_of("date", "DueDate"),
                *_of("number", "Duration"), Attribute(name="StatusCode", length=30, values=STATUSES),
                Attribute(name="DirectionCode", length=30, values=("INBOUND", "OUTBOUND")), *_text("OutcomeCode", length=30),
                *_of("integer", "PrimaryContactId", "AccountId", "LeadId", "OpportunityId"),
                *_text("OwnerEmailAddress", length=320), KEY, *_AUDIT,
            ),
        ),
        Resource(
            name="serviceRequests", title="Service request", number="SrNumber", id="SrId", first_id=300000600000000,
            prefix="SR",
            attributes=(
                *_keys("SrId", "SrNumber"), Attribute(name="Title", length=400, mandatory=True),
                Attribute(name="ProblemDescription"), *_text("StatusCd", "SeverityCd", length=30),
                *_of("integer", "PrimaryContactPartyId", "AccountPartyId"), *_text("ChannelTypeCd", length=30), KEY, *_AUDIT,
            ),
        ),
        *(
            Resource(
                name=name, title=title, number="LookupCode", id="LookupCode", first_id=0, readonly=True,
                attributes=_text("LookupCode", "LookupType", "Meaning", "EnabledFlag", length=80),
            )
            for name, title in (("activityFunctionLookups", "Activity functions"),
                                ("activityTypeLookupsLOV", "Activity types"))
        ),
    )
}  # fmt: skip


def described(resource: Resource, url: str) -> dict[str, object]:
    """The resource as `/describe` tells it."""
    attributes = []
    for one in resource.attributes:
        told: dict[str, object] = {
            "name": one.name,
            "type": one.type,
            "updatable": one.changes != "never",
            "mandatory": one.mandatory,
            "queryable": True,
            "allowChanges": one.changes,
            "title": one.title or one.name,
        }
        if one.length:
            told |= {"precision": one.length, "maxLength": one.length}
        if one.values:
            told |= {"controlType": "choice", "lov": {"childRef": f"{one.name}LOV", "displayAttributes": ["Meaning"]}}
        attributes.append(told)
    collection = [{"name": "get", "method": "GET"}]
    item = [{"name": "get", "method": "GET"}]
    if not resource.readonly:
        collection.append({"name": "create", "method": "POST"})
        item += [{"name": "update", "method": "PATCH"}, {"name": "delete", "method": "DELETE"}]
    return {
        "discrColumnType": False,
        "title": resource.title,
        "titlePlural": f"{resource.title}s",
        "attributes": attributes,
        "collection": {"rangeSize": 25, "finders": [{"name": "PrimaryKey"}], "actions": collection,
                       "links": [{"rel": "self", "href": f"{url}/{resource.name}", "name": "self"}]},
        "item": {"actions": item, "links": []},
    }  # fmt: skip
