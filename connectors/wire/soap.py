"""SOAP by WSDL, over the hub's session. The library is zeep; here is what it is told, and what goes wrong in our own words.

A service's document is read at the first call, not at the start: a system that is down does not keep the hub from starting.
What is read is bounded: no DTD, no entities, and imports only from where the document itself is (its host, or its folder).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from lxml import etree
from msgspec import Struct
from zeep import Client, Settings
from zeep.exceptions import Error, Fault, XMLParseError
from zeep.helpers import serialize_object
from zeep.plugins import Plugin
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

from connectors.wire.answers import lost, nothing_done, retry_after
from hub.errors import ConnectorError, CredentialsRefused, NotPermitted, Rejected, Throttled, Unavailable

# What a document that is none, or none that zeep understands, makes of it.
NOT_A_WSDL = (
    Error,
    etree.XMLSyntaxError,
    requests.RequestException,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)


class SoapFault(Struct, frozen=True, kw_only=True):
    """A fault as the service told it. `detail` is its XML as text, empty where there is none."""

    code: str
    message: str
    detail: str


class SoapFailed(Exception):
    """The service answered with a fault; what it means is the connector's to say."""

    def __init__(self, fault: SoapFault) -> None:
        self.fault = fault
        super().__init__(f"{fault.code}: {fault.message}")


class Soap:
    """One service. `wsdl` is its address, or a file; `address` is where it is called, if not where the WSDL says."""

    def __init__(
        self,
        session: requests.Session,
        wsdl: str,
        *,
        who: str,
        address: str = "",
        binding: str = "",
        username: str = "",
        password: str = "",
        digest: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._who, self._wsdl, self._address, self._binding = who, wsdl, address, binding
        self._transport = _Transport(session, wsdl, who, dict(headers or {}))
        # WS-Security UsernameToken Profile 1.1, as text or as a digest.
        self._wsse = UsernameToken(username, password, use_digest=digest) if username else None
        self._settings = Settings(
            strict=True,
            forbid_dtd=True,
            forbid_entities=True,
            force_https=False,
            extra_http_headers=dict(headers or {}),
        )
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._service: Any = None

    def call(self, operation: str, *parts: Any, changes: bool, **named: Any) -> Any:
        """The operation's answer as plain dicts and lists.

        Raises SoapFailed for a fault, Rejected where what is sent is not by the schema, and what the session raises.
        `changes`: whether the operation changes something there, so that a lost answer leaves the outcome unknown.
        """
        service = self._opened()
        if not hasattr(service, operation):
            raise Rejected(f"{self._who} has no operation {operation}")
        if changes:
            return self._called(service[operation], parts, named, changes=True)
        with nothing_done():
            return self._called(service[operation], parts, named, changes=False)

    def forget(self) -> None:
        """Read the document anew at the next call: it may have changed."""
        with self._lock:
            self._client = self._service = None
            self._transport.documents.clear()

    @property
    def documents(self) -> Sequence[bytes]:
        """The WSDL and all that it imports, as they came: zeep forgets lengths and enumerations."""
        self._opened()
        return list(self._transport.documents.values())

    @property
    def client(self) -> Client:
        """zeep's client, for what only it knows: the types of the document."""
        self._opened()
        assert self._client is not None
        return self._client

    def _called(self, operation: Any, parts: Sequence[Any], named: Mapping[str, Any], *, changes: bool) -> Any:
        self._transport.answered = None
        try:
            return serialize_object(operation(*parts, **named), dict)
        except Fault as fault:
            if not fault.code and not (fault.message and "Unknown fault" not in fault.message):
                # A page of somebody's that happens to be XML; zeep takes it for a fault.
                raise self._unreadable(fault, changes) from fault
            raise SoapFailed(_told(fault)) from fault
        except (Error, etree.XMLSyntaxError, TypeError, ValueError, LookupError) as error:
            if self._transport.answered is not None:
                raise self._unreadable(error, changes) from error
            # A ValueError's words may hold the value.
            told = "" if isinstance(error, ValueError) else f": {error}"[:300]
            raise Rejected(f"{self._who}: what is to be sent does not fit the WSDL{told}") from error

    def _unreadable(self, error: Exception, changes: bool) -> Unavailable:
        """An answer that is no SOAP. With a 4xx the service itself was not reached, or did not look at what was sent."""
        status = self._transport.answered
        if status is not None and 400 <= status < 500:
            return Unavailable(
                f"{self._who} answers {status} and no SOAP; is the address right and the service active?"
            )
        if status != 200:
            return lost(changes)(f"{self._who} answers {status} and no SOAP")
        return lost(changes)(f"the answer of {self._who} cannot be read ({type(error).__name__})")

    def _opened(self) -> Any:
        with self._lock:
            if self._service is None:
                try:
                    client = Client(
                        self._wsdl,
                        wsse=self._wsse,
                        transport=self._transport,
                        settings=self._settings,
                        plugins=[_AsAnnounced()],
                    )
                    bindings = list(client.wsdl.bindings)
                    if self._address and bindings:
                        self._service = client.create_service(self._binding or bindings[0], self._address)
                    elif not self._address:
                        self._service = client.service
                except NOT_A_WSDL as error:
                    raise Unavailable(f"the WSDL of {self._who} cannot be read ({type(error).__name__})") from error
                if self._service is None:
                    raise Rejected(f"the WSDL of {self._who} has no binding")
                self._client = client
            return self._service


def _told(fault: Fault) -> SoapFault:
    detail = "" if fault.detail is None else fault.detail
    text = detail if isinstance(detail, str) else etree.tostring(detail, encoding="unicode")
    return SoapFault(code=str(fault.code or ""), message=str(fault.message or ""), detail=text)


class _AsAnnounced(Plugin):
    """zeep takes any element for the answer that a document announces, and an answer of something else for an empty one."""

    def ingress(self, envelope: etree._Element, http_headers: Any, operation: Any) -> tuple[etree._Element, Any]:
        """Raises XMLParseError where the body holds another element than the operation's answer, or none."""
        announced = getattr(getattr(operation.output, "body", None), "qname", None)
        body = next((child for child in envelope if etree.QName(child).localname == "Body"), None)
        if body is not None and announced is not None:
            told = next((etree.QName(child) for child in body if isinstance(child.tag, str)), None)
            if told is None or (told.text != announced.text and told.localname != "Fault"):
                raise XMLParseError("the answer is not what the document announces")
        return envelope, http_headers


class _Transport(Transport):
    """zeep's transport on the hub's session, which has the time-outs, TLS and the guarded addresses."""

    def __init__(self, session: requests.Session, wsdl: str, who: str, headers: Mapping[str, str]) -> None:
        # Not zeep's own constructor: it would let the session read files, and call itself zeep.
        self.session, self.cache = session, None
        self.load_timeout = self.operation_timeout = None
        self._close_session = False  # what zeep's finalizer asks for: the session is the hub's
        self._wsdl, self._who, self._headers = wsdl, who, headers
        self._here = threading.local()
        self.documents: dict[str, bytes] = {}

    @property
    def answered(self) -> int | None:
        """The status of this thread's last answer; None: nothing was sent yet."""
        return getattr(self._here, "answered", None)

    @answered.setter
    def answered(self, status: int | None) -> None:
        self._here.answered = status

    def load(self, url: str) -> bytes:
        here, there = urlsplit(self._wsdl), urlsplit(url)
        remote = here.scheme in ("http", "https")
        if remote and (there.scheme, there.netloc) != (here.scheme, here.netloc):
            raise Unavailable(f"the WSDL of {self._who} imports from elsewhere: {there.scheme}://{there.netloc}")
        if remote:
            answer = self.session.get(url, headers=self._headers)
            if (failed := _refused(answer, self._who)) is not None:
                raise failed
            if answer.status_code != 200:
                raise Unavailable(f"the WSDL of {self._who} is answered {answer.status_code}")
            self.documents[url] = bytes(answer.content)
            return self.documents[url]
        file, folder = Path(url).resolve(), Path(self._wsdl).resolve().parent
        if there.scheme or not file.is_relative_to(folder):
            raise Unavailable(f"the WSDL of {self._who} imports what is not in its folder: {url}")
        self.documents[url] = file.read_bytes()
        return self.documents[url]

    def post(self, address: str, message: Any, headers: Mapping[str, str]) -> requests.Response:
        answer = self.session.post(address, data=message, headers=headers)
        self.answered = answer.status_code
        if (failed := _refused(answer, self._who)) is not None:
            raise failed
        return answer


def _refused(answer: requests.Response, who: str) -> ConnectorError | None:
    """What a status says by itself, whatever the body. A 500 is a fault's own status, so it is read."""
    match answer.status_code:
        case 401:
            return CredentialsRefused(f"{who} refuses the credentials")
        case 403:
            return NotPermitted(f"{who} does not let our user do this")
        case 429:
            return Throttled(f"{who} takes no more calls just now", retry_after(answer))
        case 503:  # said by a gateway or a server that is full, before the work began
            return Unavailable(f"{who} answers 503")
        case status if 300 <= status < 400:
            return Unavailable(f"{who} answers {status}: somebody's sign-in page, perhaps")
    return None
