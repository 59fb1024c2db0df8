"""The HTTP session that the hub hands to a connector: time-outs set, TLS verified, no retries, no surprise addresses."""

from __future__ import annotations

import requests

from hub.config import ConnectionConfig


def open_session(connection: ConnectionConfig) -> requests.Session:
    """A session for one connection."""
    raise NotImplementedError
