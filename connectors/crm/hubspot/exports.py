"""HubSpot's exports: one file of all records of an object, or of a list's members, made by HubSpot while we wait.

An export is begun, asked for until it is complete, and downloaded: a CSV, from 2 MB on within a zip, from a million rows on
in several files there. The address of the file is good for five minutes and for whoever has it, so it is fetched without
our token; every further question gives a new one, so an export that was begun can be read again later. An account makes
thirty exports in 24 hours, one at a time, and an administrator may have to approve each.

Sources: HubSpot, "Exports" (fields, states, limits, the scope crm.export); the public specification, CRM Exports v3.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from connectors.crm.hubspot.errors import WHO
from connectors.crm.hubspot.objects import Object
from connectors.crm.hubspot.rest import Rest
from hub.errors import NotFound, NotPermitted, Rejected, Throttled, Unavailable, Unsupported

COMPLETE, CANCELED = "COMPLETE", "CANCELED"
WAITS = (2.0, 4.0, 8.0, 15.0, 30.0)  # seconds between the first questions; then the last of them
LARGEST = 4 << 30  # bytes of a file; it lies on the disk for as long as it is read
ZIPPED = b"PK\x03\x04"


class NoExport(Exception):
    """There will be no export that can be read; what was asked for has to come another way."""


class Exports:
    """The account's exports. `wait` lets time pass; after `minutes` an export that is not complete is given up."""

    def __init__(self, rest: Rest, wait: Callable[[float], None], minutes: float) -> None:
        self._rest, self._wait, self._seconds = rest, wait, minutes * 60

    def begun(self, object: Object, properties: Sequence[str], list_id: str) -> str:
        """The id of a new export. Raises NoExport where we may not export, or not this."""
        told = {
            "exportType": "LIST" if list_id else "VIEW",
            "exportName": f"Patchbay: {object.label}",
            "format": "CSV",
            "language": "EN",
            "objectType": object.type_id,
            "objectProperties": list(properties),
            "exportInternalValuesOptions": ["NAMES", "VALUES"],
            "associatedObjectType": [],
            "includeLabeledAssociations": False,
            "includePrimaryDisplayPropertyForAssociatedObjects": False,
            "overrideAssociatedObjectsPerDefinitionPerRowLimit": False,
            **({"listId": list_id} if list_id else {}),
        }
        try:
            answer = self._rest.ask(self._rest.at("exports", "export", "async"), told)
        except (NotPermitted, NotFound, Rejected) as error:
            raise NoExport from error
        except Throttled as error:
            if error.retry_after is None:  # by no policy of calls: the day's exports, perhaps
                raise NoExport from error
            raise
        id = str(answer.get("id") or "") if isinstance(answer, dict) else ""
        if not id.isdecimal():
            raise Unavailable(f"{WHO} begins an export and does not say which")
        return id

    def fetch(self, id: str, into: IO[bytes]) -> None:
        """An export's file into ours, when it is complete. Raises NoExport: it is canceled, gone, too large or too late."""
        waited = 0.0
        path = self._rest.at("exports", "export", "async", "tasks", id, "status")
        for turn in range(10_000):
            try:
                told = self._rest.get(path)
            except (NotPermitted, NotFound) as error:
                raise NoExport from error
            state = told.get("status") if isinstance(told, dict) else None
            if state == COMPLETE and told.get("result"):
                try:
                    self._rest.fetch(str(told["result"]), into, LARGEST)
                    return
                except Unsupported as error:
                    raise NoExport from error
            seconds = WAITS[min(turn, len(WAITS) - 1)]
            if state in (COMPLETE, CANCELED) or waited + seconds > self._seconds:
                break
            waited += seconds
            self._wait(seconds)
        raise NoExport


def lines(file: IO[bytes]) -> Iterator[dict[str, str]]:
    """The lines of an export, each by its columns; of several files one after the other. Raises Unavailable where the
    archive is damaged, so that it is fetched again; NoExport where it would be no better then."""
    head = file.read(len(ZIPPED))
    file.seek(0)
    try:
        if head != ZIPPED:
            yield from _lines(file)
            return
        with zipfile.ZipFile(file) as archive:
            for name in sorted(archive.namelist()):
                if name.lower().endswith(".csv"):
                    with archive.open(name) as part:
                        yield from _lines(part)
    except (csv.Error, UnicodeDecodeError, NotImplementedError) as error:  # the last: packed in a way of its own
        raise NoExport from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Unavailable(f"{WHO}'s export cannot be read: {type(error).__name__}") from error


def _lines(file: IO[bytes]) -> Iterator[dict[str, str]]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        for line in csv.DictReader(text, restval="", strict=True):
            line.pop(None, None)
            yield line
    finally:
        text.detach()
