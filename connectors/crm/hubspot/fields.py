"""HubSpot's properties in the hub's words.

Which properties a new record has to have is not in the API (only the objects' own pages tell), nor is what our token may
write. An activity's disposition is a list that the account keeps elsewhere: `/calling/v1/dispositions`.
Sources: the public specification (Property), HubSpot, "Properties" and "Calls", read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.crm.hubspot.objects import CALLS, ID, OWNERS, RELATED, Object
from connectors.crm.hubspot.rest import Found
from hub.model import Description, Field
from hub.model.exchange import FieldType

DISPOSITION = "hs_call_disposition"
LONGEST_TEXT = 65_536  # characters of a text property
TYPES: Mapping[str, FieldType] = {
    "string": "text",
    "number": "decimal",
    "bool": "boolean",
    "enumeration": "picklist",
    "date": "date",
    "datetime": "datetime",
    "phone_number": "phone",
}
HINTS: Mapping[str, FieldType] = {
    "phone_number": "phone",
    "email": "email",
    "domain_name": "url",
    "physical_address": "longtext",
    "multi_line": "longtext",
}
FORMS: Mapping[str, FieldType] = {"textarea": "longtext", "html": "longtext", "phonenumber": "phone"}

# The account's users as far as records belong to them: found by mail address, never written.
OWNER = Description(
    object=OWNERS,
    label="Owner",
    fields=(
        Field(name="id", label="ID", writable=False, unique=True),
        Field(name="email", label="E-mail", type="email", writable=False, unique=True),
    ),
    creatable=False,
    changeable=False,
)


def description(
    object: Object, properties: Sequence[Found], phones: Sequence[str], mails: Sequence[str],
    dispositions: Sequence[Found] | None,
) -> Description:  # fmt: skip
    """The object with its properties, and the records that it can stand at as references."""
    fields = [_field(object, one, phones, mails, dispositions) for one in properties if one.get("name")]
    known = {field.name for field in fields}
    fields += [Field(name=name, label=f"Associated {name}", type="reference", refers_to=(RELATED[name],))
               for name in object.related if name not in known]  # fmt: skip
    if ID not in known:
        fields.insert(0, Field(name=ID, label="Record ID", writable=False, unique=True))
    return Description(object=object.name, label=object.label, fields=tuple(fields))


def _field(
    object: Object, told: Found, phones: Sequence[str], mails: Sequence[str], dispositions: Sequence[Found] | None
) -> Field:
    name = str(told["name"])
    fixed = bool((told.get("modificationMetadata") or {}).get("readOnlyValue"))
    kind = _type(told)
    if kind == "text":
        kind = "phone" if name in phones else "email" if name in mails else kind
    options: Sequence[Any] = told.get("options") or ()
    taken = [str(one.get("value")) for one in options if not one.get("hidden")] if kind == "picklist" else []
    retired = [str(one.get("value")) for one in options if one.get("hidden")] if kind == "picklist" else []
    refers: tuple[str, ...] = ()
    if told.get("externalOptions"):
        # The list is elsewhere: owners, business units, pipelines of another object.
        kind, taken, retired = ("reference" if told.get("referencedObjectType") == "OWNER" else kind), [], []
        refers = (OWNERS,) if kind == "reference" else ()
    if object.name == CALLS and name == DISPOSITION and dispositions is not None:
        kind = "picklist"
        taken = [str(one["id"]) for one in dispositions if one.get("id") and not one.get("deleted")]
        retired = [str(one["id"]) for one in dispositions if one.get("id") and one.get("deleted")]
    several = told.get("fieldType") == "checkbox"  # several values of the list, by `;`
    return Field(
        name=name,
        label=str(told.get("label") or name),
        type="text" if several else kind,
        max_length=LONGEST_TEXT if kind in ("text", "longtext", "phone", "email", "url") else None,
        required=name in object.needs,
        writable=not (fixed or told.get("calculated") or told.get("archived")),
        unique=bool(told.get("hasUniqueValue")) or name in (ID, "email" if object.name == "contacts" else ID),
        picklist=() if several else tuple(taken),
        retired=tuple(retired),
        refers_to=refers,
    )


def _type(told: Found) -> FieldType:
    kind = TYPES.get(str(told.get("type")), "text")
    if kind == "text":
        kind = FORMS.get(str(told.get("fieldType")), HINTS.get(str(told.get("textDisplayHint") or ""), kind))
    return kind
