"""`patchbay deliveries`: what goes out, what is parked and why, and sending it again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from hub.cli.told import a_hub, say, table
from hub.flow.delivery.replay import replay
from hub.store import deliveries as store
from hub.store.deliveries import STATES, Delivery, Filter


class Since(click.ParamType[datetime]):
    """A moment with a zone; without one, UTC."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment that a person wrote."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f'"{value}" is not a moment; write it like 2026-11-23T10:00:00Z', param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def filtered(function: Any) -> Any:
    """The options that say which deliveries."""
    for option in reversed(
        (
            click.option("--state", type=click.Choice(STATES), multiple=True, help="Only these; several times."),
            click.option("--mapping", help="Only this mapping's."),
            click.option("--connection", help="Only those to this connection."),
            click.option("--subject", help="Only about this, such as interaction:softphone/call-1."),
            click.option("--reason", help="Only with this error's word, such as rejected."),
            click.option("--since", type=Since(), help="Only those made since, such as 2026-11-23T10:00:00Z."),
            click.option("--until", type=Since(), help="Only those made before."),
        )
    ):
        function = option(function)
    return function


@click.group()
def deliveries() -> None:
    """Deliveries: list, show, replay."""


@deliveries.command("list")
@filtered
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="At most so many.")
def list_deliveries(limit: int, state: tuple[str, ...], **which: Any) -> None:
    """The newest deliveries first."""
    with a_hub() as hub, hub.store.read() as connection:
        found = store.page(connection, Filter(states=state, **which), limit=limit)
    table(
        ("id", "state", "mapping", "about", "to", "record", "tries", "why"),
        (
            (one.id, one.state, one.mapping, one.subject, one.connection, _record(one), one.attempts, _why(one))
            for one in found
        ),
    )


@deliveries.command("show")
@click.argument("id", type=int)
def show(id: int) -> None:
    """One delivery with its attempts: what was sent and what came back."""
    with a_hub() as hub, hub.store.read() as connection:
        one = store.one(connection, id)
        if one is None:
            raise click.ClickException(f"there is no delivery {id}")
        attempts = store.attempts_of(connection, [id])[id]
    say(f"delivery {one.id}: {one.mapping} of {one.subject}, {one.state}")
    say(f"  to       {one.connection} {_record(one)}".rstrip())
    if one.record_url:
        say(f"  opens    {one.record_url}")
    if one.reason:
        say(f"  why      {_why(one)}")
        for field, what in one.reason.fields.items():
            say(f"           {field}: {what}")
    for number, attempt in enumerate(attempts, 1):
        at = f"{attempt.started_at:%Y-%m-%d %H:%M:%S}"
        say(
            f"  try {number}    {at}, {attempt.took_ms} ms, mapping version {attempt.mapping_version}: {attempt.outcome}"
        )
        if attempt.error:
            say(f"           {attempt.error.name}: {attempt.error.message}")
        for field, value in (attempt.sent or {}).items():
            say(f"           {field} = {json.dumps(value, ensure_ascii=False)}")
        for note in attempt.notes:
            say(f"           note: {json.dumps(note, ensure_ascii=False)}")


@deliveries.command("replay")
@click.argument("ids", type=int, nargs=-1)
@filtered
@click.option("--limit", default=10_000, show_default=True, type=click.IntRange(1), help="At most so many.")
def send_again(ids: tuple[int, ...], limit: int, state: tuple[str, ...], **which: Any) -> None:
    """Send deliveries again, by their IDS or by filter. By the same keys: nothing is written twice."""
    if not ids and not state and not any(which.values()):
        raise click.UsageError(
            "say which: ids, or at least one of --state, --mapping, --connection, --subject, --since"
        )
    with a_hub() as hub:
        done = replay(hub.store, Filter(ids=ids, states=state, **which), by="the command line", limit=limit)
    say(f"{done.replayed} wait to go out again" + (f", {done.collapsed} of them as one" if done.collapsed else ""))
    for id, why in sorted(done.refused.items()):
        click.echo(f"not {id}: {why}", err=True)


def _record(one: Delivery) -> str:
    return f"{one.object} {one.record_id}" if one.record_id else ""


def _why(one: Delivery) -> str:
    return f"{one.reason.name}: {one.reason.message}" if one.reason else ""
