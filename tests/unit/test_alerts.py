"""Alerts: the same trouble is one alert while it is open, on both engines and between nodes."""

from __future__ import annotations

import threading

import pytest
import structlog
from structlog.testing import capture_logs

from hub.flow import alerts as flow
from hub.store import alerts
from hub.store.alerts import Trouble
from hub.store.database import Store
from tests.waiting import PATIENCE

GONE = Trouble(key="drift wrap_up Key__c", kind="drift", connection="crm", mapping="wrap_up", field="Key__c",
               message="Key__c is gone")  # fmt: skip


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    structlog.reset_defaults()
    flow.log = structlog.get_logger()


def opened(store: Store, **which: str) -> list[alerts.Alert]:
    with store.read() as conn:
        return alerts.opened(conn, **which)


def test_the_same_trouble_is_raised_once_and_seen_again(store: Store) -> None:
    with store.write() as conn:
        assert alerts.raise_one(conn, GONE, now=1_000)
        assert not alerts.raise_one(conn, GONE, now=2_000)
    [alert] = opened(store)
    assert (alert.raised_at.timestamp(), alert.seen_at.timestamp(), alert.cleared_at) == (1, 2, None)


def test_its_message_is_renewed_unless_it_is_to_be_kept(store: Store) -> None:
    later = Trouble(key=GONE.key, kind="drift", message="something else")
    with store.write() as conn:
        alerts.raise_one(conn, GONE, now=1)
        alerts.raise_one(conn, later, now=2, keep_message=True)
    assert opened(store)[0].message == "Key__c is gone"
    with store.write() as conn:
        alerts.raise_one(conn, later, now=3)
    assert opened(store)[0].message == "something else"


def test_what_was_cleared_may_come_back_as_a_new_alert(store: Store) -> None:
    with store.write() as conn:
        alerts.raise_one(conn, GONE, now=1_000)
        assert [one.key for one in alerts.clear(conn, [GONE.key, "another"], now=2_000)] == [GONE.key]
        assert alerts.clear(conn, [GONE.key], now=2_500) == []
        assert alerts.raise_one(conn, GONE, now=3_000)
    with store.read() as conn:
        assert [one.cleared_at is None for one in alerts.page(conn)] == [True, False]
        assert [one.raised_at.timestamp() for one in alerts.page(conn, open=False)] == [1]
        assert alerts.counts(conn) == {"drift": 1, "credentials": 0, "quota": 0, "not_kept": 0}


def test_pages_by_kind_connection_and_mapping(store: Store) -> None:
    with store.write() as conn:
        for n, (kind, connection) in enumerate([("drift", "a"), ("quota", "a"), ("drift", "b"), ("own_kind", "b")]):
            alerts.raise_one(conn, Trouble(key=str(n), kind=kind, connection=connection, message="x"), now=n)
    with store.read() as conn:
        assert [one.key for one in alerts.page(conn, kinds=["drift"])] == ["2", "0"]
        assert [one.key for one in alerts.page(conn, kinds=["drift", "quota"], connection="a")] == ["1", "0"]
        first = alerts.page(conn, limit=3)
        assert [one.key for one in alerts.page(conn, before=first[-1].id)] == ["0"]
        assert alerts.counts(conn)["own_kind"] == 1
    assert [one.key for one in opened(store, kind="drift", connection="b")] == ["2"]


def test_nodes_that_raise_it_together_make_one(store: Store) -> None:
    new: list[bool] = []
    ready = threading.Barrier(6)

    def node() -> None:
        ready.wait(PATIENCE)
        with store.write() as conn:  # in a transaction of the caller's, which must not break by it
            new.append(alerts.raise_one(conn, GONE, now=1))

    nodes = [threading.Thread(target=node) for _ in range(6)]
    for one in nodes:
        one.start()
    for one in nodes:
        one.join()
    assert sorted(new) == [False] * 5 + [True]
    assert len(opened(store)) == 1


def test_settled_means_raised_or_cleared_and_each_is_one_line_in_the_log(store: Store) -> None:
    other = Trouble(key="other", kind="drift", connection="crm", mapping="wrap_up", message="x")
    elsewhere = Trouble(key="elsewhere", kind="drift", connection="crm", mapping="another", message="x")
    with capture_logs() as logged:
        flow.settle(store, [GONE, other], kind="drift", mapping="wrap_up")
        flow.settle(store, [elsewhere], kind="drift", mapping="another")
        flow.settle(store, [GONE], kind="drift", mapping="wrap_up")
        flow.settle(store, [GONE], kind="drift", mapping="wrap_up")
    assert [one.key for one in opened(store)] == ["elsewhere", GONE.key]
    assert [(line["event"], line["key"]) for line in logged] == [
        ("alert_raised", GONE.key), ("alert_raised", "other"), ("alert_raised", "elsewhere"), ("alert_cleared", "other"),
    ]  # fmt: skip
    assert "Key__c is gone" not in str(logged)
