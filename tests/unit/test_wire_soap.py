"""SOAP by WSDL: against node `soap`, which we did not write, and against documents and answers that mean harm."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from connectors.wire.soap import Soap, SoapFailed
from hub.config import ConnectionConfig
from hub.errors import (
    ConnectorError,
    CredentialsRefused,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
)
from hub.session import open_session
from tests.judges import serving as judge
from tests.waiting import PATIENCE

WSDL = """<?xml version="1.0"?>{doctype}<definitions name="S" targetNamespace="urn:s" xmlns="http://schemas.xmlsoap.org/wsdl/"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="urn:s" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><types>
 <xsd:schema targetNamespace="urn:s">{schema}<xsd:element name="Ask"><xsd:complexType><xsd:sequence><xsd:element name="Text"
 type="xsd:string"/><xsd:element name="Number" type="xsd:int" minOccurs="0"/></xsd:sequence></xsd:complexType></xsd:element>
 <xsd:element name="Told" type="xsd:string"/></xsd:schema></types><message name="I">
 <part name="b" element="tns:Ask"/></message><message name="O"><part name="b" element="tns:Told"/></message>
 <portType name="P"><operation name="Do"><input message="tns:I"/>
 <output message="tns:O"/></operation></portType><binding name="B" type="tns:P"><soap:binding style="document"
 transport="http://schemas.xmlsoap.org/soap/http"/><operation name="Do"><soap:operation soapAction="Do"/><input><soap:body
 use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>{service}</definitions>"""
SERVICE = '<service name="S"><port name="P" binding="tns:B"><soap:address location="{url}/do"/></port></service>'
ENVELOPE = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{0}</e:Body></e:Envelope>'
BOMB = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def soap_at(wsdl: str, **told: Any) -> Soap:
    """A client on a session of the hub's."""
    config = ConnectionConfig("crm", "sap_crm", {}, private_network=True)
    return Soap(open_session(config), wsdl, who="the service", **told)


# --- against node soap ----------------------------------------


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    with judge("soap_server") as told:
        yield told["wsdl"]


@pytest.mark.parametrize("digest", [False, True])
def test_node_soap_understands_us(node: str, digest: bool) -> None:
    soap = soap_at(node, username="hub", password="pass&word", digest=digest)
    at = dt.datetime(2026, 11, 23, 10, 5, 13, tzinfo=dt.UTC)
    lines = [{"Text": "ñ <&> ]]> 🦄\u202e", "At": at}, {"Text": ""}]
    answer = soap.call("Echo", changes=False, Name="Ada", Line=lines)
    assert (answer["Name"], answer["User"], len(answer["Line"])) == ("Ada", "hub", 2)
    assert answer["Line"][0]["Text"] == lines[0]["Text"] and answer["Line"][0]["At"] == at
    assert any(b"maxLength" in document for document in soap.documents)  # the schema that the WSDL imports


def test_node_soap_tells_of_faults(node: str) -> None:
    soap = soap_at(node, username="hub", password="pass&word")
    with pytest.raises(SoapFailed) as failed:
        soap.call("Echo", changes=True, Name="business")
    assert "Server" in failed.value.fault.code and "Partner is locked by user X" in failed.value.fault.detail
    with pytest.raises(SoapFailed) as failed:
        soap.call("Echo", changes=True, Name="dump")
    assert failed.value.fault.detail == ""
    with pytest.raises((SoapFailed, ConnectorError)):
        soap_at(node, username="hub", password="wrong").call("Echo", changes=False, Name="Ada")


def test_one_client_is_used_by_many_threads(node: str) -> None:
    soap = soap_at(node, username="hub", password="pass&word", digest=True)
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda n: soap.call("Echo", changes=False, Name=f"n{n}")["Name"], range(24)))
    assert told == [f"n{n}" for n in range(24)]


def test_what_does_not_fit_the_schema_is_never_sent(node: str) -> None:
    soap = soap_at(node, username="hub", password="pass&word")
    for wrong in ({"Nmae": "Ada"}, {}, {"Name": "a\0b"}, {"Name": "Ada", "Line": [{"At": "x"}]}):
        with pytest.raises(Rejected) as refused:
            soap.call("Echo", changes=True, **wrong)
        assert "a\0b" not in str(refused.value)
    with pytest.raises(Rejected, match="no operation Ecko"):
        soap.call("Ecko", changes=True)


# --- against what means harm, or is none of it ----------------------------------------


class Answers:
    """A server that answers each path as it is told: (status, content type, body)."""

    def __init__(self) -> None:
        self.paths: dict[str, tuple[int, str, str]] = {}
        self.heads: list[dict[str, str]] = []
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answers.heads.append({name.lower(): value for name, value in self.headers.items()})
                status, kind, body = answers.paths.get(self.path, (404, "text/html", "<html>no</html>"))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if status == 429:
                    self.send_header("Retry-After", "7")
                if status == 302:
                    self.send_header("Location", "/login")
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.wsdl()

    def wsdl(self, doctype: str = "", schema: str = "", service: str = SERVICE) -> None:
        """The document at /wsdl."""
        text = WSDL.format(doctype=doctype, schema=schema, service=service.format(url=self.url))
        self.paths["/wsdl"] = (200, "text/xml", text)


@pytest.fixture
def answers() -> Iterator[Answers]:
    told = Answers()
    thread = threading.Thread(target=told.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield told
    told.server.shutdown()
    told.server.server_close()
    thread.join(PATIENCE)


TOLD = ENVELOPE.format('<n:Told xmlns:n="urn:s">yes</n:Told>')
FAULT = ENVELOPE.format("<e:Fault><faultcode>e:Server</faultcode><faultstring>No</faultstring></e:Fault>")


def test_a_plain_answer(answers: Answers) -> None:
    answers.paths["/do"] = (200, "text/xml", TOLD)
    assert (
        soap_at(f"{answers.url}/wsdl", headers={"Authorization": "Basic x"}).call("Do", changes=True, Text="x") == "yes"
    )
    assert [head.get("authorization") for head in answers.heads] == ["Basic x"] * 2  # for the document too


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda a: a.wsdl(doctype=BOMB), "entities"),
        (lambda a: a.wsdl(doctype='<!DOCTYPE d SYSTEM "http://127.0.0.1:1/x.dtd">'), "a DTD elsewhere"),
        (
            lambda a: a.wsdl(schema='<xsd:import namespace="urn:x" schemaLocation="http://evil.example/x.xsd"/>'),
            "elsewhere",
        ),
        (lambda a: a.wsdl(schema='<xsd:import namespace="urn:x" schemaLocation="file:///etc/passwd"/>'), "a file"),
        (lambda a: a.wsdl(schema='<xsd:import namespace="urn:x" schemaLocation="/missing.xsd"/>'), "nothing there"),
        (lambda a: a.wsdl(service=""), "no service"),
        (lambda a: a.paths.update({"/wsdl": (200, "text/html", "<html><body>Sign in</body></html>")}), "a page"),
        (lambda a: a.paths.update({"/wsdl": (200, "text/xml", "<broken")}), "broken"),
        (lambda a: a.paths.update({"/wsdl": (500, "text/html", "dump")}), "a dump"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_document_that_is_none_is_unavailable(answers: Answers, spoil: Callable[[Answers], None], what: str) -> None:
    spoil(answers)
    with pytest.raises(Unavailable) as failed:
        soap_at(f"{answers.url}/wsdl").call("Do", changes=True, Text="x")
    assert type(failed.value) is Unavailable, what  # nothing was sent
    assert what not in ("elsewhere", "a file") or "imports from elsewhere" in str(failed.value)  # not even asked for


def test_a_document_with_a_bomb_that_is_imported_is_refused_too(answers: Answers) -> None:
    answers.wsdl(schema='<xsd:import namespace="urn:x" schemaLocation="/x.xsd"/>')
    bomb = f'{BOMB}<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"/>'
    answers.paths["/x.xsd"] = (200, "text/xml", bomb)
    with pytest.raises(Unavailable, match="DTDForbidden"):
        soap_at(f"{answers.url}/wsdl").call("Do", changes=True, Text="x")


def test_a_document_in_a_file_imports_from_its_folder_only(tmp_path: Path, answers: Answers) -> None:
    folder = tmp_path / "wsdl"
    folder.mkdir()
    (tmp_path / "outside.xsd").write_text(
        '<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"/>'
    )
    service = SERVICE.format(url=answers.url)
    file = folder / "s.wsdl"
    answers.paths["/do"] = (200, "text/xml", TOLD)
    file.write_text(WSDL.format(doctype="", schema="", service=service))
    assert soap_at(str(file)).call("Do", changes=False, Text="x") == "yes"
    imported = '<xsd:import namespace="urn:x" schemaLocation="../outside.xsd"/>'
    file.write_text(WSDL.format(doctype="", schema=imported, service=service))
    with pytest.raises(Unavailable, match="not in its folder"):
        soap_at(str(file)).call("Do", changes=False, Text="x")


ANSWERED: list[tuple[tuple[int, str, str], type[Exception], type[Exception]]] = [
    # what comes, what that is for a change, and for a question
    ((500, "text/xml", FAULT), SoapFailed, SoapFailed),
    ((200, "text/xml", FAULT), SoapFailed, SoapFailed),
    ((500, "text/html", "<html><body>XML, and no SOAP</body></html>"), UnknownOutcome, Unavailable),
    ((500, "text/html", "<br> not even XML"), UnknownOutcome, Unavailable),
    ((500, "text/plain", ""), UnknownOutcome, Unavailable),
    ((502, "text/html", "<!DOCTYPE html><html></html>"), UnknownOutcome, Unavailable),
    ((200, "text/html", "<!DOCTYPE html><html>Sign in</html>"), UnknownOutcome, Unavailable),
    ((200, "text/xml", BOMB + TOLD), UnknownOutcome, Unavailable),
    ((200, "text/xml", TOLD[:90]), UnknownOutcome, Unavailable),
    ((200, "text/xml", ENVELOPE.format("<Else/>")), UnknownOutcome, Unavailable),
    ((200, "application/json", "{}"), UnknownOutcome, Unavailable),
    ((404, "text/html", "<html>no</html>"), Unavailable, Unavailable),
    ((405, "text/plain", ""), Unavailable, Unavailable),
    ((401, "text/html", "no"), CredentialsRefused, CredentialsRefused),
    ((403, "text/html", "no"), NotPermitted, NotPermitted),
    ((429, "text/html", "no"), Throttled, Throttled),
    ((503, "text/html", "full"), Unavailable, Unavailable),
    ((302, "text/html", ""), Unavailable, Unavailable),
]


@pytest.mark.parametrize("number", range(len(ANSWERED)))
def test_what_an_answer_means(answers: Answers, number: int) -> None:
    told, changing, asking = ANSWERED[number]
    answers.paths["/do"] = told
    soap = soap_at(f"{answers.url}/wsdl")
    for changes, wanted in ((True, changing), (False, asking)):
        with pytest.raises(wanted) as failed:
            soap.call("Do", changes=changes, Text="x")
        assert type(failed.value) is wanted, told


def test_a_document_is_read_once_and_again_when_told_to_forget(answers: Answers) -> None:
    answers.paths["/do"] = (200, "text/xml", TOLD)
    soap = soap_at(f"{answers.url}/wsdl", address=f"{answers.url}/do")
    for _ in range(3):
        soap.call("Do", changes=False, Text="x")
    assert len(answers.heads) == 4
    soap.forget()
    soap.call("Do", changes=False, Text="x")
    assert len(answers.heads) == 6
