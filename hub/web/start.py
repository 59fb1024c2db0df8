"""The start page: how the connections are, which mappings run, what became of the last deliveries, what needs a person."""

from __future__ import annotations

from flask import Blueprint, render_template

from hub.flow import pauses
from hub.flow.subject import parts
from hub.store import deliveries
from hub.store.connection_states import ConnectionState
from hub.store.deliveries import Delivery, Filter
from hub.web.api.connections import shown
from hub.web.current import the_hub

pages = Blueprint("start", __name__)

LAST, PARKED = 12, 8


@pages.get("/")
def start() -> str:
    """How the hub is, and where to go next."""
    hub = the_hub()
    states = pauses.states(hub.store)
    with hub.store.read() as connection:
        waiting = deliveries.waiting(connection)
        last = deliveries.page(connection, Filter(), limit=LAST)
        parked = deliveries.page(connection, Filter(states=("parked",)), limit=PARKED)
    connections = [
        shown(one, states.get(name) or ConnectionState(connection=name), waiting.get(name, {}))
        for name, one in hub.connections.items()
    ]
    counts = {state: sum(one["queue"][state] for one in connections) for state in deliveries.OPEN_STATES}
    return render_template(
        "start.html",
        company=hub.config.company,
        connections=connections,
        mappings=hub.mappings.all(),
        last=[(delivery, _about(delivery)) for delivery in last],
        parked=[(delivery, _about(delivery)) for delivery in parked],
        counts=counts,
    )


def _about(delivery: Delivery) -> dict[str, str]:
    """What a delivery is about: its kind, whose, its key, and the API's road to it where there is one."""
    kind, owner, key = parts(delivery.subject)
    road = (
        f"/api/v1/interactions/{key}?connection={owner}"
        if kind == "interaction"
        else f"/api/v1/deliveries/{delivery.id}"
    )
    return {"kind": kind, "owner": owner, "key": key, "road": road}
