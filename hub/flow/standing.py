"""How our credentials stand at each connection: good, expiring or refused. Nobody knows before the first check: unknown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from hub.budget import INTERACTIVE
from hub.clock import now
from hub.connections import Connection
from hub.errors import ConnectorError, CredentialsRefused
from hub.flow import alerts
from hub.flow.delivery.calls import called, unpaced
from hub.model import Identity
from hub.store import credentials
from hub.store.alerts import CREDENTIALS, Trouble
from hub.store.credentials import Found
from hub.store.database import Store


class Standing(Struct, frozen=True, kw_only=True):
    """How the credentials of one connection are. `expires_at` None: nobody says that they end."""

    state: Literal["good", "expiring", "refused", "unknown"] = "unknown"
    message: str = ""
    expires_at: datetime | None = None
    checked_at: datetime | None = None


class Standings:
    """The credentials of all connections, in the store. They count as expiring `expiring_days` before their end."""

    def __init__(self, store: Store, expiring_days: float) -> None:
        self._store, self._expiring = store, timedelta(days=expiring_days)

    def all(self) -> dict[str, Standing]:
        """How they stand, by connection; one that is not named is unknown."""
        with self._store.read() as conn:
            found = credentials.found(conn)
        return {name: self._standing(one) for name, one in found.items()}

    def check(self, connection: Connection, *, for_person: bool = False) -> Identity:
        """Ask who we are there, and keep what that tells of the credentials. Raises ConnectorErrors.

        A person who asks is answered even where no call is left.
        """
        connector: Any = connection.connector
        try:
            ask: Callable[[], Identity] = connector.check
            identity = unpaced(ask) if for_person else called(connection, ask, INTERACTIVE)
        except CredentialsRefused as error:
            self.refused(connection.name, error)
            raise
        self._note(connection.name, Found(state="good", expires_at=identity.expires_at, checked_at=now()))
        return identity

    def refused(self, connection: str, error: ConnectorError) -> None:
        """A call was refused for its credentials."""
        self._note(connection, Found(state="refused", message=str(error), checked_at=now()))

    def forget(self, connection: str) -> None:
        """What was known does not count any more."""
        with self._store.write() as conn:
            credentials.forget(conn, connection)
        self.warn(connection)

    def warn(self, connection: str) -> None:
        """Have the alerts say how this connection's credentials stand."""
        standing = self.all().get(connection, Standing())
        key, about = f"credentials {connection}", f'The credentials of the connection "{connection}"'
        troubles = []
        if standing.state == "expiring" and standing.expires_at is not None:
            what = f"{about} end on {standing.expires_at:%Y-%m-%d at %H:%M} UTC: renew them before that"
            troubles.append(Trouble(key=f"{key} expiring", kind=CREDENTIALS, message=what, connection=connection))
        if standing.state == "refused":
            what = f"{about} are refused: mend them; what waits is kept and goes out by itself then"
            troubles.append(Trouble(key=f"{key} refused", kind=CREDENTIALS, message=what, connection=connection))
        alerts.settle(self._store, troubles, kind=CREDENTIALS, connection=connection, keep_message=False)

    def _note(self, connection: str, found: Found) -> None:
        with self._store.write() as conn:
            credentials.note(conn, connection, found)
        self.warn(connection)

    def _standing(self, found: Found) -> Standing:
        ends = found.expires_at
        expiring = found.state == "good" and ends is not None and ends - now() <= self._expiring
        return Standing(
            state="expiring" if expiring else found.state,
            message=found.message,
            expires_at=ends,
            checked_at=found.checked_at,
        )
