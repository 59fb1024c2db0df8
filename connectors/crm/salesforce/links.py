"""Addresses of Salesforce's pages, Lightning Experience.

Sources: Lightning Web Components Developer Guide, PageReference types and pageReferenceUtils (defaultFieldValues); the
search page's address is nowhere documented [K].
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from urllib.parse import quote

PREFILLED_AS: Mapping[str, Mapping[str, str]] = {
    "phone": {"Contact": "Phone", "Lead": "Phone", "Account": "Phone", "Case": "SuppliedPhone"},
    "email": {"Contact": "Email", "Lead": "Email", "Case": "SuppliedEmail", "Account": "PersonEmail"},
    "name": {"Contact": "LastName", "Lead": "LastName", "Account": "Name", "Case": "SuppliedName"},
}


def record_link(root: str, object: str, id: str) -> str:
    """Opens a record."""
    return f"{root}/lightning/r/{_safe(object)}/{_safe(id)}/view"


def search_link(root: str, words: str) -> str:
    """Opens the search for `words`."""
    attributes = {"term": words, "scopeMap": {"type": "TOP_RESULTS"}, "context": {"FILTERS": {}}}
    page = {"componentDef": "forceSearch:searchPageDesktop", "attributes": attributes, "state": {}}
    return f"{root}/one/one.app#{base64.b64encode(json.dumps(page).encode()).decode()}"


def new_link(root: str, object: str, fields: Mapping[str, str]) -> str:
    """Opens a new record with `fields` filled in. Each value is encoded by itself, then all of them once more: a comma
    parts two fields, so one within a value has to be `%2C` when the page reads them."""
    values = {PREFILLED_AS.get(name, {}).get(object, name): value for name, value in fields.items() if value}
    link = f"{root}/lightning/o/{_safe(object)}/new"
    if not values:
        return link
    told = ",".join(f"{_safe(name)}={_safe(value)}" for name, value in values.items())
    return f"{link}?defaultFieldValues={quote(told, safe='')}"


def _safe(text: str) -> str:
    return quote(text.encode("utf-8", "replace"), safe="")
