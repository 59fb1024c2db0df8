"""Where a mapping reads and where it writes: `source` and `target`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from hub import model
from hub.errors import nearest
from hub.language.conditions import Condition, compile_condition
from hub.language.paths import LIST_SCOPE, MEMBER, Path, Scope, steps
from hub.language.words import At, country_code, country_of, group, path_at, right_word, seconds_of, text_at, zone_of
from hub.language.yaml_source import Document

Lane = Literal[0, 1, 2]
Mode = Literal["incremental", "once", "append"]
MODES: tuple[Mode, ...] = get_args(Mode)
RECORD_ID = "id"  # as a target's key: the record's own id, so one that is there is written to
LANES: dict[str, Lane] = {"interactive": 0, "wrap_ups": 1, "lists": 2}

EVENT_WORDS = {
    "connection": "one connection, a list of them, or `any`",
    "event": "an event's type, or a list of them",
    "when": "the condition; where it is not met the delivery is skipped, with the reason in words",
    "after": "how long to wait, for all events (`30 seconds`) or by event (`{ interaction.ended: 30 seconds }`)",
}
LIST_WORDS = {
    "connection": "the connection whose list is pulled",
    "list": "the object that holds the members",
    "where": "what the connection has to filter by, such as { campaign: spring }",
    "when": "a condition on each member; where it is not met the member is left out",
    "every": "how often what changed is pulled: `15 minutes`",
    "cron": "when it is pulled, as minute, hour, day, month, weekday (mon-sun)",
    "full_every": "how often all of it is pulled, so that what has left the list is seen",
    "page": "how many members a page has (1000)",
    "phone": "the path of the number to call, or a list of them: the first usable one counts",
    "country": "the ISO code, or the path of one, by which that number is read",
    "consent": "the path that says whether the member may be called; unknown means no",
    "do_not_call": "the path that says that the member must not be called",
}
TARGET_WORDS = {
    "connection": "the connection that is written to",
    "write": "the object that is written",
    "key": "the field that carries the delivery's key: the same key is the same record, for ever",
    "zone": "the time zone of `as: date` and `as: datetime`",
    "country": "the ISO code by which numbers without + are read",
    "update": "`all`, or `owned`: what a person changed in the CRM meanwhile stays",
    "mode": "`incremental`: created early and changed later (the default); `once`: one write when the interaction is final; "
    "`append`: no record is changed, each later state is a new one with the key `<key>/n`",
    "link": "with `mode: append`, the text field in which a later record says which one it goes on from",
    "lane": "`interactive`, `wrap_ups` or `lists`: what goes first",
    "options": "what the connector wants to know beyond that",
}


@dataclass(frozen=True)
class ListSource:
    """What a list mapping pulls, when, and by which paths a member may be called."""

    object: str  # the word `list`
    where: dict[str, Any]
    every_seconds: float | None
    cron: str | None
    full_every_seconds: float | None
    page: int
    consent: Path | None
    do_not_call: Path | None
    phone: tuple[Path, ...]  # in order of preference
    country: Path | str | None  # an ISO code for all, or a path; called, it gives "" where nothing is there

    @property
    def reads(self) -> tuple[str, ...]:
        """The member's fields by which it is decided who may be called."""
        paths = [path for path in (self.consent, self.do_not_call, *self.phone, self.country) if isinstance(path, Path)]
        return tuple(steps(path.text)[1] for path in paths if path.root == MEMBER and len(steps(path.text)) > 1)


@dataclass(frozen=True)
class Source:
    """Where a mapping's facts come from. `connections` is empty for `any`."""

    connections: tuple[str, ...]
    events: tuple[str, ...]
    after: Mapping[str, float]
    contact_list: ListSource | None = None

    def after_seconds(self, event_type: str) -> float:
        """How long a delivery that this event makes waits before it is due (0: at once). Given per event type."""
        return self.after.get(event_type, 0.0)


@dataclass(frozen=True)
class TargetSpec:
    """Where a mapping writes. `key` names the field that carries the delivery key."""

    connection: str
    write: str
    key: str
    zone: str | None = None
    country: str | None = None
    update: Literal["all", "owned"] = "all"
    lane: Lane = 1
    mode: Mode = "incremental"
    link: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def compile_source(doc: Document, value: Any, scope: Scope) -> tuple[Source, Condition | None]:
    """What stands under `source`. Raises ConfigError."""
    at: At = ("source",)
    listed = isinstance(value, dict) and "list" in value
    if listed:
        group(doc, at, value, tuple(LIST_WORDS), ("connection", "list"))
    else:
        group(doc, at, value, tuple(EVENT_WORDS), ("connection", "event"))
    connections = _connections(doc, (*at, "connection"), value["connection"])
    when = compile_condition(doc, (*at, "when"), value["when"], scope) if "when" in value else None
    if listed:
        if len(connections) != 1:
            raise doc.error((*at, "connection"), "a list is pulled from one connection")
        return Source(connections, (), {}, _list_source(doc, at, value)), when
    events = _events(doc, (*at, "event"), value["event"])
    return Source(connections, events, _after(doc, (*at, "after"), value.get("after"), events)), when


def compile_target(doc: Document, value: Any, listed: bool) -> tuple[TargetSpec, ZoneInfo | None]:
    """What stands under `target`. Raises ConfigError."""
    at: At = ("target",)
    group(doc, at, value, tuple(TARGET_WORDS), ("connection", "write", "key"))
    connection, write, key = (
        text_at(doc, (*at, word), value[word], f"`{word}`") for word in ("connection", "write", "key")
    )
    zone = zone_of(doc, (*at, "zone"), value["zone"]) if "zone" in value else None
    country = country_code(doc, (*at, "country"), value["country"]) if "country" in value else None
    update = value.get("update", "all")
    if update not in ("all", "owned"):
        raise doc.error((*at, "update"), f'`update` is all or owned, not "{update}"')
    lane = value.get("lane", "lists" if listed else "wrap_ups")
    if lane not in LANES:
        raise doc.error((*at, "lane"), f'there is no lane "{lane}"{right_word(lane, LANES)}')
    options = value.get("options", {})
    if not isinstance(options, dict):
        raise doc.error((*at, "options"), "`options` is a group")
    mode, link = _mode(doc, at, value, listed)
    spec = TargetSpec(
        connection, write, key, zone.key if zone else None, country, update, LANES[lane], mode, link, options
    )
    return spec, zone


def _mode(doc: Document, at: At, value: dict[str, Any], listed: bool) -> tuple[Mode, str]:
    mode: Mode = value.get("mode", "incremental")
    if mode not in MODES:
        raise doc.error((*at, "mode"), f'there is no mode "{mode}"{right_word(mode, MODES)}')
    if mode == "append" and "link" not in value:
        raise doc.error((*at, "mode"), "`mode: append` needs `link`, the text field that says which record goes before")
    if "link" in value and mode != "append":
        raise doc.error((*at, "link"), "`link` is for `mode: append`")
    if mode != "incremental":
        if listed:
            raise doc.error((*at, "mode"), f"`mode: {mode}` is for interactions; a list is kept in step")
        if value["key"] == RECORD_ID:
            raise doc.error((*at, "mode"), f"`mode: {mode}` makes records, and `key: id` names one that is there")
        if value.get("update") == "owned":
            raise doc.error(
                (*at, "update"), f"`update: owned` is about changing records, which `mode: {mode}` does not"
            )
    return mode, text_at(doc, (*at, "link"), value["link"], "`link`") if "link" in value else ""


def _connections(doc: Document, at: At, value: Any) -> tuple[str, ...]:
    if value == "any":
        return ()
    names = value if isinstance(value, list) else [value]
    if not names:
        raise doc.error(at, "an empty list; `any` stands for all connections")
    return tuple(text_at(doc, at, name, "a connection") for name in names)


def _events(doc: Document, at: At, value: Any) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    known = model.INTERACTION_EVENTS + model.OTHER_EVENTS
    for name in names:
        if not isinstance(name, str) or not model.is_event_type(name):
            right = nearest(str(name), known) or nearest(f"interaction.{name}", known)
            raise doc.error(at, f'there is no event "{name}"{right or " (known: " + ", ".join(known) + ")"}')
    if not names:
        raise doc.error(at, "an empty list of events")
    return tuple(dict.fromkeys(names))


def _after(doc: Document, at: At, value: Any, events: tuple[str, ...]) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        return dict.fromkeys(events, seconds_of(doc, at, value))
    for event in value:
        if event not in events:
            raise doc.error((*at, event), f'"{event}" is not among this mapping\'s events{nearest(event, events)}')
    return {event: seconds_of(doc, (*at, event), duration) for event, duration in value.items()}


def _list_source(doc: Document, at: At, value: dict[str, Any]) -> ListSource:
    if "every" in value and "cron" in value:
        raise doc.error((*at, "cron"), "`every` or `cron`, not both")
    page = value.get("page", 1000)
    if type(page) is not int or not 1 <= page <= 50_000:
        raise doc.error((*at, "page"), "`page` is a number of members from 1 to 50000")
    where = value.get("where", {})
    if not isinstance(where, dict):
        raise doc.error((*at, "where"), "`where` is a group such as { campaign: spring }")

    def seconds(word: str) -> float | None:
        return seconds_of(doc, (*at, word), value[word]) if word in value else None

    def path(word: str) -> Path | None:
        return path_at(doc, (*at, word), value[word], LIST_SCOPE) if word in value else None

    country = country_of(doc, (*at, "country"), value["country"], LIST_SCOPE) if "country" in value else None
    return ListSource(
        object=text_at(doc, (*at, "list"), value["list"], "`list`"),
        where=where,
        every_seconds=seconds("every"),
        cron=cron_of(doc, (*at, "cron"), value["cron"]) if "cron" in value else None,
        full_every_seconds=seconds("full_every"),
        page=page,
        consent=path("consent"),
        do_not_call=path("do_not_call"),
        phone=tuple(path_at(doc, (*at, "phone"), one, LIST_SCOPE) for one in _listed(value.get("phone", []))),
        country=country,
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def cron_of(doc: Document, at: At, value: Any) -> str:
    """When something is done, as minute, hour, day, month and weekday. Raises ConfigError."""
    words = value.split() if isinstance(value, str) else []
    if len(words) == 5 and any(sign.isdecimal() for sign in words[4]):
        # Cron counts weekdays from Sunday, APScheduler from Monday: a name means one day everywhere.
        raise doc.error((*at,), "weekdays are written by name, such as mon-fri")
    try:
        CronTrigger.from_crontab(value if len(words) == 5 else "")
    except ValueError:
        raise doc.error(at, '`cron` is minute, hour, day, month and weekday, such as "0 7 * * mon-fri"') from None
    return " ".join(words)
