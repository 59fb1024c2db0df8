"""The properties of the stand-in's objects, as `/crm/v3/properties` tells them.

Names and types are HubSpot's; of the several hundred properties there are those that telephony meets. `hub_key` is the one
that an administrator makes: unique, on each object that the hub writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

DISPOSITIONS: Mapping[str, str] = {
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "Busy",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "Connected",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "Left live message",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "Left voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "No answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "Wrong number",
}
LONGEST = 65_536
MADE_AT = "2026-01-01T00:00:00Z"
TYPE_IDS: Mapping[str, str] = {
    "contacts": "0-1", "companies": "0-2", "deals": "0-3", "tickets": "0-5", "calls": "0-48", "emails": "0-49",
    "meetings": "0-47", "notes": "0-46", "tasks": "0-27", "communications": "0-18",
}  # fmt: skip
# The default association type from an activity, a ticket or a deal to a record.
ASSOCIATIONS: Mapping[tuple[str, str], int] = {
    ("calls", "contacts"): 194, ("calls", "companies"): 182, ("calls", "deals"): 206, ("calls", "tickets"): 220,
    ("emails", "contacts"): 198, ("emails", "companies"): 186, ("emails", "deals"): 210, ("emails", "tickets"): 224,
    ("notes", "contacts"): 202, ("notes", "companies"): 190, ("notes", "deals"): 214, ("notes", "tickets"): 228,
    ("tasks", "contacts"): 204, ("tasks", "companies"): 192, ("tasks", "deals"): 216, ("tasks", "tickets"): 230,
    ("meetings", "contacts"): 200, ("meetings", "companies"): 188, ("meetings", "deals"): 212, ("meetings", "tickets"): 226,
    ("communications", "contacts"): 81, ("communications", "companies"): 87, ("communications", "deals"): 85,
    ("communications", "tickets"): 84, ("tickets", "contacts"): 16, ("tickets", "companies"): 339, ("tickets", "deals"): 28,
    ("deals", "contacts"): 3, ("deals", "companies"): 341, ("contacts", "companies"): 279,
}  # fmt: skip


class Property(Struct, frozen=True, kw_only=True):
    """One property."""

    name: str
    label: str
    type: str = "string"
    form: str = "text"
    options: tuple[str, ...] = ()
    hidden_options: tuple[str, ...] = ()
    unique: bool = False
    read_only: bool = False
    calculated: bool = False
    external: str = ""  # the object whose records are the options
    hint: str = ""

    def shown(self) -> dict[str, Any]:
        """As the service tells it."""
        options = [(one, False) for one in self.options] + [(one, True) for one in self.hidden_options]
        told: dict[str, Any] = {
            "name": self.name, "label": self.label, "type": self.type, "fieldType": self.form, "description": "",
            "groupName": "information", "hasUniqueValue": self.unique, "hidden": False, "displayOrder": -1,
            "options": [{"label": one.replace("_", " ").title(), "value": one, "hidden": hidden, "displayOrder": place,
                         "description": ""} for place, (one, hidden) in enumerate(options)],
            "calculated": self.calculated, "externalOptions": bool(self.external), "formField": False, "archived": False,
            "hubspotDefined": self.name != "hub_key", "createdAt": MADE_AT, "updatedAt": MADE_AT,
            "modificationMetadata": {"archivable": False, "readOnlyDefinition": True, "readOnlyOptions": False,
                                     "readOnlyValue": self.read_only or self.calculated},
        }  # fmt: skip
        if self.external:
            told["referencedObjectType"] = self.external
        if self.hint:
            told["textDisplayHint"] = self.hint
        return told


def _p(name: str, type: str = "string", form: str = "", **more: Any) -> Property:
    forms = {"string": "text", "number": "number", "bool": "booleancheckbox", "enumeration": "select",
             "datetime": "date", "date": "date"}  # fmt: skip
    label = name.removeprefix("hs_").replace("_", " ").capitalize()
    return Property(name=name, label=label, type=type, form=form or forms[type], **more)


def _all(changed: str) -> tuple[Property, ...]:
    return (
        _p("hs_object_id", "number", read_only=True),
        _p("createdate" if changed == "lastmodifieddate" else "hs_createdate", "datetime", read_only=True),
        _p(changed, "datetime", read_only=True),
        _p("hs_merged_object_ids", form="checkbox", read_only=True),
        _p("hubspot_owner_id", "enumeration", external="OWNER"),
        _p("hub_key", unique=True),
    )


_BOOLEAN = ("true", "false")
_NUMBERS = (
    _p("phone", form="phonenumber", hint="phone_number"),
    _p("hs_searchable_calculated_phone_number", calculated=True),
)
_ACTIVITY = (_p("hs_timestamp", "datetime"), _p("hs_attachment_ids"))
_MADE: Mapping[str, tuple[Property, ...]] = {
    "contacts": (
        *_all("lastmodifieddate"), *_NUMBERS,
        _p("firstname"), _p("lastname"), _p("email", unique=True, hint="email"), _p("hs_additional_emails", form="text"),
        _p("mobilephone", form="phonenumber", hint="phone_number"),
        _p("hs_searchable_calculated_mobile_number", calculated=True),
        _p("hs_calculated_merged_vids", calculated=True), _p("company"), _p("jobtitle"), _p("city"), _p("country"),
        _p("website"), _p("associatedcompanyid", "number"), _p("notes_last_contacted", "datetime", read_only=True),
        _p("lifecyclestage", "enumeration", options=("lead", "customer", "other"), hidden_options=("evangelist",)),
        _p("consent_to_call", "bool", "booleancheckbox", options=_BOOLEAN),
        _p("do_not_call", "bool", "booleancheckbox", options=_BOOLEAN),
    ),
    "companies": (
        *_all("hs_lastmodifieddate"), *_NUMBERS,
        _p("name"), _p("domain", hint="domain_name"), _p("website"), _p("city"), _p("country"),
        _p("notes_last_contacted", "datetime", read_only=True),
    ),
    "deals": (*_all("hs_lastmodifieddate"), _p("dealname"), _p("amount", "number"), _p("closedate", "datetime"),
              _p("pipeline", "enumeration", options=("default",)),
              _p("dealstage", "enumeration", options=("appointmentscheduled", "closedwon", "closedlost"))),
    "tickets": (
        *_all("hs_lastmodifieddate"), _p("subject"), _p("content", form="textarea"),
        _p("hs_pipeline", "enumeration", options=("0",)),
        _p("hs_pipeline_stage", "enumeration", options=("1", "2", "3", "4")),
        _p("hs_ticket_priority", "enumeration", options=("LOW", "MEDIUM", "HIGH", "URGENT")),
        _p("source_type", "enumeration", options=("CHAT", "EMAIL", "FORM", "PHONE")),
    ),
    "calls": (
        *_all("hs_lastmodifieddate"), *_ACTIVITY, _p("hs_call_title"), _p("hs_call_body", form="html"),
        _p("hs_call_direction", "enumeration", options=("INBOUND", "OUTBOUND")), _p("hs_call_disposition"),
        _p("hs_call_duration", "number"), _p("hs_call_from_number"), _p("hs_call_to_number"), _p("hs_call_recording_url"),
        _p("hs_call_status", "enumeration", options=(
            "BUSY", "CALLING_CRM_USER", "CANCELED", "COMPLETED", "CONNECTING", "FAILED", "IN_PROGRESS", "MISSED",
            "NO_ANSWER", "QUEUED", "RINGING")),
        _p("hs_call_external_id"), _p("hs_call_callee_object_id", "number"),
    ),
    "emails": (
        *_all("hs_lastmodifieddate"), *_ACTIVITY, _p("hs_email_subject"), _p("hs_email_text", form="textarea"),
        _p("hs_email_html", form="html"), _p("hs_email_headers", form="textarea"),
        _p("hs_email_direction", "enumeration", options=("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL")),
        _p("hs_email_status", "enumeration", options=("BOUNCED", "FAILED", "SCHEDULED", "SENDING", "SENT")),
    ),
    "meetings": (*_all("hs_lastmodifieddate"), *_ACTIVITY, _p("hs_meeting_title"), _p("hs_meeting_body", form="html")),
    "notes": (*_all("hs_lastmodifieddate"), *_ACTIVITY, _p("hs_note_body", form="html")),
    "tasks": (*_all("hs_lastmodifieddate"), *_ACTIVITY, _p("hs_task_subject"), _p("hs_task_body", form="html"),
              _p("hs_task_status", "enumeration", options=(
                  "NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"))),
    "communications": (*_all("hs_lastmodifieddate"), *_ACTIVITY, _p("hs_communication_body", form="html"),
                       _p("hs_communication_channel_type", "enumeration", options=(
                           "SMS", "WHATS_APP", "LINKEDIN_MESSAGE")),
                       _p("hs_communication_logged_from", "enumeration", options=("CRM",))),
}  # fmt: skip
SCHEMA: Mapping[str, dict[str, Property]] = {name: {one.name: one for one in made} for name, made in _MADE.items()}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("calls", "emails", "meetings", "notes", "tasks", "communications"), ("hs_timestamp",)),
    "tickets": ("subject", "hs_pipeline_stage"),
    "deals": ("dealname",),
}


def changed_property(object: str) -> str:
    """The property that says when a record was changed last."""
    return "lastmodifieddate" if object == "contacts" else "hs_lastmodifieddate"


def object_of(name: str) -> str | None:
    """The object with this name, singular name or type id."""
    by_id = {id: object for object, id in TYPE_IDS.items()}
    singular = {"contact": "contacts", "company": "companies", "deal": "deals", "ticket": "tickets", "call": "calls",
                "email": "emails", "note": "notes", "task": "tasks", "meeting": "meetings"}  # fmt: skip
    return name if name in SCHEMA else by_id.get(name) or singular.get(name.lower())
