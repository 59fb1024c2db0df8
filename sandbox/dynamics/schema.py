"""The tables of the stand-in: the columns of Dataverse's own that a contact centre touches, with their rules.

Column names, types, lengths, choices and what may be written when: Microsoft's table reference (contact, account, lead,
phonecall, email, task, incident, list, systemuser), read 2026-11. `new_…` are what an administrator would add.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Column(Struct, frozen=True, kw_only=True):
    """One column. `choices` maps a number to its label; of a statuscode, `state_of` maps the number to its state."""

    name: str
    type: str
    label: str
    schema: str = ""
    max_length: int | None = None
    format: str = ""
    create: bool = True
    update: bool = True
    required: str = "None"
    targets: tuple[str, ...] = ()
    choices: Mapping[int, str] = {}
    state_of: Mapping[int, int] = {}
    default: Any = None


class Key(Struct, frozen=True, kw_only=True):
    """An alternate key. Only one whose index is `Active` can be used."""

    name: str
    columns: tuple[str, ...]
    status: str = "Active"


class Table(Struct, frozen=True, kw_only=True):
    """One table. `navigation` maps (lookup column, target table) to the navigation property, in its very case."""

    name: str
    schema: str
    set: str
    label: str
    id: str
    title: str
    columns: Mapping[str, Column]
    keys: tuple[Key, ...] = ()
    activity: bool = False
    tracked: bool = True
    code: int = 0
    intersect: bool = False

    @property
    def navigation(self) -> dict[tuple[str, str], str]:
        """(lookup column, target table) → navigation property."""
        found = {}
        for column in self.columns.values():
            if column.type == "Owner":
                found.update({(column.name, target): column.name for target in column.targets})
            elif column.type in ("Lookup", "Customer"):
                for target in column.targets:
                    found[column.name, target] = _property(self, column, target)
        return found


def _property(table: Table, column: Column, target: str) -> str:
    if column.name == "regardingobjectid":
        return f"regardingobjectid_{target}_{table.name}"
    if column.type == "Customer" or column.name in ("partyid",):
        return f"{column.name}_{target}"
    return column.schema if column.name.startswith("new_") else column.name


PARTIES = {"from": 1, "to": 2, "cc": 3, "bcc": 4}
PARTY_TARGETS = ("account", "contact", "lead", "systemuser", "queue")
REGARDING = ("account", "contact", "lead", "incident")


def text(name: str, label: str, max_length: int = 100, **more: Any) -> Column:
    return Column(
        name=name, type="String", label=label, max_length=max_length, format=more.pop("format", "Text"), **more
    )


def memo(name: str, label: str, max_length: int) -> Column:
    return Column(name=name, type="Memo", label=label, max_length=max_length, format="TextArea")


def choice(name: str, label: str, choices: Mapping[int, str], **more: Any) -> Column:
    return Column(name=name, type="Picklist", label=label, choices=choices, **more)


def lookup(name: str, label: str, *targets: str, type: str = "Lookup", **more: Any) -> Column:
    return Column(name=name, type=type, label=label, targets=targets, **more)


def yes_no(name: str, label: str, yes: str = "Yes", no: str = "No", default: Any = False, **more: Any) -> Column:
    return Column(name=name, type="Boolean", label=label, choices={1: yes, 0: no}, default=default, **more)


def moment(name: str, label: str, **more: Any) -> Column:
    return Column(name=name, type="DateTime", label=label, format=more.pop("format", "DateAndTime"), **more)


def whole(name: str, label: str, **more: Any) -> Column:
    return Column(name=name, type="Integer", label=label, **more)


def states(states: Mapping[int, str], reasons: Mapping[int, tuple[int, str]]) -> tuple[Column, Column]:
    """statecode and statuscode; `reasons` maps a status to its state and label, each state's default first."""
    return (
        Column(name="statecode", type="State", label="Status", choices=states, create=False, required="SystemRequired",
               default=0),
        Column(name="statuscode", type="Status", label="Status Reason",
               choices={number: label for number, (_, label) in reasons.items()},
               state_of={number: state for number, (state, _) in reasons.items()}),
    )  # fmt: skip


ACTIVE = states({0: "Active", 1: "Inactive"}, {1: (0, "Active"), 2: (1, "Inactive")})


def table(name: str, schema: str, set_: str, label: str, id_: str, title: str, *columns: Column, owned: bool = True,
          **more: Any) -> Table:  # fmt: skip
    """A table with the columns that every one has."""
    system = [
        Column(name=id_, type="Uniqueidentifier", label=label, update=False, required="SystemRequired"),
        moment("createdon", "Created On", create=False, update=False),
        moment("modifiedon", "Modified On", create=False, update=False),
        Column(name="versionnumber", type="BigInt", label="Version Number", create=False, update=False),
    ]
    if owned:
        system += [
            lookup("ownerid", "Owner", "systemuser", "team", type="Owner", required="SystemRequired"),
            lookup("owninguser", "Owning User", "systemuser", create=False, update=False),
        ]
    every = {column.name: column for column in (*system, *columns)}
    return Table(name=name, schema=schema, set=set_, label=label, id=id_, title=title, columns=every, **more)


def _person(own: str, *more: Column) -> tuple[Column, ...]:
    return (
        *(text(f"telephone{n}", f"Telephone {n}", 50, format="Phone") for n in (1, 2, 3)),
        *(text(f"emailaddress{n}", f"Email Address {n}", 100, format="Email") for n in (1, 2, 3)),
        text("address1_country", "Country/Region", 80),
        yes_no("donotphone", "Do not allow Phone Calls", "Do Not Allow", "Allow"),
        lookup("masterid", "Master ID", own, create=False, update=False),
        yes_no("merged", "Merged", default=False, create=False, update=False),
        memo("description", "Description", 2000),
        *more,
    )


def _tables() -> list[Table]:
    name_parts = (
        text("firstname", "First Name", 50), text("lastname", "Last Name", 50, required="ApplicationRequired"),
        text("fullname", "Full Name", 160, create=False, update=False), text("jobtitle", "Job Title", 100),
        text("mobilephone", "Mobile Phone", 50, format="Phone"),
        text("address1_telephone1", "Address 1: Phone", 50, format="Phone"),
    )  # fmt: skip
    contact = table(
        "contact", "Contact", "contacts", "Contact", "contactid", "fullname", *name_parts,
        *_person("contact"),
        lookup("parentcustomerid", "Company Name", "account", "contact", type="Customer"),
        text("department", "Department", 100), text("externaluseridentifier", "External User Identifier", 50),
        text("new_customerno", "Customer No.", 100),
        yes_no("new_callconsent", "Consents to calls", default=None),
        *ACTIVE, code=2,
        keys=(Key(name="new_customerno_key", columns=("new_customerno",)),
              Key(name="new_external_key", columns=("externaluseridentifier",), status="Pending")),
    )  # fmt: skip
    account = table(
        "account", "Account", "accounts", "Account", "accountid", "name",
        text("name", "Account Name", 160, required="ApplicationRequired"), text("accountnumber", "Account Number", 20),
        text("websiteurl", "Website", 200, format="Url"), *_person("account"),
        lookup("primarycontactid", "Primary Contact", "contact"), *ACTIVE, code=1,
        keys=(Key(name="new_number_key", columns=("accountnumber",)),),
    )  # fmt: skip
    lead = table(
        "lead", "Lead", "leads", "Lead", "leadid", "fullname", *name_parts, *_person("lead"),
        text("companyname", "Company Name", 100), text("subject", "Topic", 300, required="ApplicationRequired"),
        *states({0: "Open", 1: "Qualified", 2: "Disqualified"},
                {1: (0, "New"), 2: (0, "Contacted"), 3: (1, "Qualified"), 4: (2, "Lost"), 5: (2, "Cannot Contact")}),
        tracked=False, code=4,
    )  # fmt: skip
    activity = (
        text("subject", "Subject", 200, required="ApplicationRequired"),
        lookup("regardingobjectid", "Regarding", *REGARDING),
        moment("actualstart", "Actual Start"), moment("actualend", "Actual End"),
        moment("scheduledstart", "Start Date"), moment("scheduledend", "Due"),
        whole("actualdurationminutes", "Duration"), text("category", "Category", 250),
        text("subcategory", "Sub-Category", 250),
        choice("prioritycode", "Priority", {0: "Low", 1: "Normal", 2: "High"}, default=1),
    )  # fmt: skip
    parties = {
        name: Column(name=name, type="PartyList", label=label, targets=PARTY_TARGETS)
        for name, label in (("from", "From"), ("to", "To"), ("cc", "Cc"), ("bcc", "Bcc"))
    }
    phonecall = table(
        "phonecall", "PhoneCall", "phonecalls", "Phone Call", "activityid", "subject", *activity,
        memo("description", "Description", 2000), text("phonenumber", "Phone Number", 200, format="Phone"),
        yes_no("directioncode", "Direction", "Outgoing", "Incoming", default=True),
        yes_no("leftvoicemail", "Left Voice Mail"), parties["from"], parties["to"],
        *states({0: "Open", 1: "Completed", 2: "Canceled"},
                {1: (0, "Open"), 2: (1, "Made"), 4: (1, "Received"), 3: (2, "Canceled")}),
        activity=True, code=4210,
    )  # fmt: skip
    email = table(
        "email", "Email", "emails", "Email Message", "activityid", "subject", *activity,
        memo("description", "Description", 1_073_741_823),
        yes_no("directioncode", "Direction", "Outgoing", "Incoming", default=True),
        text("messageid", "Message ID", 320), text("sender", "From", 250), *parties.values(),
        *states({0: "Open", 1: "Completed", 2: "Canceled"},
                {1: (0, "Draft"), 2: (1, "Completed"), 3: (1, "Sent"), 4: (1, "Received"), 5: (2, "Canceled")}),
        activity=True, code=4202,
    )  # fmt: skip
    task = table(
        "task", "Task", "tasks", "Task", "activityid", "subject", *activity, memo("description", "Description", 2000),
        text("new_interactionkey", "Interaction Key", 200),
        *states({0: "Open", 1: "Completed", 2: "Canceled"},
                {2: (0, "Not Started"), 3: (0, "In Progress"), 5: (1, "Completed"), 6: (2, "Canceled")}),
        activity=True, code=4212, keys=(Key(name="new_interaction_key", columns=("new_interactionkey",)),),
    )  # fmt: skip
    incident = table(
        "incident", "Incident", "incidents", "Case", "incidentid", "title",
        text("title", "Case Title", 200, required="ApplicationRequired"), memo("description", "Description", 2000),
        text("ticketnumber", "Case Number", 100, update=False),
        lookup("customerid", "Customer", "account", "contact", type="Customer", required="ApplicationRequired"),
        choice("caseorigincode", "Origin", {1: "Phone", 2: "Email", 3: "Web"}),
        choice("prioritycode", "Priority", {1: "High", 2: "Normal", 3: "Low"}, default=2),
        *states({0: "Active", 1: "Resolved", 2: "Canceled"},
                {1: (0, "In Progress"), 2: (0, "On Hold"), 5: (1, "Problem Solved"), 6: (2, "Canceled")}), code=112,
    )  # fmt: skip
    return [
        contact, account, lead, phonecall, email, task, incident,
        table("list", "List", "lists", "Marketing List", "listid", "listname",
              text("listname", "Name", 128, required="ApplicationRequired"), yes_no("type", "Type", "Dynamic", "Static"),
              choice("createdfromcode", "Targeted At", {1: "Account", 2: "Contact", 4: "Lead"}, required="SystemRequired"),
              memo("query", "Query", 1_073_741_823), whole("membercount", "Members Count", create=False, update=False),
              *ACTIVE, code=4300),
        table("listmember", "ListMember", "listmembers", "Marketing List Member", "listmemberid", "",
              lookup("listid", "Marketing List", "list"), lookup("entityid", "Member", "account", "contact", "lead"),
              text("entitytype", "Entity Type", 64), owned=False, tracked=False, code=4301, intersect=True),
        table("activityparty", "ActivityParty", "activityparties", "Activity Party", "activitypartyid", "partyidname",
              lookup("activityid", "Activity", "phonecall", "email"), lookup("partyid", "Party", *PARTY_TARGETS),
              whole("participationtypemask", "Participation Type"), text("addressused", "Address", 320, update=False),
              owned=False, tracked=False, code=135),
        table("systemuser", "SystemUser", "systemusers", "User", "systemuserid", "fullname",
              text("fullname", "Full Name", 200), text("domainname", "User Name", 1024),
              text("internalemailaddress", "Primary Email", 100, format="Email"), yes_no("isdisabled", "Status"),
              owned=False, tracked=False, code=8),
        table("team", "Team", "teams", "Team", "teamid", "name", text("name", "Team Name", 160), owned=False, code=9),
        table("queue", "Queue", "queues", "Queue", "queueid", "name", text("name", "Name", 200), *ACTIVE, code=2020),
        table("organization", "Organization", "organizations", "Organization", "organizationid", "name",
              text("name", "Organization Name", 160), owned=False, tracked=False, code=1019),
    ]  # fmt: skip


TABLES: Mapping[str, Table] = {one.name: one for one in _tables()}
BY_SET: Mapping[str, Table] = {one.set: one for one in TABLES.values()}
