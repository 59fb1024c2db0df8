"""Who may do what: API tokens, users and the keys that sign. Of a token only its SHA-256 is kept."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from hub.clock import from_ms, now_ms
from hub.errors import PatchbayError, nearest
from hub.store.database import Store
from hub.store.glance import Glance
from hub.store.schema import keys, tokens, users

SCOPES: dict[str, str] = {
    "read": "look at interactions, deliveries, records, connections, mappings and lists",
    "screen_pop": "ask who is calling",
    "dial": "click-to-dial",
    "deliveries": "replay deliveries",
    "mappings": "check, preview, publish and roll back mappings",
    "lists": "pull contact lists",
    "connections": "check, pause and resume connections",
    "admin": "everything else: bodies that could not be read, tokens",
}
SCRYPT, SCRYPT_MEMORY = (2**15, 8, 1), 64 << 20  # cost, block size, lanes; bytes
TOKEN_PREFIX = "pb_"  # noqa: S105  # so that a leaked token can be recognised by what it looks like


# Asked by every call of the API.
_BY_DIGEST = Glance(
    lambda _: select(tokens.c.name, tokens.c.scopes, tokens.c.created_at).where(tokens.c.digest == bindparam("shown"))
)


class AccessError(PatchbayError):
    """A token or user that cannot be made."""


@dataclass(frozen=True)
class Token:
    """One API token, without its secret."""

    name: str
    scopes: tuple[str, ...]
    created_at: datetime


def digest_of(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def checked_scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    """`scopes` in the order of their declaration, each once. Raises AccessError for one that is not known."""
    for scope in scopes:
        if scope not in SCOPES:
            raise AccessError(f'there is no scope "{scope}"{nearest(scope, SCOPES)} Known: {", ".join(SCOPES)}.')
    if not scopes:
        raise AccessError(f"a token needs at least one scope. Known: {', '.join(SCOPES)}.")
    return tuple(scope for scope in SCOPES if scope in scopes)


class Access:
    """The tokens, users and keys of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- tokens ----------------------------------------

    def create_token(self, name: str, scopes: Sequence[str]) -> str:
        """A new token, shown this once. Raises AccessError when the name is taken."""
        scopes = checked_scopes(scopes)
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        with self._store.write() as connection:
            if connection.execute(select(tokens.c.name).where(tokens.c.name == name)).first():
                raise AccessError(f'there is a token called "{name}" already; revoke it or choose another name')
            connection.execute(
                insert(tokens).values(
                    name=name, digest=digest_of(token), scopes=json.dumps(scopes), created_at=now_ms()
                )
            )
        return token

    def keep_token(self, name: str, token: str, scopes: Sequence[str]) -> None:
        """Make `token` the one called `name`, in place of an earlier one."""
        values = {"digest": digest_of(token), "scopes": json.dumps(checked_scopes(scopes)), "created_at": now_ms()}
        with self._store.write() as connection:
            held = connection.execute(select(tokens.c.digest).where(tokens.c.name == name)).scalar()
            if held == values["digest"]:
                return
            connection.execute(delete(tokens).where((tokens.c.name == name) | (tokens.c.digest == values["digest"])))
            connection.execute(insert(tokens).values(name=name, **values))

    def tokens(self) -> tuple[Token, ...]:
        """All tokens by name."""
        with self._store.read() as connection:
            rows = connection.execute(select(tokens).order_by(tokens.c.name)).all()
        return tuple(Token(row.name, tuple(json.loads(row.scopes)), from_ms(row.created_at)) for row in rows)

    def revoke(self, name: str) -> bool:
        """Take a token away; whether it was there."""
        with self._store.write() as connection:
            return connection.execute(delete(tokens).where(tokens.c.name == name)).rowcount > 0

    def token_of(self, token: str) -> Token | None:
        """The token that a caller shows. Compared by digest, so timing tells nothing of it."""
        for row in self._store.glance(_BY_DIGEST, shown=digest_of(token)):
            return Token(row.name, tuple(json.loads(row.scopes)), from_ms(row.created_at))
        return None

    # --- users ----------------------------------------

    def set_password(self, user: str, password: str) -> None:
        """Make `password` the user's. An equal one is left as it is, so signed-in sessions stay."""
        if self.stamp_of(user, password):
            return
        values = {"password": _hashed(password), "created_at": now_ms()}
        with self._store.write() as connection:
            if not connection.execute(update(users).where(users.c.name == user).values(values)).rowcount:
                connection.execute(insert(users).values(name=user, **values))

    def stamp_of(self, user: str, password: str) -> str | None:
        """The user's stamp when the password is right. An unknown user costs the same time as a wrong password."""
        stored = self._password(user)
        right = _is_right(password, stored or _nobodys_password())
        return _stamp(stored) if stored and right else None

    def has_stamp(self, user: str, stamp: str) -> bool:
        """Whether the stamp in a session still is the user's: a changed password ends every session."""
        stored = self._password(user)
        return stored is not None and secrets.compare_digest(_stamp(stored), stamp)

    def _password(self, user: str) -> str | None:
        with self._store.read() as connection:
            return connection.execute(select(users.c.password).where(users.c.name == user)).scalar()

    # --- keys ----------------------------------------

    def signing_key(self, name: str = "session") -> str:
        """The key called `name`, made when first asked for; the same on every node."""
        made = secrets.token_hex(32)
        upsert = sqlite_insert if self._store.is_sqlite else postgres_insert
        with self._store.write() as connection:
            connection.execute(upsert(keys).values(name=name, value=made).on_conflict_do_nothing())
            return str(connection.execute(select(keys.c.value).where(keys.c.name == name)).scalar_one())


def _hashed(password: str, salt: str = "") -> str:
    salt = salt or secrets.token_hex(16)
    cost, block, lanes = SCRYPT
    made = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=cost, r=block, p=lanes, maxmem=SCRYPT_MEMORY)
    return f"scrypt${salt}${made.hex()}"


def _is_right(password: str, stored: str) -> bool:
    return secrets.compare_digest(_hashed(password, stored.split("$")[1]), stored)


def _stamp(password_hash: str) -> str:
    return hashlib.sha256(password_hash.encode()).hexdigest()[:24]


@cache
def _nobodys_password() -> str:
    return _hashed(secrets.token_hex(16))
