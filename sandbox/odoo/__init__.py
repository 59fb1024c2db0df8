"""Odoo's external API as far as its documents and its source go: JSON-2, JSON-RPC's `execute_kw`, and what clients need.

One database with partners, leads, notes, activities and mailing contacts. Both interfaces answer, whatever the version.
One line of JSON by `patchbay sandbox odoo --plain`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.frame import Faults
from sandbox.odoo.database import LOGIN, Database
from sandbox.odoo.wire import NAME, Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OWN_FAULTS = {
    "refused": "the key is refused: 401 by JSON-2, AccessDenied by JSON-RPC",
    "forbidden": "AccessError: our user may not do that",
    "serialization": "could not serialize access due to concurrent update: nothing was kept, and Odoo gave up trying again",
    "lock": "LockNotAvailable: another transaction holds the row",
    "database_gone": "500 before anything is done: psycopg2.OperationalError",
    "nameless": "load() refuses without saying which row it means",
}


class OdooSandbox:
    """One Odoo: its database, its user's key, and what goes wrong there."""

    def __init__(self, rows: int = 200, seed: int = 1) -> None:
        self.faults = Faults(own=OWN_FAULTS)
        self.database = Database(rows, seed)
        self.key = secrets.token_hex(20)
        self.service = Service(self.database, self.faults, self.key)

    def app(self, _url: str) -> WSGIApplication:
        """Both interfaces, and a page for the links."""
        return self.service.app

    def credentials(self) -> Mapping[str, Any]:
        """The user's API key; `login` is for JSON-RPC."""
        return {"key": self.key, "database": NAME, "login": LOGIN}
