"""The database: declared statements with parameters, a transaction for each, and what its refusals mean."""

from __future__ import annotations

import datetime as dt
import re
import uuid
import weakref
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Engine, bindparam, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.sql.elements import TextClause

from connectors.wire.answers import lost
from connectors.wire.profiled.asking import ANSWER, Answer, Nothing
from connectors.wire.profiled.failures import Failures
from connectors.wire.profiled.pieces import group_of
from hub.contract import Piece, Place, Profile
from hub.errors import (
    ConfigError,
    ConnectorError,
    CredentialsRefused,
    Locked,
    NotPermitted,
    Rejected,
    Unavailable,
    nearest,
)
from hub.model import Identity

T = TypeVar("T")
ROOTS = (*ANSWER, "refusal")
# SQLSTATE, the longest beginning first. ISO/IEC 9075-2, 24.1; PostgreSQL 17, appendix A; MySQL 8.4, server error reference.
STATES: Mapping[str, type[ConnectorError]] = {
    "57014": Unavailable,  # the statement took too long and was cancelled: nothing of it is there
    "40001": Locked,
    "40P01": Locked,
    "55P03": Locked,
    "HY000": Locked,  # MySQL: lock wait timeout among others; it says no more
    "25006": Unavailable,  # a standby, which will be the primary or make room for it
    "42501": NotPermitted,
    "28": CredentialsRefused,
    "08": Unavailable,
    "53": Unavailable,  # no memory, no disk, too many connections
    "57": Unavailable,  # the operator shuts it down
    "22": Rejected,
    "23": Rejected,
    "42": Rejected,
    "0A": Rejected,
}
# SQLite has no SQLSTATE; its names of results, sqlite.org/rescode.html.
SQLITE: Mapping[str, type[ConnectorError]] = {
    "SQLITE_BUSY": Locked, "SQLITE_LOCKED": Locked, "SQLITE_READONLY": NotPermitted, "SQLITE_PERM": NotPermitted,
    "SQLITE_AUTH": NotPermitted, "SQLITE_CANTOPEN": Unavailable, "SQLITE_IOERR": Unavailable, "SQLITE_FULL": Unavailable,
    "SQLITE_CONSTRAINT": Rejected, "SQLITE_MISMATCH": Rejected, "SQLITE_TOOBIG": Rejected, "SQLITE_ERROR": Rejected,
}  # fmt: skip
# What a server says at the door comes without a state, in words: PostgreSQL's of 28P01, 28000 and 42501, MySQL's.
_TURNED_AWAY = re.compile(
    r"password|authentication|access denied|role .* does not exist|not permitted to log in|no pg_hba.conf entry"
    r"|permission denied for database",
    re.IGNORECASE,
)
_COLUMN = re.compile(r'column "([^"]+)"|failed: \w+\.(\w+)')
_UNREACHED = re.compile(
    r"connection refused|timeout expired|could not translate host name|no route to host|network is unreachable"
    r"|unable to open database file|database \S+ does not exist", re.IGNORECASE)  # fmt: skip
_NAMED = re.compile(r"\b(?:row|fields)\.(\w+)")
_LISTS = ("values", "tails")


class Statement:
    """One declared statement: `select` or `run`, and `with`, its parameters where they are not named as the facts are."""

    WORDS: ClassVar[tuple[str, ...]] = ("select", "run", "with")

    def __init__(self, profile: Profile, at: Place, value: Any, roots: tuple[str, ...]) -> None:
        words = profile.group(at, value, self.WORDS)
        kinds = [word for word in ("select", "run") if word in words]
        if len(kinds) != 1 or not isinstance(words[kinds[0]], str):
            raise profile.error(at, "a statement is `select` (it reads) or `run` (it changes), with its text")
        self.reads = kinds[0] == "select"
        told = dict(group_of(profile, (*at, "with"), words.get("with", {}), roots))
        statement = text(words[kinds[0]])
        names = tuple(statement._bindparams)
        for name in told:
            if name not in names:
                raise profile.error(
                    (*at, "with", name), f'the statement has no parameter ":{name}"{nearest(name, names)}'
                )
        # A parameter is one of the facts (`:value`), a field of the row (`:outcome`), or what `with` says.
        inside = "row" if "row" in roots else "where" if "where" in roots else ""
        for name in names:
            if name not in told and name not in roots and not inside:
                what = f'nothing gives ":{name}"{nearest(name, roots)}; say it under `with`'
                raise profile.error((*at, kinds[0]), what)
        self._pieces: dict[str, Piece] = {name: told.get(name) or _of(name, roots, inside) for name in names}
        self._spoken_of = {*names, *_NAMED.findall(str(words.get("with", "")))}
        lists = [name for name in names if name in _LISTS]
        self.text: TextClause = statement.bindparams(*(bindparam(name, expanding=True) for name in lists))

    def parameters(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The statement's parameters. Raises Rejected where a value does not fit, or a field would be left behind."""
        left = [name for name in facts.get("fields") or {} if name not in self._spoken_of] if "row" in facts else []
        if left:
            raise Rejected(
                f"the profile's statement does not write {', '.join(left)}", dict.fromkeys(left, "not in the statement")
            )
        try:
            made = {name: piece(facts) for name, piece in self._pieces.items()}
        except ValueError as error:
            raise Rejected(f"the profile cannot make its parameters: {error}") from error
        for name, value in made.items():
            if isinstance(value, dict) or (isinstance(value, list) and name not in _LISTS):
                raise Rejected(f"a parameter is one value, and {name} is several", {name: "one value"})
            if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
                raise Rejected(
                    f"{name}: a text with NUL, or outside Unicode, cannot be stored", {name: "no plain text"}
                )
        return made


class Database:
    """One database, with a role that writes and one that reads, as `Asks`."""

    words: tuple[str, ...] = Statement.WORDS
    roots: tuple[str, ...] = ROOTS
    addressed: bool = False

    def __init__(self, settings: Mapping[str, Any], failures: Failures) -> None:
        self._failures = failures
        seconds = float(settings["statement_seconds"])
        self._writing = _engine(settings["database"], seconds)
        self._reading = _engine(settings["lookup_database"], seconds) if settings["lookup_database"] else self._writing
        for engine in dict.fromkeys((self._writing, self._reading)):
            weakref.finalize(self, engine.dispose)

    def identity(self) -> Identity:
        """Who we are: the role that writes, and which database it is."""
        for engine in dict.fromkeys((self._writing, self._reading)):
            self._in_transaction(engine, lambda connection: connection.execute(text("SELECT 1")), changes=False)
        url, version = self._writing.url, self._writing.dialect.server_version_info or ()
        system = f"{self._writing.dialect.name}, {url.database or ''}"
        return Identity(user=url.username or "", system=system, version=".".join(str(part) for part in version))

    def reached(self) -> str:
        """Whether it can be connected to; the user that it is connected as."""
        return self.identity().user

    def call(self, profile: Profile, at: Place, value: dict[str, Any], roots: tuple[str, ...]) -> Statement:
        """A statement."""
        return Statement(profile, at, value, roots)

    def batch(self, profile: Profile, at: Place, *_: Any) -> tuple[Statement, Piece]:
        """A statement takes one row: a transaction for each is what keeps them apart."""
        raise profile.error(at, "a database is written row by row: say `upsert`, or `create` and `update`")

    def asked(
        self, call: Statement, facts: Mapping[str, Any], *, changes: bool, none: Nothing | None = None, at: str = ""
    ) -> Answer:
        """The rows of a statement; `answer.0.id` is the first row's id, `status` how many rows it touched."""
        del at
        parameters = call.parameters(facts)

        def run(connection: Any) -> Answer:
            result = connection.execute(call.text, parameters)
            rows = [{name: _plain(value) for name, value in row._mapping.items()} for row in result] if (
                result.returns_rows
            ) else []  # fmt: skip
            return Answer(body=rows, status=result.rowcount)

        engine = self._reading if call.reads and not changes else self._writing
        answer = self._in_transaction(engine, run, changes=changes)
        if none is not None and none(answer.facts):
            return Answer(body=None, status=answer.status)
        return answer

    def inspected(self, look: Callable[[Any], T]) -> T:
        """What `look` sees with SQLAlchemy's inspector."""
        return self._in_transaction(self._reading, lambda connection: look(inspect(connection)), changes=False)

    def _in_transaction(self, engine: Engine, work: Callable[[Any], T], *, changes: bool) -> T:
        committing = False
        try:
            with engine.connect() as connection, connection.begin() as transaction:
                given = work(connection)
                committing = True
                transaction.commit()
                return given
        except DBAPIError as error:
            # Before the commit was sent, a lost connection means that nothing is there; after it, nobody knows.
            raise self._meaning(error, unknown=changes and committing) from error
        except SQLAlchemyError as error:
            raise Unavailable(f"the CRM's database cannot be used: {type(error).__name__}") from error

    def _meaning(self, error: DBAPIError, *, unknown: bool) -> ConnectorError:
        original: Any = error.orig
        state = str(getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", "") or "")
        words = str(original).splitlines()[0] if str(original) else type(original).__name__
        facts = {"answer": None, "status": 0, "header": {}, "refusal": {"state": state, "message": words}}
        if (told := self._failures.error(facts)) is not None:
            return told
        kind = _kind(state)
        if unknown and kind in (None, Unavailable):
            return lost(True)("the CRM's database broke off while it kept a row")
        if kind is None:  # no state: it was never reached, or its driver does not say
            if _TURNED_AWAY.search(words):
                return CredentialsRefused(f"the CRM's database refuses: {_shown(error)}")
            if why := _UNREACHED.search(str(original)):
                return Unavailable(f"the CRM's database cannot be reached: {why[0].lower()}")
            return Unavailable(f"the CRM's database refuses: {_shown(error)}")
        what = f"the CRM's database refuses: {_shown(error)} ({state})"
        return Rejected(what, _columns(words)) if kind is Rejected else kind(what)


def _engine(url: str, seconds: float) -> Engine:
    try:
        made = make_url(url)
        if made.drivername in ("postgresql", "postgres"):
            made = made.set(drivername="postgresql+psycopg")  # the driver that comes with the hub
        engine = create_engine(made, pool_pre_ping=True, pool_recycle=1800)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(f"the connection's database cannot be used: {type(error).__name__}; it is a SQLAlchemy URL, and "
                          "its driver has to be installed") from None  # fmt: skip
    limit = {"postgresql": f"SET statement_timeout = {int(seconds * 1000)}",
             "mysql": f"SET SESSION max_execution_time = {int(seconds * 1000)}"}.get(engine.dialect.name)  # fmt: skip
    if limit:

        @event.listens_for(engine, "connect")
        def limited(connection: Any, _record: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute(limit)
            connection.commit()

    return engine


def _of(name: str, roots: tuple[str, ...], inside: str) -> Piece:
    if name in roots:
        return lambda facts: facts.get(name)
    return lambda facts: (facts.get(inside) or {}).get(name)


def _kind(state: str) -> type[ConnectorError] | None:
    if state.startswith("SQLITE_"):
        return next((kind for name, kind in SQLITE.items() if state.startswith(name)), Rejected)
    return STATES.get(state) or STATES.get(state[:2]) if state else None


def _shown(error: DBAPIError) -> str:
    """The kind of the refusal, never its words: they repeat values."""
    return type(error.orig).__name__


def _columns(words: str) -> dict[str, str]:
    found = _COLUMN.search(words)
    return {found.group(1) or found.group(2): "refused by the database"} if found else {}


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> Any:
    """A column's value as JSON has it."""
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value
