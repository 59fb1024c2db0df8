"""The nouns: frozen data, no I/O. The wire form of an event is declared here once; hooks, paths and docs are read off it.

Times are aware datetimes in UTC; durations are seconds. Phone numbers are as the platform wrote them unless a name ends in
`_e164`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Channel = Literal["voice", "email", "chat", "sms", "task"]
Direction = Literal["inbound", "outbound", "internal"]
DispositionClass = Literal[
    "positive", "neutral", "negative", "unreachable", "callback", "invalid", "do_not_contact", "no_disposition"
]
EndCause = Literal[
    "normal", "busy", "no_answer", "rejected", "cancelled_by_caller", "abandoned_in_queue", "unreachable",
    "invalid_number", "congestion", "forwarded", "machine", "fax", "dnc_blocked", "agent_unavailable", "system_error",
    "unknown",
]  # fmt: skip

INTERACTION_EVENTS = tuple(
    f"interaction.{word}"
    for word in (
        "created", "queued", "offered", "answered", "held", "resumed", "transferred", "ended", "wrapped_up",
        "disposition_set", "comment_added", "recording_ready", "missed", "voicemail", "data_updated",
    )
)  # fmt: skip
OTHER_EVENTS = ("campaign.contact_result", "agent.state_changed")
EVENT_FAMILIES = ("dial", "work_item")  # dial.accepted, dial.failed, work_item.offered … : any word after the dot
FAMILY_EVENT = re.compile(r"(dial|work_item)\.[a-z][a-z_]{0,40}")

Moment = Annotated[datetime, Meta(tz=True)]
Id = Annotated[str, Meta(min_length=1, max_length=200)]
Seconds = Annotated[float, Meta(ge=0)]


def is_event_type(name: str) -> bool:
    """Whether `name` is a type an event may have."""
    return name in INTERACTION_EVENTS or name in OTHER_EVENTS or FAMILY_EVENT.fullmatch(name) is not None


class InteractionPart(Struct, frozen=True, kw_only=True):
    """What an event says of its interaction; only `id` has to be there, what is absent is unchanged."""

    id: Id
    channel: Channel | None = None
    direction: Direction | None = None
    remote: str | None = None
    local: str | None = None
    queue: str | None = None
    subject: str | None = None
    summary: str | None = None
    started_at: Moment | None = None
    queued_at: Moment | None = None
    offered_at: Moment | None = None
    answered_at: Moment | None = None
    ended_at: Moment | None = None
    wait_seconds: Seconds | None = None
    ring_seconds: Seconds | None = None
    talk_seconds: Seconds | None = None
    hold_seconds: Seconds | None = None
    end_cause: EndCause | None = None
    recording_url: str | None = None


class Agent(Struct, frozen=True, kw_only=True):
    """The person on our side."""

    id: str | None = None
    email: str | None = None
    name: str | None = None
    extension: str | None = None
    state: str | None = None


class Customer(Struct, frozen=True, kw_only=True):
    """The person on the other side, as far as the platform knows."""

    phone: str | None = None
    email: str | None = None
    name: str | None = None
    crm_key: str | None = None
    vip: bool | None = None


class WrapUp(Struct, frozen=True, kw_only=True):
    """What the agent entered after the conversation."""

    code: str | None = None
    name: str | None = None
    comment: str | None = None
    seconds: Seconds | None = None


class Disposition(Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    """The result of an interaction: the platform's code and what it means."""

    code: str | None = None
    name: str | None = None
    class_: DispositionClass | None = None


class Comment(Struct, frozen=True, kw_only=True):
    """A remark added to the interaction."""

    text: str
    by: str | None = None


class Recording(Struct, frozen=True, kw_only=True):
    """A recording of the interaction, often ready minutes later."""

    url: str
    id: str | None = None
    expires_at: Moment | None = None


class Transfer(Struct, frozen=True, kw_only=True):
    """Where the interaction was passed on to."""

    to_agent: str | None = None
    to_queue: str | None = None
    to_number: str | None = None
    kind: Literal["blind", "warm"] | None = None


class Leg(Struct, frozen=True, kw_only=True):
    """One party's part in the interaction."""

    id: Id
    party: Literal["agent", "customer", "external", "bot"] | None = None
    agent: str | None = None
    started_at: Moment | None = None
    answered_at: Moment | None = None
    ended_at: Moment | None = None


class DialPart(Struct, frozen=True, kw_only=True):
    """The click-to-dial request that an event belongs to; `id` is the one Patchbay gave."""

    id: str
    reason: str | None = None


class CampaignPart(Struct, frozen=True, kw_only=True):
    """A contact of an outbound campaign: which list, which member, with what result."""

    id: str | None = None
    name: str | None = None
    list: str | None = None
    contact: str | None = None
    result: str | None = None
    result_class: DispositionClass | None = None
    attempts: int | None = None
    final: bool | None = None


class WorkItemPart(Struct, frozen=True, kw_only=True):
    """A mail or task that was offered to the platform's routing."""

    id: str
    reason: str | None = None


class Event(Struct, frozen=True, kw_only=True):
    """What came in: the canonical event. Its raw JSON stays in the store beside it."""

    id: Id
    type: str
    occurred_at: Moment
    interaction: InteractionPart | None = None
    agent: Agent | None = None
    customer: Customer | None = None
    wrap_up: WrapUp | None = None
    disposition: Disposition | None = None
    comment: Comment | None = None
    recording: Recording | None = None
    transfer: Transfer | None = None
    leg: Leg | None = None
    dial: DialPart | None = None
    campaign: CampaignPart | None = None
    work_item: WorkItemPart | None = None
    attached: dict[str, Any] | None = None


class WireEvent(Event, frozen=True, kw_only=True):
    """An event with its canonical JSON as the sender wrote it, so that fields which we do not know are kept too."""

    wire: str = field(default="", name="$wire")  # set by whoever decodes; never taken from the sender


# --- what the events of one interaction fold into ----------------------------------------

Basis = Literal["platform", "computed"]


class InteractionFacts(Struct, kw_only=True, omit_defaults=True):
    """One interaction as it is known now."""

    id: str
    channel: Channel | None = None
    direction: Direction | None = None
    state: str = "created"
    remote: str | None = None
    remote_e164: str | None = None
    anonymous: bool = False
    local: str | None = None
    local_e164: str | None = None
    queue: str | None = None
    subject: str | None = None
    summary: str | None = None
    outcome: Literal["answered", "missed", "voicemail"] | None = None
    end_cause: EndCause | None = None
    started_at: datetime | None = None
    queued_at: datetime | None = None
    offered_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    wrapped_up_at: datetime | None = None
    wait_seconds: float | None = None
    ring_seconds: float | None = None
    talk_seconds: float | None = None
    hold_seconds: float | None = None
    wrap_up_seconds: float | None = None
    total_seconds: float | None = None
    basis: dict[str, Basis] = {}
    recording_url: str | None = None


class AgentWrapUp(Struct, kw_only=True, omit_defaults=True):
    """One agent's wrap-up: after a transfer each agent's own stays, none overwrites another's."""

    agent: str | None = None
    code: str | None = None
    name: str | None = None
    comment: str | None = None
    seconds: float | None = None
    at: datetime | None = None


class TransferFacts(Struct, kw_only=True, omit_defaults=True):
    """One transfer, with when and by whom."""

    at: datetime
    by: str | None = None
    to_agent: str | None = None
    to_queue: str | None = None
    to_number: str | None = None
    kind: Literal["blind", "warm"] | None = None


class CommentFacts(Struct, kw_only=True, omit_defaults=True):
    """One comment, with when and by whom."""

    at: datetime
    text: str
    by: str | None = None


class Clicked(Struct, frozen=True, kw_only=True):
    """The CRM record on which a number was clicked."""

    connection: str
    object: str
    id: str


class EventRef(Struct, frozen=True, kw_only=True):
    """The latest event behind the facts."""

    id: str
    type: str
    occurred_at: datetime


class Facts(Struct, kw_only=True, omit_defaults=True):
    """What a mapping reads: all that is known of one interaction (or of one event that belongs to none)."""

    connection: str
    event: EventRef
    interaction: InteractionFacts | None = None
    agent: Agent | None = None
    agents: list[Agent] = []
    customer: Customer | None = None
    wrap_up: WrapUp | None = None
    wrap_ups: list[AgentWrapUp] = []
    disposition: Disposition | None = None
    comments: list[CommentFacts] = []
    transfers: list[TransferFacts] = []
    legs: list[Leg] = []
    recordings: list[Recording] = []
    dial: DialPart | None = None
    clicked: Clicked | None = None
    campaign: CampaignPart | None = None
    work_item: WorkItemPart | None = None
    attached: dict[str, Any] = {}
    final: bool = False  # wrapped up, or an event that stands alone
    held_since: datetime | None = None  # a hold that is still open; for the fold alone


# --- what goes to and comes from a connector ----------------------------------------

LookupBy = Literal["phone", "email", "key", "id"]
PERSON = "person"  # as a Lookup's object: every object in which the CRM keeps people and companies (Manifest.people)


class Lookup(Struct, frozen=True):
    """Find records of `object` by one identifier. A phone is E.164 where it could be read as one, else as typed."""

    object: str
    by: LookupBy
    value: str
    key_field: str = ""  # with by="key": the unique field; empty: the object's own


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
    """One page of a pull. Every row has a text `id`. `cursor` None: the last page. `removed`: ids that left the list."""

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
    required: bool = False
    writable: bool = True
    unique: bool = False
    picklist: tuple[str, ...] = ()
    refers_to: tuple[str, ...] = ()


class Description(Struct, frozen=True, kw_only=True):
    """An object as the CRM describes it."""

    object: str
    label: str
    fields: tuple[Field, ...]


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
