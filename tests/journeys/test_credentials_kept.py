"""Credentials end: the hub warns before, keeps the queue while they are refused, and goes on once they are mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub import config, connections
from hub.clock import now_ms
from hub.contract import Manifest, Setting, Tools
from hub.errors import CredentialsRefused, Unavailable
from hub.flow import watch
from hub.flow.delivery.deliver import Deliverer
from hub.flow.standing import Standings
from hub.flow.watch import Watch
from hub.installed import connector_class
from hub.model import Identity, Receipt, Row, Target
from hub.store.database import Store
from tests import stubs
from tests.stubs import QUICK, Rig, StubCrm, put_calls, raising
from tests.waiting import until
from tests.whole_hub import WRAP_UP, WholeHub, whole_hub

SETTINGS = """\
country: ES
connections:
  platform:
    connector: webhook
    secrets: ${PATCHBAY_WEBHOOK_SECRET}
  crm:
    connector: guarded
    token: %s
"""
MAPPING = WRAP_UP.replace("write: activity", "write: note").replace("key: interaction_key", "key: key").replace(
    "resolve:\n  caller: { find: contact, by: { phone: customer.phone }, many: none }\n", "").replace(
    "  contact: caller.id\n", "").replace(', caller: { id: "C-1" } }', " }").replace('contact: "C-1", ', "")  # fmt: skip


class System:
    """The other side: which token it takes, till when, and what it was given."""

    def __init__(self) -> None:
        self.accepts, self.up = "first", True
        self.ends: datetime | None = None
        self.records: Counter[str] = Counter()
        self.checks = 0


class GuardedCrm:
    """A CRM with a token."""

    manifest: ClassVar[Manifest] = Manifest(
        name="guarded", title="Guarded", about="For tests.", family="crm", idempotency="native-upsert",
        settings=(Setting(name="token", about="The token.", kind="secret", required=True),),
    )  # fmt: skip
    system: ClassVar[System]

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        self._token = str(settings["token"])

    def check(self) -> Identity:
        self.system.checks += 1
        self._admit()
        return Identity(user="hub", system="guarded", expires_at=self.system.ends)

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        self._admit()
        self.system.records.update(row.key for row in rows)
        return [Receipt(key=row.key, outcome="created", id=row.key) for row in rows]

    def _admit(self) -> None:
        if not self.system.up:
            raise Unavailable("down")
        if self._token != self.system.accepts:
            raise CredentialsRefused("the token is not valid (any more)")


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    GuardedCrm.system = made = System()

    def found(name: str) -> Any:
        return GuardedCrm if name == "guarded" else connector_class(name)

    for room in (config, connections):
        monkeypatch.setattr(room, "connector_class", found)
    return made


@contextmanager
def at_work(folder: Path, url: str, token: str) -> Iterator[WholeHub]:
    """A whole hub whose deliveries go out with the tests' patience."""
    with whole_hub(folder, url, settings=SETTINGS % token, mappings={"wrap_up": MAPPING}) as hub:
        whole = hub.hub
        deliverer = Deliverer(whole.store, whole.connections, whole.mappings, whole.config, QUICK)
        deliverer.start()
        try:
            yield hub
        finally:
            deliverer.close()


def told(hub: WholeHub) -> Any:
    return hub.program.get("/connections/crm")


def alerts(hub: WholeHub) -> list[str]:
    return [one["key"] for one in hub.program.get("/alerts", open="true")["alerts"]]


# --- the journey ----------------------------------------


def test_refused_then_mended_and_all_delivered_once(store_url: str, tmp_path: Path, system: System) -> None:
    system.accepts = "second"
    with at_work(tmp_path, store_url, "first") as hub:
        for n in range(30):
            hub.take_call(f"call-{n}")
        until(lambda: told(hub)["state"] == "paused")
        until(lambda: told(hub)["queue"] == {"pending": 30, "sending": 0, "parked": 0})
        shown = told(hub)
        assert (shown["reason"], shown["credentials"]["state"]) == ("credentials_refused", "refused")
        assert alerts(hub) == ["credentials crm refused"]
        assert "mend them" in hub.program.get("/alerts")["alerts"][0]["message"]
        assert "credentials" in hub.signed_in().get("/").text
        hub.take_call("meanwhile")
        assert not system.records
    # The admin sets the new token and starts the hub again: nothing else is to be done.
    with at_work(tmp_path, store_url, "second") as hub:
        until(lambda: told(hub)["queue"]["pending"] + told(hub)["queue"]["sending"] == 0)
        assert system.records == {f"platform:{key}": 1 for key in (*(f"call-{n}" for n in range(30)), "meanwhile")}
        shown = told(hub)
        assert (shown["state"], shown["credentials"]["state"]) == ("active", "good")
        assert alerts(hub) == []
        attempts = [one["tries"] for one in hub.program.get("/deliveries", limit=100)["deliveries"]]
        assert attempts == [1] * 31  # what was refused for its credentials was no attempt


def test_mended_at_the_other_side_needs_no_hand_here(store_url: str, tmp_path: Path, system: System) -> None:
    with at_work(tmp_path, store_url, "first") as hub:
        hub.take_call("before")
        until(lambda: system.records == {"platform:before": 1})
        system.accepts = "nobody's"
        hub.take_call("between")
        until(lambda: told(hub)["credentials"]["state"] == "refused")
        system.accepts = "first"
        until(lambda: system.records == {"platform:before": 1, "platform:between": 1})
        until(lambda: told(hub)["credentials"]["state"] == "good")
        until(lambda: alerts(hub) == [])


# --- expiring ----------------------------------------


def test_an_end_that_comes_near_is_told_everywhere(store_url: str, tmp_path: Path, system: System) -> None:
    with whole_hub(tmp_path, store_url, settings=SETTINGS % "first", mappings={"wrap_up": MAPPING}) as hub:
        assert told(hub)["credentials"] == {"state": "unknown", "message": "", "expires_at": None, "checked_at": None}
        system.ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=15)
        assert hub.program.post("/connections/crm/check")["identity"]["user"] == "hub"
        assert told(hub)["credentials"]["state"] == "good" and alerts(hub) == []
        system.ends -= timedelta(days=2)
        hub.program.post("/connections/crm/check")
        shown = told(hub)["credentials"]
        assert shown["state"] == "expiring" and datetime.fromisoformat(shown["expires_at"]) == system.ends
        assert alerts(hub) == ["credentials crm expiring"]
        assert "expiring" in hub.signed_in().get("/").text
        metrics = hub.signed_in().get("/metrics").text
        assert 'patchbay_credentials_refused{connection="crm"} 0.0' in metrics
        assert 'patchbay_credentials_end_seconds{connection="crm"}' in metrics
        system.ends += timedelta(days=365)
        hub.program.post("/connections/crm/check")
        assert told(hub)["credentials"]["state"] == "good" and alerts(hub) == []


def test_an_end_comes_near_by_itself(store: Store) -> None:
    standings = Standings(store, expiring_days=14)
    rig = Rig(store, StubCrm())
    ends = datetime.now(UTC) + timedelta(days=20)
    rig.crm.check = lambda: Identity(user="u", system="s", expires_at=ends)  # type: ignore[method-assign]
    standings.check(rig.connection)
    assert standings.all()["crm"].state == "good"
    assert Standings(store, expiring_days=21).all()["crm"].state == "expiring"
    standings.refused("crm", CredentialsRefused("no"))
    refused = standings.all()["crm"]
    assert (refused.state, refused.message, refused.expires_at) == ("refused", "no", refused.expires_at)
    assert refused.expires_at is not None  # what was known of the end is not forgotten


# --- by the clock ----------------------------------------


def rounds(rig: Rig, nodes: int = 1) -> list[Watch]:
    """The watches of some nodes."""
    made = connections.Connections({"crm": rig.connection})
    return [Watch(rig.store, made, stubs.config(rig.store)) for _ in range(nodes)]


def test_asked_once_across_nodes_and_again_after_hours(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rig, asked, moment = Rig(store, StubCrm()), [], now_ms() // (6 * 3_600_000) * 6 * 3_600_000
    rig.crm.checks = lambda: asked.append(1)
    clock = [moment + 1000]
    monkeypatch.setattr(watch, "now_ms", lambda: clock[0])
    one, two = rounds(rig, 2)
    for _ in range(3):
        one.look()
        two.look()
    assert len(asked) == 1
    clock[0] += 6 * 3_600_000
    two.look()
    one.look()
    assert len(asked) == 2


def test_a_check_that_is_refused_pauses_and_one_that_is_not_answered_does_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, clock = Rig(store, StubCrm()), [now_ms()]
    monkeypatch.setattr(watch, "now_ms", lambda: clock[0])
    (watching,) = rounds(rig)

    def down() -> None:
        raise Unavailable("down")

    def refused() -> None:
        raise CredentialsRefused("no")

    rig.crm.checks = down
    watching.look()
    assert watching.standings.all() == {}
    assert not any(state.paused for state in watch.pauses.states(store).values())
    rig.crm.checks = refused
    clock[0] += 6 * 3_600_000
    watching.look()
    assert watch.pauses.states(store)["crm"].reason == "credentials_refused"
    assert watching.standings.all()["crm"].state == "refused"
    rig.crm.checks = lambda: None
    put_calls(store, "a")
    until(lambda: watch.pauses.resume(store, "crm") or rig.deliverer.run_once("crm") == 1)
    clock[0] += watch.RECHECK_MS  # refused as far as anybody knows, and not paused: it is asked again soon
    watching.look()
    assert watching.standings.all()["crm"].state == "good"


def test_a_connector_that_cannot_be_asked_is_tried_by_a_delivery(store: Store) -> None:
    crm = StubCrm()
    rig = Rig(store, crm)
    rig.connection.__dict__.update(can=lambda verb: verb != "check" and hasattr(crm, verb))
    rig.crm.faults.append(raising(CredentialsRefused("no")))
    put_calls(store, "a")
    rig.deliverer.run_once("crm")
    standings = Standings(store, 14)
    assert standings.all()["crm"].state == "refused"
    until(lambda: rig.deliverer.run_once("crm") == 1)
    assert standings.all() == {}
    assert rig.one().state == "delivered"
