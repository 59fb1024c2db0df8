"""A record type's fields, as the company's own WSDL has them: names, types, lengths and values.

The service has no describe over SOAP; the document that an administrator downloads names every field that the company
has, custom ones included. What it does not say (required, read-only) is a table here, from the Web Services On Demand
Guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lxml import etree
from msgspec import structs

from connectors.crm.oracle_ondemand.objects import (
    EXTERNAL_KEY,
    INTERACTION,
    INTERACTION_FIELDS,
    READ_ONLY,
    REFERS,
    RecordType,
)
from hub.errors import Unavailable
from hub.model import Description, Field, FieldType

XSD = "{http://www.w3.org/2001/XMLSchema}"
TYPES: Mapping[str, FieldType] = {
    "string": "text", "int": "integer", "integer": "integer", "long": "integer", "decimal": "decimal", "double": "decimal",
    "float": "decimal", "boolean": "boolean", "date": "date", "dateTime": "datetime",
}  # fmt: skip
LONG = 1000  # a text that may be longer is a long text


def description(
    object: str, kind: RecordType, document: bytes, phones: Sequence[str], mails: Sequence[str]
) -> Description:
    """The record type as its v2.0 document has it. An interaction has its own fields and those of its activity."""
    elements = _elements(kind.name, document)
    fields = tuple(_field(kind, name, element, phones, mails) for name, element in elements.items())
    label = kind.label
    if object == INTERACTION:
        own = {field.name for field in INTERACTION_FIELDS} | {"Id"}
        # What an activity needs, the service itself fills in for an interaction.
        of_activity = (structs.replace(field, required=False) for field in fields if field.name not in own)
        fields = (*INTERACTION_FIELDS, *of_activity)
        label = "Interaction"
    return Description(object=object, label=label, fields=fields)


def names(name: str, document: bytes) -> frozenset[str]:
    """The fields that a record type's document has."""
    return frozenset(_elements(name, document))


def _elements(name: str, document: bytes) -> dict[str, etree._Element]:
    """The fields' elements of the type that the data's own namespace has for one record."""
    try:
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise Unavailable(f"the WSDL of {name} cannot be read ({type(error).__name__})") from error
    for schema in root.iter(f"{XSD}schema"):
        if not str(schema.get("targetNamespace", "")).lower().endswith(f"/{name.lower()}/data"):
            continue
        types = {str(one.get("name")): one for one in schema.iter(f"{XSD}complexType") if one.get("name")}
        record = next((one for one in schema.iter(f"{XSD}element") if one.get("name") == name), None)
        if record is None:
            continue
        kind = types.get(str(record.get("type", "")).rpartition(":")[2], record)
        sequence = next(kind.iter(f"{XSD}sequence"), None)
        if sequence is not None:
            return {str(one.get("name")): one for one in sequence.findall(f"{XSD}element") if one.get("name")}
    raise Unavailable(f"the WSDL of {name} has no type of one record; is it the one of Web Services v2.0?")


def _field(kind: RecordType, name: str, element: etree._Element, phones: Sequence[str], mails: Sequence[str]) -> Field:
    restriction = next(element.iter(f"{XSD}restriction"), None)
    base = restriction.get("base") if restriction is not None else element.get("type")
    plain = TYPES.get(str(base or "string").rpartition(":")[2], "text")
    longest = _longest(element)
    values = tuple(str(one.get("value")) for one in element.iter(f"{XSD}enumeration"))
    return Field(
        name=name,
        label=name,
        type=_type(name, plain, longest, values, phones, mails),
        max_length=longest if plain == "text" else None,
        required=name in kind.required,
        writable=name not in READ_ONLY,
        unique=name in ("Id", EXTERNAL_KEY),
        picklist=values,
        refers_to=(REFERS[name],) if name in REFERS else (),
    )


def _type(
    name: str, plain: FieldType, longest: int | None, values: Sequence[str], phones: Sequence[str], mails: Sequence[str]
) -> FieldType:
    if name in phones:
        return "phone"
    if name in mails:
        return "email"
    if values:
        return "picklist"
    if name in REFERS:
        return "reference"
    return "longtext" if plain == "text" and (longest is None or longest > LONG) else plain


def _longest(element: etree._Element) -> int | None:
    facet = next(element.iter(f"{XSD}maxLength"), None)
    text = str(facet.get("value", "")) if facet is not None else ""
    return int(text) if text.isdecimal() else None
