"""A mapping against the CRM's description of one object: its keys, the rights that it needs, its fields and references."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.connections import Connection
from hub.errors import ConfigError, nearest
from hub.flow.fit import TEXTS, Misfit, misfits
from hub.language.conditions import compile_condition
from hub.language.mapping import Mapping, Resolve
from hub.language.paths import EVENT_SCOPE, Path, steps
from hub.language.source import RECORD_ID
from hub.language.yaml_source import Document
from hub.model import PERSON, Description, Field

KEY_TYPES = TEXTS | {"integer", "reference"}


@dataclass(frozen=True)
class Disagreement:
    """What does not fit. `code`, `field` and `detail` name it, so that it is known again; not `grave`: it may go well."""

    line: int  # in the mapping's text
    what: str
    code: str
    field: str = ""
    detail: str = ""
    grave: bool = True


def against_lookup_keys(name: str, described: Description, text: Document) -> Iterator[Disagreement]:
    """Each `key: { field: … }` by which the record called `name` is looked up."""
    words = text.value["resolve"][name]
    ways = words["by"] if isinstance(words["by"], list) else [words["by"]]
    for key in (way["key"] for way in ways if isinstance(way.get("key"), dict)):
        if key.get("field"):
            yield from _against_key(key["field"], described, text.line(("resolve", name)))


def against_reading(one: Resolve, described: Description, text: Document) -> Iterator[Disagreement]:
    """The record's own fields that the mapping reads. A connector may show more than is described, so it may go well."""
    known = [field.name for field in described.fields]
    for name in one.fields:
        if name not in known:
            what = f'{one.name}.{name} is never there: {described.object} has no field "{name}"{nearest(name, known)}'
            line = text.line(("resolve", one.name))
            yield Disagreement(line, what, "unread", name, detail=one.name, grave=False)


def _against_key(key: str, described: Description, line: int) -> Iterator[Disagreement]:
    """What is wrong with `key` as what names one record; where the CRM tells no unique fields, any may be one."""
    known = {field.name: field for field in described.fields}
    unique = [field.name for field in described.fields if field.unique]
    if key not in known:
        yield Disagreement(line, f'{described.object} has no field "{key}"{nearest(key, known)}', "unknown", key)
    elif unique and key not in unique:
        what = f"{described.object}.{key} is not unique, so it is no key; unique: {', '.join(unique)}"
        yield Disagreement(line, what, "key", key)
    elif known[key].type not in KEY_TYPES:
        what = f"{described.object}.{key} is {known[key].type}, and a key is text"
        yield Disagreement(line, what, "key", key)


def against_rights(
    mapping: Mapping, described: Description, target: Connection, text: Document
) -> Iterator[Disagreement]:
    """What the mode needs that our user may not do there; what the CRM does not say is not held against it."""
    mode, object = mapping.target.mode, described.object
    line = text.line(("target", "mode" if "mode" in text.value["target"] else "write"))
    creates = mapping.target.key != RECORD_ID
    if creates and described.creatable is False:
        yield Disagreement(line, f"our user of {target.name} may not make {object} records", "right", detail="create")
    elif mode == "incremental" and described.changeable is False:
        instead = "write `mode: once` or `mode: append`" if creates else "nothing can be written"
        what = f"our user of {target.name} may not change {object} records, and this mapping changes them: {instead}"
        yield Disagreement(line, what, "right", detail="change")


# --- fields ----------------------------------------


def against_fields(mapping: Mapping, described: Description, text: Document) -> Iterator[Disagreement]:
    known = {field.name: field for field in described.fields}
    key, spec = mapping.target.key, mapping.target
    if key != RECORD_ID:
        yield from _against_key(key, described, text.line(("target", "key")))
    may_be = _possible_words(text)
    for plan in mapping.plans:
        line = text.line(("fields", plan.name))
        field = known.get(plan.name)
        if field is None:
            what = f'{described.object} has no field "{plan.name}"{nearest(plan.name, known)}'
            yield Disagreement(line, what, "unknown", plan.name)
        elif not field.writable:
            yield Disagreement(line, f"{described.object}.{plan.name} cannot be written", "writable", plan.name)
        else:
            if field.fixed and spec.mode == "incremental":
                yield _fixed(field, described, key, line)
            for misfit in misfits(plan, field, may_be):
                yield _placed(misfit, plan.name, line)
    if spec.link and (field := known.get(spec.link)) is not None and field.type not in ("text", "longtext"):
        what = f"{spec.link} is {field.type}, and `link` is written as text"
        yield Disagreement(text.line(("target", "link")), what, "type", spec.link)
    if key == RECORD_ID:
        return  # it names a record that is there, so what a new one needs is not asked for
    for field in described.fields:
        if field.required and field.name not in mapping.fields and field.name != key and field.writable:
            what = f"{described.object}.{field.name} is required there and not in this mapping"
            yield Disagreement(text.line(("fields",)), what, "required", field.name)


def _fixed(field: Field, described: Description, key: str, line: int) -> Disagreement:
    what = f"{described.object}.{field.name} is written with a new record and never changed after, and this mapping "
    right = "writes to records that are there: leave it out" if key == RECORD_ID else "changes its records later: "
    right += "" if key == RECORD_ID else "leave it out, or write `mode: once`"
    return Disagreement(line, what + right, "fixed", field.name)


def _placed(misfit: Misfit, field: str, line: int) -> Disagreement:
    return Disagreement(line, misfit.what, misfit.code, field, misfit.detail, misfit.grave)


def against_references(mapping: Mapping, described: Description, text: Document) -> Iterator[Disagreement]:
    """A field that takes the id of one kind of record, and a name that is looked up among another."""
    known = {field.name: field for field in described.fields}
    looked_up = {one.name: one.object for one in mapping.resolve}
    for plan in mapping.plans:
        field = known.get(plan.name)
        if field is None or not field.refers_to:
            continue
        for path in plan.made.paths:
            object = looked_up.get(path.root)
            if path.text == f"{path.root}.id" and object not in (None, PERSON) and object not in field.refers_to:
                what = (
                    f"{plan.name} takes the id of {' or '.join(field.refers_to)}, and {path.root} is found as {object}"
                )
                yield Disagreement(text.line(("fields", plan.name)), what, "reference", plan.name)


def _possible_words(text: Document) -> Any:
    """Whether a path can hold a word where the mapping's `when` is met: by the conditions on that very path."""
    when = ((text.value or {}).get("source") or {}).get("when") or {}
    asked = [one for one in (when, *when.get("all", ())) if isinstance(one, dict)]

    def may_be(path: Path, word: str) -> bool:
        for one in asked:
            if path.text in one:
                try:
                    condition = compile_condition(text, (), {path.text: one[path.text]}, EVENT_SCOPE)
                except ConfigError:
                    continue
                value: Any = {"true": True, "false": False}[word] if path.shape.kind == "boolean" else word
                for step in reversed(steps(path.text)):
                    value = {step: value}
                if not condition.holds(value):
                    return False
        return True

    return may_be
