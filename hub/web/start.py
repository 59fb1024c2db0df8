"""The start page: how the connections are, which mappings run, what became of the last interactions, what needs a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, render_template

from hub.flow.subject import interaction_subject, parts
from hub.store import alerts, deliveries
from hub.store.deliveries import Delivery, Filter
from hub.store.listings import latest_interactions
from hub.web.api.connections import all_shown
from hub.web.api.directory import shown as in_directory
from hub.web.current import the_hub

if TYPE_CHECKING:
    from hub.store.database import Transaction

pages = Blueprint("start", __name__)

LAST, PARKED, ALERTS = 12, 8, 8
EACH = 5  # deliveries of one interaction; the API has them all


@pages.get("/")
def start() -> str:
    """How the hub is, and where to go next."""
    hub = the_hub()
    with hub.store.read() as connection:
        last = _last(connection)
        parked = deliveries.page(connection, Filter(states=("parked",)), limit=PARKED)
        raised, how_many = alerts.page(connection, open=True, limit=ALERTS), sum(alerts.counts(connection).values())
    connections = all_shown(hub)
    return render_template(
        "start.html",
        company=hub.config.company,
        connections=connections,
        mappings=hub.mappings.all(),
        directory=[in_directory(one) for one in hub.directory_pulls.status()],
        lists=[hub.lists.status(name) for name in hub.lists.names()],
        alerts=raised,
        alerts_open=how_many,
        last=last,
        parked=[(delivery, _about(delivery.subject)) for delivery in parked],
        counts={state: sum(one["queue"][state] for one in connections) for state in deliveries.OPEN_STATES},
    )


def _last(connection: Transaction) -> list[tuple[Delivery | None, dict[str, str]]]:
    """What became of the interactions that changed last: of each mapping the newest delivery. An interaction without any is
    there too: no mapping took it (yet).

    By interaction and not by delivery, for a contact list makes thousands at once and would hide everything else.
    """
    rows: list[tuple[Delivery | None, dict[str, str]]] = []
    for found in latest_interactions(connection, LAST):
        subject = interaction_subject(found.connection, found.key)
        about = _about(subject, found.channel or "interaction")
        newest = {one.mapping: one for one in deliveries.page(connection, Filter(subject=subject), limit=EACH)[::-1]}
        made = sorted(newest.values(), key=lambda one: one.id, reverse=True)
        rows += [(delivery, about) for delivery in made] or [(None, about)]
    return rows[:LAST]


def _about(subject: str, kind: str = "") -> dict[str, str]:
    """What a delivery is about: its kind, whose, its key, and the API's road to it where there is one."""
    family, owner, key = parts(subject)
    road = f"/api/v1/interactions/{key}?connection={owner}" if family == "interaction" else ""
    return {"kind": kind or family.replace("_", " "), "owner": owner, "key": key, "road": road}
