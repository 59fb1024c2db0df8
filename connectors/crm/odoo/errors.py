"""Odoo's errors in our words: a table of its exceptions' names, whichever way they come.

JSON-2 answers real statuses with {name, message, arguments, context, debug}; JSON-RPC answers 200 with {error: {data:
{name, message, debug}}}. Sources: Odoo documentation, "External JSON-2 API" and "External RPC API" (19.0);
`odoo/exceptions.py` and `odoo/http.py` (serialize_exception). Read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.wire.answers import lost
from connectors.wire.discreet import discreet
from hub.errors import ConnectorError, CredentialsRefused, Locked, NotFound, NotPermitted, Rejected, Unavailable

WHO = "Odoo"
# The last word of an exception's name.
NAMES: Mapping[str, type[ConnectorError]] = {
    "AccessDenied": CredentialsRefused,
    "Unauthorized": CredentialsRefused,
    "SessionExpiredException": CredentialsRefused,
    "AccessError": NotPermitted,
    "Forbidden": NotPermitted,
    "MissingError": NotFound,
    "NotFound": NotFound,
    "ValidationError": Rejected,
    "UserError": Rejected,
    "RedirectWarning": Rejected,
    "UnprocessableEntity": Rejected,
    "BadRequest": Rejected,
    "ValueError": Rejected,
    "TypeError": Rejected,
    "KeyError": Rejected,
    "LockError": Locked,
    "ConcurrencyError": Locked,
    "LockNotAvailable": Locked,
    "SerializationFailure": Locked,
    "DeadlockDetected": Locked,
    "TransactionRollbackError": Locked,
}
STATUS: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    401: CredentialsRefused,
    403: NotPermitted,
    404: NotFound,
    409: Locked,
    413: Rejected,
    422: Rejected,
    503: Unavailable,
}
# What PostgreSQL says when two transactions met: nothing was kept, and Odoo has tried again by itself already.
MET = ("could not serialize access", "could not obtain lock", "deadlock detected")


def meant(told: Mapping[str, Any], status: int, *, changes: bool) -> ConnectorError:
    """What an error means: by its words where two transactions met, by its name, else by the answer's status."""
    name, words = str(told.get("name") or ""), str(told.get("message") or "")
    kind = NAMES.get(name.rpartition(".")[2])
    if any(word in words for word in MET):
        kind = Locked
    if kind is None:
        kind = STATUS.get(status) or (lost(changes) if status >= 500 or status == 200 else Rejected)
    label = name.rpartition(".")[2] or str(status)
    said = discreet(words)
    return kind(f"{WHO} answers {label}: {said}" if said else f"{WHO} answers {label}")
