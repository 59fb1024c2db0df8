"""Rows as JSON, and collections: `$select`, `$filter`, `$orderby`, `$expand`, `$top`, `$count`, pages and changes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import quoteattr

from msgspec import Struct

from sandbox.dynamics.errors import INVALID_ARGUMENT, QUERY, DataverseError
from sandbox.dynamics.filters import column_of, compiled, plain
from sandbox.dynamics.records import Records, Row, etag
from sandbox.dynamics.schema import TABLES, Table

MOST = 5000
FORMATTED = "@OData.Community.Display.V1.FormattedValue"
LOGICAL_NAME = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_EXPAND = re.compile(r"(\w+)(?:\(([^()]*(?:\([^()]*\)[^()]*)*)\))?,?")
_COOKIE = re.compile(r'pagingcookie="([^"]*)"')


class Wish(Struct, frozen=True, kw_only=True):
    """What the headers of a request ask of its answer."""

    annotations: str = ""
    page_size: int = 0
    track: bool = False
    representation: bool = False
    continue_on_error: bool = False

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Wish:
        prefer = headers.get("prefer", "")
        annotations = re.search(r'odata\.include-annotations="?([^";]*)"?', prefer)
        size = re.search(r"odata\.maxpagesize=(\d+)", prefer)
        return cls(
            annotations=annotations.group(1) if annotations else "",
            page_size=min(int(size.group(1)), MOST) if size else 0,
            track="odata.track-changes" in prefer,
            representation="return=representation" in prefer,
            continue_on_error="odata.continue-on-error" in prefer,
        )

    def wants(self, annotation: str) -> bool:
        """Whether an annotation is asked for."""
        return any(one.strip() == "*" or annotation.endswith(one.strip().strip("@")) or
                   (one.strip().endswith("*") and annotation.lstrip("@").startswith(one.strip()[:-1]))
                   for one in self.annotations.split(",") if one.strip())  # fmt: skip


class Views:
    """Makes JSON of rows."""

    def __init__(self, records: Records, root: str) -> None:
        self._records, self._root = records, root

    def one(self, table: Table, row: Row, query: Mapping[str, str], wish: Wish) -> dict[str, Any]:
        """One row as a GET by id answers it."""
        told = self._row(table, row, _names(table, query), wish, query.get("$expand", ""))
        return {"@odata.context": self._context(table, "/$entity"), **told}

    def _row(self, table: Table, row: Row, names: Sequence[str] | None, wish: Wish, expand: str = "") -> dict[str, Any]:
        told: dict[str, Any] = {"@odata.etag": etag(row)}
        for name in names if names is not None else table.columns:
            column = table.columns[name]
            if column.type == "PartyList":
                continue
            value = row.get(name)
            if not column.targets:
                told[name] = value
                if column.choices and value is not None and wish.wants(FORMATTED):
                    told[name + FORMATTED] = column.choices[int(value)]
                continue
            told[f"_{name}_value"] = value and value[1]
            if value and wish.wants(LOGICAL_NAME):
                told[f"_{name}_value{LOGICAL_NAME}"] = value[0]
            if value and wish.wants(FORMATTED):
                told[f"_{name}_value{FORMATTED}"] = self._title(value)
        told[table.id] = row[table.id]
        for property, options in _EXPAND.findall(expand):
            told[property] = self._expanded(table, row, property, options, wish)
        return told

    def _expanded(self, table: Table, row: Row, property: str, options: str, wish: Wish) -> Any:
        inner = {name: value for name, _, value in (one.partition("=") for one in options.split(";"))}
        if property == f"{table.name}_activity_parties" and table.activity:
            kind = TABLES["activityparty"]
            return [self._row(kind, party, _names(kind, inner), wish) for party in self._records.parties(row[table.id])]
        column = next((name for (name, _), navigation in table.navigation.items() if navigation == property), None)
        if column is None:
            raise DataverseError(400, QUERY, f"Could not find a property named '{property}' on type "
                                 f"'Microsoft.Dynamics.CRM.{table.name}'.")  # fmt: skip
        value = row.get(column)
        if not value or (
            table.columns[column].type != "Owner" and table.navigation.get((column, value[0])) != property
        ):
            return None
        target = TABLES[value[0]]
        return self._row(target, self._records.rows[target.name][value[1]], _names(target, inner), wish)

    def _title(self, reference: tuple[str, str]) -> str:
        table = TABLES[reference[0]]
        return str(self._records.rows[table.name].get(reference[1], {}).get(table.title) or "")

    def _context(self, table: Table, rest: str = "") -> str:
        return f"{self._root}$metadata#{table.set}{rest}"

    # --- collections ----------------------------------------

    def many(
        self, table: Table, query: Mapping[str, str], wish: Wish, among: Sequence[Row] | None = None, path: str = ""
    ) -> dict[str, Any]:
        """A collection as a GET answers it; `among` are the rows where it is not the whole table."""
        if "$skip" in query:
            raise DataverseError(400, QUERY, "Skip Clause is not supported in CRM")
        if "$deltatoken" in query and "$skiptoken" not in query:
            return self._changes(table, query, wish)
        names = _names(table, query)
        tracking = wish.track or "$deltatoken" in query
        if wish.track and (not table.tracked or {"$filter", "$orderby", "$expand", "$top"} & set(query)):
            why = "is not enabled for change tracking" if not table.tracked else "does not support these query options"
            raise DataverseError(400, INVALID_ARGUMENT, f"Entity {table.name} {why} with odata.track-changes.")
        rows = list(self._records.rows[table.name].values() if among is None else among)
        if "$filter" in query:
            test = compiled(query["$filter"], table, self._records.me)
            rows = [row for row in rows if test(row)]
        rows = _ordered(table, rows, query.get("$orderby", ""))
        told: dict[str, Any] = {"@odata.context": self._context(table)}
        if query.get("$count") == "true":
            told["@odata.count"] = min(len(rows), MOST)
        size = wish.page_size or MOST
        page, last, version = 1, "", self._records.version
        if "$skiptoken" in query:
            page, last, version = _opened(query["$skiptoken"], table)
            place = next((n for n, row in enumerate(rows) if row[table.id] == last), (page - 1) * size - 1)
            rows = rows[place + 1 :]
        if "$top" in query:
            rows, size = rows[: int(query["$top"])], MOST
        told["value"] = [self._row(table, row, names, wish, query.get("$expand", "")) for row in rows[:size]]
        rest = {name: value for name, value in query.items() if name not in ("$skiptoken", "$deltatoken")}
        if len(rows) > size:
            token = _sealed(table, page + 1, rows[size - 1][table.id], version, tracking)
            more = {"$deltatoken": str(version)} if tracking else {}
            told["@odata.nextLink"] = self._link(path or table.set, {**rest, **more, "$skiptoken": token})
        elif tracking:
            told["@odata.deltaLink"] = self._delta_link(table, rest, version)
        return told

    def _changes(self, table: Table, query: Mapping[str, str], wish: Wish) -> dict[str, Any]:
        token = query["$deltatoken"].partition("!")[0]
        if not token.isdecimal():
            raise DataverseError(400, INVALID_ARGUMENT, "The delta token is not valid.")
        rows, gone = self._records.changed_since(table, int(token))
        names = _names(table, query)
        value: list[dict[str, Any]] = [self._row(table, row, names, wish) for row in rows]
        value += [
            {"@odata.context": self._context(table, "/$deletedEntity"), "id": id, "reason": "deleted"} for id in gone
        ]
        rest = {name: value for name, value in query.items() if name != "$deltatoken"}
        return {"@odata.context": self._context(table, "/$delta"),
                "@odata.deltaLink": self._delta_link(table, rest, self._records.version), "value": value}  # fmt: skip

    def _delta_link(self, table: Table, query: Mapping[str, str], version: int) -> str:
        return self._link(table.set, {**query, "$deltatoken": f"{version}!11/26/2026 08:10:44"})

    def _link(self, path: str, query: Mapping[str, str]) -> str:
        return f"{self._root}{path}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())


def _names(table: Table, query: Mapping[str, str]) -> list[str] | None:
    """The columns that `$select` names."""
    if not query.get("$select"):
        return None
    return [column_of(table, name.strip()) for name in query["$select"].split(",")]


def _ordered(table: Table, rows: list[Row], order: str) -> list[Row]:
    rows.sort(key=lambda row: row[table.id])
    for part in reversed([part.split() for part in order.split(",") if part.strip()]):
        column = column_of(table, part[0])
        rows.sort(key=_place(column), reverse=part[-1] == "desc")
    return rows


def _place(column: str) -> Callable[[Row], tuple[bool, Any]]:
    return lambda row: (row.get(column) is not None, plain(row.get(column)) if row.get(column) is not None else 0)


def _sealed(table: Table, page: int, last: str, version: int, tracking: bool) -> str:
    """A skip token: a cookie in a cookie, encoded twice, with a seal so that one that was tampered with is known."""
    inner = json.dumps([last, version])
    seal = hashlib.sha256(f"{table.name}{page}{inner}".encode()).hexdigest()[:16]
    raw = f'<cookie page="1" seal="{seal}"><{table.id} last={quoteattr(inner)} /></cookie>'
    cookie = quote(quote(raw, safe=""), safe="")
    return f'<cookie pagenumber="{page}" pagingcookie="{cookie}" istracking="{tracking}" />'


def _opened(token: str, table: Table) -> tuple[int, str, int]:
    bad = DataverseError(400, "0x8004bc02", "The paging cookie is not valid.")
    found, page = _COOKIE.search(token), re.search(r'pagenumber="(\d+)"', token)
    if not found or not page:
        raise bad
    raw = unquote(unquote(found.group(1)))
    seal, inner = re.search(r'seal="(\w+)"', raw), re.search(r"last=(?:'([^']*)'|\"([^\"]*)\")", raw)
    if not seal or not inner:
        raise bad
    text = (inner.group(1) or inner.group(2)).replace("&quot;", '"')
    if hashlib.sha256(f"{table.name}{page.group(1)}{text}".encode()).hexdigest()[:16] != seal.group(1):
        raise bad
    last, version = json.loads(text)
    return int(page.group(1)), last, version
