"""Events as they come in: the wire form, declared once. Hooks, paths and the reference are read off it.

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
