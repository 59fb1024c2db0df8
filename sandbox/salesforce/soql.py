"""SOQL: read a query and answer it. The part of the language that clients of a contact centre use.

`SELECT fields | COUNT() FROM object [WHERE …] [ORDER BY …] [LIMIT n] [OFFSET n]`, with parents by dots (`Contact.Name`),
AND, OR, NOT, brackets, `= != < <= > >= LIKE IN NOT IN`, strings with escapes, numbers, dates, moments, TODAY, null.
Text compares without regard to case, as Salesforce does. Source: SOQL and SOSL Reference, SOQL SELECT.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from sandbox.salesforce.errors import Refused, malformed
from sandbox.salesforce.org import Found, Org, id_18, value_of
from sandbox.salesforce.schema import TABLES, Column, Table

LONGEST = 100_000  # characters of a query
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\\r\n]|\\.)*')
      |(?P<moment>\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))?)
      |(?P<number>-?\d+(?:\.\d+)?)
      |(?P<word>[A-Za-z_][\w.]*(?::\d+)?)
      |(?P<sign><=|>=|!=|<>|[=<>(),]))""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "N": "\n", "R": "\r", "T": "\t"}

Test = Callable[[Found], bool]


class Asked(Struct, frozen=True, kw_only=True):
    """A query that was read."""

    table: Table
    fields: list[list[str]]
    meets: Test
    order: list[tuple[list[str], bool]]
    limit: int | None
    offset: int
    counts: bool


class Reader:
    """Reads one query."""

    def __init__(self, org: Org, text: str) -> None:
        if len(text) > LONGEST:
            raise Refused("QUERY_TOO_COMPLICATED", "SOQL statements cannot be longer than 100000 characters.")
        self._org, self._text, self._place = org, text, 0
        self._kind, self._word = "", ""
        self._table: Table | None = None
        self._next()

    def read(self) -> Asked:
        """The whole query."""
        self._expect("SELECT")
        names, counts = self._selected()
        self._expect("FROM")
        self._table = table = self.table_of(self._take("word"))
        if self._kind == "word" and self._word.upper() not in ("WHERE", "ORDER", "LIMIT", "OFFSET", "WITH"):
            self._next()  # an alias
        fields = [self.path(name) for name in names]
        meets: Test = lambda _: True  # noqa: E731
        if self._eat("WHERE"):
            meets = self.condition()
        order, limit, offset = self._tail()
        if self._kind:
            raise malformed(f"unexpected token: '{self._word}'")
        return Asked(table=table, fields=fields, meets=meets, order=order, limit=limit, offset=offset, counts=counts)

    def table_of(self, name: str) -> Table:
        """The object that is meant."""
        if name.lower() not in TABLES:
            raise Refused("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return TABLES[name.lower()]

    def path(self, name: str) -> list[str]:
        """A field, by its parents; refused where there is none."""
        assert self._table is not None
        parts, tables = name.split("."), [self._table]
        if parts[0].lower() == self._table.name.lower():
            parts = parts[1:]
        known: list[str] = []
        for relation in parts[:-1]:
            column = next(
                (c for t in tables for c in t.columns.values() if c.relation.lower() == relation.lower()), None
            )
            if column is None:
                message = f"Didn't understand relationship '{relation}' in field path."
                raise Refused("INVALID_FIELD", message)
            known.append(column.relation)
            tables = [TABLES[object.lower()] for object in column.refers_to]
        last = parts[-1]
        found = next((c for t in tables for c in t.columns.values() if c.name.lower() == last.lower()), None)
        if found is None and not (last.lower() == "type" and known):
            message = f"No such column '{last}' on entity '{tables[0].name}'. If you are attempting to use a custom field, be sure to append the '__c'."  # noqa: E501
            raise Refused("INVALID_FIELD", f"\n{self._text[:200]}\n^\nERROR at Row:1:Column:1\n{message}")
        return [*known, found.name if found else "Type"]

    def _selected(self) -> tuple[list[str], bool]:
        if self._word.upper() == "COUNT":
            self._next()
            self._expect("(")
            self._expect(")")
            return [], True
        names = [self._take("word")]
        while self._eat(","):
            names.append(self._take("word"))
        return names, False

    def _tail(self) -> tuple[list[tuple[list[str], bool]], int | None, int]:
        order: list[tuple[list[str], bool]] = []
        limit, offset = None, 0
        if self._eat("ORDER"):
            self._expect("BY")
            while True:
                path = self.path(self._take("word"))
                descending = self._eat("DESC")
                if not descending:
                    self._eat("ASC")
                if self._eat("NULLS"):
                    self._take("word")
                order.append((path, descending))
                if not self._eat(","):
                    break
        if self._eat("LIMIT"):
            limit = int(self._take("number"))
        if self._eat("OFFSET"):
            offset = int(self._take("number"))
        return order, limit, offset

    # --- conditions ----------------------------------------

    def condition(self) -> Test:
        """OR over AND over NOT. Mixing AND and OR without brackets is an error there, and here."""
        first = self._one()
        if self._word.upper() not in ("AND", "OR"):
            return first
        word = self._word.upper()
        tests = [first]
        while self._word.upper() in ("AND", "OR"):
            if self._word.upper() != word:
                raise malformed("unexpected token: '" + self._word + "'")
            self._next()
            tests.append(self._one())
        if word == "AND":
            return lambda found: all(test(found) for test in tests)
        return lambda found: any(test(found) for test in tests)

    def _one(self) -> Test:
        if self._eat("NOT"):
            inner = self._one()
            return lambda found: not inner(found)
        if self._eat("("):
            inner = self.condition()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        assert self._table is not None
        path = self.path(self._take("word"))
        column = self._column(path)
        if column is not None and column.type == "textarea":
            raise Refused("INVALID_FIELD", f"field '{column.name}' can not be filtered in a query call")
        sensitive = column is not None and column.unique
        if self._kind == "sign":
            sign = self._word
            self._next()
            return self._compared(path, sign, self._literal(column), sensitive)
        word = self._take("word").upper()
        if word == "LIKE":
            pattern = _like(str(self._literal(column)))
            return lambda found: pattern.fullmatch(str(self._value(found, path) or "")) is not None
        negative = word == "NOT"
        if negative:
            self._expect("IN")
        elif word != "IN":
            raise malformed(f"unexpected token: '{word}'")
        self._expect("(")
        values = {_folded(self._literal(column), sensitive)}
        while self._eat(","):
            values.add(_folded(self._literal(column), sensitive))
        self._expect(")")
        return lambda found: (_folded(self._value(found, path), sensitive) in values) != negative

    def _compared(self, path: list[str], sign: str, wanted: Any, sensitive: bool) -> Test:
        wanted = _folded(wanted, sensitive)

        def test(found: Found) -> bool:
            value = _folded(self._value(found, path), sensitive)
            match sign:
                case "=":
                    return bool(value == wanted)
                case "!=" | "<>":
                    return bool(value != wanted)
            if value is None or wanted is None:
                return False
            match sign:
                case "<":
                    return bool(value < wanted)
                case "<=":
                    return bool(value <= wanted)
                case ">":
                    return bool(value > wanted)
            return bool(value >= wanted)

        return test

    def _literal(self, column: Column | None) -> Any:
        kind, word = self._kind, self._word
        self._next()
        match kind:
            case "text":
                text = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1] if m[1] not in "%_" else m[0]), word[1:-1])
                if column is not None and column.type in ("id", "reference"):
                    if not re.fullmatch(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?", text):
                        raise Refused("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text[:40]}")
                    return _long(text)
                if column is not None and column.type in ("date", "datetime", "boolean", "int"):
                    raise Refused("INVALID_FIELD", f"value of filter criterion for field '{column.name}' must be of type "
                                  f"{column.type} and should not be enclosed in quotes")  # fmt: skip
                return text
            case "moment" if "T" in word:
                return dt.datetime.fromisoformat(word.replace("Z", "+00:00"))
            case "moment":
                return dt.date.fromisoformat(word)
            case "number":
                return float(word) if "." in word else int(word)
            case "word" if word.lower() in ("true", "false", "null"):
                return {"true": True, "false": False, "null": None}[word.lower()]
            case "word" if word.upper() == "TODAY":
                return self._org.moment().date()
        raise malformed(f"unexpected token: '{word}'")

    def _column(self, path: list[str]) -> Column | None:
        tables = [self._table]
        for relation in path[:-1]:
            column = next(c for t in tables if t for c in t.columns.values() if c.relation == relation)
            tables = [TABLES[object.lower()] for object in column.refers_to]
        return next((found for t in tables if t and (found := t.column(path[-1]))), None)

    def _value(self, found: Found, path: Sequence[str]) -> Any:
        assert self._table is not None
        return reached(self._org, self._table, found, path)

    # --- words ----------------------------------------

    def _next(self) -> None:
        if not self._text[self._place :].strip():
            self._kind, self._word = "", ""
            return
        match = _TOKEN.match(self._text, self._place)
        if match is None:
            raise malformed(f"line 1:{self._place} no viable alternative at character '{self._text[self._place]}'")
        self._place = match.end()
        self._kind = match.lastgroup or ""
        self._word = match[self._kind]

    def _eat(self, word: str) -> bool:
        if self._kind in ("word", "sign") and self._word.upper() == word:
            self._next()
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._eat(word):
            raise malformed(f"expecting '{word}', found '{self._word or '<EOF>'}'")

    def _take(self, kind: str) -> str:
        if self._kind != kind:
            raise malformed(f"unexpected token: '{self._word or '<EOF>'}'")
        word = self._word
        self._next()
        return word


def reached(org: Org, table: Table, found: Found, path: Sequence[str]) -> Any:
    """The value at the end of a path of parents; None where one of them is not there."""
    here: Found | None = found
    for relation in path[:-1]:
        column = next((c for c in table.columns.values() if c.relation == relation), None)
        here = org.anywhere(here[column.name] or "") if here and column else None
        if here is None:
            return None
        table = _table_of(here)
    if path[-1] == "Type" and table.column("Type") is None:
        return table.name
    assert here is not None
    column = table.column(path[-1])
    return value_of(org, table.name, here, column.name) if column else None


def answered(org: Org, asked: Asked, deleted: bool = False) -> list[Found]:
    """The records that a query means, in its order."""
    with org.lock:
        found = [record for record in org.all(asked.table.name, deleted) if asked.meets(record)]
        for path, descending in reversed(asked.order):
            found.sort(key=lambda record: _sortable(reached(org, asked.table, record, path)), reverse=descending)
    found = found[asked.offset :]
    return found if asked.limit is None else found[: asked.limit]


def shown(org: Org, asked: Asked, found: Found, path: str) -> dict[str, Any]:
    """A record as JSON tells it, its parents within."""
    told = attributes(asked.table, found, path)
    for parts in asked.fields:
        here, last = told, parts[-1]
        for depth in range(len(parts) - 1):
            parent = parts[depth]
            id = reached(org, asked.table, found, [*parts[: depth + 1], "Id"])
            if id is None:
                here[parent] = None
                break
            parent_table = _table_of({"Id": id})
            here = here.setdefault(parent, attributes(parent_table, {"Id": id}, path))
        else:
            here[last] = plain(reached(org, asked.table, found, parts))
    return told


def attributes(table: Table, found: Found, path: str) -> dict[str, Any]:
    """What every record says of itself."""
    return {"attributes": {"type": table.name, "url": f"{path}/sobjects/{table.name}/{found['Id']}"}}


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return value.isoformat() if isinstance(value, dt.date) else value


def _table_of(found: Found) -> Table:
    return next(table for table in TABLES.values() if found["Id"].startswith(table.prefix))


def _long(id: str) -> str:
    return id_18(id) if len(id) == 15 else id


def _folded(value: Any, sensitive: bool) -> Any:
    return value.casefold() if isinstance(value, str) and not sensitive else value


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, value.casefold() if isinstance(value, str) else value if value is not None else 0


def _like(pattern: str) -> re.Pattern[str]:
    words = re.findall(r"\\.|.", pattern, re.DOTALL)
    parts = {"%": ".*", "_": "."}
    return re.compile(
        "".join(
            parts.get(word) or re.escape(word[1:] if word[0] == "\\" and len(word) > 1 else word) for word in words
        ),
        re.IGNORECASE | re.DOTALL,
    )
