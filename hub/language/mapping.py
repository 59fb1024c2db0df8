"""A mapping: how a delivery is written. Compiled once from its YAML, then pure: facts in, fields out."""

from __future__ import annotations

import copy
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hub.errors import ConfigError, nearest
from hub.language.conditions import Condition
from hub.language.converters import Problem
from hub.language.fields import FieldPlan, Lineage, Place, compile_field, cut
from hub.language.given import Example, compile_examples
from hub.language.lookups import Resolve, choose_one, compile_resolve, record_facts
from hub.language.paths import EVENT_SCOPE, LIST_SCOPE, MEMBER, Facts
from hub.language.source import Source, TargetSpec, compile_source, compile_target
from hub.language.words import group, name_of, text_at, zone_named
from hub.language.yaml_source import Document, read_yaml
from hub.model import Lookup, Record

__all__ = ["Facts", "Lineage", "Mapping", "Note", "Rendered", "Resolve", "Source", "TargetSpec", "compile_mapping"]

WORDS = {
    "mapping": "its name: small letters, digits and _",
    "about": "what it does, in a sentence",
    "source": "which events, or which list, and when",
    "target": "what is written, and where",
    "resolve": "names for the CRM records that the fields speak of",
    "fields": "the fields that are written, each by its name in the target",
    "examples": "what comes in and what has to come out: the mapping's tests",
}


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was not silent: a cut, an ambiguous resolve. Kept on the attempt."""

    field: str
    what: Literal["cut", "ambiguous"]
    text: str


@dataclass(slots=True)
class Rendered:
    """What a mapping makes of facts. With `problems` the row parks; absent values are not in `fields`."""

    fields: dict[str, Any]
    notes: list[Note] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    lineage: dict[str, Lineage] = field(default_factory=dict)


class Mapping:
    """A compiled mapping. `version` is 0 until it is published."""

    def __init__(
        self,
        doc: Document,
        text: str,
        source: Source,
        when: Condition | None,
        target: TargetSpec,
        resolve: tuple[Resolve, ...],
        plans: tuple[FieldPlan, ...],
        examples: tuple[Example, ...],
        member_fields: frozenset[str] = frozenset(),
    ) -> None:
        self.name: str = doc.value["mapping"]
        self.about: str = doc.value["about"]
        self.version = 0
        self.text = text
        self.file = doc.file
        self.document = doc
        self.source = source
        self.when = when
        self.target = target
        self.resolve = resolve
        self.plans = plans
        self.examples = examples
        self.member_fields = member_fields  # of a contact list: what the mapping reads of each row
        self._holds = when.holds if when else None
        self._runs = tuple((plan.name, plan.run) for plan in plans)
        self._limits = tuple((plan.name, plan.max) for plan in plans if plan.max is not None)
        self._required = tuple((plan.name, plan.made.words) for plan in plans if plan.required)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that it writes."""
        return tuple(plan.name for plan in self.plans)

    def published(self, version: int) -> Mapping:
        """This mapping as the version that it was published as."""
        numbered = copy.copy(self)
        numbered.version = version
        return numbered

    def skips(self, facts: Facts) -> str | None:
        """Why `when` is not met, in words; None: go on."""
        if self._holds is None or self.when is None or self._holds(facts):
            return None
        return self.when.unmet(facts)

    def lookups(self, facts: Facts) -> dict[str, list[Lookup]]:
        """By resolve name, the lookups in order of preference: the first that finds anything wins."""
        return {resolve.name: resolve.lookups(facts) for resolve in self.resolve}

    def render(self, facts: Facts, found: MappingOf[str, Sequence[Record]], *, explain: bool = False) -> Rendered:
        """The fields to write. `found` holds, by resolve name, the records of the first lookup that found any."""
        if not self.resolve:
            return self.render_resolved(facts, explain=explain)
        seen = dict(facts)
        notes, problems = [], {}
        for resolve in self.resolve:
            records = found.get(resolve.name)
            if not records:
                continue
            choice = choose_one(records, resolve.many)
            if choice.record is not None:
                seen[resolve.name] = record_facts(choice.record)
            elif choice.refused:
                problems[resolve.name] = f"{choice.ambiguous}, and `many: refuse` takes none of them"
            elif choice.ambiguous:
                notes.append(Note(resolve.name, "ambiguous", f"{choice.ambiguous}; none is taken"))
        rendered = self.render_resolved(seen, explain=explain)
        if notes or problems:
            rendered.notes[:0] = notes
            rendered.problems = {**problems, **rendered.problems}
        return rendered

    def render_resolved(self, facts: Facts, *, explain: bool = False) -> Rendered:
        """The fields to write, from facts that hold the resolved names already."""
        rendered = self._explained(facts) if explain else self._rendered(facts)
        fields = rendered.fields
        for name, most in self._limits:
            value = fields.get(name)
            if type(value) is str and len(value) > most:
                fields[name] = cut(value, most)
                rendered.notes.append(Note(name, "cut", f"cut from {len(value)} to {len(fields[name])} characters"))
        for name, words in self._required:
            if name not in fields and name not in rendered.problems:
                rendered.problems[name] = f"required, and nothing is there ({words})"
        return rendered

    def _rendered(self, facts: Facts) -> Rendered:
        fields: dict[str, Any] = {}
        rendered = Rendered(fields, [], {}, {})
        for name, run in self._runs:
            try:
                value = run(facts)
            except Problem as problem:
                rendered.problems[name] = str(problem)
                continue
            if value is not None:
                fields[name] = value
        return rendered

    def _explained(self, facts: Facts) -> Rendered:
        rendered = Rendered({})
        for plan in self.plans:
            try:
                line = plan.explain(facts)
            except Problem as problem:
                rendered.problems[plan.name] = str(problem)
                source, raw = plan.made.words, None
                rendered.lineage[plan.name] = Lineage(source, raw, (f"problem: {problem}",), None)
                continue
            if line.value is not None:
                rendered.fields[plan.name] = line.value
                if plan.max is not None and type(line.value) is str and len(line.value) > plan.max:
                    short = cut(line.value, plan.max)
                    line = Lineage(line.source, line.raw, (*line.steps, f"cut at {plan.max}"), short)
            rendered.lineage[plan.name] = line
        return rendered


def compile_mapping(source: str, file: str = "", *, country: str = "", zone: str = "UTC") -> Mapping:
    """Compile a mapping's YAML. `country` and `zone` are the hub's, for where the mapping declares none.

    Raises ConfigError with file, line and the nearest right name.
    """
    doc = read_yaml(source, file)
    words = group(doc, (), doc.value, tuple(WORDS), ("mapping", "about", "source", "target", "fields"))
    name_of(doc, ("mapping",), words["mapping"], "a mapping's name")
    text_at(doc, ("about",), words["about"], "`about`")
    listed = isinstance(words["source"], dict) and "list" in words["source"]
    scope = LIST_SCOPE if listed else EVENT_SCOPE
    resolve_words = words.get("resolve") or {}
    read, when = compile_source(doc, words["source"], scope.before(resolve_words))
    target, target_zone = compile_target(doc, words["target"], listed)
    national = target.country or country
    resolve = compile_resolve(doc, resolve_words, scope, target.connection, national)
    full = scope.with_records(one.name for one in resolve)
    plans = _plans(doc, words["fields"], Place(full, target_zone or _zone(zone), national))
    if target.link and target.link not in (names := [plan.name for plan in plans]):
        raise doc.error(("target", "link"), f'the mapping has no field "{target.link}"{nearest(target.link, names)}')
    for one in resolve:
        if one.name not in full.asked:
            raise doc.error(("resolve", one.name), f'"{one.name}" is looked up, and no field speaks of it')
    own = full.own_fields
    resolve = tuple(replace(one, fields=tuple(sorted(own[one.name]))) if one.name in own else one for one in resolve)
    examples = compile_examples(doc, words.get("examples"), full, tuple(plan.name for plan in plans), resolve)
    members = frozenset(own.get(MEMBER, ())) | frozenset(read.contact_list.reads if read.contact_list else ())
    return Mapping(doc, source, read, when, target, resolve, plans, examples, members)


def _plans(doc: Document, value: Any, place: Place) -> tuple[FieldPlan, ...]:
    if not isinstance(value, dict) or not value:
        raise doc.error(("fields",), "`fields` is a group of fields, each with a path or its words")
    return tuple(compile_field(doc, ("fields", name), one, place) for name, one in value.items())


def _zone(name: str) -> ZoneInfo:
    found = zone_named(name)
    if found is None:
        raise ConfigError(f'there is no time zone "{name}"; a zone is a name such as Europe/Madrid')
    return found
