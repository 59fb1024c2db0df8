"""Draft a mapping from an event type and a CRM object: by names and types, with an example that passes.

A draft is a beginning that loads and passes `check`; what was guessed is told in it, and what was left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub import model
from hub.connections import Connection, Connections
from hub.errors import ConfigError, nearest
from hub.flow.agreement import Descriptions, Disagreement, compared
from hub.flow.guesses import Guess, chosen, converted, flow, id_of, placeholder, quoted, score
from hub.flow.vocabulary import DONE, FACTS, KEYS, OF_CAMPAIGN, Fact, likeness, names_of, nearest_value
from hub.language.examples import check_examples
from hub.language.mapping import Mapping as Compiled
from hub.language.mapping import compile_mapping
from hub.model import PERSON, Description, Field

LEAST = 0.3  # likeness of a name below which nothing is guessed


@dataclass(frozen=True)
class Draft:
    """A mapping's text, the fields that nothing was found for, and what a person has to look at."""

    source: str
    left_out: tuple[str, ...]
    to_decide: tuple[str, ...]


def draft(
    event: str,
    connection: Connection,
    description: Description,
    *,
    name: str = "",
    source: str = "any",
    country: str = "",
    zone: str = "UTC",
) -> Draft:
    """A mapping from `event` (of the connection `source`, or of any) to the object. Raises ConfigError."""
    if not model.is_event_type(event):
        known = model.INTERACTION_EVENTS + model.OTHER_EVENTS
        raise ConfigError(f'there is no event "{event}"{nearest(event, known) or "; known: " + ", ".join(known)}')
    drafting = _Drafting(event, connection, description, name, source, country, zone)
    return drafting.draft()


def suggestion(event: str, connection: Connection, object: str, described: Descriptions, **more: str) -> Draft:
    """The draft for an object of a connection. Raises ConfigError, and ConnectorError where the CRM does not answer."""
    if not connection.can("describe") or not connection.can("write"):
        raise ConfigError(f"{connection.name} ({connection.manifest.title}) does not describe what can be written")
    objects = described.objects(connection)
    description = described.describe(connection, object) if object in objects else None
    if description is None:
        close = nearest(object, objects) or f"; it has: {', '.join(sorted(objects)[:20])}"
        raise ConfigError(f'{connection.name} has no object "{object}"{close}')
    return draft(event, connection, description, **more)


class _Drafting:
    """One draft in the making."""

    def __init__(
        self, event: str, connection: Connection, description: Description, name: str, source: str, country: str, zone: str
    ) -> None:  # fmt: skip
        self.event, self.connection, self.object = event, connection, description
        self.source, self.country, self.zone = source, country, zone
        tail = re.sub(r"[^a-z0-9]+", "_", f"{event.rpartition('.')[2]}_to_{description.object}".lower())
        self.name = name or tail.strip("_")[:63]
        self.key = self._key()
        self.resolve = ""
        self.guesses: dict[str, Guess] = {}
        self.to_decide: list[str] = []

    def draft(self) -> Draft:
        """The draft. Raises ConfigError where none would pass `check`."""
        self._guess_people()
        self._guess_facts()
        self._guess_required()
        if not self.guesses:
            raise ConfigError(f"{self.object.object} has no field that anything of {self.event} could be guessed for")
        compiled = self._compiled()
        grave = self._grave(compiled)
        if grave:
            raise ConfigError(f"no draft would agree with {self.connection.name}: {grave[0].what}")
        return Draft(compiled.text, tuple(one.name for one in self._open()), tuple(self.to_decide))

    def _grave(self, compiled: Compiled) -> list[Disagreement]:
        found, _ = compared(compiled, Connections({self.connection.name: self.connection}), _Given(self.object))
        return [one for one in found if one.grave and one.code != "connection"]  # the source's is the caller's to know

    # --- what goes where ----------------------------------------

    def _key(self) -> str:
        """The field whose value names the record: a unique one that is ours to fill, best by its name."""
        fields = [one for one in self.object.fields if one.type in ("text", "longtext") and names_of(one) != [("id",)]]
        unique = [one for one in fields if one.unique and one.name.lower() != "id"]
        tells = any(one.unique for one in self.object.fields)
        candidates = unique if tells else [one for one in fields if one.writable]
        ranked = sorted(candidates, key=lambda one: -likeness(names_of(one), KEYS))
        if not ranked or (not tells and likeness(names_of(ranked[0]), KEYS) < LEAST):
            raise ConfigError(
                f"{self.object.object} has no unique text field for a key: make one there, such as an external id, or "
                "write to an object that has one"
            )
        return ranked[0].name

    def _open(self) -> list[Field]:
        """The fields that may be written and have nothing yet."""
        once = self.object.changeable is False
        return [
            one for one in self.object.fields
            if one.writable and one.name not in (self.key, *self.guesses) and (once or not one.fixed)
        ]  # fmt: skip

    def _guess_people(self) -> None:
        people, company = self.connection.manifest.people, self.connection.manifest.company
        if not self.connection.can("find"):
            return
        mine = [one for one in self._open() if one.type == "reference" and set(one.refers_to) & set(people)]
        objects = [person for person in people if any(person in one.refers_to for one in mine) and person != company]
        if not objects:
            return
        several = len(objects) > 1
        self.resolve = PERSON if several else objects[0]
        may_be = people if several else objects  # a look-up of persons finds companies too
        who: dict[str, object] = {"object": objects[0], "id": "1"}
        for one in mine:
            of = [object for object in objects if object in one.refers_to]
            if of:
                first = who | {"object": of[0]}
                self.guesses[one.name] = Guess(id_of(of, may_be), {"caller": who if objects[0] in of else first})
            elif company in may_be:
                words = f"{{ expr: \"caller.id if caller.object == '{company}' else caller.account.id\" }}"
                self.guesses[one.name] = Guess(words, {"caller": who | {"account": {"id": "2"}}})
            else:
                self.guesses[one.name] = Guess("caller.account.id", {"caller": who | {"account": {"id": "2"}}})

    def _guess_facts(self) -> None:
        """Each fact goes to the field whose name is most like it, the surest pairs first."""
        of = "person" if self.object.object in self.connection.manifest.people else "event"
        pairs = sorted(
            (-score(fact, one), order, one.name)
            for order, fact in enumerate(FACTS)
            for one in self._open()
            if fact.of in ("", of) and score(fact, one) >= LEAST
        )
        fields = {one.name: one for one in self.object.fields}
        used: set[int] = set()
        for _, order, name in pairs:
            if order in used or name in self.guesses:
                continue
            guess = self._guess(FACTS[order], fields[name])
            if guess is not None:
                self.guesses[name] = guess
                used.add(order)

    def _guess(self, fact: Fact, one: Field) -> Guess | None:
        paths = OF_CAMPAIGN.get(fact.name, fact.paths) if self.event.startswith("campaign.") else fact.paths
        if self.event.startswith("campaign.") and (fact.text or any(path.startswith("interaction.") for path in paths)):
            return None  # a contact's result may come without any interaction
        example = fact.example if paths == fact.paths else {paths[0]: next(iter(fact.example.values()))}
        if one.picklist or (one.type == "boolean" and fact.words):
            return chosen(fact, one, paths[0], example)
        read = paths[0] if len(paths) == 1 else f"[{', '.join(paths)}]"
        words = [f"text: {json.dumps(fact.text)}"] if fact.text else [f"from: {read}"]
        words += converted(fact, one)
        if one.type in ("text", "longtext") and one.max_length and fact.name != "phone":
            words.append(f"max: {one.max_length}")
        alone = len(words) == 1 and len(paths) == 1
        return Guess(paths[0] if alone else f"{{ {', '.join(words)} }}", example)

    def _guess_required(self) -> None:
        """What a new record needs and nothing was guessed for, and a state that says: done."""
        for one in self._open():
            done = nearest_value(one, DONE) if likeness(names_of(one), ("status", "state")) >= LEAST else None
            if done is not None:
                self.guesses[one.name] = Guess(f"{{ value: {quoted(done)} }}")
            elif one.required:
                self.to_decide.append(f"{one.name} is required there, and what it should be was not guessed")
                self.guesses[one.name] = Guess(f"{{ value: {quoted(placeholder(one))} }}", remark="required: decide")

    # --- the text ----------------------------------------

    def _compiled(self) -> Compiled:
        """The draft with an example whose expectations are what it makes."""
        facts = self._example_facts()
        first = next(iter(self.guesses))
        rough = compile_mapping(self._text(facts, {first: None}), country=self.country, zone=self.zone)
        made = rough.render_resolved(rough.examples[0].given).fields
        text = self._text(facts, made or {first: None})
        compiled = compile_mapping(text, country=self.country, zone=self.zone)
        check_examples(compiled)
        return compiled

    def _example_facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        for guess in self.guesses.values():
            for path, value in guess.example.items():
                *groups, last = path.split(".")
                place = facts
                for group in groups:
                    place = place.setdefault(group, {})
                if isinstance(value, dict) and isinstance(place.get(last), dict):
                    place[last] |= value
                else:
                    place[last] = value
        return facts

    def _text(self, facts: Mapping[str, Any], expect: Mapping[str, Any]) -> str:
        label = re.sub(r'["\\\n]', " ", self.object.label or self.object.object)
        lines = [
            f"mapping: {self.name}",
            f'about: "A draft: what {self.event} says, as one {label}. Look at each line."',
            "source:",
            f"  connection: {self.source}",
            f"  event: {self.event}",
            "target:",
            f"  connection: {self.connection.name}",
            f"  write: {quoted(self.object.object)}",
            f"  key: {quoted(self.key)} # delivering twice writes one record",
        ]
        if self.object.changeable is False and self.object.creatable is not False:
            lines.append("  mode: once # our user may not change records there")
        if self.resolve:
            lines += [
                "resolve:",
                "  caller:",
                f"    find: {quoted(self.resolve)}",
                f"    by: {self._by()}",
                "    many: none # nobody is guessed where several share a number",
            ]
        lines.append("fields:")
        for name, guess in self.guesses.items():
            remark = f" # {guess.remark}" if guess.remark else ""
            lines.append(f"  {quoted(name)}: {guess.words}{remark}")
        left = [re.sub(r"\s", " ", one.name) for one in self._open()]
        if left:
            lines.append(f"  # nothing was found for: {', '.join(left)}")
        lines += [
            "examples:",
            "  - about: What the draft makes of an interaction.",
            f"    given: {flow(facts)}",
            "    expect:",
        ]
        lines += [f"      {quoted(name)}: {flow(value)}" for name, value in expect.items()]
        return "\n".join(lines) + "\n"

    def _by(self) -> str:
        if self.event.startswith("campaign."):
            return "[{ id: campaign.contact }, { phone: customer.phone }]"
        ways = "{ id: clicked.id }, { phone: [customer.phone, interaction.remote_e164] }, { email: customer.email }"
        return f"[{ways}]"


class _Given:
    """The one description that a draft is made from."""

    def __init__(self, description: Description) -> None:
        self._description = description

    def objects(self, connection: Connection) -> Sequence[str]:  # noqa: ARG002
        """Not asked for."""
        return ()

    def describe(self, connection: Connection, object: str) -> Description:  # noqa: ARG002
        """It, whatever is asked: other objects are not compared by their fields."""
        return self._description
