"""The decision table of the screen pop: config/screen_pop.yaml, read, checked and tested by its examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ScreenPopExample:
    """The result of one example of the table; `problem` is empty where it came out as expected."""

    about: str
    problem: str
    file: str
    line: int | None


def run_screen_pop_examples(file: Path) -> list[ScreenPopExample]:
    """Run the examples of a decision table. Raises ConfigError where the table itself is wrong."""
    raise NotImplementedError
