"""Marketing lists: `list: listmember` with `where: { list: <name or id> }` pulls a list's people, whatever they are.

A static list is joined by FetchXML through `listmember`; a dynamic one is its own FetchXML with our columns, order
and pages. Pages go by the paging cookie, which comes encoded twice ("Page results using FetchXML"); without one only
50,000 rows can be reached. Which people changed since: by `modifiedon`; who left a dynamic list is told as removed.

A static list keeps no trace of whom was taken off (change tracking of `listmember` would tell the id of a membership that
is gone, and not whose it was), so it is read whole each time, 5,000 a call, and has no watermark: the hub takes off whom it
no longer sees. With the setting `whole_lists` off only those come who changed or were put on it since.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from msgspec import Struct
from msgspec.structs import replace

from connectors.crm.dynamics.api import Api, literal, query
from connectors.crm.dynamics.fields import description, guid_in
from connectors.crm.dynamics.pages import MOST, Puller, cursor_of, since, wire_moment
from connectors.crm.dynamics.tables import Table, Tables
from hub.errors import Ambiguous, ConnectorError, NotFound, Rejected
from hub.model import Description, Field, Page, Query

OBJECT = "listmember"
KINDS: Mapping[int, str] = {1: "account", 2: "contact", 4: "lead"}  # list.createdfromcode
COOKIE = "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
MORE = "@Microsoft.Dynamics.CRM.morerecords"
ALIAS = "patchbay_member"
LONGEST_NAME = 128
CHECKED_AT_ONCE = 200
_OF_A_ROW = {"id": "The person's id", "object": "Kind of person", "list": "Marketing list"}
_COOKIE = re.compile(r'pagingcookie="([^"]*)"')


class MarketingList(Struct, frozen=True, kw_only=True):
    """One list. `fetch` is a dynamic list's own query."""

    id: str
    name: str
    kind: str
    fetch: str = ""


def members_described(tables: Tables) -> Description:
    """The table with what a row of a pull may hold beside: the columns of every kind of people, which are written there."""
    table = description(tables.asked(OBJECT))
    added = [Field(name=name, label=label) for name, label in _OF_A_ROW.items()]
    added += [field for kind in KINDS.values() for field in description(tables.asked(kind)).fields]
    read_only = {field.name: replace(field, writable=False, required=False, unique=False) for field in added}
    return replace(table, fields=tuple({**read_only, **{field.name: field for field in table.fields}}.values()))


class Lists:
    """Pulls marketing lists."""

    def __init__(self, api: Api, tables: Tables, puller: Puller, now: Any, whole: bool) -> None:
        self._api, self._tables, self._puller, self._now, self._whole = api, tables, puller, now, whole

    def pages(self, asked: Query) -> Iterator[Page]:
        """The people of the list that `where` names."""
        strange = set(asked.where) - {"list"}
        if strange or not asked.where.get("list"):
            raise Rejected("a marketing list is named by where: { list: <its name or id> }")
        place = cursor_of(asked.cursor)
        chosen = self._list(str(place.get("list") or asked.where["list"]))
        table = self._tables.known(chosen.kind)
        began = str(place.get("began") or since(self._now()))
        if place.get("path") is None:
            yield from self._members(
                chosen, table, asked, int(place.get("page", 1)), str(place.get("cookie", "")), began
            )
        if asked.watermark and chosen.fetch:
            yield from self._left(chosen, table, asked, place.get("path"), began)

    def _list(self, named: str) -> MarketingList:
        if len(named) > LONGEST_NAME:
            raise NotFound("there is no marketing list of such a name")
        condition = f"listid eq {guid_in(named)}" if guid_in(named) else f"listname eq {literal(named)}"
        found = self._api.get("lists?" + query(select="listname,type,createdfromcode,query", filter=condition))["value"]
        if len(found) != 1:
            what = (
                f"{len(found)} marketing lists have this name; say its id"
                if found
                else "there is no such marketing list"
            )
            raise (Ambiguous if found else NotFound)(what)
        (one,) = found
        if one.get("createdfromcode") not in KINDS:
            raise Rejected("the marketing list is of no kind that this connector knows: accounts, contacts or leads")
        fetch = str(one.get("query") or "") if one.get("type") else ""
        return MarketingList(id=one["listid"], name=one["listname"], kind=KINDS[one["createdfromcode"]], fetch=fetch)

    # --- who is on it ----------------------------------------

    def _members(
        self, chosen: MarketingList, table: Table, asked: Query, page: int, cookie: str, began: str
    ) -> Iterator[Page]:
        two_steps = bool(asked.watermark and chosen.fetch)
        whole = self._whole and not chosen.fetch
        while True:
            entity = self._entity(chosen, table, None if whole else asked.watermark)
            told = self._fetched(table, _fetch(entity, min(asked.size, MOST), page, cookie))
            rows = [
                {**self._puller.row(table, row), "object": table.name, "list": chosen.name} for row in told["value"]
            ]
            more = bool(told.get(MORE))
            page, cookie = page + 1, _cookie(str(told.get(COOKIE, "")))
            following: dict[str, Any] = {"page": page, "cookie": cookie, "list": chosen.id, "began": began}
            if not more and two_steps:
                following = {"path": "", "list": chosen.id, "began": began}
            ends = not more and not two_steps
            yield Page(rows=rows, cursor=None if ends else json.dumps(following),
                       watermark=began if ends and not whole else None)  # fmt: skip
            if not more:
                return

    def _entity(self, chosen: MarketingList, table: Table, watermark: str | None) -> ET.Element:
        """The `<entity>` of the list's people, with our columns."""
        changed = wire_moment(watermark) if watermark else ""
        if chosen.fetch:
            entity = _own_query(chosen.fetch, table)
            if changed:
                entity.append(_filter(("modifiedon", "ge", changed, "")))
        else:
            entity = ET.Element("entity", name=table.name)
            joined = {"name": OBJECT, "from": "entityid", "to": table.id, "link-type": "inner", "alias": ALIAS}
            link = ET.SubElement(entity, "link-entity", joined)
            link.append(_filter(("listid", "eq", chosen.id, "")))
            if changed:
                either = _filter(("modifiedon", "ge", changed, ""), ("createdon", "ge", changed, ALIAS))
                either.set("type", "or")
                entity.append(either)
        columns = self._puller.select(table)
        for name in [table.id, *columns] if columns else []:
            ET.SubElement(entity, "attribute", name=name)
        if not columns:
            ET.SubElement(entity, "all-attributes")
        ET.SubElement(entity, "order", attribute=table.id)
        return entity

    # --- who has left it ----------------------------------------

    def _left(self, chosen: MarketingList, table: Table, asked: Query, path: str | None, began: str) -> Iterator[Page]:
        """People who changed and whom a dynamic list's query finds no more, page by page."""
        condition = f"modifiedon ge {wire_moment(asked.watermark)}"
        path = path or f"{table.set}?" + query(select=table.id, filter=condition, orderby=table.id)
        while path:
            told = self._api.get(path, f"odata.maxpagesize={min(asked.size, MOST)}")
            ids = [str(row[table.id]) for row in told["value"]]
            on = {
                id
                for at in range(0, len(ids), CHECKED_AT_ONCE)
                for id in self._on(chosen, table, ids[at : at + CHECKED_AT_ONCE])
            }
            path = self._api.rest_of(told) or ""
            following = {"path": path, "list": chosen.id, "began": began}
            yield Page(rows=[], removed=[id for id in ids if id not in on], cursor=json.dumps(following) if path else None,
                       watermark=None if path else began)  # fmt: skip

    def _on(self, chosen: MarketingList, table: Table, ids: Sequence[str]) -> list[str]:
        entity = _own_query(chosen.fetch, table)
        ET.SubElement(entity, "attribute", name=table.id)
        among = ET.SubElement(ET.SubElement(entity, "filter"), "condition", attribute=table.id, operator="in")
        for id in ids:
            ET.SubElement(among, "value").text = id
        return [str(row[table.id]) for row in self._fetched(table, _fetch(entity, MOST, 1, ""))["value"]]

    def _fetched(self, table: Table, fetch: str) -> dict[str, Any]:
        """In a batch, where an address may be 64 KB long."""
        (told,) = self._api.read([f"{table.set}?fetchXml={quote(fetch, safe='')}"])
        if isinstance(told, ConnectorError):
            raise told
        return told


def _own_query(fetch: str, table: Table) -> ET.Element:
    """The `<entity>` of a dynamic list's query without its columns and order."""
    try:
        entity = ET.fromstring(fetch).find("entity")  # noqa: S314  (an administrator's query; expat expands no outer entity)
    except ET.ParseError:
        entity = None
    if entity is None or entity.get("name") != table.name:
        raise Rejected("the dynamic list's query is no FetchXML on its own kind of people")
    for child in [*entity.findall("attribute"), *entity.findall("all-attributes"), *entity.findall("order")]:
        entity.remove(child)
    return entity


def _filter(*conditions: tuple[str, str, str, str]) -> ET.Element:
    whole = ET.Element("filter")
    for attribute, operator, value, entity in conditions:
        told = {"attribute": attribute, "operator": operator, "value": value}
        ET.SubElement(whole, "condition", {**told, **({"entityname": entity} if entity else {})})
    return whole


def _fetch(entity: ET.Element, size: int, page: int, cookie: str) -> str:
    paging = {"paging-cookie": cookie} if cookie else {}
    fetch = ET.Element("fetch", {"version": "1.0", "count": str(max(1, size)), "page": str(page), **paging})
    fetch.append(entity)
    return ET.tostring(fetch, encoding="unicode")


def _cookie(annotation: str) -> str:
    """The cookie within the cookie, decoded twice, as `<fetch paging-cookie>` wants it."""
    found = _COOKIE.search(annotation)
    return unquote(unquote(found.group(1))) if found else ""
