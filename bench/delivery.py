"""Delivery: wrap-ups whose facts are in the store, rendered by a 15-field mapping with a phone look-up, into a stub CRM.

    python -m bench.delivery [wrap-ups]

The CRM answers every call after 50 ms and takes 200 rows or look-ups a call; the store is SQLite, synchronous=FULL, on disk.
Everything else is the hub as it runs: claims under lease, attempts, receipts, one record per key.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import structlog

from hub.clock import now_ms
from hub.config import Config, ConnectionConfig
from hub.connections import Connection, Connections
from hub.contract import Manifest
from hub.flow.delivery.deliver import Deliverer
from hub.flow.mappings import Mappings
from hub.flow.subject import interaction_subject
from hub.model import (
    Agent,
    Customer,
    Disposition,
    EventRef,
    Facts,
    InteractionFacts,
    Lookup,
    Receipt,
    Record,
    Row,
    Target,
    WrapUp,
)
from hub.store import crm as _crm  # noqa: F401  (its tables belong to the schema)
from hub.store.database import Store, open_store
from hub.store.deliveries import waiting
from hub.store.schema import deliveries, interactions, metadata

WRAP_UPS = 30_000
LATENCY_SECONDS = 0.05
THREADS = 8
FLOOR_PER_SECOND = 5_000
CEILING_CALLS_PER_THOUSAND = 10

MAPPING = """
mapping: wrap_up
about: A wrapped-up call becomes a completed activity of the caller.
source:
  connection: pbx
  event: interaction.wrapped_up
  when: { interaction.channel: voice, interaction.talk_seconds: { at_least: 5 } }
target: { connection: crm, write: activity, key: call_key, zone: Europe/Madrid }
resolve:
  caller: { find: contact, by: { phone: customer.phone }, many: none }
fields:
  who: caller.id
  account: caller.account.id
  subject: { text: "Call {interaction.direction}: {disposition.name}", max: 255 }
  status: { value: Completed }
  call_type: { from: interaction.direction, choose: { inbound: Inbound, outbound: Outbound }, otherwise: Internal }
  seconds: { from: interaction.talk_seconds, as: integer }
  wait: { from: interaction.wait_seconds, as: integer }
  date: { from: interaction.ended_at, as: date }
  started: { from: interaction.started_at, as: datetime }
  description: { from: [wrap_up.comment, interaction.summary], max: 2000 }
  queue: interaction.queue
  owner: { from: agent.email, as: lower }
  recording: interaction.recording_url
  number: { from: interaction.remote, as: e164 }
  priority: { expr: "'High' if customer.vip and disposition.class == 'negative' else 'Normal'" }
examples:
  - about: A sale.
    given: { interaction: { channel: voice, direction: inbound, talk_seconds: 184 }, disposition: { name: Sale } }
    expect: { subject: "Call inbound: Sale", status: Completed, call_type: Inbound, seconds: 184, priority: Normal }
"""


class SlowCrm:
    """Knows nine callers of ten, and says so 50 ms later."""

    manifest: ClassVar[Manifest] = Manifest(
        name="slow",
        title="Slow",
        about="For the bench.",
        family="crm",
        idempotency="native-upsert",
        people=("contact",),
    )

    def __init__(self) -> None:
        self.calls = 0
        self.records: dict[str, dict[str, Any]] = {}
        self.doubles = 0
        self._lock = threading.Lock()

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One record for most numbers."""
        self._call()
        return [() if one.value.endswith("9") else (_record(one.value),) for one in lookups]

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """A receipt for each."""
        self._call()
        with self._lock:
            self.doubles += sum(row.key in self.records for row in rows)
            self.records.update((row.key, row.fields) for row in rows)
        return [
            Receipt(key=row.key, outcome="created", id=row.key, url=f"https://crm.example/{row.key}") for row in rows
        ]

    def _call(self) -> None:
        with self._lock:
            self.calls += 1
        time.sleep(LATENCY_SECONDS)


def _record(phone: str) -> Record:
    return Record(object="contact", id=f"003{phone}", title="Ana Pérez", fields={"phone": phone})


def run(wrap_ups: int = WRAP_UPS) -> dict[str, Any]:
    """Every figure of this bench."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with tempfile.TemporaryDirectory(prefix="bench-delivery-") as folder:
        store = open_store(f"sqlite:///{folder}/patchbay.db")
        metadata.create_all(store.engine)
        _accept(store, wrap_ups)
        mappings = Mappings(store, country="ES", zone="Europe/Madrid")
        mappings.publish(MAPPING, "bench")
        crm = SlowCrm()
        seconds = _delivered(store, crm, mappings)
        store.close()
    per_second, calls = round(wrap_ups / seconds), round(crm.calls * 1000 / wrap_ups, 2)
    figures = {
        "bench": "delivery",
        "wrap_ups": wrap_ups,
        "per_second": per_second,
        "calls_per_1000": calls,
        "records": len(crm.records),
        "doubles": crm.doubles,
        "fields": len(crm.records["pbx:call-1"]),
    }
    passed = per_second >= FLOOR_PER_SECOND and calls <= CEILING_CALLS_PER_THOUSAND
    return figures | {"passed": passed and len(crm.records) == wrap_ups and not crm.doubles}


def _delivered(store: Store, crm: SlowCrm, mappings: Mappings) -> float:
    """Seconds until the outbox is empty."""
    declared = ConnectionConfig("crm", "slow", {}, concurrency=THREADS)
    connections = Connections({"crm": Connection("crm", declared, crm)})
    deliverer = Deliverer(store, connections, mappings, _config(store))
    began = time.perf_counter()
    deliverer.start()
    while _open(store):
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    deliverer.close()
    return seconds


def _open(store: Store) -> int:
    with store.read() as conn:
        states: Mapping[str, int] = waiting(conn).get("crm", {})
    return sum(states.values())


def _accept(store: Store, wrap_ups: int) -> None:
    """Facts and deliveries as accept leaves them."""
    moment = now_ms()
    keys = [f"call-{number}" for number in range(wrap_ups)]
    with store.write() as conn:
        conn.execute(
            interactions.insert(),
            [
                {
                    "connection": "pbx", "key": key, "channel": "voice", "direction": "inbound", "state": "wrapped_up",
                    "facts": msgspec.json.encode(_facts(key, number)).decode(), "triggered": '["wrap_up"]',
                    "last_occurred_at": moment, "updated_at": moment,
                }
                for number, key in enumerate(keys)
            ],
        )  # fmt: skip
        conn.execute(
            deliveries.insert(),
            [
                {
                    "mapping": "wrap_up", "subject": interaction_subject("pbx", key), "connection": "crm", "lane": 1,
                    "action": "upsert", "state": "pending", "provisional": False, "in_doubt": False, "attempts": 0,
                    "collapsed": 0, "due_at": moment, "created_at": moment, "updated_at": moment,
                }
                for key in keys
            ],
        )  # fmt: skip


def _facts(key: str, number: int) -> Facts:
    at = datetime(2026, 11, 23, 10, 5, number % 60, tzinfo=UTC)
    phone = f"+346{number:08d}"
    return Facts(
        connection="pbx",
        event=EventRef(id=f"evt-{key}", type="interaction.wrapped_up", occurred_at=at),
        interaction=InteractionFacts(
            id=key, channel="voice", direction="inbound", state="wrapped_up", remote=phone, remote_e164=phone,
            local="+34911234567", local_e164="+34911234567", queue="Sales ES", outcome="answered", end_cause="normal",
            started_at=at, answered_at=at, ended_at=at, wrapped_up_at=at, wait_seconds=9.0, talk_seconds=184.0,
            wrap_up_seconds=12.0, total_seconds=205.0, basis={"talk_seconds": "computed"},
            recording_url=f"https://rec.example/{key}",
        ),
        agent=Agent(id="a-17", email="Ana@Example.com", name="Ana"),
        customer=Customer(phone=phone),
        wrap_up=WrapUp(code="SALE", name="Sale", comment="Wants the red one, call again on Monday.", seconds=12.0),
        disposition=Disposition(code="SALE", name="Sale", class_="positive"),
        attached={"order": "123", "ivr": "sales"},
        final=True,
    )  # fmt: skip


def _config(store: Store) -> Config:
    return Config(
        file=Path("hub.yaml"), company="Bench", country="ES", zone="Europe/Madrid", public_url="http://hub.example",
        home=Path(), mappings=Path("mappings"), database_url=str(store.engine.url), host="127.0.0.1", port=0, connections={},
    )  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else WRAP_UPS)))
