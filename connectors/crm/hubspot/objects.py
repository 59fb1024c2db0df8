"""HubSpot's objects as the connector knows them: names, type ids, what is read of a record, what a setting adds.

Source: HubSpot, "Object type IDs" and the objects' own pages of the developer documentation, read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from hub.errors import ConfigError, NotFound, nearest

CONTACTS, COMPANIES, CALLS, OWNERS = "contacts", "companies", "calls", "owners"
ID = "hs_object_id"
MERGED = ("hs_merged_object_ids", "hs_calculated_merged_vids")  # ids that were merged into a record, by `;`
# Fields of a row that are no properties: the records that an activity, a ticket or a deal stands at.
RELATED: Mapping[str, str] = {"contact": CONTACTS, "company": COMPANIES, "deal": "deals", "ticket": "tickets"}


class Object(Struct, frozen=True, kw_only=True):
    """One object. `title` are the properties that name a record; `reads` those that are read of it anyway."""

    name: str
    type_id: str
    label: str
    title: tuple[str, ...]
    reads: tuple[str, ...] = ()
    changed: str = "hs_lastmodifieddate"
    related: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # what a new record has to have; the service does not say it


def _activity(name: str, type_id: str, label: str, title: str) -> Object:
    return Object(name=name, type_id=type_id, label=label, title=(title,), reads=("hs_timestamp", "hubspot_owner_id"),
                  related=tuple(RELATED), needs=("hs_timestamp",))  # fmt: skip


STANDARD = (
    Object(name=CONTACTS, type_id="0-1", label="Contact", title=("firstname", "lastname"), changed="lastmodifieddate",
           reads=("email", "phone", "mobilephone", "company", "country", "associatedcompanyid", "hubspot_owner_id",
                  "lifecyclestage", "notes_last_contacted")),
    Object(name=COMPANIES, type_id="0-2", label="Company", title=("name",),
           reads=("domain", "phone", "city", "country", "hubspot_owner_id", "notes_last_contacted")),
    Object(name="deals", type_id="0-3", label="Deal", title=("dealname",), related=("contact", "company"),
           reads=("dealstage", "pipeline", "amount", "hubspot_owner_id"), needs=("dealname",)),
    Object(name="tickets", type_id="0-5", label="Ticket", title=("subject",), related=("contact", "company", "deal"),
           reads=("hs_pipeline", "hs_pipeline_stage", "hubspot_owner_id"), needs=("subject", "hs_pipeline_stage")),
    _activity(CALLS, "0-48", "Call", "hs_call_title"),
    _activity("emails", "0-49", "E-mail", "hs_email_subject"),
    _activity("meetings", "0-47", "Meeting", "hs_meeting_title"),
    _activity("notes", "0-46", "Note", "hs_note_body"),
    _activity("tasks", "0-27", "Task", "hs_task_subject"),
    _activity("communications", "0-18", "Communication", "hs_communication_body"),
)  # fmt: skip


class Catalogue:
    """The objects that can be named: HubSpot's own, and the custom ones of the setting."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        custom = [Object(name=name, type_id=name, label=name, title=(ID,)) for name in settings["custom_objects"]]
        self.objects = {one.name: one for one in (*STANDARD, *custom)}
        self._told = {name: _by_object(name, settings[name], self.objects)
                      for name in ("phone_fields", "mail_fields", "pull_fields")}  # fmt: skip
        self.key = str(settings["key_property"])
        self.keyed = tuple(settings["keyed_objects"])
        if strange := [name for name in self.keyed if name not in self.objects]:
            raise ConfigError(f'keyed_objects: there is no object "{strange[0]}"{nearest(strange[0], self.objects)}')

    def __getitem__(self, name: str) -> Object:
        """Raises NotFound with the nearest name."""
        if name not in self.objects:
            raise NotFound(f"HubSpot has no object {name}{nearest(name, self.objects)}; "
                           "a custom one is named in the setting custom_objects")  # fmt: skip
        return self.objects[name]

    def told(self, setting: str, object: str) -> tuple[str, ...]:
        """What a setting of `object.property` says of one object."""
        return self._told[setting].get(object, ())

    def phones(self, object: str) -> tuple[tuple[str, str], ...]:
        """Of each property that holds numbers as they were typed: its name, and the one that is searched."""
        pairs = (one.partition("=") for one in self.told("phone_fields", object))
        return tuple((typed, searched or typed) for typed, _, searched in pairs)

    def reads(self, object: Object, more: Sequence[str] = ()) -> list[str]:
        """The properties that are read of a record."""
        typed = [name for name, _ in self.phones(object.name)]
        own = (*object.title, *object.reads, *typed, *self.told("mail_fields", object.name))
        return list(dict.fromkeys((*own, ID, *MERGED, *more)))


def _by_object(setting: str, told: Sequence[str], known: Mapping[str, Object]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in told:
        object, _, name = str(one).partition(".")
        if object not in known or not name:
            raise ConfigError(f'{setting}: "{one}" is no object.property{nearest(object, known)}')
        found[object] = (*found.get(object, ()), name)
    return found
