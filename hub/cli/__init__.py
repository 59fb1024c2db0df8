"""`patchbay`: the hub from the command line. One room for each group of commands."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import version

import click

from hub.errors import PatchbayError

INTERRUPTED = 130
ROOMS = {
    "serve": "serve:serve",
    "work": "serve:work",
    "check": "check:check",
    "mapping": "mapping:mapping",
    "connection": "connection:connection",
    "list": "lists:list_",
    "directory": "directory:directory",
    "deliveries": "deliveries:deliveries",
    "alerts": "alerts:alerts",
    "read-back": "read_back:read_back",
    "token": "token:token",
    "doctor": "doctor:doctor",
    "sandbox": "sandbox:sandbox",
}


class Rooms(click.Group):
    """Opens a command's room when the command is called: nobody waits for what is not used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name."""
        return [*ROOMS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in ROOMS:
            return super().get_command(ctx, cmd_name)
        room, _, name = ROOMS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"hub.cli.{room}"), name)
        return command


@click.group(cls=Rooms, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def patchbay() -> None:
    """The connector hub between contact-centre platforms and CRMs."""


@patchbay.command("version")
def say_version() -> None:
    """Print the version."""
    click.echo(f"patchbay {version('patchbay')}")


def main() -> None:
    """Run one command. What goes wrong in an expected way is one line on standard error; the exit code says the rest."""
    try:
        sys.exit(patchbay.main(standalone_mode=False) or 0)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PatchbayError as error:
        _fail(str(error))
    except BrokenPipeError:  # `patchbay … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if not type(error).__module__.startswith("sqlalchemy."):
            raise
        cause = str(getattr(error, "orig", None) or type(error).__name__).strip()
        _fail(f"the store: {cause.splitlines()[0]}")


def _fail(what: str) -> None:
    click.echo(f"patchbay: {what}", err=True)
    sys.exit(1)
