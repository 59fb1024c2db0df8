"""A stand-in for SAP Cloud for Customer: the OData v2 service `c4codataapi` with csrf, ETags, `$batch`, pages of 1000 and
C4C's own filters, over sample people. Judged by pyodata, SAP's own client; it knows nothing of the connector.

What is real here is the wire format and C4C's documented oddities; which fields there are is a small part of SAP's EDMX, and
what SAP's business rules would refuse beyond the few in `state` is not modelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.frame import Faults
from sandbox.sap_c4c.gate import TOKEN_PATH, Gate
from sandbox.sap_c4c.state import State
from sandbox.sap_c4c.web import Web

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OWN_FAULTS: Mapping[str, str] = {
    "unauthorized": "401: the credentials are not taken",
    "csrf_expired": "403 with x-csrf-token: Required, although the token was right a moment ago",
    "lock": "a write is refused because another user holds the object; only the text says so",
    "changed_meanwhile": "somebody changes the record just before If-Match is compared: 412",
    "business_500": "a business error that comes with status 500 and an OData error; nothing is done",
}


class SapC4cSandbox:
    """One tenant. `page` is how many rows the server gives at once; `nested`: whether one entity stands in `d.results`."""

    def __init__(self, rows: int = 200, seed: int = 1, *, page: int = 1000, nested: bool = True) -> None:
        self.faults = Faults(own=OWN_FAULTS)
        self.state = State(self.faults, rows, seed)
        self._page, self._nested = page, nested

    def app(self, url: str) -> WSGIApplication:
        """The tenant's web service."""
        user, password = self.credentials().values()
        gate = Gate(self.faults, user=user, password=password, client=("PATCHBAY", "client-secret-1"))
        return Web(self.state, gate, url, page=self._page, nested=self._nested)

    def credentials(self) -> Mapping[str, Any]:
        """The technical user's."""
        return {"user": "_PATCHBAY", "password": "Welcome1!"}

    def oauth(self, url: str) -> Mapping[str, Any]:
        """The other way to sign in."""
        return {"oauth_url": f"{url}{TOKEN_PATH}", "client_id": "PATCHBAY", "client_secret": "client-secret-1"}
