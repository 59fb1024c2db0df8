"""Many rows by few statements, without SQLAlchemy's own work for each row: for the outbox that is a tenth of a delivery.

SQLite's driver lets go of the interpreter's lock for every row that it writes, and with another thread at work each time
waits to have it back: on two cores that costs more than the writing. So `write_rows` puts rows in as INSERTs of many rows
each, of sizes that are powers of two, that there may be few different statements to prepare. PostgreSQL's driver sends
many parameters to one prepared statement without waiting in between; it is given that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ClauseElement, Connection, bindparam
from sqlalchemy.dialects import sqlite

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
    pick, start, size = _order(statement, fields), 0, LARGEST
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        values = tuple(chain.from_iterable(map(pick, rows[start : start + size])))
        conn.exec_driver_sql(_of_rows(statement, size), values)
        start += size


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
