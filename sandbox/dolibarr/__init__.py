"""Dolibarr as far as its source goes: records, filters with their traps, categories, what is cut out of texts, API keys.

Written from github.com/Dolibarr/dolibarr; no server was at hand. It speaks as version 22 or, told so, as version 13:
other statuses for missing rights and for empty lists, and colons that break filters. One line of JSON by `patchbay
sandbox dolibarr --plain`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.dolibarr.state import Records
from sandbox.dolibarr.wire import Service
from sandbox.frame import Faults

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

NEW, OLD = "22.0.1", "13.0.5"
OWN_FAULTS = {
    "refused": "the key is not taken: 401, and 503 of version 13",
    "forbidden": "a right is missing: 403, and 401 of version 13",
    "module_off": "200 with a page: the module API is off",
    "endpoint_off": "501 with a line of text: the module behind the address is off",
    "address": "503 with a line of text: calls from this address are not let in",
    "no_administrator": "the extra fields are for administrators",
    "database": "503 of Dolibarr itself to a list: the database does not answer",
    "lock": "the next write is refused with 500 and rolled back: a deadlock in the database",
    "validation": "the next write is refused with 500 and rolled back: the object's own check",
    "crash": "500 without a reason: an error in PHP",
    "unchanged": "the next change is answered with 200 and `false`: nothing was changed",
}


class DolibarrSandbox:
    """One Dolibarr: its records, its API key, and what goes wrong there."""

    VERSION = NEW

    def __init__(self, rows: int = 200, seed: int = 1) -> None:
        self.faults = Faults(own=OWN_FAULTS)
        self.records = Records(rows, seed)
        self.api_key = secrets.token_hex(16)
        self.service = Service(self.records, self.faults, self.api_key, self.VERSION)

    def app(self, url: str) -> WSGIApplication:  # noqa: ARG002  (its answers hold no address)
        """The API, and a page for the links."""
        return self.service.app

    def credentials(self) -> Mapping[str, Any]:
        """Of the user whose key the hub has."""
        return {"api_key": self.api_key}


class OldDolibarrSandbox(DolibarrSandbox):
    """The same as version 13."""

    VERSION = OLD
