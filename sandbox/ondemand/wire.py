"""SOAP 1.1 as CRM On Demand speaks it: WS-Security, QueryPage by template, batches of twenty, CTI, faults with SBL
codes.

Inference: the codes of a batch or a list of interactions that is too long, of a record that is not there or was
changed meanwhile, and how a refused user's fault looks; the guides have the limits, not these answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lxml import etree
from markupsafe import escape
from werkzeug.wrappers import Request, Response

from sandbox.frame import Faults
from sandbox.ondemand.documents import CTI, CTI_DATA, data_1_of, data_of, document, names, service_1_of, service_of
from sandbox.ondemand.schema import SCHEMA, RecordType
from sandbox.ondemand.searchspec import Wrong, compared, field_filter, predicate
from sandbox.ondemand.state import Problem, Record, Records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
FAULT = "http://www.siebel.com/ws/fault"
INTEGRATION, COMMAND = "/Services/Integration", "/OnDemand/user/"
LARGEST_PAGE, LARGEST_BATCH, INTERACTIONS = 100, 20, 5
# The vendor's own faults that come instead of an answer: code and words.
INSTEAD: Mapping[str, tuple[str, str]] = {
    "rate": ("SBL-ODU-01005", "The maximum rate of requests was exceeded. Please try again in 30 ms."),
    "allotment": ("SBL-SBL-70172", "The Web Services Operations Allotment of 20000 Operations has been reached or there is "
                  "insufficient capacity remaining to process your request."),
    "concurrent": ("SBL-SBL-70172", "The Web Services Concurrent Request Allotment of 10 has been reached or there is "
                   "insufficient capacity remaining to process your request."),
    "modified": ("SBL-DAT-00523", "The selected record has been modified by another user since it was retrieved."),
    "no_server": ("", "Server Unavailable."),
}  # fmt: skip


class Unauthenticated(Exception):
    """The UsernameToken is missing or wrong."""


class Service:
    """The web service, its documents and the pages of the screen pop."""

    def __init__(self, records: Records, faults: Faults, users: Mapping[str, str]) -> None:
        self._records, self._faults, self._users = records, faults, users

    def at(self, url: str) -> WSGIApplication:
        """The application, told where it is reached."""

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            request = Request(environ)
            return self._answered(request, url)(environ, start_response)

        return app

    def _answered(self, request: Request, url: str) -> Response:
        path = request.path.rstrip("/")
        if path.startswith("/wsdl/"):
            name = path.removeprefix("/wsdl/").removesuffix(".wsdl")
            if self._faults.take("refused"):
                return Response("Unauthorized", 401, mimetype="text/plain")
            if name not in names():
                return Response("Not Found", 404, mimetype="text/plain")
            return Response(document(name, url + INTEGRATION), mimetype="text/xml")
        if path.startswith(COMMAND):
            return self._page(request)
        if path != INTEGRATION or request.method != "POST":
            return Response("Not Found", 404, mimetype="text/plain")
        try:
            return self._envelope(self._called(request))
        except Unauthenticated:
            return self._fault("wsse:FailedAuthentication", "The security token could not be authenticated", "")
        except Problem as problem:
            return self._fault("SOAP-ENV:Server", problem.message, problem.code)
        except (etree.XMLSyntaxError, Wrong) as wrong:
            return self._fault("SOAP-ENV:Client", f"The request cannot be read: {wrong}", "SBL-EAI-04316")

    def _called(self, request: Request) -> Any:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        envelope = etree.fromstring(request.get_data(), parser)
        self._signed_in(envelope)
        for fault, (code, words) in INSTEAD.items():
            if self._faults.take(fault):
                raise Problem(code, words)
        body = envelope.find(f"{{{SOAP}}}Body")
        if body is None or not len(body):
            raise Problem("SBL-EAI-04304", "There is no operation")
        message = body[0]
        namespace, name = etree.QName(message).namespace or "", etree.QName(message).localname
        if namespace == CTI:
            return self._cti(message, name)
        for kind in SCHEMA.values():
            if namespace == service_of(kind):
                return self._version_2(message, name, kind)
            if namespace == service_1_of(kind) and name == f"{kind.name}WS_{kind.name}InsertOrUpdate_Input":
                return self._upserted(message, name, kind)
        raise Problem("SBL-EAI-04304", f"Argument '{namespace}:{name}' is not known.")

    # --- operations ----------------------------------------

    def _cti(self, message: Any, name: str) -> Any:
        told = [_values(one) for one in _listed(message, "Interaction")]
        if len(told) > INTERACTIONS:
            raise Problem("SBL-ODU-00271", "Invalid value for the parameter: ListOfInteraction.")
        actions: Mapping[str, Callable[[Mapping[str, str]], dict[str, str]]] = {
            "CTIActivityInsert_Input": self._records.interaction,
            "CTIActivityWrapUp_Input": self._records.wrap_up,
        }
        if name not in actions:
            raise Problem("SBL-EAI-04304", f"Argument '{CTI}:{name}' is not known.")
        output = etree.Element(f"{{{CTI}}}{name.removesuffix('Input')}Output")
        listed = etree.SubElement(output, f"{{{CTI_DATA}}}ListOfActivity")
        for one in told:
            _append(listed, CTI_DATA, "Activity", actions[name](one))
        return output

    def _version_2(self, message: Any, name: str, kind: RecordType) -> Any:
        operation = name.removeprefix(kind.name).removesuffix("_Input")
        service, data = service_of(kind), data_of(kind)
        output = etree.Element(f"{{{service}}}{kind.name}{operation}_Output")
        listed = etree.SubElement(output, f"{{{data}}}ListOf{kind.name}")
        if operation == "QueryPage":
            self._query(message, kind, listed)
            return output
        actions = {"Insert": self._records.insert, "Update": self._records.update, "Delete": self._records.delete}
        if operation not in actions:
            raise Problem("SBL-EAI-04304", f"Argument '{service}:{name}' is not known.")
        for record in self._batch(message, kind, actions[operation]):
            _append(listed, data, kind.name, {name: record[name] for name in ("Id", "CreatedDate", "ModifiedDate")})
        return output

    def _upserted(self, message: Any, name: str, kind: RecordType) -> Any:
        data = data_1_of(kind)
        output = etree.Element(f"{{{service_1_of(kind)}}}{name.removesuffix('Input')}Output")
        listed = etree.SubElement(output, f"{{{data}}}ListOf{kind.name}")
        for record in self._batch(message, kind, self._records.insert_or_update):
            _append(listed, data, kind.name, {name: record[name] for name in ("Id", "CreatedDate", "ModifiedDate")})
        return output

    def _batch(self, message: Any, kind: RecordType, action: Any) -> list[Record]:
        rows = [_values(one) for one in _listed(message, kind.name)]
        if len(rows) > LARGEST_BATCH:
            raise Problem("SBL-ODU-00271", f"Invalid value for the parameter: ListOf{kind.name}.")
        return self._records.batch(kind, rows, action)

    def _query(self, message: Any, kind: RecordType, output: Any) -> None:
        """By template: only fields that the template names come back, and an empty one only where it is text."""
        listed = _list(message, kind.name)
        if listed is None:
            raise Problem("SBL-DAT-00125", f"Required in argument 'ListOf{kind.name}' not supplied")
        size = int(listed.get("pagesize") or 10)
        if size > LARGEST_PAGE:
            words = (
                f"PageSize method argument cannot be greater than '{LARGEST_PAGE}' specified by the server parameter"
            )
            raise Problem("SBL-EAI-04447", words)
        start = int(listed.get("startrownum") or 0)
        template = listed.find(f"{{*}}{kind.name}")
        found = self._records.all(kind.name)
        names: list[str] = []
        if template is not None:
            if spec := template.get("searchspec"):
                fits = predicate(spec, kind)
                found = [record for record in found if fits(record)]
            for one in template:
                name = etree.QName(one).localname
                if kind.field(name) is None:
                    raise Problem("SBL-EAI-04127", f"Element with XML tag '{name}' is not found in '{kind.name}'")
                names.append(name)
                if (told := field_filter(one.text or "")) is not None:
                    found = [record for record in found if compared(told[0], record.get(name), told[1])]
        if self._faults.take("short_pages"):
            size = min(size, 3)
        page = found[start : start + size]
        output.set("lastpage", "true" if start + size >= len(found) else "false")
        if (listed.get("recordcountneeded") or "").lower() == "true":
            output.set("recordcount", str(len(found)))
        for record in page:
            shown = {}
            for name in names:
                field = kind.field(name)
                if record.get(name) not in (None, "") or (field is not None and field.type == "string"):
                    shown[name] = record.get(name) or ""
            _append(output, data_of(kind), kind.name, shown)

    # --- envelope ----------------------------------------

    def _signed_in(self, envelope: Any) -> None:
        token = envelope.find(f"{{{SOAP}}}Header/{{{WSSE}}}Security/{{{WSSE}}}UsernameToken")
        user = token.findtext(f"{{{WSSE}}}Username") if token is not None else None
        password = token.findtext(f"{{{WSSE}}}Password") if token is not None else None
        known = self._users.get(user or "")
        if self._faults.take("refused") or known is None or not secrets.compare_digest(known, password or ""):
            raise Unauthenticated

    @staticmethod
    def _envelope(output: Any, status: int = 200) -> Response:
        envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"SOAP-ENV": SOAP})
        etree.SubElement(envelope, f"{{{SOAP}}}Body").append(output)
        text = etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)
        return Response(text, status, content_type="text/xml; charset=UTF-8")

    def _fault(self, where: str, words: str, code: str) -> Response:
        """A fault as the Troubleshooting Guide shows it: with ErrorCode and ErrorMessage, or with Siebel's own stack."""
        fault = etree.Element(f"{{{SOAP}}}Fault", nsmap={"SOAP-ENV": SOAP, "wsse": WSSE})
        etree.SubElement(fault, "faultcode").text = where
        etree.SubElement(fault, "faultstring").text = f"{words}({code})" if code else words
        detail = etree.SubElement(fault, "detail")
        if code.startswith(("SBL-ODU", "SBL-SBL")):
            etree.SubElement(detail, "ErrorCode").text = code
            etree.SubElement(detail, "ErrorMessage").text = words
        elif code:
            siebel = etree.SubElement(detail, f"{{{FAULT}}}siebdetail", nsmap={"siebelf": FAULT})
            stack = etree.SubElement(siebel, f"{{{FAULT}}}errorstack")
            error = etree.SubElement(stack, f"{{{FAULT}}}error")
            etree.SubElement(error, f"{{{FAULT}}}errorcode").text = f"({code})"
            etree.SubElement(error, f"{{{FAULT}}}errorsymbol")
            etree.SubElement(error, f"{{{FAULT}}}errormsg").text = words
        return self._envelope(fault, 500)

    def _page(self, request: Request) -> Response:
        """What a screen pop opens: the record by its type and id."""
        kind, id = request.args.get("Record Type", "").replace(" ", ""), request.args.get("Record Id", "")
        record = next((one for one in self._records.all(kind) if one["Id"] == id), {}) if kind in SCHEMA else {}
        shown = "".join(f"<dt>{escape(name)}<dd>{escape(value)}" for name, value in record.items() if value)
        title = escape(request.args.get("Command", request.path))
        return Response(
            f"<!DOCTYPE html><title>On Demand</title><h1>{title}</h1><dl>{shown}</dl>", mimetype="text/html"
        )


def _list(message: Any, name: str) -> Any:
    """The message's list, whatever its namespace: the guides' own samples leave it out."""
    return message.find(f"{{*}}ListOf{name}")


def _listed(message: Any, name: str) -> list[Any]:
    """The elements of the message's list."""
    found = _list(message, name)
    return [] if found is None else list(found.findall(f"{{*}}{name}"))


def _values(element: Any) -> dict[str, str]:
    return {etree.QName(one).localname: one.text or "" for one in element if isinstance(one.tag, str)}


def _append(parent: Any, namespace: str, name: str, values: Mapping[str, Any]) -> None:
    element = etree.SubElement(parent, f"{{{namespace}}}{name}")
    for key, value in values.items():
        etree.SubElement(element, f"{{{namespace}}}{key}").text = str(value)
