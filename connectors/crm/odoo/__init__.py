"""Odoo over its external API: JSON-2 from version 19 on, JSON-RPC's `execute_kw` before.

A person or company is one of `res.partner`, a prospect one of `crm.lead`; a wrapped-up interaction becomes a note on it, one
of `mail.message`, or whatever model a mapping names. Rows are written with `load()` by external ids (see `writing`), so
every model has a key without a field made for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlencode, urlsplit

from connectors.crm.odoo.external import KEY, ExternalIds
from connectors.crm.odoo.fields import description, required_of
from connectors.crm.odoo.finding import Finder
from connectors.crm.odoo.models import LEAD, PARTNER, USER, Catalogue
from connectors.crm.odoo.pulling import Puller
from connectors.crm.odoo.rpc import APIS, Rpc
from connectors.crm.odoo.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.errors import ConfigError
from hub.model import PERSON, Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

PEOPLE = (PARTNER, LEAD)
# Pages of Odoo's browser client: since 18, and until 17. A search and a new record with values are in no document.
STYLES: Mapping[str, Mapping[str, str]] = {
    "odoo": {
        "open": "/odoo/{model}/{id}",
        "search": "/odoo/{model}?search={words}",
        "new": "/odoo/{model}/new?{fields}",
    },
    "web": {
        "open": "/web#id={id}&model={model}&view_type=form",
        "search": "/web#model={model}&view_type=list&search={words}",
        "new": "/web#model={model}&view_type=form&{fields}",
    },
}
WORDS = ("phone", "mobile", "email", "name")


class Odoo:
    """One database of an Odoo as one of its users."""

    manifest: ClassVar[Manifest] = Manifest(
        name="odoo",
        title="Odoo",
        about="Odoo 19 and later by JSON-2, 14 to 18 by JSON-RPC. What a setting calls unverified was taken from Odoo's "
        "documents and source and not tried on a server.",
        family="crm",
        settings=(
            Setting(name="url", about="Odoo's address.", kind="url", required=True, example="https://acme.odoo.com"),
            Setting(name="key", about="An API key of the integration's user (its preferences, Account Security).",
                    kind="secret", required=True, example="${ODOO_KEY}"),
            Setting(name="database", about="The database; needed where the server has several, and with jsonrpc.",
                    example="acme"),
            Setting(name="login", about="That user's login; with jsonrpc only.", example="patchbay@acme.example"),
            Setting(name="api", about=f"Which interface: {' or '.join(APIS)}. JSON-2 is there since Odoo 19, JSON-RPC ends "
                    "with 21.", default="json2"),
            Setting(name="module", about="The module in whose name the external ids of what the hub writes are kept. Once "
                    "rows are written it stays as it is.", default="patchbay"),
            Setting(name="phone_fields", about="The fields that hold numbers as they were typed, as model.field; add "
                    "res.partner.mobile and crm.lead.mobile until version 18.", kind="list",
                    default=["res.partner.phone", "crm.lead.phone"]),
            Setting(name="phone_search", about="The field that is searched: phone_mobile_search (any writing) or "
                    "phone_sanitized (E.164, faster); both are of the module phone_validation.",
                    default="phone_mobile_search"),
            Setting(name="mail_fields", about="The fields that hold mail addresses, as model.field.", kind="list",
                    default=["res.partner.email", "crm.lead.email_from"]),
            Setting(name="mail_search", about="The field that is searched for an address.", default="email_normalized"),
            Setting(name="models", about="Further models that mappings use.", kind="list", default=[],
                    example=["helpdesk.ticket", "voip.call"]),
            Setting(name="pull_fields", about="What a list pull reads beyond the usual, as model.field.", kind="list",
                    default=[], example=["res.partner.x_may_be_called"]),
            Setting(name="link_style", about="`odoo` for the pages since version 18, `web` for those until 17.",
                    default="odoo"),
            Setting(name="link_search", about="Instead of the style's: the path of a search; {model} and {words} are filled "
                    "in (unverified).", example="/odoo/{model}?search={words}"),
            Setting(name="link_new", about="Instead of the style's: the path of a new record; {model} and {fields} are "
                    "filled in (unverified).", example="/odoo/{model}/new?{fields}"),
        ),
        idempotency="native-upsert",
        people=PEOPLE,
        new_person=PARTNER,
        source="odoo.com/documentation/19.0 (External JSON-2 API, External RPC API), github.com/odoo/odoo; read 2026-11, "
        "not tried on a server",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        if settings["link_style"] not in STYLES:
            raise ConfigError(f'link_style: "{settings["link_style"]}" is none of {", ".join(STYLES)}')
        self._home = str(settings["url"]).rstrip("/")
        style = STYLES[str(settings["link_style"])]
        self._patterns = {kind: str(settings.get(f"link_{kind}") or style[kind]) for kind in ("open", "search", "new")}
        self._user = str(settings.get("login") or "")
        self._rpc = Rpc(tools.session, settings)
        self._catalogue = Catalogue(self._rpc, settings)
        external = ExternalIds(self._rpc, str(settings["module"]))
        self._finder = Finder(self._rpc, self._catalogue, external, settings, tools.country, self._record)
        self._puller = Puller(self._rpc, self._catalogue, tools.now)
        self._writer = Writer(self._rpc, self._catalogue, external, self._record)

    def check(self) -> Identity:
        """Two reads: our user's own context, and the server's version."""
        context = self._rpc.ask(USER, "context_get")
        number = context.get("uid") if isinstance(context, dict) else None
        return Identity(user=self._user or f"user {number or '?'}", system=f"Odoo, {urlsplit(self._home).hostname}",
                        version=self._rpc.version())  # fmt: skip

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """For 80 look-ups of a kind one search of each model, and one more for owners that were not met before."""
        answers: list[list[Record]] = [[] for _ in lookups]
        asked: dict[str, dict[int, Lookup]] = {}
        for place, lookup in enumerate(lookups):
            for name in PEOPLE if lookup.object == PERSON else (lookup.object,):
                asked.setdefault(name, {})[place] = lookup
        for name in sorted(asked, key=lambda name: PEOPLE.index(name) if name in PEOPLE else len(PEOPLE)):
            for place, records in self._finder.found(self._catalogue[name], asked[name]).items():
                answers[place] += records
        return answers

    def objects(self) -> Sequence[str]:
        """The models that can be named."""
        return self._catalogue.names

    def describe(self, object: str) -> Description:
        """Two reads: the fields, and which of the needed ones a new record gets by itself."""
        model = self._catalogue[object]
        told = self._catalogue.fields(model.name, anew=True)
        needed = required_of(told)
        given = self._rpc.ask(model.name, "default_get", fields=needed) if needed else {}
        defaults = [name for name, value in given.items() if value not in (None, "")] if isinstance(given, dict) else []
        return description(model, told, defaults)

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """For 200 rows one look-up and one `load()`; the key is `external_id`, or `id` for records that are there."""
        return self._writer.written(target, rows)

    def pages(self, query: Query) -> Iterator[Page]:
        """A model by ascending id. `where` names its fields, or Odoo's own paths, with one value or a list of them."""
        return self._puller.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """A page of Odoo's browser client."""
        told = fields or {}
        words = next((told[name] for name in WORDS if told.get(name)), next(iter(told.values()), ""))
        path = self._patterns[kind].format(model=quote(object, safe=""), id=quote(id, safe=""), words=quote(words, safe=""),
                                           fields=urlencode(told, quote_via=quote, safe=""))  # fmt: skip
        return self._home + path

    def _record(self, model: str, id: str) -> str:
        return self.links("open", model, id)


__all__ = ["KEY", "Odoo"]
