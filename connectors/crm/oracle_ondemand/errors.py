"""CRM On Demand's faults in our words: a table of its SBL codes.

Source: Oracle, Web Services On Demand Troubleshooting Guide 6.0, and Web Services On Demand Guide, "Limiters". A fault
means that nothing was done: a batch with one wrong record is refused whole.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping

from connectors.wire.discreet import discreet
from connectors.wire.soap import SoapFault
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
)

WHO = "Oracle CRM On Demand"
CODES: Mapping[str, type[ConnectorError]] = {
    # In the guides.
    "SBL-DAT-00125": Rejected,  # a required argument is missing
    "SBL-DAT-00225": Rejected,  # the value is not in the bounded pick list
    "SBL-DAT-00398": Rejected,  # no such field
    "SBL-DAT-00498": Rejected,  # a required field is empty
    "SBL-DAT-00500": Rejected,  # more than 10,000 rows
    "SBL-EAI-04127": Rejected,  # no such element
    "SBL-EAI-04304": Rejected,  # no such message
    "SBL-EAI-04316": Rejected,
    "SBL-EAI-04390": Ambiguous,  # several records have this user key
    "SBL-EAI-04397": Rejected,  # no user key was given
    "SBL-EAI-04447": Rejected,  # a page of more than 100
    "SBL-EAI-04471": NotPermitted,  # not our user's book
    "SBL-ODS-50006": Rejected,  # a record with these unique values is there already
    "SBL-ODU-00251": Unavailable,
    "SBL-ODU-00271": Rejected,  # a wrong parameter
    "SBL-ODU-01004": Rejected,  # more than 28,800 KB
    "SBL-ODU-57081": NotFound,
    # Siebel's own, which the guides that were read do not explain (unverified).
    "SBL-DAT-00235": Rejected,
    "SBL-DAT-00279": Rejected,
    "SBL-DAT-00357": NotFound,
    "SBL-DAT-00523": Locked,  # another user changed the record meanwhile
    "SBL-DAT-00542": Locked,
    "SBL-DAT-00553": NotPermitted,
    "SBL-EAI-04375": Ambiguous,
    "SBL-EAI-04378": NotFound,  # no record has this user key
}
FAMILIES: Mapping[str, type[ConnectorError]] = {"SBL-SEC": CredentialsRefused, "SBL-NET": Unavailable}
REQUEST_RATE, ALLOTMENT = "SBL-ODU-01005", "SBL-SBL-70172"
REFUSED = ("failedauthentication", "invalidsecurity", "invalidsecuritytoken")  # WS-Security 1.1, 12
HOUR = dt.timedelta(hours=1)

_CODE = re.compile(r"SBL-[A-Z]{3}-\d{5}")
_WAIT = re.compile(r"(\d+)\s*ms\b")
_FIELD = re.compile(r"(?:field|tag)\s+'?([A-Za-z]\w*)'?")


def failure(fault: SoapFault, now: Callable[[], dt.datetime]) -> ConnectorError:
    """What a fault means."""
    words = fault.message.strip()
    codes = _CODE.findall(f"{words} {fault.detail}")
    message = f"{WHO}: {discreet(words)}"
    if fault.code.rpartition(":")[2].lower() in REFUSED:
        return CredentialsRefused(f"{WHO} refuses the user or the password")
    if REQUEST_RATE in codes:
        wait = _WAIT.search(words)
        return Throttled(f"{WHO} takes twenty requests a second", int(wait[1]) / 1000 if wait else None)
    if ALLOTMENT in codes:
        if "concurrent" in words.lower():
            return Throttled(f"{WHO} takes no more requests at the same time", None)
        # It counts the last 24 hours, hour by hour, so the next hour has room again.
        return QuotaSpent(f"the company's Web Services Operations Allotment at {WHO} is used up", now() + HOUR)
    # The stack tells the cause last; the first code that we know decides.
    kind = next((CODES[code] for code in reversed(codes) if code in CODES), None)
    kind = kind or next((FAMILIES[code[:7]] for code in codes if code[:7] in FAMILIES), None)
    if kind is None:
        unavailable = not codes and ("unavailable" in words.lower() or not words)
        kind = Unavailable if unavailable else Rejected
    if kind is Rejected:
        field = _FIELD.search(words)
        return Rejected(message, {field[1]: discreet(words)} if field else None)
    return kind(message)
