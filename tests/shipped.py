"""The mappings that ship with a connector: read as the hub reads them, and carried through to its system."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub.config import ConnectionConfig
from hub.connections import Connection, Connections
from hub.flow.agreement import disagreements
from hub.flow.subject import interaction_subject
from hub.language.examples import check_examples
from hub.language.mapping import Mapping, compile_mapping
from hub.store.database import Store
from hub.store.deliveries import Delivery
from sandbox.frame import Served
from tests.stubs import Rig, put_deliveries, put_interactions
from tests.whole_hub import WholeHub, whole_hub

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "mappings" / "examples"
SETTINGS = """\
country: ES
zone: Europe/Madrid
own_numbers: ["+34911234567"]
connections:
  softphone:
    connector: softphone
    url: http://127.0.0.1:9
    token: t0ken
    secrets: ${{PATCHBAY_WEBHOOK_SECRET}}
    private_network: true
  contact_centre:
    connector: webhook
    secrets: ${{PATCHBAY_WEBHOOK_SECRET}}
"""


def names_of(connector: str) -> list[str]:
    """The names of the mappings that ship with a connector."""
    return sorted(file.stem for file in (EXAMPLES / connector).glob("*.yaml"))


def mapping_of(connector: str, name: str) -> Mapping:
    """One of them, its own examples proven."""
    file = EXAMPLES / connector / f"{name}.yaml"
    read = compile_mapping(file.read_text(), str(file), country="ES", zone="Europe/Madrid")
    check_examples(read)
    return read


def connected(name: str, connector: Any) -> Connections:
    """Connections of which one is the connector's, beside platforms of the names that shipped mappings have."""
    config = ConnectionConfig(name, connector.manifest.name, {})
    return Connections({one: Connection(one, config, connector) for one in (name, "softphone", "contact_centre")})


def agrees(connector: str, name: str, connections: Connections) -> None:
    """Fails where a mapping that ships does not fit what its system describes."""
    assert disagreements(mapping_of(connector, name), connections) == ([], "")


def facts(id: str, channel: str, **more: Any) -> dict[str, Any]:
    """What the hub knows of an inbound interaction of the softphone that is over."""
    event = {"id": f"e-{id}", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z"}
    interaction = {"id": id, "channel": channel, "direction": "inbound", "started_at": "2026-11-23T10:02:00Z",
                   "ended_at": "2026-11-23T10:05:13Z", **more.pop("interaction", {})}  # fmt: skip
    return {"connection": "softphone", "final": True, "event": event, "interaction": interaction, **more}


def delivered(store: Store, connector: Any, mapping: Mapping, *every: dict[str, Any]) -> list[Delivery]:
    """What became of interactions, each told after the one before it was delivered by the hub's own delivery."""
    here = copy.copy(mapping)
    here.target = replace(here.target, connection="crm")
    rig = Rig(store, connector, here)
    for facts in every:
        put_interactions(store, [facts])
        subject = interaction_subject("softphone", facts["interaction"]["id"])
        put_deliveries(store, {"subject": subject, "mapping": here.name})
        assert rig.deliverer.run_once("crm") == 1
    return rig.all()


@contextmanager
def hub_of(connector: str, connection: str, served: Served, folder: Path) -> Iterator[WholeHub]:
    """A whole hub with the mappings that ship with a connector, and `connection` (YAML) to its sandbox."""
    settings = (SETTINGS + connection).format(url=served.url, **served.sandbox.credentials())
    mappings = {name: (EXAMPLES / connector / f"{name}.yaml").read_text() for name in names_of(connector)}
    with whole_hub(folder, f"sqlite:///{folder}/hub.db", settings=settings, mappings=mappings) as whole:
        yield whole
