"""Fusion's `q`, the expanded syntax of REST framework version 2 and later: what is asked, so that no value becomes
syntax.

Source: Oracle, faaps, "Set the REST Framework Version" and "Retrieve records using q": comparisons joined by `and` and
`or`, text in single quotes, `like` with `%`. That a quote within a text is doubled, and `upper()`, are as in the
framework's view criteria and unverified on a pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from connectors.wire.numbers import tail
from hub.errors import Rejected

LONGEST = 6000  # characters of an encoded `q`: servers and proxies take addresses of some 8,000
Item = TypeVar("Item")


def literal(value: Any) -> str:
    """A value as it stands in an expression."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    if "\0" in text:
        raise Rejected("a NUL cannot be asked for")
    return "'" + text.replace("'", "''") + "'"


def equals(attribute: str, value: Any) -> str:
    """`attribute` holds `value`."""
    return f"{attribute} = {literal(value)}"


def same_mail(attribute: str, mail: str, *, upper: bool) -> str:
    """`attribute` holds the address, however it is capitalised where the pod's `q` knows upper()."""
    return f"upper({attribute}) = {literal(mail.upper())}" if upper else equals(attribute, mail)


def like_number(attribute: str, number: str, *, typed: bool) -> str:
    """`attribute` ends like the number; `typed`: with whatever people put between the digits."""
    digits = tail(number)
    return f"{attribute} like '%{'%'.join(digits) + '%' if typed else digits}'"


def either(clauses: Iterable[str]) -> str:
    """One of them holds."""
    several = list(clauses)
    return several[0] if len(several) == 1 else f"({' or '.join(several)})"


def both(clauses: Iterable[str]) -> str:
    """All of them hold."""
    return " and ".join(clauses)


def portions(items: Sequence[tuple[Item, str]]) -> Iterator[list[tuple[Item, str]]]:
    """The items, each with its clause, in as few portions as fit into an address."""
    portion: list[tuple[Item, str]] = []
    length = 0
    for item, clause in items:
        size = len(quote(clause)) + len("%20or%20")
        if portion and length + size > LONGEST:
            yield portion
            portion, length = [], 0
        portion.append((item, clause))
        length += size
    if portion:
        yield portion


def fits(clause: str) -> bool:
    """Whether a clause is short enough to be asked at all."""
    return len(clause) <= LONGEST and len(quote(clause)) <= LONGEST
