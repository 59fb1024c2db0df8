"""SOAP 1.1 on the server's side: read an envelope into plain values, write values as an envelope, a fault, a log.

No DTD and no entities are read, whatever a client sends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from lxml import etree

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
SERVICES = "http://sap.com/xi/CRM/SE"
FUNCTIONS = "urn:sap-com:document:sap:rfc:functions"
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
UTILITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_SAFE = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)


class NoSoap(ValueError):
    """What came is no envelope."""


class Asked:
    """A request: the message's name and its content, an element that is there once as a value, several as a list."""

    def __init__(self, body: bytes) -> None:
        try:
            root = etree.fromstring(body, _SAFE)
        except etree.XMLSyntaxError as error:
            raise NoSoap(str(error)) from None
        if root.getroottree().docinfo.doctype or root.tag != f"{{{ENVELOPE}}}Envelope":
            raise NoSoap("no envelope")
        inner = root.find(f"{{{ENVELOPE}}}Body")
        if inner is None or len(inner) != 1:
            raise NoSoap("no body")
        self._root = root
        name = etree.QName(inner[0])
        if name.namespace not in (SERVICES, FUNCTIONS):
            raise NoSoap("another name space")
        self.namespace = str(name.namespace)
        self.message = name.localname
        self.content: dict[str, Any] = _plain(inner[0])

    def signed_by(self, user: str, password: str) -> bool:
        """Whether a UsernameToken proves the user: the password as text, or as a digest with nonce and time."""
        token = self._root.find(f".//{{{SECURITY}}}UsernameToken")
        if token is None:
            return False
        name, told = token.findtext(f"{{{SECURITY}}}Username"), token.find(f"{{{SECURITY}}}Password")
        if name != user or told is None or not told.text:
            return False
        if str(told.get("Type")).endswith("#PasswordDigest"):
            nonce = base64.b64decode(token.findtext(f"{{{SECURITY}}}Nonce") or "")
            made = (token.findtext(f"{{{UTILITY}}}Created") or "").encode()
            expected = base64.b64encode(hashlib.sha1(nonce + made + password.encode()).digest()).decode()  # noqa: S324
            return hmac.compare_digest(told.text, expected)
        return hmac.compare_digest(told.text.encode(), password.encode())


def envelope(message: str, content: Mapping[str, Any], namespace: str = SERVICES) -> bytes:
    """An answer: the elements in their order, lists as repeated elements, what is None left out."""
    root = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soap-env": ENVELOPE})
    body = etree.SubElement(root, f"{{{ENVELOPE}}}Body")
    _fill(etree.SubElement(body, f"{{{namespace}}}{message}", nsmap={"n0": namespace}), content)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def fault(code: str, text: str, detail: str = "") -> bytes:
    """A fault; with `detail` SAP's standard message fault stands in it."""
    root = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soap-env": ENVELOPE})
    told = etree.SubElement(etree.SubElement(root, f"{{{ENVELOPE}}}Body"), f"{{{ENVELOPE}}}Fault")
    etree.SubElement(told, "faultcode").text = f"soap-env:{code}"
    etree.SubElement(told, "faultstring").text = text
    if detail:
        standard = etree.SubElement(etree.SubElement(told, "detail"), f"{{{SERVICES}}}StandardMessageFault")
        etree.SubElement(etree.SubElement(standard, "standard"), "faultText").text = detail
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def log(*notes: str) -> dict[str, Any]:
    """The log of a confirmation: successful, or with errors."""
    if not notes:
        return {"BusinessDocumentProcessingResultCode": "3", "MaximumLogItemSeverityCode": "1",
                "Item": [{"TypeID": "000(CRM_ORDER)", "SeverityCode": "1", "Note": "Saved"}]}  # fmt: skip
    items = [{"TypeID": "013(CRM_ORDER)", "SeverityCode": "3", "Note": note} for note in notes]
    return {"BusinessDocumentProcessingResultCode": "5", "MaximumLogItemSeverityCode": "3", "Item": items}


def _plain(element: etree._Element) -> Any:
    if len(element) == 0:
        return element.text or ""
    told: dict[str, Any] = {}
    for child in element:
        name, value = etree.QName(child).localname, _plain(child)
        if name in told:
            told[name] = [*told[name], value] if isinstance(told[name], list) else [told[name], value]
        else:
            told[name] = value
    return told


def _fill(element: etree._Element, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        for one in value if isinstance(value, list) else [value]:
            if one is None:
                continue
            child = etree.SubElement(element, name)
            if isinstance(one, Mapping):
                _fill(child, one)
            else:
                child.text = str(one).lower() if isinstance(one, bool) else str(one)
