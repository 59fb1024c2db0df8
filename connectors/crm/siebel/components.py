"""What is where in Siebel: business components and the paths by which the data API reaches them.

Source: Oracle, Siebel REST API Guide (E74890, E88140, G30558), "About Siebel CRM REST API URI Formats"
(`data/<business object>/<business component>`, a child below its parent's row id); Siebel Application Services Interface
Reference (G30556), "Siebel Contact" and "Siebel Action" for user keys and lengths. What a repository calls otherwise is
told by settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct

from hub.errors import ConfigError, NotFound, nearest

CONTACT, ACCOUNT, PROSPECT, ACTION = "Contact", "Account", "Prospect", "Action"
ID, CREATED, UPDATED = "Id", "Created", "Updated"  # system fields of every business component
_SLOT = re.compile(r"\{([^{}/]+)\}")
# What stands in brackets in a searchspec and between commas in `fields`: nothing that ends either.
_FIELD = re.compile(r"[^\[\],\"'\x00-\x1f\x7f]{1,75}")


class Component(Struct, frozen=True, kw_only=True):
    """One business component. `path` is `Business Object/Business Component`, or `BO/BC/{Parent}/Child`."""

    name: str
    path: str
    title: tuple[str, ...] = ()  # the fields that name a record, in their order
    reads: tuple[str, ...] = ()  # fields that a found record has beyond these
    company: tuple[str, str] | None = None  # the fields with its account's id and name

    @property
    def parent(self) -> str:
        """The condition that names the parent's row id, where the component is a child: `{Parent}`."""
        found = _SLOT.search(self.path)
        return found[1] if found else ""

    def address(self, parent: str = "") -> str:
        """The path below `/data`, encoded; a parent's place is taken by its row id."""
        told = parent or "{key}"  # as the guide writes it where a description is asked for
        return "/".join(quote(told if _SLOT.fullmatch(part) else part, safe="") for part in self.path.split("/"))


COMPONENTS = {
    component.name: component
    for component in (
        Component(
            name=CONTACT, path="Contact/Contact", title=("First Name", "Last Name"),
            reads=("Suppress All Calls",), company=("Account Id", "Account"),
        ),
        Component(
            name=PROSPECT, path="List Mgmt/List Mgmt Prospective Contact", title=("First Name", "Last Name"),
            reads=("Suppress All Calls",),
        ),
        Component(name=ACCOUNT, path="Account/Account", title=("Name",), reads=("Location",)),
        Component(name=ACTION, path="Action/Action", title=("Description",), reads=("Type", "Status")),
        Component(
            name="Service Request", path="Service Request/Service Request", title=("Abstract", "SR Number"),
            reads=("SR Number", "Status"),
        ),
        Component(name="Opportunity", path="Opportunity/Opportunity", title=("Name",)),
        Component(
            name="List Member", path="List Mgmt/List Mgmt Lists/{List Id}/List Mgmt Prospective Contact",
            title=("First Name", "Last Name"), reads=("Suppress All Calls",),
        ),
    )
}  # fmt: skip
# Whose record a field's value is, for `describe`.
REFERS: Mapping[str, str] = {
    "Contact Id": CONTACT,
    "Primary Contact Id": CONTACT,
    "Account Id": ACCOUNT,
    "Activity SR Id": "Service Request",
    "Opportunity Id": "Opportunity",
}


class Catalogue:
    """The components of one connection, and what its settings say of their fields.

    `paths` is the setting `objects` (`Name=BO/BC`); `fields` the settings whose entries are `Name.Field`.
    """

    def __init__(self, paths: Sequence[str], fields: Mapping[str, Sequence[str]]) -> None:
        self.components = dict(COMPONENTS)
        for one in paths:
            name, _, path = one.partition("=")
            parts = path.split("/")
            if not name or len(parts) not in (2, 4) or not all(parts) or bool(_SLOT.search(path)) != (len(parts) == 4):
                raise ConfigError(
                    f'objects: "{one}" is no Name=Business Object/Business Component, nor one with /{{Parent}}/Child'
                )
            known = COMPONENTS.get(name)
            told = {} if known is None else {"title": known.title, "reads": known.reads, "company": known.company}
            self.components[name] = Component(name=name, path=path, **told)  # type: ignore[arg-type]
        self._told = {setting: self._by_component(setting, told) for setting, told in fields.items()}

    def __getitem__(self, name: str) -> Component:
        """Raises NotFound with the nearest right name."""
        if name not in self.components:
            raise NotFound(f'this connection knows no object "{name}" of Siebel{nearest(name, self.components)}')
        return self.components[name]

    def told(self, setting: str, component: str) -> tuple[str, ...]:
        """The fields of `component` that a setting names."""
        return self._told.get(setting, {}).get(component, ())

    def key_field(self, component: str) -> str:
        """The field that holds the hub's keys; the row id where no setting names one."""
        return next(iter(self.told("key_fields", component)), ID)

    def _by_component(self, setting: str, told: Sequence[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for one in told:
            name, _, field = one.partition(".")
            if name not in self.components or not is_field(field):
                known = ", ".join(self.components)
                raise ConfigError(f'{setting}: "{one}" is no Object.Field; the objects are {known}')
            found.setdefault(name, []).append(field)
        return {name: tuple(fields) for name, fields in found.items()}


def is_field(name: str) -> bool:
    """Whether a name can be a field's: it stands in expressions and lists unquoted."""
    return _FIELD.fullmatch(name) is not None


def pairs(
    setting: str, told: Sequence[str], components: Mapping[str, Component], shape: str
) -> dict[str, dict[str, str]]:
    """A setting of `Object.Field=something`, by object and field. Raises ConfigError with the `shape` that is right."""
    found: dict[str, dict[str, str]] = {}
    for one in told:
        left, _, right = one.partition("=")
        name, _, field = left.partition(".")
        if name not in components or not is_field(field) or not right:
            raise ConfigError(f'{setting}: "{one}" is no {shape}')
        found.setdefault(name, {})[field] = right
    return found
