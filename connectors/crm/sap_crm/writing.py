"""Writing documents to SAP CRM, which has no batch and no upsert: one search for all keys, then one call per row.

A creation carries a message id that is derived from the key, and SAP's services answer the same message id with the same
confirmation instead of creating again ("Idempotency: yes" in their documentation): so a creation whose answer was lost is
not done twice even where the search does not see it yet. A change sets values, so it needs no such guard.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from connectors.crm.sap_crm.keys import bare_id, stored_key
from connectors.crm.sap_crm.refusals import WHO
from connectors.crm.sap_crm.services import Found, Services
from connectors.crm.sap_crm.shapes import Shape
from hub.errors import (
    Ambiguous,
    ConnectorError,
    Locked,
    NotFound,
    NotPermitted,
    Rejected,
    Throttled,
    Unavailable,
    UnknownOutcome,
    Unsupported,
    nearest,
)
from hub.model import Description, Field, Receipt, Row, Target

OURS = uuid.UUID("6f0e1c0a-6c0f-5d3b-9a35-0c6c2f6f7a11")  # the name space of our message ids
OF_THE_ROW = (Rejected, NotPermitted, NotFound, Locked, Ambiguous, Unsupported)
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
STATUS = "StatusCode"
_WORDS = {"true": True, "false": False}
Outcome = Literal["created", "updated", "unchanged", "removed"]


class Writer:
    """Writes batches of rows and gives one receipt per row."""

    def __init__(
        self,
        services: Services,
        removed_status: str,
        describe: Callable[[str], Description],
        link: Callable[[str, str], str],
    ) -> None:
        self._services, self._removed, self._describe, self._link = services, removed_status, describe, link

    def written(self, shape: Shape, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order. Where SAP stops answering in the middle, the rest is left for the next attempt."""
        shape.operation("create")
        fields = {field.name: field for field in self._describe(shape.object).fields}
        key = shape.elements.get("id", "ID") if target.key == "id" else target.key
        if key not in (shape.elements.get("id", "ID"), shape.elements.get("key")):
            raise Rejected(f'{shape.object} is written by {shape.elements.get("key")} or id, not by "{key}"')
        by_id = key == shape.elements.get("id", "ID")
        there = self._there(shape, key, by_id, [row.key for row in rows])
        receipts: list[Receipt] = []
        gone: ConnectorError | None = None
        for row in rows:
            if gone is not None:
                receipts.append(Receipt(key=row.key, outcome="failed", error=gone))
                continue
            try:
                receipts.append(self._one(shape, fields, by_id, row, there))
            except OF_THE_ROW as error:
                receipts.append(Receipt(key=row.key, outcome="failed", error=error))
            except (Unavailable, Throttled) as error:
                if not any(receipt.outcome != "failed" for receipt in receipts):
                    raise  # nothing is lost by saying it of all of them
                receipts.append(Receipt(key=row.key, outcome="failed", error=error))
                gone = (
                    error
                    if isinstance(error, Throttled)
                    else Unavailable(f"{WHO} stopped answering; this row was not sent")
                )
        return receipts

    def _there(self, shape: Shape, key: str, by_id: bool, keys: Sequence[str]) -> dict[str, list[Found]]:
        values = dict.fromkeys(keys if by_id else map(stored_key, keys))
        values = {value: None for value in values if not by_id or value.isalnum()}
        found: dict[str, list[Found]] = {}
        for row in self._services.selected(shape, key, list(values)) if values else ():
            stored = str(row.get(key) or "")
            found.setdefault(bare_id(stored) if by_id else stored, []).append(row)
        return found

    def _one(
        self, shape: Shape, fields: Mapping[str, Field], by_id: bool, row: Row, there: dict[str, list[Found]]
    ) -> Receipt:
        place = bare_id(row.key) if by_id else stored_key(row.key)
        found = there.get(place, [])
        if len(found) > 1:
            raise Ambiguous(f"{len(found)} records of {shape.object} have this key")
        if row.action == "remove":
            return self._removal(shape, row, found[0] if found else None)
        if by_id and not found:
            raise NotFound(f"there is no {shape.object} with this id")
        said = self._said(shape, fields, row)
        if not found:
            id = self._created(shape, row, said)
            # What it holds now, so that the same key later in this batch finds it.
            there[place] = [{**said, shape.elements.get("id", "ID"): id}]
            return self._receipt(shape, row, "created", id)
        id = str(found[0][shape.elements.get("id", "ID")])
        differs = {name: value for name, value in said.items() if not _same(found[0], name, value)}
        if not differs:
            return self._receipt(shape, row, "unchanged", id)
        self._changed(shape, id, differs)
        there[place] = [{**found[0], **differs}]
        return self._receipt(shape, row, "updated", id)

    def _removal(self, shape: Shape, row: Row, found: Found | None) -> Receipt:
        """SAP CRM deletes no document by a service: it is put into the status that says it is cancelled."""
        if found is None or str(found.get(STATUS) or "") == self._removed:
            return Receipt(key=row.key, outcome="unchanged")
        id = str(found[shape.elements.get("id", "ID")])
        self._changed(shape, id, {STATUS: self._removed})
        return self._receipt(shape, row, "removed", id)

    # --- calls ----------------------------------------

    def _created(self, shape: Shape, row: Row, said: Found) -> str:
        key = shape.elements["key"]
        body = {**said, key: stored_key(row.key)}
        message_id = uuid.uuid5(OURS, f"{shape.object}|{key}|{row.key}")
        answer = self._services.called(shape, "create", message_id, **{shape.object: body})
        made = answer.get(shape.object) or {}
        id = made.get(shape.elements.get("id", "ID")) if isinstance(made, dict) else None
        if not id:
            raise UnknownOutcome(f"{WHO} confirms a creation without the document's id")
        return str(id)

    def _changed(self, shape: Shape, id: str, differs: Found) -> None:
        self._services.called(
            shape, "change", uuid.uuid4(), **{shape.object: {shape.elements.get("id", "ID"): id, **differs}}
        )

    # --- values ----------------------------------------

    def _said(self, shape: Shape, fields: Mapping[str, Field], row: Row) -> Found:
        """The row's fields as elements; what SAP keeps in repeated elements is put there."""
        said: Found = {}
        for name, value in row.fields.items():
            if name in ("id", shape.elements.get("id"), shape.elements.get("key")) or value is None:
                continue
            if name in shape.parts:
                part = shape.parts[name]
                told = _text(name, value, fields[name].max_length if name in fields else None)
                said.setdefault(part.element, []).append({part.kind: part.code, part.field: told})
            elif name in fields and fields[name].writable:
                said[name] = _value(fields[name], value)
            else:
                problem = f'{shape.object} has no field "{name}" that can be written{nearest(name, fields)}'
                raise Rejected(problem, {name: problem})
        return said

    def _receipt(self, shape: Shape, row: Row, outcome: Outcome, id: str) -> Receipt:
        return Receipt(key=row.key, outcome=outcome, id=id, url=self._link(shape.object, id))


def _same(found: Found, name: str, ours: Any) -> bool:
    stored = found.get(name)
    if isinstance(ours, list):
        return all(any(all(row.get(k) == v for k, v in part.items()) for row in stored or ()) for part in ours)
    if isinstance(ours, dt.datetime) and isinstance(stored, dt.datetime):
        return (stored if stored.tzinfo else stored.replace(tzinfo=dt.UTC)) == ours
    return stored == ours or (stored in (None, "") and ours in (None, ""))


def _value(field: Field, value: Any) -> Any:
    """A value as zeep writes it. Raises Rejected, which names the field."""
    try:
        match field.type:
            case "datetime":
                at = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
                return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).replace(microsecond=0)
            case "date":
                return dt.date.fromisoformat(str(value)[:10])
            case "boolean":
                return value if isinstance(value, bool) else _WORDS[str(value).lower()]
            case "integer":
                return int(str(value))
            case "decimal":
                return Decimal(str(value))
    except (ValueError, KeyError, InvalidOperation, OverflowError):
        raise _wrong(field.name, f"no {field.type}") from None
    text = _text(field.name, value, field.max_length)
    if field.picklist and text not in field.picklist:
        raise _wrong(field.name, f"it takes: {', '.join(field.picklist)}")
    return text


def _text(name: str, value: Any, longest: int | None) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if NOT_XML.search(text):
        raise _wrong(name, "a character that XML does not hold")
    if longest is not None and len(text) > longest:
        raise _wrong(name, f"{len(text)} characters, {longest} are taken")
    return text


def _wrong(name: str, problem: str) -> Rejected:
    return Rejected(f"{name}: {problem}", {name: problem})
