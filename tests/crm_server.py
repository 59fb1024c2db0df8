"""A CRM in a process of its own, the judge of what arrived: `python -m tests.crm_server FILE [--latency SECONDS]`.

It keeps every record in its own SQLite file, prints its address when it listens, and makes as many records of one key as it
is asked to. Killing the hub cannot touch it.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Crm:
    """The records, and who made each."""

    def __init__(self, file: str, latency: float) -> None:
        self.latency = latency
        self.waiting = 0  # how many writes are done and not answered
        self._let_go = threading.Event()
        self._let_go.set()
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, check_same_thread=False)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, key TEXT, fields TEXT, node TEXT)"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS by_key ON records (key)")

    def search(self, asked: Any) -> Any:
        """The ids of the records that have these keys."""
        marks = ",".join("?" * len(asked["keys"]))
        found = self._db.execute(f"SELECT key, id FROM records WHERE key IN ({marks})", asked["keys"]).fetchall()
        return {"ids": dict(found)}

    def create(self, asked: Any) -> Any:
        """New records, whatever there is already."""
        return {"ids": {row["key"]: self._insert(row, asked["node"]) for row in asked["rows"]}}

    def update(self, asked: Any) -> Any:
        """Other fields for records that are there."""
        for row in asked["rows"]:
            self._db.execute("UPDATE records SET fields = ? WHERE id = ?", (json.dumps(row["fields"]), row["id"]))
        return {}

    def upsert(self, asked: Any) -> Any:
        """One record a key."""
        known = self.search({"keys": [row["key"] for row in asked["rows"]]})["ids"]
        return {
            "ids": {row["key"]: known.get(row["key"]) or self._insert(row, asked["node"]) for row in asked["rows"]},
            "known": list(known),
        }

    def tally(self, asked: Any) -> Any:
        """How many records, keys, and records by node."""
        records, keys = self._db.execute("SELECT count(*), count(DISTINCT key) FROM records").fetchone()
        nodes = dict(self._db.execute("SELECT node, count(*) FROM records GROUP BY node").fetchall())
        return {"records": records, "keys": keys, "nodes": nodes}

    def keys(self, asked: Any) -> Any:
        """Every record's key."""
        return {"keys": [key for (key,) in self._db.execute("SELECT key FROM records ORDER BY id")]}

    def hold(self, asked: Any) -> Any:
        """From now on, do what is asked and keep the answer back; or, with `off`, let all answers go."""
        (self._let_go.set if asked.get("off") else self._let_go.clear)()
        return {}

    def held(self, asked: Any) -> Any:
        """How many writes are done and not answered."""
        return {"writes": self.waiting}

    def _insert(self, row: Any, node: str) -> int | None:
        cursor = self._db.execute(
            "INSERT INTO records (key, fields, node) VALUES (?, ?, ?)", (row["key"], json.dumps(row["fields"]), node)
        )
        return cursor.lastrowid

    def answer(self, path: str, asked: Any) -> Any:
        """One request, in one transaction; a write takes its time before it is done, and again before that is said."""
        do: Callable[[Any], Any] = getattr(self, path.strip("/"))
        if path in ("/tally", "/keys", "/hold", "/held"):
            with self._lock, self._db:
                return do(asked)
        time.sleep(self.latency / 2)
        with self._lock, self._db:
            given = do(asked)
            self.waiting += path != "/search"
        time.sleep(self.latency / 2)
        if path != "/search":
            self._let_go.wait(120)
            with self._lock:
                self.waiting -= 1
        return given


def main() -> None:
    """Serve until killed."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("file")
    arguments.add_argument("--latency", type=float, default=0.0)
    told = arguments.parse_args()
    crm = Crm(told.file, told.latency)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(crm.answer(self.path, asked)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that was killed is not worth a word."""

    with Server(("127.0.0.1", 0), Door) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
