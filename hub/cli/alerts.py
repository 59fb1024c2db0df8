"""`patchbay alerts`: what a person has to know now."""

from __future__ import annotations

import click

from hub.cli.told import a_hub, say, table
from hub.store import alerts as stored


@click.command()
@click.option("--all", "cleared_too", is_flag=True, help="Also those that are over.")
@click.option("--kind", "kinds", multiple=True, help="Of this kind only: drift, credentials, quota, not_kept, …")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, help="At most so many.", show_default=True)
def alerts(cleared_too: bool, kinds: tuple[str, ...], limit: int) -> None:
    """The open alerts, the newest first."""
    with a_hub() as hub, hub.store.read() as conn:
        found = stored.page(conn, open=None if cleared_too else True, kinds=kinds, limit=limit)
    if not found:
        say("no alerts")
        return
    table(
        ("raised", "seen", "cleared", "kind", "about", "what"),
        (
            (f"{one.raised_at:%Y-%m-%d %H:%M}", f"{one.seen_at:%Y-%m-%d %H:%M}",
             f"{one.cleared_at:%Y-%m-%d %H:%M}" if one.cleared_at else "",
             one.kind, " ".join(word for word in (one.connection, one.mapping, one.field) if word), one.message)
            for one in found
        ),
    )  # fmt: skip
