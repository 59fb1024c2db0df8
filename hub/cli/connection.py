"""`patchbay connection`: is the other system there, and who are we to it?"""

from __future__ import annotations

import sys
import time

import click

from hub.assembly import Hub
from hub.cli.told import a_hub, say, table
from hub.connections import Connection
from hub.contract import Checks
from hub.errors import ConnectorError, nearest
from hub.flow.delivery import pauses
from hub.flow.forecast import Forecast, forecasts
from hub.flow.rights import rights_at, said
from hub.flow.standing import Standing


@click.group()
def connection() -> None:
    """Connections: list, check, pause, resume."""


@connection.command("list")
def list_connections() -> None:
    """Every connection and how it is."""
    with a_hub() as hub:
        states, standings = pauses.states(hub.store), hub.watch.standings.all()
        told = forecasts(hub.store, hub.connections)
        rows = []
        for name, one in hub.connections.items():
            state = states.get(name)
            rows.append(
                (name, one.manifest.name, state.state if state else "active", _credentials(standings.get(name)),
                 _calls(told[name]), state.message if state else "")
            )  # fmt: skip
        table(("name", "connector", "state", "credentials", "calls today", "why"), rows)


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
                who = hub.watch.standings.check(one, for_person=True)
            except ConnectorError as error:
                failed = True
                click.echo(f"{one.name}: {error.name}: {error}", err=True)
                continue
            took = (time.perf_counter() - began) * 1000
            say(f"{one.name}: {who.user} at {who.system}{' ' + who.version if who.version else ''}, in {took:.0f} ms")
            _say_rights(one, hub)
            hub.watch.keep()
            standing, told = hub.watch.standings.all()[one.name], forecasts(hub.store, hub.connections)[one.name]
            if standing.expires_at is not None:
                say(f"{one.name}: credentials {_credentials(standing)}")
            if told.limit is not None:
                say(f"{one.name}: calls today {_calls(told)}")
    sys.exit(1 if failed else 0)


def _credentials(standing: Standing | None) -> str:
    if standing is None:
        return "unknown"
    return standing.state if standing.expires_at is None else f"{standing.state}, end {standing.expires_at:%Y-%m-%d}"


def _calls(told: Forecast) -> str:
    made = str(sum(told.calls_today.values()))
    if told.limit is None:
        return made
    ends = "not today" if told.ends_at is None else f"{told.ends_at:%H:%M} UTC"
    whose = " (the vendor's count)" if told.by_vendor else ""
    return f"{made}; {told.left} of {told.limit} left{whose}; end: {ends}"


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


def _say_rights(one: Connection, hub: Hub) -> None:
    """What our user may do there, and which mode of writing that recommends."""
    try:
        for rights in rights_at(one, hub.mappings.all()):
            say(f"{one.name}: {said(rights)}")
    except ConnectorError as error:
        say(f"{one.name}: what our user may do there is not known: {error}")
