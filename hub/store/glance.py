"""Small questions that are asked all day, such as who has this number: one SELECT each, run by the driver itself.

SQLAlchemy's own work for a transaction and a statement takes ten times as long as the look-up. So a glance's text is
compiled once, and its connections are the glances' own: read-only, without a transaction, statements prepared by the driver.
Each glance sees all that was committed before it; what several have to see alike belongs into `Store.read`.
"""

from __future__ import annotations

import contextlib
from collections import deque, namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Engine, Integer, Select, Text, any_, bindparam, func, select
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

KEPT = 16  # connections that stay open when nobody uses them; one for each thread that asks at the same moment
FEW_PAGES = "PRAGMA cache_size=-8192"  # 8 MiB each: the inside of the indexes; leaves are the system's to keep
ALL_BUT_READ_ONLY = {
    "sqlite": (FEW_PAGES, "PRAGMA query_only=ON"),
    "postgresql": ("SET default_transaction_read_only = on",),
}


class Glance:
    """One SELECT with named parameters; a parameter named in `lists` is a list of texts (`one_of`).

    Values and columns go as they are: texts and whole numbers, which need no conversion on any engine.
    """

    def __init__(self, statement: Callable[[str], Select[Any]], lists: Sequence[str] = ()) -> None:
        """`statement` gives the SELECT for a dialect's name."""
        self._statement, self._lists = statement, lists
        self._compiled: dict[str, tuple[str, Callable[[Mapping[str, Any]], Any], Callable[[Any], Any]]] = {}

    def on(self, dialect: Dialect) -> tuple[str, Callable[[Mapping[str, Any]], Any], Callable[[Any], Any]]:
        """Its text, what makes the driver's parameters of the named ones, and what makes a row of the driver's."""
        made = self._compiled.get(dialect.name)
        if made is None:
            made = self._compiled[dialect.name] = self._made(dialect)
        return made

    def _made(self, dialect: Dialect) -> tuple[str, Callable[[Mapping[str, Any]], Any], Callable[[Any], Any]]:
        statement = self._statement(dialect.name)
        columns = statement.selected_columns
        if not all(isinstance(column.type, Text | Integer) for column in columns):
            raise TypeError("a glance is for texts and whole numbers")
        compiled = statement.compile(dialect=dialect)
        fixed, names = dict(compiled.params), getattr(compiled, "positiontup", None)
        lists = self._lists if dialect.name == "sqlite" else ()

        def parameters(given: Mapping[str, Any]) -> Any:
            values = {**fixed, **given}
            for name in lists:
                values[name] = msgspec.json.encode(values[name]).decode()
            return values if names is None else [values[name] for name in names]

        row: Any = namedtuple("Row", columns.keys())  # type: ignore[misc]
        return str(compiled), parameters, row._make


def one_of(dialect: str, column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """`column` is one of the texts of the parameter `name`, which is one parameter however long the list is."""
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(Text)))
    return column.in_(select(func.json_each(bindparam(name)).table_valued("value").c.value))


class Glances:
    """The connections on which glances are made. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: deque[Any] = deque()
        self._closed = False

    def rows(self, glance: Glance, given: Mapping[str, Any]) -> list[Any]:
        """The rows that `glance` finds, with the columns' names as attributes. Raises SQLAlchemy's own errors."""
        text, parameters, row = glance.on(self._engine.dialect)
        values = parameters(given)
        while True:
            held = connection = self._taken()
            try:
                if connection is None:
                    connection = self._opened()
                found = connection.execute(text, values).fetchall()
            except Exception as error:  # noqa: BLE001  (each driver has errors of its own; they go on as SQLAlchemy's)
                gone = bool(getattr(connection, "closed", False))
                _close(connection)
                if held is not None and gone:  # the server was started anew: the others are as dead
                    self._let_go()
                    continue
                # Without the values: they may be a person's.
                dbapi: Any = self._engine.dialect.dbapi
                raise DBAPIError.instance(text, None, error, dbapi.Error, hide_parameters=True) from None
            self._put_back(connection)
            return [row(one) for one in found]

    def close(self) -> None:
        """Close every connection, also those in use as soon as they are put back."""
        self._closed = True
        self._let_go()

    def _taken(self) -> Any:
        try:
            return self._idle.pop()  # the one used last: its statements are prepared, its pages at hand
        except IndexError:
            return None

    def _put_back(self, connection: Any) -> None:
        if len(self._idle) >= KEPT:
            _close(connection)
            return
        self._idle.append(connection)
        if self._closed:  # asked only now: a close that comes in between would leave it open
            self._let_go()

    def _let_go(self) -> None:
        while (connection := self._taken()) is not None:
            _close(connection)

    def _opened(self) -> Any:
        """A new connection, prepared as the engine prepares its own, that the pool knows nothing of any more."""
        pooled = self._engine.raw_connection()
        connection: Any = pooled.dbapi_connection
        pooled.detach()
        try:
            if self._engine.dialect.name == "postgresql":
                connection.autocommit = True
            for statement in ALL_BUT_READ_ONLY[self._engine.dialect.name]:
                connection.execute(statement)
        except BaseException:
            _close(connection)
            raise
        return connection


def _close(connection: Any) -> None:
    with contextlib.suppress(Exception):  # it may be broken, or was never opened
        connection.close()
