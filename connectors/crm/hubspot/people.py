"""A HubSpot record as the hub's: title, company, owner, and the addresses of its pages."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote, urlencode

from connectors.crm.hubspot.objects import COMPANIES, CONTACTS, ID, MERGED, OWNERS, Catalogue, Object
from connectors.crm.hubspot.rest import Found, Rest, next_of
from hub.errors import NotPermitted
from hub.model import Account, Lookup, Match, Record

# Patterns of pages; HubSpot documents the first, the others are seen in its browser client (unverified, settings).
OPEN = "/contacts/{portal}/record/{type}/{id}"
SEARCH = "/contacts/{portal}/objects/{type}/views/all/list?query={words}"
NEW = "/contacts/{portal}/objects/{type}/views/all/list?createNewObject={type}&{fields}"
KEPT = dt.timedelta(minutes=10)  # for so long nobody asks again for an owner who is not known
OWNERS_PAGE = 500
MOST_OWNER_PAGES = 100  # of an answer that has no end


class Addresses:
    """Where people see records. Only the account's number and the record's type and id are in it."""

    def __init__(self, rest: Rest, settings: Mapping[str, Any]) -> None:
        self._rest, self._search, self._new = rest, str(settings["link_search"]), str(settings["link_new"])

    def of(self, kind: Literal["open", "search", "new"], object: Object, id: str, fields: Mapping[str, str]) -> str:
        """The address; every value in it is percent-encoded."""
        account = self._rest.account()
        words = next((fields[name] for name in ("phone", "mobilephone", "email", "name", "query") if fields.get(name)),
                     next(iter(fields.values()), ""))  # fmt: skip
        pattern = {"open": OPEN, "search": self._search, "new": self._new}[kind]
        path = pattern.format(portal=quote(account.portal, safe=""), type=quote(object.type_id, safe=""), id=_safe(id),
                              words=_safe(words), fields=urlencode(fields, quote_via=quote, safe=""))  # fmt: skip
        return account.address + path

    def record(self, object: Object, id: str) -> str:
        """A record's page."""
        return self.of("open", object, id, {})


def _safe(text: str) -> str:
    return quote(text, safe="")


class Owners:
    """The account's owners, read once: a record's owner is a number, people know the mail address."""

    def __init__(self, rest: Rest, now: Callable[[], dt.datetime]) -> None:
        self._rest, self._now = rest, now
        self._lock = threading.Lock()
        self._by_id: dict[str, Found] = {}
        self._read_at: dt.datetime | None = None

    def of(self, id: str) -> Found | None:
        """The owner with this id. None where there is none, or we may not see owners."""
        with self._lock:
            if id and id not in self._by_id:
                self._read()
            return self._by_id.get(id)

    def with_mail(self, mail: str) -> list[Found]:
        """The owners with this address."""
        with self._lock:
            found = [one for one in self._by_id.values() if str(one.get("email", "")).lower() == mail]
            if not found:
                self._read()
                found = [one for one in self._by_id.values() if str(one.get("email", "")).lower() == mail]
            return found

    def _read(self) -> None:
        if self._read_at is not None and self._now() - self._read_at < KEPT:
            return
        found: dict[str, Found] = {}
        after = ""
        for _ in range(MOST_OWNER_PAGES):
            query: dict[str, str | int] = {"limit": OWNERS_PAGE, **({"after": after} if after else {})}
            try:
                told = self._rest.get(self._rest.at(OWNERS), **query)
            except NotPermitted:  # the scope crm.objects.owners.read is not needed for anything else
                break
            found.update({str(one["id"]): one for one in told.get("results", ()) if one.get("id")})
            after = next_of(told)
            if not after:
                break
        self._by_id, self._read_at = found, self._now()


class Records:
    """Makes the hub's records."""

    def __init__(self, rest: Rest, catalogue: Catalogue, owners: Owners, addresses: Addresses) -> None:
        self._rest, self._catalogue, self._owners, self._addresses = rest, catalogue, owners, addresses

    def made(self, object: Object, found: Sequence[tuple[Found, Match | None]]) -> list[Record]:
        """The records, with their companies' names by one call more where any belongs to one."""
        names = self._companies(object, (one for one, _ in found))
        return [self._made(object, one, match, names) for one, match in found]

    def owner(self, told: Found) -> Record:
        """An owner as a record: what a mapping needs for `hubspot_owner_id`."""
        name = " ".join(part for part in (told.get("firstName"), told.get("lastName")) if part)
        mail = str(told.get("email") or "")
        return Record(object=OWNERS, id=str(told["id"]), title=name or mail, fields={"email": mail}, owner=mail or None)

    def _companies(self, object: Object, found: Iterable[Found]) -> dict[str, str]:
        if object.name != CONTACTS:
            return {}
        ids = {str((one.get("properties") or {}).get("associatedcompanyid") or "") for one in found} - {""}
        read = self._rest.read(COMPANIES, sorted(ids), ["name"]) if ids else ()
        return {str(one["id"]): str((one.get("properties") or {}).get("name") or "") for one in read}

    def _made(self, object: Object, found: Found, match: Match | None, companies: Mapping[str, str]) -> Record:
        properties = found.get("properties") or {}
        id = str(found["id"])
        company = str(properties.get("associatedcompanyid") or "")
        owner = self._owners.of(str(properties.get("hubspot_owner_id") or ""))
        title = " ".join(str(properties[name]) for name in object.title if properties.get(name))
        account = None
        if company in companies:
            account = Account(object=COMPANIES, id=company, title=companies[company])
        return Record(
            object=object.name,
            id=id,
            title=title or str(properties.get("email") or properties.get("domain") or id),
            url=str(found.get("url") or self._addresses.record(object, id)),
            match=match,
            account=account,
            owner=str(owner.get("email") or "") or None if owner else None,
            last_contact_at=moment(properties.get("notes_last_contacted")),
            created_at=moment(found.get("createdAt")),
            updated_at=moment(found.get("updatedAt")),
            fields={name: value for name, value in properties.items() if name not in (*MERGED, ID)},
        )


def ids_of(found: Found) -> set[str]:
    """The record's id and those of the records that were merged into it (`id` or `id:moment`, by `;`)."""
    properties = found.get("properties") or {}
    merged = [part for name in MERGED for part in str(properties.get(name) or "").split(";")]
    return {str(found.get("id")), *(part.partition(":")[0].strip() for part in merged)} - {""}


def moment(told: Any) -> dt.datetime | None:
    """HubSpot's moment, ISO or milliseconds, as UTC."""
    text = str(told or "")
    try:
        if text.isdecimal():
            return dt.datetime.fromtimestamp(int(text) / 1000, dt.UTC)
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC) if text else None
    except (ValueError, OverflowError, OSError):
        return None


def mail_of(lookup: Lookup) -> str:
    """The address that is asked for, as HubSpot keeps it: in small letters; empty where it can be none."""
    mail = lookup.value.strip().lower()
    local, at, domain = mail.partition("@")
    plain = mail.isprintable() and not set(mail) & set(' ;,"<>()*')
    return mail if at and local and "." in domain and "@" not in domain and len(mail) <= 254 and plain else ""
