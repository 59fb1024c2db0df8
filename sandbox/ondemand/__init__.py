"""Oracle CRM On Demand as far as its guides go: SOAP web services v2.0 and v1.0, CTIActivity, and its WSDLs.

Written from the Web Services, CTI and Troubleshooting guides; no instance was at hand, so what they leave open is
inference, said where it stands (`schema`, `documents`). One line of JSON by `patchbay sandbox ondemand --plain`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.frame import Faults
from sandbox.ondemand.state import Records
from sandbox.ondemand.wire import Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OWN_FAULTS = {
    "refused": "the UsernameToken is refused, and the WSDLs too",
    "rate": "SBL-ODU-01005: too many requests in a second; nothing is done",
    "allotment": "SBL-SBL-70172: the day's operations are used up; nothing is done",
    "concurrent": "SBL-SBL-70172: too many requests at a time; nothing is done",
    "modified": "SBL-DAT-00523: another user has changed the record; nothing is done",
    "no_server": "a fault that says Server Unavailable; nothing is done",
    "short_pages": "a page holds three records at most, whatever its size",
}


class OnDemandSandbox:
    """One company: its records, its users, and what goes wrong there."""

    def __init__(self, rows: int = 200, seed: int = 1) -> None:
        self.faults = Faults(own=OWN_FAULTS)
        self.records = Records(rows, seed)
        self.user, self.password = "ACME/patchbay", secrets.token_urlsafe(12)
        self.service = Service(self.records, self.faults, {self.user: self.password})
        self._url = ""

    def app(self, url: str) -> WSGIApplication:
        """The web services, their documents, and a page for the screen pop."""
        self._url = url
        return self.service.at(url)

    def credentials(self) -> Mapping[str, Any]:
        """The user, and where the documents are."""
        return {"user": self.user, "password": self.password, "wsdl": f"{self._url}/wsdl"}
