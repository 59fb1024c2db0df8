"""Does a mapping agree with the systems that it names? Compared with the configured connections and the CRM's `describe`.

Where the descriptions come from is the caller's: asked now (`check --live`, drift), or as the CRM described itself last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from hub.connections import Connection, Connections
from hub.contract import Describes, Finds, Pages, Writes
from hub.errors import ConnectorError, NotFound, nearest
from hub.flow.against import (
    Disagreement,
    against_fields,
    against_lookup_keys,
    against_reading,
    against_references,
    against_rights,
)
from hub.flow.described import Asked
from hub.flow.lists.members import NUMBER
from hub.language.mapping import Mapping, TargetSpec
from hub.language.yaml_source import Document, read_yaml
from hub.model import PERSON, Description

__all__ = ["Descriptions", "Disagreement", "compared", "disagreements", "list_disagreements", "notes", "objects_of",
           "shared_records"]  # fmt: skip


class Descriptions(Protocol):
    """Where descriptions come from. Both raise ConnectorError; None and () stand for: not known here."""

    def objects(self, connection: Connection) -> Sequence[str]: ...

    def describe(self, connection: Connection, object: str) -> Description | None: ...


def disagreements(mapping: Mapping, connections: Connections) -> tuple[list[Disagreement], str]:
    """What does not fit with what the CRM is now, and why it could not be asked (empty where it was)."""
    found, unasked = compared(mapping, connections, Asked())
    return [one for one in found if one.grave], unasked


def compared(mapping: Mapping, connections: Connections, described: Descriptions) -> tuple[list[Disagreement], str]:
    """What does not fit or may not, and why it could not be compared with the CRM (empty where it was)."""
    text = read_yaml(mapping.text, mapping.file)
    found = list(_unknown_sources(mapping, connections, text))
    found += _wrong_list(mapping, connections, described)
    target = connections.get(mapping.target.connection)
    if target is None:
        name, line = mapping.target.connection, text.line(("target", "connection"))
        found.append(Disagreement(line, f'there is no connection "{name}"{nearest(name, connections)}', "connection"))
        return found, ""
    found += _against_verbs(mapping, target, text)
    if not isinstance(target.connector, Describes):
        return found, ""
    try:
        found += _against_crm(mapping, target, described, text)
        return found, ""
    except _NotKnown as unknown:
        return found, f"{target.name} has not described {unknown} yet; --live asks it"
    except ConnectorError as error:
        return found, f"{target.name}: {error}"


class _NotKnown(Exception):
    """The object has not been described yet."""


def objects_of(mapping: Mapping, connection: str) -> tuple[str, ...]:
    """The objects of a connection that a mapping speaks of: what it writes, what it looks up, the list that it pulls."""
    named = []
    if mapping.target.connection == connection:
        named += [mapping.target.write, *(one.object for one in mapping.resolve if one.object != PERSON)]
    if mapping.source.contact_list is not None and connection in mapping.source.connections:
        named.append(mapping.source.contact_list.object)
    return tuple(dict.fromkeys(named))


def list_disagreements(mapping: Mapping, source: Connection, described: Descriptions) -> list[Disagreement]:
    """What does not fit of the list that a mapping pulls from `source`. A row may have more than its object describes, so a
    field that is not described may go well. Raises ConnectorError."""
    wanted = mapping.source.contact_list
    if wanted is None or not isinstance(source.connector, Describes):
        return []
    text, objects = read_yaml(mapping.text, mapping.file), described.objects(source)
    line = text.line(("source", "list"))
    if objects and wanted.object not in objects:
        what = f'{source.name} has no object "{wanted.object}"{nearest(wanted.object, objects)}'
        return [Disagreement(line, what, "object", detail=wanted.object)]
    object = described.describe(source, wanted.object)
    known = [field.name for field in object.fields] if object is not None else mapping.member_fields
    return [
        Disagreement(line, f"member.{name} is not described as a field of {wanted.object}", "unread", name, grave=False)
        for name in sorted(mapping.member_fields)
        if name not in known and name != NUMBER
    ]


def _wrong_list(mapping: Mapping, connections: Connections, described: Descriptions) -> Iterator[Disagreement]:
    """What is surely wrong with the list that a mapping pulls."""
    for name in mapping.source.connections if mapping.source.contact_list is not None else ():
        source, line = connections.get(name), read_yaml(mapping.text, mapping.file).line(("source", "connection"))
        if source is None:
            continue
        if not isinstance(source.connector, Pages):
            yield Disagreement(line, f"{name} ({source.manifest.title}) has no lists to pull", "verb", detail="pages")
            continue
        try:
            yield from (one for one in list_disagreements(mapping, source, described) if one.grave)
        except ConnectorError:
            continue  # its own schedule says so


def shared_records(mapping: Mapping, others: Iterable[Mapping]) -> list[tuple[int, str]]:
    """Where another mapping writes the same record for the same thing: a record's key is the interaction's own, so two
    mappings with one target object and key write one record, and what both write is the later one's. It may be meant.
    Each with its line."""
    text = read_yaml(mapping.text, mapping.file)
    found = []
    for other in others:
        if other.name == mapping.name or not _may_meet(mapping, other):
            continue
        both = [name for name in mapping.fields if name in other.fields]
        target = mapping.target
        what = f"{other.name} writes the same {target.write} of {target.connection} for one interaction"
        what += f", and the later one wins in: {', '.join(both)}" if both else ""
        found.append((text.line(("target", "write")), what))
    return found


def notes(mapping: Mapping, running: Sequence[Mapping], on: Callable[[str], int]) -> list[str]:
    """What a person should know who publishes `mapping` beside (or in place of one of) those that run. `on` gives how many
    members a contact list has."""
    told = [what for _, what in shared_records(mapping, running)]
    before = next((one.target for one in running if one.name == mapping.name), None)
    now, listed = mapping.target, mapping.source.contact_list is not None
    if listed and before is not None and _place(before) != _place(now) and (members := on(mapping.name)):
        # Which of a connector's options names the list it alone knows: taking anybody off the former list might take them
        # off the new one.
        where = ", ".join([f"{before.connection}/{before.write}", *(f"{k}: {v}" for k, v in before.options.items())])
        told.append(f"the next pull sends everybody to where it writes now; the {members} contacts on the former list "
                    f"({where}) have to be taken off there")  # fmt: skip
    return told


def _place(target: TargetSpec) -> tuple[str, str, dict[str, Any]]:
    return target.connection, target.write, target.options


def _may_meet(one: Mapping, other: Mapping) -> bool:
    """Whether one thing that happens may have both mappings write one record."""
    ours, theirs = one.target, other.target
    if (ours.connection, ours.write, ours.key) != (theirs.connection, theirs.write, theirs.key):
        return False
    if one.source.contact_list is not None or other.source.contact_list is not None:
        return False  # the subjects of a list are its own
    connections, events = set(one.source.connections), {event.partition(".")[0] for event in one.source.events}
    if connections and other.source.connections and connections.isdisjoint(other.source.connections):
        return False
    if events.isdisjoint(event.partition(".")[0] for event in other.source.events):
        return False
    return not _exclude_each_other(_when(one), _when(other))


def _when(mapping: Mapping) -> dict[str, Any]:
    return (mapping.document.value["source"].get("when") or {}) if mapping.when else {}


def _exclude_each_other(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether some path has to have values that differ: `voice` here, `email` or one of `[chat, sms]` there."""
    for path in (one.keys() & other.keys()) - {"any", "all", "not"}:
        values = [_only(words) for words in (one[path], other[path])]
        if all(values) and set(values[0]).isdisjoint(values[1]):
            return True
    return False


def _only(words: Any) -> list[str]:
    """The values that a path may have; empty where that cannot be told."""
    if isinstance(words, list):
        return [str(value) for value in words]
    return [] if isinstance(words, dict) else [str(words)]


def _unknown_sources(mapping: Mapping, connections: Connections, text: Document) -> Iterator[Disagreement]:
    for name in mapping.source.connections:
        if name not in connections:
            line = text.line(("source", "connection"))
            yield Disagreement(line, f'there is no connection "{name}"{nearest(name, connections)}', "connection")


def _against_verbs(mapping: Mapping, target: Connection, text: Document) -> Iterator[Disagreement]:
    who = f"{target.name} ({target.manifest.title})"
    if not isinstance(target.connector, Writes):
        yield Disagreement(text.line(("target", "connection")), f"{who} cannot be written to", "verb")
    if isinstance(target.connector, Finds):
        return
    if mapping.resolve:
        yield Disagreement(text.line(("resolve",)), f"{who} cannot find records", "verb")
    if mapping.target.update == "owned":
        what = f"{who} cannot find records, and `update: owned` looks at what is there"
        yield Disagreement(text.line(("target", "update")), what, "verb")


def _against_crm(
    mapping: Mapping, target: Connection, described: Descriptions, text: Document
) -> Iterator[Disagreement]:
    objects = described.objects(target)
    found = list(_against_objects(mapping, objects, target, text)) if objects else []
    yield from found
    wrong = {one.detail for one in found if one.code == "object"}
    for one in mapping.resolve:
        if one.object != PERSON and one.object not in wrong:
            object = _description(described, target, one.object)
            yield from against_lookup_keys(one.name, object, text)
            yield from against_reading(one, object, text)
    if mapping.target.write in wrong:
        return
    try:
        object = _description(described, target, mapping.target.write)
    except NotFound as gone:
        yield Disagreement(text.line(("target", "write")), str(gone), "object", detail=mapping.target.write)
        return
    yield from against_rights(mapping, object, target, text)
    yield from against_fields(mapping, object, text)
    yield from against_references(mapping, object, text)


def _description(described: Descriptions, target: Connection, object: str) -> Description:
    found = described.describe(target, object)
    if found is None:
        raise _NotKnown(object)
    return found


def _against_objects(
    mapping: Mapping, objects: Sequence[str], target: Connection, text: Document
) -> Iterator[Disagreement]:
    def unknown(name: str, *at: str) -> Disagreement:
        what = f'{target.name} has no object "{name}"{nearest(name, objects)}'
        return Disagreement(text.line(at), what, "object", detail=name)

    if mapping.target.write not in objects:
        yield unknown(mapping.target.write, "target", "write")
    for resolve in mapping.resolve:
        if resolve.object not in (*objects, PERSON):
            yield unknown(resolve.object, "resolve", resolve.name)
        for name in resolve.many.objects:
            if name not in objects:
                yield unknown(name, "resolve", resolve.name, "many")
