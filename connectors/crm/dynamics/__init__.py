"""Microsoft Dynamics 365 and any other Dataverse environment, over its Web API v9.2 as an application user.

A wrapped-up call becomes a `phonecall` with its parties, created under an id of its key's own and then completed;
people are contacts, leads and accounts; a contact list is a marketing list or any table. Every batch is one `$batch`:
200 new rows or 200 look-ups are one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from connectors.crm.dynamics import marketing
from connectors.crm.dynamics.api import Api
from connectors.crm.dynamics.fields import description
from connectors.crm.dynamics.finding import Finder
from connectors.crm.dynamics.links import LinkMaker
from connectors.crm.dynamics.pages import Puller
from connectors.crm.dynamics.people import KEYS, MAILS, PEOPLE, PHONES
from connectors.crm.dynamics.signin import SignIn
from connectors.crm.dynamics.tables import Tables
from connectors.crm.dynamics.writing import Writer
from connectors.wire.tokens import Tokens
from hub.contract import Manifest, Setting, Tools
from hub.errors import Unavailable
from hub.model import Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target


class Dynamics:
    """One Dataverse environment as one of its application users."""

    manifest: ClassVar[Manifest] = Manifest(
        name="dynamics",
        title="Microsoft Dynamics 365",
        about="Dynamics 365 (Sales, Customer Service, Marketing) and any Dataverse environment, over the Web API v9.2.",
        family="crm",
        settings=(
            Setting(name="url", about="The environment's address.", kind="url", required=True,
                    example="https://yourorg.crm4.dynamics.com"),
            Setting(name="tenant", about="The directory (tenant) at Microsoft Entra ID: its id or a domain of it.",
                    required=True,
                    example="contoso.onmicrosoft.com"),
            Setting(name="client_id", about="The application (client) id of the app registration; the environment needs an "
                    "application user for it, with a security role.", required=True,
                    example="3d1f0e7b-5d8c-4a1e-9a64-000000000001"),
            Setting(name="client_secret", about="A client secret of that app registration; or leave it out and give a "
                    "certificate.", kind="secret", example="${DYNAMICS_CLIENT_SECRET}"),
            Setting(name="certificate", about="A certificate of that app registration, in PEM, instead of a secret.",
                    example="${DYNAMICS_CERTIFICATE}"),
            Setting(name="private_key", about="The certificate's private key, in PEM.", kind="secret",
                    example="${DYNAMICS_PRIVATE_KEY}"),
            Setting(name="authority", about="Where Microsoft Entra ID is; national clouds and the sandbox have their own.",
                    kind="url", default="https://login.microsoftonline.com"),
            Setting(name="api_version", about="The Web API's version.", default="v9.2"),
            Setting(name="app_id", about="The model-driven app in which links open records; without it the user's last one.",
                    example="5f1a2b3c-0000-4000-8000-000000000001"),
            Setting(name="phone_fields", about="The columns in which a number is searched, as table.column.", kind="list",
                    default=list(PHONES)),
            Setting(name="e164_fields", about="Columns of your own in which numbers are kept as +E.164, as table.column. "
                    "A table that has one is asked by equality, which an index answers, instead of by its phone columns.",
                    kind="list", example=["contact.new_phone_e164"]),
            Setting(name="email_fields", about="The columns in which an e-mail address is searched, as table.column.",
                    kind="list", default=list(MAILS)),
            Setting(name="key_fields", about="The column that holds a table's own key, as table.column; a table without "
                    "one is found by the id that a key makes.", kind="list", default=list(KEYS)),
            Setting(name="list_columns", about="The columns that a pull reads, as table.column; all where none is named.",
                    kind="list", example=["contact.firstname", "contact.mobilephone"]),
            Setting(name="whole_lists", about="Whether a static marketing list is read whole each time: it tells nobody who "
                    "was taken off. Without, only who joined or changed is read, and the others are seen by full_every.",
                    kind="boolean", default=True),
            Setting(name="track_changes", about="Whether a table that is pulled whole goes by its change tracking, where "
                    "that is on. It needs the right to read the whole organisation's rows.", kind="boolean", default=True),
        ),
        idempotency="client-id",
        people=PEOPLE,
        company="account",
        new_person="contact",
        source="MicrosoftDocs/powerapps-docs (developer/data-platform), read 2026-11; driven by Microsoft's own Dataverse "
        "client, dynamics-web-api and msal against the sandbox. Not verified on a live environment: the codes of a "
        "deadlock, of too many requests at once and of a delta link that has run out, parties as a whole list in a "
        "PATCH, and the address of the search page",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        self._settings = settings
        self._sign_in = SignIn(tools.session, settings, tools.now)
        tokens = Tokens(self._sign_in.token, tools.now)
        self._api = Api(tools.session, settings["url"], settings["api_version"], tokens, tools.quota)
        self._tables = Tables(self._api, tools.now)
        self._links = LinkMaker(settings["url"], settings.get("app_id") or "")
        self._finder = Finder(self._api, self._tables, settings, tools.country, self._links.opened)
        self._writer = Writer(self._api, self._tables, self._links.opened)
        self._puller = Puller(self._api, self._tables, settings, tools.now)
        self._lists = marketing.Lists(self._api, self._tables, self._puller, tools.now, bool(settings["whole_lists"]))

    def check(self) -> Identity:
        """Who the application user is (`WhoAmI`), and the server's version."""
        who = self._api.get("WhoAmI")
        version = self._api.get("RetrieveVersion()").get("Version", "")
        if not (id := who.get("UserId")):
            raise Unavailable("Dataverse does not say who we are")
        user = self._api.get(f"systemusers({id})?$select=fullname,domainname")
        name = user.get("fullname") or user.get("domainname") or id
        return Identity(user=str(name), system=f"Dynamics 365, {self._api.url}", version=str(version),
                        expires_at=self._sign_in.expires_at())  # fmt: skip

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One `$batch` for all; one more where a record was merged into another, and where several share a number."""
        return self._finder.found(lookups)

    def objects(self) -> Sequence[str]:
        """The tables of the environment, those of people first."""
        names = self._tables.sets(anew=True)
        return tuple([name for name in PEOPLE if name in names] + sorted(set(names) - set(PEOPLE)))

    def describe(self, object: str) -> Description:
        """The columns by `EntityDefinitions`, in one call; later ones ask by version stamp whether that still holds."""
        if object == marketing.OBJECT:
            return marketing.members_described(self._tables)
        return description(self._tables.asked(object))

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """One `$batch` with a change set per row: new rows are one call, rows that are there up to three."""
        return self._writer.written(target, rows)

    def pages(self, query: Query) -> Iterator[Page]:
        """A marketing list's people (`listmember`), or any table's rows; `where` names columns with a value or a list."""
        return self._lists.pages(query) if query.object == marketing.OBJECT else self._puller.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """Pages of the model-driven app: a record's form, the search, a new record's form with its columns filled in."""
        given = {name: str(value) for name, value in (fields or {}).items() if value}
        if kind == "open":
            return self._links.opened(object, id)
        return self._links.search(given) if kind == "search" else self._links.new(object, given)
