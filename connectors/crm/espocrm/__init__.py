"""EspoCRM over its REST API: contacts, leads and accounts, calls and cases, target lists, and entities of your own.

A wrapped-up call becomes a Call with the caller as parent and attendee. EspoCRM has no upsert and no batch: a custom field
holds the hub's key, it is looked up for a whole batch, then each row is one call (see `writing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from connectors.crm.espocrm.api import Api
from connectors.crm.espocrm.entities import (
    ACCOUNT,
    CONTACT,
    PEOPLE,
    USER,
    Definitions,
    fields_told,
)
from connectors.crm.espocrm.fields import description
from connectors.crm.espocrm.finding import SEARCHES, Finder, Owners
from connectors.crm.espocrm.links import NEW, SEARCH, Links
from connectors.crm.espocrm.pulling import Puller
from connectors.crm.espocrm.writing import DUPLICATES, Writer
from hub.contract import Manifest, Setting, Tools
from hub.errors import ConfigError, Unavailable, nearest
from hub.model import PERSON, Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target


class EspoCrm:
    """One EspoCRM as one of its API users."""

    manifest: ClassVar[Manifest] = Manifest(
        name="espocrm",
        title="EspoCRM",
        about="EspoCRM over its REST API, version 7 and later. What a setting calls unverified was taken from documents "
        "or from EspoCRM's source and not tried on a server.",
        family="crm",
        settings=(
            Setting(name="url", about="The address that you open in the browser.", kind="url", required=True,
                    example="https://crm.acme.example"),
            Setting(name="api_key", about="The API user's key.", kind="secret", required=True,
                    example="${ESPOCRM_API_KEY}"),
            Setting(name="secret_key", about="With HMAC authentication: the API user's secret key; requests are then "
                    "signed with it, and it never travels.", kind="secret", example="${ESPOCRM_SECRET_KEY}"),
            Setting(name="hmac_digest", about="How the signature is written: `hex` for EspoCRM 8.4.1 and later, `raw` for "
                    "an older one.", default="hex"),
            Setting(name="key_field", about="The custom field that holds the hub's keys, by the name that the Entity "
                    "Manager shows; newer versions put a c before the name that you typed (cPatchbayKey).",
                    default="patchbayKey"),
            Setting(name="keyed_objects", about="The entity types of which a look-up by key means that field; elsewhere "
                    "it means the record's id.", kind="list", default=["Call", "Case"]),
            Setting(name="people", about="The entity types that are asked for a person, in the order that a screen pop "
                    "prefers; leave out what the API user may not read.", kind="list", default=list(PEOPLE)),
            Setting(name="phone_fields", about="The fields of type phone that are searched, as Entity.field.", kind="list",
                    default=["Contact.phoneNumber", "Lead.phoneNumber", "Account.phoneNumber", "User.phoneNumber"]),
            Setting(name="phone_search", about="`numeric` asks for the digits that EspoCRM keeps beside each number; "
                    "`typed` asks for the number however it was typed, which is slower: for a server on which those "
                    "digits are missing or hidden.", default="numeric"),
            Setting(name="mail_fields", about="The fields of type email that are searched, as Entity.field.", kind="list",
                    default=["Contact.emailAddress", "Lead.emailAddress", "Account.emailAddress", "User.emailAddress"]),
            Setting(name="pull_fields", about="What a list pull reads beyond the usual, as Entity.field.", kind="list",
                    default=[], example=["Contact.cConsent"]),
            Setting(name="duplicates", about="A new record that EspoCRM takes for a duplicate (409): `park` it for a "
                    "person, `update` the record that is there where it is just one without a key of the hub, or "
                    "`create` it all the same.", default="park"),
            Setting(name="assigned_user", about="The id of the user to whom a new record belongs that names none; "
                    "calls and cases need one.", example="64f0c2a1b8d3e5f70"),
            Setting(name="page_size", about="Records of one page; a server may allow fewer than 200.", kind="integer",
                    default=200),
            Setting(name="link_search", about="The path of a search; {object} and {words} are filled in (unverified).",
                    default=SEARCH),
            Setting(name="link_new", about="The path of a new record; {object} and {fields} are filled in (unverified: the "
                    "client as it comes opens the form and takes no fields from the address).",
                    default=NEW),
        ),
        idempotency="search-then-write",
        rows_per_call=50,
        people=PEOPLE,
        company=ACCOUNT,
        new_person=CONTACT,
        source="docs.espocrm.com (REST API, CRUD, search parameters, Metadata) and the source on "
        "github.com/espocrm/espocrm; read 2026-11, not tried on a server",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        for name, choices in (("phone_search", SEARCHES), ("duplicates", DUPLICATES)):
            if settings[name] not in choices:
                raise ConfigError(
                    f'{name}: "{settings[name]}" is none of {", ".join(choices)}{nearest(settings[name], choices)}'
                )
        self._host = urlsplit(settings["url"]).hostname or ""
        self._people = tuple(settings["people"])
        self._key, self._assigned = str(settings["key_field"]), str(settings.get("assigned_user") or "")
        phones = fields_told("phone_fields", settings["phone_fields"])
        mails = fields_told("mail_fields", settings["mail_fields"])
        keys = fields_told("keyed_objects", [f"{entity}.{self._key}" for entity in settings["keyed_objects"]])
        self._api = Api(tools.session, settings)
        self._links = Links(settings["url"], settings["link_search"], settings["link_new"])
        self._definitions = Definitions(self._api, tools.now)
        self._finder = Finder(
            self._api, Owners(self._api, tools.now), phones, mails, keys, tools.country, self._links.opened,
            numeric=settings["phone_search"] == "numeric",
        )  # fmt: skip
        self._puller = Puller(self._api, phones, mails, fields_told("pull_fields", settings["pull_fields"]), tools.now)
        self._writer = Writer(
            self._api, self._definitions, self._links.opened,
            duplicates=settings["duplicates"], assigned_user=self._assigned,
        )  # fmt: skip

    def check(self) -> Identity:
        """One read: the user that the key belongs to."""
        told = self._introduced()
        settings = told.get("settings")
        version = str(settings.get("version") or "") if isinstance(settings, dict) else ""
        return Identity(user=str(told["user"].get("userName") or ""), system=f"EspoCRM, {self._host}", version=version)

    def _introduced(self) -> dict[str, Any]:
        told = self._api.get("App/user")
        if not isinstance(told, dict) or not isinstance(told.get("user"), dict):
            raise Unavailable("EspoCRM does not say who we are")
        return told

    # --- find ----------------------------------------

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One GET for each entity type, as long as the question fits into an address (some 30 numbers); one more for
        the owners, and one for a record that was found by its second number."""
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
        """The entity types that people work with, and users."""
        scopes = self._definitions.metadata("scopes")
        if not isinstance(scopes, dict):
            raise Unavailable("EspoCRM does not say which entity types it has")
        named = {name for name, one in scopes.items() if isinstance(one, dict) and one.get("entity")
                 and one.get("object") and not one.get("disabled")}  # fmt: skip
        return tuple(sorted(named | {USER}))

    def describe(self, object: str) -> Description:
        """Two reads: the definition as it is now, and what our user may do."""
        told = self._definitions.asked(object)
        acl = self._introduced().get("acl")
        table = acl.get("table") if isinstance(acl, dict) else None
        rights = table.get(object) if isinstance(table, dict) else None
        return description(object, told, self._key, rights, assigned=bool(self._assigned))

    # --- write, pages, links ----------------------------------------

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """For 50 rows 51 calls: EspoCRM has no batch. A record that was there and gets people is read first."""
        return self._writer.written(target, rows)

    def pages(self, query: Query) -> Iterator[Page]:
        """`where: {targetList: name or id}` for people on a list; else fields with one value or a list of them."""
        return self._puller.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """A page of EspoCRM's browser client."""
        if kind == "open":
            return self._links.opened(object, id)
        return (self._links.search if kind == "search" else self._links.new)(object, fields or {})
