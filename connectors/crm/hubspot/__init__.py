"""HubSpot over its CRM API: contacts and companies, calls and the other activities, tickets, deals, lists.

A wrapped-up interaction becomes one call by `batch/upsert` with a property that HubSpot keeps unique, and is associated
with the caller: an activity that stands at no record is invisible. See `writing`, `finding`, `pulling`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from connectors.crm.hubspot.exports import Exports
from connectors.crm.hubspot.fields import OWNER, description
from connectors.crm.hubspot.finding import Finder
from connectors.crm.hubspot.first_load import FirstLoad
from connectors.crm.hubspot.objects import CALLS, COMPANIES, CONTACTS, OWNERS, Catalogue
from connectors.crm.hubspot.people import NEW, SEARCH, Addresses, Owners, Records
from connectors.crm.hubspot.pulling import Puller
from connectors.crm.hubspot.rest import Rest
from connectors.crm.hubspot.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.errors import ConfigError, NotPermitted, Unsupported
from hub.model import PERSON, Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

PEOPLE = (CONTACTS, COMPANIES)
PHONE_SEARCHES = ("exact", "suffix", "both")


class HubSpot:
    """One HubSpot account as one private app or OAuth client."""

    manifest: ClassVar[Manifest] = Manifest(
        name="hubspot",
        title="HubSpot",
        about="HubSpot's CRM over its API (v3, or a version by date). What a setting calls unverified was taken from "
        "documents or from HubSpot's browser client and not tried on an account.",
        family="crm",
        settings=(
            Setting(name="url", about="Where the API is; a path before /crm is kept.", kind="url",
                    default="https://api.hubapi.com"),
            Setting(name="token", about="The private app's access token.", kind="secret", example="${HUBSPOT_TOKEN}"),
            Setting(name="client_id", about="Instead of a token: an OAuth client (client credentials, unverified).",
                    example="c0ffee00-1234"),
            Setting(name="client_secret", about="That client's secret.", kind="secret",
                    example="${HUBSPOT_CLIENT_SECRET}"),
            Setting(name="scope", about="With a client: the scopes that are asked for, by blanks.",
                    example="crm.objects.contacts.read crm.objects.contacts.write"),
            Setting(name="version", about="The API's version: v3, or one by date such as 2026-03 (same bodies).",
                    default="v3"),
            Setting(name="portal", about="The account's number (Hub ID) for links; without it, it is asked once.",
                    example="12345678"),
            Setting(name="app_url", about="Where people see the account, with `portal`; app-eu1 in Europe.", kind="url",
                    default="https://app.hubspot.com"),
            Setting(name="key_property", about="The property with unique values that holds the hub's keys; you make it on "
                    "each object that is written. It is what a look-up by key asks.", default="hub_key"),
            Setting(name="keyed_objects", about="The people objects that have that property, for look-ups by key.",
                    kind="list", default=[CONTACTS, COMPANIES]),
            Setting(name="phone_fields", about="Where numbers are, as object.property=the property that HubSpot keeps for "
                    "searches (unverified: companies).", kind="list",
                    default=["contacts.phone=hs_searchable_calculated_phone_number",
                             "contacts.mobilephone=hs_searchable_calculated_mobile_number",
                             "companies.phone=hs_searchable_calculated_phone_number"]),
            Setting(name="phone_search", about="How a number is searched there: exact (area code and local number, as "
                    "HubSpot keeps it; with the trunk zero or the country's code as well, which is unverified), suffix (its "
                    "last seven digits), or both (by suffix whom exact does not find).", default="both"),
            Setting(name="mail_fields", about="Where mail addresses are, as object.property (unverified: that a search "
                    "finds a contact's further addresses).", kind="list",
                    default=["contacts.email", "contacts.hs_additional_emails"]),
            Setting(name="custom_objects", about="Custom objects that mappings use, by type id or full name.", kind="list",
                    default=[], example=["2-3465404"]),
            Setting(name="pull_fields", about="What a list pull reads beyond the usual, as object.property.", kind="list",
                    default=[], example=["contacts.consent_to_call"]),
            Setting(name="bulk_from", about="From so many records on a first load of a list, or of all of an object, goes "
                    "by an export (scope crm.export; unverified, so compared with what a read gives); 0: never.",
                    kind="integer", default=20_000),
            Setting(name="bulk_minutes", about="How long the hub waits for an export before it pulls page by page.",
                    kind="integer", default=20),
            Setting(name="link_search", about="The path of a search; {portal}, {type} and {words} are filled in "
                    "(unverified).", default=SEARCH),
            Setting(name="link_new", about="The path of a new record; {portal}, {type} and {fields} are filled in "
                    "(unverified).", default=NEW),
        ),
        idempotency="native-upsert",
        lookups_per_call=100,
        people=PEOPLE,
        company=COMPANIES,
        new_person=CONTACTS,
        source="github.com/HubSpot/HubSpot-public-api-spec-collection (2026-08), developers.hubspot.com; read 2026-11, "
        "not tried on an account",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        self._phone_search = str(settings["phone_search"])
        if self._phone_search not in PHONE_SEARCHES:
            raise ConfigError(f'phone_search: "{self._phone_search}" is none of {", ".join(PHONE_SEARCHES)}')
        self._rest = Rest(tools.session, settings, tools.now, tools.quota)
        self._catalogue = Catalogue(settings)
        self._addresses = Addresses(self._rest, settings)
        owners = Owners(self._rest, tools.now)
        records = Records(self._rest, self._catalogue, owners, self._addresses)
        self._finder = Finder(self._rest, self._catalogue, records, owners, tools.country)
        exports = Exports(self._rest, tools.wait, float(settings["bulk_minutes"]))
        first = FirstLoad(self._rest, exports)
        self._puller = Puller(self._rest, self._catalogue, first, int(settings["bulk_from"]), tools.now)
        self._writer = Writer(self._rest, self._catalogue, self._addresses.record)

    def check(self) -> Identity:
        """One read: the account that the token belongs to."""
        account = self._rest.introduced()
        kind = f" ({account.kind.lower()})" if account.kind else ""
        return Identity(user=self._rest.user, system=f"HubSpot account {account.portal}{kind}")

    # --- find ----------------------------------------

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """A hundred look-ups by number: three searches of contacts and two of companies, and of every two whom those do not
        find one more (of every five companies); by mail, id or key one read each; one read more for companies' names."""
        answers: list[list[Record]] = [[] for _ in lookups]
        asked: dict[str, dict[int, Lookup]] = {}
        for place, lookup in enumerate(lookups):
            for name in PEOPLE if lookup.object == PERSON else (lookup.object,):
                asked.setdefault(name, {})[place] = lookup
        names = sorted(asked, key=lambda name: PEOPLE.index(name) if name in PEOPLE else len(PEOPLE))
        for name in names:
            for place, records in self._found(name, asked[name], by_suffix=self._phone_search == "suffix").items():
                answers[place] += records
        if self._phone_search == "both":
            missed = {place for place, records in enumerate(answers) if lookups[place].by == "phone" and not records}
            for name in names:
                some = {place: lookup for place, lookup in asked[name].items() if place in missed}
                for place, records in self._found(name, some, by_suffix=True).items():
                    answers[place] += records
        return answers

    def _found(self, name: str, asked: Mapping[int, Lookup], *, by_suffix: bool) -> Mapping[int, Sequence[Record]]:
        if name == OWNERS:
            return self._finder.owners(asked)
        return self._finder.found(self._catalogue[name], asked, by_suffix=by_suffix)

    # --- describe ----------------------------------------

    def objects(self) -> Sequence[str]:
        """The objects that can be named."""
        return (*self._catalogue.objects, OWNERS)

    def describe(self, object: str) -> Description:
        """One read; for calls one more, for the account's own dispositions."""
        if object == OWNERS:
            self._rest.get(self._rest.at(OWNERS), limit=1)
            return OWNER
        one = self._catalogue[object]
        told = self._rest.get(self._rest.at("properties", one.name))
        return description(
            one,
            told.get("results") or (),
            [typed for typed, _ in self._catalogue.phones(one.name)],
            self._catalogue.told("mail_fields", one.name),
            self._dispositions() if one.name == CALLS else None,
        )

    def _dispositions(self) -> list[dict[str, Any]] | None:
        try:
            told = self._rest.get("/calling/v1/dispositions")
        except NotPermitted:  # without that scope the list is not known, and nothing is checked against it
            return None
        return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else None

    # --- write, pages, links ----------------------------------------

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """For 200 rows two upserts, and one call for each kind of record that they are associated with."""
        if target.object == OWNERS:
            raise Unsupported("HubSpot's owners are its users: nobody writes them here")
        return self._writer.written(target, rows)

    def pages(self, query: Query) -> Iterator[Page]:
        """`where: {list: name or number}`, or properties with one value or a list of them, or nothing for all."""
        return self._puller.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """A page of HubSpot's browser client. Without the setting `portal` the account is asked for once."""
        return self._addresses.of(kind, self._catalogue[object], id, fields or {})
