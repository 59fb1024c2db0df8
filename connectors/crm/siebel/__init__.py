"""Oracle Siebel CRM, over its REST API.

A person is a `Contact` or a `Prospect`, a company an `Account`; a wrapped-up interaction becomes an `Action`, as Siebel
calls its activities. An activity has a field for a foreign key by itself (Activity UID), other components have Integration
Id; it is looked up before anything is written, unless a business service that matches by it is told (see `services`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.crm.siebel.addresses import NEW, OPEN, SEARCH, VIEWS, Addresses
from connectors.crm.siebel.components import ACCOUNT, ACTION, CONTACT, PROSPECT, Catalogue, Component, pairs
from connectors.crm.siebel.dictionary import Dictionary
from connectors.crm.siebel.fields import Known, description
from connectors.crm.siebel.finding import Finder
from connectors.crm.siebel.pulling import PAGINGS, Puller
from connectors.crm.siebel.rest import PAGE, Rest
from connectors.crm.siebel.services import SHAPE, ListValues, lists_of_values, services
from connectors.crm.siebel.values import Values
from connectors.crm.siebel.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.errors import ConfigError, NotFound, NotPermitted, Rejected, nearest
from hub.model import PERSON, Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

PEOPLE = (CONTACT, PROSPECT, ACCOUNT)
# The settings that name fields, as Object.Field.
FIELDS = ("phone_fields", "mail_fields", "key_fields", "pull_fields", "missing_fields")
SEARCHES = ("stored", "typed")


class Siebel:
    """One Siebel enterprise as one of its users."""

    manifest: ClassVar[Manifest] = Manifest(
        name="siebel",
        title="Oracle Siebel CRM",
        about="Siebel CRM, Innovation Pack 2016 and later, over its REST API: contacts, prospects, accounts, activities, "
        "service requests. Written from Oracle's guides and from what a public project measured, not tried on a server; "
        "every repository is configured, so compare what a setting calls unverified with your own /describe.",
        family="crm",
        settings=(
            Setting(name="url", about="The Siebel Application Interface's address.", kind="url", required=True,
                    example="https://siebel.acme.example:9001"),
            Setting(name="rest_path", about="Where its REST API is; older servers have /siebel-rest/v1.0.",
                    default="/siebel/v1.0"),
            Setting(name="user", about="The integration user, an employee with a position, for basic authentication.",
                    example="PATCHBAY"),
            Setting(name="password", about="That user's password.", kind="secret", example="${SIEBEL_PASSWORD}"),
            Setting(name="client_id", about="Instead of a user, where REST inbound authentication is OAuth: the client's id "
                    "at the server that Siebel asks about tokens.", example="patchbay"),
            Setting(name="client_secret", about="That client's secret.", kind="secret",
                    example="${SIEBEL_CLIENT_SECRET}"),
            Setting(name="sign_in_url", about="With a client: that server's address that gives out access tokens.",
                    kind="url", example="https://login.acme.example/oauth2/token"),
            Setting(name="scope", about="With a client: the scope of the tokens.", example="siebel"),
            Setting(name="view_mode", about="Which records our user sees: Sales Rep, Organization, Manager, Catalog, … It "
                    "has to show what our user makes. Empty: Siebel's own choice, Sales Rep (which mode suits whom is "
                    "unverified).", default="Organization"),
            Setting(name="view_modes", about="Other view modes of single objects, as Object=mode.", kind="list", default=[],
                    example=["Action=Personal"]),
            Setting(name="objects", about="Further objects, or other paths of those that are known, as Name=Business "
                    "Object/Business Component, or Name=BO/BC/{Parent}/Child. The paths of Prospect and List Member are "
                    "unverified.", kind="list", default=[], example=["Visit=Action/Action"]),
            Setting(name="phone_fields", about="The fields that hold phone numbers, as Object.Field; an object that neither "
                    "this nor mail_fields names is not asked for people.",
                    kind="list", default=["Contact.Cellular Phone #", "Contact.Work Phone #", "Contact.Home Phone #",
                                          "Account.Main Phone Number", "List Member.Cellular Phone #",
                                          "List Member.Work Phone #"]),
            Setting(name="phone_search", about="How numbers are stored: `stored` as Siebel's own phone type does, + and "
                    "digits; `typed` in plain text fields, found whatever stands between the digits, and slower.",
                    default="stored"),
            Setting(name="mail_fields", about="The fields that hold mail addresses, as Object.Field.",
                    kind="list", default=["Contact.Email Address", "List Member.Email Address"]),
            Setting(name="key_fields", about="The fields that hold the hub's keys, as Object.Field. They take 30 "
                    "characters: a longer key stands there by its digest (that an object has Integration Id is unverified).",
                    kind="list", default=["Action.Activity UID", "Contact.Integration Id", "Account.Integration Id",
                                          "Service Request.Integration Id"]),
            Setting(name="upsert_by", about=f"Business services that match by a key field themselves, as {SHAPE}: rows are "
                    "then written without a look-up (unverified; each has to be enabled for REST, and the integration "
                    "object needs the field as a user key).", kind="list", default=[],
                    example=["Action.Activity UID=Siebel Action/InsertOrUpdate/Action Interface/Action"]),
            Setting(name="pull_fields", about="What a list pull reads beyond the names and numbers, as Object.Field.",
                    kind="list", default=[], example=["Contact.Country"]),
            Setting(name="missing_fields", about="Fields that the connector reads and your repository lacks, as "
                    "Object.Field: they are not asked for. What its description lacks, is left out without this.",
                    kind="list", default=[],
                    example=["Contact.Suppress All Calls"]),
            Setting(name="lookups", about="The list of values of a field, as Object.Field=TYPE; describe does not tell it "
                    "(the types are unverified).",
                    kind="list", default=["Action.Type=TODO_TYPE", "Action.Status=EVENT_STATUS",
                                          "Service Request.Status=SR_STATUS"]),
            Setting(name="lookup_service", about="The business service that tells lists of values, which has to be enabled "
                    "for REST; its name by a public project, that it is the same everywhere is unverified.",
                    default="EAILOVService/GetListOfValues"),
            Setting(name="language", about="The language of the lists of values.", default="ENU"),
            Setting(name="zone", about="The time zone of our user's profile, in which Siebel tells and takes times "
                    "(unverified): best set to UTC there.", default="UTC"),
            Setting(name="paging", about="How a list is pulled: `id` goes on from the last row id; `rows` counts rows, for "
                    "a database that orders row ids otherwise than it compares them.", default="id"),
            Setting(name="page_size", about="Records a page, at most 100; lower it to your server's MaximumPageSize.",
                    kind="integer", default=PAGE),
            Setting(name="rows_per_request", about="Records written by one request, at most 100. 1 for a server that is too "
                    "old for arrays.", kind="integer", default=PAGE),
            Setting(name="pages_url", about="Where people open Siebel, if not at `url`.", kind="url",
                    example="https://crm.acme.example"),
            Setting(name="pages_path", about="The application that they open, with its language.",
                    default="/siebel/app/callcenter/enu"),
            Setting(name="views", about="The view and the applet that show an object, as Object=View/Applet (unverified: "
                    "every application has its own).", kind="list", default=list(VIEWS)),
            Setting(name="link_open", about="What opens a record; {view}, {applet} and {id} are filled in.", default=OPEN),
            Setting(name="link_search", about="What searches; {view}, {applet} and {fields} are filled in (unverified in "
                    "Open UI).", default=SEARCH),
            Setting(name="link_new", about="What makes a new record; {view}, {applet} and {fields} are filled in (that "
                    "its fields are taken is unverified).", default=NEW),
        ),
        idempotency="search-then-write",
        people=PEOPLE,
        company=ACCOUNT,
        new_person=CONTACT,
        source="docs.oracle.com: Siebel REST API Guide (E74890, E88140, G30558, F26413), Enterprise Application "
        "Integration, Application Services Interface Reference, Applications Administration, Portal Framework; bcgov/myss; "
        "read 2026-11",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        for name, choices in (("phone_search", SEARCHES), ("paging", PAGINGS)):
            if settings[name] not in choices:
                raise ConfigError(
                    f'{name}: "{settings[name]}" is none of {", ".join(choices)}{nearest(settings[name], choices)}'
                )
        try:
            zone = ZoneInfo(settings["zone"])
        except (ZoneInfoNotFoundError, ValueError):
            raise ConfigError(f'zone: "{settings["zone"]}" is no time zone') from None
        if not all(settings["lookup_service"].partition("/")):
            raise ConfigError("lookup_service is Service/Method")
        self._host = urlsplit(settings["url"]).hostname or ""
        self._catalogue = Catalogue(settings["objects"], {name: settings[name] for name in FIELDS})
        components = self._catalogue.components
        self._lookups = pairs("lookups", settings["lookups"], components, "Object.Field=TYPE")
        self._language, self._lookup_service = settings["language"], settings["lookup_service"]
        self._rest = Rest(tools.session, settings, _modes(settings["view_modes"], components), tools.now)
        self._dictionary = Dictionary(self._rest, tools.now)
        values = Values(zone)
        told = self._catalogue.told
        # An object whose numbers and addresses nobody names is one that the company does not use, or may not see.
        self._people = tuple(name for name in PEOPLE if told("phone_fields", name) or told("mail_fields", name))
        self._addresses = Addresses(settings, self._catalogue)
        self._finder = Finder(
            self._rest, self._catalogue, self._dictionary, values, self._addresses.record,
            country=tools.country, typed=settings["phone_search"] == "typed",
        )  # fmt: skip
        self._puller = Puller(
            self._rest, self._catalogue, self._dictionary, values, self._finder, tools.now,
            by_id=settings["paging"] == "id", utc=settings["zone"] == "UTC",
        )  # fmt: skip
        self._writer = Writer(
            self._rest, self._catalogue, self._dictionary, values, services(settings["upsert_by"], self._catalogue),
            self._addresses.record, rows_per_request=max(1, min(PAGE, settings["rows_per_request"])),
        )  # fmt: skip

    def check(self) -> Identity:
        """One read: whether our user is taken, and may see people. Siebel tells neither a name nor a version."""
        component = self._catalogue[next(iter(self._people), ACTION)]
        self._rest.page(component, "", (), size=1)
        return Identity(user=self._rest.user, system=f"Siebel CRM, {self._host}")

    # --- find ----------------------------------------

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One GET for each object asked, as long as the question fits into an address (some 25 numbers of three fields)."""
        answers: list[list[Record]] = [[] for _ in lookups]
        asked: dict[str, dict[int, Lookup]] = {}
        for place, lookup in enumerate(lookups):
            for name in self._people if lookup.object == PERSON else (lookup.object,):
                asked.setdefault(name, {})[place] = lookup
        for name in sorted(asked, key=lambda name: PEOPLE.index(name) if name in PEOPLE else len(PEOPLE)):
            for place, records in self._finder.found(self._catalogue[name], asked[name]).items():
                answers[place] += records
        return answers

    # --- describe ----------------------------------------

    def objects(self) -> Sequence[str]:
        """The objects that can be named."""
        return tuple(self._catalogue.components)

    def describe(self, object: str) -> Description:
        """One GET, and one call of the service of lists of values where the settings name such lists."""
        component = self._catalogue[object]
        told = self._catalogue.told
        described = self._rest.described(component)
        types = self._lookups.get(component.name, {})
        values = self._values(tuple(dict.fromkeys(types.values()))) if types else {}
        known = Known(
            phones=told("phone_fields", component.name),
            mails=told("mail_fields", component.name),
            keys=told("key_fields", component.name),
            values={name: values[type] for name, type in types.items() if any(values.get(type, ()))},
        )
        return description(component, described, known)

    def _values(self, types: Sequence[str]) -> Mapping[str, ListValues]:
        try:
            return lists_of_values(self._rest, self._lookup_service, types, self._language)
        except (NotFound, NotPermitted, Rejected):
            return {}  # what the lists hold is then not checked; the rest of the description stands

    # --- write, pages, links ----------------------------------------

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """For 200 rows three look-ups and two arrays; a refused row fails alone and costs some fourteen calls more."""
        return self._writer.written(target, rows)

    def pages(self, query: Query) -> Iterator[Page]:
        """An object by ascending row id, a hundred a call. `where` names its fields with one value or a list of them."""
        return self._puller.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """By the web engine's own commands; the browser's session signs in."""
        component = self._catalogue[object]
        if kind == "open":
            return self._addresses.record(component, id)
        return self._addresses.other(kind, component, fields or {})


def _modes(told: Sequence[str], components: Mapping[str, Component]) -> dict[str, str]:
    """The setting `view_modes` by object."""
    found: dict[str, str] = {}
    for one in told:
        name, _, mode = one.partition("=")
        if name not in components or not mode:
            raise ConfigError(f'view_modes: "{one}" is no Object=mode')
        found[name] = mode
    return found
