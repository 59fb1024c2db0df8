"""A CRM of people that can be pulled and asked, with faults, and the directory over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hub.config import Config
from hub.connections import Connections
from hub.contract import Manifest
from hub.flow.directory.known import Directory, Told
from hub.flow.directory.load import DirectoryPulls
from hub.model import Lookup, Match, Record
from hub.store.database import Store
from tests.contact_lists import PagedCrm
from tests.desk_stubs import config_of, connections_of

CONTACTS = "directory crm/contact"
PLAIN = """\
connections:
  crm:
    screen_pop: first
    max_age: 15 minutes
    objects:
      contact:
        every: 5 minutes
        page: 3
        phones: [row.mobile, row.phone]
        emails: row.email
        keys: row.key
        country: row.country
        title: row.first_name
        account: { object: account, id: row.account, title: row.company }
        owner: row.owner
        fields: [row.do_not_call]
"""


class People(PagedCrm):
    """Contacts: rows for a pull, and the same people for `find`. `before` may hang or fail a `find`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="people", title="People", about="For tests.", family="crm", people=("contact", "account"),
        company="account", new_person="contact",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.before: Callable[[], None] = lambda: None
        self.more: dict[str, dict[str, Any]] = {}  # what `find` tells beyond a row: id → fields of Record

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        self.calls += 1
        self.before()
        return [self._matching(lookup) for lookup in lookups]

    def links(self, kind: str, object: str, id: str = "", fields: Any = None) -> str:
        return f"https://crm.example/{kind}/{object}/{id}"

    def _matching(self, lookup: Lookup) -> list[Record]:
        found = []
        for id, (_, row) in self.members.items():
            name = {"id": "id", "key": "key", "email": "email", "phone": "phone"}[lookup.by]
            if row.get(name) == lookup.value:
                match = Match(name, lookup.value)
                told = {"title": row["first_name"], "fields": dict(row)} | self.more.get(id, {})
                found.append(Record(object="contact", id=id, match=match, **told))
        return found


class Stand:
    """The directory of one CRM of people."""

    def __init__(self, store: Store, folder: Path, declared: str = PLAIN, table: str = "") -> None:
        self.store, self.folder = store, folder
        self.crm = People()
        self.connections = connections_of(crm=self.crm)
        self.config = self.declare(declared, table)
        self.pulls = self.node()

    def declare(self, declared: str, table: str = "") -> Config:
        """Settings with this declaration."""
        file = self.folder / "directory.yaml"
        file.write_text(declared, encoding="utf-8")
        return config_of(self.folder, self.connections, table=table, directory_file=file)

    def node(self, config: Config | None = None, **options: Any) -> DirectoryPulls:
        """Another process on the same store."""
        return DirectoryPulls(self.store, self.connections, config or self.config, **options)

    @property
    def directory(self) -> Directory:
        """The directory as it is read."""
        return Directory(self.store, self.connections, self.pulls.plan)

    def tell(self, *lookups: Lookup) -> Told:
        """What it knows of these look-ups."""
        return self.directory.tell({"crm": lookups})["crm"]

    def ids(self, by: Any, value: str, object: str = "person") -> list[str]:
        """Whom one look-up finds."""
        return [record.id for record in self.tell(Lookup(object, by, value)).records[0]]


def only(connections: Connections) -> str:
    """A declaration by which the directory answers for every CRM of stubs (tests.desk_stubs), and no CRM is asked."""
    words = (
        "title: row.title, phones: row.phone, emails: row.email, keys: row.key, owner: row.owner, "
        "open_cases: row.open_cases, last_contact: row.last_contact, account: { id: row.account, title: row.company }"
    )
    crms = [name for name, one in connections.items() if one.manifest.people]
    objects = "".join(f"      {name}: {{ {words} }}\n" for name in ("contact", "lead", "account"))
    return "connections:\n" + "".join(f"  {name}:\n    screen_pop: only\n    objects:\n{objects}" for name in crms)
