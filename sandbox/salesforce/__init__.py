"""A stand-in for Salesforce: REST API (records, collections, composite, SOQL, SOSL, describe, list views), Bulk API 2.0,
OAuth token endpoint and SOAP login, stateful, with Salesforce's limits, error bodies and ways to fail.

What it does not do: sharing, triggers, flows, record types, reports. Judged by simple-salesforce and jsforce in the suite.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from werkzeug.wrappers import Request, Response

from sandbox.frame import Faults
from sandbox.salesforce.bulk import Jobs
from sandbox.salesforce.errors import Refused, not_found
from sandbox.salesforce.org import Found, Org
from sandbox.salesforce.records import collection_answer, composite_answer, record_answer
from sandbox.salesforce.sample import fill
from sandbox.salesforce.schema import TABLES, described, summary
from sandbox.salesforce.sign_in import AUDIENCES, CLIENT_ID, ORG_ID, USERNAME, Door, SoapRefused
from sandbox.salesforce.soql import Asked, Reader, answered, shown
from sandbox.salesforce.sosl import searched

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OWN_FAULTS: Mapping[str, str] = {
    "expired": "401 INVALID_SESSION_ID, and all tokens are dead until a new sign-in",
    "expired_for_ever": "401 INVALID_SESSION_ID whatever the token",
    "expired_dict": "401 with an object where an array should be, as a proxy gives it; nothing is done",
    "sign_in_refused": "the token endpoint answers invalid_grant",
    "day_spent": "403 REQUEST_LIMIT_EXCEEDED, TotalRequests",
    "concurrent": "403 REQUEST_LIMIT_EXCEEDED, ConcurrentPerOrgLongTxn",
    "quota_near": "Sforce-Limit-Info says that the day is nearly spent",
    "unavailable": "503 SERVER_UNAVAILABLE as JSON; nothing is done",
    "unknown_exception": "500 UNKNOWN_EXCEPTION as JSON; nothing is done, but who knows",
    "gone": "410, this API version is retired",
    "disabled": "403 API_DISABLED_FOR_ORG",
    "lock": "UNABLE_TO_LOCK_ROW on the second row of a collection or a bulk job",
    "many_match": "the first row's key matches several records",
    "duplicate_rule": "DUPLICATES_DETECTED on the first row",
    "race": "somebody else makes the record with this key just before: DUPLICATE_VALUE with its id",
    "rolled_back": "PROCESSING_HALTED on all rows of a collection but the first",
    "locator_lost": "the cursor of a query or of a bulk result is not known any more",
    "index_lag": "the search index does not know what changed in the last minute",
    "all_words": "a search of more than 4,000 characters finds only who meets all of its words",
    "job_failed": "a bulk job fails half way: the rest is unprocessed",
    "job_slow": "a bulk job is still at work",
}
DAY = 15_000
VIEWS: Mapping[str, tuple[str, str, str]] = {
    "00B5g0000000001": ("Contact", "To call back", "DoNotCall = false AND Phone_Consent__c = true"),
}
_VIEW_FIELDS = "Name, Account.Name, Phone, MobilePhone, Email, Id, CreatedDate, LastModifiedDate, SystemModstamp"
_DATA = re.compile(r"/services/data(?:/v(\d\d\.\d)(?:/(.*))?)?")


class SalesforceSandbox:
    """One organisation. `page` is how many records one answer to a query has at most."""

    def __init__(
        self, rows: int = 200, seed: int = 1878, page: int = 2000, now: Callable[[], dt.datetime] | None = None
    ) -> None:
        self.faults = Faults(OWN_FAULTS)
        self.org = Org(now or (lambda: dt.datetime.now(dt.UTC)))
        fill(self.org, rows, seed)
        self.page = page
        self.door = Door("", lambda: self.org.me)
        self.jobs = Jobs(self.org, self.faults)
        self._cursors: dict[str, tuple[Asked, list[Found]]] = {}
        self._count = itertools.count(1)
        self.api_calls = 0
        self.described_at = dt.datetime.now(dt.UTC).replace(microsecond=0)

    def app(self, url: str) -> WSGIApplication:
        """The web service."""
        self.door.url = url

        @Request.application
        def application(request: Request) -> Response:
            return self._answered(request)

        return application

    def credentials(self) -> Mapping[str, Any]:
        """For client credentials; `door` has what the other ways to sign in need."""
        return {"client_id": CLIENT_ID, "client_secret": self.door.client_secret}

    def jwt_credentials(self) -> Mapping[str, Any]:
        """For JWT bearer."""
        return {"sign_in": "jwt", "client_id": CLIENT_ID, "username": USERNAME, "private_key": self.door.private_key(),
                "audience": AUDIENCES[0]}  # fmt: skip

    def password_credentials(self) -> Mapping[str, Any]:
        """For the SOAP login."""
        return {"sign_in": "soap", "username": USERNAME, "password": self.door.password,
                "security_token": self.door.security_token}  # fmt: skip

    # --- requests ----------------------------------------

    def _answered(self, request: Request) -> Response:
        try:
            if request.path == "/services/oauth2/token":
                if self.faults.take("sign_in_refused"):
                    body = {"error": "invalid_grant", "error_description": "no client credentials user enabled"}
                    return _json(400, body)
                return _json(200, self.door.token(request))
            if request.path.startswith("/services/Soap/u/"):
                return Response(self.door.login(request.get_data()), mimetype="text/xml")
            answer = self._data(request)
        except SoapRefused as refused:
            return Response(refused.fault(), refused.status, mimetype="text/xml")
        except Refused as refused:
            answer = _json(refused.status, refused.told())
        used = DAY - 10 if self.faults.take("quota_near") else self.api_calls
        answer.headers["Sforce-Limit-Info"] = f"api-usage={used}/{DAY}"
        return answer

    def _data(self, request: Request) -> Response:
        match = _DATA.fullmatch(request.path.rstrip("/"))
        if match is None and not request.path.startswith("/id/") and request.path != "/services/oauth2/userinfo":
            raise not_found("The requested resource does not exist")
        if match is not None and match[1] is None:
            return _json(200, [{"label": "Summer '24", "url": "/services/data/v61.0", "version": "61.0"}])
        self.api_calls += 1
        self._fail(request)
        if match is None:
            return _json(200, {"user_id": self.org.me, "organization_id": "00D5g0000000001EAA", "username": USERNAME,
                               "preferred_username": USERNAME, "email": "patchbay@example.com"})  # fmt: skip
        if float(match[1]) < 31:
            raise _gone()
        text = request.get_data(as_text=True)
        # The path as it was sent: an external id may hold an encoded slash.
        raw = str(request.environ.get("REQUEST_URI") or request.environ.get("RAW_URI") or request.path)
        path = urlsplit(raw).path.partition(f"/v{match[1]}")[2].strip("/")
        answer = self._routed(request.method, path, dict(request.args), _read(request, text), text, match[1], request)
        if isinstance(answer, Response):
            return answer
        status, told, *headers = answer
        if headers:
            return Response(told, status, {"Content-Type": "text/csv; charset=UTF-8", **headers[0]})
        return _json(status, told)

    def _fail(self, request: Request) -> None:
        """The faults that stand before anything is done."""
        method, path = request.method, request.path

        def taken(name: str) -> bool:
            return self.faults.take(name, method, path) is not None

        if taken("expired"):
            self.door.revoke()
        if taken("expired_dict"):
            raise Refused("", "", status=401, body={"error": "unauthorized", "message": "Session expired or invalid"})
        if taken("expired_for_ever") or not self.door.knows(request.headers.get("Authorization", "")):
            raise Refused("INVALID_SESSION_ID", "Session expired or invalid", status=401)
        if taken("day_spent"):
            raise Refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
        if taken("concurrent"):
            raise Refused("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", status=403)
        if taken("unavailable"):
            raise Refused("SERVER_UNAVAILABLE", "The server is unavailable.", status=503)
        if taken("unknown_exception"):
            raise Refused("UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId", status=500)
        if taken("gone"):
            raise _gone()
        if taken("disabled"):
            raise Refused("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", status=403)

    def _routed(
        self, method: str, path: str, query: dict[str, str], body: Any, text: str, version: str, request: Request | None
    ) -> Any:
        base = f"/services/data/v{version}"
        parts = path.split("/")
        match parts:
            case [""]:
                identity = f"{self.door.url}/id/{ORG_ID}/{self.org.me}"
                return 200, {
                    "identity": identity,
                    "sobjects": f"{base}/sobjects",
                    "query": f"{base}/query",
                    "search": f"{base}/search",
                }
            case ["sobjects"]:
                return 200, {"encoding": "UTF-8", "maxBatchSize": 200,
                             "sobjects": [summary(table, base) for table in TABLES.values()]}  # fmt: skip
            case ["sobjects", object, "describe"]:
                return self._described(object, base, request)
            case ["sobjects", object, "listviews", *rest]:
                return self._views(object, rest, base)
            case ["sobjects", object, "deleted" | "updated" as what]:
                return self._since(object, what, query)
            case ["sobjects", *rest]:
                with self.org.lock:
                    return record_answer(self.org, self.faults, method, rest, query, body)
            case ["composite", "sobjects", *rest]:
                with self.org.lock:
                    return collection_answer(self.org, self.faults, method, rest, query, body)
            case ["composite"] if method == "POST":
                return composite_answer(self.org, body, lambda verb, url, told: self._part(verb, url, told, version))
            case ["query" | "queryAll" as word]:
                return 200, self._queried(query.get("q", ""), word, base)
            case ["query" | "queryAll" as word, cursor]:
                return 200, self._more(unquote(cursor), word, base)
            case ["search"]:
                lag, all_words = (self.faults.take(name) is not None for name in ("index_lag", "all_words"))
                return 200, {"searchRecords": searched(self.org, query.get("q", ""), base, lag, all_words)}
            case ["limits"]:
                return 200, {"DailyApiRequests": {"Max": DAY, "Remaining": DAY - self.api_calls}}
            case ["jobs", *rest]:
                return self.jobs.answer(method, rest, query, body, text, version)
        raise not_found()

    def _part(self, method: str, url: str, body: Any, version: str) -> tuple[int, Any]:
        split = urlsplit(url)
        path = split.path.partition(f"/v{version}")[2].strip("/")
        if not path or path.startswith(("composite/graph", "jobs", "search")):
            raise Refused("INVALID_INPUT", f"this resource is not supported in a composite request: {split.path}")
        answer = self._routed(
            method, path, dict(parse_qsl(split.query, keep_blank_values=True)), body, "", version, None
        )
        return answer[0], answer[1]

    # --- queries ----------------------------------------

    def _queried(self, text: str, word: str, base: str) -> dict[str, Any]:
        asked = Reader(self.org, text).read()
        found = answered(self.org, asked, deleted=word == "queryAll")
        if asked.counts:
            return {"totalSize": len(found), "done": True, "records": []}
        id = f"01g5g{next(self._count):010d}AAA"
        if len(found) > self.page:
            self._cursors[id] = (asked, found)
            for old in list(self._cursors)[:-10]:  # ten open cursors per user
                del self._cursors[old]
        return self._page(id, asked, found, 0, word, base)

    def _more(self, cursor: str, word: str, base: str) -> dict[str, Any]:
        id, _, start = cursor.rpartition("-")
        if id not in self._cursors or not start.isdecimal() or self.faults.take("locator_lost"):
            raise Refused("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(id, *self._cursors[id], int(start), word, base)

    def _page(self, id: str, asked: Asked, found: list[Found], start: int, word: str, base: str) -> dict[str, Any]:
        part, after = found[start : start + self.page], start + self.page
        with self.org.lock:
            records = [shown(self.org, asked, record, base) for record in part]
        told: dict[str, Any] = {"totalSize": len(found), "done": after >= len(found)}
        if not told["done"]:
            told["nextRecordsUrl"] = f"{base}/{word}/{id}-{after}"
        return told | {"records": records}

    def _described(self, object: str, base: str, request: Request | None) -> Any:
        table = self.org.table(object)
        since = request.if_modified_since if request is not None else None
        headers = {"Last-Modified": format_datetime(self.described_at, usegmt=True)}
        if since is not None and since >= self.described_at:
            return Response(status=304, headers=headers)
        return _json(200, described(table, base), headers)

    def _views(self, object: str, rest: list[str], base: str) -> tuple[int, Any]:
        table = self.org.table(object)
        mine = {id: view for id, view in VIEWS.items() if view[0] == table.name}
        if not rest:
            views = [self._view(id, view, base) for id, view in mine.items()]
            return 200, {"done": True, "listviews": views, "nextRecordsUrl": None, "size": len(views),
                         "sobjectType": table.name}  # fmt: skip
        if rest[0] not in mine:
            raise not_found()
        _, label, where = mine[rest[0]]
        # As Salesforce writes it: with the toLabel() and the ORDER BY of the view left to whoever runs it.
        query = (
            f"SELECT {_VIEW_FIELDS} FROM {table.name} WHERE {where} ORDER BY Name ASC NULLS FIRST, Id ASC NULLS FIRST"  # noqa: S608
        )
        columns = [
            {"fieldNameOrPath": name.strip(), "label": name.strip(), "hidden": False}
            for name in _VIEW_FIELDS.split(",")
        ]
        match rest[1:]:
            case ["describe"]:
                return 200, {"columns": columns, "id": rest[0], "orderBy": [], "query": query, "scope": "everything",
                             "sobjectType": table.name, "whereCondition": {}}  # fmt: skip
            case ["results"]:
                asked = Reader(self.org, query).read()
                records = [shown(self.org, asked, found, base) for found in answered(self.org, asked)[:2000]]
                told = [{"columns": [{"fieldNameOrPath": name, "value": value} for name, value in record.items()
                                     if name != "attributes"]} for record in records]  # fmt: skip
                return 200, {"columns": columns, "developerName": label.replace(" ", "_"), "done": True, "id": rest[0],
                             "label": label, "records": told, "size": len(told)}  # fmt: skip
            case []:
                return 200, self._view(rest[0], mine[rest[0]], base)
        raise not_found()

    def _view(self, id: str, view: tuple[str, str, str], base: str) -> dict[str, Any]:
        here = f"{base}/sobjects/{view[0]}/listviews/{id}"
        return {"describeUrl": f"{here}/describe", "developerName": view[1].replace(" ", "_"), "id": id, "label": view[1],
                "resultsUrl": f"{here}/results", "soqlCompatible": True, "url": here}  # fmt: skip

    def _since(self, object: str, what: str, query: dict[str, str]) -> tuple[int, Any]:
        table = self.org.table(object)
        try:
            start, end = (dt.datetime.fromisoformat(query[word].replace("Z", "+00:00")) for word in ("start", "end"))
        except (KeyError, ValueError):
            raise Refused("INVALID_REPLICATION_DATE", "start and end are needed as ISO 8601") from None
        if end - start > dt.timedelta(days=30):
            raise Refused("INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
        with self.org.lock:
            near = [
                found for found in self.org.all(table.name, deleted=True) if start <= found["SystemModstamp"] <= end
            ]
        told: dict[str, Any] = {"latestDateCovered": end.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
        if what == "updated":
            return 200, told | {"ids": [found["Id"] for found in near if not found["IsDeleted"]]}
        gone = [{"id": found["Id"], "deletedDate": found["SystemModstamp"].strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
                for found in near if found["IsDeleted"]]  # fmt: skip
        return 200, told | {"deletedRecords": gone, "earliestDateAvailable": "2026-01-01T00:00:00.000+0000"}


def _read(request: Request, text: str) -> Any:
    if "json" not in request.headers.get("Content-Type", "") or not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        raise Refused("JSON_PARSER_ERROR", "Unexpected character in the request body") from None


def _gone() -> Refused:
    return Refused("UNSUPPORTED_API_VERSION", "This API version has been retired", status=410)


def _json(status: int, told: Any, headers: Mapping[str, str] | None = None) -> Response:
    if status == 204 or told is None:
        return Response(status=status)
    return Response(json.dumps(told), status, {"Content-Type": "application/json;charset=UTF-8", **(headers or {})})
