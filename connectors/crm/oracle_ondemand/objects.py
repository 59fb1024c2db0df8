"""The record types of CRM On Demand that the hub knows, by the integration tags of Web Services v2.0.

Source: Oracle, Web Services On Demand Guide (E99788), "Core Parent Objects (Web Services v2.0)", and CTI Developer's
Guide, "CTIActivityInsert Interaction Input Parameters". A company's own fields have tags of their own, which the WSDL
that it downloads has.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from hub.errors import NotFound, nearest
from hub.model import Field

CONTACT, ACCOUNT, LEAD, ACTIVITY, REQUEST = "Contact", "Account", "Lead", "Activity", "ServiceRequest"
INTERACTION = "CTIActivity"  # an Activity that is made by the CTI service, keyed by interaction and offer time
EXTERNAL_KEY = "ExternalSystemId"
CREATED, MODIFIED = "CreatedDate", "ModifiedDate"
WRAP_UP = "WrapUp"  # our word: whether the activity is wrapped up too


class RecordType(Struct, frozen=True, kw_only=True):
    """One record type. `screen_pop` is what the CTICommand servlet calls it; `country` the field that says where it is."""

    name: str
    label: str
    screen_pop: str
    title: tuple[str, ...]
    reads: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    company: tuple[str, str] | None = None
    country: str = ""


TYPES: Mapping[str, RecordType] = {
    one.name: one
    for one in (
        RecordType(
            name=CONTACT, label="Contact", screen_pop="Contact", title=("ContactFirstName", "ContactLastName"),
            reads=("ContactType", "NeverCall"), required=("ContactFirstName", "ContactLastName"),
            company=("AccountId", "AccountName"), country="PrimaryCountry",
        ),
        RecordType(
            name=LEAD, label="Lead", screen_pop="Lead", title=("LeadFirstName", "LeadLastName"), reads=("Company", "Status"),
            required=("LeadFirstName", "LeadLastName"), country="Country",
        ),
        RecordType(
            name=ACCOUNT, label="Account", screen_pop="Account", title=("AccountName",), reads=("Location",),
            required=("AccountName",), country="PrimaryBillToCountry",
        ),
        RecordType(
            name=ACTIVITY, label="Activity", screen_pop="Activity", title=("Subject",),
            reads=("Activity", "Status", "SubType"),
            required=("Activity", "Subject"),
        ),
        RecordType(
            name=REQUEST, label="Service request", screen_pop="Service Request", title=("Subject",),
            reads=("SRNumber", "Status"),
        ),
    )
}  # fmt: skip
# Fields that nobody writes, in any record type.
READ_ONLY = frozenset(
    [
        "Id", CREATED, MODIFIED, "CreatedBy", "ModifiedBy", "ContactFullName", "LeadFullName", "SRNumber", "AccountName",
        "InteractionId", "AgentOfferTime", "CreatedbyEmailAddress", "ModifiedbyEmailAddress",
    ]
)  # fmt: skip
REFERS: Mapping[str, str] = {
    "PrimaryContactId": CONTACT, "ContactId": CONTACT, "AccountId": ACCOUNT, "LeadId": LEAD, "ServiceRequestId": REQUEST,
}  # fmt: skip

CHANNELS = (
    "Inbound Call", "Outbound Call", "Inbound Transfer", "Outbound Transfer", "Missed Transfer", "Predictive Call",
    "Predictive Transfer", "Preview Transfer", "Preview Call", "DID/Direct Call", "Callback", "Web Callback", "Inbound Chat",
    "Chat Transfer", "Inbound Email", "Outbound Email", "Forwarded Email", "Reassigned Email", "Email Response",
    "Inbound Voicemail", "Forwarded Voicemail", "Reassigned Voicemail",
)  # fmt: skip
SCREEN_POPS = ("Service Request", "Contact", "Account", "Lead", "Opportunity", "Campaign", "Activity")
# What CTIActivityInsert takes, as it is first said. Sent again it changes nothing, and needs its key all the same, so none
# of these is called fixed. Every other field of a row is written to the activity afterwards.
INTERACTION_FIELDS = (
    Field(name="InteractionId", label="Interaction", unique=True),
    Field(name="AgentOfferTime", label="Agent offer time", type="datetime", required=True),
    Field(name="ChannelType", label="Channel type", type="picklist", required=True, picklist=CHANNELS),
    Field(name="Origin", label="Origin", type="phone"),
    Field(name="Destination", label="Destination", type="phone"),
    Field(name="Priority", label="Priority", type="picklist", picklist=("1-High", "2-Medium", "3-Low")),
    Field(name="IVRBeginTime", label="IVR begin time", type="datetime"),
    Field(name="QueueBeginTime", label="Queue begin time", type="datetime"),
    Field(name="Queue", label="Queue"),
    Field(
        name="AssociatedRecordType",
        label="Type of the associated record",
        type="picklist",
        picklist=SCREEN_POPS,
    ),
    Field(name="AssociatedRecordId", label="Id of the associated record", max_length=100),
    Field(name="CampaignSourceCode", label="Campaign source code", max_length=100),
    Field(name="ServiceRequestNumber", label="Service request number"),
    Field(name=WRAP_UP, label="Wrapped up", type="boolean"),
)
TIMES = ("AgentOfferTime", "IVRBeginTime", "QueueBeginTime")
KEY_LENGTH = 30  # of an InteractionId


def record_type(name: str) -> RecordType:
    """The record type called so; an interaction is an activity. Raises NotFound with the nearest right name."""
    if name == INTERACTION:
        return TYPES[ACTIVITY]
    if name not in TYPES:
        known = (*TYPES, INTERACTION)
        raise NotFound(f'this connector knows no record type "{name}" of CRM On Demand{nearest(name, known)}')
    return TYPES[name]
