"""Hooks in: signed 1.8 KB events to a durable 202, through the real ASGI application on uvicorn, into SQLite.

    python -m bench.hooks

Three processes: the server (uvicorn, uvloop, httptools; the hub's own front door, connector and acceptor), the sender
(keep-alive connections, requests made and signed beforehand) and, alone, the measure to compare with. That measure, the
store's own group-commit rate, is what the store does when nothing stands before it: threads that each put one row of
`events`, with the same 1.8 KB body, through a committer that writes all waiting rows in one durable transaction.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from types import SimpleNamespace
from typing import Any

import msgspec
import requests
import uvicorn
import uvloop
from flask import Flask
from sqlalchemy import func, insert, select

from connectors.platform.webhook import Webhook
from connectors.wire.standard_webhooks import sign
from hub.contract import Tools
from hub.flow.intake.accept import Acceptor
from hub.language.mapping import Source, TargetSpec
from hub.model import Event
from hub.store import crm as _crm  # noqa: F401  (its tables belong to the schema)
from hub.store.database import Store, open_store
from hub.store.schema import deliveries, events, interactions, metadata
from hub.web.asgi import asgi_app

SECRET = "whsec_" + b64encode(b"for this bench and no other use").decode()
ROUNDS = 3
HOOKS, WARM = 10_000, 2_000
CONNECTIONS = 64
OFFERED = 500  # hooks a second, for the latency
OFFERED_SECONDS = 5
THREADS = 32  # of the measure to compare with, as when the design was measured
BODY_BYTES = 1_800


def run() -> dict[str, Any]:
    """Every figure of this bench: medians over rounds in which each is measured beside the others."""
    rounds = [_round() for _ in range(ROUNDS)]
    hooks, store, same = (statistics.median(one[name] for one in rounds) for name in ("hooks", "store", "acceptor"))
    return {
        "hooks_per_second": round(hooks),
        "store_group_commit_per_second": round(store),
        "ratio_to_group_commit": round(statistics.median(one["hooks"] / one["store"] for one in rounds), 3),
        "acceptor_without_http_per_second": round(same),
        "p50_ms_at_500_per_second": round(statistics.median(one["p50_ms"] for one in rounds), 2),
        "p99_ms_at_500_per_second": round(statistics.median(one["p99_ms"] for one in rounds), 2),
        "hooks": HOOKS * ROUNDS,
        "body_bytes": BODY_BYTES,
    }


def _round() -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("PATCHBAY_BENCH_DIR")) as folder:
        before = _child("store", f"{folder}/store-1.db")
        with _server(f"{folder}/hooks.db") as port:
            _child("load", str(port), str(WARM), "warm")  # imports, caches, pages of the file
            full = _child("load", str(port), str(HOOKS), "full")
            offered = _child("load", str(port), str(OFFERED * OFFERED_SECONDS), "offered")
        kept = _child("count", f"{folder}/hooks.db")
        after = _child("store", f"{folder}/store-2.db")
        same_rows = _child("acceptor", f"{folder}/acceptor.db")
    expected = WARM + HOOKS + OFFERED * OFFERED_SECONDS
    if {kept["events"], kept["interactions"], kept["deliveries"]} != {expected}:
        raise AssertionError(f"{expected} hooks were answered 202, kept were {kept}")
    store = statistics.mean([before["rate"], after["rate"]])
    return {"hooks": full["rate"], "store": store, "acceptor": same_rows["rate"]} | {
        name: offered[name] for name in ("p50_ms", "p99_ms")
    }


# --- what is sent ----------------------------------------


def body(n: str) -> bytes:
    """A wrapped-up call of 1.8 KB."""
    event = {
        "id": f"evt-{n}",
        "type": "interaction.wrapped_up",
        "occurred_at": "2026-11-23T10:05:40Z",
        "interaction": {
            "id": f"call-{n}", "channel": "voice", "direction": "inbound", "remote": "+34 612 34 56 78",
            "local": "+34911234567", "queue": "Sales ES", "started_at": "2026-11-23T10:02:00Z",
            "answered_at": "2026-11-23T10:02:09Z", "ended_at": "2026-11-23T10:05:13Z",
            "recording_url": f"https://rec.example/{n}",
        },
        "agent": {"id": "a-17", "email": "ana@example.com", "name": "Ana"},
        "customer": {"phone": "+34 612 34 56 78", "email": None, "crm_key": None},
        "wrap_up": {"code": "SALE", "comment": "Wants the red one", "seconds": 12},
        "attached": {f"field_{i}": f"a value that the platform attached, number {i}" for i in range(12)},
    }  # fmt: skip
    room = BODY_BYTES - len(json.dumps(event))
    event["wrap_up"]["comment"] += "." * room  # type: ignore[index]
    return json.dumps(event).encode()


def requests_of(kind: str, count: int) -> list[bytes]:
    """Whole HTTP requests, signed and distinct."""
    made = []
    for n in range(count):
        raw = body(f"{kind}-{n:07}")
        headers = sign(SECRET, f"msg-{kind}-{n}", datetime.now(UTC), raw) | {"content-type": "application/json"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        made.append(
            f"POST /hooks/pbx HTTP/1.1\r\nhost: hub\r\ncontent-length: {len(raw)}\r\n{lines}\r\n".encode() + raw
        )
    return made


class Sender(asyncio.Protocol):
    """One keep-alive connection: sends, waits for the answer, notes how long it took, sends the next."""

    def __init__(self, left: Iterator[tuple[float, bytes]], took: list[float]) -> None:
        self._left, self._took = left, took
        self._loop = asyncio.get_running_loop()
        self.done = self._loop.create_future()
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(b"}"):
            return
        if not self._answer.startswith(b"HTTP/1.1 202 "):
            self.done.set_exception(AssertionError(self._answer.decode()))
            return
        self._took.append(time.perf_counter() - self._due)
        self._answer = b""
        self._next()

    def _next(self) -> None:
        due, whole = next(self._left, (0.0, b""))
        if not whole:
            self._transport.close()
            self.done.set_result(None)
            return
        self._due = due or time.perf_counter()
        wait = self._due - time.perf_counter()
        if wait > 0:
            self._loop.call_later(wait, self._transport.write, whole)
        else:
            self._transport.write(whole)


async def load(port: int, count: int, kind: str) -> dict[str, float]:
    """Send `count` hooks. `offered`: at a fixed pace, and a hook's time counts from when it was due, not from when a
    connection was free for it."""
    ready = requests_of(kind, count)
    start = time.perf_counter() + 0.2
    dues = [start + n / OFFERED if kind == "offered" else 0.0 for n in range(count)]
    left, took = iter(zip(dues, ready, strict=True)), list[float]()
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(lambda: Sender(left, took), "127.0.0.1", port) for _ in range(CONNECTIONS)]
    await asyncio.gather(*(sender.done for _, sender in pairs))
    seconds = time.perf_counter() - (start if kind == "offered" else began)
    took.sort()
    return {
        "rate": count / seconds,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[int(len(took) * 0.99)] * 1000,
    }


# --- the server ----------------------------------------


class OneMapping:
    """The registry, with one mapping that every wrap-up triggers."""

    def __init__(self) -> None:
        source = Source(connections=(), events=("interaction.wrapped_up",), after={})
        target = TargetSpec(connection="crm", write="activity", key="key")
        self._all: tuple[Any, ...] = (SimpleNamespace(name="wrap_up", source=source, target=target),)

    def catch_up(self, connection: object) -> None:
        """Nobody publishes here."""

    def triggered_by(self, connection: str, event_type: str) -> tuple[Any, ...]:
        return self._all if event_type == "interaction.wrapped_up" else ()

    def current(self, name: str) -> Any:
        return self._all[0]


class BenchHub:
    """What the front door needs of a hub: store, connector and acceptor are the real ones."""

    def __init__(self, store: Store) -> None:
        tools = Tools(
            connection="pbx", session=requests.Session(), now=lambda: datetime.now(UTC), country="ES", public_url=""
        )
        self.config = SimpleNamespace(max_body_bytes=1 << 20)
        self.connections = {"pbx": SimpleNamespace(connector=Webhook({"secrets": [SECRET]}, tools))}
        self.acceptor = Acceptor(store, OneMapping(), "ES", lambda _connection, _number: None)

    def start(self) -> None:
        self.acceptor.start()

    def close(self) -> None:
        self.acceptor.close()


def serve(path: str, port: int) -> None:
    """Serve until told to stop."""
    app = asgi_app(BenchHub(_fresh(path)), Flask("bench"))  # type: ignore[arg-type]
    config = uvicorn.Config(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", ws="none", access_log=False,
                            server_header=False, log_config=None)  # fmt: skip
    uvicorn.Server(config).run()


@contextmanager
def _server(path: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([*_profiled(), sys.executable, "-m", "bench.hooks", "serve", path, str(port)])
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _profiled() -> list[str]:
    return os.environ.get("PATCHBAY_BENCH_PROFILER", "").split()


# --- what it is compared with ----------------------------------------


def store_rate(path: str, count: int = HOOKS) -> dict[str, float]:
    """The store's own group-commit rate: one row of `events` each, by many threads, through one committer."""
    store = _fresh(path)
    queue: SimpleQueue[tuple[dict[str, Any], Future[None]] | None] = SimpleQueue()
    statement = insert(events)

    def commit() -> None:
        while (first := queue.get()) is not None:
            batch = [first]
            while len(batch) < 500:
                try:
                    following = queue.get_nowait()
                except Empty:
                    break
                if following is None:
                    queue.put(None)
                    break
                batch.append(following)
            with store.write() as conn:
                conn.execute(statement, [row for row, _ in batch])
            for _, done in batch:
                done.set_result(None)

    def put(thread: int) -> None:
        for n in range(count // THREADS):
            name, done = f"{thread}-{n}", Future[None]()
            row = {"connection": "pbx", "source_id": f"evt-{name}", "type": "interaction.wrapped_up", "subject": f"s/{name}",
                   "occurred_at": 1, "received_at": 1, "body": bodies[n % len(bodies)]}  # fmt: skip
            queue.put((row, done))
            done.result()

    bodies = [body(str(n)).decode() for n in range(100)]
    committer = threading.Thread(target=commit)
    committer.start()
    seconds = _timed([threading.Thread(target=put, args=(thread,)) for thread in range(THREADS)])
    queue.put(None)
    committer.join()
    store.close()
    return {"rate": count // THREADS * THREADS / seconds}


def acceptor_rate(path: str, count: int = HOOKS) -> dict[str, float]:
    """The hub's acceptor without HTTP and proof: event, interaction and delivery rows, for as many who wait at once."""
    store = _fresh(path)
    acceptor = Acceptor(store, OneMapping(), "ES")
    acceptor.start()
    left = iter([msgspec.json.decode(body(str(n)), type=Event) for n in range(count)])

    async def put() -> None:
        for event in left:
            await acceptor.accepted("pbx", [event])

    async def all_at_once() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(put() for _ in range(CONNECTIONS)))
        return time.perf_counter() - began

    seconds = uvloop.run(all_at_once())
    acceptor.close()
    store.close()
    return {"rate": count / seconds}


def count_rows(path: str) -> dict[str, int]:
    """How many rows of each kind there are."""
    store = open_store(f"sqlite:///{path}")
    with store.read() as conn:
        counts = {
            table.name: conn.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (events, interactions, deliveries)
        }
    store.close()
    return counts


def _timed(threads: Sequence[threading.Thread]) -> float:
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def _fresh(path: str) -> Store:
    Path(path).unlink(missing_ok=True)
    store = open_store(f"sqlite:///{path}")
    metadata.create_all(store.engine)
    return store


def _child(*args: str) -> dict[str, Any]:
    """What a process of its own found."""
    done = subprocess.run([sys.executable, "-m", "bench.hooks", *args], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(args: Sequence[str]) -> None:
    """One of the processes, or all."""
    match list(args):
        case []:
            print(json.dumps({"bench": "hooks", **run()}))
        case ["serve", path, port]:
            serve(path, int(port))
        case ["load", port, count, kind]:
            print(json.dumps(uvloop.run(load(int(port), int(count), kind))))
        case ["store", path]:
            print(json.dumps(store_rate(path)))
        case ["acceptor", path]:
            print(json.dumps(acceptor_rate(path)))
        case ["count", path]:
            print(json.dumps(count_rows(path)))


if __name__ == "__main__":
    main(sys.argv[1:])
