"""Any CRM with SOAP services, by configuration alone: a WSDL, and a profile that says which operations there are.

The operations are called through zeep; objects, look-ups, writing and lists are as for every profile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from msgspec import structs

from connectors.crm.soap.client import ROOTS, Client, Operation
from connectors.wire.profiled.declared import Declared
from connectors.wire.profiled.failures import Failures
from connectors.wire.profiled.finding import Finder
from connectors.wire.profiled.paging import Pager
from connectors.wire.profiled.pieces import text
from connectors.wire.profiled.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.model import Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

PROFILE_WORDS: Mapping[str, str] = {
    "profile": "`soap`",
    "about": "which system this is, and which version of its interface",
    "wsdl": "the WSDL's address, or its file from the profile's own folder",
    "check": "an operation that says who we are there; `identity` is the path of the user",
    "errors": "what faults and refusals mean",
    "objects": "the objects, by the names that mappings use",
}


class AnySoap:
    """One system with SOAP services, as its profile describes it."""

    manifest: ClassVar[Manifest] = Manifest(
        name="soap",
        title="Any CRM by SOAP",
        about="An in-house CRM with SOAP services, described by its WSDL and a profile: a file that says which operations "
        "there are and where the records, ids and errors stand in the answers.",
        family="crm",
        settings=(
            Setting(name="url", about="Where the service is called. By default where the WSDL says.", kind="url",
                    example="https://crm.example.com/soap"),
            Setting(name="profile", about="The profile's file.", kind="file", required=True,
                    example="crms/in-house-soap.yaml"),
            Setting(name="user", about="The user of the WS-Security UsernameToken; empty: none is sent.", default=""),
            Setting(name="password", about="That user's password.", kind="secret", example="${CRM_PASSWORD}"),
            Setting(name="digest", about="Send the password as a digest instead of as text.", kind="boolean",
                    default=False),
            Setting(name="binding", about="The binding, where the WSDL has several, as `{namespace}name`.", default=""),
        ),
        idempotency="search-then-write",
        people=("contact",),
        new_person="contact",
        source="the WSDL and the profile; faults as SOAP 1.1 and 1.2 have them",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        profile = tools.profile(settings["profile"])
        words = profile.group((), profile.value, PROFILE_WORDS, ("profile", "about", "wsdl", "objects"))
        if words["profile"] != "soap":
            raise profile.error(("profile",), f'a profile for this connector says `soap`, not "{words["profile"]}"')
        failures = Failures(profile, ("errors",), words.get("errors", []), ROOTS, "the CRM")
        self._client = Client(settings, tools, profile, str(words["wsdl"]), failures)
        self._declared = Declared(profile, words)
        self._system = str(words["about"])
        self._check = self._identity = None
        if "check" in words:
            told = dict(profile.group(("check",), words["check"], (*Operation.WORDS, "identity"), ("identity",)))
            self._identity = profile.field(("check", "identity"), told.pop("identity"), ROOTS)
            self._check = self._client.call(profile, ("check",), told, ())
        self._finder = Finder(profile, words["objects"], self._declared, self._client, tools.country)
        self._writer = Writer(profile, words["objects"], self._declared, self._client, self._finder)
        self._pager = Pager(profile, words["objects"], self._declared, self._client, tools)
        people = self._declared.people
        self.manifest = structs.replace(  # type: ignore[misc]
            type(self).manifest,
            about=self._system,
            people=people,
            company=self._declared.company,
            new_person=people[0] if people else "",
            rows_per_call=self._writer.rows_per_call,
            lookups_per_call=self._finder.lookups_per_call,
            idempotency="native-upsert" if self._writer.is_native else "search-then-write",
        )

    def check(self) -> Identity:
        """The profile's `check`; without one the WSDL is read."""
        if self._check is None or self._identity is None:
            self._client.opened()
            return Identity(user="", system=self._system)
        answer = self._client.asked(self._check, {}, changes=False)
        return Identity(user=text(self._identity(answer.facts) or ""), system=self._system)

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One call for each look-up, or for as many together as the profile's `of` says."""
        return self._finder.found(lookups)

    def objects(self) -> Sequence[str]:
        """The profile's objects."""
        return tuple(self._declared)

    def describe(self, object: str) -> Description:
        """The fields as the profile declares them."""
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
        return self._declared[object].link(kind, id=id, search=next(iter(values.values()), ""), fields=values)
