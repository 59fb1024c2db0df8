"""What is where in Fusion's sales resources: numbers that stand in addresses, ids that other records refer to, phones.

Source: Oracle, REST API for Oracle Fusion Cloud Sales and Fusion Service (docs.oracle.com, faaps): contacts, accounts,
leads, opportunities, activities, serviceRequests. An attribute that a pod calls otherwise is told by a setting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from hub.errors import ConfigError, NotFound, nearest

CONTACTS, ACCOUNTS, LEADS, ACTIVITIES = "contacts", "accounts", "leads", "activities"
CREATED, UPDATED = "CreationDate", "LastUpdateDate"


class Resource(Struct, frozen=True, kw_only=True):
    """One REST resource. `number` is the attribute that stands in addresses, `id` the one that other records refer to."""

    name: str
    label: str
    number: str
    id: str
    title: tuple[str, ...]
    reads: tuple[str, ...] = ()  # attributes that a found record has beyond these
    company: tuple[str, str] | None = None  # the attributes with its account's id and name
    owner: str = ""  # the attribute with the owner's e-mail address
    classic: str = ""  # what the classic pages' deep links call it


RESOURCES = {
    resource.name: resource
    for resource in (
        Resource(
            name=CONTACTS, label="Contact", number="PartyNumber", id="PartyId", title=("ContactName",),
            reads=("FirstName", "LastName", "Country", "DoNotCallFlag"), company=("AccountPartyId", "AccountName"),
            owner="OwnerEmailAddress", classic="CONTACT",
        ),
        Resource(
            name=LEADS, label="Lead", number="LeadNumber", id="LeadId", title=("ContactName", "Name"),
            reads=("StatusCode",), classic="LEAD",
        ),
        Resource(
            name=ACCOUNTS, label="Account", number="PartyNumber", id="PartyId", title=("OrganizationName",),
            reads=("Country",), owner="OwnerEmailAddress", classic="ACCOUNT",
        ),
        Resource(
            name="opportunities", label="Opportunity", number="OptyNumber", id="OptyId", title=("Name",),
            reads=("StatusCode",), classic="OPPORTUNITY",
        ),
        Resource(
            name=ACTIVITIES, label="Activity", number="ActivityNumber", id="ActivityId", title=("Subject",),
            reads=("StatusCode",), classic="ACTIVITY",
        ),
        Resource(
            name="serviceRequests", label="Service request", number="SrNumber", id="SrId", title=("Title",),
            reads=("StatusCd",), classic="SERVICE_REQUEST",
        ),
    )
}  # fmt: skip
# Whose record an attribute's value is, for `describe`.
REFERS: Mapping[str, str] = {
    "PrimaryContactId": CONTACTS,
    "PrimaryContactPartyId": CONTACTS,
    "AccountId": ACCOUNTS,
    "AccountPartyId": ACCOUNTS,
    "CustomerId": ACCOUNTS,
    "LeadId": LEADS,
    "OpportunityId": "opportunities",
}


def custom(name: str) -> Resource:
    """A custom object made with Application Composer: its id stands in addresses too."""
    return Resource(
        name=name, label=name.removesuffix("_c").replace("_", " "), number="Id", id="Id", title=("RecordName",)
    )


class Catalogue:
    """The resources of one connection, and what its settings say of their attributes."""

    def __init__(self, custom_objects: Sequence[str], attributes: Mapping[str, Sequence[str]]) -> None:
        self.resources = {**RESOURCES, **{name: custom(name) for name in custom_objects}}
        self._told: dict[str, dict[str, tuple[str, ...]]] = {}
        for setting, told in attributes.items():
            by_resource: dict[str, list[str]] = {}
            for one in told:
                resource, _, attribute = one.partition(".")
                if resource not in self.resources or not attribute:
                    known = ", ".join(self.resources)
                    raise ConfigError(f'{setting}: "{one}" is no resource.Attribute; the resources are {known}')
                by_resource.setdefault(resource, []).append(attribute)
            self._told[setting] = {resource: tuple(names) for resource, names in by_resource.items()}

    def __getitem__(self, name: str) -> Resource:
        """Raises NotFound with the nearest right name."""
        if name not in self.resources:
            raise NotFound(f'this connection knows no resource "{name}" of Fusion{nearest(name, self.resources)}')
        return self.resources[name]

    def told(self, setting: str, resource: str) -> tuple[str, ...]:
        """The attributes of `resource` that a setting names."""
        return self._told.get(setting, {}).get(resource, ())
