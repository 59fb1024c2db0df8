"""/metrics for Prometheus: what came in, what waits, what came out. Names of connections, never a person's data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from hub.clock import now, now_ms
from hub.flow.delivery import pauses
from hub.flow.forecast import forecasts
from hub.store import alerts, deliveries, directory
from hub.store.listings import oldest_due

if TYPE_CHECKING:
    from hub.assembly import Hub

pages = Blueprint("metrics", __name__)
EXTENSION = "metrics"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0)


class Metrics:
    """One hub's metrics in a registry of their own."""

    def __init__(self, hub: Hub) -> None:
        self.registry = CollectorRegistry()
        self.hooks = Counter(
            "patchbay_hooks", "Hooks by connection and answer", ["connection", "answer"], registry=self.registry
        )
        self.requests = Histogram(
            "patchbay_request_seconds", "API and page requests by endpoint", ["endpoint"], registry=self.registry,
            buckets=BUCKETS,
        )  # fmt: skip
        self.screen_pops = Histogram(
            "patchbay_screen_pop_seconds", "Screen pops", registry=self.registry, buckets=BUCKETS
        )
        Gauge("patchbay_up_since_seconds", "When this process started", registry=self.registry).set(time.time())
        self.registry.register(HubCollector(hub))

    def took(self, endpoint: str, seconds: float) -> None:
        """A request was answered."""
        self.requests.labels(endpoint).observe(seconds)

    def popped(self, endpoint: str, seconds: float) -> None:
        """A screen pop was answered."""
        self.took(endpoint, seconds)
        self.screen_pops.observe(seconds)


class HubCollector(Collector):
    """What the store and the workers know, read when somebody asks."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def describe(self) -> list[Any]:
        """Nothing in advance: the store may not answer when the registry asks."""
        return []

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Read the store once."""
        with self._hub.store.read() as connection:
            waiting, due = deliveries.waiting(connection), oldest_due(connection)
            raised = alerts.counts(connection)
        states = pauses.states(self._hub.store)
        at = now_ms()
        open_deliveries = GaugeMetricFamily(
            "patchbay_deliveries", "Deliveries that are not done, by target and state", labels=["connection", "state"]
        )
        age = GaugeMetricFamily(
            "patchbay_queue_age_seconds", "How long the oldest due delivery has waited", labels=["connection"]
        )
        paused = GaugeMetricFamily(
            "patchbay_connection_paused", "1 while a connection is paused", labels=["connection"]
        )
        for name in self._hub.connections:
            for state in deliveries.OPEN_STATES:
                open_deliveries.add_metric([name, state], waiting.get(name, {}).get(state, 0))
            age.add_metric([name], max(0, at - due[name]) / 1000 if name in due else 0)
            paused.add_metric([name], 1 if name in states and states[name].state == "paused" else 0)
        open_alerts = GaugeMetricFamily("patchbay_alerts", "Open alerts by kind", labels=["kind"])
        for kind, count in raised.items():
            open_alerts.add_metric([kind], count)
        attempts = CounterMetricFamily(
            "patchbay_attempts", "Attempts of this process, by target and outcome", labels=["connection", "outcome"]
        )
        for (name, outcome), count in sorted(self._hub.deliverer.tally.items()):
            attempts.add_metric([name, outcome], count)
        calls = CounterMetricFamily("patchbay_calls", "Calls of this process to a connection", labels=["connection"])
        for name, count in sorted(self._hub.deliverer.calls.items()):
            calls.add_metric([name], count)
        yield from (open_deliveries, age, paused, open_alerts, attempts, calls)
        yield from self._budgets()
        yield from self._directory(at)

    def _budgets(self) -> Iterator[GaugeMetricFamily]:
        """What is left of each day's calls, when they end, and how long credentials last."""
        left = GaugeMetricFamily("patchbay_calls_left", "Calls left of the day, by lane", labels=["connection", "lane"])
        limit = GaugeMetricFamily("patchbay_calls_limit", "The limit of calls that ends first", labels=["connection"])
        ends = GaugeMetricFamily(
            "patchbay_calls_end_seconds", "In how long the day's calls end at the present rate, where they do",
            labels=["connection"],
        )  # fmt: skip
        refused = GaugeMetricFamily(
            "patchbay_credentials_refused", "1 while credentials are refused", labels=["connection"]
        )
        expire = GaugeMetricFamily(
            "patchbay_credentials_end_seconds", "In how long credentials end, where it is known", labels=["connection"]
        )
        moment = now()
        for name, told in forecasts(self._hub.store, self._hub.connections).items():
            if told.limit is not None:
                limit.add_metric([name], told.limit)
            for lane, calls in (told.room or {}).items():
                left.add_metric([name, lane], calls)
            if told.ends_at is not None:
                ends.add_metric([name], (told.ends_at - moment).total_seconds())
        for name, standing in self._hub.watch.standings.all().items():
            refused.add_metric([name], standing.state == "refused")
            if standing.expires_at is not None:
                expire.add_metric([name], (standing.expires_at - moment).total_seconds())
        yield from (left, limit, ends, refused, expire)

    def _directory(self, now: int) -> Iterator[GaugeMetricFamily]:
        labels = ["connection", "object"]
        entries = GaugeMetricFamily(
            "patchbay_directory_entries", "Numbers, addresses and keys that the directory knows", labels=labels
        )
        age = GaugeMetricFamily(
            "patchbay_directory_age_seconds", "How old the directory is; absent until it is loaded", labels=labels
        )
        with self._hub.store.read() as connection:
            known = directory.sources(connection)
        for one in known:
            entries.add_metric([one.connection, one.object], one.entries)
            if one.fresh_at is not None:
                age.add_metric([one.connection, one.object], max(0, now - one.fresh_at) / 1000)
        yield from (entries, age)


def prepare(app: Flask, hub: Hub) -> None:
    """Measure the requests of `app`."""
    measured = app.extensions[EXTENSION] = Metrics(hub)

    @app.before_request
    def _begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def _end(response: Response) -> Response:
        if request.endpoint and "began" in g:
            measured.took(request.endpoint, time.perf_counter() - g.began)
        return response


def metrics_of(app: Flask) -> Metrics | None:
    """The metrics of `app`, for the roads beside it; None where it measures nothing."""
    return app.extensions.get(EXTENSION)


@pages.get("/metrics")
def scrape() -> Response:
    """The text that Prometheus reads."""
    return Response(generate_latest(current_app.extensions[EXTENSION].registry), content_type=CONTENT_TYPE_LATEST)
