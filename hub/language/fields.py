"""One field of a mapping: its words, checked and compiled into one closure.

Order: what it is made of (`from`, `text`, `expr`), `as`, `choose`, `max`; where nothing is there, `otherwise`; and what is
still absent is left out, so the CRM's own value stays. An empty text counts as absent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from hub.language.converters import CONVERTERS, Converter, Problem, text_of
from hub.language.origins import Made, made_of
from hub.language.paths import Facts, Getter, Path, Scope, Shape, kind_of
from hub.language.words import At, country_of, right_word, zone_of
from hub.language.yaml_source import Document

SOURCES = {
    "from": "a path, or a list of paths: the first that is there",
    "text": "a text with paths in it: `Call {interaction.direction}`; an absent path is empty, all absent: no text at all",
    "value": "a fixed value",
    "expr": "an expression, where the other words do not reach",
}
WORDS = SOURCES | {
    "as": "a converter, or a list of them in order",
    "choose": "a table from values to values; null leaves the field out; a value that is not in it parks the row",
    "otherwise": "the value where nothing is there, or where `choose` does not have it",
    "max": "the most characters; what is cut is noted on the attempt",
    "required": "true: without a value the row parks",
    "zone": "for `as: date` and `as: datetime`: a time zone instead of the target's",
    "country": "for `as: e164` and `as: national`: an ISO code or a path, instead of the target's",
}

Step = Callable[[Any, Facts], Any]
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a field's value came from."""

    source: str  # the path, `value`, the template or the expression
    raw: Any
    steps: tuple[str, ...]  # "as date", "otherwise", "choose" …
    value: Any


@dataclass(frozen=True)
class Place:
    """What holds for all fields of a mapping where they say nothing themselves."""

    scope: Scope
    zone: ZoneInfo
    country: str


@dataclass(frozen=True)
class FieldPlan:
    """One compiled field. `run` is the hot road; `explain` walks the same parts one by one."""

    name: str
    made: Made
    converters: tuple[Converter, ...]
    steps: tuple[Step, ...]
    choose: dict[str, Any] | None
    otherwise: Any
    max: int | None
    required: bool
    run: Getter

    def explain(self, facts: Facts) -> Lineage:
        """The value before `max`, and how it came about. Raises Problem."""
        source, raw = self.made.trace(facts)
        value, done = raw, []
        for converter, step in zip(self.converters, self.steps, strict=True):
            if value is not None:
                value = step(value, facts)
                value = None if value == "" else value
                done.append(f"as {converter.name}")
        if value is None and self.otherwise is not None:
            return Lineage(source, raw, (*done, "otherwise"), self.otherwise)
        if value is not None and self.choose is not None:
            chosen = text_of(value) in self.choose
            value = _choice(self.choose, self.otherwise)(value)
            done.append("choose" if chosen else "otherwise")
        return Lineage(source, raw, tuple(done), value)

    @property
    def fixed(self) -> tuple[Any, ...]:
        """Every value that the mapping itself names for this field."""
        named = [self.made.value, self.otherwise, *(self.choose or {}).values()]
        return tuple(value for value in named if value is not None)

    @property
    def gives(self) -> str:
        """The kind of value, as far as it is known: a converter's, or the path's."""
        if self.choose is not None:
            return "fixed"
        return self.converters[-1].gives if self.converters else self.made.shape.kind


def compile_field(doc: Document, at: At, value: Any, place: Place) -> FieldPlan:
    """The field whose words stand at `at`. Raises ConfigError."""
    words = _words(doc, at, value)
    made = made_of(doc, at, words, place.scope, short=not isinstance(value, dict))
    converters = _converters(doc, at, words)
    if made.shape.kind in ("group", "list") and (not converters or converters[0].name != "json"):
        raise doc.error(at, f'"{made.words}" is a {made.shape.kind} of values: name one of them, or write `as: json`')
    steps = _steps(doc, at, words, converters, place)
    choose = _choose(doc, at, words, made.shape if not converters else None)
    otherwise = words.get("otherwise")
    most = _max(doc, at, words, converters)
    required = words.get("required", False)
    if not isinstance(required, bool):
        raise doc.error((*at, "required"), "`required` is true or false")
    _check_limits(doc, at, most, choose, otherwise)
    run = _fused(made.get, steps, converters, choose, otherwise)
    return FieldPlan(str(at[-1]), made, converters, steps, choose, otherwise, most, required, run)


# --- words ----------------------------------------


def _words(doc: Document, at: At, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"from": value}
    if not isinstance(value, dict):
        raise doc.error(
            at, f"a field is a path or a group of words; for a fixed value write {{ value: {_shown(value)} }}"
        )
    for word in value:
        if word not in WORDS:
            raise doc.error((*at, word), f'there is no word "{word}"{right_word(word, WORDS)}')
    given = [word for word in SOURCES if word in value]
    if len(given) != 1:
        what = f"{' and '.join(given)} at once" if given else "nothing that it is made of"
        raise doc.error(at, f"a field has one of {', '.join(SOURCES)}; here is {what}")
    if "value" in value and len(value) > 1:
        other = next(word for word in value if word != "value")
        raise doc.error((*at, other), f"a fixed value needs no `{other}`")
    if "text" in value and "choose" in value:
        raise doc.error((*at, "choose"), "`choose` maps a path's value, not a text made of several")
    if value.get("required") is True and "otherwise" in value:
        raise doc.error((*at, "required"), "`required` can never fail where `otherwise` stands: leave one out")
    if "otherwise" in value and (value["otherwise"] is None or isinstance(value["otherwise"], dict)):
        raise doc.error((*at, "otherwise"), "`otherwise` is a fixed value; without it an absent field is left out")
    return value


def _converters(doc: Document, at: At, words: dict[str, Any]) -> tuple[Converter, ...]:
    asked = words.get("as", [])
    found = []
    for i, name in enumerate(asked if isinstance(asked, list) else [asked]):
        here = (*at, "as", i) if isinstance(asked, list) else (*at, "as")
        if not isinstance(name, str) or name not in CONVERTERS:
            raise doc.error(here, f'there is no converter "{name}"{right_word(name, CONVERTERS)}')
        found.append(CONVERTERS[name])
    for word, example in (("zone", "date"), ("country", "e164")):
        if word in words and not any(converter.needs == word for converter in found):
            raise doc.error((*at, word), f"`{word}` is for a converter that needs it, such as `as: {example}`")
    if "as" in words and not found:
        raise doc.error((*at, "as"), "an empty list of converters; leave `as` out")
    return tuple(found)


def _steps(
    doc: Document, at: At, words: dict[str, Any], converters: Sequence[Converter], place: Place
) -> tuple[Step, ...]:
    zone = zone_of(doc, (*at, "zone"), words["zone"]) if "zone" in words else place.zone
    country: Path | str = place.country
    if "country" in words:
        country = country_of(doc, (*at, "country"), words["country"], place.scope)
    return tuple(_step(converter, zone, country, place.country) for converter in converters)


def _step(converter: Converter, zone: ZoneInfo, country: Path | str, default: str) -> Step:
    run = converter.run
    if converter.needs == "zone":
        return lambda value, _facts: run(value, zone)
    if converter.needs == "country" and isinstance(country, Path):
        own = country.get
        return lambda value, facts: run(value, own(facts) or default)
    if converter.needs == "country":
        return lambda value, _facts: run(value, country)
    return lambda value, _facts: run(value)


def _choose(doc: Document, at: At, words: dict[str, Any], shape: Shape | None) -> dict[str, Any] | None:
    if "choose" not in words:
        return None
    table, here = words["choose"], (*at, "choose")
    if not isinstance(table, dict) or not table:
        raise doc.error(here, "`choose` is a table such as { inbound: Inbound, outbound: Outbound }")
    for key, value in table.items():
        if isinstance(value, dict | list):
            raise doc.error((*here, key), f"`choose` gives one value, not {kind_of(value)}")
    known = () if shape is None else ("true", "false") if shape.kind == "boolean" else shape.choices
    if known:
        for key in table:
            if key not in known:
                raise doc.error((*here, key), f'it is never "{key}"{right_word(key, known)}')
        left = [word for word in known if word not in table]
        if left and "otherwise" not in words:
            raise doc.error(here, f"`choose` says nothing for {', '.join(left)}: add them, or `otherwise`")
    return table


def _max(doc: Document, at: At, words: dict[str, Any], converters: Sequence[Converter]) -> int | None:
    if "max" not in words:
        return None
    most = words["max"]
    if type(most) is not int or most < 1:
        raise doc.error((*at, "max"), "`max` is a number of characters from 1 up")
    if converters and converters[-1].gives != "text":
        raise doc.error((*at, "max"), f"`max` cuts text, and `as: {converters[-1].name}` gives none")
    return most


def _check_limits(doc: Document, at: At, most: int | None, choose: dict[str, Any] | None, otherwise: Any) -> None:
    for word, value in [("otherwise", otherwise)] + [("choose", one) for one in (choose or {}).values()]:
        if most is not None and isinstance(value, str) and len(value) > most:
            raise doc.error((*at, word), f'"{value}" is longer than `max: {most}`')


def _shown(value: Any) -> str:
    return "…" if isinstance(value, list) or value is None else text_of(value)


# --- closures ----------------------------------------


def _choice(table: dict[str, Any], otherwise: Any) -> Callable[[Any], Any]:
    def choice(value: Any) -> Any:
        chosen = table.get(value if type(value) is str else text_of(value), _MISSING)
        if chosen is not _MISSING:
            return chosen
        if otherwise is None:
            raise Problem(
                f"`choose` has no such value ({kind_of(value)}); it has {', '.join(table)}, and no `otherwise`"
            )
        return otherwise

    return choice


def _fused(
    get: Getter, steps: Sequence[Step], converters: Sequence[Converter], choose: dict[str, Any] | None, otherwise: Any
) -> Getter:
    run = get
    if len(steps) == 1 and not converters[0].needs:
        run = _plain(get, converters[0].run)
    elif steps:
        run = _stepped(get, tuple(steps))
    if choose is not None:
        return _chosen(run, _choice(choose, otherwise), otherwise)
    return run if otherwise is None else _defaulted(run, otherwise)


def _plain(get: Getter, convert: Callable[[Any], Any]) -> Getter:
    def plain(facts: Facts) -> Any:
        value = get(facts)
        if value is None:
            return None
        value = convert(value)
        return value if value != "" else None

    return plain


def _stepped(get: Getter, steps: tuple[Step, ...]) -> Getter:
    def stepped(facts: Facts) -> Any:
        value = get(facts)
        for step in steps:
            if value is None:
                return None
            value = step(value, facts)
            if value == "":
                return None
        return value

    return stepped


def _chosen(run: Getter, choice: Callable[[Any], Any], otherwise: Any) -> Getter:
    def chosen(facts: Facts) -> Any:
        value = run(facts)
        return otherwise if value is None else choice(value)

    return chosen


def _defaulted(run: Getter, otherwise: Any) -> Getter:
    def defaulted(facts: Facts) -> Any:
        value = run(facts)
        return otherwise if value is None else value

    return defaulted


def cut(text: str, most: int) -> str:
    """At most `most` characters, cut where a person sees two characters meet, never through an accent or an emoji."""
    end = most
    while end > 0 and most - end < 16 and _joins(text[end - 1], text[end]):
        end -= 1
    return text[: end if end > 0 and most - end < 16 else most]


def _joins(before: str, after: str) -> bool:
    return (
        before == "‍"
        or after in "‍️︎"
        or unicodedata.combining(after) != 0
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or (before == "\r" and after == "\n")
    )
