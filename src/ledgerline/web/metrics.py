"""The figures of `GET /metrics`: those that are counted as things happen, and those that are looked up.

Names and units follow OpenTelemetry's conventions for databases and HTTP where these have one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ledgerline import __version__
from ledgerline.app import App
from ledgerline.databases.run_figures import RunFigures, run_figures
from ledgerline.errors import LedgerlineError
from ledgerline.operations.backup_manifest import Manifest
from ledgerline.operations.probe import Probe, Status
from ledgerline.url import Engine

_log = logging.getLogger(__name__)

_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60)
_REFRESH_SECONDS: Final = 15.0
_SYSTEMS: Final = {
    Engine.SQLITE: "sqlite",
    Engine.POSTGRESQL: "postgresql",
    Engine.SQLSERVER: "microsoft.sql_server",
    Engine.MYSQL: "mysql",
}


class Metrics:
    """One registry an application."""

    def __init__(
        self, app: App, probes: Iterable[Probe], last_proven: Callable[[], Manifest | None] = lambda: None
    ) -> None:
        self.registry = CollectorRegistry()
        for standard in (ProcessCollector, PlatformCollector, GCCollector):
            standard(registry=self.registry)
        self._systems = {
            name: _SYSTEMS[url.engine]
            for name, url in (("main", app.settings.main.url), ("invoice", app.settings.invoice.url))
        }
        self._queries = Histogram(
            "db_client_operation_duration_seconds",
            "How long guarded queries took.",
            ["db_system_name", "ledgerline_database", "outcome"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._requests = Histogram(
            "http_server_request_duration_seconds",
            "How long requests took until their answers were sent.",
            ["http_request_method", "http_route", "http_response_status_code"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        # Labels are looked up once: that takes longer than to count.
        self._query = cache(self._queries.labels)
        self._request = cache(self._requests.labels)
        Gauge("ledgerline_info", "Which version runs.", ["version"], registry=self.registry).labels(
            __version__
        ).set(1)
        self.figures = Figures(app, next(probe for probe in probes if probe.name == "main"))
        self.registry.register(_Looked(app, tuple(probes), self.figures, last_proven))

    def query(self, database: str, outcome: str, seconds: float | None) -> None:
        """A query is over; `seconds` is None where it did not begin."""
        self._query(self._systems[database], database, outcome).observe(seconds or 0.0)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._request(method, route, str(status)).observe(seconds)


class Figures:
    """What the main database knows of the runs, looked up in the background: nobody waits for it."""

    def __init__(self, app: App, main: Probe) -> None:
        self._app = app
        self._main = main
        self._stopping = threading.Event()
        self.last = RunFigures()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="run-figures", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            state = self._main.state
            if state is not None and state.status is not Status.DOWN:
                try:
                    self.last = run_figures(self._app.main)
                except LedgerlineError as error:
                    _log.warning("The figures of the runs cannot be read: %s.", error.code)
            self._stopping.wait(_REFRESH_SECONDS)


class _Looked(Collector):
    """Figures that are read when they are asked for; none of them asks a database."""

    def __init__(
        self,
        app: App,
        probes: tuple[Probe, ...],
        figures: Figures,
        last_proven: Callable[[], Manifest | None],
    ) -> None:
        self._app = app
        self._probes = probes
        self._figures = figures
        self._last_proven = last_proven

    def collect(self) -> Iterator[Metric]:
        yield from self._pools()
        yield from self._looks()
        yield from self._runs()
        yield from self._backups()

    def _pools(self) -> Iterator[Metric]:
        pool, limit = "db_client_connection_pool_name", self._app.settings
        counts = GaugeMetricFamily(
            "db_client_connection_count",
            "Connections of a pool.",
            labels=[pool, "db_client_connection_state"],
        )
        most = GaugeMetricFamily(
            "db_client_connection_max", "Connections that a pool may have.", labels=[pool]
        )
        for name, database in (("main", self._app.main), ("invoice", self._app.invoice)):
            idle, used = database.connections()
            counts.add_metric([name, "idle"], idle)
            counts.add_metric([name, "used"], used)
            most.add_metric([name], (limit.main if name == "main" else limit.invoice).connections)
        yield counts
        yield most
        running = GaugeMetricFamily(
            "ledgerline_queries_running", "Queries that run now.", labels=["database"]
        )
        now = [result.database for result in self._app.queries.running()]
        for name in ("main", "invoice"):
            running.add_metric([name], now.count(name))
        yield running

    def _looks(self) -> Iterator[Metric]:
        states = GaugeMetricFamily(
            "ledgerline_database_status",
            "1 for the status that a database has.",
            labels=["database", "status"],
        )
        latencies = GaugeMetricFamily(
            "ledgerline_probe_latency_seconds", "How long the last look took.", labels=["database"]
        )
        for probe in self._probes:
            state = probe.state
            for status in Status:
                states.add_metric(
                    [probe.name, status.value], float(state is not None and state.status is status)
                )
            if state is not None and state.last.latency_ms is not None:
                latencies.add_metric([probe.name], state.last.latency_ms / 1000)
        yield states
        yield latencies

    def _runs(self) -> Iterator[Metric]:
        figures = self._figures.last
        runs = CounterMetricFamily("ledgerline_runs", "Runs by kind and status.", labels=["kind", "status"])
        for (kind, status), number in figures.runs.items():
            runs.add_metric([kind, status], number)
        yield runs
        rows = CounterMetricFamily(
            "ledgerline_rows", "Rows of runs that succeeded, by what became of them.", labels=["outcome"]
        )
        for outcome, number in figures.rows.items():
            rows.add_metric([outcome], number)
        yield rows
        if figures.last_success is not None:
            yield GaugeMetricFamily(
                "ledgerline_last_success_timestamp_seconds",
                "When the last ingestion succeeded.",
                value=figures.last_success,
            )

    def _backups(self) -> Iterator[Metric]:
        proven = self._last_proven()
        if proven is not None and proven.proven_at is not None:
            yield GaugeMetricFamily(
                "ledgerline_last_proven_restore_timestamp_seconds",
                "When a backup of the main database was last restored and found good.",
                value=proven.proven_at.timestamp(),
            )
