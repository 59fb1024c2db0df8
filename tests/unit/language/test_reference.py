"""The manual says everything that the compiler knows, because both read the same tables."""

from __future__ import annotations

from hub.language.bounded import FILTERS, TESTS
from hub.language.conditions import OPERATORS
from hub.language.converters import CONVERTERS
from hub.language.fields import WORDS
from hub.language.lookups import BY, MANY
from hub.language.paths import EVENT_SCOPE
from hub.language.reference import reference


def test_every_word_is_in_the_manual() -> None:
    manual = reference()
    for word in (*WORDS, *CONVERTERS, *OPERATORS, *FILTERS, *BY, *MANY, *(path for path, _ in EVENT_SCOPE.leaves())):
        assert f"| `{word}` |" in manual, word
    assert all(f"`is {name}`" in manual for name in TESTS)


def test_the_manual_is_the_same_each_time() -> None:
    assert reference() == reference()
    assert all(line == line.rstrip() for line in reference().splitlines())
