"""Bulk API 2.0: ingest and query jobs, which take some polls until they are done.

Sources: Bulk API 2.0 Developer Guide; the column names and headers as simple-salesforce and jsforce read them.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.frame import Faults
from sandbox.salesforce.errors import Refused, not_found
from sandbox.salesforce.org import Found, Org, id_18
from sandbox.salesforce.soql import Asked, Reader, answered, plain, reached

POLLS = 1  # how often a job says that it is still at work
PART = 100_000  # rows of one page of results, where the client does not ask for fewer
Sent = tuple[int, str, dict[str, str]]  # status, CSV, headers


class Job:
    """One job."""

    def __init__(self, id: str, told: Mapping[str, Any], version: str, kind: str) -> None:
        self.id, self.told, self.version, self.kind = id, dict(told), version, kind
        self.state = "Open" if kind == "ingest" else "UploadComplete"
        self.polls = 0
        self.error = ""
        self.upload = ""
        self.done: list[list[str]] = []
        self.failed: list[list[str]] = []
        self.left: list[list[str]] = []
        self.header: list[str] = []
        self.asked: Asked | None = None
        self.rows: list[Found] = []

    def shown(self) -> dict[str, Any]:
        """As the API tells it."""
        told = {
            "id": self.id, "operation": self.told.get("operation"), "object": self.told.get("object"),
            "createdById": "0055g000000000AAAU", "createdDate": "2026-11-23T10:00:00.000+0000",
            "systemModstamp": "2026-11-23T10:00:00.000+0000", "state": self.state, "concurrencyMode": "Parallel",
            "contentType": "CSV", "apiVersion": float(self.version), "lineEnding": self.told.get("lineEnding", "LF"),
            "columnDelimiter": self.told.get("columnDelimiter", "COMMA"),
            "jobType": "V2Ingest" if self.kind == "ingest" else "V2Query",
        }  # fmt: skip
        if self.kind == "ingest":
            told["contentUrl"] = f"services/data/v{self.version}/jobs/ingest/{self.id}/batches"
            told["externalIdFieldName"] = self.told.get("externalIdFieldName")
        if self.state in ("JobComplete", "Failed"):
            told |= {"numberRecordsProcessed": len(self.done) + len(self.failed) or len(self.rows),
                     "numberRecordsFailed": len(self.failed), "retries": 0, "totalProcessingTime": 10}  # fmt: skip
        if self.error:
            told["errorMessage"] = self.error
        return told


class Jobs:
    """All jobs."""

    def __init__(self, org: Org, faults: Faults) -> None:
        self._org, self._faults = org, faults
        self._jobs: dict[str, Job] = {}
        self._count = itertools.count(1)

    def answer(
        self, method: str, parts: Sequence[str], query: Mapping[str, str], body: Any, text: str, version: str
    ) -> tuple[int, Any] | Sent:
        """`jobs/ingest…` and `jobs/query…`."""
        kind = parts[0]
        if kind not in ("ingest", "query"):
            raise not_found()
        if len(parts) == 1:
            if method == "GET":
                return 200, {
                    "done": True,
                    "records": [job.shown() for job in self._jobs.values()],
                    "nextRecordsUrl": None,
                }
            return 200, self._made(kind, body if isinstance(body, dict) else {}, version).shown()
        job = self._jobs.get(parts[1])
        if job is None:
            raise not_found()
        what = parts[2].lower() if len(parts) > 2 else ""
        if kind == "query" and what == "results":
            return self._page(job, query)
        match method, what:
            case "PUT", "batches":
                if job.state != "Open":
                    raise Refused("INVALIDJOBSTATE", f"Job is not open: {job.state}")
                job.upload = text
                return 201, None
            case "PATCH", "":
                return 200, self._turned(job, str((body or {}).get("state")))
            case "GET", "":
                return 200, self._polled(job)
            case "DELETE", "":
                del self._jobs[job.id]
                return 204, None
            case "GET", "successfulresults":
                return 200, _csv(["sf__Id", "sf__Created", *job.header], job.done), {}
            case "GET", "failedresults":
                return 200, _csv(["sf__Id", "sf__Error", *job.header], job.failed), {}
            case "GET", "unprocessedrecords":
                return 200, _csv(job.header, job.left), {}
        raise Refused("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed.", status=405)

    def _made(self, kind: str, told: dict[str, Any], version: str) -> Job:
        job = Job(id_18(f"7505g{next(self._count):010d}"), told, version, kind)
        if kind == "query":
            job.asked = Reader(self._org, str(told.get("query", ""))).read()
            if job.asked.order or job.asked.limit is not None or job.asked.offset or job.asked.counts:
                raise Refused("API_ERROR", "ORDER BY, LIMIT, OFFSET and aggregates are not what Bulk API 2.0 is for")
        else:
            self._org.table(str(told.get("object", "")))
            if told.get("operation") not in ("insert", "update", "upsert", "delete", "hardDelete"):
                raise Refused("INVALIDJOB", "Unsupported operation")
            if told["operation"] == "upsert" and not told.get("externalIdFieldName"):
                raise Refused("INVALIDJOB", "External ID was blank for an upsert job")
        self._jobs[job.id] = job
        return job

    def _turned(self, job: Job, state: str) -> dict[str, Any]:
        if state == "Aborted":
            job.state = state
        elif state == "UploadComplete" and job.state == "Open":
            job.state = state
            with self._org.lock:
                self._ingest(job)
        else:
            raise Refused("INVALIDJOBSTATE", f"Job cannot go from {job.state} to {state}")
        return {**job.shown(), "state": state}

    def _polled(self, job: Job) -> dict[str, Any]:
        if job.state in ("UploadComplete", "InProgress"):
            if job.polls < POLLS or self._faults.take("job_slow"):
                job.polls, job.state = job.polls + 1, "InProgress"
            else:
                job.state = "Failed" if job.error else "JobComplete"
                if job.asked is not None and not job.error:
                    # The moment at which the job runs; later changes are not in its results.
                    job.rows = answered(self._org, job.asked, job.told.get("operation") == "queryAll")
        return job.shown()

    def _ingest(self, job: Job) -> None:
        delimiter = {"COMMA": ",", "TAB": "\t", "SEMICOLON": ";", "PIPE": "|"}[job.told.get("columnDelimiter", "COMMA")]
        rows = csv.reader(io.StringIO(job.upload, newline=""), delimiter=delimiter)
        job.header = next(rows, [])
        every = [row for row in rows if row]
        stop = len(every)
        if self._faults.take("job_failed"):
            stop = len(every) // 2
            job.error = "InternalServerError : batch was retried too often"
        for place, row in enumerate(every):
            if place >= stop:
                job.left.append(row)
                continue
            try:
                if place == min(1, len(every) - 1) and self._faults.take("lock"):
                    raise Refused("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
                id, created = self._one(job, dict(zip(job.header, row, strict=False)))
                job.done.append([id, str(created).lower(), *row])
            except Refused as refused:
                job.failed.append(["", f"{refused.code}:{refused.message}:{','.join(refused.fields)} --", *row])
        job.done.reverse()  # their order is nobody's promise

    def _one(self, job: Job, told: dict[str, str]) -> tuple[str, bool]:
        # An empty value leaves the field as it is, #N/A empties it.
        values = {name: None if value == "#N/A" else value for name, value in told.items() if value != ""}
        values = _related(values)
        object, key = str(job.told["object"]), str(job.told.get("externalIdFieldName") or "Id")
        id = str(told.get("Id") or told.get("ID") or "")
        rest = {name: value for name, value in values.items() if name.lower() not in ("id", key.lower())}
        match job.told["operation"]:
            case "insert":
                return self._org.insert(object, values), True
            case "update":
                return self._org.update(object, id, rest), False
            case "upsert" if key.lower() == "id":
                return self._org.update(object, id, rest), False
            case "upsert":
                return self._org.upsert(object, key, values.get(key), rest)
        return self._org.delete(id), False

    def _page(self, job: Job, query: Mapping[str, str]) -> Sent:
        if job.state != "JobComplete" or job.asked is None:
            raise Refused("INVALIDJOBSTATE", "Results are not available yet")
        locator = query.get("locator", "")
        if locator and (self._faults.take("locator_lost") or not locator.isdecimal() or int(locator) >= len(job.rows)):
            raise Refused("INVALID_LOCATOR", "The requested locator is not valid")
        start, size = int(locator or 0), min(int(query.get("maxRecords") or PART), PART)
        part, after = job.rows[start : start + size], start + size
        names = [".".join(path) for path in job.asked.fields]
        rows = [
            [_cell(reached(self._org, job.asked.table, found, path)) for path in job.asked.fields] for found in part
        ]
        headers = {
            "Sforce-Locator": str(after) if after < len(job.rows) else "null",
            "Sforce-NumberOfRecords": str(len(part)),
        }
        return 200, _csv(names, rows), headers


def _related(values: dict[str, Any]) -> dict[str, Any]:
    """`Who.Hub_Key__c` or `Contact:Who.Hub_Key__c` as a column is a reference by the other's external id."""
    told: dict[str, Any] = {}
    for name, value in values.items():
        if "." not in name:
            told[name] = value
        elif value is not None:
            relation, field = name.split(".", 1)
            object, _, relation = relation.rpartition(":")
            told[relation] = {field: value} | ({"attributes": {"type": object}} if object else {})
    return told


def _cell(value: Any) -> str:
    value = plain(value)
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value).replace("+0000", "Z")


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
