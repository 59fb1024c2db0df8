"""The in-house CRM's SOAP interface: `POST /soap`, document/literal, WS-Security UsernameToken (text). `GET` gives the WSDL.

What it refuses is a fault with a code of its own in the detail, except in `PutCalls`: there each call has a result.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from lxml import etree

from sandbox.frame import Faults
from sandbox.in_house.books import Books, Refused

CRM = "urn:lumen:crm:1"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSDL = Path(__file__).parents[2] / "config" / "crms" / "in_house.wsdl"
OWN_FAULTS = {
    "unauthorized": "the user or the password is refused",
    "locked": "a call is locked: code LOCKED",
    "server_fault": "a Server fault that says nothing more",
    "client_fault": "a Client fault with a code that nobody knows",
}
USER, PASSWORD = "patchbay", "in-house-secret"
CUSTOMER = ("id", "ref", "name", "phone", "mobile", "email", "country", "consent", "changed")
CALL = ("ref", "customer", "direction", "outcome", "seconds", "note", "recording", "at", "id")
_PARSER = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


class InHouseSoapSandbox:
    """The CRM behind its SOAP interface."""

    def __init__(self, rows: int = 200, seed: int = 1878) -> None:
        self.faults = Faults(OWN_FAULTS)
        self.books = Books(rows, seed)

    def credentials(self) -> dict[str, Any]:
        """A user; the connection's `url` is the address with /soap."""
        return {"user": USER, "password": PASSWORD}

    def app(self, url: str) -> Flask:
        """The web service."""
        app = Flask("sandbox.in_house.soap")
        wsdl = WSDL.read_text().replace("https://crm.lumen.example/soap", f"{url}/soap")
        app.add_url_rule("/soap", "wsdl", lambda: Response(wsdl, mimetype="text/xml"))
        app.add_url_rule("/soap", "call", self._called, methods=["POST"])
        return app

    def _called(self) -> Response:
        try:
            envelope = etree.fromstring(request.get_data(), etree.XMLParser(**_PARSER))
        except etree.XMLSyntaxError:
            return _fault("Client", "no XML", "NO_XML")
        if envelope.getroottree().docinfo.doctype:
            return _fault("Client", "a DTD is not read", "NO_XML")
        if not self._admitted(envelope) or self.faults.take("unauthorized"):
            return _fault("Client", "the user or the password is wrong", "UNAUTHORIZED")
        if self.faults.take("server_fault"):
            return _fault("Server", "an error occurred", "")
        if self.faults.take("client_fault"):
            return _fault("Client", "this cannot be read", "ODD")
        asked = envelope.find(f"{{{ENVELOPE}}}Body/*")
        name = etree.QName(asked).localname if asked is not None else ""
        answer = getattr(self, f"_{name}", None)
        if asked is None or answer is None or not name[:1].isupper():
            return _fault("Client", "there is no such operation", "NO_SUCH_OPERATION")
        try:
            return _answered(f"{name}Response", answer(asked))
        except Refused as refused:
            return _fault("Client", str(refused), refused.code)

    def _admitted(self, envelope: Any) -> bool:
        told = {word: envelope.findtext(f".//{{{WSSE}}}{word}") or "" for word in ("Username", "Password")}
        return told["Username"] == USER and hmac.compare_digest(told["Password"].encode(), PASSWORD.encode())

    # --- operations ----------------------------------------

    def _WhoAmI(self, _asked: Any) -> list[tuple[str, Any]]:  # noqa: N802 (the operation's name)
        return [("login", USER)]

    def _FindCustomers(self, asked: Any) -> list[tuple[str, Any]]:  # noqa: N802
        found = self.books.customers(
            phone_ends=_text(asked, "phoneEnds"), email=_text(asked, "email"), ref=_text(asked, "ref")
        )
        return [*(("customer", _known(one, CUSTOMER)) for one in found), ("count", len(found))]

    def _GetCustomer(self, asked: Any) -> list[tuple[str, Any]]:  # noqa: N802
        return [("customer", _known(self.books.customer(_text(asked, "id")), CUSTOMER))]

    def _PutCalls(self, asked: Any) -> list[tuple[str, Any]]:  # noqa: N802
        results = [self._put(call) for call in asked.findall(f"{{{CRM}}}call")]
        return [*(("result", result) for result in results), ("count", len(results))]

    def _put(self, call: Any) -> list[tuple[str, Any]]:
        told = {etree.QName(part).localname: part.text or "" for part in call}
        ref = told.pop("ref", "")
        if told.get("seconds", "").isdecimal():
            told["seconds"] = int(told["seconds"])
        try:
            if self.faults.take("locked"):
                raise Refused(409, "LOCKED", "somebody else has it open")
            kept, new = self.books.put_call(ref, told)
        except Refused as refused:
            problems = [("problem", [("field", n), ("message", what)]) for n, what in refused.fields.items()]
            return [("ref", ref), ("status", "error"), ("code", refused.code), ("message", str(refused)), *problems]
        return [("ref", ref), ("id", kept["id"]), ("status", "created" if new else "updated")]

    def _FindCalls(self, asked: Any) -> list[tuple[str, Any]]:  # noqa: N802
        call = self.books.call(_text(asked, "ref"))
        return [*([("call", _known(call, CALL))] if call else []), ("count", 1 if call else 0)]

    def _RemoveCall(self, asked: Any) -> list[tuple[str, Any]]:  # noqa: N802
        return [("removed", self.books.drop_call(_text(asked, "ref")))]

    def _SegmentMembers(self, asked: Any) -> list[tuple[str, Any]]:  # noqa: N802
        size, since = min(int(_text(asked, "size") or 100), 500), _text(asked, "since") or None
        items, left, following = self.books.members(_text(asked, "segment"), _text(asked, "after"), size, since)
        told: list[tuple[str, Any]] = [("customer", _known(one, CUSTOMER)) for one in items]
        told += [("left", id) for id in left]
        return told + ([("next", following)] if following else [])


def _text(asked: Any, name: str) -> str:
    return asked.findtext(f"{{{CRM}}}{name}") or ""


def _known(told: Mapping[str, Any], names: tuple[str, ...]) -> list[tuple[str, Any]]:
    """What is known, in the schema's order."""
    return [(name, told[name]) for name in names if told.get(name) is not None]


def _filled(element: Any, told: list[tuple[str, Any]]) -> None:
    for name, value in told:
        part = etree.SubElement(element, f"{{{CRM}}}{name}")
        if isinstance(value, list):
            _filled(part, value)
        else:
            part.text = str(value).lower() if isinstance(value, bool) else str(value)


def _answered(name: str, told: list[tuple[str, Any]]) -> Response:
    envelope = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soap": ENVELOPE, "crm": CRM})
    _filled(etree.SubElement(etree.SubElement(envelope, f"{{{ENVELOPE}}}Body"), f"{{{CRM}}}{name}"), told)
    return Response(etree.tostring(envelope, xml_declaration=True, encoding="utf-8"), mimetype="text/xml")


def _fault(who: str, message: str, code: str) -> Response:
    """SOAP 1.1, 4.4: a fault comes with status 500."""
    envelope = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soap": ENVELOPE, "crm": CRM})
    fault = etree.SubElement(etree.SubElement(envelope, f"{{{ENVELOPE}}}Body"), f"{{{ENVELOPE}}}Fault")
    etree.SubElement(fault, "faultcode").text = f"soap:{who}"
    etree.SubElement(fault, "faultstring").text = message
    if code:
        refusal = etree.SubElement(etree.SubElement(fault, "detail"), f"{{{CRM}}}Refusal")
        etree.SubElement(refusal, f"{{{CRM}}}code").text = code
    return Response(etree.tostring(envelope, xml_declaration=True, encoding="utf-8"), 500, mimetype="text/xml")
