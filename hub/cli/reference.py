"""The command line as a page of the manual."""

from __future__ import annotations

from collections.abc import Iterator

import click

from hub.cli import patchbay


def cli_reference() -> str:
    """Every command with its arguments and options."""
    head = (
        "# Command line\n\nErrors are one line on standard error. Exit codes: 0, 1 (it failed), 2 (called wrongly).\n"
    )
    return head + "".join(_pages(patchbay, "patchbay"))


def _pages(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _pages(inner, f"{path} {name}")
        return
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    yield f"\n## `{path}`\n\n    {usage}\n\n{command.help or ''}\n"
    options = [
        parameter.get_help_record(context) for parameter in command.params if isinstance(parameter, click.Option)
    ]
    lines = [f"- `{record[0]}`: {record[1]}\n" for record in options if record is not None]
    if lines:
        yield "\n" + "".join(lines)
