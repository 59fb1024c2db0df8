"""A mapping: how a delivery is written. Compiled once from its YAML, then pure: facts in, fields out."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hub.model import Lookup, LookupBy, Record

Facts = MappingOf[str, Any]  # hub.model.Facts as a dict, or {"member": …, "campaign": …} for a row of a contact list


@dataclass(frozen=True)
class Path:
    """A checked path. Called with facts it gives the value, or None where nothing is there."""

    text: str

    def __call__(self, facts: Facts) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class ListSource:
    """What a list mapping pulls, when, and by which paths a member may be called."""

    object: str  # the word `list`: campaign_member
    where: dict[str, Any]
    every_seconds: float | None
    cron: str | None
    full_every_seconds: float | None
    page: int
    consent: Path | None
    do_not_call: Path | None
    phone: Path | None
    country: Path | str | None  # a path, or an ISO code for all


@dataclass(frozen=True)
class Source:
    """Where a mapping's facts come from. `connections` is empty for `any`."""

    connections: tuple[str, ...]
    events: tuple[str, ...]
    after: MappingOf[str, float]
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
    lane: Literal[0, 1, 2] = 1
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolve:
    """A name that stands for the record found. `by` is in order of preference: (by, path)."""

    name: str
    object: str
    by: tuple[tuple[LookupBy, str], ...]


@dataclass(frozen=True)
class Note:
    """Something that was not silent: a cut, an ambiguous resolve. Kept on the attempt."""

    field: str
    what: Literal["cut", "ambiguous"]
    text: str


@dataclass(frozen=True)
class Lineage:
    """Where a field's value came from."""

    source: str  # the path, `value`, the template or the expression
    raw: Any
    steps: tuple[str, ...]  # "as date", "otherwise", "cut at 255" …
    value: Any


@dataclass
class Rendered:
    """What a mapping makes of facts. With `problems` the row parks; absent values are not in `fields`."""

    fields: dict[str, Any]
    notes: list[Note] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    lineage: dict[str, Lineage] = field(default_factory=dict)


class Mapping:
    """A compiled mapping. `version` is 0 until it is published."""

    name: str
    about: str
    version: int
    text: str
    file: str
    source: Source
    target: TargetSpec
    resolve: tuple[Resolve, ...]
    fields: tuple[str, ...]

    def skips(self, facts: Facts) -> str | None:
        """Why `when` is not met, in words; None: go on."""
        raise NotImplementedError

    def lookups(self, facts: Facts) -> dict[str, list[Lookup]]:
        """By resolve name, the lookups in order of preference: the first that finds anything wins."""
        raise NotImplementedError

    def render(self, facts: Facts, found: MappingOf[str, Sequence[Record]], *, explain: bool = False) -> Rendered:
        """The fields to write. `found` holds, by resolve name, the records of the first lookup that found any."""
        raise NotImplementedError


def compile_mapping(source: str, file: str = "", *, country: str = "", zone: str = "UTC") -> Mapping:
    """Compile a mapping's YAML. `country` and `zone` are the hub's, for where the mapping declares none.

    Raises ConfigError with file, line and the nearest right name.
    """
    raise NotImplementedError
