"""`patchbay check`: is everything that is declared right? Settings, mappings and their examples, the screen pop's table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

from hub.cli.mapping import compiled_file
from hub.cli.told import say, the_config
from hub.config import Config
from hub.connections import Connections, open_connections
from hub.desk.dial_plan import dial_plan
from hub.desk.rules import run_screen_pop_examples, table_of
from hub.errors import ConfigError
from hub.flow.agreement import disagreements, shared_records
from hub.language.examples import run_examples
from hub.language.mapping import Mapping
from hub.store.database import open_store

T = TypeVar("T")


@click.command()
def check() -> None:
    """Check all settings, mappings and rules and run all examples. One line for each problem; exit code 1 with any."""
    report = Report()
    config = report.of(partial(the_config, only_look=True))
    if config is not None:
        say(f"settings: {config.file}, {len(config.connections)} connections")
        for line in config.unknown:
            report.add(line)
        store = open_store(config.database_url)
        try:
            connections = report.of(lambda: open_connections(config, store))
            _check_mappings(config, connections, report)
        finally:
            store.close()
        _check_desk(config, report)
    if report.problems:
        raise click.ClickException(f"{report.problems} problem{'s' if report.problems > 1 else ''}")
    say("all right")


class Report:
    """Counts the problems and says each in a line."""

    def __init__(self) -> None:
        self.problems = 0

    def add(self, line: str) -> None:
        """One problem."""
        self.problems += 1
        click.echo(line, err=True)

    def of(self, made: Callable[[], T]) -> T | None:
        """What `made` gives, or None with its problem told."""
        try:
            return made()
        except ConfigError as error:
            self.add(str(error))
            return None


def _check_mappings(config: Config, connections: Connections | None, report: Report) -> None:
    files = sorted(config.mappings.glob("*.yaml"))
    if not config.mappings.is_dir():
        report.add(f"{config.mappings}: there is no such folder; PATCHBAY_MAPPINGS or `mappings` names it")
    examples = 0
    named: dict[str, Path] = {}
    read: list[Mapping] = []
    for file in files:
        mapping = report.of(partial(compiled_file, file, config))
        if mapping is None:
            continue
        if mapping.name in named:
            report.add(f"{file}:1: the mapping {mapping.name} is in {named[mapping.name]} already")
        named[mapping.name] = file
        for line, what in shared_records(mapping, read):
            say(f"  {file}:{line}: note: {what}")
        read.append(mapping)
        results = run_examples(mapping)
        examples += len(results)
        for result in results:
            if not result.passed:
                report.add(f"{file}:{result.line}: example {result.about!r}: {'; '.join(result.differences)}")
        if connections is not None:
            _check_agreement(file, mapping, connections, report)
    say(f"mappings: {len(files)} in {config.mappings}, {examples} examples")


def _check_agreement(file: Path, mapping: Mapping, connections: Connections, report: Report) -> None:
    problems, unasked = disagreements(mapping, connections)
    for line, problem in problems:
        report.add(f"{file}:{line}: {problem}")
    if unasked:
        say(f"  {mapping.name}: not compared with its CRM: {unasked}")


def _check_desk(config: Config, report: Report) -> None:
    report.of(lambda: dial_plan(config))
    file = config.screen_pop_file
    if file is None:
        say("screen pop: no decision table, the defaults hold")
        return
    report.of(lambda: table_of(config))
    results = report.of(lambda: run_screen_pop_examples(file)) or []
    for result in results:
        if result.problem:
            report.add(f"{result.file}:{result.line}: example {result.about!r}: {result.problem}")
    say(f"screen pop: {file}, {len(results)} examples")
