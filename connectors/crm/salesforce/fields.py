"""Objects and fields as Salesforce describes them, in the hub's words.

What was described is kept and asked for again with If-Modified-Since: an answer 304 has no body. A field that relates to
another record can be written by that record's key too, as `Account.Hub_Key__c` or, where it may be of several objects,
`Contact:Who.Hub_Key__c`: the words that Bulk API 2.0 has for its columns.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.crm.salesforce.people import PEOPLE
from connectors.crm.salesforce.rest import Rest, word
from connectors.crm.salesforce.soql import field_name
from connectors.wire.answers import json_of
from hub.errors import NotFound
from hub.model import Description, Field, FieldType

Found = dict[str, Any]

# Salesforce's types (Object Reference, Field Types). What is not here is no field of one value: address, location, base64.
TYPES: Mapping[str, FieldType] = {
    "id": "text",
    "string": "text",
    "encryptedstring": "text",
    "combobox": "text",
    "textarea": "longtext",
    "phone": "phone",
    "email": "email",
    "url": "url",
    "boolean": "boolean",
    "int": "integer",
    "long": "integer",
    "double": "decimal",
    "currency": "decimal",
    "percent": "decimal",
    "date": "date",
    "datetime": "datetime",
    "time": "text",
    "picklist": "picklist",
    "multipicklist": "text",
    "reference": "reference",
    "anyType": "text",
}


class Describer:
    """What the organisation has, as last described."""

    def __init__(self, rest: Rest, key_field: str, together: Sequence[str]) -> None:
        self._rest, self._key_field = rest, key_field
        self._together = {(object, relation) for object, _, relation in (one.partition(":") for one in together)}
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[str, Found]] = {}

    def objects(self) -> list[str]:
        """The objects that the user may read."""
        told = word(self._rest.read("sobjects"), "sobjects", changes=False)
        return [str(one["name"]) for one in told if one.get("queryable")]

    def describe(self, object: str) -> Description:
        """An object as it is now."""
        told = self._told(object)
        fields = [_field(one) for one in told["fields"] if one["type"] in TYPES]
        return Description(
            object=str(told["name"]),
            label=str(told["label"]),
            fields=(*fields, *self._related(told)),
            creatable=told.get("createable"),
            changeable=told.get("updateable"),
        )

    def known(self, object: str) -> Found:
        """Salesforce's own words for an object, as last told; asked for where nothing is kept."""
        with self._lock:
            kept = self._kept.get(object)
        return kept[1] if kept else self._told(object)

    def readable(self, object: str) -> list[str]:
        """The fields of one value that a query can read."""
        return [str(field["name"]) for field in self.known(object)["fields"] if field["type"] in TYPES]

    def fixed(self, object: str) -> frozenset[str]:
        """The fields that are written with a new record and never after, and the names of the parents that they hold."""
        told = [field for field in self.known(object)["fields"] if field["createable"] and not field["updateable"]]
        return frozenset(str(name) for one in told for name in (one["name"], one.get("relationshipName")) if name)

    def type_of(self, object: str, path: str) -> str | None:
        """Salesforce's type of a field, also one of a parent (`Contact.Phone`); None where there is none."""
        objects = [object]
        *parents, name = path.split(".")
        for relation in parents:
            fields = [field for one in objects for field in self.known(one)["fields"]]
            objects = next(
                ([*field["referenceTo"]] for field in fields if field.get("relationshipName") == relation), []
            )
            objects = [one for one in objects if one in PEOPLE] or objects[:1]
        found = (field for one in objects for field in self.known(one)["fields"])
        return next((str(field["type"]) for field in found if field["name"].lower() == name.lower()), None)

    def _told(self, object: str) -> Found:
        with self._lock:
            since, kept = self._kept.get(object, ("", {}))
        headers = {"If-Modified-Since": since} if since else {}
        path = f"sobjects/{field_name(object)}/describe"
        try:
            answer = self._rest.sent("GET", path, headers=headers, changes=False)
        except NotFound as error:
            raise NotFound(f'Salesforce has no object "{object}", or our user may not see it') from error
        if answer.status_code == 304:
            return kept
        told: Found = json_of(answer, "Salesforce", changes=False)
        word(told, "fields", changes=False)
        with self._lock:
            self._kept[object] = (answer.headers.get("Last-Modified", ""), told)
        return told

    def _related(self, told: Found) -> list[Field]:
        """How a parent is named by its key; with the setting `together`, its own fields too."""
        fields: list[Field] = []
        for one in told["fields"]:
            relation, objects = one.get("relationshipName"), one.get("referenceTo") or []
            if not relation or not (one["createable"] or one["updateable"]):
                continue
            for object in objects if len(objects) == 1 else [object for object in objects if object in PEOPLE]:
                prefix = relation if len(objects) == 1 else f"{object}:{relation}"
                label = f"{one['label']} by key"
                if (object, relation) in self._together:
                    fields += [
                        Field(name=f"{prefix}.{field.name}", label=f"{label}: {field.label}", type=field.type,
                              max_length=field.max_length, picklist=field.picklist)
                        for field in map(_field, self.known(object)["fields"])
                        if field.writable
                    ]  # fmt: skip
                else:
                    fields.append(Field(name=f"{prefix}.{self._key_field}", label=label, max_length=255))
        return fields


def _field(told: Found) -> Field:
    kind = TYPES.get(told["type"], "text")
    values = told.get("picklistValues") or []
    restricted = bool(told.get("restrictedPicklist")) and not told.get("dependentPicklist")
    return Field(
        name=str(told["name"]),
        label=str(told.get("label") or ""),
        type=kind,
        max_length=told.get("length") or None
        if kind in ("text", "longtext", "phone", "email", "url", "picklist")
        else None,
        # `unrestricted` picklists take any text, but only what is on the list is what people report on.
        required=bool(told["createable"] and not told["nillable"] and not told["defaultedOnCreate"]),
        writable=bool(told["createable"] or told["updateable"]),
        fixed=bool(told["createable"] and not told["updateable"]),
        unique=bool(told.get("unique") or told.get("externalId") or told.get("idLookup")),
        picklist=tuple(str(value["value"]) for value in values if value.get("active")) if values else (),
        retired=tuple(str(value["value"]) for value in values if not value.get("active")) if restricted else (),
        refers_to=tuple(told.get("referenceTo") or ()),
    )
