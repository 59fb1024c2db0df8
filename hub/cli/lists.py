"""`patchbay list`: contact lists, pulled by hand."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from hub.cli.told import Progress, a_hub, say, table
from hub.errors import ConfigError
from hub.flow.lists.membership import Counts, Outcome
from hub.flow.lists.pull import ListStatus, Report


@click.group("list")
def list_() -> None:
    """Contact lists: status, pull."""


@list_.command("status")
def status() -> None:
    """Every contact list and how it stands."""
    with a_hub() as hub:
        found = [hub.lists.status(name) for name in hub.lists.names()]
    table(
        ("list", "from", "to", "on", "left out", "last run"),
        (
            (
                one.mapping,
                one.source,
                one.target,
                one.on,
                sum(one.left_out.values()),
                one.run.state if one.run else "never",
            )
            for one in found
        ),
    )


@list_.command("pull")
@click.argument("name")
@click.option("--full", is_flag=True, help="Read every member again, not only what changed.")
@click.option("--simulate", is_flag=True, help="Say what would be sent or left out and why; send nothing.")
@click.option(
    "--csv",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what became of each member into FILE, with the reason.",
)
def pull(name: str, full: bool, simulate: bool, file: Path | None) -> None:
    """Pull the contact list that the mapping NAME declares, now."""
    progress, standing = Progress(), list[ListStatus]()
    with a_hub() as hub, _written(file) as report:
        try:
            counts = hub.lists.pull(
                name,
                full=full,
                simulate=simulate,
                progress=lambda so_far: progress.show(_line(so_far)),
                report=report,
                standing=standing.append,
            )
        finally:
            progress.done()
    say(("would be: " if simulate else "") + _line(counts))
    for reason, count in sorted(counts.left_out.items(), key=lambda pair: -pair[1]):
        first = counts.examples.get(reason, [])
        say(f"  left out, {reason}: {count} ({', '.join(first)}{', …' if count > len(first) else ''})")
    for status in standing:
        say(f"  {_standing(status)}")


def _standing(status: ListStatus) -> str:
    left_out = ", ".join(f"{n} {why}" for why, n in sorted(status.left_out.items(), key=lambda pair: -pair[1]))
    return f"the whole list then: {status.on} on it; left out: {left_out or 'nobody'}"


@contextmanager
def _written(file: Path | None) -> Iterator[Report | None]:
    """Takes outcomes into `file` as CSV; member ids and reasons, no personal data."""
    if file is None:
        yield None
        return
    try:
        out = file.open("w", newline="", encoding="utf-8")
    except OSError as problem:
        raise ConfigError(f"cannot write {file}: {problem.strerror}") from None
    with out:
        rows = csv.writer(out)
        rows.writerow(("member", "outcome", "reason"))

        def write(outcomes: Sequence[Outcome]) -> None:
            rows.writerows((each.member, each.what, each.because) for each in outcomes)

        yield write


def _line(counts: Counts) -> str:
    left_out = sum(counts.left_out.values())
    gone = f"{left_out} left out, {counts.removed} removed"
    return f"{counts.read} read, {counts.sent} sent, {counts.unchanged} unchanged, {gone}"
