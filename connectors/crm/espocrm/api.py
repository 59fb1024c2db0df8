"""EspoCRM's web service: who we are, how a list is asked for, and each call in our words.

Lists take their conditions as PHP reads them, `where[0][type]=equals&where[0][attribute]=…`; PHP takes a thousand
variables a request, and web servers some 8 KB of address. With `X-No-Total` the total is -1 where more follows and -2
where not. Sources: docs.espocrm.com, "REST API", "CRUD operations", "API search parameters"; espocrm/espocrm,
`Core/Record/SearchParamsFetcher` (200 records a page at most), `Core/Authentication/Logins/Hmac`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import requests

from connectors.crm.espocrm.errors import WHO, failed
from connectors.wire.answers import json_of
from hub.errors import ConfigError, Unavailable, UnknownOutcome

MOST = 200  # records of one page
LONGEST = 6_000  # characters of a query
VARIABLES = 900
CUT = 10_000  # characters of a long text that a list shows
DIGESTS = ("hex", "raw")

Found = dict[str, Any]
Condition = Mapping[str, Any]
Query = list[tuple[str, str]]


def condition(type: str, attribute: str, value: Any = None) -> Condition:
    """One item of `where`."""
    told = {"type": type, "attribute": attribute}
    return told if value is None else {**told, "value": value}


def either(conditions: Sequence[Condition]) -> Condition:
    """What fits any of them."""
    return conditions[0] if len(conditions) == 1 else {"type": "or", "value": list(conditions)}


def fits(where: Sequence[Condition]) -> bool:
    """Whether so many conditions go into one request."""
    pairs = list(_php("where", list(where)))
    return len(pairs) <= VARIABLES and len(_encoded(pairs)) <= LONGEST


class Api:
    """One EspoCRM as one API user."""

    def __init__(self, session: requests.Session, settings: Mapping[str, Any]) -> None:
        if settings["hmac_digest"] not in DIGESTS:
            raise ConfigError(f'hmac_digest: "{settings["hmac_digest"]}" is none of {", ".join(DIGESTS)}')
        self._session = session
        self._root = f"{str(settings['url']).rstrip('/')}/api/v1/"
        self._key, self._secret = str(settings["api_key"]), str(settings.get("secret_key") or "")
        self._raw = settings["hmac_digest"] == "raw"
        self.page_size = max(1, min(int(settings["page_size"]), MOST))

    # --- reading ----------------------------------------

    def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        """What a GET answers; `path` has no slash in front."""
        answer = self._sent("GET", path, query)
        if answer.status_code != 200:
            raise failed(answer, changes=False)
        return json_of(answer, WHO, changes=False)

    def one(self, entity: str, id: str) -> Found:
        """One record with all that it has. Raises NotFound."""
        told = self.get(f"{_safe(entity)}/{_safe(id)}")
        if not isinstance(told, dict):
            raise Unavailable(f"{WHO} answers a record with something that is none")
        return told

    def page(
        self, path: str, where: Sequence[Condition], select: Sequence[str], *, after: str = "", size: int = MOST
    ) -> tuple[list[Found], bool]:
        """One page by ascending id, from behind `after`, and whether more follows. Without `select` records have all
        that a list shows: of numbers and addresses the first, of texts the first 10,000 characters, no related ids."""
        size = min(size, self.page_size)
        items = [*where, condition("greaterThan", "id", after)] if after else list(where)
        query: Query = [*_php("where", items), ("orderBy", "id"), ("order", "asc"), ("maxSize", str(size))]
        if select:
            query.append(("select", ",".join(select)))
        told = self.get(path, query)
        if not isinstance(told, dict) or not isinstance(told.get("list"), list):
            raise Unavailable(f"{WHO} answers something that is no list")
        found = [one for one in told["list"] if isinstance(one, dict) and one.get("id")]
        total = told.get("total")
        return found, total == -1 or (total != -2 and len(told["list"]) >= size)

    def all(self, path: str, where: Sequence[Condition], select: Sequence[str]) -> Iterator[Found]:
        """All records that fit, page by page."""
        after, more = "", True
        while more:
            found, more = self.page(path, where, select, after=after)
            yield from found
            if not found:
                return
            after = str(found[-1]["id"])

    def with_values(self, entity: str, attribute: str, values: Sequence[str], select: Sequence[str]) -> Iterator[Found]:
        """The records whose attribute has one of the values; as many requests as the values need."""
        waiting = list(dict.fromkeys(values))
        while waiting:
            taken = len(waiting)
            while taken > 1 and not fits([condition("in", attribute, waiting[:taken])]):
                taken = (taken + 1) // 2
            yield from self.all(_safe(entity), [condition("in", attribute, waiting[:taken])], select)
            waiting = waiting[taken:]

    # --- changing ----------------------------------------

    def create(self, entity: str, fields: Found, *, skip_duplicate_check: bool) -> Found:
        """A new record as it is then. Raises Duplicates unless the check is skipped."""
        headers = {"X-Skip-Duplicate-Check": "true"} if skip_duplicate_check else {}
        return self._record("POST", _safe(entity), fields, headers)

    def update(self, entity: str, id: str, fields: Found) -> Found:
        """A record with some of its attributes changed."""
        return self._record("PUT", f"{_safe(entity)}/{_safe(id)}", fields, {})

    def delete(self, entity: str, id: str) -> None:
        """Takes a record away. Raises NotFound."""
        self._changed("DELETE", f"{_safe(entity)}/{_safe(id)}", None, {})

    def _record(self, method: str, path: str, fields: Found, headers: Mapping[str, str]) -> Found:
        told = self._changed(method, path, fields, headers)
        if not isinstance(told, dict) or not told.get("id"):
            raise UnknownOutcome(f"{WHO} answers without the record that was written")
        return told

    def _changed(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        answer = self._sent(method, path, (), body, headers)
        if answer.status_code not in (200, 201):
            raise failed(answer, changes=True)
        return json_of(answer, WHO, changes=True)

    # --- sending ----------------------------------------

    def _sent(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:  # fmt: skip
        url = self._root + path + (f"?{_encoded(query)}" if query else "")
        told = {"Accept": "application/json", "X-No-Total": "true", **self._signed(method, path), **(headers or {})}
        more = {} if body is None else {"json": body}
        return self._session.request(method, url, headers=told, **more)

    def _signed(self, method: str, path: str) -> dict[str, str]:
        """The key itself, or the proof that we know the secret that goes with it: over method and path, not the query."""
        if not self._secret:
            return {"X-Api-Key": self._key}
        digest = hmac.new(self._secret.encode(), f"{method} /{path}".encode(), hashlib.sha256)
        proof = digest.digest() if self._raw else digest.hexdigest().encode()
        return {"X-Hmac-Authorization": base64.b64encode(self._key.encode() + b":" + proof).decode()}


def _safe(part: str) -> str:
    return quote(part, safe="")


def _encoded(pairs: Sequence[tuple[str, str]]) -> str:
    return urlencode(list(pairs), quote_via=quote, safe="")


def _php(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _php(f"{name}[{key}]", one)
    elif isinstance(value, list | tuple):
        for place, one in enumerate(value):
            yield from _php(f"{name}[{place}]", one)
    else:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)
