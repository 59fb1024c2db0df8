"""What the settings say of the services: where their WSDLs are, what their operations and elements are called.

The defaults are those of the WSDLs in `sandbox/sap_crm/`, which are ours: modelled on the documented shape of SAP's
enterprise services for CRM 7.0. A system's own WSDLs come from SOAMANAGER and may call things otherwise; every name here is
a setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from hub.errors import ConfigError, Unsupported, nearest

PARTNER, ACTIVITY, REQUEST = "BusinessPartner", "Activity", "ServiceRequest"
OBJECTS = (PARTNER, ACTIVITY, REQUEST)
WSDLS = (
    f"{PARTNER}=/sap/bc/srt/wsdl/business_partner.wsdl",
    f"{ACTIVITY}=/sap/bc/srt/wsdl/activity.wsdl",
    f"{REQUEST}=/sap/bc/srt/wsdl/service_request.wsdl",
)
OPERATIONS = (
    f"{PARTNER}.query=BusinessPartnerCRMByElementsQueryResponse_In",
    *(
        f"{object}.{verb}={object}CRM{name}"
        for object in (ACTIVITY, REQUEST)
        for verb, name in (
            ("create", "CreateRequestConfirmation_In"),
            ("change", "ChangeRequestConfirmation_In"),
            ("query", "ByElementsQueryResponse_In"),
        )
    ),
)
ELEMENTS = (
    f"{PARTNER}.id=InternalID",
    f"{PARTNER}.key=ExternalID",
    f"{PARTNER}.phone=TelephoneNumber",
    f"{PARTNER}.email=EmailAddress",
    *(f"{object}.{word}" for object in (ACTIVITY, REQUEST) for word in ("id=ID", "key=ExternalReferenceID")),
)
PARTS = (
    f"{ACTIVITY}.Note = Text(TypeCode=A002).ContentText",
    f"{ACTIVITY}.BusinessPartner = Party(RoleCode=00000009).BusinessPartnerInternalID",
    f"{ACTIVITY}.ContactPerson = Party(RoleCode=00000015).BusinessPartnerInternalID",
    f"{ACTIVITY}.ResponsibleEmployee = Party(RoleCode=00000014).BusinessPartnerInternalID",
    f"{ACTIVITY}.ServiceRequest = BusinessTransactionDocumentReference(TypeCode=BUS2000223).ID",
    f"{REQUEST}.Note = Text(TypeCode=A002).ContentText",
    f"{REQUEST}.SoldToParty = Party(RoleCode=00000001).BusinessPartnerInternalID",
    f"{REQUEST}.ContactPerson = Party(RoleCode=00000015).BusinessPartnerInternalID",
)
_PAIR = re.compile(r"(\w+)(?:\.(\w+))?\s*=\s*(\S+)")
_PART = re.compile(r"(\w+)\.(\w+)\s*=\s*(\w+)\((\w+)\s*=\s*([^()]*)\)\.(\w+)")


class Part(Struct, frozen=True, kw_only=True):
    """A field that SAP keeps in a repeated element: `element` (such as Text), told from others by `kind`=`code`."""

    name: str
    element: str
    kind: str
    code: str
    field: str

    def of(self, found: Mapping[str, Any]) -> Any:
        """Its value in a document; None where it has none."""
        rows = found.get(self.element) or ()
        return next((row.get(self.field) for row in rows if str(row.get(self.kind)) == self.code), None)


class Shape(Struct, frozen=True, kw_only=True):
    """One object: the names of its operations and elements."""

    object: str
    wsdl: str
    operations: dict[str, str]
    elements: dict[str, str]
    parts: dict[str, Part]

    def operation(self, verb: str) -> str:
        """The operation's name. Raises Unsupported where the settings name none."""
        name = self.operations.get(verb, "")
        if not name:
            raise Unsupported(f"the connection names no operation {self.object}.{verb}; see its setting operations")
        return name


def shapes(settings: Mapping[str, Any]) -> dict[str, Shape]:
    """The objects by name."""
    wsdls = {object: value for object, _, value in _pairs(settings["wsdls"], "wsdls")}
    operations, elements = (
        _by_object(settings["operations"], "operations"),
        _by_object(settings["elements"], "elements"),
    )
    parts: dict[str, dict[str, Part]] = {}
    for text in settings["parts"]:
        read = _PART.fullmatch(text.strip())
        if read is None:
            raise ConfigError(f'parts: "{text}" is not of the form Object.Name = Element(Kind=Code).Field')
        object, name, element, kind, code, field = read.groups()
        parts.setdefault(object, {})[name] = Part(name=name, element=element, kind=kind, code=code.strip(), field=field)
    return {
        object: Shape(object=object, wsdl=wsdl, operations=operations.get(object, {}), elements=elements.get(object, {}),
                      parts=parts.get(object, {}))
        for object, wsdl in wsdls.items()
    }  # fmt: skip


def known(object: str, all_shapes: Mapping[str, Shape]) -> Shape:
    """The object's shape. Raises Unsupported for one that the connection does not name."""
    if object not in all_shapes:
        raise Unsupported(
            f'this connection names no object "{object}"{nearest(object, all_shapes)}; see its setting wsdls'
        )
    return all_shapes[object]


def _by_object(told: Sequence[str], setting: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for object, word, value in _pairs(told, setting):
        found.setdefault(object, {})[word] = value
    return found


def _pairs(told: Sequence[str], setting: str) -> list[tuple[str, str, str]]:
    pairs = []
    for text in told:
        read = _PAIR.fullmatch(text.strip())
        if read is None:
            raise ConfigError(f'{setting}: "{text}" is not of the form Object=Value or Object.Word=Value')
        pairs.append((read[1], read[2] or "", read[3]))
    return pairs
