"""Contacts, accounts, leads, activities and service requests: InsertOrUpdate by a user key, twenty in one request.

A request with one wrong record is refused whole, and says not which it was, so it is found by halves. Calls for 200 rows:
10, and some five more for each refused row.

Source: Oracle, Web Services On Demand Guide (E99788), "InsertOrUpdate" (v1.0) and "Batch Processing". The answer tells no
created from updated; where its two dates are the same second, the record is taken for new.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from connectors.crm.oracle_ondemand.batches import each
from connectors.crm.oracle_ondemand.errors import WHO
from connectors.crm.oracle_ondemand.objects import CREATED, MODIFIED, RecordType
from connectors.crm.oracle_ondemand.searchspec import bare, either, equals, portions
from connectors.crm.oracle_ondemand.services import Services, listed
from hub.errors import ConnectorError, NotFound, UnknownOutcome
from hub.model import Receipt, Row, Target

PER_BATCH = 20
Values = dict[str, Any]


class Upserts:
    """Writes records by a user key and gives one receipt per row."""

    def __init__(self, services: Services, link: Callable[[str, str], str]) -> None:
        self._services, self._link = services, link

    def written(self, kind: RecordType, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row, in order; no key twice among them."""
        key = "Id" if target.key == "id" else target.key
        upserts = {
            place: {**_values(row), key: _key(target, row)} for place, row in enumerate(rows) if row.action == "upsert"
        }
        removes = [place for place, row in enumerate(rows) if row.action == "remove"]
        # The first record of a batch says by which user key the others are found, so all must name the same one: they do.
        operation = "Update" if key == "Id" else "InsertOrUpdate"
        done = dict(zip(upserts, each(lambda some: self._sent(kind, operation, some), list(upserts.values()), PER_BATCH),
                        strict=True))  # fmt: skip
        gone = self._removed(kind, key, {place: _key(target, rows[place]) for place in removes})
        return [
            self._receipt(kind, row, done.get(place), gone.get(place), may_be_new=operation != "Update")
            for place, row in enumerate(rows)
        ]

    def _sent(self, kind: RecordType, operation: str, rows: list[Values]) -> list[Values]:
        service = f"{kind.name}-1.0" if operation == "InsertOrUpdate" else kind.name
        told = self._services.call(
            service, f"{kind.name}{operation}", changes=True, **{f"ListOf{kind.name}": {kind.name: rows}}
        )
        answers = listed(told, kind.name)
        if len(answers) != len(rows):
            raise UnknownOutcome(f"{WHO} answers {len(answers)} records for {len(rows)}")
        return answers

    def _removed(self, kind: RecordType, key: str, keys: dict[int, str]) -> dict[int, str | ConnectorError]:
        """By place the id of the record that was deleted, empty where there was none."""
        there: dict[str, str] = {}
        clauses = [(value, equals(key, value)) for value in dict.fromkeys(keys.values())]
        for portion in portions(clauses):
            spec = bare(either(clause for _, clause in portion))
            reads = () if key == "Id" else (key,)
            there |= {str(one[key]): str(one["Id"]) for one in self._services.records(kind.name, spec, reads)}
        doomed = {place: there[value] for place, value in keys.items() if value in there}

        def delete(ids: list[str]) -> list[str]:
            gone = {f"ListOf{kind.name}": {kind.name: [{"Id": id} for id in ids]}}
            self._services.call(kind.name, f"{kind.name}Delete", changes=True, **gone)
            return ids

        outcomes = zip(doomed, each(delete, list(doomed.values()), PER_BATCH), strict=True)
        return {**dict.fromkeys(keys, ""), **dict(outcomes)}

    def _receipt(
        self,
        kind: RecordType,
        row: Row,
        done: Values | ConnectorError | None,
        gone: str | ConnectorError | None,
        *,
        may_be_new: bool,
    ) -> Receipt:
        if isinstance(gone, NotFound):
            gone = ""
        if isinstance(done, ConnectorError) or isinstance(gone, ConnectorError):
            return Receipt(key=row.key, outcome="failed", error=done if isinstance(done, ConnectorError) else gone)  # type: ignore[arg-type]
        if done is None:
            return Receipt(key=row.key, outcome="removed" if gone else "unchanged", id=gone or "")
        id = str(done.get("Id") or "")
        new = may_be_new and bool(done.get(CREATED)) and done.get(CREATED) == done.get(MODIFIED)
        return Receipt(key=row.key, outcome="created" if new else "updated", id=id, url=self._link(kind.name, id))


def _values(row: Row) -> Values:
    return {name: _plain(value) for name, value in row.fields.items() if name not in ("id", "Id")}


def _plain(value: Any) -> Any:
    """A value as the WSDL takes it: a date as text is read by zeep's own types."""
    if isinstance(value, bool):
        return value
    return value if value is None or isinstance(value, dt.datetime | dt.date) else str(value)


def _key(target: Target, row: Row) -> str:
    return str(row.fields.get("id") or row.key) if target.key == "id" else row.key
