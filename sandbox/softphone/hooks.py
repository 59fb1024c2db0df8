"""The softphone's hooks out: signed by Standard Webhooks, sent when they are due, tried again until they are taken."""

from __future__ import annotations

import heapq
import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import requests

from connectors.wire.standard_webhooks import sign

ATTEMPTS = 12
FIRST_WAIT, LONGEST_WAIT = 0.2, 30.0  # seconds between attempts, doubled each time
Due = tuple[float, int, int, dict[str, Any]]  # when, order, attempt, event


class HookSender:
    """One thread that sends events in the order in which they are due. A retry carries the same `webhook-id`."""

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret = url, secret
        self._due: list[Due] = []
        self._order = 0
        self._called = threading.Condition()
        self._closed = False
        self.sent = self.failed = self.retried = 0
        self.given_up: list[str] = []
        self._thread = threading.Thread(target=self._work, name="softphone-hooks", daemon=True)
        self._thread.start()

    def at(self, moment: float, event: dict[str, Any]) -> None:
        """Send `event` at `moment` (of time.monotonic)."""
        with self._called:
            self._order += 1
            heapq.heappush(self._due, (moment, self._order, 1, event))
            self._called.notify_all()

    @property
    def waiting(self) -> int:
        """How many are not sent yet."""
        with self._called:
            return len(self._due)

    def wait_until_sent(self, timeout: float) -> bool:
        """Wait until nothing is left to send."""
        with self._called:
            return self._called.wait_for(lambda: not self._due, timeout)

    def close(self) -> None:
        """Stop; what was not sent is forgotten."""
        with self._called:
            self._closed = True
            self._called.notify_all()
        self._thread.join(10)

    def _work(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (due := self._next()) is not None:
                taken = self._send(session, due[3])
                with self._called:
                    self._settle(due, taken)
                    self._called.notify_all()

    def _next(self) -> Due | None:
        """The next event, when it is due; it stays in the heap until it is settled."""
        with self._called:
            while not self._closed:
                if not self._due:
                    self._called.wait()
                elif (left := self._due[0][0] - time.monotonic()) > 0:
                    self._called.wait(left)
                else:
                    return self._due[0]
            return None

    def _settle(self, due: Due, taken: bool) -> None:
        moment, order, attempt, event = due
        self._due.remove(due)
        heapq.heapify(self._due)
        if taken:
            self.sent += 1
        elif attempt >= ATTEMPTS:
            self.failed += 1
            self.given_up.append(str(event["id"]))
        else:
            self.retried += 1
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
            heapq.heappush(self._due, (max(moment, time.monotonic()) + wait, order, attempt + 1, event))

    def _send(self, session: requests.Session, event: dict[str, Any]) -> bool:
        body = json.dumps(event, ensure_ascii=False).encode()
        headers = sign(self._secret, f"msg-{event['id']}", datetime.now(UTC), body)
        try:
            answer = session.post(
                self._url, data=body, headers={**headers, "Content-Type": "application/json"}, timeout=15
            )
        except requests.RequestException:
            return False
        return answer.status_code < 300
