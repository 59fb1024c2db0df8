"""`searchspec`, what QueryPage is asked, so that no value becomes syntax.

Source: Oracle, Web Services On Demand Guide, "Query Syntax" (G30551): `[XML Tag] operator 'literal'`; what is joined
stands in parentheses; a quote is doubled; with LIKE, * and ? are wild unless a backslash stands before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from connectors.wire.numbers import tail

LONGEST = 8000  # characters of one searchspec (unverified: the guide names none)
Item = TypeVar("Item")


def literal(text: str) -> str:
    """A text as it stands in an expression."""
    return "'" + text.replace("'", "''") + "'"


def equals(field: str, value: str) -> str:
    """The field holds exactly `value`."""
    return f"([{field}] = {literal(value)})"


def same_mail(field: str, value: str) -> str:
    """The field holds `value`, however it is capitalised."""
    return f"([{field}] ~= {literal(value)})"


def like_number(field: str, number: str) -> str:
    """The field holds a number that ends so, whatever stands between its digits."""
    return f"([{field}] LIKE '*{'*'.join(tail(number))}*')"


def beyond(field: str, value: str) -> str:
    """The field is greater."""
    return f"([{field}] > {literal(value)})"


def since(field: str, value: str) -> str:
    """The field is not less."""
    return f"([{field}] >= {literal(value)})"


def either(clauses: Iterable[str]) -> str:
    """One of them holds."""
    return _joined(list(clauses), " OR ")


def both(clauses: Iterable[str]) -> str:
    """All of them hold."""
    return _joined(list(clauses), " AND ")


def portions(items: Sequence[tuple[Item, str]]) -> Iterator[list[tuple[Item, str]]]:
    """The items, each with its clause, in as few portions as one searchspec holds."""
    portion: list[tuple[Item, str]] = []
    length = 0
    for item, clause in items:
        if portion and length + len(clause) + 4 > LONGEST:
            yield portion
            portion, length = [], 0
        portion.append((item, clause))
        length += len(clause) + 4
    if portion:
        yield portion


def _joined(clauses: list[str], word: str) -> str:
    """A single clause has its own parentheses, which a conjunction needs and a lone expression must not have."""
    if len(clauses) == 1:
        return clauses[0]
    return f"({word.join(clauses)})"


def bare(clause: str) -> str:
    """A whole searchspec: without the outermost parentheses."""
    return clause[1:-1] if clause.startswith("(") else clause
