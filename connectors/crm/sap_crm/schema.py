"""An object's fields, read off its WSDL: the elements of the message that creates it. Types are zeep's; lengths and
enumerations, which zeep forgets, are read from the schemas themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree
from msgspec import Struct
from zeep.xsd import ComplexType

from connectors.crm.sap_crm.shapes import Shape
from connectors.wire.soap import Soap
from hub.errors import NotFound
from hub.model import Description, Field, FieldType

XSD = "{http://www.w3.org/2001/XMLSchema}"
TYPES: Sequence[tuple[str, FieldType]] = (  # the name of the built-in type that an element's type is made of
    ("DateTime", "datetime"),
    ("Date", "date"),
    ("Boolean", "boolean"),
    ("Decimal", "decimal"),
    ("Float", "decimal"),
    ("Double", "decimal"),
    ("Integer", "integer"),
    ("Long", "integer"),
    ("Int", "integer"),
    ("Short", "integer"),
)
LONG = 255


class Facet(Struct, frozen=True, kw_only=True):
    """What a simple type narrows."""

    longest: int | None = None
    values: tuple[str, ...] = ()


def description(soap: Soap, shape: Shape) -> Description:
    """The object's fields. One that can be looked at only has none that can be written."""
    facets = _facets(soap.documents)
    can_create, can_change = "create" in shape.operations, "change" in shape.operations
    verb = "create" if can_create else "query"
    fields = [_field(name, element, facets, shape, can_create) for name, element in _elements(soap, shape, verb)]
    if verb == "query":
        fields += [Field(name=name, type=kind, writable=False) for name, kind in _REACHED]
    id = shape.elements.get("id", "ID")
    if id not in {field.name for field in fields}:
        fields.insert(0, Field(name=id, label=id, writable=False, unique=True))
    longest = {
        name: _longest(soap, shape, verb, part.element, part.field, facets) for name, part in shape.parts.items()
    }
    fields += [
        Field(name=name, label=name, type="longtext" if longest[name] is None else "text", max_length=longest[name])
        for name in shape.parts
    ]
    return Description(
        object=shape.object, label=shape.object, fields=tuple(fields), creatable=can_create, changeable=can_change
    )


_REACHED: tuple[tuple[str, FieldType], ...] = (
    ("TelephoneNumber", "phone"),
    ("MobileNumber", "phone"),
    ("EmailAddress", "email"),
)


def _elements(soap: Soap, shape: Shape, verb: str) -> list[tuple[str, Any]]:
    """The single, plain elements of the object in that operation's message."""
    return [
        (name, element)
        for name, element in _root(soap, shape, verb).elements
        if not isinstance(element.type, ComplexType) and not element.accepts_multiple
    ]


def _root(soap: Soap, shape: Shape, verb: str) -> Any:
    wanted = shape.operation(verb)
    for binding in soap.client.wsdl.bindings.values():
        operation = binding._operations.get(wanted)
        if operation is not None:
            message = operation.output if verb == "query" else operation.input
            kind = dict(message.body.type.elements).get(shape.object)
            if kind is not None and isinstance(kind.type, ComplexType):
                return kind.type
    raise NotFound(f"the WSDL of {shape.object} has no operation {wanted} with an element {shape.object}")


def _field(name: str, element: Any, facets: Mapping[str, Facet], shape: Shape, writable: bool) -> Field:
    facet = facets.get(str(element.type.qname), Facet())
    made_of = [kind.__name__ for kind in type(element.type).__mro__]
    kind: FieldType = next((ours for theirs, ours in TYPES if theirs in made_of), "text")
    if kind == "text" and (facet.longest is None or facet.longest > LONG) and not facet.values:
        kind = "longtext"
    return Field(
        name=name,
        label=name,
        type="picklist" if facet.values else kind,
        max_length=facet.longest,
        required=writable and element.min_occurs > 0,
        writable=writable,
        unique=name in (shape.elements.get("id"), shape.elements.get("key")),
        picklist=facet.values,
    )


def _longest(soap: Soap, shape: Shape, verb: str, element: str, field: str, facets: Mapping[str, Facet]) -> int | None:
    inner = dict(_root(soap, shape, verb).elements).get(element)
    held = dict(inner.type.elements).get(field) if inner is not None and isinstance(inner.type, ComplexType) else None
    return facets.get(str(held.type.qname), Facet()).longest if held is not None else None


def _facets(documents: Sequence[bytes]) -> dict[str, Facet]:
    found = {}
    safe = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    for document in documents:  # zeep has read them all, so they are XML without a document type
        for schema in etree.fromstring(document, safe).iter(f"{XSD}schema"):
            for kind in schema.iterchildren(f"{XSD}simpleType"):
                lengths = [one.get("value", "") for one in kind.iter(f"{XSD}maxLength", f"{XSD}length")]
                values = tuple(one.get("value", "") for one in kind.iter(f"{XSD}enumeration"))
                longest = next((int(length) for length in lengths if length.isdecimal()), None)
                name = f"{{{schema.get('targetNamespace', '')}}}{kind.get('name')}"
                found[name] = Facet(longest=longest, values=values)
    return found
