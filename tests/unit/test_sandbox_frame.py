"""The frame of the sandboxes: TLS by an authority of its own, and every way in which a web service fails."""

from __future__ import annotations

import gzip
import select
import socket
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask, jsonify, request

from hub.clock import now
from hub.config import ConnectionConfig
from hub.errors import Unavailable, UnknownOutcome
from hub.session import open_session
from sandbox.frame import FAULTS, Faults, Served, serving


class Counting:
    """Counts what was done."""

    def __init__(self) -> None:
        self.faults = Faults({"lock": "the second row is locked"})
        self.done = 0

    def app(self, url: str) -> Any:
        app = Flask("counting")

        @app.route("/v1/things", methods=["GET", "POST"])
        def things() -> Any:
            self.done += request.method == "POST"
            locked = self.faults.take("lock") is not None
            return jsonify(
                done=self.done, url=url, locked=locked, body=request.get_data(as_text=True), filling="x" * 500
            )

        return app

    def credentials(self) -> dict[str, Any]:
        return {"token": "t"}


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    with serving(Counting()) as served:
        yield served


@pytest.fixture
def served(plain: Served) -> Iterator[Served]:
    plain.sandbox.faults.clear()
    yield plain
    plain.sandbox.faults.clear()


def session(served: Served, **told: Any) -> requests.Session:
    return open_session(ConnectionConfig("crm", "any", {}, timeout_seconds=60.0, private_network=True, **told))


def test_it_says_what_a_connection_needs(served: Served) -> None:
    assert served.told() == {"url": served.url, "ca": "", "credentials": {"token": "t"}}
    assert session(served).get(f"{served.url}/v1/things").json()["url"] == served.url


def test_tls_is_trusted_by_its_own_authority_and_no_other() -> None:
    with serving(Counting(), tls=True) as served:
        assert served.url.startswith("https://localhost:")
        trusting = session(served, ca_file=served.ca_file)
        assert trusting.get(f"{served.url}/v1/things").ok
        with pytest.raises(Unavailable):
            session(served).get(f"{served.url}/v1/things")


def test_a_body_is_read_to_its_end_before_an_answer_ends_the_connection(plain: Served) -> None:
    plain.sandbox.faults.set("down")
    host, port = urlsplit(plain.url).netloc.split(":")
    with socket.create_connection((host, int(port)), 60) as line:
        line.sendall(b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        assert not select.select([line], [], [], 0.1)[0]  # no answer yet
        line.sendall(b"late")
        assert line.recv(12) == b"HTTP/1.1 503"


def test_chunked_bodies_are_taken(served: Served) -> None:
    answer = session(served).post(f"{served.url}/v1/things", data=iter([b"one ", b"two"]))
    assert answer.json()["body"] == "one two"


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_what_it_says(served: Served, fault: str) -> None:
    sandbox, mine = served.sandbox, session(served)
    before = sandbox.done
    sandbox.faults.set(fault, seconds=0.01 if fault == "slow" else 600)
    try:
        answer = mine.post(f"{served.url}/v1/things", data=b"x", allow_redirects=False)
        came: Any = answer.status_code
    except UnknownOutcome as error:
        answer, came = None, error
    done = sandbox.done - before
    match fault:
        case "down":
            assert (came, done) == (503, 0) and "<html>" in answer.text
        case "throttled":
            assert (came, done, answer.headers["Retry-After"]) == (429, 0, "600")
        case "throttled_until":
            wait = parsedate_to_datetime(answer.headers["Retry-After"]) - now()
            assert (came, done) == (429, 0) and 500 <= wait.total_seconds() <= 600
        case "reset":
            assert isinstance(came, UnknownOutcome) and done == 0
        case "reset_after" | "truncated":
            assert isinstance(came, UnknownOutcome) and done == 1
        case "failed_after":
            assert (came, done) == (500, 1)
        case "login_page":
            assert (came, done) == (302, 0)
            assert "Sign in" in mine.get(f"{served.url}{answer.headers['Location']}").text
        case "html":
            assert (came, done) == (200, 0) and "<html>" in answer.text
        case "gzip":
            assert (came, done) == (200, 1) and answer.headers["Content-Encoding"] == "gzip" and answer.json()["done"]
        case "slow":
            assert (came, done) == (200, 1)
        case other:
            pytest.fail(f"nobody says what {other} is")
    assert mine.post(f"{served.url}/v1/things", data=b"x").status_code == 200  # it was once


def test_a_fault_waits_for_its_turn_and_its_path(served: Served) -> None:
    mine, url = session(served), f"{served.url}/v1/things"
    mine.post(f"{served.url}/_sandbox/faults", json={"fault": "down", "after": 1, "times": 2, "method": "post"})
    mine.post(f"{served.url}/_sandbox/faults", json={"fault": "down", "path": "/v2/", "times": -1})
    assert [mine.post(url).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert mine.get(url).status_code == 200
    assert [mine.get(f"{served.url}/v2/x").status_code for _ in range(3)] == [503] * 3
    assert mine.post(f"{served.url}/_sandbox/faults", json={"fault": "none"}).json()["on"] == []
    assert mine.get(f"{served.url}/v2/x").status_code == 404


def test_the_vendor_s_own_fault_is_taken_where_it_happens(served: Served) -> None:
    served.sandbox.faults.set("lock")
    told = [session(served).get(f"{served.url}/v1/things").json()["locked"] for _ in range(2)]
    assert told == [True, False]


def test_a_wrong_fault_is_refused_with_what_there_is(served: Served) -> None:
    mine = session(served)
    answer = mine.post(f"{served.url}/_sandbox/faults", json={"fault": "loop"})
    assert answer.status_code == 422 and "reset_after" in answer.json()["problem"]
    assert mine.post(f"{served.url}/_sandbox/faults", data=b"x").status_code == 400
    assert set(mine.get(f"{served.url}/_sandbox/faults").json()["known"]) == {*FAULTS, "lock"}


def test_calls_are_counted_and_the_control_paths_are_not(served: Served) -> None:
    before, mine = served.sandbox.faults.call_count, session(served)
    for _ in range(3):
        mine.get(f"{served.url}/v1/things")
    assert mine.get(f"{served.url}/_sandbox/calls").ok
    assert served.sandbox.faults.call_count - before == 3


def test_what_comes_compressed_is_what_was_sent(served: Served) -> None:
    served.sandbox.faults.set("gzip")
    raw = session(served).get(f"{served.url}/v1/things", stream=True).raw.read(decode_content=False)
    assert b'"done"' in gzip.decompress(raw)
