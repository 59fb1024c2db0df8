"""Pulls: any table with `where`, by pages of `@odata.nextLink`, and what changed since.

Three ways to know what changed. A table pulled whole whose change tracking is on: its delta link, which tells what
was deleted too. Anything else: `modifiedon`; a row that changed and no longer fits `where` is told as removed, a
deleted one is seen at the next full pull. A marketing list: see `marketing`.

A cursor is the path of the next page, so an interrupted pull goes on where it stopped. A delta link that has run out
(seven days by default) is answered with an error, which makes the next pull a full one.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connectors.crm.dynamics.api import ANNOTATIONS, Api, literal, query
from connectors.crm.dynamics.fields import TYPES, guid_in, number_of, value_of
from connectors.crm.dynamics.people import by_table
from connectors.crm.dynamics.tables import Column, Table, Tables
from hub.errors import NotFound, Rejected
from hub.model import Page, Query

MOST = 5000
LONGEST_VALUE = 1000
# Two clocks and a long transaction: what changed this long before a pull began is read again by the next one.
OVERLAP = dt.timedelta(minutes=5)
DELTA = "delta:"
Told = Mapping[str, Any]


class Puller:
    """Pulls tables."""

    def __init__(self, api: Api, tables: Tables, settings: Mapping[str, Any], now: Callable[[], dt.datetime]) -> None:
        self._api, self._tables, self._now = api, tables, now
        self._columns = by_table(settings["list_columns"] or ())
        self._track = bool(settings["track_changes"])

    def pages(self, asked: Query) -> Iterator[Page]:
        """The pages of a table."""
        table = self._tables.known(asked.object)
        place = cursor_of(asked.cursor)
        if asked.cursor is None and (asked.watermark or "").startswith(DELTA):
            yield from self._since_delta(table, asked)
        elif place.get("way") == "delta" or (
            not place and self._track and table.tracked and not asked.where and not asked.watermark
        ):
            yield from self._tracked(table, asked, place)
        else:
            yield from self._filtered(table, asked, place)

    # --- with change tracking ----------------------------------------

    def _tracked(self, table: Table, asked: Query, place: Told) -> Iterator[Page]:
        path = place.get("path") or _path(table, select=self._select(table))
        yield from self._followed(table, str(path), f"odata.track-changes,{_sized(asked)}")

    def _since_delta(self, table: Table, asked: Query) -> Iterator[Page]:
        path = self._api.inside(self._api.path + (asked.watermark or "").removeprefix(DELTA))
        prefer = _sized(asked)
        try:
            first = self._api.get(path, prefer)
        except (Rejected, NotFound):  # the token is too old; which code says so is not documented [K]
            yield Page(rows=[])  # without a watermark: a full pull comes next, and takes off what was deleted meanwhile
            return
        yield from self._followed(table, path, prefer, first)

    def _followed(self, table: Table, path: str, prefer: str, told: Told | None = None) -> Iterator[Page]:
        while True:
            told = told or self._api.get(path, prefer)
            gone = [str(one["id"]) for one in told["value"] if "reason" in one or "@removed" in one]
            rows = [self.row(table, one) for one in told["value"] if not ("reason" in one or "@removed" in one)]
            following = self._api.rest_of(told)
            if following is None:
                delta = self._api.rest_of(told, "@odata.deltaLink")
                yield Page(rows=rows, removed=gone, watermark=DELTA + delta if delta else since(self._now()))
                return
            yield Page(rows=rows, removed=gone, cursor=json.dumps({"way": "delta", "path": following}))
            path, told = following, None

    # --- by modifiedon ----------------------------------------

    def _filtered(self, table: Table, asked: Query, place: Told) -> Iterator[Page]:
        """What fits `where`; with a watermark what of it changed, and then what changed and does not fit."""
        began = str(place.get("began") or since(self._now()))
        changed = (
            f"modifiedon ge {wire_moment(asked.watermark)}" if asked.watermark and "modifiedon" in table.columns else ""
        )
        fits, unfit = _conditions(table, asked.where)
        phases = [_path(table, select=self._select(table), filter=_both(changed, fits), orderby=table.id)]
        if changed and unfit:
            phases.append(_path(table, select=table.id, filter=_both(changed, unfit), orderby=table.id))
        phase, path = int(place.get("phase", 0)), str(place.get("path") or "")
        prefer = f"{ANNOTATIONS},{_sized(asked)}"
        while True:
            told = self._api.get(path or phases[phase], prefer)
            following, fit = self._api.rest_of(told), phase == 0
            if following is None and phase + 1 < len(phases):
                phase, following = phase + 1, phases[phase + 1]
            whole = {"phase": phase, "path": following, "began": began}
            yield Page(
                rows=[self.row(table, row) for row in told["value"]] if fit else [],
                removed=[] if fit else [str(row[table.id]) for row in told["value"]],
                cursor=json.dumps(whole) if following else None,
                watermark=None if following else began,
            )
            if following is None:
                return
            path = following

    # --- rows ----------------------------------------

    def select(self, table: Table) -> list[str]:
        """The columns of a pull: those of the setting list_columns, or all."""
        named = self._columns.get(table.name)
        return [name for name in named if table.column(name)] if named else []

    def _select(self, table: Table) -> str:
        named = self.select(table)
        return (
            ",".join([table.id, *(f"_{name}_value" if table.columns[name].is_reference else name for name in named)])
            if named
            else ""
        )

    def row(self, table: Table, told: Told) -> dict[str, Any]:
        """A row with its text `id`, the columns by their names; what is empty is left out."""
        row: dict[str, Any] = {"id": str(told[table.id])}
        for name, column in table.columns.items():
            if column.type in TYPES and column.type != "PartyList" and not column.primary:
                value = value_of(table, name, told)
                if value is not None:
                    row[name] = value
        return row


def _path(table: Table, **options: str) -> str:
    asked = query(**options)
    return f"{table.set}?{asked}" if asked else table.set


def _sized(asked: Query) -> str:
    return f"odata.maxpagesize={max(1, min(asked.size, MOST))}"


def _both(*conditions: str) -> str:
    return " and ".join(f"({one})" for one in conditions if one)


def _conditions(table: Table, where: Mapping[str, Any]) -> tuple[str, str]:
    """(what fits, what does not): a comparison with nothing holds for neither, so empty columns are named in the second."""
    fits, unfit = [], []
    for name, value in where.items():
        column = table.column(name)
        field = f"_{name}_value" if column.is_reference else name
        values = [_literal(column, one) for one in (value if isinstance(value, list | tuple) else [value])]
        if not values:
            raise Rejected(f"where: {name} needs a value")
        fits.append(" or ".join(f"{field} eq {one}" for one in values))
        others = " and ".join(f"{field} ne {one}" for one in values)
        unfit.append(others if "null" in values else f"({others}) or {field} eq null")
    return _both(*fits), " or ".join(f"({one})" for one in unfit)


def _literal(column: Column, value: Any) -> str:
    if value is None:
        return "null"
    if len(str(value)) > LONGEST_VALUE:
        raise Rejected(f"where: the value of {column.name} is too long")
    if column.is_reference or column.type == "Uniqueidentifier":
        id = guid_in(str(value).rpartition("/")[2])
        if id is None:
            raise Rejected(f"where: {column.name} is compared with a record's id")
        return id
    if column.choices:
        return str(number_of(column, value))
    kind = TYPES.get(column.type, "")
    if kind == "boolean":
        if str(value).lower() not in ("true", "false"):
            raise Rejected(f"where: {column.name} is true or false")
        return str(value).lower()
    if kind in ("integer", "decimal"):
        try:
            return repr(float(value)) if kind == "decimal" else str(int(value))
        except (TypeError, ValueError):
            raise Rejected(f"where: {column.name} is compared with a number") from None
    if kind == "datetime":
        return wire_moment(str(value))
    return literal(str(value))


def since(moment: dt.datetime) -> str:
    """The watermark of a pull that begins now."""
    return (moment - OVERLAP).isoformat(timespec="seconds")


def wire_moment(text: str | None) -> str:
    """A moment in a condition, in UTC. Raises Rejected where it is none."""
    try:
        moment = dt.datetime.fromisoformat(text or "")
    except ValueError:
        raise Rejected("that is no watermark or moment of this connector") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cursor_of(text: str | None) -> dict[str, Any]:
    """Where an interrupted pull goes on. Raises Rejected."""
    if text is None:
        return {}
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Rejected("that is no cursor of this connector")
    return told
