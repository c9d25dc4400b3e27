"""Servers that die, connections that are cut, full disks, and two runs at once: nothing is lost by them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from ledgerline.databases import runs
from ledgerline.errors import DatabaseError, LeaseLost, LedgerlineError, RunInProgress, TemporaryFolderFault
from ledgerline.ingest.run import Cancel
from ledgerline.sources.sample_database import write_sample
from tests.crash.scenarios import (
    PARTITION_ROWS,
    ROWS,
    SEED,
    Scenario,
    copied,
    copied_after_migration,
    dump,
    ended,
    finish,
    go_on,
    start_victim,
    steps_of_a_run,
    wait_until_stopped,
)
from tests.house import Installation, Watcher
from tests.postgres import PostgresServer

# -- what else can go wrong ---------------------------------------------------------------------------


def test_the_server_is_killed(tmp_path: Path) -> None:
    with PostgresServer() as server:
        house = Installation("postgresql", tmp_path, server)
        with house._invoice() as invoice:
            write_sample(invoice, house.settings.invoice_table, ROWS, SEED)
        with house.app() as app:
            app.migrate()
        before = dump(house)
        for stage in ("stage", "match", "write"):
            with pytest.raises(DatabaseError):
                house.ingest(
                    partition_rows=PARTITION_ROWS, watcher=_At(stage, server.kill), DB_RETRY_ATTEMPTS="0"
                )
            server.start()
            assert dump(house) == before, stage
        resumed = finish(house)
        assert (resumed.id, len(house.runs())) == (1, 1)
        after = dump(house)
        fresh = Installation("postgresql", tmp_path, server)
        fresh.environ["INVOICE_DATABASE_URL"] = house.environ["INVOICE_DATABASE_URL"]
        fresh.ingest(partition_rows=PARTITION_ROWS)
        assert dump(fresh) == after


class _At(Watcher):
    """Does something when a stage begins."""

    def __init__(self, stage: str, action: Callable[[], None]) -> None:
        super().__init__()
        self._stage = stage
        self._action = action

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        if stage == self._stage and stage not in self.stages:
            self._action()
        super().progress(stage, done, total, rows)


@pytest.mark.parametrize("share", [0.15, 0.5, 0.85, 0.97])
def test_connections_are_cut(
    share: float, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    house = Installation("postgresql", tmp_path, postgres)
    with house._invoice() as invoice:
        write_sample(invoice, house.settings.invoice_table, ROWS, SEED)
    with copied_after_migration(house, tmp_path, postgres) as whole:
        steps = steps_of_a_run(whole)
        after = dump(whole)
    before = dump(house)
    halted = start_victim(house, halt=int(steps * share))
    wait_until_stopped(halted)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [house.settings.main.url.database],
        )
    go_on(halted)
    ended(halted)
    if not any(run.status == "succeeded" for run in house.runs()):
        assert dump(house) == before
    finish(house)
    assert dump(house) == after


@pytest.mark.parametrize("pages", [0, 8, 16, 24])
def test_the_disk_is_full(pages: int, tmp_path: Path) -> None:
    """So many pages are left in the file of an embedded main database."""
    house = Installation("sqlite", tmp_path)
    with house._invoice() as invoice:
        write_sample(invoice, house.settings.invoice_table, ROWS, SEED)
    with house.app() as app:
        app.migrate()
    before = dump(house)
    with house.app() as app:
        with app.main.connect() as connection:
            held = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

        @sa.event.listens_for(app.main.engine, "checkout")
        def _limit(connection: Any, *_: Any) -> None:
            connection.execute(f"PRAGMA max_page_count = {held + pages}")

        app.main.engine.dispose()
        with pytest.raises(LedgerlineError, match="full"):
            app.ingest(Watcher(), Cancel(), partition_rows=PARTITION_ROWS)
    assert dump(house) == before
    finish(house)
    fresh = Installation("sqlite", tmp_path)
    fresh.environ["INVOICE_DATABASE_URL"] = house.environ["INVOICE_DATABASE_URL"]
    fresh.ingest(partition_rows=PARTITION_ROWS)
    assert dump(house) == dump(fresh)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no file on which nothing has room")
def test_the_temporary_folder_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = Installation("sqlite", tmp_path)
    with house._invoice() as invoice:
        write_sample(invoice, house.settings.invoice_table, ROWS, SEED)
    with monkeypatch.context() as meanwhile:
        full = partial(open, "/dev/full", "r+b", buffering=0)
        meanwhile.setattr(tempfile, "TemporaryFile", lambda prefix: full())
        with pytest.raises(TemporaryFolderFault):
            house.ingest(partition_rows=PARTITION_ROWS)
    (stopped,) = house.runs()
    assert (stopped.status, stopped.resumable) == ("failed", True)
    assert finish(house).id == stopped.id


# -- two at once ----------------------------------------------------------------------------------------


def test_a_second_run_is_told_of_the_first_and_small_writes_go_on(
    scenarios: Callable[[str], Scenario], postgres: PostgresServer, tmp_path: Path
) -> None:
    scenario = scenarios("first")
    with copied(scenario.house, tmp_path, postgres) as house:
        first = start_victim(house, halt=scenario.steps - 8)  # in the middle of its writing transaction
        try:
            wait_until_stopped(first)
            second = subprocess.run(
                [sys.executable, "-m", "ledgerline", "ingest"],
                cwd=tmp_path,
                env={**os.environ, **house.environ},
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert second.returncode == 4, second.stderr
            assert "Run 1 of INVOICE is going" in second.stderr
            with house.app() as app:
                with app.main.begin_activity() as connection:
                    runs.beat(connection, 1, {"stage": "write", "done": 7, "total": 9, "rows": 3})
                progress = runs.progress(app.main, 1)
                assert progress is not None
                assert progress["done"] == 7
        finally:
            go_on(first)
            code = ended(first)
        assert code == 0
        assert dump(house) == scenario.after


def test_who_lost_the_lease_cannot_write(
    scenarios: Callable[[str], Scenario], postgres: PostgresServer, tmp_path: Path
) -> None:
    def take_over() -> None:
        with house.app() as app:
            runs.acquire(app.main, "INVOICE", "elsewhere:1", is_dead=lambda holder, run: True)

    # The last moment to take a lease is before the writing transaction begins, which holds it: on a first
    # load that is at work when merging begins.
    for name, stage in (("first", "stage"), ("first", "match"), ("later", "merge")):
        scenario = scenarios(name)
        with copied(scenario.house, tmp_path, postgres) as house:
            with house.app() as app, pytest.raises(LeaseLost):
                app.ingest(_At(stage, take_over), Cancel(), partition_rows=PARTITION_ROWS)
            assert dump(house) == scenario.before
            assert [run.status for run in house.runs()].count("running") == 1
            with house.app() as app, pytest.raises(RunInProgress):
                runs.acquire(app.main, "INVOICE", "third:1", is_dead=lambda holder, run: False)
