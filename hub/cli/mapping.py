"""`patchbay mapping`: see what a mapping does, test it, publish it, go back."""

from __future__ import annotations

import json
import sys
from getpass import getuser
from pathlib import Path
from typing import Any

import click

from hub.assembly import Hub
from hub.cli.told import a_hub, say, table
from hub.config import Config
from hub.errors import ConfigError, nearest
from hub.flow.agreement import disagreements, notes
from hub.flow.described import Asked
from hub.flow.drafts import Draft, suggestion
from hub.flow.mappings import Published
from hub.flow.preview import Preview, facts_of_interaction, preview
from hub.language.examples import run_examples
from hub.language.mapping import Mapping, compile_mapping
from hub.language.yaml_source import read_yaml


@click.group()
def mapping() -> None:
    """Mappings: list, preview, test, suggest, publish, history, rollback, retire, export."""


@mapping.command("list")
def list_mappings() -> None:
    """Every mapping that runs."""
    with a_hub() as hub:
        table(
            ("name", "version", "from", "to", "about"),
            (
                (one.name, one.version, ",".join(one.source.connections) or "any",
                 f"{one.target.connection}/{one.target.write}", one.about)
                for one in hub.mappings.all()
            ),
        )  # fmt: skip


@mapping.command("preview")
@click.argument("name")
@click.option("--interaction", help="The platform's id of an interaction that the hub knows.")
@click.option(
    "--given", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Facts in a JSON or YAML file."
)
@click.option("--connection", help="The interaction's platform, where two have this id.")
def show_preview(name: str, interaction: str | None, given: Path | None, connection: str | None) -> None:
    """What the mapping NAME (or the file NAME.yaml) would write: every field, with where its value came from."""
    if (interaction is None) == (given is None):
        raise click.UsageError("say what with: either --interaction ID or --given FILE")
    with a_hub() as hub:
        one = _named(hub, name)
        facts = _facts(given) if given else facts_of_interaction(hub.store, interaction or "", connection)
        result = preview(one, facts, hub.connections)
    _say_preview(result)
    sys.exit(1 if result.rendered is not None and result.rendered.problems else 0)


@mapping.command("test")
@click.argument("names", nargs=-1)
def test(names: tuple[str, ...]) -> None:
    """Run the examples of every mapping that runs, or of NAMES (names or files). Exit code 1 when one fails."""
    failed = total = 0
    with a_hub() as hub:
        for one in [_named(hub, name) for name in names] or hub.mappings.all():
            results = run_examples(one)
            wrong = [result for result in results if not result.passed]
            failed, total = failed + len(wrong), total + len(results)
            say(f"{one.name}: {len(results) - len(wrong)} of {len(results)} examples hold")
            for result in wrong:
                where = f"{one.file or one.name}:{result.line}"
                click.echo(f"{where}: {result.about}: {'; '.join(result.differences)}", err=True)
    if failed:
        raise click.ClickException(f"{failed} of {total} examples fail")


@mapping.command("suggest")
@click.argument("event")
@click.option("--connection", required=True, help="The CRM that is written to.")
@click.option("--object", required=True, help="What is written there.")
@click.option("--from", "source", default="any", show_default=True, help="The connection that the events come from.")
@click.option("--name", default="", help="The mapping's name; else made of the event and the object.")
def suggest(event: str, connection: str, object: str, source: str, name: str) -> None:
    """Draft a mapping from EVENT, such as interaction.wrapped_up, by names and types; print it as YAML.

    It loads, passes `check` and has an example; what was guessed wrongly is yours to see.
    """
    with a_hub() as hub:
        made = suggested(hub, event, connection, object, source, name)
    say(made.source.rstrip())
    for what in made.to_decide:
        click.echo(f"decide: {what}", err=True)


@mapping.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--note", default="", help="Why, for the history.")
@click.option("--anyway", is_flag=True, help="Publish although the systems that it names disagree.")
def publish(file: Path, note: str, anyway: bool) -> None:
    """Publish the mapping in FILE: it is compared with the systems that it names, its examples are run, and from then on
    it runs on every node."""
    with a_hub() as hub:
        compiled = compiled_file(file, hub.config)
        disagreeing, unasked = disagreements(compiled, hub.connections)
        for one in disagreeing:
            click.echo(f"{file}:{one.line}: {one.what}", err=True)
        if disagreeing and not anyway:
            raise click.ClickException("not published; mend it, or publish it --anyway")
        told = [f"not compared with its system: {unasked}"] if unasked else []
        told += notes(compiled, hub.mappings.all(), hub.lists.on)
        try:
            done = hub.mappings.publish(compiled.text, _person(), note)
        except ConfigError as error:
            raise ConfigError(error.what, file=str(file), line=error.line) from None
    say(f"{done.name} version {done.version}" + ("" if done.changed else " runs already"))
    for note_ in told:
        say(f"  note: {note_}")


@mapping.command("retire")
@click.argument("name")
@click.option("--note", default="", help="Why, for the history.")
def retire(name: str, note: str) -> None:
    """Have nothing run under NAME any more, on any node. Its versions stay: a rollback brings it back."""
    with a_hub() as hub:
        listed = hub.mappings.current(name).source.contact_list is not None
        done = hub.mappings.retire(name, _person(), note)
        file = hub.config.mappings / f"{name}.yaml"
    say(
        f"{name} is retired by version {done.version}; `patchbay mapping rollback {name} {done.version - 1}` brings it back"
    )
    if listed:
        say("  note: the platform's list stays as it is")
    if file.exists():
        say(f"  note: {file} is still there; it counts again as soon as it changes")


@mapping.command("history")
@click.argument("name")
def history(name: str) -> None:
    """All versions of the mapping NAME, the newest first."""
    with a_hub() as hub:
        versions = hub.mappings.history(name)
        if not versions:
            hub.mappings.current(name)
    table(("version", "when", "by", "note"), ((v.version, f"{v.at:%Y-%m-%d %H:%M}", v.by, _why(v)) for v in versions))


@mapping.command("rollback")
@click.argument("name")
@click.argument("version", type=click.IntRange(1))
def rollback(name: str, version: int) -> None:
    """Publish the content of an old VERSION of NAME anew."""
    with a_hub() as hub:
        done = hub.mappings.rollback(name, version, _person())
    say(f"{done.name} version {done.version} has the content of version {version}")


@mapping.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Write every mapping that runs into FOLDER as a file."""
    with a_hub() as hub:
        for file in hub.mappings.export(folder):
            say(str(file))


def suggested(hub: Hub, event: str, connection: str, object: str, source: str, name: str) -> Draft:
    """A draft. Raises ConfigError where it cannot be, ConnectorError where the CRM does not say what it is."""
    for one in (connection, source):
        if one != "any" and one not in hub.connections:
            raise ConfigError(f'there is no connection "{one}"{nearest(one, hub.connections)}')
    return suggestion(
        event, hub.connections[connection], object, Asked(), name=name, source=source, country=hub.config.country,
        zone=hub.config.zone,
    )  # fmt: skip


def _why(version: Published) -> str:
    return ": ".join(part for part in ("retired" if version.retired else "", version.note) if part)


def compiled_file(file: Path, config: Config) -> Mapping:
    """The mapping in a file. Raises ConfigError."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("cannot be read as UTF-8 text", file=str(file)) from None
    return compile_mapping(text, str(file), country=config.country, zone=config.zone)


def _named(hub: Hub, name: str) -> Mapping:
    """The mapping that runs under `name`; else the one in the file so named, which a hub that never started has not read."""
    if name.endswith((".yaml", ".yml")):
        return compiled_file(Path(name), hub.config)
    try:
        return hub.mappings.current(name)
    except ConfigError:
        file = hub.config.mappings / f"{name}.yaml"
        if not file.exists():
            raise
        return compiled_file(file, hub.config)


def _facts(file: Path) -> dict[str, Any]:
    facts = read_yaml(file.read_text(encoding="utf-8"), str(file)).value  # JSON is YAML
    if not isinstance(facts, dict):
        raise ConfigError("facts have to be an object, such as {interaction: {channel: voice}}", file=str(file), line=1)
    return facts


def _say_preview(result: Preview) -> None:
    one = result.mapping
    say(f"{one.name} version {one.version or 'not published'} → {one.target.connection}/{one.target.write}")
    if result.skips is not None:
        say(f"  skipped: {result.skips}")
        return
    for name, records in result.found.items():
        who = ", ".join(f"{record.title} ({record.object} {record.id})" for record in records)
        say(f"  {name}: {who or 'nobody'}")
    for name, why in result.silent.items():
        say(f"  {name}: not known, for {why}")
    done = result.rendered
    if done is None:
        return
    width = max((len(name) for name in done.lineage), default=0)
    for field, came in done.lineage.items():
        steps = "".join(f" → {step}" for step in came.steps)
        raw = f" = {_short(came.raw)}" if came.steps and came.raw is not None else ""
        value = _short(came.value) if field in done.fields else "(left out)"
        say(f"  {field.ljust(width)}  {value}  ← {came.source}{raw}{steps}")
    for note in done.notes:
        say(f"  note: {note.field}: {note.text}")
    for field, what in done.problems.items():
        click.echo(f"  problem: {field}: {what}", err=True)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else text[:117] + "…"


def _person() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "the command line"
