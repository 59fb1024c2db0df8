"""What a mapping would write, field by field, with where each value came from. Looks people up, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from hub.connections import Connections
from hub.contract import Finds
from hub.errors import ConnectorError, PatchbayError
from hub.flow.delivery.calls import unpaced
from hub.language.mapping import Mapping, Rendered
from hub.model import Record
from hub.store.database import Store
from hub.store.listings import interactions_by_key


class PreviewError(PatchbayError):
    """Facts that cannot be had: no such interaction, or two platforms have it."""


@dataclass(frozen=True)
class Preview:
    """What would be written, or why nothing would. `silent` names look-ups that a CRM did not answer."""

    mapping: Mapping
    skips: str | None
    found: MappingOf[str, list[Record]] = field(default_factory=dict)
    rendered: Rendered | None = None
    silent: MappingOf[str, str] = field(default_factory=dict)


def facts_of_interaction(store: Store, key: str, of: str | None = None) -> dict[str, Any]:
    """The facts of one interaction, as a mapping reads them. Raises PreviewError."""
    with store.read() as connection:
        rows = interactions_by_key(connection, key, of)
    if not rows:
        raise PreviewError(f'there is no interaction "{key}"' + (f" on {of}" if of else ""))
    if len(rows) > 1:
        names = ", ".join(row.connection for row in rows)
        raise PreviewError(f'several connections have an interaction "{key}": say which ({names})')
    facts: dict[str, Any] = msgspec.json.decode(rows[0].facts)
    return facts


def preview(mapping: Mapping, facts: MappingOf[str, Any], connections: Connections | None) -> Preview:
    """What `mapping` makes of `facts`. Where the facts already hold a resolved name, or without connections, nobody is
    looked up."""
    why = mapping.skips(facts)
    if why is not None:
        return Preview(mapping, why)
    found: dict[str, list[Record]] = {}
    silent: dict[str, str] = {}
    target = connections.get(mapping.target.connection) if connections is not None else None
    if target is not None and isinstance(target.connector, Finds):
        for name, lookups in mapping.lookups(facts).items():
            if name in facts:
                continue
            try:
                answers = unpaced(partial(target.connector.find, lookups)) if lookups else []
            except ConnectorError as error:
                silent[name] = f"{target.name}: {error}"
                continue
            found[name] = list(next((records for records in answers if records), []))
    return Preview(mapping, None, found, mapping.render(facts, found, explain=True), silent)
