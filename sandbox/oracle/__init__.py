"""Oracle Fusion Cloud Sales as far as its documents go: REST resources with `q`, upsert, batches and /describe.

Written from docs.oracle.com (faaps 25d); no pod was at hand, so what the documents leave open is inference, said where it
stands. One line of JSON by `patchbay sandbox oracle --plain`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.frame import Faults
from sandbox.oracle.state import USER, Records
from sandbox.oracle.wire import Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OWN_FAULTS = {
    "expired": "401 once more than the client expects: the token or the session has ended",
    "refused": "401 to everything: the user is disabled",
    "forbidden": "403: our user lacks the privilege",
    "row_locked": "the next row of a batch that is written is refused with JBO-26030",
    "plain_errors": "errors come as one line of text/plain, and no part of a batch is named",
    "error_paths": "errors of a batch come as o:errorDetails, the part named in o:errorPath",
    "server_error": "500 with error+json, before anything is done: the database was gone",
    "short_pages": "a page holds three items at most, whatever its limit, and says that more follow",
    "empty_page": "a page of records that our user may not see comes first: it holds nothing and more follow",
}


class OracleSandbox:
    """One pod: its records, its users, and what goes wrong there."""

    def __init__(self, rows: int = 200, seed: int = 1) -> None:
        self.faults = Faults(own=OWN_FAULTS)
        self.records = Records(rows, seed)
        self.user, self.password = USER, secrets.token_urlsafe(12)
        self.client_id, self.client_secret = "8f1c5e", secrets.token_urlsafe(12)
        self.service = Service(
            self.records, self.faults, {self.user: self.password}, {self.client_id: self.client_secret}
        )

    def app(self, url: str) -> WSGIApplication:
        """The REST services, the token service, and a page for the deep links."""
        return self.service.at(url)

    def credentials(self) -> Mapping[str, Any]:
        """For basic authentication; `client_id` and `client_secret` work too, at /oauth2/v1/token."""
        return {"user": self.user, "password": self.password}
