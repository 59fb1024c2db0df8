"""Access tokens: fetched once, used by every thread, renewed when they end or are refused."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

from msgspec import Struct

EARLY = dt.timedelta(seconds=60)  # a token that ends so soon is not begun with


class Token(Struct, frozen=True, kw_only=True):
    """An access token. `told` is what else its answer said, such as the address of the API."""

    value: str
    expires_at: dt.datetime | None = None  # None: nobody says; it is used until it is refused
    told: dict[str, Any] = {}


class Tokens:
    """The token of one connection. `fetch` signs in; it raises CredentialsRefused where that is refused."""

    def __init__(self, fetch: Callable[[], Token], now: Callable[[], dt.datetime]) -> None:
        self._fetch, self._now = fetch, now
        self._lock = threading.Lock()
        self._token: Token | None = None

    def current(self) -> Token:
        """The token; a new one where there is none or it is about to end."""
        with self._lock:
            if self._token is None or self._ends(self._token):
                self._token = self._fetch()
            return self._token

    def instead_of(self, refused: Token) -> Token:
        """A new token where `refused` is still the one in use; another thread may have renewed it already."""
        with self._lock:
            if self._token is None or self._token.value == refused.value:
                self._token = None
                self._token = self._fetch()
            return self._token

    def _ends(self, token: Token) -> bool:
        return token.expires_at is not None and token.expires_at - EARLY <= self._now()


def expires_in(seconds: object, now: dt.datetime) -> dt.datetime | None:
    """When a token ends whose answer says `expires_in`; None where it does not say so in a number."""
    if isinstance(seconds, bool) or not str(seconds).isdecimal():
        return None
    return now + dt.timedelta(seconds=int(str(seconds)))
