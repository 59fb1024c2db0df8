"""`patchbay token`: who may use the API."""

from __future__ import annotations

import click

from hub.cli.told import a_hub, say, table
from hub.store.access import SCOPES


@click.group()
def token() -> None:
    """API tokens: make, list, revoke."""


@token.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help=f"What it may do; several times. {', '.join(SCOPES)}."
)
def create(name: str, scopes: tuple[str, ...]) -> None:
    """Make a token and print it, this once."""
    with a_hub() as hub:
        made = hub.access.create_token(name, scopes)
    click.echo("Keep it: it is not shown again.", err=True)
    say(made)


@token.command("list")
def list_tokens() -> None:
    """Every token, without its secret."""
    with a_hub() as hub:
        table(
            ("name", "scopes", "since"),
            ((one.name, " ".join(one.scopes), f"{one.created_at:%Y-%m-%d %H:%M}") for one in hub.access.tokens()),
        )


@token.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Take a token away: whoever shows it is a stranger from now on."""
    with a_hub() as hub:
        if not hub.access.revoke(name):
            known = ", ".join(one.name for one in hub.access.tokens()) or "none"
            raise click.ClickException(f'there is no token "{name}"; there are: {known}')
    say(f"revoked {name}")
