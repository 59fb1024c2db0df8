"""Exports: begun, asked for until they are complete, downloaded by whoever has the address while it is good.

What HubSpot documents: columns by label and values for people, or with NAMES and VALUES by the properties' names and as
they are kept; a zip from 2 MB on; a million rows in a file. How it writes a kept moment it does not say; here, as the API.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import secrets
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from sandbox.frame import Faults
from sandbox.hubspot.errors import Problem
from sandbox.hubspot.portal import Portal, Record
from sandbox.hubspot.schema import Property, object_of
from sandbox.hubspot.search import milliseconds

DOWNLOADS = "/exports/"
STATES = ("PENDING", "PROCESSING")  # each is told once before an export is complete
GOOD_FOR = dt.timedelta(minutes=5)
ZIPPED_FROM, ROWS_OF_A_FILE = 2_000_000, 1_000_000
Told = dict[str, Any]


class Export(Struct, kw_only=True):
    """One export and its rows."""

    id: str
    told: Mapping[str, Any]
    header: list[str]
    rows: list[list[str]]
    at: str
    asked: int = 0
    state: str = "PROCESSING"


class Exports:
    """The exports of one account."""

    def __init__(self, portal: Portal, faults: Faults, portal_id: str) -> None:
        self._portal, self._faults, self._portal_id = portal, faults, portal_id
        self.made: dict[str, Export] = {}
        self._addresses: dict[str, tuple[str, dt.datetime]] = {}
        self.zipped_from, self.rows_of_a_file = ZIPPED_FROM, ROWS_OF_A_FILE

    def answer(self, method: str, rest: list[str], told: Any, home: str) -> tuple[Any, int]:
        """Body and status. Raises Problem."""
        if self._faults.take("no_export_scope"):
            raise Problem(403, "This app hasn't been granted all required scopes to make this call.", "MISSING_SCOPES")
        match method, rest:
            case "POST", ["export", "async"]:
                with self._portal.lock:
                    made = self._begun(told)
                    self.made[made.id] = made
                return {"id": made.id, "links": {}}, 202
            case "GET", ["export", "async", "tasks", id, "status"]:
                return self._status(self._one(id), home), 200
            case "GET", ["export", id]:
                one = self._one(id)
                return {"id": one.id, "exportName": one.told["exportName"], "exportType": one.told["exportType"],
                        "objectType": one.told["objectType"], "objectProperties": list(one.told["objectProperties"]),
                        "createdAt": one.at, "updatedAt": one.at, "recordCount": len(one.rows),
                        "exportState": "DONE" if one.state == "COMPLETE" else one.state}, 200  # fmt: skip
        raise Problem(404, "Not found", "OBJECT_NOT_FOUND")

    def download(self, key: str) -> tuple[bytes, str]:
        """The file at an address, and its type; no token is asked for. Raises Problem."""
        id, until = self._addresses.get(key, ("", dt.datetime.min.replace(tzinfo=dt.UTC)))
        if self._faults.take("link_expired") or dt.datetime.now(dt.UTC) > until:
            raise Problem(403, "Request has expired", "ACCESS_DENIED")
        one = self.made[id]
        size = self.rows_of_a_file
        parts = [one.rows[start : start + size] for start in range(0, max(1, len(one.rows)), size)]
        texts = [_csv(one.header, part) for part in parts]
        if len(texts) == 1 and len(texts[0]) <= self.zipped_from:
            return texts[0], "text/csv;charset=utf-8"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for place, text in enumerate(texts):
                archive.writestr(f"hubspot-export-{id}-{place}.csv", text)
        return packed.getvalue(), "application/zip"

    def _one(self, id: str) -> Export:
        if self._faults.take("export_gone") or id not in self.made:
            words = (
                f"Permission to get export file cannot be granted for exportId {id[:20]} and portalId {self._portal_id}"
            )
            raise Problem(403, words, "FORBIDDEN")
        return self.made[id]

    def _status(self, one: Export, home: str) -> Told:
        if self._faults.take("export_canceled"):
            one.state = "CANCELED"
        elif one.state != "CANCELED" and not self._faults.take("export_slow"):
            one.state = STATES[one.asked] if one.asked < len(STATES) else "COMPLETE"
            one.asked += 1
        told = {"status": one.state, "requestedAt": one.at, "startedAt": one.at, "completedAt": one.at}
        if one.state == "COMPLETE":
            key = secrets.token_urlsafe(16)
            self._addresses[key] = one.id, dt.datetime.now(dt.UTC) + GOOD_FOR
            told["result"] = f"{home.rstrip('/')}{DOWNLOADS}{key}"
        return told

    def _begun(self, told: Any) -> Export:
        if not isinstance(told, Mapping):
            raise Problem(400, "Invalid input JSON")
        for name in ("exportType", "format", "exportName", "objectProperties", "objectType", "language"):
            if not told.get(name):
                raise Problem(400, f"Some required fields were not set: [{name}]")
        object = object_of(str(told["objectType"]))
        if object is None or told["format"] != "CSV":
            raise Problem(400, "Unable to infer object type, or a format that is not made here")
        schema = self._portal.schema[object]
        if strange := [name for name in told["objectProperties"] if name not in schema]:
            raise Problem(400, f"Properties do not exist: {strange[:3]}")
        records = self._records(object, told)
        inside = set(told.get("exportInternalValuesOptions") or ())
        names = "NAMES" in inside and not self._faults.take("export_labels")
        values = "VALUES" in inside and not self._faults.take("export_for_people")
        escaped = self._faults.take("export_escaped") is not None
        wanted = [schema[name] for name in told["objectProperties"]]
        return Export(
            id=str(478_000_000_000 + len(self.made)),
            told=told,
            header=[one.name if names else one.label for one in wanted],
            rows=[[_cell(record, one, values, escaped) for one in wanted] for record in records],
            at=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )

    def _records(self, object: str, told: Mapping[str, Any]) -> list[Record]:
        """In no order that anybody promised: the newest first."""
        records = self._portal.all(object)[::-1]
        if told["exportType"] == "VIEW":
            return records
        one = self._portal.lists.get(str(told.get("listId")))
        if told["exportType"] != "LIST" or one is None or one.object != object:
            raise Problem(400, "The list does not exist, or is of another object")
        return [record for record in records if record.id in one.members]


def _cell(record: Record, one: Property, values: bool, escaped: bool) -> str:
    kept = record.properties.get(one.name, "")
    if not values:
        kept = _FOR_PEOPLE.get(one.type, str)(kept)
    return f"'{kept}" if escaped and kept[:1] in ("+", "-", "=", "@") else kept


def _day(kept: str) -> str:
    at = milliseconds(kept)
    return "" if at is None else dt.datetime.fromtimestamp(at / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M")


_FOR_PEOPLE: Mapping[str, Callable[[str], str]] = {
    "datetime": _day,
    "bool": lambda kept: {"true": "Yes", "false": "No"}.get(kept, ""),
    "enumeration": lambda kept: kept.replace("_", " ").title(),
}


def _csv(header: list[str], rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
