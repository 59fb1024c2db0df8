"""The first credentials: from the environment, else from PATCHBAY_HOME/credentials.env, else made there once."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from hub.config import home_of
from hub.store.access import SCOPES, Access

ADMIN_PASSWORD, API_TOKEN, WEBHOOK_SECRET = "PATCHBAY_ADMIN_PASSWORD", "PATCHBAY_API_TOKEN", "PATCHBAY_WEBHOOK_SECRET"
ADMIN = "admin"
BOOTSTRAP = "environment"  # the name of the token that the environment gives

_MADE: Mapping[str, Callable[[], str]] = {
    ADMIN_PASSWORD: lambda: secrets.token_urlsafe(12),
    API_TOKEN: lambda: "pb_" + secrets.token_urlsafe(32),
    WEBHOOK_SECRET: lambda: "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
}
_HEAD = "# Made by Patchbay at its first start. A variable of the environment wins over the line here.\n"


def credentials_file(env: Mapping[str, str]) -> Path:
    """Where made credentials are kept, for their owner's eyes alone."""
    return home_of(env) / "credentials.env"


def with_credentials(env: Mapping[str, str], *, make: bool = False) -> dict[str, str]:
    """`env` with what is kept in the file; with `make`, what is in neither is made and kept."""
    file = credentials_file(env)
    told = {name: value for name, value in env.items() if value or name not in _MADE}
    kept = _kept(file)
    if make and any(name not in told and name not in kept for name in _MADE):
        kept = _made(file, told)
    return kept | told


def as_if_made(env: Mapping[str, str]) -> dict[str, str]:
    """`env` as the hub would have it once it has started: for looking at the settings, with nothing kept."""
    return {name: made() for name, made in _MADE.items()} | with_credentials(env)


def _kept(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def _made(file: Path, told: Mapping[str, str]) -> dict[str, str]:
    """Make what is neither told nor kept, and keep it. Of hubs that start together one makes, the others read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        kept = _kept(file)
        kept |= {name: made() for name, made in _MADE.items() if name not in told and name not in kept}
        draft = file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(_HEAD + "".join(f"{name}={value}\n" for name, value in kept.items()))
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    finally:
        os.close(folder)
    return kept


def admit(access: Access, env: Mapping[str, str]) -> None:
    """Let in whom the environment names: the user `admin` and the token that may do everything."""
    if env.get(ADMIN_PASSWORD):
        access.set_password(ADMIN, env[ADMIN_PASSWORD])
    if env.get(API_TOKEN):
        access.keep_token(BOOTSTRAP, env[API_TOKEN], tuple(SCOPES))
