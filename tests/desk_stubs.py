"""Stand-ins for the desk's tests: CRMs that answer, hang, lie and are slow; a platform that dials; a Config around them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub.config import Config, ConnectionConfig
from hub.connections import Connection, Connections
from hub.contract import Manifest
from hub.model import PERSON, Account, DialReceipt, DialRequest, Lookup, Match, Record
from tests.waiting import PATIENCE, until

COUNTRY = "ES"


def person(id: str, phone: str = "", *, object: str = "contact", **more: Any) -> Record:
    """A contact that has this number."""
    account = more.pop("account", None)
    fields = {"phone": phone, **more.pop("fields", {})}
    held = Account(object="account", id=account, title=f"Account {account}") if account else None
    return Record(object=object, id=id, title=f"{object} {id}", url=f"https://crm.example/{object}/{id}",
                  match=Match("phone", phone) if phone else None, account=held, fields=fields, **more)  # fmt: skip


class StubCrm:
    """Finds what it was given. `before` runs at the start of each call: wait in it to hang, raise in it to fail."""

    manifest: ClassVar[Manifest] = Manifest(name="stub", title="Stub", about="A stub.", family="crm",
                                            people=("contact", "lead", "account"), company="account",
                                            new_person="contact", idempotency="native-upsert")  # fmt: skip

    def __init__(
        self, *records: Record, keys: dict[str, Record] | None = None, emails: dict[str, Record] | None = None
    ):
        self.records, self.keys, self.emails = list(records), keys or {}, emails or {}
        self.asked: list[Lookup] = []
        self.calls = 0
        self.before: Callable[[], None] = lambda: None

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        self.calls += 1
        self.asked += lookups
        self.before()
        return [self._one(lookup) for lookup in lookups]

    def _one(self, lookup: Lookup) -> list[Record]:
        if lookup.by == "key":
            return [self.keys[lookup.value]] if lookup.value in self.keys else []
        if lookup.by == "email":
            return [self.emails[lookup.value]] if lookup.value in self.emails else []
        if lookup.by == "id":
            of = [r for r in self.records if r.id == lookup.value and lookup.object in (PERSON, r.object)]
            return of[:1]
        return [r for r in self.records if r.match and r.match.value == lookup.value]

    def links(self, kind: str, object: str, id: str = "", fields: Any = None) -> str:
        told = "&".join(f"{name}={value}" for name, value in sorted((fields or {}).items()))
        return f"https://crm.example/{kind}/{object}/{id}?{told}"


class Gate:
    """A CRM waits at it until it opens. `waiting`: how many calls do."""

    def __init__(self) -> None:
        self._open, self._lock, self.waiting = threading.Event(), threading.Lock(), 0

    def __call__(self) -> None:
        with self._lock:
            self.waiting += 1
        assert self._open.wait(2 * PATIENCE)
        with self._lock:
            self.waiting -= 1

    def open(self) -> None:
        self._open.set()


Comes = Callable[[Sequence[Future[Any]]], bool]


def deadline_when(patch: pytest.MonkeyPatch, room: str, comes: Comes) -> None:
    """From now on a deadline of `room` (asking, dial) comes when `comes` says so of the answers that are waited for, not by
    the clock: on a busy machine a CRM that answers may need longer than any deadline that a test would wait for."""
    patch.setattr(f"hub.desk.{room}.wait", lambda answers, timeout: until(lambda: comes(answers), about="the deadline"))


def all_but(gate: Gate) -> Comes:
    """When everybody has answered but who waits at `gate`, and that is somebody who did not wait there before."""
    before = gate.waiting
    return lambda answers: 0 < gate.waiting - before == sum(not answer.done() for answer in answers)


class StubPlatform:
    """Dials, or does what `answer` does."""

    manifest: ClassVar[Manifest] = Manifest(name="stub_platform", title="Stub", about="A stub.", family="platform")

    def __init__(self) -> None:
        self.dialled: list[DialRequest] = []
        self.answer: Callable[[DialRequest], DialReceipt] = lambda request: DialReceipt(
            outcome="accepted", interaction=f"call-of-{request.id}"
        )

    def dial(self, request: DialRequest) -> DialReceipt:
        self.dialled.append(request)
        return self.answer(request)


def connections_of(**connectors: Any) -> Connections:
    """Open connections around connectors, in this order."""
    return Connections(
        {
            name: Connection(name, ConnectionConfig(name, "stub", {}), connector)
            for name, connector in connectors.items()
        }
    )


def config_of(folder: Path, connections: Connections, *, table: str = "", **more: Any) -> Config:
    """Settings around these connections; `table` is a decision table's YAML."""
    file = None
    if table:
        file = folder / "screen_pop.yaml"
        file.write_text(table, encoding="utf-8")
    told: dict[str, Any] = {"own_numbers": ("+34911234567", "+3491800*", "201"), **more}
    return Config(
        file=folder / "hub.yaml",
        company="Lumen",
        country=COUNTRY,
        zone="UTC",
        public_url="http://hub.example",
        home=folder,
        mappings=folder,
        database_url="",
        host="127.0.0.1",
        port=8080,
        connections={name: connection.config for name, connection in connections.items()},
        screen_pop_file=file,
        **told,
    )
