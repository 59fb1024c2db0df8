"""The session that connectors are given: where it goes, how long it waits, and how it says that it failed."""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
import urllib3

from hub import session as session_module
from hub.config import ConnectionConfig
from hub.errors import Elsewhere, Unavailable, UnknownOutcome
from hub.session import address_problem, open_session
from tests.waiting import PATIENCE

LET_GO = threading.Event()


class Odd(BaseHTTPRequestHandler):
    """Answers as its path says."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, str | None]] = []

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.seen.append((self.command, self.path, self.headers.get("X-Key")))
        kind, _, rest = self.path.strip("/").partition("/")
        getattr(self, f"_{kind}")(rest)

    do_POST = do_GET  # noqa: N815

    def _answer(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _ok(self, rest: str) -> None:
        self._answer()

    def _hang(self, rest: str) -> None:
        LET_GO.wait(PATIENCE)
        self.close_connection = True

    def _cut(self, rest: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def _drop(self, rest: str) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _to(self, rest: str) -> None:
        status, _, where = rest.partition("/")
        self._answer(int(status), Location=where if "://" in where else f"/{where}")

    def _loop(self, rest: str) -> None:
        self._answer(302, Location="/loop")

    def _large(self, rest: str) -> None:
        self._answer(body=b"x" * 4000)

    def _echo(self, rest: str) -> None:
        self._answer(int(rest), f"no such key: {self.headers.get('X-Key')}".encode())

    def _drip(self, rest: str) -> None:
        self.send_response(200)
        chunked = rest == "chunked"
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "1000000")))
        self.end_headers()
        while not LET_GO.wait(0.02):
            try:
                self.wfile.write(b"1\r\nx\r\n" if chunked else b"x")
            except OSError:
                break
        self.close_connection = True

    def _bomb(self, rest: str) -> None:
        self._answer(body=gzip.compress(b"x" * 4000), Content_Encoding="gzip")

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    LET_GO.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        LET_GO.set()
        served.shutdown()
        thread.join()


def opened(
    private: bool = True, timeout: float = 5.0, calls: list[int] | None = None, ca_file: str = ""
) -> requests.Session:
    declared = ConnectionConfig("crm", "stub", {}, timeout_seconds=timeout, private_network=private, ca_file=ca_file)
    return open_session(declared, lambda: None if calls is None else calls.append(1))


@pytest.mark.parametrize(
    ("address", "private", "problem"),
    [
        ("93.184.216.34", False, None),
        ("2606:2800:220:1::1", False, None),
        ("127.0.0.1", False, "private_network: true"),
        ("127.0.0.1", True, None),
        ("::1", False, "private_network: true"),
        ("::1", True, None),
        ("10.1.2.3", False, "private_network: true"),
        ("10.1.2.3", True, None),
        ("192.168.1.1", False, "private_network: true"),
        ("100.64.0.1", False, "private_network: true"),
        ("fd12::1", False, "private_network: true"),
        ("fd12::1", True, None),
        ("169.254.169.254", True, "metadata"),
        ("169.254.1.1", True, "link-local"),
        ("fe80::1%eth0", True, "link-local"),
        ("fd00:ec2::254", True, "metadata"),
        ("100.100.100.200", True, "metadata"),
        ("::ffff:169.254.169.254", True, "metadata"),
        ("::ffff:127.0.0.1", False, "private_network: true"),
        ("64:ff9b::a9fe:a9fe", True, "metadata"),
        ("2002:a9fe:a9fe::1", True, "metadata"),
        ("192.0.0.192", True, "metadata"),
        ("fec0::1", False, "private_network: true"),
        ("0.0.0.0", True, "not the address of one machine"),
        ("::", True, "not the address of one machine"),
        ("224.0.0.1", True, "not the address of one machine"),
        ("ff02::1", True, "not the address of one machine"),
        ("255.255.255.255", True, "not the address of one machine"),
    ],
)
def test_addresses(address: str, private: bool, problem: str | None) -> None:
    told = address_problem(address, private)
    assert told is None if problem is None else told is not None and problem in told


def test_a_private_address_is_refused_before_anything_is_sent(server: str) -> None:
    before = len(Odd.seen)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 is a private address; set private_network: true"):
        opened(private=False).post(f"{server}/ok")
    assert len(Odd.seen) == before


def test_a_name_that_turns_into_a_private_address_is_refused(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(server.rpartition(":")[2])
    answers = iter(["93.184.216.34", "127.0.0.1"])

    def rebinding(host: str, *args: Any, **kwargs: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    asked: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *args: Any) -> socket.socket:
        asked.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(session_module.socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(session_module, "create_connection", connect)
    with pytest.raises(Unavailable, match="connection refused"):
        opened(private=False).get("http://crm.example/")
    assert asked == [("93.184.216.34", 80)]  # the address that was looked at, not the name
    with pytest.raises(Unavailable, match="private address"):
        opened(private=False).get("http://crm.example/")
    assert len(asked) == 1


def test_a_metadata_address_is_refused_even_with_permission() -> None:
    with pytest.raises(Unavailable, match="which no connection may use"):
        opened(private=True).get("http://169.254.169.254/latest/meta-data/")


def test_an_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(session_module.socket, "getaddrinfo", unknown)
    with pytest.raises(Unavailable, match=r"crm\.example cannot be reached: its name is not known"):
        opened().post("http://crm.example/?phone=+34612345678")


def test_nobody_listens(free_port: int) -> None:
    with pytest.raises(Unavailable, match="cannot be reached: connection refused") as told:
        opened().post(f"http://127.0.0.1:{free_port}/?phone=612345678")
    assert not isinstance(told.value, UnknownOutcome)
    assert "612345678" not in str(told.value)


@pytest.mark.parametrize("path", ["hang", "cut", "drop"])
def test_what_was_sent_and_not_answered(server: str, path: str) -> None:
    with pytest.raises(UnknownOutcome, match="it may have been done"):
        opened(timeout=0.3).post(f"{server}/{path}", json={})
    with pytest.raises(Unavailable) as told:
        opened(timeout=0.3).get(f"{server}/{path}")
    assert not isinstance(told.value, UnknownOutcome)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_tls_connection_that_ends_after_the_request(tmp_path: Path, trusted: bool) -> None:
    """An end of the connection is no refused certificate: the request may have arrived."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (authority if trusted else trustme.CA()).issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError), listening.accept()[0] as plain:
                secure = context.wrap_socket(plain, server_side=True)
                secure.recv(1 << 16)
                os.close(secure.detach())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        session = opened(ca_file=str(tmp_path / "ca.pem"))
        with pytest.raises(Unavailable) as told:
            session.post(f"https://localhost:{listening.getsockname()[1]}/", json={})
        thread.join(PATIENCE)
    assert isinstance(told.value, UnknownOutcome) == trusted, told.value
    assert ("its certificate is not trusted" in str(told.value) and "ca_file" in str(told.value)) != trusted


def test_a_tls_connection_that_ends_while_the_request_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        inner = urllib3.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
        raise requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(None, "/", inner))  # type: ignore[arg-type]

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", broken)
    with pytest.raises(UnknownOutcome, match="it may have been done"):
        opened().post("https://crm.example/", json={})


def test_redirects_stay_on_the_host(server: str) -> None:
    session = opened()
    session.headers["X-Key"] = "secret"
    before = len(Odd.seen)
    assert session.get(f"{server}/to/302/ok").url == f"{server}/ok"
    there = server.replace("127.0.0.1", "localhost")
    with pytest.raises(Elsewhere, match="redirects to http://localhost"):
        session.get(f"{server}/to/302/{there}/ok")
    with pytest.raises(Elsewhere, match="redirects to http://localhost"):
        session.post(f"{server}/to/307/{there}/ok", json={})
    assert [path for _, path, _ in Odd.seen[before:]][-1] != "/ok"


def test_a_write_never_becomes_a_read(server: str) -> None:
    assert opened().post(f"{server}/to/302/ok", json={}).status_code == 302
    assert opened().post(f"{server}/to/308/ok", json={}).status_code == 200
    assert Odd.seen[-1][0] == "POST"


def test_redirects_end(server: str) -> None:
    calls: list[int] = []
    with pytest.raises(Unavailable):
        opened(calls=calls).get(f"{server}/loop")
    assert len(calls) == 6


def test_an_answer_is_only_so_large(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LARGEST_ANSWER", 1000)
    for path in ("large", "bomb"):
        with pytest.raises(Unavailable, match="answered more than"):
            opened().get(f"{server}/{path}")
        with pytest.raises(UnknownOutcome):
            opened().post(f"{server}/{path}")
    assert len(opened().get(f"{server}/large", stream=True).raw.read()) == 4000


@pytest.mark.parametrize("how", ["whole", "chunked"])
def test_an_answer_that_drips_has_an_end(server: str, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(session_module, "MOST_TIMES", 0.2)
    with pytest.raises(Unavailable, match=r"did not end its answer in 0\.2 s$"):
        opened(timeout=1.0).get(f"{server}/drip/{how}")
    with pytest.raises(UnknownOutcome):
        opened(timeout=1.0).post(f"{server}/drip/{how}")


def test_an_answer_that_refuses_does_not_repeat_our_key(server: str) -> None:
    session, key = opened(), {"X-Key": "the-key-of-ours"}
    assert session.get(f"{server}/echo/401", headers=key).text == "no such key: ***"
    assert session.get(f"{server}/echo/200", headers=key).text == "no such key: the-key-of-ours"  # data stays as it is


def test_requests_are_counted(server: str) -> None:
    calls: list[int] = []
    session = opened(calls=calls)
    session.get(f"{server}/ok")
    session.get(f"{server}/to/302/ok")
    assert len(calls) == 3


def test_nothing_is_taken_from_the_environment(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert opened().get(f"{server}/ok").status_code == 200


def test_certificates_are_always_verified() -> None:
    with pytest.raises(ValueError, match="always verified"):
        opened().get("https://crm.example/", verify=False)
