"""HubSpot's web service: addresses by version, the token, the limits in its headers, and each call in our words.

Besides `/crm/v3/…` HubSpot has versions by date, `/crm/objects/2026-03/…`, with the same bodies; a setting says which.
Sources: HubSpot/HubSpot-public-api-spec-collection, 2026-08; "Usage guidelines" for the X-HubSpot-RateLimit headers.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import requests
from msgspec import Struct

from connectors.crm.hubspot.errors import WHO, body_of, failed
from connectors.crm.hubspot.objects import ID
from connectors.wire.answers import json_of, nothing_done
from connectors.wire.tokens import Token, Tokens, expires_in
from hub.errors import (
    ConfigError,
    ConnectorError,
    CredentialsRefused,
    Elsewhere,
    Rejected,
    Unavailable,
    UnknownOutcome,
    Unsupported,
)
from hub.model import Quota

BATCH = 100  # inputs of one batch/read, upsert, update, archive
SEARCHED = 200  # records of one page of a search
GROUPS = 5  # filter groups of one search; they are or-ed
LONGEST_SEARCH = 3_000  # characters of a search's body
REACHED = 10_000  # records of one search that paging reaches
PAIRS = 1_000  # associations of one call; HubSpot takes twice as many
_VERSION = re.compile(r"v3|\d{4}-\d{2}")

Found = dict[str, Any]


class Account(Struct, frozen=True, kw_only=True):
    """The HubSpot account that a token belongs to."""

    portal: str
    address: str  # where people see it, such as https://app-eu1.hubspot.com
    zone: str = ""
    kind: str = ""


class Answered(Struct, frozen=True, kw_only=True):
    """A batch's answer: what was done, and the errors of a 207. `whole`: the envelope of a batch that was refused."""

    results: list[Found]
    errors: list[Found]
    whole: Found = {}
    error: ConnectorError | None = None


class Rest:
    """Calls HubSpot with the hub's session."""

    def __init__(
        self,
        session: requests.Session,
        settings: Mapping[str, Any],
        now: Callable[[], dt.datetime],
        quota: Callable[[Quota], None],
    ) -> None:
        if not _VERSION.fullmatch(str(settings["version"])):
            raise ConfigError(f'version: "{settings["version"]}" is neither v3 nor a date such as 2026-03')
        if not settings.get("token") and not (settings.get("client_id") and settings.get("client_secret")):
            raise ConfigError("a token is needed, or client_id and client_secret")
        self._session, self._settings, self._now, self._quota = session, settings, now, quota
        self._home = str(settings["url"]).rstrip("/")
        self._tokens = None if settings.get("token") else Tokens(self._token, now)
        self._account: Account | None = None

    @property
    def user(self) -> str:
        """Who we are there."""
        return str(self._settings.get("client_id") or "private app")

    def at(self, family: str, *rest: str) -> str:
        """The path of a family (`objects`, `lists`, `properties`, `owners`, `associations`) in the setting's version."""
        version = str(self._settings["version"])
        if version == "v3":
            head = f"/crm/{'v4' if family == 'associations' else 'v3'}/{family}"
        else:
            head = f"/crm/{family}/{version}"
        return "/".join((head, *(quote(one, safe="") for one in rest)))

    # --- the account ----------------------------------------

    def account(self) -> Account:
        """The account: by the settings, or asked once."""
        known = self._account
        if known is None:
            settings = self._settings
            known = self._asked() if not settings.get("portal") else Account(
                portal=str(settings["portal"]), address=str(settings["app_url"]).rstrip("/"))  # fmt: skip
            self._account = known
        return known

    def introduced(self) -> Account:
        """The account, asked now."""
        asked = self._account = self._asked()
        return asked

    def _asked(self) -> Account:
        version = str(self._settings["version"])
        told = self.get(f"/account-info/{version}/details")
        if not isinstance(told, dict) or not told.get("portalId"):
            raise Unavailable(f"{WHO} does not say which account this is")
        shown = str(told.get("uiDomain") or "")
        address = f"https://{shown}" if shown else str(self._settings["app_url"]).rstrip("/")
        return Account(portal=str(told["portalId"]), address=address, zone=str(told.get("timeZone") or ""),
                       kind=str(told.get("accountType") or ""))  # fmt: skip

    def _day_ends(self) -> dt.datetime | None:
        """The daily limit begins anew at midnight in the account's own time zone."""
        if self._account is None or not self._account.zone:
            return None
        try:
            here = self._now().astimezone(ZoneInfo(self._account.zone))
        except (ZoneInfoNotFoundError, ValueError):
            return None
        midnight = (here + dt.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight.astimezone(dt.UTC)

    # --- calls ----------------------------------------

    def get(self, path: str, **query: str | int) -> Any:
        """Reads."""
        return self._good("GET", path, query)

    def ask(self, path: str, body: Any) -> Any:
        """A POST that only reads: search, batch/read."""
        with nothing_done():
            return self._good("POST", path, {}, body)

    def _good(self, method: str, path: str, query: Mapping[str, str | int], body: Any = None) -> Any:
        answer = self._sent(method, path, query, body)
        if answer.status_code not in (200, 202, 207):
            raise failed(answer, changes=False, day_ends=self._day_ends())
        return json_of(answer, WHO, changes=False)

    def fetch(self, url: str, into: IO[bytes], most: int) -> None:
        """A file of at most so many bytes that HubSpot keeps at an address of its own, which is as good as the file: it is
        in no message, and our token does not go there. Raises Unavailable; Unsupported where it has more, or where that
        address sends us to another host."""
        if urlsplit(url).scheme != urlsplit(self._home).scheme:
            raise Unavailable(f"{WHO} keeps a file at an address that is not like the API's")
        try:
            with self._session.get(url, stream=True) as answer:
                kind = answer.headers.get("Content-Type", "").partition(";")[0]
                if answer.status_code != 200 or kind == "text/html":
                    raise Unavailable(f"where {WHO} keeps a file answers {answer.status_code} with {kind or 'no type'}")
                for chunk in answer.iter_content(1 << 20):
                    into.write(chunk)
                    if into.tell() > most:
                        raise Unsupported(f"{WHO}'s file has more than {most >> 20} MiB")
        except Elsewhere as error:
            raise Unsupported(f"{WHO} keeps a file where we are not sent on to") from error
        except OSError as error:  # of the connection or of our disk
            raise Unavailable(f"{WHO}'s file broke off: {type(error).__name__}") from None  # its text has the address
        into.seek(0)

    def change(self, path: str, body: Any) -> Answered:
        """A batch that changes something. What was refused for its values is in the answer, the rest is raised."""
        answer = self._sent("POST", path, {}, body)
        if answer.status_code == 204:
            return Answered(results=[], errors=[])
        if answer.status_code in (200, 201, 207):
            told = json_of(answer, WHO, changes=True)
            if not isinstance(told, dict):
                raise UnknownOutcome(f"{WHO} answers a batch with something that is none")
            return Answered(results=_dicts(told.get("results")), errors=_dicts(told.get("errors")))
        error = failed(answer, changes=True, day_ends=self._day_ends())
        if not isinstance(error, Rejected):
            raise error
        return Answered(results=[], errors=[], whole=body_of(answer), error=error)

    # --- reading records ----------------------------------------

    def read(self, object: str, ids: Sequence[str], properties: Sequence[str], by: str = "") -> Iterator[Found]:
        """The records with these ids, or these values of the unique property `by`; what is not there is left out.

        One call for each 100. Not in the ids' order; a merged id gives the record that is left.
        """
        for start in range(0, len(ids), BATCH):
            body: Found = {"inputs": [{"id": id} for id in ids[start : start + BATCH]], "properties": list(properties)}
            if by:
                body["idProperty"] = by
            yield from _dicts(self.ask(self.at("objects", object, "batch", "read"), body).get("results"))

    def search(
        self, object: str, groups: Sequence[Sequence[Found]], properties: Sequence[str], sort: str = ID,
        limit: int = SEARCHED, after: str = "",
    ) -> tuple[list[Found], str]:  # fmt: skip
        """One page of what any of the groups of filters fits, and where the next one begins; empty: nowhere."""
        body = _asking(groups, properties, sort, limit, after)
        told = self.ask(self.at("objects", object, "search"), body)
        return _dicts(told.get("results")), next_of(told)

    def count(self, object: str) -> int:
        """How many records there are, as a search says."""
        told = self.ask(self.at("objects", object, "search"), {"filterGroups": [], "properties": [], "limit": 1})
        total = told.get("total") if isinstance(told, dict) else None
        return total if isinstance(total, int) else 0

    @staticmethod
    def room(groups: Sequence[Sequence[Found]], properties: Sequence[str]) -> int:
        """How many characters are left in a search with these groups, on any page."""
        return LONGEST_SEARCH - len(json.dumps(_asking(groups, properties, after=str(REACHED))))

    # --- sending ----------------------------------------

    def _sent(self, method: str, path: str, query: Mapping[str, str | int], body: Any) -> requests.Response:
        if self._tokens is None:
            return self._request(method, path, query, body, str(self._settings["token"]))
        token = self._tokens.current()
        answer = self._request(method, path, query, body, token.value)
        if answer.status_code == 401:  # nothing was done; the token may have been withdrawn before its time
            answer = self._request(method, path, query, body, self._tokens.instead_of(token).value)
        return answer

    def _request(
        self, method: str, path: str, query: Mapping[str, str | int], body: Any, token: str
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        kept = {} if body is None else {"json": body}
        answer = self._session.request(method, self._home + path, params=dict(query), headers=headers, **kept)
        for quota in quotas(answer.headers):
            self._quota(quota)
        return answer

    def _token(self) -> Token:
        """OAuth client credentials. Source: the public specification's `/oauth/v3/token` (unverified on an account)."""
        settings = self._settings
        form = {"grant_type": "client_credentials", "client_id": settings["client_id"],
                "client_secret": settings["client_secret"]}  # fmt: skip
        if settings.get("scope"):
            form["scope"] = settings["scope"]
        with nothing_done():
            answer = self._session.post(f"{self._home}/oauth/{settings['version']}/token", data=form)
        if answer.status_code in (400, 401, 403):
            raise CredentialsRefused(f"the token service of {WHO} refuses the client")
        if answer.status_code != 200:
            raise failed(answer, changes=False)
        told = json_of(answer, f"the token service of {WHO}", changes=False)
        value = told.get("access_token") if isinstance(told, dict) else None
        if not value:
            raise Unavailable(f"the token service of {WHO} answers without a token")
        return Token(value=str(value), expires_at=expires_in(told.get("expires_in"), self._now()))


def _asking(
    groups: Sequence[Sequence[Found]], properties: Sequence[str], sort: str = ID, limit: int = SEARCHED, after: str = ""
) -> Found:
    body: Found = {
        "filterGroups": [{"filters": list(group)} for group in groups],
        "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
        "properties": list(properties),
        "limit": limit,
    }
    return {**body, "after": after} if after else body


def next_of(told: Found) -> str:
    """Where the next page begins; empty on the last."""
    return str(((told.get("paging") or {}).get("next") or {}).get("after") or "")


def quotas(headers: Mapping[str, str]) -> Iterator[Quota]:
    """What the headers say of the day's calls and of those in the short window; a search's answer says nothing."""
    for limit, left, window in (
        ("Daily", "Daily-Remaining", 86_400_000),
        ("Max", "Remaining", headers.get("X-HubSpot-RateLimit-Interval-Milliseconds", "")),
    ):
        told = [headers.get(f"X-HubSpot-RateLimit-{name}", "") for name in (limit, left)] + [str(window)]
        if all(one.isdecimal() for one in told):
            most, rest, milliseconds = map(int, told)
            yield Quota(limit=most, used=max(0, most - rest), window_seconds=max(1, milliseconds // 1000))


def _dicts(told: Any) -> list[Found]:
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
