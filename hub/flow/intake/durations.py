"""How long each part of an interaction took, and whether the platform said so or we computed it. Never negative."""

from __future__ import annotations

from datetime import datetime

from hub.model import Event, Facts, InteractionFacts

_SAID = ("wait_seconds", "ring_seconds", "talk_seconds", "hold_seconds")


def take_said(interaction: InteractionFacts, event: Event) -> None:
    """Take over the durations that the platform says: they win over whatever we compute, now and later."""
    for name in _SAID:
        value = getattr(event.interaction, name)
        if value is not None:
            setattr(interaction, name, value)
            interaction.basis[name] = "platform"
    if event.wrap_up is not None and event.wrap_up.seconds is not None:
        interaction.wrap_up_seconds = event.wrap_up.seconds
        interaction.basis["wrap_up_seconds"] = "platform"


def close_hold(facts: Facts, interaction: InteractionFacts, at: datetime) -> None:
    """Count a hold that ends at `at`, if one is open."""
    if facts.held_since is not None:
        if interaction.basis.get("hold_seconds") != "platform":
            held = _between(facts.held_since, at) or 0.0
            interaction.hold_seconds = (interaction.hold_seconds or 0.0) + held
            interaction.basis["hold_seconds"] = "computed"
        facts.held_since = None


def compute(interaction: InteractionFacts) -> None:
    """Compute what the platform does not say and the times tell."""
    i = interaction
    _take(i, "wait_seconds", _between(i.queued_at or i.started_at, i.offered_at or i.answered_at))
    _take(i, "ring_seconds", _between(i.offered_at, i.answered_at))
    talk = _between(i.answered_at, i.ended_at)
    _take(i, "talk_seconds", None if talk is None else max(0.0, talk - (i.hold_seconds or 0.0)))
    _take(i, "wrap_up_seconds", _between(i.ended_at, i.wrapped_up_at))
    _take(i, "total_seconds", _between(i.started_at, i.ended_at))


def _take(interaction: InteractionFacts, name: str, seconds: float | None) -> None:
    if seconds is not None and interaction.basis.get(name) != "platform":
        setattr(interaction, name, seconds)
        interaction.basis[name] = "computed"


def _between(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return max(0.0, round((end - start).total_seconds(), 3))
