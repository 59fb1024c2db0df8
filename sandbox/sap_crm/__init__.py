"""A stand-in for SAP CRM 7.x on-premise: four SOAP services by WSDL, over sample people. Judged by zeep and by node `soap`.

The WSDLs beside this file are ours, modelled on the documented shape of SAP's enterprise services: message header with an id
that makes a repeated creation harmless, selection by elements, a log with severities inside status 200, locks that only a
text tells. A real system's WSDL will call things otherwise.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from sandbox.frame import Faults
from sandbox.sap_crm.soap import FUNCTIONS, Asked, NoSoap, envelope, fault, log
from sandbox.sap_crm.state import DOCUMENTS, ORDER, PARTNER, REPEATED, SELECTIONS, BusinessError, Row, State

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

FOLDER = Path(__file__).parent
WSDLS = "/sap/bc/srt/wsdl/"
SERVICES = ("/sap/bc/srt/xip/sap/", "/sap/bc/srt/rfc/sap/")
MEMBERS = "ZPB_TARGET_GROUP_MEMBERS"
OWN_FAULTS: Mapping[str, str] = {
    "unauthorized": "401: the user or the password is not taken",
    "lock": "a log with severity 3 in status 200: another user holds the record, as only the text says",
    "no_authority": "a log with severity 3 in status 200: the user may not do this",
    "no_group_authority": "a return table of type E: the user may not see this target group",
    "business_fault": "a fault with SAP's standard message in its detail; nothing is done",
    "dump": "a fault without a detail, after the work was done: a short dump on the way out",
    "xml_page": "500 with a page that is XML and no SOAP, after the work was done",
}


class SapCrmSandbox:
    """One system. With `token_only` its services take WS-Security and no basic authentication; its WSDLs take basic."""

    def __init__(self, rows: int = 200, seed: int = 1, *, token_only: bool = False) -> None:
        self.faults = Faults(own=OWN_FAULTS)
        self.state = State(self.faults, rows, seed)
        self._token_only = token_only

    def app(self, url: str) -> WSGIApplication:
        """The system's web server."""
        return _Web(self, url, self._token_only)

    def credentials(self) -> Mapping[str, Any]:
        """The service user's."""
        return {"user": "PATCHBAY", "password": "Welcome1!"}


class _Web:
    def __init__(self, sandbox: SapCrmSandbox, url: str, token_only: bool) -> None:
        self._sandbox, self._state, self._faults, self._url = sandbox, sandbox.state, sandbox.faults, url
        self._token_only = token_only
        told = sandbox.credentials()
        self._user, self._password = str(told["user"]), str(told["password"])
        self._basic = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        scheme, _, told = request.headers.get("Authorization", "").partition(" ")
        by_basic = scheme == "Basic" and hmac.compare_digest(told.encode(), self._basic.encode())
        if self._faults.take("unauthorized"):
            return _no_logon()
        if request.path.startswith(WSDLS):
            return self._wsdl(request.path.removeprefix(WSDLS)) if by_basic else _no_logon()
        if not request.path.startswith(SERVICES):
            return Response("<html><body>Service cannot be reached</body></html>", 404, mimetype="text/html")
        if request.method != "POST":
            return Response("Method not allowed", 405)
        try:
            asked = Asked(request.get_data())
        except NoSoap as error:
            return _soap(fault("Client", f"The request is no SOAP message: {error}"), 500)
        if not asked.signed_by(self._user, self._password) and (self._token_only or not by_basic):
            return _no_logon()
        if self._faults.take("business_fault"):
            return _soap(
                fault("Server", "Application error", "Category A1 is not allowed for this transaction type"), 500
            )
        answer = self._done(asked)
        if self._faults.take("dump"):
            return _soap(
                fault("Server", "Web service processing error; more details in the web service error log"), 500
            )
        if self._faults.take("xml_page"):
            return Response(
                "<html><body><h1>500 SAP Internal Server Error</h1></body></html>", 500, mimetype="text/html"
            )
        return answer

    def _wsdl(self, name: str) -> Response:
        file = FOLDER / Path(name).name
        if file.suffix not in (".wsdl", ".xsd") or not file.is_file():
            return Response("Not found", 404)
        text = file.read_text().replace("http://localhost/", f"{self._url}/")
        return Response(text, 200, content_type="text/xml; charset=utf-8")

    def _done(self, asked: Asked) -> Response:
        if (asked.namespace, asked.message) == (FUNCTIONS, MEMBERS):
            return self._members(asked.content if isinstance(asked.content, dict) else {})
        object = next((name for name in (PARTNER, *DOCUMENTS) if asked.message.startswith(f"{name}CRM")), "")
        verb = asked.message.removeprefix(f"{object}CRM")
        content = asked.content if isinstance(asked.content, dict) else {}
        if object and verb == "ByElementsQuery_sync":
            return self._queried(object, content)
        if object in DOCUMENTS and verb in ("CreateRequest_sync", "ChangeRequest_sync"):
            return self._written(object, verb.removesuffix("Request_sync"), content)
        return _soap(fault("Client", f"Operation for message {asked.message} is not defined"), 500)

    def _queried(self, object: str, content: Row) -> Response:
        told = content.get(f"{object}SelectionByElements") or {}
        selections: dict[str, list[str]] = {}
        for element, rows in told.items() if isinstance(told, dict) else ():
            name = element.removeprefix("SelectionBy")
            if name not in SELECTIONS:
                return _soap(fault("Client", f"Unknown selection {element}"), 500)
            every = rows if isinstance(rows, list) else [rows]
            selections[name] = [str(row.get(f"LowerBoundary{name}", "")) for row in every]
        conditions = content.get("ProcessingConditions") or {}
        most = int(conditions.get("QueryHitsMaximumNumberValue") or 100) if isinstance(conditions, dict) else 100
        found, more = self._state.query(object, selections, most) if selections else ([], False)
        shown = [row if object == PARTNER else _in_order(row) for row in found]
        told_of = {"ReturnedQueryHitsNumberValue": len(shown), "MoreHitsAvailableIndicator": more}
        answer = {object: [_partner(row) if object == PARTNER else row for row in shown], "ProcessingConditions": told_of,
                  "Log": log()}  # fmt: skip
        return _soap(envelope(f"{object}CRMByElementsResponse_sync", answer))

    def _members(self, content: Row) -> Response:
        """The numbers of a target group's members, ascending; what is wrong stands in the return table."""
        group, after = str(content.get("IV_TARGET_GROUP") or ""), str(content.get("IV_AFTER") or "")
        answer: Row = {"ET_MEMBERS": {"item": []}, "ET_RETURN": {"item": []}}
        with self._state.lock:
            members = self._state.groups.get(group)
            if members is None or self._faults.take("no_group_authority"):
                words = (
                    "No authorization for this target group" if members is not None else "Target group does not exist"
                )
                answer["ET_RETURN"]["item"] = [{"TYPE": "E", "ID": "CRM_MKTTG", "NUMBER": "001", "MESSAGE": words}]
                members = set()
            found = sorted(number for number in members if number > after)
        most = int(content.get("IV_MOST") or 0) or len(found)
        answer["ET_MEMBERS"]["item"] = [{"PARTNER": number, "CONSENT": "1"} for number in found[:most]]
        return _soap(envelope(f"{MEMBERS}Response", answer, FUNCTIONS))

    def _written(self, object: str, verb: str, content: Row) -> Response:
        header = content.get("MessageHeader") or {}
        message_id = str(header.get("UUID") or "") if isinstance(header, dict) else ""
        told = content.get(object)
        body = dict(told) if isinstance(told, dict) else {}
        for name in REPEATED:
            if name in body:
                body[name] = body[name] if isinstance(body[name], list) else [body[name]]
        reply: Row = {"MessageHeader": {"ReferenceUUID": message_id or None}}
        try:
            row = self._state.create(object, body, message_id) if verb == "Create" else self._state.change(object, body)
            reply |= {object: {"ID": row["ID"], "UUID": row["UUID"]}, "Log": log()}
        except BusinessError as error:
            reply["Log"] = log(str(error))
        return _soap(envelope(f"{object}CRM{verb}Confirmation_sync", reply))


def _in_order(row: Row) -> Row:
    return {name: row[name] for name in ORDER if name in row}


_PARTNER_ORDER = ("InternalID", "UUID", "CategoryCode", "FormattedName", "GivenName", "FamilyName", "OrganisationName",
                  "CountryCode", "ExternalID", "DeletedIndicator", "Telephone", "Email", "ContactPersonFor")  # fmt: skip


def _partner(row: Row) -> Row:
    return {name: row[name] for name in _PARTNER_ORDER if name in row}


def _soap(body: bytes, status: int = 200) -> Response:
    return Response(body, status, content_type="text/xml; charset=utf-8")


def _no_logon() -> Response:
    page = "<html><head><title>Anmeldung fehlgeschlagen</title></head><body>Logon failed</body></html>"
    return Response(
        page, 401, {"WWW-Authenticate": 'Basic realm="SAP NetWeaver Application Server [CRM/100]"'}, "text/html"
    )
