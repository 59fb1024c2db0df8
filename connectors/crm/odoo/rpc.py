"""One call of a method of one of Odoo's models: by JSON-2 (19 and later) or by JSON-RPC's `execute_kw` (until 21).

Sources: Odoo documentation, "External JSON-2 API" (19.0): POST /json/2/<model>/<method>, bearer key, named arguments, one
transaction for each call; "External RPC API": /jsonrpc, services `common` and `object`.
"""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests

from connectors.crm.odoo.errors import WHO, meant
from connectors.wire.answers import json_of, lost, nothing_done, retry_after
from hub.errors import ConfigError, CredentialsRefused, Throttled, Unavailable

APIS = ("json2", "jsonrpc")
# What is asked without a zone is in UTC, and what is told in no language is in the source's.
CONTEXT: Mapping[str, Any] = {"tz": "UTC", "lang": "en_US"}


class Rpc:
    """Calls one database of an Odoo as one of its users."""

    def __init__(self, session: requests.Session, settings: Mapping[str, Any]) -> None:
        self.api = str(settings["api"])
        if self.api not in APIS:
            raise ConfigError(f'api: "{self.api}" is neither json2 nor jsonrpc')
        if self.api == "jsonrpc" and not (settings.get("login") and settings.get("database")):
            raise ConfigError("api: jsonrpc needs the settings login and database")
        self._session, self._settings = session, settings
        self._home = str(settings["url"]).rstrip("/")
        self._count = itertools.count(1)
        self._lock = threading.Lock()
        self._user: int | None = None

    def version(self) -> str:
        """Which Odoo this is. Read without a key."""
        answer = self._session.get(f"{self._home}/web/version")
        if answer.status_code != 200:
            return ""
        told = json_of(answer, WHO, changes=False)
        return str(told.get("version") or "") if isinstance(told, dict) else ""

    def ask(self, model: str, method: str, ids: Sequence[int] = (), context: Mapping[str, Any] | None = None,
            **named: Any) -> Any:  # fmt: skip
        """Call what only reads."""
        with nothing_done():
            return self._called(model, method, ids, context, named, changes=False)

    def change(self, model: str, method: str, ids: Sequence[int] = (), context: Mapping[str, Any] | None = None,
               **named: Any) -> Any:  # fmt: skip
        """Call what changes something."""
        return self._called(model, method, ids, context, named, changes=True)

    def _called(
        self, model: str, method: str, ids: Sequence[int], context: Mapping[str, Any] | None, named: dict[str, Any],
        *, changes: bool,
    ) -> Any:  # fmt: skip
        told = {**CONTEXT, **(context or {})}
        if self.api == "json2":
            return self._json2(
                model, method, {**({"ids": list(ids)} if ids else {}), "context": told, **named}, changes
            )
        # `default_get` has called its one argument by several names.
        args = [list(ids)] if ids else [named.pop("fields")] if method == "default_get" else []
        settings = self._settings
        return self._jsonrpc("object", "execute_kw", [
            settings["database"], self._signed_in(), settings["key"], model, method, args, {**named, "context": told}],
            changes)  # fmt: skip

    # --- JSON-2 ----------------------------------------

    def _json2(self, model: str, method: str, body: Mapping[str, Any], changes: bool) -> Any:
        headers = {"Authorization": f"bearer {self._settings['key']}"}
        if self._settings.get("database"):
            headers["X-Odoo-Database"] = str(self._settings["database"])
        path = f"/json/2/{quote(model, safe='')}/{quote(method, safe='')}"
        answer = self._session.post(self._home + path, json=body, headers=headers)
        self._let_through(answer, changes)
        told = json_of(answer, WHO, changes=changes and answer.status_code < 400)
        if answer.status_code == 200:
            return told
        raise meant(told if isinstance(told, dict) else {"message": str(told)}, answer.status_code, changes=changes)

    # --- JSON-RPC ----------------------------------------

    def _signed_in(self) -> int:
        """Our user's number; asked once. A wrong key or login is answered with `false`."""
        with self._lock:
            if self._user is None:
                settings = self._settings
                with nothing_done():
                    told = self._jsonrpc(
                        "common", "login", [settings["database"], settings["login"], settings["key"]], False
                    )
                if not told:
                    raise CredentialsRefused("Odoo refuses the login or its key")
                self._user = int(told)
            return self._user

    def _jsonrpc(self, service: str, method: str, args: list[Any], changes: bool) -> Any:
        params = {"service": service, "method": method, "args": args}
        body = {"jsonrpc": "2.0", "method": "call", "params": params, "id": next(self._count)}
        answer = self._session.post(f"{self._home}/jsonrpc", json=body)
        self._let_through(answer, changes)
        told = json_of(answer, WHO, changes=changes)
        error = told.get("error") if isinstance(told, dict) else None
        if error:
            data = error.get("data") if isinstance(error, dict) else None
            raise meant(data or {"message": str(error)}, answer.status_code, changes=changes)
        if answer.status_code != 200 or not isinstance(told, dict):
            raise meant({}, answer.status_code, changes=changes)
        return told.get("result")

    @staticmethod
    def _let_through(answer: requests.Response, changes: bool) -> None:
        """Raises what the servers before Odoo say: too many calls, a page instead of an answer."""
        if answer.status_code == 429:
            raise Throttled(f"{WHO} takes no more calls just now", retry_after(answer))
        if 300 <= answer.status_code < 400:
            raise Unavailable(f"{WHO} answers {answer.status_code}: somebody's sign-in page, perhaps")
        if answer.status_code >= 500 and "json" not in answer.headers.get("Content-Type", ""):
            kind = Unavailable if answer.status_code == 503 else lost(changes)
            raise kind(f"{WHO} answers {answer.status_code} with a page")


def stamp(moment: dt.datetime) -> str:
    """A moment as Odoo writes it: UTC, without saying so."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def moment_of(told: Any) -> dt.datetime | None:
    """A moment that Odoo tells; None where it is none (Odoo says false)."""
    try:
        return dt.datetime.fromisoformat(str(told)).replace(tzinfo=dt.UTC) if told else None
    except ValueError:
        return None
