"""Addresses of Siebel's pages for a browser.

Source: Oracle, Siebel Portal Framework Guide, "SWE Commands" (`GotoView` with `SWEPostnApplet` and `SWEPostnRowId` searches
that row id in the applet), "SWE Methods" (`ExecuteQuery` with a list of field names and what is searched in them);
Configuring Siebel Open UI, "Configuring Multiple Command Chaining in a URL" (`/siebel/app/<application>/<language>?…`,
`SWEAC=SWECmd=NewRecord`). Which views and applets an application has is its own affair, and whether Open UI takes the
search and the fields of a new record from an address is unverified: all of them are settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote, urlencode

from connectors.crm.siebel.components import Catalogue, Component
from hub.errors import ConfigError

OPEN = "SWECmd=GotoView&SWEView={view}&SWEPostnApplet={applet}&SWEPostnRowId={id}"
SEARCH = "SWECmd=InvokeMethod&SWEMethod=ExecuteQuery&SWEView={view}&SWEApplet={applet}&{fields}"
NEW = "SWECmd=GotoView&SWEView={view}&SWEAC=SWECmd=NewRecord&{fields}"
VIEWS = (
    "Contact=Visible Contact List View/Contact List Applet",
    "Account=All Account List View/SIS Account List Applet",
    "Action=All Activity List View/Activity List Applet With Navigation",
    "Service Request=Service Request All List View/Service Request List Applet",
    "Opportunity=All Opportunity List View/Opportunity List Applet",
)


class Addresses:
    """Makes addresses."""

    def __init__(self, settings: Mapping[str, Any], catalogue: Catalogue) -> None:
        home = settings.get("pages_url") or settings["url"]
        self._home = f"{home.rstrip('/')}/{settings['pages_path'].strip('/')}"
        self._patterns = {"open": settings["link_open"], "search": settings["link_search"], "new": settings["link_new"]}
        self._views = _views(settings["views"], catalogue)

    def record(self, component: Component, id: str) -> str:
        """Opens a record."""
        return self._address("open", component, {"id": quote(id, safe="")})

    def other(self, kind: Literal["search", "new"], component: Component, fields: Mapping[str, str]) -> str:
        """Searches for what `fields` hold, or makes a new record with them."""
        told = {name: value for name, value in fields.items() if value}
        return self._address(kind, component, {"fields": urlencode(told, quote_via=quote, safe="")})

    def _address(self, kind: str, component: Component, told: Mapping[str, str]) -> str:
        view, applet = self._views.get(component.name, (f"{component.name} List View", f"{component.name} List Applet"))
        filled = self._patterns[kind]
        for name, value in {"view": quote(view, safe=""), "applet": quote(applet, safe=""), **told}.items():
            filled = filled.replace(f"{{{name}}}", value)
        return f"{self._home}?{filled.rstrip('&')}"


def _views(told: Sequence[str], catalogue: Catalogue) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for one in told:
        name, _, both = one.partition("=")
        view, _, applet = both.partition("/")
        if name not in catalogue.components or not view or not applet:
            raise ConfigError(f'views: "{one}" is no Object=View/Applet')
        found[name] = (view, applet)
    return found
