"""A CRM of people served over HTTP that can go down and hang, and the connector that speaks to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from hub.contract import Manifest, Setting, Tools
from hub.errors import Unavailable
from hub.model import Lookup, Match, Page, Query, Record
from tests.waiting import PATIENCE


class PeopleServer:
    """Contacts with a revision each, at `/contacts?since=&after=&size=` and `/search?phone=`. `down`: it answers 503;
    `hangs`: it answers when the event is set."""

    def __init__(self) -> None:
        self.contacts: dict[str, tuple[int, dict[str, Any]]] = {}
        self.down = False
        self.hangs: threading.Event | None = None
        self.searches = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                road = urlsplit(self.path)
                if server.hangs is not None:
                    server.hangs.wait(2 * PATIENCE)
                status, told = (
                    (503, {})
                    if server.down
                    else (200, server.answer(road.path, dict(parse_qsl(road.query, keep_blank_values=True))))
                )
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def put(self, id: str, phone: str, name: str) -> None:
        """Add or change a contact."""
        revision = 1 + max((revision for revision, _ in self.contacts.values()), default=0)
        self.contacts[id] = (revision, {"id": id, "phone": phone, "name": name})

    def answer(self, path: str, asked: Mapping[str, str]) -> Any:
        """The JSON of one request."""
        if path == "/search":
            self.searches += 1
            return [row for _, row in self.contacts.values() if row["phone"] == asked["phone"]]
        since, after, size = int(asked["since"]), asked["after"], int(asked["size"])
        rows = sorted((i, row) for i, (revision, row) in self.contacts.items() if revision > since and i > after)
        newest = max((revision for revision, _ in self.contacts.values()), default=0)
        return {"rows": [row for _, row in rows[:size]], "more": len(rows) > size, "revision": newest}

    @contextmanager
    def served(self) -> Iterator[PeopleServer]:
        """While it is served."""
        thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            if self.hangs is not None:
                self.hangs.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join(PATIENCE)


class PeopleCrm:
    """Finds by number, and gives pages."""

    manifest: ClassVar[Manifest] = Manifest(
        name="people", title="People", about="For tests.", family="crm", people=("contact",),
        settings=(Setting(name="url", about="Where it is.", kind="url", required=True),),
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        self._url, self._session = settings["url"], tools.session

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """Contacts by number."""
        return [self._found(lookup.value) if lookup.by == "phone" else [] for lookup in lookups]

    def _found(self, phone: str) -> list[Record]:
        match = Match("phone", phone)
        rows = self._asked("search", phone=phone)
        return [Record(object="contact", id=row["id"], title=row["name"], match=match) for row in rows]

    def pages(self, query: Query) -> Iterator[Page]:
        """Contacts by id."""
        after, since = query.cursor or "", query.watermark or "0"
        while True:
            told = self._asked("contacts", since=since, after=after, size=query.size)
            after = told["rows"][-1]["id"] if told["rows"] else after
            yield Page(rows=told["rows"], cursor=after if told["more"] else None, watermark=str(told["revision"]))
            if not told["more"]:
                return

    def links(self, kind: str, object: str, id: str = "", fields: Any = None) -> str:
        """A page of it."""
        return f"{self._url}/{kind}/{object}/{id}"

    def _asked(self, road: str, **query: Any) -> Any:
        answer = self._session.get(f"{self._url}/{road}", params=query)
        if answer.status_code != 200:
            raise Unavailable(f"answered {answer.status_code}")
        return answer.json()
