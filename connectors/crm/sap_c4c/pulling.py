"""Lists, page by page: any collection, and the members of a target group with what is known of the people.

Pages go by ObjectID (`ge`, which C4C's filters take), so a record that comes or goes meanwhile moves nothing; with the
setting `server_paging` by C4C's own `$skiptoken`. C4C gives 1000 rows at most. What changed is asked for by
`EntityLastChangedOn`; a record that was deleted leaves no trace there, so a list with deletions needs a full pull now and
then (`full_every`).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.crm.sap_c4c.catalog import Catalog
from connectors.crm.sap_c4c.edm import OBJECT_ID, Property
from connectors.crm.sap_c4c.finding import AT_ONCE, any_of
from connectors.crm.sap_c4c.objects import CONTACT, MEMBER, OWN_IDS, Objects
from connectors.crm.sap_c4c.odata import Found, Service, literal, rows_of
from connectors.crm.sap_c4c.values import fields_of
from connectors.wire.by_id import OVERLAP, many
from hub.errors import Rejected, nearest
from hub.model import Page, Query

MOST = 1000  # rows that C4C gives at once
CHANGED = "EntityLastChangedOn"


class Puller:
    """Pulls lists."""

    def __init__(
        self, service: Service, catalog: Catalog, objects: Objects, now: Callable[[], dt.datetime], server_paging: bool
    ) -> None:
        self._service, self._catalog, self._objects, self._now = service, catalog, objects, now
        self._server_paging = server_paging

    def pages(self, query: Query) -> Iterator[Page]:
        """One page per call, and for a target group's members one call more for the people."""
        where = self._where(query)
        place = json.loads(query.cursor) if query.cursor else {}
        began = str(place.get("began") or self._now().isoformat())
        conditions = (
            [f"{CHANGED} ge {_moment(query.watermark)}"] if query.watermark else self._conditions(query.object, where)
        )
        size = max(1, min(query.size, MOST))
        while True:
            rows, place = self._page(query.object, conditions, size, place)
            # Compared here too: C4C reads `*` as a wildcard.
            stay, gone = [row for row in rows if _meets(row, where)], [row for row in rows if not _meets(row, where)]
            removed = [self._objects.id_of(query.object, row) for row in gone] if query.watermark else []
            told = self._told(query.object, stay)
            if not place:
                mark = (dt.datetime.fromisoformat(began) - OVERLAP).isoformat()
                yield Page(rows=told, removed=removed, watermark=mark)
                return
            place["began"] = began
            yield Page(rows=told, removed=removed, cursor=json.dumps(place))

    def _page(
        self, object: str, conditions: Sequence[str], size: int, place: Mapping[str, Any]
    ) -> tuple[list[Found], dict[str, Any]]:
        """A page and where the next one begins; nowhere after the last."""
        after = str(place.get("after") or "")
        asked = {"$orderby": OBJECT_ID}
        if self._server_paging:
            if place.get("skiptoken"):
                asked["$skiptoken"] = str(place["skiptoken"])
        else:
            conditions = [*conditions, *([f"{OBJECT_ID} ge {literal(after)}"] if after else [])]
            asked["$top"] = str(size + 1)  # one more than wanted tells whether there is more
            if size + 1 > MOST:
                asked["$top"] = str(MOST)
        if conditions:
            asked["$filter"] = " and ".join(conditions)
        answer = self._service.get(object, asked)
        rows = rows_of(answer)
        if self._server_paging:
            following = answer.get("__next") if isinstance(answer, dict) else None
            token = parse_qs(urlsplit(str(following)).query).get("$skiptoken") if following else None
            return rows, {"skiptoken": token[0]} if token else {}
        full = len(rows) >= int(asked["$top"])
        rows = [row for row in rows if row[OBJECT_ID] != after]
        if not full:
            return rows, {}
        rows = rows[:size]
        return rows, {"after": rows[-1][OBJECT_ID]} if rows else {}

    def _where(self, query: Query) -> dict[str, Any]:
        told = self._catalog.collection(query.object)
        strange = [name for name in query.where if name not in told.properties]
        if strange:
            problem = f'{query.object} has no field "{strange[0]}"{nearest(strange[0], told.properties)}'
            raise Rejected(problem, {strange[0]: problem})
        if query.watermark and CHANGED not in told.properties:
            raise Rejected(f"{query.object} has no {CHANGED}, so what changed cannot be asked for; pull it in full")
        return dict(query.where)

    def _conditions(self, object: str, where: Mapping[str, Any]) -> list[str]:
        """Each property with one value or any of a list."""
        properties = self._catalog.collection(object).properties
        return [
            "(" + " or ".join(f"{name} eq {_literal(properties[name], one)}" for one in many(value)) + ")"
            for name, value in where.items()
        ]

    def _told(self, object: str, rows: list[Found]) -> list[dict[str, Any]]:
        people = self._people(rows) if object == MEMBER else {}
        return [
            {**people.get(str(row.get(OWN_IDS[CONTACT])), {}), **fields_of(row), "id": self._objects.id_of(object, row)}
            for row in rows
        ]

    def _people(self, members: Sequence[Found]) -> dict[str, dict[str, Any]]:
        """The contacts of a target group's members, by their ids."""
        name = OWN_IDS[CONTACT]
        ids = list(dict.fromkeys(str(row[name]) for row in members if row.get(name)))
        chunks = [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
        queries = [(CONTACT, {"$filter": any_of(name, chunk)}) for chunk in chunks]
        found = self._service.lists(queries) if queries else []
        return {str(row.get(name)): fields_of(row) for rows in found for row in rows}


def _meets(row: Found, where: Mapping[str, Any]) -> bool:
    return all(_plain(row.get(name)) in map(_plain, many(value)) for name, value in where.items())


def _literal(property: Property, value: Any) -> str:
    bare = property.type in ("Edm.Boolean", "Edm.Byte", "Edm.Int16", "Edm.Int32") and _plain(value).isalnum()
    return _plain(value) if bare else literal(str(value))


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str("" if value is None else value)


def _moment(watermark: str) -> str:
    at = dt.datetime.fromisoformat(watermark)
    at = (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    return f"datetimeoffset'{at.strftime('%Y-%m-%dT%H:%M:%SZ')}'"
