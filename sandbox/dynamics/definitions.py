"""`EntityDefinitions` and `RetrieveMetadataChanges`: what the tables are, and whether that has changed since."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.dynamics.errors import QUERY, STAMP_EXPIRED, DataverseError, not_there
from sandbox.dynamics.metadata import CAST, definition, of_kind, selected
from sandbox.dynamics.schema import TABLES
from sandbox.frame.faults import Faults

Told = dict[str, Any]
PARTS = ("Attributes", "Keys", "ManyToOneRelationships", "Privileges")
_TERM = re.compile(r"\s*(\w+) eq (?:'((?:[^']|'')*)'|(true|false))\s*(?:and\b|$)")
_EXPAND = re.compile(r"(\w+)(?:\(\$select=([\w,]*)\))?,?")


class Definitions:
    """The tables as they are told; `drift` changes one column's definition, as an administrator would."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._told: dict[str, Told] = {}
        self._changed: dict[str, int] = dict.fromkeys(TABLES, 0)
        self._stamp = 2_000_000

    def of(self, table: str) -> Told:
        """All that there is to tell of a table."""
        if table not in self._told:
            self._told[table] = definition(TABLES[table])
        return self._told[table]

    def drift(self, table: str, column: str, **told: Any) -> None:
        """Make a column's definition another one, and count it as a change."""
        (attribute,) = (one for one in self.of(table)["Attributes"] if one["LogicalName"] == column)
        attribute.update(told)
        self._stamp += 1
        self._changed[table] = self._stamp

    def told(self, key: str | None, rest: Sequence[str], query: Mapping[str, str]) -> Told:
        """What `GET EntityDefinitions…` answers."""
        if key is None:
            found = [one for one in map(self.of, TABLES) if _meets(one, query.get("$filter", ""))]
            return {"@odata.context": "$metadata#EntityDefinitions",
                    "value": [self._shown(one, query) for one in found]}  # fmt: skip
        one = self._named(key)
        if not rest:
            return {"@odata.context": "$metadata#EntityDefinitions/$entity", **self._shown(one, query)}
        name, _, inner = rest[0].partition("(")
        if name not in PARTS:
            raise DataverseError(404, QUERY, f"Resource not found for the segment '{rest[0]}'.")
        items: list[Told] = one[name]
        if len(rest) > 1 and CAST.search(rest[1].partition("(")[0]):
            items = of_kind(items, rest[1].partition("(")[0])
        items = [item for item in items if _meets(item, query.get("$filter", ""))]
        select = query.get("$select", "").split(",")
        if inner:
            wanted = inner.rstrip(")").partition("=")[2].strip("'")
            found = [item for item in items if item["LogicalName"] == wanted]
            if not found:
                raise not_there("Attribute", wanted)
            return selected(found[0], select, name)
        kept = [selected(item, [*select, *self._expanded(query)] if any(select) else select, name) for item in items]
        return {"@odata.context": f"$metadata#{name}", "value": kept}

    def changes(self, key: str, query: Mapping[str, str]) -> Told:
        """What `RetrieveMetadataChanges(Query=@p1,ClientVersionStamp=@p2)` answers."""
        given = {name: query.get(alias, "") for name, alias in re.findall(r"(\w+)=(@\w+)", key)}
        try:
            wanted = json.loads(given.get("Query") or "{}")
        except ValueError:
            raise DataverseError(400, QUERY, "The parameter Query is no JSON.") from None
        if self._faults.take("stamp_expired") and given.get("ClientVersionStamp"):
            raise DataverseError(
                400, STAMP_EXPIRED, "Version stamp associated with the client has expired. Please perform a full sync."
            )
        since = int(re.sub(r"\D.*", "", given.get("ClientVersionStamp", "").strip("'")) or -1)
        names = {one["Value"]["Value"] for one in wanted.get("Criteria", {}).get("Conditions", [])
                 if one["PropertyName"] == "LogicalName"} or set(TABLES)  # fmt: skip
        found = [self.of(name) for name in TABLES if name in names and (since < 0 or self._changed[name] > since)]
        return {
            "@odata.context": "$metadata#RetrieveMetadataChangesResponse",
            "ServerVersionStamp": f"{self._stamp}!11/26/2026 08:10:44",
            "DeletedMetadata": None,
            "EntityMetadata": [_asked(one, wanted) for one in found],
        }

    def _named(self, key: str) -> Told:
        name = re.sub(r"^LogicalName='|'$", "", key)
        for table in TABLES:
            if name in (table, self.of(table)["MetadataId"]):
                return self.of(table)
        raise DataverseError(
            404,
            "0x80060888",
            f"The entity with a name = '{name}' with namemapping = 'Logical' was not found in the MetadataCache.",
        )

    def _expanded(self, query: Mapping[str, str]) -> list[str]:
        return [name for name, _ in _EXPAND.findall(query.get("$expand", "").replace("($select=Options)", ""))]

    def _shown(self, one: Told, query: Mapping[str, str]) -> Told:
        kept = selected({name: value for name, value in one.items() if name not in PARTS or name == "Privileges"},
                        query.get("$select", "").split(","), "EntityMetadata")  # fmt: skip
        for name, select in _EXPAND.findall(query.get("$expand", "")):
            if name not in PARTS:
                raise DataverseError(400, QUERY, f"Could not find a property named '{name}' on type 'EntityMetadata'.")
            kept[name] = [selected(item, select.split(","), name) for item in one[name]]
        return kept


def _asked(one: Told, query: Told) -> Told:
    """An entity with the properties that an EntityQueryExpression names, columns of their own kinds."""
    names = query.get("Properties", {}).get("PropertyNames") or ["LogicalName"]
    kept = {"MetadataId": one["MetadataId"], "HasChanged": None, **{name: one[name] for name in names if name in one}}
    if "Attributes" in kept:
        inner = query.get("AttributeQuery", {})
        wanted = {c["Value"]["Value"] for c in inner.get("Criteria", {}).get("Conditions", [])}
        properties = inner.get("Properties", {}).get("PropertyNames") or ["LogicalName"]
        kept["Attributes"] = [
            {"@odata.type": item["@odata.type"].replace("CRM.", "CRM.Complex"), "MetadataId": item["MetadataId"],
             **{name: item[name] for name in properties if name in item}}
            for item in one["Attributes"] if not wanted or item["LogicalName"] in wanted
        ]  # fmt: skip
    return kept


def _meets(one: Told, filter: str) -> bool:
    place = 0
    while place < len(filter.rstrip()):
        term = _TERM.match(filter, place)
        if not term:
            raise DataverseError(400, QUERY, f"Syntax error in '{filter[:60]}'.")
        name, text, truth = term.groups()
        if name not in one:
            raise DataverseError(400, QUERY, f"Could not find a property named '{name}'.")
        if one[name] != (text if truth is None else truth == "true"):
            return False
        place = term.end()
    return True
