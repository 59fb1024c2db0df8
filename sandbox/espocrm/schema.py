"""The metadata of the stand-in: the entity types that it has, as `entityDefs` and `scopes` describe them."""

from __future__ import annotations

from typing import Any

Defs = dict[str, Any]

PARENTS = ["Account", "Lead", "Contact", "Opportunity", "Case"]
_STAMPS: Defs = {
    "createdAt": {"type": "datetime", "readOnly": True},
    "modifiedAt": {"type": "datetime", "readOnly": True},
    "createdBy": {"type": "link", "readOnly": True},
    "modifiedBy": {"type": "link", "readOnly": True},
}
_OWNED: Defs = {**_STAMPS, "assignedUser": {"type": "link"}, "teams": {"type": "linkMultiple"}}
_MUST_BE_OWNED: Defs = {**_OWNED, "assignedUser": {"type": "link", "required": True}}
_KEY: Defs = {"patchbayKey": {"type": "varchar", "maxLength": 150, "isCustom": True}}
_CONSENT: Defs = {"cConsent": {"type": "bool", "isCustom": True}}
_PERSON: Defs = {
    "name": {"type": "personName", "isPersonalData": True},
    "salutationName": {"type": "enum", "options": ["", "Mr.", "Ms.", "Mrs.", "Dr."]},
    "firstName": {"type": "varchar", "maxLength": 100},
    "lastName": {"type": "varchar", "maxLength": 100, "required": True},
    "title": {"type": "varchar", "maxLength": 100},
    "description": {"type": "text"},
    "emailAddress": {"type": "email"},
    "phoneNumber": {"type": "phone", "typeList": ["Mobile", "Office", "Home", "Fax", "Other"]},
    "doNotCall": {"type": "bool"},
    "address": {"type": "address"},
    "addressCity": {"type": "varchar", "maxLength": 100},
    "addressCountry": {"type": "varchar", "maxLength": 100},
}
_BY_USER: Defs = {
    "createdBy": {"type": "belongsTo", "entity": "User"},
    "modifiedBy": {"type": "belongsTo", "entity": "User"},
    "assignedUser": {"type": "belongsTo", "entity": "User"},
    "teams": {"type": "hasMany", "entity": "Team", "relationName": "entityTeam"},
}


def _many(entity: str) -> Defs:
    return {"type": "hasMany", "entity": entity}


ENTITY_DEFS: dict[str, Defs] = {
    "Contact": {
        "fields": {**_PERSON, "account": {"type": "link"}, **_OWNED, **_KEY, **_CONSENT},
        "links": {**_BY_USER, "account": {"type": "belongsTo", "entity": "Account"}, "targetLists": _many("TargetList")},
    },
    "Lead": {
        "fields": {
            **_PERSON,
            "accountName": {"type": "varchar", "maxLength": 255},
            "status": {"type": "enum", "default": "New",
                       "options": ["New", "Assigned", "In Process", "Converted", "Recycled", "Dead"]},
            **_OWNED, **_KEY, **_CONSENT,
        },
        "links": {**_BY_USER, "targetLists": _many("TargetList")},
    },
    "Account": {
        "fields": {
            "name": {"type": "varchar", "maxLength": 249, "required": True},
            "website": {"type": "url"},
            "emailAddress": {"type": "email"},
            "phoneNumber": {"type": "phone", "typeList": ["Office", "Mobile", "Fax", "Other"]},
            "type": {"type": "enum", "options": ["", "Customer", "Investor", "Partner", "Reseller"]},
            "billingAddressCountry": {"type": "varchar", "maxLength": 100},
            "description": {"type": "text"},
            **_OWNED, **_KEY,
        },
        "links": {**_BY_USER, "targetLists": _many("TargetList")},
    },
    "Call": {
        "fields": {
            "name": {"type": "varchar", "required": True, "pattern": "$noBadCharacters"},
            "status": {"type": "enum", "options": ["Planned", "Held", "Not Held"], "default": "Planned"},
            "dateStart": {"type": "datetime", "required": True,
                          "default": "javascript: return this.dateTime.getNow(15);"},
            "dateEnd": {"type": "datetime", "required": True, "after": "dateStart", "afterOrEqual": True},
            "duration": {"type": "duration", "start": "dateStart", "end": "dateEnd", "default": 300, "utility": True},
            "direction": {"type": "enum", "options": ["Outbound", "Inbound"], "default": "Outbound"},
            "description": {"type": "text"},
            "parent": {"type": "linkParent", "entityList": PARENTS},
            "users": {"type": "linkMultiple"},
            "contacts": {"type": "linkMultiple"},
            "leads": {"type": "linkMultiple"},
            **_MUST_BE_OWNED, **_KEY,
        },
        "links": {**_BY_USER, "users": _many("User"), "contacts": _many("Contact"), "leads": _many("Lead"),
                  "parent": {"type": "belongsToParent", "entityList": PARENTS, "foreign": "calls"}},
    },
    "Case": {
        "fields": {
            "name": {"type": "varchar", "required": True, "pattern": "$noBadCharacters"},
            "number": {"type": "autoincrement", "readOnly": True},
            "status": {"type": "enum", "default": "New",
                       "options": ["New", "Assigned", "Pending", "Closed", "Rejected", "Duplicate"]},
            "priority": {"type": "enum", "options": ["Low", "Normal", "High", "Urgent"], "default": "Normal"},
            "type": {"type": "enum", "options": ["", "Question", "Incident", "Problem"]},
            "description": {"type": "text"},
            "account": {"type": "link"},
            "contact": {"type": "link"},
            "contacts": {"type": "linkMultiple"},
            **_OWNED, **_KEY,
        },
        "links": {**_BY_USER, "account": {"type": "belongsTo", "entity": "Account"},
                  "contact": {"type": "belongsTo", "entity": "Contact"}, "contacts": _many("Contact")},
    },
    "TargetList": {
        "fields": {"name": {"type": "varchar", "required": True}, "description": {"type": "text"},
                   "entryCount": {"type": "int", "readOnly": True, "notStorable": True, "utility": True}, **_OWNED},
        "links": {**_BY_USER, "accounts": _many("Account"), "contacts": _many("Contact"), "leads": _many("Lead"),
                  "users": _many("User")},
    },
    "User": {
        "fields": {
            "userName": {"type": "varchar", "maxLength": 50, "required": True},
            "name": {"type": "personName"},
            "firstName": {"type": "varchar", "maxLength": 100},
            "lastName": {"type": "varchar", "maxLength": 100, "required": True},
            "emailAddress": {"type": "email"},
            "phoneNumber": {"type": "phone"},
            **_STAMPS,
        },
        "links": {**_BY_USER},
    },
}  # fmt: skip
SCOPES: dict[str, Defs] = {
    name: {"entity": True, "object": name != "User", "module": "Crm", "type": "Base"} for name in ENTITY_DEFS
} | {"Calendar": {"entity": False, "tab": True}, "Import": {"entity": True, "object": False}}
METADATA: Defs = {"entityDefs": ENTITY_DEFS, "scopes": SCOPES}
DUPLICATE_CHECKED = ("Contact", "Lead", "Account")


def link_of(entity: str, name: str) -> str:
    """The entity type to which a link with many records leads; empty where there is no such link."""
    link = ENTITY_DEFS[entity]["links"].get(name)
    return str(link["entity"]) if link and link["type"] == "hasMany" else ""


def attributes(entity: str) -> dict[str, Defs]:
    """By attribute the field that it belongs to."""
    found: dict[str, Defs] = {"id": {"type": "id"}}
    for name, field in ENTITY_DEFS[entity]["fields"].items():
        match field["type"]:
            case "link":
                found |= {f"{name}Id": field, f"{name}Name": {"type": "name"}}
            case "linkMultiple":
                found |= {f"{name}Ids": field}
            case "linkParent":
                found |= {f"{name}Type": field, f"{name}Id": field}
            case "email" | "phone":
                found |= {name: field, f"{name}Data": {"type": "data"}}
                if field["type"] == "phone":
                    found |= {f"{name}Numeric": {"type": "numeric"}}
            case "address":
                pass
            case _:
                found[name] = field
    return found
