"""Siebel CRM as far as its guides go: the data API with searchspec, arrays, describe, business services and pages.

Written from Oracle's Siebel REST API Guide and from what a public project measured on a deployment (bcgov/myss); no server
was at hand, so what they leave open is inference, said where it stands. One line of JSON by `patchbay sandbox siebel
--plain`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.frame import Faults
from sandbox.siebel.state import USER, Records
from sandbox.siebel.wire import Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OWN_FAULTS = {
    "expired": "401 once more than the client expects: the token has ended",
    "refused": "401 to everything: the user is disabled",
    "forbidden": "403 with SBL-DAT-00825: our user's responsibility lacks the resource",
    "modified": "the next record of a write is refused with SBL-DAT-00523: another user changed it since it was read",
    "server_error": "500 without a code of Siebel's, before anything is done",
    "object_manager": "500 with SBL-SVR-01042, before anything is done: the object manager cannot be reached",
    "no_content": "a query that finds nothing is answered 204 instead of 404",
    "bare_records": "an older server, which knows no uniformresponse: one record comes as an object, not as a list",
    "small_pages": "the server's MaximumPageSize is 20: a larger page is refused",
    "no_updated": "the integration object does not show Created and Updated, as an unchanged repository's do not",
    "other_order": "the database orders row ids backwards",
    "no_status": "a business service answers without a status object",
}


class SiebelSandbox:
    """One enterprise: its records, its users, and what goes wrong there."""

    def __init__(self, rows: int = 200, seed: int = 1) -> None:
        self.faults = Faults(own=OWN_FAULTS)
        self.records = Records(rows, seed)
        self.user, self.password = USER, secrets.token_urlsafe(12)
        self.client_id, self.client_secret = "patchbay", secrets.token_urlsafe(12)
        self.service = Service(
            self.records, self.faults, {self.user: self.password}, {self.client_id: self.client_secret}
        )

    def app(self, url: str) -> WSGIApplication:
        """The REST API, a token service beside it, and a page for the addresses that a browser opens."""
        return self.service.at(url)

    def credentials(self) -> Mapping[str, Any]:
        """For basic authentication; `client_id` and `client_secret` work too, at /oauth2/token."""
        return {"user": self.user, "password": self.password}
