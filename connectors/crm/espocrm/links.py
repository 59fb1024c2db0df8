"""Addresses of EspoCRM's pages for a browser.

A record's page is `#Contact/view/<id>` (docs.espocrm.com, "API tutorial"). EspoCRM documents no address of a search or of
a new record with fields filled in: those two are patterns of the settings, unverified.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from connectors.crm.espocrm.entities import CONTACT, LEAD

SEARCH = "/#{object}/list/textFilter={words}"
NEW = "/#{object}/create/{fields}"
# The words that the hub's screen pop has for a new record's fields, and the fields that they are here.
FIELDS: Mapping[str, str] = {"phone": "phoneNumber", "mobile": "phoneNumber", "email": "emailAddress"}


class Links:
    """Links into one EspoCRM."""

    def __init__(self, url: str, search: str, new: str) -> None:
        self._home, self._search, self._new = url.rstrip("/"), search, new

    def opened(self, entity: str, id: str) -> str:
        """The page of a record."""
        return f"{self._home}/#{_safe(entity)}/view/{_safe(id)}"

    def search(self, entity: str, fields: Mapping[str, str]) -> str:
        """The list of an entity type, searched for the first of a number, an address and a name."""
        words = next((fields[name] for name in (*FIELDS, *FIELDS.values(), "name") if fields.get(name)), "")
        words = words or " ".join(fields.values())
        return self._home + self._search.replace("{object}", _safe(entity)).replace("{words}", _safe(words))

    def new(self, entity: str, fields: Mapping[str, str]) -> str:
        """The form of a new record."""
        told = {name: text for word, value in fields.items() for name, text in _fields(entity, word, value).items()}
        filled = urlencode(told, quote_via=quote, safe="")
        return self._home + self._new.replace("{object}", _safe(entity)).replace("{fields}", filled)


def _fields(entity: str, word: str, value: str) -> dict[str, str]:
    if word != "name" or entity not in (CONTACT, LEAD):
        return {FIELDS.get(word, word): value}
    first, _, last = value.strip().rpartition(" ")
    return {"firstName": first, "lastName": last} if first else {"lastName": last}


def _safe(part: str) -> str:
    return quote(part, safe="")
