"""Addresses of CRM On Demand's pages for a browser.

Source: Oracle, CTI Developer's Guide, "ScreenPop Command": `<base>/user/CTICommand?Command=ScreenPop&Record Type=…&Record
Id=…`, and a Channel Type for an activity; the browser's own session signs in. No address of a search or of a new record
is documented: those two are patterns of the settings, unverified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlencode

from connectors.crm.oracle_ondemand.objects import ACTIVITY, record_type

SEARCH = "/user/ListSearch?SearchType={type}&SearchText={words}"
NEW = "/user/{type}CreatePage?{fields}"


class Addresses:
    """Makes addresses."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._home = f"{settings['url'].rstrip('/')}/{settings['pages_path'].strip('/')}"
        self._search, self._new, self._channel = settings["link_search"], settings["link_new"], settings["link_channel"]

    def record(self, object: str, id: str) -> str:
        """Opens a record by the screen-pop command."""
        kind = record_type(object)
        told = {"Command": "ScreenPop", "Record Type": kind.screen_pop, "Record Id": id}
        if kind.name == ACTIVITY:
            told["Channel Type"] = self._channel
        return f"{self._home}/user/CTICommand?{urlencode(told, quote_via=quote, safe='')}"

    def other(self, kind: Literal["search", "new"], object: str, fields: Mapping[str, str]) -> str:
        """Searches for what `fields` hold, or makes a new record with them."""
        values = {name: value for name, value in fields.items() if value}
        pattern = self._search if kind == "search" else self._new
        filled = (
            pattern.replace("{type}", quote(record_type(object).name, safe=""))
            .replace("{words}", quote(" ".join(values.values()), safe=""))
            .replace("{fields}", urlencode(values, quote_via=quote, safe=""))
        )
        return f"{self._home}{filled}"
