"""Many rows by few statements, without SQLAlchemy's own work for each row: for the outbox that is a tenth of a delivery.

SQLite's driver lets go of the interpreter's lock for every row that it writes, and with another thread at work each time
waits to have it back: on two cores that costs more than the writing. So rows are put in as INSERTs of many rows each, of
sizes that are powers of two, that there may be few different statements to prepare. PostgreSQL's driver sends many
parameters to one prepared statement without waiting in between; `write_rows` gives it that, and `bulk` whole columns.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import msgspec
from sqlalchemy import ARRAY, ClauseElement, Connection, Text, any_, bindparam, func, literal, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

# table, columns with their types, columns that are the same for all, and what a conflict does
Into = tuple[str, dict[str, str], dict[str, str], str]

T = TypeVar("T")
LARGEST = 256  # rows in one statement; SQLite takes 32,766 parameters
_INSERT = re.compile(r"(.* VALUES )(\([^()]*\))(.*)", re.DOTALL)
_compiled: dict[tuple[int, str], tuple[ClauseElement, str, Mapping[str, Any], Any]] = {}


def run_many(conn: Connection, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run `statement`, which lives as long as the program, for each row; all rows have the same names, two at least.

    Values go to the driver as they are: only types that need no conversion.
    """
    key = (id(statement), conn.dialect.name)
    if key not in _compiled:
        compiled = statement.compile(conn.engine, column_keys=list(rows[0]))
        fixed = {name: value for name, value in compiled.params.items() if name not in rows[0]}
        names = getattr(compiled, "positiontup", None)
        _compiled[key] = (statement, str(compiled), fixed, None if names is None else itemgetter(*names))
    _, sql, same, values = _compiled[key]
    whole = [{**same, **row} for row in rows]
    conn.exec_driver_sql(sql, whole if values is None else [values(row) for row in whole])


def parameters(row: type[NamedTuple]) -> dict[str, Any]:
    """A parameter for each field of `row`, for `write_rows`."""
    return {name: bindparam(f"_{name}") for name in row._fields}


def write_rows(conn: Connection, statement: Any, rows: Sequence[NamedTuple]) -> None:
    """Run an INSERT for all `rows`. Its parameters are those of `parameters`."""
    if not rows:
        return
    fields = rows[0]._fields
    if conn.dialect.name != "sqlite":
        names = [f"_{name}" for name in fields]
        conn.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])
        return
    pick = _order(statement, fields)
    for some in _in_sizes(rows):
        conn.exec_driver_sql(_of_rows(statement, len(some)), tuple(chain.from_iterable(map(pick, some))))


@cache
def _order(statement: Any, fields: tuple[str, ...]) -> itemgetter[Any]:
    """Picks a row's values in the order of the statement's parameters."""
    return itemgetter(*(fields.index(name[1:]) for name in statement.compile(dialect=sqlite.dialect()).positiontup))


@cache
def _of_rows(statement: Any, size: int) -> str:
    """The statement's text with room for `size` rows."""
    found = _INSERT.fullmatch(str(statement.compile(dialect=sqlite.dialect())))
    if found is None:
        raise ValueError("an INSERT … VALUES is needed")
    return found[1] + ", ".join([found[2]] * size) + found[3]


def bulk(conn: Connection, into: Into, rows: Sequence[Sequence[Any]]) -> None:
    """Few statements for all rows: PostgreSQL takes columns as arrays, SQLite many rows at once."""
    if not rows:
        return
    table, columns, fixed, conflict = into
    names = ", ".join((*columns, *fixed))
    if conn.dialect.name == "postgresql":
        values = ", ".join((*columns, *fixed.values()))
        arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
        given = f"unnest({arrays}) AS given ({', '.join(columns)})"
        parameters: Any = tuple(list(column) for column in zip(*rows, strict=True))
        statement = f"INSERT INTO {table} ({names}) SELECT {values} FROM {given} ON CONFLICT {conflict}"  # noqa: S608
        conn.exec_driver_sql(statement, parameters)
        return
    # A value that stands for two columns is given twice.
    held = list(columns)
    places = [*range(len(held)), *(held.index(value) for value in fixed.values() if value in columns)]
    values = ", ".join(["?"] * len(held) + ["?" if value in columns else value for value in fixed.values()])
    head, tail = f"INSERT INTO {table} ({names}) VALUES ", f" ON CONFLICT {conflict}"  # noqa: S608
    whole = rows if len(places) == len(held) else list(map(itemgetter(*places), rows))
    for some in _in_sizes(whole):
        conn.exec_driver_sql(_of_many(head, f"({values})", tail, len(some)), tuple(chain.from_iterable(some)))


@cache
def _of_many(head: str, row: str, tail: str, size: int) -> str:
    return head + ", ".join([row] * size) + tail


def _in_sizes(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """The rows in portions whose sizes are powers of two, LARGEST at most."""
    start, size = 0, LARGEST
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        yield rows[start : start + size]
        start += size


def among(conn: Connection, column: Any, values: Collection[str]) -> Any:
    """`column` is one of `values`, as one parameter: a thousand parameters cost more than the search."""
    if conn.dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(Text)))
    given = func.json_each(msgspec.json.encode(list(values)).decode()).table_valued("value")
    return column.in_(select(given.c.value))


def insert(conn: Connection, table: Any) -> Any:
    """An INSERT into `table` that may say what a conflict does."""
    return insert_postgresql(table) if conn.dialect.name == "postgresql" else insert_sqlite(table)
