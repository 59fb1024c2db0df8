"""Dolibarr's web service: lists in Dolibarr's own order, one record, and each call in our words.

Pages go by ascending id from behind the last one rather than by number, so a pull goes on anywhere and nothing is
skipped when records come and go. Where nothing fits, versions before 19 answer 404, later ones an empty list, and third
parties 404 to this day. `properties` (18 and later) keeps the answer small; older ones send everything.
Source: Dolibarr/dolibarr, `htdocs/*/class/api_*.class.php` (index, get, post, put, delete).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import requests

from connectors.crm.dolibarr.errors import WHO, failed, told_error
from connectors.crm.dolibarr.filters import every, number
from connectors.crm.dolibarr.objects import Found, Kind
from connectors.wire.answers import json_of
from hub.errors import NotFound, NotPermitted, Rejected, Unavailable, UnknownOutcome, Unsupported

MOST = 500  # records of one page: each is read by several queries there
SURE = 100  # Dolibarr's own size of a page; a server that allows no more may send so many of a larger one


class Api:
    """One Dolibarr as the user of one key."""

    def __init__(self, session: requests.Session, settings: Mapping[str, Any]) -> None:
        self._session = session
        self._root = f"{str(settings['url']).rstrip('/')}/api/index.php/"
        self._headers = {"DOLAPIKEY": str(settings["api_key"]), "Accept": "application/json"}
        if settings.get("entity"):
            self._headers["DOLAPIENTITY"] = str(settings["entity"])
        self.page_size = max(1, min(int(settings["page_size"]), MOST))

    # --- reading ----------------------------------------

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """What a GET answers; `path` has no slash in front."""
        answer = self._sent("GET", path, query)
        if answer.status_code != 200:
            raise failed(answer, changes=False)
        return json_of(answer, WHO, changes=False)

    def maybe(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The same; None where our user may not see it or this version does not have it."""
        try:
            return self.get(path, query)
        except (NotPermitted, NotFound, Unsupported, Rejected):
            return None

    def one(self, kind: Kind, id: str) -> Found:
        """One record with all that it has. Raises NotFound."""
        told = self.get(f"{kind.name}/{_id(id)}")
        if not isinstance(told, dict):
            raise Unavailable(f"{WHO} answers a record with something that is none")
        return told

    def page(
        self, kind: Kind, conditions: Sequence[str], properties: Sequence[str], *, after: int = 0, size: int = MOST,
        extra: Mapping[str, Any] | None = None,
    ) -> tuple[list[Found], bool]:  # fmt: skip
        """One page by ascending id, from behind `after`, and whether more may follow. Without `properties` records come
        whole; `extra` are words of the endpoint's own."""
        size = min(size, self.page_size)
        asked = [*conditions, number(kind.id_column, ">", after)] if after else list(conditions)
        query: dict[str, Any] = {"sortfield": kind.id_column, "sortorder": "ASC", "limit": size, **(extra or {})}
        if asked:
            query["sqlfilters"] = every(asked)
        if properties:
            query["properties"] = ",".join(properties)
        told = self.listed(kind.name, query)
        found = [one for one in told if isinstance(one, dict) and str(one.get("id") or "").isdecimal()]
        return found, len(told) >= min(size, SURE)

    def listed(self, path: str, query: Mapping[str, Any]) -> list[Any]:
        """A list; empty where Dolibarr says that nothing fits."""
        answer = self._sent("GET", path, query)
        if answer.status_code == 404 and _nothing_fits(answer):
            return []
        if answer.status_code != 200:
            raise failed(answer, changes=False)
        told = json_of(answer, WHO, changes=False)
        if isinstance(told, dict):  # PHP writes a list with gaps as an object
            told = list(told.values())
        if not isinstance(told, list):
            raise Unavailable(f"{WHO} answers something that is no list")
        return told

    def all(self, kind: Kind, conditions: Sequence[str], properties: Sequence[str]) -> Iterator[Found]:
        """All records that fit, page by page."""
        after, more = 0, True
        while more:
            found, more = self.page(kind, conditions, properties, after=after)
            yield from found
            if not found:
                return
            after = int(found[-1]["id"])

    # --- changing ----------------------------------------

    def create(self, kind: Kind, fields: Found) -> str:
        """The id of a new record."""
        told = self._changed("POST", kind.name, fields)
        if isinstance(told, bool) or not str(told).isdecimal() or not int(told):
            raise UnknownOutcome(f"{WHO} answers without the id of the record that was made")
        return str(told)

    def update(self, kind: Kind, id: str, fields: Found) -> None:
        """A record with some of its properties changed."""
        if self._changed("PUT", f"{kind.name}/{_id(id)}", fields) is False:
            raise Rejected(f"{WHO} did not change the record, and does not say why")

    def delete(self, kind: Kind, id: str) -> None:
        """Takes a record away. Raises NotFound."""
        self._changed("DELETE", f"{kind.name}/{_id(id)}", None)

    def _changed(self, method: str, path: str, body: Any) -> Any:
        answer = self._sent(method, path, None, body)
        if answer.status_code not in (200, 201):
            raise failed(answer, changes=True)
        return json_of(answer, WHO, changes=True)

    # --- sending ----------------------------------------

    def _sent(self, method: str, path: str, query: Mapping[str, Any] | None, body: Any = None) -> requests.Response:
        url = self._root + path + (f"?{urlencode(query, quote_via=quote, safe='')}" if query else "")
        more = {} if body is None else {"json": body}
        return self._session.request(method, url, headers=self._headers, **more)


def _nothing_fits(answer: requests.Response) -> bool:
    """Whether a 404 says that no record fits, rather than that there is no such list."""
    told = told_error(answer)
    _, _, why = str((told or {}).get("message") or "").partition(":")
    return bool(why.strip())


def _id(id: str) -> str:
    if not id.isascii() or not id.isdecimal():
        raise NotFound("there is no such record")
    return id
