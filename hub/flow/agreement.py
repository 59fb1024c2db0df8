"""Does a mapping agree with the systems that it names? Compared with the configured connections and the CRM's `describe`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from hub.connections import Connection, Connections
from hub.contract import Describes, Finds, Writes
from hub.errors import ConnectorError, nearest
from hub.language.mapping import Mapping, TargetSpec
from hub.language.yaml_source import Document, read_yaml
from hub.model import PERSON, Description, Field

RECORD_ID = "id"  # as a target's key: the record's own id
Disagreement = tuple[int, str]  # (line in the mapping's text, what is wrong)


def disagreements(mapping: Mapping, connections: Connections) -> tuple[list[Disagreement], str]:
    """What does not fit, and why the CRM could not be asked (empty where it was)."""
    text = read_yaml(mapping.text, mapping.file)
    found = list(_unknown_sources(mapping, connections, text))
    target = connections.get(mapping.target.connection)
    if target is None:
        name = mapping.target.connection
        found.append(
            (text.line(("target", "connection")), f'there is no connection "{name}"{nearest(name, connections)}')
        )
        return found, ""
    if not isinstance(target.connector, Writes):
        what = f"{target.name} ({target.manifest.title}) cannot be written to"
        found.append((text.line(("target", "connection")), what))
    if mapping.resolve and not isinstance(target.connector, Finds):
        found.append((text.line(("resolve",)), f"{target.name} ({target.manifest.title}) cannot find records"))
    if not isinstance(target.connector, Describes):
        return found, ""
    try:
        found += _against_objects(mapping, target.connector.objects(), target, text)
        found += _against_keys(target.connector, text)
        if mapping.target.write in target.connector.objects():
            found += _against_fields(mapping, target.connector.describe(mapping.target.write), text)
    except ConnectorError as error:
        return found, f"{target.name}: {error}"
    return found, ""


def shared_records(mapping: Mapping, others: Iterable[Mapping]) -> list[Disagreement]:
    """Where another mapping writes the same record for the same thing: a record's key is the interaction's own, so two
    mappings with one target object and key write one record, and what both write is the later one's. It may be meant."""
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
            yield line, f'there is no connection "{name}"{nearest(name, connections)}'


def _against_objects(mapping: Mapping, objects: Any, target: Connection, text: Document) -> Iterator[Disagreement]:
    if mapping.target.write not in objects:
        line = text.line(("target", "write"))
        yield line, f'{target.name} has no object "{mapping.target.write}"{nearest(mapping.target.write, objects)}'
    for resolve in mapping.resolve:
        if resolve.object not in (*objects, PERSON):
            line = text.line(("resolve", resolve.name))
            yield line, f'{target.name} has no object "{resolve.object}"{nearest(resolve.object, objects)}'
        for name in resolve.many.objects:
            if name not in objects:
                line = text.line(("resolve", resolve.name, "many"))
                yield line, f'{target.name} has no object "{name}"{nearest(name, objects)}'


def _against_keys(crm: Describes, text: Document) -> Iterator[Disagreement]:
    """Each `key: { field: … }` by which a record is looked up."""
    for name, words in ((text.value or {}).get("resolve") or {}).items():
        ways = words["by"] if isinstance(words["by"], list) else [words["by"]]
        for key in (way["key"] for way in ways if isinstance(way.get("key"), dict)):
            if key.get("field") and words["find"] in crm.objects():
                described = crm.describe(words["find"])
                yield from ((text.line(("resolve", name)), what) for what in _against_key(key["field"], described))


def _against_key(key: str, described: Description) -> Iterator[str]:
    """What is wrong with `key` as what names one record; where the CRM tells no unique fields, any may be one."""
    known = [field.name for field in described.fields]
    unique = [field.name for field in described.fields if field.unique]
    if key not in known:
        yield f'{described.object} has no field "{key}"{nearest(key, known)}'
    elif unique and key not in unique:
        yield f"{described.object}.{key} is not unique, so it is no key; unique: {', '.join(unique)}"


def _against_fields(mapping: Mapping, described: Description, text: Document) -> Iterator[Disagreement]:
    known = {field.name: field for field in described.fields}
    key = mapping.target.key
    if key != RECORD_ID:
        yield from ((text.line(("target", "key")), what) for what in _against_key(key, described))
    written = (text.value or {}).get("fields") or {}
    for name in mapping.fields:
        line = text.line(("fields", name))
        field = known.get(name)
        if field is None:
            yield line, f'{described.object} has no field "{name}"{nearest(name, known)}'
        elif not field.writable:
            yield line, f"{described.object}.{name} cannot be written"
        else:
            yield from ((line, what) for what in _against_field(field, written.get(name)))
    if key == RECORD_ID:
        return  # it names a record that is there, so what a new one needs is not asked for
    for field in described.fields:
        if field.required and field.name not in mapping.fields and field.name != key and field.writable:
            yield text.line(("fields",)), f"{described.object}.{field.name} is required there and not in this mapping"


def _against_field(field: Field, written: Any) -> Iterator[str]:
    """What is wrong with how one field is written, as far as it can be told without facts."""
    if not isinstance(written, dict):
        return
    choose = written.get("choose")
    literals = [written[word] for word in ("value", "otherwise") if word in written]
    literals += list(choose.values()) if isinstance(choose, dict) else []
    for literal in literals:
        if field.picklist and str(literal) not in field.picklist:
            close = nearest(str(literal), field.picklist) or f"; it takes: {', '.join(field.picklist)}"
            yield f'{field.name} does not take "{literal}"{close}'
        elif field.max_length and isinstance(literal, str) and len(literal) > field.max_length:
            yield f"{field.name} takes {field.max_length} characters, and this value has {len(literal)}"
    longest = written.get("max")
    if isinstance(longest, int) and field.max_length and longest > field.max_length:
        yield f"{field.name} takes {field.max_length} characters, and max says {longest}"
