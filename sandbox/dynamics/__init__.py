"""A stand-in for a Dataverse organisation (Dynamics 365): the Web API v9.2, and the sign-in at Entra ID beside it.

It is judged by clients that we did not write: dynamics-web-api, Microsoft's own Dataverse client for Python, and msal.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from sandbox.dynamics import sample
from sandbox.dynamics.errors import DataverseError, throttled
from sandbox.dynamics.queries import Wish
from sandbox.dynamics.records import Records
from sandbox.dynamics.schema import TABLES
from sandbox.dynamics.signin import SignIn
from sandbox.dynamics.web_api import INSTEAD, LIMITS, ROOT, Service
from sandbox.frame import Faults
from sandbox.frame.odata_batch import Answer, Asked

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

TENANT, CLIENT, SECRET = "sandbox-tenant", "3d1f0e7b-5d8c-4a1e-9a64-000000000001", "sandbox-secret"
ORGANIZATION, ME = "11111111-aaaa-4bbb-8ccc-000000000001", "22222222-aaaa-4bbb-8ccc-000000000002"
BURST = 6000
FAULTS: Mapping[str, str] = {
    "expired": "401: the token is good no more, and a new one is needed",
    "secret_refused": "the sign-in refuses the client's secret (AADSTS7000215)",
    "throttled_requests": "429, 0x80072322: too many requests in five minutes",
    "throttled_time": "429, 0x80072321: too much execution time in five minutes",
    "throttled_concurrent": "429, 0x80072326: too many requests at once",
    "throttled_part": "429 within a part of a batch, the other parts are done",
    "delta_expired": "400: the delta token is too old",
    "stamp_expired": "400, 0x80044352: the version stamp of the metadata is too old",
    **{name: f"{status}, {code}: one operation of a batch is answered so, and not done"
       for name, (status, code, _) in INSTEAD.items()},
}  # fmt: skip


def _utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class DynamicsSandbox:
    """One organisation with the sample's people. `denied` are privileges that our user has not, such as `prvCreateLead`."""

    def __init__(self, seed: int = 1, rows: int = 200, now: Callable[[], dt.datetime] = _utc) -> None:
        self.faults = Faults(own=FAULTS)
        self.lock = threading.RLock()
        self.records = Records(now, ME)
        self.denied: set[str] = set()
        self.sign_in = SignIn(TENANT, CLIENT, SECRET)
        self.service: Service
        self.burst_left = BURST
        sample.fill(self.records, ORGANIZATION, seed, rows)

    def credentials(self) -> Mapping[str, Any]:
        """What a connection needs beside the address."""
        return {"tenant": TENANT, "client_id": CLIENT, "client_secret": SECRET, "authority": self._url}

    _url = ""

    def app(self, url: str) -> WSGIApplication:
        """The organisation's web service, and the sign-in at the same address."""
        self._url = url
        self.service = Service(self.records, f"{url}/api/data/v9.2/", self.faults, self.denied)

        @Request.application
        def serve(request: Request) -> Response:
            refused = request.path.endswith("/token") and self.faults.take("secret_refused") is not None
            signed = self.sign_in.answer(request, url, refused)
            if signed is not None:
                return signed
            if ROOT.match(request.path) is None and ROOT.match(request.path + "/") is None:
                return Response("<!DOCTYPE html><title>Dynamics 365</title>", mimetype="text/html")
            return _sent(self._served(request), request, str(self.burst_left))

        return serve

    def _served(self, request: Request) -> Answer:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.faults.take("expired"):
            self.sign_in.revoke(token)
        if not self.sign_in.holds(token):
            place = f"Bearer authorization_uri={self._url}/{TENANT}/oauth2/authorize, resource_id={self._url}/"
            return Answer(status=401, reason="Unauthorized", headers={"WWW-Authenticate": place})
        for limit in LIMITS:
            if fault := self.faults.take(limit):
                return throttled(limit, max(1, int(fault.seconds))).answer()
        url = request.full_path if request.query_string else request.path
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self.lock:
            self.burst_left -= 1
            if request.path.rstrip("/").endswith("/$batch"):
                if request.method != "POST":
                    return DataverseError(405, "0x80060888", "A batch is sent by POST.").answer()
                return self.service.batch(request.headers.get("Content-Type", ""), request.get_data(), Wish.of(headers))
            return self.service.one(
                Asked(method=request.method, url=_raw(request, url), headers=headers, body=request.get_data())
            )

    # --- what happens behind a client's back ----------------------------------------

    def create(self, table: str, values: Mapping[str, Any]) -> str:
        """A new row, as a person makes it in a form; its id."""
        with self.lock:
            row = self.records.create(TABLES[table], values)
            self.records.done()
            return str(row[TABLES[table].id])

    def update(self, table: str, id: str, values: Mapping[str, Any]) -> None:
        """A row changed by a person."""
        with self.lock:
            self.records.update(TABLES[table], id, values)
            self.records.done()

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        """Copies of the rows that hold these values."""
        with self.lock:
            return [dict(row) for row in self.records.rows[table].values()
                    if all(row.get(name) == value for name, value in where.items())]  # fmt: skip

    def parties(self, activity: str) -> list[tuple[int, str]]:
        """(mask, whom: `table/id` or the number) of an activity, in order."""
        with self.lock:
            found = self.records.parties(activity)
            whom = ["/".join(row["partyid"]) if row.get("partyid") else row["addressused"] for row in found]
            return sorted(zip((row["participationtypemask"] for row in found), whom, strict=True))


def _raw(request: Request, url: str) -> str:
    """The address as it came: percent-decoding it twice would change a key."""
    return str(request.environ.get("REQUEST_URI") or request.environ.get("RAW_URI") or url)


def _sent(answer: Answer, request: Request, left: str) -> Response:
    response = Response(answer.body, answer.status, dict(answer.headers))
    if answer.status == 204 or request.method == "HEAD":
        response.headers.pop("Content-Type", None)
    if answer.status != 401:
        response.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] = left
        response.headers["x-ms-ratelimit-time-remaining-xrm-requests"] = "1,199.97"
    return response
