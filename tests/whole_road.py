"""The whole road in real processes: a platform that posts until it hears 202, hub nodes that are killed, and a CRM that
judges."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import func, select

from hub.store.database import open_store
from hub.store.deliveries import counts
from hub.store.schema import attempts, deliveries
from tests.hub_process import PATCHBAY, ROOT, HubProcess
from tests.waiting import PATIENCE, until

EVENTS_A_HOOK = 20

SETTINGS = """
country: ES
zone: Europe/Madrid
lease_seconds: %s
longest_retry_seconds: 1
connections:
  front:
    connector: webhook
    secrets: ${PATCHBAY_WEBHOOK_SECRET}
  crm:
    connector: %s
    url: %s
    node: ${TEST_NODE}
    private_network: true
    %s
"""
MAPPING = """
mapping: calls
about: A wrapped-up call becomes an activity.
source: { connection: front, event: interaction.wrapped_up }
target: { connection: crm, write: activity, key: call_key }
fields:
  code: wrap_up.code
  queue: interaction.queue
examples:
  - about: A sale.
    given: { interaction: { id: c1, queue: Sales }, wrap_up: { code: SALE } }
    expect: { code: SALE, queue: Sales }
"""


class Judge:
    """The CRM's process, and what it knows."""

    def __init__(self, folder: Path, latency: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crm_server", str(folder / "crm.db"), "--latency", str(latency)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self._session = requests.Session()

    def tally(self) -> Any:
        """How many records, keys, and records by node."""
        return self._session.post(f"{self.url}/tally", json={}, timeout=PATIENCE).json()

    def keys(self) -> list[str]:
        """Every record's key."""
        return list(self._session.post(f"{self.url}/keys", json={}, timeout=PATIENCE).json()["keys"])

    def hold(self, *, off: bool = False) -> None:
        """Have it do what it is asked and keep its answers back, until `off`."""
        self._session.post(f"{self.url}/hold", json={"off": off}, timeout=PATIENCE).raise_for_status()

    def held(self) -> int:
        """How many writes are done and not answered."""
        return int(self._session.post(f"{self.url}/held", json={}, timeout=PATIENCE).json()["writes"])

    def close(self) -> None:
        """End it."""
        self._session.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Road:
    """Where the nodes of one hub run."""

    def __init__(self, folder: Path, store_url: str, judge: Judge, connector: str, lease: float, more: str) -> None:
        self.folder, self.store_url, self.judge = folder, store_url, judge
        self._nodes: list[subprocess.Popen[bytes]] = []
        (folder / "mappings").mkdir()
        (folder / "mappings" / "calls.yaml").write_text(MAPPING)
        (folder / "hub.yaml").write_text(SETTINGS % (lease, connector, judge.url, more))
        plugin = folder / "plugins" / "test_crms-1.dist-info"
        plugin.mkdir(parents=True)
        (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: test-crms\nVersion: 1\n")
        (plugin / "entry_points.txt").write_text(
            "[patchbay.connectors]\nupserting = tests.http_crm:UpsertingCrm\nsearching = tests.http_crm:SearchingCrm\n"
            "bulking = tests.http_crm:BulkingCrm\n"
        )

    def env(self, node: str) -> dict[str, str]:
        """What a node is told."""
        return {
            "PATCHBAY_CONFIG": str(self.folder / "hub.yaml"),
            "PATCHBAY_MAPPINGS": str(self.folder / "mappings"),
            "PATCHBAY_DATABASE_URL": self.store_url,
            "PYTHONPATH": f"{ROOT}:{self.folder / 'plugins'}",
            "TEST_NODE": node,
        }

    def serve(self, node: str, *arguments: str) -> HubProcess:
        """A `patchbay serve` that is ready."""
        hub = HubProcess(self.folder / node, *arguments, env=self.env(node))
        self._nodes.append(hub.process)
        return hub.__enter__()

    def work(self, hub: HubProcess, node: str) -> subprocess.Popen[bytes]:
        """A `patchbay work` beside a hub."""
        with (self.folder / f"{node}.log").open("ab") as out:
            process = subprocess.Popen(
                [PATCHBAY, "work"], cwd=ROOT, env=hub.env | self.env(node), stdout=out, stderr=subprocess.STDOUT
            )
        self._nodes.append(process)
        return process

    def outlast_leases(self) -> None:
        """Have all leases run out, as they would in time: whoever held them is dead."""
        store = open_store(self.store_url)
        try:
            with store.write() as conn:
                conn.execute(deliveries.update().where(deliveries.c.state == "sending").values(lease_until=1))
        finally:
            store.close()

    def waiting(self) -> int:
        """How many deliveries have not come to their end."""
        store = open_store(self.store_url)
        try:
            with store.read() as conn:
                states = counts(conn)
        finally:
            store.close()
        assert not states["parked"], states
        return states["pending"] + states["sending"]

    def taken_back(self) -> int:
        """How many deliveries were in flight when their worker was killed."""
        store = open_store(self.store_url)
        try:
            with store.read() as conn:
                lost = select(func.count()).select_from(attempts).where(attempts.c.error.contains("lease_expired"))
                return conn.execute(lost).scalar_one()
        finally:
            store.close()

    def close(self) -> None:
        """End every node."""
        for process in self._nodes:
            process.kill()
            process.wait()


class Platform(threading.Thread):
    """Posts wrapped-up calls, each hook again and again until it is answered 202, as a platform does."""

    def __init__(self, calls: int) -> None:
        super().__init__(name="platform")
        self.hub: HubProcess | None = None  # where it posts now
        self.keys = [f"call-{number}" for number in range(calls)]
        self.allowed = calls  # so many may be posted by now
        self.last = calls  # and so many in all
        self.accepted: list[str] = []
        self.problem: str | None = None

    def run(self) -> None:
        """Post everything."""
        for start in range(0, len(self.keys), EVENTS_A_HOOK):
            while start >= self.allowed and start < self.last:
                time.sleep(0.005)
            if start >= self.last:
                return
            keys = self.keys[start : start + EVENTS_A_HOOK]
            body = [_event(key) for key in keys]
            try:
                until(lambda body=body, start=start: self._posted(body, f"msg-{start}"), seconds=120, about="a 202")  # type: ignore[misc]
            except AssertionError as error:
                self.problem = str(error)
                return
            self.accepted += keys

    def _posted(self, body: Any, id: str) -> bool:
        hub = self.hub
        if hub is None:
            return False
        try:
            answer = hub.hook(body, "front", id=id)
        except requests.RequestException:
            return False
        if answer.status_code != 202:
            self.problem = f"{answer.status_code} {answer.text}"
        return answer.status_code == 202


def _event(key: str) -> dict[str, Any]:
    return {
        "id": f"evt-{key}",
        "type": "interaction.wrapped_up",
        "occurred_at": "2026-11-23T10:05:40Z",
        "interaction": {"id": key, "channel": "voice", "direction": "inbound", "queue": "Sales"},
        "wrap_up": {"code": "SALE"},
    }


@contextmanager
def road(
    folder: Path, store_url: str, connector: str, latency: float, *, lease: float = 60, more: str = ""
) -> Iterator[Road]:
    """A CRM and room for nodes, all ended afterwards. `lease`: seconds; `more`: one line more for the CRM's connection."""
    judge = Judge(folder, latency)
    try:
        built = Road(folder, store_url, judge, connector, lease, more)
        try:
            yield built
        finally:
            built.close()
    finally:
        judge.close()


def arrived(built: Road, keys: list[str], seconds: float = 180) -> None:
    """Wait until nothing waits any more, then have the CRM say that each came exactly once."""
    until(lambda: built.judge.tally()["keys"] >= len(keys), seconds=seconds, about="the last record")
    until(lambda: built.waiting() == 0, seconds=seconds, about="an empty outbox")
    assert sorted(built.judge.keys()) == sorted(f"front:{key}" for key in keys)
