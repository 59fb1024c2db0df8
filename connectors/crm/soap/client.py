"""The wire: a declared operation, called through `connectors.wire.soap`, and what a fault means."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from lxml import etree

from connectors.wire.answers import lost
from connectors.wire.profiled.asking import ANSWER, Answer, Nothing
from connectors.wire.profiled.failures import Failures
from connectors.wire.profiled.pieces import body_of, text
from connectors.wire.soap import Soap, SoapFailed, SoapFault
from hub.contract import Piece, Place, Profile, Tools
from hub.errors import ConnectorError, Rejected

ROOTS = (*ANSWER, "fault")
SENDER = ("client", "sender")  # SOAP 1.1 and 1.2: the fault is in what was sent


class Operation:
    """One declared call: `call`, the operation's name, and `with`, its parts by name."""

    WORDS: ClassVar[tuple[str, ...]] = ("call", "with")

    def __init__(self, profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> None:
        words = profile.group(at, value, self.WORDS, ("call",))
        self.name = str(words["call"])
        self._parts = body_of(profile, (*at, "with"), words.get("with", {}), roots)

    def parts(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """What is sent. Raises Rejected where a value does not fit."""
        try:
            made = self._parts(facts)
        except ValueError as error:
            raise Rejected(f"the profile cannot make its call: {error}") from error
        if not isinstance(made, dict):
            raise Rejected("`with` gives no group of parts")
        return {name: _sendable(value) for name, value in made.items()}


class Client:
    """Calls to one system, as `Asks`."""

    words: tuple[str, ...] = Operation.WORDS
    roots: tuple[str, ...] = ROOTS
    addressed: bool = False

    def __init__(
        self, settings: Mapping[str, Any], tools: Tools, profile: Profile, wsdl: str, failures: Failures
    ) -> None:
        place = wsdl if wsdl.startswith(("http://", "https://")) else str(Path(profile.folder) / wsdl)
        if place != wsdl and not Path(place).is_file():
            raise profile.error(("wsdl",), f"there is no file {place}")
        self._failures, self._user = failures, str(settings["user"])
        self._soap = Soap(
            tools.session, place, who="the CRM", address=settings["url"] or "", binding=settings["binding"],
            username=settings["user"], password=settings["password"] or "", digest=settings["digest"],
        )  # fmt: skip

    def reached(self) -> str:
        """Whether the WSDL can be read; nothing else says who we are."""
        self._soap.client  # noqa: B018 (reading it is what is asked for)
        return self._user

    def call(self, profile: Profile, at: Place, value: dict[str, Any], roots: tuple[str, ...]) -> Operation:
        """An operation."""
        return Operation(profile, at, value, roots)

    def batch(
        self, profile: Profile, at: Place, value: dict[str, Any], roots: tuple[str, ...]
    ) -> tuple[Operation, Piece]:
        """An operation whose parts hold the rows."""
        if "with" in value:
            raise profile.error(at, "a batch's parts are made of `rows` and `row`")
        made = body_of(profile, (*at, "row"), value.pop("row"), roots)
        return Operation(profile, at, value | {"with": "rows"}, ("rows", "options")), lambda facts: _sendable(
            made(facts)
        )

    def asked(
        self,
        call: Operation,
        facts: Mapping[str, Any],
        *,
        changes: bool,
        none: Nothing | None = None,
        at: str = "",
    ) -> Answer:
        """The answer to an operation, as plain data. Raises what a fault, or a refusal in a good answer, means."""
        del at  # the pages of a SOAP service have no addresses
        try:
            body = _plain(self._soap.call(call.name, changes=changes, **call.parts(facts)))
        except SoapFailed as failed:
            facts = _facts(failed.fault)
            if none is not None and none(facts):
                return Answer(body=None, status=500)
            raise self._meaning(failed.fault, facts, changes) from failed
        answer = Answer(body=body)
        if (refused := self._failures.error(answer.facts)) is not None:
            raise refused
        return answer

    def _meaning(self, fault: SoapFault, facts: Mapping[str, Any], changes: bool) -> ConnectorError:
        if (meant := self._failures.error(facts)) is not None:
            return meant
        if fault.code.rpartition(":")[2].casefold() in SENDER:
            return Rejected(f"the CRM: {fault.message[:300]}")
        return lost(changes)(f"the CRM fails: {fault.code}")


def _facts(fault: SoapFault) -> dict[str, Any]:
    """A fault as a profile's paths see it."""
    told = {"code": fault.code, "message": fault.message, "detail": _details(fault.detail)}
    return {"answer": None, "status": 500, "header": {}, "fault": told}


def _details(xml: str) -> dict[str, Any]:
    """A fault's detail: the text of each element by its name, whatever its namespace and depth."""
    if not xml:
        return {}
    root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
    return {
        etree.QName(part).localname: part.text for part in root.iter(etree.Element) if part.text and part.text.strip()
    }


def _sendable(value: Any) -> Any:
    """Dates are sent as they are written; zeep wants them as dates or as text."""
    if isinstance(value, dict):
        return {name: _sendable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_sendable(one) for one in value]
    if isinstance(value, str) and (strange := next((c for c in value if not _is_xml(c)), None)) is not None:
        raise Rejected(f"XML has no word for the character U+{ord(strange):04X}")
    return value


def _is_xml(character: str) -> bool:
    """XML 1.0, 2.2: what may stand in a document."""
    code = ord(character)
    return (code >= 0x20 and code not in (0xFFFE, 0xFFFF) and not 0xD800 <= code <= 0xDFFF) or character in "\t\n\r"


def _plain(value: Any) -> Any:
    """zeep's values as JSON has them."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value) if value == value.to_integral_value() or abs(value) < 10**15 else str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else text(value)
