"""`ledgerline cancel` and `runs --watch` on runs that another process works on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.forking import run_ledgerline
from tests.house import Installation, check_tables

from ledgerline.databases import going, runs
from ledgerline.databases.schema import ingestion_runs, leases, run_progress
from ledgerline.ingest.run import Cancel
from ledgerline.ingest.scope import Wanted
from ledgerline.sources.sample_database import write_sample

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def sampled(house: Installation) -> Installation:
    with house._invoice() as invoice:
        write_sample(invoice, house.settings.invoice_table, 800, 5)
    with house.app() as app:
        app.migrate()
    return house


def _environ(house: Installation) -> dict[str, str]:
    return {**os.environ, **house.environ, "SECONDS_A_PARTITION": "2", "PYTHONPATH": str(_ROOT)}


@contextmanager
def _worker(house: Installation, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of several slow partitions, in a process of its own, that has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.slow_worker", "ingest", "{}"],
        cwd=folder,
        env=_environ(house),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"opened": 1}
        yield process
    finally:
        process.kill()
        process.communicate()


def _ledgerline(
    house: Installation, folder: Path, *arguments: str, code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = run_ledgerline(folder, arguments, _environ(house))
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def test_a_run_is_cancelled_from_another_process(sampled: Installation, tmp_path: Path) -> None:
    with _worker(sampled, tmp_path) as worker:
        asked = json.loads(_ledgerline(sampled, tmp_path, "cancel", "--json").stdout)
        assert (asked["runId"], asked["status"]) == (1, "running")
        assert worker.wait(timeout=60) == 130
    (run,) = sampled.runs()
    assert (run.status, run.error_code, run.resumable) == ("cancelled", "cancelled", True)
    assert not sampled.table("contacts")
    refused = _ledgerline(sampled, tmp_path, "cancel", "1", code=1)
    assert "Run 1 has ended: cancelled" in refused.stderr
    assert "No run is going" in _ledgerline(sampled, tmp_path, "cancel", code=1).stderr
    assert "There is no run 9" in _ledgerline(sampled, tmp_path, "cancel", "9", code=2).stderr
    gone_on = sampled.ingest(partition_rows=100)  # the old request is forgotten
    assert (gone_on.id, gone_on.status) == (1, "succeeded")


def test_a_run_is_watched_to_its_end(sampled: Installation, tmp_path: Path) -> None:
    with _worker(sampled, tmp_path) as worker:
        as_json = subprocess.Popen(
            [sys.executable, "-m", "ledgerline", "runs", "--watch", "--json"],
            cwd=tmp_path,
            env=_environ(sampled),
            stdout=subprocess.PIPE,
            text=True,
        )
        shown = _ledgerline(sampled, tmp_path, "runs", "--watch")
        documents = [json.loads(line) for line in as_json.communicate(timeout=60)[0].splitlines()]
        assert worker.wait(timeout=60) == 0
    lines = [line for line in shown.stderr.splitlines() if " partitions" in line]
    assert len(lines) > 1, shown.stderr
    assert "rows/s" in lines[-1]
    assert "Run 1 succeeded" in shown.stdout
    assert "rows read" in shown.stdout
    assert as_json.returncode == 0
    assert [document["runId"] for document in documents] == [1] * len(documents)
    assert (documents[0]["status"], documents[-1]["status"]) == ("running", "succeeded")
    afterwards = _ledgerline(sampled, tmp_path, "runs", "--watch")
    assert "No run is going" in afterwards.stderr
    assert "Run 1 succeeded" in afterwards.stdout
    check_tables(sampled)


def test_a_run_whose_process_died_is_interrupted(sampled: Installation, tmp_path: Path) -> None:
    with _worker(sampled, tmp_path) as worker:
        watching = subprocess.Popen(
            [sys.executable, "-m", "ledgerline", "runs", "--watch"],
            cwd=tmp_path,
            env=_environ(sampled),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert watching.stderr is not None
        assert "ingest 1" in watching.stderr.readline()
        worker.send_signal(signal.SIGKILL)  # and nobody has asked how it ended: it is a zombie
        assert "the next ingest goes on with it" in watching.communicate(timeout=60)[1]
        assert watching.returncode == 1
        assert "interrupted" in _ledgerline(sampled, tmp_path, "runs").stdout
        (document,) = json.loads(_ledgerline(sampled, tmp_path, "runs", "--json").stdout)
        assert document["status"] == "running"
    assert "nobody worked on it" in _ledgerline(sampled, tmp_path, "cancel", "1").stdout
    (run,) = sampled.runs()
    assert (run.status, run.resumable) == ("cancelled", True)
    assert all(lease["holder"] is None for lease in sampled.table("leases"))
    gone_on = sampled.ingest(partition_rows=100)
    assert (gone_on.id, gone_on.status) == (1, "succeeded")


def test_a_request_is_seen_while_the_run_writes(sampled: Installation) -> None:
    """The main file of SQLite is locked then; a run in its last stage ends, and leaves no request behind."""

    class Asking:
        def progress(self, stage: str, done: int, total: int, rows: int) -> None:
            if stage == "write":
                with sampled.app() as other:
                    asked.append(other.cancel().id)
                time.sleep(2.5)  # until after the next heartbeat

    asked: list[int] = []
    run = sampled.ingest(watcher=Asking(), cancel=Cancel(), wanted=Wanted())
    assert (run.status, asked) == ("succeeded", [run.id])
    again: Any = sampled.ingest()
    assert again.status == "succeeded"


def test_a_number_that_another_process_got_is_not_the_holder(sampled: Installation) -> None:
    own = os.getpid()
    assert runs.is_process_alive(own, None)
    assert runs.is_process_alive(own, runs.utc_now())
    assert not runs.is_process_alive(own, runs.utc_now().replace(year=2001))


def test_a_run_of_another_machine_is_judged_by_its_heartbeat(sampled: Installation) -> None:
    run = sampled.ingest()
    with sampled.app() as app:
        with app.main.begin() as connection:
            connection.execute(ingestion_runs.update().values(status="running"))
            connection.execute(leases.update().values(holder="elsewhere:1", run_id=run.id))
        (run,) = runs.latest(app.main)
        at_work = going.run_at_work(app.main, "INVOICE")
        assert at_work is not None
        assert not going.is_interrupted(app.main, run)
        long_ago = runs.utc_now() - timedelta(minutes=5)
        with app.main.begin() as connection:
            connection.execute(leases.update().values(beat_at=long_ago))
        with app.main.begin_activity() as connection:
            connection.execute(run_progress.update().values(beat_at=long_ago))
        assert going.run_at_work(app.main, "INVOICE") is None
        assert going.is_interrupted(app.main, run)
