"""`patchbay check`: is everything that is declared right? Settings, mappings and their examples, the screen pop's table.

Offline, which is the default, no other system is called: mappings are compared with what their CRM said of itself last.
"""

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
from hub.flow.agreement import Descriptions, compared, shared_records
from hub.flow.described import Asked, Known
from hub.flow.directory.load import DirectoryPulls, directory_plan
from hub.flow.directory.rows import run_directory_examples
from hub.flow.mappings import Mappings
from hub.language.examples import run_examples
from hub.language.mapping import Mapping
from hub.store.database import Store, open_store
from hub.store.upgrade import revision_of

T = TypeVar("T")


@click.command()
@click.option(
    "--live", is_flag=True, help="Ask the CRMs what their objects are now, and compare what is published too."
)
def check(live: bool) -> None:
    """Check all settings, mappings and rules and run all examples. One line for each problem; exit code 1 with any.

    Without --live no other system is called: mappings are compared with what each CRM said of itself last.
    """
    report = Report()
    config = report.of(partial(the_config, only_look=True))
    if config is not None:
        say(f"settings: {config.file}, {len(config.connections)} connections")
        for line in config.unknown:
            report.add(line)
        store = open_store(config.database_url)
        try:
            connections = report.of(lambda: open_connections(config, store))
            comparison = None if connections is None else Comparison(connections, store, live, report)
            _check_mappings(config, comparison, report)
            if live and comparison is not None:
                _check_published(config, comparison, store, report)
            _check_directory(config, connections, store, report)
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


class Comparison:
    """Compares mappings with their CRMs, and says what does not fit in a line each."""

    def __init__(self, connections: Connections, store: Store, live: bool, report: Report) -> None:
        self._connections, self._live, self._report = connections, live, report
        self._described: Descriptions = Asked() if live else Known(store)
        self.seen: set[str] = set()  # the texts that were compared

    def of(self, mapping: Mapping, where: str) -> None:
        """Compare one mapping, whose lines are told as `where` and their number."""
        self.seen.add(mapping.text)
        found, unasked = compared(mapping, self._connections, self._described)
        for one in found:
            if one.grave:
                self._report.add(f"{where}:{one.line}: {one.what}")
            elif self._live:
                say(f"  {where}:{one.line}: it may be that {one.what}")
        if unasked and self._live:
            self._report.add(f"{where}:1: not compared with its CRM: {unasked}")
        elif unasked:
            say(f"  {mapping.name}: not compared with its CRM: {unasked}")


def _check_mappings(config: Config, comparison: Comparison | None, report: Report) -> None:
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
        if comparison is not None:
            comparison.of(mapping, str(file))
    say(f"mappings: {len(files)} in {config.mappings}, {examples} examples")


def _check_published(config: Config, comparison: Comparison, store: Store, report: Report) -> None:
    """What runs and stands in no file as it is: published by a person, or from a file that has changed since."""
    held, _ = revision_of(store)
    if held is None:
        return  # no hub has started on this store yet
    published = report.of(lambda: Mappings(store, country=config.country, zone=config.zone))
    others = [one for one in published.all() if one.text not in comparison.seen] if published is not None else []
    for mapping in others:
        comparison.of(mapping, f"{mapping.name} version {mapping.version}")
    say(f"published: {len(others)} compared that stand in no file")


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


def _check_directory(config: Config, connections: Connections | None, store: Store, report: Report) -> None:
    plan = report.of(lambda: directory_plan(config))
    if plan is None or not plan.connections:
        return
    report.of(lambda: dial_plan(config).check_directory(plan))
    if connections is not None:
        report.of(lambda: DirectoryPulls(store, connections, config, plan))
    results = run_directory_examples(plan.objects.values(), config.country)
    for example, problem in results:
        if problem:
            report.add(f"{plan.file}:{example.line}: example {example.about!r}: {problem}")
    say(f"directory: {plan.file}, {len(plan.objects)} objects, {len(results)} examples")
