"""Siebel's errors in our words: a table of its SBL codes, one of HTTP status, and which of them tell of a single row.

The body is `{"ERROR": "words (SBL-…)"}`. A request that Siebel itself refuses changed nothing: a message is one transaction.
Source: Oracle, Siebel REST API Guide, "About Standard HTTP Status Codes and Error Messages", "Inserting Multiple … When a
Record Already Exists" (409, SBL-EAI-04383), "Deleting Multiple … When A Record is Deleted" (400, SBL-EAI-04378), "Using a
Siebel CRM Business Service to Insert an Account" (500, SBL-EAI-04397); Oracle Web Services On Demand Troubleshooting Guide
for codes of the same object manager; bcgov/myss, Apps/IcmApi/README.md, which measured a deployment in 2026.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import requests
from msgspec import Struct

from connectors.wire.answers import lost, parsed, retry_after
from connectors.wire.discreet import discreet
from hub.errors import (
    Ambiguous,
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
)

WHO = "Siebel"
CODES: Mapping[str, type[ConnectorError]] = {
    # Documented by Oracle.
    "SBL-DAT-00225": Rejected,  # the value is not in the bounded pick list
    "SBL-DAT-00398": Rejected,  # no such field
    "SBL-DAT-00498": Rejected,  # a required field is empty
    "SBL-DAT-00500": Rejected,  # more than 10,000 rows
    "SBL-EAI-04378": NotFound,  # no row for this user key
    "SBL-EAI-04381": Rejected,  # a record with this user key is there already
    "SBL-EAI-04383": Rejected,  # the same, on insert
    "SBL-EAI-04390": Ambiguous,  # several records have this user key
    "SBL-EAI-04397": Rejected,  # no user key was given
    "SBL-EAI-04447": Rejected,  # PageSize beyond the server's MaximumPageSize
    "SBL-ODS-50006": Rejected,  # a record with these unique values is there already
    # Measured on a deployment.
    "SBL-DAT-00359": Rejected,  # a date that is none of MM/DD/YYYY
    "SBL-DAT-00416": Rejected,  # a field of the searchspec that is none
    "SBL-DAT-00825": NotPermitted,  # access to the resource is denied
    "SBL-EAI-04401": Rejected,  # a value outside a bounded pick list
    "SBL-EAI-50257": NotFound,  # no such resource
    "SBL-EAI-50258": Rejected,  # a field of `fields` that is none
    "SBL-EAI-50297": NotFound,  # not enabled for access by REST
    # Siebel's own, unverified: no guide that was read explains them.
    "SBL-DAT-00235": Rejected,
    "SBL-DAT-00279": NotPermitted,
    "SBL-DAT-00381": Rejected,  # a similar record is there
    "SBL-DAT-00382": Rejected,
    "SBL-DAT-00393": Rejected,
    "SBL-DAT-00402": Rejected,
    "SBL-DAT-00523": Locked,  # another user changed the record since it was read
    "SBL-DAT-00542": NotPermitted,
    "SBL-DAT-00553": NotPermitted,
    "SBL-EAI-04375": Ambiguous,
    "SBL-EAI-04403": NotFound,
    "SBL-EAI-04421": NotPermitted,  # the record may not be deleted
    "SBL-EXL-00151": Rejected,  # the customer is there already
    "SBL-UIF-00272": CredentialsRefused,  # the user or the password is wrong
}
# Unverified, by what these parts of the object manager do: None is "nobody knows whether it was done".
FAMILIES: Mapping[str, type[ConnectorError] | None] = {
    "SBL-SEC": CredentialsRefused,
    "SBL-NET": None,
    "SBL-SVR": None,
    "SBL-SSM": None,
    "SBL-SMI": None,
}
STATUS: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    401: CredentialsRefused,
    403: NotPermitted,
    404: NotFound,
    405: NotPermitted,
    406: Rejected,
    409: Rejected,
    413: Rejected,
    414: Rejected,
    415: Rejected,
    503: Unavailable,
}
DUPLICATE = ("SBL-EAI-04383", "SBL-EAI-04381")
NOTHING = ("SBL-EAI-04378", "SBL-ODU-57081")  # as the answer to a query: there are no records
WHOLE = ("SBL-DAT-00825", "SBL-EAI-50257", "SBL-EAI-50297")  # of the resource, not of a record
_CODE = re.compile(r"SBL-[A-Z]{3}-\d{5}")
_FIELD = re.compile(r"(?:\bfield|\bof|^)\s*'(?:<field>)?([^'<>]{1,75})(?:</field>)?'", re.IGNORECASE)


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a request was refused. `row`: one of its records is the reason, and without it the others may go."""

    error: ConnectorError
    row: bool
    code: str = ""
    words: str = ""


def failed(answer: requests.Response, *, changes: bool) -> ConnectorError:
    """What an answer that is no success means."""
    return refusal(answer, changes=changes).error


def refusal(answer: requests.Response, *, changes: bool) -> Refusal:
    """What an answer that is no success means, and whether it is about one record."""
    status, words = answer.status_code, _words(answer)
    if status == 429:
        return Refusal(error=Throttled(f"{WHO} takes no more calls just now", retry_after(answer)), row=False)
    if 300 <= status < 400:
        return Refusal(error=Unavailable(f"{WHO} answers {status}: somebody's sign-in page, perhaps"), row=False)
    message = f"{WHO} answers {status}" + (f": {discreet(words)}" if words else "")
    code, kind = _meant(words, changes)
    if kind is None and not code:
        kind = STATUS.get(status) or (lost(changes) if status >= 500 else Rejected)
    elif kind is None:
        # It told its own code, so it looked at the request, refused it and rolled it back.
        kind = CredentialsRefused if status == 401 else Rejected
    row = bool(code) and code not in WHOLE and issubclass(kind, Rejected | NotFound | Ambiguous | Locked | NotPermitted)
    row = row or (kind is Rejected and status in (400, 409, 413)) or (kind is NotFound and is_nothing(answer))
    if kind is Rejected:
        named = _FIELD.search(words)
        error: ConnectorError = Rejected(message, {named[1]: discreet(words)} if named else None)
    else:
        error = kind(message)
    return Refusal(error=error, row=row, code=code, words=words)


def is_nothing(answer: requests.Response) -> bool:
    """Whether an answer says that a query found no records: 204, or 404 with words and no code of an error.

    The guide has both, `No Resource Found` and `There is no data for the requested resource`; the words may be translated.
    """
    if answer.status_code == 204:
        return True
    if answer.status_code != 404:
        return False
    words = _words(answer)
    codes = _CODE.findall(words)
    return bool(words) and all(code in NOTHING for code in codes)


def _meant(words: str, changes: bool) -> tuple[str, type[ConnectorError] | None]:
    """The code that tells the cause, and its class: an error that only quotes another one is not in the tables."""
    codes = _CODE.findall(words)
    for code in codes:
        if code in CODES:
            return code, CODES[code]
    for code in codes:
        if code[:7] in FAMILIES:
            return code, FAMILIES[code[:7]] or lost(changes)
    return (codes[0], None) if codes else ("", None)


def _words(answer: requests.Response) -> str:
    """Siebel's own words; none where the body is somebody else's."""
    try:
        body: Any = parsed(answer.content)
    except ValueError:
        return ""
    told = (
        next((body[name] for name in ("ERROR", "error", "message") if name in body), "")
        if isinstance(body, dict)
        else ""
    )
    return told if isinstance(told, str) else json.dumps(told)
