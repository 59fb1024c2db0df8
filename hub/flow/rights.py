"""What our user may do at another system, object by object, and which write mode that recommends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from hub.connections import Connection
from hub.flow.described import Asked
from hub.language.mapping import Mapping
from hub.language.source import RECORD_ID

NO_MODE = "none"  # nothing can be written


class Rights(Struct, frozen=True, kw_only=True):
    """What our user may do with the records of one object. None: the system does not say."""

    object: str
    may_make: bool | None
    may_change: bool | None
    mode: str  # the mode that goes: incremental, once (or append), none
    unfit: dict[
        str, str
    ] = {}  # by mapping that writes the object, its mode, where that needs a right that is not there


def rights_at(connection: Connection, mappings: Iterable[Mapping]) -> list[Rights]:
    """For each object that `mappings` write there; where none does, for the objects that hold people.

    Raises ConnectorError."""
    if not connection.can("describe"):
        return []
    mine = [mapping for mapping in mappings if mapping.target.connection == connection.name]
    objects: Sequence[str] = list(dict.fromkeys(mapping.target.write for mapping in mine))
    asked = Asked()
    return [_rights(connection, object, mine, asked) for object in objects or connection.manifest.people]


def _rights(connection: Connection, object: str, mappings: Sequence[Mapping], asked: Asked) -> Rights:
    described = asked.describe(connection, object)
    make, change = described.creatable, described.changeable
    mode = NO_MODE if make is False else "once" if change is False else "incremental"
    unfit: dict[str, str] = {
        mapping.name: mapping.target.mode
        for mapping in mappings
        if mapping.target.write == object and not _fits(mapping, make, change)
    }
    return Rights(object=object, may_make=make, may_change=change, mode=mode, unfit=unfit)


def _fits(mapping: Mapping, make: bool | None, change: bool | None) -> bool:
    makes = mapping.target.key != RECORD_ID
    changes = mapping.target.mode == "incremental"
    return not (makes and make is False) and not (changes and change is False)


def said(rights: Rights) -> str:
    """In words: `activity: our user may make and change records; mode: incremental`."""
    words = {True: "may", False: "may not", None: "may perhaps (it does not say)"}
    what = f"our user {words[rights.may_make]} make and {words[rights.may_change]} change records"
    if rights.may_make is rights.may_change:
        what = f"our user {words[rights.may_make]} make and change records"
    mode = "once or append" if rights.mode == "once" else rights.mode
    unfit = "".join(f"; {name} has mode: {has}, which cannot go" for name, has in rights.unfit.items())
    return f"{rights.object}: {what}; mode: {mode}{unfit}"
