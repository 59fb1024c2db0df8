"""Whoever calls the hub through its real front door, without a network: one request at a time."""

from __future__ import annotations

import asyncio
import json as text
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

from hub.web.asgi_wire import Application


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are in lower case."""

    status_code: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.data.decode()

    @property
    def mimetype(self) -> str:
        """The body's type, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0]

    def json(self) -> Any:
        """The body, which has to be JSON."""
        return text.loads(self.data)


class AsgiClient:
    """Calls an ASGI application."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def get(
        self, path: str, query_string: Mapping[str, Any] | bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A GET."""
        return self.open(path, query_string=query_string, headers=headers)

    def post(self, path: str, json: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """A POST of JSON, or of nothing."""
        body = b"" if json is None else text.dumps(json).encode()
        media = {} if json is None else {"Content-Type": "application/json"}
        return self.open(path, "POST", headers={**media, **(headers or {})}, body=body)

    def open(
        self,
        path: str,
        method: str = "GET",
        *,
        query_string: Mapping[str, Any] | bytes = b"",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Any request; `path` as in a URL, its query too where none is given."""
        return asyncio.run(self.ask(path, method, query_string=query_string, headers=headers, body=body))

    async def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        query_string: Mapping[str, Any] | bytes = b"",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """The same beside others."""
        road, _, query = path.partition("?")
        given = query_string if isinstance(query_string, bytes) else urlencode(query_string, doseq=True).encode()
        length = {"Content-Length": str(len(body))} if body else {}
        sent = {"Host": "hub", **length, **(headers or {})}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(road), "raw_path": quote(road, "/%").encode(), "root_path": "",
            "query_string": given or query.encode(), "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        }  # fmt: skip
        incoming: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]
        came: list[Any] = []

        async def receive() -> Any:
            return incoming.pop() if incoming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            came.append(message)

        await self._app(scope, receive, send)
        return Answer(
            came[0]["status"], _read(came[0]["headers"]), b"".join(part.get("body", b"") for part in came[1:])
        )


def _read(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
