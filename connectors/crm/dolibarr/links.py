"""Addresses of Dolibarr's pages for a browser.

A record's card is at `contact/card.php?id=`, of a third party `societe/card.php?socid=` (Dolibarr/dolibarr, the
`getNomUrl` of its objects). A list that is searched and a new card with fields filled in are read from the pages' own
code and not tried: the words of their addresses are settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from connectors.crm.dolibarr.objects import CONTACTS, KINDS, THIRDPARTIES

SEARCH = "search_all={words}"
# The words that the hub's screen pop has for a new record's fields, and the fields that they are here.
FIELDS: Mapping[str, Mapping[str, str]] = {
    CONTACTS: {"phone": "phone_mobile", "mobile": "phone_mobile", "name": "lastname", "company": "socname"},
    THIRDPARTIES: {"mobile": "phone", "company": "name"},
}
FIRST = ("phone", "mobile", "phone_mobile", "phone_pro", "email", "name")


class Links:
    """Links into one Dolibarr."""

    def __init__(self, url: str, search: str) -> None:
        self._home, self._search = url.rstrip("/"), search

    def opened(self, name: str, id: str) -> str:
        """The page of a record."""
        return self._home + self._page(name, 0).replace("{id}", _safe(id))

    def search(self, name: str, fields: Mapping[str, str]) -> str:
        """The list of a kind, searched for the first of a number, an address and a name."""
        words = next((fields[one] for one in FIRST if fields.get(one)), "") or " ".join(fields.values())
        return self._home + self._page(name, 1).replace("{words}", self._search.replace("{words}", _safe(words)))

    def new(self, name: str, fields: Mapping[str, str]) -> str:
        """The card of a new record."""
        told = {field: text for word, value in fields.items() for field, text in _fields(name, word, value).items()}
        filled = f"&{urlencode(told, quote_via=quote, safe='')}" if told else ""
        return self._home + self._page(name, 2).replace("{fields}", filled)

    def _page(self, name: str, which: int) -> str:
        kind = KINDS.get(name) or KINDS[CONTACTS]
        return kind.links[which]


def _fields(name: str, word: str, value: str) -> dict[str, str]:
    if name == CONTACTS and word == "name":
        first, _, last = value.strip().rpartition(" ")
        return {"firstname": first, "lastname": last} if first else {"lastname": last}
    return {FIELDS.get(name, {}).get(word, word): value}


def _safe(part: str) -> str:
    return quote(part, safe="")
