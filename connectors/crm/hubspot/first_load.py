"""The first load of a large list: by an export, where one pays and its columns are what they should be.

An export tells properties by their names and values as they are kept, HubSpot says. How it writes them is said nowhere (a
moment, a number that begins with a plus sign), and a row that came by an export has to be the row that a read gives, or
the next increment would send it again. So nothing is believed: what has a value in the first rows is read as well, in the
batches of any list pull, and compared; so is any column whose first value comes later. Where the file is not what the API
says, where we may not export or where it takes too long, the list comes page by page as a small one does.

An interrupted load goes on in the same export: the cursor has its number and the row.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.crm.hubspot.exports import Exports, NoExport, lines
from connectors.crm.hubspot.finding import is_id
from connectors.crm.hubspot.objects import ID
from connectors.crm.hubspot.people import moment
from connectors.crm.hubspot.pull import Pull
from connectors.crm.hubspot.rest import BATCH, Rest
from hub.errors import NotPermitted, Rejected
from hub.model import Page

WAY = "exported"
ID_COLUMNS = (ID, "Record ID")  # the second is a column of HubSpot's own, by its label
_PLACE = re.compile(r"(\d+):(\d+)")


class FirstLoad:
    """Pulls by exports."""

    def __init__(self, rest: Rest, exports: Exports) -> None:
        self._rest, self._exports = rest, exports

    def pages(self, pull: Pull, place: str) -> Iterator[Page]:
        """The list by one export: `place` is its number and how many of its rows are known. Raises NoExport."""
        id, done = _placed(place)
        types = self._types(pull)
        if not id:
            id = self._exports.begun(pull.object, [ID, *types], pull.list_id)
            yield pull.page([], WAY, f"{id}:0")  # who comes later waits for this one, and begins no other
        proof = _Proof(self._rest, pull, types)
        with tempfile.TemporaryFile() as file:
            self._exports.fetch(id, file)
            rows: list[dict[str, Any]] = []
            taken = 0
            for line in lines(file):
                if not taken:
                    _has_all(line, types)
                taken += 1
                if taken <= done:
                    continue
                if len(rows) == pull.size:
                    proof.holds(rows)
                    yield pull.page(rows, WAY, f"{id}:{taken - 1}")
                    rows = []
                rows.append(_row(pull, line, types))
            if not taken:
                raise NoExport  # of so many: whom a first load does not see is taken off the list
            proof.holds(rows)
            yield pull.page(rows, WAY, "")

    def _types(self, pull: Pull) -> dict[str, str]:
        """The properties that the account has of those that are wanted, each with its type."""
        try:
            told = self._rest.get(self._rest.at("properties", pull.object.name))
        except NotPermitted as error:
            raise NoExport from error
        known = {str(one.get("name")): str(one.get("type")) for one in told.get("results") or ()}
        return {name: known[name] for name in pull.shown if name in known}


class _Proof:
    """Which columns have been seen to be what a read gives."""

    def __init__(self, rest: Rest, pull: Pull, types: Mapping[str, str]) -> None:
        self._rest, self._pull, self._types = rest, pull, types
        self._open = set(types)

    def holds(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Compares rows that have a value in a column that was not compared yet. Raises NoExport."""
        sample = {row["id"]: row for row in rows if any(row[name] is not None for name in self._open)}
        ids = list(sample)[:BATCH]
        if not ids:
            return
        for found in self._rest.read(self._pull.object.name, ids, list(self._types)):
            read, row = self._pull.row(found), sample.get(str(found["id"]))
            if row is None or not self._same(read, row, self._pull.object.changed):
                continue  # merged or changed since the export
            for name in self._types:
                if not self._same(read, row, name):
                    raise NoExport
            self._open -= {name for name in self._types if row[name] is not None}
        if self._pull.object.changed in self._open:
            raise NoExport  # not even when a record was changed can be compared

    def _same(self, read: Mapping[str, Any], row: Mapping[str, Any], name: str) -> bool:
        theirs, ours = read[name], row[name]
        if self._types.get(name) == "datetime" and theirs and ours:
            return moment(theirs) == moment(ours)
        return bool((theirs or None) == ours)


def _placed(place: str) -> tuple[str, int]:
    """An export's number and how many of its rows are known; empty where none was begun."""
    if not place:
        return "", 0
    found = _PLACE.fullmatch(place)
    if not found:
        raise Rejected("the cursor is none of this connector's")
    return found[1], int(found[2])


def _has_all(line: Mapping[str, str], types: Mapping[str, str]) -> None:
    if not any(name in line for name in ID_COLUMNS) or not set(types) <= set(line):
        raise NoExport


def _row(pull: Pull, line: Mapping[str, str], types: Mapping[str, str]) -> dict[str, Any]:
    """A line as the row that a read would give. Raises NoExport where it can be none."""
    id = next(line[name] for name in ID_COLUMNS if name in line)
    if not is_id(id):
        raise NoExport
    shown = {name: _as_kept(types[name], line[name]) if name in types else None for name in pull.shown}
    return {**shown, "id": id}


def _as_kept(type: str, cell: str) -> str | None:
    """A cell as the API tells a property's value. Raises NoExport where it is no value of that type."""
    if not cell:
        return None
    try:
        match type:
            case "datetime" if cell.isdecimal():
                at = dt.datetime.fromtimestamp(int(cell) / 1000, dt.UTC)
                return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            case "datetime" if dt.datetime.fromisoformat(cell).tzinfo is None:
                raise NoExport  # of which zone?
            case "date" if cell.isdecimal():
                return dt.datetime.fromtimestamp(int(cell) / 1000, dt.UTC).date().isoformat()
            case "bool":
                return cell.lower()
    except (ValueError, OverflowError, OSError):
        raise NoExport from None
    return cell
