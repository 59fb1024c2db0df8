"""What changed between two descriptions of an object, in words, by field: only what a mapping can suffer from."""

from __future__ import annotations

from collections.abc import Iterator

from hub.model import Description, Field

OBJECT = ""  # the name under which stands what changed about the object itself


def changes(before: Description, after: Description) -> dict[str, list[str]]:
    """By field (or OBJECT), what a mapping can suffer from."""
    was, now = ({field.name: field for field in one.fields} for one in (before, after))
    found: dict[str, list[str]] = {}
    for name, old in was.items():
        said = list(_changed(old, now[name])) if name in now else [f"{name} is gone"]
        if said:
            found[name] = said
    for name, new in now.items():
        if name not in was and new.required and new.writable:
            found[name] = [f"{name} is new and required"]
    rights = list(_rights(before, after))
    return found | ({OBJECT: rights} if rights else {})


def _changed(old: Field, new: Field) -> Iterator[str]:
    name = new.name
    if old.type != new.type:
        yield f"{name} was {old.type} and is {new.type}"
    if new.max_length is not None and (old.max_length is None or new.max_length < old.max_length):
        was = f"{old.max_length} long" if old.max_length is not None else "of any length"
        yield f"{name} was {was} and is {new.max_length}"
    if old.writable and not new.writable:
        yield f"{name} can no longer be written"
    if new.fixed and not old.fixed:
        yield f"{name} can no longer be changed once its record is there"
    if new.required and not old.required:
        yield f"{name} is required now"
    if old.unique and not new.unique:
        yield f"{name} is no longer unique"
    if old.refers_to and new.refers_to and set(old.refers_to) - set(new.refers_to):
        yield f"{name} no longer refers to {', '.join(sorted(set(old.refers_to) - set(new.refers_to)))}"
    yield from _picklist(old, new)


def _picklist(old: Field, new: Field) -> Iterator[str]:
    if new.picklist and not old.picklist:
        yield f"{new.name} takes only: {', '.join(new.picklist)}"
        return
    gone = [value for value in old.picklist if value not in new.picklist]
    if new.picklist or new.retired:
        for value in gone:
            yield f'{new.name} no longer takes "{value}"'


def _rights(before: Description, after: Description) -> Iterator[str]:
    for had, has, what in (
        (before.creatable, after.creatable, "make"),
        (before.changeable, after.changeable, "change"),
    ):
        if had is not False and has is False:
            yield f"our user may no longer {what} {after.object} records"
