"""One statement for many rows, without SQLAlchemy's own work for each row: for the outbox that is a tenth of a delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement, Connection

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
