"""`patchbay directory`: the customer directory, looked at and loaded by hand."""

from __future__ import annotations

import click

from hub.cli.told import Progress, a_hub, say, table
from hub.errors import ConfigError
from hub.flow.lists.membership import Counts


@click.group("directory")
def directory() -> None:
    """The customer directory: status, load, forget."""


@directory.command("status")
def status() -> None:
    """Every object, how many records are known of it, and how old that is."""
    with a_hub() as hub:
        found = hub.directory_pulls.status()
        policies = {one.connection: hub.directory.plan.policy(one.connection, "screen_pop") for one in found}
    table(
        ("object", "screen pop", "records", "entries", "age", "last pull"),
        (
            (
                f"{one.connection}/{one.object}",
                policies[one.connection] if one.declared else "no longer declared",
                one.records,
                one.entries,
                "not loaded yet" if one.age_seconds is None else in_words(one.age_seconds),
                "never" if one.run is None else f"{one.run.state}{': ' + one.run.error if one.run.error else ''}",
            )
            for one in found
        ),
    )


@directory.command("load")
@click.argument("name", required=False)
@click.option("--full", is_flag=True, help="Read every record again, not only what changed.")
def load(name: str | None, full: bool) -> None:
    """Pull the object NAME (CONNECTION/OBJECT) now; without a name, all that are declared."""
    progress = Progress()
    with a_hub() as hub:
        names = [f"directory {name}"] if name else hub.directory_pulls.names()
        if not names:
            raise ConfigError("nothing is declared: there is no directory.yaml beside the settings")
        for one in names:
            try:
                counts = hub.directory_pulls.pull(one, full=full, progress=lambda so_far: progress.show(_line(so_far)))
            finally:
                progress.done()
            say(f"{one.removeprefix('directory ')}: {_line(counts)}")
            for reason, count in sorted(counts.left_out.items()):
                say(f"  {reason}: {count} ({', '.join(counts.examples.get(reason, []))})")


@directory.command("forget")
@click.argument("name")
def forget(name: str) -> None:
    """Forget all that is known of the object NAME (CONNECTION/OBJECT), once it is no longer declared."""
    connection, _, object = name.partition("/")
    with a_hub() as hub:
        say(f"{name}: {hub.directory_pulls.forget(connection, object)} records forgotten")


def in_words(seconds: float) -> str:
    """An age for a person: `40 s`, `12 min`, `5 h`, `3 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def _line(counts: Counts) -> str:
    return f"{counts.read} read, {counts.sent} new or changed, {counts.unchanged} unchanged, {counts.removed} removed"
