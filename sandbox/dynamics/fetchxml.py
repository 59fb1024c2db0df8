"""FetchXML: conditions, link-entities, order, pages with a cookie; the answer is flat rows, linked columns with their
alias."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from sandbox.dynamics.errors import QUERY, DataverseError, no_property
from sandbox.dynamics.filters import like, plain
from sandbox.dynamics.queries import FORMATTED, LOGICAL_NAME, MOST, Wish
from sandbox.dynamics.records import Records, Row, etag
from sandbox.dynamics.schema import TABLES, Column, Table

Joined = dict[str, Row]  # by alias; the root's is ""
COOKIE = "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
MORE = "@Microsoft.Dynamics.CRM.morerecords"
ANCIENT = 50_000  # rows that paging without a cookie reaches


def parsed(text: str) -> tuple[ET.Element, ET.Element, Table]:
    """(fetch, entity, table). Raises DataverseError."""
    try:
        fetch = ET.fromstring(text)  # noqa: S314  (a stand-in on loopback)
    except ET.ParseError as error:
        raise DataverseError(400, "0x80041102", f"Invalid XML: {error}") from None
    entity = fetch.find("entity")
    if fetch.tag != "fetch" or entity is None or entity.get("name") not in TABLES:
        raise DataverseError(400, "0x80041102", "The fetch names no entity that exists.")
    return fetch, entity, TABLES[entity.get("name", "")]


def fetched(text: str, records: Records, wish: Wish, set_: str, root: str) -> dict[str, Any]:
    """What `GET set?fetchXml=` answers."""
    fetch, entity, table = parsed(text)
    if table.set != set_:
        raise DataverseError(400, QUERY, f"The entity {table.name} is not of the set {set_}.")
    found = [{"": row} for row in records.rows[table.name].values()]
    found = _narrowed(entity, table, "", found, records)
    found.sort(key=lambda joined: joined[""][table.id])
    for order in reversed(entity.findall("order")):
        name = order.get("attribute", "")
        found.sort(key=_place(name), reverse=order.get("descending") == "true")
    if fetch.get("distinct") == "true":
        found = list({joined[""][table.id]: joined for joined in found}.values())
    size = min(int(fetch.get("count") or fetch.get("top") or MOST), MOST)
    page = int(fetch.get("page") or 1)
    start = (page - 1) * size
    if page > 1 and fetch.get("paging-cookie"):
        last = _last(fetch.get("paging-cookie", ""))
        start = next((n for n, joined in enumerate(found) if joined[""][table.id] == last), start - 1) + 1
    elif start >= ANCIENT:
        raise DataverseError(
            400, "0x8004e024", "Paging cookie is required when trying to retrieve a set of records on any high pages."
        )
    rows = found[start : start + size]
    told: dict[str, Any] = {"@odata.context": f"{root}$metadata#{set_}"}
    more = len(found) > start + size and not fetch.get("top")
    if rows and more:
        told[COOKIE] = _cookie(table, page, rows)
    told[MORE] = more
    if fetch.get("returntotalrecordcount") == "true":
        told["@Microsoft.Dynamics.CRM.totalrecordcount"] = min(len(found), MOST)
    told["value"] = [_shown(entity, table, joined, wish) for joined in rows]
    return told


def _place(name: str) -> Callable[[Joined], tuple[bool, Any]]:
    return lambda joined: (joined[""].get(name) is not None, plain(joined[""].get(name)) or 0)


def _cookie(table: Table, page: int, rows: list[Joined]) -> str:
    first, last = rows[0][""][table.id], rows[-1][""][table.id]
    raw = f'<cookie page="{page}"><{table.id} last="{{{last.upper()}}}" first="{{{first.upper()}}}" /></cookie>'
    twice = quoteattr(quote(quote(raw, safe=""), safe=""))
    return f'<cookie pagenumber="{page + 1}" pagingcookie={twice} istracking="False" />'


def _last(cookie: str) -> str:
    found = re.search(r'last="\{([0-9a-fA-F-]+)\}"', cookie)
    if not found:
        raise DataverseError(400, "0x80041129", "Malformed XML in the Paging Cookie")
    return found.group(1).lower()


def _narrowed(node: ET.Element, table: Table, alias: str, found: list[Joined], records: Records) -> list[Joined]:
    for link in node.findall("link-entity"):
        found = _joined(link, table, alias, found, records)
    for filter in node.findall("filter"):
        found = [joined for joined in found if _holds(filter, table, alias, joined)]
    return found


def _joined(link: ET.Element, table: Table, alias: str, found: list[Joined], records: Records) -> list[Joined]:
    other = TABLES.get(link.get("name", ""))
    if other is None:
        raise DataverseError(400, "0x80041102", f"The entity with a name = '{link.get('name')}' was not found.")
    theirs, ours = _known(other, link.get("from", "")), _known(table, link.get("to", ""))
    name = link.get("alias") or f"{other.name}1"
    by_value: dict[Any, list[Row]] = {}
    for row in records.rows[other.name].values():
        by_value.setdefault(plain(row.get(theirs)), []).append(row)
    out = []
    for joined in found:
        value = plain(joined[alias].get(ours)) if joined.get(alias) else None
        matches = [{**joined, name: row} for row in by_value.get(value, ())] if value is not None else []
        matches = _narrowed(link, other, name, matches, records)
        out += matches or ([{**joined, name: {}}] if link.get("link-type") == "outer" else [])
    return out


def _known(table: Table, name: str) -> str:
    if name not in table.columns:
        raise no_property(name, table.name)
    return name


def _holds(filter: ET.Element, table: Table, alias: str, joined: Joined) -> bool:
    tests = [_holds(inner, table, alias, joined) if inner.tag == "filter" else _condition(inner, table, alias, joined)
             for inner in filter]  # fmt: skip
    return any(tests) if filter.get("type") == "or" else all(tests)


def _condition(node: ET.Element, table: Table, alias: str, joined: Joined) -> bool:
    place = node.get("entityname", alias)
    name = node.get("attribute", "")
    row = joined.get(place)
    if row is None:
        raise DataverseError(400, "0x80041102", f"The link-entity {place} is not there.")
    if place == alias:
        _known(table, name)
    held = plain(row.get(name))
    word = node.get("operator", "")
    if word in ("null", "not-null"):
        return (held is None) == (word == "null")
    if word in ("in", "not-in"):
        values = {_typed(held, value.text or "") for value in node.findall("value")}
        return held is not None and bool(held in values) == (word == "in")
    value = node.get("value", "")
    if word in ("like", "not-like", "begins-with", "ends-with"):
        pattern = {"begins-with": f"{value}%", "ends-with": f"%{value}"}.get(word, value)
        return held is not None and bool(like(pattern).fullmatch(str(held))) == (word != "not-like")
    wanted = _typed(held, value)
    if word in ("eq", "ne", "neq"):
        return bool(held == wanted) == (word == "eq")
    if held is None:
        return False
    if isinstance(held, str) != isinstance(wanted, str):
        raise DataverseError(400, "0x80041102", f"The value of a condition on {name} is of another type.")
    tests = {"ge": held >= wanted, "on-or-after": held >= wanted, "gt": held > wanted, "le": held <= wanted,
             "on-or-before": held <= wanted, "lt": held < wanted}  # fmt: skip
    if word not in tests:
        raise DataverseError(400, "0x80041102", f"The condition operator '{word}' is not known.")
    return bool(tests[word])


def _typed(held: Any, text: str) -> Any:
    if isinstance(held, bool):
        return text in ("1", "true")
    if isinstance(held, int | float):
        return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text
    if isinstance(held, str) and re.match(r"\d{4}-\d\d-\d\dT", text):
        return text[:19].casefold() + "z"
    return text.strip("{}").casefold()


def _shown(entity: ET.Element, table: Table, joined: Joined, wish: Wish) -> dict[str, Any]:
    row = joined[""]
    told: dict[str, Any] = {"@odata.etag": etag(row)}
    names = [one.get("name", "") for one in entity.findall("attribute")]
    if entity.find("all-attributes") is not None or not names:
        names = [name for name, column in table.columns.items() if column.type != "PartyList"]
    for name in names:
        _put(told, "", table.columns[_known(table, name)], row, wish)
    told[table.id] = row[table.id]
    for link in entity.iter("link-entity"):
        other = TABLES[link.get("name", "")]
        alias = link.get("alias") or f"{other.name}1"
        for one in link.findall("attribute"):
            column = other.columns[_known(other, one.get("name", ""))]
            if joined.get(alias):
                _put(told, f"{alias}.", column, joined[alias], wish)
    return told


def _put(told: dict[str, Any], prefix: str, column: Column, row: Mapping[str, Any], wish: Wish) -> None:
    value = row.get(column.name)
    if not column.targets:
        told[prefix + column.name] = value
        if column.choices and value is not None and wish.wants(FORMATTED):
            told[prefix + column.name + FORMATTED] = column.choices[int(value)]
        return
    name = f"{prefix}{column.name}" if prefix else f"_{column.name}_value"
    told[name] = value and value[1]
    if value and wish.wants(LOGICAL_NAME):
        told[name + LOGICAL_NAME] = value[0]
