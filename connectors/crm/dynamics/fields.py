"""Dataverse's column types and the hub's, and values on their way to a row and back.

Written and read in the same words, so that what a mapping wrote can be compared with what a person left there:

| column | word |
|---|---|
| a choice, statecode, statuscode | its label, such as `Completed`; its number is taken too |
| a lookup of one table | the record's id |
| a lookup of several tables (regardingobjectid, customerid) | `contact/<id>` |
| parties (`from`, `to`, `cc`, `bcc`) | `contact/<id>`, `systemuser/<id>`, or a number that is nobody's; several by `;` |
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from connectors.crm.dynamics.tables import Column, Table
from hub.errors import Rejected
from hub.model import Description, Field, FieldType

TYPES: Mapping[str, FieldType] = {
    "String": "text", "Memo": "longtext", "Integer": "integer", "BigInt": "integer", "Decimal": "decimal",
    "Double": "decimal",
    "Money": "decimal", "Boolean": "boolean", "DateTime": "datetime", "Picklist": "picklist", "State": "picklist",
    "Status": "picklist", "Lookup": "reference", "Customer": "reference", "Owner": "reference", "PartyList": "reference",
    "Uniqueidentifier": "text",
}  # fmt: skip
FORMATS: Mapping[str, FieldType] = {"Phone": "phone", "Email": "email", "Url": "url", "DateOnly": "date"}
# An activity's parties by the part they take in it. A phone call has the first two.
MASKS: Mapping[str, int] = {
    "from": 1, "to": 2, "cc": 3, "bcc": 4, "requiredattendees": 5, "optionalattendees": 6, "organizer": 7,
    "resources": 10, "customers": 11,
}  # fmt: skip
KEPT_BY_THE_SERVER = (8, 9)  # regarding and owner
OPEN = 0  # the first state of every table; of an activity the only one in which it can be written
# A namespace of our own: the same key is the same id in every environment.
KEYS = uuid.UUID("8d7b4f5e-6b0a-5c1e-9a52-3f6c0f3a7d21")
GUID = re.compile(r"\{?([0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})\}?")
_PARTED = re.compile(r"\s*;\s*")


def guid_in(value: Any) -> str | None:
    """The id that a text is, in small letters; None where it is none."""
    found = GUID.fullmatch(str(value).strip())
    return found.group(1).lower() if found else None


def id_for(table: str, key_field: str, key: str) -> str:
    """The id of the row that a key makes: a key that is an id is that one, any other has an id of its own for ever."""
    return guid_in(key) or str(uuid.uuid5(KEYS, f"{table}/{key_field}/{key}"))


# --- describe ----------------------------------------


def description(table: Table) -> Description:
    """A table in the hub's words; kinds that no mapping writes (images, calculated counts) are left out."""
    return Description(
        object=table.name,
        label=table.label,
        fields=tuple(_field(table, column) for column in table.columns.values() if column.type in TYPES),
        creatable=table.creatable,
        changeable=table.changeable,
    )


def _field(table: Table, column: Column) -> Field:
    kind = TYPES[column.type]
    if column.type in ("String", "DateTime"):
        kind = FORMATS.get(column.format, kind)
    return Field(
        name=column.name,
        label=column.label,
        type=kind,
        max_length=column.max_length,
        required=column.required,
        writable=column.create or column.update,
        fixed=column.create and not column.update,
        unique=column.primary or column.name in table.keys,
        picklist=tuple(dict.fromkeys(column.choices.values())),
        refers_to=column.targets,
    )


# --- to a row ----------------------------------------


class Body(Struct, frozen=True, kw_only=True):
    """What a row's fields are on the wire. `later` is what can be written only once the row is there, such as its state."""

    values: dict[str, Any]
    later: dict[str, Any]
    parties: dict[str, list[dict[str, Any]]]


def body(table: Table, fields: Mapping[str, Any], sets: Mapping[str, str], *, new: bool) -> Body:
    """`fields` in Dataverse's words. Raises Rejected, naming every field that does not fit."""
    values: dict[str, Any] = {}
    later: dict[str, Any] = {}
    parties: dict[str, list[dict[str, Any]]] = {}
    problems: dict[str, str] = {}
    for name, value in fields.items():
        if name in ("id", table.id):
            continue
        try:
            column = table.column(name)
            if column.type == "PartyList":
                parties[name] = [_party(column, one, sets) for one in _each(value)]
                continue
            if not (column.create or column.update):
                raise Rejected(f"{name} cannot be written")
            if new and value is None:
                continue
            place = later if column.type in ("State", "Status") or not column.create else values
            if column.update or new:
                place.update(_written(table, column, value, sets))
        except Rejected as error:
            problems[name] = str(error)
    if problems:
        raise Rejected("; ".join(problems.values()), problems)
    if "statecode" not in later and "statuscode" in later:
        state = table.columns["statuscode"].state_of.get(later["statuscode"], OPEN)
        later = {"statecode": state, **later}
    if new and later.get("statecode") == OPEN:  # where a new row is anyway
        values |= {name: value for name, value in later.items() if name == "statuscode"}
        later = {}
    return Body(values=values, later=later, parties=parties)


def _written(table: Table, column: Column, value: Any, sets: Mapping[str, str]) -> dict[str, Any]:
    if column.is_reference:
        if value is None or value == "":
            return {f"{navigation}@odata.bind": None for (name, _), navigation in table.navigation.items()
                    if name == column.name}  # fmt: skip
        target, id = reference(column, value)
        navigation = table.navigation.get((column.name, target))
        if navigation is None or target not in sets:
            raise Rejected(f'{column.name} cannot refer to a record of "{target}"')
        return {f"{navigation}@odata.bind": f"/{sets[target]}({id})"}
    return {column.name: None if value is None else _plain(column, value)}


def reference(column: Column, value: Any) -> tuple[str, str]:
    """(table, id) that a lookup's text names. Raises Rejected."""
    table, slash, rest = str(value).strip().rpartition("/")
    id = guid_in(rest)
    if id is None:
        raise Rejected(f"{column.name}: that is no id; write {_pattern(column)}")
    if not slash:
        if len(column.targets) != 1 and column.type != "Owner":
            raise Rejected(f"{column.name} can refer to {', '.join(column.targets)}; say which: {_pattern(column)}")
        table = "systemuser" if column.type == "Owner" else column.targets[0]
    if table not in column.targets:
        raise Rejected(
            f'{column.name} cannot refer to a record of "{table[:60]}"; it takes {", ".join(column.targets)}'
        )
    return table, id


def _pattern(column: Column) -> str:
    return "<id>" if len(column.targets) == 1 else f"{column.targets[0] if column.targets else 'table'}/<id>"


def _party(column: Column, value: str, sets: Mapping[str, str]) -> dict[str, Any]:
    mask = {"participationtypemask": MASKS[column.name]} if column.name in MASKS else {}
    if not mask:
        raise Rejected(f"{column.name} is a part in an activity that this connector does not know")
    table, slash, rest = value.rpartition("/")
    if slash and guid_in(rest):
        if table not in column.targets or table not in sets:
            raise Rejected(
                f'a record of "{table[:60]}" cannot be in {column.name}; it takes {", ".join(column.targets)}'
            )
        return {f"partyid_{table}@odata.bind": f"/{sets[table]}({guid_in(rest)})", **mask}
    if guid_in(value):
        raise Rejected(f"{column.name}: say of which table the record is, such as contact/<id>")
    return {"addressused": value, **mask}  # a number or an address that is nobody's


def _each(value: Any) -> list[str]:
    """The parties that a value names: a list, or a text with `;` between them."""
    several = value if isinstance(value, list | tuple) else _PARTED.split(str(value or ""))
    return list(dict.fromkeys(text for one in several if (text := str(one).strip())))


def _plain(column: Column, value: Any) -> Any:
    if column.choices or column.type in ("Picklist", "State", "Status"):
        return number_of(column, value)
    read = _READERS.get(column.type)
    if read is None:
        return str(value) if not isinstance(value, bool) else str(value).lower()
    try:
        return read(value) if column.type != "DateTime" else _moment(value, column.format == "DateOnly")
    except (ValueError, TypeError, KeyError):
        raise Rejected(f"{column.name}: that is no {TYPES.get(column.type, column.type)}") from None


def number_of(column: Column, value: Any) -> int:
    """The number of a choice, by its label or as it is. Raises Rejected with the nearest label."""
    text = str(value).strip()
    for number, label in column.choices.items():
        if text.casefold() == label.casefold() or text == str(number):
            return number
    if not column.choices and text.lstrip("-").isdecimal():
        return int(text)
    raise Rejected(f'{column.name} does not take "{text[:60]}"; it takes: {", ".join(column.choices.values())}')


def _truth(value: Any) -> bool:
    return (
        value if isinstance(value, bool) else {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]
    )


def _whole(value: Any) -> int:
    number = float(value)
    if number != int(number):
        raise ValueError(value)
    return int(number)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "Integer": _whole, "BigInt": _whole, "Decimal": float, "Double": float, "Money": float, "Boolean": _truth,
    "DateTime": str,
}  # fmt: skip


def _moment(value: Any, day_only: bool) -> str:
    """A moment as Dataverse takes it, in UTC; one without a zone is UTC."""
    if day_only:
        return dt.date.fromisoformat(str(value)[:10]).isoformat()
    moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- from a row ----------------------------------------


def columns_to_read(table: Table, names: Sequence[str]) -> tuple[list[str], bool]:
    """(what `$select` needs for these fields, whether parties have to be expanded). Other names are passed over."""
    known = [table.columns[name] for name in names if name in table.columns]
    select = [f"_{column.name}_value" if column.is_reference else column.name for column in known
              if column.type != "PartyList"]  # fmt: skip
    return list(dict.fromkeys([table.id, *select])), any(column.type == "PartyList" for column in known)


def parties_expanded(table: Table) -> str:
    """The `$expand` that reads an activity's parties."""
    return f"{table.name}_activity_parties($select=participationtypemask,addressused,_partyid_value)"


def value_of(table: Table, name: str, told: Mapping[str, Any]) -> Any:
    """A field of a row that was read, in the words in which it is written."""
    column = table.columns[name]
    if column.type == "PartyList":
        mine = [party for party in told.get(f"{table.name}_activity_parties") or ()
                if party.get("participationtypemask") == MASKS.get(name)]  # fmt: skip
        return ";".join(sorted(_party_text(party) for party in mine)) or None
    if column.is_reference:
        return _reference_text(told, f"_{name}_value", several=len(column.targets) > 1 and column.type != "Owner")
    value = told.get(name)
    return column.choices.get(value, value) if column.choices and isinstance(value, int) else value


def differs(table: Table, name: str, value: Any, told: Mapping[str, Any]) -> bool:
    """Whether a field of a row that was read holds something other than `value`."""
    column, held = table.column(name), value_of(table, name, told)
    if value is None or value == "":
        return held not in (None, "")
    if column.type == "PartyList":
        return bool(held != ";".join(sorted(map(_tidy, _each(value)))))
    if column.is_reference:
        target, id = reference(column, value)
        return str(held) not in (id, f"{target}/{id}")
    wanted = _plain(column, value)
    if column.choices and isinstance(wanted, int):
        return bool(held != column.choices.get(wanted, wanted))
    if isinstance(wanted, str) and isinstance(held, str):
        return wanted.replace("\r\n", "\n") != held.replace("\r\n", "\n")
    return bool(held != wanted)


def _tidy(party: str) -> str:
    table, slash, rest = party.rpartition("/")
    id = guid_in(rest)
    return f"{table}/{id}" if slash and id else party


def _party_text(party: Mapping[str, Any]) -> str:
    return _reference_text(party, "_partyid_value", several=True) or str(party.get("addressused") or "")


def _reference_text(told: Mapping[str, Any], name: str, *, several: bool) -> str | None:
    id = told.get(name)
    if not id:
        return None
    table = told.get(f"{name}@Microsoft.Dynamics.CRM.lookuplogicalname", "")
    return f"{table}/{id}" if several and table else str(id)
