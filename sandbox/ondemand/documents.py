"""The WSDLs of the stand-in, made from its record types: what an administrator downloads from Web Services
Administration.

Ours, after the documented shapes: names of operations, elements and namespaces are those of the guides' samples, which
show Web Services v2.0 (`…QueryPage`, `…Update`, `…Delete`), v1.0 (`…InsertOrUpdate`, the only upsert) and CTIActivity.
Inference: the namespaces of v2.0's query and data elements, `queryType`, and every length. A company's own documents
replace them by a setting.
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.ondemand.schema import ANSWER, INTERACTION, SCHEMA, Field, RecordType

CTI, CTI_DATA = "urn:crmondemand/ws/odctibs/ctiactivity/", "urn:/crmondemand/xml/ctiactivity/data"
XSD = "http://www.w3.org/2001/XMLSchema"


def names() -> tuple[str, ...]:
    """Which documents there are, without their ending."""
    return ("CTIActivity", *SCHEMA, *(f"{name}-1.0" for name in SCHEMA))


def document(name: str, address: str) -> str:
    """The document `name`, whose service is at `address`."""
    if name == "CTIActivity":
        return _cti(address)
    if name.endswith("-1.0"):
        return _version_1(SCHEMA[name.removesuffix("-1.0")], address)
    return _version_2(SCHEMA[name], address)


def service_of(kind: RecordType) -> str:
    """The namespace of the v2.0 service."""
    return f"urn:crmondemand/ws/ecbs/{kind.name.lower()}/"


def data_of(kind: RecordType) -> str:
    """The namespace of what a v2.0 service gives and takes."""
    return f"urn:/crmondemand/xml/{kind.name}/Data"


def service_1_of(kind: RecordType) -> str:
    """The namespace of the v1.0 service."""
    return f"urn:crmondemand/ws/{kind.name.lower()}/10/2004"


def data_1_of(kind: RecordType) -> str:
    """The namespace of what a v1.0 service gives and takes."""
    return f"urn:/crmondemand/xml/{kind.name.lower()}"


def _version_2(kind: RecordType, address: str) -> str:
    name, service, data, query = kind.name, service_of(kind), data_of(kind), f"urn:/crmondemand/xml/{kind.name}/Query"
    modes = '<xsd:element name="ViewMode" type="xsd:string" minOccurs="0"/>' \
            '<xsd:element name="LOVLanguageMode" type="xsd:string" minOccurs="0"/>'  # fmt: skip
    echo = '<xsd:element name="Echo" type="xsd:string" minOccurs="0"/>'
    listed = (
        '<xsd:attribute name="pagesize" type="xsd:string"/><xsd:attribute name="startrownum" type="xsd:string"/>'
        '<xsd:attribute name="recordcountneeded" type="xsd:string"/>'
    )
    schemas = (
        _schema(query, _list(name, "queryList", listed) + _type(
            name, "".join(f'<xsd:element name="{one.name}" type="ns:queryType" minOccurs="0"/>' for one in kind.fields),
            '<xsd:attribute name="searchspec" type="xsd:string"/>')
            + '<xsd:complexType name="queryType"><xsd:simpleContent><xsd:extension base="xsd:string">'
            '<xsd:attribute name="sortorder" type="xsd:string"/><xsd:attribute name="sortsequence" type="xsd:string"/>'
            "</xsd:extension></xsd:simpleContent></xsd:complexType>"),
        _schema(data, _list(name, "dataList", '<xsd:attribute name="recordcount" type="xsd:string"/>'
                            '<xsd:attribute name="lastpage" type="xsd:string"/>')
                + _type(name, _elements(kind.fields), '<xsd:attribute name="operation" type="xsd:string"/>')),
        _schema(service, _message(f"{name}QueryPage_Input", f'{modes}<xsd:element ref="q:ListOf{name}"/>')
                + "".join(_message(f"{name}{word}_Output", f'<xsd:element ref="d:ListOf{name}"/>')
                          for word in ("QueryPage", "Insert", "Update", "Delete"))
                + "".join(_message(f"{name}{word}_Input", f'{echo}<xsd:element ref="d:ListOf{name}"/>')
                          for word in ("Insert", "Update", "Delete")), {"q": query, "d": data}),
    )  # fmt: skip
    operations = [(f"{name}{word}", f"{name}{word}") for word in ("QueryPage", "Insert", "Update", "Delete")]
    return _definitions(name, service, schemas, operations, address)


def _version_1(kind: RecordType, address: str) -> str:
    name, service, data = kind.name, service_1_of(kind), data_1_of(kind)
    prefix = f"{name}WS_{name}InsertOrUpdate"
    schemas = (
        _schema(data, _list(name, "list", "") + _type(name, _elements(kind.fields), "")),
        _schema(service, _message(f"{prefix}_Input", f'<xsd:element ref="d:ListOf{name}"/>'
                                  '<xsd:element name="Echo" type="xsd:string" minOccurs="0"/>')
                + _message(f"{prefix}_Output", f'<xsd:element ref="d:ListOf{name}"/>'), {"d": data}),
    )  # fmt: skip
    return _definitions(f"{name}WS", service, schemas, [(f"{name}InsertOrUpdate", prefix)], address)


def _cti(address: str) -> str:
    text = "".join(f'<xsd:element name="{name}" type="xsd:string" minOccurs="0"/>' for name in INTERACTION)
    told = "".join(f'<xsd:element name="{name}" type="xsd:string" minOccurs="0"/>' for name in ANSWER)
    words = ("CTIActivityInsert", "CTIActivityWrapUp")
    schemas = (
        _schema(CTI_DATA, _list("Interaction", "interactions", "") + _type("Interaction", text, "")
                + _list("Activity", "activities", "") + _type("Activity", told, "")),
        _schema(CTI, "".join(_message(f"{word}_Input", '<xsd:element ref="d:ListOfInteraction"/>')
                             + _message(f"{word}_Output", '<xsd:element ref="d:ListOfActivity"/>') for word in words),
                {"d": CTI_DATA}),
    )  # fmt: skip
    return _definitions("CTIActivity", CTI, schemas, [(word, word) for word in words], address)


# --- pieces ----------------------------------------


def _schema(namespace: str, inside: str, imports: dict[str, str] | None = None) -> str:
    prefixes = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in (imports or {}).items())
    imported = "".join(f'<xsd:import namespace="{uri}"/>' for uri in (imports or {}).values())
    return (
        f'<xsd:schema xmlns:xsd="{XSD}" xmlns:ns="{namespace}"{prefixes} targetNamespace="{namespace}" '
        f'elementFormDefault="qualified" attributeFormDefault="unqualified">{imported}{inside}</xsd:schema>'
    )


def _list(name: str, kind: str, attributes: str) -> str:
    return (
        f'<xsd:element name="ListOf{name}" type="ns:{kind}"/><xsd:complexType name="{kind}"><xsd:sequence>'
        f'<xsd:element name="{name}" type="ns:{name}Type" minOccurs="0" maxOccurs="unbounded"/></xsd:sequence>'
        f"{attributes}</xsd:complexType>"
    )


def _type(name: str, elements: str, attributes: str) -> str:
    return f'<xsd:complexType name="{name}Type"><xsd:sequence>{elements}</xsd:sequence>{attributes}</xsd:complexType>'


def _elements(fields: Iterable[Field]) -> str:
    return "".join(_element(one) for one in fields)


def _element(one: Field) -> str:
    if one.type != "string" or not one.length:
        return f'<xsd:element name="{one.name}" type="xsd:{one.type}" minOccurs="0"/>'
    return (
        f'<xsd:element name="{one.name}" minOccurs="0"><xsd:simpleType><xsd:restriction base="xsd:string">'
        f'<xsd:maxLength value="{one.length}"/></xsd:restriction></xsd:simpleType></xsd:element>'
    )


def _message(name: str, inside: str) -> str:
    return (
        f'<xsd:element name="{name}"><xsd:complexType><xsd:sequence>{inside}</xsd:sequence></xsd:complexType>'
        "</xsd:element>"
    )


def _definitions(
    name: str, service: str, schemas: Iterable[str], operations: list[tuple[str, str]], address: str
) -> str:
    messages = "".join(
        f'<message name="{element}_{way}"><part name="{element}_{way}" element="tns:{element}_{way}"/></message>'
        for _, element in operations
        for way in ("Input", "Output")
    )
    ports = "".join(
        f'<operation name="{operation}"><input message="tns:{element}_Input"/>'
        f'<output message="tns:{element}_Output"/></operation>'
        for operation, element in operations
    )
    bound = "".join(
        f'<operation name="{operation}"><soap:operation soapAction="document/{service}:{operation}"/>'
        '<input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>'
        for operation, _ in operations
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" '
        f'xmlns:xsd="{XSD}" xmlns:tns="{service}" targetNamespace="{service}"><types>{"".join(schemas)}</types>{messages}'
        f'<portType name="{name}">{ports}</portType><binding name="{name}" type="tns:{name}">'
        f'<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{bound}</binding>'
        f'<service name="{name}"><port name="{name}" binding="tns:{name}">'
        f'<soap:address location="{address}"/></port></service>'
        "</definitions>\n"
    )
