"""`$metadata` of a C4C service: what its collections hold, what may be written, which code list a field takes.

Annotations: `sap:creatable`, `sap:updatable`, `sap:label`, and SAP's own `c4c:value-help` (the collection of codes) and
`c4c:context-property` (the code depends on another field, so no one list holds).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lxml import etree
from msgspec import Struct

from connectors.crm.sap_c4c.refusals import WHO
from hub.errors import Unavailable
from hub.model import Field, FieldType

OBJECT_ID = "ObjectID"
LONG = 255  # a text that may be longer is a long text
TYPES: Mapping[str, FieldType] = {
    "Edm.String": "text",
    "Edm.Guid": "text",
    "Edm.Boolean": "boolean",
    "Edm.Byte": "integer",
    "Edm.Int16": "integer",
    "Edm.Int32": "integer",
    "Edm.Int64": "integer",
    "Edm.Decimal": "decimal",
    "Edm.Double": "decimal",
    "Edm.Single": "decimal",
    "Edm.DateTime": "datetime",
    "Edm.DateTimeOffset": "datetime",
    "Edm.Time": "text",
}
_ENDINGS: Sequence[tuple[tuple[str, ...], FieldType]] = (
    (("Phone", "Mobile", "PhoneNumber", "Fax"), "phone"),
    (("Email", "EMail", "EmailURI"), "email"),
    (("WebSite", "WebURI"), "url"),
)


class Property(Struct, frozen=True, kw_only=True):
    """One field as `$metadata` tells it."""

    name: str
    type: str
    label: str = ""
    nullable: bool = True
    max_length: int | None = None
    creatable: bool = True
    updatable: bool = True
    filterable: bool = True
    date_only: bool = False
    codes: str = ""  # the collection of the codes that it takes
    contextual: bool = False


class Collection(Struct, frozen=True, kw_only=True):
    """One collection. `children` are the collections behind its navigation properties, by these properties' names."""

    name: str
    label: str
    properties: dict[str, Property]
    children: dict[str, str]
    creatable: bool | None
    updatable: bool | None


def collections(document: bytes) -> dict[str, Collection]:
    """The collections by name. Raises Unavailable where the document is none."""
    try:
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        raise Unavailable(f"{WHO} answers with no metadata") from error
    if root.getroottree().docinfo.doctype:
        raise Unavailable(f"the metadata of {WHO} comes with a document type, which is not read")
    kinds = {kind.get("Name", ""): kind for kind in _all(root, "EntityType")}
    sets = {one.get("Name", ""): one for one in _all(root, "EntitySet")}
    set_of = {_bare(one.get("EntityType", "")): name for name, one in sets.items()}
    ends = {
        (_bare(link.get("Name", "")), end.get("Role", "")): _bare(end.get("Type", ""))
        for link in _all(root, "Association") for end in _all(link, "End")
    }  # fmt: skip
    return {
        name: _collection(name, one, kind, set_of, ends, sets)
        for name, one in sets.items()
        if (kind := kinds.get(_bare(one.get("EntityType", "")))) is not None
    }


def field(property: Property, *, unique: bool, codes: Sequence[str]) -> Field:
    """A property in the hub's words."""
    kind = TYPES.get(property.type, "text")
    if property.type == "Edm.String":
        kind = next((kind for endings, kind in _ENDINGS if property.name.endswith(endings)), kind)
        if kind == "text" and (property.max_length is None or property.max_length > LONG):
            kind = "longtext"
    if property.date_only:
        kind = "date"
    return Field(
        name=property.name,
        label=property.label or property.name,
        type="picklist" if codes else kind,
        max_length=property.max_length,
        required=not property.nullable and property.creatable and property.name != OBJECT_ID,
        writable=(property.creatable or property.updatable) and property.name != OBJECT_ID,
        fixed=property.creatable and not property.updatable,
        unique=unique,
        picklist=tuple(codes),
    )


def _collection(
    name: str,
    one: etree._Element,
    kind: etree._Element,
    set_of: Mapping[str, str],
    ends: Mapping[tuple[str, str], str],
    sets: Mapping[str, etree._Element],
) -> Collection:
    properties = {}
    for told in _all(kind, "Property"):
        property = _property(told)
        # Where SAP does not name the list, the way it names all of them: PhoneCallInitiatorCodeCollection.
        by_custom = f"{kind.get('Name', '')}{property.name}Collection"
        codes = _own(told, "value-help") or (by_custom if by_custom in sets else "")
        properties[property.name] = Property(
            **{**{part: getattr(property, part) for part in property.__struct_fields__}, "codes": codes}
        )
    children = {
        link.get("Name", ""): set_of[target]
        for link in _all(kind, "NavigationProperty")
        if (target := ends.get((_bare(link.get("Relationship", "")), link.get("ToRole", "")), "")) in set_of
    }
    return Collection(
        name=name,
        label=_own(one, "label") or _own(kind, "label") or name.removesuffix("Collection"),
        properties=properties,
        children=children,
        creatable=_yes(_own(one, "creatable"), None),
        updatable=_yes(_own(one, "updatable"), None),
    )


def _property(told: etree._Element) -> Property:
    length = told.get("MaxLength", "")
    return Property(
        name=told.get("Name", ""),
        type=told.get("Type", "Edm.String"),
        label=_own(told, "label"),
        nullable=told.get("Nullable", "true") != "false",
        max_length=int(length) if length.isdecimal() else None,
        creatable=bool(_yes(_own(told, "creatable"), True)),
        updatable=bool(_yes(_own(told, "updatable"), True)),
        filterable=bool(_yes(_own(told, "filterable"), True)),
        date_only=_own(told, "display-format") == "Date",
        contextual=bool(_own(told, "context-property")),
    )


def _all(within: etree._Element, name: str) -> list[etree._Element]:
    return [element for element in within.iter() if isinstance(element.tag, str)
            and etree.QName(element).localname == name]  # fmt: skip


def _own(told: etree._Element, name: str) -> str:
    """An annotation by its local name: SAP's prefixes stand for namespaces that differ between releases."""
    return next((str(value) for key, value in told.attrib.items()
                 if str(key).startswith("{") and etree.QName(key).localname == name), "")  # fmt: skip


def _yes(word: str, otherwise: bool | None) -> bool | None:
    return {"true": True, "false": False}.get(word.lower(), otherwise)


def _bare(name: str) -> str:
    return name.rpartition(".")[2]
