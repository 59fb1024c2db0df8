"""EspoCRM's errors in our words: a table from statuses to classes, and the two bodies that say more.

Sources: docs.espocrm.com, "Error codes"; espocrm/espocrm, `Core/Api/ErrorOutput` (only 200, 201, 400, 401, 403, 404,
409, 500 and 503 come from EspoCRM itself, with the cause in X-Status-Reason), `Core/FieldValidation/Exceptions`
(`messageTranslation.data` names the field and the check it failed), `Core/Record/Service` (a duplicate's body is the list
of the records that are there), `Core/Record/Access/LinkCheck` (a relation to what is not there). Other statuses are those
of a proxy before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from connectors.wire.answers import lost, parsed, retry_after
from connectors.wire.discreet import discreet
from hub.errors import (
    Ambiguous,
    ConnectorError,
    CredentialsRefused,
    NotFound,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
    Unsupported,
)

WHO = "EspoCRM"

MEANING: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    401: CredentialsRefused,
    403: NotPermitted,
    404: NotFound,
    405: Unsupported,
    409: Ambiguous,
    413: Rejected,
    414: Rejected,
    503: Unavailable,  # maintenance, or a proxy without a server behind it: nothing was done
}


# The label of `messageTranslation`, where it says more than the status.
LABELS: Mapping[str, type[ConnectorError]] = {"cannotRelateNonExisting": NotFound}


class Duplicates(Ambiguous):
    """A new record looks like records that are there (409). `candidates` are those records as EspoCRM sent them, for
    the writer alone: they hold people's data, so no receipt carries them."""

    def __init__(self, message: str, candidates: list[dict[str, Any]]) -> None:
        self.candidates = candidates
        super().__init__(message)


def failed(answer: requests.Response, *, changes: bool) -> ConnectorError:
    """What an answer that is no success means. `changes`: the call would have changed something."""
    status = answer.status_code
    if status == 429:
        return Throttled(f"{WHO} is asked too often", retry_after(answer))
    if 300 <= status < 400:
        return Unavailable(f"{WHO} redirects instead of answering ({status})")
    said = _said(answer)
    label, data = _told(answer)
    if status == 400 and data.get("field"):
        field, check = discreet(str(data["field"])), discreet(str(data.get("type") or "not valid"))
        return Rejected(f"{WHO} refuses {field}: {check}", {field: check})
    if status == 409 and (candidates := _candidates(answer)):
        ids = ", ".join(str(one.get("id")) for one in candidates[:5])
        return Duplicates(f"{WHO} takes it for a duplicate of {ids}", candidates)
    kind = LABELS.get(label) or MEANING.get(status) or (lost(changes) if status >= 500 else Rejected)
    return kind(f"{WHO} answers {status}{said}")


def _said(answer: requests.Response) -> str:
    reason = discreet(answer.headers.get("X-Status-Reason", ""))
    return f": {reason}" if reason else ""


def _told(answer: requests.Response) -> tuple[str, dict[str, Any]]:
    """The label of what a person would be told, and the data in it; empty where the body is another."""
    body = _json(answer)
    told = body.get("messageTranslation") if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return "", {}
    data = told.get("data")
    return str(told.get("label") or ""), data if isinstance(data, dict) else {}


def _candidates(answer: requests.Response) -> list[dict[str, Any]]:
    body = _json(answer)
    return [one for one in body if isinstance(one, dict) and one.get("id")] if isinstance(body, list) else []


def _json(answer: requests.Response) -> Any:
    try:
        return parsed(answer.content)
    except ValueError:
        return None
