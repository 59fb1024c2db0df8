"""Dolibarr's language for conditions, `sqlfilters`: `(t.phone:like:'%678') or (t.email:=:'ada@example.com')`.

What a value may hold depends on the version. A parenthesis ends the condition in all of them. Until version 20 a colon
ends the value, and what is left without its closing quote is compared as the number 0, which every text equals: other
records are found (Dolibarr/dolibarr#29292). `in` drops most signs, words such as `__NOW__` are replaced, and a first
line of defence refuses addresses that look like SQL or have a double quote (`main.inc.php`). So a value is asked for as
it is only where it has nothing but letters, digits and `@ . + -`; else by `like` with a one-letter wildcard for every
other sign, and whoever asks compares what comes back letter by letter.
Source: Dolibarr/dolibarr, `core/lib/functions.lib.php` (dolCheckFilters, forgeSQLFromUniversalSearchCriteria,
dolForgeCriteriaCallback), and api.class.php (`_forge_criteria_callback`) before version 14.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

LONGEST = 6_000  # characters of the filter, as it stands in the address; web servers take some 8 KB
LONGEST_VALUE = 255
_AS_IT_IS = re.compile(r"(?:[^\W_]|[@.+-]|_(?!_))+")
_OTHER = re.compile(r"[^\w@.+-]")


def equal(column: str, value: str) -> str:
    """The condition that a column holds a text, or something that only looks like it. Empty: it cannot be asked."""
    if not value or len(value) > LONGEST_VALUE:
        return ""
    if _AS_IT_IS.fullmatch(value):
        return f"({column}:=:'{value}')"
    pattern = _OTHER.sub("_", value)
    return f"({column}:like:'{pattern}')" if pattern.strip("_") else ""


def one_of(column: str, values: Iterable[str]) -> str:
    """The condition that a column holds one of several keys or ids: lower case, digits, `_ . -`, nothing else."""
    return f"({column}:in:{','.join(values)})"


def ends_with(column: str, digits: str) -> str:
    """The condition that a column's digits end so, whatever was typed between them and after."""
    return f"({column}:like:'%{'%'.join(digits)}%')"


def number(column: str, operator: str, value: int) -> str:
    """The condition that a number compares so."""
    return f"({column}:{operator}:{value})"


def since(column: str, day: str) -> str:
    """The condition that a date and time is on that day (YYYYMMDD: no colon, every database reads it) or later."""
    return f"({column}:>=:'{day}')"


def either(conditions: Sequence[str]) -> str:
    """What fits any of them."""
    return conditions[0] if len(conditions) == 1 else f"({' or '.join(conditions)})"


def every(conditions: Sequence[str]) -> str:
    """What fits all of them."""
    return " and ".join(conditions)


def fits(filter: str) -> bool:
    """Whether a filter goes into one address."""
    return len(quote(filter, safe="")) <= LONGEST


def portions(values: Sequence[str], room: int = LONGEST - 500) -> Iterator[list[str]]:
    """Keys or ids in as few groups as fit into an address each."""
    portion: list[str] = []
    taken = 0
    for value in values:
        if portion and taken + len(value) + 9 > room:
            yield portion
            portion, taken = [], 0
        portion.append(value)
        taken += len(value) + 9  # quotes and a comma, each three letters in an address
    if portion:
        yield portion
