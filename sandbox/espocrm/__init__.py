"""EspoCRM as far as its documents and its source go: records, `where`, relations, metadata, API users.

Written from docs.espocrm.com and github.com/espocrm/espocrm; no server was at hand. The API user signs in by key, a
second one by HMAC. One line of JSON by `patchbay sandbox espocrm --plain`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.espocrm.state import Records
from sandbox.espocrm.wire import Service
from sandbox.frame import Faults

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OWN_FAULTS = {
    "refused": "401 to everything: the API user is disabled",
    "forbidden": "403: the API user's role does not allow it",
    "maintenance": "503 of EspoCRM itself: maintenance mode, nothing is done",
    "broken": "500 without a reason and with nothing done: a deadlock in the database",
    "duplicate": "the next new record is refused with 409 as a duplicate of an older one",
    "duplicate_unnamed": "409 without the records that it would be a duplicate of",
    "validation": "the next write is refused with 400: the field `name` fails its check",
    "plain_400": "the next write is refused with 400 and a line of HTML, as older versions do",
    "whole_metadata": "Metadata does not know `key` and answers with everything, as before 8.2",
    "small_pages": "more than 20 records a page are refused with 403: recordListMaxSizeLimit",
}


class EspoSandbox:
    """One EspoCRM: its records, its API users, and what goes wrong there."""

    def __init__(self, rows: int = 200, seed: int = 1) -> None:
        self.faults = Faults(own=OWN_FAULTS)
        self.records = Records(rows, seed)
        self.api_key = secrets.token_hex(16)
        self.hmac_key, self.hmac_secret = secrets.token_hex(16), secrets.token_hex(16)
        self.service = Service(self.records, self.faults, self.api_key, self.hmac_key, self.hmac_secret)

    def app(self, url: str) -> WSGIApplication:  # noqa: ARG002  (its answers hold no address)
        """The API, and a page for the links."""
        return self.service.app

    def credentials(self) -> Mapping[str, Any]:
        """Of the API user that signs in by key; `assigned_user` is the one to whom its new records belong."""
        return {"api_key": self.api_key, "assigned_user": self.records.owner}
