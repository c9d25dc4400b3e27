"""The figures over HTTP: Ledgerline beside a bare route, and beside Datasette on the same file."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import psutil
from tests.postgres import free_port
from tests.serving import Service

from bench.load import Connection, latencies, percentile, request, requests_per_second
from bench.measure import MEGABYTE, ROOT, tree_cpu
from bench.workspace import Workspace, sqlite_url
from ledgerline.app import App
from ledgerline.operations.keys import Scope
from ledgerline.settings import load_settings

PAGE_ROWS: Final = 100
EXPORTED_ROWS: Final = 100_000
STREAMED_ROWS: Final = 5_000_000
SLOW_QUERIES: Final = 32

_CONNECTIONS: Final = 4  # as many queries as a key may run at once
_SECONDS: Final = 4.0  # of each side of a pair
_WARM_SECONDS: Final = 1.0
_HEALTH_RATE: Final = 20.0  # a second
_IDLE_REQUESTS: Final = 400
_LONGEST_LOAD: Final = 1_200.0  # seconds
_MAKING: Final = 0.1  # seconds that it takes to make a process, amply
_COLUMNS: Final = "contactid, contact_person_name, contact_no, contact_person_email, designation, status"
_DATASETTE: Final = ROOT / ".venv" / "compared" / "bin" / "datasette"


class Benched(Service):
    program = ("-m", "bench.served")


@dataclass(frozen=True, slots=True)
class Side:
    """A server that is asked, and the bytes of the request."""

    process: int
    port: int
    asked: bytes

    def rate(self, seconds: float) -> tuple[float, float]:
        """Answers a second, and CPU-seconds of its processes for each."""
        before = tree_cpu(psutil.Process(self.process))
        rate = requests_per_second(self.port, self.asked, seconds, _CONNECTIONS)
        return rate, (tree_cpu(psutil.Process(self.process)) - before) / (rate * seconds)

    def seconds(self) -> float:
        """Until the whole of one answer is there."""
        one = Connection(self.port)
        try:
            return one.ask(self.asked)
        finally:
            one.close()


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure of this page, see `figures.Measured`."""

    name: str
    value: float
    note: str
    details: Mapping[str, Any] = field(default_factory=dict)


class OverHttp:
    def __init__(self, workspace: Workspace, rows: int, pairs: int, tell: Callable[[str], None]) -> None:
        self._work = workspace
        self._rows = rows
        self._pairs = pairs
        self._tell = tell

    # -- how quick an answer is -------------------------------------------------------------------------

    def health(self) -> list[Compared]:
        with self._service(self._embedded()) as service:
            bare, *others = (
                Side(service.process.pid, service.port, request("GET", service.port, path))
                for path in ("/bare", "/health", "/health/database")
            )
            return [
                self._rates(name, other, bare)
                for name, other in zip(("health", "health_database"), others, strict=True)
            ]

    def queries(self) -> list[Compared]:
        """A page and an export, both of the same table of the same file."""
        sample = self._work.sqlite_sample(EXPORTED_ROWS)
        table = self._work.layout.table.name
        page = f"SELECT {_COLUMNS} FROM {table} WHERE contactid > :after ORDER BY contactid LIMIT {PAGE_ROWS}"
        export = f"SELECT {_COLUMNS} FROM {table}"
        with self._service(self._embedded(sample)) as service, _datasette(sample) as theirs:
            ours = _asking(service, page, params={"after": 5_000})
            paged = [
                self._rates("page", ours, _table_page(theirs, sample, table)),
                self._rates(
                    "page_sql", ours, _asking_datasette(theirs, sample, page, after="5000", _shape="arrays")
                ),
            ]
            exported = self._exports(
                _asking(service, export, accept="application/x-ndjson", maxRows=EXPORTED_ROWS),
                _asking_datasette(theirs, sample, export, _shape="array", _nl="on"),
            )
            return [*paged, exported]

    def _rates(self, name: str, side: Side, reference: Side) -> Compared:
        """Answers a second of both sides in turn."""
        for one in (side, reference):
            one.rate(_WARM_SECONDS)
        runs = []
        for number in range(self._pairs):
            (other, other_cpu), (rate, cpu) = reference.rate(_SECONDS), side.rate(_SECONDS)
            runs.append(
                {"rate": rate, "reference": other, "ratio": rate / other, "cpuRatio": other_cpu / cpu}
            )
            self._tell(
                f"{name} {number + 1}/{self._pairs}: {rate:.0f}/s ÷ {other:.0f}/s,"
                f" CPU {1e6 * cpu:.0f} ÷ {1e6 * other_cpu:.0f} µs"
            )
        return _medians(name, runs, "answers/s")

    def _exports(self, side: Side, reference: Side) -> Compared:
        runs = []
        for number in range(-1, self._pairs):  # the first warms both, and is not counted
            other, rate = (EXPORTED_ROWS / one.seconds() for one in (reference, side))
            if number >= 0:
                runs.append({"rate": rate, "reference": other, "ratio": rate / other})
                self._tell(f"ndjson {number + 1}/{self._pairs}: {rate:.0f} ÷ {other:.0f} rows/s")
        return _medians("ndjson", runs, "rows/s")

    # -- while much else goes on ------------------------------------------------------------------------

    def busy(self) -> list[Compared]:
        """The answers of /health while slow queries run and the sample is ingested, all on PostgreSQL."""
        sample = self._work.postgres_sample(self._rows)
        ratios, runs = [], []
        for number in range(self._pairs):
            url = self._work.server.create_database("main")
            settings = {
                "DATABASE_URL": url,
                "INVOICE_DATABASE_URL": self._work.server.url(sample),
                "REQUEST_TIMEOUT": "1200000",
                "DB_TIMEOUT": "1200000",
                "DB_ACQUIRE_TIMEOUT": "1200000",
            }
            with self._service(settings, migrate=True) as service:
                run = self._busy_once(service)
            runs.append(run)
            ratios.append(run["busyP99"] / run["idleP99"])
            self._tell(
                f"busy {number + 1}/{self._pairs}: p99 {1000 * run['busyP99']:.1f} ms"
                f" ÷ {1000 * run['idleP99']:.1f} ms"
            )
        busy, idle = (1000 * statistics.median(run[side] for run in runs) for side in ("busyP99", "idleP99"))
        note = f"{busy:.1f} ms ÷ {idle:.1f} ms; {SLOW_QUERIES} queries, {self._rows:,} rows"
        return [Compared("busy", statistics.median(ratios), note, {"runs": runs})]

    def _busy_once(self, service: Service) -> dict[str, float]:
        health = request("GET", service.port, "/health")
        idle = latencies(service.port, health, _HEALTH_RATE, _IDLE_REQUESTS)
        slow = _slow_queries(service, self._work.table)
        try:
            service.post("/ingestion/invoice/run?wait=0").raise_for_status()
            busy: list[float] = []
            end = time.monotonic() + _LONGEST_LOAD
            while (status := service.get("/ingestion/runs/latest").json()["status"]) in (
                "running",
                "writing",
            ):
                busy += latencies(service.port, health, _HEALTH_RATE, int(_HEALTH_RATE))
                if time.monotonic() > end:
                    raise RuntimeError("The ingestion does not end.")
            if status != "succeeded":
                raise RuntimeError(f"The run under load is {status}.")
        finally:
            for one in slow:
                one.close()
        return {
            "idleP99": percentile(idle, 0.99),
            "busyP99": percentile(busy, 0.99),
            "busyMedian": percentile(busy, 0.5),
            "requests": len(busy),
        }

    def stream(self) -> list[Compared]:
        """Memory of the service and the processes that it started, while millions of rows go out."""
        rows = min(STREAMED_ROWS, 5 * self._rows)
        sample = self._work.sqlite_sample(EXPORTED_ROWS)
        table, times = self._work.layout.table.name, rows // EXPORTED_ROWS
        query = (
            f"SELECT {', '.join('c.' + name for name in _COLUMNS.split(', '))} FROM {table} AS c"
            f" CROSS JOIN (SELECT contactid FROM {table} ORDER BY contactid LIMIT {times}) AS t"
        )
        peaks = []
        for number in range(self._pairs):
            with self._service(self._embedded(sample, DB_TIMEOUT="1200000")) as service:
                _asking(service, query, accept="application/x-ndjson", maxRows=1_000).seconds()
                whole = _asking(service, query, accept="application/x-ndjson", maxRows=rows)
                idle = _resident(service.process.pid)
                with _peak(service.process.pid) as peak:
                    seconds = whole.seconds()
            peaks.append((peak[0] - idle) / MEGABYTE)
            self._tell(f"stream {number + 1}/{self._pairs}: {peaks[-1]:.1f} MB, {rows / seconds:.0f} rows/s")
        note = f"the highest of {len(peaks)}; {rows:,} rows as NDJSON"
        return [Compared("stream", max(peaks), note, {"megabytes": peaks})]

    # -- services -----------------------------------------------------------------------------------------

    def _embedded(self, invoice: Path | None = None, **settings: str) -> dict[str, str]:
        invoice = invoice or self._work.sqlite_sample(EXPORTED_ROWS)
        return {"INVOICE_DATABASE_URL": sqlite_url(invoice), **settings}

    @contextmanager
    def _service(self, settings: Mapping[str, str], *, migrate: bool = False) -> Iterator[Service]:
        folder = self._work.folder / "service"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "data").mkdir(parents=True)
        if migrate:
            app = App(load_settings(dict(settings), folder))
            app.migrate()
            app.close()
        with Benched(folder, **{"PYTHONPATH": str(ROOT), **settings}) as service:
            yield service


def _asking(
    service: Service, query: str, *, accept: str = "application/json", key: str | None = None, **body: Any
) -> Side:
    headers = {"X-API-Key": key or str(service.key), "Accept": accept}
    asked = request("POST", service.port, "/database/query/invoice", headers, {"query": query, **body})
    return Side(service.process.pid, service.port, asked)


def _asking_datasette(served: Side, database: Path, query: str, **options: str) -> Side:
    path = f"/{database.stem}.json?{urlencode({'sql': query, **options})}"
    return replace(served, asked=request("GET", served.port, path))


def _table_page(served: Side, database: Path, table: str) -> Side:
    """The same rows as Datasette pages through a table, without facets and counts, which are its default."""
    wanted = {"_size": PAGE_ROWS, "_next": 5_000, "_shape": "array", "_nofacet": 1, "_nocount": 1}
    options = urlencode([*wanted.items(), *(("_col", name) for name in _COLUMNS.split(", "))])
    return replace(served, asked=request("GET", served.port, f"/{database.stem}/{table}.json?{options}"))


def _slow_queries(service: Service, table: str) -> list[Connection]:
    """So many queries that none ends while it is measured, each asked over a connection of its own."""
    app = App(load_settings(service.settings, service.folder))
    try:
        keys = [app.keys.create(f"slow-{n}", {Scope.QUERY})[1] for n in range(SLOW_QUERIES // 4)]
    finally:
        app.close()
    query = (
        f"SELECT count(*) AS n FROM {table} AS a CROSS JOIN {table} AS b WHERE a.contact_no < b.contact_no"
    )
    found = []
    for place in range(SLOW_QUERIES):
        one = Connection(service.port)
        one.send(_asking(service, query, key=keys[place % len(keys)]).asked)
        found.append(one)
    return found


@contextmanager
def _datasette(database: Path) -> Iterator[Side]:
    """Raises RuntimeError when it is not installed or does not start."""
    if not _DATASETTE.exists():
        raise RuntimeError("Datasette is not installed: run make bench, which does that.")
    port = free_port()
    settings = ("max_returned_rows", str(EXPORTED_ROWS), "sql_time_limit_ms", "60000")
    options = [
        part for pair in zip(settings[::2], settings[1::2], strict=True) for part in ("--setting", *pair)
    ]
    command = [str(_DATASETTE), "serve", str(database), "--port", str(port), *options]
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        stack.callback(process.terminate)
        served = Side(process.pid, port, request("GET", port, "/-/versions.json"))
        _wait_for(served, process)
        yield served


def _wait_for(served: Side, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            served.seconds()
        except (OSError, RuntimeError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("Datasette does not start.")


def _medians(name: str, runs: list[dict[str, float]], unit: str) -> Compared:
    rate, reference = (statistics.median(run[side] for run in runs) for side in ("rate", "reference"))
    note = f"{rate:,.0f} ÷ {reference:,.0f} {unit}"
    if "cpuRatio" in runs[0]:
        note += f"; of the CPU-seconds an answer {statistics.median(run['cpuRatio'] for run in runs):.2f} ×"
    return Compared(name, statistics.median(run["ratio"] for run in runs), note, {"runs": runs})


def _resident(pid: int) -> int:
    """Bytes of a process and its children, but those just being made, which have their parent's memory."""
    process = psutil.Process(pid)
    total, made = process.memory_info().rss, time.time() - _MAKING
    for one in process.children(recursive=True):
        try:
            total += one.memory_info().rss if one.create_time() < made else 0
        except psutil.NoSuchProcess:
            continue
    return total


@contextmanager
def _peak(pid: int) -> Iterator[list[int]]:
    """The highest resident memory meanwhile, in bytes, complete at the end."""
    peak = [0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            peak[0] = max(peak[0], _resident(pid))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
