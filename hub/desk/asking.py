"""Ask CRMs at once under one deadline. A CRM answers or is silent; nobody waits for it longer than was said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, NamedTuple

import structlog
from msgspec import Struct

from hub.connections import Connection, Connections
from hub.desk.line import Line, LineHangs, Question
from hub.errors import ConnectorError, Then
from hub.model import Lookup, Record

SLOTS_AT_LEAST = 8

log = structlog.get_logger()

Answer = Sequence[Sequence[Record]]  # one sequence of records per lookup


class Silent(Struct, frozen=True, kw_only=True):
    """A connection that was asked and did not answer."""

    connection: str
    why: str


class Wait(NamedTuple):
    """What has to be waited for: until all of `answers` are there, and no longer than `deadline` (of time.monotonic)."""

    answers: Sequence[Future[Any]]
    deadline: float


class Unreadable(Exception):
    """A connector's answer does not keep the contract."""


class Asking:
    """The lines to all CRMs."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._lines = {
            connection.name: Line(connection.name, max(SLOTS_AT_LEAST, connection.config.concurrency))
            for connection in connections.that("find")
        }

    def begin(self, lookups: Mapping[str, Sequence[Lookup]]) -> Asked:
        """Ask each connection its lookups, all at once."""
        return Asked(self._lines, {name: self._connections[name] for name in lookups}, lookups)

    def ask_beside(self, name: str, lookups: Sequence[Lookup], heard: Callable[[], None]) -> None:
        """Ask with nobody waiting; `heard` is called when the connection has answered."""
        try:
            question = self._lines[name].ask(partial(_found, self._connections[name], lookups))
        except LineHangs:
            return
        question.answer.add_done_callback(lambda answer: heard() if answer.exception() is None else None)

    def close(self) -> None:
        """Let the lines go."""
        for line in self._lines.values():
            line.close()


class Asked:
    """Questions under way."""

    def __init__(
        self,
        lines: Mapping[str, Line],
        connections: Mapping[str, Connection],
        lookups: Mapping[str, Sequence[Lookup]],
    ) -> None:
        self._lines, self._began = lines, time.monotonic()
        self._silent: list[Silent] = []
        self._questions: dict[str, Question] = {}
        self.refused: dict[str, ConnectorError] = {}  # who did answer: that it cannot be asked so
        for name, asked in lookups.items():
            if not asked:
                continue
            try:
                self._questions[name] = lines[name].ask(partial(_found, connections[name], asked))
            except LineHangs:
                self._silent.append(Silent(connection=name, why="it still owes the answers to earlier questions"))

    def awaited(self, deadline: float) -> Iterator[Wait]:
        """What has to be waited for before `answers`; nothing where all have answered or nobody was asked."""
        open_ = [question.answer for question in self._questions.values() if not question.answer.done()]
        if open_:
            yield Wait(open_, deadline)

    def answers(self, deadline: float) -> tuple[dict[str, Answer], tuple[Silent, ...]]:
        """What each has found by `deadline` (of time.monotonic), and who stayed silent. Waits for it."""
        wait([question.answer for question in self._questions.values()], max(0.0, deadline - time.monotonic()))
        found: dict[str, Answer] = {}
        for name, question in self._questions.items():
            if not question.answer.done():
                self._lines[name].give_up(question)
                self._silence(name, f"no answer within {deadline - self._began:.1f} s", "deadline")
                continue
            try:
                found[name] = question.answer.result()
            except ConnectorError as error:
                if error.then is Then.PARK:
                    self.refused[name] = error
                self._silence(name, str(error), error.name)
            except Unreadable as error:
                self._silence(name, f"its answer cannot be read: {error}", "unreadable")
            except Exception as error:  # noqa: BLE001  (a connector's fault must not cost the others' answers)
                self._silence(name, f"its connector failed ({type(error).__name__})", type(error).__name__)
        return found, tuple(self._silent)

    def _silence(self, name: str, why: str, kind: str) -> None:
        self._silent.append(Silent(connection=name, why=why))
        log.warning("a connection was silent", connection=name, error=kind)


def _found(connection: Connection, lookups: Sequence[Lookup]) -> Answer:
    """One call for all lookups. Where the CRM refuses it for a key that it cannot read, the others are asked alone."""
    try:
        return _checked(connection.connector.find(lookups), len(lookups))  # type: ignore[attr-defined]
    except ConnectorError as error:
        plain = [lookup for lookup in lookups if lookup.by in ("phone", "email")]
        if error.then is not Then.PARK or not 0 < len(plain) < len(lookups):
            raise
        rest = iter(_checked(connection.connector.find(plain), len(plain)))  # type: ignore[attr-defined]
        return [next(rest) if lookup in plain else () for lookup in lookups]


def _checked(answer: object, asked: int) -> Answer:
    if not isinstance(answer, Sequence) or len(answer) != asked:
        raise Unreadable(f"not {asked} results for {asked} lookups")
    for records in answer:
        if not isinstance(records, Sequence) or not all(isinstance(record, Record) for record in records):
            raise Unreadable("not records")
    return answer
