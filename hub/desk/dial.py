"""Click-to-dial: checked, originated once, and tied to the record that was clicked.

The row in `dials` is there before the platform hears of it. So the same idempotency key, and the same request again within
three seconds under another key (a double click), get the first one's answer. What may have been done is never repeated: a
dial without an answer is `unknown` to whoever clicked, and known once the platform's events show its call, or say that it
was accepted or failed.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any, Literal, cast

import msgspec
import structlog
from msgspec import Struct

from hub.clock import now_ms
from hub.config import Config
from hub.connections import Connection, Connections
from hub.desk.asking import Asking
from hub.desk.by_policy import ByPolicy
from hub.desk.clicked import Link, Links
from hub.desk.dial_plan import DialRefused, KeyReused, dial_plan
from hub.desk.line import Line, LineHangs
from hub.desk.own_numbers import OwnNumbers
from hub.errors import ConnectorError, UnknownOutcome, nearest
from hub.flow.directory.known import Directory
from hub.flow.merged import Merged
from hub.model import Clicked, DialReceipt, DialRequest
from hub.store import desk
from hub.store.database import Store

Outcome = Literal["requested", "accepted", "refused", "unknown"]

MINUTE_MS = 60_000
LOOK_SECONDS = 0.025  # how often the second of two clicks looks what became of the first
CALL_SHOWN = "the platform did not answer the dial, but its events show the call"
NO_ANSWER = "the platform has not answered: it may ring, and is not dialled again for this click"

log = structlog.get_logger()

__all__ = ["DialRefused", "Dialer", "Dialled", "KeyReused"]


class Dialled(Struct, frozen=True, kw_only=True):
    """What became of a click. `unknown`: it may ring; it is never dialled again for this click."""

    id: str
    outcome: Outcome
    connection: str
    agent: str
    to: str  # E.164: what is dialled
    record: Clicked | None = None  # what the call is tied to
    interaction: str = ""
    reason: str = ""
    note: str = ""
    repeated: bool = False  # the answer to an earlier click


class Dialer:
    """Originates calls for agents. Thread-safe."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        config: Config,
        own: OwnNumbers | None = None,
        asking: Asking | None = None,
        directory: Directory | None = None,
    ) -> None:
        self.plan = dial_plan(config)
        self._store, self._connections = store, connections
        self._own = own or OwnNumbers(store, config)
        if directory is not None:
            self.plan.check_directory(directory.plan)
        road = ByPolicy(asking or Asking(connections), directory, "dial")
        self._links = Links(connections, road, config, self.plan, Merged(store))
        self._lines = {c.name: Line(f"dial-{c.name}", max(8, c.config.concurrency)) for c in connections.that("dial")}

    def dial(
        self,
        *,
        to: str,
        agent: str,
        idempotency_key: str,
        record: Clicked | None = None,
        connection: str | None = None,
    ) -> Dialled:
        """Dial `to` for `agent`. Raises DialRefused where a check forbids it, KeyReused for a used key."""
        clicked_at = now_ms()
        digest = hashlib.sha256(msgspec.json.encode([to, agent, record, connection])).hexdigest()
        with self._store.read() as conn:
            earlier = desk.dial_of_key(conn, idempotency_key)
        if earlier is not None:
            return self._repeated(earlier, digest)
        platform = self._platform(connection)
        self.plan.refuse_as_typed(to)
        link = self._links.link(to, record, platform)
        self._refuse_number(link.to)
        request = DialRequest(id=f"d-{uuid.uuid4().hex}", to=link.to, agent=agent, record=link.record)
        with self._store.write() as conn:
            desk.lock_agent(conn, agent)
            earlier = desk.dial_of_key(conn, idempotency_key)
            if earlier is None:
                earlier = self._entered(conn, request, idempotency_key, digest, platform.name, link, clicked_at)
        if earlier is not None:
            return self._repeated(earlier, digest)
        self._originate(platform, request)
        return self._told(request.id)

    def state(self, id: str) -> Dialled | None:
        """What became of the dial `id`."""
        with self._store.read() as conn:
            row = desk.dial_of_id(conn, id)
            if row is not None and row.double_of:
                row = desk.dial_of_id(conn, row.double_of)
        if row is None:
            return None
        dialled = self._dialled(row)
        if dialled.outcome != "unknown" or not dialled.interaction:
            return dialled
        return msgspec.structs.replace(dialled, outcome="accepted", reason=CALL_SHOWN)

    def close(self) -> None:
        """Take no more clicks."""
        for line in self._lines.values():
            line.close()
        self._own.close()

    # --- may it be dialled? ----------------------------------------

    def _platform(self, name: str | None) -> Connection:
        name = name or self.plan.connection
        able = [connection.name for connection in self._connections.that("dial")]
        if name:
            if name not in able:
                hint = nearest(name, able) or "; those that can: " + (", ".join(able) or "none")
                raise DialRefused("no-platform", f'There is no connection "{name}" that can dial{hint}')
            return self._connections[name]
        if len(able) != 1:
            choose = f"name one of {', '.join(able)} as connection" if able else "no connection can dial"
            raise DialRefused("no-platform", f"Which platform? {choose}.")
        return self._connections[able[0]]

    def _refuse_number(self, number: str) -> None:
        self.plan.refuse(number)
        if self._own.whose(number) is not None:
            raise DialRefused("own-number", "This is one of our own numbers.")
        with self._store.read() as conn:
            source = desk.may_not_be_called(conn, number)
        if source is not None:
            raise DialRefused("do-not-call", f"This number must not be called (do-not-call list, from {source}).")

    # --- once ----------------------------------------

    def _entered(
        self, conn: Any, request: DialRequest, key: str, digest: str, platform: str, link: Link, clicked_at: int
    ) -> desk.Dial | None:
        """Enter the dial. Where it is a double click: the first one's row, and this key stands for it from now on."""
        first = desk.latest_dial(conn, request.agent, digest, clicked_at - int(self.plan.double_click_seconds * 1000))
        recent = desk.dial_moments(conn, request.agent, clicked_at - MINUTE_MS)
        if first is None and len(recent) >= self.plan.per_minute:
            free_in = (recent[-self.plan.per_minute] + MINUTE_MS - clicked_at) / 1000
            told = f"This agent has dialled {len(recent)} times in a minute; {self.plan.per_minute} are allowed."
            raise DialRefused("too-many", told, free_in)
        added = desk.add_dial(
            conn,
            id=request.id,
            idempotency_key=key,
            digest=digest,
            connection=platform,
            agent=request.agent,
            to=request.to,
            record=None if request.record is None else msgspec.json.encode(request.record).decode(),
            state="requested",
            note=link.note or None,
            double_of=first and first.id,
            created_at=now_ms(),
        )
        return first if added else desk.dial_of_key(conn, key)

    def _originate(self, platform: Connection, request: DialRequest) -> None:
        """Have the platform dial; wait as long as a person would. A late answer is still kept when it comes."""
        line = self._lines[platform.name]
        try:
            question = line.ask(lambda: self._settle(request.id, lambda: platform.connector.dial(request)))  # type: ignore[attr-defined]
        except LineHangs:
            self._keep(request.id, "refused", f"{platform.name} still owes the answers to earlier dials; not dialled")
            return
        wait([question.answer], timeout=self.plan.answer_seconds)
        if question.answer.done() and (fault := question.answer.exception()) is not None:
            log.error("what became of a dial was not kept", dial=request.id, error=type(fault).__name__)
        if line.give_up(question):
            self._keep(request.id, "refused", f"{platform.name} was too busy; not dialled")

    def _settle(self, id: str, dial: Callable[[], DialReceipt]) -> None:
        try:
            receipt = dial()
        except UnknownOutcome as error:
            self._keep(id, "unknown", str(error))
        except ConnectorError as error:  # all others say that nothing was done
            self._keep(id, "refused", str(error))
        except Exception as error:  # noqa: BLE001  (a fault after the request was sent may have rung)
            log.error("dial failed", dial=id, error=type(error).__name__)
            self._keep(id, "unknown", f"the connector failed ({type(error).__name__})")
        else:
            self._keep(id, receipt.outcome, receipt.reason, receipt.interaction)

    def _keep(self, id: str, outcome: Outcome, reason: str, interaction: str = "") -> None:
        with self._store.write() as conn:
            desk.settle_dial(conn, id, outcome, reason, interaction)
        log.info("dialled", dial=id, outcome=outcome, interaction=interaction)

    # --- the answer ----------------------------------------

    def _repeated(self, row: desk.Dial, digest: str) -> Dialled:
        if row.digest != digest:
            raise KeyReused("This Idempotency-Key was used for another request; make a new key for each click.")
        waited_until = time.monotonic() + self.plan.answer_seconds
        told = self._told(row.double_of or row.id)
        while told.outcome == "requested" and time.monotonic() < waited_until:
            time.sleep(LOOK_SECONDS)
            told = self._told(told.id)
        return msgspec.structs.replace(told, repeated=True)

    def _told(self, id: str) -> Dialled:
        with self._store.read() as conn:
            row = desk.dial_of_id(conn, id)
        assert row is not None
        return self._dialled(row)

    def _dialled(self, row: desk.Dial) -> Dialled:
        overdue = row.state == "requested" and now_ms() - row.created_at >= self.plan.answer_seconds * 1000
        return Dialled(
            id=row.id,
            outcome="unknown" if overdue else cast("Outcome", row.state),
            connection=row.connection,
            agent=row.agent,
            to=row.to,
            record=None if row.record is None else msgspec.json.decode(row.record, type=Clicked),
            interaction=row.interaction or "",
            reason=row.reason or (NO_ANSWER if overdue else ""),
            note=row.note or "",
        )
