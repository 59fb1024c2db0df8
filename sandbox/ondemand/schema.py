"""The record types of the stand-in, by their integration tags.

Source: Oracle, Web Services On Demand Guide and CTI Developer's Guide (E99788, G30551). Inference: which of an object's
many fields are here, their lengths, and that an activity shows its interaction as `InteractionId`; a company's own WSDL
says.
"""

from __future__ import annotations

from msgspec import Struct


class Field(Struct, frozen=True, kw_only=True):
    """One field by its integration tag."""

    name: str
    type: str = "string"
    length: int = 0
    required: bool = False
    readonly: bool = False
    values: tuple[str, ...] = ()


class RecordType(Struct, frozen=True, kw_only=True):
    """One record type. `keys` are the user keys that name one record, beside Id."""

    name: str
    fields: tuple[Field, ...]
    keys: tuple[str, ...] = ("ExternalSystemId",)

    def field(self, name: str) -> Field | None:
        """The field with this tag."""
        return next((one for one in self.fields if one.name == name), None)


def _text(*names: str, length: int = 50) -> tuple[Field, ...]:
    return tuple(Field(name=name, length=length) for name in names)


_OWN = (
    Field(name="Id", length=15, readonly=True),
    Field(name="ExternalSystemId", length=64),
    Field(name="CreatedDate", type="dateTime", readonly=True),
    Field(name="ModifiedDate", type="dateTime", readonly=True),
)
CHANNELS = (
    "Inbound Call", "Outbound Call", "Inbound Transfer", "Outbound Transfer", "Missed Transfer", "Predictive Call",
    "Predictive Transfer", "Preview Transfer", "Preview Call", "DID/Direct Call", "Callback", "Web Callback", "Inbound Chat",
    "Chat Transfer", "Inbound Email", "Outbound Email", "Forwarded Email", "Reassigned Email", "Email Response",
    "Inbound Voicemail", "Forwarded Voicemail", "Reassigned Voicemail",
)  # fmt: skip
STATUSES = ("Not Started", "In Progress", "Completed", "Deferred", "Waiting for someone else")
PRIORITIES = ("1-High", "2-Medium", "3-Low")

SCHEMA: dict[str, RecordType] = {
    one.name: one
    for one in (
        RecordType(
            name="Contact",
            fields=(
                *_OWN, Field(name="ContactFirstName", length=50, required=True),
                Field(name="ContactLastName", length=50, required=True),
                Field(name="ContactFullName", length=100, readonly=True),
                *_text("ContactEmail", length=100), *_text("CellularPhone", "WorkPhone", "HomePhone", length=40),
                *_text("AccountId", length=15), Field(name="AccountName", length=100, readonly=True),
                *_text("PrimaryCountry", "Owner"),
                Field(name="NeverCall", type="boolean"), Field(name="bPhone_Consent", type="boolean"),
                Field(name="ContactType", length=30, values=("Customer", "Prospect", "Partner")),
                *_text("Description", length=16350),
            ),
        ),
        RecordType(
            name="Account",
            fields=(*_OWN, Field(name="AccountName", length=100, required=True), *_text("Location", "Owner"),
                    *_text("MainPhone", "MainFax", length=40), *_text("PrimaryBillToCountry"),
                    *_text("WebSite", length=100)),
        ),
        RecordType(
            name="Lead",
            fields=(*_OWN, Field(name="LeadFirstName", length=50, required=True),
                    Field(name="LeadLastName", length=50, required=True),
                    Field(name="LeadFullName", length=100, readonly=True),
                    *_text("LeadEmail", "Company", length=100), *_text("PrimaryPhone", "CellularPhone", length=40),
                    *_text("Country"),
                    Field(name="Status", length=30, values=("New", "Qualifying", "Qualified", "Rejected"))),
        ),
        RecordType(
            name="Activity",
            fields=(
                *_OWN, Field(name="Activity", length=30, values=("Task", "Appointment")), *_text("Subject", length=150),
                Field(name="Description"), *_text("Type", "SubType", "ResolutionCode", length=30),
                Field(name="Status", length=30, values=STATUSES), Field(name="Priority", length=30, values=PRIORITIES),
                Field(name="DueDate", type="date"), Field(name="StartTime", type="dateTime"),
                Field(name="EndTime", type="dateTime"), *_text("PrimaryContactId", "AccountId", "LeadId", length=15),
                *_text("ServiceRequestId", length=15), Field(name="InteractionId", length=30, readonly=True),
                Field(name="AgentOfferTime", length=20, readonly=True), Field(name="Origin", length=40, readonly=True),
                Field(name="Destination", length=40, readonly=True), Field(name="Queue", length=100, readonly=True),
            ),
        ),
        RecordType(
            name="ServiceRequest",
            fields=(*_OWN, Field(name="SRNumber", length=64, readonly=True), *_text("Subject", length=250),
                    Field(name="Description", length=16350),
                    Field(name="Status", length=30, values=("Open", "Pending", "Closed")),
                    Field(name="Priority", length=30, values=PRIORITIES), *_text("Area", "Source", length=30),
                    *_text("ContactId", "AccountId", length=15)),
        ),
    )
}  # fmt: skip
INTERACTION = (
    "InteractionId", "AgentOfferTime", "ChannelType", "Origin", "Destination", "Priority", "IVRBeginTime", "QueueBeginTime",
    "Queue", "AssociatedRecordType", "AssociatedRecordId", "CampaignSourceCode", "ServiceRequestNumber",
)  # fmt: skip
# What the answer to an insert may have, beside Status and the key.
ANSWER = (
    "Status", "InteractionId", "AgentOfferTime", "ActivityId", "AccountId", "AccountName", "CampaignId", "CampaignName",
    "ContactId", "ContactFullName", "LeadId", "LeadFullName", "OpportunityId", "OpportunityName", "ServiceRequestId",
    "ServiceRequestNumber", "ScreenPopRecordId", "ScreenPopRecordType",
)  # fmt: skip
