"""One group of accepts, taken in inside one transaction: events, interactions and the deliveries that they make."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from hub.clock import to_ms
from hub.flow.intake.fold import fold, fold_all, order
from hub.flow.intake.triggers import Mappings, Outbox
from hub.flow.subject import interaction_subject, is_about_interaction
from hub.model import Event, Facts, WireEvent
from hub.phone import e164
from hub.store import desk, intake
from hub.store.intake import Folded, Key, Known, NewEvent

if TYPE_CHECKING:
    from hub.store.database import Transaction

DIAL_OUTCOMES = {"dial.accepted": "accepted", "dial.failed": "refused", "dial.refused": "refused"}

_facts = msgspec.json.Decoder(Facts)
_names = msgspec.json.Decoder(list[str])
_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event on its way in."""

    connection: str
    event: Event
    subject: str

    @property
    def key(self) -> Key:
        """What makes an event the same event."""
        return self.connection, self.event.id


@dataclass(slots=True)
class Taken:
    """What a group came to."""

    new: set[Key]  # the events that were not known before
    due: bool = False  # whether deliveries were made
    opted_out: bool = False  # whether somebody asked not to be called
    local_numbers: set[tuple[str, str]] = field(
        default_factory=set
    )  # (connection, E.164) of our side of external calls


def take_in(conn: Transaction, arrivals: Sequence[Arrival], mappings: Mappings, country: str, now: int) -> Taken:
    """Take `arrivals` in: the new ones are kept, folded and made into deliveries; the known ones change nothing."""
    first: dict[Key, Arrival] = {}
    for arrival in arrivals:
        first.setdefault(arrival.key, arrival)
    known = intake.known_events(conn, first.keys())
    fresh = [arrival for key, arrival in first.items() if key not in known]
    taken = Taken(new={arrival.key for arrival in fresh})
    if not fresh:
        return taken
    intake.add_events(conn, [_row(arrival, now) for arrival in fresh])
    outbox = Outbox(mappings, now)
    never_call: dict[str, str] = {}
    of_interaction: dict[Key, list[Event]] = {}
    for arrival in fresh:
        event = arrival.event
        if event.interaction is not None and is_about_interaction(event):
            of_interaction.setdefault((arrival.connection, event.interaction.id), []).append(event)
        else:
            outbox.fire(arrival.subject, arrival.connection, [event])
            if event.campaign is not None and event.campaign.result_class == "do_not_contact" and event.customer:
                _add_number(never_call, event.customer.phone, country, arrival.subject)
    if of_interaction:
        for one in _interactions(conn, of_interaction, outbox, country, now):
            facts = one.facts
            if facts.disposition is not None and facts.disposition.class_ == "do_not_contact" and facts.customer:
                _add_number(never_call, facts.customer.phone, country, interaction_subject(*one.key))
            side = facts.interaction
            if side is not None and side.local_e164 and side.direction in ("inbound", "outbound"):
                taken.local_numbers.add((one.key[0], side.local_e164))
    _settle_dials(conn, fresh)
    if outbox.rows:
        intake.make_due(conn, outbox.rows)
        taken.due = True
    if never_call:
        intake.never_call(conn, never_call, now)
        taken.opted_out = True
    return taken


@dataclass(slots=True)
class _Interaction:
    key: Key
    before: Facts | None
    facts: Facts


def _interactions(
    conn: Transaction, events: MappingOf[Key, list[Event]], outbox: Outbox, country: str, now: int
) -> list[_Interaction]:
    known = intake.locked_interactions(conn, events)
    folded = _folded(conn, events, known, country)
    _add_clicked(conn, folded)
    _name_calls(conn, folded)
    rows = []
    for one in folded:
        connection, final = one.key[0], one.facts.final
        subject = interaction_subject(*one.key)
        before = _names.decode(known[one.key].triggered) if one.key in known else []
        fired = outbox.fire(subject, connection, events[one.key], final=final)
        if before and _changed(one):
            outbox.follow(subject, [name for name in before if name not in fired], final=final)
        rows.append(_as_row(one, list(dict.fromkeys(before + fired)), now))
    intake.save_interactions(conn, rows, known.keys())
    return folded


def _folded(
    conn: Transaction, events: MappingOf[Key, list[Event]], known: MappingOf[Key, Known], country: str
) -> list[_Interaction]:
    before = {key: _facts.decode(row.facts) for key, row in known.items()}
    # Older than what is folded already: those interactions are folded anew, from all that the store has.
    late = {key for key, facts in before.items() if min(map(order, events[key])) < order(facts.event)}
    stored = intake.events_of(conn, [interaction_subject(*key) for key in late]) if late else {}
    folded = []
    for key, new in events.items():
        facts = before.get(key)
        if facts is None:
            after = fold_all(key[0], new, country)
        elif key in late:
            after = fold_all(key[0], stored[interaction_subject(*key)], country)
            after.clicked = facts.clicked
        else:
            after = facts
            for event in sorted(new, key=order):
                after = fold(after, key[0], event, country)
        folded.append(_Interaction(key, facts, after))
    return folded


def _add_clicked(conn: Transaction, folded: Sequence[_Interaction]) -> None:
    """Have the calls that began with a click carry the record that was clicked."""
    dialled, outbound = [], []
    for one in folded:
        facts = one.facts
        if facts.clicked is not None:
            continue
        if facts.dial is not None:
            dialled.append((one, facts.dial.id))
        elif facts.interaction is not None and facts.interaction.direction == "outbound":
            outbound.append(one)
    if dialled:
        by_dial = intake.clicked_by_dial(conn, {id for _, id in dialled})
        for one, id in dialled:
            one.facts.clicked = by_dial.get(id)
    if outbound:
        by_key = intake.clicked_by_interaction(conn, [one.key for one in outbound])
        for one in outbound:
            one.facts.clicked = by_key.get(one.key)


def _name_calls(conn: Transaction, folded: Sequence[_Interaction]) -> None:
    """Have the dials that became these calls know them: the platform's answer may never have come."""
    begun = [(one.facts.dial.id, one.key) for one in folded
             if one.facts.dial is not None and (one.before is None or one.before.dial is None)]  # fmt: skip
    for id, (connection, interaction) in sorted(begun):  # sorted: two nodes take the same rows in the same order
        desk.name_call(conn, id, connection, interaction)


def _settle_dials(conn: Transaction, fresh: Sequence[Arrival]) -> None:
    """Have a dial that the platform never answered know what its events say became of it."""
    told = [
        (event.dial.id, arrival.connection, DIAL_OUTCOMES[event.type], event.dial.reason)
        for arrival in fresh
        if (event := arrival.event).dial is not None and event.type in DIAL_OUTCOMES
    ]
    for id, connection, state, reason in sorted(told, key=lambda one: one[0]):
        desk.dial_told(conn, id, connection, state, reason)


def _changed(one: _Interaction) -> bool:
    """Whether anything but the name of the latest event is different now."""
    if one.before is None:
        return True
    latest, one.facts.event = one.facts.event, one.before.event
    changed = one.facts != one.before
    one.facts.event = latest
    return changed


def _row(arrival: Arrival, now: int) -> NewEvent:
    event = arrival.event
    # The sender's own JSON where we have it: it may hold more than we understand today.
    body = event.wire if isinstance(event, WireEvent) and event.wire else _json.encode(event).decode()
    return NewEvent(arrival.connection, event.id, event.type, arrival.subject, to_ms(event.occurred_at), now, body)


def _as_row(one: _Interaction, triggered: list[str], now: int) -> Folded:
    facts, i, agent = one.facts, one.facts.interaction, one.facts.agent
    return Folded(
        connection=one.key[0],
        key=one.key[1],
        channel=i.channel if i else None,
        direction=i.direction if i else None,
        state=i.state if i else "created",
        remote_e164=i.remote_e164 if i else None,
        agent=(agent.id or agent.email) if agent else None,
        facts=_json.encode(facts).decode(),
        triggered=_json.encode(triggered).decode(),
        last_occurred_at=to_ms(facts.event.occurred_at),
        updated_at=now,
    )


def _add_number(numbers: dict[str, str], phone: str | None, country: str, source: str) -> None:
    number = e164(phone, country) if phone else None
    if number is not None:
        numbers[number] = source
