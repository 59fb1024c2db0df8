"""Oracle CRM On Demand, over its SOAP web services.

A wrapped-up interaction is a `CTIActivity`: On Demand makes an activity of it and links it to the caller by the number.
Contacts, leads, accounts, activities and service requests are upserted by a user key. Both are native: sent twice, they
are there once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from connectors.crm.oracle_ondemand.addresses import NEW, SEARCH, Addresses
from connectors.crm.oracle_ondemand.fields import description
from connectors.crm.oracle_ondemand.finding import Finder
from connectors.crm.oracle_ondemand.interactions import Interactions
from connectors.crm.oracle_ondemand.objects import ACCOUNT, CHANNELS, CONTACT, INTERACTION, LEAD, TYPES, record_type
from connectors.crm.oracle_ondemand.pulling import Puller
from connectors.crm.oracle_ondemand.services import Services
from connectors.crm.oracle_ondemand.upserting import Upserts
from hub.contract import Manifest, Setting, Tools
from hub.errors import ConfigError, nearest
from hub.model import PERSON, Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

PEOPLE = (CONTACT, LEAD, ACCOUNT)


class OracleOnDemand:
    """One company at CRM On Demand, as one of its users."""

    manifest: ClassVar[Manifest] = Manifest(
        name="oracle_ondemand",
        title="Oracle CRM On Demand",
        about="Oracle CRM On Demand over SOAP, with the WSDLs that an administrator downloads there. What a setting calls "
        "unverified was taken from Oracle's guides and not tried on an instance.",
        family="crm",
        settings=(
            Setting(name="url", about="The company's address, without a path.", kind="url", required=True,
                    example="https://secure-ausomxdsa.crmondemand.com"),
            Setting(name="user", about="The user that the hub signs in as, with its company. It needs the privileges of "
                    "web services and, for interactions, those of CTI.", required=True, example="ACME/patchbay"),
            Setting(name="password", about="That user's password.", kind="secret", required=True,
                    example="${ONDEMAND_PASSWORD}"),
            Setting(name="wsdl", about="The folder (or address) of the WSDLs from Admin, Web Services Administration: "
                    "CTIActivity.wsdl; Contact.wsdl and so on of Web Services v2.0; Contact-1.0.wsdl and so on of v1.0.",
                    required=True, example="config/ondemand"),
            Setting(name="phone_fields", about="The fields that hold phone numbers, as RecordType.Field; a type "
                    "that neither this nor mail_fields names is not asked for people.",
                    kind="list", default=["Contact.CellularPhone", "Contact.WorkPhone", "Contact.HomePhone",
                                          "Lead.PrimaryPhone", "Lead.CellularPhone", "Account.MainPhone"]),
            Setting(name="mail_fields", about="The fields that hold e-mail addresses, as RecordType.Field.", kind="list",
                    default=["Contact.ContactEmail", "Lead.LeadEmail"]),
            Setting(name="pull_fields", about="What a list pull reads beyond names and numbers, as RecordType.Field.",
                    kind="list", default=[], example=["Contact.stTier"]),
            Setting(name="interaction_field", about="The activity's field with its interaction's id (unverified); only "
                    "removing and finding by key need it.", default="InteractionId"),
            Setting(name="view_mode", about="Whose records a query sees: Broadest, Personal…", default="Broadest"),
            Setting(name="pages_path", about="The path of the pages below the address.", default="/OnDemand"),
            Setting(name="link_channel", about="The channel type that the screen pop of an activity is opened with.",
                    default="Inbound Call"),
            Setting(name="link_search", about="The path of a search; {type} and {words} are filled in (unverified).",
                    default=SEARCH),
            Setting(name="link_new", about="The path of a new record; {type} and {fields} are filled in (unverified).",
                    default=NEW),
        ),
        idempotency="native-upsert",
        rows_per_call=100,
        people=PEOPLE,
        company=ACCOUNT,
        new_person=CONTACT,
        source="docs.oracle.com: CRM On Demand CTI Developer's Guide, Web Services On Demand Guide, Troubleshooting "
        "Guide (E99788, G30551); read 2026-11, not tried on an instance",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        if settings["link_channel"] not in CHANNELS:
            raise ConfigError(
                f'link_channel: there is no "{settings["link_channel"]}"{nearest(settings["link_channel"], CHANNELS)}'
            )
        self._settings = settings
        self._phones = _by_type("phone_fields", settings)
        self._mails = _by_type("mail_fields", settings)
        self._people = tuple(name for name in PEOPLE if name in self._phones or name in self._mails)
        self._services = Services(tools.session, settings, tools.now)
        self._addresses = Addresses(settings)
        link = self._addresses.record
        self._finder = Finder(self._services, self._phones, self._mails, tools.country, link)
        self._puller = Puller(self._services, self._finder.reads, _by_type("pull_fields", settings), tools.now)
        self._interactions = Interactions(self._services, link, settings["interaction_field"])
        self._upserts = Upserts(self._services, link)

    def check(self) -> Identity:
        """Reads one contact's id."""
        self._services.page(CONTACT, "", (), size=1)
        host = urlsplit(self._settings["url"]).hostname or ""
        return Identity(user=self._settings["user"], system=f"Oracle CRM On Demand, {host}")

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One QueryPage for each record type asked, for some 60 numbers at a time and each hundred that match."""
        answers: list[list[Record]] = [[] for _ in lookups]
        asked: dict[str, dict[int, Lookup]] = {}
        for place, lookup in enumerate(lookups):
            for name in self._people if lookup.object == PERSON else (lookup.object,):
                asked.setdefault(name, {})[place] = lookup
        for name in sorted(asked, key=lambda name: PEOPLE.index(name) if name in PEOPLE else len(PEOPLE)):
            for place, records in self._finder.found(name, record_type(name), asked[name]).items():
                answers[place] += records
        return answers

    def objects(self) -> Sequence[str]:
        """The record types that can be named."""
        return (*TYPES, INTERACTION)

    def describe(self, object: str) -> Description:
        """Read from the company's own WSDL each time; the service has nothing better."""
        kind = record_type(object)
        document = self._services.document(kind.name)
        return description(object, kind, document, self._phones.get(kind.name, ()), self._mails.get(kind.name, ()))

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """For 200 rows 10 requests by user key; 90 for interactions that are noted and wrapped up, five of them in each."""
        kind = record_type(target.object)
        receipts: dict[int, Receipt] = {}
        while len(receipts) < len(rows):
            turn: dict[str, int] = {}
            for place, row in enumerate(rows):
                if place not in receipts:
                    turn.setdefault(row.key, place)
            batch = [rows[place] for place in turn.values()]
            if target.object == INTERACTION:
                done = self._interactions.written(batch)
            else:
                done = self._upserts.written(kind, target, batch)
            receipts.update(zip(turn.values(), done, strict=True))
        return [receipts[place] for place in range(len(rows))]

    def pages(self, query: Query) -> Iterator[Page]:
        """A record type by ascending Id. `where` names its fields with one value or a list of them."""
        return self._puller.pages(record_type(query.object), query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """A record opens by the screen-pop command, in the browser's own session."""
        return (
            self._addresses.record(object, id) if kind == "open" else self._addresses.other(kind, object, fields or {})
        )


def _by_type(setting: str, settings: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """A setting that names fields, by record type."""
    found: dict[str, list[str]] = {}
    for one in settings[setting]:
        name, _, field = one.partition(".")
        if name not in TYPES or not field:
            raise ConfigError(f'{setting}: "{one}" is no RecordType.Field; the record types are {", ".join(TYPES)}')
        found.setdefault(name, []).append(field)
    return {name: tuple(fields) for name, fields in found.items()}
