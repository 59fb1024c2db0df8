"""Addresses of the model-driven apps: `main.aspx` ("Open forms, views, dialogs, and reports with a URL").

`extraqs` is a query within the query: its values are encoded, and the whole is encoded again ("Set column values
using parameters passed to a form"). A parameter that the form does not know opens an error page, so only columns
belong in there.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

# The words that the hub's screen pop has for a new record's fields, and the columns that they are here.
COLUMNS: Mapping[str, str] = {"phone": "telephone1", "mobile": "mobilephone", "email": "emailaddress1"}
NAMES: Mapping[str, str] = {
    "account": "name",
    "incident": "title",
    "phonecall": "subject",
    "task": "subject",
    "email": "subject",
}


class LinkMaker:
    """Links into one environment, opened in the app `app_id` where there is one."""

    def __init__(self, url: str, app_id: str) -> None:
        self._page = f"{url.rstrip('/')}/main.aspx?"
        self._app = {"appid": app_id} if app_id else {}

    def opened(self, object: str, id: str) -> str:
        """The form of a record."""
        return self._linked(etn=object, pagetype="entityrecord", id="{" + id + "}")

    def search(self, words: Mapping[str, str]) -> str:
        """The search over all tables for the first of a number, an address or a name. [K]"""
        chosen = next((words[name] for name in ("phone", "mobile", "email", *COLUMNS.values()) if words.get(name)), "")
        return self._linked(pagetype="search", searchText=chosen or " ".join(words.values()))

    def new(self, object: str, fields: Mapping[str, str]) -> str:
        """The form of a new record with its columns filled in; lookups of several tables and parties cannot be."""
        values = {
            column: value for name, text in fields.items() for column, value in _columns(object, name, text).items()
        }
        extra = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in values.items())
        return self._linked(etn=object, pagetype="entityrecord", **({"extraqs": extra} if extra else {}))

    def _linked(self, **words: str) -> str:
        return self._page + "&".join(
            f"{name}={quote(value, safe='')}" for name, value in {**self._app, **words}.items()
        )


def _columns(object: str, name: str, text: str) -> dict[str, str]:
    if name != "name":
        return {COLUMNS.get(name, name): text}
    if object not in ("contact", "lead"):
        return {NAMES.get(object, "name"): text}
    first, _, last = text.strip().rpartition(" ")
    return {"firstname": first, "lastname": last} if first else {"lastname": last}
