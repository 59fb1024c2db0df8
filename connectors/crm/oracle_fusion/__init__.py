"""Oracle Fusion Cloud Sales and Fusion Service (CX), over its REST resources.

A person is one of `contacts`, a company one of `accounts`, a prospect one of `leads`; a wrapped-up interaction becomes
one of `activities`. None of them has a key of ours by itself: an attribute that the administrator makes for it holds it,
it is looked up before anything is written, and a resource whose upsert is known to match by that attribute may be told so
(see `writing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlsplit

from connectors.crm.oracle_fusion.addresses import NEW, SEARCH, STYLES, Addresses
from connectors.crm.oracle_fusion.fields import Known, description
from connectors.crm.oracle_fusion.finding import Finder
from connectors.crm.oracle_fusion.pulling import Puller
from connectors.crm.oracle_fusion.resources import ACCOUNTS, CONTACTS, LEADS, Catalogue, Resource
from connectors.crm.oracle_fusion.rest import Rest
from connectors.crm.oracle_fusion.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.errors import ConfigError, NotFound, NotPermitted, Unavailable, nearest
from hub.model import PERSON, Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

PEOPLE = (CONTACTS, LEADS, ACCOUNTS)
# The settings that name attributes, as resource.Attribute.
ATTRIBUTES = (
    "phone_fields", "mail_fields", "key_fields", "upsert_by", "pull_fields", "missing_fields", "base64_fields",
)  # fmt: skip


class OracleFusion:
    """One Fusion pod as one of its users or clients."""

    manifest: ClassVar[Manifest] = Manifest(
        name="oracle_fusion",
        title="Oracle Fusion CX",
        about="Oracle Fusion Cloud Sales and Fusion Service over REST. What a setting calls unverified was taken from "
        "Oracle's documents and not tried on a pod: compare it with the pod's own /describe. First loads go page by page: "
        "Oracle's documents leave open how a bulk export ends and what its file holds.",
        family="crm",
        settings=(
            Setting(name="url", about="The pod's address.", kind="url", required=True,
                    example="https://acme.fa.us2.oraclecloud.com"),
            Setting(name="user", about="The integration user, for basic authentication.", example="patchbay.integration"),
            Setting(name="password", about="That user's password.", kind="secret", example="${FUSION_PASSWORD}"),
            Setting(name="client_id", about="Instead of a user: the confidential application's client id.", example="8f1c…"),
            Setting(name="client_secret", about="That client's secret.", kind="secret", example="${FUSION_CLIENT_SECRET}"),
            Setting(name="sign_in_url", about="With a client: the identity domain's address that gives out access tokens.",
                    kind="url", example="https://idcs-0a1b.identity.oraclecloud.com/oauth2/v1/token"),
            Setting(name="scope", about="With a client: the scope of the tokens (unverified: it depends on the pod).",
                    default="urn:opc:resource:consumer::all"),
            Setting(name="version", about="The version of the REST resources.", default="11.13.18.05"),
            Setting(name="framework", about="The version of the REST framework; below 2 the queries are not understood.",
                    kind="integer", default=4),
            Setting(name="phone_fields", about="The attributes that hold phone numbers, as resource.Attribute; a resource "
                    "that neither this nor mail_fields names is not asked for people (unverified).",
                    kind="list", default=["contacts.RawMobileNumber", "contacts.RawWorkPhoneNumber",
                                          "contacts.RawHomePhoneNumber", "accounts.RawPhoneNumber",
                                          "leads.PrimaryContactPhoneNumber"]),
            Setting(name="phone_search", about="How numbers are stored: `typed` finds whatever stands between the digits, "
                    "`digits` is faster where only digits are stored (unverified).", default="typed"),
            Setting(name="mail_fields", about="The attributes that hold mail addresses, as resource.Attribute (unverified).",
                    kind="list", default=["contacts.EmailAddress", "accounts.EmailAddress",
                                          "leads.PrimaryContactEmailAddress"]),
            Setting(name="mail_upper", about="Whether the pod's q knows upper(), so capitals do not matter (unverified).",
                    kind="boolean", default=True),
            Setting(name="key_fields", about="The attributes that hold the hub's keys, as resource.Attribute: each a custom "
                    "text field of 150 characters or more, unique (the names are yours).",
                    kind="list",
                    default=["activities.PatchbayKey_c", "leads.PatchbayKey_c", "serviceRequests.PatchbayKey_c"]),
            Setting(name="upsert_by", about="The attributes by which the pod's own upsert is known to match, as "
                    "resource.Attribute: rows are upserted without a look-up (unverified; the match is the resource's).",
                    kind="list", default=[], example=["contacts.PartyNumber"]),
            Setting(name="base64_fields", about="The long texts that the pod takes and gives as base64, as "
                    "resource.Attribute (unverified).", kind="list", default=[], example=["activities.ActivityDescription"]),
            Setting(name="custom_objects", about="Custom objects that mappings use, by their resource's name.", kind="list",
                    default=[], example=["CallRequest_c"]),
            Setting(name="pull_fields", about="What a list pull reads beyond the names and numbers, as resource.Attribute.",
                    kind="list", default=[], example=["contacts.PreferredContactMethod"]),
            Setting(name="missing_fields", about="Attributes that the connector reads and your pod lacks, as "
                    "resource.Attribute: they are not asked for.", kind="list", default=[],
                    example=["contacts.DoNotCallFlag"]),
            Setting(name="lookups", about="Where the values of a list stand, as resource.Attribute=resource of values.",
                    kind="list", default=["activities.ActivityFunctionCode=activityFunctionLookups",
                                          "activities.ActivityTypeCode=activityTypeLookupsLOV"]),
            Setting(name="parts_per_batch", about="How many rows go in one batch: only time-outs limit it.",
                    kind="integer", default=100),
            Setting(name="link_style", about="`redwood` opens records by dynamic links, `classic` by the older deep links.",
                    default="redwood"),
            Setting(name="link_search", about="The path of a search; {resource} and {words} are filled in (unverified).",
                    default=SEARCH),
            Setting(name="link_new", about="The path of a new record; {resource} and {fields} are filled in (unverified).",
                    default=NEW),
        ),
        idempotency="search-then-write",
        people=PEOPLE,
        company=ACCOUNTS,
        new_person=CONTACTS,
        source="docs.oracle.com: REST API for Oracle Fusion Cloud Sales and Fusion Service (faaps, 25d), readiness 25B; "
        "read 2026-11, not tried on a pod",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        for name, choices in (("link_style", STYLES), ("phone_search", ("typed", "digits"))):
            if settings[name] not in choices:
                raise ConfigError(
                    f'{name}: "{settings[name]}" is none of {", ".join(choices)}{nearest(settings[name], choices)}'
                )
        self._host = urlsplit(settings["url"]).hostname or ""
        self._rest = Rest(tools.session, settings, tools.now)
        self._catalogue = Catalogue(settings["custom_objects"], {name: settings[name] for name in ATTRIBUTES})
        self._lookups = _values_of(settings["lookups"])
        # A resource whose numbers and addresses nobody names is one that the company does not use, or may not see.
        told = self._catalogue.told
        self._people = tuple(name for name in PEOPLE if told("phone_fields", name) or told("mail_fields", name))
        self._addresses = Addresses(settings)
        self._finder = Finder(
            self._rest, self._catalogue, tools.country, self._addresses.record,
            typed=settings["phone_search"] == "typed", upper=settings["mail_upper"],
        )  # fmt: skip
        self._puller = Puller(self._rest, self._catalogue, self._finder.reads, tools.now)
        self._writer = Writer(
            self._rest, self._catalogue, self._addresses.record,
            parts_per_batch=max(1, settings["parts_per_batch"]), encoded="base64_fields", upserted="upsert_by",
        )  # fmt: skip

    def check(self) -> Identity:
        """Two reads: which versions there are, and whether our user may see contacts."""
        told = self._rest.get("")
        versions = [one for one in told.get("items", ()) if isinstance(one, dict)] if isinstance(told, dict) else []
        self._rest.page(f"/{CONTACTS}", limit=1, fields="PartyId")
        latest = next((str(one.get("version", "")) for one in versions if one.get("isLatest")), "")
        return Identity(user=self._rest.user, system=f"Oracle Fusion, {self._host}", version=latest)

    # --- find ----------------------------------------

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One GET for each resource asked, as long as the question fits into an address (some 25 numbers)."""
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
        """The resources that can be named."""
        return tuple(self._catalogue.resources)

    def describe(self, object: str) -> Description:
        """One GET, and one more for each of its lists of values that the settings name."""
        resource = self._catalogue[object]
        told = self._rest.get(f"/{quote(resource.name, safe='')}/describe")
        described = told.get("Resources", {}).get(resource.name) if isinstance(told, dict) else None
        if not isinstance(described, dict):
            raise Unavailable(f"Oracle Fusion describes {resource.name} in a way that is not understood")
        values = {attribute: self._values(source) for attribute, source in self._lookups.get(resource.name, {}).items()}
        named = self._catalogue.told
        return description(
            resource,
            described,
            Known(
                phones=named("phone_fields", resource.name),
                mails=named("mail_fields", resource.name),
                keys=(*named("key_fields", resource.name), *named("upsert_by", resource.name)),
                values=values,
            ),
        )

    def _values(self, source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The codes of a list of values: those it takes, and those that are disabled. None where our user may not see it."""
        taken: dict[str, None] = {}
        retired: dict[str, None] = {}
        try:
            for item in self._rest.items(f"/{quote(source, safe='')}"):
                if code := item.get("LookupCode"):
                    (retired if item.get("EnabledFlag") in ("N", False) else taken)[str(code)] = None
        except (NotFound, NotPermitted):
            return (), ()  # what the list holds is then not checked; the rest of the description stands
        return tuple(taken), tuple(retired)

    # --- write, pages, links ----------------------------------------

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """For 200 rows three look-ups and two batches; a refused row fails alone and costs one batch more."""
        return self._writer.written(target, rows)

    def pages(self, query: Query) -> Iterator[Page]:
        """A resource by ascending id. `where` names its attributes with one value or a list of them."""
        return self._puller.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """A record opens by its dynamic link (Redwood or classic decides itself) or by a classic deep link."""
        resource: Resource = self._catalogue[object]
        return (
            self._addresses.record(resource, id)
            if kind == "open"
            else self._addresses.other(kind, resource, fields or {})
        )


def _values_of(told: Sequence[str]) -> dict[str, dict[str, str]]:
    """The setting `lookups` by resource and attribute."""
    found: dict[str, dict[str, str]] = {}
    for one in told:
        attribute, _, source = one.partition("=")
        resource, _, name = attribute.partition(".")
        if not (resource and name and source):
            raise ConfigError(f'lookups: "{one}" is no resource.Attribute=resource of values')
        found.setdefault(resource, {})[name] = source
    return found
