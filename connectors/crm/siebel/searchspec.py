"""`searchspec`, what a query is asked, so that no value becomes syntax.

Source: Oracle, Siebel REST API Guide, "Querying for a Siebel CRM Business Component with a Search Specification";
Configuring Siebel Business Applications (G30558), "Parts of a Search Specification" (fields in brackets, text in double
quotes); Siebel Developer's Reference, "Search Specification" (`~=` ignores capitals) and "LIKE" (`*` and `?` are wild);
Siebel Object Interfaces Reference, "SetSearchSpec" (a double quote within single ones; dates as MM/DD/YYYY); Siebel
Applications Administration Guide (G30556), "Querying Phone Numbers".

How a quote is escaped within a literal is documented nowhere for the REST API, so none ever has to be: a text stands in
the kind of quotes that it does not hold, and one with both kinds, a backslash or a control character is never asked for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import quote

from connectors.crm.siebel.components import is_field
from connectors.wire.numbers import tail
from hub import phone
from hub.errors import Rejected

LONGEST = 6000  # characters of an encoded expression: servers and proxies take addresses of some 8,000
FEWEST_DIGITS = 7  # of an international number: `+1*` finds every number there is
Item = TypeVar("Item")


def askable(text: str) -> bool:
    """Whether a text can be asked for and mean itself, whichever way a Siebel server escapes."""
    if not text or "\\" in text or ('"' in text and "'" in text):
        return False
    return all(unicodedata.category(letter) not in ("Cc", "Cs") for letter in text)


def literal(text: str) -> str:
    """A text as it stands in an expression. Raises Rejected where it cannot."""
    if not askable(text):
        raise Rejected("a value with both kinds of quotes, a backslash or a control character cannot be asked for")
    return f"'{text}'" if '"' in text else f'"{text}"'


def field(name: str) -> str:
    """A field as it stands in an expression. Raises Rejected where it is no name of a field."""
    if not is_field(name):
        raise Rejected(f'"{name[:40]}" is no name of a field')
    return f"[{name}]"


def equals(name: str, value: str) -> str:
    """The field holds exactly `value`: with `=`, no letter is wild."""
    return f"{field(name)} = {literal(value)}"


def same_mail(name: str, mail: str) -> str:
    """The field holds the address, however it is capitalised."""
    return f"{field(name)} ~= {literal(mail)}"


def stored_number(name: str, number: str) -> str:
    """The field holds the number as Siebel stores one: `+` and digits, perhaps with its format behind it."""
    return f"{field(name)} LIKE {literal('+' + phone.digits(number) + '*')}"


def typed_number(name: str, number: str) -> str:
    """The field ends like the number, with whatever people put between the digits."""
    return f"{field(name)} LIKE {literal('*' + '*'.join(tail(number)) + '*')}"


def beyond(name: str, value: str) -> str:
    """The field is greater."""
    return f"{field(name)} > {literal(value)}"


def since(name: str, value: str) -> str:
    """The field is not less."""
    return f"{field(name)} >= {literal(value)}"


def either(clauses: Iterable[str]) -> str:
    """One of them holds."""
    several = list(clauses)
    return several[0] if len(several) == 1 else f"({' OR '.join(several)})"


def both(clauses: Iterable[str]) -> str:
    """All of them hold."""
    return " AND ".join(clauses)


def fits(clause: str) -> bool:
    """Whether an expression is short enough to be asked at all."""
    return len(clause) <= LONGEST and len(quote(clause)) <= LONGEST


def portions(items: Sequence[tuple[Item, str]]) -> Iterator[list[tuple[Item, str]]]:
    """The items, each with its clause, in as few portions as fit into an address."""
    portion: list[tuple[Item, str]] = []
    length = 0
    for item, clause in items:
        size = len(quote(clause)) + len("%20OR%20")
        if portion and length + size > LONGEST:
            yield portion
            portion, length = [], 0
        portion.append((item, clause))
        length += size
    if portion:
        yield portion
