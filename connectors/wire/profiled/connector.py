"""A connector that a profile makes: its verbs over a system that is asked as `Asks` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from msgspec import structs

from connectors.wire.profiled.asking import Asks
from connectors.wire.profiled.declared import Declared
from connectors.wire.profiled.failures import Failures
from connectors.wire.profiled.finding import Finder
from connectors.wire.profiled.paging import Pager
from connectors.wire.profiled.pieces import text
from connectors.wire.profiled.writing import Writer
from hub.contract import Manifest, Profile, Tools
from hub.model import Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

WORDS: Mapping[str, str] = {
    "profile": "the connector that it is for",
    "about": "which system this is, and which version of its interface",
    "check": "a call that says who we are there; `identity` is the path of the user",
    "errors": "what refusals mean",
    "objects": "the objects, by the names that mappings use",
}


class Profiled:
    """What the connectors of a profile have in common. Each says how its system is asked (`_connected`)."""

    manifest: ClassVar[Manifest]
    more_words: ClassVar[tuple[str, ...]] = ()  # that its profiles have beyond WORDS, and need
    more_of_objects: ClassVar[tuple[str, ...]] = ()  # words of an object by which the connector knows further fields

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        profile, kind = tools.profile(settings["profile"]), type(self).manifest.name
        needed = ("profile", "about", "objects", *self.more_words)
        words = profile.group((), profile.value, (*WORDS, *self.more_words), needed)
        if words["profile"] != kind:
            raise profile.error(("profile",), f'a profile for this connector says `{kind}`, not "{words["profile"]}"')
        self._asks = asks = self._connected(profile, words, settings, tools)
        self._declared = Declared(profile, words, self.more_of_objects)
        self._about, self._check, self._identity = str(words["about"]), None, None
        if "check" in words:
            told = dict(profile.group(("check",), words["check"], (*asks.words, "identity"), ("identity",)))
            self._identity = profile.field(("check", "identity"), told.pop("identity"), asks.roots)
            self._check = asks.call(profile, ("check",), told, ())
        self._finder = Finder(profile, words["objects"], self._declared, asks, tools.country)
        self._writer = Writer(profile, words["objects"], self._declared, asks, self._finder)
        self._pager = Pager(profile, words["objects"], self._declared, asks, tools)
        people = self._declared.people
        self.manifest = structs.replace(  # type: ignore[misc]
            type(self).manifest,
            about=self._about,
            people=people,
            company=self._declared.company,
            new_person=people[0] if people else "",
            rows_per_call=self._writer.rows_per_call,
            lookups_per_call=self._finder.lookups_per_call,
            idempotency="native-upsert" if self._writer.is_native else "search-then-write",
        )

    def _connected(self, profile: Profile, words: Mapping[str, Any], settings: Mapping[str, Any], tools: Tools) -> Asks:
        """The system, ready to be asked; nothing is called yet."""
        raise NotImplementedError

    @staticmethod
    def _failures(profile: Profile, words: Mapping[str, Any], roots: tuple[str, ...]) -> Failures:
        return Failures(profile, ("errors",), words.get("errors", []), roots, "the CRM")

    def check(self) -> Identity:
        """The profile's `check`; without one, whether the system is reached and does not refuse us."""
        if self._check is None or self._identity is None:
            return Identity(user=self._asks.reached(), system=self._about)
        answer = self._asks.asked(self._check, {}, changes=False)
        return Identity(user=text(self._identity(answer.facts) or ""), system=self._about)

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One call for each look-up, or for as many together as the profile's `of` says."""
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
        return self._declared[object].link(kind, id=id, search=next(iter(values.values()), ""), fields=values)
