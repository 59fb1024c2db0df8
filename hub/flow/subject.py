"""What an event, and so a delivery, is about. Events with the same subject are about the same thing.

A subject is text: `interaction:softphone/call-1`, `contact:softphone/spring/42` (a campaign contact's result),
`dial:softphone/d-1`, `work_item:…`, `agent:…`; and `member:spring_list/42` for a row of a contact list on its way out.
"""

from __future__ import annotations

from hub.errors import InvalidEvent
from hub.model import Event

LONGEST = 600  # characters; PostgreSQL indexes no longer keys than a third of a page


def is_about_interaction(event: Event) -> bool:
    """Whether an event belongs to its interaction's course. A campaign's result belongs to the contact, even with a call."""
    return event.interaction is not None and not event.type.startswith("campaign.")


def subject_of(connection: str, event: Event) -> str:
    """The subject of an event of `connection`. Raises InvalidEvent where the part that its type needs is missing."""
    if event.interaction is not None and is_about_interaction(event):
        return interaction_subject(connection, event.interaction.id)
    family = event.type.partition(".")[0]
    if family == "dial" and event.dial is not None:
        return _bounded(f"dial:{connection}/{event.dial.id}", "dial.id")
    if family == "work_item" and event.work_item is not None:
        return _bounded(f"work_item:{connection}/{event.work_item.id}", "work_item.id")
    if family == "agent":
        if event.agent is None or not event.agent.id:
            raise InvalidEvent("agent.id", f"required for {event.type}")
        return _bounded(f"agent:{connection}/{event.agent.id}", "agent.id")
    if family == "campaign":
        if event.campaign is None or not event.campaign.contact:
            raise InvalidEvent("campaign.contact", f"required for {event.type}")
        # The list's own slashes are escaped: no list and contact can be taken for another list and contact.
        group = (event.campaign.list or event.campaign.id or "").replace("%", "%25").replace("/", "%2F")
        return _bounded(f"contact:{connection}/{group}/{event.campaign.contact}", "campaign.contact")
    raise InvalidEvent(f"{family}.id", f"required for {event.type}")


def interaction_subject(connection: str, key: str) -> str:
    """The subject of the interaction `key` of `connection`."""
    return f"interaction:{connection}/{key}"


def member_subject(mapping: str, member: str) -> str:
    """The subject of one member of the contact list that `mapping` pulls."""
    return f"member:{mapping}/{member}"


def parts(subject: str) -> tuple[str, str, str]:
    """(kind, connection or mapping, key) of a subject."""
    kind, _, rest = subject.partition(":")
    owner, _, key = rest.partition("/")
    return kind, owner, key


def interaction_of(subject: str) -> str | None:
    """The platform's id of the interaction that a subject is; None where it is something else. What logs name."""
    kind, _, key = parts(subject)
    return key if kind == "interaction" else None


def _bounded(subject: str, field: str) -> str:
    if len(subject) > LONGEST:
        raise InvalidEvent(field, f"too long: {LONGEST} characters at most, with the connection and the list")
    return subject
