"""Stand-ins for the tests of delivery: a CRM that keeps what it is given and fails as told, mappings, and a small hub."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hub.clock import now_ms
from hub.config import Config, ConnectionConfig
from hub.connections import Connection, Connections
from hub.contract import Manifest
from hub.errors import ConfigError
from hub.flow.delivery.backoff import Pace
from hub.flow.delivery.deliver import Deliverer
from hub.flow.delivery.road import Keeper, Watcher
from hub.flow.subject import interaction_subject
from hub.language.mapping import Rendered, Source, TargetSpec
from hub.model import Description, Field, Identity, Lookup, Receipt, Record, Row, Target
from hub.store.database import Store
from hub.store.deliveries import Delivery, Filter, page
from hub.store.schema import deliveries, interactions
from tests.waiting import until as until

Fault = Callable[["StubCrm", Target, Sequence[Row]], Sequence[Receipt] | None]

# Quick to try again. A lease is as long as ever: a machine that is slow must not lose one.
QUICK = Pace(
    poll=0.05, gather=0.05, first_retry=0.01, longest_retry=0.05, longest_breath=0.05,
    shortest_retry_after=0.05, longest_retry_after=0.3, first_probe=0.05, longest_probe=0.2, close=60.0,
)  # fmt: skip


class StubCrm:
    """Keeps records by (object, key). Each call of `write` plays the next of `faults`, if there is one.

    With `native=False` it looks the key up and then writes, with a gap between: two writers at once make two records.
    """

    def __init__(
        self,
        *,
        native: bool = True,
        latency: float = 0.0,
        rows_per_call: int = 200,
        lookups_per_call: int = 200,
        bulk_rows: int = 0,
    ) -> None:
        self.manifest = Manifest(
            name="stub", title="Stub", about="For tests.", family="crm", people=("contact",),
            idempotency="native-upsert" if native else "search-then-write",
            rows_per_call=rows_per_call, lookups_per_call=lookups_per_call, bulk_rows=bulk_rows,
        )  # fmt: skip
        self.native, self.latency = native, latency
        self.records: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.people: dict[str, list[Record]] = {}
        self.faults: deque[Fault] = deque()
        self.find_faults: deque[Exception] = deque()
        self.refuses: Callable[[Row], Exception | None] = lambda row: None  # a row's own failure
        self.checks: Callable[[], None] = lambda: None
        self.writes: list[list[Row]] = []
        self.finds: list[list[Lookup]] = []
        self.busiest: Counter[str] = Counter()  # key → most writers at once
        self._writing: Counter[str] = Counter()
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def check(self) -> Identity:
        self.checks()
        return Identity(user="tests", system="stub")

    def describe(self, object: str) -> Description:
        fields = (Field(name="mobile", type="phone"), Field(name="mail", type="email"), Field(name="name"))
        return Description(object=object, label=object, fields=fields)

    def objects(self) -> Sequence[str]:
        return ("activity", "contact")

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        with self._lock:
            self.finds.append(list(lookups))
            fault = self.find_faults.popleft() if self.find_faults else None
        time.sleep(self.latency)
        if fault is not None:
            raise fault
        return [self._found(lookup) for lookup in lookups]

    def _found(self, lookup: Lookup) -> Sequence[Record]:
        if lookup.by == "key":
            kept = self.records.get((lookup.object, lookup.value), ())
            return [Record(object=lookup.object, id=one["id"], title="", fields=dict(one["fields"])) for one in kept]
        return self.people.get(lookup.value, ())

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        with self._lock:
            self.writes.append(list(rows))
            fault = self.faults.popleft() if self.faults else None
            for row in rows:
                self._writing[row.key] += 1
                self.busiest[row.key] = max(self.busiest[row.key], self._writing[row.key])
        try:
            time.sleep(self.latency)
            if fault is not None:
                given = fault(self, target, rows)
                if given is not None:
                    return given
            return self.commit(target, rows)
        finally:
            with self._lock:
                self._writing.subtract(row.key for row in rows)

    def commit(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """Keep the rows, whatever fault there is."""
        return [self._kept(target, row) for row in rows]

    def _kept(self, target: Target, row: Row) -> Receipt:
        error = self.refuses(row)
        if error is not None:
            return Receipt(key=row.key, outcome="failed", error=error)
        known = self.records.get((target.object, row.key))
        if not self.native:
            time.sleep(0)  # the gap between looking and writing
        with self._lock:
            if self.native:
                known = self.records.get((target.object, row.key))
            if row.action == "remove":
                gone = self.records.pop((target.object, row.key), None)
                return Receipt(key=row.key, outcome="removed" if gone else "unchanged")
            if known:
                known[0]["fields"] |= row.fields
                return self._receipt(row, known[0]["id"], "updated")
            record = {"id": f"R{next(self._ids)}", "fields": dict(row.fields)}
            self.records.setdefault((target.object, row.key), []).append(record)
            return self._receipt(row, record["id"], "created")

    def _receipt(self, row: Row, id: str, outcome: Any) -> Receipt:
        return Receipt(key=row.key, outcome=outcome, id=id, url=f"https://crm.example/{id}")

    # --- what tests ask ----------------------------------------

    def fields(self, key: str, object: str = "activity") -> dict[str, Any]:
        """The fields of the one record with this key."""
        (record,) = self.records[object, key]
        return dict(record["fields"])

    def keys(self) -> Counter[str]:
        """How many records each key has."""
        return Counter({key: len(kept) for (_, key), kept in self.records.items()})


def raising(error: Exception) -> Fault:
    """The call fails and nothing was done."""

    def fault(crm: StubCrm, target: Target, rows: Sequence[Row]) -> None:
        raise error

    return fault


def raising_after(error: Exception) -> Fault:
    """Everything is done, but the call fails."""

    def fault(crm: StubCrm, target: Target, rows: Sequence[Row]) -> None:
        crm.commit(target, rows)
        raise error

    return fault


def giving(change: Callable[[list[Receipt]], Sequence[Receipt]]) -> Fault:
    """Everything is done, and the receipts are not what they should be."""
    return lambda crm, target, rows: change(crm.commit(target, rows))


class StubMapping:
    """A mapping made of functions."""

    def __init__(
        self,
        name: str = "wrap_up",
        *,
        target: TargetSpec | None = None,
        render: Callable[[Any, Any], Rendered] | None = None,
        skips: Callable[[Any], str | None] = lambda facts: None,
        lookups: Callable[[Any], dict[str, list[Lookup]]] = lambda facts: {},
    ) -> None:
        self.name, self.version = name, 1
        self.source = Source(connections=(), events=("interaction.wrapped_up",), after={})
        self.target = target or TargetSpec(connection="crm", write="activity", key="key")
        self.skips, self.lookups = skips, lookups
        self._render = render or (lambda facts, found: Rendered(fields={"note": facts["interaction"].get("summary")}))

    def render(self, facts: Any, found: Any, *, explain: bool = False) -> Rendered:
        return self._render(facts, found)


class StubMappings:
    """What runs."""

    def __init__(self, *mappings: StubMapping) -> None:
        self.by_name = {mapping.name: mapping for mapping in mappings}

    def current(self, name: str) -> Any:
        if name not in self.by_name:
            raise ConfigError(f"no mapping {name}")
        return self.by_name[name]


class Rig:
    """A store, one connection `crm` to a StubCrm, mappings, and the Deliverer between them."""

    def __init__(self, store: Store, crm: StubCrm, *mappings: StubMapping, pace: Pace = QUICK, **declared: Any) -> None:
        self.store, self.crm, self.pace = store, crm, pace
        self.mappings: Any = StubMappings(*(mappings or (StubMapping(),)))
        self.connection = Connection("crm", ConnectionConfig("crm", "stub", {}, **declared), crm)  # type: ignore[arg-type]
        self.deliverer = self.another()

    def another(self, *watchers: Watcher, keepers: Sequence[Keeper] = ()) -> Deliverer:
        """One more node's Deliverer."""
        connections = Connections({"crm": self.connection})
        return Deliverer(
            self.store, connections, self.mappings, config(self.store), self.pace, watchers, keepers=keepers
        )

    def all(self, **where: Any) -> list[Delivery]:
        """Every delivery, oldest first."""
        with self.store.read() as conn:
            return page(conn, Filter(**where), limit=100_000)[::-1]

    def one(self) -> Delivery:
        """The only delivery."""
        (delivery,) = self.all()
        return delivery


def config(store: Store) -> Config:
    """Settings that say no more than they have to."""
    return Config(
        file=Path("hub.yaml"), company="Tests", country="ES", zone="Europe/Madrid", public_url="http://hub.example",
        home=Path(), mappings=Path("mappings"), database_url=str(store.engine.url), host="127.0.0.1", port=0, connections={},
    )  # fmt: skip


def interaction(key: str, **facts: Any) -> dict[str, Any]:
    """Facts of an interaction of `pbx`."""
    event = {"id": f"e-{key}", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z"}
    return {"connection": "pbx", "event": event, "interaction": {"id": key, **facts}}


def put_interactions(store: Store, facts: Sequence[Mapping[str, Any]]) -> None:
    """Put interactions into the store, or what is known of them now."""
    rows = [
        {
            "connection": one["connection"],
            "key": one["interaction"]["id"],
            "state": "wrapped_up",
            "facts": msgspec.json.encode(one).decode(),
            "triggered": "[]",
            "last_occurred_at": 0,
            "updated_at": 0,
        }
        for one in facts
    ]
    with store.write() as conn:
        for row in rows:
            mine = (interactions.c.connection == row["connection"]) & (interactions.c.key == row["key"])
            conn.execute(interactions.delete().where(mine))
        conn.execute(interactions.insert(), rows)


def put_deliveries(store: Store, *rows: Mapping[str, Any]) -> list[int]:
    """Put deliveries into the outbox, pending and due unless a row says otherwise; their ids."""
    moment = now_ms()
    plain = {
        "mapping": "wrap_up", "connection": "crm", "lane": 1, "action": "upsert", "state": "pending",
        "provisional": False, "in_doubt": False, "attempts": 0, "collapsed": 0, "due_at": moment,
        "created_at": moment, "updated_at": moment,
    }  # fmt: skip
    with store.write() as conn:
        return [conn.execute(deliveries.insert().values(plain | dict(row))).inserted_primary_key[0] for row in rows]


def put_calls(store: Store, *keys: str, **facts: Any) -> list[int]:
    """Interactions with one pending delivery each."""
    put_interactions(store, [interaction(key, **({"summary": f"call {key}"} | facts)) for key in keys])
    return put_deliveries(store, *({"subject": interaction_subject("pbx", key)} for key in keys))
