"""Tryton, the open-source ERP and CRM (8.0 and later), over its JSON-RPC.

A person or a company is a `party.party`; a wrapped-up interaction becomes an `ir.note` on it; `sale.opportunity` is what a
contact list is pulled from. Tryton has no upsert and no key of ours, so every write searches first (see `writing`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from connectors.crm.tryton.fields import description
from connectors.crm.tryton.finding import Finder
from connectors.crm.tryton.pulling import Puller
from connectors.crm.tryton.records import CONTACTS, OBJECTS, PARTY, Reader, either, known, literally
from connectors.crm.tryton.rpc import Rpc
from connectors.crm.tryton.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.model import Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target


class Tryton:
    """One Tryton database as one of its users."""

    manifest: ClassVar[Manifest] = Manifest(
        name="tryton",
        title="Tryton",
        about="The open-source ERP and CRM, 8.0 and later, with its modules party and sale_opportunity.",
        family="crm",
        settings=(
            Setting(name="url", about="Where Tryton's server (and its web client) is.", kind="url", required=True,
                    example="https://tryton.example.com"),
            Setting(name="database", about="The database's name.", required=True, example="crm"),
            Setting(name="user", about="The user that the hub signs in as. It needs the groups of the objects that mappings "
                    "write; an administrator's rights are not needed, but only an administrator finds a call's note on "
                    "another party when the caller turns out to be somebody else.", required=True, example="patchbay"),
            Setting(name="password", about="That user's password.", kind="secret", required=True,
                    example="${TRYTON_PASSWORD}"),
            Setting(name="consent_category", about="The party category of people who agreed to be called.",
                    default="Phone consent"),
            Setting(name="do_not_call_category", about="The party category of people who must not be called.",
                    default="Do not call"),
            Setting(name="new_party_view", about="The number of the party's form view (Administration, Views). With it a "
                    "new party opens as a prefilled form; without it the search opens, and New there is prefilled.",
                    kind="integer", example=512),
        ),
        idempotency="search-then-write",
        people=(PARTY,),
        new_person=PARTY,
        source="trytond 8.2.1 with party, sale_opportunity and marketing, driven on SQLite; URLs by sao's own source",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        self._settings = settings
        self._rpc = Rpc(tools.session, settings["url"], settings["database"], settings["user"], settings["password"])
        reader = Reader(tools.country, settings["consent_category"], settings["do_not_call_category"])
        self._described: dict[str, Description] = {}
        self._writer = Writer(self._rpc, reader, tools.now, self._types, self._link)
        self._finder = Finder(self._rpc, reader, self._types, self._link, self._writer.check_may_search_notes)
        self._puller = Puller(self._rpc, reader, tools.now)

    def check(self) -> Identity:
        """Signs in where the session has run out, and asks for the version."""
        self._rpc.read("model.res.user.get_preferences", True)
        return Identity(
            user=self._settings["user"], system=f"Tryton, {self._settings['database']}", version=self._rpc.version()
        )

    # --- find ----------------------------------------

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One call for all phones and e-mails together (a second one for numbers that Tryton holds unnormalised), and one
        for the ids and keys of each object."""
        return self._finder.found(lookups)

    # --- describe ----------------------------------------

    def objects(self) -> Sequence[str]:
        """The objects that can be named."""
        return OBJECTS

    def describe(self, object: str) -> Description:
        """Asked of Tryton, three calls; what it says is what values are written by from then on."""
        fields = self._rpc.read(f"model.{known(object)}.fields_get", None)
        required = [name for name, told in fields.items() if told.get("required")]
        defaults = self._rpc.read(f"model.{object}.default_get", required, False)
        access = self._rpc.read("model.ir.model.access.get_access", [object])
        self._described[object] = description(object, fields, defaults, access[object])
        return self._described[object]

    def _types(self, object: str) -> Description:
        """What values are written by: asked once, for Tryton's fields change with its modules only."""
        return self._described.get(object) or self.describe(object)

    # --- write ----------------------------------------

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """One search, one `create` and one `write` or `delete` for the whole batch; a refused row fails alone."""
        known(target.object)
        return self._writer.written(target, rows)

    # --- pages ----------------------------------------

    def pages(self, query: Query) -> Iterator[Page]:
        """Opportunities or parties by ascending id. `where` names Tryton's fields (`state`, `party.categories.name`…) with
        one value or a list. With a watermark: what changed since, a party's number, address or category included."""
        return self._puller.pages(query)

    # --- links ----------------------------------------

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """Pages of Tryton's web client. It has no address for a new record: with the setting `new_party_view` the form
        opens prefilled; without it the search opens, and pressing New there gives the prefilled form."""
        if kind == "open":
            return self._link(object, id)
        values = {name: value for name, value in (fields or {}).items() if value}
        words: dict[str, Any] = {"context": _prefilled(values)} if kind == "new" else {}
        if kind == "new" and object == PARTY and self._settings.get("new_party_view"):
            words["views"] = [self._settings["new_party_view"]]
        elif values:
            near = [["rec_name", "ilike", f"%{literally(value)}%"] for value in values.values()]
            words["search_value"] = [either(near)]
        told = "&".join(f"{word}={quote(json.dumps(value), safe='')}" for word, value in words.items())
        return self._link(object) + (f";{told}" if told else "")

    def _link(self, object: str, id: str = "") -> str:
        path = "/".join(quote(part, safe="") for part in (self._settings["database"], "model", object, id) if part)
        return f"{self._settings['url'].rstrip('/')}/#{path}"


def _prefilled(values: Mapping[str, str]) -> dict[str, Any]:
    """The context with which Tryton's own defaults for a new record give way to `values`."""
    contacts = [{"type": name, "value": value} for name, value in values.items() if name in CONTACTS]
    given: dict[str, Any] = {f"default_{name}": value for name, value in values.items() if name not in CONTACTS}
    return {**given, "default_contact_mechanisms": contacts} if contacts else given
