"""Facts: what the events of one interaction fold into, and what a mapping reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from hub.model.events import (
    Agent,
    CampaignPart,
    Channel,
    Customer,
    DialPart,
    Direction,
    Disposition,
    EndCause,
    Leg,
    Recording,
    WorkItemPart,
    WrapUp,
)

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
