"""A profile: the YAML file of a connector that is made by configuration alone, and what its pieces compile to.

The connector says where a piece may stand and which names it may speak of (`record`, `key`, `answer` …); what they hold is
free, since nobody but the file's author knows the system. Words, paths, texts and conditions are the language's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hub.errors import ConfigError
from hub.language.conditions import compile_condition
from hub.language.converters import Problem
from hub.language.fields import Place, compile_field
from hub.language.paths import FREE, Scope
from hub.language.words import group, path_at
from hub.language.yaml_source import Step, read_yaml

At = tuple[Step, ...]
Piece = Callable[[Mapping[str, Any]], Any]


class Profile:
    """One profile. Every piece raises ConfigError with the file and the line where it is wrong."""

    def __init__(self, file: str, country: str, zone: str) -> None:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8"
            raise ConfigError(f"cannot be read: {why}", file=file) from None
        self._doc = read_yaml(text, file)
        self._country, self._zone = country, ZoneInfo(zone)
        self.value: Any = self._doc.value
        self.folder = str(Path(file).parent)

    def error(self, at: At, what: str) -> ConfigError:
        """What is wrong at a place."""
        return self._doc.error(at, what)

    def group(self, at: At, value: Any, known: Iterable[str], needed: Iterable[str] = ()) -> dict[str, Any]:
        """`value` as a group that holds only `known` words and all `needed` ones."""
        return group(self._doc, at, value, tuple(known), tuple(needed))

    def field(self, at: At, value: Any, roots: Iterable[str]) -> Piece:
        """A field in the language's words: a path, or a group of `from`, `text`, `choose`, `as` …

        The compiled piece raises ValueError where a value does not fit, and gives None where nothing is there.
        """
        plan = compile_field(self._doc, at, value, Place(_scope(roots), self._zone, self._country))
        if not plan.required:
            return plan.run

        def needed(facts: Mapping[str, Any]) -> Any:
            made = plan.run(facts)
            if made is None:
                raise Problem(f"{plan.name}: required, and nothing is there ({plan.made.words})")
            return made

        return needed

    def path(self, at: At, value: Any, roots: Iterable[str]) -> Piece:
        """A path to anything, a group or a list too."""
        return path_at(self._doc, at, value, _scope(roots)).get

    def condition(self, at: At, value: Any, roots: Iterable[str]) -> Callable[[Mapping[str, Any]], bool]:
        """A condition as in `when`."""
        return compile_condition(self._doc, at, value, _scope(roots)).holds


def _scope(roots: Iterable[str]) -> Scope:
    return Scope(dict.fromkeys(roots, FREE))
