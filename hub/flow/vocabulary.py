"""What fields of CRMs are called, fact by fact: the synonyms by which a mapping is drafted. No vendor's own names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.model import Field, FieldType

TEXT: tuple[FieldType, ...] = ("text", "longtext")
TIME: tuple[FieldType, ...] = ("datetime", "date")
NUMBER: tuple[FieldType, ...] = ("integer", "decimal")


@dataclass(frozen=True)
class Fact:
    """One fact: where it is read, what it is called, and which types of field hold it, the best first."""

    name: str
    paths: tuple[str, ...]
    called: tuple[
        str, ...
    ]  # words in small letters, as `call duration`; the more of a field's words are among them, the better
    types: tuple[FieldType, ...]
    text: str = ""  # a template instead of paths
    convert: str = ""  # the converter that makes it, whatever the field's type
    of: str = ""  # `person`: only for an object that holds people; `event`: only for one that does not
    example: Mapping[str, object] = field(default_factory=dict)  # facts in which it is there, by path
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by each word of the path, what CRMs call it


DIRECTIONS = {
    "inbound": ("inbound", "incoming", "in", "received", "receive"),
    "outbound": ("outbound", "outgoing", "out", "made", "dialed", "dialled", "sent"),
    "internal": ("internal", "inside"),
}
CHANNELS = {
    "voice": ("voice", "call", "phone call", "phone", "telephone", "telephony"),
    "email": ("email", "e mail", "mail"),
    "chat": ("chat", "web chat", "message", "messaging"),
    "sms": ("sms", "text message", "text"),
    "task": ("task", "to do", "other"),
}
OUTCOMES = {
    "answered": ("answered", "connected", "completed", "held", "reached"),
    "missed": ("missed", "no answer", "not answered", "unanswered", "not held", "abandoned"),
    "voicemail": ("voicemail", "left voicemail", "left voice mail", "voice mail", "message left"),
}
CLASSES = {
    "positive": ("positive", "success", "successful", "won", "converted", "interested"),
    "neutral": ("neutral", "information", "other"),
    "negative": ("negative", "lost", "not interested", "refused", "failed"),
    "unreachable": ("unreachable", "no answer", "busy", "not reached"),
    "callback": ("callback", "call back", "follow up"),
    "invalid": ("invalid", "wrong number", "bad data"),
    "do_not_contact": ("do not contact", "do not call", "opted out"),
    "no_disposition": ("no disposition", "none", "unknown"),
}
DONE = ("completed", "complete", "closed", "done", "held", "finished")

FACTS: tuple[Fact, ...] = (
    Fact("direction", ("interaction.direction",), ("direction", "call direction", "call type", "inbound", "outgoing"),
         ("picklist", "text", "boolean"), example={"interaction.direction": "inbound"}, words=DIRECTIONS),
    Fact("channel", ("interaction.channel",), ("channel", "medium", "media", "activity type", "communication type", "type"),
         ("picklist", "text"), example={"interaction.channel": "voice"}, words=CHANNELS),
    Fact("outcome", ("interaction.outcome",), ("outcome", "call outcome", "answered", "call status", "result"),
         ("picklist",), example={"interaction.outcome": "answered"}, words=OUTCOMES),
    Fact("disposition", ("disposition.name", "disposition.code"),
         ("disposition", "call disposition", "result", "call result", "wrap up", "wrap up code", "reason", "outcome"),
         ("text",), example={"disposition.name": "Sale", "disposition.code": "SALE"}),
    Fact("disposition class", ("disposition.class",), ("disposition class", "result class", "disposition", "result"),
         ("picklist",), example={"disposition.class": "positive"}, words=CLASSES),
    Fact("seconds", ("interaction.talk_seconds", "interaction.total_seconds"),
         ("duration", "call duration", "duration in seconds", "duration seconds", "talk time", "length", "call length"),
         (*NUMBER, "text"), example={"interaction.talk_seconds": 184.2}),
    Fact("started", ("interaction.started_at",),
         ("started", "start", "started at", "start time", "start date", "begin", "actual start", "scheduled start",
          "date start", "call start", "timestamp", "call time", "interaction date", "call date", "opened", "opened at"),
         TIME, example={"interaction.started_at": "2026-03-02T09:59:00Z"}),
    Fact("ended", ("interaction.ended_at",),
         ("ended", "end", "ended at", "end time", "end date", "finish", "finished at", "actual end", "scheduled end",
          "date end", "call end", "completed at", "closed at", "activity date", "date", "last result", "last result at"),
         TIME, example={"interaction.ended_at": "2026-03-02T10:02:04Z"}),
    Fact("comment", ("wrap_up.comment", "interaction.summary"),
         ("comment", "comments", "description", "note", "notes", "message", "body", "details", "remarks", "memo", "text",
          "note body", "call notes", "summary"),
         ("longtext", "text"), example={"wrap_up.comment": "Wants the red one"}, of="event"),
    Fact("full name", ("customer.name",), ("name", "full name", "display name"), TEXT, of="person",
         example={"customer.name": "Ada Lovelace"}),
    Fact("first name", ("customer.name",), ("first name", "given name", "firstname"), TEXT, convert="first_name",
         of="person", example={"customer.name": "Ada Lovelace"}),
    Fact("last name", ("customer.name",), ("last name", "family name", "surname", "lastname"), TEXT, convert="last_name",
         of="person", example={"customer.name": "Ada Lovelace"}),
    Fact("subject", (), ("subject", "title", "topic", "name", "headline", "call title", "summary"), TEXT,
         text="Call {interaction.direction}: {disposition.name}", of="event",
         example={"interaction.direction": "inbound", "disposition.name": "Sale"}),
    Fact("recording", ("interaction.recording_url", "recordings.-1.url"),
         ("recording", "recording url", "call recording", "recording link", "audio"),
         ("url", "text", "longtext"), example={"interaction.recording_url": "https://rec.example/1"}),
    Fact("agent", ("agent.email", "agent.name", "agent.id"),
         ("agent", "agent name", "handled by", "operator", "owner email", "user email"),
         ("text", "email"), example={"agent.email": "ana@example.com"}),
    Fact("queue", ("interaction.queue",), ("queue", "queue name", "skill", "team", "line"), ("text",),
         example={"interaction.queue": "Sales"}),
    Fact("phone", ("customer.phone", "interaction.remote_e164"),
         ("phone", "phone number", "caller", "caller number", "caller id", "number", "telephone", "from number"),
         ("phone", "text"), convert="e164", example={"customer.phone": "+34612345678"}),
    Fact("email", ("customer.email",), ("email", "e mail", "email address", "customer email"), ("email", "text"),
         example={"customer.email": "ada@example.com"}),
    Fact("interaction id", ("interaction.id",),
         ("call id", "interaction id", "conversation id", "external id", "call sid", "call object"),
         ("text",), example={"interaction.id": "call-1"}),
    Fact("campaign", ("campaign.name",), ("campaign", "campaign name"), ("text",), example={"campaign.name": "Spring"}),
    Fact("attempts", ("campaign.attempts",), ("attempts", "attempt count", "tries"), NUMBER,
         example={"campaign.attempts": 2}),
)  # fmt: skip

# What a contact's result in a campaign is read by, instead.
OF_CAMPAIGN = {
    "disposition": ("campaign.result",), "disposition class": ("campaign.result_class",), "comment": ("wrap_up.comment",),
    "ended": ("event.occurred_at",),
}  # fmt: skip
KEYS = ("interaction key", "call key", "external key", "external id", "call id", "interaction id", "key", "reference",
        "unique id", "id external")  # fmt: skip

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SUFFIXES = re.compile(r"__[a-z]$")


def words_of(name: str) -> tuple[str, ...]:
    """The words of a field's name or label: `CallDurationInSeconds` is call, duration, in, seconds."""
    spaced = _CAMEL.sub(" ", _SUFFIXES.sub("", name))
    return tuple(word for word in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if word)


def likeness(names: Iterable[tuple[str, ...]], called: Iterable[str]) -> float:
    """How much one of `names` (words) is like one of the phrases: 1 for the same, less the more words are left over."""
    best = 0.0
    for phrase in called:
        wanted = phrase.split()
        for words in names:
            if _compact(words) == _compact(wanted):
                return 1.0
            shared = len(set(wanted) & set(words))
            if shared == len(set(wanted)):
                best = max(best, 0.9 * shared / len(set(words)))
    return best


def names_of(field: Field) -> list[tuple[str, ...]]:
    """The words of a field's name, and of its label."""
    return [words for words in (words_of(field.name), words_of(field.label)) if words]


def nearest_value(field: Field, words: Iterable[str]) -> str | None:
    """The picklist's value that is one of these words, in whatever spelling."""
    for word in words:
        for value in field.picklist:
            if _compact(words_of(value)) == _compact(word.split()):
                return value
    return None


def _compact(words: Iterable[str]) -> str:
    return "".join(words).rstrip("s")
