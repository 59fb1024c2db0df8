"""What SAP CRM's refusals mean. A business failure comes with status 200 and a log whose highest severity is 3 or more; what
the log says of it is words, so the words are a table, and those of locks are a setting.

Sources: the log of SAP's A2X services (help.sap.com; `MaximumLogItemSeverityCode`, items with TypeID, SeverityCode, Note).
Unverified: which texts a given release writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.wire.soap import SoapFault
from hub.errors import (
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Unavailable,
    UnknownOutcome,
)

WHO = "SAP CRM"
ERROR = 3  # severity: 1 information, 2 warning, 3 error, 4 abort
LONGEST_TEXT = 300  # of SAP's own words in our message
TEXTS: Sequence[tuple[re.Pattern[str], type[ConnectorError]]] = (
    (re.compile(r"log ?on|password|user .* (is )?locked by administrator", re.I), CredentialsRefused),
    (re.compile(r"no authori[sz]ation|not authori[sz]ed|missing authori[sz]ation", re.I), NotPermitted),
    (re.compile(r"does not exist|not found|no \w+( \w+)? found|unknown (business partner|document)", re.I), NotFound),
)


def of_log(log: Any, locks: Sequence[re.Pattern[str]]) -> ConnectorError | None:
    """What a confirmation's log says; None where it tells of no error."""
    if not isinstance(log, Mapping):
        return None
    items = [item for item in log.get("Item") or () if isinstance(item, Mapping)]
    worst = max([_severity(log.get("MaximumLogItemSeverityCode")), *(_severity(i.get("SeverityCode")) for i in items)])
    if worst < ERROR:
        return None
    notes = [
        str(item.get("Note") or item.get("TypeID") or "")
        for item in items
        if _severity(item.get("SeverityCode")) >= ERROR
    ]
    return _by_text("; ".join(note for note in notes if note), locks)


def of_messages(messages: Sequence[Any], locks: Sequence[re.Pattern[str]]) -> ConnectorError | None:
    """What a function module's return table (BAPIRET2) says; None where it tells of no error."""
    wrong = [str(one.get("MESSAGE") or one.get("ID") or "") for one in messages
             if isinstance(one, Mapping) and str(one.get("TYPE") or "") in ("E", "A", "X")]  # fmt: skip
    return _by_text("; ".join(text for text in wrong if text), locks) if wrong else None


def of_fault(fault: SoapFault, locks: Sequence[re.Pattern[str]], *, changes: bool) -> ConnectorError:
    """What a fault says. One with a detail, or that blames the client, is SAP's own and nothing was done; any other one may
    be a dump in the middle of the work."""
    told = f"{fault.message} {re.sub('<[^>]*>', ' ', fault.detail)}".strip()
    if any(pattern.search(told) for pattern in locks):
        return _by_text(told, locks)
    if "FailedAuthentication" in fault.code or "InvalidSecurity" in fault.code:
        return CredentialsRefused(f"{WHO} refuses the credentials")
    if fault.detail.strip() or fault.code.rpartition(":")[2] in ("Client", "Sender"):
        return _by_text(" ".join(told.split()), locks)
    kind = UnknownOutcome if changes else Unavailable
    return kind(f"{WHO} fails: {fault.message[:LONGEST_TEXT] or fault.code}")


def _by_text(text: str, locks: Sequence[re.Pattern[str]]) -> ConnectorError:
    if any(pattern.search(text) for pattern in locks):
        return Locked(f"{WHO}: somebody else holds the record")  # SAP's text names the person
    kind = next((kind for pattern, kind in TEXTS if pattern.search(text)), Rejected)
    return kind(f"{WHO} refuses it: {text[:LONGEST_TEXT] or 'it does not say why'}")


def _severity(code: Any) -> int:
    return int(code) if str(code or "").isdecimal() else 0
