"""What a connector may do: a Manifest, Settings, and one small Protocol per verb.

A connector is a class with a `manifest`, built by the hub as `Connector(settings, tools)`. A capability is a method that
exists; `capabilities` reads them off the class, so the list cannot lie. Connectors import this module, `hub.model` and
`hub.errors`, and nothing else of the hub. No connector sleeps, retries, opens a session of its own or catches Exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from threading import Event as Stop
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import requests
from msgspec import Struct
from sqlalchemy import Engine

from hub.errors import Unsupported
from hub.model import (
    Description,
    DialReceipt,
    DialRequest,
    Event,
    Identity,
    Lookup,
    Page,
    Query,
    Quota,
    Receipt,
    Record,
    Row,
    Target,
)

SettingKind = Literal["text", "url", "integer", "number", "boolean", "secret", "secrets", "list", "file"]
Idempotency = Literal["native-upsert", "client-id", "create-only-precondition", "search-then-write"]


class Setting(Struct, frozen=True, kw_only=True):
    """One setting: it gives the check at start, the generated manual, masking and (later) the console's form.

    `secrets` is one secret or a list of them, newest first; `list` is a list of texts; `file` is a file that is there, its
    path absolute or from the settings' own folder.
    """

    name: str
    about: str
    kind: SettingKind = "text"
    required: bool = False
    default: Any = None
    example: Any = None

    @property
    def secret(self) -> bool:
        """Whether the value is never printed, logged or returned."""
        return self.kind in ("secret", "secrets")


class Manifest(Struct, frozen=True, kw_only=True):
    """What a connector is."""

    name: str
    title: str
    about: str
    family: Literal["crm", "platform", "mailbox"]
    settings: tuple[Setting, ...] = ()
    idempotency: Idempotency | None = None  # has to be there with `write`
    rows_per_call: int = 200  # the largest batch that one `write` takes
    bulk_rows: int = (
        0  # the largest batch that `write` takes by the vendor's bulk path, worth it above a backlog; 0: none
    )
    lookups_per_call: int = 200  # the largest batch that one `find` takes
    people: tuple[str, ...] = ()  # objects that hold persons and companies, in the order a screen pop prefers
    company: str = ""  # the one of them that is a company
    new_person: str = ""  # the object of a new record when nobody is known
    source: str = ""  # where the vendor's facts are from

    def secrets(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """What `settings` hold that is never printed, logged or returned."""
        held = [settings.get(setting.name) for setting in self.settings if setting.secret]
        return tuple(str(one) for some in held if some for one in ([some] if isinstance(some, str) else some))


class HookRequest(Struct, frozen=True, kw_only=True):
    """An inbound web hook, untouched. Header names are in lower case."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


Piece = Callable[[Mapping[str, Any]], Any]
Place = tuple[str | int, ...]


class Profile(Protocol):
    """The file of a connector that is made by configuration alone, in the house's language (`hub.language.profile`).

    Pieces are compiled when the hub starts; each raises ConfigError with file and line. `roots` are the names that a piece
    may speak of, and so the names of what it is given.
    """

    value: Any  # the whole file as plain data
    folder: str

    def error(self, at: Place, what: str) -> Exception: ...

    def group(self, at: Place, value: Any, known: Iterable[str], needed: Iterable[str] = ()) -> dict[str, Any]: ...

    def field(self, at: Place, value: Any, roots: Iterable[str]) -> Piece: ...

    def path(self, at: Place, value: Any, roots: Iterable[str]) -> Piece: ...

    def condition(self, at: Place, value: Any, roots: Iterable[str]) -> Callable[[Mapping[str, Any]], bool]: ...


def _no_profile(file: str) -> Profile:
    raise Unsupported(f"nobody reads profiles here: {file}")


def _unheard(quota: Quota) -> None:
    """What is told of a quota where nobody listens."""


def _no_time(seconds: float) -> None:
    """Waits where nobody has time to: at once."""


class Tools(Struct, frozen=True, kw_only=True):
    """What the hub hands to a connector."""

    connection: str  # the connection's name in config/hub.yaml
    session: requests.Session  # time-outs set, TLS verified, no retries, private addresses by permission only
    now: Callable[[], datetime]
    country: str  # ISO code for numbers written nationally
    public_url: str  # where people reach this hub
    engine: Engine | None = None  # the hub's own store; only the embedded CRM, which lives there, uses it
    profile: Callable[[str], Profile] = _no_profile  # read a profile's file
    quota: Callable[[Quota], None] = _unheard  # tell what the vendor says of its own limits, whenever it does
    wait: Callable[[float], None] = (
        _no_time  # let time pass while the vendor works on a job of ours; seconds, no longer
    )
    # than the hub allows. Raises UnknownOutcome when the hub ends. The only way for a connector to wait.


class Connector(Protocol):
    """What every connector has."""

    manifest: ClassVar[Manifest]

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None: ...


@runtime_checkable
class Checks(Protocol):
    """Who are we there? Called by `patchbay connection check` and the console; cheap and without side effects."""

    def check(self) -> Identity: ...


@runtime_checkable
class Receives(Protocol):
    """Hooks in. Pure computation on the server's own thread: prove the sender over the raw bytes, then translate.

    Raises SenderRefused, Unreadable or InvalidEvent.
    """

    def receive(self, request: HookRequest) -> Sequence[Event]: ...


@runtime_checkable
class Listens(Protocol):
    """Events of a platform that pushes over a socket, until `stop` is set; reconciles after a gap."""

    def listen(self, stop: Stop) -> Iterator[Event]: ...


@runtime_checkable
class Finds(Protocol):
    """Records for a batch of lookups: one sequence per lookup, in the lookups' order, empty where nothing matches.

    A batch, because a hub that asks once per caller spends a day's API quota by noon. A phone matches where the stored
    number means the same E.164 number, however it was typed. The id of a record that was merged into another finds the
    record that is left, where the vendor tells.
    """

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]: ...


@runtime_checkable
class Describes(Protocol):
    """An object's fields as they are now: every `describe` asks, if only whether what is known still holds; the hub keeps
    what it needs for longer. `objects` lists the objects that can be named."""

    def objects(self) -> Sequence[str]: ...

    def describe(self, object: str) -> Description: ...


@runtime_checkable
class Writes(Protocol):
    """Write a batch: one receipt per row, in the rows' order. A row's own failure is on its receipt; only what concerns
    the whole call (no answer, credentials, quota) is raised. Called again with the same keys, it must not duplicate.

    More than `rows_per_call` rows come only where the manifest has `bulk_rows`, and go the vendor's bulk path."""

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]: ...


@runtime_checkable
class Pages(Protocol):
    """A list pull, page by page, in a stable order, resumable by cursor and incremental by watermark."""

    def pages(self, query: Query) -> Iterator[Page]: ...


@runtime_checkable
class Links(Protocol):
    """A URL for a browser: `open` a record, `search` for what `fields` hold, `new` record with `fields` prefilled."""

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str: ...


@runtime_checkable
class Dials(Protocol):
    """Originate a call for an agent, once. Raises UnknownOutcome when it may or may not ring: it is never repeated."""

    def dial(self, request: DialRequest) -> DialReceipt: ...


VERBS: Mapping[str, type] = {
    "check": Checks,
    "receive": Receives,
    "listen": Listens,
    "find": Finds,
    "describe": Describes,
    "write": Writes,
    "pages": Pages,
    "links": Links,
    "dial": Dials,
}


def capabilities(connector: type | object) -> tuple[str, ...]:
    """The verbs that a connector has, in the contract's order."""
    return tuple(verb for verb in VERBS if callable(getattr(connector, verb, None)))
