"""What the events of one interaction fold into. Pure: facts and an event in, facts out.

Events are folded in the order of `order`: when they occurred, then by the course of an interaction, then by id. So the
facts are a function of the set of events; whoever gets an older event later folds all of them anew.

What an event says is taken as it says it, what it leaves out is unchanged. Times that no event says are taken from when
the event occurred; durations that no event says are computed, and `basis` tells which is which.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from hub.flow.intake.durations import close_hold, compute, take_said
from hub.flow.subject import is_about_interaction
from hub.model import (
    INTERACTION_EVENTS,
    Agent,
    AgentWrapUp,
    CommentFacts,
    Customer,
    Disposition,
    Event,
    EventRef,
    Facts,
    InteractionFacts,
    Leg,
    Recording,
    TransferFacts,
    WrapUp,
)
from hub.phone import e164, is_withheld

# The course of an interaction, for events of the same moment: an offer is missed before the end, the wrap-up follows it.
_COURSE = (
    "created", "queued", "offered", "answered", "held", "resumed", "transferred", "missed", "voicemail", "ended",
    "wrapped_up", "disposition_set", "comment_added", "recording_ready", "data_updated",
)  # fmt: skip
_RANK = {f"interaction.{word}": rank for rank, word in enumerate(_COURSE, 1)}
_WORD = {name: name.partition(".")[2] for name in INTERACTION_EVENTS}
_STATE = {
    "created": "created", "queued": "queued", "offered": "offered", "answered": "answered", "held": "held",
    "resumed": "answered", "transferred": "transferred", "missed": "missed", "voicemail": "voicemail", "ended": "ended",
}  # fmt: skip
_TIME = {"created": "started_at", "queued": "queued_at", "offered": "offered_at", "answered": "answered_at"}
_SAID = ("channel", "direction", "remote", "local", "queue", "subject", "summary", "end_cause", "recording_url")
_SAID_TIMES = ("started_at", "queued_at", "offered_at", "answered_at", "ended_at")
_NEVER_ANSWERED = frozenset(
    ["busy", "no_answer", "rejected", "cancelled_by_caller", "abandoned_in_queue", "unreachable", "invalid_number",
     "congestion", "agent_unavailable", "dnc_blocked"]
)  # fmt: skip
_AFTERWARDS = frozenset(["wrapped_up", "disposition_set", "comment_added", "recording_ready", "data_updated"])
_NUMBERED = frozenset([None, "voice", "sms", "chat"])  # channels on which the other side may be a phone number

Part = TypeVar("Part", bound=Struct)
Order = tuple[datetime, int, str]


def order(event: Event | EventRef) -> Order:
    """Where an event stands among those of its interaction."""
    return event.occurred_at, _RANK.get(event.type, 0), event.id


def fold_all(connection: str, events: Sequence[Event], country: str) -> Facts:
    """The facts of an interaction of which `events`, in whatever order, is all that is known."""
    facts: Facts | None = None
    for event in sorted(events, key=order):
        facts = fold(facts, connection, event, country)
    if facts is None:
        raise ValueError("an interaction has at least one event")
    return facts


def fold(facts: Facts | None, connection: str, event: Event, country: str) -> Facts:
    """`facts` with `event` taken in; `facts` itself is not changed. Events have to come in the order of `order`."""
    at = _utc(event.occurred_at)
    facts = Facts(connection=connection, event=_ref(event, at)) if facts is None else _opened(facts)
    facts.event = _ref(event, at)
    word = _WORD.get(event.type, "")
    before = facts.interaction
    remote_before = before.remote if before is not None else None
    if event.interaction is not None:
        facts.interaction = before if before is not None else InteractionFacts(id=event.interaction.id)
        _take_interaction(facts, facts.interaction, event, word, at)
    _take_people(facts, event, word)
    _take_wrap_up(facts, event, word, at)
    _take_parts(facts, event, word, at)
    if facts.interaction is not None:
        _take_state(facts, facts.interaction, event, word)
        compute(facts.interaction)
        _take_outcome(facts.interaction, word)
        _take_numbers(facts, facts.interaction, remote_before, country)
    facts.final = facts.interaction.state == "wrapped_up" if facts.interaction and is_about_interaction(event) else True
    return facts


def _take_interaction(facts: Facts, interaction: InteractionFacts, event: Event, word: str, at: datetime) -> None:
    said = event.interaction
    for name in _SAID:
        value = getattr(said, name)
        if value is not None:
            setattr(interaction, name, value)
    for name in _SAID_TIMES:
        moment = getattr(said, name)
        if moment is not None:
            setattr(interaction, name, _utc(moment))
    implied = _TIME.get(word)
    if implied and getattr(interaction, implied) is None:
        setattr(interaction, implied, at)
    if word == "ended" and said is not None and said.ended_at is None:
        # Each leg's end may be told as an end: the interaction ends with the last.
        interaction.ended_at = at if interaction.ended_at is None else max(at, interaction.ended_at)
    elif word == "wrapped_up":
        interaction.wrapped_up_at = at
    take_said(interaction, event)
    if word == "held" and facts.held_since is None:
        facts.held_since = at
    elif word == "resumed":
        close_hold(facts, interaction, at)
    elif word == "ended":
        close_hold(facts, interaction, interaction.ended_at or at)


def _take_state(facts: Facts, interaction: InteractionFacts, event: Event, word: str) -> None:
    if word == "wrapped_up":
        # Who passed a call on wraps up while the next agent still talks: that is not yet the interaction's wrap-up.
        elsewhere = interaction.ended_at is None and _key(event.agent) not in (None, _key(facts.agent))
        if not elsewhere:
            interaction.state = "wrapped_up"
    elif word == "ended":
        wrapped = {entry.agent for entry in facts.wrap_ups if entry.at is not None}
        interaction.state = "wrapped_up" if _key(facts.agent) in wrapped else "ended"
    elif word in ("held", "resumed") and interaction.ended_at is not None:
        pass  # some platforms take a held call off hold as it ends
    elif word in _STATE:
        interaction.state = _STATE[word]


def _take_outcome(interaction: InteractionFacts, word: str) -> None:
    if interaction.answered_at is not None or word == "answered" or (interaction.talk_seconds or 0) > 0:
        interaction.outcome = "answered"
    elif word == "voicemail":
        interaction.outcome = "voicemail"
    elif interaction.outcome is None and (word == "missed" or interaction.end_cause in _NEVER_ANSWERED):
        interaction.outcome = "missed"


def _take_people(facts: Facts, event: Event, word: str) -> None:
    agent = event.agent
    if agent is not None:
        key = _key(agent)
        for n, known in enumerate(facts.agents):
            if _key(known) == key:
                facts.agents[n] = agent = _merged(known, agent)
                break
        else:
            facts.agents.append(agent)
        # Whoever speaks up afterwards does not become the one who had the conversation.
        if facts.agent is None or _key(facts.agent) == key or (word and word not in _AFTERWARDS):
            facts.agent = agent
    if event.customer is not None:
        facts.customer = event.customer if facts.customer is None else _merged(facts.customer, event.customer)


def _take_wrap_up(facts: Facts, event: Event, word: str, at: datetime) -> None:
    said, disposition = event.wrap_up, event.disposition
    if said is not None or word == "wrapped_up":
        said = said or WrapUp()
        agent = _key(event.agent) or _key(facts.agent)
        entry = next((copy(known) for known in facts.wrap_ups if known.agent == agent), AgentWrapUp(agent=agent))
        for name in ("code", "name", "comment", "seconds"):
            value = getattr(said, name)
            if value is not None:
                setattr(entry, name, value)
        if word == "wrapped_up":
            entry.at = at
        facts.wrap_ups = [known for known in facts.wrap_ups if known.agent != agent] + [entry]
        facts.wrap_up = WrapUp(code=entry.code, name=entry.name, comment=entry.comment, seconds=entry.seconds)
        if disposition is None:
            disposition = Disposition(code=said.code, name=said.name)
        elif disposition.code is None and disposition.name is None:
            disposition = Disposition(code=said.code, name=said.name, class_=disposition.class_)
    if disposition is not None and (disposition.code or disposition.name or disposition.class_):
        facts.disposition = _disposition(facts.disposition, disposition)


def _disposition(known: Disposition | None, said: Disposition) -> Disposition:
    if known is None:
        return said
    if known.class_ == "do_not_contact" and said.class_ != "do_not_contact":
        return known  # once somebody said so, no later call's result takes it back
    same = (
        said.code == known.code
        if said.code and known.code
        else not (said.name and known.name) or said.name == known.name
    )
    return _merged(known, said) if same else said


def _take_parts(facts: Facts, event: Event, word: str, at: datetime) -> None:
    by = _key(event.agent)
    if event.comment is not None:
        facts.comments.append(CommentFacts(at=at, text=event.comment.text, by=event.comment.by or by))
    if event.transfer is not None:
        to = event.transfer
        facts.transfers.append(
            TransferFacts(
                at=at, by=by, to_agent=to.to_agent, to_queue=to.to_queue, to_number=to.to_number, kind=to.kind
            )
        )
    elif word == "transferred":
        facts.transfers.append(TransferFacts(at=at, by=by))
    if event.leg is not None:
        _take_leg(facts.legs, event.leg)
    if event.recording is not None:
        _take_recording(facts.recordings, event.recording)
        if facts.interaction is not None:
            facts.interaction.recording_url = event.recording.url
    elif event.interaction is not None and event.interaction.recording_url:
        _take_recording(facts.recordings, Recording(url=event.interaction.recording_url))
    if event.dial is not None:
        facts.dial = (
            event.dial if facts.dial is None or facts.dial.id != event.dial.id else _merged(facts.dial, event.dial)
        )
    if event.campaign is not None:
        facts.campaign = event.campaign if facts.campaign is None else _merged(facts.campaign, event.campaign)
    if event.work_item is not None:
        facts.work_item = event.work_item
    if event.attached:
        facts.attached.update(event.attached)


def _take_leg(legs: list[Leg], said: Leg) -> None:
    times = {
        name: _utc(moment) for name in ("started_at", "answered_at", "ended_at") if (moment := getattr(said, name))
    }
    leg = replace(said, **times)
    for n, known in enumerate(legs):
        if known.id == leg.id:
            legs[n] = _merged(known, leg)
            return
    legs.append(leg)


def _take_recording(recordings: list[Recording], said: Recording) -> None:
    if said.expires_at is not None:
        said = replace(said, expires_at=_utc(said.expires_at))
    for n, known in enumerate(recordings):
        if known.url == said.url or (known.id is not None and known.id == said.id):
            recordings[n] = _merged(known, said)
            return
    recordings.append(said)


def _take_numbers(facts: Facts, interaction: InteractionFacts, remote_before: str | None, country: str) -> None:
    remote, local = interaction.remote, interaction.local
    if remote is None and local is None:
        return
    numbered = interaction.channel in _NUMBERED
    interaction.anonymous = numbered and remote is not None and is_withheld(remote)
    known = numbered and remote is not None and not interaction.anonymous
    interaction.remote_e164 = e164(remote, country) if known and remote is not None else None
    interaction.local_e164 = e164(local, country) if numbered and local is not None else None
    # The customer is who is on the other side, unless the platform says otherwise or the other side is a colleague.
    customer = facts.customer or Customer()
    if customer.phone is not None and customer.phone == remote_before:
        customer = replace(customer, phone=None)
    if customer.phone is None and known and interaction.direction in ("inbound", "outbound"):
        customer = replace(customer, phone=remote)
    if customer != Customer():
        facts.customer = customer


def _opened(facts: Facts) -> Facts:
    """A copy that may be changed: the containers are new, the frozen parts in them are shared."""
    facts = copy(facts)
    if facts.interaction is not None:
        facts.interaction = copy(facts.interaction)
        facts.interaction.basis = dict(facts.interaction.basis)
    for name in ("agents", "wrap_ups", "comments", "transfers", "legs", "recordings"):
        setattr(facts, name, list(getattr(facts, name)))
    facts.attached = dict(facts.attached)
    return facts


def _ref(event: Event, at: datetime) -> EventRef:
    return EventRef(id=event.id, type=event.type, occurred_at=at)


def _key(agent: Agent | None) -> str | None:
    return None if agent is None else agent.id or agent.email or agent.extension or agent.name


def _merged(known: Part, said: Part) -> Part:
    """`known` with what `said` says beyond it."""
    return replace(
        known, **{name: value for name in said.__struct_fields__ if (value := getattr(said, name)) is not None}
    )


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
