"""How Dataverse says no: a status, a code and a message, as JSON.

Codes: Microsoft's "Web service error codes" and "Handle errors" pages, and the service protection limits page; those
of which only the meaning is sure are marked [K] in the reference that the connector goes by, and no client should
hang on them.
"""

from __future__ import annotations

import json

from sandbox.frame.odata_batch import Answer

REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 412: "Precondition Failed", 413: "Payload Too Large",
    429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable",
}  # fmt: skip
JSON = "application/json; odata.metadata=minimal"

INVALID_ARGUMENT = "0x80040203"
UNEXPECTED = "0x80040216"
NOT_THERE = "0x80040217"
PRIVILEGE = "0x80040220"
DUPLICATE = "0x80040237"
SQL_TIMEOUT = "0x80044151"
DEADLOCK = "0x80044150"
TOO_LONG = "0x80044331"
OUT_OF_RANGE = "0x80044330"
STAMP_EXPIRED = "0x80044352"
STATE = "0x80048408"
PAYLOAD = "0x80048d19"
VERSION = "0x80060882"
QUERY = "0x80060888"
KEY_NOT_THERE = "0x80060891"
NOT_EMPTY_BATCH = "0x80048d19"
THROTTLED = {
    "throttled_requests": ("0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds."),
    "throttled_time": ("0x80072321", "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds "
                       "over time window of 300 seconds."),
    "throttled_concurrent": ("0x80072326", "Number of concurrent requests exceeded the limit of 52."),
}  # fmt: skip


class DataverseError(Exception):
    """A request that is refused."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.code, self.headers = status, code, headers or {}
        super().__init__(message)

    def answer(self, id: str = "") -> Answer:
        """As it is said."""
        body = json.dumps({"error": {"code": self.code, "message": str(self)}}).encode()
        headers = {"Content-Type": JSON, "OData-Version": "4.0", **self.headers}
        return Answer(status=self.status, reason=REASONS[self.status], headers=headers, body=body, id=id)


def no_property(name: str, table: str) -> DataverseError:
    """A column that a query names and that is not there. Names are case-sensitive."""
    return DataverseError(
        400, QUERY, f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'."
    )


def not_there(label: str, id: str) -> DataverseError:
    """A record that is not there."""
    return DataverseError(404, NOT_THERE, f"Entity '{label}' With Id = {id} Does Not Exist")


def bad_payload(what: str) -> DataverseError:
    """A body that does not fit the table."""
    return DataverseError(400, PAYLOAD, f"Error identified in Payload provided by the user for Entity :'', {what}")


def throttled(name: str, seconds: int) -> DataverseError:
    """One of the three service protection limits."""
    code, message = THROTTLED[name]
    return DataverseError(429, code, message, {"Retry-After": str(seconds)})
