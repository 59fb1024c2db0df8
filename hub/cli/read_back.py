"""`patchbay read-back`: how well the CRMs keep what is written."""

from __future__ import annotations

import click

from hub.cli.told import a_hub, say, table
from hub.store import read_back as stored


@click.command("read-back")
@click.option("--connection", help="Of this connection only.")
@click.option("--mapping", help="Of this mapping only.")
def read_back(connection: str | None, mapping: str | None) -> None:
    """Field by field: how often what was read back was kept, changed, cut or missing."""
    with a_hub() as hub, hub.store.read() as conn:
        scores = stored.scores(conn, connection=connection, mapping=mapping)
    if not scores:
        say("nothing was read back yet; `read_back: sample` on a connection switches it on")
        return
    table(
        ("connection", "mapping", "version", "field", "checked", "kept", "changed", "cut", "missing", "last"),
        (
            (one.connection, one.mapping, one.version, one.field, one.checked, f"{one.kept / one.checked:.0%}",
             one.changed, one.cut, one.missing, f"{one.last_at:%Y-%m-%d %H:%M}")
            for one in scores
        ),
    )  # fmt: skip
