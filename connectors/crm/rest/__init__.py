"""Any CRM with a web service of its own, by configuration alone: a profile says what is asked and what answers mean.

A row is written by the profile's own upsert where it has one; else its key is looked up first, and it is created or updated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from msgspec import structs

from connectors.crm.rest.calls import Call
from connectors.crm.rest.client import AUTHORITIES, Client
from connectors.wire.profiled.asking import ANSWER
from connectors.wire.profiled.declared import Declared
from connectors.wire.profiled.failures import Failures
from connectors.wire.profiled.finding import Finder
from connectors.wire.profiled.paging import Pager
from connectors.wire.profiled.pieces import text
from connectors.wire.profiled.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.model import Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

PROFILE_WORDS: Mapping[str, str] = {
    "profile": "`rest`",
    "about": "which system this is, and which version of its interface",
    "check": "a request that says who we are there; `identity` is the path of the user",
    "errors": "what refusals mean",
    "objects": "the objects, by the names that mappings use",
}


class Rest:
    """One system with a web service, as its profile describes it."""

    manifest: ClassVar[Manifest] = Manifest(
        name="rest",
        title="Any CRM by REST",
        about="An in-house CRM with a web service (JSON over HTTP), described by a profile: a file that says which requests "
        "there are, where the records, ids and errors stand in the answers, and how lists are paged.",
        family="crm",
        settings=(
            Setting(name="url", about="The address that the profile's paths begin at.", kind="url", required=True,
                    example="https://crm.example.com/api/v3"),
            Setting(name="profile", about="The profile's file.", kind="file", required=True,
                    example="crms/in-house.yaml"),
            Setting(name="sign_in", about=f"How requests prove who we are: {', '.join(AUTHORITIES)}.", default="none"),
            Setting(name="user", about="With `basic`: the user.", default=""),
            Setting(name="password", about="With `basic`: the password.", kind="secret", example="${CRM_PASSWORD}"),
            Setting(name="token", about="With `bearer` or `header`: the token.", kind="secret", example="${CRM_TOKEN}"),
            Setting(name="header", about="With `header`: the name of the header that carries the token.",
                    default="X-Api-Key"),
            Setting(name="sign_in_url", about="With `oauth2` (client credentials): where tokens are given.", kind="url",
                    example="https://login.example.com/oauth2/token"),
            Setting(name="client_id", about="With `oauth2`: the client.", default=""),
            Setting(name="client_secret", about="With `oauth2`: the client's secret.", kind="secret",
                    example="${CRM_CLIENT_SECRET}"),
            Setting(name="scope", about="With `oauth2`: the scope that is asked for.", default=""),
        ),
        idempotency="search-then-write",
        people=("contact",),
        new_person="contact",
        source="the profile",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        profile = tools.profile(settings["profile"])
        words = profile.group((), profile.value, PROFILE_WORDS, ("profile", "about", "objects"))
        if words["profile"] != "rest":
            raise profile.error(("profile",), f'a profile for this connector says `rest`, not "{words["profile"]}"')
        failures = Failures(profile, ("errors",), words.get("errors", []), ANSWER, "the CRM")
        self._url = settings["url"]
        self._client = Client(settings, tools, failures)
        self._declared = Declared(profile, words)
        self._check = self._identity = None
        if "check" in words:
            told = dict(profile.group(("check",), words["check"], (*Call.WORDS, "identity"), ("identity",)))
            self._identity = profile.field(("check", "identity"), told.pop("identity"), ANSWER)
            self._check = Call(profile, ("check",), told, ())
        self._finder = Finder(profile, words["objects"], self._declared, self._client, tools.country)
        self._writer = Writer(profile, words["objects"], self._declared, self._client, self._finder)
        self._pager = Pager(profile, words["objects"], self._declared, self._client, tools)
        people = self._declared.people
        self.manifest = structs.replace(  # type: ignore[misc]
            type(self).manifest,
            about=str(words["about"]),
            people=people,
            company=self._declared.company,
            new_person=people[0] if people else "",
            rows_per_call=self._writer.rows_per_call,
            lookups_per_call=self._finder.lookups_per_call,
            idempotency="native-upsert" if self._writer.is_native else "search-then-write",
        )

    def check(self) -> Identity:
        """The profile's `check`; without one the address is asked, and any answer but a refusal will do."""
        if self._check is None or self._identity is None:
            self._client.reached()
            return Identity(user="", system=self._url)
        answer = self._client.asked(self._check, {}, changes=False)
        return Identity(user=text(self._identity(answer.facts) or ""), system=self._url)

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One request for each look-up, or for as many together as the profile's `of` says."""
        return self._finder.found(lookups)

    def objects(self) -> Sequence[str]:
        """The profile's objects."""
        return tuple(self._declared)

    def describe(self, object: str) -> Description:
        """The fields as the profile declares them: nobody else knows."""
        return self._declared[object].description

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """By the profile's `batch`, its `upsert`, or by `find` and then `create` or `update`."""
        return self._writer.written(target, rows)

    def pages(self, query: Query) -> Iterator[Page]:
        """The profile's `pages`, in the style of paging that it names."""
        return self._pager.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """The profile's addresses for a browser; what they are filled with is percent-encoded."""
        values = {name: value for name, value in (fields or {}).items() if value}
        words = next(iter(values.values()), "")
        return self._declared[object].link(kind, id=id, search=words, fields=values)
