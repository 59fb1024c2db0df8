"""A line to one connection: a few threads of its own, so that a CRM that hangs takes nobody else's time.

A question that is given up while it runs keeps its thread until the CRM lets go. When every thread hangs so, the line says
it at once instead of letting one more person wait for the deadline.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class LineHangs(Exception):
    """Every thread of the line waits for an answer that is overdue."""


class Question:
    """One thing asked over a line; its answer, or what went wrong, is in `answer`."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self.ask = ask
        self.answer: Future[Any] = Future()
        self.running = False
        self.given_up = False


class Line:
    """The threads of one connection. They are daemons and start when first needed."""

    def __init__(self, name: str, slots: int) -> None:
        self._name = name
        self._slots = slots
        self._lock = threading.Lock()
        self._called = threading.Condition(self._lock)
        self._waiting: deque[Question] = deque()
        self._threads = self._idle = self._hanging = 0
        self._closed = False

    def ask(self, ask: Callable[[], Any]) -> Question:
        """Have `ask` called on a thread of this line. Raises LineHangs when none can be hoped for."""
        question = Question(ask)
        with self._lock:
            if self._closed or self._hanging >= self._slots:
                raise LineHangs(self._name)
            self._waiting.append(question)
            if self._idle < len(self._waiting) and self._threads < self._slots:
                self._threads += 1
                threading.Thread(target=self._work, name=f"line-{self._name}", daemon=True).start()
            self._called.notify()
        return question

    def give_up(self, question: Question) -> bool:
        """Nobody waits for this question any more. True when it was not even begun, and now never will be."""
        with self._lock:
            if question.given_up or question.answer.done():
                return False
            question.given_up = True
            if question.running:
                self._hanging += 1
                return False
            self._waiting.remove(question)
            return True

    def close(self) -> None:
        """Let the idle threads go; a hanging one ends with its call."""
        with self._lock:
            self._closed = True
            self._called.notify_all()

    def _work(self) -> None:
        while (question := self._next()) is not None:
            try:
                result, failure = question.ask(), None
            except BaseException as error:  # noqa: BLE001  (whatever it is, who asked has to hear it)
                result, failure = None, error
            with self._lock:
                if question.given_up:
                    self._hanging -= 1
                if failure is None:
                    question.answer.set_result(result)
                else:
                    question.answer.set_exception(failure)

    def _next(self) -> Question | None:
        with self._lock:
            self._idle += 1
            while not self._waiting and not self._closed:
                self._called.wait()
            self._idle -= 1
            if self._closed:
                self._threads -= 1
                return None
            question = self._waiting.popleft()
            question.running = True
            return question
