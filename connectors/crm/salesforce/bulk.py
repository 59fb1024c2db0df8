"""Bulk API 2.0: many rows by one job, many records by one query.

A job is made, given its CSV, closed, and asked for until it is done; between the questions the hub waits. Five calls and
those questions, however many rows. Results come in any order and are told apart by the key's column, which each echoes.
A job whose end nobody saw is no danger: upsert by key is Salesforce's own, so the rows can be sent again.

Sources: Bulk API 2.0 Developer Guide (states, results, headers Sforce-Locator and Sforce-NumberOfRecords, `#N/A` empties a
field, an empty cell leaves it as it is; at most 150 MB of CSV, counted after base64).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import requests

from connectors.crm.salesforce.errors import FIXED, Told, failure, says
from connectors.crm.salesforce.rest import Rest, word
from connectors.crm.salesforce.soql import field_name
from connectors.crm.salesforce.writing import Batch, Fixed, Values, Wanted, key_problem, split, turns, without
from connectors.wire.answers import json_of, lost
from hub.errors import ConnectorError, Rejected, Unavailable, UnknownOutcome
from hub.model import Receipt, Row, Target

LARGEST = 40_000_000  # bytes of one upload: its results echo every column, and the hub takes 64 MiB of one answer
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds between the first questions; then the last of them
DONE, FAILED = "JobComplete", ("Failed", "Aborted")
EMPTY = "#N/A"


class Jobs:
    """The organisation's bulk jobs."""

    def __init__(self, rest: Rest, wait: Callable[[float], None], minutes: float, fixed: Fixed) -> None:
        self._rest, self._wait, self._seconds, self._fixed = rest, wait, minutes * 60, fixed

    # --- ingest ----------------------------------------

    def written(self, target: Target, rows: Sequence[Row], link: Callable[[str, str], str]) -> list[Receipt]:
        """One receipt per row, in order. Raises UnknownOutcome where a job takes longer than we wait."""
        receipts: dict[int, Receipt] = {}
        for places in turns(rows):
            good = []
            for place in places:
                if problem := key_problem(target, rows[place]):
                    receipts[place] = Receipt(key=rows[place].key, outcome="failed", error=problem)
                else:
                    good.append(place)
            told, refused = _split(target, [rows[place] for place in good])
            for (object, key), parents in told.parents.items():
                # Their failures show on the rows: a parent that is not there cannot be named.
                self._ingested(object, key, dict(parents))
            results = self._ingested(target.object, target.key, {wanted.key: wanted.values for wanted in told.rows})
            # What is never changed after a record was made is refused only where the record is there already.
            there = {wanted.key: left for wanted in told.rows if (left := self._left(target.object, wanted, results))}
            if there:
                again = {key: left.values for key, left in there.items()}
                results.update(self._ingested(target.object, target.key, again))
            for place in good:
                row = rows[place]
                result = (
                    refused.get(row.key) or results.get(row.key) or UnknownOutcome("the job does not tell of this row")
                )
                receipts[place] = _receipt(target, row, result, link)
        return [receipts[place] for place in range(len(rows))]

    def _left(
        self, object: str, wanted: Wanted, results: Mapping[str, tuple[str, bool] | ConnectorError]
    ) -> Wanted | None:
        error = results.get(wanted.key)
        if not isinstance(error, Rejected) or not says(error, FIXED):
            return None
        return without(self._fixed, object, wanted, Told(code=FIXED, message="", fields=tuple(error.fields)))

    def _ingested(
        self, object: str, key: str, records: Mapping[str, Values]
    ) -> dict[str, tuple[str, bool] | ConnectorError]:
        """By key, the record's id and whether it is new, or what Salesforce has against it."""
        results: dict[str, tuple[str, bool] | ConnectorError] = {}
        name = "Id" if key in ("id", "Id") else key
        for text in _csvs(name, records):
            told: dict[str, Any] = {"object": object, "operation": "upsert", "externalIdFieldName": name,
                                    "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA"}  # fmt: skip
            job = str(word(self._rest.change("POST", "jobs/ingest", told), "id", changes=True))
            self._rest.sent("PUT", f"jobs/ingest/{job}/batches", text=text, changes=True)
            self._rest.change("PATCH", f"jobs/ingest/{job}", {"state": "UploadComplete"})
            failed = self._finished("ingest", job)
            for row in self._results(job, "successfulResults", name, "sf__Id", "sf__Created"):
                results[row[name]] = (row["sf__Id"], row["sf__Created"] == "true")
            for row in self._results(job, "failedResults", name, "sf__Error"):
                code, _, message = row["sf__Error"].partition(":")
                message, _, fields = message.rpartition(":")
                named = tuple(field for field in fields.removesuffix("--").strip().split(",") if field)
                results[row[name]] = failure(Told(code=code, message=message, fields=named))
            for row in self._results(job, "unprocessedrecords", name) if failed else ():
                results[row[name]] = Unavailable(f"Salesforce gave the bulk job up before this row: {failed}")
        return results

    def _results(self, job: str, kind: str, *columns: str) -> Iterator[dict[str, str]]:
        answer = self._rest.sent("GET", f"jobs/ingest/{job}/{kind}", changes=True)
        return _lines(answer, columns, changes=True)

    def _finished(self, kind: str, job: str) -> str:
        """Waits until a job is done; why it failed, empty where it did not."""
        waited = 0.0
        changes = kind == "ingest"
        for turn in range(10_000):
            told = json_of(self._rest.sent("GET", f"jobs/{kind}/{job}", changes=changes), "Salesforce", changes=changes)
            state = word(told, "state", changes=changes)
            if state == DONE:
                return ""
            if state in FAILED:
                return str(told.get("errorMessage") or state)[:200]
            seconds = WAITS[min(turn, len(WAITS) - 1)]
            if waited + seconds > self._seconds:
                break
            waited += seconds
            self._wait(seconds)
        late = f"Salesforce's bulk job {job} is still at work after {waited / 60:.0f} minutes"
        raise UnknownOutcome(late) if changes else Unavailable(late)

    # --- query ----------------------------------------

    def begun(self, soql: str) -> str:
        """The id of a query's job, when its results are there."""
        told = {
            "operation": "query",
            "query": soql,
            "contentType": "CSV",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }
        answer = self._rest.sent("POST", "jobs/query", body=told, changes=False)
        job = str(word(json_of(answer, "Salesforce", changes=False), "id", changes=False))
        if failed := self._finished("query", job):
            raise Unavailable(f"Salesforce's bulk query failed: {failed}")
        return job

    def page(self, job: str, locator: str, size: int) -> tuple[Iterator[dict[str, str]], str]:
        """One part of a query's results, and the locator of the next, empty at the end."""
        params = {"maxRecords": str(size)} | ({"locator": locator} if locator else {})
        answer = self._rest.sent("GET", f"jobs/query/{job}/results", params=params, changes=False)
        after = answer.headers.get("Sforce-Locator", "null")
        return _lines(answer, ("Id",), changes=False), "" if after == "null" else after


def _lines(answer: requests.Response, columns: Sequence[str], *, changes: bool) -> Iterator[dict[str, str]]:
    """The lines of a CSV; a page of HTML has not its columns."""
    text = answer.content.decode("utf-8", "replace")
    lines = csv.DictReader(io.StringIO(text, newline=""))
    if text.strip() and not set(columns) <= set(lines.fieldnames or ()):
        raise lost(changes)("Salesforce's answer is not the CSV that was asked for")
    return lines


def _split(target: Target, rows: Sequence[Row]) -> tuple[Batch, dict[str, ConnectorError]]:
    """The rows as records; by key those that cannot be one."""
    every = Batch(parents={}, rows=[])
    refused: dict[str, ConnectorError] = {}
    for row in rows:
        try:
            one = split(target, [row])
        except Rejected as error:
            refused[row.key] = error
            continue
        every.rows += one.rows
        for place, parents in one.parents.items():
            for key, values in parents.items():
                every.parents.setdefault(place, {}).setdefault(key, {}).update(values)
    # Rows of one parent beside each other: Salesforce locks it while it writes them, in batches of its own at once.
    every.rows.sort(key=lambda wanted: [str(wanted.values.get(name)) for name in ("WhoId", "WhatId", "CampaignId")])
    return every, refused


def _receipt(
    target: Target, row: Row, result: tuple[str, bool] | ConnectorError, link: Callable[[str, str], str]
) -> Receipt:
    if isinstance(result, ConnectorError):
        return Receipt(key=row.key, outcome="failed", error=result)
    id, created = result
    return Receipt(key=row.key, outcome="created" if created else "updated", id=id, url=link(target.object, id))


def _csvs(key: str, records: Mapping[str, Values]) -> Iterator[bytes]:
    """The records as CSV, in as many files as their size wants."""
    flat = {one: _columns(values) for one, values in records.items()}
    names = list(dict.fromkeys(name for values in flat.values() for name in values))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([key, *names])
    head, rows = text.tell(), 0
    for one, values in flat.items():
        writer.writerow([one, *(_cell(values[name]) if name in values else "" for name in names)])
        rows += 1
        if 4 * text.tell() > LARGEST:  # a character has four bytes at most
            yield text.getvalue().encode()
            text.seek(head)
            text.truncate()
            rows = 0
    if rows:
        yield text.getvalue().encode()


def _columns(values: Values) -> dict[str, Any]:
    """Records as columns: a parent by its key is `Contact:Who.Hub_Key__c`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            object = (value.get("attributes") or {}).get("type", "")
            for inner, key in value.items():
                if inner != "attributes":
                    flat[f"{object}:{name}.{field_name(inner)}" if object else f"{name}.{field_name(inner)}"] = key
        else:
            flat[name] = value
    return flat


def _cell(value: Any) -> str:
    if value is None or value == "":
        return EMPTY
    if isinstance(value, bool):
        return str(value).lower()
    return ";".join(value) if isinstance(value, list) else str(value)
