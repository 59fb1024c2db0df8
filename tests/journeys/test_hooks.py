"""Hooks through a real server: what is proven and readable is durable before it is answered; all else is told why."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import requests
import uvicorn
from flask import Flask, request
from sqlalchemy import select

from connectors.platform.webhook import Webhook
from connectors.wire.canonical import events_of
from connectors.wire.standard_webhooks import sign
from hub.contract import HookRequest, Tools
from hub.flow.intake.accept import Acceptor, TooBusy
from hub.store.database import Store, open_store
from hub.store.schema import deliveries, events, interactions, unread
from hub.web.asgi import SWITCH_SECONDS, WORKERS, asgi_app
from hub.web.asgi_wire import Application
from hub.web.hooks import Hooks
from hub.web.impatient import ImpatientProtocol
from tests.unit.test_accept import LOG, in_threads, rows
from tests.waiting import PATIENCE, until

SECRET = "whsec_" + b64encode(b"a secret of twenty-four.").decode()
LARGEST = 100_000


class StandInHub:
    """As much of a hub as the front door needs."""

    def __init__(self, store: Store) -> None:
        tools = Tools(
            connection="pbx", session=requests.Session(), now=lambda: datetime.now(UTC), country="ES", public_url=""
        )
        self.store, self.life = store, list[str]()
        self.config = SimpleNamespace(max_body_bytes=LARGEST)
        self.connections = {
            "pbx": SimpleNamespace(connector=Webhook({"secrets": [SECRET]}, tools)),
            "open": SimpleNamespace(connector=SimpleNamespace(receive=events_of)),  # believes everybody
            "crm": SimpleNamespace(connector=object()),
            "broken": SimpleNamespace(connector=SimpleNamespace(receive=self.break_down)),
        }
        self.acceptor: Any = Acceptor(store, LOG, "ES")

    def start(self) -> None:
        self.life.append("started")
        self.acceptor.start()

    def close(self) -> None:
        self.acceptor.close()
        self.life.append("closed")

    @staticmethod
    def break_down(_request: HookRequest) -> None:
        raise RuntimeError("Ana's number is +34612345678")


def pages() -> Flask:
    app = Flask("pages")

    @app.route("/", methods=["GET", "POST"])
    def front() -> str:
        return f"a page {len(request.get_data())}"

    return app


@contextmanager
def serving(app: Application | Hooks, port: int, lifespan: str = "on", http: Any = "auto") -> Iterator[str]:
    """A real server on loopback."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        ws="none",
        http=http,
        lifespan=lifespan,
        log_config=None,
        access_log=False,  # type: ignore[arg-type]
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def hub(store: Store) -> StandInHub:
    return StandInHub(store)


@pytest.fixture
def url(hub: StandInHub, free_port: int) -> Iterator[str]:
    with serving(asgi_app(hub, pages()), free_port) as url:  # type: ignore[arg-type]
        yield url


def one(id: str = "evt-1", **over: Any) -> dict[str, Any]:
    base = {"id": id, "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z",
            "interaction": {"id": "call-1", "channel": "voice"}}  # fmt: skip
    return base | over


def signed(body: bytes, secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    return sign(secret, "msg-1", at or datetime.now(UTC), body)


def post(url: str, body: Any, headers: dict[str, str] | None = None, path: str = "/hooks/pbx") -> requests.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(url + path, data=raw, headers=signed(raw) if headers is None else headers, timeout=PATIENCE)


def problem(response: requests.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = response.json()
    assert told["status"] == status
    assert told["instance"] == "/hooks/" + response.url.partition("/hooks/")[2]
    assert SECRET not in response.text
    return told


def nothing_is_kept(store: Store) -> bool:
    return all(rows(store, table) == [] for table in (events, interactions, deliveries, unread))


# --- taken in ----------------------------------------


def test_what_is_answered_202_is_durable(url: str, store: Store, store_url: str) -> None:
    response = post(url, one())
    other = open_store(store_url)  # as another process sees it
    with other.read() as conn:
        assert conn.execute(select(events.c.source_id)).scalars().all() == ["evt-1"]
    other.close()
    assert (response.status_code, response.content) == (202, b'{"accepted":1,"duplicates":0}')
    assert response.headers["content-type"] == "application/json"
    assert [row["mapping"] for row in rows(store, deliveries)] == ["log"]


def test_a_replayed_hook_changes_nothing(url: str, store: Store) -> None:
    body = json.dumps([one(), one("evt-2", interaction={"id": "call-2"})]).encode()
    headers = signed(body)
    assert post(url, body, headers).json() == {"accepted": 2, "duplicates": 0}
    before = rows(store, interactions), rows(store, deliveries)
    assert post(url, body, headers).json() == {"accepted": 0, "duplicates": 2}
    assert post(url, one(agent={"id": "forger"})).json() == {"accepted": 0, "duplicates": 1}
    assert (rows(store, interactions), rows(store, deliveries)) == before


def test_an_array_counts_and_an_empty_one_too(url: str) -> None:
    assert post(url, [one(), one(), one("evt-2")]).json() == {"accepted": 2, "duplicates": 1}
    assert post(url, []).json() == {"accepted": 0, "duplicates": 0}


def test_cloud_events_come_the_same_way(url: str) -> None:
    body = json.dumps({"specversion": "1.0", "id": "ce", "source": "/", "type": "x", "data": one()}).encode()
    assert post(url, body, signed(body) | {"content-type": "application/cloudevents+json"}).json()["accepted"] == 1
    body = json.dumps({name: value for name, value in one().items() if name != "id"}).encode()
    assert post(url, body, signed(body) | {"ce-specversion": "1.0", "ce-id": "%C3%A9"}).json()["accepted"] == 1


def test_concurrent_duplicates_are_one_each(url: str, store: Store) -> None:
    """Many senders send the same hooks at once; each event is taken in by exactly one answer."""
    bodies = [
        json.dumps([one(f"e-{n}", interaction={"id": f"c-{n % 5}"}), one(f"e-{n + 1}")]).encode() for n in range(20)
    ]
    answers: list[dict[str, int]] = []

    def send() -> None:
        with requests.Session() as session:
            for body in bodies:
                response = session.post(f"{url}/hooks/pbx", data=body, headers=signed(body), timeout=PATIENCE)
                assert response.status_code == 202, response.text
                answers.append(response.json())

    in_threads([send] * 12)
    assert len(answers) == 240
    assert sum(answer["accepted"] for answer in answers) == 21
    assert sum(answer["duplicates"] for answer in answers) == 480 - 21
    assert len(rows(store, events)) == 21


# --- not proven ----------------------------------------


def test_who_is_not_proven_leaves_nothing(url: str, store: Store) -> None:
    now, forged = datetime.now(UTC), "no secret of this connection signed"
    for body in (json.dumps(one()).encode(), b"\xff{", b""):
        for headers, why in (
            ({}, "unsigned: webhook-id, webhook-timestamp, webhook-signature missing"),
            (signed(body, secret="another"), forged),
            (signed(body + b" "), forged),
            (signed(body) | {"webhook-id": "msg-2"}, forged),
            (signed(body) | {"webhook-signature": "v1,AAAA"}, forged),
            (signed(body, at=now - timedelta(minutes=6)), "seconds old"),
            (signed(body, at=now + timedelta(minutes=6)), "seconds in the future"),
        ):
            assert why in problem(post(url, body, headers), 401)["detail"]
    assert nothing_is_kept(store)


def test_no_answer_tells_which_connections_there_are(url: str) -> None:
    names = ["none", "crm", "", "pbx/", "pbx/x", "%70bx%00", "../hooks/none", "x" * 5000]
    told = [post(url, one(), path=f"/hooks/{name}") for name in names]
    assert {response.status_code for response in told} == {404}
    assert {response.json()["detail"] for response in told} == {"There is no connection of this name that takes hooks."}


def test_hooks_are_posted(url: str) -> None:
    for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"):
        response = requests.request(method, f"{url}/hooks/pbx", timeout=PATIENCE)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


# --- proven, but wrong ----------------------------------------


def test_a_wrong_field_is_named_and_nothing_is_kept(url: str, store: Store) -> None:
    bad_fourth = [one(), one("b"), one("c"), one("d", interaction={"id": "c", "channel": "fax"})]
    for body, field, why in (
        (one(occurred_at="2026-11-23T10:05:40"), "occurred_at", "zone"),
        (one(type="interaction.wraped_up"), "type", 'did you mean "interaction.wrapped_up"?'),
        (bad_fourth, "[3].interaction.channel", "voice"),
        ([one(), one("b", type="dial.failed", interaction=None)], "[1].dial.id", "required"),
        ([one(), 3], "[1]", "object"),
        ({}, "id", "missing"),
        (one(id="a\0b"), "id", "NUL"),
    ):
        told = problem(post(url, body), 422)
        assert told["errors"][0]["field"] == field
        assert why in told["errors"][0]["problem"]
        assert told["detail"].startswith(field)
    assert nothing_is_kept(store)


UNREADABLE = {
    "truncated": json.dumps(one()).encode()[:-9],
    "not UTF-8": json.dumps(one(agent={"name": "Zoë"}), ensure_ascii=False).encode("latin-1"),
    "nested": json.dumps(one())[:-1].encode() + b', "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "no JSON": b"<event/>",
    "empty": b"",
}


def test_a_proven_body_that_cannot_be_read_is_kept_once(url: str, store: Store) -> None:
    for body in UNREADABLE.values():
        for _ in range(2):
            response = post(url, body, signed(body) | {"authorization": "Bearer x"})
            assert response.status_code == 202
            assert response.json() == {"accepted": 0, "duplicates": 0, "unread": 1}
    kept = rows(store, unread)
    assert [(row["connection"], row["body"]) for row in kept] == [("pbx", body) for body in UNREADABLE.values()]
    for row in kept:
        assert "Bearer" not in row["headers"]
        assert "v1," not in row["headers"]
        assert "msg-1" in row["headers"]
    assert rows(store, events) == []


def test_text_that_a_database_cannot_hold_is_no_obstacle(url: str, store: Store) -> None:
    assert post(url, one(comment={"text": "a\0b"}, attached={"k\0": 1})).json()["accepted"] == 1
    assert "\\u0000" not in rows(store, interactions)[0]["facts"]
    told = problem(post(url, one("e-2", comment={"text": "\ud800"})), 422)
    assert told["errors"][0]["field"] == "comment.text"


def test_an_encoded_body_is_refused(url: str, store: Store) -> None:
    body = gzip.compress(json.dumps(one()).encode())
    response = post(url, body, signed(body) | {"content-encoding": "gzip"})
    assert 'encoded as "gzip"' in problem(response, 415)["detail"]
    assert response.headers["accept-encoding"] == "identity"
    assert nothing_is_kept(store)


# --- bodies that are too large, too slow, cut off ----------------------------------------


def connected(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def head(headers: dict[str, str], path: str = "/hooks/pbx") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: hub", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server closes."""
    answer = b""
    while chunk := sock.recv(65536):
        answer += chunk
    return answer


def test_the_largest_body_is_taken_and_one_byte_more_is_not(url: str, store: Store) -> None:
    fits = json.dumps(one()).encode().ljust(LARGEST)
    assert post(url, fits).json()["accepted"] == 1
    response = post(url, fits + b" ")
    assert f"larger than {LARGEST} bytes" in problem(response, 413)["detail"]
    assert response.headers["connection"] == "close"


def test_a_gigantic_body_is_refused_before_it_is_sent(url: str, store: Store) -> None:
    with connected(url) as sock:
        sock.sendall(head(signed(b"x") | {"Content-Length": str(10**15)}))
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")
    with connected(url) as sock:
        sock.sendall(head({"Content-Length": "9" * 40}))
        assert read_all(sock).partition(b" ")[2][:3] in (b"400", b"413")
    assert nothing_is_kept(store)


def test_who_sends_too_much_still_reads_why(url: str, store: Store) -> None:
    for framing in ({"Content-Length": "6000000"}, {"Transfer-Encoding": "chunked"}):
        with connected(url) as sock:
            sock.sendall(head(signed(b"x") | framing))
            for _ in range(120):  # a plain client: it sends everything, and only then looks for the answer
                sock.sendall(b" " * 50_000 if "Content-Length" in framing else b"c350\r\n" + b" " * 50_000 + b"\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")
    assert nothing_is_kept(store)


def test_an_endless_stream_is_cut_off(url: str, store: Store) -> None:
    with connected(url) as sock:
        sock.sendall(head(signed(b"x") | {"Transfer-Encoding": "chunked"}))
        sent, chunk = 0, b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with suppress(OSError):
            while sent < 200_000_000:
                sock.sendall(chunk)
                sent += 0x10000
        assert sent < 50_000_000
    assert nothing_is_kept(store)


def test_who_hangs_up_mid_body_leaves_nothing_and_breaks_nothing(url: str, store: Store) -> None:
    body = json.dumps(one()).encode()
    for kept_back in (1, len(body) // 2, len(body)):
        for framing in ({"Content-Length": str(len(body))}, {"Transfer-Encoding": "chunked"}):
            part = body[: len(body) - kept_back]
            chunk = part if "Content-Length" in framing else f"{len(part):x}\r\n".encode() + part + b"\r\n"
            with connected(url) as sock:
                sock.sendall(head(framing, path="/hooks/open") + (chunk if part else b""))
    assert post(url, body).json()["accepted"] == 1  # by then the others are done with
    assert rows(store, unread) == []
    assert len(rows(store, events)) == 1


def test_who_sends_too_slowly_is_told_so(hub: StandInHub, store: Store, free_port: int) -> None:
    hub.start()
    with serving(Hooks(hub, read_seconds=0.2), free_port, lifespan="off") as url, connected(url) as sock:  # type: ignore[arg-type]
        sock.sendall(head({"Content-Length": "10"}) + b"{")
        assert read_all(sock).startswith(b"HTTP/1.1 408 ")
    hub.close()
    assert nothing_is_kept(store)


def test_bodies_that_never_end_hold_no_page_up(hub: StandInHub, free_port: int) -> None:
    app = asgi_app(hub, pages(), read_seconds=2 * PATIENCE)  # type: ignore[arg-type]
    with serving(app, free_port, lifespan="off") as url, ExitStack() as open_:
        for _ in range(2 * WORKERS):
            open_.enter_context(connected(url)).sendall(head({"Content-Length": "10"}, path="/") + b"a")
        assert requests.get(url, timeout=PATIENCE).text == "a page 0"


def test_a_body_that_never_ends_is_told_so(hub: StandInHub, free_port: int) -> None:
    app = asgi_app(hub, pages(), read_seconds=0.2)  # type: ignore[arg-type]
    with serving(app, free_port, lifespan="off") as url:
        with connected(url) as sock:
            sock.sendall(head({"Content-Length": "10"}, path="/") + b"a")
            assert read_all(sock).startswith(b"HTTP/1.1 408 ")
        with connected(url) as gone:
            gone.sendall(head({"Content-Length": "10"}, path="/") + b"a")
        assert requests.get(url, timeout=PATIENCE).text == "a page 0"


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: hu", b"\r\n"])
def test_who_never_ends_a_head_is_hung_up_on(
    hub: StandInHub, free_port: int, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(ImpatientProtocol, "head_seconds", 0.3)
    app = asgi_app(hub, pages())  # type: ignore[arg-type]
    with serving(app, free_port, http=ImpatientProtocol) as url, connected(url) as sock, suppress(ConnectionError):
        sock.sendall(begun)
        assert read_all(sock) == b""  # to its end: the server closes; or it has before we came


class Watched(ImpatientProtocol):
    """Shows the server's side of the one connection that a test makes."""

    met: ClassVar[Watched]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        Watched.met = self


def test_who_never_ends_a_later_head_is_hung_up_on(
    hub: StandInHub, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = asgi_app(hub, pages())  # type: ignore[arg-type]
    with serving(app, free_port, http=Watched) as url, connected(url) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
        answer = b""
        while b"a page 0" not in answer:
            answer += sock.recv(65536)
        until(lambda: Watched.met.cycle.response_complete, about="the answer's end")
        monkeypatch.setattr(ImpatientProtocol, "head_seconds", 0.3)
        sock.sendall(b"G")
        assert read_all(sock) == b""


def test_a_body_has_its_own_longer_while(hub: StandInHub, free_port: int) -> None:
    app = asgi_app(hub, pages())  # type: ignore[arg-type]
    with serving(app, free_port, http=Watched) as url, connected(url) as slow:
        slow.sendall(head({"Content-Length": "2", "Connection": "close"}, path="/") + b"a")
        until(lambda: Watched.met.cycle is not None, about="the head's end")
        assert Watched.met._hang_up is None  # the head's while is over
        slow.sendall(b"b")
        assert b"a page 2" in read_all(slow)


def test_a_refused_sender_may_go_on_with_the_same_connection(url: str) -> None:
    with requests.Session() as session:
        for _ in range(3):
            body = json.dumps(one()).encode()
            assert session.post(f"{url}/hooks/pbx", data=body, timeout=PATIENCE).status_code == 401
            accepted = session.post(f"{url}/hooks/pbx", data=body, headers=signed(body), timeout=PATIENCE)
            assert accepted.status_code == 202


# --- when the hub itself fails ----------------------------------------


def test_a_failure_is_never_answered_202(
    url: str, hub: StandInHub, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    told = problem(post(url, one(), path="/hooks/broken"), 500)
    assert told["detail"] == "Nothing was kept: the hub failed on this hook. Send it again."
    running, hub.acceptor = hub.acceptor, SimpleNamespace(accepted=busy, kept_unread=busy, close=lambda: None)
    for body in (json.dumps(one()).encode(), b"{"):
        response = post(url, body)
        assert "99 events wait" in problem(response, 503)["detail"]
        assert response.headers["retry-after"] == "1"
    hub.acceptor = running
    assert nothing_is_kept(store)
    assert "612345678" not in capsys.readouterr().out


async def busy(*_: Any) -> None:
    raise TooBusy("99 events wait for the store")


def test_a_store_that_fails_is_answered_500(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr("hub.flow.intake.group.intake.save_interactions", fails)
        assert problem(post(url, one()), 500)["detail"].startswith("Nothing was kept")
    assert nothing_is_kept(store)
    assert post(url, one()).json() == {"accepted": 1, "duplicates": 0}


# --- the front door ----------------------------------------


def test_everything_else_goes_to_flask(url: str) -> None:
    assert requests.get(url, timeout=PATIENCE).text == "a page 0"
    assert requests.post(url, data=b"x" * 1_000_000, timeout=PATIENCE).text == "a page 1000000"
    assert requests.get(f"{url}/hooks", timeout=PATIENCE).status_code == 404
    with connected(url) as sock:
        sock.sendall(head({"Content-Length": str(9 << 20)}, path="/") + b"x" * 1000)
        assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")
    with connected(url) as sock:
        sock.sendall(head({"Transfer-Encoding": "chunked"}, path="/"))
        assert sock.recv(65536).startswith(b"HTTP/1.1 411 ")


def test_the_hub_lives_as_long_as_the_server(hub: StandInHub, free_port: int) -> None:
    with serving(asgi_app(hub, pages()), free_port):  # type: ignore[arg-type]
        assert hub.life == ["started"]
        assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)  # a pop does not wait for whoever computes
    assert hub.life == ["started", "closed"]


def test_a_hub_that_cannot_start_says_why(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []

    def fails() -> None:
        raise RuntimeError("no mappings")

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        said.append(message)

    monkeypatch.setattr(hub, "start", fails)
    asyncio.run(asgi_app(hub, pages())({"type": "lifespan"}, receive, send))  # type: ignore[arg-type]
    assert said == [{"type": "lifespan.startup.failed", "message": "no mappings"}]
