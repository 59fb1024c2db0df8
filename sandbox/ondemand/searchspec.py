"""`searchspec`, the query syntax of QueryPage, as a predicate: `[XML Tag] operator 'literal'`, joined in parentheses.

Source: Oracle, Web Services On Demand Guide, "Query Syntax": =, ~=, <>, <, <=, >, >=, LIKE, ~LIKE, IS NULL, IS NOT NULL,
AND, OR; a quote in a literal is doubled; * and ? are wild with LIKE only, a backslash before them takes that away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.ondemand.schema import RecordType

Predicate = Callable[[Mapping[str, Any]], bool]
_TOKEN = re.compile(
    r"\s*(?:(?P<tag>\[[^\]]+\])|(?P<text>'(?:[^']|'')*')|(?P<op>~LIKE|~=|<>|<=|>=|=|<|>|\(|\))|(?P<word>[A-Za-z]+))",
    re.DOTALL | re.IGNORECASE,
)


class Wrong(ValueError):
    """This is no searchspec."""


def predicate(text: str, kind: RecordType) -> Predicate:
    """The expression as a function. Raises Wrong."""
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Wrong(text[at : at + 20])
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    reading = _Reading(tokens, kind)
    fits = reading.expression()
    if reading.left:
        raise Wrong(reading.left[0][1])
    return fits


def field_filter(text: str) -> tuple[str, str] | None:
    """A filter that stands within a field's own element, such as `LIKE 'A*'` or `='x'`; None: the field is only wanted."""
    found = re.fullmatch(r"\s*(~?LIKE|~=|<>|<=|>=|=|<|>)\s*('(?:[^']|'')*')\s*", text, re.IGNORECASE | re.DOTALL)
    return (found[1].upper(), _literal(found[2])) if found else None


def compared(operator: str, stored: Any, wanted: str) -> bool:
    """Whether a stored value fits; nothing that is not there fits."""
    if stored is None or stored == "":
        return False
    text = str(stored)
    if operator.startswith("~"):
        text, wanted = text.casefold(), wanted.casefold()
    match operator.lstrip("~").upper():
        case "LIKE":
            return re.fullmatch(_wild(wanted), text, re.DOTALL) is not None
        case "=":
            return text == wanted
        case "<>":
            return text != wanted
        case "<":
            return text < wanted
        case "<=":
            return text <= wanted
        case ">":
            return text > wanted
        case ">=":
            return text >= wanted
    raise Wrong(operator)


class _Reading:
    def __init__(self, tokens: list[tuple[str, str]], kind: RecordType) -> None:
        self.left, self._kind = tokens, kind

    def expression(self) -> Predicate:
        parts, joins = [self._operand()], []
        while self.left and self.left[0][1].upper() in ("AND", "OR"):
            joins.append(self._take()[1].upper())
            parts.append(self._operand())
        if len(set(joins)) > 1:
            raise Wrong("AND beside OR needs parentheses")
        if not joins:
            return parts[0]
        every = joins[0] == "AND"
        return lambda record: (all if every else any)(part(record) for part in parts)

    def _operand(self) -> Predicate:
        kind, text = self._take()
        if text == "(":
            inner = self.expression()
            if self._take()[1] != ")":
                raise Wrong(") is needed")
            return inner
        name = text[1:-1] if kind == "tag" else ""
        if self._kind.field(name) is None:
            raise Wrong(f"{text} is no field")
        operator = self._take()[1].upper()
        if operator == "IS":
            word = self._take()[1].upper()
            absent = word != "NOT"
            if not absent:
                self._take()
            return lambda record: (record.get(name) in (None, "")) == absent
        kind, text = self._take()
        if kind != "text":
            raise Wrong(f"a literal is needed, not {text}")
        wanted = _literal(text)
        return lambda record: compared(operator, record.get(name), wanted)

    def _take(self) -> tuple[str, str]:
        if not self.left:
            raise Wrong("it ends too early")
        return self.left.pop(0)


def _literal(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _wild(text: str) -> str:
    out, at = "", 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            out += re.escape(text[at + 1])
            at += 2
            continue
        out += {"*": ".*", "?": "."}.get(text[at], re.escape(text[at]))
        at += 1
    return out
