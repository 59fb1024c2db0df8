"""HubSpot's CRM API as far as its documents go: objects and batches, search, associations, lists, exports, properties,
owners.

Answers under `/crm/v3/…` and under versions by date. Written from HubSpot's public specification and developer
documentation; no account was at hand. One line of JSON by `patchbay sandbox hubspot --plain`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.frame import Faults
from sandbox.hubspot.portal import Portal
from sandbox.hubspot.wire import PORTAL_ID, Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OWN_FAULTS = {
    "expired": "401 EXPIRED_AUTHENTICATION once: the OAuth token has ended",
    "refused": "401 to everything: the app was uninstalled",
    "forbidden": "403 MISSING_SCOPES",
    "secondly": "429 by the policy SECONDLY, without Retry-After",
    "ten_secondly": "429 by the policy TEN_SECONDLY_ROLLING, without Retry-After",
    "daily": "429 by the policy DAILY: the day's calls are used up",
    "locked": "423: too much is being written just now",
    "migrating": "477 with Retry-After: the account moves to another data centre",
    "row_locked": "one row of a batch is refused as locked, the others are done (207)",
    "shuffled": "a 207's results and errors come in another order than the inputs",
    "no_traces": "a 207's errors do not name their rows",
    "whole_batch": "a batch with one bad row is refused as a whole (400), and nothing is done",
    "no_export_scope": "403 MISSING_SCOPES to whatever is about exports",
    "export_slow": "an export is not complete yet",
    "export_canceled": "an export is canceled",
    "export_gone": "403: the account has no such export any more",
    "export_labels": "an export's columns are the properties' labels, whatever was asked for",
    "export_for_people": "an export's values are for people, whatever was asked for",
    "export_escaped": "an export puts an apostrophe before a value that a spreadsheet would take for a formula",
    "link_expired": "403: the address of an export's file is not good any more",
    "index_lag": "a search does not know what was written in the last seconds",
}


class HubSpotSandbox:
    """One account: its records, its tokens, and what goes wrong there."""

    def __init__(self, rows: int = 200, seed: int = 1) -> None:
        self.faults = Faults(own=OWN_FAULTS)
        self.portal = Portal(rows, seed)
        self.token = f"pat-na1-{secrets.token_hex(16)}"
        self.client_id, self.client_secret = "c0ffee00-1234", secrets.token_urlsafe(16)
        self.service = Service(self.portal, self.faults, self.token, (self.client_id, self.client_secret))

    def app(self, _url: str) -> WSGIApplication:
        """The API, the token service, and a page for the links."""
        return self.service.app

    def credentials(self) -> Mapping[str, Any]:
        """A private app's token; the client `client_id` with its secret works too, at /oauth/v3/token."""
        return {"token": self.token, "portal": PORTAL_ID}
