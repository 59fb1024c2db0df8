"""A CRM that gives a list by page, cursor and watermark, with faults, and the contact lists that pull from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from sqlalchemy import select

from hub.config import Config, ConnectionConfig
from hub.connections import Connection, Connections
from hub.contract import Manifest
from hub.errors import Rejected
from hub.flow.lists.pull import ContactLists
from hub.flow.mappings import Mappings
from hub.model import Page, Query, Receipt, Row, Target
from hub.store.database import Store
from hub.store.schema import deliveries, list_members

SPRING = """
mapping: spring
about: The spring campaign on the dialler.
source:
  connection: crm
  list: campaign_member
  where: { campaign: spring }
  every: 15 minutes
  page: 3
  phone: member.phone
  country: member.country
  consent: member.consent
  do_not_call: member.do_not_call
target:
  connection: dialler
  write: contact_list
  key: id
  options: { list: spring }
fields:
  phone: { from: member.phone_e164, required: true }
  first_name: member.first_name
examples:
  - about: Ana.
    given: { member: { id: "1", phone_e164: "+34612345678", first_name: Ana } }
    expect: { phone: "+34612345678", first_name: Ana }
"""


class PagedCrm:
    """Members with a revision each: a pull of what changed asks by revision, a cursor is the last id and that revision."""

    manifest: ClassVar[Manifest] = Manifest(name="paged", title="Paged", about="For tests.", family="crm")

    def __init__(self) -> None:
        self.members: dict[str, tuple[int, dict[str, Any]]] = {}
        self.gone: dict[str, int] = {}
        self.revision = 0
        self.queries: list[Query] = []
        self.before_page: Callable[[int], None] = lambda number: None

    def put(self, id: str, phone: str | None, **fields: Any) -> None:
        """Add or change a member; who may be called unless `fields` say otherwise."""
        self.revision += 1
        self.gone.pop(id, None)
        row = {"id": id, "phone": phone, "country": "ES", "consent": True, "do_not_call": False, "first_name": f"P{id}"}
        self.members[id] = (self.revision, row | fields)

    def drop(self, id: str) -> None:
        """Take a member out of the campaign."""
        self.revision += 1
        del self.members[id]
        self.gone[id] = self.revision

    def pages(self, query: Query) -> Iterator[Page]:
        """The rows by id."""
        self.queries.append(query)
        began, last = self.revision, ""
        if query.cursor is not None:
            if query.cursor == "stale":
                raise Rejected("the cursor is not known any more")
            revision, _, last = query.cursor.partition("/")
            began = int(revision)
        since = int(query.watermark or 0)
        number = 0
        while True:
            self.before_page(number)
            changed = sorted(
                (id for id, (revision, _) in self.members.items() if revision > since and _order(id) > _order(last)),
                key=_order,
            )
            now, more = changed[: query.size], len(changed) > query.size
            first = number == 0 and query.cursor is None and query.watermark is not None
            last = now[-1] if now else last
            yield Page(
                rows=[dict(self.members[id][1]) for id in now],
                removed=[id for id, revision in self.gone.items() if revision > since] if first else [],
                cursor=f"{began}/{last}" if more else None,
                watermark=None if more else str(began),
            )
            if not more:
                return
            number += 1


class Dialler:
    """A platform that keeps contact lists."""

    manifest: ClassVar[Manifest] = Manifest(
        name="dialler", title="Dialler", about="For tests.", family="platform", idempotency="native-upsert"
    )

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, Any]] = {}
        self.targets: set[tuple[str, str]] = set()

    def write(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """Take and drop contacts."""
        self.targets.add((target.object, target.options["list"]))
        receipts = []
        for row in rows:
            if row.action == "remove":
                gone = self.contacts.pop(row.key, None)
                receipts.append(Receipt(key=row.key, outcome="unchanged" if gone is None else "removed"))
            else:
                self.contacts[row.key] = row.fields
                receipts.append(Receipt(key=row.key, outcome="updated"))
        return receipts


def _order(id: str) -> tuple[int, str]:
    return len(id), id


@dataclass
class Stand:
    """The parts that a test holds."""

    store: Store
    crm: PagedCrm
    dialler: Dialler
    lists: ContactLists
    mappings: Mappings
    config: Config
    connections: Connections
    told: list[Any] = field(default_factory=list)

    def node(self, **options: Any) -> ContactLists:
        """Another process on the same store."""
        return ContactLists(self.store, self.connections, self.mappings, self.config, **options)

    def queued(self) -> dict[str, str]:
        """What waits in the outbox: member → action."""
        with self.store.read() as conn:
            rows = conn.execute(select(deliveries).where(deliveries.c.state == "pending").order_by(deliveries.c.id))
            return {row.subject.rpartition("/")[2]: row.action for row in rows}

    def bodies(self) -> dict[str, dict[str, Any]]:
        """What waits in the outbox: member → its row."""
        with self.store.read() as conn:
            rows = conn.execute(select(deliveries).where(deliveries.c.state == "pending"))
            return {row.subject.rpartition("/")[2]: msgspec.json.decode(row.body)["member"] for row in rows}

    def members(self) -> dict[str, tuple[str, str | None]]:
        """Every member that is known: id → (state, reason)."""
        with self.store.read() as conn:
            return {row.member: (row.state, row.reason) for row in conn.execute(select(list_members))}

    def deliver(self) -> dict[str, str]:
        """What waited, as if it was delivered now."""
        waited = self.queued()
        with self.store.write() as conn:
            pending = deliveries.c.state == "pending"
            conn.execute(deliveries.update().where(pending).values(state="delivered"))
        return waited


def stand(store: Store, tmp_path: Path, source: str = SPRING, own_numbers: tuple[str, ...] = ()) -> Stand:
    """Contact lists on `store` that pull from a paged CRM by the mapping `source`."""
    crm, dialler = PagedCrm(), Dialler()
    connections = Connections(
        {
            "crm": Connection("crm", ConnectionConfig("crm", "paged", {}), crm),
            "dialler": Connection("dialler", ConnectionConfig("dialler", "dialler", {}), dialler),
        }
    )
    config = Config(
        file=tmp_path / "hub.yaml", company="Test", country="ES", zone="Europe/Madrid", public_url="http://127.0.0.1",
        home=tmp_path, mappings=tmp_path, database_url="", host="127.0.0.1", port=0, connections={},
        own_numbers=own_numbers,
    )  # fmt: skip
    mappings = Mappings(store, country="ES", zone="Europe/Madrid")
    mappings.publish(source, by="test")
    return Stand(store, crm, dialler, ContactLists(store, connections, mappings, config), mappings, config, connections)
