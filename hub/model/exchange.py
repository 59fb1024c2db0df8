"""What goes to a connector and comes from it: look-ups and records, rows and receipts, pages, dials."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from hub.model.facts import Clicked

LookupBy = Literal["phone", "email", "key", "id"]
PERSON = "person"  # as a Lookup's object: every object in which the CRM keeps people and companies (Manifest.people)


class Lookup(Struct, frozen=True):
    """Find records of `object` by one identifier. A phone is E.164 where it could be read as one, else as typed."""

    object: str
    by: LookupBy
    value: str
    key_field: str = ""  # with by="key": the unique field; empty: the object's own
    fields: tuple[str, ...] = ()  # fields that are wanted on the record beyond those that the connector reads anyway


class Match(Struct, frozen=True):
    """Why a record was found: which field, holding what."""

    field: str
    value: str


class Account(Struct, frozen=True, kw_only=True):
    """The company that a person belongs to."""

    object: str
    id: str
    title: str


class Record(Struct, frozen=True, kw_only=True):
    """One CRM record as `find` gives it. `fields` holds the record's own fields by the CRM's names."""

    object: str
    id: str
    title: str
    url: str = ""
    match: Match | None = None
    account: Account | None = None
    owner: str | None = None  # the owning user's e-mail
    open_cases: int | None = None
    last_contact_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    fields: dict[str, Any] = {}


class Target(Struct, frozen=True, kw_only=True):
    """Where rows are written: an object of the connection and its key field."""

    object: str
    key: str
    options: dict[str, Any] = {}  # what the mapping's target says beyond that, such as the contact list's name


class Row(Struct, frozen=True, kw_only=True):
    """One row to write. `key` is the value of the target's key field: the same key is the same record, for ever."""

    key: str
    fields: dict[str, Any]
    action: Literal["upsert", "remove"] = "upsert"
    in_doubt: bool = False  # an earlier attempt may have been done: look the key up unless upsert is native


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of one row. With outcome `failed`, `error` is a ConnectorError; `url` opens the record."""

    key: str
    outcome: Literal["created", "updated", "unchanged", "removed", "failed"]
    id: str = ""
    url: str = ""
    error: Exception | None = None


class Query(Struct, frozen=True, kw_only=True):
    """A list pull. `watermark` asks for what changed since; `cursor` goes on where an interrupted pull stopped."""

    object: str
    where: dict[str, Any] = {}
    watermark: str | None = None
    cursor: str | None = None
    size: int = 1000


class Page(Struct, frozen=True, kw_only=True):
    """One page of a pull. Every row has a text `id`. `cursor` None: the last page. `removed`: ids that left the list.

    The last page's `watermark` is what the next pull asks from. None there: the system cannot tell who left (any more), and
    the next pull is a full one, which takes off whom it does not see."""

    rows: list[dict[str, Any]]
    removed: list[str] = []
    cursor: str | None = None
    watermark: str | None = None


FieldType = Literal["text", "longtext", "integer", "decimal", "boolean", "date", "datetime", "phone", "email", "url",
                    "picklist", "reference"]  # fmt: skip


class Field(Struct, frozen=True, kw_only=True):
    """One field as the CRM describes it, in the hub's types."""

    name: str
    label: str = ""
    type: FieldType = "text"
    max_length: int | None = None
    required: bool = False  # a new record needs it, and the system fills in nothing by itself
    writable: bool = True
    fixed: bool = False  # written with a new record and never changed after
    unique: bool = False  # names one record: what a key can be
    picklist: tuple[str, ...] = ()  # the values that it takes; empty: it is none, or takes anything
    retired: tuple[str, ...] = ()  # the values that it knows and takes no more
    refers_to: tuple[str, ...] = ()


class Description(Struct, frozen=True, kw_only=True):
    """An object as the CRM describes it."""

    object: str
    label: str
    fields: tuple[Field, ...]
    creatable: bool | None = None  # whether our user may make new records; None: the system does not say
    changeable: bool | None = None  # whether our user may change records that are there


class Quota(Struct, frozen=True, kw_only=True):
    """What the vendor says of the calls that we may make: its own count, in its own window."""

    limit: int
    used: int
    window_seconds: int = 86_400  # over how long it counts: a day, or ten seconds
    until: datetime | None = None  # when the window ends, where it says so; None with a day: it rolls


class DialRequest(Struct, frozen=True, kw_only=True):
    """Originate a call for an agent. `id` is ours; the platform carries it on the call's events as `dial.id`."""

    id: str
    to: str  # E.164
    agent: str
    record: Clicked | None = None


class DialReceipt(Struct, frozen=True, kw_only=True):
    """What the platform said: accepted with its interaction id, or refused with a reason. An unknown outcome is raised."""

    outcome: Literal["accepted", "refused"]
    interaction: str = ""
    reason: str = ""


class Identity(Struct, frozen=True, kw_only=True):
    """Who we are at the other system, as `check` found."""

    user: str
    system: str
    version: str = ""
    expires_at: datetime | None = None  # when the credentials end, where the system or the credentials say so
