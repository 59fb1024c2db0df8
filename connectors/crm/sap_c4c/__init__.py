"""SAP Cloud for Customer (Sales and Service Cloud, version 1) over its OData v2 service `c4codataapi`.

A caller is a contact, an individual customer or an account; a wrapped-up interaction is a `PhoneCall` with its notes,
parties and references; a list is a target group. C4C has no upsert, so every write searches first (see `writing`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlsplit

from connectors.crm.sap_c4c.catalog import Catalog
from connectors.crm.sap_c4c.finding import Finder
from connectors.crm.sap_c4c.objects import (
    ACCOUNT,
    CHILDREN,
    INDIVIDUAL,
    KEYS,
    LINK_TYPES,
    MAILS,
    OBJECTS,
    PEOPLE,
    PHONES,
    Objects,
)
from connectors.crm.sap_c4c.odata import Service
from connectors.crm.sap_c4c.pulling import Puller
from connectors.crm.sap_c4c.signing_in import SignIn
from connectors.crm.sap_c4c.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.model import Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

RUNTIME = "/sap/public/byd/runtime?bo_ns=http://sap.com/thingTypes&bo=COD_GENERIC&node=Root"
UNVERIFIED = "Not verified against a tenant; change it if yours does otherwise."


class SapC4c:
    """One C4C tenant as one of its users."""

    manifest: ClassVar[Manifest] = Manifest(
        name="sap_c4c",
        title="SAP Cloud for Customer",
        about="SAP Sales and Service Cloud, version 1 (C4C), by its OData v2 service c4codataapi. Wire facts are from SAP's "
        "developer guide, its EDMX and its notes; what no public text of SAP says (codes of notes and roles, link types, "
        "the texts of locks, whether e-mail filters mind the case) is a setting and was not tried against a tenant. C4C "
        "tells neither its limits nor which contact another was merged into.",
        family="crm",
        settings=(
            Setting(name="url", about="The tenant's address.", kind="url", required=True,
                    example="https://my123456.crm.ondemand.com"),
            Setting(name="service", about="The path of the OData service: SAP's own, or a custom one under "
                    "/sap/c4c/odata/cust/v1/.", default="/sap/c4c/odata/v1/c4codataapi/"),
            Setting(name="user", about="The technical user of the communication arrangement, or a business user.",
                    example="_PATCHBAY"),
            Setting(name="password", about="That user's password.", kind="secret", example="${C4C_PASSWORD}"),
            Setting(name="oauth_url", about="Instead of a password: where OAuth 2.0 client credentials are exchanged. "
                    + UNVERIFIED, kind="url", example="https://my123456.crm.ondemand.com/sap/bc/sec/oauth2/token"),
            Setting(name="client_id", about="The OAuth client's id.", example="PATCHBAY"),
            Setting(name="client_secret", about="The OAuth client's secret.", kind="secret",
                    example="${C4C_CLIENT_SECRET}"),
            Setting(name="objects", about="The collections that mappings may name.", kind="list", default=list(OBJECTS)),
            Setting(name="phone_fields", about="The fields that a phone number is looked up in. A field whose name begins "
                    "with Normalised is asked for the E.164 number, any other one for its last digits.", kind="list",
                    default=list(PHONES)),
            Setting(name="email_fields", about="The fields that an e-mail address is looked up in, as it came and in small "
                    "letters.", kind="list", default=list(MAILS)),
            Setting(name="key_fields", about="The fields that hold a key of ours, beside C4C's own ids: GroupwareItemID of "
                    "a phone call, or a field of your own such as HubKey_KUT.", kind="list", default=list(KEYS)),
            Setting(name="parts", about="Fields that C4C keeps in parts of a record, as Collection.Name = "
                    f"Parts(Field=Value).Field. The codes are SAP's defaults as far as known. {UNVERIFIED}", kind="list",
                    default=list(CHILDREN)),
            Setting(name="hidden_statuses", about="People with one of these StatusCodes are nobody: 4 is obsolete.",
                    kind="list", default=["4"]),
            Setting(name="lock_texts", about="Patterns of the texts by which C4C says that somebody else holds a record; it "
                    f"has no code for it. {UNVERIFIED}", kind="list",
                    default=[r"(is )?(currently )?locked by", r"is being processed by", r"gesperrt durch"]),
            Setting(name="metadata_filter", about="Ask for the metadata of one collection only; false for a service that "
                    "takes no filter there.", kind="boolean", default=True),
            Setting(name="server_paging", about="Pull lists by C4C's own pages of 1000 ($skiptoken) instead of by ObjectID, "
                    "for a service that cannot order by it. A record that goes meanwhile then shifts the others.",
                    kind="boolean", default=False),
            Setting(name="whole_lists", about="Whether a target group is read whole each time: C4C tells nobody who was "
                    "taken off. Without, only memberships that changed are read, and the others are seen by full_every.",
                    kind="boolean", default=True),
            Setting(name="language", about="The language of labels and of SAP's messages.", default="en"),
            Setting(name="link_types", about="The technical key of each collection's deep link, as Collection=KEY. Contact, "
                    f"account and ticket are SAP's own words; the others: {UNVERIFIED}", kind="list",
                    default=list(LINK_TYPES)),
            Setting(name="open_link", about="The path that opens a record: {id} and {type} are filled in. Behind single "
                    "sign-on, add &OBNRedirect=X.",
                    default=RUNTIME + "&operation=OnExtInspect&param.InternalID={id}&param.Type={type}&sapbyd-agent=TAB"),
            Setting(name="search_link", about="The path of a search: {text} and {type} are filled in. SAP documents none; "
                    "the default opens C4C and hands it the text, and no more is promised.",
                    default="/sap/public/byd/runtime?sapbyd-agent=TAB&param.Type={type}&param.SearchText={text}"),
            Setting(name="new_link", about="The path of a new record; its fields follow as param.<field>=<value>. SAP "
                    f"documents none. {UNVERIFIED}",
                    default=RUNTIME + "&operation=OnExtCreate&param.Type={type}&sapbyd-agent=TAB"),
        ),
        idempotency="search-then-write",
        rows_per_call=100,
        people=PEOPLE,
        company=ACCOUNT,
        new_person=INDIVIDUAL,
        source="SAP-archive/C4CODATAAPIDEVGUIDE; SAP's EDMX of c4codataapi; SAP notes 3048103 and 3521005; read 2026-11",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        self._settings = settings
        self._home = str(settings["url"]).rstrip("/")
        self._objects = Objects(settings)
        self._sign_in = SignIn(
            tools.session,
            tools.now,
            user=settings.get("user") or "",
            password=settings.get("password") or "",
            oauth_url=settings.get("oauth_url") or "",
            client_id=settings.get("client_id") or "",
            client_secret=settings.get("client_secret") or "",
        )
        root = f"{self._home}/{str(settings['service']).strip('/')}/"
        locks = [re.compile(text, re.IGNORECASE) for text in settings["lock_texts"]]
        self._service = Service(tools.session, root, self._sign_in, locks, str(settings["language"]))
        self._catalog = Catalog(self._service, self._objects, bool(settings["metadata_filter"]))
        self._finder = Finder(self._service, self._objects, tools.country, settings["hidden_statuses"], self._link)
        self._writer = Writer(self._service, self._catalog, self._objects, self._link)
        self._puller = Puller(self._service, self._catalog, self._objects, tools.now, bool(settings["server_paging"]),
                              bool(settings["whole_lists"]))  # fmt: skip

    def check(self) -> Identity:
        """Asks for one person of each kind: proves the address, the credentials, the right to read, and that the fields are
        there by which people are looked up."""
        self._finder.check()
        return Identity(user=self._sign_in.user, system=f"SAP Cloud for Customer, {urlsplit(self._home).hostname}")

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One call for all look-ups together, each field of each collection being one query of a `$batch`."""
        return self._finder.found(lookups)

    def objects(self) -> Sequence[str]:
        """The collections that the connection names."""
        return self._objects.names

    def describe(self, object: str) -> Description:
        """Two calls: the collection's metadata, and all its code lists in one batch. C4C knows no conditional request."""
        return self._catalog.description(object)

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """At most three calls for 100 rows: search, one change set per row, and what is said only after a creation."""
        return self._writer.written(target, rows) if rows else []

    def pages(self, query: Query) -> Iterator[Page]:
        """A collection, or a target group's members (`TargetGroupMemberCollection` where TargetGroupID). `where` names
        fields, each with one value or a list."""
        return self._puller.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """C4C's deep links, by the id that people see. The templates are settings."""
        if kind == "open":
            return self._link(object, id)
        values = {name: value for name, value in (fields or {}).items() if value}
        if kind == "search":
            return self._filled("search_link", object, text=" ".join(values.values()))
        return self._filled("new_link", object) + "".join(
            f"&param.{quote(name, safe='')}={quote(value, safe='')}" for name, value in values.items()
        )

    def _link(self, object: str, id: str) -> str:
        return self._filled("open_link", object, id=id)

    def _filled(self, template: str, object: str, **words: str) -> str:
        filled = str(self._settings[template])
        for word, value in {**words, "type": self._objects.link_types.get(object, object)}.items():
            filled = filled.replace(f"{{{word}}}", quote(value, safe=""))
        return f"{self._home}/{filled.lstrip('/')}"
