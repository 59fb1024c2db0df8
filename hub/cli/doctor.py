"""`patchbay doctor`: what is wrong with this installation, in words of what to do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from urllib.parse import urlsplit

import click

from hub.cli.sandbox import is_taken
from hub.cli.told import say
from hub.clock import now_ms
from hub.config import Config, config_file_of, home_of, load_config
from hub.credentials import as_if_made, credentials_file
from hub.errors import PatchbayError
from hub.store.health import health

LOW_DISK, LITTLE_DISK = 200 << 20, 2 << 30
CLOCK_APART_MS = 2_000  # of ±5 minutes that a hook's signature may be off

Finding = tuple[str, str]  # ("ok" | "look" | "wrong", what)


@click.command()
def doctor() -> None:
    """Look at python, settings, store, disk, clock and ports, and say what to do. Exit code 1 when something is wrong."""
    env = as_if_made(os.environ)
    wrong = 0
    for state, what in _findings(env):
        mark = {"ok": "ok   ", "look": "look ", "wrong": "WRONG"}[state]
        wrong += state == "wrong"
        say(f"{mark} {what}")
    if wrong:
        raise click.ClickException(f"{wrong} thing{'s' if wrong > 1 else ''} to put right")


def _findings(env: dict[str, str]) -> Iterator[Finding]:
    yield from _python()
    yield from _home(env)
    try:
        config = load_config(env)
    except PatchbayError as error:
        yield "wrong", f"settings: {error}"
        return
    yield "ok", f"settings: {config_file_of(env)}, {len(config.connections)} connections"
    for line in config.unknown:
        yield "look", line
    for look in (_store, _ports, _address):
        yield from look(config)


def _python() -> Iterator[Finding]:
    good = sys.version_info >= (3, 11)
    what = f"Python {sys.version.split()[0]}, Patchbay {version('patchbay')}"
    yield ("ok", what) if good else ("wrong", f"{what}: Patchbay needs Python 3.11 or newer")


def _home(env: dict[str, str]) -> Iterator[Finding]:
    home = home_of(env)
    there = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    if not os.access(there, os.W_OK):
        yield "wrong", f"home: {home} cannot be written to; set PATCHBAY_HOME to a folder of your own"
    free = shutil.disk_usage(there).free
    room = f"disk: {free / (1 << 30):.1f} GiB free at {there}"
    if free < LOW_DISK:
        yield "wrong", f"{room}; make room, or the store stops taking events"
    else:
        yield ("look", f"{room}; not much for a store that keeps every event") if free < LITTLE_DISK else ("ok", room)
    kept = credentials_file(env)
    if kept.exists() and kept.stat().st_mode & 0o077:
        yield "wrong", f"credentials: others can read {kept}; run: chmod 600 {kept}"


def _store(config: Config) -> Iterator[Finding]:
    found = health(config.database_url)
    what = f"store: {found.name}"
    if found.problem:
        yield "wrong", f"{what} {found.problem}"
        return
    if found.revision == found.newest:
        yield "ok", f"{what}, schema {found.revision}"
    elif found.revision is None:
        yield "look", f"{what} is empty; `patchbay serve` makes its tables"
    else:
        yield "look", f"{what} is at schema {found.revision}; the next start brings it to {found.newest}"
    apart = abs(now_ms() - found.clock_ms)
    if apart < CLOCK_APART_MS:
        yield "ok", "clock: the same as the store's"
    else:
        yield "wrong", f"clock: {apart / 1000:.0f} s apart from the store's; run a time service (NTP) on both machines"


def _ports(config: Config) -> Iterator[Finding]:
    where = f"{config.host}:{config.port}"
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host  # noqa: S104
    if is_taken(host, config.port):
        yield "look", f"port: somebody listens on {where}; if that is not this hub, choose another with PATCHBAY_PORT"
    else:
        yield "ok", f"port: {where} is free"


def _address(config: Config) -> Iterator[Finding]:
    there = urlsplit(config.public_url)
    if there.scheme == "http" and there.hostname not in ("127.0.0.1", "localhost", "::1"):
        yield "look", f"address: {config.public_url} is not encrypted; put TLS in front and set public_url to https://…"
    else:
        yield "ok", f"address: {config.public_url}"
