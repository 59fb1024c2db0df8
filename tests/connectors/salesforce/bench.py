"""A connector against the shared sandbox, with what the hub would be told and how long it would wait kept beside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from connectors.crm.salesforce import Salesforce
from hub.clock import now
from hub.config import ConnectionConfig
from hub.contract import Tools
from hub.model import Quota, Row, Target
from hub.session import open_session
from sandbox.frame import Served
from tests.connectors.salesforce.peer import Peer
from tests.contract.given import a_key, a_number
from tests.contract.sandbox_peer import shared

TASKS = Target(object="Task", key="Hub_Key__c")
CONTACTS = Target(object="Contact", key="Hub_Key__c")


class Bench:
    """The connector, the sandbox behind its back, and what was told and waited."""

    def __init__(self, served: Served, peer: Peer) -> None:
        self.served, self.sandbox, self.org, self.peer = served, served.sandbox, served.sandbox.org, peer
        self.quotas: list[Quota] = []
        self.waits: list[float] = []
        self.connector = self.opened()

    def opened(self, **settings: Any) -> Salesforce:
        """Another connection to the same organisation."""
        defaults = {setting.name: setting.default for setting in Salesforce.manifest.settings}
        full = {**defaults, "url": self.served.url, **self.sandbox.credentials(), **settings}
        config = ConnectionConfig("crm", "salesforce", full, timeout_seconds=60.0, private_network=True)
        tools = Tools(connection="crm", session=open_session(config), now=now, country="ES",
                      public_url="https://hub.example", quota=self.quotas.append, wait=self.waits.append)  # fmt: skip
        return Salesforce(full, tools)

    @contextlib.contextmanager
    def counted(self) -> Iterator[list[int]]:
        """How many calls the block takes."""
        before, told = self.sandbox.faults.call_count, [0]
        yield told
        told[0] = self.sandbox.faults.call_count - before

    def fault(self, name: str, **told: Any) -> None:
        self.sandbox.faults.set(name, **told)

    def tasks(self, key: str) -> list[dict[str, Any]]:
        return [self.org.get("Task", id) for id in self.org.by_key("Task", "Hub_Key__c", key)]

    def contact(self, last_name: str = "Lovelace", **values: Any) -> str:
        key = f"c-{a_number()}"
        return str(self.org.insert("Contact", {"LastName": last_name, "Hub_Key__c": key, **values}))

    def rows(self, count: int, **fields: Any) -> list[Row]:
        return [
            Row(key=a_key(), fields={"Subject": f"Call {n}", "Status": "Completed", **fields}) for n in range(count)
        ]


@contextlib.contextmanager
def a_bench() -> Iterator[Bench]:
    """At the sandbox that the contract's tests of this process use too."""
    with shared(Peer) as peer:
        yield Bench(peer.served, peer)
