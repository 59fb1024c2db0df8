"""Dolibarr over its REST API: contacts and third parties, events of the agenda, tickets, categories.

A wrapped-up call becomes an event of type AC_TEL on the contact and its third party. Dolibarr has no upsert and no
batch: its field for references of other systems holds the hub's key, it is looked up for a whole batch, then each row
is one call (see `writing`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from connectors.crm.dolibarr.api import Api
from connectors.crm.dolibarr.fields import DICTIONARIES, OWN, codes, extras, may, named
from connectors.crm.dolibarr.finding import Finder
from connectors.crm.dolibarr.links import SEARCH, Links
from connectors.crm.dolibarr.objects import CONTACTS, KINDS, OPTION, PEOPLE, THIRDPARTIES, USERS, fields_told, kind_of
from connectors.crm.dolibarr.pulling import Puller
from connectors.crm.dolibarr.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.errors import ConfigError, NotFound, Unavailable, nearest
from hub.model import PERSON, Description, Field, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

KEPT = dt.timedelta(hours=1)
SOMEBODY = "the user of the API key"


class Dolibarr:
    """One Dolibarr as the user of one API key."""

    manifest: ClassVar[Manifest] = Manifest(
        name="dolibarr",
        title="Dolibarr ERP CRM",
        about="Dolibarr over its REST API, version 13 and later. What a setting calls unverified was taken from Dolibarr's "
        "source and not tried on a server.",
        family="crm",
        settings=(
            Setting(name="url", about="The address that you open in the browser, up to what comes before /index.php.",
                    kind="url", required=True, example="https://erp.acme.example"),
            Setting(name="api_key", about="The API key of the hub's user (on the user's card).", kind="secret",
                    required=True, example="${DOLIBARR_API_KEY}"),
            Setting(name="entity", about="With the module Multicompany: the number of the company that is meant; without it "
                    "the user's own.", example="1"),
            Setting(name="objects", about="What the hub may name; leave out objects whose module is off.", kind="list",
                    default=list(KINDS)),
            Setting(name="people", about="The objects that are asked for a person, in the order that a screen pop prefers; "
                    "leave out what the user may not read.", kind="list", default=list(PEOPLE)),
            Setting(name="phone_fields", about="The fields that are searched for a number, as object.field. Add "
                    "thirdparties.phone_mobile where your version has it (20 and later, unverified).", kind="list",
                    default=["contacts.phone_mobile", "contacts.phone_pro", "contacts.phone_perso", "thirdparties.phone"]),
            Setting(name="mail_fields", about="The fields that are searched for an address, as object.field.", kind="list",
                    default=["contacts.email", "thirdparties.email", "users.email"]),
            Setting(name="extra_fields", about="Extra fields that mappings may name although the hub's user is no "
                    "administrator, to whom alone Dolibarr describes them, as object.options_field.", kind="list",
                    default=[], example=["contacts.options_consent"]),
            Setting(name="pull_fields", about="What a list pull reads beyond the usual, as object.field; extra fields come "
                    "by themselves.", kind="list", default=[], example=["contacts.note_public"]),
            Setting(name="owner", about="The id of the user to whom an event belongs that names none; without it the hub's "
                    "own user, and nobody where Dolibarr does not say who that is.", example="12"),
            Setting(name="page_size", about="Records of one page, 500 at most; each costs the server several queries.",
                    kind="integer", default=100),
            Setting(name="link_search", about="The words of a search in the address of a list; {words} is filled in "
                    "(unverified).", default=SEARCH),
        ),
        idempotency="search-then-write",
        rows_per_call=50,
        people=PEOPLE,
        company=THIRDPARTIES,
        new_person=CONTACTS,
        source="the source on github.com/Dolibarr/dolibarr, versions 5 to 22, and the description of a server's API that "
        "the package cli-dolibarr carries; read 2026-11, not tried on a server",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        for setting in ("objects", "people"):
            for name in settings[setting]:
                if name not in KINDS:
                    raise ConfigError(f'{setting}: there is no object "{name}"{nearest(name, KINDS)}')
        self._host = urlsplit(settings["url"]).hostname or ""
        self._objects, self._people = tuple(settings["objects"]), tuple(settings["people"])
        self._now, self._me = tools.now, (dt.datetime.min.replace(tzinfo=dt.UTC), "")
        self._told_owner = str(settings.get("owner") or "")
        self._extra = fields_told("extra_fields", settings["extra_fields"])
        phones = fields_told("phone_fields", settings["phone_fields"])
        mails = fields_told("mail_fields", settings["mail_fields"])
        self._api = Api(tools.session, settings)
        self._links = Links(settings["url"], settings["link_search"])
        self._finder = Finder(self._api, phones, mails, tools.country, self._links.opened)
        self._puller = Puller(self._api, phones, mails, fields_told("pull_fields", settings["pull_fields"]), tools.now)
        self._writer = Writer(self._api, self._links.opened, self._owner)

    def check(self) -> Identity:
        """Two reads: the version, and the user where it may know itself."""
        told = self._api.get("status")
        success = told.get("success") if isinstance(told, dict) else None
        if not isinstance(success, dict):
            raise Unavailable("Dolibarr does not say its status")
        me = self._api.maybe("users/info")
        user = str(me.get("login") or "") if isinstance(me, dict) else ""
        return Identity(user=user or SOMEBODY, system=f"Dolibarr, {self._host}",
                        version=str(success.get("dolibarr_version") or ""))  # fmt: skip

    def _owner(self) -> str:
        """The id of the user to whom an event belongs that names none; "0" is nobody, which Dolibarr takes."""
        if self._told_owner:
            return self._told_owner
        until, known = self._me
        if self._now() >= until:
            told = self._api.maybe("users/info")
            known = str(told.get("id") or "0") if isinstance(told, dict) else "0"
            self._me = (self._now() + KEPT, known)
        return known

    # --- find ----------------------------------------

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One GET for each kind of object, as long as the question fits into an address (some 20 numbers). Keys of events,
        which answers do not show, are asked for at once, and by halves where some are there."""
        answers: list[list[Record]] = [[] for _ in lookups]
        asked: dict[str, dict[int, Lookup]] = {}
        for place, lookup in enumerate(lookups):
            for name in self._people if lookup.object == PERSON else (lookup.object,):
                asked.setdefault(name, {})[place] = lookup
        order = {name: place for place, name in enumerate(self._people)}
        for name in sorted(asked, key=lambda name: order.get(name, len(order))):
            for place, records in self._finder.found(name, asked[name]).items():
                answers[place] += records
        return answers

    # --- describe ----------------------------------------

    def objects(self) -> Sequence[str]:
        """The objects that the settings name."""
        return self._objects

    def describe(self, object: str) -> Description:
        """The fields of Dolibarr's own, with the codes of its dictionaries, its extra fields, and what our user may do: one
        read for each, left out where our user may not have it."""
        kind = kind_of(object)
        if object not in self._objects:
            raise NotFound(f"the setting objects leaves {object} out")
        me = self._api.maybe("users/info", {"includepermissions": 1})
        rights = me.get("rights") if isinstance(me, dict) else None
        told = self._api.maybe("setup/extrafields", {"elementtype": kind.element})
        found = {one.name: one for one in named([n for n in self._extra.of(kind) if n.startswith(OPTION)])}
        found |= {one.name: one for one in extras(told, kind.element)}
        own = tuple(self._with_codes(object, field) for field in OWN[object])
        return Description(
            object=object, label=kind.label, fields=(*own, *(found.values() if object != USERS else ())),
            creatable=may(rights, object), changeable=may(rights, object),
        )  # fmt: skip

    def _with_codes(self, object: str, field: Field) -> Field:
        path = DICTIONARIES.get((object, field.name))
        if path is None:
            return field
        told = codes(self._api.maybe(path, {"limit": 500, "active": 1}))
        return Field(name=field.name, label=field.label, type=field.type, required=field.required, picklist=told)

    # --- write, pages, links ----------------------------------------

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """For 50 new rows 51 calls: Dolibarr has no batch."""
        return self._writer.written(target, rows)

    def pages(self, query: Query) -> Iterator[Page]:
        """`where: {category: name or id}` for people in a category; else fields with one value or a list of them."""
        return self._puller.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """A page of Dolibarr's."""
        if kind == "open":
            return self._links.opened(object, id)
        return (self._links.search if kind == "search" else self._links.new)(object, fields or {})
