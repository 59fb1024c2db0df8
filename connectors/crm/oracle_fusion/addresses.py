"""Addresses of Fusion's pages for a browser.

Source: Oracle, readiness 25B, "A Dynamic Link standard for deep links" (Redwood: id, puid and resource; activities also
recordType), and the classic `faces/deeplink`. Oracle documents no address of a search or of a new record with fields
filled in: those two are patterns of the settings, unverified.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlencode

from connectors.crm.oracle_fusion.resources import ACTIVITIES, Resource

REMEMBERED = 10_000
STYLES = ("redwood", "classic")
SEARCH = "/fscmUI/redwood/cx-sales/application/container/{resource}/{resource}-list?q={words}"
NEW = "/fscmUI/redwood/cx-sales/application/container/{resource}/{resource}-create?{fields}"
_DEEP = "/fscmUI/redwood/application-components/application/container/deep-link?"


class Addresses:
    """Makes addresses. Redwood wants a record's number beside its id, so the numbers that were seen are remembered."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._home = settings["url"].rstrip("/")
        self._classic = settings["link_style"] == "classic"
        self._search, self._new = settings["link_search"], settings["link_new"]
        self._lock = threading.Lock()
        self._numbers: OrderedDict[tuple[str, str], str] = OrderedDict()

    def record(self, resource: Resource, id: str, number: str = "") -> str:
        """Opens a record."""
        number = self._number(resource, id, number)
        if self._classic:
            told = {"objType": resource.classic or resource.name, "objKey": id, "action": "EDIT"}
            return f"{self._home}/fscmUI/faces/deeplink?{urlencode(told, quote_via=quote, safe='')}"
        told = {"id": id, **({"puid": number} if number else {}), "resource": resource.name}
        if resource.name == ACTIVITIES:
            told["recordType"] = "TASK"
        return f"{self._home}{_DEEP}{urlencode(told, quote_via=quote, safe='')}"

    def other(self, kind: Literal["search", "new"], resource: Resource, fields: Mapping[str, str]) -> str:
        """Searches for what `fields` hold, or makes a new record with them."""
        values = {name: value for name, value in fields.items() if value}
        pattern = self._search if kind == "search" else self._new
        filled = (
            pattern.replace("{resource}", quote(resource.name, safe=""))
            .replace("{words}", quote(" ".join(values.values()), safe=""))
            .replace("{fields}", urlencode(values, quote_via=quote, safe=""))
        )
        return f"{self._home}{filled}"

    def _number(self, resource: Resource, id: str, number: str) -> str:
        """The record's number, as told or as seen before; a custom object's is its id."""
        if resource.number == resource.id:
            return id
        key = (resource.name, id)
        with self._lock:
            if number:
                self._numbers[key] = number
                self._numbers.move_to_end(key)
                while len(self._numbers) > REMEMBERED:
                    self._numbers.popitem(last=False)
            return number or self._numbers.get(key, "")
