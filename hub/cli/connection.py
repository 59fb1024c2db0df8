"""`patchbay connection`: is the other system there, and who are we to it?"""

from __future__ import annotations

import sys
import time

import click

from hub.cli.told import a_hub, say, table
from hub.contract import Checks
from hub.errors import ConnectorError, nearest
from hub.flow.delivery import pauses


@click.group()
def connection() -> None:
    """Connections: list, check, pause, resume."""


@connection.command("list")
def list_connections() -> None:
    """Every connection and how it is."""
    with a_hub() as hub:
        states = pauses.states(hub.store)
        rows = []
        for name, one in hub.connections.items():
            state = states.get(name)
            rows.append((name, one.manifest.name, state.state if state else "active", state.message if state else ""))
        table(("name", "connector", "state", "why"), rows)


@connection.command("check")
@click.argument("name", required=False)
def check(name: str | None) -> None:
    """Ask each other system (or the one called NAME) who we are there. Exit code 1 when one does not say."""
    failed = False
    with a_hub() as hub:
        if name is not None and name not in hub.connections:
            raise click.ClickException(f'there is no connection "{name}"{nearest(name, hub.connections)}')
        for one in hub.connections.values():
            if name not in (None, one.name):
                continue
            if not isinstance(one.connector, Checks):
                say(f"{one.name}: has nothing to check ({one.manifest.title})")
                continue
            began = time.perf_counter()
            try:
                who = one.connector.check()
            except ConnectorError as error:
                failed = True
                click.echo(f"{one.name}: {error.name}: {error}", err=True)
                continue
            took = (time.perf_counter() - began) * 1000
            say(f"{one.name}: {who.user} at {who.system}{' ' + who.version if who.version else ''}, in {took:.0f} ms")
    sys.exit(1 if failed else 0)


@connection.command("pause")
@click.argument("name")
@click.option("--because", default="paused from the command line", help="Why, for whoever looks.")
def pause(name: str, because: str) -> None:
    """Let a connection's deliveries wait until somebody resumes it."""
    with a_hub() as hub:
        if name not in hub.connections:
            raise click.ClickException(f'there is no connection "{name}"{nearest(name, hub.connections)}')
        pauses.pause(hub.store, name, because)
    say(f"paused {name}")


@connection.command("resume")
@click.argument("name")
def resume(name: str) -> None:
    """Let a connection go on, whatever paused it."""
    with a_hub() as hub:
        if name not in hub.connections:
            raise click.ClickException(f'there is no connection "{name}"{nearest(name, hub.connections)}')
        pauses.resume(hub.store, name)
    say(f"resumed {name}")
