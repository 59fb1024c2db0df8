"""What Salesforce's error codes mean, as a table, for a whole answer and for one row of a batch.

Sources: REST API Developer Guide, Status Codes and Error Responses; SOAP API Developer Guide, StatusCode. Errors come as a
JSON array of `{"errorCode", "message", "fields"}`; a row of a collection says `statusCode` instead of `errorCode`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from connectors.wire.answers import lost
from hub.errors import (
    Ambiguous,
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    QuotaSpent,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
)

# What is not here is a value that was refused: Rejected.
CODES: Mapping[str, type[ConnectorError]] = {
    "UNABLE_TO_LOCK_ROW": Locked,
    # An innocent row, rolled back with another one's failure: it may well pass alone.
    "PROCESSING_HALTED": Locked,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": Locked,
    "NOT_FOUND": NotFound,
    "ENTITY_IS_DELETED": NotFound,
    "INVALID_TYPE": NotFound,
    "DUPLICATE_EXTERNAL_ID": Ambiguous,
    # A duplicate rule wants a person to look.
    "DUPLICATES_DETECTED": Ambiguous,
    "INSUFFICIENT_ACCESS": NotPermitted,
    "INSUFFICIENT_ACCESS_OR_READONLY": NotPermitted,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": NotPermitted,
    "CANNOT_UPDATE_CONVERTED_LEAD": NotPermitted,
    "FUNCTIONALITY_NOT_ENABLED": NotPermitted,
    "SERVER_UNAVAILABLE": Unavailable,
    "QUERY_TIMEOUT": Unavailable,
    "REQUEST_RUNNING_TOO_LONG": UnknownOutcome,
    "UNKNOWN_EXCEPTION": UnknownOutcome,
    "LIMIT_EXCEEDED": Throttled,
    "EXCEEDED_QUOTA": QuotaSpent,
    "STORAGE_LIMIT_EXCEEDED": QuotaSpent,
    # Nobody's row is at fault, and no retry helps: the connection pauses, its queue waits.
    "API_DISABLED_FOR_ORG": CredentialsRefused,
    "API_CURRENTLY_DISABLED": CredentialsRefused,
    "UNSUPPORTED_API_VERSION": CredentialsRefused,
    "INVALID_SESSION_ID": CredentialsRefused,
}
FIXED = "INVALID_FIELD_FOR_INSERT_UPDATE"
DUPLICATE = re.compile(r"duplicate value found: (\w+) duplicates value on record with id: (\w{15,18})")

# Messages that repeat what was sent; a person's data does not belong in an error.
_REPEATS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"data value too large: .*(\(max length=\d+\))", re.DOTALL), r"too long \1"),
    (re.compile(r"(invalid email address|value not of required type|id value of incorrect type|"
                r"value outside of valid range[^:]*|Duplicate external id specified): .*", re.DOTALL), r"\1"),
    (re.compile(r"(Cannot deserialize instance of \S+) from .*", re.DOTALL), r"\1"),
    (re.compile(r"Foreign key external ID: .*? not found for field (\S+) in entity (\S+)", re.DOTALL),
     r"no \2 has this \1"),
)  # fmt: skip
# These repeat the query, and it holds numbers and names.
_OF_QUERIES = ("MALFORMED_QUERY", "MALFORMED_SEARCH", "INVALID_QUERY_FILTER_OPERATOR", "QUERY_TOO_COMPLICATED")
NO_LOCATOR = ("INVALID_QUERY_LOCATOR", "INVALID_LOCATOR", "INVALIDJOBSTATE", "NOT_FOUND")


class Told(Struct, frozen=True, kw_only=True):
    """One error as Salesforce told it."""

    code: str
    message: str
    fields: tuple[str, ...] = ()


def says(error: Exception, *codes: str) -> bool:
    """Whether an error is made of one of these codes."""
    return str(error).partition(":")[0] in codes


def told_in(body: Any) -> Told:
    """The first error of an answer or of a row, whatever its shape: a proxy answers with an object, not an array."""
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return Told(code="", message="")
    code = first.get("errorCode") or first.get("statusCode") or first.get("error") or ""
    message = first.get("message") or first.get("error_description") or ""
    fields = first.get("fields") or ()
    return Told(code=str(code), message=str(message), fields=tuple(map(str, fields)))


def failure(told: Told, status: int = 400, *, changes: bool = True, retry_after: float | None = None) -> ConnectorError:
    """The error of a whole answer or, with the status left out, of one row."""
    code, message = told.code, told.message
    if status == 429:
        return Throttled("Salesforce takes no more calls just now", retry_after)
    if status == 300:
        return Ambiguous("several records have this key in Salesforce")
    if code == "REQUEST_LIMIT_EXCEEDED":
        if message.startswith("TotalRequests"):
            return QuotaSpent("the organisation's API calls of the last 24 hours are spent")
        return Throttled("too many long requests at once in this organisation", retry_after)
    if status == 410:
        return CredentialsRefused("Salesforce has retired this API version: raise the setting api_version")
    # A trigger's failure is wrapped; a lock within it is a lock.
    if "UNABLE_TO_LOCK_ROW" in message:
        return Locked("UNABLE_TO_LOCK_ROW: a record is locked")
    kind = CODES.get(code)
    if kind is None and status == 503:
        return Unavailable(f"Salesforce answers 503 {code}".rstrip())
    if kind is None and status >= 500:
        return lost(changes)(f"Salesforce answers {status} {code}".rstrip())
    if kind is UnknownOutcome:
        return lost(changes)(words(told))
    if kind is None and status in (403, 404):
        kind = NotPermitted if status == 403 else NotFound
    if kind is None or kind is Rejected:
        return Rejected(words(told), {name: words(told) for name in told.fields})
    return kind(words(told))


def words(told: Told) -> str:
    """An error in a line, without what was sent."""
    if told.code in _OF_QUERIES:
        return f"{told.code}: Salesforce cannot do this query"
    message = told.message.strip().rpartition("\n")[2]  # before it, the query is repeated
    for pattern, plainly in _REPEATS:
        message = pattern.sub(plainly, message)
    return ": ".join(part for part in (told.code, message[:400]) if part) or "Salesforce does not say why"
