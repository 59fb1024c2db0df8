"""EntityDefinitions as Dataverse answers them: tables, columns by their kind, choices, keys, relationships,
privileges."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from typing import Any

from sandbox.dynamics.errors import QUERY, DataverseError
from sandbox.dynamics.schema import TABLES, Column, Table

Told = dict[str, Any]
_HOME = uuid.UUID("0f6f5c5c-7d3b-4a35-9f2a-2c3f3fe6f2a1")
CAST = re.compile(r"Microsoft\.Dynamics\.CRM\.(?:Complex)?(\w+?)AttributeMetadata$")
KINDS = {
    "Owner": "Lookup", "Customer": "Lookup", "PartyList": "Lookup", "Uniqueidentifier": "UniqueIdentifier",
}  # fmt: skip
ACTIONS = ("Create", "Read", "Write", "Delete")


def metadata_id(*words: str) -> str:
    """The MetadataId of a thing with this name, the same for ever."""
    return str(uuid.uuid5(_HOME, "/".join(words)))


def label(text: str) -> Told:
    """A label in the user's language."""
    localised = {"Label": text, "LanguageCode": 1033, "IsManaged": True}
    return {"LocalizedLabels": [localised], "UserLocalizedLabel": localised}


def privileges(table: Table) -> list[Told]:
    """What a role can grant on the table."""
    return [{"PrivilegeId": metadata_id("privilege", action, table.name), "PrivilegeType": action,
             "Name": f"prv{action}{table.schema}"} for action in ACTIONS]  # fmt: skip


def definition(table: Table) -> Told:
    """One EntityMetadata, all of it."""
    return {
        "MetadataId": metadata_id(table.name),
        "LogicalName": table.name,
        "SchemaName": table.schema,
        "EntitySetName": table.set,
        "PrimaryIdAttribute": table.id,
        "PrimaryNameAttribute": table.title or None,
        "DisplayName": label(table.label),
        "DisplayCollectionName": label(f"{table.label}s"),
        "ObjectTypeCode": table.code,
        "IsActivity": table.activity,
        "IsIntersect": table.intersect,
        "IsPrivate": False,
        "ChangeTrackingEnabled": table.tracked,
        "Privileges": privileges(table),
        "Attributes": [attribute(table, column) for column in table.columns.values()],
        "Keys": [
            {
                "MetadataId": metadata_id(table.name, "key", key.name),
                "LogicalName": key.name,
                "SchemaName": key.name,
                "KeyAttributes": list(key.columns),
                "EntityKeyIndexStatus": key.status,
            }
            for key in table.keys
        ],
        "ManyToOneRelationships": [
            {
                "MetadataId": metadata_id(table.name, "to", name, target),
                "SchemaName": f"{target}_{table.name}_{name}",
                "ReferencingEntity": table.name,
                "ReferencingAttribute": name,
                "ReferencedEntity": target if TABLES[table.name].columns[name].type != "Owner" else "owner",
                "ReferencedAttribute": TABLES[target].id if target in TABLES else f"{target}id",
                "ReferencingEntityNavigationPropertyName": navigation,
            }
            for (name, target), navigation in table.navigation.items()
            if target
        ],
    }


def attribute(table: Table, column: Column) -> Told:
    """One AttributeMetadata with all that its kind has."""
    kind = KINDS.get(column.type, column.type)
    told: Told = {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{kind}AttributeMetadata",
        "MetadataId": metadata_id(table.name, "column", column.name),
        "LogicalName": column.name,
        "SchemaName": column.schema or column.name,
        "AttributeType": column.type,
        "AttributeTypeName": {"Value": f"{column.type}Type"},
        "DisplayName": label(column.label),
        "RequiredLevel": {"Value": column.required, "CanBeChanged": False},
        "IsValidForCreate": column.create,
        "IsValidForUpdate": column.update,
        "IsValidForRead": True,
        "IsPrimaryId": column.name == table.id,
        "IsPrimaryName": column.name == table.title,
        "AttributeOf": None,
        "AutoNumberFormat": "",
    }
    if column.max_length is not None:
        told |= {"MaxLength": column.max_length, "Format": column.format, "FormatName": {"Value": column.format}}
    if kind == "DateTime":
        told |= {"Format": column.format, "DateTimeBehavior": {"Value": "UserLocal"}}
    if kind == "Lookup":
        told["Targets"] = [target for target in column.targets if target]
    if kind == "Boolean":
        told |= {"DefaultValue": column.default, "OptionSet": {
            "TrueOption": {"Value": 1, "Label": label(column.choices[1])},
            "FalseOption": {"Value": 0, "Label": label(column.choices[0])},
        }}  # fmt: skip
    elif column.choices:
        options = [_option(column, number, text) for number, text in column.choices.items()]
        told |= {
            "DefaultFormValue": -1 if column.default is None else column.default,
            "GlobalOptionSet": None,
            "OptionSet": {"Options": options},
        }
    return told


def _option(column: Column, number: int, text: str) -> Told:
    option: Told = {"Value": number, "Label": label(text)}
    if column.state_of:
        option["State"] = column.state_of[number]
    return option


def selected(told: Told, select: Iterable[str], what: str) -> Told:
    """Only the properties that are asked for; everything where none is."""
    names = [name.strip() for name in select if name.strip()]
    for name in names:
        if name not in told:
            raise DataverseError(400, QUERY, f"Could not find a property named '{name}' on type '{what}'.")
    kept = {name: told[name] for name in told if name.startswith("@") or name in ("MetadataId", *names)}
    return kept if names else told


def of_kind(attributes: Iterable[Told], cast: str) -> list[Told]:
    """The attributes of the kind that a cast in the address names."""
    found = CAST.search(cast)
    if not found:
        raise DataverseError(404, QUERY, f"Resource not found for the segment '{cast}'.")
    wanted = f"#Microsoft.Dynamics.CRM.{found.group(1)}AttributeMetadata"
    return [{k: v for k, v in one.items() if k != "@odata.type"} for one in attributes if one["@odata.type"] == wanted]
