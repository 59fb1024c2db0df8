"""Salesforce over its REST API, with SOSL for numbers and the Bulk API 2.0 for many rows.

People are contacts, leads and accounts; a wrapped-up interaction becomes a task, a mail an `EmailMessage`, both by an
external id of the hub's, so upsert is Salesforce's own: the same key is the same record whatever happened on the way.
Calls: 1 per 200 rows; 5 per bulk job and 1 for each question whether it is done; 200 numbers take 1 search and 1 query,
10,000 numbers 31 and 1. So 10,000 wrap-ups of as many callers take 36 to 38 and those questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from connectors.crm.salesforce.bulk import Jobs
from connectors.crm.salesforce.fields import Describer
from connectors.crm.salesforce.finding import Finder
from connectors.crm.salesforce.links import new_link, record_link, search_link
from connectors.crm.salesforce.pages import Puller
from connectors.crm.salesforce.people import EMAILS, PEOPLE, PHONES, People
from connectors.crm.salesforce.rest import Rest
from connectors.crm.salesforce.sign_in import WAYS, missing, sign_in
from connectors.crm.salesforce.soql import among, is_id, select
from connectors.crm.salesforce.writing import BY_ID, MOST, Writer
from connectors.wire.numbers import FORMS
from connectors.wire.tokens import Tokens
from hub.contract import Manifest, Setting, Tools
from hub.errors import ConfigError, Unavailable
from hub.model import Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

BULK_ABOVE = 2_000  # rows: below, collections are quicker and hardly more calls
FALLBACKS = ("recent", "all", "off")


class Salesforce:
    """One Salesforce organisation as one of its users."""

    manifest: ClassVar[Manifest] = Manifest(
        name="salesforce",
        title="Salesforce",
        about="Sales Cloud and Service Cloud over the REST API, by an External Client App of the organisation.",
        family="crm",
        settings=(
            Setting(name="url", about="The organisation's My Domain address.", kind="url", required=True,
                    example="https://acme.my.salesforce.com"),
            Setting(name="sign_in", about="How the hub signs in: client_credentials, jwt, or soap. The last is the old "
                    "login() by user and password, which Salesforce ends in summer 2027 and which API 65 does not have.",
                    default="client_credentials"),
            Setting(name="client_id", about="The app's consumer key; for client_credentials and jwt.",
                    example="3MVG9…"),
            Setting(name="client_secret", about="The app's consumer secret; for client_credentials.", kind="secret",
                    example="${SALESFORCE_CLIENT_SECRET}"),
            Setting(name="username", about="The user to sign in as; for jwt and soap.", example="patchbay@acme.example"),
            Setting(name="private_key", about="The RSA key, as PEM, whose certificate the app has; for jwt.", kind="secret",
                    example="${SALESFORCE_PRIVATE_KEY}"),
            Setting(name="audience", about="Whom the assertion of jwt is for: https://test.salesforce.com for a sandbox "
                    "of Salesforce's.", default="https://login.salesforce.com"),
            Setting(name="password", about="The user's password; for soap.", kind="secret"),
            Setting(name="security_token", about="The user's security token; for soap.", kind="secret"),
            Setting(name="login_url", about="Where to sign in, if not at the My Domain address.", kind="url",
                    example="https://login.salesforce.com"),
            Setting(name="api_version", about="The version of Salesforce's API.", default="61.0"),
            Setting(name="key_field", about="The external-id field that the administrator made on each object for the hub: "
                    "text 255, unique, case-sensitive.", default="Hub_Key__c"),
            Setting(name="phone_fields", about="The fields that are searched for a number.", kind="list",
                    default=list(PHONES), example=list(PHONES)),
            Setting(name="email_fields", about="The fields that are searched for an address.", kind="list",
                    default=list(EMAILS), example=list(EMAILS)),
            Setting(name="phone_forms", about="How numbers are written in this organisation, so that its search finds them: "
                    "national (612345678), dialled (with the trunk zero), international (34612345678). Salesforce does not "
                    "say how its index cuts numbers up; try your own.", kind="list",
                    default=["national", "international"], example=list(FORMS)),
            Setting(name="phone_fallback", about="What is asked by SOQL for numbers that the search does not know: recent "
                    "(what changed lately, because the index is late), all (every record by its last digits: slow in a "
                    "large organisation), or off.", default="recent"),
            Setting(name="recent_minutes", about="How long the index may be late. Salesforce names no figure.",
                    kind="integer", default=15),
            Setting(name="country_codes", about="State and Country/Territory Picklists are on, so a person's number is read "
                    "by the person's own country.", kind="boolean", default=False),
            Setting(name="person_accounts", about="Person accounts are on; one is found as the contact behind it.",
                    kind="boolean", default=False),
            Setting(name="list_fields", about="Fields that list pulls read beyond the usual ones, each with its object.",
                    kind="list", default=[], example=["CampaignMember.Phone_Consent__c"]),
            Setting(name="together", about="Parents that a row may bring along and that are written with it in one call: "
                    "object and relation.", kind="list", default=[], example=["Contact:Who"]),
            Setting(name="ignore_duplicate_rules", about="Save although a duplicate rule that only warns has found others.",
                    kind="boolean", default=False),
            Setting(name="bulk_from", about="From so many records on a first load goes by the Bulk API; 0: never.",
                    kind="integer", default=20_000),
            Setting(name="bulk_minutes", about="How long the hub waits for a bulk job before it asks anew.", kind="integer",
                    default=20),
        ),
        idempotency="native-upsert",
        rows_per_call=MOST,
        bulk_rows=10_000,
        lookups_per_call=10_000,
        people=PEOPLE,
        company="Account",
        new_person="Contact",
        source="REST API, SOQL/SOSL and Bulk API 2.0 guides, API 61; simple-salesforce 1.12, jsforce 3.10; not run against "
        "a live organisation",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        _check(settings, tools.connection)
        self._root = str(settings["url"]).rstrip("/")
        self._session, self._settings = tools.session, settings
        tokens = Tokens(lambda: sign_in(tools.session, settings), tools.now)
        self._rest = Rest(tools.session, str(settings["api_version"]), tokens, tools.quota, tools.now)
        self._describer = Describer(self._rest, str(settings["key_field"]), settings["together"])
        people = People(settings, tools.country, self._open)
        self._finder = Finder(self._rest, people, settings, tools.now, self._describer)
        headers = {"Sforce-Duplicate-Rule-Header": "allowSave=true"} if settings["ignore_duplicate_rules"] else {}
        self._writer = Writer(self._rest, self._open, headers, self._describer.fixed)
        self._jobs = Jobs(self._rest, tools.wait, float(settings["bulk_minutes"]), self._describer.fixed)
        self._puller = Puller(self._rest, self._jobs, self._describer, settings, tools.now)

    def check(self) -> Identity:
        """Who the token is. Two calls: the API's root tells the identity's address, which ends in organisation and user."""
        root = self._rest.read(self._rest.data)
        if not isinstance(root, dict):
            raise Unavailable("Salesforce's root is answered by something else")
        *_, organisation, user = f"//{root.get('identity') or '/'}".split("/")
        found = self._rest.query(select(["Username"], "User", among("Id", [user]))) if is_id(user) else []
        return Identity(
            user=str(found[0]["Username"] if found else user or "unknown"),
            system=f"Salesforce, organisation {organisation}",
            version=str(self._settings["api_version"]),
        )

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """Numbers by SOSL, all else by SOQL in composite calls; see `finding`."""
        return self._finder.found(lookups)

    def objects(self) -> Sequence[str]:
        """The objects that our user may read."""
        return self._describer.objects()

    def describe(self, object: str) -> Description:
        """An object as it is now; If-Modified-Since what is known."""
        return self._describer.describe(object)

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """Upsert by the target's key: collections of 200, above 2,000 rows one bulk job."""
        if len(rows) > BULK_ABOVE and all(row.action == "upsert" for row in rows) and target.key not in BY_ID:
            return self._jobs.written(target, rows, self._open)
        return self._writer.written(target, rows)

    def pages(self, query: Query) -> Iterator[Page]:
        """`CampaignMember` with `where: {CampaignId: 701…}`, or `Campaign.Name`; any object with fields and values, or with
        `view`: one of its list views by id or name. With a watermark what changed since, and what left."""
        return self._puller.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """Pages of Lightning Experience."""
        if kind == "open":
            return self._open(object, id)
        if kind == "new":
            return new_link(self._root, object, fields or {})
        return search_link(self._root, " ".join(value for value in (fields or {}).values() if value))

    def _open(self, object: str, id: str) -> str:
        return record_link(self._root, object, id)


def _check(settings: Mapping[str, Any], connection: str) -> None:
    known = {"sign_in": WAYS, "phone_fallback": FALLBACKS}
    for name, words in known.items():
        if settings[name] not in words:
            raise ConfigError(f'{connection}: {name}: "{settings[name]}" is none of {", ".join(words)}')
    if strange := [form for form in settings["phone_forms"] if form not in FORMS]:
        raise ConfigError(f'{connection}: phone_forms: "{strange[0]}" is none of {", ".join(FORMS)}')
    if needed := missing(settings):
        raise ConfigError(f"{connection}: sign_in {settings['sign_in']} needs {', '.join(needed)}")
