"""The business components of the stand-in: names, data types and lengths of their fields, as far as the guides show them.

Source: Siebel Application Services Interface Reference (G30556), "Siebel Contact", "Siebel Action", "Siebel Service
Request". Inference: lengths where it is silent, `X Call Consent`, a field that an administrator made, which fields are
required, and the members of a list as children of `List Mgmt Lists`.
"""

from __future__ import annotations

from msgspec import Struct


class Field(Struct, frozen=True, kw_only=True):
    """One field. `key`: it alone is a user key, so no two records hold the same."""

    name: str
    type: str = "DTYPE_TEXT"
    length: int = 50
    required: bool = False
    read_only: bool = False
    key: bool = False
    values: str = ""  # the type of its list of values


class Component(Struct, frozen=True, kw_only=True):
    """One business component, by its path. `together`: fields that are a user key with each other."""

    path: str
    fields: tuple[Field, ...]
    together: tuple[str, ...] = ()

    def field(self, name: str) -> Field | None:
        """The field called so."""
        return next((one for one in self.fields if one.name == name), None)

    @property
    def name(self) -> str:
        """The component's own name, the last of its path."""
        return self.path.rpartition("/")[2]


def _texts(length: int, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name=name, length=length) for name in names)


def _of(type: str, *names: str) -> tuple[Field, ...]:
    length = {"DTYPE_PHONE": 40, "DTYPE_ID": 15, "DTYPE_BOOL": 1, "DTYPE_UTCDATETIME": 32, "DTYPE_DATE": 32}.get(
        type, 22
    )
    return tuple(Field(name=name, type=type, length=length) for name in names)


SYSTEM = (
    Field(name="Id", type="DTYPE_ID", length=15, read_only=True),
    Field(name="Created", type="DTYPE_UTCDATETIME", length=32, read_only=True, required=True),
    Field(name="Created By", type="DTYPE_ID", length=15, read_only=True, required=True),
    Field(name="Updated", type="DTYPE_UTCDATETIME", length=32, read_only=True, required=True),
    Field(name="Updated By", type="DTYPE_ID", length=15, read_only=True, required=True),
    Field(name="Mod Id", type="DTYPE_INTEGER", length=16, read_only=True, required=True),
    Field(name="Conflict Id", type="DTYPE_ID", length=15, read_only=True, required=True),
)
_PROSPECT = (
    *SYSTEM,
    *_texts(50, "First Name"),
    Field(name="Last Name", required=True),
    *_texts(350, "Email Address"),
    *_of("DTYPE_PHONE", "Work Phone #", "Cellular Phone #"),
    *_of("DTYPE_BOOL", "Suppress All Calls", "X Call Consent"),
)
COMPONENTS: dict[str, Component] = {
    component.path: component
    for component in (
        Component(
            path="Contact/Contact",
            fields=(
                *SYSTEM,
                *_texts(50, "First Name"),
                Field(name="Last Name", required=True),
                *_texts(350, "Email Address"),
                *_of("DTYPE_PHONE", "Work Phone #", "Cellular Phone #", "Home Phone #"),
                *_of("DTYPE_ID", "Account Id"),
                Field(name="Account", length=100, read_only=True),
                *_texts(75, "Job Title"),
                *_texts(255, "Comment"),
                *_of("DTYPE_BOOL", "Suppress All Calls", "X Call Consent"),
                *_of("DTYPE_DATE", "Birth Date"),
                Field(name="Person UId", length=100, key=True),
                *_texts(30, "Integration Id"),
            ),
        ),
        Component(path="List Mgmt/List Mgmt Prospective Contact", fields=_PROSPECT),
        Component(path="List Mgmt/List Mgmt Lists", fields=(*SYSTEM, Field(name="Name", length=100, required=True))),
        Component(path="List Mgmt/List Mgmt Lists/{key}/List Mgmt Prospective Contact", fields=_PROSPECT),
        Component(
            path="Account/Account",
            together=("Name", "Location"),
            fields=(
                *SYSTEM,
                Field(name="Name", length=100, required=True),
                *_texts(50, "Location"),
                *_of("DTYPE_PHONE", "Main Phone Number"),
                *_texts(255, "Description"),
                *_texts(30, "Integration Id"),
            ),
        ),
        Component(
            path="Action/Action",
            fields=(
                *SYSTEM,
                Field(name="Activity UID", length=30, key=True),
                Field(name="Type", length=30, required=True, values="TODO_TYPE"),
                *_texts(150, "Description"),
                *_texts(1500, "Comment"),
                Field(name="Status", length=30, values="EVENT_STATUS"),
                *_of("DTYPE_UTCDATETIME", "Started", "Done", "Planned"),
                *_of("DTYPE_NUMBER", "Duration Minutes"),
                *_of("DTYPE_ID", "Primary Contact Id", "Account Id", "Activity SR Id"),
            ),
        ),
        Component(
            path="Service Request/Service Request",
            fields=(
                *SYSTEM,
                Field(name="SR Number", length=64, read_only=True),
                *_texts(100, "Abstract"),
                *_texts(2000, "Description"),
                Field(name="Status", length=30, values="SR_STATUS"),
                *_of("DTYPE_ID", "Contact Id", "Account Id"),
                *_texts(30, "Source", "Integration Id"),
            ),
        ),
        Component(
            path="Opportunity/Opportunity",
            fields=(
                *SYSTEM,
                Field(name="Name", length=100, required=True),
                *_of("DTYPE_ID", "Account Id"),
                *_of("DTYPE_CURRENCY", "Primary Revenue Amount"),
            ),
        ),
    )
}
# Type, value, whether it is active.
VALUES: tuple[tuple[str, str, bool], ...] = (
    ("TODO_TYPE", "Call - Inbound", True),
    ("TODO_TYPE", "Call - Outbound", True),
    ("TODO_TYPE", "Email - Inbound", True),
    ("TODO_TYPE", "Email - Outbound", True),
    ("TODO_TYPE", "Other", True),
    ("TODO_TYPE", "Fax", False),
    ("EVENT_STATUS", "Not Started", True),
    ("EVENT_STATUS", "In Progress", True),
    ("EVENT_STATUS", "Done", True),
    ("EVENT_STATUS", "Cancelled", True),
    ("SR_STATUS", "Open", True),
    ("SR_STATUS", "Pending", True),
    ("SR_STATUS", "Closed", True),
)
LISTS = ("EAILOVService", "GetListOfValues")  # the business service that tells lists of values
# What business services take: the integration object, its component, where that is, and its user key beside the row id.
INTEGRATION_OBJECTS: dict[str, tuple[str, str, str]] = {
    "Action Interface": ("Action", "Action/Action", "Activity UID"),
    "Contact Interface": ("Contact", "Contact/Contact", "Integration Id"),
}
SERVICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("Siebel Action", "InsertOrUpdate"): ("Action Interface",),
    ("Siebel Contact", "InsertOrUpdate"): ("Contact Interface",),
    ("EAI Siebel Adapter", "Upsert"): ("Action Interface", "Contact Interface"),
}
