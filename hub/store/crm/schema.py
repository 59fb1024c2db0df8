"""The embedded CRM's objects, declared once: a declaration gives the table, the description, the check and the forms.

Beside its declared fields every table has `id`, `created_at`, `updated_at` and `revision`. The revision counts the writes of
the whole CRM; writers take turns at it, so what a pull has seen up to a revision is complete, which a clock cannot promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from sqlalchemy import BigInteger, Boolean, Column, Index, PrimaryKeyConstraint, Table, Text

from hub.model import Description, DispositionClass, Field
from hub.store.schema import metadata

DISPOSITION_CLASSES: tuple[str, ...] = get_args(DispositionClass)
LONG = 131_072  # characters of a long text
READ_ONLY = ("id", "created_at", "updated_at")


@dataclass(frozen=True)
class CrmObject:
    """One object: how its ids begin, its unique key, its fields, and the table that holds it."""

    name: str
    label: str
    plural: str
    prefix: str
    key: str
    fields: tuple[Field, ...]
    table: Table
    by_name: dict[str, Field]
    defaults: dict[str, Any]  # what an empty field holds instead of nothing

    @property
    def phones(self) -> tuple[str, ...]:
        """The fields that hold phone numbers."""
        return tuple(f.name for f in self.fields if f.type == "phone")

    @property
    def references(self) -> dict[str, str]:
        """The fields that hold another record's id, with that record's object."""
        return {f.name: f.refers_to[0] for f in self.fields if f.refers_to}

    @property
    def description(self) -> Description:
        """The object as the contract describes it."""
        return Description(object=self.name, label=self.label, fields=self.fields, creatable=True, changeable=True)


def _text(name: str, label: str, length: int = 255, *, required: bool = False, unique: bool = False) -> Field:
    return Field(name=name, label=label, max_length=length, required=required, unique=unique)


def _phone(name: str, label: str) -> Field:
    return Field(name=name, label=label, type="phone", max_length=120)


def _email(name: str, label: str) -> Field:
    return Field(name=name, label=label, type="email", max_length=254)


def _flag(name: str, label: str) -> Field:
    return Field(name=name, label=label, type="boolean")


def _pick(name: str, label: str, *words: str) -> Field:
    return Field(name=name, label=label, type="picklist", picklist=words)


def _moment(name: str, label: str) -> Field:
    return Field(name=name, label=label, type="datetime")


def _number(name: str, label: str) -> Field:
    return Field(name=name, label=label, type="integer")


def _long(name: str, label: str) -> Field:
    return Field(name=name, label=label, type="longtext", max_length=LONG)


def _reference(name: str, label: str, to: str = "", *, required: bool = False) -> Field:
    return Field(name=name, label=label, type="reference", max_length=200, required=required, refers_to=(to or name,))


def _object(
    name: str,
    label: str,
    plural: str,
    prefix: str,
    *fields: Field,
    internal: tuple[str, ...] = (),
    also: tuple[Index, ...] = (),
    **defaults: Any,
) -> CrmObject:
    """Declare an object. `internal` columns are the store's own: folded texts by which records are found."""
    key = next(f.name for f in fields if f.unique)
    columns = [Column(f.name, _column_type(f), nullable=not f.required, unique=f.unique or None) for f in fields]
    table = Table(
        f"crm_{plural.lower().replace(' ', '_')}",
        metadata,
        Column("id", Text, primary_key=True),
        *columns,
        *(Column(word, Text) for word in internal),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("revision", BigInteger, nullable=False, index=True),
        *also,
    )
    own = (
        Field(name="id", label="Id", max_length=40, writable=False, unique=True),
        *fields,
        Field(name="created_at", label="Created", type="datetime", writable=False),
        Field(name="updated_at", label="Updated", type="datetime", writable=False),
    )
    return CrmObject(name, label, plural, prefix, key, own, table, {f.name: f for f in own}, defaults)


def _column_type(declared: Field) -> type[Text] | type[BigInteger] | type[Boolean]:
    if declared.type == "boolean":
        return Boolean
    return BigInteger if declared.type in ("integer", "datetime") else Text


_PERSON = (
    _text("first_name", "First name", 120),
    _text("last_name", "Last name", 120, required=True),
    _email("email", "E-mail"),
    _phone("phone", "Phone"),
    _phone("mobile", "Mobile"),
)
_TERMS = (
    _text("country", "Country", 2),
    _text("language", "Language", 8),
    _flag("consent", "Consent to be called"),  # null: nobody knows, and unknown means no
    _flag("do_not_call", "Do not call"),
    _email("owner", "Owner"),
    _flag("vip", "VIP"),
    _long("comment", "Comment"),
)
_FOLDED = ("email_folded", "search_folded")

ACCOUNT = _object(
    "account", "Account", "Accounts", "A-",
    _text("account_key", "Key", 200, unique=True),
    _text("name", "Name", required=True),
    _phone("phone", "Phone"),
    Field(name="website", label="Website", type="url", max_length=500),
    _text("country", "Country", 2),
    _email("owner", "Owner"),
    _long("comment", "Comment"),
    internal=("search_folded",),
)  # fmt: skip

CONTACT = _object(
    "contact", "Contact", "Contacts", "C-",
    _text("contact_key", "Key", 200, unique=True),
    *_PERSON,
    _reference("account", "Account"),
    *_TERMS,
    internal=_FOLDED, also=(Index(None, "account"), Index(None, "email_folded")), do_not_call=False, vip=False,
)  # fmt: skip

LEAD = _object(
    "lead", "Lead", "Leads", "L-",
    _text("lead_key", "Key", 200, unique=True),
    *_PERSON,
    _text("company", "Company"),
    _pick("status", "Status", "new", "working", "qualified", "lost"),
    *_TERMS,
    internal=_FOLDED, also=(Index(None, "email_folded"),), do_not_call=False, vip=False, status="new",
)  # fmt: skip

CAMPAIGN = _object(
    "campaign", "Campaign", "Campaigns", "CMP-",
    _text("campaign_key", "Key", 200, unique=True),
    _text("name", "Name", required=True),
    _pick("status", "Status", "planned", "running", "paused", "finished"),
    status="planned",
)  # fmt: skip

CAMPAIGN_MEMBER = _object(
    "campaign_member", "Campaign member", "Campaign members", "M-",
    _text("member_key", "Key", 200, unique=True),
    _reference("campaign", "Campaign", required=True),
    _reference("contact", "Contact"),
    _reference("lead", "Lead"),
    _pick("status", "Status", "open", "in_progress", "done"),
    _text("result", "Result", 200),
    _pick("result_class", "Result class", *DISPOSITION_CLASSES),
    _number("attempts", "Attempts"),
    _moment("last_result_at", "Last result"),
    _long("comment", "Comment"),
    also=(Index(None, "campaign", "id"), Index(None, "contact"), Index(None, "lead")), status="open", attempts=0,
)  # fmt: skip

CASE = _object(
    "case", "Case", "Cases", "CASE-",
    _text("case_key", "Key", 200, unique=True),
    _text("subject", "Subject", required=True),
    _pick("status", "Status", "open", "closed"),
    _reference("contact", "Contact"),
    _reference("account", "Account"),
    _moment("opened_at", "Opened"),
    _long("comment", "Comment"),
    also=(Index(None, "contact"), Index(None, "account")), status="open",
)  # fmt: skip

ACTIVITY = _object(
    "activity", "Activity", "Activities", "ACT-",
    _text("interaction_key", "Interaction", 400, unique=True),
    _reference("contact", "Contact"),
    _reference("account", "Account"),
    _reference("lead", "Lead"),
    _reference("case", "Case"),
    _text("subject", "Subject"),
    _pick("channel", "Channel", "voice", "email", "chat", "sms", "task"),
    _pick("direction", "Direction", "inbound", "outbound", "internal"),
    _text("disposition", "Disposition", 200),
    _pick("disposition_class", "Disposition class", *DISPOSITION_CLASSES),
    _pick("outcome", "Outcome", "answered", "missed", "voicemail"),
    _number("duration_seconds", "Duration (seconds)"),
    _moment("started_at", "Started"),
    _moment("ended_at", "Ended"),
    _long("comment", "Comment"),
    Field(name="recording_url", label="Recording", type="url", max_length=2000),
    _text("agent", "Agent"),
    _text("queue", "Queue", 200),
    _pick("status", "Status", "open", "completed"),
    _flag("provisional", "Provisional"),
    also=(Index(None, "contact", "started_at"), Index(None, "account", "started_at"), Index(None, "lead", "started_at"),
          Index(None, "case"), Index(None, "started_at")),
    status="completed", provisional=False,
)  # fmt: skip

OBJECTS: dict[str, CrmObject] = {o.name: o for o in (CONTACT, LEAD, ACCOUNT, ACTIVITY, CAMPAIGN, CAMPAIGN_MEMBER, CASE)}
PEOPLE = (CONTACT, LEAD, ACCOUNT)  # in the order a screen pop prefers

# A person has several numbers, and one number may be many people's. `number` is E.164, or the bare digits of what could not
# be read as one, such as an extension; kept up on every write.
phones = Table(
    "crm_phones",
    metadata,
    Column("object", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("raw", Text, nullable=False),
    PrimaryKeyConstraint("object", "record", "field", "number"),
    Index(None, "number"),
)

# What left: so that a pull of what changed can name the ids that are gone. `scope` is the campaign that a member left.
tombstones = Table(
    "crm_tombstones",
    metadata,
    Column("object", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    PrimaryKeyConstraint("object", "record", "scope"),
    Index(None, "object", "revision"),
)

# The last number given out: `revision`, and one by object for its ids.
counters = Table(
    "crm_counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# What was merged: the id that is gone, and the record that is left.
merges = Table(
    "crm_merges",
    metadata,
    Column("object", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("survivor", Text, nullable=False),
    PrimaryKeyConstraint("object", "record"),
    Index(None, "object", "survivor"),
)
