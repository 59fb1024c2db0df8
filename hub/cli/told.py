"""What every command needs: the environment, the settings, an open hub; and how it speaks to a person."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from hub.assembly import Hub
from hub.config import Config, load_config
from hub.credentials import as_if_made, with_credentials
from hub.log import set_up_logs

TELL_EVERY = 10.0  # seconds between lines of progress where nobody watches a terminal


def the_config(*, only_look: bool = False) -> Config:
    """The settings. Missing credentials are made and kept, as by the first start; with `only_look`, nothing is kept."""
    env = as_if_made(os.environ) if only_look else with_credentials(os.environ, make=True)
    set_up_logs({"PATCHBAY_LOG": "console", **env})
    config = load_config(env)
    if not only_look:
        tell_unknown(config)
    return config


def tell_unknown(config: Config) -> None:
    """A line on standard error for each variable that looks like one of ours and is none."""
    for line in config.unknown:
        click.echo(f"patchbay: {line}", err=True)


@contextmanager
def a_hub() -> Iterator[Hub]:
    """The hub's parts on its store, with nothing running; closed afterwards."""
    with Hub(the_config()) as hub:
        hub.mappings.refresh()
        yield hub


def say(text: str = "") -> None:
    """One line on standard output."""
    click.echo(text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows in columns under their heads."""
    texts = [[str(cell) if cell is not None else "" for cell in row] for row in rows]
    widths = [max(len(line[column]) for line in [head, *texts]) for column in range(len(head))]
    for line in [[word.upper() for word in head], *texts]:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


class Progress:
    """How far long work has come, on standard error: one line that changes on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._told = time.monotonic()
        self._shown = 0

    def show(self, text: str) -> None:
        """Where the work stands."""
        now = time.monotonic()
        if self._watched:
            if now - self._told >= 0.1:
                click.echo("\r" + text.ljust(self._shown), nl=False, err=True)
                self._told, self._shown = now, len(text)
        elif now - self._told >= TELL_EVERY:
            click.echo(text, err=True)
            self._told = now

    def done(self) -> None:
        """The work is over: the changing line goes."""
        if self._shown:
            click.echo("\r" + " " * self._shown + "\r", nl=False, err=True)
            self._shown = 0
