"""The embedded platform itself: what it plays is canonical, signed, in order, repeated until taken, the same by seed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.wire.canonical import events_of
from connectors.wire.standard_webhooks import prove
from hub.contract import HookRequest
from hub.flow.intake.fold import fold
from hub.model import Event, Facts
from sandbox.softphone import SoftphoneServer
from sandbox.softphone.scripts import SCRIPTS, morning
from tests.waiting import PATIENCE

SECRET, TOKEN = "whsec_c2VjcmV0LW9mLXRoZS1zb2Z0cGhvbmUtMDE=", "the token"
ROOT = __file__.rpartition("/tests/")[0]


class Taker:
    """Takes hooks in as the hub does; refuses the first `refuse`."""

    def __init__(self, refuse: int = 0) -> None:
        self.ids: list[str] = []
        self.events: list[Event] = []
        self.bodies: list[dict[str, Any]] = []
        taker, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = HookRequest(
                    method="POST", query={}, headers=headers, body=body, received_at=datetime.now(UTC)
                )
                prove(request, [SECRET])
                with lock:
                    taker.ids.append(headers["webhook-id"])
                    refused = len(taker.ids) <= refuse
                    if not refused:
                        taker.events += events_of(request)
                        taker.bodies.append(json.loads(body))
                self.send_response(503 if refused else 202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/softphone"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)


@pytest.fixture
def taker() -> Iterator[Taker]:
    made = Taker()
    yield made
    made.close()


def softphone(taker: Taker, **more: Any) -> SoftphoneServer:
    return SoftphoneServer(hook_url=taker.url, secret=SECRET, token=TOKEN, run="t", **({"speed": 5000} | more))


def call(server: SoftphoneServer, method: str, road: str, body: Any = None, token: str = TOKEN, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {token}"} | headers
    return requests.request(method, server.url + road, json=body, headers=sent, timeout=PATIENCE)


def facts_of(events: list[Event]) -> dict[str, Facts]:
    """What the hub makes of the events of each interaction."""
    known: dict[str, Facts] = {}
    for event in events:
        if event.interaction is not None and not event.type.startswith("campaign"):
            known[event.interaction.id] = fold(known.get(event.interaction.id), "softphone", event, "ES")
    return known


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_every_script_is_canonical_and_ends(taker: Taker, script: str) -> None:
    with softphone(taker) as server:
        answer = call(server, "POST", "/v1/play", {"script": script})
        assert answer.status_code == 202
        assert server.hooks.wait_until_sent(PATIENCE)
    (key,) = answer.json()["interactions"]
    facts = facts_of(taker.events)[key]
    assert facts.interaction is not None
    channel = script if script in ("email", "chat", "sms", "task") else "voice"
    assert facts.interaction.channel == channel
    assert facts.interaction.ended_at is not None or facts.interaction.outcome == "missed"
    assert facts.interaction.anonymous == (script == "anonymous")
    assert (facts.interaction.direction == "internal") == (script == "internal")
    moments = [event.occurred_at for event in taker.events]
    assert moments == sorted(moments)
    assert moments[-1] <= datetime.now(UTC)


def test_the_lists_are_there_after_a_restart(taker: Taker, tmp_path: Path) -> None:
    kept, road = tmp_path / "lists.jsonl", "/v1/lists/spring/contacts"
    rows = [{"id": id, "fields": {"phone": "+34612345678"}} for id in ("1", "2")]
    with softphone(taker, lists=kept) as server:
        call(server, "PUT", road, {"rows": rows})
        call(server, "PUT", road, {"rows": [{"id": "2", "action": "remove"}, {"id": "3", "fields": {"phone": "no"}}]})
    with softphone(taker, lists=kept) as server:
        assert call(server, "GET", road).json() == {"contacts": rows[:1]}


def test_hold_transfer_wrap_ups_and_a_late_recording(taker: Taker) -> None:
    with softphone(taker) as server:
        told = {"number": "+34612345678", "agent": "a-17", "hold": 20, "transfer": "a-19", "recording": True,
                "wrap_up": "SALE", "talk_seconds": 100, "wait_seconds": 10, "id": "call-9"}  # fmt: skip
        assert call(server, "POST", "/v1/play", told).json() == {"interactions": ["call-9"]}
        assert call(server, "POST", "/v1/play", told).status_code == 409
        assert server.hooks.wait_until_sent(PATIENCE)
    facts = facts_of(taker.events)["call-9"]
    assert facts.interaction is not None
    assert [agent.id for agent in facts.agents] == ["a-17", "a-19"]
    assert [wrap_up.agent for wrap_up in facts.wrap_ups] == ["a-17", "a-19"]
    assert facts.interaction.hold_seconds == 20
    assert facts.disposition is not None
    assert facts.disposition.class_ == "positive"
    assert facts.interaction.recording_url == "https://recordings.example/call-9"
    assert taker.events[-1].type == "interaction.recording_ready"


def test_a_hook_that_is_refused_is_sent_again_under_the_same_id() -> None:
    taker = Taker(refuse=3)
    with softphone(taker) as server:
        call(server, "POST", "/v1/play", {"script": "missed"})
        assert server.hooks.wait_until_sent(PATIENCE)
        assert call(server, "GET", "/v1/hooks").json()["retried"] == 3
    taker.close()
    assert len(taker.events) == 3
    assert len(taker.ids) == 6
    assert len(set(taker.ids)) == 3


def test_the_same_seed_plays_the_same(taker: Taker) -> None:
    def played(seed: int) -> list[dict[str, Any]]:
        taker.bodies.clear()
        with softphone(taker, seed=seed, speed=1_000_000) as server:
            call(server, "POST", "/v1/play", {"script": "morning", "count": 12})
            assert server.hooks.wait_until_sent(PATIENCE)
        moving = {"occurred_at"}
        return [{name: part for name, part in body.items() if name not in moving} for body in taker.bodies]

    first, again, other = played(7), played(7), played(8)
    assert sorted(map(str, first)) == sorted(map(str, again))
    assert sorted(map(str, first)) != sorted(map(str, other))


def test_a_morning_has_every_channel_and_the_people_it_was_given() -> None:
    people = [{"phone": f"+3461234567{n}", "email": f"p{n}@example.com", "crm_key": f"K{n}"} for n in range(5)]
    plays = morning(random.Random(1), people, 60)
    assert len(plays) == 60
    assert {name for name, _ in plays} == set(SCRIPTS)
    known = [told for _, told in plays if told.get("number", "").startswith("+3461234567")]
    assert len(known) > 20


def test_dial_carries_our_id_and_dials_once(taker: Taker) -> None:
    with softphone(taker) as server:
        body = {"to": "+34612345678", "agent": "a-17", "dial": "d-1"}
        first = call(server, "POST", "/v1/calls", body, **{"Idempotency-Key": "d-1"})
        again = call(server, "POST", "/v1/calls", body, **{"Idempotency-Key": "d-1"})
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["id"] == again.json()["id"]
        assert server.hooks.wait_until_sent(PATIENCE)
        assert call(server, "GET", f"/v1/calls/{first.json()['id']}").json()["state"] in ("ended", "wrapped_up")
        for wrong, status in (({"to": "201", "agent": "a"}, 422), ({"to": "+34612345678"}, 422)):
            assert call(server, "POST", "/v1/calls", wrong, **{"Idempotency-Key": "d-2"}).status_code == status
        assert call(server, "POST", "/v1/calls", body).status_code == 400
        assert call(server, "GET", "/v1/calls/none").status_code == 404
    assert taker.events[0].type == "dial.accepted"
    assert {event.dial.id for event in taker.events if event.dial} == {"d-1"}
    assert all(event.dial for event in taker.events)


def test_lists_take_rows_one_by_one_and_run(taker: Taker) -> None:
    with softphone(taker) as server:
        road = "/v1/lists/spring%2Fone/contacts"
        good = {"action": "upsert", "id": "m1", "fields": {"phone": "+34612345678", "name": "Ada", "agent": "a-18"}}
        rows = [good, good, {**good, "fields": {**good["fields"], "name": "Bea"}},
                {"action": "upsert", "id": "m2", "fields": {"phone": "612", "age": 7, "priority": "high"}},
                {"action": "remove", "id": "m9"}]  # fmt: skip
        results = call(server, "PUT", road, {"rows": rows}).json()["results"]
        assert [r["outcome"] for r in results] == ["created", "unchanged", "updated", "rejected", "unchanged"]
        assert set(results[3]["fields"]) == {"phone", "age", "priority"}
        assert call(server, "PUT", road, {"rows": [good] * 1001}).status_code == 413
        assert call(server, "PUT", road, {"rows": "x"}).status_code == 422
        assert call(server, "GET", "/v1/lists/none/contacts").status_code == 404
        run = call(server, "POST", "/v1/lists/spring%2Fone/run", {"campaign": "c1", "wrap_up": "NO_ANSWER"})
        assert run.status_code == 202
        assert server.hooks.wait_until_sent(PATIENCE)
        gone = call(server, "PUT", road, {"rows": [{"action": "remove", "id": "m1"}]}).json()["results"]
        assert gone == [{"id": "m1", "outcome": "removed"}]
    (result,) = [event for event in taker.events if event.type == "campaign.contact_result"]
    assert result.campaign is not None
    assert (result.campaign.id, result.campaign.list, result.campaign.contact) == ("c1", "spring/one", "m1")
    assert (result.campaign.result_class, result.campaign.final) == ("unreachable", False)


def test_nothing_without_the_token_and_nothing_unknown(taker: Taker) -> None:
    with softphone(taker) as server:
        for token in ("", "the tokem", "тoken"):
            sent = {"Authorization": f"Bearer {token}".encode()}
            assert requests.get(f"{server.url}/v1/me", headers=sent, timeout=PATIENCE).status_code == 401
        assert call(server, "POST", "/v1/play", {"script": "carnival"}).status_code == 422
        assert call(server, "POST", "/v1/faults", {"fault": "flood"}).status_code == 422
        assert call(server, "POST", "/v1/play", [1]).status_code == 400


def test_a_process_of_its_own_says_when_it_is_ready(taker: Taker) -> None:
    command = [sys.executable, "-m", "sandbox.softphone", "--port", "0", "--hook-url", taker.url, "--secret", SECRET,
               "--token", TOKEN, "--speed", "5000", "--run", "p"]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] == "softphone"
        sent = {"Authorization": f"Bearer {TOKEN}"}
        requests.post(
            f"{ready['url']}/v1/play", json={"script": "missed"}, headers=sent, timeout=PATIENCE
        ).raise_for_status()
        known: dict[str, Any] = {}
        while not known or known["waiting"]:
            known = requests.get(f"{ready['url']}/v1/hooks", headers=sent, timeout=PATIENCE).json()
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert known["sent"] == 3
