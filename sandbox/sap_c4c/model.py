"""The collections that the sandbox has, and `$metadata` about them.

Names, types and lengths are those of SAP's EDMX of `c4codataapi`, as far as an interaction needs them: a small part of it.
What may be created and changed follows SAP's developer guide; `HubKey_KUT` is a field that a key user has added.
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from msgspec import Struct

NAMESPACE = "c4codata"
SCHEMA = "http://schemas.microsoft.com/ado/2008/09/edm"
SAP, C4C = "http://www.sap.com/Protocols/SAPData", "http://www.sap.com/Protocols/C4CData"


class Property(Struct, frozen=True, kw_only=True):
    """One field. `codes` names the collection of its codes."""

    name: str
    type: str
    length: int | None
    creatable: bool
    updatable: bool
    required: bool
    codes: str
    label: str


class Entity(Struct, frozen=True, kw_only=True):
    """One kind of record. `children`: navigation property → the kind of its parts."""

    name: str
    label: str
    properties: dict[str, Property]
    children: dict[str, str]
    parent: str = ""

    @property
    def collection(self) -> str:
        """Its collection's name."""
        return f"{self.name}Collection"


def _entity(name: str, label: str, fields: str, children: dict[str, str] | None = None, parent: str = "") -> Entity:
    """`fields`: one a line: name, type(length), what may be done (c create, u update, r required, - nothing), code list."""
    properties = {}
    for line in filter(str.strip, fields.splitlines()):
        words = [*line.split(), ""]
        kind, _, length = words[1].partition("(")
        properties[words[0]] = Property(
            name=words[0],
            type=kind,
            length=int(length.rstrip(")")) if length else None,
            creatable="c" in words[2],
            updatable="u" in words[2],
            required="r" in words[2],
            codes=words[3],
            label=_spaced(words[0]),
        )
    return Entity(name=name, label=label, properties=properties, children=children or {}, parent=parent)


def _spaced(name: str) -> str:
    return "".join(
        f" {c}" if c.isupper() and before.islower() else c for before, c in zip(f" {name}", name, strict=False)
    ).strip()


_TRACE = """
EntityLastChangedOn DateTimeOffset -
ETag DateTimeOffset -
"""
_REACHED = """
Phone String(40) cu
Mobile String(40) cu
Email String(255) cu
NormalisedPhone String(40) -
NormalisedMobile String(40) -
StatusCode String(2) u {0}StatusCodeCollection
ExternalID String(100) cu
CountryCode String(3) cu
LanguageCode String(2) cu
ContactPermissionCode String(1) cu
HubKey_KUT String(120) cu
CreatedOn DateTimeOffset -
"""
ENTITIES = {
    entity.name: entity
    for entity in (
        _entity(
            "Contact",
            "Contact",
            "ObjectID String(70) -\nContactID String(10) -\nFirstName String(40) cu\nLastName String(40) cur\n"
            "Name String(480) -\nAccountID String(10) cu\nAccountFormattedName String(480) -\nDepartment String(40) cu"
            + _REACHED.format("Contact") + _TRACE,
        ),
        _entity(
            "IndividualCustomer",
            "Individual Customer",
            "ObjectID String(70) -\nCustomerID String(10) -\nFirstName String(40) cu\nLastName String(40) cur\n"
            "FormattedName String(480) -" + _REACHED.format("IndividualCustomer") + _TRACE,
        ),
        _entity(
            "CorporateAccount",
            "Account",
            "ObjectID String(70) -\nAccountID String(10) -\nName String(480) cur"
            + _REACHED.format("CorporateAccount") + _TRACE,
        ),
        _entity(
            "PhoneCall",
            "Phone Call",
            """
            ObjectID String(70) -
            ID String(35) -
            Subject String(765) cur
            Status String(2) u PhoneCallStatusCollection
            StartDateTime DateTimeOffset cu
            EndDateTime DateTimeOffset cu
            OwnerPartyID String(60) cu
            MainAccountPartyID String(60) cu
            MainContactPartyID String(60) cu
            InitiatorCode String(1) cu PhoneCallInitiatorCodeCollection
            Category String(4) cu
            Priority String(1) cu PhoneCallPriorityCollection
            DocumentType String(4) c
            Phone String(40) cu
            DataOriginTypeCode String(3) c
            GroupwareItemID String(765) cu
            HubKey_KUT String(120) cu
            CreatedOn DateTimeOffset -
            """ + _TRACE,
            {"PhoneCallNotes": "PhoneCallNotes", "PhoneCallParties": "PhoneCallParties",
             "PhoneCallBTDReference": "PhoneCallBTDReference"},
        ),
        _entity("PhoneCallNotes", "Phone Call Note", """
            ObjectID String(70) -
            ParentObjectID String(70) c
            TypeCode String(5) c
            LanguageCode String(2) c
            Text String cu
            ETag DateTimeOffset -
            """, parent="PhoneCall"),
        _entity("PhoneCallParties", "Phone Call Party", """
            ObjectID String(70) -
            ParentObjectID String(70) c
            PartyID String(60) cu
            RoleCode String(10) c
            MainIndicator Boolean cu
            ETag DateTimeOffset -
            """, parent="PhoneCall"),
        _entity("PhoneCallBTDReference", "Phone Call Reference", """
            ObjectID String(70) -
            ParentObjectID String(70) c
            ID String(35) cu
            TypeCode String(15) c
            BTDRoleCode String(3) c
            ETag DateTimeOffset -
            """, parent="PhoneCall"),
        _entity(
            "ServiceRequest",
            "Ticket",
            """
            ObjectID String(70) -
            ID String(35) -
            Name String(765) cur
            BuyerPartyID String(60) cu
            BuyerMainContactPartyID String(60) cu
            ServicePriorityCode String(1) cu ServiceRequestServicePriorityCodeCollection
            ServiceRequestUserLifeCycleStatusCode String(2) u
            ProcessingTypeCode String(4) c
            DataOriginTypeCode String(3) c
            ReporterEmail String(255) cu
            ExternalID String(100) cu
            HubKey_KUT String(120) cu
            """ + _TRACE,
            {"ServiceRequestTextCollection": "ServiceRequestTextCollection"},
        ),
        _entity("ServiceRequestTextCollection", "Ticket Text", """
            ObjectID String(70) -
            ParentObjectID String(70) c
            TypeCode String(5) c
            Text String cu
            ETag DateTimeOffset -
            """, parent="ServiceRequest"),
        _entity(
            "TargetGroup",
            "Target Group",
            "ObjectID String(70) -\nID String(35) -\nDescription String(80) cur\nMemberNumberValue Int32 -" + _TRACE,
        ),
        _entity(
            "TargetGroupMember",
            "Target Group Member",
            "ObjectID String(70) -\nTargetGroupID String(35) cr\nContactID String(10) cu\nAccountID String(10) cu" + _TRACE,
        ),
    )
}  # fmt: skip
COLLECTIONS = {entity.collection: entity for entity in ENTITIES.values()}
_STATUSES = {"1": "In Preparation", "2": "Active", "3": "Blocked", "4": "Obsolete"}
CODES: dict[str, dict[str, str]] = {
    **{f"{name}StatusCodeCollection": _STATUSES for name in ("Contact", "IndividualCustomer", "CorporateAccount")},
    "PhoneCallStatusCollection": {"1": "Open", "2": "In Process", "3": "Completed", "4": "Canceled"},
    "PhoneCallInitiatorCodeCollection": {"2": "Incoming", "3": "Outgoing"},
    "PhoneCallPriorityCollection": {"1": "Immediate", "2": "Urgent", "3": "Normal", "7": "Low"},
    "ServiceRequestServicePriorityCodeCollection": {"1": "Immediate", "2": "Urgent", "3": "Normal", "7": "Low"},
}


def metadata(wanted: list[str], *, labels: bool) -> str:
    """The EDMX of the kinds that are wanted, all where none is named, with the kinds that they lead to."""
    known = [name for name in wanted if name in ENTITIES]
    names = known or list(ENTITIES)
    names += [child for name in names for child in ENTITIES[name].children.values() if child not in names]
    codes = {p.codes for name in names for p in ENTITIES[name].properties.values() if p.codes}
    kinds = "".join(_kind(ENTITIES[name], labels) for name in names)
    kinds += _CODE_LIST
    links = "".join(_association(ENTITIES[name]) for name in names)
    sets = "".join(
        f'<EntitySet Name="{ENTITIES[name].collection}" EntityType="{NAMESPACE}.{name}" sap:creatable="true" '
        f'sap:updatable="true" sap:deletable="true"{_label(ENTITIES[name].label, labels)}/>'
        for name in names
    )
    sets += "".join(
        f'<EntitySet Name="{code}" EntityType="{NAMESPACE}.CodeList" sap:creatable="false" sap:updatable="false"/>'
        for code in sorted(codes)
    )
    sets += "".join(_association_set(ENTITIES[name]) for name in names)
    return (
        '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="1.0" '
        'xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" '
        'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" '
        f'xmlns:sap="{SAP}" xmlns:c4c="{C4C}"><edmx:DataServices m:DataServiceVersion="2.0">'
        f'<Schema Namespace="{NAMESPACE}" xmlns="{SCHEMA}">{kinds}{links}'
        f'<EntityContainer Name="{NAMESPACE}" m:IsDefaultEntityContainer="true">{sets}</EntityContainer>'
        "</Schema></edmx:DataServices></edmx:Edmx>"
    )


_CODE_LIST = (
    '<EntityType Name="CodeList"><Key><PropertyRef Name="Code"/></Key><Property Name="Code" Type="Edm.String" '
    'Nullable="false"/><Property Name="Description" Type="Edm.String"/></EntityType>'
)


def _kind(entity: Entity, labels: bool) -> str:
    properties = "".join(_property(p, labels) for p in entity.properties.values())
    links = "".join(
        f'<NavigationProperty Name="{path}" Relationship="{NAMESPACE}.{entity.name}_{path}" FromRole="{entity.name}" '
        f'ToRole="{path}"/>'
        for path in entity.children
    )
    return f'<EntityType Name="{entity.name}"><Key><PropertyRef Name="ObjectID"/></Key>{properties}{links}</EntityType>'


def _property(p: Property, labels: bool) -> str:
    yes = {True: "true", False: "false"}
    length = f' MaxLength="{p.length}"' if p.length else ""
    # A moment says nothing of its precision in SAP's EDMX; clients that want one take seconds.
    codes = f' c4c:value-help="{p.codes}"' if p.codes else ""
    own = ' c4c:extension-field="true"' if p.name.endswith("_KUT") else ""
    return (
        f'<Property Name="{p.name}" Type="Edm.{p.type}" Nullable="{yes[not (p.required or p.name == "ObjectID")]}"{length} '
        f'sap:creatable="{yes[p.creatable]}" sap:updatable="{yes[p.updatable]}" sap:filterable="true"'
        f"{_label(p.label, labels)}{codes}{own}/>"
    )


def _label(label: str, labels: bool) -> str:
    return f" sap:label={quoteattr(label)}" if labels else ""


def _association(entity: Entity) -> str:
    return "".join(
        f'<Association Name="{entity.name}_{path}"><End Type="{NAMESPACE}.{entity.name}" Multiplicity="1" '
        f'Role="{entity.name}"/><End Type="{NAMESPACE}.{child}" Multiplicity="*" Role="{path}"/></Association>'
        for path, child in entity.children.items()
    )


def _association_set(entity: Entity) -> str:
    return "".join(
        f'<AssociationSet Name="{entity.name}_{path}_Set" Association="{NAMESPACE}.{entity.name}_{path}">'
        f'<End EntitySet="{entity.collection}" Role="{entity.name}"/>'
        f'<End EntitySet="{ENTITIES[child].collection}" Role="{path}"/></AssociationSet>'
        for path, child in entity.children.items()
    )
