"""Does a mapping agree with the systems that it names? Compared with the configured connections and the CRM's `describe`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.connections import Connection, Connections
from hub.contract import Describes, Finds, Writes
from hub.errors import ConnectorError, nearest
from hub.language.mapping import Mapping
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
