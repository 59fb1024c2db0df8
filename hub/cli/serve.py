"""`patchbay serve` and `patchbay work`: the two shapes of a node."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from urllib.parse import urlsplit

import click
import structlog
from prometheus_client import CollectorRegistry, start_http_server

from hub.assembly import Hub
from hub.cli.sandbox import Beside, is_taken
from hub.cli.told import say, tell_unknown
from hub.config import Config, load_config
from hub.credentials import ADMIN, ADMIN_PASSWORD, API_TOKEN, WEBHOOK_SECRET, admit, credentials_file, with_credentials
from hub.errors import PatchbayError
from hub.log import set_up_logs
from hub.web.asgi import asgi_app, ready_for_callers
from hub.web.metrics import HubCollector
from hub.web.server import server

log = structlog.get_logger()


class PortTaken(PatchbayError):
    """Somebody listens there already."""


@click.command()
@click.option("--host", help="The address to listen on; else PATCHBAY_HOST or `host` of the settings.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port; else PATCHBAY_PORT or `port` of the settings.")
@click.option("--no-work", is_flag=True, help="Take hooks and serve pages, but leave delivery and schedules to `work`.")
@click.option("--with-softphone", is_flag=True, help="Run the embedded platform beside the hub.")
def serve(host: str | None, port: int | None, no_work: bool, with_softphone: bool) -> None:
    """Serve the hub: hooks, API and pages, with deliveries and schedules unless --no-work."""
    given = {"PATCHBAY_HOST": host, "PATCHBAY_PORT": str(port) if port else None}
    env = with_credentials({**os.environ, **{name: value for name, value in given.items() if value}}, make=True)
    set_up_logs(env)
    config = load_config(env)
    tell_unknown(config)
    with ExitStack() as closing:
        listening = closing.enter_context(_bound(config))
        beside = _softphone(config, env) if with_softphone else None
        if beside is not None:
            closing.callback(beside.close)
        hub = closing.enter_context(Hub(config))
        admit(hub.access, env)
        app = asgi_app(hub)
        hub.start(work=not no_work)
        ready_for_callers()
        _welcome(config, env, softphone=beside is not None and beside.ready())
        for sign in (signal.SIGTERM, signal.SIGINT):
            # The server ends at the first, then raises it again: that must not keep the hub from closing.
            signal.signal(sign, lambda *_: None)
        server(app).run(sockets=[listening])


@click.command()
@click.option(
    "--metrics-port", type=click.IntRange(1, 65535), help="Serve this node's metrics on this port of loopback."
)
def work(metrics_port: int | None) -> None:
    """Deliver and pull by schedule, without serving anything. Any number of them may run on PostgreSQL."""
    env = with_credentials(os.environ)
    set_up_logs(env)
    ended = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: ended.set())
    config = load_config(env)
    tell_unknown(config)
    with Hub(config) as hub:
        hub.start(accept=False)
        if metrics_port:
            registry = CollectorRegistry()
            registry.register(HubCollector(hub))
            start_http_server(metrics_port, "127.0.0.1", registry)
        log.info("working", connections=list(hub.connections))
        ended.wait()
        log.info("finishing")


def _bound(config: Config) -> socket.socket:
    """The socket to listen on, taken before anything else is begun."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.host, config.port))
    except OSError as error:
        listening.close()
        raise PortTaken(
            f"cannot listen on {config.host}:{config.port} ({error.strerror}); choose another with --port or PATCHBAY_PORT"
        ) from None
    listening.set_inheritable(False)
    return listening


def _softphone(config: Config, env: Mapping[str, str]) -> Beside | None:
    """The embedded platform, for the first connection that uses it; none where its port is taken."""
    mine = next((one for one in config.connections.values() if one.connector == "softphone"), None)
    if mine is None:
        click.echo("patchbay: no connection uses the softphone, so none is started", err=True)
        return None
    there = urlsplit(mine.settings["url"])
    host, port = there.hostname or "127.0.0.1", there.port or 80
    if is_taken(host, port):
        click.echo(f"patchbay: somebody listens on {host}:{port} already, so no softphone is started there", err=True)
        return None
    told = {
        **env,
        "PATCHBAY_SOFTPHONE_TOKEN": mine.settings["token"],
        "PATCHBAY_WEBHOOK_SECRET": mine.settings["secrets"][0],
    }
    hooks = f"http://127.0.0.1:{config.port}/hooks/{mine.name}"
    lists = str(config.home / "softphone-lists.jsonl")
    return Beside("softphone", told, "--host", host, "--port", str(port), "--hook-url", hooks, "--lists", lists)


def _welcome(config: Config, env: Mapping[str, str], *, softphone: bool) -> None:
    """Where to look and who to be. What the hub made itself is printed, what it was given is not."""
    url, kept = config.public_url, credentials_file(env)
    made = [name for name in (ADMIN_PASSWORD, API_TOKEN, WEBHOOK_SECRET) if not os.environ.get(name)]

    def shown(name: str) -> str:
        return env[name] if name in made else f"from {name}"

    say(f"Patchbay serves {config.company} on {url}")
    say(f"  start page   {url}/ (user {ADMIN})")
    say(f"  password     {shown(ADMIN_PASSWORD)}")
    say(f"  API          {url}/api/v1, described at {url}/openapi.json")
    say(f"  API token    {shown(API_TOKEN)}")
    say(f"  hooks        POST {url}/hooks/<connection>, signed; the secret of softphone: {shown(WEBHOOK_SECRET)}")
    if softphone:
        mine = next(one for one in config.connections.values() if one.connector == "softphone")
        say(f"  softphone    {mine.settings['url']}")
    if made:
        say(f"  kept in      {kept}")
