"""Partitions on a real Dask cluster: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from tests.house import Installation
from tests.postgres import PostgresServer, free_port

from ledgerline.app import App
from ledgerline.databases.database import Database
from ledgerline.errors import ClusterFault, SettingsError
from ledgerline.ingest.run import Cancel
from ledgerline.settings import load_settings
from ledgerline.sources.sample_database import write_sample

_ROWS, _PARTITION_ROWS = 3_000, 200


@contextmanager
def _process(*command: str, folder: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "cluster.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            cwd=folder,
            env={**os.environ, **environ, "PYTHONWARNINGS": "ignore"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _scheduler(folder: Path) -> Iterator[str]:
    port = free_port()
    command = ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")
    with _process(*command, folder=folder, environ={}) as process:
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert process.poll() is None, (folder / "cluster.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"


@contextmanager
def _cluster(folder: Path, environ: dict[str, str], workers: int) -> Iterator[tuple[str, list[int]]]:
    """A scheduler's address and the process ids of its workers."""
    import distributed

    with ExitStack() as stack:
        address = stack.enter_context(_scheduler(folder))
        command = (
            "worker",
            address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--host",
            "127.0.0.1",
            "--no-dashboard",
        )
        started = [
            stack.enter_context(_process(*command, folder=folder, environ=environ)) for _ in range(workers)
        ]
        with distributed.Client(f"tcp://{address}", set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address, [process.pid for process in started]


class _KillsAWorker:
    """Watches a run, and kills a worker when some partitions are done."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.killed_at = 0

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        if stage == "stage" and done >= 3 and not self.killed_at and done < total:
            psutil.Process(self._pid).kill()
            self.killed_at = done


@pytest.fixture
def house(postgres: PostgresServer, tmp_path: Path) -> Installation:
    house = Installation("postgresql", tmp_path, postgres)
    settings = load_settings(house.environ, folder=tmp_path)
    invoice = Database(settings.invoice.url)
    write_sample(invoice, settings.invoice_table, _ROWS, 3)
    invoice.close()
    return house


def test_a_cluster_that_loses_a_worker_comes_to_the_same(
    house: Installation, postgres: PostgresServer, tmp_path: Path
) -> None:
    house.ingest(partition_rows=_PARTITION_ROWS)
    expected = house.dump()
    again = Installation("postgresql", tmp_path, postgres)
    again.environ["INVOICE_DATABASE_URL"] = house.environ["INVOICE_DATABASE_URL"]
    with _cluster(tmp_path, again.environ, workers=2) as (address, pids):
        again.environ["EXECUTOR"] = f"dask://{address}"
        watcher = _KillsAWorker(pids[0])
        with again.app() as app:
            app.migrate()
            run = app.ingest(watcher, Cancel(), partition_rows=_PARTITION_ROWS)
    assert (run.status, watcher.killed_at > 0) == ("succeeded", True)
    assert again.dump() == expected


def test_workers_that_read_another_database_are_refused(house: Installation, tmp_path: Path) -> None:
    elsewhere = {**house.environ, "INVOICE_DATABASE_URL": "sqlite:////nowhere/invoice.db"}
    with _cluster(tmp_path, elsewhere, workers=1) as (address, _):
        house.environ["EXECUTOR"] = f"dask://{address}"
        with house.app() as app, pytest.raises(SettingsError, match="A worker reads"):
            app.migrate()
            app.ingest(_KillsAWorker(0), Cancel(), partition_rows=_ROWS)


def test_a_scheduler_without_workers_and_none_at_all(house: Installation, tmp_path: Path) -> None:
    def ingest(app: App) -> None:
        app.migrate()
        app.ingest(_KillsAWorker(0), Cancel())

    with _scheduler(tmp_path) as address:
        house.environ["EXECUTOR"] = f"dask://{address}"
        with house.app() as app, pytest.raises(ClusterFault, match="no worker"):
            ingest(app)
    house.environ["EXECUTOR"] = f"dask://127.0.0.1:{free_port()}"
    with house.app() as app, pytest.raises(ClusterFault, match="No Dask scheduler answers"):
        ingest(app)


def test_an_embedded_main_database_has_no_cluster(tmp_path: Path) -> None:
    house = Installation("sqlite", tmp_path, EXECUTOR="dask://127.0.0.1:8786")
    house.write_invoice([])
    with house.app() as app, pytest.raises(SettingsError, match="embedded"):
        app.ingest(_KillsAWorker(0), Cancel())
