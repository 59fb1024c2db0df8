"""`patchbay`: the hub from the command line. One room for each group of commands."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version

import click
from sqlalchemy.exc import SQLAlchemyError

from hub.cli.check import check
from hub.cli.connection import connection
from hub.cli.deliveries import deliveries
from hub.cli.doctor import doctor
from hub.cli.lists import list_
from hub.cli.mapping import mapping
from hub.cli.sandbox import sandbox
from hub.cli.serve import serve, work
from hub.cli.token import token
from hub.errors import PatchbayError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def patchbay() -> None:
    """The connector hub between contact-centre platforms and CRMs."""


@patchbay.command("version")
def say_version() -> None:
    """Print the version."""
    click.echo(f"patchbay {version('patchbay')}")


for command in (serve, work, check, mapping, connection, list_, deliveries, token, doctor, sandbox):
    patchbay.add_command(command)


def main() -> None:
    """Run one command. What goes wrong in an expected way is one line on standard error; the exit code says the rest."""
    try:
        sys.exit(patchbay.main(standalone_mode=False) or 0)
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PatchbayError as error:
        click.echo(f"patchbay: {error}", err=True)
        sys.exit(1)
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        click.echo(f"patchbay: the store: {cause}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # `patchbay … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
